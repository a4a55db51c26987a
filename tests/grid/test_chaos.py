"""The simulator itself: it sees what is lost, says how to replay it, and has the same keys everywhere."""

import contextlib
import gc
import io
import os
import sys
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

from twisted.internet.defer import fail
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from bitdust.crypt.master import MasterPublic
from bitdust.testing.faulty_disk import Crash
from bitdust.wire.records import Family
from tests.collecting import only_what_is_new
from tests.grid.chaos import __main__ as commands
from tests.grid.chaos import keys, padding, promises, running
from tests.grid.chaos.field import Field, Finding
from tests.grid.chaos.lives import are_left
from tests.grid.chaos.talks import Talk, check_once, check_order
from tests.grid.chaos.threads import Threads
from tests.grid.chaos.truth import Truth


class ChaosTests(SynchronousTestCase):
    def test_a_chaos_that_loses_is_seen(self) -> None:
        """A run in which a file is changed on its way back fails: the command says why, how to replay it, and that it
        has failed."""
        real = promises.read
        with mock.patch.object(promises, "read", lambda path: None if "back" in path.parts else real(path)):
            code, said = self.command("4", "5", "--leave-out", "5")
        self.assertEqual((code, said.count("FAILED"), " ok, " in said), (1, 1, False))
        self.assertIn("seed 4 FAILED", said)
        self.assertIn("came back as something else", said)
        self.assertIn("\n  replay: python -m tests.grid.chaos 4 4 --mode safety -v\n", said)

    def command(self, *arguments: str) -> tuple[int, str]:
        """What `python -m tests.grid.chaos` returns and prints."""
        given = mock.patch.object(sys, "argv", ["chaos", *arguments])
        around = mock.patch.dict(os.environ, {"PYTHONHASHSEED": "0"})
        logs = mock.patch.object(commands, "globalLogBeginner")
        with given, around, logs, contextlib.redirect_stdout(io.StringIO()) as printed:
            return commands.main(), printed.getvalue()

    def test_one_seed_that_fails_is_enough(self) -> None:
        """The others are run all the same, and the command says that one has failed; so does the process of its own in
        which it runs where the order of sets is not fixed."""
        ends = {1: "", 2: "it was lost", 3: ""}
        with mock.patch.object(commands, "run_seed", lambda seed, mode, verbose: (ends[seed], [])):
            code, said = self.command("1", "3")
            self.assertEqual((code, said.count(" ok, "), said.count("FAILED")), (1, 2, 1))
            self.assertIn(running.replay(2, "safety"), said)
            self.assertEqual(self.command("1", "3", "--leave-out", "2")[0], 0)
        with mock.patch.object(sys, "argv", ["chaos", "1", "3"]), mock.patch.dict(os.environ, PYTHONHASHSEED="1"):
            for code in (0, 1):
                with mock.patch.object(commands.subprocess, "call", return_value=code) as call:
                    self.assertEqual(commands.main(), code)
                self.assertEqual(call.call_args.args[0][1:], ["-m", "tests.grid.chaos", "1", "3"])
                self.assertEqual(call.call_args.kwargs["env"]["PYTHONHASHSEED"], "0")

    def test_a_seed_replays_exactly(self) -> None:
        """Two runs of a seed write the same journal, to the last number of datagrams."""
        first, second = (running.run_seed(9, "liveness") for _ in range(2))
        self.assertEqual(first, second)


class ErrorTests(SynchronousTestCase):
    def test_what_nobody_has_handled(self) -> None:
        """An error that nobody handled is one of the run; not the death of a process, however long after it that is
        noticed."""
        only_what_is_new(self)
        field = Field(1, Path(self.mktemp()))
        with field.surroundings():
            for error in (Crash("alice"), ValueError("a mistake")):
                fail(error)
                gc.collect()
        self.assertEqual(len(self.flushLoggedErrors(Crash, ValueError)), 2)
        self.assertEqual(["a mistake" in text for text in field.errors], [True])


class PromiseTests(SynchronousTestCase):
    def test_a_refused_upload_takes_no_promise_back(self) -> None:
        """What was promised before stays promised, also where the upload that was refused had the same content."""
        one = promises.Promises()
        one.accept("file", b"content")
        one.keep("file", b"content")
        one.accept("file", b"content")
        one.take_back("file", b"content")
        self.assertEqual(one.may_be("file"), [b"content"])
        one.accept("other", b"content")
        one.take_back("other", b"content")
        self.assertEqual(one.items, ["file"])


class TruthTests(SynchronousTestCase):
    def test_a_pack_that_was_never_anywhere(self) -> None:
        """Pieces of a pack are due where k of them are anywhere, or one waits at its owner; else nobody can make
        them."""
        field, home = Field(1, Path(self.mktemp())), Path(self.mktemp())
        (home / "spool").mkdir(parents=True)
        field.suppliers = {str(number): SimpleNamespace(number=number) for number in range(4)}
        truth, owner = Truth(field), SimpleNamespace(home=home)
        record = SimpleNamespace(pack=b"p" * 16, scheme=SimpleNamespace(n=4, k=2))
        holders = {1}
        self.patch(truth, "holds", lambda node, record, number: node.number == number and number in holders)
        self.assertFalse(truth.can_be_made(owner, record))
        (home / "spool" / f"{record.pack.hex()}.3").touch()
        self.assertTrue(truth.can_be_made(owner, record))
        (home / "spool" / f"{record.pack.hex()}.3").unlink()
        holders.add(2)
        self.assertTrue(truth.can_be_made(owner, record))


class LivesTests(SynchronousTestCase):
    def test_who_may_be_off(self) -> None:
        """Half of a family must be up, and where two share a place each of them may have what the other one lacks."""
        first, second, leaver = b"1" * 32, b"2" * 32, b"3" * 32
        family = Family(b"c" * 32, 1, 1, 2, 0, [first, second], leaving=[leaver, None])
        self.assertTrue(are_left(family, {second}))
        self.assertTrue(are_left(family, {first, leaver}))
        self.assertFalse(are_left(family, {first}))
        self.assertFalse(are_left(family, {leaver}))
        self.assertTrue(are_left(Family(b"c" * 32, 1, 1, 2, 0, [None, None]), set()))


class TalkTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.home = SimpleNamespace(name="alice")
        self.talk = Talk("letter")
        self.said = [self.talk.begin(None, self.home) for _ in range(3)]
        for one in self.said:
            one.is_kept, one.to = True, {"bob"}

    def messages(self, *numbers: int) -> list:
        texts = [self.said[number].text for number in numbers]
        return [SimpleNamespace(data={"text": text}, conversation="c") for text in texts]

    def test_what_is_lacking(self) -> None:
        """A device lacks what was acknowledged and is for it; what was refused, or is for others, it may lack."""
        bob, carl = SimpleNamespace(name="bob"), SimpleNamespace(name="carl")
        self.said[1].is_kept = False
        self.assertEqual(self.talk.lacking(bob, []), [self.said[0].text, self.said[2].text])
        self.assertEqual(self.talk.lacking(carl, []), [])
        self.assertEqual(self.talk.lacking(bob, [one.text for one in self.said]), [])

    def test_a_device_that_is_lost(self) -> None:
        """What a lost device alone had may be lost, and what others have is still due."""
        self.said[1].is_safe = True
        self.talk.forget_home("alice", True)
        self.assertEqual(self.talk.lacking(SimpleNamespace(name="bob"), []), [self.said[1].text])
        self.assertEqual({one.is_contested for one in self.said}, {True})
        self.talk.forget_home("bob", False)
        self.assertEqual(self.talk.lacking(SimpleNamespace(name="bob"), []), [])

    def test_twice_or_in_another_order(self) -> None:
        """What is there twice, or behind what was said later, is found; what is missing in between is not."""
        check_order(self.home, self.talk, self.messages(0, 2))
        self.assertRaises(Finding, check_order, self.home, self.talk, self.messages(1, 0))
        check_once(self.home, ["a", "b"])
        self.assertRaises(Finding, check_once, self.home, ["a", "b", "a"])


class KeyTests(SynchronousTestCase):
    def test_keys_follow_from_their_numbers(self) -> None:
        """The stored distances lead to primes, so that a key is the same one on every machine."""
        for number in (0, 95):
            for which, far in zip("pq", keys.distances()[number], strict=True):
                self.assertTrue(keys.is_prime(keys.beginning(number, which) + far))
            self.assertEqual(keys.distance(keys.beginning(number, "p")), keys.distances()[number][0])

    def test_a_seed_has_keys_of_its_own(self) -> None:
        """The same seed gives the same keys in the same order, another seed another order."""
        one, same, other = (keys.from_seed(seed) for seed in (1, 1, 2))
        first = one().fingerprint
        self.assertEqual(first, same().fingerprint)
        self.assertNotEqual(first, other().fingerprint)
        self.assertNotEqual(first, one().fingerprint)


class PaddingTests(SynchronousTestCase):
    def test_signatures_and_boxes_follow_from_what_is_in_them(self) -> None:
        """They are those of the standard, and the same in each run."""
        key = keys.key(1)
        signature, box = padding.sign(key, b"this"), padding.wrap(key.public, b"a secret")
        self.assertTrue(key.public.verify(signature, b"this"))
        self.assertFalse(key.public.verify(signature, b"that"))
        self.assertEqual(padding.sign(key, b"this"), signature)
        with mock.patch.object(MasterPublic, "wrap", padding.wrap):
            self.assertEqual(key.unseal(key.public.seal(b"something")), b"something")
        self.assertEqual(padding.wrap(key.public, b"a secret"), box)


class ThreadTests(SynchronousTestCase):
    def test_a_disk_that_hangs_no_more_answers(self) -> None:
        """What was begun on a slow disk ends when that is mended, in order, and not when a hundred seconds are over."""
        clock, done = Clock(), list[int]()
        threads = Threads(clock)
        threads.seconds = 100.0
        for number in (1, 2):
            threads.run(done.append, number)
        clock.advance(5)
        self.assertEqual(done, [])
        threads.seconds = 0.0
        clock.advance(0.01)
        self.assertEqual(done, [1, 2])
