"""Messages by topic between nodes that take part in one: each is signed, passed on to a few, and heard once."""
