"""Addresses as people and peers write them: ``tcp://host:port``, ``tcp://[::1]:7771``, ``seed.example:14441``.

One host has one spelling here: names in lower case, IPv6 as in RFC 5952, and an IPv4 address that is wrapped into IPv6
(``::ffff:192.0.2.1``) unwrapped. Link-local addresses with a zone are nobody else's business and refused.
"""

import ipaddress
import re

from attrs import frozen

from bitdust.wire.encoding import WireError

_PORT = re.compile("[1-9][0-9]{0,4}")
_SCHEME = re.compile("[a-z][a-z0-9+.-]{0,15}")


@frozen
class Address:
    """Where somebody can be reached: the scheme of a link, a host, and a port."""

    scheme: str
    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> "Address":
        """Raises `WireError` ``bad-address``."""
        scheme, separator, rest = text.partition("://")
        if not separator or not _SCHEME.fullmatch(scheme):
            raise _bad(text, "tcp://host:7771")
        try:
            return cls(scheme, *split_host(rest))
        except WireError as error:
            raise _bad(text, "tcp://host:7771") from error

    def __str__(self) -> str:
        return f"{self.scheme}://{join_host(self.host, self.port)}"


def split_host(text: str) -> tuple[str, int]:
    """Host and port of ``host:port``, ``192.0.2.1:port`` or ``[2001:db8::1]:port``; raises ``bad-address``."""
    if text.startswith("["):
        inside, bracket, rest = text[1:].partition("]")
        host, port = (inside if ":" in inside else ""), (rest[1:] if bracket and rest.startswith(":") else "")
    else:
        host, _, port = text.rpartition(":")
        host = "" if ":" in host else host
    if not _PORT.fullmatch(port) or int(port) > 65535:
        raise _bad(text, "host:7771 or [2001:db8::1]:7771")
    return one_host(host, text), int(port)


def one_host(host: str, text: str | None = None) -> str:
    """The one spelling of a host; raises ``bad-address`` for what no host can be called."""
    if ":" in host:
        try:
            address = ipaddress.IPv6Address(host)
        except ValueError as error:
            raise _bad(text or host, "[2001:db8::1]:7771") from error
        if address.scope_id is not None:
            raise _bad(text or host, "one without a zone")
        return str(address.ipv4_mapped or address)
    try:
        fits = 0 < len(host.encode("idna")) < 256 and "/" not in host
    except UnicodeError:
        fits = False
    if not fits or any(mark in host for mark in "[]%@ ") or not host.isprintable():
        raise _bad(text or host, "host:7771")
    return host.lower()


def join_host(host: str, port: int) -> str:
    """``host:port`` with the brackets that an IPv6 address needs."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def host_of(address: str) -> str:
    """The host of ``tcp://host:port`` or ``host:port``; empty where there is none."""
    rest = address.rpartition("://")[2]
    try:
        return split_host(rest)[0]
    except WireError:
        return ""


def _bad(text: str, example: str) -> WireError:
    return WireError("bad-address", f"{text[:100]!r} is not an address such as {example}")
