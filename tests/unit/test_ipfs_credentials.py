"""Credentials of the RPC of IPFS: who has them, what they allow, and how they are kept."""

import base64
import os
import stat
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.task import Clock
from twisted.protocols.basic import LineReceiver
from twisted.trial.unittest import SynchronousTestCase, TestCase

from bitdust.ipfs import credentials
from bitdust.ipfs.credentials import Authorization, Credentials
from bitdust.web.dialect import Head, Reply
from bitdust.web.guard import FAILURES, Failures
from bitdust.web.ipfs.dialect import IpfsDialect
from bitdust.web.ipfs.guard import RpcGuard
from bitdust.web.ipfs.permission import ANYBODY, Permission
from bitdust.web.ipfs.port import IpfsPort
from bitdust.web.ipfs.table import Answer, Call, Command, Commands, Json
from bitdust.web.programs import Programs
from bitdust.wire import authorization
from bitdust.wire.authorization import BASIC
from bitdust.wire.errors import BitDustError
from tests.api.fakes import FakeContext
from tests.unit.test_ipfs_rpc import Talk

HEARD = (b"HTTP/1.1 200 OK", b"HTTP/1.1 403 Forbidden")
"""Somebody answers: other names of this machine are for `allowed-hosts`."""
OWN = b"the secret of the node"


def bearer(secret: str) -> bytes:
    return b"Bearer " + secret.encode()


def basic(user: str, password: str) -> bytes:
    return b"Basic " + base64.b64encode(f"{user}:{password}".encode())


class CredentialsCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.home = Path(self.mktemp())
        self.credentials = self.opened()

    def opened(self) -> Credentials:
        return Credentials(self.home, os.urandom)

    def refused(self, code: str, call: Any, *arguments: Any) -> str:
        error = self.assertRaises(BitDustError, call, *arguments)
        self.assertEqual(error.code, code)
        return str(error)


class KeptTests(CredentialsCase):
    def test_a_token_and_a_password(self) -> None:
        """A secret opens as what it was made, after a start as well, and is not in the file, which is private."""
        _, token = self.credentials.add("robot")
        _, password = self.credentials.add("alice", BASIC, ("/api/v0/cat",))
        for opened in (self.credentials, self.opened()):
            self.assertEqual(opened.of(bearer(token)).name, "robot")
            self.assertEqual(opened.of(b"bearer  " + token.encode()).name, "robot")
            self.assertEqual(opened.of(basic("alice", password)).paths, ("/api/v0/cat",))
            for wrong in (None, b"", bearer(password), basic("robot", token), basic("bob", password), bearer("x")):
                self.assertIsNone(opened.of(wrong))
            self.assertIsNone(opened.of(bearer(f"alice:{password}")))
        kept = self.credentials.path.read_bytes()
        self.assertEqual(stat.S_IMODE(self.credentials.path.stat().st_mode), 0o600)
        for secret in (token, password):
            self.assertNotIn(secret.encode(), kept)

    def test_one_goes(self) -> None:
        """Whoever is removed is let in no more, and its name is free for another secret."""
        _, old = self.credentials.add("robot")
        self.refused("exists", self.credentials.add, "robot")
        self.credentials.remove("robot")
        self.refused("not-found", self.credentials.remove, "robot")
        _, new = self.credentials.add("robot")
        self.assertIsNone(self.credentials.of(bearer(old)))
        self.assertEqual(self.credentials.of(bearer(new)).name, "robot")

    def test_names_and_paths(self) -> None:
        """A name without a colon, and paths of commands, are taken; everything else is refused."""
        for name in ("", "a:b", "a b", "x" * 101, "\n"):
            self.refused("bad-argument", self.credentials.add, name)
        for path in ("", "/", "/api/v0/", "/api/v0/cat/", "/api/v1", "/api/v0/../x", "/api/v0/cat?x"):
            self.refused("bad-argument", self.credentials.add, "a", BASIC, (path,))
        self.refused("bad-argument", self.credentials.add, "a", BASIC, ())

    def test_so_many(self) -> None:
        """A hundred are kept, not more."""
        self.patch(credentials, "MOST", 3)
        for number in range(3):
            self.credentials.add(f"n{number}")
        self.refused("too-many", self.credentials.add, "one-more")

    def test_a_file_that_cannot_be_read(self) -> None:
        """Where nobody knows who is authorized, nobody is, and the file is named."""
        self.credentials.add("robot")
        self.credentials.path.write_bytes(b"x")
        text = self.refused("damaged-store", self.opened().all)
        self.assertIn(str(self.credentials.path), text)
        self.credentials.path.unlink()
        self.credentials.path.mkdir()
        self.refused("os-error", self.opened().all)

    def test_what_is_allowed(self) -> None:
        """A path allows what is below it, not what only begins so; the version is allowed always."""
        one = Authorization("a", BASIC, bytes(32), ("/api/v0/pin", "/api/v0/cat"))
        for path in ("/api/v0/pin", "/api/v0/pin/ls", "/api/v0/cat", "/api/v0/version"):
            self.assertTrue(one.allows(path), path)
        for path in ("/api/v0/pinned", "/api/v0", "/api/v0/add", "/api/v0/versions"):
            self.assertFalse(one.allows(path), path)

    def test_headers_that_are_none(self) -> None:
        """Other kinds, base64 that is none, and endless headers say nothing."""
        for header in (b"Basic ?", b"Digest x", b"Bearer", b"Bearer ", b"Bearer " + b"x" * 2000, b"\0several", b"x"):
            self.assertIsNone(authorization.credentials(header, credentials.LONGEST_HEADER))


class PermissionTests(CredentialsCase):
    def setUp(self) -> None:
        super().setUp()
        self.clock = Clock()
        self.permission = self.permit(elsewhere=False)

    def permit(self, elsewhere: bool) -> Permission:
        return Permission(self.credentials, OWN, Failures(self.clock), elsewhere)

    def ask(self, **headers: bytes) -> Any:
        given = {name.encode(): [value] for name, value in headers.items()}
        head = Head(b"POST", b"/api/v0/id", b"", b"HTTP/1.1", given, 0, 0.0)
        found = self.permission.caller(head, b"X: y\r\n")
        return found.status if isinstance(found, Reply) else found

    def test_this_machine_without_credentials(self) -> None:
        """Whoever reaches the port on this machine is let in, as long as nobody is authorized."""
        self.assertEqual(self.ask(), ANYBODY)
        self.credentials.add("robot")
        self.assertEqual(self.ask(), 401)

    def test_other_machines_without_credentials(self) -> None:
        """Where others reach the port, nobody is let in without credentials, though none be left."""
        self.permission = self.permit(elsewhere=True)
        self.assertEqual(self.ask(), 401)
        self.assertEqual(self.ask(Api_secret=OWN), ANYBODY)

    def test_credentials(self) -> None:
        """Credentials let their owner in; the secret of the node lets the owner's own programs in."""
        _, token = self.credentials.add("robot")
        self.assertEqual(self.ask(Authorization=bearer(token)).name, "robot")
        self.assertEqual(self.ask(Api_secret=OWN), ANYBODY)
        self.assertEqual(self.ask(Api_secret=b"another"), 401)

    def test_guessing(self) -> None:
        """Wrong secrets are answered slowly after some of them; the right one is let in meanwhile."""
        _, token = self.credentials.add("robot")
        told_apart = [self.ask(Authorization=bearer("guess")) for _ in range(int(FAILURES) + 1)]
        self.assertEqual(told_apart, [401] * int(FAILURES) + [429])
        self.assertEqual(self.ask(), 401)
        self.assertEqual(self.ask(Authorization=bearer(token)).name, "robot")

    def test_nobody_knows(self) -> None:
        """Where the file cannot be read, nobody is let in, on this machine either."""
        self.credentials.path.parent.mkdir(parents=True)
        self.credentials.path.write_bytes(b"x")
        self.assertEqual(self.ask(), 500)

    def test_commands(self) -> None:
        """A command that credentials do not allow is refused, by whatever spelling of its path."""

        async def say(node: None, call: Call) -> Answer:
            return Json({})

        rows = [Command("pin/ls", say), Command("pin/rm", say, aliases=("unpin",))]
        guard, nobody = RpcGuard(Programs(list, list)), (None, lambda: None)
        dialect = IpfsDialect(lambda options: nobody, Commands().add(rows), guard, self.permission, self.clock)
        _, token = self.credentials.add("robot", paths=("/api/v0/pin/ls",))
        header = {b"Authorization": [bearer(token)]}
        for path, status in (
            ("/api/v0/pin/ls", 200),
            ("/api/v0//pin/%6cs/x", 200),
            ("/api/v0/pin/rm", 403),
            ("/api/v0/pin/ls/../rm", 404),
            ("/api/v0/unpin", 403),
        ):
            reply = Talk(dialect, path, more=header).reply
            assert reply is not None
            self.assertEqual(reply.status, status, path)


class EmptyRoom:
    """A room of which a call needs nothing."""

    def visit(self, offline: bool, is_patient: bool, is_local: bool = False) -> "EmptyRoom":
        return self

    def leave(self) -> None:
        """The call is over."""


class PortTests(TestCase):
    def setUp(self) -> None:
        self.context = FakeContext(reactor, self.mktemp(), reactor)
        world, self.settings = self.context.world, self.context.settings
        self.credentials = Credentials(world.home, world.entropy)
        self.settings.set("services/ipfs/enabled", True)
        self.settings.set("services/ipfs/api-port", 0)
        self.port = IpfsPort(world, self.settings, 16, self.credentials)
        self.addCleanup(self.context.events.stop)
        self.addCleanup(self.port.close)

    async def ask(self, address: str, *lines: str) -> bytes:
        """The first line of an answer at an address of this machine."""
        line: Deferred[bytes] = Deferred()
        client: Any = LineReceiver()
        client.lineReceived = lambda data: line.called or line.callback(data)
        await connectProtocol(TCP4ClientEndpoint(reactor, address, self.port.number), client)
        head = ("POST /api/v0/version HTTP/1.1", f"Host: {address}:{self.port.number}", "Connection: close", *lines)
        client.transport.write("\r\n".join((*head, "", "")).encode())
        gone: Deferred[None] = Deferred()
        client.connectionLost = lambda reason: gone.callback(None)
        await gone
        return await line

    async def test_others_need_credentials(self) -> None:
        """An address beside loopback is listened at where somebody is authorized, and answers those who are."""
        self.settings.set("services/ipfs/api-address", "127.0.0.2")
        error = await self.assertFailure(self.port.open(EmptyRoom()), BitDustError)
        self.assertEqual((error.code, self.port.number), ("needs-credentials", 0))
        _, token = self.credentials.add("robot")
        await self.port.open(EmptyRoom())
        self.assertEqual(await self.ask("127.0.0.2", f"Authorization: Bearer {token}"), b"HTTP/1.1 200 OK")
        self.assertEqual(await self.ask("127.0.0.2"), b"HTTP/1.1 401 Unauthorized")
        self.assertEqual(await self.ask("127.0.0.1", f"Authorization: Bearer {token}"), b"HTTP/1.1 200 OK")
        self.credentials.remove("robot")
        self.assertEqual(await self.ask("127.0.0.2"), b"HTTP/1.1 401 Unauthorized")

    async def test_an_address_that_is_none(self) -> None:
        """A name is no address; nothing is listened at then."""
        self.settings.set("services/ipfs/api-address", "box.example")
        error = await self.assertFailure(self.port.open(EmptyRoom()), BitDustError)
        self.assertEqual(error.code, "bad-setting")

    async def test_all_addresses(self) -> None:
        """0.0.0.0 is every address by IPv4, loopback among them, on one port."""
        self.settings.set("services/ipfs/api-address", "0.0.0.0")
        _, token = self.credentials.add("robot")
        await self.port.open(EmptyRoom())
        for address in ("127.0.0.1", "127.0.0.3"):
            self.assertIn(await self.ask(address, f"Authorization: Bearer {token}"), HEARD)
