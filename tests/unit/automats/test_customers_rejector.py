"""Rows of customers_rejector."""

from bitdust.automats.customers_rejector import CustomersRejector, CustomersRejectorPort
from tests.unit.automats.kit import RowTests

WARN, IDLE, GRACES = ("warn",), ("suspend_idle",), ("announce_graces",)


class CustomersRejectorTests(RowTests):
    def setUp(self) -> None:
        super().setUp()
        self.port = self.record(CustomersRejectorPort, is_overcommitted=False)
        self.machine = CustomersRejector(self.registry, self.port)
        self.addCleanup(self.machine.send, "shutdown")

    def checking_idle(self) -> None:
        self.drive("restart", None, "IDLE?", IDLE)

    def checking_contracts(self) -> None:
        self.checking_idle()
        self.port.succeed("suspend_idle", 0)
        self.asked("CONTRACTS?", GRACES)

    def rejecting(self) -> None:
        self.checking_contracts()
        self.port.succeed("announce_graces", [b"alice"])
        self.asked("REJECT!", ("reject", [b"alice"]))

    def test_a_walk_an_hour(self) -> None:
        """Nobody's grace is over: the walk ends, and the next begins an hour later."""
        self.checking_contracts()
        self.port.succeed("announce_graces", [])
        self.asked("READY")
        self.passes(3600, "IDLE?", IDLE)

    def test_too_much_is_promised(self) -> None:
        """The walk begins with a warning, asked for or by the hour, and goes on as ever."""
        self.port.answers["is_overcommitted"] = True
        self.drive("restart", None, "IDLE?", WARN, IDLE)
        self.port.succeed("suspend_idle", 1)
        self.port.succeed("announce_graces", [])
        self.asked("READY", GRACES)
        self.passes(3600, "IDLE?", WARN, IDLE)

    def test_whose_grace_is_over_is_rejected(self) -> None:
        """Those whom the check names are rejected, and the patrol goes on."""
        self.rejecting()
        self.port.succeed("reject", 100)
        self.asked("READY")
        self.passes(3600, "IDLE?", IDLE)

    def test_a_step_that_fails_does_not_end_the_walk(self) -> None:
        """What comes after a failed step is done all the same, and the patrol goes on every hour."""
        self.checking_idle()
        self.port.fail("suspend_idle")
        self.asked("CONTRACTS?", GRACES)
        self.port.fail("announce_graces")
        self.asked("READY")
        self.passes(3600, "IDLE?", IDLE)
        self.port.succeed("suspend_idle")
        self.port.succeed("announce_graces", [b"bob"])
        self.port.fail("reject")
        self.asked("READY", GRACES, ("reject", [b"bob"]))
        self.passes(3600, "IDLE?", IDLE)

    def test_a_step_that_hangs_does_not_end_the_walk(self) -> None:
        """Checks are given up after five minutes, rejecting after an hour; what hung is cancelled."""
        self.checking_idle()
        self.passes(300, "CONTRACTS?", GRACES)
        self.passes(300, "READY")
        self.assertEqual(self.port.cancelled, {"suspend_idle": 1, "announce_graces": 1})
        self.rejecting()
        self.passes(3600, "READY")
        self.assertEqual(self.port.waiting(), 0)

    def test_asking_in_the_middle_changes_nothing(self) -> None:
        """A walk that is under way goes on as it is."""
        self.checking_idle()
        self.drive("restart", None, "IDLE?")
        self.port.succeed("suspend_idle")
        self.asked("CONTRACTS?", GRACES)
        self.drive("restart", None, "CONTRACTS?")
        self.port.succeed("announce_graces", [b"carol"])
        self.asked("REJECT!", ("reject", [b"carol"]))
        self.drive("restart", None, "REJECT!")

    def test_shutdown(self) -> None:
        """It ends in the middle of a walk, and what is under way is cancelled."""
        self.rejecting()
        self.ends("shutdown")
        self.assertEqual(self.port.cancelled, {"reject": 1})
