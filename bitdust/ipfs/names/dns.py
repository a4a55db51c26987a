"""DNSLink: a host whose TXT record says ``dnslink=/ipfs/…``, at ``_dnslink.HOST`` or at ``HOST``.

Asking tells the name server which names are looked for, so nobody is asked until the person of the node has said whom.
Source: dnslink.dev.
"""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred

from bitdust.outcome import outcome
from bitdust.surroundings import Surroundings
from bitdust.wire.addresses import one_host, split_host
from bitdust.wire.encoding import WireError
from bitdust.wire.errors import BitDustError

if TYPE_CHECKING:
    from twisted.names.client import Resolver

SETTING = "services/ipfs/dns-resolver"
SYSTEM = "system"
SYSTEM_FILE = Path("/etc/resolv.conf")
PORT = 53
TIMEOUTS = (1, 3, 5)
"""Seconds that each try waits."""
MOST_RECORDS = 64
LINK = "dnslink="
_LABEL = re.compile(r"[a-zA-Z0-9_]([a-zA-Z0-9_-]{0,61}[a-zA-Z0-9_])?", re.ASCII)


def is_host(name: str) -> bool:
    """Whether it can be the name of a host with links: it has a dot at least."""
    labels = name.removesuffix(".").split(".")
    return len(name) <= 253 and len(labels) > 1 and all(_LABEL.fullmatch(label) for label in labels)


def _server(text: str) -> tuple[str, int]:
    """Host and port of a name server; an IPv6 address with a port has brackets."""
    has_port = text.startswith("[") or text.count(":") == 1
    return split_host(text) if has_port else (one_host(text), PORT)


def _of_system() -> list[tuple[str, int]]:
    """The name servers that the system asks, see resolv.conf(5). Raises `OSError`, `WireError`."""
    lines = [line.split() for line in SYSTEM_FILE.read_text(encoding="utf-8", errors="replace").splitlines()]
    return [(one_host(words[1]), PORT) for words in lines if words[:1] == ["nameserver"] and len(words) > 1] or [
        ("127.0.0.1", PORT)
    ]


class DnsLinks:
    """I ask the name server of the settings, and none while there is none."""

    def __init__(self, around: Surroundings) -> None:
        self._settings = around.settings
        self._reactor: Any = around.world.clock

    async def link(self, host: str) -> str:
        """The path that a host leads to. Raises `BitDustError`: no-dns, no-name."""
        resolver = self._resolver()
        for name in (f"_dnslink.{host}", host):
            found = await self._links(resolver, name)
            if found:
                return found[0]
        raise BitDustError("no-name", f"could not resolve name: {host} has no DNSLink")

    def _resolver(self) -> "Resolver":
        from twisted.names.client import Resolver  # noqa: PLC0415 - most nodes never ask

        where = str(self._settings.get(SETTING)).strip()
        if not where:
            text = f"could not resolve name: DNS is not asked; bitdust set {SETTING} ADDRESS (or {SYSTEM}) allows it"
            raise BitDustError("no-dns", text)
        try:
            servers = _of_system() if where == SYSTEM else [_server(where)]
        except (WireError, OSError) as error:
            raise BitDustError("no-dns", f"could not resolve name: the setting {SETTING} is wrong: {error}") from error
        return Resolver(servers=servers, timeout=TIMEOUTS, reactor=self._reactor)

    async def _links(self, resolver: "Resolver", name: str) -> list[str]:
        from twisted.names import dns  # noqa: PLC0415
        from twisted.names.error import DNSNameError  # noqa: PLC0415

        asking: Deferred[Any] = resolver.lookupText(name, TIMEOUTS)
        asked = await outcome(asking)
        if isinstance(asked.error, DNSNameError):
            return []
        if asked.error is not None:
            raise BitDustError("no-dns", f"could not resolve name: the name server does not answer for {name}")
        answers, _, _ = asked.value
        texts = [
            b"".join(answer.payload.data).decode("utf-8", "replace")
            for answer in answers[:MOST_RECORDS]
            if answer.type == dns.TXT
        ]
        return [text.removeprefix(LINK) for text in texts if text.startswith(f"{LINK}/")]
