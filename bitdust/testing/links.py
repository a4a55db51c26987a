"""A link without a network: both ends are in this process and hand each other bytes on one clock.

It is the second carrier of sessions, beside TCP, and shows what a carrier has to do: keep order, hold the writer back
while the reader rests, vouch for the peer's device key, and report its end. The key needs no proof here, because
whoever makes a `PipeTransport` holds it.
"""

from collections import deque

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import ConnectionRefusedError
from twisted.internet.interfaces import IReactorTime

from bitdust.crypt.device import DeviceKey
from bitdust.transport.links.link import Accept, LinkUser
from bitdust.wire.addresses import Address
from bitdust.wire.errors import BitDustError

BUFFER = 256 * 1024
"""Bytes that are written and not read; with more the writer is held back until all are read."""
SEGMENT = 64 * 1024
"""Bytes that are handed over at once at most."""
FIRST_EPHEMERAL = 40_000


class Pipes:
    """All pipes of a process: who listens, and at which address."""

    def __init__(self, clock: IReactorTime) -> None:
        self.clock = clock
        self.listening: dict[tuple[str, int], tuple[DeviceKey, Accept]] = {}
        self.muted: set[str] = set()
        """Hosts of which nothing is heard any more, and nothing says so."""
        self._last = FIRST_EPHEMERAL

    def ephemeral(self) -> int:
        """A port that nobody has."""
        self._last += 1
        return self._last


class PipeTransport:
    """The pipes of one node, which is called ``host`` here."""

    scheme = "pipe"

    def __init__(self, pipes: Pipes, host: str) -> None:
        self._pipes = pipes
        self._host = host
        self._port = 0

    def listen(self, port: int, interface: str, device: DeviceKey, accept: Accept) -> "Deferred[int]":
        number = port or self._pipes.ephemeral()
        if (self._host, number) in self._pipes.listening:
            return fail(BitDustError("port-taken", f"the pipe {number} of {self._host} is taken"))
        self._pipes.listening[self._host, number] = device, accept
        self._port = number
        return succeed(number)

    @property
    def listening(self) -> bool:
        return bool(self._port)

    @property
    def port(self) -> int:
        return self._port

    def hosts(self) -> list[str]:
        return [self._host]

    def dial(self, address: Address, device: DeviceKey, user: LinkUser) -> "Deferred[None]":
        found = self._pipes.listening.get((address.host, address.port))
        mine = Address(self.scheme, self._host, self._pipes.ephemeral())
        accepted = found[1](mine) if found is not None else None
        if found is None or accepted is None:
            return fail(ConnectionRefusedError())
        here = PipeLink(self._pipes, self._host, user, found[0].public)
        there = PipeLink(self._pipes, address.host, accepted, device.public)
        here.join(there)
        there.join(here)
        for link in (there, here):
            self._pipes.clock.callLater(0, link.begin)
        return succeed(None)

    def stop(self) -> "Deferred[None]":
        self._pipes.listening.pop((self._host, self._port), None)
        self._port = 0
        return succeed(None)


class PipeLink:
    """One end. What the other end writes waits here until it is read."""

    def __init__(self, pipes: Pipes, host: str, user: LinkUser, key: bytes) -> None:
        self._pipes = pipes
        self._host = host
        self._user = user
        self._key = key
        self._unread: deque[memoryview] = deque()
        self._unread_bytes = 0
        self._resting = self._full = self._closing = self._lost = self._woken = False
        user.link_made(self)

    def join(self, other: "PipeLink") -> None:
        """Know the other end."""
        self._other = other

    def begin(self) -> None:
        """Both ends are there."""
        if not self._lost:
            self._user.link_up()

    def device_key(self) -> bytes:
        return self._key

    def write(self, *parts: bytes) -> None:
        if self._lost or self._closing or self._is_muted():
            return
        self._other._arrive(b"".join(parts))
        if self._other._unread_bytes > BUFFER and not self._full:
            self._full = True
            self._user.link_full()

    def _is_muted(self) -> bool:
        return bool({self._host, self._other._host} & self._pipes.muted)

    def _arrive(self, data: bytes) -> None:
        self._unread.append(memoryview(data))
        self._unread_bytes += len(data)
        self._wake()

    def _wake(self) -> None:
        if not self._woken and not self._lost:
            self._woken = True
            self._pipes.clock.callLater(0, self._read)

    def _read(self) -> None:
        self._woken = False
        while self._unread and not self._resting and not self._lost:
            part = self._unread[0][:SEGMENT]
            self._unread[0] = self._unread[0][len(part) :]
            if not self._unread[0]:
                self._unread.popleft()
            self._unread_bytes -= len(part)
            self._user.link_data(bytes(part))
        if not self._unread and not self._lost:
            self._other._read_all()

    def _read_all(self) -> None:
        """The other end has read everything."""
        if self._closing:
            self._both("closed")
        elif self._full:
            self._full = False
            self._user.link_free()

    def pause_reading(self) -> None:
        self._resting = True

    def resume_reading(self) -> None:
        self._resting = False
        self._wake()

    def close(self) -> None:
        self._closing = True
        self._other._wake()

    def abort(self) -> None:
        self._unread.clear()
        self._both("aborted")

    def _both(self, reason: str) -> None:
        for link in (self,) if self._is_muted() else (self, self._other):
            self._pipes.clock.callLater(0, link._end, reason)

    def _end(self, reason: str) -> None:
        if not self._lost:
            self._lost = True
            self._user.link_lost(reason)
