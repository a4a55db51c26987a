"""What goes to one supplier: how much at once, in which order, and what becomes of what it refuses."""

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from bitdust.automats.kernel import Registry
from bitdust.storage.pieces.queue import MOST_BYTES, MOST_QUEUED, PieceQueue
from bitdust.wire.errors import BitDustError
from bitdust.wire.records import PieceRef

SIZE = 1000


def name(number: int) -> bytes:
    return number.to_bytes(16, "big")


class FakeCourier:
    """Pieces that wait on a disk, and deliveries that the test ends."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.wall = clock.seconds
        self.online = True
        self.most = 32
        self.on_disk: dict[bytes, int] = {}
        self.moving: dict[bytes, Deferred] = {}
        self.sent: list[bytes] = []
        self.checked: list[bool] = []
        self.gone: list[PieceRef] = []
        self.reports = 0
        self.refuse_at_once = False

    def is_online(self, supplier: bytes) -> bool:
        return self.online

    def most_at_once(self) -> int:
        return self.most

    def oldest(self, position: int, most: int) -> list[tuple[bytes, int]]:
        return list(self.on_disk.items())[:most]

    def deliver(self, supplier: bytes, piece: PieceRef, check: bool, progress) -> Deferred:
        self.sent.append(piece.pack)
        self.checked.append(check)
        work: Deferred = Deferred(lambda _: self.moving.pop(piece.pack))
        if self.refuse_at_once:
            work.errback(BitDustError("no-session", "nobody is there"))
        else:
            self.moving[piece.pack] = work
        return work

    def delivered(self, supplier: bytes, piece: PieceRef) -> None:
        self.on_disk.pop(piece.pack)

    def lost(self, piece: PieceRef) -> None:
        self.on_disk.pop(piece.pack)
        self.gone.append(piece)

    def report(self) -> None:
        self.reports += 1


class SupplierQueueTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.registry = Registry(self.clock)
        self.addCleanup(self.registry.shutdown)
        self.courier = FakeCourier(self.clock)
        self.queue = PieceQueue(self.registry, self.courier, b"s" * 32, 2)

    def keep(self, count: int, size: int = SIZE) -> None:
        self.courier.on_disk |= {name(number): size for number in range(count)}

    def come(self) -> None:
        self.queue.machine.send("online")

    def land(self) -> None:
        """The supplier acknowledges what came first, and that is written down."""
        pack = next(iter(self.courier.moving))
        self.courier.moving.pop(pack).callback(None)
        self.queue.written(pack)

    def refuse(self, code: str) -> None:
        pack = next(iter(self.courier.moving))
        self.courier.moving.pop(pack).errback(BitDustError(code, f"refused: {code}"))

    def state(self) -> str:
        return self.queue.machine.state

    def test_many_pieces(self) -> None:
        """More pieces than are queued at a time all go out, each once, in the order of the disk."""
        count = 2 * MOST_QUEUED + 20
        self.keep(count)
        self.come()
        while self.courier.moving:
            self.land()
        self.assertEqual(self.courier.sent, [name(number) for number in range(count)])
        self.assertEqual((self.state(), self.courier.on_disk), ("DRAINED", {}))

    def test_a_bound_by_number(self) -> None:
        """No more pieces are on their way at once than the setting says."""
        self.courier.most = 5
        self.keep(20)
        self.come()
        self.assertEqual((len(self.courier.moving), len(self.queue.transfers())), (5, 5))
        self.land()
        self.assertEqual(len(self.courier.moving), 5)

    def test_a_bound_by_bytes(self) -> None:
        """Large pieces go two at a time, however large, so that the line is never idle; no more bytes than that."""
        self.keep(8, MOST_BYTES)
        self.come()
        self.assertEqual(len(self.courier.moving), 2)
        self.land()
        self.assertEqual(len(self.courier.moving), 2)

    def test_a_new_piece(self) -> None:
        """A piece that is made while nothing waits goes out at once, and only once."""
        self.come()
        self.keep(1)
        self.queue.add(name(0), SIZE)
        self.queue.add(name(0), SIZE)
        self.assertEqual((self.courier.sent, self.state()), ([name(0)], "SENDING"))
        self.land()
        self.assertEqual(self.state(), "DRAINED")

    def test_pauses_grow(self) -> None:
        """After each refusal in a row the pause doubles, up to a minute; a piece that lands ends that."""
        self.courier.most = 1
        self.keep(2)
        self.come()
        pauses = []
        for _ in range(9):
            self.refuse("no-space")
            before = self.clock.seconds()
            while self.state() == "PAUSED":
                self.clock.advance(0.5)
            pauses.append(self.clock.seconds() - before)
        self.assertEqual(pauses, [1, 2, 4, 8, 16, 32, 60, 60, 60])
        self.land()
        self.refuse("no-space")
        self.clock.advance(1)
        self.assertEqual(self.state(), "SENDING")

    def test_room_where_there_was_none(self) -> None:
        """A supplier that may take now what it has refused is tried at once, and one that is away is not."""
        self.keep(2)
        self.come()
        for _ in range(2):
            self.refuse("no-space")
        self.assertEqual((self.state(), len(self.courier.sent)), ("PAUSED", 2))
        self.courier.online = False
        self.queue.try_again()
        self.assertEqual(self.state(), "PAUSED")
        self.courier.online = True
        self.queue.try_again()
        self.assertEqual((self.state(), len(self.courier.moving)), ("SENDING", 2))
        self.queue.try_again()
        self.assertEqual(len(self.courier.sent), 4)

    def test_many_refusals_at_once_are_one(self) -> None:
        """A supplier that refuses all that is on its way at once is paused as for one refusal."""
        self.keep(10)
        self.come()
        while self.courier.moving:
            self.refuse("no-space")
        self.assertEqual((self.state(), self.queue.is_absent), ("PAUSED", True))
        self.assertEqual(str(self.queue.refusal), "refused: no-space")
        self.clock.advance(1)
        self.assertEqual((self.state(), len(self.courier.moving)), ("SENDING", 10))

    def test_a_refusal_at_once(self) -> None:
        """A supplier to which nothing can be sent at all is tried once, not for ever."""
        self.courier.refuse_at_once = True
        self.keep(10)
        self.come()
        self.assertEqual((self.state(), len(self.courier.sent)), ("PAUSED", 1))

    def test_doubt(self) -> None:
        """After a piece that did not fit its root, pieces are compared with theirs until one has landed."""
        self.courier.most = 1
        self.keep(3)
        self.come()
        self.refuse("bad-piece")
        self.clock.advance(1)
        self.land()
        self.assertEqual((self.courier.checked, self.state()), ([False, True, False], "SENDING"))

    def test_a_lost_piece(self) -> None:
        """A piece that this disk has lost is reported and sent no more; the others go on."""
        self.courier.most = 1
        self.keep(2)
        self.come()
        self.refuse("piece-lost")
        self.assertEqual(self.courier.gone, [PieceRef(name(0), 2)])
        self.assertEqual((self.courier.sent, self.state()), ([name(0), name(1)], "SENDING"))

    def test_it_goes_and_comes_back(self) -> None:
        """What is on its way to a supplier that goes is taken back, and sent when it is there again."""
        self.keep(3)
        self.come()
        self.courier.online = False
        self.queue.machine.send("offline")
        self.assertEqual((self.courier.moving, self.queue.transfers(), self.queue.is_working), ({}, [], False))
        self.courier.online = True
        self.come()
        self.assertEqual(sorted(self.courier.moving), [name(0), name(1), name(2)])

    def test_absence_is_reported(self) -> None:
        """Whoever waits for suppliers hears when one stalls and when it moves again."""
        self.keep(2)
        self.come()
        before = self.courier.reports
        self.clock.pump([0.5] * 3)
        self.assertEqual((self.state(), self.queue.is_absent, self.courier.reports), ("STALLED", True, before + 1))
        self.land()
        self.assertEqual((self.state(), self.queue.is_absent, self.courier.reports), ("SENDING", False, before + 2))
