"""Who keeps a group, as its log needs them: suppliers of its creator, or members."""

from typing import Any, Protocol

from bitdust.groups.keepers import Joint, KeeperOutbox
from bitdust.ports import Outbox, Sessions
from bitdust.storage.shared.guest import GuestPorts
from bitdust.surroundings import Connected
from bitdust.wire.records import Family


class Kept(Joint, Protocol):
    """A group that somebody keeps."""

    def family(self) -> Family | None:
        """Who that is."""

    def is_mine_to_keep(self) -> bool:
        """Whether this node is one of the members who do."""


class MemberPorts:
    """Who keeps a group of somebody else, as its log needs them."""

    def __init__(self, ports: GuestPorts, sessions: Sessions, group: Kept) -> None:
        self._group = group
        self.outbox: Outbox = KeeperOutbox(ports.outbox, sessions, group)
        self.is_online = ports.is_online
        self.names = ports.names
        self.note_answer = ports.note_answer

    def family(self) -> Family | None:
        """Who keeps it."""
        return self._group.family()

    def brings_all(self) -> bool:
        """A member brings its own part alone."""
        return False

    def is_keeper(self) -> bool:
        """Whether this node is one of them."""
        return self._group.is_mine_to_keep()

    def takes_from_all(self) -> bool:
        """Suppliers take the part of a device from its own person, and from the owner of the key."""
        return self._group.is_joint()

    def gives_together(self) -> bool:
        """Suppliers give the log of one device in one answer."""
        return self._group.is_joint()


class OwnerPorts:
    """My suppliers, or the members who keep a group of mine, as its log needs them."""

    def __init__(self, around: Connected, group: Kept) -> None:
        self._around = around
        self._group = group
        self.outbox: Outbox = KeeperOutbox(around.outbox, around.sessions, group)

    def is_online(self, fingerprint: bytes) -> bool:
        """Whether there is a session with a supplier."""
        return self._around.sessions.connected(fingerprint)

    def names(self, fingerprint: bytes) -> tuple[str, str]:
        """IDURL and global id of a supplier, empty where they are not known."""
        document = self._around.identities.get(fingerprint)
        return (str(document.idurl), document.global_id) if document is not None else ("", "")

    def family(self) -> Family | None:
        """Who keeps it."""
        return self._group.family()

    def brings_all(self) -> bool:
        """Suppliers take everybody's part from the owner of the key."""
        return not self._group.is_joint()

    def is_keeper(self) -> bool:
        """The creator keeps it while it has no suppliers."""
        return self._group.is_mine_to_keep()

    def takes_from_all(self) -> bool:
        """From the owner of the key suppliers take all of them anyway."""
        return self._group.is_joint()

    def gives_together(self) -> bool:
        """As `MemberPorts`."""
        return self._group.is_joint()

    def note_answer(self, supplier: bytes, reply: Any) -> None:
        """Room is counted where files are stored."""
