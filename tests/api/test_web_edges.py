"""Rare refusals and endings of the web room: each part alone, or over loopback where it takes a socket."""

import json
import socket
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock, deferLater
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from bitdust.api import openapi
from bitdust.api.methods import TABLE
from bitdust.api.snapshots import Snapshot
from bitdust.web.access import Access
from bitdust.web.deadline import ROUND, Deadline
from bitdust.web.dialect import Head
from bitdust.web.documents import MAX_BODY
from bitdust.web.guard import Guard
from bitdust.web.listening import Models, SocketListener
from bitdust.web.outflow import MAX_WAITING_SNAPSHOTS
from bitdust.web.render import compact
from bitdust.web.rest import MAX_QUERY_FIELDS
from bitdust.web.secret import api_secret
from bitdust.web.server import ApiServer
from bitdust.wire.errors import BitDustError
from tests.api.fakes import FakeContext
from tests.api.test_rest import RestCase
from tests.hostile.test_api_arguments import Client


def head(method: bytes = b"GET", **headers: bytes) -> Head:
    """A request from this machine."""
    named = {b"Host": [b"localhost"]} | {name.encode(): [value] for name, value in headers.items()}
    return Head(method, b"/x", b"", b"HTTP/1.1", named, 0, 5.0)


class GuardTests(SynchronousTestCase):
    def test_hosts_that_are_none(self) -> None:
        """A Host that is no host at all, or one with a path, a user or a port that is none, opens nothing."""
        guard = Guard(Clock(), b"secret", list, list)
        for host in (b"[::1", b"[", b"localhost:x", b"localhost:0", b"localhost:99999", b"a@localhost", b"localhost/x",
                     b"localhost?x", b"localhost#x", b"local host", b"\x00", b"", b":80", b"\xff"):  # fmt: skip
            self.assertEqual(guard.refuse(host, None, None).code, "wrong-host", host)
        for host in (b"localhost", b"LOCALHOST:8180", b"[::1]:8180", b"127.0.0.1"):
            self.assertIsNone(guard.refuse(host, None, None), host)

    def test_many_hosts_are_not_kept(self) -> None:
        """Names of this machine are remembered, but not without end: ports of a stranger's choice take no memory."""
        guard = Guard(Clock(), b"secret", list, list)
        for port in range(1, 300):
            self.assertIsNone(guard.refuse(b"localhost:%d" % port, None, None))
        self.assertEqual(len(guard._known_hosts), 100)

    def test_open_house(self) -> None:
        """Without a secret in the settings every caller from this machine is let in, whatever it gives."""
        guard = Guard(Clock(), None, list, list)
        for given in (None, b"", b"wrong"):
            self.assertIsNone(guard.refuse_secret(given))


class AccessTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(7.5)
        self.access = Access(Guard(self.clock, b"secret", list, lambda: ["https://app.example"]), self.clock)

    def test_order(self) -> None:
        """Host and Origin are judged before the secret, and the preflight of a browser needs none."""
        refused = self.access.admit(head(Host=b"evil.example"))
        self.assertEqual((refused.status, json.loads(refused.body)["execution"]), (403, "2.500000"))
        self.assertEqual(self.access.admit(head(b"OPTIONS", Origin=b"https://evil.example")).status, 403)
        preflight = self.access.admit(head(b"OPTIONS", Origin=b"https://app.example"))
        self.assertEqual((preflight.status, preflight.body), (204, b""))
        self.assertIn(b"Access-Control-Allow-Origin: https://app.example\r\n", preflight.headers)
        self.assertEqual(self.access.admit(head(b"OPTIONS")).status, 401)

    def test_refusals_can_be_read_by_pages(self) -> None:
        """A page whose Origin is allowed may read why its secret is not, and gets no other header for it."""
        refused = self.access.admit(head(Origin=b"https://app.example", Api_secret=b"wrong"))
        self.assertEqual(refused.status, 401)
        self.assertIn(b"Access-Control-Allow-Origin: https://app.example\r\n", refused.headers)
        self.assertEqual(self.access.admit(head(Api_secret=b"secret")), b"")

    def test_without_secret(self) -> None:
        """What needs no secret is open to who gives none; a wrong one is refused even there."""
        self.assertEqual(self.access.admit(head(), without_secret=True), b"")
        self.assertEqual(self.access.admit(head(Api_secret=b"wrong"), without_secret=True).status, 401)
        self.assertEqual(self.access.admit(head(Host=b"evil.example"), without_secret=True).status, 403)


class DeadlineTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.fired: list[float] = []
        self.deadline = Deadline(self.clock, lambda: self.fired.append(self.clock.seconds()))

    def test_moved_back(self) -> None:
        """A deadline that moves is due at its last time alone, and has one timer whatever it was before."""
        for _ in range(100):
            self.deadline.set(60)
            self.clock.advance(1)
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.clock.pump([1.0] * 58)
        self.assertEqual(self.fired, [])
        self.clock.advance(1)
        self.assertEqual(self.fired, [159.0])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_moved_forward(self) -> None:
        """One that moves forward is due at its new time, however far away the timer was."""
        self.deadline.set(10 * ROUND)
        self.deadline.set(0.25)
        self.clock.advance(0.25)
        self.assertEqual(self.fired, [0.25])

    def test_cleared(self) -> None:
        """One that was cleared never fires; one that was stopped leaves no timer."""
        self.deadline.set(1)
        self.deadline.clear()
        self.clock.advance(2)
        self.deadline.set(1)
        self.deadline.stop()
        self.assertEqual((self.fired, self.clock.getDelayedCalls()), ([], []))


class RenderTests(SynchronousTestCase):
    def test_what_json_has_no_word_for(self) -> None:
        """Other collections are lists; whatever else there is becomes its text."""
        value = {"a": iter((1, 2)), "b": {1: 2}.values(), "c": Deferred, "d": frozenset("a"), "e": bytearray(b"\1")}
        wanted = {"a": [1, 2], "b": [2], "c": str(Deferred), "d": ["a"], "e": "01"}
        self.assertEqual(json.loads(compact(value)), wanted)


class SecretTests(SynchronousTestCase):
    def test_a_file_where_the_link_was(self) -> None:
        """What is in the place of the link to the secret, a file or a link elsewhere, gives way to the right one."""
        context = FakeContext(Clock(), self.mktemp())
        home = context.world.home
        secret = api_secret(context.world)
        link = home / "metadata" / "apisecret"
        for place in (lambda: link.write_text("old"), lambda: link.symlink_to("/etc/passwd")):
            link.unlink()
            place()
            self.assertEqual(api_secret(context.world), secret)
            self.assertEqual(link.read_text(), secret.decode())
        (home / "apisecret").write_bytes(b"\xff\xfe")
        self.assertNotEqual(api_secret(context.world), secret)


class ModelTests(SynchronousTestCase):
    """Snapshots that are read while others change."""

    def setUp(self) -> None:
        self.context = FakeContext(Clock(), self.mktemp())
        self.models = Models(self.context)
        self.sent: list[bytes] = []
        self.made: list[Any] = []
        self.reading: Deferred[list[Snapshot]] = Deferred()
        outflow: Any = self
        self.listener = SocketListener(self.models, lambda: outflow)
        self.told: Any = None

        class Slow:
            service = None

            async def all(mine: Any) -> list[Snapshot]:
                return await self.reading

            def watch(mine: Any, told: Any) -> Any:
                self.told = told
                return lambda: self.made.append("forgotten")

        self.models._sources["service"] = Slow()

    def put_many(self, messages: Any, size: int) -> None:
        self.sent += list(messages)

    def put_snapshot(self, model: str, data: bytes) -> None:
        self.sent.append(data)

    def put(self, data: bytes) -> None:
        self.sent.append(data)

    def ids(self) -> list[str]:
        return [json.loads(data)["payload"].get("id", "") for data in self.sent]

    def test_changes_wait_for_what_is_older(self) -> None:
        """A change that comes while all snapshots are being read is pushed behind them; a second reading is refused."""
        enabling = self.listener.enable("service", True)
        self.told(Snapshot("new", {}))
        refused = self.failureResultOf(self.listener.request("service", None), BitDustError)
        self.assertEqual(refused.value.code, "busy")
        self.assertEqual(self.sent, [])
        self.reading.callback([Snapshot("old", {})])
        self.assertEqual(self.successResultOf(enabling)["pushed"], 1)
        self.assertEqual(self.ids(), ["old", "new"])

    def test_more_changes_than_are_kept(self) -> None:
        """Of changes without end that come meanwhile a thousand are kept, and a gap says that there were more."""
        self.listener.enable("service", True)
        for number in range(MAX_WAITING_SNAPSHOTS + 5):
            self.told(Snapshot(str(number), {}))
        self.reading.callback([])
        self.assertEqual(len(self.sent), MAX_WAITING_SNAPSHOTS + 1)
        self.assertEqual(json.loads(self.sent[-1])["type"], "gap")

    def test_reading_that_fails(self) -> None:
        """When the snapshots cannot be read, the changes that waited are pushed all the same."""
        enabling = self.listener.enable("service", True)
        self.told(Snapshot("new", {}))
        self.reading.errback(BitDustError("broken", "the catalog is damaged"))
        self.failureResultOf(enabling, BitDustError)
        self.assertEqual(self.ids(), ["new"])

    def test_one_that_is_not_there(self) -> None:
        """A snapshot that nobody has is refused."""
        asking = self.listener.request("service", "x" * 300)
        self.reading.callback([Snapshot("old", {})])
        refused = self.failureResultOf(asking, BitDustError)
        self.assertEqual(refused.value.code, "not-found")
        self.assertLess(len(str(refused.value)), 300)

    def test_close(self) -> None:
        """The end of all sockets forgets what was watched, once."""
        self.reading.callback([])
        self.successResultOf(self.listener.enable("service", False))
        self.models.close()
        self.models.close()
        self.assertEqual(self.made, ["forgotten"])


class DocumentTests(RestCase):
    async def test_too_large(self) -> None:
        """A body that nobody asked for is limited at the documents as everywhere, and told in an envelope."""
        for path in ("/metrics", openapi.PATH):
            raw = await self.connect()
            raw.transport.write(
                f"GET {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {MAX_BODY + 1}\r\n\r\n".encode()
            )
            answer = await raw.ended
            self.assertIn(b"413", answer[:20])
            self.assertEqual(json.loads(answer.partition(b"\r\n\r\n")[2])["code"], "too-large")

    async def test_head(self) -> None:
        """HEAD of a document gets the length and nothing else."""
        raw = await self.connect()
        lines = f"HEAD {openapi.PATH} HTTP/1.1\r\nHost: localhost\r\napi_secret: {self.secret}\r\nConnection: close"
        raw.transport.write(f"{lines}\r\n\r\n".encode())
        found, _, body = (await raw.ended).partition(b"\r\n\r\n")
        self.assertRegex(found.decode(), r"200 OK[\s\S]*Content-Length: \d{5}")
        self.assertEqual(body, b"")

    async def test_refused_with_a_body(self) -> None:
        """A stranger's body is read and forgotten, so that its connection is of use for who knows the secret."""
        raw = await self.connect()
        start = "POST /api/process_health HTTP/1.1\r\nHost: localhost\r\n"
        raw.transport.write(f"{start}Content-Length: 4\r\n\r\nabcd".encode())
        await raw.until(b"access denied")
        raw.transport.write(f"{start}api_secret: {self.secret}\r\nConnection: close\r\n\r\n".encode())
        self.assertIn(b'"status": "OK"', await raw.ended)

    async def test_blank_body(self) -> None:
        """A body of blanks is none; an argument in body and path must be the same in both."""
        self.assertEqual((await self.ask("GET", "/p/h", " \r\n "))[2]["status"], "OK")
        body = '{"key": "logs/packet-enabled"}'
        status, _, answer = await self.ask("GET", "/config/get/logs/debug-level/v1", body)
        self.assertEqual((status, answer["code"]), (200, "bad-argument"))
        self.assertIn("given twice", answer["errors"][0])

    async def test_hosts_as_a_list(self) -> None:
        """Settings with several names are read as words, however they are stored."""
        self.context.settings.set("interface/api/allowed-hosts", "a.example, b.example")
        for host in ("a.example", "b.example"):
            self.assertEqual((await self.ask("GET", "/p/h", host=host))[0], 200)

    async def test_unwritable_answer_that_came_later(self) -> None:
        """An answer of a Deferred that JSON cannot tell ends as an envelope, as one that is there at once."""
        self.context.driver.health = lambda name: deferLater(reactor, 0, lambda: {(1, 2): 3})
        status, _, answer = await self.ask("GET", "/service/health/network/v1")
        self.assertEqual((status, answer["code"]), (200, "internal"))
        self.assertEqual(len(self.flushLoggedErrors(TypeError)), 1)


    async def test_unwritable_answer_that_is_there_at_once(self) -> None:
        """The same for a method that needs no waiting."""
        self.context.registry = Broken()
        status, _, answer = await self.ask("GET", "/automat/list/v1")
        self.assertEqual((status, answer["code"]), (200, "internal"))
        self.assertEqual(len(self.flushLoggedErrors(TypeError)), 1)

    async def test_odd_queries(self) -> None:
        """A path that is no text, and a query of too many arguments, are bad arguments of a method that exists."""
        many = "&".join(f"a{number}=1" for number in range(MAX_QUERY_FIELDS + 1))
        for target in ("/config/get/%ff/v1", f"/p/h?{many}"):
            status, _, answer = await self.ask("GET", target)
            self.assertEqual((status, answer["code"]), (200, "bad-argument"), target[:30])


class Broken:
    """A registry whose machines cannot be shown."""

    def __iter__(self) -> Any:
        return iter((object(),))

    def describe(self, machine: object) -> dict[Any, Any]:
        return {(1, 2): 3}


class MessageTests(SynchronousTestCase):
    """A WebSocket without its handshake and frames."""

    def setUp(self) -> None:
        self.context = FakeContext(Clock(), self.mktemp())
        client = Client(self.context, self.context.world.clock)
        self.addCleanup(self.context.events.stop)
        self.socket = client.socket()

    def ask(self, **message: Any) -> dict[str, Any]:
        self.socket.tell(json.dumps(message))
        payload: dict[str, Any] = self.socket.sent.pop()["payload"]
        return payload

    def test_resume_from_nowhere(self) -> None:
        """A client that wants to go on must say behind which event, and of which run."""
        odd = ({"after": 3}, {"after": 3, "run": ""}, {"after": True, "run": "x"}, {"after": -1, "run": "x"})
        for message in ({}, *odd):
            payload = self.ask(command="resume", call_id=1, **message)
            self.assertEqual((payload["call_id"], payload["response"]["code"]), (1, "bad-argument"), message)

    def test_unwritable_answer(self) -> None:
        """An answer that JSON cannot tell is told as a failure, and goes to the log."""
        self.socket.talk._asked.registry = Broken()
        payload = self.ask(command="api_call", method="automats_list", call_id="x")
        self.assertEqual((payload["call_id"], payload["response"]["code"]), ("x", "internal"))
        self.flushLoggedErrors(TypeError)

    def test_end_before_the_handshake(self) -> None:
        """A socket that never opened is closed without a frame."""
        self.socket._opened, self.socket.state = False, self.socket.STATE_CONNECTING
        self.socket.end(1001, "the node stops")
        self.assertTrue(self.socket.transport.disconnecting)
        self.assertEqual(self.socket.transport.value(), b"")


class PortTests(RestCase):
    async def test_half_taken(self) -> None:
        """When a program has the port on one of the two loopback addresses, it is not used on the other."""
        try:
            other = socket.create_server(("::1", 0), family=socket.AF_INET6)
        except OSError:
            raise SkipTest("this machine has no IPv6") from None
        with other:
            context = FakeContext(reactor, self.mktemp(), reactor)
            context.settings.set("interface/api/rest-http-port", other.getsockname()[1])
            server = ApiServer(context, TABLE)
            try:
                await server.start()
            except BitDustError as error:
                self.assertEqual(error.code, "port-taken")
            else:
                self.fail("half a port was taken")
            with socket.create_server(("127.0.0.1", other.getsockname()[1])):
                """Nothing of ours is left there."""
