"""REST over the table, on real loopback sockets."""

import json
import socket
import stat
from typing import Any

from attrs import evolve
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock, deferLater
from twisted.trial.unittest import SynchronousTestCase, TestCase

from bitdust.api.methods import TABLE
from bitdust.config.schema import default_schema
from bitdust.config.settings import Settings
from bitdust.web import channel
from bitdust.web.channel import ENDLESS_BODY
from bitdust.web.guard import Guard
from bitdust.web.render import VERY_LONG_LIST, pretty
from bitdust.web.rest import MAX_BODY
from bitdust.web.server import ApiServer
from bitdust.wire.errors import BitDustError
from bitdust.wire.messages import MAX_DATA
from tests.api.fakes import FakeContext


class Raw(Protocol):
    """Keeps all bytes; ``ended`` fires when the other side closes."""

    def __init__(self) -> None:
        self.data = b""
        self.ended: Deferred[bytes] = Deferred()
        self.waiting: list[tuple[bytes, Deferred[bytes]]] = []

    def dataReceived(self, data: bytes) -> None:
        self.data += data
        for mark, deferred in list(self.waiting):
            if mark in self.data:
                self.waiting.remove((mark, deferred))
                deferred.callback(self.data)

    def until(self, mark: bytes) -> "Deferred[bytes]":
        deferred: Deferred[bytes] = Deferred()
        self.waiting.append((mark, deferred))
        self.dataReceived(b"")
        return deferred

    def connectionLost(self, reason: Any = None) -> None:
        self.ended.callback(self.data)


class RestCase(TestCase):
    """A server on ports that the system chose."""

    async def setUp(self) -> None:
        self.context = FakeContext(reactor, self.mktemp(), reactor)
        self.server = ApiServer(self.context, TABLE)
        self.ports = await self.server.start()
        self.secret = (self.context.world.home / "apisecret").read_text()

    async def tearDown(self) -> None:
        await self.server.stop()
        self.context.events.stop()

    async def connect(self) -> Raw:
        from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol

        return await connectProtocol(TCP4ClientEndpoint(reactor, "127.0.0.1", self.ports["rest"]), Raw())

    async def ask(
        self, verb: str, path: str, body: bytes | str = b"", host: str = "localhost", **headers: str
    ) -> tuple[int, dict[str, str], Any]:
        """Status, headers and JSON of one request. ``secret=""`` leaves the secret out."""
        text = body if isinstance(body, bytes) else body.encode()
        secret = headers.pop("secret", self.secret)
        lines = [f"{verb} {path} HTTP/1.1", f"Host: {host}:{self.ports['rest']}", "Connection: close"]
        lines += [f"api_secret: {secret}"] if secret else []
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        if text:
            lines.append(f"Content-Length: {len(text)}")
        raw = await self.connect()
        raw.transport.write("\r\n".join(lines).encode() + b"\r\n\r\n" + text)
        answer = await raw.ended
        head, _, payload = answer.partition(b"\r\n\r\n")
        first, *others = head.decode().split("\r\n")
        found = {line.partition(":")[0].lower(): line.partition(":")[2].strip() for line in others}
        return int(first.split()[1]), found, json.loads(payload) if payload else None


class EnvelopeTests(RestCase):
    async def test_health(self) -> None:
        """process_health answers OK with the seconds it took, as text with six decimals."""
        status, headers, answer = await self.ask("GET", "/process/health/v1")
        self.assertEqual((status, answer["status"], headers["content-type"]), (200, "OK", "application/json"))
        self.assertRegex(answer["execution"], r"^\d+\.\d{6}$")

    async def test_generation(self) -> None:
        """A method of 2016 answers in its namespace and, where no other has its name, plainly; other years are none."""
        for path in ("/2016/config_list", "/api/config_list"):
            status, _, envelope = await self.ask("POST", path, '{"sort": 1}')
            self.assertEqual((status, set(envelope["result"][0])), (200, {"key", "value", "type"}), path)
        self.assertEqual((await self.ask("POST", "/2016/services_list"))[2]["status"], "OK")
        self.assertEqual((await self.ask("POST", "/1999/config_list"))[0], 404)
        request = '{"params": {"mode": "dance"}}'
        self.assertEqual((await self.ask("POST", "/api/filemanager", request))[2]["code"], "bad-argument")

    async def test_failure_is_200(self) -> None:
        """A known method that fails answers 200 with ERROR, a sentence and a stable code."""
        self.context.ill = "the disk is full"
        status, _, answer = await self.ask("GET", "/p/h")
        self.assertEqual((status, answer["status"], answer["errors"]), (200, "ERROR", ["the disk is full"]))
        self.assertEqual(answer["code"], "unhealthy")

    async def test_arguments_everywhere(self) -> None:
        """Arguments come from path, query and body, whatever type the body claims to have."""
        for verb, path, body in (
            ("GET", "/config/get/v1?key=logs/debug-level", ""),
            ("GET", "/config/get/logs/debug-level/v1", ""),
            ("GET", "/v1/config/get?key=logs%2Fdebug-level", ""),
            ("GET", "/config/get/v1", '{"key": "logs/debug-level"}'),
            ("POST", "/api/config_get", '{"key": "logs/debug-level"}'),
        ):
            status, _, answer = await self.ask(verb, path, body, Content_Type="application/x-www-form-urlencoded")
            self.assertEqual((status, answer["result"][0]["value"]), (200, 0), path)

    async def test_bad_arguments(self) -> None:
        """Bad arguments of a known method are an envelope with the code bad-argument."""
        for path in ("/config/get/v1", "/config/get/v1?key=a&key=b", "/config/get/v1?key=a&colour=b", "/p/h?x=%ff"):
            status, _, answer = await self.ask("GET", path)
            self.assertEqual((status, answer["status"], answer["code"]), (200, "ERROR", "bad-argument"), path)

    async def test_whole_body_as_data(self) -> None:
        """event_send takes ``data`` or, as older clients send it, the whole body."""
        for body in ('{"data": {"a": 1}}', '{"a": 1}'):
            _, _, answer = await self.ask("POST", "/event/send/my-event/v1", body)
            seq = answer["result"]["seq"]
            self.assertEqual(self.context.events.since(seq - 1)[0].data, {"a": 1})

    async def test_unexpected_errors_stay_inside(self) -> None:
        """A bug becomes an envelope with the code internal; the traceback goes to the log alone."""
        self.context.health = lambda: 1 / 0
        status, _, answer = await self.ask("GET", "/p/h")
        self.assertEqual((status, answer["code"]), (200, "internal"))
        self.assertNotIn("ZeroDivision", json.dumps(answer))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    async def test_unwritable_answers_end(self) -> None:
        """An answer that JSON cannot tell ends as an envelope too, instead of a request that hangs."""
        self.context.driver.list = lambda: [{1: 2, "a": 3}]
        status, _, answer = await self.ask("GET", "/service/list/v1")
        self.assertEqual((status, answer["code"]), (200, "internal"))
        self.assertEqual(len(self.flushLoggedErrors(TypeError)), 1)


    async def test_a_very_long_answer(self) -> None:
        """A very long list is written in a thread, as a short one is otherwise; one that JSON cannot tell ends, too."""
        rows: list[Any] = [{"n": number, "text": "ü"} for number in range(VERY_LONG_LIST + 1)]
        written: list[Any] = []

        def run_in_thread(call: Any, *given: Any) -> Deferred[Any]:
            written.append(call)
            return deferLater(reactor, 0, call, *given)

        self.context.world = evolve(self.context.world, run_in_thread=run_in_thread)
        self.context.storage = Rows(rows)
        self.patch(self.context.driver, "is_on", lambda name: True)
        status, _, answer = await self.ask("GET", "/file/list/v1")
        self.assertEqual((status, answer["result"]), (200, rows))
        self.assertEqual(written, [pretty])
        rows.append({1: 2, "a": 3})
        self.assertEqual((await self.ask("GET", "/file/list/v1"))[2]["code"], "internal")
        self.assertEqual(len(self.flushLoggedErrors(TypeError)), 1)


class Rows:
    """A storage that lists what it was given."""

    revision = 1

    def __init__(self, rows: list[Any]) -> None:
        self._rows = rows

    async def list(self, *arguments: Any) -> list[Any]:
        return self._rows


class RefusalTests(RestCase):
    async def test_secret(self) -> None:
        """A missing or wrong secret is 401 with exactly ``access denied``."""
        for secret in ("", "wrong", self.secret[:-1]):
            status, _, answer = await self.ask("GET", "/process/health/v1", secret=secret)
            self.assertEqual((status, answer["errors"]), (401, ["access denied"]))

    async def test_many_failures(self) -> None:
        """After ten wrong secrets the answer is 429; the right secret still passes."""
        statuses = [(await self.ask("GET", "/p/h", secret="wrong"))[0] for _ in range(11)]
        self.assertEqual(statuses, [401] * 10 + [429])
        self.assertEqual((await self.ask("GET", "/p/h"))[0], 200)

    async def test_foreign_host(self) -> None:
        """A Host that is not this machine is 403, so that no name of a stranger leads here."""
        for host in ("evil.example", "127.0.0.1.evil.example", "localhost@evil.example", "[::2]", "localhost/x"):
            status, _, answer = await self.ask("GET", "/p/h", host=host)
            self.assertEqual((status, answer["code"]), (403, "wrong-host"), host)
        self.context.settings.set("interface/api/allowed-hosts", "node.example")
        self.assertEqual((await self.ask("GET", "/p/h", host="node.example"))[0], 200)

    async def test_no_host(self) -> None:
        """Without a Host, or with two, nothing is answered but a refusal."""
        for hosts in ("", "Host: localhost\r\nHost: evil.example\r\n"):
            raw = await self.connect()
            raw.transport.write(f"GET /p/h HTTP/1.1\r\n{hosts}Connection: close\r\n\r\n".encode())
            self.assertRegex((await raw.ended).decode(), r"^HTTP/1\.1 4\d\d ")

    async def test_foreign_origin(self) -> None:
        """A web page from elsewhere is 403; one of this machine is told that it may read the answer."""
        for origin in ("https://evil.example", "null", "http://localhost.evil.example", "file://localhost"):
            status, headers, _ = await self.ask("GET", "/p/h", Origin=origin)
            self.assertEqual(status, 403, origin)
            self.assertNotIn("access-control-allow-origin", headers)
        self.assertEqual((await self.ask("GET", "/p/h", Sec_Fetch_Site="cross-site"))[0], 403)
        status, headers, _ = await self.ask("GET", "/p/h", Origin="http://localhost:3000")
        self.assertEqual((status, headers["access-control-allow-origin"]), (200, "http://localhost:3000"))
        self.context.settings.set("interface/api/allowed-origins", "https://app.example")
        self.assertEqual((await self.ask("GET", "/p/h", Origin="https://app.example"))[0], 200)

    async def test_preflight(self) -> None:
        """A browser that asks first is told verbs and headers, without a secret."""
        status, headers, _ = await self.ask("OPTIONS", "/p/h", secret="", Origin="http://127.0.0.1:3000")
        self.assertEqual(status, 204)
        self.assertIn("api_secret", headers["access-control-allow-headers"])

    async def test_head(self) -> None:
        """HEAD is no verb of the API, and its refusal has no body."""
        raw = await self.connect()
        raw.transport.write(
            f"HEAD /p/h HTTP/1.1\r\nHost: localhost\r\napi_secret: {self.secret}\r\nConnection: close\r\n\r\n".encode()
        )
        head, _, body = (await raw.ended).partition(b"\r\n\r\n")
        self.assertIn(b" 405 ", head)
        self.assertEqual(body, b"")

    async def test_no_headers_are_smuggled(self) -> None:
        """What a client sends as Origin comes back only when it is a plain origin."""
        for origin in ("http://localhost\nX-Evil: 1", "http://localhost\rX-Evil: 1", "http://localhost\t"):
            raw = await self.connect()
            raw.transport.write(
                f"GET /p/h HTTP/1.1\r\nHost: localhost\r\nOrigin: {origin}x\r\nConnection: close\r\n\r\n".encode()
            )
            self.assertNotIn(b"\nX-Evil", (await raw.ended).replace(b"\r", b"\n"))

    async def test_not_found(self) -> None:
        """Unknown paths are 404, known ones with another verb 405 with the verbs they take."""
        status, _, answer = await self.ask("GET", "/no/such/method/v1")
        self.assertEqual((status, answer["code"]), (404, "not-found"))
        status, headers, answer = await self.ask("DELETE", "/process/health/v1")
        self.assertEqual((status, headers["allow"], answer["code"]), (405, "GET", "bad-verb"))

    async def test_not_json(self) -> None:
        """A body that is no JSON dictionary is 400."""
        for body in ("key=value", "[1]", '{"a": 1', '{"a": 1, "a": 2}', '{"a": NaN}', b"\xff", "[" * 50_000):
            status, _, answer = await self.ask("POST", "/config/set/v1", body)
            self.assertEqual((status, answer["code"]), (400, "not-json"), body[:20])

    async def test_the_largest_message(self) -> None:
        """A message between people may have a whole megabyte: what stands around it in the body does not count."""
        data = {"text": "x" * (MAX_DATA - len('{"text":""}'))}
        body = json.dumps({"recipient_id": "nobody", "data": data})
        self.assertGreater(len(body), MAX_DATA)
        status, _, answer = await self.ask("POST", "/message/send/v1", body)
        self.assertEqual(status, 200, answer)
        self.assertNotEqual(answer["code"], "too-large")

    async def test_large_body(self) -> None:
        """A body over the limit is 413 before it is read."""
        raw = await self.connect()
        head = f"POST /config/set/v1 HTTP/1.1\r\nHost: localhost\r\napi_secret: {self.secret}\r\n"
        raw.transport.write(f"{head}Content-Length: {MAX_BODY + 1}\r\n\r\n".encode())
        self.assertIn(b"413", (await raw.ended)[:20])

    async def test_large_chunked_body(self) -> None:
        """A body without a length is not kept beyond the limit; one that does not end is cut off."""
        for chunks, end in ((MAX_BODY // 65536 + 1, b"0\r\n\r\n"), (ENDLESS_BODY // 65536 + 1, b"")):
            raw = await self.connect()
            head = f"POST /p/h HTTP/1.1\r\nHost: localhost\r\napi_secret: {self.secret}\r\nConnection: close\r\n"
            raw.transport.write(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode())
            raw.transport.write((b"%x\r\n" % 65536 + b"x" * 65536 + b"\r\n") * chunks + end)
            self.assertEqual(b"413" in (await raw.ended)[:20], bool(end))

    async def test_long_lines(self) -> None:
        """An address or a header that is too long is told so in an envelope, however much follows, and closed."""
        secret = f"api_secret: {self.secret}\r\n"
        for size in (16_380, 20_000, 1_000_000):
            for request in (
                f"GET /config/get/v1?key={'x' * size} HTTP/1.1\r\nHost: localhost\r\n{secret}\r\n",
                f"GET /p/h HTTP/1.1\r\nHost: localhost\r\nX-Long: {'x' * size}\r\n{secret}\r\n",
            ):
                raw = await self.connect()
                raw.transport.write(request.encode())
                head, _, body = (await raw.ended).partition(b"\r\n\r\n")
                self.assertEqual(head.split()[1], b"431")
                self.assertEqual(json.loads(body)["code"], "too-large")

    async def test_not_http(self) -> None:
        """What is not HTTP gets 400 and an envelope."""
        for request in ("hello\r\n\r\n", "GET /p/h HTTP/1.1\r\nHost : x\r\n\r\n", "GET\r\n" * 100):
            raw = await self.connect()
            raw.transport.write(request.encode())
            head, _, body = (await raw.ended).partition(b"\r\n\r\n")
            self.assertEqual((head.split()[1], json.loads(body)["code"]), (b"400", "bad-request"))

    async def test_who_goes_on_sending(self) -> None:
        """One who was turned away and sends on without an end, or never closes, is cut off."""
        raw = await self.connect()
        raw.transport.write(b"x" * (2 * ENDLESS_BODY))
        await raw.ended
        self.patch(channel, "BODY_TIMEOUT", 0.01)
        silent = await self.connect()
        silent.connectionLost = lambda reason=None: silent.ended.callback(silent.data)
        silent.transport.write(b"hello\r\n\r\n")
        self.assertIn(b"bad-request", await silent.ended)


class OpenApiTests(RestCase):
    async def test_document(self) -> None:
        """The table as OpenAPI, for who has the secret; other verbs are told which one it takes."""
        status, headers, found = await self.ask("GET", "/openapi.json")
        self.assertEqual((status, headers["content-type"], found["openapi"]), (200, "application/json", "3.1.0"))
        self.assertEqual((await self.ask("GET", "/openapi.json", secret=""))[0], 401)
        self.assertEqual((await self.ask("GET", "/openapi.json", host="evil.example"))[0], 403)
        status, headers, answer = await self.ask("POST", "/openapi.json", "{}")
        self.assertEqual((status, headers["allow"], answer["code"]), (405, "GET", "bad-verb"))
        self.assertEqual((await self.ask("GET", "/openapi.json"))[2], found)


class ConnectionTests(RestCase):
    async def test_a_half_that_is_closed(self) -> None:
        """Who says that nothing more comes gets the answer to what it said, and the connection ends."""
        for request in (b"GET /process/health/v1 HTTP/1.1\r\nHost: localhost\r\n", b"GET / HTTP/1.1\r\nX\r\n", b""):
            raw = await self.connect()
            secret = f"api_secret: {self.secret}\r\n\r\n".encode() if request else b""
            raw.transport.write(request + secret)
            raw.transport.loseWriteConnection()
            answer = await raw.ended
            self.assertEqual(answer[:12], request and (b"HTTP/1.1 200" if b"health" in request else b"HTTP/1.1 400"))

    async def test_disconnect_cancels(self) -> None:
        """A client that goes away in the middle of a call cancels it."""
        gone: Deferred[None] = Deferred()
        began: Deferred[None] = Deferred()

        def listen(consumer: str) -> "Deferred[list[Any]]":
            began.callback(None)
            return Deferred(lambda _: gone.callback(None))

        self.context.consumers.listen = listen
        raw = await self.connect()
        raw.transport.write(
            f"GET /event/listen/me/v1 HTTP/1.1\r\nHost: localhost\r\napi_secret: {self.secret}\r\n\r\n".encode()
        )
        await began
        raw.transport.loseConnection()
        await gone
        await raw.ended

    async def test_keeps_alive(self) -> None:
        """Several requests go over one connection, also when they come at once."""
        raw = await self.connect()
        request = f"GET /p/h HTTP/1.1\r\nHost: localhost\r\napi_secret: {self.secret}\r\n\r\n".encode()
        raw.transport.write(request * 3)
        while raw.data.count(b'"status": "OK"') < 3:
            await raw.until(b'"status": "OK"')
            waiting: Deferred[None] = Deferred()
            reactor.callLater(0, waiting.callback, None)
            await waiting
        raw.transport.loseConnection()
        await raw.ended

    async def test_slow_body(self) -> None:
        """A client that announces a body and does not send it is dropped when the time is over."""
        self.patch(channel, "BODY_TIMEOUT", 0.01)
        raw = await self.connect()
        raw.transport.write(b"POST /p/h HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n{")
        self.assertEqual(await raw.ended, b"")

    async def test_too_many_connections(self) -> None:
        """Beyond the limit a new connection is refused while all others have calls in work."""
        self.server.listeners.answering["rest"]._most = 1
        waiting = await self.connect()
        waiting.transport.write(
            f"GET /event/listen/me/v1 HTTP/1.1\r\nHost: localhost\r\napi_secret: {self.secret}\r\n\r\n".encode()
        )
        while not len(self.context.consumers):
            turn: Deferred[None] = Deferred()
            reactor.callLater(0, turn.callback, None)
            await turn
        refused = await self.connect()
        self.assertEqual(await refused.ended, b"")
        self.context.events.send("something-happened")
        self.assertIn(b"something-happened", await waiting.until(b"something-happened"))
        waiting.transport.loseConnection()
        await waiting.ended


class ServerTests(RestCase):
    def test_files(self) -> None:
        """Secret and ports are private files; metadata/apisecret links to the secret."""
        home = self.context.world.home
        for name in ("apisecret", "metadata/apiports"):
            self.assertEqual(stat.S_IMODE((home / name).stat().st_mode), 0o600, name)
        self.assertTrue((home / "metadata/apisecret").is_symlink())
        self.assertEqual((home / "metadata/apisecret").read_text(), self.secret)
        self.assertEqual(json.loads((home / "metadata/apiports").read_text()), self.ports)
        self.assertGreaterEqual(len(self.secret), 32)

    async def test_secret_stays(self) -> None:
        """A restart keeps the secret; an empty file gets a new one, never no check."""
        await self.server.stop()
        self.ports = await self.server.start()
        self.assertEqual((self.context.world.home / "apisecret").read_text(), self.secret)
        await self.server.stop()
        (self.context.world.home / "apisecret").write_text("")
        self.ports = await self.server.start()
        self.secret = (self.context.world.home / "apisecret").read_text()
        self.assertEqual((await self.ask("GET", "/p/h", secret=""))[0], 401)
        self.assertEqual((await self.ask("GET", "/p/h"))[0], 200)

    async def test_without_secret(self) -> None:
        """With auth-secret-enabled off, local programs need none; web pages from elsewhere are still refused."""
        await self.server.stop()
        self.context.settings.set("interface/api/auth-secret-enabled", False)
        self.ports = await self.server.start()
        self.assertEqual((await self.ask("GET", "/p/h", secret=""))[0], 200)
        self.assertEqual((await self.ask("GET", "/p/h", secret="", Origin="https://evil.example"))[0], 403)

    async def test_taken_port(self) -> None:
        """A port that another program has gives an error that says what to do, and nothing stays bound."""
        with socket.create_server(("127.0.0.1", 0)) as other:
            port = other.getsockname()[1]
            context = FakeContext(reactor, self.mktemp(), reactor)
            context.settings.set("interface/api/web-socket-port", port)
            server = ApiServer(context, TABLE)
            try:
                await server.start()
            except BitDustError as error:
                self.assertEqual(error.code, "port-taken")
                self.assertIn("bitdust set interface/api/web-socket-port", str(error))
            else:
                self.fail("a second listener on a taken port")
            self.assertFalse((context.world.home / "metadata/apiports").exists())

    async def test_taken_default_port(self) -> None:
        """A port that nobody chose gives way to a free one, which is written down for clients."""
        key = "interface/api/rest-http-port"
        with socket.create_server(("127.0.0.1", 0)) as other:
            port = other.getsockname()[1]
            context = FakeContext(reactor, self.mktemp(), reactor)
            schema = dict(default_schema())
            schema[key] = evolve(schema[key], default=port)
            context.settings = Settings(context.world.home / "other", schema)
            context.settings.set("interface/api/web-socket-port", 0)
            server = ApiServer(context, TABLE)
            ports = await server.start()
            self.addCleanup(lambda: Deferred.fromCoroutine(server.stop()))
            self.assertNotEqual(ports["rest"], port)
            self.assertEqual(json.loads((context.world.home / "metadata/apiports").read_text()), ports)

    async def test_ipv6(self) -> None:
        """The same port answers on ::1 where the machine has it."""
        from twisted.internet.endpoints import TCP6ClientEndpoint, connectProtocol
        from twisted.internet.error import ConnectError

        try:
            raw = await connectProtocol(TCP6ClientEndpoint(reactor, "::1", self.ports["rest"]), Raw())
        except ConnectError:
            self.assertEqual(len(self.server.listeners._bound), 2)
            return
        raw.transport.write(
            f"GET /p/h HTTP/1.0\r\nHost: [::1]:{self.ports['rest']}\r\napi_secret: {self.secret}\r\n\r\n".encode()
        )
        self.assertIn(b'"status": "OK"', await raw.ended)


class GuardTests(SynchronousTestCase):
    def test_failures_refill(self) -> None:
        """A minute after the last wrong secret, wrong secrets are 401 again."""
        clock = Clock()
        guard = Guard(clock, b"right", list, list)
        for _ in range(10):
            self.assertEqual(guard.refuse_secret(b"wrong").status, 401)
        self.assertEqual(guard.refuse_secret(None).status, 429)
        self.assertIsNone(guard.refuse_secret(b"right"))
        clock.advance(60)
        self.assertEqual(guard.refuse_secret(b"wrong").status, 401)
