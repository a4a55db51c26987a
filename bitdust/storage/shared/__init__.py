"""Other owners' data that this node was let into: their catalogs, and the way to their suppliers."""
