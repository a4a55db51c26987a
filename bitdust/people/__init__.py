"""The people whom this node's person knows: names, friends, keys between them, and what they write to each other."""
