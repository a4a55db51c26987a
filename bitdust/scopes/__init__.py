"""Scopes: what one stranger, one network, one peer, one role may take of a node, and all of them together.

Whoever takes something that others need too (a session, a stream, memory, a place on its way to the disk) reserves it
first and releases it with what it belongs to. A reservation counts in every scope of its party at once: its session,
its peer, its network, its role, the system. It is made in all of them, or refused by the first that is full, before
anything is allocated. The shape is that of libp2p's resource manager; unlike there, the limits know roles: strangers
share a quarter, and places are kept for people with whom this node has dealings.

Roles are asked for with each reservation, so who becomes a customer leaves the strangers with the next thing it takes.
Scopes of peers and networks exist while something is reserved in them or a session holds them.
"""
