"""Attacks on the API from this machine, from web pages and from the network (weakness 18)."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.error import ConnectError
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.logger import formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from bitdust.api.methods import TABLE
from bitdust.web.engine import MAX_CONNECTIONS
from bitdust.web.guard import Guard
from bitdust.web.server import rest_engine
from bitdust.world import local_addresses
from tests.api.fakes import FakeContext
from tests.api.test_rest import Raw, RestCase


class ReachTests(RestCase):
    async def test_only_loopback_listens(self) -> None:
        """From the address that the network knows, nothing answers."""
        self.assertEqual({port.getHost().host for port in self.server.listeners._bound} - {"127.0.0.1", "::1"}, set())
        for address in local_addresses():
            if address.startswith("127.") or ":" in address:
                continue
            dialling = connectProtocol(TCP4ClientEndpoint(reactor, address, self.ports["rest"]), Raw())
            await self.assertFailure(dialling, ConnectError)

    async def test_rebinding(self) -> None:
        """A web page whose own host name was made to lead to 127.0.0.1 gets nothing, even with the secret."""
        for headers in ({"host": "evil.example"}, {"Origin": "http://evil.example:8180"}):
            status, answered, _ = await self.ask("GET", "/process/health/v1", **headers)
            self.assertEqual(status, 403)
            self.assertNotIn("access-control-allow-origin", answered)

    async def test_form_without_javascript(self) -> None:
        """A form of a web page cannot send the secret, so it changes nothing."""
        body = '{"key": "logs/debug-level", "value": 12}'
        status, _, _ = await self.ask(
            "POST", "/config/set/v1", body, secret="", Content_Type="text/plain", Sec_Fetch_Site="cross-site"
        )
        self.assertEqual(status, 403)
        status, _, _ = await self.ask("POST", "/config/set/v1", body, secret="", Content_Type="text/plain")
        self.assertEqual(status, 401)
        self.assertEqual(self.context.settings.get("logs/debug-level"), 0)

    async def test_secret_in_the_query(self) -> None:
        """REST takes the secret in its header alone, because queries end up in logs and histories."""
        status, _, _ = await self.ask("GET", f"/process/health/v1?api_secret={self.secret}", secret="")
        self.assertEqual(status, 401)

    async def test_secrets_are_not_logged(self) -> None:
        """Neither the secret nor what arguments hold is in any line of the log, with the API's log switched on."""
        lines: list[str] = []

        def keep(event: dict[str, Any]) -> None:
            lines.append(str(formatEvent(event)) + repr(event))

        self.context.settings.set("logs/api-enabled", True)
        globalLogPublisher.addObserver(keep)
        try:
            body = json.dumps({"private_key_source": "my private key", "passphrase": "my passphrase"})
            await self.ask("POST", "/identity/recover/v1", body)
            await self.ask("GET", "/event/list/v1?colour=my+private+key", secret="wrong secret")
            raw = await connectProtocol(TCP4ClientEndpoint(reactor, "127.0.0.1", self.ports["websocket"]), Raw())
            raw.transport.write(f"GET /?api_secret={self.secret} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            await raw.ended
        finally:
            globalLogPublisher.removeObserver(keep)
        self.assertTrue(any("identity_recover" in line for line in lines))
        for secret in (self.secret, "my private key", "my passphrase", "wrong secret"):
            self.assertFalse([line for line in lines if secret in line])
        self.flushLoggedErrors(AttributeError)

    async def test_flood_of_connections(self) -> None:
        """More silent connections than are allowed at once do not keep others from their answers: the oldest go."""
        silent = [await self.connect() for _ in range(MAX_CONNECTIONS + 20)]
        self.assertEqual((await self.ask("GET", "/process/health/v1"))[0], 200)
        self.assertLessEqual(len(self.server.listeners.answering["rest"].channels), MAX_CONNECTIONS + 1)
        for raw in silent:
            raw.transport.abortConnection()
            await raw.ended


class GarbageTests(SynchronousTestCase):
    """The REST protocol on a transport in memory."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.context = FakeContext(self.clock, self.mktemp())

    def talk(self, data: bytes) -> bytes:
        """What is answered to some bytes."""
        guard = Guard(self.clock, b"s" * 32, list, list)
        factory = rest_engine(self.context, TABLE, guard)
        channel = factory.buildProtocol(None)
        transport = StringTransport()
        transport.abortConnection = transport.loseWriteConnection = transport.loseConnection
        channel.makeConnection(transport)
        channel.dataReceived(data)
        answer = transport.value()
        channel.connectionLost(Deferred)
        for call in self.clock.getDelayedCalls():
            call.cancel()
        return answer

    @settings(deadline=None)
    @given(st.binary(max_size=300))
    def test_any_bytes(self, data: bytes) -> None:
        """Whatever arrives is refused or waited for; nothing raises, nothing is OK."""
        self.assertNotIn(b'"status": "OK"', self.talk(data))

    @settings(deadline=None)
    @given(
        st.sampled_from([b"GET", b"POST", b"DELETE", b"OPTIONS", b"X"]),
        st.binary(max_size=60).filter(lambda data: not set(data) & set(b" \r\n")),
        st.dictionaries(st.sampled_from([b"Host", b"Origin", b"api_secret", b"Cookie"]), st.binary(max_size=20)),
    )
    def test_any_request(self, verb: bytes, path: bytes, headers: dict[bytes, bytes]) -> None:
        """Whatever path and headers a stranger chooses, without the secret nothing is OK and nothing is found out."""
        lines = [verb + b" /" + path + b" HTTP/1.1"]
        lines += [name + b": " + bytes(set(value) - set(b"\r\n")) for name, value in headers.items()]
        answer = self.talk(b"\r\n".join(lines) + b"\r\n\r\n")
        self.assertNotIn(b'"status": "OK"', answer)
        self.assertNotIn(b" 404 ", answer[:20])
        self.assertNotIn(b" 500 ", answer[:20])
