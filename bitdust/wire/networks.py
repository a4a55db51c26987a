"""Private networks: which of them an address is in, however it is wrapped."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

HOUSEHOLD = "127.0.0.0/8 ::1/128 10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 169.254.0.0/16 fc00::/7 fe80::/10"
"""Networks that are nobody's to sell: loopback, private and link-local ones (RFC 1918, 4193, 3927, 4291)."""
SHARED = "100.64.0.0/10"
"""What providers share out among their customers, and private networks over the internet use (RFC 6598)."""
_PRIVATE = [ip_network(text) for text in (*HOUSEHOLD.split(), SHARED)]
_LOOPBACK = ip_network("127.0.0.0/8")
_HERE = (ip_network("0.0.0.0/8"), ip_network("::/128"), ip_network("::1/128"))
"""All of these reach this host, as loopback does."""
_TRANSLATED = ip_network("64:ff9b::/96")
"""IPv4 addresses as networks without IPv4 write them (RFC 6052)."""
_LOCAL_NAMES = (".local", ".localhost", ".internal", ".lan", ".home.arpa")


def private_network(host: str) -> IPv4Network | IPv6Network | None:
    """The private network that an address is in; None for a public one, and for what is no address."""
    try:
        address = _unwrapped(ip_address(host.partition("%")[0]))
    except ValueError:
        return None
    if any(address in network for network in _HERE):
        return _LOOPBACK
    return next((network for network in _PRIVATE if address in network), None)


def _unwrapped(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address that an IPv6 address stands for, or the address itself."""
    if isinstance(address, IPv4Address):
        return address
    if address in _TRANSLATED:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address


def is_local(host: str) -> bool:
    """Whether who writes this host sees that it is near: a private address as it is usually written, or a name that
    means nothing elsewhere. ``127.1`` and ``0x7f000001``, which lead to the same place as ``127.0.0.1``, do not."""
    if private_network(host) is not None:
        return True
    last = host.rpartition(".")[2]
    return not last[:1].isdigit() and ":" not in host and ("." not in host or host.endswith(_LOCAL_NAMES))
