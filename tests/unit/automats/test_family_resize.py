"""Rows of family_resize."""

from bitdust.automats.family_resize import FamilyResize, FamilyResizePort
from tests.unit.automats.kit import RowTests


class FamilyResizeTests(RowTests):
    def setUp(self) -> None:
        super().setUp()
        self.port = self.record(
            FamilyResizePort, is_hiring=True, is_wanted=True, is_ready=False, is_moving=False, is_resting=False,
            is_over=False,
        )  # fmt: skip
        self.machine = FamilyResize(self.registry, self.port)
        self.addCleanup(self.machine.send, "shutdown")

    def hire(self) -> None:
        self.drive("check", None, "HIRING", ("search",))

    def prepare(self) -> None:
        self.port.is_hiring = False
        self.drive("check", None, "PREPARING", ("publish",))

    def move(self) -> None:
        self.port.is_hiring = self.port.is_wanted = False
        self.port.is_moving = True
        self.drive("check", None, "MOVING")

    def change_size(self) -> None:
        """The record says from then on what is left to be done."""
        self.port.is_wanted, self.port.is_moving = False, True

    def test_from_beginning_to_end(self) -> None:
        """Places are filled, prepared, and only then belong to the family; in the end those without a place go."""
        self.hire()
        self.prepare()
        self.port.is_ready = True
        self.port.answers["resize"] = self.change_size
        self.passes(10, "MOVING", ("publish",), ("resize",))
        self.port.is_over = True
        self.passes(10, "STEADY", ("end",))

    def test_nothing_to_do(self) -> None:
        """A family that is as it is wanted is left alone."""
        self.port.is_hiring = self.port.is_wanted = False
        self.drive("check", None, "STEADY")
        self.passed()

    def passed(self, *states: str) -> None:
        """The machine came through these states, and no others."""
        self.assertEqual([move.new for move in self.machine.past], list(states))

    def test_hiring_takes_its_time(self) -> None:
        """Somebody is asked every minute, as long as a place is empty."""
        self.hire()
        self.drive("check", None, "HIRING")
        for _ in range(2):
            self.passes(60, "HIRING", ("search",))

    def test_hiring_that_is_called_off(self) -> None:
        """With the former number wanted again nobody is hired; who was hired for it goes."""
        self.hire()
        self.move()
        self.passed("HIRING", "STEADY", "MOVING")
        self.port.is_over = True
        self.drive("check", None, "STEADY", ("end",))

    def test_preparing_takes_its_time(self) -> None:
        """The record is brought to everybody again every ten seconds."""
        self.prepare()
        self.drive("check", None, "PREPARING")
        self.passes(10, "PREPARING", ("publish",))

    def test_preparing_that_is_called_off(self) -> None:
        """So it is when the places are prepared."""
        self.prepare()
        self.port.is_wanted, self.port.is_ready = False, True
        self.drive("check", None, "STEADY")
        self.passed("PREPARING", "STEADY")

    def test_a_place_to_come_that_is_lost(self) -> None:
        """Somebody else is hired for it before anything builds on it."""
        self.prepare()
        self.port.is_hiring = self.port.is_ready = True
        self.drive("check", None, "HIRING", ("search",))

    def test_another_number_while_packs_move(self) -> None:
        """The next step begins at once, with hiring or without."""
        self.move()
        self.port.is_wanted = self.port.is_hiring = self.port.is_over = True
        self.drive("check", None, "HIRING", ("search",))
        self.port.is_over = False
        self.move()
        self.port.is_wanted = self.port.is_over = True
        self.drive("check", None, "PREPARING", ("publish",))

    def test_another_device_has_ended_it(self) -> None:
        """Where the record says nothing of another size any more, there is nothing to do."""
        self.move()
        self.port.is_moving, self.port.is_over = False, True
        self.drive("check", None, "STEADY")

    def test_moving_takes_its_time(self) -> None:
        """It is looked every ten seconds whether all has moved."""
        self.move()
        self.drive("check", None, "MOVING")
        self.passes(10, "MOVING")
        self.passed("MOVING")
        self.port.is_moving = False
        self.passes(10, "STEADY")
        self.move()
        self.port.is_wanted = True
        self.passes(10, "PREPARING", ("publish",))
        self.move()
        self.port.is_hiring = self.port.is_wanted = True
        self.passes(10, "HIRING", ("search",))

    def keep(self) -> None:
        self.port.is_resting = False
        self.move()
        self.port.is_resting = self.port.is_over = True
        self.drive("check", None, "KEEPING")

    def test_packs_that_are_nowhere(self) -> None:
        """When all others have moved, and only who may have pieces of these is left, nobody else is dismissed."""
        self.keep()
        self.drive("check", None, "KEEPING")
        for _ in range(2):
            self.passes(60, "KEEPING")
        self.passed("MOVING", "KEEPING")

    def test_packs_that_come_back(self) -> None:
        """They move, or are deleted, and the change comes to its end."""
        self.keep()
        self.port.is_resting = self.port.is_over = False
        self.passes(60, "MOVING")
        self.passed("MOVING", "KEEPING", "MOVING")
        self.port.is_over = True
        self.passes(10, "STEADY", ("end",))

    def test_all_has_moved_already(self) -> None:
        """With nothing left at that moment it ends at once."""
        self.keep()
        self.port.is_resting = False
        self.drive("check", None, "STEADY", ("end",))

    def test_another_number_while_some_are_kept(self) -> None:
        """The next change begins at once, with hiring or without."""
        self.keep()
        self.port.is_wanted = self.port.is_hiring = True
        self.passes(60, "HIRING", ("search",))
        self.port.is_over = False
        self.keep()
        self.port.is_wanted = True
        self.passes(60, "PREPARING", ("publish",))

    def test_a_node_that_was_killed(self) -> None:
        """It goes on from what the record says, through every step that was taken before."""
        self.port.is_hiring, self.port.is_ready = False, True
        self.drive("check", None, "MOVING", ("publish",), ("resize",))

    def test_a_node_that_was_killed_at_the_end(self) -> None:
        """Where everything has moved already it ends at once."""
        self.port.is_hiring = self.port.is_wanted = False
        self.port.is_moving = self.port.is_over = True
        self.drive("check", None, "STEADY", ("end",))

    def test_end(self) -> None:
        """Shutdown leaves everything as it is on the disk."""
        self.hire()
        self.ends("shutdown")
