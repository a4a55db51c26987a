"""Packs in progress: who is told what, and that an acknowledgement costs the same whatever there is besides."""

import sqlite3
from types import SimpleNamespace

from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from bitdust.automats.kernel import Registry
from bitdust.storage.catalog import database as tables
from bitdust.storage.catalog.database import PackState, PieceState
from bitdust.storage.pieces.packs import Packs, PackStanding
from bitdust.storage.pieces.waiting import WaitingPieces
from bitdust.storage.upload.progress import UploadProgress
from bitdust.storage.upload.reader import FileRead
from bitdust.storage.upload.scan import FileStatus
from bitdust.wire.errors import BitDustError
from bitdust.wire.records import PieceRef

N = 4
STATUS = FileStatus(1, 1, 1, 1, 1)


class Counted:
    """A connection that counts steps of SQLite's virtual machine: every row that is looked at takes some."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self.database = database
        self.steps = 0
        database.set_progress_handler(self._step, 1)

    def _step(self) -> int:
        self.steps += 1
        return 0


class Queues:
    """Takes pieces and remembers them; ``new`` are acknowledgements that are not written yet."""

    def __init__(self) -> None:
        self.added: list[tuple[bytes, int]] = []
        self.new: dict[bytes, dict[int, bytes]] = {}

    def add(self, pack: bytes, index: int, size: int) -> None:
        self.added.append((pack, index))

    def unwritten(self, pack: bytes) -> dict[int, bytes]:
        return self.new.get(pack, {})


def names(count: int) -> list[bytes]:
    return [number.to_bytes(16, "big") for number in range(count)]


def catalog(packs: list[bytes], absent: int = 3) -> sqlite3.Connection:
    """Packs of which all but one supplier have their pieces."""
    database = sqlite3.connect(":memory:")
    database.executescript(tables._SCHEMA)
    for pack in packs:
        add_pack(database, pack, PackState.HELD, {index for index in range(N) if index != absent})
    return database


def add_pack(database: sqlite3.Connection, pack: bytes, state: PackState, acked: set[int]) -> None:
    values = (pack, "master", 1, 100, b"", b"", b"", state, len(acked), N, 1, 0)
    database.execute("INSERT INTO packs VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", values)
    for index in range(N):
        kept = PieceState.KEPT if index in acked else PieceState.WAITING
        database.execute("INSERT INTO pieces VALUES(?, ?, 10, ?, ?, NULL)", (pack, index, kept, b"s%d" % index))


def packs_over(database: sqlite3.Connection, queues: Queues | None = None) -> Packs:
    clock = Clock()
    world = SimpleNamespace(clock=clock, run_in_thread=maybeDeferred)
    store = SimpleNamespace(
        catalog=SimpleNamespace(read=database), run_in_thread=maybeDeferred, lost=[], missing=[],
        note_held=lambda pack, acknowledged: succeed(None), sync=lambda pack, indexes: Deferred(),
    )  # fmt: skip
    store.note_lost = store.lost.append
    store.note_missing = store.missing.append
    packer = SimpleNamespace(take_started=list, take_full=list)
    around = SimpleNamespace(world=world, registry=Registry(clock), me=SimpleNamespace())
    packs = Packs(around, packer, store, queues or Queues(), SimpleNamespace())
    packs.store = store
    return packs


def read(*packs: bytes) -> FileRead:
    return FileRead("0/1", b"/file", STATUS, 0o600, packs=set(packs))


class ConstantWorkTests(SynchronousTestCase):
    """What an acknowledgement costs while a supplier is absent, counted at 1,000 and at 50,000 packs."""

    def work(self, count: int) -> tuple[int, int, int]:
        """Lines of Python, steps of the database and machines for some acknowledgements and all that follows them."""
        every = names(count)
        database = catalog(every)
        packs = packs_over(database)
        progress = UploadProgress(packs)
        self.addCleanup(progress.stop)
        progress.add(read(pack) for pack in every)
        self.assertEqual((progress.packs, progress.pieces), (count, count))
        decisions: list[bool] = []

        def decide() -> None:
            decisions.append(progress.is_safe(lambda position: position == 3))
            decisions.append(packs.has_room())

        progress.changed.connect(decide)
        counted = Counted(database)
        lines = self.lines_of(lambda: [packs.piece_acknowledged(PieceRef(pack, 3), b"s3") for pack in every[:10]])
        self.assertEqual((decisions, progress.pieces), ([True] * 20, count - 10))
        return lines, counted.steps, len(packs)

    def lines_of(self, call) -> int:
        import sys

        lines = [0]

        def trace(frame, event, argument):
            lines[0] += event == "line"
            return trace

        before = sys.gettrace()
        sys.settrace(trace)
        try:
            call()
        finally:
            sys.settrace(before)
        return lines[0]

    def test_an_acknowledgement(self) -> None:
        """Nothing that an acknowledgement causes walks through packs: lines, rows and machines are the same."""
        self.assertEqual(self.work(1_000), self.work(50_000))

    def test_refilling_a_queue(self) -> None:
        """The oldest pieces of a supplier are found by an index: rows that are looked at depend on the answer alone."""
        steps = []
        for count in (1_000, 50_000):
            database = catalog(names(count))
            counted = Counted(database)
            pieces = WaitingPieces(SimpleNamespace(), SimpleNamespace(read=database), SimpleNamespace())
            self.assertEqual([len(pieces.oldest(position, 500)) for position in range(N)], [0, 0, 0, 500])
            steps.append(counted.steps)
        self.assertEqual(steps[0], steps[1])


class StandingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.database = catalog([])
        self.queues = Queues()
        self.packs = packs_over(self.database, self.queues)
        (self.pack,) = names(1)

    def test_rows(self) -> None:
        """Of a pack without a machine its rows say who is lacking."""
        add_pack(self.database, self.pack, PackState.HELD, {0})
        self.assertEqual(self.packs.standing(self.pack), PackStanding(True, 2, frozenset({1, 2, 3})))

    def test_unwritten_acknowledgements_count(self) -> None:
        """What was acknowledged a moment ago counts before the catalog says so."""
        add_pack(self.database, self.pack, PackState.HELD, {0})
        self.queues.new[self.pack] = {1: b"s1", 2: b"s2"}
        self.assertEqual(self.packs.standing(self.pack), PackStanding(True, 0, frozenset({3})))

    def test_complete_and_forgotten(self) -> None:
        """A complete pack, one without pieces that wait, and one that is dead are waited for by nobody."""
        every = names(3)
        add_pack(self.database, every[0], PackState.HELD, {0, 1, 2, 3})
        add_pack(self.database, every[1], PackState.HELD, {0, 1})
        self.database.execute("UPDATE pieces SET state=? WHERE state=?", (PieceState.MISSING, PieceState.WAITING))
        add_pack(self.database, every[2], PackState.DEAD, {0})
        self.assertEqual([self.packs.standing(pack) for pack in every], [PackStanding(True)] * 3)

    def test_unknown(self) -> None:
        """A pack of which there is no row could not be kept."""
        self.assertRaises(BitDustError, self.packs.standing, self.pack)


class UploadProgressTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.database = catalog([])
        self.packs = packs_over(self.database)
        self.progress = UploadProgress(self.packs)
        self.changes = 0
        self.progress.changed.connect(self.change)
        self.standings: dict[bytes, PackStanding] = {}
        self.packs.standing = self.standings.__getitem__
        self.one, self.two = names(2)

    def change(self) -> None:
        self.changes += 1

    def is_safe(self, *absent: int) -> bool:
        return self.progress.is_safe(lambda position: position in absent)

    def hold(self, pack: bytes, lacking: int = 3, waiting: tuple[int, ...] = (0, 1, 2, 3)) -> None:
        self.standings[pack] = PackStanding(True, lacking, frozenset(waiting))
        self.packs.held.emit(pack)

    def test_a_file_is_ready_when_all_its_packs_are_held(self) -> None:
        """A version may be written when the last pack that it builds on survives a power cut."""
        self.standings |= {self.one: PackStanding(False), self.two: PackStanding(False)}
        file = read(self.one, self.two)
        self.progress.add([file])
        self.hold(self.one)
        self.assertEqual((self.progress.ready, self.progress.is_read), ([], False))
        self.hold(self.two)
        self.assertEqual(self.progress.ready, [file])

    def test_a_file_of_held_packs_is_ready_at_once(self) -> None:
        """What was stored before need not be waited for."""
        self.standings[self.one] = PackStanding(True)
        self.progress.add([read(self.one), read()])
        self.assertEqual((len(self.progress.ready), self.is_safe()), (2, True))

    def test_safe(self) -> None:
        """Safe are enough pieces, and the others when nobody is left to be waited for."""
        self.standings[self.one] = PackStanding(True, 1, frozenset({2, 3}))
        self.progress.add([read(self.one)])
        self.assertFalse(self.is_safe(2, 3))
        self.packs.acknowledged.emit(PieceRef(self.one, 2))
        self.assertEqual((self.is_safe(), self.is_safe(3), self.progress.sent), (False, True, 0.5))
        self.packs.acknowledged.emit(PieceRef(self.one, 3))
        self.assertEqual((self.is_safe(), self.progress.packs, self.changes), (True, 0, 2))

    def test_news_of_others(self) -> None:
        """Acknowledgements of other uploads' packs, and the same one twice, change nothing."""
        self.standings[self.one] = PackStanding(True, 2, frozenset({1, 2, 3}))
        self.progress.add([read(self.one)])
        self.packs.acknowledged.emit(PieceRef(self.two, 1))
        self.packs.acknowledged.emit(PieceRef(self.one, 1))
        self.packs.acknowledged.emit(PieceRef(self.one, 1))
        self.packs.held.emit(self.two)
        self.assertEqual((self.changes, self.progress.pieces), (1, 2))

    def test_a_lost_piece_is_not_waited_for(self) -> None:
        """A piece that this disk has lost is made again by the round; the upload does not wait for it."""
        self.standings[self.one] = PackStanding(True, 1, frozenset({3}))
        self.progress.add([read(self.one)])
        self.packs.lost.emit(PieceRef(self.one, 3))
        self.assertEqual((self.is_safe(), self.changes), (True, 1))

    def test_a_pack_that_could_not_be_kept(self) -> None:
        """The upload that builds on it fails with its reason, others do not."""
        reasons: list[BaseException] = []
        self.progress.failed.connect(reasons.append)
        self.standings |= {self.one: PackStanding(False)}
        self.progress.add([read(self.one)])
        self.packs.failed.emit(self.two, OSError("other"))
        self.packs.failed.emit(self.one, OSError("disk"))
        self.assertEqual([str(reason) for reason in reasons], ["disk"])
