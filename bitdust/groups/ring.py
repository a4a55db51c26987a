"""The ring of those who keep a group: each watches the next ones in it, so what one of them holds reaches all.

Two who watched nobody but each other would hear of nothing else.
"""

import hashlib
from collections.abc import Sequence


def following(me: bytes, online: Sequence[bytes], most: int) -> set[bytes]:
    """Whom a node watches of those it has sessions with: the next ``most`` in the ring. Two devices of one person that
    watched each other would hear of nobody else."""
    mine = _place(me)
    return set(sorted(online, key=lambda who: (_place(who) <= mine, _place(who)))[:most])


def _place(who: bytes) -> bytes:
    return hashlib.sha256(who).digest()
