"""The recorder of ports, which every test of a machine relies on."""

from typing import Any, Protocol

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase

from bitdust.testing.recorder import Recorder, Refused


class Named(Protocol):
    """The part of a port that it inherits."""

    name: str


class DoorPort(Named, Protocol):
    """One member of each kind."""

    @property
    def is_heavy(self) -> bool:
        """A property."""

    def complain(self, how: str = "softly", *, twice: bool = False) -> None:
        """A command."""

    def turn_key(self, key: int) -> "Deferred[str]":
        """Something that is waited for."""

    def lock(self) -> Deferred[None] | None:
        """Something that may have to be waited for."""

    def knows(self, who: Any) -> bool:
        """A question."""


class RecorderTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.port = Recorder(DoorPort)

    def test_commands(self) -> None:
        """A command is written down with its arguments in the order of the signature, and gives nothing."""
        self.assertIsNone(self.port.complain(twice=True, how="loudly"))
        self.port.complain()
        self.assertEqual(self.port.calls, [("complain", "loudly", True), ("complain", "softly", False)])

    def test_waiting(self) -> None:
        """A Deferred is kept by the method's name, and fires or fails when the test says so, the oldest first."""
        first, second = self.port.turn_key(1), self.port.turn_key(2)
        self.assertEqual((self.port.waiting("turn_key"), self.port.waiting()), (2, 2))
        self.port.succeed("turn_key", "open")
        self.port.fail("turn_key", ValueError("rust"))
        self.assertEqual(self.successResultOf(first), "open")
        self.failureResultOf(second, ValueError)
        self.assertEqual(self.port.calls, [("turn_key", 1), ("turn_key", 2)])
        self.assertEqual(self.port.waiting(), 0)

    def test_failure_without_reason(self) -> None:
        """A failure for which the test names no reason is one of the recorder's own."""
        waiting = self.port.turn_key(1)
        self.port.fail("turn_key")
        self.failureResultOf(waiting, Refused)

    def test_nobody_waits(self) -> None:
        """What nobody waits for can neither fire nor fail."""
        self.assertRaises(AssertionError, self.port.succeed, "turn_key")
        self.port.turn_key(1)
        self.port.succeed("turn_key")
        self.assertRaises(AssertionError, self.port.fail, "turn_key")

    def test_cancelled(self) -> None:
        """Cancellations are counted by name, and a cancelled Deferred does not wait any more."""
        waiting = self.port.turn_key(1)
        waiting.cancel()
        self.failureResultOf(waiting, CancelledError)
        self.assertEqual(self.port.cancelled, {"turn_key": 1})
        self.assertEqual(self.port.waiting("turn_key"), 0)

    def test_perhaps_a_deferred(self) -> None:
        """What may give a Deferred gives one."""
        waiting = self.port.lock()
        self.port.succeed("lock")
        self.assertIsNone(self.successResultOf(waiting))

    def test_questions(self) -> None:
        """A question gets the test's answer, a value or what a function makes of the arguments, and is no call."""
        self.port.answers["knows"] = True
        self.assertIs(self.port.knows("alice"), True)
        self.port.answers["knows"] = lambda who: who == "bob"
        self.assertIs(self.port.knows("alice"), False)
        self.assertEqual((self.port.calls, self.port.questions), ([], [("knows", "alice")] * 2))

    def test_other_answers(self) -> None:
        """An answer goes before the Deferred that the recorder would make, and the call is written down."""
        self.port.answers["turn_key"] = lambda key: succeed(key + 1)
        self.assertEqual(self.successResultOf(self.port.turn_key(1)), 2)
        self.assertEqual(self.port.calls, [("turn_key", 1)])

    def test_properties(self) -> None:
        """Properties and attributes are answered, inherited ones too, and may be set by who has the port."""
        self.port.answers |= {"is_heavy": True, "name": "gate"}
        self.assertEqual((self.port.is_heavy, self.port.name), (True, "gate"))
        self.port.name = "door"
        self.assertEqual((self.port.name, self.port.calls), ("door", []))

    def test_no_answer(self) -> None:
        """A question for which the test has no answer fails the test with the question in words."""
        error = self.assertRaises(AssertionError, self.port.knows, "alice")
        self.assertIn("DoorPort.knows('alice',)", str(error))
        self.assertRaises(AssertionError, lambda: self.port.is_heavy)

    def test_unknown_members(self) -> None:
        """What the protocol does not have can neither be read nor set."""
        self.assertRaises(AttributeError, lambda: self.port.open)
        self.assertRaises(AttributeError, setattr, self.port, "open", True)

    def test_wrong_arguments(self) -> None:
        """Arguments that do not fit the signature raise, as they would with the real port."""
        self.assertRaises(TypeError, self.port.turn_key)
        self.assertRaises(TypeError, self.port.complain, "softly", True)
        self.assertEqual(self.port.calls, [])

    def test_shared_list(self) -> None:
        """Recorders that share a list show the order across ports."""
        other = Recorder(DoorPort, self.port.calls)
        self.port.turn_key(1)
        other.turn_key(2)
        self.assertEqual(self.port.calls, [("turn_key", 1), ("turn_key", 2)])

    def test_what_cannot_be_recorded(self) -> None:
        """A class that is no protocol, and a protocol with a member that the recorder needs itself, are refused."""

        class Counting(Protocol):
            def calls(self) -> int:
                """How many."""

        self.assertRaises(TypeError, Recorder, str)
        self.assertIn("calls", str(self.assertRaises(TypeError, Recorder, Counting)))
