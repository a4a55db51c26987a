"""Rows of mailbox_visit."""

from bitdust.automats.mailbox_visit import MailboxVisit, MailboxVisitPort
from tests.unit.automats.kit import RowTests

FETCH, TAKE, CONFIRM = ("fetch",), ("take",), ("confirm",)


class MailboxVisitTests(RowTests):
    def setUp(self) -> None:
        super().setUp()
        self.port = self.record(MailboxVisitPort, found_nothing=False, has_more=False, jitter=0.5)
        self.machine = MailboxVisit(self.registry, "keeper", self.port)
        self.addCleanup(self.machine.send, "stop")

    def fetching(self) -> None:
        self.drive("go", None, "FETCHING", FETCH)

    def taking(self) -> None:
        self.fetching()
        self.port.succeed("fetch")
        self.asked("TAKING", TAKE)

    def confirming(self) -> None:
        self.taking()
        self.port.succeed("take")
        self.asked("CONFIRMING", CONFIRM)

    def test_stored_before_it_is_deleted(self) -> None:
        """What is fetched is stored, then confirmed; a quarter of an hour later it goes again."""
        self.confirming()
        self.port.succeed("confirm")
        self.asked("WAITING")
        self.passes(900, "FETCHING", FETCH)

    def test_times_differ(self) -> None:
        """By chance it goes half as soon, or half as late."""
        for jitter, seconds, soon in ((0.0, 450, 10), (1.0, 1350, 30)):
            self.port.answers["jitter"] = jitter
            self.assertEqual(self.machine.timer_seconds("timer-15min"), seconds)
            self.assertEqual(self.machine.timer_seconds("timer-20sec"), soon)

    def test_an_empty_mailbox(self) -> None:
        """Where nothing is there is nothing to confirm."""
        self.port.answers["found_nothing"] = True
        self.fetching()
        self.port.succeed("fetch")
        self.asked("WAITING")

    def test_more(self) -> None:
        """It goes on while there is more."""
        self.confirming()
        self.port.answers["has_more"] = True
        self.port.succeed("confirm")
        self.asked("FETCHING", FETCH)

    def test_called_meanwhile(self) -> None:
        """A call that comes while it works is followed afterwards, once."""
        for state in (self.fetching, self.taking, self.confirming):
            state()
            self.drive("go", None, self.machine.state)
            if self.machine.state == "FETCHING":
                self.port.succeed("fetch")
                self.asked("TAKING", TAKE)
            if self.machine.state == "TAKING":
                self.port.succeed("take")
                self.asked("CONFIRMING", CONFIRM)
            self.port.succeed("confirm")
            self.asked("FETCHING", FETCH)
            self.assertFalse(self.machine.called)
            self.port.fail("fetch")
            self.asked("PAUSED")

    def test_failures(self) -> None:
        """What fails, or hangs for a minute, is tried again, and counts."""
        for state, step in ((self.fetching, "fetch"), (self.taking, "take"), (self.confirming, "confirm")):
            for hangs in (True, False):
                state()
                if hangs:
                    self.passes(60, "PAUSED")
                else:
                    self.port.fail(step)
                    self.asked("PAUSED")
                self.assertEqual(self.machine.failures, 1)

    def test_asked_again_soon(self) -> None:
        """After a visit of which nothing came it goes again soon, and ever more rarely; pauses begin anew when it is
        called, and when it came to the end of what is there."""
        self.fetching()
        for pause in (20, 40, 80, 160, 320, 640, 900, 900):
            self.port.fail("fetch")
            self.asked("PAUSED")
            self.passes(pause, "FETCHING", FETCH)
        self.port.fail("fetch")
        self.asked("PAUSED")
        self.drive("go", None, "FETCHING", FETCH)
        self.drive("go", None, "FETCHING")
        self.port.fail("fetch")
        self.asked("PAUSED")
        self.passes(20, "FETCHING", FETCH)
        for is_empty in (True, False):
            self.machine.failures, self.machine.called = 5, False
            self.port.answers["found_nothing"] = is_empty
            for step in ("fetch",) if is_empty else ("fetch", "take", "confirm"):
                self.port.succeed(step)
            self.calls.clear()
            self.assertEqual((self.machine.state, self.machine.failures), ("WAITING", 0))
            self.passes(900, "FETCHING", FETCH)

    def test_the_end(self) -> None:
        """It ends from wherever it is."""
        self.taking()
        self.ends("stop")
