"""What other devices of mine have deleted, and this one holds: shown, undone, confirmed, and undone by a revocation.

A device that was stolen can delete in two ways: by orders to suppliers, which let them wait, or by entries of its log,
which all devices follow. So what such an entry deletes is kept for the days in which things can be undone, two at
least; another device may bring it back until then. When a device is revoked that is done at once,
and again after a while for what suppliers do not list yet, because they let its deletion wait as well.
"""

import sqlite3
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from bitdust.config.settings import Settings
from bitdust.formats.operations import Op
from bitdust.identity.document import OPEN_END, Device
from bitdust.signal import Signal
from bitdust.storage.catalog.calendar import Calendar
from bitdust.storage.catalog.catalog import Catalog
from bitdust.storage.catalog.held import (
    Held,
    again,
    held_by_device,
    is_due,
    known_packs,
    lapse,
    let_go_of,
    note_undone,
    was_undone,
)
from bitdust.storage.log.replicas import LogReplicas
from bitdust.storage.log.writer import LogWriter
from bitdust.surroundings import Connected
from bitdust.wire.errors import BitDustError

DAYS = "services/backups/undo-days"
LEAST_DAYS = 2
DAY = 86_400
REPORTED = 7 * DAY
SOON, LONG = 5.0, 86_400.0
"""Seconds until suppliers are asked again, the first and the last time."""
SHARE, MOST = 10, 100
"""More than one in ten packs that are stored, or more than so many, is a mass: the person is notified."""


def period(settings: Settings) -> int:
    """For how many seconds something is held."""
    return max(LEAST_DAYS, int(settings.get(DAYS))) * DAY


async def let_lapse(catalog: Catalog, settings: Settings, calendar: Calendar) -> None:
    """Hold no longer what was held for long enough."""
    before = int((calendar.now() - period(settings)) * 1000)
    if is_due(catalog.read, before):
        await catalog.change(lambda database: lapse(database, before))


class HeldDeletions:
    """I look after each comparison with the suppliers, and each list of theirs; `rows` shows what is held, by device.

    ``wanted`` asks for such lists.
    """

    log = Logger()

    def __init__(self, around: Connected, writer: LogWriter, replicas: LogReplicas) -> None:
        self._me = around.me
        self._events = around.events
        self._settings = around.settings
        self._wall = around.world.wall
        self._writer = writer
        self._catalog = writer.catalog
        self._replicas = replicas
        self._newest: int | None = None
        self._announced: dict[bytes, int] = {}
        self._clock = around.world.clock
        self._pause = SOON
        self._call: IDelayedCall | None = None
        self.wanted: Signal[[]] = Signal()

    def stop(self) -> None:
        """Ask nobody any more."""
        call, self._call = self._call, None
        if call is not None:
            call.cancel()

    def look(self) -> None:
        """A comparison is over: bring back what a revoked device has deleted, and report a mass."""
        if self._catalog.is_open and self._replicas.knows_all:
            Deferred.fromCoroutine(self._look()).addErrback(self._failed)

    def _failed(self, failure: Failure) -> None:
        if not failure.check(BitDustError, sqlite3.Error):
            self.log.failure("deletions that are held were not looked after", failure)

    async def _look(self) -> None:
        for device in self._revoked():
            await self.undo(device.id)
            if self._count(device.id) and self._pause <= LONG:
                self._ask_later()
            elif device.sequence != OPEN_END:
                await self._note_undone(device.id)
        (newest,) = self._catalog.read.execute("SELECT max(time) FROM held").fetchone()
        if newest is not None and newest != self._newest:
            self._newest = newest
            await self._announce()

    def _ask_later(self) -> None:
        if self._call is None:
            self._call = self._clock.callLater(self._pause, self._ask)
            self._pause *= 2

    def _ask(self) -> None:
        self._call = None
        self.wanted.emit()

    def _note_undone(self, device: bytes) -> "Deferred[None]":
        return self._catalog.change_quietly(lambda database: note_undone(database, device))

    def _revoked(self) -> list[Device]:
        """Devices that were revoked since this one is there, and whose deletions were not brought back yet."""
        document = self._me.document
        mine = document.device(self._me.device.id)
        since = mine.since if mine is not None else 0
        revoked = [
            one
            for one in (*document.devices, *document.former)
            if one.revoked is not None and not one.was_let_go and one.revoked >= since
        ]
        return [one for one in revoked if not was_undone(self._catalog.read, one.id)]

    async def _announce(self) -> None:
        for row in await self.masses():
            ident = bytes.fromhex(row["device_id"])
            if self._announced.get(ident, 0) < row["packs"]:
                self._announced[ident] = row["packs"]
                self._events.send("deletion-held-back", row)

    async def rows(self) -> list[dict[str, Any]]:
        """What is held, by device: the fields of `deletions_list`."""
        return await self._rows()

    async def masses(self) -> list[dict[str, Any]]:
        """What went out of view within a week, where it is so much that somebody should look at it."""
        rows = await self._rows(int((self._wall() - REPORTED) * 1000), True)
        stored: int = await self._catalog.read_in_thread(known_packs)
        return [row for row in rows if row["packs"] > MOST or row["packs"] * SHARE > stored + row["packs"]]

    async def _rows(self, since: int = 0, is_gone: bool = False) -> list[dict[str, Any]]:
        def read(database: sqlite3.Connection) -> list[Held]:
            return held_by_device(database, since, is_gone)

        return [self._row(one) for one in await self._catalog.read_in_thread(read)]

    def _row(self, held: Held) -> dict[str, Any]:
        device = self._me.document.device(held.device)
        return {
            "supplier": None,
            "device": device.number if device is not None else None,
            "device_id": held.device.hex(),
            "this_device": held.device == self._me.device.id,
            "what": "items",
            "packs": held.packs,
            "bytes": held.size,
            "until": held.since + period(self._settings),
        }

    async def undo(self, device: bytes) -> int:
        """Bring back what a device has deleted; how many versions that were. Raises as `LogWriter.write` does."""
        before = self._count(device)
        if not before:
            return 0

        def ops(database: sqlite3.Connection) -> list[Op]:
            return list(again(database, device))

        await self._writer.write(ops)
        return before - self._count(device)

    async def confirm(self, device: bytes) -> int:
        """It is deleted as soon as that is safe; how much that is."""
        return int(await self._catalog.change(lambda database: let_go_of(database, device)))

    def _count(self, device: bytes) -> int:
        query = "SELECT (SELECT count(*) FROM held WHERE device=?1)+(SELECT count(*) FROM held_packs WHERE device=?1)"
        return int(self._catalog.read.execute(query, (device,)).fetchone()[0])
