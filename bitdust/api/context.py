"""What the methods may use of a node. `Node` is the real one; tests bring a small one of their own."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from twisted.internet.defer import Deferred

from bitdust.api.consumers import Consumers
from bitdust.automats.kernel import Registry
from bitdust.world import World

Row = dict[str, Any]
Rows = list[Row]


class SettingsPort(Protocol):
    """Typed settings of the node."""

    def get(self, key: str) -> Any:
        """The typed value; raises `BitDustError` for an unknown key."""

    def set(self, key: str, value: Any) -> Any:
        """Change and save it; raises `BitDustError` for what the key does not take."""

    def keys(self) -> list[str]:
        """Every key there is."""

    def describe(self, key: str) -> dict[str, Any]:
        """key, value, type, label, readonly, default, info, and min, max or possible_values where they apply."""


class EventsPort(Protocol):
    """The node's one numbered stream of events."""

    @property
    def sequence(self) -> int:
        """The number of the newest event."""

    def send(self, event_id: str, data: dict[str, Any] | None = None) -> Any:
        """Send one."""

    def subscribe(self, callback: Callable[[Any], None], event_id: str | None = None) -> Callable[[], None]:
        """Be told of events; gives a remover."""

    def counters(self) -> Mapping[str, int]:
        """How many events of each id were sent."""


class DriverPort(Protocol):
    """The services of the node."""

    def list(self) -> Rows:
        """All services in boot order."""

    def info(self, name: str) -> dict[str, Any]:
        """One service, under any spelling of its name."""

    def start(self, name: str) -> "Deferred[str]":
        """Enable and start; fires with the outcome."""

    def stop(self, name: str) -> "Deferred[str]":
        """Disable and stop; fires with the outcome."""

    def restart(self, name: str) -> "Deferred[Any]":
        """Stop and start; fires with both outcomes."""

    def health(self, name: str) -> "Deferred[bool]":
        """Check now."""

    def is_on(self, name: str) -> bool:
        """True while the service works."""


class MePort(Protocol):
    """My own identity."""

    @property
    def present(self) -> bool:
        """Whether there is one."""

    @property
    def document(self) -> Any:
        """My `IdentityDocument`."""

    @property
    def fingerprint(self) -> bytes:
        """32 bytes."""

    @property
    def global_id(self) -> str:
        """``alice@host``."""

    @property
    def key_ring(self) -> Any:
        """My keys."""

    @property
    def addresses(self) -> list[str]:
        """Where my device is reached."""

    def save_key_ring(self) -> Any:
        """Keep the ring, sealed."""


class RegistrationPort(Protocol):
    """Making and recovering identities."""

    def create(self, username: str, preferred_servers: list[str]) -> "Deferred[Any]":
        """Fires with the new document."""

    def recover(self, key_file: str, passphrase: bytes | None, known_idurl: str | None) -> "Deferred[Any]":
        """Fires with the recovered document."""

    def backup(self, passphrase: bytes | None) -> str:
        """The text of a key file with fresh hints."""


class CachePort(Protocol):
    """Identity documents of others."""

    def get(self, fingerprint: bytes) -> Any:
        """The document, or None."""

    def by_global_id(self, text: str) -> Any:
        """The document, or None."""

    def by_idurl(self, idurl: Any) -> Any:
        """The document, or None."""

    def all(self) -> Any:
        """Every document."""


class StoragePort(Protocol):
    """Files of mine that suppliers keep."""

    def create(self, remote_path: str, as_folder: bool, exist_ok: bool, force_path_id: str | None) -> Any:
        """A new item of the catalog."""

    def exists(self, remote_path: str) -> Any:
        """The item, or None."""

    def info(self, remote_path: str, include_uploads: bool, include_downloads: bool) -> Any:
        """The row of one item."""

    def list(
        self,
        remote_path: str | None,
        key_id: str | None,
        recursive: bool,
        include_uploads: bool,
        include_downloads: bool,
    ) -> Any:
        """Rows of items."""

    def delete(self, remote_path: str) -> Any:
        """Take an item out of the catalog and off the suppliers."""

    def upload(self, local_path: str, remote_path: str) -> Any:
        """A task with ``done``."""

    def download(self, remote_path: str, destination: str, policy: str) -> Any:
        """A task with ``done``."""

    def uploads(self) -> Any:
        """Running and pending uploads."""

    def downloads(self) -> Any:
        """Running downloads."""

    def stop_upload(self, remote_path: str) -> Any:
        """What was stopped."""

    def stop_download(self, remote_path: str) -> Any:
        """What was stopped."""

    def sync(self) -> Any:
        """Compare with the suppliers at once."""

    def transfers(self) -> Any:
        """Pieces on their way."""

    def stats(self) -> Row:
        """items, files, folders, sizes."""


class Context(Protocol):
    """A node, as the API sees it."""

    @property
    def world(self) -> World:
        """Clock, wall time, threads, home."""

    @property
    def settings(self) -> SettingsPort:
        """Typed settings."""

    @property
    def events(self) -> EventsPort:
        """The event stream."""

    @property
    def consumers(self) -> Consumers:
        """Long polls on the event stream."""

    @property
    def driver(self) -> DriverPort:
        """Services."""

    @property
    def registry(self) -> Registry:
        """Machines."""

    @property
    def me(self) -> MePort:
        """My identity."""

    @property
    def registration(self) -> RegistrationPort:
        """New and recovered identities."""

    @property
    def cache(self) -> CachePort:
        """Identities of others."""

    @property
    def storage(self) -> StoragePort:
        """My files."""

    @property
    def suppliers(self) -> Any:
        """Who keeps my pieces."""

    @property
    def customers(self) -> Any:
        """Whose pieces I keep."""

    @property
    def space(self) -> Any:
        """Figures of disk space."""

    @property
    def gateway(self) -> Any:
        """Sessions."""

    @property
    def inbox(self) -> Any:
        """Packets that come."""

    @property
    def outbox(self) -> Any:
        """Packets that go."""

    @property
    def dht(self) -> Any:
        """The DHT node."""

    def stop(self, restart: bool) -> "Deferred[None]":
        """Stop the process soon, after the answer is out; ``restart`` starts it again."""

    def health(self) -> dict[str, Any]:
        """What `process_health` tells; raises `BitDustError` when the node cannot work."""


def home_path(context: Context, *parts: str) -> Path:
    """A path inside the home folder."""
    return context.world.home.joinpath(*parts)
