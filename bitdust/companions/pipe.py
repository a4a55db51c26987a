"""Messages between a router and a node: in order, one packet at a time, and no more than the other side takes."""

from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from bitdust.peers.own_devices import sessions_of
from bitdust.ports import Sessions
from bitdust.wire.encoding import WireError
from bitdust.wire.schema import Bytes, Choice, Flag, Int, Optional, Struct, Text

FROM_APP, FOR_APP = "from-app", "for-app"
SERVICE = "service_web_socket_router"
LABEL = 16
MAX_PACKET = 1 << 18
FULL = 1 << 18
MOST_MESSAGES = 4096
DEADLINE = 30.0
MAX_REASON = 123
LIFE = 8
WISH = Struct({"service": Choice((SERVICE,)), "label": Bytes(LABEL), "life": Bytes(LIFE)})
FRAMES = Struct(
    {
        "kind": Choice((FROM_APP, FOR_APP)),
        "label": Bytes(LABEL),
        "client": Int(0, 2**53),
        "number": Int(0, 2**53),
        "closed": Flag(),
        "code": Int(0, 4999),
        "reason": Text(MAX_REASON),
        "peer": Optional(Text(64)),
    }
)


@frozen
class Farewell:
    """How a connection ends."""

    code: int
    reason: str


Send = Callable[[int, Farewell | None, bytes], "Deferred[Any]"]
"""One packet: its number, whether it is the last one, and its payload; fires when it has arrived."""


class Pipe:
    """What is on its way to one connection at the other end of a session. ``full`` is called when so much waits that
    its source should rest, ``room`` when it may go on, ``failed`` when nothing arrives any more."""

    def __init__(
        self, send: Send, full: Callable[[], None], room: Callable[[], None], failed: Callable[[], None]
    ) -> None:
        self._send = send
        self._full, self._room, self._failed = full, room, failed
        self._waiting: deque[bytes] = deque()
        self._size = 0
        self._number = 0
        self._on_its_way: Deferred[Any] | None = None
        self._is_full = False
        self._farewell: Farewell | None = None
        self._is_over = False
        self._ends: list[Deferred[None]] = []

    def put(self, data: bytes) -> None:
        """One message more."""
        if self._is_over or self._farewell is not None:
            return
        self._waiting.append(data)
        self._size += len(data)
        if self._size > FULL and not self._is_full:
            self._is_full = True
            self._full()
        self._pump()

    def close(self, farewell: Farewell) -> "Deferred[None]":
        """Nothing more behind what waits; fires when that has arrived, or cannot arrive."""
        ended: Deferred[None] = Deferred()
        self._ends.append(ended)
        if self._farewell is None:
            self._farewell = farewell
            self._pump()
        self._note_end()
        return ended

    def _note_end(self) -> None:
        if self._is_over and self._on_its_way is None:
            ends, self._ends = self._ends, []
            for ended in ends:
                ended.callback(None)

    def stop(self) -> None:
        """Nobody is there any more."""
        self._is_over = True
        self._waiting.clear()
        sending, self._on_its_way = self._on_its_way, None
        if sending is not None:
            sending.cancel()
        self._note_end()

    def _pump(self) -> None:
        if self._on_its_way is not None or self._is_over or not (self._waiting or self._farewell):
            return
        payload = b"".join(self._next())
        last = None if self._waiting else self._farewell
        self._is_over = last is not None
        number, self._number = self._number, self._number + 1
        sending = self._on_its_way = self._send(number, last, payload)
        sending.addCallbacks(lambda _: self._arrived(), self._lost)

    def _next(self) -> Iterator[bytes]:
        size = 0
        while self._waiting and (not size or size + len(self._waiting[0]) + 4 <= MAX_PACKET):
            data = self._waiting.popleft()
            self._size -= len(data)
            size += len(data) + 4
            yield len(data).to_bytes(4, "big")
            yield data

    def _arrived(self) -> None:
        self._on_its_way = None
        if self._is_full and self._size <= FULL // 2:
            self._is_full = False
            self._room()
        self._pump()
        self._note_end()

    def _lost(self, failure: Failure) -> None:
        was_last, self._on_its_way = self._is_over, None
        self._is_over = True
        self._waiting.clear()
        if not was_last:
            self._failed()
        self._note_end()


def messages(payload: bytes) -> list[bytes]:
    """The messages of one packet; raises `WireError` ``bad-frames``."""
    found: list[bytes] = []
    start = 0
    while start < len(payload):
        size = int.from_bytes(payload[start : start + 4], "big")
        start += 4 + size
        if start > len(payload) or len(found) >= MOST_MESSAGES:
            raise WireError("bad-frames", "the payload is no list of messages")
        found.append(payload[start - size : start])
    return found


class Order:
    """Packets of one connection come in the order of their numbers, each once."""

    def __init__(self) -> None:
        self._next = 0

    def is_new(self, number: int) -> bool:
        """Whether it is the next one; False for one that has come before. Raises `WireError` ``bad-frames``."""
        if number > self._next:
            raise WireError("bad-frames", "a packet is missing before this one")
        if number < self._next:
            return False
        self._next += 1
        return True


def session_of(sessions: Sessions, fingerprint: bytes, device: bytes) -> Any:
    """The session with one device of somebody who may have several; None where there is none."""
    return next((one for one in sessions_of(sessions, fingerprint) if one.peer.device == device), None)
