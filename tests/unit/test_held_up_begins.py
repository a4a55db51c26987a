"""A log is held up, and begins behind that after its device has compacted it: the other logs go on."""

from typing import Any
from unittest import mock

from bitdust.crypt.keyring import MASTER
from bitdust.storage.catalog import apply
from bitdust.storage.log import recovery
from bitdust.storage.log.held_up import FIRST, HeldUp
from bitdust.storage.log.taking import Unusable
from tests.unit.storage_kit import Node, stop_quietly
from tests.unit.test_compaction import CompactionCase

DAY = 86_400


class HeldUpBeginTests(CompactionCase):
    """The first device runs a newer program, and the second one cannot read what that writes."""

    def setUp(self) -> None:
        super().setUp()
        self.node.storage.core.compactor.least_log = 10**9
        self.left = self.busy_life(self.node, 2)
        self.second = Node(self.base / "second", self.around, self.node.clock, before=self.node)
        self.addCleanup(stop_quietly, self.second)
        self.second.start()
        self.node.me.replace_document(self.second.me.document)
        self.second.create("mine")
        self.second.pass_time(5)
        self.device = self.node.me.device.id
        self.replicas = self.second.storage.core.log_replicas
        self.end = self.second.storage.core.catalog.end(MASTER, self.device).sequence
        self.newer = mock.patch.object(recovery, "open_one", self.open_one)
        self.newer.start()
        self.addCleanup(mock.patch.stopall)

    def open_one(self, entry: Any, secrets: Any, known: int, real: Any = recovery.open_one) -> Any:
        if entry.device == self.device and entry.sequence > self.end:
            raise Unusable("bad-field", "what a newer program says")
        return real(entry, secrets, known)

    def held(self) -> list[HeldUp]:
        return self.replicas.held_up.rows()

    def compare(self) -> None:
        self.replicas.pull_again()
        self.second.pass_time(5)

    def compact_behind(self, days: int) -> None:
        """The log is held up for so many days, and begins behind that then."""
        self.node.create("by the newer one")
        self.node.pass_time(5)
        self.compare()
        self.assertEqual([one.sequence for one in self.held()], [self.end + 1])
        for _ in range(days):
            self.node.clock.advance(DAY)
            self.compare()
        self.node.storage.core.compactor.least_log = 3000
        for path in self.left:
            self.node.delete(path)
        self.left = self.busy_life(self.node, 5)
        self.begin = self.sequence(self.node)
        self.assertGreater(self.begin, self.end + 1)
        for number in range(2):
            self.node.create(f"more-{number}")
            self.node.pass_time(400)
        self.compare()

    def test_what_others_write_gets_safe(self) -> None:
        """The snapshot that cannot be read holds up that log alone, and is named; no entry is said to be missing."""
        self.compact_behind(28)
        self.second.create("mine too")
        self.second.pass_time(60)
        self.assertEqual((self.replicas.reason, self.replicas.is_safe()), ("", True))
        self.assertEqual([(one.device, one.sequence) for one in self.held()], [(self.device, self.begin)])
        self.assertEqual((self.second.outdated, self.replicas.not_given()), (0, frozenset()))

    def test_a_program_that_knows_better(self) -> None:
        """As soon as the snapshot can be read the catalog is built again from it."""
        self.compact_behind(28)
        self.newer.stop()
        self.second.stop()
        for _ in range(2):
            again = Node(self.second.home, self.around, self.node.clock).start()
            self.addCleanup(stop_quietly, again)
            again.pass_time(60)
            outdated = again.outdated
            again.stop()
            if not outdated:
                break
        again = Node(self.second.home, self.around, self.node.clock).start()
        self.addCleanup(stop_quietly, again)
        again.pass_time(5)
        self.assertEqual(again.storage.core.log_replicas.held_up.rows(), [])
        self.assertEqual(set(self.left) - {row["path"] for row in again.rows()}, set())

    def test_a_snapshot_that_cannot_be_applied(self) -> None:
        """One that can be opened and not applied is no reason to build the catalog again: that would never end."""
        self.compact_behind(28)
        self.newer.stop()
        mistake = mock.Mock(side_effect=TypeError("nobody has thought of this"))
        with mock.patch.dict(apply._APPLY, {"snapshot": mistake}):
            for _ in range(8):
                self.node.clock.advance(3600)
                self.compare()
            self.assertEqual(self.second.outdated, 0)
        [one] = self.held()
        self.assertEqual((one.device, one.sequence), (self.device, self.begin))
        self.assertEqual(one.reason, "nobody has thought of this")
        for _ in range(8):
            self.node.clock.advance(3600)
            self.compare()
        self.assertEqual(self.second.outdated, 1)

    def fetched(self) -> int:
        """How often the log is asked for by comparisons of an hour, one a minute."""
        asked = []

        def fetch(holder: bytes, log: Any, first: int, real: Any = self.replicas._pull._requests.entries) -> Any:
            asked.append(first)
            return real(holder, log, first)

        with mock.patch.object(self.replicas._pull._requests, "entries", fetch):
            for _ in range(60):
                self.node.clock.advance(FIRST)
                self.compare()
        return len(asked)

    def test_it_rests(self) -> None:
        """It is fetched again with pauses that grow, whether the log is read on or begins behind a gap."""
        self.compact_behind(28)
        self.assertLess(self.fetched(), 30)

    def test_it_rests_where_it_is_read_on(self) -> None:
        """The same within the days in which nothing is believed to lack."""
        self.compact_behind(2)
        self.assertEqual([one.sequence for one in self.held()], [self.begin])
        self.assertLess(self.fetched(), 30)
