"""What carries the messages of a companion, what becomes of them, and who finds routers: as protocols."""

from collections.abc import Mapping
from typing import Any, Protocol

from attrs import frozen
from twisted.internet.defer import Deferred

Row = dict[str, Any]
GOING_AWAY, TRY_LATER = 1001, 1013
"""Codes with which a carrier is closed."""


class Refused(Exception):
    """A connection that is not taken: a status of HTTP and a sentence."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class Carrier(Protocol):
    """Brings whole binary messages to one companion: a WebSocket on this machine, or one at a router.

    It tells its line of what comes: `Line.received`, `Line.pause`, `Line.go_on`, `Line.lost`.
    """

    peer: str

    def send(self, data: bytes, /) -> None:
        """One message; may call `Line.pause` on the way."""

    def read_on(self, on: bool, /) -> None:
        """Read from the companion, or not."""

    def close(self, code: int, reason: str, /) -> None:
        """Say good-bye, and let nothing more in."""


class Talk(Protocol):
    """What the API makes of one open line."""

    def said(self, text: str, /) -> None:
        """One message of the companion."""

    def pause(self) -> None:
        """The carrier is full."""

    def go_on(self) -> None:
        """The carrier has room again."""

    def push(self, kind: str, payload: Row, /) -> None:
        """A message that nobody asked for."""

    def end(self) -> None:
        """The line is gone."""


class Socket(Protocol):
    """What the API writes to: a line."""

    def write(self, data: bytes) -> None: ...

    def read_on(self, on: bool) -> None: ...

    def end(self, code: int, reason: str) -> None: ...


class Desk(Protocol):
    """The API, where it is open."""

    def refusal(self, headers: Mapping[str, str], /) -> tuple[int, str] | None:
        """Why a page of this Host and Origin may not connect, with a status of HTTP; None where it may."""

    def begin(self, socket: Socket, /) -> Talk:
        """A line is open: events flow, and calls are answered."""


@frozen
class Router:
    """A node that may carry lines, and where it was seen."""

    fingerprint: bytes
    addresses: tuple[str, ...] = ()


class Routers(Protocol):
    """Finds nodes that carry lines of companions."""

    def find(self, exclude: frozenset[bytes], /) -> "Deferred[Router | None]":
        """One that is not among these; None where nobody else is known."""


class Peer(Protocol):
    """One device at the other end of a session."""

    @property
    def fingerprint(self) -> bytes: ...

    @property
    def device(self) -> bytes: ...
