"""Connections of an ID server: a share for each network, an end for each, and when it is full the oldest one goes."""

from collections.abc import Callable
from typing import Any, cast

from twisted.internet.interfaces import IAddress, IDelayedCall, IProtocolFactory, IReactorTime, ITransport
from twisted.internet.protocol import connectionDone
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.python.failure import Failure

from bitdust.scopes.networks import Household
from bitdust.scopes.plan import Plan
from bitdust.scopes.reservations import Resource, TooMuch
from bitdust.scopes.scopes import Party, Scopes
from bitdust.wire.table import Who

LONGEST = 60.0
"""Seconds that a connection may take, from its first byte to the last, however slowly it comes."""
MAX_CONNECTIONS = 256
MAX_OF_A_NETWORK = 16


def connection_scopes(clock: IReactorTime, household: Household) -> Scopes:
    """What all and each network may take of an ID server; nobody has shown there who he is."""
    system, network = {Resource.CONNECTIONS: MAX_CONNECTIONS}, {Resource.CONNECTIONS: MAX_OF_A_NETWORK}
    plan = Plan(
        system=system,
        roles={},
        peers={},
        network=network,
        session={},
        rates={},
        role_rates={},
        network_rate=(1.0, MAX_OF_A_NETWORK),
    )
    return Scopes(clock, plan, lambda _: Who(0), household)


class BoundedConnection(ProtocolWrapper):
    """One connection, which ends after a while."""

    _late: IDelayedCall | None = None
    party: Party | None = None

    def makeConnection(self, transport: ITransport) -> None:  # noqa: N802 - the interface's name
        factory = cast(Bounded, self.factory)
        self._late = factory.clock.callLater(LONGEST, self.abort)
        super().makeConnection(transport)  # type: ignore[no-untyped-call]

    def abort(self) -> None:
        """Break it off."""
        self.leave()
        cast(Any, self.transport).abortConnection()

    def leave(self) -> None:
        """Its place is free."""
        if self.party is not None:
            self.party.leave()

    def connectionLost(self, reason: Failure = connectionDone) -> None:  # noqa: N802 - the interface's name
        self.leave()
        if self._late is not None and self._late.active():
            self._late.cancel()
        super().connectionLost(reason)  # type: ignore[no-untyped-call]


class Bounded(WrappingFactory):
    """Bounds how many connections there are, in all and of each network, and how long each of them lasts.

    Whoever comes finds a place: the connection that has taken longest, of his network where that has its share, makes
    way for him. One that does its part is over in a moment.
    """

    protocol = BoundedConnection
    noisy = False

    def __init__(self, site: IProtocolFactory, clock: IReactorTime, household: Callable[[], Household]) -> None:
        super().__init__(site)  # type: ignore[no-untyped-call]
        self.clock = clock
        self._household = household
        self.scopes = connection_scopes(clock, household())
        self._oldest_first: dict[BoundedConnection, None] = {}

    def buildProtocol(self, addr: IAddress | None) -> Any:  # noqa: N802 - the interface's name
        self.scopes.household = self._household()
        party = self.scopes.party(str(getattr(addr, "host", "?")))
        if not self._admit(party):
            return None
        made = cast(BoundedConnection, super().buildProtocol(addr))
        made.party = party
        self._oldest_first[made] = None
        return made

    def _admit(self, party: Party) -> bool:
        for _ in range(2):
            try:
                party.enter()
            except TooMuch as full:
                oldest = next((one for one in self._oldest_first if one.party and one.party.holds(full.scope)), None)
                if oldest is None:
                    return False
                oldest.abort()
            else:
                return True
        return False

    def unregisterProtocol(self, protocol: ProtocolWrapper) -> None:  # noqa: N802 - the interface's name
        self._oldest_first.pop(cast(BoundedConnection, protocol), None)
        if protocol in self.protocols:
            super().unregisterProtocol(protocol)  # type: ignore[no-untyped-call]

    def break_off(self) -> None:
        """Close all of them at once."""
        for connection in list(self._oldest_first):
            connection.abort()
