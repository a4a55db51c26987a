"""A stolen device signs heads that say where its log begins, or what stands somewhere in it, and nobody has that."""

from typing import Any
from unittest import mock

from twisted.internet.defer import Deferred, fail

from bitdust.crypt.keyring import MASTER
from bitdust.storage.log.compaction import begin_with, pending_snapshot
from bitdust.wire.encoding import decode, encode
from bitdust.wire.errors import BitDustError
from bitdust.wire.packet import Command
from bitdust.wire.records import Head
from bitdust.wire.signed import Signed
from tests.hostile.test_empty_heads import MOST, EmptyHeadCase
from tests.unit.kit import Reply
from tests.unit.storage_kit import START, Node, stop_quietly
from tests.unit.test_catalogs import ALICE, SHARE, CatalogsCase

ALL = ["before", "one", "three", "two"]
DAY = 86_400


def paths(node: Node) -> list[str]:
    return [row["path"] for row in node.rows()]


class EmptyBeginningTests(EmptyHeadCase):
    def later(self, node: Node, days: int) -> None:
        for _ in range(2 * days):
            node.pass_time(DAY / 2, DAY / 2)
            node.pass_time(2)

    def test_a_recovered_home(self) -> None:
        """What the device had stored is read as far as lower heads lead, though the highest one begins behind it."""
        self.make_up(50, first=40)
        self.list_it(0)
        again = self.recovered()
        again.pass_time(5)
        replicas = again.storage.core.log_replicas
        self.assertEqual((replicas.recovered, replicas.reason, paths(again)), (True, "", ALL))

    def test_a_head_in_the_middle(self) -> None:
        """A head that says something else of an entry than the log does keeps nobody from reading the log."""
        for name in ("later", "last"):
            self.thief.create(name)
            self.thief.pass_time(5)
        self.make_up(self.last + 1)
        self.list_it(0)
        again = self.recovered()
        again.pass_time(5)
        replicas, everything = again.storage.core.log_replicas, sorted([*ALL, "last", "later"])
        self.assertEqual((replicas.recovered, replicas.reason, paths(again)), (True, "", everything))

    def test_a_month_later(self) -> None:
        """A catalog is not built again for a log that was never safe: all stays, and is compared."""
        self.make_up(50, first=40)
        self.list_it(0)
        self.compare()
        stop_quietly(self.thief)
        self.later(self.node, 30)
        self.assertEqual((self.node.outdated, self.replicas.synchronized, self.names()), (0, True, ALL))

    def test_a_month_later_with_few_heard(self) -> None:
        """What may be safe and is not given is waited for; until then the catalog is kept as it is."""
        stop_quietly(self.thief)
        for supplier in self.around.suppliers:
            supplier.mode = "away"
        self.later(self.node, 30)
        self.make_up(50, first=40)
        self.list_it(0)
        for supplier in self.around.suppliers[:2]:
            supplier.mode = "fine"
        self.later(self.node, 1)
        self.assertIn("log entries are missing", self.replicas.reason)
        self.assertEqual((self.node.outdated, self.names()), (0, ALL))
        for supplier in self.around.suppliers:
            supplier.mode = "fine"
        self.later(self.node, 1)
        self.assertEqual((self.node.outdated, self.replicas.synchronized, self.names()), (0, True, ALL))

    def test_nobody_else_suffers(self) -> None:
        """Of all other devices it is known that everything was compared."""
        self.make_up(50, first=40)
        self.list_it(0)
        self.compare()
        stop_quietly(self.thief)
        self.later(self.node, 30)
        was_here = self.replicas._pull._compared.was_here
        self.assertEqual((was_here(self.me.device.id), was_here(self.thief.me.device.id)), (True, False))

    def test_a_supplier_that_loses_its_disk(self) -> None:
        """The device's log is brought to it again with the head that leads to its end, so that it counts there."""
        self.list_it(0)
        self.compare()
        stop_quietly(self.thief)
        device, last = self.thief.me.device.id, self.around.suppliers[3]
        for table in ("log", "heads"):
            last.shop.store._writer.execute(f"DELETE FROM {table}")
        self.core.supplier_accepted(last.fingerprint)
        self.node.pass_time(5)
        listed = last.shop.store.heads(self.me.fingerprint)
        heads = [Head.from_body(Signed.from_bytes(one, Head.KIND).body) for one in listed]
        self.assertEqual([one.sequence for one in heads if one.device == device], [self.last])

    def shorten(self, supplier: Any) -> None:
        """The device's log begins with a snapshot from now on, and a supplier has nothing else of it."""
        core, device = self.thief.storage.core, self.thief.me.device.id
        port = core.compactor._machine(MASTER)._port
        self.thief.wait(core.catalog.change(port.write_now))
        begin, _ = pending_snapshot(core.catalog.read, MASTER, device)
        self.assertGreater(begin, self.last + 1)
        self.thief.wait(core.catalog.change(lambda database: begin_with(database, MASTER, device, begin)))
        core.log_replicas.new_entry()
        self.thief.pass_time(5)
        store = supplier.shop.store
        store._writer.execute("DELETE FROM log WHERE device=? AND sequence<?", (device, begin))
        store._writer.commit()

    def test_a_snapshot_that_comes_late(self) -> None:
        """What one supplier alone lists, and gave to nobody, is taken as soon as it is given, with the snapshot."""
        self.thief.create("of one supplier")
        first, *others = self.around.suppliers
        for supplier in others:
            supplier.mode = "frozen"
        self.shorten(first)
        stop_quietly(self.thief)
        for supplier in others:
            supplier.mode = "fine"

        def silent(me: Any, command: Command, fields: Any, *rest: Any, ask: Any = first.ask) -> Any:
            is_asked = command is Command.RETRIEVE and fields.get("kind") == "log"
            return fail(BitDustError("no-answer", "not now")) if is_asked else ask(me, command, fields, *rest)

        with mock.patch.object(first, "ask", silent):
            again = self.recovered()
            again.pass_time(5)
            self.assertEqual((again.storage.core.log_replicas.recovered, paths(again)), (True, ALL))
        again.storage.core.log_replicas.pull_again()
        again.pass_time(5)
        self.assertEqual(paths(again), sorted([*ALL, "of one supplier"]))


class SharedTests(CatalogsCase):
    def setUp(self) -> None:
        super().setUp()
        me = self.alice.me
        (scope,) = self.alice.storage.core.log_writer.logs.scopes(SHARE)
        head = Head(me.fingerprint, me.device.id, 50, b"h" * 32, START, 40, scope=scope)
        self.made_up = me.sign(Head.KIND, head.to_body()).to_bytes()

    def pull(self, shared: Any) -> list[str]:
        """What is in the share when one supplier has listed the made-up head."""
        send = self.guest.send

        def lie(to: bytes, command: Command, fields: Any, *rest: Any, **terms: Any) -> "Deferred[Any]":
            answer = send(to, command, fields, *rest, **terms)
            if to != self.suppliers[0] or fields.get("kind") != "heads":
                return answer
            return answer.addCallback(lambda one: Reply(one.fields, encode([*decode(one.payload, MOST), self.made_up])))

        self.guest.send = lie
        self.now(shared.pull(self.suppliers))
        return [row["path"] for row in self.bob.rows(f"{SHARE}${ALICE}:")]

    def test_a_share_is_read_for_the_first_time(self) -> None:
        """Who was given a key reads what is there, whatever a stolen device of the owner's says."""
        shared = self.shared()
        self.now(self.bob.storage.catalogs.add(shared))
        self.assertEqual(self.pull(shared), ["cake"])

    def test_a_share_is_read_again(self) -> None:
        """What is known of a share is not forgotten for it."""
        self.assertEqual(self.pull(self.open()), ["cake"])
