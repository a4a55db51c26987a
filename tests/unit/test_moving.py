"""When a place has moved: its new supplier has all that can be had, and what only the former one has is kept."""

from pathlib import Path

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from bitdust.storage.catalog import figures
from bitdust.storage.catalog.database import PackState, PieceState, open_catalog
from bitdust.storage.catalog.figures import holds_what_lacks, is_complete_at
from bitdust.storage.catalog.row_facts import Facts, FolderFigures
from bitdust.storage.catalog.rows import Rows
from tests.unit.storage_kit import network, random_file

NEW, OLD, A, B, C, GONE = (bytes([number]) * 32 for number in range(6))
PLACE = 1


class MovingTests(SynchronousTestCase):
    """Packs of four pieces, of which two are enough; place 1 goes from OLD to NEW, A, B and C have the others."""

    def setUp(self) -> None:
        self.database = open_catalog(Path(self.mktemp()).absolute() / "catalog.db")
        self.addCleanup(self.database.close)
        self.packs = 0

    def pack(self, *keepers: bytes | PieceState | None) -> None:
        """Who keeps its pieces; or their state; None where nothing is known."""
        self.packs += 1
        name = bytes([self.packs]) * 20
        self.database.execute(
            "INSERT INTO packs VALUES(?, 'master', 1, 4, x'', x'', x'', ?, 0, 4, 1, 0)", (name, PackState.HELD)
        )
        for number, keeper in enumerate(keepers):
            if keeper is not None:
                kept = isinstance(keeper, bytes)
                values = (name, number, PieceState.KEPT if kept else keeper, keeper if kept else None)
                self.database.execute("INSERT INTO pieces VALUES(?, ?, 1, ?, ?, NULL)", values)

    def moved(self, *online: bytes) -> tuple[bool, bool]:
        """Whether all has moved that can, and whether OLD is needed still, while those who leave are online."""
        return (
            is_complete_at(self.database, PLACE, NEW, [A, B, C, NEW, *online]),
            holds_what_lacks(self.database, NEW, OLD),
        )

    def test_everything(self) -> None:
        """Pieces are copied from OLD, or made from others: until that is done it has not moved."""
        self.pack(A, NEW, B, C)
        self.assertEqual(self.moved(), (True, False))
        self.pack(A, OLD, B, C)
        self.assertEqual(self.moved(), (False, True))
        self.pack(A, PieceState.WAITING, B, C)
        self.assertEqual(self.moved(OLD), (False, True))

    def test_what_nobody_has(self) -> None:
        """A pack of which too few pieces are left keeps nothing from its end, and nobody."""
        self.pack(A, NEW, B, C)
        self.pack(A, PieceState.MISSING, PieceState.MISSING, PieceState.MISSING)
        self.assertEqual(self.moved(), (True, False))

    def test_what_only_the_former_has(self) -> None:
        """While OLD is away its piece cannot move, and OLD is needed; when it comes, the piece moves."""
        self.pack(A, OLD, PieceState.MISSING, PieceState.MISSING)
        self.assertEqual(self.moved(), (True, True))
        self.assertEqual(self.moved(OLD), (False, True))

    def test_what_is_on_its_way(self) -> None:
        """A piece that waits here for NEW has not moved yet, however few others there are."""
        self.pack(A, PieceState.WAITING, PieceState.MISSING, PieceState.MISSING)
        self.assertEqual(self.moved(), (False, False))

    def test_what_is_not_known(self) -> None:
        """Nothing known of a piece means that its supplier may have it: suppliers that are away are waited for."""
        self.pack(None, PieceState.MISSING, None, PieceState.MISSING)
        self.assertEqual(self.moved(), (False, False))

    def test_a_catalog_that_has_not_changed_is_not_read_again(self) -> None:
        """Whoever asks every few seconds costs nothing while nothing moves; what has changed is looked at at once."""
        base, around, node = network(self)
        looked: list[int] = []

        def complete(database, position, supplier, sources=None):
            looked.append(position)
            return is_complete_at(database, position, supplier, sources)

        self.patch(figures, "is_complete_at", complete)
        random_file(base / "file", 1000)
        node.upload(base / "file", "file")
        node.pass_time(5)
        who = around.suppliers[1].fingerprint
        self.assertEqual([node.storage.placement.has_moved(1, who) for _ in range(3)], [True] * 3)
        self.assertEqual(looked, [1])
        lost = "UPDATE pieces SET state=?, supplier=NULL WHERE number=1"
        node.wait(node.storage.core.catalog.change(lambda rows: rows.execute(lost, (PieceState.MISSING,))))
        self.assertFalse(node.storage.placement.has_moved(1, who))
        self.assertEqual(looked, [1, 1])

    def test_a_supplier_that_left_for_good(self) -> None:
        """A piece of somebody who is no supplier any more is nobody's."""
        self.pack(A, PieceState.MISSING, GONE, PieceState.MISSING)
        self.assertEqual(self.moved(), (True, False))

    def test_a_piece_of_another_place(self) -> None:
        """Whoever leaves is needed as long as it has what belongs elsewhere, too: it had that place in another life."""
        self.pack(A, NEW, OLD, B)
        self.assertEqual(self.moved(), (True, True))

    def test_how_far_a_file_has_come(self) -> None:
        """While a supplier leaves, rows of files and folders say how many of its pieces are still with it."""
        base, around, node = network(self)
        node.create("folder", folder=True)
        for name in ("a", "b"):
            random_file(base / name, 100_000)
            node.upload(base / name, f"folder/{name}")
            node.pass_time(2)
        moving = lambda: [row["versions"][-1]["moving"] for row in node.rows() if row["versions"]]  # noqa: E731
        self.assertEqual(set(moving()), {None})
        family = node.family()
        seats, old = list(family.suppliers), family.suppliers[PLACE]
        after = evolve(family, suppliers=[seats[0], NEW, *seats[2:]], leaving=[None, old, None, None])
        self.patch(around, "family", lambda customer: after)
        file = {"packs": 0, "pieces": 1, "nowhere": 0, "progress": "0%"}
        self.assertEqual(moving(), [file, file])
        catalog = node.storage.core.catalog
        first = "(SELECT min(pack) FROM packs)"
        change = f"UPDATE pieces SET supplier=? WHERE number={PLACE} AND pack={first}"
        node.wait(catalog.change(lambda database: database.execute(change, (NEW,))))
        self.assertCountEqual(moving(), [file, None])
        folder = Rows(catalog.read, node.storage.core.owner())._moving(Facts(
            catalog.read, FolderFigures(), frozenset(), node.storage.core.owner().changing
        ).safety_below(node.info("folder")["path_id"]))  # fmt: skip
        self.assertEqual(folder, {"packs": 0, "pieces": 1, "nowhere": 0, "progress": "50%"})
