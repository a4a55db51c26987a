"""Every machine has tests of its own, they follow every row of its table, and they need every row."""

import unittest
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from bitdust.automats.kernel import Machine, Registry
from bitdust.automats.kernel.check import Kind, all_machines, package_root
from tests import rows


def tested() -> list[tuple[Kind, list[unittest.TestCase]]]:
    """Machines with their tests."""
    return [(kind, rows.tests_of(kind)) for kind in all_machines(package_root())]


class EveryRowTests(SynchronousTestCase):
    def test_every_machine_has_tests(self) -> None:
        """Each machine has a file of tests of its own."""
        self.assertEqual([kind.name for kind in all_machines(package_root()) if not rows.has_tests(kind)], [])

    def test_every_row_is_taken(self) -> None:
        """The tests of each machine follow every row of its table."""
        for kind, tests in tested():
            taken = rows.rows_taken(kind, tests)
            self.assertEqual([rows.line(row) for row in kind.definition().rows if row not in taken], [], kind.name)

    def test_every_row_is_needed(self) -> None:
        """A row that is taken away, leads elsewhere, or lacks its actions or a guard makes a test fail."""
        for kind, tests in tested():
            self.assertEqual(rows.examine(kind, tests).unnoticed, [], kind.name)


class Lamp(Machine):
    table = """
      OFF  press  allowed  ON   shine
      OFF  press  -        =    -
      ON   press  -        OFF  -
      ON   timer-1min  -   OFF  -
      *    break  -        GONE -
    """
    ignore = "GONE press"
    initial = "OFF"
    final = ("GONE",)
    goes_round = False

    def __init__(self, registry: Registry, lit: list[str]) -> None:
        self.lit = lit
        super().__init__(registry)

    def allowed(self, payload: Any) -> bool:
        return payload != "child"

    def shine(self, payload: Any) -> None:
        self.lit.append("shine")


class LampTests(unittest.TestCase):
    """Thorough but for the row that changes nothing."""

    def runTest(self) -> None:  # noqa: N802 - the interface's name
        lit: list[str] = []
        clock = Clock()
        lamp = Lamp(Registry(clock), lit)
        lamp.send("press", "child")
        self.assertEqual(lamp.state, "OFF")
        lamp.send("press")
        self.assertEqual((lamp.state, lit), ("ON", ["shine"]))
        lamp.send("press")
        self.assertEqual(lamp.state, "OFF")
        lamp.send("press")
        clock.advance(60)
        self.assertEqual(lamp.state, "OFF")
        lamp.send("break")
        self.assertEqual(lamp.state, "GONE")


class LazyTests(unittest.TestCase):
    """Looks at nothing but the end."""

    def runTest(self) -> None:  # noqa: N802 - the interface's name
        lamp = Lamp(Registry(Clock()), [])
        for event in ("press", "press", "press", "timer-1min", "break"):
            lamp.send(event)
        self.assertEqual(lamp.state, "GONE")


class ExamineTests(SynchronousTestCase):
    def test_a_row_that_changes_nothing(self) -> None:
        """A row that does what no row would do is named, and all other changes are noticed."""
        found = rows.examine(Lamp, [LampTests()])
        self.assertEqual(found.unnoticed, ["OFF press - = -: taken away"])
        self.assertEqual(found.changes, 18)

    def test_what_no_test_looks_at(self) -> None:
        """Tests that look at nothing need nothing, save what they cannot end without."""
        found = rows.examine(Lamp, [LazyTests()]).unnoticed
        self.assertIn("OFF press allowed ON shine: actions dropped", found)
        self.assertIn("ON press - OFF -: taken away", found)
        self.assertIn("ON timer-1min - OFF -: three times later", found)
        self.assertNotIn("* break - GONE -: taken away", found)

    def test_without_tests(self) -> None:
        """Without any test no change is noticed and no row is taken."""
        found = rows.examine(Lamp, [])
        self.assertEqual(len(found.unnoticed), found.changes)
        self.assertEqual(rows.rows_taken(Lamp, []), set())

    def test_rows_taken(self) -> None:
        """The rows that a test follows are known one by one."""
        taken = {rows.line(row) for row in rows.rows_taken(Lamp, [LazyTests()])}
        self.assertEqual({rows.line(row) for row in Lamp.definition().rows} - taken, {"OFF press - = -"})

    def test_nothing_stays_changed(self) -> None:
        """After an examination the machine works by its own table, and the kernel as before."""
        before, kernel = dict(vars(Lamp)), dict(vars(Machine))
        rows.examine(Lamp, [LampTests()])
        self.assertEqual((dict(vars(Lamp)), dict(vars(Machine))), (before, kernel))

    def test_broken_tests(self) -> None:
        """Tests that fail with the table as it is prove nothing."""

        class Broken(unittest.TestCase):
            def runTest(self) -> None:  # noqa: N802 - the interface's name
                self.fail("always")

        self.assertRaises(AssertionError, rows.examine, Lamp, [Broken()])

    def test_circles(self) -> None:
        """A change that makes a machine send itself events for ever fails its test instead of holding up the run."""

        class Spinning(unittest.TestCase):
            def runTest(self) -> None:  # noqa: N802 - the interface's name
                lamp = Lamp(Registry(Clock()), [])
                lamp.shine = lambda payload: lamp.send("press")  # type: ignore[method-assign]
                lamp.send("press")

        found = rows.examine(Lamp, [Spinning()]).unnoticed
        self.assertNotIn("OFF press allowed ON shine: leads to OFF", found)
        self.assertIn("ON press - OFF -: leads to GONE", found)
