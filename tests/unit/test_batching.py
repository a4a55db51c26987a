"""One job at a time: what comes while a job runs is taken together with the next one."""

from functools import partial

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase

from bitdust.batching import Batcher, InTurn, ThreadQueue


class InTurnTests(SynchronousTestCase):
    def test_one_after_the_other(self) -> None:
        """Calls about one thing begin when those before have ended, however they did; others do not wait for them."""
        turns, begun, ends = InTurn(), [], {}

        async def call(name: str) -> str:
            begun.append(name)
            ends[name] = Deferred()
            return await ends[name]

        first, second, other = (turns.run(name[0], lambda name=name: call(name)) for name in ("a1", "a2", "b1"))
        self.assertEqual(begun, ["a1", "b1"])
        ends["a1"].errback(ValueError("ends badly"))
        self.failureResultOf(first, ValueError)
        self.assertEqual(begun, ["a1", "b1", "a2"])
        for name, waiting in (("a2", second), ("b1", other)):
            ends[name].callback(name)
            self.assertEqual(self.successResultOf(waiting), name)

    def test_given_up(self) -> None:
        """Who gives up while others are before it is not called, and holds nobody up; nothing is left in the end."""
        turns, called, ends = InTurn(), [], [Deferred(), Deferred()]

        async def call(number: int) -> None:
            called.append(number)
            await ends.pop(0)

        first, second, third = (turns.run("a", lambda number=number: call(number)) for number in range(3))
        second.cancel()
        self.failureResultOf(second, CancelledError)
        first.cancel()
        self.failureResultOf(first, CancelledError)
        self.assertEqual(called, [0, 2])
        third.cancel()
        self.failureResultOf(third, CancelledError)
        self.assertEqual(turns._waiting, {})

    def test_at_once(self) -> None:
        """A call that was waiting may end while the one before it lets it begin."""
        turns, end, called = InTurn(), Deferred(), []

        async def first() -> None:
            await end

        async def at_once() -> None:
            called.append(turns.run("b", at_last))

        async def at_last() -> None:
            called.append("at last")

        waiting = [turns.run("a", first), turns.run("a", at_once)]
        end.callback(None)
        for one in waiting:
            self.assertIsNone(self.successResultOf(one))
        self.assertEqual((called[0], turns._waiting), ("at last", {}))

    def test_very_many(self) -> None:
        """Thousands who wait, and end as soon as they are let in, come one after the other."""
        turns, end, called = InTurn(), Deferred(), []

        async def first() -> None:
            await end

        async def call(number: int) -> None:
            called.append(number)

        waiting = [turns.run("a", first), *(turns.run("a", partial(call, number)) for number in range(3000))]
        end.callback(None)
        for one in waiting:
            self.successResultOf(one)
        self.assertEqual((called, turns._waiting, turns._passing), (list(range(3000)), {}, {}))


class BatcherTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.batches: list[list[int]] = []
        self.running: list[Deferred] = []
        self.batcher: Batcher[int] = Batcher(self.work, 3)

    def work(self, batch: list[int]) -> Deferred:
        self.batches.append(batch)
        self.running.append(Deferred())
        return self.running[-1]

    def test_work_that_ends_at_once(self) -> None:
        """Thousands of items that came while others were worked on are done one after the other."""
        first, done = Deferred(), []
        batcher = Batcher(lambda items: done.extend(items) or (succeed([None]) if items[0] else first))
        waiting = [batcher.put(number) for number in range(3000)]
        idle = batcher.when_idle()
        first.callback([None])
        for one in (*waiting, idle):
            self.successResultOf(one)
        self.assertEqual(done, list(range(3000)))

    def test_what_waits_is_taken_together(self) -> None:
        """The first item runs at once and alone; what comes meanwhile follows in lists of a bounded length."""
        ends = [self.batcher.put(number) for number in range(6)]
        self.assertEqual((self.batches, self.batcher.size), ([[0]], 5))
        self.running[0].callback(["zero"])
        self.assertEqual(self.batches, [[0], [1, 2, 3]])
        self.running[1].callback(["one", "two", "three"])
        self.running[2].callback(["four", "five"])
        self.assertEqual([self.successResultOf(end) for end in ends], ["zero", "one", "two", "three", "four", "five"])
        self.assertEqual(self.batches, [[0], [1, 2, 3], [4, 5]])

    def test_an_error_of_one_is_not_that_of_others(self) -> None:
        """A result that is an exception fails its own item alone."""
        first, second, third = (self.batcher.put(number) for number in range(3))
        self.running[0].callback([0])
        self.running[1].callback([ValueError("no"), 2])
        self.failureResultOf(second, ValueError)
        self.assertEqual((self.successResultOf(first), self.successResultOf(third)), (0, 2))

    def test_broken_work_fails_its_list_and_goes_on(self) -> None:
        """When the work itself fails, all items of its list fail with its error, and the next list is begun."""
        first, second = self.batcher.put(1), self.batcher.put(2)
        self.running[0].errback(OSError("disk"))
        self.failureResultOf(first, OSError)
        self.running[1].callback(["two"])
        self.assertEqual(self.successResultOf(second), "two")

    def test_work_that_raises_at_once(self) -> None:
        """Work that raises instead of answering fails its items, and does not stop the queue."""
        answers: list[object] = [ValueError("no"), ["two"]]

        def work(batch: list[int]) -> object:
            answer = answers.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer

        batcher: Batcher[int] = Batcher(work)
        self.failureResultOf(batcher.put(1), ValueError)
        self.assertEqual(self.successResultOf(batcher.put(2)), "two")

    def test_who_gives_up_disturbs_nobody(self) -> None:
        """An item whose Deferred was cancelled is worked on all the same, in its turn."""
        self.batcher.put(0)
        given_up, kept = self.batcher.put(1), self.batcher.put(2)
        given_up.cancel()
        self.failureResultOf(given_up, CancelledError)
        self.running[0].callback([0])
        self.running[1].callback(["one", "two"])
        self.assertEqual((self.batches[1], self.successResultOf(kept)), ([1, 2], "two"))

    def test_idle(self) -> None:
        """Whoever waits for the end is called when nothing runs and nothing waits, at once where that is so now."""
        self.successResultOf(self.batcher.when_idle())
        self.batcher.put(0)
        self.batcher.put(1)
        idle = self.batcher.when_idle()
        self.running[0].callback([0])
        self.assertNoResult(idle)
        self.running[1].callback([1])
        self.successResultOf(idle)

    def test_dropping_what_waits(self) -> None:
        """What has not begun fails as cancelled; what runs comes to its end."""
        running, waiting, given_up = (self.batcher.put(number) for number in range(3))
        given_up.cancel()
        self.failureResultOf(given_up, CancelledError)
        self.batcher.drop_waiting()
        self.failureResultOf(waiting, CancelledError)
        self.running[0].callback(["zero"])
        self.assertEqual((self.successResultOf(running), self.batches), ("zero", [[0]]))


class ThreadQueueTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.running: list[tuple[Deferred, tuple]] = []
        self.queue = ThreadQueue(self.run_in_thread)

    def run_in_thread(self, call, *arguments) -> Deferred:
        done: Deferred = Deferred()
        self.running.append((done, (call, *arguments)))
        return done

    def test_one_at_a_time(self) -> None:
        """A call begins when the one before it has ended, well or not."""
        first, second = self.queue.submit(max, 1, 2), self.queue.submit(min, 1, 2)
        self.assertEqual([call for _, call in self.running], [(max, 1, 2)])
        self.running[0][0].errback(ValueError("no"))
        self.failureResultOf(first, ValueError)
        self.running[1][0].callback(1)
        self.assertEqual(self.successResultOf(second), 1)

    def test_stop(self) -> None:
        """After a stop nothing more begins, and the queue is idle when what runs has ended."""
        first, second = self.queue.submit(max, 1, 2), self.queue.submit(min, 1, 2)
        self.queue.stop()
        idle = self.queue.when_idle()
        self.failureResultOf(second, CancelledError)
        self.assertNoResult(idle)
        self.running[0][0].callback(2)
        self.successResultOf(idle)
        self.assertEqual((self.successResultOf(first), len(self.running)), (2, 1))
