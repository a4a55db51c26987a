"""DNSLink, asked of a real name server on loopback."""

from types import SimpleNamespace
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, fail, maybeDeferred, succeed
from twisted.names import dns
from twisted.names.error import DNSNameError
from twisted.names.server import DNSServerFactory
from twisted.trial.unittest import TestCase

from bitdust.ipfs.names import dns as links_module
from bitdust.ipfs.names.dns import SETTING, DnsLinks, is_host
from bitdust.wire.errors import BitDustError
from tests.unit.kit import Settings

LINK = "/ipfs/QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn"


class Zone:
    """A name server's answers: texts by name; None is an error of the server."""

    def __init__(self) -> None:
        self.texts: dict[str, list[str] | None] = {}
        self.asked: list[str] = []

    def query(self, query: Any, timeout: Any = None) -> "Deferred[Any]":
        name = query.name.name.decode()
        self.asked.append(name)
        found = self.texts.get(name, [])
        if found is None:
            return fail(ValueError("broken"))
        if not found and name not in self.texts:
            return fail(DNSNameError())
        records = [
            dns.Record_TXT(*[text[start : start + 250].encode() for start in range(0, len(text), 250)])
            for text in found
        ]
        return succeed(([dns.RRHeader(name.encode(), dns.TXT, payload=one) for one in records], [], []))


class DnsTests(TestCase):
    def setUp(self) -> None:
        self.zone = Zone()
        factory = DNSServerFactory(clients=[self.zone])
        self.port = reactor.listenUDP(0, dns.DNSDatagramProtocol(factory), "127.0.0.1")
        self.addCleanup(lambda: maybeDeferred(self.port.stopListening))
        self.settings = Settings({SETTING: f"127.0.0.1:{self.port.getHost().port}"})
        world = SimpleNamespace(clock=reactor)
        self.links = DnsLinks(SimpleNamespace(world=world, settings=self.settings))  # type: ignore[arg-type]

    async def refused(self, code: str, host: str) -> str:
        try:
            await self.links.link(host)
        except BitDustError as error:
            self.assertEqual(error.code, code, str(error))
            return str(error)
        raise AssertionError("it has a link")

    async def test_a_link(self) -> None:
        """The host is asked for at `_dnslink.` first, then as it is; other texts are passed over."""
        self.zone.texts = {"_dnslink.a.example": ["v=spf1 -all", f"dnslink={LINK}", "dnslink=/ipfs/other"]}
        self.assertEqual(await self.links.link("a.example"), LINK)
        self.zone.texts = {"b.example": ["dnslink=what", f"dnslink={LINK}/b"]}
        self.assertEqual(await self.links.link("b.example"), f"{LINK}/b")
        self.assertEqual(self.zone.asked, ["_dnslink.a.example", "_dnslink.b.example", "b.example"])

    async def test_long_links(self) -> None:
        """A text that has to be cut in the record is put together again."""
        long = f"{LINK}/{'x' * 300}"
        self.zone.texts = {"_dnslink.a.example": [f"dnslink={long}"]}
        self.assertEqual(await self.links.link("a.example"), long)

    async def test_none(self) -> None:
        """A host without a link, and one that there is not, are told."""
        self.zone.texts = {"a.example": ["hello"]}
        self.assertIn("has no DNSLink", await self.refused("no-name", "a.example"))
        await self.refused("no-name", "b.example")

    async def test_trouble(self) -> None:
        """A name server that fails, or answers nothing, is told, and nothing is taken for an answer."""
        self.zone.texts = {"_dnslink.a.example": None}
        self.assertIn("does not answer", await self.refused("no-dns", "a.example"))
        self.flushLoggedErrors(ValueError)
        self.patch(links_module, "TIMEOUTS", (0.01,))
        self.patch(self.zone, "query", lambda query, timeout=None: Deferred())
        await self.refused("no-dns", "b.example")

    async def test_settings(self) -> None:
        """A name server is named by address, with a port or without; another text is told."""
        self.assertEqual(links_module._server("192.0.2.1"), ("192.0.2.1", 53))
        self.assertEqual(links_module._server("2001:db8::1"), ("2001:db8::1", 53))
        self.assertEqual(links_module._server("[2001:db8::1]:5353"), ("2001:db8::1", 5353))
        self.settings.values[SETTING] = ""
        self.assertIn("DNS is not asked", await self.refused("no-dns", "a.example"))
        self.settings.values[SETTING] = "a b"
        self.assertIn("is wrong", await self.refused("no-dns", "a.example"))

    def test_hosts(self) -> None:
        """What can be the name of a host is told by its labels."""
        for good in ("ipfs.io", "_dnslink.a-b.example", "a.b.c.example."):
            self.assertTrue(is_host(good), good)
        for bad in ("ipfs", "", ".", "a..b", "-a.b", f"{'a' * 64}.b", "a b.c", ".".join("a" * 150), "ä.de"):
            self.assertFalse(is_host(bad), bad)
