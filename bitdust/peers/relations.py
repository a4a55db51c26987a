"""Relations: which roles a peer has for this node. Rooms offer what they know, the packet table and others ask."""

from collections.abc import Callable

from bitdust.signal import Disconnect
from bitdust.wire.table import RELATIONS, Who

Holds = Callable[[bytes], bool]
ALL = Who(sum(role.value for role in RELATIONS))


class Relations:
    """I know nobody myself: for each role I ask those who offered to know, until one of them says yes."""

    def __init__(self) -> None:
        self._providers: dict[Who, dict[object, Holds]] = {role: {} for role in RELATIONS}
        # Asked with every packet: what an enumeration answers to is slower than all who are asked.
        self._asked = [(role.value, holders) for role, holders in self._providers.items()]

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
        wanted = who.value
        for role, holders in self._asked:
            if role & wanted:
                for holds in holders.values():
                    if holds(fingerprint):
                        return True
        return False

    def of(self, fingerprint: bytes, among: Who = ALL) -> Who:
        """All roles of a peer, of those ``among`` which they are looked for; `Who(0)` for a stranger."""
        found, wanted = 0, among.value
        for role, holders in self._asked:
            if role & wanted and any(holds(fingerprint) for holds in holders.values()):
                found |= role
        return Who(found)
