"""The erasure of this node's identity: what `identity_eraser` acts on, for the whole node."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from bitdust.automats.identity_eraser import IdentityEraser
from bitdust.identity.erasure import Erased, Erasure, tale
from bitdust.rooms import Rooms
from bitdust.services.driver import Driver
from bitdust.wire.errors import BitDustError


class IdentityErasure:
    """I erase once at a time. ``restart`` ends the process, which begins again without an identity."""

    def __init__(self, rooms: Rooms, driver: Driver, restart: Callable[[], Any]) -> None:
        self._rooms = rooms
        self._driver = driver
        self._restart = restart
        self._running: _Job | None = None

    @property
    def files(self) -> Erasure:
        """The files of this home that belong to an identity."""
        home, settings = self._rooms.around.world.home, self._rooms.around.settings
        return Erasure(home, Path(settings.get("paths/backups") or home / "spool"))

    def erase(self, erase_private_key: bool) -> "Deferred[dict[str, Any]]":
        """Fires with what became of everything. Raises or fails with `BitDustError` or `OSError`: then all stays."""
        if self._running is not None and not self._running.done.called:
            raise BitDustError("busy", "the identity is being erased")
        self._running = _Job(self, erase_private_key)
        self._running.machine.send("start")
        return self._running.done

    def stop_services(self) -> "Deferred[Any]":
        """Fires when all have stopped."""
        return self._driver.stop_all()

    def start_services(self) -> None:
        """The identity stays after all."""
        self._driver.start_all()

    def carried_out(self) -> None:
        """The files are gone: end the process after the answer."""
        self._rooms.around.events.send("local-identity-erased")
        self._restart()


class _Job:
    """One erasure: the port of its machine."""

    def __init__(self, erasure: IdentityErasure, erase_private_key: bool) -> None:
        rooms = erasure._rooms
        self._erasure = erasure
        self._run_in_thread = rooms.around.world.run_in_thread
        self._fingerprint = rooms.identity.me.fingerprint
        self._sources = [str(url) for url in rooms.identity.me.document.sources]
        self._key_file = None if erase_private_key else rooms.identity.registration.kept_backup()
        self._suppliers = [row["global_id"] or row["idurl"] for row in rooms.suppliers.view.list() if row["idurl"]]
        self.done: Deferred[dict[str, Any]] = Deferred()
        self.machine = IdentityEraser(rooms.around.registry, self)

    def stop_services(self) -> "Deferred[Any]":
        return self._erasure.stop_services()

    def erase_files(self) -> "Deferred[Any]":
        return self._run_in_thread(self._erasure.files.run, self._fingerprint, self._key_file)

    def restart(self, erased: Erased) -> None:
        self._erasure.carried_out()
        automat = {"index": self.machine.index, "id": self.machine.id}
        self.done.callback(tale(erased, self._sources, self._suppliers) | {"automat": automat})

    def resume(self, reason: Any) -> None:
        self._erasure.start_services()
        slow = BitDustError("timeout", "the services of this node did not stop; nothing was erased")
        self.done.errback(reason if isinstance(reason, Failure) else slow)
