"""My logs at my suppliers: one log for each key and device, pushed as it grows, pulled when there is something new."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from bitdust.automats.index_synchronizer import IndexSynchronizer
from bitdust.batching import Soon
from bitdust.identity.awaited import CATALOG, STARTED_OVER
from bitdust.outcome import Outcome, outcome
from bitdust.replication import Replicas, are_enough, keepers, members, needed
from bitdust.signal import Disconnect, Signal
from bitdust.storage.catalog.calendar import Calendar
from bitdust.storage.catalog.catalog import LogEnd
from bitdust.storage.log.device_fork import TAKEN, Copied, DeviceFork
from bitdust.storage.log.heads import HeadPublisher
from bitdust.storage.log.missing import INCOMPLETE
from bitdust.storage.log.outdated import note_outdated
from bitdust.storage.log.pull import Listed, LogPull, Pulled, is_recovered
from bitdust.storage.log.replica import KeyLog, sort_keys
from bitdust.storage.log.riders import Riders
from bitdust.storage.log.writer import LogWriter
from bitdust.storage.ports import Ports
from bitdust.surroundings import Connected
from bitdust.wire.errors import BitDustError

GATHER = 0.05
"""Seconds in which entries gather for one packet: making an item and uploading it are two entries."""


class LogReplicas:
    """I am the port of `IndexSynchronizer`, which judges all logs together.

    ``opens_at`` says whether a supplier holds the secrets of a key as well. ``acknowledged`` says that suppliers hold
    more than before, or that the machine's state may have changed; ``merged`` that a comparison has brought all that
    suppliers hold.
    """

    log = Logger()

    def __init__(
        self,
        around: Connected,
        writer: LogWriter,
        ports: Ports,
        opens_at: Callable[[bytes, str], bool],
        calendar: Calendar,
    ) -> None:
        self._around = around
        self._writer = writer
        self._catalog = writer.catalog
        self._me = around.me
        self._ports = ports
        self._opens_at = opens_at
        self.riders = Riders(around.world.clock)
        self._logs: dict[str, KeyLog] = {}
        self._replicas: dict[str, Replicas] = {}
        self._fork = DeviceFork(around, writer, ports)
        self._pull = LogPull(around, writer, ports, calendar, self._fork)
        self.others, self.held_up, self.not_given = self._pull.others, self._pull.held_up, self._pull.not_given
        self._heads = HeadPublisher(around, ports, lambda one: self.safe_end(one.key, self._me.device.id))
        self.reason = ""
        self._ends_heard: frozenset[bytes] = frozenset()
        self._ends_read: frozenset[bytes] = frozenset()
        self._gathering: IDelayedCall | None = None
        self._came: set[bytes] = set()
        self._news = Soon(around.world.clock, self._compare)
        self._forget_me: Disconnect = lambda: None
        self.acknowledged: Signal[[]] = Signal()
        self.merged: Signal[[]] = Signal()
        writer.written.connect(self.new_entry)
        writer.allowed = self.check_writable
        self.machine = IndexSynchronizer(around.registry, self)

    def start(self) -> None:
        """Pull and push for the first time. May follow a `stop`."""
        if self.machine.state == "CLOSED":
            self.machine = IndexSynchronizer(self._around.registry, self)
        self._forget_me = self._me.changed.connect(self._me_changed)
        self._follow_keys()
        outcome(self._fork.renewal.begin())
        self._part()
        self.machine.send("start")

    def stop(self) -> None:
        """Send nothing any more; small pieces that wait for a packet go alone."""
        self.machine.send("shutdown")
        self._heads.stop()
        self._news.stop()
        self._forget_me()
        gathering, self._gathering = self._gathering, None
        if gathering is not None:
            gathering.cancel()
        for replicas in self._replicas.values():
            replicas.stop()

    def _follow_keys(self) -> list[KeyLog]:
        """The logs of all keys that this node can open."""
        for key in self._writer.logs.readable_keys():
            if key not in self._logs:
                self._add(key)
        return [self._logs[key] for key in sort_keys(self._logs)]

    def _add(self, key: str) -> None:
        one = KeyLog(self._around, key, self._writer, self._ports, self.riders, lambda who: self._opens_at(who, key))
        one.holdings.load()
        one.forked.connect(partial(self._compare_own, is_shown=True))
        replicas = Replicas(self._around.registry, f"log {key}", one, self._ports.is_online)
        replicas.acknowledged.connect(lambda supplier: self._acknowledged([one]))
        self._logs[key], self._replicas[key] = one, replicas

    def key_ring_acknowledged(self) -> None:
        """A supplier holds the secrets that it needs for more of my logs."""
        for replicas in self._replicas.values():
            replicas.update()
        self._acknowledged(self._logs.values())

    def _acknowledged(self, logs: Iterable[KeyLog]) -> None:
        self.machine.send("acked")
        self.acknowledged.emit()
        if self._catalog.is_open:
            self._heads.publish(logs)

    @property
    def synchronized(self) -> bool:
        """Whether enough suppliers hold all logs to their ends."""
        return self.machine.state == "IN_SYNC!"

    def is_alone(self) -> bool:
        """Whether no other device of mine was ever seen, and all is read that former ones have stored."""
        is_read = all(map(self.knows_end_of, self._me.document.open_ends)) and not self.held_up.is_any_of_mine()
        return is_read and self.others.is_alone()

    def is_alone_in(self, key: str) -> bool:
        """Whether besides nobody whom I let in writes under a key."""
        return self.is_alone() and key not in self.others.guest_keys()

    def is_alone_everywhere(self) -> bool:
        """The same of all keys."""
        return self.is_alone() and not self.others.guest_keys()

    @property
    def recovered(self) -> bool:
        """Whether this node knows all that was safe before; False on a recovered node until suppliers were heard."""
        return is_recovered(self._catalog.read)

    @property
    def knows_all(self) -> bool:
        """Whether besides no newer state can exist that was safe: then what is written builds on all there is."""
        return self.recovered and not self._me.awaits(CATALOG)

    def knows_end_of(self, device: bytes, is_patient: bool = True) -> bool:
        """Whether all was compared, in this run, since a device was revoked: before that it may have written more.

        Who is not ``is_patient`` does without what suppliers list and do not give: a thief may have made that up.
        """
        if is_patient:
            return self.knows_all and device in self._ends_read
        family = self._ports.family()
        knows_enough = self.knows_all or (family is not None and are_enough(family, self._pull.heard))
        return knows_enough and device in self._ends_heard

    @property
    def waits_for(self) -> list[bytes]:
        """On a recovered node that may not know the newest state: suppliers that were not heard yet; else nobody."""
        family = self._ports.family()
        if family is None or not self._me.awaits(CATALOG):
            return []
        return [supplier for supplier in family.holders if supplier not in self._pull.heard]

    def has_read(self, supplier: bytes, counts_losses: bool = True) -> bool:
        """Whether all that counts of what a supplier has said it holds is known here, or given up, if that counts."""
        return self._pull.has_read(supplier, self._logs.values(), counts_losses)

    def names_others(self, supplier: bytes) -> bool:
        """Whether a supplier has listed the log of another device than this one."""
        return self._pull.names_others(supplier)

    @property
    def grown_at(self) -> float:
        """When entries of others came last in this run, in seconds of the reactor's clock."""
        return self._pull.grown_at

    def has_compared(self) -> bool:
        """Whether enough suppliers have listed their logs in this run, and no other life is left to be read: whatever
        another device has stored is known."""
        family = self._ports.family()
        if family is None or self._ports.of_other_lives():
            return False
        return are_enough(family, list(filter(self.has_read, family.holders)))

    def check_writable(self) -> None:
        """Raises `BitDustError` ``read-only`` on a recovered node for which newer states may exist."""
        if self._me.awaits(CATALOG):
            names = ", ".join(self._ports.names(who)[1] or who.hex()[:8] for who in self.waits_for)
            text = (
                "this node was recovered, and newer states of your files may exist; it reads only, until it has heard"
                f" more of these suppliers: {names or 'they are being asked'}"
            )
            raise BitDustError("read-only", text)

    def _me_changed(self) -> None:
        if self._me.present and self._fork.can_go_on:
            self._part()
        if self._me.present and self._me.awaits(STARTED_OVER):
            self.machine.send("pull")

    def suppliers_changed(self) -> None:
        """Suppliers came, went or changed. One that is heard for the first time may know something newer."""
        if any(self._ports.is_online(supplier) for supplier in self.waits_for):
            self.machine.send("pull")
        self.machine.send("suppliers-changed")

    def supplier_accepted(self, supplier: bytes) -> "Deferred[Any]":
        """A supplier came, perhaps without its disk: it is asked what it holds, and gets again what it has lost.

        It answers from now on; before that its session alone was there.
        """
        if self.machine.state not in ("SENDING", "IN_SYNC!"):
            self._came.add(supplier)
            self.machine.send("suppliers-changed")
            return succeed(None)
        if supplier in self.waits_for:
            self.pull_again()
            return succeed(None)
        asking: Deferred[Listed] = Deferred.fromCoroutine(self._pull.ask(supplier, self._follow_keys()))
        return outcome(asking).addCallback(self._listed)

    def ask_who_came(self) -> None:
        came, self._came = self._came, set()
        for supplier in came:
            self.supplier_accepted(supplier)

    def _listed(self, answer: Outcome) -> None:
        if answer.error is not None:
            self.log.info("a supplier does not say what it holds: {error}", error=answer.error)
        elif answer.value.has_news:
            self.pull_again()
        else:
            self.machine.send("suppliers-changed")

    def new_entry(self) -> None:
        """A log of mine has grown."""
        self.machine.send("new-entry")

    def pull_again(self) -> None:
        """Compare with the suppliers now."""
        self.machine.send("pull")

    def others_wrote(self) -> None:
        """Another device of mine has written: compare soon. While a comparison runs it may have asked before that."""
        self._news.want()

    def _compare(self) -> bool:
        if self.machine.state == "REQUEST?":
            return False
        self.pull_again()
        return True

    def report(self, synchronized: bool, reason: Any) -> None:
        text = str(getattr(reason, "value", reason) or "")
        self.reason = "" if synchronized else text or self._pull.why_not(self.machine.state)
        name = "my-backup-index-synchronized" if synchronized else "my-backup-index-out-of-sync"
        self._around.events.send(name, {} if synchronized else {"reason": self.reason})
        self.acknowledged.emit()

    # what is safe

    def safe_sequence(self, key: str, device: bytes | None = None) -> int:
        """Up to which entry enough suppliers hold a log, my own for no device."""
        family, one = self._ports.family(), self._logs.get(key)
        if family is None or one is None:
            return 0
        return one.safe_sequence(self._readable_at(key), device or self._me.device.id, needed(family))

    def safe_end(self, key: str, device: bytes) -> LogEnd:
        """A log up to where enough suppliers hold it: nothing of what only this home has may be promised to anybody."""
        one = self._logs.get(key)
        return one.end_at(device, self.safe_sequence(key, device)) if one is not None else LogEnd()

    def _readable_at(self, key: str) -> list[bytes]:
        """Members that hold the ring with the secrets of a key: what its log says counts with that ring alone."""
        return [supplier for supplier in members(self._ports.family()) if self._opens_at(supplier, key)]

    def is_logged(self, mark: int) -> bool:
        """Whether enough suppliers hold everything that was written up to a mark of the writer."""
        return self._writer.marks.is_safe(mark, self.safe_sequence)

    def holders(self, key: str, device: bytes, sequence: int) -> int:
        """How many suppliers of the family hold an entry."""
        one, there = self._logs.get(key), self._readable_at(key)
        return sum(one.holdings.safely(who, device) >= sequence for who in there) if one is not None else 0

    def is_held_by(self, supplier: bytes) -> bool:
        """Whether one supplier holds the logs of all my keys and devices to their ends."""
        return all(one.is_whole_at(supplier) for one in self._logs.values())

    def refusing_for(self, supplier: bytes) -> float:
        """For how many seconds a supplier has taken nothing of one of my logs."""
        return max((replicas.refusing_for(supplier) for replicas in self._replicas.values()), default=0.0)

    def is_safe(self) -> bool:
        """Whether enough suppliers hold my own logs to their ends, if any, and nothing is to be said again."""
        ends = {key: one.end(self._me.device.id).sequence for key, one in self._logs.items()}
        is_held = self._is_formed() and all(self.safe_sequence(key) >= end for key, end in ends.items())
        has_nothing = self.machine.state == "OUTDATED" and not any(ends.values())
        return (is_held or has_nothing) and self._fork.renewal.former is None

    def _is_formed(self) -> bool:
        """Whether there are enough suppliers for anything to be safe."""
        family = self._ports.family()
        return family is not None and len(members(family)) >= needed(family)

    # push and pull

    def place(self) -> None:
        suppliers = keepers(self._ports.family())
        self._follow_keys()
        for replicas in list(self._replicas.values()):
            replicas.place_at(suppliers)
        self.publish_heads()

    def push(self) -> None:
        """A moment later, with what else is written until then, unless somebody waits for it (`deliver_now`)."""
        if self._gathering is None:
            self._gathering = self._around.world.clock.callLater(GATHER, self.deliver_now)

    def deliver_now(self) -> None:
        """Bring suppliers what was written."""
        gathering, self._gathering = self._gathering, None
        if gathering is None:
            return
        if gathering.active():
            gathering.cancel()
        known = set(self._logs)
        self._follow_keys()
        for key, replicas in list(self._replicas.items()):
            if key in known:
                replicas.update()
            else:
                replicas.place_at(keepers(self._ports.family()))
        self.publish_heads()

    def publish_heads(self) -> None:
        """Bring those to the DHT that nobody there has taken."""
        self._heads.publish(self._logs.values())

    def pull(self) -> "Deferred[Pulled]":
        self._came.clear()
        return Deferred.fromCoroutine(self._pull_now())

    async def _pull_now(self) -> Pulled:
        revoked = self._me.document.open_ends
        try:
            pulled = await self._pull.run(self._follow_keys())
        except BitDustError as error:
            self._ends_heard |= revoked if error.code == INCOMPLETE else frozenset()
            if error.code == TAKEN or self._fork.writer in self._pull.lacking:
                self._compare_own(self._fork.writer, error.code == TAKEN)
            raise
        if pulled is Pulled.MERGED:
            self._ends_heard |= revoked
            self._ends_read |= revoked - self._pull.lacking
            await outcome(Deferred.fromCoroutine(self._fork.compared(list(self._logs.values()))))
            self.merged.emit()
        elif pulled.is_outdated:
            await self._fork.compared(list(self._logs.values()))
        return pulled

    def start_over(self) -> "Deferred[Any]":
        """All that I have said is safe; what others have said can only be learnt from the beginning."""
        noting = self._catalog.change(partial(note_outdated, now=int(self._around.world.wall())))
        return noting.addCallback(lambda _: self._ports.catalog_is_outdated())

    # forks

    @property
    def copied(self) -> Copied | None:
        """Another program that uses a copy of this home, the last one that was found."""
        return self._fork.copied if self._catalog.is_open else None

    def _compare_own(self, device: bytes, is_shown: bool) -> None:
        """Take a device key of my own where another program writes under it, as is known perhaps."""
        looking = Deferred.fromCoroutine(self._fork.look(list(self._logs.values()), device, is_shown))
        looking.addCallbacks(lambda is_found: self.machine.send("pull") if is_found else None, self._failed)

    def _part(self) -> None:
        """Go on with a fork that is open, where the RSA key is here: a new device key is its word."""
        if self._fork.can_go_on:
            self._compare_own(self._me.device.id, is_shown=True)
        elif self._fork.is_open:
            self.log.warn("a copy of this home is in use: bitdust identity attach FILE gives this one a key of its own")

    def _failed(self, failure: Any) -> None:
        """The next comparison tries it again."""
        self.log.failure("a device key of its own is not in use yet", failure)
