"""Rows of fire_hire."""

from bitdust.automats.fire_hire import FireHire, FireHirePort
from tests.unit.automats.kit import RowTests


class FireHireTests(RowTests):
    def setUp(self) -> None:
        super().setUp()
        self.port = self.record(
            FireHirePort, is_recovering=False, has_surplus=False, has_vacancy=False, is_urgent=False, jitter=0.5
        )
        self.machine = FireHire(self.registry, self.port)
        self.addCleanup(self.machine.send, "shutdown")

    def start(self, state: str, *calls: tuple) -> None:
        """Every supplier has answered, and the first comparison follows."""
        self.drive("start", None, "SUPPLIERS?", ("connect",))
        self.port.succeed("connect")
        self.asked(state, ("compare",), *calls)

    def vacancy(self) -> None:
        self.port.has_vacancy = True
        self.start("HIRE_ONE", ("hire",))

    def test_complete(self) -> None:
        """A family as it is wanted is left alone, and compared again every minute."""
        self.start("READY", ("report",))
        self.passes(60, "READY", ("compare",), ("report",))

    def test_a_recovered_node(self) -> None:
        """Nobody is hired, dismissed or asked before the family that it had is known, however long that takes."""
        self.port.is_recovering = True
        self.drive("start", None, "FAMILY?", ("search_family",))
        self.clock.advance(86_400)
        self.drive("restart", None, "FAMILY?")
        self.drive("family-known", None, "SUPPLIERS?", ("connect",))
        self.port.succeed("connect")
        self.asked("READY", ("compare",), ("report",))
        self.drive("family-known", None, "READY")

    def test_suppliers_that_do_not_answer(self) -> None:
        """Neither a failure nor 25 seconds of silence keep the family from being compared."""
        self.drive("start", None, "SUPPLIERS?", ("connect",))
        self.passes(25, "READY", ("compare",), ("report",))
        self.assertEqual(self.port.cancelled, {"connect": 1})

    def test_a_failure_to_connect(self) -> None:
        """The suppliers that are there count all the same."""
        self.drive("start", None, "SUPPLIERS?", ("connect",))
        self.port.fail("connect")
        self.asked("READY", ("compare",), ("report",))

    def test_fired_before_hired(self) -> None:
        """Whoever is to go goes first; then the vacancies are filled."""
        self.port.has_surplus = self.port.has_vacancy = True
        self.start("FIRE_MANY", ("fire",))
        self.port.has_surplus = False
        self.port.succeed("fire")
        self.asked("HIRE_ONE", ("compare",), ("hire",))

    def test_a_silent_dismissal(self) -> None:
        """After 25 seconds the family is compared again, whatever became of it."""
        self.port.has_surplus = True
        self.start("FIRE_MANY", ("fire",))
        self.port.has_surplus = False
        self.passes(25, "READY", ("compare",), ("report",))
        self.assertEqual(self.port.cancelled, {"fire": 1})

    def test_hired(self) -> None:
        """When every vacancy is filled the family is compared again, and complete."""
        self.vacancy()
        self.port.has_vacancy = False
        self.port.succeed("hire", 0)
        self.asked("READY", ("compare",), ("report",))
        self.passes(60, "READY", ("compare",), ("report",))

    def test_nobody_is_found(self) -> None:
        """Tries grow rarer, up to five minutes; half of a pause is chance."""
        self.vacancy()
        for pause in (1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300):
            self.port.succeed("hire", 2)
            self.asked("READY", ("report",))
            self.passes(pause, "HIRE_ONE", ("compare",), ("hire",))
        self.port.jitter = 0.0
        self.port.succeed("hire", 2)
        self.asked("READY", ("report",))
        self.passes(150, "HIRE_ONE", ("compare",), ("hire",))

    def test_a_vacancy_with_data(self) -> None:
        """Where pieces are at stake a pause is a minute at most."""
        self.port.is_urgent = True
        self.vacancy()
        for pause in (1, 2, 4, 8, 16, 32, 60, 60):
            self.port.succeed("hire", 2)
            self.asked("READY", ("report",))
            self.passes(pause, "HIRE_ONE", ("compare",), ("hire",))

    def test_success_is_no_failure(self) -> None:
        """After a round that filled every place, or found nothing to do, pauses begin from one second."""
        self.vacancy()
        for _ in range(5):
            self.port.succeed("hire", 1)
            self.asked("READY", ("report",))
            self.drive("restart", None, "HIRE_ONE", ("compare",), ("hire",))
        self.port.succeed("hire", 0)
        self.asked("HIRE_ONE", ("compare",), ("hire",))
        self.port.succeed("hire", 1)
        self.asked("READY", ("report",))
        self.passes(1, "HIRE_ONE", ("compare",), ("hire",))
        self.port.succeed("hire", 1)
        self.asked("READY", ("report",))
        self.port.has_vacancy = False
        self.passes(2, "READY", ("compare",), ("report",))
        self.port.has_vacancy = True
        self.drive("restart", None, "HIRE_ONE", ("compare",), ("hire",))
        self.port.succeed("hire", 1)
        self.asked("READY", ("report",))
        self.passes(1, "HIRE_ONE", ("compare",), ("hire",))

    def test_a_failed_round_hangs_nowhere(self) -> None:
        """A search that breaks, or has not ended after ten minutes, ends the round."""
        self.vacancy()
        self.port.fail("hire")
        self.asked("READY", ("report",))
        self.passes(1, "HIRE_ONE", ("compare",), ("hire",))
        self.passes(600, "READY", ("report",))
        self.assertEqual(self.port.cancelled, {"hire": 1})

    def test_a_change_while_hiring(self) -> None:
        """What changed in the middle of a round is compared right after it, however many rounds have failed."""
        self.vacancy()
        for pause in (1, 2, 4):
            self.port.succeed("hire", 1)
            self.asked("READY", ("report",))
            self.passes(pause, "HIRE_ONE", ("compare",), ("hire",))
        self.drive("restart", None, "HIRE_ONE")
        self.port.succeed("hire", 1)
        self.asked("READY", ("report",))
        self.passes(1, "HIRE_ONE", ("compare",), ("hire",))

    def test_a_change_while_idle(self) -> None:
        """It is compared at once."""
        self.start("READY", ("report",))
        self.drive("restart", None, "READY", ("compare",), ("report",))

    def break_down(self) -> None:
        self.port.answers["compare"] = lambda: 1 / 0

    def test_a_comparison_that_breaks(self) -> None:
        """The round is over, and the next one comes after the usual pause."""
        self.break_down()
        self.drive("start", None, "SUPPLIERS?", ("connect",))
        self.port.succeed("connect")
        self.asked("READY", ("compare",), ("report",))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        del self.port.answers["compare"]
        self.passes(60, "READY", ("compare",), ("report",))

    def test_a_report_that_breaks(self) -> None:
        """It does not go round in a circle."""
        self.port.answers["report"] = lambda: 1 / 0
        self.start("READY", ("report",))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.drive("broken", None, "READY")

    def test_end(self) -> None:
        """Shutdown gives up what is on its way."""
        self.vacancy()
        self.ends("shutdown")
        self.assertEqual(self.port.cancelled, {"hire": 1})
