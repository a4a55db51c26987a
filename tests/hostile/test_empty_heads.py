"""A stolen device signs heads of entries that nobody gives and suppliers list, or entries that nobody can open."""

from functools import partial
from typing import Any
from unittest import mock

from attrs import evolve
from twisted.internet.defer import fail

from bitdust.crypt.keyring import MASTER
from bitdust.events import Events
from bitdust.formats.log_entry import seal
from bitdust.identity.document import OPEN_END
from bitdust.identity.revocation import Revocations
from bitdust.storage.catalog import catalog
from bitdust.storage.catalog.database import meta
from bitdust.storage.log.compared import BEHIND
from bitdust.wire.encoding import decode, encode
from bitdust.wire.errors import BitDustError
from bitdust.wire.packet import Command
from bitdust.wire.records import Head
from tests.hostile.test_stolen_device import RevokedCase
from tests.unit.kit import Reply
from tests.unit.storage_kit import Node, stop_quietly

MOST = 16 * 2**20


class EmptyHeadCase(RevokedCase):
    def setUp(self) -> None:
        super().setUp()
        self.replicas = self.core.log_replicas
        self.last = self.core.catalog.end(MASTER, self.thief.me.device.id).sequence
        self.make_up(50)

    def make_up(self, sequence: int, first: int | None = None) -> None:
        """The thief signs a head that leads to nothing."""
        moment, device = int(self.core.world.wall()), self.thief.me.device.id
        head = Head(self.me.fingerprint, device, sequence, b"h" * 32, moment, first)
        self.made_up = self.thief.me.sign(Head.KIND, head.to_body()).to_bytes()

    def list_it(self, *numbers: int) -> None:
        """From now on these suppliers list the head as well, and have no entries for it."""
        for number in numbers:
            supplier = self.around.suppliers[number]
            supplier.ask = partial(self.lie, supplier.ask)  # type: ignore[method-assign]

    def lie(self, ask: Any, me: Any, command: Command, fields: Any, payload: Any, deadline: float) -> Any:
        answer = ask(me, command, fields, payload, deadline)
        if command is not Command.RETRIEVE or fields.get("kind") != "heads":
            return answer
        return answer.addCallback(lambda one: Reply(one.fields, encode([*decode(one.payload, MOST), self.made_up])))

    def recovered(self) -> Node:
        """The home is lost, and comes back."""
        stop_quietly(self.thief)
        self.node.kill()
        again = Node(self.base / "again", self.around, self.node.clock, before=self.node)
        self.addCleanup(stop_quietly, again)
        return again.start()


class EmptyHeadTests(EmptyHeadCase):
    def word(self) -> None:
        """The person gives up what else the device may have stored."""
        self.revocations.end(self.me.document.device(self.thief.me.device.id))

    def is_safe(self) -> bool:
        """Whether what is written now gets safe."""
        self.node.create("more")
        self.node.pass_time(5)
        return self.replicas.is_safe()

    def test_one_supplier(self) -> None:
        """What k suppliers do not list was never safe: the node goes on without it, and what it writes gets safe."""
        self.list_it(0)
        self.compare()
        self.assertTrue(self.is_safe())
        self.assertFalse(self.replicas.has_read(self.around.suppliers[0].fingerprint))

    def test_most_suppliers(self) -> None:
        """What may have been safe is waited for: where fewer than k suppliers were heard that do not list it."""
        self.list_it(0, 1, 2)
        self.compare()
        self.assertIn("log entries are missing", self.replicas.reason)
        self.assertFalse(self.is_safe())

    def test_places_that_change_hands(self) -> None:
        """Who is new at a place says nothing of what was safe, where the one who leaves it lists more."""
        known = [one.fingerprint for one in self.around.suppliers]
        changed = {"suppliers": [*known[2:], None, None], "leaving": [*known[:2], None, None]}
        self.around.family = lambda customer, real=self.around.family: evolve(real(customer), **changed)
        self.list_it(0, 1)
        self.compare()
        self.assertIn("log entries are missing", self.replicas.reason)

    def test_nothing_is_given_up(self) -> None:
        """True entries that one supplier alone has, and did not give a moment ago, are read as soon as it does; until
        then nobody believes that all of that device was compared."""
        self.thief.create("of one supplier")
        first, *others = self.around.suppliers
        for supplier in others:
            supplier.mode = "frozen"
        self.thief.pass_time(5)
        stop_quietly(self.thief)
        for supplier in others:
            supplier.mode = "fine"

        def silent(me: Any, command: Command, fields: Any, *rest: Any, ask: Any = first.ask) -> Any:
            is_asked = command is Command.RETRIEVE and fields.get("kind") == "log"
            return fail(BitDustError("no-answer", "not now")) if is_asked else ask(me, command, fields, *rest)

        self.node.pass_time(1)
        with mock.patch.object(first, "ask", silent):
            self.pull()
        self.assertEqual((self.replicas.reason, self.behind()), ("", [self.thief.me.device.id]))
        self.assertNotIn("of one supplier", self.names())
        self.pull()
        self.assertIn("of one supplier", self.names())
        self.assertEqual(self.behind(), [])

    def behind(self) -> list[bytes]:
        """Devices whose logs were not known to their ends when all was compared."""
        return [device for device, _ in decode(meta(self.core.catalog.read, BEHIND), MOST)]

    def pull(self) -> None:
        self.replicas.pull_again()
        self.node.pass_time(5)

    def test_a_revoked_device(self) -> None:
        """How much it had written stays open by itself; the person's word ends it, whatever one supplier lists."""
        self.revoke()
        self.list_it(0)
        self.compare()
        self.revocations.settle()
        self.assertEqual(self.end(), OPEN_END)
        self.word()
        self.compare()
        self.assertEqual((self.end(), self.replicas.has_read(self.around.suppliers[0].fingerprint)), (self.last, True))

    def test_a_revoked_device_and_most_suppliers(self) -> None:
        """Where so many list it that it may be safe the person's word ends that too, once all was compared since."""
        self.revoke()
        self.list_it(0, 1, 2)
        self.assertEqual(self.assertRaises(BitDustError, self.word).code, "not-ready")
        self.compare()
        self.assertIn("log entries are missing", self.replicas.reason)
        self.word()
        self.compare()
        self.core.key_ring_replicas.keys_changed()
        self.assertEqual((self.end(), self.is_safe()), (self.last, True))

    def test_what_nobody_can_open(self) -> None:
        """Entries that are safe, and sealed under no secret that there is, keep a recovered home from its catalog only
        until the person gives them up; what was written before them comes back."""
        with mock.patch.object(catalog, "seal", lambda one, secret, content: seal(one, b"x" * 32, content)):
            self.thief.create("unreadable")
        self.thief.pass_time(5)
        self.revoke()
        self.node.kill()
        again = Node(self.base / "again", self.around, self.node.clock, before=self.node)
        self.addCleanup(stop_quietly, again)
        again.start().pass_time(5)
        replicas = again.storage.core.log_replicas
        revocations = Revocations(again.world, Events(again.clock, again.world.wall), again.me)
        self.assertIn("log entries are missing", replicas.reason)
        revocations.logs = again.storage
        revocations.end(again.me.document.device(self.thief.me.device.id))
        again.pass_time(65)
        self.assertTrue(replicas.recovered)
        self.assertEqual([row["path"] for row in again.rows()], ["before", "one", "three", "two"])

    def test_a_recovered_home_that_has_heard_too_few(self) -> None:
        """With nothing but k suppliers heard nobody's word says how much a device had written: all may get lost."""
        self.revoke()
        self.node.kill()
        self.list_it(0)
        for supplier in self.around.suppliers[2:]:
            supplier.mode = "away"
        again = Node(self.base / "again", self.around, self.node.clock, before=self.node)
        self.addCleanup(stop_quietly, again)
        again.start().pass_time(5)
        self.assertIsNone(again.storage.length(self.thief.me.device.id, is_patient=False))
