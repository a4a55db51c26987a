"""One comparison of my logs with what suppliers hold: heads first, then the entries that are not known here."""

import sqlite3
from collections.abc import Iterable, Sequence
from enum import Enum
from math import inf
from typing import Any

from attrs import define, evolve
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from bitdust.identity.awaited import CATALOG, STARTED_OVER
from bitdust.identity.document import OPEN_END
from bitdust.outcome import outcome
from bitdust.replication import are_enough, places_heard
from bitdust.storage.catalog.calendar import Calendar
from bitdust.storage.catalog.database import RECOVERING, meta, set_meta
from bitdust.storage.catalog.whereabouts import OTHERS_WROTE
from bitdust.storage.log.compared import Compared, note_compared, unread
from bitdust.storage.log.device_fork import DeviceFork
from bitdust.storage.log.held_up import HeldLogs, HeldUp
from bitdust.storage.log.missing import Missing, check_complete, losses, note_losses
from bitdust.storage.log.others import OtherDevices
from bitdust.storage.log.outdated import come_back, is_unsorted, places_of_unheard
from bitdust.storage.log.proof import Noted, Waits
from bitdust.storage.log.recovery import LogRecovery, Reader
from bitdust.storage.log.replica import KeyLog, note_holdings
from bitdust.storage.log.requests import LogRequests, ask_online
from bitdust.storage.log.seen import Heard, SeenHead, covered, highest
from bitdust.storage.log.writer import LogWriter
from bitdust.storage.ports import Ports
from bitdust.surroundings import Connected
from bitdust.wire.names import GROUP_PREFIX
from bitdust.wire.records import Head

NOT_SAFE = "too few suppliers hold all of it"
TOO_LONG = "what suppliers hold could not be read in 15 minutes; it goes on where it was"
BEGUN_FOR = 3600
"""Seconds in which a catalog that is being built again is not begun anew, whatever comes late."""
Readings = Sequence[tuple[str, LogRecovery, Reader]]


class Pulled(Enum):
    """How a comparison ended. OUTDATED: other devices' logs begin later now than where this node stopped reading."""

    TOO_FEW_HEARD = "too few suppliers were heard"
    MERGED = "merged"
    OUTDATED = "outdated"

    @property
    def heard_enough(self) -> bool:
        """Whether k suppliers were heard: then every entry that was called safe has been seen."""
        return self is not Pulled.TOO_FEW_HEARD

    @property
    def is_outdated(self) -> bool:
        """Whether the catalog is to be built again."""
        return self is Pulled.OUTDATED


def is_recovered(database: sqlite3.Connection) -> bool:
    """Whether this node knows all that was safe before; False on a recovered node until suppliers were heard."""
    return meta(database, RECOVERING) is None


@define
class Listed:
    """The heads that one supplier has listed: whether one is newer than what is known here, or less than before."""

    heads: list[SeenHead]
    has_news: bool = False
    has_lost: bool = False


class LogPull:
    """I bring the catalog what suppliers hold and this node does not know."""

    log = Logger()

    def __init__(
        self, around: Connected, writer: LogWriter, ports: Ports, calendar: Calendar, fork: DeviceFork
    ) -> None:
        self._fork = fork
        self._world = around.world
        self._calendar = calendar
        self._compared = Compared(writer.catalog, calendar)
        self._catalog = writer.catalog
        self._writer = writer
        self._me = around.me
        self._ports = ports
        self._requests = LogRequests(writer.logs, ports)
        self._noted = Noted(waits=Waits(around.world.clock.seconds))
        self.heard: set[bytes] = set()
        """Suppliers whose heads were seen since the catalog was opened."""
        self._listed: dict[bytes, list[Head]] = {}
        self._is_reading = False
        """Whether enough suppliers were heard in the comparison that was begun last."""
        self.lacking: frozenset[bytes] = frozenset()
        """Devices of whose logs the last comparison has found less than suppliers list, and that was not given up."""
        self.grown_at = -inf
        """When entries of others came last, in seconds of the reactor's clock."""
        self.others = OtherDevices(around.me, writer.catalog, self._requests, ports)
        self.held_up = HeldLogs(around, writer.catalog)

    def why_not(self, state: str) -> str:
        """Why a catalog is not in sync in a state of `IndexSynchronizer`, where nothing has failed."""
        if state == "SENDING":
            return NOT_SAFE
        return TOO_LONG if self._is_reading else Pulled.TOO_FEW_HEARD.value

    async def run(self, logs: Sequence[KeyLog]) -> Pulled:
        """Compare all logs. Raises `BitDustError` ``keys-not-ready``, ``device-taken``, `CatalogError`
        ``catalog-incomplete``."""
        self._writer.logs.check_ready()
        self._is_reading = False
        heard = await self._ask(logs)
        recovered, waits = is_recovered(self._catalog.read), self._me.awaits(CATALOG)
        family = self._ports.family()
        if family is None or places_heard(family, heard.suppliers, not recovered or waits) < family.k:
            return Pulled.TOO_FEW_HEARD
        self._is_reading = True
        self._noted.keep(family.holders)
        known = await self._add_known_heads(logs, heard) if not recovered or waits else []
        mine = self._me.device.id
        taken = not self._is_read(mine, logs, heard)
        await self._fork.check(logs, lambda device: not self._is_read(device, logs, heard))
        rebuilds = recovered or not taken
        readings = [(one.key, self._recovery(one), self._reader(one, heard, rebuilds)) for one in logs]
        if rebuilds and self._may_begin_anew() and await self._is_outdated(readings, heard):
            if not waits:
                await self._say_places_again(logs, heard)
            await self._note(logs, heard, 0, is_merged=False)
            return Pulled.OUTDATED
        entries = await self._recover(readings, heard, self._me.awaits(STARTED_OVER))
        if entries:
            self.grown_at = self._world.clock.seconds()
        await self._note(logs, heard, entries)
        self._me.came_back(STARTED_OVER)
        if waits and self._is_newest(logs, known):
            self._me.came_back(CATALOG)
        if taken:
            self._ports.device_is_taken()
        return Pulled.MERGED

    @staticmethod
    def _is_read(device: bytes, logs: Iterable[KeyLog], heard: Heard) -> bool:
        """Whether nobody lists more of a device's logs than is here."""
        return all(highest(heard.heads[one.key], device) <= one.end(device).sequence for one in logs)

    def _is_said_read(self, logs: Iterable[KeyLog], heard: Heard) -> bool:
        """The same of all devices of the owner's, but for what was given up: this home may have been another one of
        them before, as its device is another one as soon as anybody lists more of its log than is here."""
        access, lost = self._writer.logs, losses(self._catalog.read)
        return all(
            seen.head.sequence <= max(one.end(device).sequence, lost.get((one.key, device), 0))
            for one in logs
            for seen in heard.heads[one.key]
            if access.device(device := seen.head.device) is not None
        )

    async def _ask(self, logs: Sequence[KeyLog]) -> Heard:
        answers = await ask_online(self._ports, lambda supplier: self._heads(supplier, logs))
        heard, by_scope = Heard(heads={one.key: [] for one in logs}), self._by_scope(logs)
        for supplier, answer in answers.items():
            if answer.error is not None:
                continue
            heard.suppliers.add(supplier)
            self.heard.add(supplier)
            for seen in answer.value.heads:
                one = by_scope.get(seen.head.scope)
                if one is not None:
                    heard.heads[one.key].append(seen)
        return heard

    async def ask(self, supplier: bytes, logs: Sequence[KeyLog]) -> Listed:
        """What one supplier holds, which is noted; nothing is taken over from it."""
        self._writer.logs.check_ready()
        return await self._heads(supplier, logs)

    async def _heads(self, supplier: bytes, logs: Sequence[KeyLog]) -> Listed:
        """What it does not list it has lost, whatever it has acknowledged."""
        before = {one.key: one.holdings.of(supplier) for one in logs}
        listed, by_scope = Listed(await self._requests.heads(supplier)), self._by_scope(logs)
        if any(self._me.document.device(seen.head.device) is None for seen in listed.heads):
            await outcome(Deferred.fromCoroutine(self.others.take_document(supplier)))
            listed = Listed(await self._requests.heads(supplier))
        await self.others.note({seen.head.device for seen in listed.heads})
        self._remember(supplier, listed.heads)
        by_key: dict[str, dict[bytes, int]] = {one.key: {} for one in logs}
        for seen in listed.heads:
            one = by_scope.get(seen.head.scope)
            if one is not None:
                one.holdings.learn(supplier, seen)
                by_key[one.key][seen.head.device] = seen.head.sequence
                listed.has_news |= seen.proven and seen.head.sequence > one.end(seen.head.device).sequence
        self.others.look_for_nameless(by_key)
        for one in logs:
            if one.holdings.take_back(supplier, before[one.key], by_key[one.key]):
                listed.has_lost = True
                one.patience.took_back(supplier)
        return listed

    def _remember(self, supplier: bytes, heads: Sequence[SeenHead]) -> None:
        """What the holders of today list, as far as it counts, or as it may count when the owner's newest document is
        here. What is said in groups is no part of a catalog."""
        family, access = self._ports.family(), self._writer.logs
        kept = {supplier, *(family.holders if family is not None else ())}
        of_groups = self._scopes_of_groups()
        listed = []
        for seen in heads:
            is_known = seen.head.scope is not None or access.device(seen.signer) is not None
            end = seen.end if is_known else seen.head.sequence
            if end and seen.head.scope not in of_groups:
                listed.append(evolve(seen.head, sequence=end))
        self._listed = {who: what for who, what in self._listed.items() if who in kept} | {supplier: listed}

    def _scopes_of_groups(self) -> set[bytes | None]:
        keys = self._me.key_ring.keys
        return {scope for name, key in keys.items() if name.startswith(GROUP_PREFIX) for scope in key.scopes}

    def has_read(self, supplier: bytes, logs: Iterable[KeyLog], counts_losses: bool = True) -> bool:
        """Whether a supplier has listed what it holds, and all of that which counts is known here, or given up.

        What was given up may be the very thing that a supplier of another life has: there ``counts_losses`` is False.
        """
        by_scope, listed = self._by_scope(logs), self._listed.get(supplier)
        if listed is None:
            return False
        lost = losses(self._catalog.read) if counts_losses else {}
        given_up, guest = self._compared.given_up_keys(), self._writer.logs.guest

        def is_known(head: Head) -> bool:
            one = by_scope.get(head.scope)
            if one is None:
                return False
            if one.key in given_up and guest(head.scope, head.device) is not None:
                return True
            return max(one.end(head.device).sequence, lost.get((one.key, head.device), 0)) >= head.sequence

        return all(map(is_known, listed))

    def names_others(self, supplier: bytes) -> bool:
        """Whether a supplier lists the log of another device than this one: one without its disk lists none."""
        return any(head.device != self._me.device.id for head in self._listed.get(supplier, ()))

    def _by_scope(self, logs: Iterable[KeyLog]) -> dict[bytes | None, KeyLog]:
        return {scope: one for one in logs for scope in self._writer.logs.scopes(one.key)}

    async def _add_known_heads(self, logs: Sequence[KeyLog], heard: Heard) -> list[Head]:
        found = await outcome(self._ports.known_heads())
        by_scope = self._by_scope(logs)
        known = [head for head in found.value if head.scope in by_scope] if found.error is None else []
        for head in known:
            device = self._writer.logs.device(head.device)
            # A thief may have said that its log goes on for ever: that is waited for, and nothing is missing for it.
            if device is None or device.sequence != OPEN_END:
                heard.heads[by_scope[head.scope].key].append(SeenHead(head, None, True, end=head.sequence))
        return known

    def _is_newest(self, logs: Sequence[KeyLog], known: Sequence[Head]) -> bool:
        """Whether no newer entry that was ever safe can exist: N−k+1 places were heard, or the DHT knows none.

        Of k places one alone may hold the newest safe entry, and that one may lie.
        """
        family = self._ports.family()
        if family is not None and are_enough(family, self.heard):
            return True
        by_scope = self._by_scope(logs)
        reached = all(by_scope[head.scope].end(head.device).sequence >= head.sequence for head in known)
        return reached and any(head.time for head in known)  # the hints of a key file have no time, and may be old

    def not_given(self) -> frozenset[bytes]:
        """Devices of which the last comparison has found that suppliers list entries which they do not give."""
        return self.lacking - {one.device for one in self.held_up.rows()}

    def _recovery(self, one: KeyLog) -> LogRecovery:
        return LogRecovery(self._catalog, self._writer.logs, one.key, self._requests.entries, self._noted)

    def _reader(self, one: KeyLog, heard: Heard, rebuilds: bool) -> Reader:
        family, learnt = self._ports.family(), int(self._calendar.stamp() * 1000)

        def may_be_safe(device: bytes, sequence: int) -> bool:
            return heard.may_be_safe(family, one.key, device, sequence)

        resting = self.held_up.resting(one.key)
        return Reader(self._me.device.id, learnt, self._compared.was_here, may_be_safe, rebuilds, resting)

    def _may_begin_anew(self) -> bool:
        """Whether the catalog may be built again: one that was begun lately and is not whole yet is waited for."""
        begun, now = int(meta(self._catalog.read, RECOVERING) or b"0"), int(self._world.wall())
        return not begun <= now < begun + BEGUN_FOR

    async def _is_outdated(self, readings: Readings, heard: Heard) -> bool:
        for key, recovery, reader in readings:
            if await recovery.is_outdated(heard.heads[key], reader):
                return True
        return False

    async def _recover(self, readings: Readings, heard: Heard, accept_loss: bool) -> int:
        entries, missing, known = 0, list[tuple[str, Missing]](), losses(self._catalog.read)
        held_up, resting = list[HeldUp](), list[HeldUp]()
        for key, recovery, reader in readings:
            merged = await recovery.recover(heard.heads[key], reader)
            entries += merged.entries
            lost = [some for some in merged.missing if some.last > known.get((key, some.device), 0)]
            missing += [(key, some) for some in lost]
            held_up += merged.held_up.values()
            resting += reader.resting.values()
        await self.held_up.note(held_up, [some for some in held_up if some not in resting])
        self.lacking = frozenset(some.device for _, some in missing)
        family = self._ports.family()
        lacking = unread(self._catalog, self._writer.logs, heard, family, self.held_up.rows())
        await self._compared.note_read(heard.heads.keys(), lacking)
        waited = [some for key, some in missing if heard.may_be_safe(family, key, some.device, some.first)]
        check_complete(waited, accept_loss)
        if missing and accept_loss:
            news = {(key, some.device): some.last for key, some in missing}
            await self._catalog.change(lambda database: note_losses(database, news))
            self.lacking = frozenset()
        self.lacking |= {some.device for some in held_up if self.held_up.is_mine(some)}
        return entries

    async def _say_places_again(self, logs: Sequence[KeyLog], heard: Heard) -> None:
        """Others may have forgotten the folders that I wrote into while they did not hear me."""
        mine, access, family = self._me.device.id, self._writer.logs, self._ports.family()

        def safe(key: str) -> list[SeenHead]:
            return [seen for seen in heard.heads[key] if heard.may_be_safe(family, key, seen.head.device, seen.end)]

        def places(database: sqlite3.Connection) -> list[Any]:
            return [
                op
                for one in logs
                for op in places_of_unheard(database, access, one.key, mine, covered(safe(one.key), mine))
            ]

        await self._writer.write(places)

    async def _note(self, logs: Sequence[KeyLog], heard: Heard, entries: int, is_merged: bool = True) -> None:
        for one in logs:
            for seen in heard.heads[one.key]:
                if seen.holder is not None:
                    one.holdings.learn(seen.holder, seen)
        rows = [row for one in logs for row in one.holdings.rows()]
        moment, named = int(self._world.wall()), {one.id for one in self._me.document.devices}
        observed, is_said_read = int(self._calendar.observed), self._is_said_read(logs, heard)

        def note(database: sqlite3.Connection) -> None:
            note_holdings(database, rows)
            was_recovering = not is_recovered(database)
            if was_recovering and not is_merged:
                return  # what is here of packs that are not read yet stays
            database.execute("DELETE FROM meta WHERE name=?", (RECOVERING,))
            if is_merged:
                note_compared(database, moment, self.lacking, named)
            if was_recovering or is_said_read and is_unsorted(database):
                come_back(database, is_said_read)
            if entries and not was_recovering:
                set_meta(database, OTHERS_WROTE, b"%d" % observed)

        await self._catalog.change(note)
