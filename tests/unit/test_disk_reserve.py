"""A node never fills a disk: what is refused near its end, what goes on, and that it goes on by itself afterwards."""

from pathlib import Path
from types import SimpleNamespace

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from bitdust.config.settings import Settings
from bitdust.disk.reserve import SETTING, Reserve
from bitdust.wire.errors import BitDustError
from bitdust.wire.packet import Command
from tests.unit.storage_kit import network, random_file
from tests.unit.supplier_kit import MIB, BrokenDisk, Pack, Person, Shop, files, now

MB = 1_000_000
ALICE, BOB = Person("alice"), Person("bob")


class ReserveTests(SynchronousTestCase):
    def test_what_is_left(self) -> None:
        """The share that stays free is of the whole disk; the folder need not be there yet."""
        asked: list[Path] = []
        base = Path(self.mktemp()).absolute()
        base.mkdir()

        def usage(path: Path) -> SimpleNamespace:
            asked.append(path)
            return SimpleNamespace(total=1000, free=60)

        reserve = Reserve(lambda: 5, usage)
        self.assertEqual(reserve.left(base / "not" / "yet"), 10)
        self.assertEqual(asked, [base])
        reserve.check(base, 10, "it")
        error = self.assertRaises(BitDustError, reserve.check, base, 11, "the pieces do not fit")
        self.assertEqual((error.code, error.details), ("disk-full", {"needed": 11, "available": 10}))
        self.assertIn(f"5 % of the disk stay free; make room, or change {SETTING}", str(error))
        self.assertEqual(Reserve(lambda: 10, usage).left(base), 0)

    def test_some_of_it_is_lent(self) -> None:
        """Who frees more soon may go into it so far, and no further than the disk goes."""
        base = Path(self.mktemp()).absolute()
        reserve = Reserve(lambda: 50, lambda path: SimpleNamespace(total=100, free=60))
        self.assertEqual(reserve.check(base, 30, "it", 20), 10)
        self.assertRaises(BitDustError, reserve.check, base, 31, "it", 20)
        self.assertEqual(reserve.check(base, 60, "it", 1000), 10)
        self.assertRaises(BitDustError, reserve.check, base, 61, "it", 1000)

    def test_the_setting(self) -> None:
        """Five percent, until somebody wants another share."""
        settings = Settings(Path(self.mktemp()))
        self.assertEqual(settings.get(SETTING), 5)
        settings.set(SETTING, "0")
        self.assertRaises(BitDustError, settings.set, SETTING, "100")


class SmallDisk(BrokenDisk):
    """One of 100 MiB."""

    def total(self, path: Path) -> int:
        return 100 * MIB


class SupplierTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp()) / "customers"
        self.folder.parent.mkdir(parents=True)
        self.disk = SmallDisk()
        self.shop = Shop(self.folder, self.disk, reserve=5)
        self.shop.open()
        self.addCleanup(self.shop.crash)
        self.shop.hire(ALICE)

    def test_a_piece_is_refused_and_later_taken(self) -> None:
        """A piece that would go into the reserve is refused with no-space and leaves nothing; with room it is taken."""
        pack = Pack(ALICE, 1, 8000)
        size = len(pack.pieces[0])
        self.disk.space = 5 * MIB + size - 1
        said = self.shop.put(ALICE, pack)
        self.assertEqual(said.code, "no-space")
        self.assertIn("nearly full", said.fields["text"])
        self.assertEqual(files(self.folder), [])
        self.assertEqual(self.shop.store.usage(ALICE.fingerprint).used, 0)
        self.disk.space += 1
        self.assertEqual(self.shop.put(ALICE, pack).command, Command.ACK)

    def test_pieces_on_their_way_count(self) -> None:
        """Two pieces that fit one by one are not both begun where only one has room."""
        one, two = Pack(ALICE, 1), Pack(ALICE, 2)
        self.disk.space = 5 * MIB + len(one.pieces[0]) + 10
        store = self.shop.store
        coming = [store.receive(self.name(pack), pack.record, pack.signed.to_bytes()) for pack in (one,)]
        error = self.assertRaises(BitDustError, store.receive, self.name(two), two.record, two.signed.to_bytes())
        self.assertEqual(error.code, "no-space")
        now(coming[0].abort())
        now(store.receive(self.name(two), two.record, two.signed.to_bytes()).abort())

    def name(self, pack: Pack):
        from bitdust.customers.names import PieceName

        return PieceName(ALICE.fingerprint, pack.id, 0)

    def test_logs_and_reading_go_on(self) -> None:
        """With a full disk a customer still gets its pieces back, writes its log and deletes; a promise is refused.
        Logs and key rings may have half of the reserve, and no more."""
        pack = Pack(ALICE, 1)
        self.shop.put(ALICE, pack)
        self.disk.space = 3 * MIB
        self.assertEqual(self.shop.get(ALICE, pack).bytes, pack.pieces[0])
        self.assertEqual(self.shop.log(ALICE, ALICE.log(1)[0]).command, Command.ACK)
        self.assertEqual(self.shop.hire(BOB).code, "no-space")
        self.disk.space = 5 * MIB // 2
        second = ALICE.log(2)[1]
        ring = ALICE.ring(1).to_bytes()
        self.assertEqual(self.shop.log(ALICE, second).code, "no-space")
        self.assertEqual(self.shop.ask(ALICE, Command.DATA, "keyring", ring).code, "no-space")
        order = ALICE.order(pack.id).to_bytes()
        freed = self.shop.ask(ALICE, Command.DELETE_FILE, None, order).fields
        self.assertEqual(freed, {"freed": len(pack.pieces[0])})


class CustomerTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.base, self.around, self.node = network(self)
        self.target = self.base / "back"
        self.space = 10**12
        self.node.settings.set(SETTING, 5)
        self.node.storage.core.reserve.usage = lambda path: SimpleNamespace(total=10**9, free=self.space)

    def refused(self, call, *arguments) -> BitDustError:
        error = self.assertRaises(BitDustError, call, *arguments)
        self.assertEqual(error.code, "disk-full", str(error))
        self.assertIn(SETTING, str(error))
        return error

    def test_an_upload_stops_and_the_next_one_works(self) -> None:
        """Where the spool would take the reserve an upload ends with disk-full; with room the next one is safe."""
        data = random_file(self.base / "file", 2 * MB)
        self.space = 51 * MB
        self.refused(self.node.upload, self.base / "file", "file")
        self.assertEqual(list((self.node.home / "spool").iterdir()), [])
        self.space = 100 * MB
        self.assertEqual(self.node.upload(self.base / "file", "file")["problems"], [])
        self.node.download("file", self.target)
        self.assertEqual((self.target / "file").read_bytes(), data)

    def test_a_download_is_refused_before_anything_moves(self) -> None:
        """A download that does not fit is refused with both numbers before a piece is asked for."""
        data = random_file(self.base / "file", 2 * MB)
        self.node.upload(self.base / "file", "file")
        self.space = 51 * MB
        before = sum(supplier.given for supplier in self.around.suppliers)
        error = self.refused(self.node.download, "file", self.target)
        self.assertIn("the download does not fit", str(error))
        self.assertEqual(sum(supplier.given for supplier in self.around.suppliers), before)
        self.space = 53 * MB
        self.node.download("file", self.target)
        self.assertEqual((self.target / "file").read_bytes(), data)

    def test_a_download_that_meets_the_reserve_on_its_way(self) -> None:
        """When others fill the disk meanwhile it ends with disk-full and leaves no growing file behind."""
        random_file(self.base / "file", 9 * MB)
        self.node.upload(self.base / "file", "file")
        free = iter([10**9, 10**9, *[50 * MB] * 100])
        self.node.storage.core.reserve.usage = lambda path: SimpleNamespace(total=10**9, free=next(free))
        self.refused(self.node.download, "file", self.target)
        self.node.pass_time(1)
        self.assertEqual(list(self.target.iterdir()), [])

    def test_full_suppliers_are_asked_again(self) -> None:
        """Pieces that suppliers refused for want of space are brought to them when they have room, by themselves."""
        for supplier in self.around.suppliers:
            supplier.mode = "full"
        random_file(self.base / "file", MB)
        task = self.node.begin_upload(self.base / "file", "file")
        self.node.pass_time(5)
        self.assertFalse(task.completion.called)
        for supplier in self.around.suppliers:
            supplier.mode = "fine"
        done: Deferred = task.completion
        self.assertEqual(self.node.wait(done, 120)["problems"], [])
        self.assertEqual([supplier.pieces() for supplier in self.around.suppliers], [1, 1, 1, 1])
