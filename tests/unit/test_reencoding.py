"""Packs of a family of another size move to the present one; every file comes back at every moment, byte for byte."""

from itertools import combinations
from pathlib import Path

from twisted.internet.defer import Deferred, fail, succeed
from twisted.trial.unittest import SynchronousTestCase

from bitdust.crypt.keyring import MASTER, RingKey
from bitdust.storage.catalog.database import PackState
from bitdust.storage.keeping import reencode as reencode_module
from bitdust.storage.keeping import reencode_rows
from bitdust.storage.keeping.moving_pace import MOVING_LIMIT
from bitdust.storage.keeping.reencode_rows import find_packs
from bitdust.wire.errors import BitDustError
from bitdust.wire.records import Family, Scheme
from tests.unit.storage_kit import Neighbours, Node, random_file, stop_quietly
from tests.unit.supplier_kit import START


class Street(Neighbours):
    """Neighbours of whom only the first ``n`` are the family now; the others are beyond it."""

    def __init__(self, folder: Path, houses: int, n: int) -> None:
        super().__init__(folder, houses)
        self.n = n
        self.former: int | None = None
        self.revision = 1

    def family(self, customer: bytes) -> Family:
        seats = [one.fingerprint for one in self.suppliers]
        return Family(
            customer, self.revision, Scheme.for_family(self.n).k, self.n, START, seats[: self.n],
            beyond=seats[self.n :] or None, former=self.former,
        )  # fmt: skip


class ReencodingCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.base = Path(self.mktemp())
        self.around = Street(self.base, 7, 2)
        self.addCleanup(self.around.close)
        self.node = Node(self.base / "home", self.around)
        self.node.hire()
        self.node.start()
        self.addCleanup(lambda: stop_quietly(self.node))
        self.data: dict[str, bytes] = {}

    def upload(self, *names: str, size: int = 300_000) -> None:
        for name in names:
            self.data[name] = random_file(self.base / name, size)
            self.node.upload(self.base / name, name)

    def resize(self, n: int) -> None:
        self.around.former, self.around.n = self.around.n, n
        self.around.revision += 1
        self.node.storage.core.suppliers_changed()

    def schemes(self) -> set[int]:
        """Numbers of suppliers for which living packs are coded."""
        rows = self.node.storage.core.catalog.read.execute("SELECT n FROM packs WHERE state=?", (PackState.HELD,))
        return {n for (n,) in rows}

    def until_moved(self, n: int, seconds: float = 200.0) -> None:
        end = self.node.clock.seconds() + seconds
        core = self.node.storage.core
        while self.schemes() != {n} or core.reencoder.is_moving:
            self.assertLess(self.node.clock.seconds(), end, (self.schemes(), core.reencoder.reason))
            self.node.pass_time(1.0)

    def restored(self, *names: str) -> None:
        for name in names or tuple(self.data):
            target = self.base / f"back-{self.node.clock.seconds()}"
            self.node.download(name, target)
            self.assertEqual((target / name).read_bytes(), self.data[name])

    def with_only(self, *there: int) -> None:
        """Everything comes back while all other suppliers are away."""
        before = [one.mode for one in self.around.suppliers]
        for number, one in enumerate(self.around.suppliers):
            one.mode = one.mode if number in there else "away"
        self.restored()
        for one, mode in zip(self.around.suppliers, before, strict=True):
            one.mode = mode

    def moving(self) -> list[dict | None]:
        """What the list of files says of each."""
        return [row["versions"][-1]["moving"] for row in self.node.rows()]

    def progress(self) -> list[dict]:
        return self.node.events_of("reencoding-progress")


class StepsTests(ReencodingCase):
    def test_two_four_seven_two(self) -> None:
        """After each step any k of the suppliers give every file back, and nobody keeps pieces of the former packs."""
        self.upload("a", "b", size=200_000)
        self.upload("small", size=500)
        for n in (4, 7, 2):
            self.resize(n)
            self.until_moved(n)
            self.node.pass_time(60)
            k = Scheme.for_family(n).k
            for there in [*combinations(range(n), k)][:: 1 + n]:
                self.with_only(*there)
            packs = len(self.node.storage.core.catalog.read.execute("SELECT 1 FROM packs WHERE state=1").fetchall())
            held = [one.pieces() for one in self.around.suppliers]
            self.assertEqual(held, [packs] * n + [0] * (7 - n), n)
        self.assertEqual(self.node.events_of("reencoding-finished")[-1]["suppliers"], 2)
        self.assertEqual(self.progress()[-1]["left"], 0)

    def test_another_step_before_the_former_one_is_over(self) -> None:
        """The number changes in the middle, and back again: packs of three schemes come to one."""
        self.upload("a", "b", "c")
        self.around.suppliers[3].mode = "full"
        self.resize(4)
        self.node.pass_time(20)
        self.assertEqual(self.schemes(), {2, 4})
        self.with_only(0)
        self.resize(7)
        self.node.pass_time(20)
        self.with_only(1)
        self.around.suppliers[3].mode = "fine"
        self.resize(2)
        self.until_moved(2)
        self.node.pass_time(60)
        self.with_only(0)
        self.with_only(1)
        self.assertEqual([one.pieces() for one in self.around.suppliers], [3, 3, 0, 0, 0, 0, 0])

    def test_the_file_of_before_is_there_until_the_new_one_is(self) -> None:
        """While one new supplier takes nothing the former pieces stay; when it takes, they go."""
        self.upload("a")
        self.around.suppliers[2].mode = "frozen"
        self.resize(4)
        self.node.pass_time(300)
        core = self.node.storage.core
        self.assertEqual(core.reencoder.waits_for(), [self.around.suppliers[2].fingerprint])
        told = self.node.storage.reencoding()
        self.assertEqual((told["left"], told["now"], len(told["waits_for"])), (1, 1, 1))
        moving = {"packs": 1, "pieces": 0, "nowhere": 0, "progress": "0%"}
        self.assertEqual((self.node.info("a")["versions"][0]["moving"], self.moving()), (moving, [moving]))
        self.with_only(0)
        self.with_only(1)
        self.around.suppliers[2].mode = "fine"
        self.until_moved(4)
        self.assertEqual(self.moving(), [None])
        self.with_only(2, 3)

    def test_what_is_built_on_a_pack_meanwhile(self) -> None:
        """A file that is deduplicated with a pack on its way, before and after it has moved, comes back."""
        self.upload("a")
        self.around.suppliers[3].mode = "full"
        self.resize(4)
        self.node.pass_time(20)
        for name in ("copy", "later"):
            self.data[name] = self.data["a"]
            (self.base / name).write_bytes(self.data["a"])
            self.node.upload(self.base / name, name)
            self.around.suppliers[3].mode = "fine"
            self.until_moved(4)
        self.node.delete("a")
        del self.data["a"]
        self.node.pass_time(60)
        self.with_only(2, 3)

    def test_a_download_that_is_overtaken(self) -> None:
        """A download that asked for a pack which has moved and gone meanwhile goes on with the new one."""
        self.upload("a")
        sources = self.node.storage.core.pack_sources
        pack = bytes(self.node.storage.core.catalog.read.execute("SELECT pack FROM packs").fetchone()[0])
        outdated = [self.node.wait(sources.of(pack))]
        self.resize(4)
        self.until_moved(4)
        self.node.pass_time(60)
        now = sources.of
        self.patch(sources, "of", lambda pack: succeed(outdated.pop()) if outdated else now(pack))
        self.restored()
        self.assertEqual(outdated, [])

    def test_a_verification_that_is_overtaken(self) -> None:
        """A pack that has moved and gone while it is verified in full is not lost: the new one is opened."""
        self.upload("a")
        sources = self.node.storage.core.pack_sources
        pack = bytes(self.node.storage.core.catalog.read.execute("SELECT pack FROM packs").fetchone()[0])
        outdated = [self.node.wait(sources.of(pack))] * 2
        self.resize(4)
        self.until_moved(4)
        self.node.pass_time(60)
        now = sources.of
        self.patch(sources, "of", lambda pack: succeed(outdated.pop()) if outdated else now(pack))
        storage = self.node.storage
        found = self.node.wait(storage.core.verifications.start(storage.find("a"), True).completion, 200)
        self.assertEqual((found["verified"], found["problems"], outdated), (True, [], []))

    def test_a_key_whose_secrets_are_all_retired(self) -> None:
        """What was stored under it moves too, and the entry that says so is sealed under a new secret."""
        ring = self.node.me.key_ring
        ring.add(RingKey("wedding"))
        shared = f"wedding${self.node.me.document.global_id}:b"
        self.upload("a", shared)
        ring.keys["wedding"] = ring.get("wedding").all_retired()
        self.resize(4)
        self.until_moved(4)
        self.assertEqual(len(ring.get("wedding").usable), 1)
        data = self.data.pop(shared)
        self.with_only(2, 3)
        self.node.download(shared, self.base / "back")
        self.assertEqual((self.base / "back" / "b").read_bytes(), data)

    def test_a_file_that_is_deleted_meanwhile(self) -> None:
        """Its pack moves nowhere any more, and nobody keeps pieces of the old or of the new one."""
        self.upload("a", "b")
        self.around.suppliers[3].mode = "full"
        self.resize(4)
        self.node.pass_time(20)
        self.node.delete("a")
        del self.data["a"]
        self.node.pass_time(30)
        self.around.suppliers[3].mode = "fine"
        self.until_moved(4)
        self.node.pass_time(90)
        self.assertEqual([one.pieces() for one in self.around.suppliers], [1, 1, 1, 1, 0, 0, 0])
        self.with_only(1, 2)


class CrashTests(ReencodingCase):
    def again(self) -> None:
        self.node = Node(self.node.home, self.around, self.node.clock)
        self.node.start()

    def test_killed_after_every_packet(self) -> None:
        """A node that is killed after any number of packets goes on, and every file is there at every start."""
        self.upload("a", "b", size=150_000)
        self.resize(4)
        for packets in range(0, 36, 5):
            self.node.sent, self.node.cut_after = 0, packets
            self.node.pass_time(15)
            self.node.kill()
            self.again()
            self.restored()
        self.until_moved(4)
        self.node.pass_time(60)
        self.with_only(2, 3)
        self.assertEqual([one.pieces() for one in self.around.suppliers], [2, 2, 2, 2, 0, 0, 0])

    def test_pieces_that_a_crash_has_taken(self) -> None:
        """New pieces whose files are gone at the next start are not missed: the pack is made again from the old one."""
        self.upload("a")
        for one in self.around.suppliers[1:4]:
            one.mode = "full"
        self.resize(4)
        self.node.pass_time(20)
        spool = self.node.storage.core.spool
        self.node.kill()
        for pack, index in spool.names():
            spool.remove(pack, index)
        for one in self.around.suppliers:
            one.mode = "fine"
        self.again()
        self.until_moved(4)
        self.with_only(1, 3)

    def test_a_recovery_in_the_middle(self) -> None:
        """With home and catalog gone, another device finds packs of both schemes, and goes on after a day alone."""
        self.upload("a", "b")
        self.patch(reencode_module, "MOST_MOVING", 1)
        self.node.settings.set(MOVING_LIMIT, 2000)
        self.resize(4)
        while self.schemes() != {2, 4} or len(self.progress()) < 2:
            self.node.pass_time(5)
        self.node.kill()
        again = Node(self.base / "again", self.around, self.node.clock, before=self.node)
        self.node = again
        again.start()
        again.pass_time(30)
        self.assertEqual(again.storage.core.log_replicas.recovered, True)
        self.restored()

    def test_packs_of_before_that_come_late(self) -> None:
        """Another device had stored some for the former number, and tells of them when the change is over: they move
        as well, without a restart."""
        self.upload("a")
        self.resize(4)
        self.until_moved(4)
        self.around.former = None
        self.node.storage.core.suppliers_changed()
        self.node.pass_time(200)
        other = Node(self.base / "other", self.around, self.node.clock, before=self.node)
        self.addCleanup(stop_quietly, other)
        self.around.n = 2
        other.start()
        other.pass_time(10)
        self.data["late"] = random_file(self.base / "late", 300_000)
        other.upload(self.base / "late", "late")
        other.pass_time(10)
        other.stop()
        self.around.n = 4
        self.node.me.replace_document(other.me.document)
        self.node.storage.core.log_replicas.pull_again()
        self.node.pass_time(10)
        self.assertIn("late", [row["path"] for row in self.node.rows()])
        self.until_moved(4)
        self.with_only(2, 3)


class PaceTests(ReencodingCase):
    def test_the_limit(self) -> None:
        """Moves take as long as the setting says, and a changed setting counts at once."""
        self.upload("a", "b", "c", size=400_000)
        self.node.settings.set(MOVING_LIMIT, 20_000)
        self.resize(4)
        self.node.pass_time(50)
        self.assertEqual(self.schemes(), {2, 4})
        moved = self.node.storage.core.pace.moved
        self.assertLess(moved, 20_000 * 50 + 1_300_000)
        self.node.settings.set(MOVING_LIMIT, 0)
        self.until_moved(4, 60)

    def test_a_supplier_without_a_disk_is_mended_at_the_same_pace(self) -> None:
        """Rebuilding counts as well: two packs of one supplier take twice as long as the limit says of one."""
        self.upload("a", "b", size=200_000)
        core, poor = self.node.storage.core, self.around.suppliers[1]
        poor.shop.store._commits.change(lambda database: database.execute("DELETE FROM pieces"))
        self.node.settings.set(MOVING_LIMIT, 20_000)
        self.node.storage.sync()
        self.node.pass_time(10)
        listed = lambda: len(poor.shop.store.listing(self.node.me.fingerprint, b"", 100).pieces)  # noqa: E731
        self.assertEqual((core.rebuilder.rebuilt, listed()), (1, 1))
        self.node.pass_time(20)
        self.assertEqual((core.rebuilder.rebuilt, listed()), (2, 2))

    def test_real_work_goes_first(self) -> None:
        """While a file comes down packs move slowly."""
        self.upload("a", "b", "c")
        core = self.node.storage.core
        self.patch(core.__class__, "is_busy", lambda core: True)
        self.patch(reencode_module, "MOST_MOVING", 1)
        self.resize(4)
        self.node.pass_time(25)
        self.assertEqual(core.reencoder.moved_packs, 1)
        self.node.pass_time(30)
        self.assertEqual(core.reencoder.moved_packs, 2)

    def test_the_weakest_first(self) -> None:
        """A pack that has lost a piece moves before one that has all of them."""
        self.upload("a", "b", "c")
        database = self.node.storage.core.catalog
        weak = database.read.execute("SELECT max(pack) FROM packs WHERE state=1").fetchone()[0]
        database.change(lambda rows: rows.execute("UPDATE packs SET acked=1 WHERE pack=?", (weak,)))
        found = find_packs(database.read, 4)
        self.assertEqual((found.packs[0], found.left.packs), (weak, 3))

    def test_hopeless_packs_stop_nobody(self) -> None:
        """More packs that cannot be had than one look finds, and the weakest of all: the one behind them moves."""
        self.upload("a", "b", "c")
        core = self.node.storage.core
        *hopeless, last = find_packs(core.catalog.read, 4).packs
        enough = core.fetcher.enough

        def one_only(source, places=None):
            if source.record.pack in hopeless:
                return fail(BitDustError("not-enough-pieces", "nobody has it"))
            return Deferred.fromCoroutine(enough(source, places))

        self.patch(core.fetcher, "enough", one_only)
        self.patch(reencode_rows, "AT_A_TIME", len(hopeless))
        self.resize(4)
        self.node.pass_time(50)
        living = "SELECT count(*) FROM packs WHERE pack=? AND state=?"
        self.assertEqual(core.catalog.read.execute(living, (last, PackState.HELD)).fetchone(), (0,))
        self.patch(core.fetcher, "enough", enough)
        self.until_moved(4)

    def test_who_is_away_holds_up_few(self) -> None:
        """While a supplier is away its new pieces wait here, of more packs than are sent at once, not of all."""
        self.upload("a", "b", "c", "d", size=100_000)
        self.patch(reencode_module, "MOST_MOVING", 1)
        self.patch(reencode_module, "MOST_HALF_WAY", 3)
        self.around.suppliers[3].mode = "away"
        self.resize(4)
        self.node.pass_time(60)
        self.assertEqual([one.pieces() for one in self.around.suppliers[2:]], [3, 0, 0, 0, 0])
        self.around.suppliers[3].mode = "fine"
        self.node.storage.core.suppliers_changed()
        self.until_moved(4)
        self.with_only(2, 3)

    def test_suppliers_that_come_back_are_asked_at_once(self) -> None:
        """Packs that nobody could give, because nobody was connected, move within seconds after somebody is."""
        self.upload("a", "b")
        for one in self.around.suppliers:
            one.mode = "away"
        self.resize(4)
        self.node.pass_time(20)
        self.assertEqual(self.schemes(), {2})
        for one in self.around.suppliers:
            one.mode = "fine"
        self.node.storage.core.suppliers_changed()
        self.until_moved(4, 10)

    def test_closed_amid_a_look(self) -> None:
        """What was asked of the disk when all closes is cut off, and that is no error."""
        asked: list[Deferred] = []
        reencoder = self.node.storage.core.reencoder
        self.patch(reencoder, "_run_in_thread", lambda *call: (asked.append(Deferred()), asked[-1])[1])
        self.resize(4)
        reencoder.stop()
        self.assertEqual(len(asked), 1)
        asked[0].cancel()

    def test_nothing_to_do(self) -> None:
        """While everything has moved and old pieces stay for another device's sake, looks become rare."""
        looks: list[float] = []
        found = reencode_module.find_packs

        def counted(*arguments):
            looks.append(self.node.clock.seconds())
            return found(*arguments)

        self.patch(reencode_module, "find_packs", counted)
        self.upload("a")
        self.resize(4)
        self.until_moved(4)
        self.node.pass_time(130)
        looks.clear()
        self.node.pass_time(600, 5)
        self.assertTrue(0 < len(looks) <= 11, looks)
        self.node.storage.core.suppliers_changed()
        self.node.pass_time(5)
        self.assertTrue(looks[-1] - looks[-2] < 5, looks)

    def test_another_device_goes_on_to_the_end(self) -> None:
        """A device that has taken the work over does not wait for the other one again because of what it has moved."""
        self.upload(*(str(number) for number in range(2 * reencode_module.MOST_MOVING + 1)))
        self.patch(reencode_module, "TAKE_OVER", 60.0)
        self.patch(Node, "is_family_mine", lambda node: False)
        self.resize(4)
        self.node.pass_time(55)
        self.assertEqual(self.schemes(), {2})
        self.node.pass_time(45)
        self.assertEqual((self.schemes(), self.node.storage.reencoding()["left"]), ({4}, 0))

    def test_another_device_goes_on_while_files_are_deleted(self) -> None:
        """What a person deletes meanwhile was moved by nobody."""
        self.upload(*(str(number) for number in range(6)))
        self.patch(reencode_module, "TAKE_OVER", 60.0)
        self.patch(Node, "is_family_mine", lambda node: False)
        self.resize(4)
        for number in range(2):
            self.node.pass_time(25)
            self.node.delete(str(number))
        self.node.pass_time(50)
        self.assertEqual((self.schemes(), self.node.storage.reencoding()["left"]), ({4}, 0))

    def test_another_device_waits(self) -> None:
        """A device that has not changed the family leaves the work to the one that has, until that rests for long."""
        self.upload("a", "b")
        self.patch(reencode_module, "TAKE_OVER", 60.0)
        self.patch(Node, "is_family_mine", lambda node: False)
        self.resize(4)
        self.node.pass_time(50)
        moved = "INSERT INTO moves VALUES(x'01', x'02', ?, 1, x'03', 1)"
        self.successResultOf(
            self.node.storage.core.catalog.change(lambda database: database.execute(moved, (MASTER,)))
        )
        self.node.pass_time(50)
        self.assertEqual((self.schemes(), self.node.storage.reencoding()["left"]), ({2}, 2))
        self.node.pass_time(20)
        self.until_moved(4)
