"""What the methods may use of a node. `Node` is the real one; tests bring a small one of their own."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

from twisted.internet.defer import Deferred

from bitdust.api.following import Following, Watching
from bitdust.api.tally import Tally
from bitdust.automats.kernel import Registry
from bitdust.config.settings import Settings
from bitdust.customers.customers import Customers
from bitdust.customers.patrol import Patrol
from bitdust.customers.retirement import Retirement
from bitdust.dht.node import DHTNode
from bitdust.events import Consumers, Events
from bitdust.identity.cache import IdentityCache
from bitdust.identity.client import IdentityClient
from bitdust.identity.home_lock import HomeLock
from bitdust.identity.me import Me
from bitdust.identity.registration import Registration
from bitdust.identity.server import IdentityServer
from bitdust.peers.presence import Presence
from bitdust.services.driver import Driver
from bitdust.space import Space
from bitdust.storage.catalog.changes import Changes
from bitdust.storage.catalog.paths import Item, Target
from bitdust.storage.pieces.local_copies import Copies
from bitdust.storage.upload.mirror import Mirror
from bitdust.suppliers.hiring import Hiring
from bitdust.suppliers.suppliers import SuppliersView
from bitdust.transport.gateway import Gateway
from bitdust.world import World

Row = dict[str, Any]
Rows = list[Row]


class Listener(Protocol):
    """One WebSocket, to which snapshots of models are pushed."""

    def enable(self, model: str, request_all: bool) -> "Deferred[Row]":
        """Push this model from now on, and all of it at once if that is wished. Raises `BitDustError`."""

    def disable(self, model: str) -> bool:
        """Push it no more; whether it was pushed."""

    def request(self, model: str, ident: str | None) -> "Deferred[Row]":
        """Push all of a model now, or the snapshot with one id. Raises `BitDustError`."""


class StoragePort(Protocol):
    """Files of mine that suppliers keep. Each answer may come as a Deferred."""

    def create(self, remote_path: str, as_folder: bool, exist_ok: bool, force_path_id: str | None) -> Any:
        """The row of a new item of the catalog."""

    def exists(self, remote_path: str) -> Any:
        """The path id of the item, or None."""

    def info(self, remote_path: str, include_uploads: bool, include_downloads: bool) -> Any:
        """The row of one item."""

    def list(
        self,
        remote_path: str | None,
        key_id: str | None,
        recursive: bool,
        include_uploads: bool,
        include_downloads: bool,
        offset: int = 0,
        limit: int | None = None,
    ) -> Any:
        """Rows of items, all of them or ``limit`` after ``offset``."""

    def gather(self, shape: Callable[[dict[str, Any]], Iterable[Any]]) -> Any:
        """What a function makes of the row of each item of the whole catalog; it runs in a thread."""

    def delete(self, remote_path: str) -> Any:
        """Take an item out of the catalog and off the suppliers; its row."""

    def upload(self, local_path: str, remote_path: str) -> Any:
        """A task: ``describe()`` is its row, ``done`` fires with its result."""

    def download(self, remote_path: str, destination: str, policy: str) -> Any:
        """A task: ``describe()`` is its row, ``done`` fires with its result."""

    def uploads(self) -> Any:
        """``{"running": rows, "pending": rows}``; rows have remote_path, bytes_processed and total_size."""

    def downloads(self) -> Any:
        """Rows of running downloads, with remote_path, bytes_processed and total_size."""

    def stop_upload(self, remote_path: str) -> Any:
        """A list of what was stopped."""

    def stop_download(self, remote_path: str) -> Any:
        """A list of what was stopped."""

    def cancel_upload(self, path_id: str) -> Any:
        """Take back an upload that has not begun; a list of what was stopped."""

    def abort_upload(self, path_id: str, version: str | None) -> Any:
        """Give up a running upload; a list of what was stopped."""

    def abort_download(self, target: Target) -> Any:
        """Give up downloads; a list of what was stopped."""

    def need_suppliers(self) -> None:
        """Raises ``too-few-suppliers`` where nothing could be uploaded now."""

    def begin_upload(self, item: Item, source: bytes) -> Any:
        """A task, as of `upload`."""

    def begin_download(self, target: Target, destination: bytes, policy: str) -> Any:
        """A task, as of `download`."""

    def remove(self, target: Target) -> Any:
        """Take what was found out of the catalog and off the suppliers; its row."""

    def sync(self) -> Any:
        """Compare with the suppliers at once."""

    def transfers(self) -> Any:
        """By supplier: idurl, global_id, outgoing and incoming pieces."""

    def stats(self) -> Row:
        """items, files, folders, sizes."""

    def pieces(self) -> Row:
        """packs, pieces due, acknowledged, waiting, missing; spool_bytes."""

    @property
    def revision(self) -> Any:
        """Which state of the catalog this is."""

    @property
    def is_open(self) -> bool:
        """Whether data moves."""

    @property
    def changes(self) -> Changes:
        """Which items have changed."""

    def living(self, path_id: str) -> Row | None:
        """The row of an item, None for one that is gone."""

    def key_of(self, path_id: str) -> str:
        """The key id of an item that may have been deleted."""

    @property
    def mirror(self) -> Mirror:
        """Items and the local paths that they stand for."""

    @property
    def copies(self) -> Copies:
        """Pieces that stay here although suppliers have them."""

    def find(self, remote_path: str) -> Target:
        """The item and version that a path or path id names."""

    def find_id(self, text: str) -> Target:
        """The item and version that a path id names."""

    def versions(self, target: Target) -> Sequence[str]:
        """Versions of an item itself, the oldest first."""

    def use_key(self, key_id: str | None) -> str:
        """The alias of the key that new items belong to."""

    def pieces_by_supplier(self) -> dict[bytes, int]:
        """How many pieces each supplier has acknowledged."""


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
    def listener(self) -> "Listener | None":
        """The WebSocket that asks; None where the question came another way."""

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
    def tally(self) -> Tally:
        """Counts and times of the API's calls."""

    @property
    def following(self) -> Following:
        """Moves of machines as events."""

    @property
    def watching(self) -> Watching:
        """Moves of machines for long polls."""

    @property
    def me(self) -> Me:
        """My identity."""

    @property
    def home_lock(self) -> HomeLock:
        """The passphrase of the keys in the home."""

    @property
    def registration(self) -> Registration:
        """New and recovered identities."""

    @property
    def cache(self) -> IdentityCache:
        """Identities of others."""

    @property
    def storage(self) -> StoragePort:
        """My files."""

    @property
    def suppliers(self) -> SuppliersView:
        """Who keeps my pieces."""

    @property
    def hiring(self) -> Hiring:
        """Who hires and replaces them."""

    @property
    def customers(self) -> Customers:
        """Whose pieces I keep."""

    @property
    def patrol(self) -> Patrol:
        """Who looks after their contracts."""

    @property
    def retirement(self) -> Retirement:
        """Whether this node stops being a supplier."""

    @property
    def space(self) -> Space:
        """Figures of disk space."""

    @property
    def gateway(self) -> Gateway:
        """Sessions, with the inbox and the outbox."""

    @property
    def presence(self) -> Presence:
        """Who is connected."""

    @property
    def dht(self) -> DHTNode:
        """The DHT node."""

    @property
    def client(self) -> IdentityClient:
        """Reads identities at ID servers."""

    @property
    def identity_server(self) -> IdentityServer | None:
        """The ID server of this node, if it is one."""

    def erase_identity(self, erase_private_key: bool) -> "Deferred[dict[str, Any]]":
        """Stop the services, put the identity away, start the process again; fires with what lies where."""

    def stop(self, restart: bool) -> "Deferred[None]":
        """Stop the process soon, after the answer is out; ``restart`` starts it again."""

    def health(self) -> dict[str, Any]:
        """What `process_health` tells; raises `BitDustError` when the node cannot work."""
