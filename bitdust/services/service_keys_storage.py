"""My key ring at my suppliers."""

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, succeed

from bitdust.crypt.keyring import MASTER
from bitdust.rooms import Rooms
from bitdust.services.service import Service, Unhealthy

CHANGES = (
    "key-generated",
    "key-registered",
    "key-renamed",
    "key-labelled",
    "key-state-changed",
    "key-erased",
    "my-keys-renewed",
    "share-granted",
    "share-revoked",
    "share-changed",
)


class KeysStorageService(Service):
    """On a recovered node the ring comes back first: without it the catalog's log cannot be read."""

    name = "keys_storage"
    needs = ("data_motion",)
    needs_identity = True
    duty = "keeps my key ring, sealed to my master key, at every supplier"
    start_timeout = None

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms
        self._path = rooms.around.world.home / "metadata" / "keyring"
        self._removers: list[Callable[[], None]] = []
        self._waiting: Deferred[Any] | None = None

    def start(self) -> "Deferred[Any]":
        ring = self._rooms.storage.core.key_ring_replicas
        for event in CHANGES:
            self._removers.append(self._rooms.around.events.subscribe(lambda _: ring.keys_changed(), event))
        self._removers.append(ring.state_changed.connect(self._check))
        ring.start()
        if self._has_secret():
            return succeed(None)
        self._waiting = Deferred()
        self._check()
        return self._waiting

    def _has_secret(self) -> bool:
        ring = self._rooms.identity.me.key_ring
        return MASTER in ring and bool(ring.get(MASTER).secrets)

    def _check(self) -> None:
        waiting = self._waiting
        if waiting is not None and self._rooms.storage.core.key_ring_replicas.ready:
            self._waiting = None
            waiting.callback(None)

    def waits_for(self) -> str:
        reason = self._rooms.storage.core.key_ring_replicas.reason
        return f"the key ring comes from my suppliers: {reason or 'they are being asked'}"

    def stop(self) -> None:
        removers, self._removers = self._removers, []
        for remove in removers:
            remove()
        self._waiting = None
        if self._rooms.storage.is_open:
            self._rooms.storage.core.key_ring_replicas.stop()

    def health(self) -> None:
        if not self._has_secret():
            raise Unhealthy(f"my key ring has not come back yet: {self._rooms.storage.core.key_ring_replicas.reason}")
        if not self._path.is_file():
            raise Unhealthy(f"{self._path}, where my key ring is stored, is gone")
