"""Names of IPNS: keys of this node, what it has published under them, and what names of others lead to."""
