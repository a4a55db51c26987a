"""What storage asks of other rooms, one protocol for each, and how it asks its suppliers."""

from typing import Any, Protocol

from twisted.internet.defer import Deferred

from bitdust.ports import Outbox, Reply
from bitdust.surroundings import Connected
from bitdust.wire.records import Family, Head
from bitdust.wire.signed import Signed


class Holders(Protocol):
    """The suppliers of one owner: who they are, whether they are there, and the way to them."""

    @property
    def outbox(self) -> Outbox: ...

    def is_online(self, fingerprint: bytes, /) -> bool:
        """Whether there is a session with a supplier."""

    def names(self, fingerprint: bytes, /) -> tuple[str, str]:
        """IDURL and global id of a supplier, empty where they are not known."""

    def family(self) -> Family | None:
        """The owner's newest family record."""


class PieceGivers(Holders, Protocol):
    """Suppliers from which pieces are fetched."""

    def is_coming(self, fingerprint: bytes, /) -> bool:
        """Whether one may be there in a moment: it is being dialled, or was lost just now."""


class LogHolders(Holders, Protocol):
    """Suppliers that acknowledge what they are brought."""

    def note_answer(self, supplier: bytes, reply: Reply, /) -> None:
        """One has acknowledged something."""


class PieceHolders(LogHolders, PieceGivers, Protocol):
    """Suppliers to which pieces are brought."""

    def note_refusal(self, supplier: bytes, code: str, /) -> None:
        """One has refused a piece."""


class PartHolders(LogHolders, Protocol):
    """Whoever keeps the parts of a log in which several people write."""

    def brings_all(self) -> bool:
        """Whether this node brings them the parts of others too."""

    def is_keeper(self) -> bool:
        """Whether this node keeps them itself."""

    def takes_from_all(self) -> bool:
        """Whether they take the parts of others from everybody, as members do, who can check them."""

    def gives_together(self) -> bool:
        """Whether they give several parts in one answer, as members do."""


class SupplierFamily(Protocol):
    """My suppliers, as far as storage needs them."""

    def family(self) -> Family | None:
        """My newest family record."""

    def is_coming(self, supplier: bytes, /) -> bool:
        """Whether a supplier that is not connected may be in a moment."""

    def is_family_mine(self) -> bool:
        """Whether this device wrote the family record, and not another one of mine."""

    def of_other_lives(self) -> list[bytes]:
        """Suppliers that hold what another life of mine has stored, of which not all is known here."""

    def awaits_others(self) -> bool:
        """Whether a family of before is searched for, or one that was found may hold what is not known here."""

    def are_some_aside(self) -> bool:
        """Whether suppliers of a family that was found wait for room beside mine, and are not asked meanwhile."""

    def room(self) -> int | None:
        """Bytes of my own data for which there is room, or will be; None while nothing is known of it."""

    def note_taken(self, supplier: bytes, taken: int | None, /) -> None:
        """A supplier says how many bytes of its room are taken; None: it has refused a piece for want of it."""


class HeadDirectory(Protocol):
    """Where heads of my logs are found when nothing else is left."""

    def publish_head(self, head: Head, signed: Signed, /) -> "Deferred[Any]":
        """Bring a head to the DHT."""

    def known_heads(self) -> "Deferred[list[Head]]":
        """Heads known to the DHT and to the key file from which this node was recovered."""


class Restarts(Protocol):
    """What storage cannot do by itself when it finds itself in the wrong place."""

    def catalog_is_outdated(self) -> None:
        """Close the storage and open it again: the catalog is to be built again from the suppliers."""

    def device_is_taken(self) -> None:
        """Suppliers hold log entries under this device's key that it does not know: it needs a new device key."""


class NodePorts(SupplierFamily, HeadDirectory, Restarts, Protocol):
    """All of them, as the assembly plugs them in."""


class Ports:
    """I am how storage reaches its suppliers: who they are, whether they are there, and the way out."""

    def __init__(self, around: Connected, node: NodePorts) -> None:
        self._around = around
        self._node = node

    @property
    def outbox(self) -> Outbox:
        """The only way out."""
        return self._around.outbox

    def is_online(self, fingerprint: bytes) -> bool:
        """Whether there is a session with a supplier."""
        return self._around.sessions.connected(fingerprint)

    def is_coming(self, fingerprint: bytes) -> bool:
        """Whether one may be there in a moment."""
        return self._node.is_coming(fingerprint)

    def names(self, fingerprint: bytes) -> tuple[str, str]:
        """IDURL and global id of a supplier, empty where they are not known."""
        document = self._around.identities.get(fingerprint)
        return (str(document.idurl), document.global_id) if document is not None else ("", "")

    def my_names(self) -> list[str]:
        """My global ids, one of each source: a remote path may use any of them."""
        return [source.global_id for source in self._around.me.document.sources]

    def family(self) -> Family | None:
        """My newest family record."""
        return self._node.family()

    def is_family_mine(self) -> bool:
        """Whether this device wrote the family record."""
        return self._node.is_family_mine()

    def of_other_lives(self) -> list[bytes]:
        """Suppliers that hold what another life of mine has stored, of which not all is known here."""
        return self._node.of_other_lives()

    def awaits_others(self) -> bool:
        """Whether logs of before may turn up that are not known here."""
        return self._node.awaits_others()

    def are_some_aside(self) -> bool:
        """Whether suppliers of another life wait for room beside mine."""
        return self._node.are_some_aside()

    def room(self) -> int | None:
        """Bytes of my own data for which there is room, or will be."""
        return self._node.room()

    def note_answer(self, supplier: bytes, reply: Reply) -> None:
        """A supplier has acknowledged something, and says how much of its room is taken."""
        taken = reply.fields.get("taken")
        if isinstance(taken, int) and taken >= 0:
            self._node.note_taken(supplier, taken)

    def note_refusal(self, supplier: bytes, code: str) -> None:
        """A supplier has refused a piece."""
        if code == "no-space":
            self._node.note_taken(supplier, None)

    def publish_head(self, head: Head, signed: Signed) -> "Deferred[Any]":
        """Bring a head to the DHT."""
        return self._node.publish_head(head, signed)

    def known_heads(self) -> "Deferred[list[Head]]":
        """Heads known outside."""
        return self._node.known_heads()

    def catalog_is_outdated(self) -> None:
        """Open the storage again."""
        self._node.catalog_is_outdated()

    def device_is_taken(self) -> None:
        """Take a new device key."""
        self._node.device_is_taken()
