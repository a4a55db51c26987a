"""Missing pieces are made again as fast as suppliers take them; what cannot be mended holds up nothing else."""

from types import SimpleNamespace

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from bitdust.storage.keeping import rebuild as rebuild_module
from bitdust.storage.keeping.rebuild import Rebuilder
from bitdust.storage.pieces.queue import LONGEST_PAUSE
from bitdust.wire.records import Family, PieceRef
from tests.unit.storage_kit import Supplier, network, random_file

SIZE = 200_000


def leaving(family: Family, who: bytes) -> Family:
    """The same family, in which place 1 was this one's before."""
    return evolve(family, suppliers=family.suppliers[:4], leaving=[None, who, None, None])


class RebuildTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.base, self.around, self.node = network(self)
        self.data: dict[str, bytes] = {}

    def upload(self, *names: str) -> None:
        """Each file in a pack of its own."""
        for name in names:
            self.data[name] = random_file(self.base / name, SIZE)
            self.node.upload(self.base / name, name)
            self.node.pass_time(2)

    def packs(self, supplier: Supplier) -> list[bytes]:
        """In the order in which they came."""
        rows = supplier.shop.store._read.execute("SELECT pack FROM pieces ORDER BY rowid").fetchall()
        return [bytes(pack) for (pack,) in rows]

    def lose(self, supplier: Supplier, packs: list[bytes]) -> None:
        """The supplier has lost these pieces, and does not know it."""
        rows = [(pack,) for pack in packs]
        supplier.shop.store._commits.change(
            lambda database: database.executemany("DELETE FROM pieces WHERE pack=?", rows)
        )

    def listed(self, supplier: Supplier) -> int:
        return len(supplier.shop.store.listing(self.node.me.fingerprint, b"", 100).pieces)

    def round(self, seconds: float = 20) -> None:
        self.node.storage.sync()
        self.node.pass_time(seconds)

    def restored(self, name: str) -> None:
        self.node.download(name, self.base / "back")
        self.assertEqual((self.base / "back" / name).read_bytes(), self.data[name])

    def test_in_parts(self) -> None:
        """Many packs are mended a few at a time, while the supplier takes what was made before."""
        self.patch(rebuild_module, "AT_A_TIME", 2)
        self.patch(rebuild_module, "MOST_WAITING", 1)
        self.upload("a", "b", "c", "d", "e")
        poor = self.around.suppliers[3]
        self.lose(poor, self.packs(poor))
        self.round(60)
        self.assertEqual((self.listed(poor), self.node.pieces()["missing"]), (5, 0))
        for supplier in self.around.suppliers[:2]:
            supplier.mode = "away"
        self.node.storage.core.suppliers_changed()
        self.restored("e")

    def test_supplier_that_takes_nothing(self) -> None:
        """While the supplier takes nothing few pieces are made, and the round goes on; when it takes, all is mended."""
        self.patch(rebuild_module, "AT_A_TIME", 2)
        self.patch(rebuild_module, "MOST_WAITING", 1)
        self.upload("a", "b", "c", "d", "e")
        poor = self.around.suppliers[3]
        self.lose(poor, self.packs(poor))
        poor.mode = "full"
        self.round(120)
        queues = self.node.storage.core.queues
        self.assertGreater(queues.refusing_for(poor.fingerprint), 60)
        self.assertEqual(self.node.storage.core.monitor.machine.state, "READY")
        figures = self.node.pieces()
        self.assertEqual((figures["waiting"], figures["missing"]), (1, 4))
        poor.mode = "fine"
        self.node.pass_time(LONGEST_PAUSE + 20)
        self.assertEqual((self.listed(poor), queues.refusing_for(poor.fingerprint)), (5, 0))

    def test_a_supplier_that_takes_nothing_holds_up_no_other(self) -> None:
        """Pieces that wait here for one supplier, however many, do not keep another one from getting what it lost."""
        self.patch(rebuild_module, "MOST_WAITING", 1)
        self.upload("a", "b", "c")
        full, poor = self.around.suppliers[2:]
        lost = self.packs(full)
        self.lose(full, lost)
        self.lose(poor, lost)
        full.mode = "full"
        self.round(20)
        self.assertEqual((self.listed(full), self.listed(poor)), (0, 3))
        full.mode = "fine"
        self.node.pass_time(LONGEST_PAUSE + 20)
        self.assertEqual((self.listed(full), self.node.pieces()["missing"]), (3, 0))

    def test_uploads_to_who_is_away_hold_up_no_other(self) -> None:
        """Nor do those that uploads left here for a supplier that is away."""
        self.patch(rebuild_module, "MOST_WAITING", 2)
        away, poor = self.around.suppliers[2:]
        away.mode = "away"
        self.node.storage.core.suppliers_changed()
        self.upload("a", "b", "c")
        self.lose(poor, self.packs(poor))
        self.round(20)
        self.assertEqual(self.listed(poor), 3)

    def test_a_former_supplier_that_says_nothing(self) -> None:
        """Its pieces are made from others; it is asked for the first alone, not a minute and a half for each."""
        self.upload("a", "b", "c", "d")
        old, new = self.around.suppliers[1], Supplier(self.base / "new" / "customers", 9)
        self.addCleanup(new.shop.close)
        self.around.suppliers[1] = new
        new.shop.hire(self.node.person())
        family = self.around.family
        self.around.suppliers.append(old)
        self.patch(self.around, "family", lambda who: leaving(family(who), old.fingerprint))
        old.mode = "mute"
        self.node.storage.core.suppliers_changed()
        self.node.pass_time(120)
        self.assertEqual(self.listed(new), 4)

    def test_pack_beyond_help(self) -> None:
        """A pack of which too few pieces are left is reported, and the others are mended."""
        self.upload("lost", "kept")
        lost, kept = self.packs(self.around.suppliers[0])
        for supplier in self.around.suppliers[1:]:
            self.lose(supplier, [lost])
        self.lose(self.around.suppliers[1], [kept])
        self.round(60)
        self.assertEqual([self.listed(supplier) for supplier in self.around.suppliers], [2, 1, 1, 1])
        self.restored("kept")
        self.assertEqual(self.node.info("lost")["versions"][0]["reliable"], "25%")
        self.assertEqual(self.node.storage.core.rebuilder.stuck, {lost})
        self.assertEqual(self.told(), [{"packs": 1, "remote_paths": [self.path_of("lost")]}])

    def told(self) -> list[dict]:
        return [data for name, data in self.node.events if name == "rebuilding-stuck"]

    def path_of(self, name: str) -> str:
        return str(self.node.info(name)["remote_path"])

    def test_more_packs_are_beyond_help_than_are_read_at_once(self) -> None:
        """However many packs cannot be mended, those behind them are."""
        self.patch(rebuild_module, "AT_A_TIME", 2)
        names = [f"lost{number}" for number in range(5)]
        self.upload(*names, "kept")
        *lost, kept = self.packs(self.around.suppliers[0])
        for supplier in self.around.suppliers[1:]:
            self.lose(supplier, lost)
        self.lose(self.around.suppliers[1], [kept])
        self.round(60)
        self.restored("kept")
        self.assertEqual([self.listed(supplier) for supplier in self.around.suppliers], [6, 1, 1, 1])
        self.assertEqual(self.told()[-1], {"packs": 5, "remote_paths": [self.path_of(name) for name in names]})

    def test_beyond_help_no_more(self) -> None:
        """When those come back who have the pieces, the pack is mended, and nothing is beyond help any more."""
        self.upload("a")
        pack = self.packs(self.around.suppliers[0])
        for supplier in self.around.suppliers[1:3]:
            supplier.mode = "away"
        self.lose(self.around.suppliers[3], pack)
        self.node.storage.core.suppliers_changed()
        self.round()
        self.assertEqual(self.node.storage.core.rebuilder.stuck, set(pack))
        for supplier in self.around.suppliers[1:3]:
            supplier.mode = "fine"
        self.node.storage.core.suppliers_changed()
        self.node.pass_time(20)
        self.assertEqual(self.node.storage.core.rebuilder.stuck, set())
        self.assertEqual([data["packs"] for data in self.told()], [1, 0])
        self.assertEqual(self.listed(self.around.suppliers[3]), 1)

    def test_the_weakest_first(self) -> None:
        """Of packs that lack pieces those are mended first that can lose the fewest more."""
        self.upload("strong", "weak", "weaker")
        strong, weak, weaker = self.packs(self.around.suppliers[3])
        self.lose(self.around.suppliers[3], [strong, weak, weaker])
        self.lose(self.around.suppliers[2], [weak, weaker])
        mended: list[bytes] = []
        mend = Rebuilder._mend

        def noted(rebuilder: Rebuilder, pack: bytes, *rest: object):
            mended.append(pack)
            return mend(rebuilder, pack, *rest)

        self.patch(Rebuilder, "_mend", noted)
        self.round()
        self.assertEqual((set(mended[:2]), mended[2:]), ({weak, weaker}, [strong]))

    def test_who_comes_cuts_it_short(self) -> None:
        """A supplier that comes while packs are rebuilt is asked what it holds as soon as one pack is done."""
        self.patch(rebuild_module, "MOST_WAITING", 1)
        self.upload("a", "b", "c")
        poor, back = self.around.suppliers[2:]
        self.lose(poor, self.packs(poor))
        self.lose(back, self.packs(back)[:1])
        back.mode = "away"
        poor.mode = "full"
        self.node.storage.core.suppliers_changed()
        self.node.storage.sync()
        self.node.pass_time(0.3)
        self.assertEqual(self.node.storage.core.monitor.machine.state, "REBUILDING")
        back.mode = poor.mode = "fine"
        self.node.storage.core.suppliers_changed()
        self.node.pass_time(12)
        self.assertEqual([self.listed(poor), self.listed(back)], [3, 3])

    def test_damage_after_the_last_look(self) -> None:
        """What is found to be bad when the rebuilding has looked for the last time is made again all the same."""
        self.upload("a")
        core, poor, look = self.node.storage.core, self.around.suppliers[3], Rebuilder._broken
        lost = self.packs(poor)
        self.node.pass_time(20)
        self.assertEqual(core.monitor.machine.state, "READY")
        self.lose(poor, lost)
        looked: list[list] = []

        async def last_look(rebuilder: Rebuilder, *rest: object) -> list:
            looked.append(await look(rebuilder, *rest))
            if len(looked) == 1:
                await core.bad_pieces.note_all(poor.fingerprint, [PieceRef(pack, 3) for pack in lost])
            return looked[-1]

        self.patch(Rebuilder, "_broken", last_look)
        core.monitor.damaged()
        self.node.pass_time(5)
        self.assertEqual((looked[0], self.listed(poor), self.node.pieces()["missing"]), ([], 1, 0))

    def test_begun_again_in_the_middle(self) -> None:
        """A round that is begun again, or stopped, while a pack is fetched ends the former one: no pack is to blame."""
        self.upload("a", "b", "c")
        poor, *others = self.around.suppliers
        self.lose(poor, self.packs(poor))
        for supplier in others:
            supplier.mode = "mute"
        self.round(1)
        rebuilder = self.node.storage.core.rebuilder
        self.assertEqual(self.node.storage.core.monitor.machine.state, "REBUILDING")
        self.round(1)
        self.assertEqual(rebuilder._left_out, set())
        for supplier in others:
            supplier.mode = "fine"
        self.round(60)
        self.assertEqual((self.listed(poor), rebuilder.rebuilt), (3, 3))

    def test_disk_without_room(self) -> None:
        """Without room on this disk nothing is made; once there is room, everything is."""
        self.upload("a", "b")
        poor = self.around.suppliers[2]
        self.lose(poor, self.packs(poor))
        reserve = self.node.storage.core.reserve
        usage, reserve.usage = reserve.usage, lambda path: SimpleNamespace(total=100, free=0)
        self.round()
        self.assertEqual(self.listed(poor), 0)
        reserve.usage = usage
        self.round()
        self.assertEqual(self.listed(poor), 2)

    def test_supplier_that_is_away(self) -> None:
        """What an absent supplier has lost is made again when it is back."""
        self.upload("a")
        poor = self.around.suppliers[1]
        self.lose(poor, self.packs(poor))
        poor.mode = "away"
        self.round()
        poor.mode = "fine"
        self.node.storage.core.suppliers_changed()
        self.round()
        self.assertEqual(self.listed(poor), 1)
