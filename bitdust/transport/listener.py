"""Listener: lets peers connect, and makes room for those who prove who they are, within the scopes of the node."""

from collections.abc import Callable, Mapping

from twisted.internet.defer import Deferred, gatherResults

from bitdust.nearby import is_refused
from bitdust.scopes.reservations import Resource, TooMuch
from bitdust.scopes.scopes import Party, Scopes
from bitdust.surroundings import Surroundings
from bitdust.transport.links.link import Transport
from bitdust.transport.session import Session
from bitdust.transport.sessions import Sessions
from bitdust.wire.addresses import Address
from bitdust.wire.encoding import WireError


class Listener:
    """I open ports and decide which connections get a session at all."""

    def __init__(
        self, around: Surroundings, scopes: Scopes, sessions: Sessions, make: Callable[[Address, Party], Session]
    ) -> None:
        self._settings = around.settings
        self._me = around.me
        self._scopes = scopes
        self._sessions = sessions
        self._make = make

    def listen(self, transport: Transport, port: int) -> "Deferred[int]":
        """Open a port for peers under this device's key; fires with its number, fails with ``port-taken``."""
        interface = self._settings.get("services/network/interface")
        return transport.listen(port, interface, self._me.device, self.accept)

    def accept(self, address: Address) -> Session | None:
        """A connection has come in; None refuses it. The oldest that has proved nothing makes way for the newest:
        who is honest has proved himself in a second, who is not waits on purpose."""
        system = self._scopes.system
        is_full = not system.has_room(Resource.SESSIONS, 1) and self._sessions.idlest_stranger(system) is None
        is_closed = not self._settings.get("services/tcp-transport/receiving-enabled")
        if is_full or is_closed or is_refused(self._settings, address.host):
            return None
        return self._enter(address) if self._scopes.may_come(address.host) else None

    def _enter(self, address: Address) -> Session | None:
        party = self._scopes.party(address.host)
        try:
            party.enter()
        except TooMuch as error:
            oldest = self._sessions.oldest_unproven(error.scope)
            if oldest is None:
                return None
            oldest.give_way()
            return self._enter(address)
        return self._make(address, party)

    def let_in(self, session: Session, fingerprint: bytes) -> None:
        """A peer has proved who it is; raises `WireError` ``busy`` where there is no place for it. The stranger who was
        of no use for the longest time makes way."""
        try:
            session.party.prove(fingerprint)
        except TooMuch as error:
            idlest = self._sessions.idlest_stranger(error.scope)
            if idlest is None:
                raise WireError("busy", str(error)) from error
            idlest.give_way()
            self.let_in(session, fingerprint)


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
