"""Connections that come, while nothing is known of them but their address: a handshake costs milliseconds, a connection
costs its maker nothing."""

from twisted.internet.interfaces import IReactorTime

from bitdust.scopes.reservations import Allowance, Allowances

KNOWN = (10.0, 50.0)
"""Connections a second, and at once, of a network from which people with whom there are dealings have come."""
ONE_NETWORK = (0.1, 20.0)
"""Of any other network: three hundred of them together may come as often as all strangers may."""
ALL_STRANGERS = (30.0, 120.0)
"""Of all others together. A core does 250 handshakes a second."""
FRESH = 20.0
"""So many connections are left to others for each one that a network has made already, until half of all are."""


class Arrivals:
    """I decide who may shake hands, by networks. Who comes too often is refused before that.

    What a network has made already it leaves to others many times over: one that comes for the first time is let in
    beside a flood from hundreds of networks.
    """

    def __init__(self, clock: IReactorTime) -> None:
        self._known = Allowances(clock)
        self._strangers = Allowances(clock)
        self._all = Allowance(clock, *ALL_STRANGERS)

    def met(self, network: str) -> None:
        """People with whom there are dealings are there."""
        self._known.of(network, KNOWN)

    def may_come(self, network: str) -> bool:
        """Whether to shake hands with who comes from there; counts it if so."""
        known = self._known.get(network)
        if known is not None and known.left() >= 1.0:
            known.spend()
            return True
        own = self._strangers.of(network, ONE_NETWORK)
        for_others = min(ALL_STRANGERS[1] / 2, own.spent() * FRESH)
        if own.left() < 1.0 or self._all.left() < 1.0 + for_others:
            return False
        own.spend()
        self._all.spend()
        return True
