"""Listener: lets peers connect, within limits for those that have not proved anything yet."""

from collections import Counter
from collections.abc import Callable, Mapping

from twisted.internet.defer import Deferred, gatherResults

from bitdust.surroundings import Surroundings
from bitdust.transport.links.link import Transport
from bitdust.transport.session import Session
from bitdust.transport.sessions import Sessions
from bitdust.wire.addresses import Address

MAX_SESSIONS = 1000
MAX_UNPROVEN = 100
MAX_UNPROVEN_PER_HOST = 10


class Listener:
    """I open ports and decide which connections get a session at all."""

    def __init__(self, around: Surroundings, sessions: Sessions, make: Callable[[Address], Session]) -> None:
        self._settings = around.settings
        self._budget = around.budget
        self._me = around.me
        self._sessions = sessions
        self._make = make

    def listen(self, transport: Transport, port: int) -> "Deferred[int]":
        """Open a port for peers under this device's key; fires with its number, fails with ``port-taken``."""
        interface = self._settings.get("services/network/interface")
        return transport.listen(port, interface, self._me.device, self.accept)

    def accept(self, address: Address) -> Session | None:
        """A connection has come in; None refuses it."""
        unproven = Counter(session.call.address.host for session in self._sessions.incoming())
        loopback = address.host.startswith("127.") or address.host == "::1"
        if unproven.total() >= min(MAX_UNPROVEN, self._budget.unproven) or (
            unproven[address.host] >= MAX_UNPROVEN_PER_HOST and not loopback
        ):
            return None
        if len(self._sessions.proven()) >= min(MAX_SESSIONS, self._budget.sessions):
            return None
        if not self._settings.get("services/tcp-transport/receiving-enabled"):
            return None
        return self._make(address)


def addresses(transports: Mapping[str, Transport]) -> list[str]:
    """Where peers may find this node: one address for each host of each transport that listens."""
    return [
        str(Address(scheme, host, transport.port))
        for scheme, transport in transports.items()
        if transport.listening
        for host in transport.hosts()
    ]


def stop(transports: Mapping[str, Transport]) -> "Deferred[None]":
    """Let nobody connect any more."""
    return gatherResults([transport.stop() for transport in transports.values()]).addCallback(lambda _: None)
