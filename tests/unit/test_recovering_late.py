"""Recoveries that do not end for weeks, as something is listed and not given: what is read then, on top of what was."""

from typing import Any

from twisted.internet.defer import fail

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
            if self.is_held_back and is_log and fields["device"] == self.silent:
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

    def months(self) -> None:
        """One file is deleted, and after that nobody tells so any more."""
        self.node.clock.advance(40 * DAY)
        self.node.delete("gone")
        self.node.clock.advance(40 * DAY)
        self.busy_life(self.node, 5)
        self.assertGreater(self.sequence(self.node), 1)

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
