"""How much a key ring may hold, and what of it is kept for revocations.

Whoever revokes a device makes new storage secrets: they have to go into the ring, and other devices have to take them
from it, however full the revoked one has made it while it counted. So rings that are brought, and what a person adds,
leave a part of all that could be read. Each device that is revoked opens a step of it to rings that are brought: a
thief opens none.
"""

from typing import Any

from bitdust.crypt.scope import SCOPE_SIZE
from bitdust.crypt.shares import GRANT, MAX_GRANTS, MAX_SHARES, SHARE
from bitdust.wire.schema import Bytes, Flag, Int, ListOf, Optional, Struct, Text

MAX_RING = 256 * 1024
SEAL_ROOM = 8 * 1024
"""Left free for the seal, the signature, and storage secrets that are still to come."""
LEAST_ROOM = 4 * 1024
"""Of it for the seal and the signature alone."""
MAX_KEYS = 500
KEY_STEPS, STEP_KEYS = 4, 25
"""So many places for keys are left for each of so many devices that may be revoked: a thief fills no more."""
MAX_LABEL = 200
MAX_SECRETS, MAX_SCOPES = 1000, 64
"""Of one key."""
RESERVES = tuple(1024 * one for one in (64, 20, 8, 4, 0))
"""Bytes that are left by the number of devices that were revoked. Marks that secrets are retired take a fifth of what
the secrets take: the first revocation marks all that were there, the next ones what came since."""
STEPS, STEP_SECRETS = 8, 25
"""The same of the secrets of each key: so many for each of so many devices."""
SECRET_BYTES, MARK_BYTES = 64, 10
"""Of a storage secret in a ring, and of the mark that it is retired, at most."""
MAX_NAME = 2**48 - 1
"""Of a storage secret: the device number has 16 bits, the counter 32."""
VERSION = 5
"""1 had each name once, and no secret for reading alone; 2 had no scopes, which followed from the first secret of the
master key, and did not say which of two labels is the newer one; 3 knew of no shares, 4 of no guests."""
MAX_PAIRS = 8
"""Former RSA pairs of one key."""
_PEM = Text(10 * 1024)
_PAIR = Struct({"private": Optional(_PEM), "public": Optional(_PEM)})
_SECRET = Struct({"epoch": Int(1, MAX_NAME), "secret": Bytes(32), "retired": Optional(Flag())})
KEY = Struct(
    {
        "key_id": Text(300),
        "label": Text(4 * MAX_LABEL),
        "active": Flag(),
        "erased": Optional(Flag()),
        "private": Optional(_PEM),
        "public": Optional(_PEM),
        "secrets": ListOf(_SECRET, MAX_SECRETS),
        "scopes": Optional(ListOf(Bytes(SCOPE_SIZE), MAX_SCOPES)),
        "edits": Optional(Int(1)),
        "pairs": Optional(ListOf(_PAIR, MAX_PAIRS)),
        "grants": Optional(ListOf(GRANT, MAX_GRANTS)),
    }
)
RING = Struct(
    {"version": Int(1, VERSION), "keys": ListOf(KEY, MAX_KEYS), "shares": Optional(ListOf(SHARE, MAX_SHARES))}
)


def pair_map(private: str, public: str) -> dict[str, str]:
    """The stored form of a former pair."""
    return {name: value for name, value in (("private", private), ("public", public)) if value}


def most_bytes(revoked: int) -> int:
    """Of a ring that is brought, or that a person adds to, when so many devices were revoked."""
    return MAX_RING - SEAL_ROOM - RESERVES[min(revoked, len(RESERVES) - 1)]


def most_keys(revoked: int) -> int:
    """The same of the keys, those that were erased among them."""
    return MAX_KEYS - STEP_KEYS * max(0, KEY_STEPS - revoked)


def most_secrets(revoked: int) -> int:
    """The same of the secrets of one key."""
    return MAX_SECRETS - STEP_SECRETS * max(1, STEPS - revoked)


class Room:
    """What is left in a ring of some size, up to ``most`` bytes."""

    def __init__(self, size: int, most: int = MAX_RING - LEAST_ROOM) -> None:
        self._left = most - size

    def retires(self, key: Any) -> bool:
        """Whether there is room for the marks that a key's secrets are retired; it is gone then."""
        return self._takes(MARK_BYTES * len(key.usable))

    def takes_secret(self, key: Any) -> bool:
        """The same for another secret of a key."""
        return len(key.named) < MAX_SECRETS and self._takes(SECRET_BYTES)

    def _takes(self, size: int) -> bool:
        if size > self._left:
            return False
        self._left -= size
        return True
