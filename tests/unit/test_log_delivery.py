"""Bringing the log to suppliers: several entries in a packet, with the small pieces that wait for that supplier."""

from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from bitdust.crypt.keyring import RingKey
from bitdust.formats.log_packet import LogPacket, SmallPiece
from bitdust.storage.log import replica as replica_module
from bitdust.storage.log.replicas import GATHER
from bitdust.wire.packet import Command
from tests.unit.kit import Reply
from tests.unit.storage_kit import network, random_file
from tests.unit.supplier_kit import Pack, Person

LOG = (Command.DATA, "log")


class DeliveryTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.base, self.around, self.node = network(self)
        self.node.pass_time(2)
        self.late = self.around.suppliers[0]
        self.packets: list[LogPacket] = []
        send = self.node.send

        def record(*arguments: Any, **options: Any) -> Any:
            if not isinstance(arguments[0], str):
                to, command, fields, *rest = arguments
                if (to, command, fields.get("kind")) == (self.late.fingerprint, *LOG):
                    self.packets.append(LogPacket.parse(rest[0]))
            return send(*arguments, **options)

        self.node.send = record

    @property
    def riders(self):
        return self.node.storage.core.log_replicas.riders

    def back(self) -> None:
        """The supplier is there again."""
        self.late.mode = "fine"
        self.node.storage.core.suppliers_changed()
        self.node.pass_time(5)

    def held(self) -> int:
        return self.late.shop.store._read.execute("SELECT count(*) FROM log").fetchone()[0]

    def write(self, count: int) -> None:
        for number in range(count):
            self.node.create(f"folder-{number}", True)

    def offer(self, pack: Pack) -> "Deferred[Any]":
        """A small piece for the supplier that comes late; nothing is sent alone here."""
        return self.riders.offer(self.late.fingerprint, pack.id, self.signed(pack), Deferred)

    def signed(self, pack: Pack) -> SmallPiece:
        return SmallPiece(0, self.node.me.sign("pack", pack.record.to_body()).to_bytes(), pack.pieces[0])

    def mine(self, number: int) -> Pack:
        person = Person("nobody")
        person.fingerprint = self.node.me.fingerprint
        return Pack(person, number)

    def test_what_was_missed_comes_in_one_packet(self) -> None:
        """A supplier that was away gets all entries that it lacks in one packet."""
        before = self.held()
        self.late.mode = "away"
        self.write(7)
        self.packets.clear()
        self.back()
        self.assertEqual([len(packet.entries) for packet in self.packets], [7])
        self.assertEqual(self.held(), before + 7)
        self.assertTrue(self.node.storage.core.log_replicas.synchronized)

    def test_a_packet_has_its_limit(self) -> None:
        """More entries than one packet takes come in several, in order."""
        self.late.mode = "away"
        replica = self.node.storage.core.log_replicas
        self.write(3)
        self.packets.clear()
        self.patch(replica_module, "MOST_ENTRIES", 2)
        self.back()
        self.assertEqual([len(packet.entries) for packet in self.packets], [2, 1])
        self.assertTrue(replica.synchronized)

    def test_entries_without_their_head(self) -> None:
        """Of a long log that is brought in several packets nothing is safe before its head is there: whoever comes back
        reads no further. That a list shows less until then is not held against the supplier."""
        replicas, me = self.node.storage.core.log_replicas, self.node.me.device.id
        (one,) = replicas._logs.values()
        self.late.mode = "away"
        self.write(5)
        before = one.holdings.safely(self.late.fingerprint, me)
        self.patch(replica_module, "MOST_ENTRIES", 2)
        self.packets.clear()
        ask, patience = self.late.ask, one.patience
        self.patch(patience, "took_back", lambda supplier: self.fail("an honest supplier"))
        silent = self.late._say_nothing
        self.late.ask = lambda *asked: silent(asked[0].clock, 15) if len(self.packets) > 1 else ask(*asked)
        self.back()
        holdings = one.holdings
        self.assertEqual((holdings.at(self.late.fingerprint, me), self.held()), (before + 2, before + 2))
        self.assertEqual(holdings.safely(self.late.fingerprint, me), before)
        self.assertEqual(replicas.holders("master", me, before + 1), 3)
        self.late.ask = ask
        replicas.pull_again()
        self.node.pass_time(40)
        self.assertEqual((holdings.safely(self.late.fingerprint, me), self.held()), (before + 5, before + 5))

    def test_entries_gather(self) -> None:
        """What is written within a moment is one packet; an upload that waits for it does not wait that long."""
        self.write(3)
        self.node.pass_time(1)
        self.assertEqual(sum(len(packet.entries) for packet in self.packets), 3)
        self.packets.clear()
        random_file(self.base / "file", 1000)
        self.node.upload(self.base / "file", "file")
        self.assertEqual([(len(packet.entries), len(packet.pieces)) for packet in self.packets], [(2, 1)])

    def test_small_pieces_go_along(self) -> None:
        """A piece that waits for the supplier is in the packet; it has landed when the entry has."""
        pack, landed = self.mine(1), []
        self.offer(pack).addBoth(landed.append)
        self.write(1)
        self.node.pass_time(1)
        self.assertEqual([len(packet.pieces) for packet in self.packets], [1])
        self.assertEqual(landed, [None])
        found = self.late.shop.store._read.execute("SELECT pack, number FROM pieces").fetchall()
        self.assertEqual(found, [(pack.id, 0)])

    def test_a_piece_without_room(self) -> None:
        """What the supplier refuses of the pieces fails; the entry is held all the same."""
        shop = self.late.shop
        shop.settings.values["paths/disk-reserve-percent"] = 50
        shop.disk.free = lambda path: shop.disk.total(path) * 4 // 10
        refused: list[Any] = []
        self.offer(self.mine(1)).addErrback(refused.append)
        self.write(1)
        self.node.pass_time(1)
        self.assertEqual([failure.value.code for failure in refused], ["no-space"])
        self.assertTrue(self.node.storage.core.log_replicas.synchronized)

    def test_an_answer_that_cannot_be_read(self) -> None:
        """When the answer names refused pieces in no readable way, the packet's pieces are sent alone."""
        send, spoilt = self.node.send, [{"refused": [1]}, {"refused": [{"pack": b"short", "index": 0, "code": "x"}]}]

        def spoil(reply: Reply) -> Reply:
            return Reply({**reply.fields, **spoilt.pop()}, reply.payload) if spoilt else reply

        def answer(*arguments: Any, **options: Any) -> Any:
            sending = send(*arguments, **options)
            is_log = len(arguments) > 2 and (arguments[0], arguments[1]) == (self.late.fingerprint, Command.DATA)
            return sending.addCallback(spoil) if is_log else sending

        self.node.send = answer
        alone: list[str] = []
        pack = self.mine(1)
        sending = lambda: alone.append("sent") or Deferred()  # noqa: E731
        self.riders.offer(self.late.fingerprint, pack.id, self.signed(pack), sending)
        self.write(1)
        self.node.pass_time(1)
        self.assertEqual((len(self.packets), alone), (1, ["sent"]))
        self.node.pass_time(20)
        self.assertEqual((spoilt, self.node.storage.core.log_replicas.synchronized), ([], True))

    def test_a_supplier_that_is_silent(self) -> None:
        """When the packet is not answered its pieces are sent alone."""
        self.late.mode = "frozen"
        alone: list[str] = []
        pack = self.mine(1)
        piece = SmallPiece(0, b"record", pack.pieces[0])
        self.riders.offer(self.late.fingerprint, pack.id, piece, lambda: alone.append("sent") or Deferred())
        self.write(1)
        self.node.pass_time(GATHER, GATHER)
        self.assertEqual((len(self.packets), alone), (1, []))
        self.node.pass_time(20)
        self.assertEqual(alone, ["sent"])


class StoppedAndStartedTests(SynchronousTestCase):
    """Services may be restarted one by one, while data goes on to move."""

    def setUp(self) -> None:
        self.base, self.around, self.node = network(self)
        self.node.pass_time(2)
        self.core = self.node.storage.core

    def test_the_log_goes_on(self) -> None:
        """What is written while the log rests reaches every supplier after it has been started again."""
        self.core.log_replicas.stop()
        self.node.create("folder", True)
        self.node.pass_time(10)
        suppliers = [one.fingerprint for one in self.around.suppliers]
        self.assertFalse(any(self.core.log_replicas.is_held_by(one) for one in suppliers))
        self.core.log_replicas.start()
        self.node.pass_time(10)
        self.assertTrue(all(self.core.log_replicas.is_held_by(one) for one in suppliers))
        self.assertTrue(self.core.log_replicas.synchronized)

    def test_the_key_ring_goes_on(self) -> None:
        """A change of the key ring reaches suppliers after it has been started again."""
        ring = self.core.key_ring_replicas
        ring.stop()
        self.node.me.key_ring.add(RingKey("photos", "my photos"))
        self.node.me.save_key_ring()
        ring.start()
        self.node.pass_time(10)
        self.assertTrue(ring.synchronized)
        self.assertTrue(all(ring.is_held_by(one.fingerprint) for one in self.around.suppliers))

    def test_small_pieces_do_not_wait_for_it(self) -> None:
        """A small piece that waits for a packet of the log goes alone when the log is stopped before."""
        alone: list[str] = []
        riders, piece = self.core.log_replicas.riders, SmallPiece(0, b"record", b"data")
        riders.offer(self.around.suppliers[0].fingerprint, b"pack", piece, lambda: alone.append("sent") or Deferred())
        self.core.log_replicas.stop()
        self.node.pass_time(2)
        self.assertEqual(alone, ["sent"])
