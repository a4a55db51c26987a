"""Suppliers spread over networks, so that losing one host or one network never loses files, and none holds too much.

One network may have k−1 places of a family at most, and one where k is 1. With k = ceil(N/2) the others are then
N−k+1 or more: enough for every file, and for everything new to be safe without that network; and no network has the k
pieces from which a pack can be made. A network is what tends to fail, and to belong to somebody, as one: the /24 of an
IPv4 address, the /48 of an IPv6 address. Two addresses of one home or one rack are not two places.

Addresses that are not global (loopback, private, link-local) do not count, because a network that is private as a whole
could never be hired from; where they should count, a second setting says so, and each address is a host of its own.
"""

from collections.abc import Mapping
from ipaddress import ip_address

from bitdust.peers.shown import show_name
from bitdust.scopes import networks
from bitdust.suppliers.contracts import Wish
from bitdust.suppliers.family import MyFamily
from bitdust.surroundings import Connected
from bitdust.wire.addresses import host_of
from bitdust.wire.errors import BitDustError

ENABLED = "services/employer/spread-enabled"
PRIVATE = "services/employer/spread-private-enabled"


def most_at_one(n: int) -> int:
    """How many places of a family of n one network may have."""
    return max(1, (n + 1) // 2 - 1)


def network_of(address: str | None, private: bool) -> str | None:
    """The network that an address belongs to; None where it does not count or is no number."""
    try:
        ip = ip_address(host_of(address or ""))
    except ValueError:
        return None
    if not ip.is_global:
        return str(ip) if private else None
    return networks.network_of(str(ip))


class Spread:
    """I say who may still be hired."""

    def __init__(self, around: Connected, family: MyFamily) -> None:
        self._settings = around.settings
        self._identities = around.identities
        self._sessions = around.sessions
        self._family = family

    def address(self, supplier: bytes) -> str | None:
        """Where a supplier is: the other end of its session, or what the family record says."""
        family, place = self._family.current, self._family.position(supplier)
        known = family.addresses[place] if family is not None and family.addresses and place is not None else None
        session = self._sessions.session_with(supplier)
        return str(session.address) if session is not None else known

    def check(self, candidate: bytes, position: int, n: int, asked: Mapping[bytes, Wish]) -> None:
        """Raises `BitDustError` ``too-close`` where a candidate's network has its share of n places already.

        Places are those of the family and those for which somebody is ``asked``, but for the candidate's own one.
        """
        private = bool(self._settings.get(PRIVATE))
        mine = network_of(self.address(candidate), private)
        if mine is None or not self._settings.get(ENABLED):
            return
        others = self._others(position, asked) - {candidate}
        there = sum(1 for other in others if network_of(self.address(other), private) == mine)
        if there >= most_at_one(n):
            name = show_name(self._identities, candidate)
            text = (
                f"{name} is in {mine}, where {there} of your {n} suppliers are already; more would put your files at"
                f" risk when that network is lost. Suppliers elsewhere are needed, or {ENABLED} false"
            )
            raise BitDustError("too-close", text)

    def _others(self, position: int, asked: Mapping[bytes, Wish]) -> set[bytes]:
        family = self._family.current
        members = enumerate(family.suppliers) if family is not None else ()
        there = {who for place, who in members if who is not None and place != position}
        return there | {who for who, wish in asked.items() if wish.position != position}
