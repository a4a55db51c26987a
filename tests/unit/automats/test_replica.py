"""Rows of replica."""

from typing import Any

from bitdust.automats.replica import LONGEST_PAUSE, Replica, ReplicaPort
from tests.unit.automats.kit import RowTests

DELIVER, ACKNOWLEDGED = ("deliver",), ("report_acknowledged",)


class Contradiction(Exception):
    """The supplier holds something else."""


class ReplicaTests(RowTests):
    def setUp(self) -> None:
        super().setUp()
        self.port = self.record(ReplicaPort, is_current=False, is_reachable=True)
        self.port.answers["is_contradiction"] = lambda error: isinstance(error, Contradiction)
        self.machine = Replica(self.registry, self.port, "log")

    def deliver(self) -> None:
        self.drive("changed", None, "SENDING", DELIVER)

    def compare(self) -> None:
        self.deliver()
        error = Contradiction()
        self.port.fail("deliver", error)
        self.asked("COMPARING", ("compare", error))

    def disagree(self) -> None:
        self.compare()
        self.port.succeed("compare", False)
        self.asked("DISAGREES")

    def pause(self) -> None:
        self.deliver()
        self.port.fail("deliver")
        self.asked("PAUSED")

    def acknowledged(self, state: str, *calls: Any) -> None:
        self.port.succeed("deliver")
        self.asked(state, ACKNOWLEDGED, *calls)

    def test_one_after_the_other(self) -> None:
        """It brings one thing after the other until the supplier has all, and goes on with the next change."""
        self.deliver()
        self.acknowledged("SENDING", DELIVER)
        self.port.is_current = True
        self.acknowledged("CURRENT")
        self.drive("changed", None, "CURRENT")
        self.moved("SENDING", "SENDING", "CURRENT")
        self.port.is_current = False
        self.deliver()
        self.moved("CURRENT", "BEHIND", "SENDING")

    def test_nothing_to_bring(self) -> None:
        """A supplier that has everything already is current, reachable or not."""
        self.port.is_current = True
        self.drive("changed", None, "CURRENT")

    def test_supplier_that_is_away(self) -> None:
        """Nothing is sent while there is no session; whether there is one is checked every five minutes as well."""
        self.port.is_reachable = False
        self.drive("changed", None, "BEHIND")
        self.passes(300, "BEHIND")
        self.port.is_reachable = True
        self.passes(300, "SENDING", DELIVER)
        self.assertEqual(len(self.machine.past), 1)

    def test_supplier_that_goes(self) -> None:
        """A supplier whose session ends after an acknowledgement stays behind."""
        self.deliver()
        self.port.is_reachable = False
        self.acknowledged("BEHIND")

    def test_silence(self) -> None:
        """A delivery is given up after a minute, each for itself, and tried again after a pause."""
        self.deliver()
        self.clock.advance(40)
        self.acknowledged("SENDING", DELIVER)
        self.passes(60, "PAUSED")
        self.assertEqual(self.port.cancelled, {"deliver": 1})
        self.passes(2, "SENDING", DELIVER)
        self.moved("PAUSED", "BEHIND", "SENDING")

    def test_pauses_grow(self) -> None:
        """The pause doubles with each refusal in a row, up to a minute; an acknowledgement makes it short again."""
        self.pause()
        for seconds in (2, 4, 8, 16, 32, LONGEST_PAUSE, LONGEST_PAUSE):
            self.passes(seconds, "SENDING", DELIVER)
            self.port.fail("deliver")
            self.asked("PAUSED")
        self.passes(LONGEST_PAUSE, "SENDING", DELIVER)
        self.acknowledged("SENDING", DELIVER)
        self.port.fail("deliver")
        self.asked("PAUSED")
        self.passes(2, "SENDING", DELIVER)

    def test_contradiction_that_is_explained(self) -> None:
        """After a comparison that explains what the supplier holds it goes on."""
        self.compare()
        self.port.succeed("compare", True)
        self.asked("SENDING", DELIVER)
        self.moved("COMPARING", "BEHIND", "SENDING")

    def test_contradiction_that_stays(self) -> None:
        """A supplier that contradicts is left alone, and tried again after a minute."""
        self.disagree()
        self.passes(60, "SENDING", DELIVER)
        self.moved("DISAGREES", "BEHIND", "SENDING")

    def test_comparison_that_fails(self) -> None:
        """A comparison that fails, or takes longer than two minutes, explains nothing."""
        self.compare()
        self.port.fail("compare")
        self.asked("DISAGREES")
        self.drive("retry", None, "SENDING", DELIVER)
        error = Contradiction()
        self.port.fail("deliver", error)
        self.asked("COMPARING", ("compare", error))
        self.passes(120, "DISAGREES")
        self.assertEqual(self.port.cancelled, {"compare": 1})

    def test_retry(self) -> None:
        """Whoever knows better has it tried again at once, from every state in which it waits."""
        for wait in (self.compare, self.disagree, self.pause):
            wait()
            before = self.machine.state
            self.drive("retry", None, "SENDING", DELIVER)
            self.moved(before, "BEHIND", "SENDING")
            self.port.is_current = True
            self.acknowledged("CURRENT")
            self.port.is_current = False

    def test_end(self) -> None:
        """Shutdown gives up what is on its way."""
        self.deliver()
        self.ends("shutdown")
