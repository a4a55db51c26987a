"""What storage needs of the rest of the node, as small protocols; the services fill them in."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from bitdust.crypt.keyring import KeyRing
from bitdust.crypt.master import MasterKey
from bitdust.ports import Outbox
from bitdust.wire.records import Family, Head
from bitdust.wire.signed import Signed


class StorageWorld(Protocol):
    """The part of `bitdust.world.World` that storage needs."""

    @property
    def clock(self) -> IReactorTime: ...

    @property
    def wall(self) -> Callable[[], float]: ...

    @property
    def entropy(self) -> Callable[[int], bytes]: ...

    @property
    def run_in_thread(self) -> "Callable[..., Deferred[Any]]": ...


class Settings(Protocol):
    def get(self, key: str, /) -> Any: ...


class Events(Protocol):
    def send(self, event_id: str, data: dict[str, Any] | None = None, /) -> object: ...


class Device(Protocol):
    """One device of the identity document."""

    @property
    def key(self) -> bytes: ...

    @property
    def number(self) -> int: ...

    @property
    def revoked(self) -> int | None: ...

    @property
    def sequence(self) -> int | None: ...


class Document(Protocol):
    """The part of an identity document that is used here."""

    @property
    def idurl(self) -> object: ...

    @property
    def global_id(self) -> str: ...

    @property
    def devices(self) -> "Sequence[Device]": ...

    def device(self, ident: bytes, /) -> Device | None: ...


def is_alone(document: Document) -> bool:
    """Whether one device counts and no other."""
    return sum(1 for device in document.devices if device.revoked is None) <= 1


class DeviceKey(Protocol):
    @property
    def id(self) -> bytes: ...


class Me(Protocol):
    """The local identity; see `bitdust.identity.me.Me`."""

    @property
    def fingerprint(self) -> bytes: ...

    @property
    def document(self) -> Document: ...

    @property
    def device(self) -> DeviceKey: ...

    @property
    def device_number(self) -> int: ...

    @property
    def master(self) -> MasterKey: ...

    @property
    def key_ring(self) -> KeyRing: ...

    def save_key_ring(self) -> None: ...

    def sealed_key_ring(self) -> bytes: ...

    def ensure_master_secret(self) -> bool: ...

    def sign(self, kind: str, body: bytes, /) -> Signed: ...


class Ports(Protocol):
    """The node around the storage of a customer."""

    @property
    def outbox(self) -> Outbox: ...

    def family(self) -> Family | None:
        """My newest family record."""

    def is_online(self, fingerprint: bytes, /) -> bool:
        """Whether there is a session with a supplier."""

    def room(self) -> int | None:
        """Bytes of my own data for which my contracts have room; None while nothing is known of them."""

    def names(self, fingerprint: bytes, /) -> tuple[str, str]:
        """IDURL and global id of a supplier, empty where they are not known."""

    def my_names(self) -> list[str]:
        """My global ids: a remote path may use any of them."""

    def publish_head(self, head: Head, signed: Signed, /) -> "Deferred[Any]":
        """Bring a head to the DHT."""

    def known_heads(self) -> "Deferred[list[Head]]":
        """Heads told by the DHT and by the key file from which this node was recovered."""

    def catalog_is_outdated(self) -> None:
        """Close the storage and open it again: the catalog is to be built anew from the suppliers."""

    def device_is_taken(self) -> None:
        """Suppliers hold log entries under this device's key that it does not know: it needs a new device key."""
