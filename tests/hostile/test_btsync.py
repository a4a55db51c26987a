"""The port for clients of BitTorrent Sync over real sockets: what reaches it, from where, and in which shape."""

import base64
import json
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.protocol import Protocol
from twisted.trial.unittest import TestCase

from bitdust.folders.door import BtsyncDoor
from bitdust.web.btsync.methods import all_methods
from bitdust.web.btsync.port import ADDRESS, HASH, KEYLESS, LOGIN, NUMBER, PASSWORD, SWITCH, BtsyncPort
from bitdust.wire.errors import BitDustError
from tests.api.fakes import FakeContext
from tests.stand_ins import FoldersAsSaid
from tests.unit.test_btsync import SHA_512, A

EVERYWHERE = "0.0.0.0"  # noqa: S104 - what a careless config file has
CHANGES = tuple(name for name in all_methods().names() if getattr(all_methods().find(name), "changes", False))


class Wire(Protocol):
    """Keeps what comes until the other side has closed."""

    def __init__(self) -> None:
        self.data = b""
        self.gone: Deferred[bytes] = Deferred()

    def dataReceived(self, data: bytes) -> None:
        self.data += data

    def connectionLost(self, reason: Any = None) -> None:
        self.gone.callback(self.data)


class PortCase(TestCase):
    """A port that the system chose, over folders in memory."""

    def setUp(self) -> None:
        self.context = FakeContext(reactor, self.mktemp(), reactor)
        self.settings = self.context.settings
        self.settings.set(SWITCH, True)
        self.settings.set(NUMBER, 0)
        self.folders = FoldersAsSaid()
        self.stops: list[str] = []
        world = self.context.world
        self.door = BtsyncDoor(self.folders)
        self.door.use_port(lambda: BtsyncPort(world, self.settings, lambda: self.stops.append("stop"), 16))
        self.addCleanup(self.context.events.stop)
        self.addCleanup(self.door.close)

    async def raw(self, data: bytes, address: str = "127.0.0.1") -> bytes:
        """All that comes back for these bytes, until the port closes."""
        wire = Wire()
        await connectProtocol(TCP4ClientEndpoint(reactor, address, self.door.port), wire)
        wire.transport.write(data)
        return await wire.gone

    async def status(self, query: str = "method=get_os", address: str = "127.0.0.1", *lines: str) -> int:
        """The status of a request with these header lines."""
        head = (f"GET /api?{query} HTTP/1.1", f"Host: {address}", "Connection: close", *lines, "", "")
        return int((await self.raw("\r\n".join(head).encode(), address)).split()[1])


class AddressTests(PortCase):
    def basic(self, text: str) -> str:
        return f"Authorization: Basic {base64.b64encode(text.encode()).decode()}"

    async def test_this_machine_alone(self) -> None:
        """By default nobody but this machine reaches it, and no password is asked for."""
        await self.door.open()
        self.assertEqual(await self.status(), 200)
        error = await self.assertFailure(Deferred.fromCoroutine(self.status(address="127.0.0.2")), Exception)
        self.assertIn("refused", str(error).lower())

    async def test_beyond_this_machine_a_password_is_needed(self) -> None:
        """It does not open beyond this machine without a password, and a name alone is none."""
        self.settings.set(ADDRESS, EVERYWHERE)
        for login in ("", "api"):
            self.settings.set(LOGIN, login)
            error = await self.assertFailure(self.door.open(), BitDustError)
            self.assertEqual((error.code, self.door.port), ("password-needed", 0))
        self.settings.set(PASSWORD, "secret")
        await self.door.open()
        right = self.basic("api:secret")
        self.assertEqual(await self.status("method=get_os", "127.0.0.2", right), 200)
        self.assertEqual(await self.status("method=shutdown", "127.0.0.2", self.basic("api:")), 401)
        self.settings.set(PASSWORD, "")
        self.assertEqual(await self.status("method=shutdown", "127.0.0.2", right), 401)
        self.settings.set(HASH, SHA_512)
        self.assertEqual(await self.status("method=get_os", "127.0.0.2", self.basic("api:password")), 200)
        self.assertEqual(self.stops, [])

    async def test_an_address_that_is_none(self) -> None:
        """A name is no address to listen at."""
        for odd in ("box.example", "300.1.1.1", "127.0.0.1:8888"):
            self.settings.set(ADDRESS, odd)
            error = await self.assertFailure(self.door.open(), BitDustError)
            self.assertEqual(error.code, "bad-setting")
            await self.door.close()

    async def test_a_port_that_another_has(self) -> None:
        """Clients know one number, so it never gives way to another one."""
        await self.door.open()
        other = BtsyncPort(self.context.world, self.settings, list, 16)
        self.settings.set(NUMBER, self.door.port)
        error = await self.assertFailure(other.open(self.folders), BitDustError)
        self.assertEqual((error.code, other.number), ("port-taken", 0))

    async def test_switched_off(self) -> None:
        """Without its switch nothing is opened; a closed one is said to be closed."""
        self.settings.set(SWITCH, False)
        await self.door.open()
        self.assertEqual((self.door.port, self.door.problem()), (0, "its port is closed"))
        await self.door.close()
        self.assertEqual(self.door.problem(), "")

    async def test_without_a_key(self) -> None:
        """Where the vendor's file has no key, all calls are invalid over the wire as well."""
        self.settings.set(KEYLESS, True)
        await self.door.open()
        self.assertEqual(await self.status("method=shutdown"), 400)


class ShapeTests(PortCase):
    async def test_what_a_page_sends(self) -> None:
        """No method that changes anything is run for a page: as a picture, a form, a script, or behind another name."""
        await self.door.open()
        ways = (
            ("Origin: https://evil.example",),
            ("Referer: https://evil.example/",),
            ("Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: no-cors", "Sec-Fetch-Dest: image"),
            ("User-Agent: Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/60.0",),
            ("Host: evil.example",),
        )
        for name in CHANGES:
            query = f"method={name}&secret={A}&dir=/&path=a&version=1"
            for lines in ways:
                self.assertIn(await self.status(query, "127.0.0.1", *lines), (400, 403), (name, lines))
        self.assertEqual((self.stops, self.folders.rows, self.folders.asked), ([], {}, []))

    async def test_other_shapes(self) -> None:
        """Other verbs, bodies, and what is no HTTP at all are refused with a status, or the connection is closed."""
        await self.door.open()
        host = b"Host: localhost\r\nConnection: close\r\n"
        for data, expected in (
            (b"POST /api?method=shutdown HTTP/1.1\r\n" + host + b"Content-Length: 0\r\n\r\n", b"405"),
            (b"POST /api HTTP/1.1\r\n" + host + b"Content-Length: 99999999\r\n\r\n", b"413"),
            (b"GET /api?" + b"a" * 70_000 + b" HTTP/1.1\r\n" + host + b"\r\n", b"4"),
            (b"GET /../api?method=shutdown HTTP/1.1\r\n" + host + b"\r\n", b"404"),
            (b"GET /api?method=shutdown HTTP/1.1\r\nConnection: close\r\n\r\n", b"40"),
            (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", b""),
        ):
            came = await self.raw(data)
            self.assertTrue((came.split() or [b"", b""])[1:2] == [] or came.split()[1].startswith(expected), came[:80])
        self.assertEqual(self.stops, [])

    async def test_many_on_one_connection(self) -> None:
        """Requests that are sent one behind the other are answered in their order; the last one ends the node."""
        await self.door.open()
        lines = [
            b"GET /api?method=%s HTTP/1.1\r\nHost: localhost\r\n" % name
            for name in (b"get_os", b"nothing", b"shutdown")
        ]
        came = await self.raw(b"\r\n".join(lines) + b"Connection: close\r\n\r\n")
        self.assertEqual([part[:3] for part in came.split(b"HTTP/1.1 ")[1:]], [b"200", b"400", b"200"])
        self.assertEqual(json.loads(came.rpartition(b"\r\n\r\n")[2]), {"error": 0})
        self.assertEqual(self.stops, ["stop"])
