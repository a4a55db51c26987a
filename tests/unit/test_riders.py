"""Small pieces that go with a packet of the log: when they do, when they go alone, and what becomes of each."""

from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from bitdust.formats.log_packet import MOST_PIECES, SMALL, SmallPiece
from bitdust.storage.log.riders import WAIT, Rider, Riders
from bitdust.wire.errors import BitDustError

BOB, CAROL = b"bob", b"carol"


class RidersTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.riders = Riders(self.clock)
        self.alone: list[Deferred[Any]] = []
        self.ended: list[Any] = []

    def tearDown(self) -> None:
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def send_alone(self) -> "Deferred[Any]":
        self.alone.append(Deferred())
        return self.alone[-1]

    def offer(self, number: int = 0, supplier: bytes = BOB, size: int = 10) -> "Deferred[Any]":
        piece = SmallPiece(number % 4, b"record", bytes(size))
        done = self.riders.offer(supplier, b"pack%d" % number, piece, self.send_alone)
        return done.addBoth(self.ended.append)

    def code(self) -> str:
        return str(self.ended.pop().value.code)

    def refusal(self, rider: Rider, code: str) -> dict[str, Any]:
        return {"pack": rider.pack, "index": rider.piece.index, "code": code}

    def test_with_a_packet(self) -> None:
        """A piece that goes with a packet is not sent alone; it has landed when the packet is acknowledged."""
        self.offer()
        taken = self.riders.dequeue(BOB)
        self.assertEqual((len(taken), self.riders.dequeue(BOB)), (1, []))
        self.clock.advance(2 * WAIT)
        self.assertEqual((self.alone, self.ended), ([], []))
        self.riders.landed(taken, [])
        self.assertEqual(self.ended, [None])

    def test_alone(self) -> None:
        """When no packet comes by in time the piece is sent alone, and ends as that does."""
        self.offer(0)
        self.offer(1)
        self.clock.advance(WAIT)
        self.assertEqual((len(self.alone), self.riders.dequeue(BOB)), (2, []))
        self.alone[0].callback("answer")
        self.assertEqual(self.ended, ["answer"])
        self.alone[1].errback(BitDustError("no-space", "full"))
        self.assertEqual(self.code(), "no-space")

    def test_refused(self) -> None:
        """A piece that the supplier names in its answer fails with that code; the others have landed."""
        for number in range(3):
            self.offer(number)
        taken = self.riders.dequeue(BOB)
        self.riders.landed(taken, [self.refusal(taken[1], "no-space")])
        self.assertEqual([one if one is None else one.value.code for one in self.ended], [None, "no-space", None])

    def test_a_packet_that_fails(self) -> None:
        """When the packet is not acknowledged its pieces are sent alone at once."""
        self.offer()
        self.riders.left_behind(self.riders.dequeue(BOB))
        self.assertEqual(len(self.alone), 1)
        self.alone[0].callback(None)
        self.assertEqual(self.ended, [None])

    def test_each_supplier_has_its_own(self) -> None:
        """A packet takes the pieces of its own supplier."""
        self.offer(0, BOB)
        self.offer(1, CAROL)
        self.assertEqual([rider.pack for rider in self.riders.dequeue(CAROL)], [b"pack1"])
        self.riders.close()

    def test_no_more_than_a_packet_takes(self) -> None:
        """A packet gets as many as it may carry; the others wait for the next one."""
        for number in range(MOST_PIECES + 2):
            self.offer(number)
        self.assertEqual([len(self.riders.dequeue(BOB)) for _ in range(3)], [MOST_PIECES, 2, 0])

    def test_a_large_piece(self) -> None:
        """A piece that no packet of the log may carry is sent alone without waiting."""
        self.offer(size=SMALL + 1)
        self.assertEqual((len(self.alone), self.riders.dequeue(BOB)), (1, []))

    def test_taken_back(self) -> None:
        """A piece that is taken back is sent by nobody, wherever it was; what still comes of it means nothing."""
        waiting = self.riders.offer(BOB, b"p", SmallPiece(0, b"r", b"d"), self.send_alone)
        waiting.cancel()
        self.failureResultOf(waiting, CancelledError)
        in_packet = self.riders.offer(BOB, b"p", SmallPiece(0, b"r", b"d"), self.send_alone)
        taken = self.riders.dequeue(BOB)
        in_packet.cancel()
        self.failureResultOf(in_packet, CancelledError)
        self.riders.landed(taken, [self.refusal(taken[0], "no-space")])
        self.riders.left_behind(taken)
        self.assertEqual(self.alone, [])
        alone = self.riders.offer(BOB, b"p", SmallPiece(0, b"r", b"d"), self.send_alone)
        self.clock.advance(WAIT)
        alone.cancel()
        self.failureResultOf(alone, CancelledError)
        self.assertTrue(self.alone[0].called)

    def test_the_end(self) -> None:
        """After the end nothing waits on the clock."""
        self.offer(0, BOB)
        self.offer(1, CAROL)
        self.riders.close()
        self.clock.advance(WAIT)
        self.assertEqual((self.alone, self.ended), ([], []))
