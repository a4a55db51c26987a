"""A mandate: what the members of my family may do for me while I am away, as my family record says it.

It names everybody who may ever get a piece by it, so that nobody can be chosen whom I did not choose before.
"""

from collections.abc import Mapping
from typing import Any

from attrs import frozen

from bitdust.wire.encoding import WireError
from bitdust.wire.schema import Bytes, Int, ListOf, Schema

LEAST_FAMILY = 4
"""Smaller families have no mandate: without one member the others would be no majority."""
MOST_LISTED = 16
FIELDS: Mapping[str, Schema] = {
    "after": Int(1, 366 * 86_400),
    "spares": ListOf(Bytes(32), MOST_LISTED),
    "most": Int(0, 64),
    "room": Int(0, 2**60),
    "nonce": Bytes(16),
    "ends": Int(),
}


@frozen
class Mandate:
    """``after`` so many seconds without me, and without a member, one of ``spares`` may take the member's place.

    At ``most`` so many places have a spare at a time, each with at most ``room`` bytes. ``nonce`` orders the spares for
    each place; ``ends`` is in seconds since the epoch.
    """

    after: int
    spares: list[bytes]
    most: int
    room: int
    nonce: bytes
    ends: int

    @classmethod
    def checked(cls, value: Mapping[str, Any], n: int) -> "Mandate":
        """The mandate of a family of ``n``. Raises `WireError`."""
        if n < LEAST_FAMILY:
            raise WireError("bad-field", f"mandate: a family of {n} does not heal by itself")
        if len(set(value["spares"])) != len(value["spares"]):
            raise WireError("bad-field", "mandate: a spare is named twice")
        return cls(**value)
