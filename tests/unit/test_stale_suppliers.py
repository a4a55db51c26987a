"""Most suppliers that are heard hold an older end of a log than one of them: what is newest is read as it was said."""

from twisted.internet.defer import Deferred, fail

from bitdust.formats.operations import batches
from bitdust.storage.log import requests, snapshot
from bitdust.wire.errors import BitDustError
from bitdust.wire.packet import Command
from tests.unit.storage_kit import Node, network
from tests.unit.test_compaction import CompactionCase

TAKES, LINE_CUT = 52.0, 60.0
"""Seconds that an answer of 1 MiB takes at 20 KB/s, and after which the line is cut again and again."""


class StaleCase(CompactionCase):
    """Five suppliers, of which any three are enough; two were away while the log went on."""

    def setUp(self) -> None:
        self.base, self.around, self.node = network(self, 5)
        self.node.storage.core.compactor.least_log = 10**9
        self.before = self.busy_life(self.node, 3)
        self.set_modes("fine", "fine", "fine", "away", "away")
        self.node.pass_time(30)

    def set_modes(self, *modes: str) -> None:
        for supplier, mode in zip(self.around.suppliers, modes, strict=True):
            supplier.mode = mode

    def goes_on(self) -> None:
        """What was there goes, and something else comes."""
        for path in self.before:
            self.node.delete(path)
        for number in range(20):
            self.node.create(f"folder-{number}", folder=True)
            self.node.pass_time(1)
            if number:
                self.node.delete(f"folder-{number - 1}")
        self.node.pass_time(400)
        self.node.create("last", folder=True)
        self.node.pass_time(60)

    def recovered(self, cut: int = 0) -> Node:
        """A new home that hears one of those that have all, and two that were away. So many times the one fails to give
        what it lists."""
        self.node.kill()
        self.set_modes("away", "away", "fine", "fine", "fine")
        supplier, left = self.around.suppliers[2], [cut]
        ask = supplier.ask

        def failing(me: Node, command: Command, fields: dict, *more) -> Deferred:
            if fields.get("kind") == "log" and left[0]:
                left[0] -= 1
                return fail(BitDustError("no-answer", "cut"))
            return ask(me, command, fields, *more)

        supplier.ask = failing  # type: ignore[method-assign]
        fresh = Node(self.base / "fresh", self.around, before=self.node)
        self.addCleanup(fresh.kill)
        fresh.start()
        fresh.pass_time(60)
        return fresh


class StaleTests(StaleCase):
    def test_a_log_that_goes_on(self) -> None:
        """What the one has that is newer is read behind what most have."""
        self.goes_on()
        self.assertEqual([row["path"] for row in self.recovered().rows()], ["folder-19", "last"])

    def test_a_log_that_begins_later(self) -> None:
        """A snapshot is read in place of what stood before it and is no more: nothing of that comes back."""
        self.compact_early(self.node)
        self.goes_on()
        self.assertGreater(self.sequence(self.node), 5)
        self.assertEqual([row["path"] for row in self.recovered().rows()], ["folder-19", "last"])

    def test_where_it_is_cut_off_first(self) -> None:
        """So it is where the one that has the snapshot fails to give it at first."""
        self.compact_early(self.node)
        self.goes_on()
        self.assertEqual([row["path"] for row in self.recovered(cut=1).rows()], ["folder-19", "last"])


class SlowLineTests(StaleCase):
    def slow(self) -> None:
        """The line of the one that has the snapshot is slow, and what is on its way when it is cut is lost."""
        supplier, self.answers = self.around.suppliers[2], 0
        ask = supplier.ask

        def slowly(me: Node, command: Command, fields: dict, *more) -> Deferred:
            if fields.get("kind") != "log":
                return ask(me, command, fields, *more)
            now = me.clock.seconds()
            next_cut = (now // LINE_CUT + 1) * LINE_CUT
            done: Deferred = Deferred()
            if now + TAKES > next_cut:
                me.clock.callLater(next_cut - now, done.errback, BitDustError("no-answer", "cut"))
            else:
                self.answers += 1
                me.clock.callLater(TAKES, ask(me, command, fields, *more).chainDeferred, done)
            return done

        supplier.ask = slowly  # type: ignore[method-assign]

    def test_a_large_snapshot(self) -> None:
        """A snapshot that takes hours over a line which is slow, and cut each minute, is read in place of what stood
        before it: nothing of that comes back."""
        self.patch(snapshot, "batches", lambda ops, most=300: batches(ops, min(most, 300)))
        kept = [f"kept-{number}" for number in range(60)]
        for name in kept:
            self.node.create(name, folder=True)
        self.compact_early(self.node)
        self.goes_on()
        self.patch(requests, "MOST_FETCHED", 600)
        self.slow()
        fresh, hours = self.recovered(), 0
        while not fresh.storage.core.log_replicas.recovered and hours < 12:
            fresh.pass_time(3600, 2)
            hours += 1
        self.assertEqual([row["path"] for row in fresh.rows()], sorted(["folder-19", *kept, "last"]))
        self.assertGreater(hours, 2)
        self.assertGreater(self.answers, 2 * 24)
