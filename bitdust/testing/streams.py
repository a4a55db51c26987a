"""Connections of a memory network: two ends that hand each other bytes as TCP does."""

from collections import deque
from typing import Any, Protocol

from twisted.internet import error
from twisted.internet.address import IPv4Address
from twisted.internet.interfaces import (
    IConsumer,
    IDelayedCall,
    IProtocol,
    IPushProducer,
    IReactorTime,
    ITCPTransport,
)
from twisted.python.failure import Failure
from zope.interface import implementer

WINDOW = 256 * 1024
"""Bytes of one direction that are on their way or unread at most; more wait at the sender."""
BUFFER = 64 * 1024
"""Bytes that wait at the sender before its producer is paused, as in a reactor."""
SEGMENT = 64 * 1024
"""Bytes that are handed over at once at most, as a reactor reads them."""
RETRIES = 15
"""How often bytes are sent again into a partition; with pauses that double, a quarter of an hour, as in Linux."""


class Ether(Protocol):
    """What bytes fly through."""

    clock: IReactorTime
    latency: float
    bandwidth: float

    def hears(self, one: str, other: str) -> bool:
        """Whether bytes get from one host to the other."""

    def lives(self, address: str) -> bool:
        """Whether a host is there at all."""

    def life(self, address: str) -> int:
        """How often a host has started again."""


@implementer(ITCPTransport, IConsumer, IPushProducer)
class MemoryTransport:
    """One end of a connection. ``in_transit`` bytes of it are sent and not read yet, at most a window."""

    disconnecting = False
    disconnected = False

    def __init__(self, network: Ether, mine: IPv4Address, theirs: IPv4Address) -> None:
        self._network = network
        self._mine = mine
        self._theirs = theirs
        self._life = network.life(mine.host)
        self._waiting: deque[memoryview] = deque()
        self._waiting_bytes = 0
        self._unread: deque[bytes | None] = deque()
        self.in_transit = 0
        self._reading = True
        self._producer: Any = None
        self._streaming = False
        self._producer_paused = False
        self._pull: IDelayedCall | None = None
        self._ending = False
        self._flight: deque[tuple[float, bytes | None]] = deque()
        self._timer: IDelayedCall | None = None
        self._tries = 0
        self._next_free = 0.0

    def join(self, other: "MemoryTransport", protocol: IProtocol) -> None:
        """Know the other end, and who reads here."""
        self._other = other
        self._protocol = protocol

    @property
    def _is_forgotten(self) -> bool:
        """Whether this end's host has started again since."""
        return self._network.life(self._mine.host) != self._life

    # writing

    def write(self, data: bytes) -> None:
        """Send bytes; they wait here while the window is full."""
        if self.disconnected or self._ending or not data:
            return
        self._waiting.append(memoryview(bytes(data)))
        self._waiting_bytes += len(data)
        self._send()
        self._mind_producer()

    def writeSequence(self, data: Any) -> None:  # noqa: N802 - the interface's name
        """Send several parts."""
        self.write(b"".join(data))

    def _send(self) -> None:
        while self._waiting and self.in_transit < WINDOW:
            part = self._waiting[0][: min(SEGMENT, WINDOW - self.in_transit)]
            self._waiting[0] = self._waiting[0][len(part) :]
            if not self._waiting[0]:
                self._waiting.popleft()
            self._waiting_bytes -= len(part)
            self.in_transit += len(part)
            self._put_on_way(bytes(part))
        producing = self._producer is not None and (self._producer_paused or not self._streaming)
        if self.disconnecting and not self._waiting and not producing and not self._ending:
            self._ending = True
            self._put_on_way(None)
            self._network.clock.callLater(0, self._lost, error.ConnectionDone())

    def _put_on_way(self, part: bytes | None) -> None:
        """Bytes, or None for the end, that arrive in order after the time they take."""
        now, network = self._network.clock.seconds(), self._network
        sending = len(part) / network.bandwidth if part and network.bandwidth else 0.0
        self._next_free = max(self._next_free, now) + sending
        arrival = self._next_free + network.latency
        self._flight.append((max(arrival, self._flight[-1][0]) if self._flight else arrival, part))
        self._mind_flight()

    def _mind_flight(self) -> None:
        if self._flight and self._timer is None:
            pause = max(0.0, self._flight[0][0] - self._network.clock.seconds())
            self._timer = self._network.clock.callLater(pause, self._land)

    def _land(self) -> None:
        if self._is_forgotten:
            self._flight.clear()
        elif not self._network.hears(self._mine.host, self._theirs.host):
            self._timer = None
            self._try_again()
            return
        self._tries = 0
        now = self._network.clock.seconds()
        if self._flight:
            now = max(self._flight[0][0], now)
        while self._flight and self._flight[0][0] <= now:
            self._other.arrive(self._flight.popleft()[1])
        self._timer = None
        self._mind_flight()

    def _try_again(self) -> None:
        """A dead host is never told of; through a partition TCP sends again for a while (RFC 6298, section 5)."""
        if not all(self._network.lives(end.host) for end in (self._mine, self._theirs)):
            self._flight.clear()
        elif self._tries > RETRIES:
            self._flight.clear()
            self._lost(error.TimeoutError())
        else:
            self._timer = self._network.clock.callLater(min(0.2 * 2**self._tries, 120.0), self._land)
            self._tries += 1

    # producers

    def _mind_producer(self) -> None:
        if self._producer is None:
            return
        if not self._streaming:
            if not self._waiting and self._pull is None:
                self._pull = self._network.clock.callLater(0, self._ask)
        elif self._waiting_bytes > BUFFER and not self._producer_paused:
            self._producer_paused = True
            self._producer.pauseProducing()
        elif not self._waiting and self._producer_paused:
            self._producer_paused = False
            self._producer.resumeProducing()

    def _ask(self) -> None:
        self._pull = None
        if self._producer is not None and not self._streaming and not self._waiting:
            self._producer.resumeProducing()

    def registerProducer(self, producer: Any, streaming: bool) -> None:  # noqa: N802 - the interface's name
        """Somebody produces as long as there is room. Raises `RuntimeError` when somebody does so already."""
        if self._producer is not None:
            raise RuntimeError("a transport has one producer")
        if self.disconnected:
            producer.stopProducing()
            return
        self._producer, self._streaming, self._producer_paused = producer, streaming, False
        if not streaming:
            self._mind_producer()

    def unregisterProducer(self) -> None:  # noqa: N802 - the interface's name
        """Nobody produces any more."""
        self._producer = None
        self._send()

    # reading

    def arrive(self, part: bytes | None) -> None:
        """Bytes of the other end are here, or its end; a host that has started again knows nothing of it."""
        if not self.disconnected and not self._is_forgotten:
            self._unread.append(part)
            self._read()
        elif part is not None:
            self._reset()

    def _read(self) -> None:
        while self._unread and self._reading and not self.disconnected:
            part = self._unread.popleft()
            if part is None:
                self._lost(error.ConnectionDone())
                return
            self._other.taken(len(part))
            if not self.disconnecting:
                self._protocol.dataReceived(part)

    def taken(self, size: int) -> None:
        """The other end has read; there is room for more."""
        self.in_transit -= size
        if not self.disconnected:
            self._send()
            self._mind_producer()

    def pauseProducing(self) -> None:  # noqa: N802 - the interface's name
        """Read nothing for now."""
        self._reading = False

    def resumeProducing(self) -> None:  # noqa: N802 - the interface's name
        """Read again."""
        self._reading = True
        self._network.clock.callLater(0, self._read)

    def stopProducing(self) -> None:  # noqa: N802 - the interface's name
        """Read nothing any more."""
        self.loseConnection()

    # the end

    def loseConnection(self, _failure: Failure | None = None) -> None:  # noqa: N802 - the interface's name
        """Close once everything is sent."""
        if not self.disconnected and not self.disconnecting:
            self.disconnecting = True
            self._send()

    def loseWriteConnection(self) -> None:  # noqa: N802 - the interface's name
        """The same: nobody here speaks after that."""
        self.loseConnection()

    def abortConnection(self) -> None:  # noqa: N802 - the interface's name
        """Close at once; what waits or is on its way is dropped. The protocol hears of it on the next turn."""
        if not self.disconnected:
            self.disconnecting = self._ending = True
            self._waiting.clear()
            self._reset()
            self._forget_flight()
            self._network.clock.callLater(0, self._lost, error.ConnectionAborted())

    def _reset(self) -> None:
        """Tell the other end once that nobody is here."""
        self._network.clock.callLater(self._network.latency, self._other.broken)

    def broken(self) -> None:
        """The other end has aborted, or is not there any more."""
        if self._network.hears(self._theirs.host, self._mine.host) and not self._is_forgotten:
            self._forget_flight()
            self._lost(error.ConnectionLost())

    def _forget_flight(self) -> None:
        self._flight.clear()
        if self._timer is not None and self._timer.active():
            self._timer.cancel()

    def _lost(self, reason: Exception) -> None:
        if self.disconnected:
            return
        self.disconnected = True
        self._waiting.clear()
        self._waiting_bytes = 0
        producer, self._producer = self._producer, None
        if not self._network.lives(self._mine.host):
            return  # nobody is here who could be told
        if producer is not None:
            producer.stopProducing()
        self._protocol.connectionLost(Failure(reason))

    # what it is

    def getPeer(self) -> IPv4Address:  # noqa: N802 - the interface's name
        """The other end."""
        return self._theirs

    def getHost(self) -> IPv4Address:  # noqa: N802 - the interface's name
        """This end."""
        return self._mine

    def getTcpNoDelay(self) -> bool:  # noqa: N802 - the interface's name
        """Nothing is ever held back."""
        return True

    def setTcpNoDelay(self, enabled: bool) -> None:  # noqa: N802 - the interface's name
        """Nothing is ever held back."""

    def getTcpKeepAlive(self) -> bool:  # noqa: N802 - the interface's name
        """Nobody asks whether the other end lives."""
        return False

    def setTcpKeepAlive(self, enabled: bool) -> None:  # noqa: N802 - the interface's name
        """Nobody asks whether the other end lives."""
