"""What a session needs of its carrier: bytes both ways, back-pressure, and the proven key of the peer's device.

A `Transport` makes links of one scheme, by listening and by dialling; a `Link` is one of them, and reports to its
`LinkUser`, the session. A new carrier implements the first two and keeps `tests/contract/test_session.py`.
"""

from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet.defer import Deferred

from bitdust.crypt.device import DeviceKey
from bitdust.wire.addresses import Address

CONNECT_SECONDS = 5.0
"""So long a transport tries to reach an address: where nobody is there any more, that must not keep from the next."""


class Link(Protocol):
    """One connection with one device."""

    def device_key(self) -> bytes:
        """The Ed25519 key whose possession the peer has proved; raises `WireError` for a peer that has not."""

    def write(self, *parts: bytes) -> object:
        """Send bytes, one part behind the other; they wait here while the peer does not read."""

    def pause_reading(self) -> None:
        """Hand over no more bytes for now; the peer will notice in time that nothing is read."""

    def resume_reading(self) -> None:
        """Hand over bytes again."""

    def close(self) -> None:
        """End the connection once everything is written."""

    def abort(self) -> None:
        """End the connection now; what waits is dropped."""


class LinkUser(Protocol):
    """What a link reports to: a session. After `link_lost` nothing follows."""

    @property
    def anywhere(self) -> bool:
        """Whether the address that is dialled may lead into any private network."""

    def link_made(self, link: Link) -> None:
        """There is a connection; nothing of the peer is proven yet."""

    def link_up(self) -> None:
        """The peer has proved its device key: bytes may go both ways."""

    def link_data(self, data: bytes) -> None:
        """Bytes of the peer."""

    def link_full(self) -> None:
        """Enough is written for now."""

    def link_free(self) -> None:
        """More may be written again."""

    def link_lost(self, reason: str) -> None:
        """The connection is over."""


Accept = Callable[[Address], LinkUser | None]
"""Gives a session for a connection that has come in from an address, or None to refuse it."""


class Transport(Protocol):
    """Makes links of one scheme."""

    scheme: str

    def listen(self, port: int, interface: str, device: DeviceKey, accept: Accept) -> "Deferred[int]":
        """Let peers connect; fires with the port, fails with `BitDustError` ``port-taken``."""

    @property
    def listening(self) -> bool:
        """Whether peers can connect."""

    @property
    def port(self) -> int:
        """The port that peers connect to, 0 while nothing listens."""

    def hosts(self) -> list[str]:
        """Hosts under which peers may find that port; where it is bound to one interface, that one."""

    def dial(self, address: Address, device: DeviceKey, user: LinkUser) -> "Deferred[Any]":
        """Connect; fires when there is a connection, fails when there is none. Cancelling gives it up."""

    def stop(self) -> "Deferred[None]":
        """Let nobody connect any more; links that are up stay."""
