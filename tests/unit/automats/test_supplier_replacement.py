"""Rows of supplier_replacement."""

from bitdust.automats.supplier_replacement import SupplierReplacement, SupplierReplacementPort
from tests.unit.automats.kit import RowTests


class SupplierReplacementTests(RowTests):
    def setUp(self) -> None:
        super().setUp()
        self.port = self.record(
            SupplierReplacementPort,
            is_wanted=True,
            has_former=False,
            has_moved=False,
            is_needed=False,
            is_known=False,
        )
        self.machine = SupplierReplacement(self.registry, "2", self.port)
        self.addCleanup(self.machine.send, "shutdown")

    def passed(self, *states: str) -> None:
        """The machine came through these states, and no others."""
        self.assertEqual([move.new for move in self.machine.past], list(states))

    def search(self) -> None:
        self.drive("check", None, "SEARCHING", ("search", True))

    def find(self) -> None:
        """Somebody was hired, and stands in the record beside the former supplier."""
        self.port.is_wanted, self.port.has_former = False, True

    def move(self) -> None:
        self.find()
        self.drive("check", None, "MOVING")

    def confirm(self) -> None:
        self.move()
        self.port.has_moved = True
        self.passes(10, "CONFIRMING", ("publish",))

    def test_from_beginning_to_end(self) -> None:
        """A successor is searched, everything moves to it, others learn of it, and only then the former one goes."""
        self.search()
        self.confirm()
        self.port.is_known = True
        self.passes(10, "DONE", ("publish",), ("dismiss_former",))
        self.passed("SEARCHING", "MOVING", "CONFIRMING", "DONE")

    def test_a_person_asks(self) -> None:
        """Then everybody is asked at once, those too who refused a short while ago."""
        self.drive("replace", None, "SEARCHING", ("search", True))
        self.drive("replace", None, "SEARCHING", ("search", True))
        self.move()
        self.drive("replace", None, "MOVING")

    def test_searching_goes_on(self) -> None:
        """Every minute, among those who have not refused; nothing else happens meanwhile."""
        self.search()
        self.drive("check", None, "SEARCHING")
        for _ in range(3):
            self.passes(60, "SEARCHING", ("search", False))

    def test_a_node_that_was_killed(self) -> None:
        """It goes on from what the record says, through every step that was taken before."""
        self.find()
        self.port.has_moved = self.port.is_known = True
        self.drive("check", None, "DONE", ("publish",), ("dismiss_former",))
        self.passed("MOVING", "CONFIRMING", "DONE")

    def test_a_place_without_data(self) -> None:
        """Where nothing has to move the former one goes as soon as its successor is known."""
        self.search()
        self.find()
        self.port.has_moved = self.port.is_known = True
        self.drive("check", None, "DONE", ("publish",), ("dismiss_former",))
        self.passed("SEARCHING", "MOVING", "CONFIRMING", "DONE")

    def test_a_place_that_does_not_change(self) -> None:
        """Where nobody is to be replaced and nobody leaves there is nothing to do."""
        self.port.is_wanted = False
        self.drive("check", None, "CANCELLED")
        self.assertNotIn("MOVING", [move.new for move in self.machine.past])

    def test_a_supplier_that_stays(self) -> None:
        """As long as no successor is found the supplier may stay."""
        self.search()
        self.port.is_wanted = False
        self.drive("check", None, "CANCELLED")
        self.assertNotIn("MOVING", [move.new for move in self.machine.past])

    def test_moving_takes_its_time(self) -> None:
        """It is checked every ten seconds, and whenever something is known to have changed."""
        self.move()
        self.passes(10, "MOVING")
        self.drive("check", None, "MOVING")
        self.passed("MOVING")
        self.port.has_moved = True
        self.drive("check", None, "CONFIRMING", ("publish",))

    def test_confirming_takes_its_time(self) -> None:
        """Nobody goes before enough others know; the record is brought to them again."""
        self.confirm()
        self.passes(10, "CONFIRMING", ("publish",))
        self.drive("check", None, "CONFIRMING")
        self.port.is_known = True
        self.drive("check", None, "DONE", ("dismiss_former",))

    def test_a_piece_that_is_lost_again(self) -> None:
        """What is not there any more has to move again before the former one goes."""
        self.confirm()
        self.port.has_moved, self.port.is_known = False, True
        self.drive("check", None, "MOVING")
        self.port.has_moved = True
        self.drive("check", None, "DONE", ("publish",), ("dismiss_former",))

    def keep(self) -> None:
        """All has moved that can, and the former one has something that nobody else has."""
        self.port.has_moved = False
        self.move()
        self.port.has_moved = self.port.is_needed = self.port.is_known = True
        self.passes(10, "KEPT", ("publish",))

    def test_what_only_the_former_has(self) -> None:
        """It stays beside its successor, whatever others know, until that can move, or is not needed any more."""
        self.keep()
        self.drive("replace", None, "KEPT")
        self.passes(60, "KEPT")
        self.port.has_moved = False
        self.drive("check", None, "MOVING")
        self.port.has_moved = True
        self.passes(10, "KEPT", ("publish",))
        self.port.is_needed = False
        self.passes(60, "DONE", ("publish",), ("dismiss_former",))

    def test_another_change_of_a_place_with_something_kept(self) -> None:
        """The successor may be replaced, or another device has ended it."""
        self.keep()
        self.port.is_wanted = True
        self.drive("check", None, "SEARCHING", ("search", True))
        self.keep()
        self.port.has_former = self.port.is_needed = False
        self.drive("check", None, "CANCELLED")

    def test_a_successor_that_is_lost(self) -> None:
        """Somebody else is searched, while things move and when all has moved."""
        self.move()
        self.port.is_wanted = True
        self.drive("check", None, "SEARCHING", ("search", True))
        self.confirm()
        self.port.is_wanted = True
        self.drive("check", None, "SEARCHING", ("search", True))

    def test_a_record_without_the_former(self) -> None:
        """Another device has ended it: nothing is left to do."""
        self.move()
        self.port.has_former, self.port.has_moved = False, True
        self.drive("check", None, "CANCELLED")

    def test_a_record_without_the_former_in_the_end(self) -> None:
        """So it is while the record is confirmed."""
        self.confirm()
        self.port.has_former, self.port.is_known = False, True
        self.drive("check", None, "CANCELLED")

    def test_end(self) -> None:
        """Shutdown leaves everything as it is on the disk."""
        self.search()
        self.ends("shutdown")
