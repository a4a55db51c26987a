"""Which entries of a log count: those from which the chain leads to a signed head."""

import os
from unittest import mock

from attrs import evolve
from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from bitdust.formats import log_entry
from bitdust.formats.log_entry import Entry, LogName, hash_of
from bitdust.storage.catalog.catalog import LogEnd
from bitdust.storage.log import proof
from bitdust.storage.log.proof import Goal, Noted, Walk
from bitdust.storage.log.seen import SeenHead
from bitdust.wire.encoding import WireError, decode, encode
from bitdust.wire.errors import BitDustError
from bitdust.wire.records import Head
from tests.unit.supplier_kit import now

OWNER, DEVICE = b"o" * 32, b"d" * 8
LOG = LogName(OWNER, None, DEVICE)


def chain(count: int, before: list[bytes] = []) -> list[bytes]:  # noqa: B006
    """A log with so many entries more; no two are alike."""
    found = list(before)
    for _ in range(count):
        previous = hash_of(found[-1]) if found else bytes(32)
        found.append(Entry(OWNER, DEVICE, len(found) + 1, previous, 1, os.urandom(900)).to_bytes())
    return found


def head(entries: list[bytes], sequence: int, proven: bool = True, end: int | None = None, signer=DEVICE) -> SeenHead:
    told = Head(OWNER, DEVICE, sequence, hash_of(entries[sequence - 1]), 1)
    return SeenHead(told, b"h" * 32, proven, signer=signer, end=sequence if end is None else end)


class WalkCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.asked: list[int] = []
        self.true = chain(20)
        self.noted = Noted()

    def give(self, entries: list[bytes], at_once: int = 3, cut_at: int | None = None):
        """A supplier that has these."""

        def fetch(holder: bytes, log: LogName, first: int) -> "Deferred[list[bytes]]":
            self.asked.append(first)
            if cut_at is not None and first >= cut_at:
                return fail(BitDustError("no-answer", "cut"))
            return succeed(entries[first - 1 : first - 1 + at_once])

        return fetch

    def walk(self, fetch, *heads: SeenHead, first: int = 1, after: LogEnd | None = None, opens: bool = True) -> Walk:
        goal = Goal.by(heads[0], heads)
        return Walk(fetch, b"h" * 32, goal, (first, after or LogEnd()), lambda entry: opens, self.noted)

    def all_of(self, walk: Walk) -> list[list[int]]:
        """Sequences that count, as they are handed on."""
        found = []
        while links := now(Deferred.fromCoroutine(walk.more())):
            found.append([one.sequence for one in links])
        return found

    def counted(self, walk: Walk) -> list[int]:
        return [sequence for some in self.all_of(walk) for sequence in some]


class ChainTests(WalkCase):
    def test_all_lead_to_the_head(self) -> None:
        """They are handed on together, and each is fetched once."""
        self.assertEqual(self.all_of(self.walk(self.give(self.true), head(self.true, 20))), [[*range(1, 21)]])
        self.assertEqual(self.asked, [*range(1, 21, 3)])

    def test_none_leads_to_it(self) -> None:
        """Of what is made up nothing counts, whether it ends before the head, there, or behind it."""
        for count in (1, 19, 20, 40):
            self.assertEqual(self.counted(self.walk(self.give(chain(count)), head(self.true, 20))), [], count)
            forked = chain(count, self.true[:5])
            self.assertEqual(self.counted(self.walk(self.give(forked), head(self.true, 20))), [], count)

    def test_a_lower_head(self) -> None:
        """What leads to a lower one counts, though the rest is not given, or is made up."""
        heads = head(self.true, 20), head(self.true, 10)
        for given in (self.true[:12], chain(9, self.true[:11]), chain(40, self.true[:11])):
            self.assertEqual(self.counted(self.walk(self.give(given), *heads)), [*range(1, 11)])

    def test_a_lower_head_that_says_something_else(self) -> None:
        """It keeps nobody from what leads to the higher one: a stolen device may have signed that."""
        heads = head(self.true, 20), head(chain(10), 10)
        self.assertEqual(self.counted(self.walk(self.give(self.true), *heads)), [*range(1, 21)])

    def test_behind_the_head(self) -> None:
        """What nobody has signed yet does not count."""
        self.assertEqual(self.counted(self.walk(self.give(self.true), head(self.true, 8))), [*range(1, 9)])

    def test_what_follows_nothing_that_is_known(self) -> None:
        """Entries that do not follow the known end are refused at once."""
        walk = self.walk(self.give(self.true), head(self.true, 20), first=6, after=LogEnd(5, b"x" * 32))
        self.assertRaises(WireError, self.counted, walk)

    def test_a_gap(self) -> None:
        """What is before entries that a supplier left out is not shown by those behind them."""
        fetch = self.give(self.true)

        def with_gap(holder: bytes, log: LogName, first: int) -> "Deferred[list[bytes]]":
            return fetch(holder, log, 10 if 3 < first < 10 else first)

        self.assertEqual(self.counted(self.walk(with_gap, head(self.true, 20))), [*range(10, 21)])

    def test_a_newer_program(self) -> None:
        """What only a newer program can read keeps its place in the chain, and what is before it counts."""
        value = decode(self.true[9], 10_000) | {"version": 99, "more": b"?"}
        newer = [*self.true[:9], encode(value)]
        log = chain(10, newer)
        found = now(Deferred.fromCoroutine(self.walk(self.give(log), head(log, 20)).more()))
        self.assertEqual([one.sequence for one in found if one.entry is None], [10])
        self.assertEqual(len(found), 20)
        self.assertRaises(log_entry.NewerEntry, found[9].readable)

    def test_what_is_nowhere_in_a_chain(self) -> None:
        """One that does not even say where it belongs is refused."""
        odd = encode({"version": 99, "sequence": "one"})
        self.assertRaises(log_entry.NewerEntry, self.counted, self.walk(self.give([odd]), head(self.true, 20)))


class UnprovenTests(WalkCase):
    """Heads of devices that count no more, which lead further than they count, or vouch for another one."""

    def test_one_that_goes_on(self) -> None:
        """Of what a device wrote until it was revoked all counts that leads to what it has signed since."""
        self.assertEqual(self.counted(self.walk(self.give(self.true), head(self.true, 20, False, 7))), [*range(1, 8)])
        forged = chain(20)
        self.assertEqual(self.counted(self.walk(self.give(forged), head(self.true, 20, False, 7))), [])
        self.assertEqual(self.counted(self.walk(self.give(self.true[:15]), head(self.true, 20, False, 7))), [])

    def test_one_beside_a_proven_one(self) -> None:
        """Where a device that counts has signed something else, it shows nothing."""
        forged = chain(20)
        heads = head(forged, 20, False), head(self.true, 20)
        self.assertEqual(self.counted(self.walk(self.give(forged), *heads)), [])
        longer = head(forged, 20, False, 7), head(self.true, 7)
        self.assertEqual(self.counted(self.walk(self.give(forged), *longer)), [])

    def test_one_that_was_signed_in_place(self) -> None:
        """What a device that counts no more has signed for another one goes on from what that one has signed."""
        vouched = head(self.true, 20, False, signer=b"another!")
        self.assertEqual(self.counted(self.walk(self.give(self.true), vouched, head(self.true, 7))), [*range(1, 21)])
        forged = chain(20)
        vouched = head(forged, 20, False, signer=b"another!")
        self.assertEqual(self.counted(self.walk(self.give(forged), vouched, head(self.true, 7))), [])


class LargeTests(WalkCase):
    """Logs that are larger than what is kept in memory."""

    def setUp(self) -> None:
        super().setUp()
        self.patch(proof, "MOST_KEPT", 5000)
        self.patch(proof, "MOST_UNREADABLE", 10_000)

    def test_all_is_fetched_once_more(self) -> None:
        """They are handed on in parts, when they were seen to lead to the head; no part is large."""
        found = self.all_of(self.walk(self.give(self.true), head(self.true, 20)))
        self.assertEqual([sequence for some in found for sequence in some], [*range(1, 21)])
        self.assertGreater(len(found), 1)
        self.assertLess(max(map(len, found)), 10)
        self.assertEqual(self.asked, [*range(1, 21, 3)] * 2)

    def test_little_is_kept(self) -> None:
        """On the way nothing but where the parts end is in memory."""
        walk, most = self.walk(self.give(self.true), head(self.true, 20)), []
        has_room = walk._has_room
        with mock.patch.object(walk, "_has_room", lambda: (has_room(), most.append(len(walk._kept)))[0]):
            self.counted(walk)
        self.assertLess(max(most), 10)

    def test_other_parts(self) -> None:
        """The supplier may cut its answers differently the second time."""
        fetch, sizes = self.give(self.true, 20), iter([3] * 7 + [1, 2, 4, 1, 1, 5, 2, 2, 1, 1, 1, 1, 1, 1, 1])

        def cut(holder: bytes, log: LogName, first: int) -> "Deferred[list[bytes]]":
            return fetch(holder, log, first).addCallback(lambda entries: entries[: next(sizes)])

        self.assertEqual(self.counted(self.walk(cut, head(self.true, 20))), [*range(1, 21)])

    def test_another_log_the_second_time(self) -> None:
        """What is not the same again does not count; what was up to there does."""
        for same in (0, 9):
            fetch, forged = self.give(self.true), self.give(chain(60, self.true[:same]))
            self.asked.clear()
            self.noted = Noted()

            def lie(holder: bytes, log: LogName, first: int, fetch=fetch, forged=forged) -> "Deferred[list[bytes]]":
                return (fetch if len(self.asked) < 7 else forged)(holder, log, first)

            found = self.counted(self.walk(lie, head(self.true, 20)))
            self.assertEqual(found, [*range(1, len(found) + 1)])
            self.assertLessEqual(len(found), same)
            self.assertLess(len(self.asked), 7 + 12)

    def test_cut_on_the_way(self) -> None:
        """Where the connection is cut the first time nothing counts but what leads to a lower head."""
        heads = head(self.true, 20), head(self.true, 10)
        self.assertEqual(self.counted(self.walk(self.give(self.true, cut_at=16), heads[0])), [])
        self.assertEqual(self.counted(self.walk(self.give(self.true, cut_at=16), *heads)), [*range(1, 11)])

    def test_cut_the_second_time(self) -> None:
        """What was handed on by then stays, and the next walk goes on from there."""
        fetch = self.give(self.true)

        def cut(holder: bytes, log: LogName, first: int) -> "Deferred[list[bytes]]":
            return fetch(holder, log, first) if len(self.asked) < 10 else fail(BitDustError("no-answer", "cut"))

        found = self.counted(self.walk(cut, head(self.true, 20)))
        self.assertTrue(0 < len(found) < 20)
        last = found[-1]
        after = LogEnd(last, hash_of(self.true[last - 1]))
        rest = self.walk(self.give(self.true), head(self.true, 20), first=last + 1, after=after)
        self.assertEqual(found + self.counted(rest), [*range(1, 21)])

    def test_a_line_that_is_cut_again_and_again(self) -> None:
        """Each walk goes on where the one before was cut off, so that all comes in the end; also where the person who
        holds it gives no more than two answers at a time."""
        found, most = [], 0
        while len(found) < 20 and most < 20:
            most, left, fetch = most + 1, [2], self.give(self.true)

            def cut(holder: bytes, log: LogName, first: int, left=left, fetch=fetch) -> "Deferred[list[bytes]]":
                left[0] -= 1
                return fetch(holder, log, first) if left[0] >= 0 else fail(BitDustError("no-answer", "cut"))

            after = LogEnd(found[-1], hash_of(self.true[found[-1] - 1])) if found else LogEnd()
            found += self.counted(self.walk(cut, head(self.true, 20), first=len(found) + 1, after=after))
        self.assertEqual(found, [*range(1, 21)])
        self.assertLess(most, 10)

    def test_two_walks_in_turns(self) -> None:
        """Of one log a snapshot may be read and what follows what is here: neither begins anew because of the other."""
        found: dict[int, list[int]] = {1: [], 6: []}
        for first in [1, 6] * 10:
            left, fetch, sofar = [2], self.give(self.true), found[first]

            def cut(holder: bytes, log: LogName, at: int, left=left, fetch=fetch) -> "Deferred[list[bytes]]":
                left[0] -= 1
                return fetch(holder, log, at) if left[0] >= 0 else fail(BitDustError("no-answer", "cut"))

            last = sofar[-1] if sofar else first - 1
            after = LogEnd(last, hash_of(self.true[last - 1])) if last else LogEnd()
            sofar += self.counted(self.walk(cut, head(self.true, 20), first=last + 1, after=after))
        self.assertEqual(found, {1: [*range(1, 21)], 6: [*range(6, 21)]})

    def test_a_comparison_that_takes_too_long(self) -> None:
        """So it is where whoever compares gives up waiting: over a slow line its time is over again and again."""
        found, most = [], 0
        while len(found) < 20 and most < 20:
            most, left, fetch = most + 1, [2], self.give(self.true)

            def slow(holder: bytes, log: LogName, first: int, left=left, fetch=fetch) -> "Deferred[list[bytes]]":
                left[0] -= 1
                return fetch(holder, log, first) if left[0] >= 0 else Deferred()

            after = LogEnd(found[-1], hash_of(self.true[found[-1] - 1])) if found else LogEnd()
            walk = self.walk(slow, head(self.true, 20), first=len(found) + 1, after=after)
            while True:
                more = Deferred.fromCoroutine(walk.more())
                more.cancel()
                if isinstance(getattr(more, "result", None), Failure):
                    self.failureResultOf(more, CancelledError)
                    break
                links = self.successResultOf(more)
                found += [one.sequence for one in links]
                if not links:
                    break
        self.assertEqual(found, [*range(1, 21)])
        self.assertLess(most, 12)

    def test_a_supplier_that_is_none_any_more(self) -> None:
        """Where walks of former suppliers were cut off is forgotten; the walks of others go on where they were."""
        for holder in (b"h" * 32, b"g" * 32):
            goal = Goal.by(head(self.true, 20), [head(self.true, 20)])
            walk = Walk(self.give(self.true, cut_at=16), holder, goal, (1, LogEnd()), lambda entry: True, self.noted)
            self.assertEqual(self.counted(walk), [])
        self.noted.keep([b"h" * 32])
        self.assertEqual([holder for holder, _ in self.noted.cut], [b"h" * 32])
        self.asked.clear()
        self.assertEqual(self.counted(self.walk(self.give(self.true), head(self.true, 20))), [*range(1, 21)])
        self.assertEqual(self.asked[0], 16)

    def test_going_on_with_something_else(self) -> None:
        """What follows where a walk was cut off counts no more than before, if it leads nowhere."""
        forged = chain(20)
        self.assertEqual(self.counted(self.walk(self.give(forged, cut_at=7), head(self.true, 20))), [])
        self.assertRaises(WireError, self.counted, self.walk(self.give(self.true), head(self.true, 20)))
        self.assertEqual(self.counted(self.walk(self.give(self.true), head(self.true, 20))), [*range(1, 21)])

    def test_what_led_to_a_head_of_few(self) -> None:
        """What was noted on the way to a head that a thief may have signed counts no more where most name another
        entry; what was noted on the way to that one does."""
        forged, wanted = chain(20), head(self.true, 20)
        most = evolve(Goal.by(wanted, [wanted]), is_common=True)

        def walk(fetch, goal: Goal) -> list[int]:
            return self.counted(Walk(fetch, b"h" * 32, goal, (1, LogEnd()), lambda entry: True, self.noted))

        def cut(entries: list[bytes]):
            fetch, left = self.give(entries), [7]

            def cut(holder: bytes, log: LogName, first: int) -> "Deferred[list[bytes]]":
                left[0] -= 1
                return fetch(holder, log, first) if left[0] >= 0 else fail(BitDustError("no-answer", "cut"))

            return cut

        few = head(forged, 20)
        self.assertEqual(walk(cut(forged), Goal.by(few, [few])), [])
        self.assertEqual(walk(self.give(forged), most), [])
        self.assertEqual(walk(cut(self.true), most), [])
        self.asked.clear()
        self.assertEqual(walk(self.give(self.true), most), [*range(1, 21)])
        self.assertEqual(self.asked, [*range(1, 21, 3)])

    def test_what_nobody_can_open(self) -> None:
        """Who knows no secret cannot keep a node busy with entries without end."""
        walk = self.walk(self.give(chain(300)), head(chain(300), 300), opens=False)
        self.assertEqual(self.counted(walk), [])
        self.assertLess(len(self.asked), 6)

    def test_several_heads(self) -> None:
        """What leads to a lower head is not fetched again with what is behind it."""
        true = chain(40)
        found = self.counted(self.walk(self.give(true), head(true, 40), head(true, 18)))
        self.assertEqual(found, [*range(1, 41)])
        self.assertEqual(max(map(self.asked.count, self.asked)), 2)
