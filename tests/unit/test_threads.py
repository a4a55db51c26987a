"""The threads of a node: who works, how many there are, and what comes back."""

import threading

from twisted.internet import reactor
from twisted.internet.defer import CancelledError, gatherResults
from twisted.trial.unittest import TestCase

from bitdust.outcome import outcome
from bitdust.threads import Threads


class ThreadsTests(TestCase):
    timeout = 60

    def threads(self, most: int = 10) -> Threads:
        made = Threads(reactor, most)
        self.addCleanup(made.stop)
        return made

    async def test_results(self) -> None:
        """What a call returns comes back in the thread of the reactor, and what it raises as well."""
        threads = self.threads()
        where: list[threading.Thread] = []
        threads.run(divmod, 7, 2).addCallback(lambda found: where.append(threading.current_thread()) or found)
        self.assertEqual(await threads.run(divmod, 7, 2), (3, 1))
        self.assertEqual(where, [threading.current_thread()])
        self.assertIsInstance((await outcome(threads.run(divmod, 7, 0))).error, ZeroDivisionError)
        self.assertIsNot(await threads.run(threading.current_thread), threading.current_thread())

    async def test_one_after_the_other(self) -> None:
        """Calls that wait for each other are all worked on by one thread."""
        threads = self.threads()
        names = {(await threads.run(threading.current_thread)).name for _ in range(50)}
        self.assertEqual(len(names), 1)

    async def test_how_many(self) -> None:
        """Calls that block each get a thread, until there are as many as may be; the others wait, and come in turn."""
        threads, gate, began = self.threads(3), threading.Event(), threading.Semaphore(0)

        def wait(number: int) -> int:
            began.release()
            gate.wait(30)
            return number

        answers = [threads.run(wait, number) for number in range(7)]
        for _ in range(3):
            self.assertTrue(began.acquire(timeout=30))
        self.assertFalse(began.acquire(blocking=False))
        self.assertEqual(len(threads._threads), 3)
        gate.set()
        self.assertEqual(await gatherResults(answers), list(range(7)))

    async def test_cancelled(self) -> None:
        """Who gives up is told so at once; the call ends for itself, and what it returns is dropped."""
        threads, gate, done = self.threads(), threading.Event(), threading.Event()
        answer = threads.run(lambda: (gate.wait(30), done.set()))
        answer.cancel()
        self.assertIsInstance(await answer.addErrback(lambda failure: failure.value), CancelledError)
        gate.set()
        self.assertTrue(await threads.run(done.wait, 30))

    async def test_stop(self) -> None:
        """A stop waits for what was begun, also for what waits for a thread; later nothing is begun."""
        threads, gate, ended = self.threads(1), threading.Event(), []
        threads.run(gate.wait, 30)
        threads.run(ended.append, 1)
        threading.Thread(target=gate.set).start()
        threads.stop()
        self.assertEqual(ended, [1])
        self.assertFalse(threads.run(ended.append, 2).called)
        self.assertEqual((ended, [one for one in threads._threads if one.is_alive()]), ([1], []))
