"""Rows of ipfs_provider."""

from bitdust.automats.ipfs_provider import IpfsProvider, IpfsProviderPort
from tests.unit.automats.kit import RowTests

HALF_A_DAY = 12 * 3600


class IpfsProviderTests(RowTests):
    def setUp(self) -> None:
        super().setUp()
        self.port = self.record(IpfsProviderPort, is_wanted=True, has_next=True)
        self.machine = IpfsProvider(self.registry, self.port)

    def gathering(self) -> None:
        self.drive("changed", None, "GATHERING", ("gather",))

    def providing(self) -> None:
        self.gathering()
        self.port.succeed("gather")
        self.asked("PROVIDING", ("provide",))

    def resting(self) -> None:
        self.gathering()
        self.port.answers["has_next"] = False
        self.port.succeed("gather")
        self.asked("RESTING", ("report", ""))
        self.port.answers["has_next"] = True

    def paused(self) -> None:
        self.gathering()
        self.port.fail("gather")
        self.assertEqual((self.machine.state, self.calls.pop()[0]), ("PAUSED", "report"))

    def test_nothing_is_wanted(self) -> None:
        """Where nothing is to be said, nothing happens."""
        self.port.answers["is_wanted"] = False
        self.drive("changed", None, "OFF")

    def test_one_after_the_other(self) -> None:
        """Each block is said by itself, until there are no more; then it rests for half a day."""
        self.providing()
        self.port.succeed("provide")
        self.asked("PROVIDING", ("provide",))
        self.port.answers["has_next"] = False
        self.port.succeed("provide")
        self.asked("RESTING", ("report", ""))
        self.passes(HALF_A_DAY, "GATHERING", ("gather",))

    def test_changes(self) -> None:
        """Whatever changes while it works, pauses or rests is looked at at once."""
        for enter in (self.gathering, self.providing, self.resting, self.paused):
            enter()
            self.drive("changed", None, "GATHERING", ("gather",))
            self.port.answers["is_wanted"] = False
            self.drive("changed", None, "OFF")
            self.port.answers["is_wanted"] = True

    def test_each_has_its_own_time(self) -> None:
        """A change cancels the gathering of before, and each block has two minutes of its own."""
        self.gathering()
        self.drive("changed", None, "GATHERING", ("gather",))
        self.assertEqual(self.port.cancelled["gather"], 1)
        self.port.succeed("gather")
        self.asked("PROVIDING", ("provide",))
        self.clock.advance(100)
        self.port.succeed("provide")
        self.asked("PROVIDING", ("provide",))
        self.passes(120, "PAUSED", ("report", "the hash table does not answer"))

    def test_switched_off(self) -> None:
        """Who wants nothing said any more is obeyed at once."""
        for enter in (self.gathering, self.providing, self.resting, self.paused):
            enter()
            self.port.answers["is_wanted"] = False
            self.drive("changed", None, "OFF")
            self.port.answers["is_wanted"] = True

    def test_failures(self) -> None:
        """After a failure it pauses, longer each time, up to an hour; after a success it is short again."""
        self.paused()
        self.passes(30, "GATHERING", ("gather",))
        self.port.succeed("gather")
        self.asked("PROVIDING", ("provide",))
        self.port.fail("provide")
        self.assertEqual((self.machine.state, self.calls.pop()[0]), ("PAUSED", "report"))
        self.passes(60, "GATHERING", ("gather",))
        for pause in (120, 240, 480, 960, 1920, 3600, 3600):
            self.port.fail("gather")
            self.calls.clear()
            self.passes(pause, "GATHERING", ("gather",))
        self.port.answers["has_next"] = False
        self.port.succeed("gather")
        self.asked("RESTING", ("report", ""))
        self.port.answers["has_next"] = True
        self.paused()
        self.passes(30, "GATHERING", ("gather",))

    def test_silence(self) -> None:
        """What takes too long is a failure."""
        self.gathering()
        self.passes(600, "PAUSED", ("report", "the hash table does not answer"))
        self.drive("changed", None, "GATHERING", ("gather",))
        self.port.succeed("gather")
        self.asked("PROVIDING", ("provide",))
        self.passes(120, "PAUSED", ("report", "the hash table does not answer"))

    def test_stop(self) -> None:
        """It can be stopped anywhere."""
        self.ends("stop")
        for enter in (self.gathering, self.providing, self.resting, self.paused):
            self.machine = IpfsProvider(self.registry, self.port)
            enter()
            self.ends("stop")
