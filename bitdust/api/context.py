"""What the methods may use of a node. `Node` is the real one; tests bring a small one of their own."""

from pathlib import Path
from typing import Any, Protocol

from twisted.internet.defer import Deferred

from bitdust.automats.kernel import Registry
from bitdust.config.settings import Settings
from bitdust.events import Consumers, Events
from bitdust.identity.cache import IdentityCache
from bitdust.identity.me import Me
from bitdust.services.driver import Driver
from bitdust.world import World

Row = dict[str, Any]
Rows = list[Row]


class RegistrationPort(Protocol):
    """Making and recovering identities."""

    def create(self, username: str, preferred_servers: list[str]) -> "Deferred[Any]":
        """Fires with the new document."""

    def recover(self, key_file: str, passphrase: bytes | None, known_idurl: str | None) -> "Deferred[Any]":
        """Fires with the recovered document."""

    def backup(self, passphrase: bytes | None) -> str:
        """The text of a key file with fresh hints."""


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
    def settings(self) -> Settings:
        """Typed settings."""

    @property
    def events(self) -> Events:
        """The event stream."""

    @property
    def consumers(self) -> Consumers:
        """Long polls on the event stream."""

    @property
    def driver(self) -> Driver:
        """Services."""

    @property
    def registry(self) -> Registry:
        """Machines."""

    @property
    def me(self) -> Me:
        """My identity."""

    @property
    def registration(self) -> RegistrationPort:
        """New and recovered identities."""

    @property
    def cache(self) -> IdentityCache:
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
