"""Private messages of one node: its parts, joined; started and stopped by their service."""

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from bitdust.identity.document import IdentityDocument
from bitdust.people.amounts import Amounts
from bitdust.people.messages.incoming import Incoming
from bitdust.people.messages.letters import Notice
from bitdust.people.messages.outgoing import Letters, Sent
from bitdust.people.messages.ports import Directory, Keepers
from bitdust.people.messages.prekeys import MyPrekeys
from bitdust.people.messages.rows import MessageRows
from bitdust.people.messages.sessions import SessionBook
from bitdust.people.messages.store import Device, Store, adopt
from bitdust.people.messages.upkeep import PrekeyUpkeep
from bitdust.people.messages.visits import Means, Visits
from bitdust.surroundings import Connected
from bitdust.wire.errors import BitDustError
from bitdust.wire.messages import MASTER
from bitdust.wire.table import Row

FOLDER = "correspondence"
HOUR = 3600.0
MOST_NOTICES, MOST_TO_STRANGERS = 2_000, 500
"""Notices that wait to be brought: strangers get none where so many do."""


class Messages:
    """`start` first, `stop` last. ``incoming.received`` reports what comes; its history and listeners, and that of
    ``letters``, are wired by the assembly."""

    log = Logger()

    def __init__(self, around: Connected, directory: Directory, keepers: Keepers, amounts: Amounts) -> None:
        self._around = around
        self._amounts = amounts
        self._me = around.me
        self._clock = around.world.clock
        self.store = Store(around, around.world.home / FOLDER)
        self.prekeys = MyPrekeys(around, self.store)
        self.book = SessionBook(around, self.store, self.prekeys)
        self.incoming = Incoming(around, self.store, self.prekeys, self.book)
        self.letters = Letters(around, self.store, self.book, directory)
        self.upkeep = PrekeyUpkeep(around, self.store, self.prekeys, directory, keepers)
        means = Means(around, self.incoming, directory, self._notify, self.upkeep.mailbox_has, amounts)
        self._visits = Visits(means)
        self._rows = MessageRows(around, self.incoming, self.upkeep, self._visits, amounts)
        self.incoming.noticed.connect(self.letters.noticed)
        self.upkeep.named.connect(self._visits.follow)
        self._removers: list[Callable[[], None]] = []
        self._hourly: IDelayedCall | None = None
        self.problem = ""
        """Why something could not be written or opened last."""

    def rows(self) -> list[Row]:
        """The rows of the packet table."""
        return self._rows.rows()

    def start(self) -> "Deferred[None]":
        """Fires when messages can be sent and taken; fails where the store cannot be opened."""
        return Deferred.fromCoroutine(self._start())

    async def _start(self) -> None:
        await self._around.world.run_in_thread(self.store.open)
        mine = (self._me.fingerprint, self._me.device.id)
        is_other = await self.store.change(lambda database: adopt(database, *mine))
        if is_other:
            await self.letters.sign_again()
        await self.prekeys.load()
        await self.incoming.start()
        await self.letters.start()
        self._removers = [
            self._around.sessions.on_session(self._session),
            self._around.identities.changed.connect(self._document),
            self._me.changed.connect(self._mine),
        ]
        await self.upkeep.start()
        self._tick()

    def stop(self) -> "Deferred[None]":
        """Fires when all that was begun is on the disk."""
        removers, self._removers = self._removers, []
        for remove in removers:
            remove()
        if self._hourly is not None and self._hourly.active():
            self._hourly.cancel()
        self._hourly = None
        self.upkeep.stop()
        self._visits.stop()
        self.letters.stop()
        self.incoming.stop()
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        await self.store.close()
        self.book.clear()

    def send(self, person: bytes, data: dict[str, Any], key: str = MASTER) -> "Deferred[Sent]":
        """Send a JSON object to somebody; see `Letters.send`."""
        if not self.store.is_open:
            raise BitDustError("no-service", "private messages are off")
        return self.letters.send(person, data, key)

    def network_is_back(self) -> None:
        """Whoever could not be reached a moment ago may be reached now."""
        self.upkeep.keepers_changed()
        self.letters.network_is_back()
        self._visits.go_to_all()

    def _notify(self, device: Device, what: Notice) -> None:
        """Nobody need hear of it: a sender keeps what it wrote until it meets the device itself."""
        self.letters.notify(device, what, MOST_NOTICES if self._amounts.is_known(device[0]) else MOST_TO_STRANGERS)

    def trouble(self) -> str:
        """Why messages cannot be sent or taken as they should; empty where all is well."""
        if not self.store.is_open:
            return "the store of messages is closed"
        if self.prekeys.current is None and self.upkeep.state == "STALE":
            return "no prekeys could be made: nobody can write to this device"
        return self.problem

    def _tick(self) -> None:
        self._hourly = self._clock.callLater(HOUR, self._tick)
        self.letters.upkeep()
        self.incoming.upkeep().addErrback(self._note)

    def _note(self, failure: Any) -> None:
        self.problem = failure.getErrorMessage()
        self.log.warn("private messages: {problem}", problem=self.problem)

    def _session(self, session: Any, up: bool) -> None:
        if up:
            self.letters.device_online((session.peer.fingerprint, session.peer.device))
            self._visits.go(session.peer.fingerprint)
            self.upkeep.met(session.peer.fingerprint)

    def _document(self, document: IdentityDocument) -> None:
        self.letters.document_known(document.fingerprint)

    def _mine(self) -> None:
        if self._me.present:
            self.letters.document_known(self._me.fingerprint)
            self._around.world.run_in_thread(self.store.vault.keep).addErrback(self._note)
