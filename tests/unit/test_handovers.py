"""Places that change hands: what their new suppliers lack is counted in the catalog, and reported when it changes."""

from pathlib import Path
from typing import Any

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from bitdust.storage.keeping import handovers
from bitdust.storage.keeping.handovers import LONGEST, REPORT, Place, ToCome, to_come
from bitdust.wire.errors import BitDustError
from bitdust.wire.records import Family
from tests.unit.storage_kit import Neighbours, Node, random_file, stop_quietly


class Street(Neighbours):
    """Five neighbours, of whom four are the family; the last one may have a place that somebody leaves."""

    changed: int | None = None

    def family(self, customer: bytes) -> Family:
        family = super().family(customer)
        seats, leaving = list(family.suppliers[:4]), [None] * 4
        if self.changed is not None:
            leaving[self.changed], seats[self.changed] = seats[self.changed], family.suppliers[4]
        return evolve(family, n=4, k=2, suppliers=seats, leaving=leaving if any(leaving) else None)


class HandoverTests(SynchronousTestCase):
    def setUp(self) -> None:
        base = Path(self.mktemp())
        self.around = Street(base, 5)
        self.addCleanup(self.around.close)
        self.node = Node(base / "home", self.around)
        self.node.hire()
        self.node.start()
        self.addCleanup(lambda: stop_quietly(self.node))
        random_file(base / "file", 100_000)
        self.node.upload(base / "file", "file")
        self.node.pass_time(5)
        self.core = self.node.storage.core

    def change(self, place: int | None, is_there: bool = True) -> None:
        """The place has a new supplier, and nothing of the former one moves while the new one is not there."""
        self.around.suppliers[4].mode = "fine" if is_there else "away"
        self.around.changed = place
        self.core.suppliers_changed()

    def count(self) -> list[tuple[int, ToCome]]:
        found = self.node.run(self.core.handovers.count())
        return [(place.position, figures) for place, figures in found.items()]

    def told(self) -> list[dict[str, Any]]:
        return self.node.events_of("replacement-progress")

    def test_figures(self) -> None:
        """What the new supplier has not acknowledged is left, whoever else has it, and is not read twice; a piece that
        is nowhere counts with about its bytes."""
        self.assertEqual(self.count(), [])
        self.change(1, is_there=False)
        [(position, found)] = self.count()
        self.assertEqual((position, found.moved, found.left), (1, 0, 1))
        self.assertIn(found.bytes, range(50_000, 52_000))
        change = "UPDATE pieces SET state=2, supplier=NULL, size=0 WHERE number=1"
        self.node.wait(self.core.catalog.change(lambda database: database.execute(change)))
        [(_, missing)] = self.count()
        self.assertEqual((missing.moved, missing.left), (0, 1))
        self.assertIn(missing.bytes, range(50_000, 52_000))
        self.patch(self.core.catalog, "read_in_thread", lambda call: self.fail("it was read again"))
        self.assertEqual(self.count(), [(1, missing)])

    def test_a_place_that_nobody_has_yet(self) -> None:
        """All of its pieces are left."""
        place = Place(1, self.around.suppliers[1].fingerprint, None)
        self.patch(self.core.handovers, "places", lambda: [place])
        self.assertEqual([(found.moved, found.left) for _, found in self.count()], [(0, 1)])

    def test_only_changes_are_reported(self) -> None:
        """One event for what stays as it is, one when the pieces have moved, and none when nobody leaves."""
        self.change(1, is_there=False)
        self.node.pass_time(10 * LONGEST, 5)
        self.assertEqual([(one["moved"], one["left"]) for one in self.told()], [(0, 1)])
        self.change(1)
        self.node.pass_time(2 * LONGEST)
        self.assertEqual([(one["moved"], one["left"], one["bytes"]) for one in self.told()[1:]], [(1, 0, 0)])
        self.change(None)
        self.node.pass_time(2 * LONGEST)
        self.assertEqual(len(self.told()), 2)

    def test_a_disk_that_does_not_give_the_catalog(self) -> None:
        """What could not be counted is counted later."""
        refusals = [BitDustError("disk-error", "it cannot be read")]

        def count(database: Any, place: Place) -> ToCome:
            if refusals:
                raise refusals.pop()
            return to_come(database, place)

        self.patch(handovers, "to_come", count)
        self.change(1, is_there=False)
        self.node.pass_time(REPORT + 1)
        self.assertEqual((self.told(), refusals), ([], []))
        self.node.pass_time(3 * REPORT)
        self.assertEqual(len(self.told()), 1)
