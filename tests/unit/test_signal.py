"""Signals and wires: how parts report to each other, and how the assembly joins them."""

from typing import Any, Protocol

from twisted.trial.unittest import TestCase

from bitdust.signal import Signal
from bitdust.wiring import Wire, WiringError, check_wires


class SignalTests(TestCase):
    def setUp(self) -> None:
        self.signal: Signal[int] = Signal()
        self.heard: list[Any] = []

    def test_every_listener_is_called(self) -> None:
        """Listeners are called in the order in which they connected, each with what was emitted."""
        self.signal.connect(lambda number: self.heard.append(("first", number)))
        self.signal.connect(lambda number: self.heard.append(("second", number)))
        self.signal.emit(7)
        self.assertEqual(self.heard, [("first", 7), ("second", 7)])

    def test_disconnected(self) -> None:
        """A listener that disconnected is not called, however often it disconnects; the others still are."""
        stop = self.signal.connect(lambda number: self.heard.append("stopped"))
        self.signal.connect(self.heard.append)
        stop()
        stop()
        self.signal.emit(1)
        self.assertEqual(self.heard, [1])

    def test_disconnects_while_emitting(self) -> None:
        """A listener that another one disconnects is not called any more in the same turn."""
        stops: list[Any] = []
        self.signal.connect(lambda number: stops[0]())
        stops.append(self.signal.connect(self.heard.append))
        self.signal.emit(1)
        self.assertEqual(self.heard, [])

    def test_a_listener_that_fails(self) -> None:
        """A listener that raises is logged and keeps nobody else from being called."""
        self.signal.connect(lambda number: 1 // 0)
        self.signal.connect(self.heard.append)
        self.signal.emit(1)
        self.assertEqual(self.heard, [1])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_connected(self) -> None:
        """A signal knows whether anybody listens."""
        self.assertFalse(self.signal.connected)
        stop = self.signal.connect(self.heard.append)
        self.assertTrue(self.signal.connected)
        stop()
        self.assertFalse(self.signal.connected)


class Lamp(Protocol):
    """What a switch needs."""

    @property
    def is_lit(self) -> bool: ...

    def light(self) -> None: ...


class Switch:
    lamp = Wire(Lamp)


class GoodLamp:
    @property
    def is_lit(self) -> bool:
        raise AssertionError("a wire runs no property")

    def light(self) -> None:
        """Shine."""


class WireTests(TestCase):
    def test_plugged_in(self) -> None:
        """A wire gives what was plugged in, each part its own."""
        one, other, lamp = Switch(), Switch(), GoodLamp()
        one.lamp = lamp
        self.assertIs(one.lamp, lamp)
        self.assertRaises(WiringError, lambda: other.lamp)

    def test_missing(self) -> None:
        """Assembly names every wire that was left out."""
        complete, incomplete = Switch(), Switch()
        complete.lamp = GoodLamp()
        error = self.assertRaises(WiringError, check_wires, [complete, incomplete, object()])
        self.assertEqual(str(error), "not wired: Switch.lamp")
        check_wires([complete])

    def test_doubled(self) -> None:
        """A wire is plugged in once."""
        switch = Switch()
        switch.lamp = GoodLamp()
        error = self.assertRaises(WiringError, setattr, switch, "lamp", GoodLamp())
        self.assertIn("Switch.lamp is wired already", str(error))

    def test_wrong(self) -> None:
        """What lacks a member of the protocol is refused with its name."""
        error = self.assertRaises(WiringError, setattr, Switch(), "lamp", object())
        self.assertIn("Switch.lamp needs a Lamp", str(error))
        self.assertIn("has no is_lit, light", str(error))
