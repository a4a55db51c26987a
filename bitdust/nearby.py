"""Which private networks this node is in itself: an address of any other leads to somebody else's machine, or nowhere.

Peers name addresses, and names of hosts may lead anywhere. Whoever connects to all of them is sent into the network
that it stands in by somebody outside.
"""

from functools import lru_cache
from ipaddress import ip_address, ip_network

from bitdust.config.settings import Settings
from bitdust.scopes.networks import Household, network_of
from bitdust.wire.addresses import host_of
from bitdust.wire.networks import HOUSEHOLD, private_network
from bitdust.world import Network

SETTING = "services/network/household"
REFUSED = "services/network/refused"


def household(settings: Settings) -> Household:
    """The networks of which every address counts by itself, as the settings name them now."""
    return _named(settings.get(SETTING))


@lru_cache(maxsize=64)
def _named(networks: str) -> Household:
    return Household(networks.split())


def network_name(settings: Settings, address: str) -> str:
    """The network by which strangers at an address of a session share what there is; empty for the household, and for
    what is no address."""
    host = host_of(address)
    return "" if not host or host in household(settings) else network_of(host)


def is_refused(settings: Settings, host: str) -> bool:
    """Whether a host, by its number, is in one of the networks that a person refuses."""
    named = settings.get(REFUSED).split()
    try:
        address = ip_address(host)
    except ValueError:
        return False
    address = getattr(address, "ipv4_mapped", None) or address
    return any(address in network for network in map(ip_network, named) if network.version == address.version)


class Nearby:
    """I know where this host is: by its own addresses, and by the networks that a person has named."""

    def __init__(self, network: Network, settings: Settings) -> None:
        self._network = network
        self._settings = settings

    def is_public(self, address: str) -> bool:
        """Whether an address belongs to no private network."""
        return private_network(address) is None

    def may_reach(self, address: str) -> bool:
        """Whether to connect to an address that somebody else has named: a public one, or one of a network in which
        this node is."""
        if is_refused(self._settings, address):
            return False
        private = private_network(address)
        return private is None or self._is_named(address) or private in map(private_network, self._own())

    def _own(self) -> list[str]:
        interface = self._settings.get("services/network/interface")
        return [interface] if interface else self._network.interfaces()

    def _is_named(self, address: str) -> bool:
        """Whether a person has put it among the networks of the household, of which the default says nothing."""
        named = self._settings.get(SETTING)
        if named == HOUSEHOLD:
            return False
        return any(ip_address(address) in ip_network(one) for one in named.split())
