"""The logs of one key at my suppliers: brought entry by entry, in order, each sealed and signed as suppliers keep it.

An entry counts as safe when N−k+1 suppliers hold it: any k suppliers that come back later then include one that does.
"""

import sqlite3
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from attrs import frozen
from twisted.internet.defer import Deferred, fail, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from bitdust.crypt.keyring import MASTER
from bitdust.formats.log_entry import Begin, LogName, hash_of, head_of
from bitdust.formats.log_packet import MOST_ENTRIES, REFUSED, fill
from bitdust.outcome import Outcome
from bitdust.ports import Reply
from bitdust.signal import Signal
from bitdust.storage.catalog.catalog import Catalog, LogEnd, begin_of
from bitdust.storage.log.patience import Patience
from bitdust.storage.log.requests import SILENCE, LogRequests
from bitdust.storage.log.riders import Riders
from bitdust.storage.log.seen import SeenHead
from bitdust.storage.log.shown import Copies
from bitdust.storage.log.taking import can_open
from bitdust.storage.log.writer import LogWriter
from bitdust.storage.ports import LogHolders
from bitdust.surroundings import Connected
from bitdust.wire.errors import BitDustError
from bitdust.wire.packet import Command
from bitdust.wire.records import Head
from bitdust.wire.schema import Bytes, Int, Struct
from bitdust.wire.signed import Signed

MOST_SENT = 256 * 1024
"""Bytes of one packet, unless a single entry is larger: a slow uplink needs time for each."""


HELD = Struct({"sequence": Int(), "hash": Bytes(32)})
"""What a supplier says in a conflict besides code and text."""


class Holdings:
    """What each supplier holds of the logs of one key, by device, and the newest signed head of each log.

    Entries that came without a head of theirs are not read by a recovered node, and are not listed: they are `at` a
    supplier, so that the next ones follow, but are no part of what it holds `safely`.
    """

    def __init__(self, key: str, catalog: Catalog) -> None:
        self._key = key
        self._catalog = catalog
        self._acked: dict[tuple[bytes, bytes], int] = {}
        self._headed: dict[tuple[bytes, bytes], int] = {}
        self._heads: dict[bytes, SeenHead] = {}
        self._signers: dict[tuple[bytes, bytes], bytes] = {}

    def load(self) -> None:
        """What was written down after the last comparison; heads report it again at every start."""
        query = "SELECT supplier, device, sequence FROM log_acks WHERE key=?"
        for supplier, device, sequence in self._catalog.read.execute(query, (self._key,)):
            self.acknowledge(bytes(supplier), bytes(device), sequence, sequence)

    def rows(self) -> list[tuple[str, bytes, bytes, int]]:
        """The same to be written down."""
        return [(self._key, supplier, device, sequence) for (supplier, device), sequence in self._headed.items()]

    def at(self, supplier: bytes, device: bytes) -> int:
        """Up to which entry a supplier holds a log."""
        return self._acked.get((supplier, device), 0)

    def safely(self, supplier: bytes, device: bytes) -> int:
        """Up to which entry it holds a log together with the head that says so."""
        return self._headed.get((supplier, device), 0)

    def acknowledge(self, supplier: bytes, device: bytes, sequence: int, head: int) -> None:
        """It has taken the log up to there; ``head`` is the sequence of the head that came along."""
        self._acked[supplier, device] = sequence
        if head == sequence:
            self._headed[supplier, device] = sequence

    def set(self, supplier: bytes, device: bytes, sequence: int) -> None:
        """It holds the log up to there, and no further."""
        self._acked[supplier, device] = sequence
        self._headed[supplier, device] = min(sequence, self.safely(supplier, device))

    def of(self, supplier: bytes) -> dict[bytes, int]:
        """By device, up to which entry a supplier holds each log safely, and is to list it."""
        return {device: held for (known, device), held in self._headed.items() if known == supplier}

    def take_back(self, supplier: bytes, before: Mapping[bytes, int], listed: Mapping[bytes, int]) -> bool:
        """What a supplier does not list it does not hold, whatever it has acknowledged; True when that was news.

        ``before`` is what it was known to hold when it was asked: what it got meanwhile stays.
        """
        lost = {device: listed.get(device, 0) for device, held in before.items() if listed.get(device, 0) < held}
        lost = {device: left for device, left in lost.items() if self.safely(supplier, device) == before[device]}
        for device, left in lost.items():
            self.set(supplier, device, left)
            self._signers.pop((supplier, device), None)
        return bool(lost)

    def highest(self, device: bytes) -> int:
        """The highest entry of a log that any supplier is known to hold."""
        return max((sequence for (_, known), sequence in self._acked.items() if known == device), default=0)

    def learn(self, supplier: bytes, seen: SeenHead) -> None:
        """What a supplier reports of a log counts if it is the log that is known here.

        Of heads the one that leads to its end is worth most: a higher one may lead to nothing.
        """
        former, is_end = self._heads.get(seen.head.device), self._is_end(seen)
        is_newer = former is None or is_end or seen.head.sequence > former.head.sequence
        if seen.proven and is_newer and not (former is not None and self._is_end(former)):
            self._heads[seen.head.device] = seen
        if is_end:
            self.acknowledge(supplier, seen.head.device, seen.head.sequence, seen.head.sequence)
            self._signers[supplier, seen.head.device] = seen.signer

    def _is_end(self, seen: SeenHead) -> bool:
        known = self._catalog.end(self._key, seen.head.device)
        return seen.head.sequence == known.sequence and seen.head.hash == known.hash

    def signer(self, supplier: bytes, device: bytes) -> bytes | None:
        """The device that signed the head which a supplier holds of a log; None while that is not known."""
        return self._signers.get((supplier, device))

    def note_signer(self, supplier: bytes, device: bytes, signer: bytes) -> None:
        """It holds a head that this device signed."""
        self._signers[supplier, device] = signer

    def head(self, device: bytes) -> tuple[int, bytes]:
        """Sequence and bytes of the newest signed head of a log that was seen; 0 and nothing for none."""
        seen = self._heads.get(device)
        return (seen.head.sequence, seen.signed) if seen is not None else (0, b"")

    def forget_head(self, device: bytes) -> None:
        """What was seen is no longer a head of ours."""
        self._heads.pop(device, None)


@frozen
class Next:
    """The entry that a supplier is to be brought next, and the end of its log."""

    device: bytes
    sequence: int
    end: LogEnd


class LogConflict(BitDustError):
    """A supplier refused an entry because it holds something else of that log: sequence and hash of its last entry.

    Raises `WireError` where it does not say so properly.
    """

    def __init__(self, asked: Next, error: Any) -> None:
        super().__init__("conflict", str(error))
        held = HELD.fields
        told = {name: value for name, value in Outcome(error=error).fields.items() if name in held}
        HELD.check(told, "what a supplier holds")
        self.asked = asked
        self.sequence: int = told["sequence"]
        self.hash: bytes = told["hash"]


class KeyLog:
    """I am the `Record` of one key's logs. ``forked`` names the device key of mine under which another node wrote.

    ``opens_at`` says whether a supplier holds all secrets of the key. One that does not is brought nothing: where
    nobody has the secret of an entry, whoever comes back would wait for what cannot be read.
    """

    log = Logger()

    def __init__(
        self,
        around: Connected,
        key: str,
        writer: LogWriter,
        ports: LogHolders,
        riders: Riders,
        opens_at: Callable[[bytes], bool],
    ) -> None:
        self._world = around.world
        self._riders = riders
        self._opens_at = opens_at
        self._catalog = writer.catalog
        self._logs = writer.logs
        self._me = around.me
        self._ports = ports
        self.key = key
        self.holdings = Holdings(key, writer.catalog)
        self.patience = Patience(around.world.clock)
        self._copies = Copies(LogRequests(writer.logs, ports), ports.family)
        self.forked: Signal[[bytes]] = Signal()

    # what is safe

    def devices(self) -> list[bytes]:
        """Devices whose logs of this key are known."""
        return self._catalog.devices(self.key)

    def end(self, device: bytes) -> LogEnd:
        """Where a device's log ends here."""
        return self._catalog.end(self.key, device)

    def safe_sequence(self, suppliers: Iterable[bytes], device: bytes, count: int) -> int:
        """Up to which entry ``count`` of the suppliers hold a device's log."""
        held = sorted((self.holdings.safely(supplier, device) for supplier in suppliers), reverse=True)
        return held[count - 1] if len(held) >= count else 0

    def end_at(self, device: bytes, sequence: int) -> LogEnd:
        """A device's log as if it ended with an earlier entry; nothing where that is not here."""
        end = self.end(device)
        if sequence >= end.sequence:
            return end
        entry = self._catalog.entry(self.key, device, sequence)
        return LogEnd(sequence, hash_of(entry)) if entry is not None else LogEnd()

    def is_whole_at(self, supplier: bytes) -> bool:
        """Whether a supplier holds the logs of all my devices to their ends."""
        return all(
            self.holdings.safely(supplier, device) >= self.end(device).sequence or self._is_told(device)
            for device in self.devices()
        )

    def _is_told(self, device: bytes) -> bool:
        """Whether a snapshot stands for all of a log, so that nothing of it can be brought to anybody."""
        return self._catalog.first_sequence(self.key, device) > self.end(device).sequence

    # the record

    def is_held_by(self, supplier: bytes) -> bool:
        """Whether there is nothing that could be brought to a supplier now."""
        return self._next(supplier) is None

    def _next(self, supplier: bytes) -> Next | None:
        """My own log goes first, and last one that begins with what the snapshot of another one stands for."""
        if not self._opens_at(supplier):
            return None
        for device in sorted(self.devices(), key=self._turn):
            held, end = self.holdings.at(supplier, device), self.end(device)
            if held < end.sequence and self._may_send(device, end) and not self._is_told(device):
                return Next(device, max(held + 1, self._first(device)), end)
            if held == end.sequence and self._needs_head(supplier, device, end):
                return Next(device, end.sequence, end)
        return None

    def _first(self, device: bytes) -> int:
        """The first entry of a log that is brought to anybody."""
        return self._catalog.first_sequence(self.key, device)

    def _turn(self, device: bytes) -> tuple[bool, bool]:
        first, signed = self._catalog.first_sequence(self.key, device), self.holdings.head(device)[1]
        begins = first == 1 or (signed and Head.from_body(Signed.from_bytes(signed, Head.KIND).body).first == first)
        return device != self._me.device.id, not begins

    def _may_send(self, device: bytes, end: LogEnd) -> bool:
        """The heads of my own log are signed here, and of those who count no more; of others there must be theirs."""
        return self._head_sequence(device, end) >= end.sequence

    def _head_sequence(self, device: bytes, end: LogEnd) -> int:
        """Where the log ends by the head that is sent with its entries."""
        return end.sequence if self._signs_for(device) else self.holdings.head(device)[0]

    def _signs_for(self, device: bytes) -> bool:
        """Whether this device signs the heads of a log: of its own, and of devices that count no more."""
        return device == self._me.device.id or not self._counts(device)

    def _counts(self, device: bytes) -> bool:
        known = self._me.document.device(device)
        return known is not None and known.revoked is None

    def _needs_head(self, supplier: bytes, device: bytes, end: LogEnd) -> bool:
        """Whether a supplier has the entries and not the head, or one that is signed by a device that counts no more:
        one day nobody will know it."""
        if self._is_told(device):
            return False
        if self.holdings.safely(supplier, device) < end.sequence and self._head_sequence(device, end) == end.sequence:
            return True
        signer = self.holdings.signer(supplier, device)
        if signer is None or self._logs.guest(self._catalog.scope(self.key, device), signer) is not None:
            return False
        return not self._counts(signer) and self._counts(self._me.device.id)

    def deliver(self, supplier: bytes) -> "Deferred[Any]":
        """Bring a supplier the next entries, and small pieces that wait for it."""
        found = self._next(supplier)
        last = min(found.end.sequence, found.sequence + MOST_ENTRIES - 1) if found is not None else 0
        entries = self._catalog.entries(self.key, found.device, found.sequence, last) if found is not None else []
        if found is None or not entries:
            return succeed(None)
        if self.patience.is_out(supplier):
            return fail(BitDustError("busy", "this supplier took back again and again what it had said of the log"))
        riders = self._riders.dequeue(supplier)
        packet = fill(entries, [rider.piece for rider in riders], MOST_SENT)
        taken, left = riders[: len(packet.pieces)], riders[len(packet.pieces) :]
        self._riders.left_behind(left)
        end = self._end_sent(found, found.sequence + len(packet.entries) - 1)
        fields = {"kind": "log", "head": self._signed_head(found.device, end)}
        sending = self._ports.outbox.send(supplier, Command.DATA, fields, packet.to_bytes(), deadline=SILENCE)

        def check(reply: Reply) -> Reply:
            REFUSED.check(reply.fields.get("refused") or [], "refused")
            return reply

        def acknowledged(reply: Reply) -> None:
            self._ports.note_answer(supplier, reply)
            self._riders.landed(taken, reply.fields.get("refused") or [])
            last = found.sequence + len(packet.entries) - 1
            self.holdings.acknowledge(supplier, found.device, last, self._head_sequence(found.device, end))
            if found.device == self._me.device.id:
                self._copies.agrees(supplier)
            if self._signs_for(found.device):
                self.holdings.note_signer(supplier, found.device, self._me.device.id)

        def refused(failure: Failure) -> Failure:
            self._riders.left_behind(taken)
            is_conflict = Outcome(error=failure.value).code == "conflict"
            return Failure(LogConflict(found, failure.value)) if is_conflict else failure

        return sending.addCallback(check).addCallbacks(acknowledged, refused)

    def _end_sent(self, found: Next, last: int) -> LogEnd:
        """Up to where the head says that the log goes which is sent with entries up to ``last``."""
        return found.end

    def _signed_head(self, device: bytes, end: LogEnd) -> bytes:
        if not self._signs_for(device):
            return self.holdings.head(device)[1]
        head = self.head(end) if device == self._me.device.id else self._head_of(device, end)
        return self._me.sign(Head.KIND, head.to_body()).to_bytes()

    def _head_of(self, device: bytes, end: LogEnd) -> Head:
        """The head of another device's log, as that device wrote it where it was seen.

        Of one that was revoked nothing is repeated of where it said that logs begin, which may be a thief's word.
        """
        sequence, signed = self.holdings.head(device)
        known = self._me.document.device(device)
        is_doubted = known is not None and known.revoked is not None and not known.was_let_go
        if sequence == end.sequence and not is_doubted:
            return Head.from_body(Signed.from_bytes(signed, Head.KIND).body)
        first = self._catalog.first_sequence(self.key, device)
        begin = Begin(first if first > 1 else None)
        return head_of(self._name(device), end.sequence, end.hash, self._world.wall(), begin)

    def _name(self, device: bytes) -> LogName:
        return LogName(self._logs.owner, self._catalog.scope(self.key, device), device)

    def head(self, end: LogEnd, brief: bool = False) -> Head:
        """The head of my own log; a brief one does not say what is told of the logs of other devices."""
        device = self._me.device.id
        begin = begin_of(self._catalog.read, self.key, device)
        told = Begin(begin.first) if brief else begin
        return head_of(self._name(device), end.sequence, end.hash, self._world.wall(), told)

    def compare(self, supplier: bytes, error: BaseException) -> "Deferred[bool]":
        """The supplier holds something else: either it is behind, or another node has written under my device key."""
        return (
            Deferred.fromCoroutine(self._compare(supplier, error)) if isinstance(error, LogConflict) else succeed(False)
        )

    async def _compare(self, supplier: bytes, conflict: LogConflict) -> bool:
        device, held = conflict.asked.device, conflict.sequence
        if held == 0 or held < self._catalog.first_sequence(self.key, device) or self._is_ours(conflict):
            before = self.holdings.at(supplier, device)
            self.holdings.set(supplier, device, held)
            return held > before or (held < before and self.patience.took_back(supplier))
        self.log.warn("a supplier says that it holds other log entries of this device (up to {held})", held=held)
        if device != self._me.device.id or not await self._is_shown(supplier, LogEnd(held, conflict.hash)):
            return False
        self.forked.emit(device)
        return False  # Until the fork is over there is nothing to bring: the comparison behind it goes on.

    def _is_ours(self, conflict: LogConflict) -> bool:
        query = "SELECT hash FROM entries WHERE key=? AND device=? AND sequence=?"
        row = self._catalog.read.execute(query, (self.key, conflict.asked.device, conflict.sequence)).fetchone()
        return row is not None and bytes(row[0]) == conflict.hash

    async def _is_shown(self, supplier: bytes, entry: LogEnd) -> bool:
        """Whether a supplier can show the entry that I have not written: saying so would cost me my device key."""
        key, log = self._me.device.public, self._name(self._me.device.id)
        return await self._copies.are_shown(supplier, log, key, entry, partial(can_open, self._logs, self.key))


def note_holdings(database: sqlite3.Connection, rows: Iterable[tuple[str, bytes, bytes, int]]) -> None:
    """Inside a transaction: write down what suppliers hold."""
    database.executemany("INSERT OR REPLACE INTO log_acks VALUES(?, ?, ?, ?)", rows)


def sort_keys(keys: Iterable[str]) -> list[str]:
    """The master key first, the others by name."""
    return sorted(keys, key=lambda key: (key != MASTER, key))
