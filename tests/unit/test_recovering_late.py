"""Recoveries that do not end for weeks, as something is listed and not given: what is read then, on top of what was."""

from typing import Any

from twisted.internet.defer import fail

from bitdust.storage.log.pull import BEGUN_FOR
from bitdust.storage.log.replicas import LogReplicas
from bitdust.wire.errors import BitDustError
from bitdust.wire.packet import Command
from tests.unit.storage_kit import Node, random_file, stop_quietly
from tests.unit.test_compaction import CompactionCase, living

DAY = 86_400


class LateCase(CompactionCase):
    """Two devices have stored something; of the log of one of them suppliers give nothing while ``is_held_back``."""

    def setUp(self) -> None:
        super().setUp()
        self.is_held_back = True
        other = Node(self.base / "other", self.around, self.node.clock, before=self.node).start()
        self.silent = other.me.device.id
        self.node.me.replace_document(other.me.document)
        self.data = {name: random_file(self.base / name, 2000) for name in ("gone", "stays", "others")}
        for name in ("gone", "stays"):
            self.node.upload(self.base / name, name)
        self.node.pass_time(10)
        other.pass_time(10)
        other.upload(self.base / "others", "others")
        self.node.storage.sync()
        self.node.pass_time(10)
        stop_quietly(other)
        for supplier in self.around.suppliers:
            self.patch(supplier, "ask", self.holding_back(supplier.ask))

    def holding_back(self, ask: Any) -> Any:
        def asked(me: Any, command: Command, fields: Any, *rest: Any) -> Any:
            is_log = command is Command.RETRIEVE and fields.get("kind") == "log"
            if self.is_held_back and is_log and fields["device"] == self.silent and me is not self.node:
                return fail(BitDustError("no-answer", "not now"))
            return ask(me, command, fields, *rest)

        return asked

    def recovered(self) -> Node:
        """A home that has read what there is, and waits for the rest; it is off again."""
        home = Node(self.base / "recovered", self.around, self.node.clock, before=self.node).start()
        home.pass_time(60)
        self.assertEqual([row["path"] for row in home.rows()], ["gone", "stays"])
        self.assertFalse(home.storage.core.log_replicas.recovered)
        self.node.me.replace_document(home.me.document)
        return home

    def months(self, name: str = "gone") -> None:
        """One file is deleted, and after that nobody tells so any more."""
        self.node.clock.advance(40 * DAY)
        self.node.delete(name)
        self.node.clock.advance(40 * DAY)
        self.shorten(5)

    def shorten(self, rounds: int) -> None:
        """The log begins later from now on, and suppliers have heard of that."""
        begin = self.sequence(self.node)
        self.busy_life(self.node, rounds)
        self.node.create(f"new-{begin}")
        self.node.pass_time(10)
        self.assertGreater(self.sequence(self.node), begin)

    def on_again(self, home: Node) -> Node:
        """With the restarts of its storage that it asks for."""
        for _ in range(4):
            again = Node(home.home, self.around, self.node.clock).start()
            self.addCleanup(stop_quietly, again)
            again.pass_time(120)
            if not again.outdated:
                return again
            again.stop()
        raise AssertionError("it starts over again and again")

    def names(self, node: Node) -> list[str]:
        return [row["path"] for row in node.rows()]


class LateTests(LateCase):
    def test_all_is_given_at_last(self) -> None:
        """What was deleted meanwhile is not back, and what others have stored is there."""
        home = self.recovered()
        stop_quietly(home)
        self.months()
        self.is_held_back = False
        again = self.on_again(home)
        self.assertTrue(again.storage.core.log_replicas.recovered)
        self.assertEqual(self.names(again), self.names(self.node))
        self.assertNotIn("gone", self.names(again))
        self.node.storage.sync()
        self.node.pass_time(30)
        self.assertEqual(living(self.node.storage.core.catalog), living(again.storage.core.catalog))

    def test_one_log_is_never_given(self) -> None:
        """Nothing is back where what another device's snapshot says is all that there is, and it begins anew once."""
        home = self.recovered()
        stop_quietly(home)
        self.months()
        again = self.on_again(home)
        again.pass_time(3600)
        self.assertEqual((again.outdated, again.storage.core.log_replicas.recovered), (0, True))
        self.assertEqual(self.names(again), self.names(self.node))

    def test_a_family_that_is_too_small(self) -> None:
        """Where nothing can be safe, and this home has said nothing, it begins anew all the same."""
        home = self.recovered()
        stop_quietly(home)
        self.months()
        self.is_held_back = False
        self.patch(LogReplicas, "_is_formed", lambda replicas: False)
        again = self.on_again(home)
        self.assertTrue(again.storage.core.log_replicas.recovered)
        self.assertEqual(self.names(again), self.names(self.node))

    def begun_anew(self) -> Node:
        """A home that knew all has begun anew after months, and waits for the log of a third device."""
        self.is_held_back = False
        home = Node(self.base / "recovered", self.around, self.node.clock, before=self.node).start()
        home.pass_time(60)
        self.assertTrue(home.storage.core.log_replicas.recovered)
        stop_quietly(home)
        self.node.me.replace_document(home.me.document)
        self.months()
        third = Node(self.base / "third", self.around, self.node.clock, before=home).start()
        third.pass_time(60)
        third.create("late")
        third.pass_time(10)
        self.node.me.replace_document(third.me.document)
        stop_quietly(third)
        self.silent, self.is_held_back = third.me.device.id, True
        home = self.on_again(home)
        self.assertFalse(home.storage.core.log_replicas.recovered)
        self.assertNotIn("gone", self.names(home))
        return home

    def test_what_it_has_written_itself(self) -> None:
        """What it wrote while it waited, and nobody has heard, is there when all was read anew; what others deleted
        is not back."""
        home = self.begun_anew()
        for supplier in self.around.suppliers:
            supplier.mode = "away"
        home.create("mine")
        stop_quietly(home)
        for supplier in self.around.suppliers:
            supplier.mode = "fine"
        self.node.storage.sync()
        self.node.pass_time(60)
        self.months("stays")
        self.is_held_back = False
        home = self.on_again(home)
        self.assertTrue(home.storage.core.log_replicas.recovered)
        self.node.storage.sync()
        self.node.pass_time(60)
        self.assertEqual(self.names(home), self.names(self.node))
        self.assertLessEqual({"late", "mine", "others"}, {*self.names(home)})
        self.assertFalse({"gone", "stays"} & {*self.names(home)})

    def test_once_an_hour(self) -> None:
        """Where a log begins later again soon, that is waited for, and nothing is read on top; then all is anew."""
        home = self.begun_anew()
        stop_quietly(home)
        self.shorten(8)
        home = Node(home.home, self.around, self.node.clock).start()
        self.addCleanup(stop_quietly, home)
        home.pass_time(600)
        self.assertEqual((home.outdated, self.names(home) == self.names(self.node)), (0, False))
        home.pass_time(BEGUN_FOR, 60)
        self.assertEqual(home.outdated, 1)
