"""Numbers of the key space: 160 bits, distance is XOR (Maymounkov and Mazières, Kademlia, 2002)."""

import hashlib
from functools import lru_cache

ID_BYTES = 20
ID_BITS = 160
MAX_LAYER = 15
SUPPLIERS_LAYER = 3
WEB_SOCKET_ROUTERS_LAYER = 9
_NODE = b"BitDust DHT node 1\0"
_KEY = b"BitDust DHT key 1\0"


@lru_cache(maxsize=8192)
def node_id(device_key: bytes) -> bytes:
    """The id that belongs to an Ed25519 public key; nobody chooses it freely."""
    return hashlib.sha256(_NODE + device_key).digest()[:ID_BYTES]


def record_key(kind: str, subject: bytes | str, layer: int) -> bytes:
    """Where a record is: kind, subject and layer (one byte) decide."""
    raw = subject.encode() if isinstance(subject, str) else subject
    return hashlib.sha256(_KEY + kind.encode() + b"\0" + raw + b"\0" + bytes((layer,))).digest()[:ID_BYTES]


def number(ident: bytes) -> int:
    """An id as a number, so that distance is one ``^``."""
    return int.from_bytes(ident, "big")
