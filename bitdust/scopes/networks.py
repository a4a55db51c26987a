"""Networks as strangers get them: keys and addresses cost nothing, so a whole network counts as one."""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

IPV4_PREFIX = 24
IPV6_PREFIX = 48
"""One person gets a /24 or a /48 for nothing, or for a little; more costs money."""


class Household:
    """Networks whose addresses are not counted as one stranger: loopback, and those that a person named."""

    def __init__(self, networks: Iterable[str]) -> None:
        self._networks = [ip_network(one, strict=False) for one in networks]

    def __contains__(self, host: str) -> bool:
        address = _address(host)
        return address is None or any(address.version == one.version and address in one for one in self._networks)


def network_of(host: str) -> str:
    """The /24 of an IPv4 address (also of one that is written as IPv6), the /48 of an IPv6 address; a name as it is."""
    address = _address(host)
    if address is None:
        return host
    prefix = IPV4_PREFIX if address.version == 4 else IPV6_PREFIX
    return str(ip_network(f"{address}/{prefix}", strict=False))


def _address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        return address.ipv4_mapped or address
    return address
