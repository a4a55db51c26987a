"""No sequence of answers leaves a fetch waiting: every order of every outcome is tried for small packs."""

from collections.abc import Iterator

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from bitdust.automats.kernel import Registry
from bitdust.storage.pieces.pace import Pace
from bitdust.storage.pieces.pack_fetch import Fetch
from bitdust.wire.errors import BitDustError
from bitdust.wire.records import PackRecord, PieceRef, Scheme

GOOD, BAD, FAILED, LOST, PAUSE = "good", "bad", "failed", "lost", "pause"
LONGEST = 60.0
"""Seconds after which a fetch has ended to which everybody answers at once, or the pause between two rounds is over."""
Step = tuple[str, int]


class Trial:
    """One fetch and its suppliers, which answer as the steps say: piece number and outcome, or that time passes."""

    def __init__(self, k: int, n: int, away: frozenset[int]) -> None:
        self.clock = Clock()
        self.wall = self.clock.seconds
        self.away = set(away)
        self.coming: set[int] = set()
        self.asked: dict[int, Deferred] = {}
        self.paces: dict[bytes, Pace] = {}
        self.endings = 0
        record = PackRecord(b"o" * 32, b"p" * 16, 8, Scheme(k=k, n=n), [bytes(32)] * n)
        places = {number: bytes([number]) * 32 for number in range(n)}
        self.size = record.piece_size
        self.fetch = Fetch(Registry(self.clock, self.wall), self, record, places, k)
        self.result: list = []
        self.fetch.done.addBoth(self.result.append)
        self.fetch.start()

    # the suppliers

    def pace(self, supplier: bytes) -> Pace:
        return self.paces.setdefault(supplier, Pace())

    def rank(self, supplier: bytes) -> tuple[bool, int]:
        return (self.pace(supplier).suspect, 0)

    def is_online(self, supplier: bytes) -> bool:
        return supplier[0] not in self.away

    def is_coming(self, supplier: bytes) -> bool:
        return supplier[0] in self.away & self.coming

    def request(self, supplier: bytes, piece: PieceRef, size: int, progress: object) -> Deferred:
        asking = self.asked[piece.index] = Deferred(lambda _: self.asked.pop(piece.index, None))
        return asking

    def check(self, data: bytes, expected: bytes) -> Deferred:
        return succeed(data[:1] == b"g")

    def note_bad(self, supplier: bytes, piece: PieceRef) -> None:
        pass

    def note_missing(self, supplier: bytes, piece: PieceRef) -> None:
        pass

    def ended(self, fetch: Fetch) -> None:
        self.endings += 1

    # what happens

    def steps(self) -> Iterator[Step]:
        """All that can happen next."""
        for number in sorted(self.asked):
            for outcome in (GOOD, BAD, FAILED, LOST):
                yield outcome, number
        yield PAUSE, 0

    def take(self, step: Step) -> None:
        outcome, number = step
        if outcome == PAUSE:
            # Whoever was asked stalls and is asked beside, or the next round comes; those who were away are back.
            self.away.clear()
            self.clock.advance(1.1 if self.asked else 5.1)
            return
        asking = self.asked.pop(number)
        if outcome in (GOOD, BAD):
            asking.callback((b"g" if outcome == GOOD else b"b") * self.size)
            return
        if outcome == LOST:
            self.away.add(number)
        asking.errback(BitDustError("no-answer", outcome))

    def state(self) -> tuple:
        """All that decides what comes next, up to the patience with a supplier."""
        fetch = self.fetch
        running = tuple(sorted((one.piece.index, one.was_hedged) for one in fetch.requests()))
        asked = tuple(sorted(number for number, round_ in fetch._asked_in.items() if round_ == fetch._round))
        return (
            fetch.machine.state, fetch._round, tuple(sorted(fetch._good)), tuple(sorted(fetch._places)), running, asked,
            tuple(sorted(self.away)), tuple(self.pace(bytes([number]) * 32).suspect for number in range(8)),
        )  # fmt: skip


class EveryFetchTests(SynchronousTestCase):
    def explore(self, k: int, n: int, away: frozenset[int] = frozenset()) -> int:
        """Take every step in every state that can be reached; how many states there are."""
        seen: set[tuple] = set()
        waiting: list[tuple[Step, ...]] = [()]
        while waiting:
            path = waiting.pop()
            trial = Trial(k, n, away)
            for step in path:
                trial.take(step)
            if trial.result:
                self.check_end(trial, k, path)
                continue
            if trial.state() not in seen:
                seen.add(trial.state())
                steps = [step for step in trial.steps() if step[0] != PAUSE or not self.is_idle(path)]
                waiting.extend((*path, step) for step in steps)
                self.check_goes_on(trial, path)
        return len(seen)

    def is_idle(self, path: tuple[Step, ...]) -> bool:
        return path[-3:] == ((PAUSE, 0),) * 3

    def check_end(self, trial: Trial, k: int, path: tuple[Step, ...]) -> None:
        """It ended once, with k good pieces or the reason, and left nothing behind."""
        (result,) = trial.result
        if not isinstance(result, dict):
            self.assertEqual(result.value.code, "not-enough-pieces", path)
        else:
            self.assertEqual((len(result) >= k, {data[:1] for data in result.values()}), (True, {b"g"}), path)
        left = (trial.endings, trial.asked, trial.clock.getDelayedCalls())
        self.assertEqual(left, (1, {}, []), path)

    def check_goes_on(self, trial: Trial, path: tuple[Step, ...]) -> None:
        """Where nobody is asked, time alone brings another question or the end; answers to all of them do, too."""
        before = trial.endings
        for _ in range(40):
            if trial.result:
                break
            for number in list(trial.asked):
                trial.take((FAILED, number))
            if not trial.result and not trial.asked:
                trial.clock.advance(5.1)
        self.assertTrue(trial.result, f"it waits for ever after {path}")
        self.assertEqual((before, trial.endings), (0, 1), path)

    def test_what_cannot_succeed_ends_at_once(self) -> None:
        """When too few are left who may have a piece, nobody is waited for, and no other round is made."""
        for code in ("not-found", "bad"):
            trial = Trial(2, 3, frozenset())
            for number in (0, 1):
                asking = trial.asked.pop(number)
                if code == "bad":
                    asking.callback(b"b" * trial.size)
                else:
                    asking.errback(BitDustError(code, "I have not got it"))
            self.check_end(trial, 2, ())
            self.assertEqual((trial.fetch.machine.state, trial.clock.seconds()), ("FAILED", 0.0), code)

    def passes(self, trial: Trial, seconds: int) -> None:
        for _ in range(seconds):
            trial.clock.advance(1)

    def test_those_on_the_way_are_waited_for(self) -> None:
        """While too few are there and others are being dialled nothing is given up; each is asked when it comes."""
        trial = Trial(2, 3, frozenset((0, 1, 2)))
        trial.coming = {1, 2}
        self.passes(trial, 25)
        trial.away.remove(1)
        self.passes(trial, 3)
        trial.take((GOOD, 1))
        self.passes(trial, 25)
        self.assertEqual((trial.result, trial.asked), ([], {}))
        trial.away.remove(2)
        self.passes(trial, 3)
        trial.take((GOOD, 2))
        self.check_end(trial, 2, ())
        self.assertEqual(set(trial.result[0]), {1, 2})

    def test_nobody_on_the_way_has_what_is_lacking(self) -> None:
        """Nobody is waited for whose piece was found to be bad or is here already."""
        trial = Trial(2, 3, frozenset((2,)))
        trial.take((GOOD, 0))
        trial.take((BAD, 1))
        trial.away.add(0)
        trial.coming = {0}
        self.passes(trial, 7)
        self.check_end(trial, 2, ())

    def test_nobody_is_waited_for_without_end(self) -> None:
        """Who is on the way for a minute and a half does not come."""
        trial = Trial(2, 3, frozenset((0, 1, 2)))
        trial.coming = {0, 1, 2}
        self.passes(trial, 89)
        self.assertEqual(trial.result, [])
        self.passes(trial, 3)
        self.check_end(trial, 2, ())

    def test_every_order(self) -> None:
        """One of two and two of three, with everybody there, and with one or all away at the beginning."""
        states = sum(self.explore(1, 2, away) for away in (frozenset(), frozenset((0,)), frozenset((0, 1))))
        states += sum(self.explore(2, 3, away) for away in (frozenset(), frozenset((0, 1, 2))))
        self.assertGreater(states, 500)
