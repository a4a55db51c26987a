"""Who is in touch with this node, and how this node is found."""
