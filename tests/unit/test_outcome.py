"""Work that somebody waits for, and who gives up waiting for it."""

from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import capturedLogs, formatEvent
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from bitdust.outcome import answer, unbroken


class UnbrokenTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.work: Deferred[Any] = Deferred(lambda _: self.fail("it was cancelled"))
        self.waiting = Deferred.fromCoroutine(unbroken(self.work))

    def test_nobody_gives_up(self) -> None:
        """It ends as the work does, well or not, whether that ends at once or later."""
        self.work.callback(3)
        self.assertEqual(self.successResultOf(self.waiting), 3)
        self.work = Deferred()
        self.waiting = Deferred.fromCoroutine(unbroken(self.work))
        self.work.errback(OSError("broken"))
        self.failureResultOf(self.waiting, OSError)
        self.work = Deferred()
        self.work.callback(4)
        self.assertEqual(self.successResultOf(Deferred.fromCoroutine(unbroken(self.work))), 4)

    def test_somebody_gives_up(self) -> None:
        """Whoever is cancelled, however often, is so when the work has ended, whichever way; what went wrong with it is
        in the log."""
        self.waiting.cancel()
        self.waiting.cancel()
        self.assertNoResult(self.waiting)
        self.work.callback(3)
        self.failureResultOf(self.waiting, CancelledError)
        self.work = Deferred()
        self.waiting = Deferred.fromCoroutine(unbroken(self.work))
        self.waiting.cancel()
        with capturedLogs() as logged:
            self.work.errback(OSError("broken"))
        self.failureResultOf(self.waiting, CancelledError)
        (event,) = logged
        self.assertIn("broken", formatEvent(event))


class AnswerTests(SynchronousTestCase):
    def test_one_ends_what_another_waited_for(self) -> None:
        """Whoever is cancelled by an answer to somebody before is left out, and all others are answered."""
        cancelled: list[Any] = []
        first, second, third = Deferred(), Deferred(cancelled.append), Deferred()
        first.addErrback(lambda why: second.cancel())
        answer([first, second, third], Failure(OSError("nobody is there")))
        self.assertEqual(cancelled, [second])
        self.failureResultOf(second, CancelledError)
        self.failureResultOf(third, OSError)
        answer([fourth := Deferred()], 4)
        self.assertEqual(self.successResultOf(fourth), 4)
