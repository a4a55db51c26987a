"""Rows of shared_access_donor."""

from unittest.mock import ANY

from bitdust.automats.shared_access_donor import SharedAccessDonor, SharedAccessDonorPort
from tests.unit.automats.kit import RowTests


class SharedAccessDonorTests(RowTests):
    def setUp(self) -> None:
        super().setUp()
        self.port = self.record(SharedAccessDonorPort, is_refusal=False, jitter=0.0)
        self.machine = SharedAccessDonor(self.registry, "share_1/bob", self.port)
        self.addCleanup(self.machine.send, "shutdown")

    def deliver(self) -> None:
        self.drive("start", None, "DELIVERY?", ("deliver",))

    def wait(self) -> None:
        self.deliver()
        self.port.fail("deliver")
        self.asked("WAITING", ("report_failed", ANY))

    def test_delivered(self) -> None:
        """Who has all that is needed is left alone until something changes."""
        self.deliver()
        self.port.succeed("deliver")
        self.asked("DELIVERED", ("report_delivered",))
        self.drive("changed", None, "DELIVERY?", ("deliver",))

    def test_changed_on_the_way(self) -> None:
        """What changes while it is brought is brought in its place."""
        self.deliver()
        self.drive("changed", None, "DELIVERY?", ("deliver",))
        self.assertEqual(self.port.cancelled, {"deliver": 1})

    def test_refused(self) -> None:
        """Who does not take it is asked again when something changes, and not before."""
        self.deliver()
        self.port.answers["is_refusal"] = True
        self.port.fail("deliver")
        self.asked("REFUSED", ("report_failed", ANY))
        self.clock.advance(100_000)
        self.assertEqual(self.machine.state, "REFUSED")
        self.drive("changed", None, "DELIVERY?", ("deliver",))

    def test_away(self) -> None:
        """Who is away is tried again after pauses that grow to ten minutes; a success lets them begin anew."""
        self.wait()
        for pause in (5, 10, 20, 40, 80, 160, 320, 400, 400):
            self.passes(pause, "DELIVERY?", ("deliver",))
            self.port.fail("deliver")
            self.asked("WAITING", ("report_failed", ANY))
        self.drive("holder-came", None, "DELIVERY?", ("deliver",))
        self.port.succeed("deliver")
        self.asked("DELIVERED", ("report_delivered",))
        self.drive("changed", None, "DELIVERY?", ("deliver",))
        self.port.fail("deliver")
        self.asked("WAITING", ("report_failed", ANY))
        self.passes(5, "DELIVERY?", ("deliver",))

    def test_not_all_at_once(self) -> None:
        """A third of a pause is chance."""
        self.port.answers["jitter"] = 1.0
        self.wait()
        self.passes(7.5, "DELIVERY?", ("deliver",))

    def test_comes_and_cannot_take_it_yet(self) -> None:
        """However long somebody was away, when it comes pauses begin anew: it may be starting."""
        self.wait()
        for pause in (5, 10, 20, 40):
            self.passes(pause, "DELIVERY?", ("deliver",))
            self.port.fail("deliver")
            self.asked("WAITING", ("report_failed", ANY))
        self.drive("holder-came", None, "DELIVERY?", ("deliver",))
        self.port.fail("deliver")
        self.asked("WAITING", ("report_failed", ANY))
        for pause in (5, 10):
            self.passes(pause, "DELIVERY?", ("deliver",))
            self.port.fail("deliver")
            self.asked("WAITING", ("report_failed", ANY))
        self.passes(20, "DELIVERY?", ("deliver",))
        self.drive("holder-came", None, "DELIVERY?")
        self.port.fail("deliver")
        self.asked("WAITING", ("report_failed", ANY))
        self.passes(5, "DELIVERY?", ("deliver",))

    def test_changed_while_away(self) -> None:
        """A change is a reason to try."""
        self.wait()
        self.drive("changed", None, "DELIVERY?", ("deliver",))

    def test_no_answer(self) -> None:
        """A holder that says nothing is away after a minute."""
        self.deliver()
        self.passes(60, "WAITING", ("report_failed", None))
        self.assertEqual(self.port.cancelled, {"deliver": 1})

    def test_taken_back(self) -> None:
        """Nothing is brought any more."""
        self.deliver()
        self.drive("shutdown", None, "CLOSED")
        self.assertEqual(self.port.cancelled, {"deliver": 1})
