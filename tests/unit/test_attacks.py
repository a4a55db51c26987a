"""Suppliers that lie and devices that disagree: whatever they say, nothing that I stored is lost."""

from twisted.internet.defer import fail
from twisted.trial.unittest import SynchronousTestCase

from bitdust.storage.catalog.database import PieceState
from bitdust.wire.encoding import encode
from bitdust.wire.packet import Command
from tests.unit.storage_kit import Node, PeerFailed, Reply, network, random_file, stop_quietly


class BoastingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.base, self.around, self.node = network(self)

    def boast(self, number: int) -> None:
        """From now on a supplier says that it holds every piece of every pack."""
        supplier = self.around.suppliers[number]
        ask = supplier.ask

        def lie(me, command, fields, payload, deadline):
            if command is not Command.LIST_FILES:
                return ask(me, command, fields, payload, deadline)
            packs = [bytes(row[0]) for row in me.storage.core.catalog.read.execute("SELECT pack FROM packs")]
            rows = [[pack, index, 1] for pack in sorted(packs) for index in range(4)]
            return ask(me, command, fields, payload, deadline).addCallback(
                lambda said: Reply({"more": False}, encode(rows))
            )

        supplier.ask = lie

    def test_one_supplier_speaks_for_its_own_place(self) -> None:
        """Pieces that wait for others stay here, although a supplier says that it holds them as well."""
        for supplier in self.around.suppliers[1:]:
            supplier.mode = "full"
        data = random_file(self.base / "file", 900_000)
        task = self.node.begin_upload(self.base / "file", "file")
        self.node.pass_time(5)
        self.boast(0)
        self.node.storage.sync()
        self.node.pass_time(5)
        states = self.node.storage.core.catalog.read.execute("SELECT DISTINCT number, state FROM pieces").fetchall()
        self.assertEqual({(number, state) for number, state in states if number},
                         {(number, PieceState.WAITING) for number in (1, 2, 3)})  # fmt: skip
        for supplier in self.around.suppliers:
            supplier.mode = "fine"
        self.node.pass_time(120)
        self.node.wait(task.completion)
        self.around.suppliers[0].mode = self.around.suppliers[1].mode = "away"
        self.node.download("file", self.base / "back")
        self.assertEqual((self.base / "back" / "file").read_bytes(), data)

    def test_a_conflict_must_be_shown(self) -> None:
        """A supplier that speaks of entries which it cannot show does not cost me my device key."""
        supplier = self.around.suppliers[0]
        ask = supplier.ask

        def lie(me, command, fields, payload, deadline):
            if (command, fields.get("kind")) != (Command.DATA, "log"):
                return ask(me, command, fields, payload, deadline)
            claim = {"code": "conflict", "text": "it does not follow", "sequence": 10**6, "hash": bytes(32)}
            return fail(PeerFailed(claim))

        supplier.ask = lie
        device = self.node.me.device.id
        random_file(self.base / "file", 5000)
        self.node.upload(self.base / "file", "file")
        self.node.pass_time(200)
        self.assertEqual((self.node.taken, self.node.me.device.id), (0, device))


class LateWordsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.base, self.around, self.node = network(self)
        self.node.storage.core.compactor.least_log = 3000

    def test_a_file_in_a_folder_that_was_forgotten(self) -> None:
        """What a device wrote into a folder comes back, although another one has long forgotten that folder."""
        self.node.create("docs/letters", folder=True)
        second = Node(self.base / "second", self.around, self.node.clock, before=self.node)
        self.addCleanup(stop_quietly, second)
        second.start()
        self.node.me.replace_document(second.me.document)
        second.pass_time(30)
        for supplier in self.around.suppliers:
            supplier.mode = "away"
        second.create("docs/letters/mine")
        second.stop()
        for supplier in self.around.suppliers:
            supplier.mode = "fine"
        self.node.delete("docs")
        self.node.clock.advance(40 * 86_400)
        for number in range(8):
            random_file(self.base / "changing", 2000 + number)
            self.node.upload(self.base / "changing", "changing")
            self.node.pass_time(1)
        self.node.pass_time(400)
        known = self.node.storage.core.catalog.read.execute("SELECT count(*) FROM items WHERE name=?", (b"docs",))
        self.assertEqual(known.fetchone(), (0,))
        second = Node(second.home, self.around, self.node.clock).start()
        self.addCleanup(stop_quietly, second)
        second.pass_time(60)
        second.stop()
        second = Node(second.home, self.around, self.node.clock).start()
        self.addCleanup(stop_quietly, second)
        second.pass_time(60)
        self.node.storage.sync()
        self.node.pass_time(30)
        for one in (second, self.node):
            self.assertIn("docs/letters/mine", [row["path"] for row in one.rows()])
