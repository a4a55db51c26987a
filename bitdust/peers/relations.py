"""Relations: which roles a peer has for this node. Rooms offer what they know, the packet table and others ask."""

from collections.abc import Callable

from bitdust.signal import Disconnect
from bitdust.wire.table import RELATIONS, Who

Holds = Callable[[bytes], bool]


class Relations:
    """I know nobody myself: for each role I ask those who offered to know, until one of them says yes."""

    def __init__(self) -> None:
        self._providers: dict[Who, dict[object, Holds]] = {role: {} for role in RELATIONS}

    def add(self, role: Who, holds: Holds) -> Disconnect:
        """Ask ``holds(fingerprint)`` for a role from now on; the answer withdraws it, and may be called again.

        Raises `ValueError` for what is no role, such as `Who.ANYONE`.
        """
        if role not in self._providers:
            raise ValueError(f"{role} is no relation")
        key = object()
        self._providers[role][key] = holds

        def remove() -> None:
            self._providers[role].pop(key, None)

        return remove

    def has(self, who: Who, fingerprint: bytes) -> bool:
        """Whether the peer has one of the roles in ``who``; what is no role there counts for nothing."""
        return any(
            role in who and any(holds(fingerprint) for holds in self._providers[role].values()) for role in RELATIONS
        )

    def of(self, fingerprint: bytes) -> Who:
        """All roles of a peer, `Who(0)` for a stranger."""
        found = Who(0)
        for role in RELATIONS:
            if self.has(role, fingerprint):
                found |= role
        return found
