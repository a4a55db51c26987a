"""Rows of prekey_keeper."""

from bitdust.automats.prekey_keeper import PrekeyKeeper, PrekeyKeeperPort
from tests.unit.automats.kit import RowTests

MAKE, LEAVE, PUBLISH = ("make",), ("leave",), ("publish",)


class PrekeyKeeperTests(RowTests):
    def setUp(self) -> None:
        super().setUp()
        self.port = self.record(PrekeyKeeperPort, is_due=False, is_short=False, is_shown=False)
        self.machine = PrekeyKeeper(self.registry, self.port)
        self.addCleanup(self.machine.send, "stop")

    def making(self) -> None:
        self.port.answers["is_due"] = True
        self.drive("start", None, "MAKING", MAKE)
        self.port.answers["is_due"] = False

    def leaving(self) -> None:
        self.drive("start", None, "LEAVING", LEAVE)

    def publishing(self) -> None:
        self.leaving()
        self.port.succeed("leave")
        self.asked("PUBLISHING", PUBLISH)

    def fresh(self) -> None:
        self.publishing()
        self.port.succeed("publish")
        self.asked("FRESH")

    def test_made_left_published(self) -> None:
        """A new prekey is made, left at the mailboxes, and only then shown."""
        self.making()
        self.port.succeed("make")
        self.asked("LEAVING", LEAVE)
        self.port.succeed("leave")
        self.asked("PUBLISHING", PUBLISH)
        self.port.succeed("publish")
        self.asked("FRESH")

    def test_renewed(self) -> None:
        """It looks every ten minutes whether the prekey is old, however few keep a mailbox; each day it is left and
        shown again."""
        self.fresh()
        self.passes(600, "FRESH")
        self.port.answers |= {"is_due": True, "is_short": True}
        self.passes(600, "MAKING", MAKE)
        self.port.answers |= {"is_due": False, "is_short": False}
        self.port.succeed("make")
        self.port.succeed("leave")
        self.port.succeed("publish")
        self.asked("FRESH", LEAVE, PUBLISH)
        self.passes(86_400, "LEAVING", LEAVE)

    def test_one_more_keeps_a_mailbox(self) -> None:
        """Whoever has said that it keeps one is named at once, and nobody is asked again for that; what comes in the
        middle of a round is shown after it."""
        self.fresh()
        self.drive("keeper-came", None, "PUBLISHING", PUBLISH)
        self.drive("keeper-came", None, "PUBLISHING")
        self.port.fail("publish")
        self.asked("LEAVING", LEAVE)
        self.port.fail("leave")
        self.asked("STALE")
        self.drive("keeper-came", None, "PUBLISHING", PUBLISH)
        self.port.fail("publish")
        self.asked("STALE")
        self.port.answers["is_due"] = True
        self.drive("keeper-came", None, "MAKING", MAKE)
        self.port.succeed("make")
        self.asked("LEAVING", LEAVE)
        self.port.answers["is_shown"] = True
        self.drive("keeper-came", None, "LEAVING")
        self.port.succeed("leave")
        self.asked("PUBLISHING", PUBLISH)

    def test_other_keepers(self) -> None:
        """Where others may keep mailboxes they are asked, and shown."""
        self.fresh()
        self.drive("keepers-changed", None, "LEAVING", LEAVE)

    def stale(self) -> None:
        self.leaving()
        self.port.fail("leave")
        self.asked("STALE")

    def test_others_come_while_nobody_takes_the_record(self) -> None:
        """It is left and shown once more at once."""
        self.publishing()
        self.drive("keepers-changed", None, "PUBLISHING")
        self.port.fail("publish")
        self.asked("LEAVING", LEAVE)
        self.port.succeed("leave")
        self.asked("PUBLISHING", PUBLISH)
        self.port.fail("publish")
        self.asked("STALE")

    def test_others_meanwhile(self) -> None:
        """Keepers that change while some are asked, or while the record is on its way, are asked afterwards, once."""
        self.port.answers["is_shown"] = True
        self.leaving()
        self.drive("keepers-changed", None, "LEAVING")
        self.port.succeed("leave")
        self.asked("PUBLISHING", PUBLISH)
        self.port.succeed("publish")
        self.asked("LEAVING", LEAVE)
        self.port.answers["is_shown"] = False
        self.port.succeed("leave")
        self.asked("PUBLISHING", PUBLISH)
        self.drive("keepers-changed", None, "PUBLISHING")
        self.port.succeed("publish")
        self.asked("LEAVING", LEAVE)
        self.port.answers["is_shown"] = True
        self.machine.failures = 3
        self.port.succeed("leave")
        self.asked("FRESH")
        self.assertEqual(self.machine.failures, 0)

    def test_too_few(self) -> None:
        """While too few keep a mailbox those who might are asked again soon, and in the end every ten minutes; pauses
        begin anew where others may keep one, and when enough did."""
        self.fresh()
        self.passes(600, "FRESH")
        self.port.answers |= {"is_short": True, "is_shown": True}
        self.passes(600, "LEAVING", LEAVE)
        for pause in (40, 80, 160, 320, 600, 600):
            self.port.succeed("leave")
            self.asked("FRESH")
            self.passes(pause, "LEAVING", LEAVE)
        self.port.succeed("leave")
        self.asked("FRESH")
        self.drive("keepers-changed", None, "LEAVING", LEAVE)
        self.port.succeed("leave")
        self.asked("FRESH")
        self.passes(20, "LEAVING", LEAVE)
        self.port.answers["is_short"] = False
        self.port.succeed("leave")
        self.asked("FRESH")
        self.assertEqual(self.machine.rounds, 1)
        self.passes(600, "FRESH")
        self.assertEqual(self.machine.rounds, 0)

    def test_failures(self) -> None:
        """What fails is tried again after a minute, then two, at most an hour."""
        self.stale()
        self.passes(60, "LEAVING", LEAVE)
        self.port.succeed("leave")
        self.asked("PUBLISHING", PUBLISH)
        self.port.fail("publish")
        self.asked("STALE")
        self.port.answers["is_due"] = True
        self.passes(120, "MAKING", MAKE)
        self.assertEqual(self.machine.failures, 2)
        self.port.fail("make")
        self.asked("STALE")
        self.assertEqual(self.machine.failures, 3)
        self.machine.failures = 50
        self.assertEqual(self.machine.timer_seconds("timer-1min"), 3600)

    def test_success_shortens_pauses(self) -> None:
        """After a success the next pause is a minute again."""
        self.machine.failures = 5
        self.fresh()
        self.assertEqual(self.machine.failures, 0)

    def test_what_hangs(self) -> None:
        """Nothing is waited for longer than a minute."""
        self.making()
        self.passes(60, "STALE")
        self.passes(60, "LEAVING", LEAVE)
        self.passes(60, "STALE")
        self.passes(120, "LEAVING", LEAVE)
        self.port.succeed("leave")
        self.asked("PUBLISHING", PUBLISH)
        self.passes(60, "STALE")
        self.assertEqual(self.machine.failures, 3)
        self.passes(240, "LEAVING", LEAVE)

    def test_other_keepers_end_a_pause(self) -> None:
        """After a failure other keepers are asked at once, and soon again."""
        self.stale()
        self.machine.failures = 9
        self.drive("keepers-changed", None, "LEAVING", LEAVE)
        self.port.fail("leave")
        self.asked("STALE")
        self.passes(60, "LEAVING", LEAVE)
        self.port.fail("leave")
        self.asked("STALE")
        self.machine.failures = 9
        self.port.answers["is_due"] = True
        self.drive("keepers-changed", None, "MAKING", MAKE)
        self.assertEqual(self.machine.failures, 0)

    def test_the_end(self) -> None:
        """It ends from wherever it is."""
        self.leaving()
        self.ends("stop")
