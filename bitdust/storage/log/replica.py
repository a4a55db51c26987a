"""My log at my suppliers: pushed entry by entry, in order, and pulled back when there is something new.

Each supplier has one entry under way at a time, so a slow one is simply behind. An entry counts as safe when N−k+1
suppliers hold it: any k suppliers that come back later then include one that does.
"""

from collections.abc import Callable, Collection
from typing import Any

from twisted.internet.defer import Deferred, DeferredList, succeed
from twisted.logger import Logger

from bitdust.automats.index_synchronizer import IndexSynchronizer
from bitdust.automats.kernel import Registry
from bitdust.formats.log_entry import Begin, check_chain, hash_of, head_of
from bitdust.formats.log_packet import LogPacket
from bitdust.formats.operations import Op
from bitdust.outcome import Outcome, outcome
from bitdust.storage.catalog.catalog import Catalog, LogEnd, begin_of
from bitdust.storage.catalog.database import RECOVERING, meta, set_meta
from bitdust.storage.catalog.paths import MASTER
from bitdust.storage.log.device_fork import take_back
from bitdust.storage.log.outdated import come_back, covered, is_outdated, note_outdated, places_of_unheard
from bitdust.storage.log.recovery import LogRecovery, SeenHead, highest, read_head
from bitdust.storage.ports import Events, Me, Ports, StorageWorld
from bitdust.wire.encoding import WireError, decode
from bitdust.wire.errors import BitDustError
from bitdust.wire.packet import Command
from bitdust.wire.records import Family, Head

SILENCE = 15.0
MOST_FETCHED = 4 * 1024 * 1024
MAX_ANSWER = 9 * 1024 * 1024
MAX_HEADS = 64 * 1024
HEAD_TO_DHT_EVERY = 600.0
RETRY = 2.0
DISAGREE = 60.0
"""Seconds before a supplier that contradicts my log without showing why is told again."""


def needed(family: Family) -> int:
    """How many suppliers must hold an entry, the key ring or the family before it counts as safe."""
    return family.n - family.k + 1


def places_heard(family: Family, heard: Collection[bytes], recovering: bool) -> int:
    """At how many places of a family somebody has told what it holds.

    Where a place changes hands, what was safe before may lie at the one who leaves alone, and what became safe since at
    the new one alone: a node that has lost everything must have heard both.
    """
    leaving = family.leaving or [None] * family.n
    wanted = all if recovering else any
    places = [[who for who in place if who is not None] for place in zip(family.suppliers, leaving, strict=True)]
    return sum(1 for place in places if place and wanted(who in heard for who in place))


class Index:
    """I am the port of `IndexSynchronizer`. ``on_ack`` is told when a supplier holds more than before."""

    log = Logger()

    def __init__(
        self, world: StorageWorld, registry: Registry, catalog: Catalog, me: Me, events: Events, ports: Ports
    ) -> None:
        self._world = world
        self._catalog = catalog
        self._me = me
        self._events = events
        self._ports = ports
        self._sending: set[bytes] = set()
        self._retry: dict[bytes, float] = {}
        self._acked: dict[tuple[bytes, bytes], int] = {}
        self._heads: dict[bytes, tuple[int, bytes]] = {}
        self._heard: set[bytes] = set()
        self._in_dht: tuple[float, int] | None = None
        self._stopped = False
        self._accept_loss = False
        self._recovered = True
        self._outdated = False
        self._calls: set[Any] = set()
        self.reason = ""
        self.on_ack: Callable[[], None] = lambda: None
        self.on_merged: Callable[[], None] = lambda: None
        self.say_again: Callable[[list[Op]], Deferred[Any]] = lambda ops: succeed(None)
        self.machine = IndexSynchronizer(registry, self)

    def start(self) -> None:
        """Pull and push for the first time."""
        self._recovered = meta(self._catalog.read, RECOVERING) is None
        for supplier, device, sequence in self._catalog.read.execute("SELECT * FROM log_acks"):
            self._acked[bytes(supplier), bytes(device)] = sequence
        self.machine.send("start")

    def stop(self) -> None:
        """Send nothing any more."""
        self._stopped = True
        self.machine.send("shutdown")
        for call in self._calls:
            if call.active():
                call.cancel()
        self._calls.clear()

    @property
    def synchronized(self) -> bool:
        """Whether enough suppliers hold the log to its end."""
        return self.machine.state == "IN_SYNC!"

    @property
    def recovered(self) -> bool:
        """Whether this node knows all that was safe before; False on a recovered node until suppliers were heard."""
        return self._recovered

    def suppliers_changed(self) -> None:
        """Suppliers came, went or changed."""
        self._retry.clear()
        self.machine.send("suppliers-changed")

    def new_entry(self) -> None:
        """My log has grown."""
        self.machine.send("new-entry")

    def pull_again(self) -> None:
        """Compare with the suppliers now."""
        self.machine.send("pull")

    def accept_loss(self) -> None:
        """Go on without entries that no supplier has; only ever on the user's word."""
        self._accept_loss = True
        self.machine.send("pull")

    def report(self, synchronized: bool, reason: Any) -> None:
        self.reason = "" if synchronized or reason is None else str(getattr(reason, "value", reason) or "")
        if not synchronized and not self.reason:
            self.reason = "too few suppliers were heard"
        name = "my-backup-index-synchronized" if synchronized else "my-backup-index-out-of-sync"
        self._events.send(name, {} if synchronized else {"reason": self.reason})
        self.on_ack()
        if synchronized and self._outdated:
            self._start_over()

    def _start_over(self) -> None:
        """All that I have said is safe; what others have said can only be learnt from the beginning."""
        self._outdated = False
        noted = self._catalog.change(note_outdated)
        noted.addCallback(lambda _: self._ports.catalog_is_outdated())
        noted.addErrback(lambda failure: self.log.failure("the catalog is not built again", failure))

    # what is safe

    def _members(self) -> list[bytes]:
        family = self._ports.family()
        return [supplier for supplier in family.suppliers if supplier is not None] if family is not None else []

    def safe_sequence(self, device: bytes | None = None) -> int:
        """Up to which entry enough suppliers hold a log."""
        family = self._ports.family()
        if family is None:
            return 0
        device = device or self._me.device.id
        held = sorted((self._acked.get((supplier, device), 0) for supplier in self._members()), reverse=True)
        return held[needed(family) - 1] if len(held) >= needed(family) else 0

    def holders(self, device: bytes, sequence: int) -> int:
        """How many suppliers of the family hold an entry."""
        return sum(1 for supplier in self._members() if self._acked.get((supplier, device), 0) >= sequence)

    def is_held_by(self, supplier: bytes) -> bool:
        """Whether one supplier holds the logs of all my devices to their ends."""
        ends = {device: self._catalog.end(device).sequence for device in self._catalog.devices()}
        return all(self._acked.get((supplier, device), 0) >= end for device, end in ends.items())

    def is_safe(self) -> bool:
        """Whether that is so for all of my log."""
        return self.safe_sequence() >= self._catalog.end(self._me.device.id).sequence and self.is_formed()

    def is_formed(self) -> bool:
        """Whether there are enough suppliers for anything to be safe."""
        family = self._ports.family()
        return family is not None and len(self._members()) >= needed(family)

    def heard_enough(self) -> bool:
        family = self._ports.family()
        return family is not None and places_heard(family, self._heard, not self._recovered) >= family.k

    # push

    def push(self) -> None:
        now = self._world.clock.seconds()
        for supplier in self._members():
            due = now >= self._retry.get(supplier, 0.0)
            if supplier not in self._sending and due and self._ports.is_online(supplier):
                self._push(supplier)
        self._head_to_dht()

    def _push(self, supplier: bytes) -> None:
        mine = self._me.device.id
        for device in sorted(self._catalog.devices(), key=lambda known: known != mine):
            if self._acked.get((supplier, device), 0) < self._catalog.end(device).sequence and self._may_send(device):
                self._sending.add(supplier)
                sending = Deferred.fromCoroutine(self._send(supplier, device))
                sending.addErrback(lambda failure: self.log.failure("a log entry was not sent", failure))
                return

    def _may_send(self, device: bytes) -> bool:
        """My own head is signed here; of another device's log, perhaps a lost one's, there must be its signed head."""
        return (
            device == self._me.device.id or self._heads.get(device, (0, b""))[0] >= self._catalog.end(device).sequence
        )

    async def _send(self, supplier: bytes, device: bytes) -> None:
        sequence = max(self._acked.get((supplier, device), 0) + 1, self._catalog.first_sequence(device))
        entry, end = self._catalog.entry(device, sequence), self._catalog.end(device)
        if entry is None:
            self._sending.discard(supplier)
            return
        fields = {"kind": "log", "head": self._signed_head(device, end)}
        packet = LogPacket((entry,)).to_bytes()
        sent = await outcome(self._ports.outbox.send(supplier, Command.DATA, fields, packet, deadline=SILENCE))
        self._sending.discard(supplier)
        if self._stopped:
            return
        if sent.error is None:
            self._advance(supplier, device, sequence)
        elif sent.code != "conflict":
            self._try_later(supplier)
            return
        elif not await self._conflict(supplier, device, sent):
            self._try_later(supplier, DISAGREE)
            return
        self._push(supplier)

    def _signed_head(self, device: bytes, end: LogEnd) -> bytes:
        if device != self._me.device.id:
            return self._heads[device][1]
        begin = begin_of(self._catalog.read, device)
        head = head_of(self._me.fingerprint, device, end.sequence, end.hash, self._world.wall(), begin)
        return self._me.sign(Head.KIND, head.to_body()).to_bytes()

    def _advance(self, supplier: bytes, device: bytes, sequence: int) -> None:
        """What suppliers hold is written down after a pull only; heads tell it again at every start."""
        self._acked[supplier, device] = sequence
        self.machine.send("acked")
        self.on_ack()

    async def _conflict(self, supplier: bytes, device: bytes, sent: Outcome) -> bool:
        """The supplier holds something else: either it is behind, or another me has written under my key.

        Whether it is known now how to go on.
        """
        held, digest = int(sent.fields.get("sequence", 0)), sent.fields.get("hash", b"")
        row = self._catalog.read.execute(
            "SELECT hash FROM entries WHERE device=? AND sequence=?", (device, held)
        ).fetchone()
        forgotten = held < self._catalog.first_sequence(device)
        if held == 0 or forgotten or (row is not None and bytes(row[0]) == digest):
            before = self._acked.get((supplier, device), 0)
            self._acked[supplier, device] = held
            return held != before
        self.log.warn("a supplier says that it holds other log entries of this device (up to {held})", held=held)
        if device != self._me.device.id or not await self._is_shown(supplier, device, held, digest):
            return False
        await self._part_ways(device)
        return True

    async def _is_shown(self, supplier: bytes, device: bytes, sequence: int, digest: bytes) -> bool:
        """Whether a supplier can show the entry that I have not written: saying so would cost me my device key."""
        got = await outcome(self._fetch(supplier, device, sequence))
        ring = self._me.key_ring
        try:
            entries = check_chain(got.value[:1] if got.value else [], self._me.fingerprint, device, None)
            opened = [one for one in entries if one.open(ring.secret(MASTER, one.epoch))]
        except BitDustError as error:
            self.log.warn("what a supplier shows is no entry of mine: {error}", error=error)
            return False
        return [(one.sequence, hash_of(one.to_bytes())) for one in opened] == [(sequence, digest)]

    async def _part_ways(self, device: bytes) -> None:
        """Take a device key of my own, and say under it what I said under the old one and nobody heard."""
        heard = max((sequence for (_, known), sequence in self._acked.items() if known == device), default=0)
        ring = self._me.key_ring
        self._ports.device_is_taken()
        number = self._me.device_number
        ops = await self._catalog.change(
            lambda database: take_back(database, device, heard, number, lambda epoch: ring.secret(MASTER, epoch))
        )
        self._heads.pop(device, None)
        if ops:
            await self.say_again(ops)
        self.machine.send("pull")

    def _try_later(self, supplier: bytes, seconds: float = RETRY) -> None:
        self._retry[supplier] = self._world.clock.seconds() + seconds
        self._later(seconds, lambda: self._push_one(supplier))

    def _push_one(self, supplier: bytes) -> None:
        if supplier not in self._sending and self._ports.is_online(supplier) and supplier in self._members():
            self._push(supplier)

    def _later(self, seconds: float, call: Callable[[], None]) -> None:
        if self._stopped:
            return

        def run() -> None:
            self._calls.discard(delayed)
            call()

        delayed = self._world.clock.callLater(seconds, run)
        self._calls.add(delayed)

    def _head_to_dht(self) -> None:
        """At most every ten minutes."""
        device = self._me.device.id
        end, now = self._catalog.end(device), self._world.clock.seconds()
        if not end.sequence or (self._in_dht is not None and now - self._in_dht[0] < HEAD_TO_DHT_EVERY):
            return
        if self._in_dht is not None and self._in_dht[1] == end.sequence:
            return
        self._in_dht = (now, end.sequence)
        begin = Begin(begin_of(self._catalog.read, device).first)
        head = head_of(self._me.fingerprint, device, end.sequence, end.hash, self._world.wall(), begin)
        putting = self._ports.publish_head(head, self._me.sign(Head.KIND, head.to_body()))
        putting.addErrback(
            lambda failure: self.log.info("the head is not in the DHT: {e}", e=failure.getErrorMessage())
        )

    # pull

    def pull(self) -> "Deferred[Any]":
        return Deferred.fromCoroutine(self._pull())

    async def _pull(self) -> None:
        self._heard = set()
        ring = self._me.key_ring
        if MASTER not in ring or not ring.get(MASTER).secrets:
            raise BitDustError("keys-not-ready", "the key ring has not come back from the suppliers yet")
        heads = await self._ask_heads()
        if not self.heard_enough():
            return
        if not self._recovered:
            heads += [SeenHead(head, None, True) for head in await self._known_heads()]
        recovery = LogRecovery(
            self._catalog, self._me.fingerprint, lambda epoch: ring.secret(MASTER, epoch), self._fetch
        )
        mine = self._me.device.id
        taken = highest(heads, mine) > self._catalog.end(mine).sequence
        if self._recovered and is_outdated(self._catalog, heads):
            if not self._outdated:
                await self._say_places_again(heads)
            self._outdated = True
            await self._note(heads, 0)
            return
        merged = await recovery.recover(heads, self._accept_loss)
        await self._note(heads, merged.entries)
        if taken:
            self._ports.device_is_taken()
        self.on_merged()

    async def _say_places_again(self, heads: list[SeenHead]) -> None:
        """Others may have forgotten the folders that I wrote into while they did not hear me."""
        mine, ring = self._me.device.id, self._me.key_ring
        told = covered(heads, mine)
        ops = await self._catalog.change(
            lambda database: places_of_unheard(database, mine, told, lambda epoch: ring.secret(MASTER, epoch))
        )
        if ops:
            await self.say_again(ops)

    async def _known_heads(self) -> list[Head]:
        found = await outcome(self._ports.known_heads())
        return list(found.value) if found.error is None else []

    async def _ask_heads(self) -> list[SeenHead]:
        family = self._ports.family()
        online = [who for who in (family.holders if family is not None else ()) if self._ports.is_online(who)]
        asking = [outcome(Deferred.fromCoroutine(self._ask(supplier))) for supplier in online]
        answers: list[tuple[bool, Outcome]] = await DeferredList(asking, consumeErrors=True)
        heads: list[SeenHead] = []
        for supplier, (_, answer) in zip(online, answers, strict=True):
            if answer.error is None:
                self._heard.add(supplier)
                heads += answer.value
                for seen in answer.value:
                    self._learn(supplier, seen)
        return heads

    def _learn(self, supplier: bytes, seen: SeenHead) -> None:
        """What a supplier holds of a log, if it is the log that is known here."""
        known = self._catalog.end(seen.head.device)
        if seen.proven and seen.head.sequence > self._heads.get(seen.head.device, (0, b""))[0]:
            self._heads[seen.head.device] = (seen.head.sequence, seen.signed)
        if seen.proven and seen.head.sequence == known.sequence and seen.head.hash == known.hash:
            self._acked[supplier, seen.head.device] = seen.head.sequence

    async def _ask(self, supplier: bytes) -> list[SeenHead]:
        reply = await self._ports.outbox.send(
            supplier, Command.RETRIEVE, {"kind": "heads"}, deadline=SILENCE, max_answer=MAX_HEADS
        )
        listed = decode(bytes(reply.payload), MAX_HEADS)
        if type(listed) is not list or any(type(data) is not bytes for data in listed):
            raise WireError("malformed", "the heads of a supplier are no list")
        found = [read_head(data, self._me.fingerprint, self._me.document, supplier) for data in listed]
        return [seen for seen in found if seen is not None]

    def _fetch(self, supplier: bytes, device: bytes, first: int) -> "Deferred[list[bytes]]":
        fields = {"kind": "log", "device": device, "first": first, "most": MOST_FETCHED}
        asking = self._ports.outbox.send(supplier, Command.RETRIEVE, fields, deadline=SILENCE, max_answer=MAX_ANSWER)

        def entries(reply: Any) -> list[bytes]:
            listed = decode(bytes(reply.payload), MAX_ANSWER)
            if type(listed) is not list or any(type(data) is not bytes for data in listed):
                raise WireError("malformed", "the log of a supplier is no list of entries")
            return listed

        return asking.addCallback(entries)

    async def _note(self, heads: list[SeenHead], entries: int) -> None:
        for seen in heads:
            if seen.holder is not None:
                self._learn(seen.holder, seen)
        rows = [(supplier, device, sequence) for (supplier, device), sequence in self._acked.items()]
        was_recovering = not self._recovered
        moment = b"%d" % int(self._world.wall())

        def note(database: Any) -> None:
            database.executemany("INSERT OR REPLACE INTO log_acks VALUES(?, ?, ?)", rows)
            database.execute("DELETE FROM meta WHERE name=?", (RECOVERING,))
            if was_recovering:
                come_back(database)
            if entries and not was_recovering:
                set_meta(database, "others-wrote", moment)

        await self._catalog.change(note)
        self._recovered = True
