"""Scripts of the fuzzer on transports in memory; ``python -m tests.hostile.fuzz`` tries many more on a real daemon."""

from collections.abc import Callable
from random import Random
from typing import Any

from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from bitdust.api.methods import TABLE
from bitdust.web.answers import Answers
from bitdust.web.guard import Guard
from bitdust.web.server import rest_engine
from bitdust.web.sockets import SocketFactory
from tests.api.fakes import FakeContext
from tests.hostile.fuzz.frames import Frames
from tests.hostile.fuzz.judging import wrong
from tests.hostile.fuzz.requests import Requests
from tests.hostile.fuzz.scripts import Script

SECRET = b"s" * 32
SEED, SCRIPTS = 1, 700
A_WHILE = 120.0
"""Seconds after which every client that asks for nothing is cut off."""


class Wire(StringTransport):
    """A connection that remembers whether the node has ended it."""

    ended = False

    def abortConnection(self) -> None:
        self.ended = True

    loseConnection = loseWriteConnection = abortConnection

    def unregisterProducer(self) -> None:
        """As real ones, which do not mind that there is none."""
        self.producer = None

    def setTcpNoDelay(self, on: bool) -> None:
        """There is no socket."""


class FuzzTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.context = FakeContext(self.clock, self.mktemp())
        self.guard = Guard(self.clock, SECRET, list, list)

    def play(self, script: Script, factory: Any) -> str:
        """What is wrong with the answer."""
        protocol, wire = factory.buildProtocol(None), Wire()
        wire.protocol = protocol
        protocol.makeConnection(wire)
        for part in script.parts:
            if not wire.ended:
                protocol.dataReceived(part)
        self.clock.pump([0.0] * 80)
        found = wrong(script, wire.value())
        if script.ending == "wait":
            self.clock.pump([10.0] * int(A_WHILE / 10))
            self.assertTrue(wire.ended or script.kind.startswith("frames"), script)
        protocol.connectionLost(Failure(ConnectionDone()))
        return found

    def check(self, make: Callable[[], Script], factory: Any) -> None:
        for number in range(SCRIPTS):
            script = make()
            found = self.play(script, factory)
            self.assertEqual(
                (found, self.flushLoggedErrors()), ("", []), f"{number}: {script.kind} {script.data[:500]!r}"
            )

    def test_requests(self) -> None:
        """No request makes the node fail, nothing of it is answered twice, and no client stays for ever."""
        factory = rest_engine(self.context, TABLE, self.guard)
        self.check(Requests(Random(SEED), SECRET).script, factory)
        self.assertEqual(len(factory.channels), 0)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_frames(self) -> None:
        """No frame makes the node fail, and nothing is left of a socket."""
        factory = SocketFactory(self.context, TABLE, self.guard, Answers.alone(self.clock))
        self.check(Frames(Random(SEED), SECRET).script, factory)
        self.assertEqual(len(factory.connections), 0)
        self.assertEqual([str(call) for call in self.clock.getDelayedCalls()], [])
