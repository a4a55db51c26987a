"""Bad input for every method of the table, over REST, WebSocket and command line; a new row is covered by itself."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from click.testing import CliRunner
from twisted.internet.defer import succeed
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from bitdust.api.arguments import MAX_LIST, MAX_TEXT, BadArgument, Kind, parse_json
from bitdust.api.methods import TABLE
from bitdust.api.table import Method, Param
from bitdust.cli.calls import api
from bitdust.cli.client import ApiClient
from bitdust.cli.main import Session
from bitdust.testing.grid import SEED_HOST, Grid
from bitdust.web.answers import Answers
from bitdust.web.connections import Connections
from bitdust.web.guard import Guard
from bitdust.web.server import rest_engine
from bitdust.web.talk import Talks
from bitdust.web.websocket import ApiSocket, SocketApi
from tests.api.fakes import FakeContext
from tests.keys import cheap_passphrases

SECRET = b"s" * 32
LONG_POLLS = frozenset(("event_listen", "message_receive", "receive_one_message"))
"""They answer when something happens, and wait for it as long as the client does."""
LAST = ("identity_erase", "process_stop", "process_restart")
"""What ends a node is tried after everything else."""
PATIENCE = 120.0
CODE = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
TOO_LONG, TOO_MANY = "x" * (MAX_TEXT + 1), MAX_LIST + 1
"""One character, and one item, more than are allowed."""
DEEP = 100_000
WRONG_TYPES: dict[Kind, tuple[Any, ...]] = {
    Kind.FLAG: ("maybe", 7, -1, 0.5, [], {}, [True]),
    Kind.INTEGER: ("", "x", "1.5", "1e9", "0x10", True, 1.5, [], {}, 10**400, -(10**400), "9" * 400, 2**63),
    Kind.NUMBER: ("", "x", "nan", "inf", "-inf", True, [], {}, 10**400, -(10**400), "9" * 400, "1" + "0" * 39),
    Kind.TEXT: (True, [], {}, ["x"], {"x": 1}, TOO_LONG),
    Kind.LIST: (True, 7, 1.5, {}, {"x": 1}, [[]], [{}], [None], ["x"] * TOO_MANY, "x," * TOO_MANY),
    Kind.SCALAR: ({}, {"x": 1}, [[]], [{}], 10**400, TOO_LONG, ["x"] * TOO_MANY),
    Kind.JSON: (),
}
"""What no parameter of that kind can be."""
ODD: tuple[Any, ...] = ("", "\0", "a\0b", "../..", "x" * 5_000, "é" * 300, "\u202e", "\x1b[2J", 10**18, "%s", 0)
"""What may be taken or refused, and never breaks anything."""
ODD_QUERIES = ("", "%00", "a%00b", "..%2f..", "x" * 5_000, "%e2%80%ae", "%1b%5b2J", "+", "%25s", "-1", "1e999")
BAD_QUERIES = ("%ff", "%ed%a0%80", "%c0%80", "\xff")
"""Not UTF-8: a stray byte, a surrogate, an overlong null, a raw byte."""


def order() -> list[Method]:
    return sorted(TABLE, key=lambda row: row.name in LAST)


def filled(row: Method, without: Param | None = None) -> dict[str, Any]:
    """The required arguments, of the right type and meaning nothing."""
    plain = {Kind.TEXT: "x", Kind.INTEGER: 1, Kind.NUMBER: 1, Kind.FLAG: False, Kind.LIST: ["x"], Kind.SCALAR: "x"}
    return {one.name: plain.get(one.kind, {"x": 1}) for one in row.params if one.required and one is not without}


def refused(row: Method) -> Iterator[dict[str, Any]]:
    """Arguments that this method must refuse before it does anything."""
    for param in row.params:
        others = filled(row, param)
        for value in WRONG_TYPES[param.kind]:
            yield {**others, param.name: value}
        if param.kind is not Kind.FLAG and param.kind is not Kind.JSON:
            yield {**others, param.name: "\ud800"}
        if param.required:
            yield others
            if param.kind is not Kind.JSON:
                yield {**others, param.name: None}
        for alias in param.aliases[:1]:
            yield {**others, param.name: "1", alias: "0"}
        if param.low is not None:
            yield {**others, param.name: param.low - 1}
        if param.high is not None:
            yield {**others, param.name: param.high + 1}
    yield {**filled(row), "no_such_argument": 1}
    yield {**filled(row), "\ud800": 1}
    yield {**filled(row), "": 1, "__class__": 1, "self": 1, "context": 1}


class Client:
    """Talks to a node's API in memory: bytes in, bytes out, and the clock stands still."""

    def __init__(self, context: Any, clock: Clock) -> None:
        self.context = context
        self.clock = clock
        self.guard = Guard(clock, SECRET, list, list)
        self.rest = rest_engine(context, TABLE, self.guard)
        talks = Talks(context, TABLE, Answers.alone(clock))
        self.sockets = SocketApi(context, talks, self.guard, Connections(clock), most=64)

    def ask(self, verb: bytes, target: bytes, body: bytes = b"") -> "Answer":
        """One request."""
        channel = self.rest.buildProtocol(None)
        transport = StringTransport()
        transport.abortConnection = transport.loseWriteConnection = transport.loseConnection
        channel.makeConnection(transport)
        head = b"%s %s HTTP/1.1\r\nHost: localhost\r\napi_secret: %s\r\nContent-Length: %d\r\n\r\n"
        data = head % (verb, target, SECRET, len(body)) + body
        for begin in range(0, len(data), 1 << 16):
            if transport.disconnecting:
                break
            channel.dataReceived(data[begin : begin + (1 << 16)])
        answer = Answer(transport, channel)
        if answer.envelope is not None:
            answer.close()
        return answer

    def call(self, row: Method, arguments: Any) -> "Answer":
        """A method with a JSON body."""
        path = f"/{row.generation or 'api'}/{row.name}"
        return self.ask(b"POST", path.encode(), json.dumps(arguments).encode())

    def socket(self) -> "Socket":
        """An open WebSocket."""
        return Socket(self.sockets)


class Socket(ApiSocket):
    """A WebSocket without its handshake and frames."""

    def __init__(self, shared: SocketApi) -> None:
        super().__init__(shared)
        self.transport = StringTransport()
        self.peer = "memory"
        self.factory = None
        self.sent: list[Any] = []
        self._opened = True
        self.talk = shared.talks.begin(self)

    def write(self, data: bytes) -> None:
        self.sent.append(json.loads(data))

    def tell(self, text: str) -> None:
        self.onMessage(text.encode("utf-8", "surrogatepass"), False)


class Answer:
    """What came back; ``envelope`` is None as long as nothing has."""

    def __init__(self, transport: StringTransport, channel: Any) -> None:
        self._transport = transport
        self._channel = channel

    @property
    def status(self) -> int:
        return int(self._transport.value().split(b" ", 2)[1])

    @property
    def envelope(self) -> dict[str, Any] | None:
        head, end, body = self._transport.value().partition(b"\r\n\r\n")
        return json.loads(body) if end else None

    def close(self) -> None:
        """The client goes."""
        self._channel.connectionLost(Failure(ConnectionDone()))


class TableCase(SynchronousTestCase):
    """Bad input against one node; any failure that is logged fails the test as well."""

    context: Any
    clock: Clock
    client: "Client"
    every_path = False

    def check_refusal(self, envelope: dict[str, Any] | None, what: str, code: str | None = "bad-argument") -> None:
        """An error with a stable code and a sentence."""
        self.assertIsNotNone(envelope, f"{what}: no answer")
        self.assertEqual(envelope["status"], "ERROR", what)
        self.check_error(envelope, what)
        if code is not None:
            self.assertEqual(envelope["code"], code, f"{what}: {envelope}")

    def check_error(self, envelope: dict[str, Any], what: str) -> None:
        self.assertTrue(CODE.fullmatch(envelope["code"]), what)
        self.assertNotEqual(envelope["code"], "internal", what)
        (sentence,) = envelope["errors"]
        self.assertGreater(len(sentence.split()), 1, f"{what}: {sentence!r} is no sentence")
        self.assertLess(len(sentence), 5_000, what)
        for trace in ("Traceback", 'File "', "object at 0x", "NoneType"):
            self.assertNotIn(trace, sentence, what)

    def settle(self, row: Method, answer: Answer, what: str) -> None:
        """Whatever the method says to odd input, it says it soon, and in an envelope."""
        end = self.clock.seconds() + PATIENCE
        while answer.envelope is None and row.name not in LONG_POLLS:
            self.assertLess(self.clock.seconds(), end, f"{what}: no answer within {PATIENCE} seconds")
            self.clock.advance(0.1)
        envelope = answer.envelope
        if envelope is None:
            answer.close()
        elif envelope["status"] == "ERROR":
            self.check_error(envelope, what)
        else:
            self.assertEqual(envelope["status"], "OK", what)


class ArgumentCases:
    """The same questions for every kind of node."""

    def test_refused_over_rest(self) -> None:
        """Missing, unknown, huge, double and wrongly typed arguments are refused at once, with code and sentence."""
        for row in order():
            for arguments in refused(row):
                what = f"{row.name} {repr(arguments)[:200]}"
                self.check_refusal(self.client.call(row, arguments).envelope, what)

    def test_refused_over_websocket(self) -> None:
        """The same over a WebSocket; the answer carries the call's id."""
        socket = self.client.socket()
        for number, row in enumerate(order()):
            for arguments in refused(row):
                message = {"command": "api_call", "method": row.name, "kwargs": arguments, "call_id": number}
                message |= {"generation": row.generation} if row.generation else {}
                socket.tell(json.dumps(message))
                payload = socket.sent.pop()["payload"]
                what = f"{row.name} {repr(arguments)[:200]}"
                self.assertEqual(payload["call_id"], number, what)
                self.check_refusal(payload["response"], what)
        self.assertEqual(socket.sent, [])

    def test_refused_in_the_query(self) -> None:
        """Queries that are no UTF-8, name an argument twice, or miss one are refused at every route."""
        for row in order():
            for route in row.routes:
                if "{" in route.path:
                    continue
                for path in route.paths() if self.every_path else (route.path,):
                    self.check_queries(row, route.verb, path)

    def check_queries(self, row: Method, verb: str, path: str) -> None:
        others = "".join(f"&{name}={quote(str(value))}" for name, value in filled(row).items())
        queries = ["no_such_argument=1" + others, f"{'&' * 200}x=1", "x=1&x=1" + others, "x=1&" * 101, "%ff=1" + others]
        for param in row.params:
            queries += [f"{param.name}={text}{others}" for text in BAD_QUERIES]
            queries.append(f"{param.name}=1&{param.name}=1{others}")
            queries += [f"{param.name}={text}" for text in ("a" * 500,) if param.kind in (Kind.INTEGER, Kind.NUMBER)]
        for query in queries:
            target = f"{path}?{query}".encode("latin-1")
            code = "bad-request" if b"\xff" in target else "bad-argument"
            self.check_refusal(self.client.ask(verb.encode(), target).envelope, f"{verb} {target[:200]!r}", code)

    def test_bodies(self) -> None:
        """A body that is no JSON dictionary, or names a key twice, or is too deep, is refused at once."""
        wide = ",".join(f'"k{number}":1' for number in range(80_000))
        for body in (
            b"x", b"[]", b"1", b'"x"', b"null", b"{", b'{"a":1}x', b"\xff\xfe", b'{"a":"\xff"}', b"\0",
            b'{"key":1,"key":1}', b'{"key":1,"\\u006bey":2}', b'{"a":NaN}', b'{"a":1e400}', b'{"a":Infinity}',
            b'{"a":' + b"9" * 10_000 + b"}", b"[" * DEEP, b'{"a":' + b"[" * DEEP + b"]" * DEEP + b"}",
            b'{"a":' * DEEP, b'{"a":' + b'{"a":' * 900 + b"1" + b"}" * 901, f'{{{wide},"z":1,"z":2}}'.encode(),
        ):  # fmt: skip
            answer = self.client.ask(b"POST", b"/api/process_health", body)
            self.check_refusal(answer.envelope, repr(body[:60]), None)
            self.assertIn(answer.envelope["code"], ("not-json", "bad-argument"))
        answer = self.client.ask(b"POST", b"/api/process_health", b"x" * (2 << 20))
        self.check_refusal(answer.envelope, "a large body", "too-large")

    def test_messages(self) -> None:
        """A WebSocket message that is no call gets one answer that says why, and the socket stays open."""
        socket = self.client.socket()
        call = '{"command": "api_call", "method": "process_health", "kwargs": %s, "call_id": %s}'
        deep = "[" * 900 + "]" * 900
        for text in (
            "", "x", "[]", "1", "null", "{}", '{"command": null}', '{"command": {}}', '{"command": "x"}', "\0",
            '{"command": "api_call"}', '{"command": "api_call", "method": []}', '{"command": "api_call", "method": ""}',
            '{"command": "api_call", "method": "\\ud800"}', '{"command": "\\ud800"}', "[" * DEEP,
            '{"command": "api_call", "command": "api_call", "method": "process_health"}',
            call % ("[]", "1"), call % ('"x"', "1"), call % ("7", "1"), call % ("{}", deep),
            call % (f'{{"x": {deep}}}', "1"),
            '{"command": "subscribe", "events": 1}', '{"command": "subscribe", "events": [1]}',
            '{"command": "subscribe", "after": -1}', '{"command": "subscribe", "after": "1"}',
            '{"command": "subscribe", "after": true}', f'{{"command": "subscribe", "events": {deep}}}',
        ):  # fmt: skip
            socket.tell(text)
            payload = socket.sent.pop()["payload"]
            errors = payload.get("errors") or payload["response"].get("errors")
            self.assertGreater(len(errors[0].split()), 2, text[:80])
            self.assertEqual(socket.sent, [], text[:80])
        for call_id in ('"\\ud800"', '"' + "x" * 900_000 + '"', "[[1]]", "1" + "0" * 400):
            socket.tell(call % ("{}", call_id))
            payload = socket.sent.pop()["payload"]
            self.assertEqual((payload["response"]["status"], payload["call_id"]), ("OK", json.loads(call_id)))


class FakeNodeTests(ArgumentCases, TableCase):
    """A node without identity, whose services are off."""

    every_path = True

    def setUp(self) -> None:
        self.clock = Clock()
        self.context = FakeContext(self.clock, self.mktemp())
        for row in TABLE:
            if row.service:
                self.context.driver.states.setdefault(row.service, ("OFF", "it rests"))
        self.client = Client(self.context, self.clock)


class RealNodeTests(ArgumentCases, TableCase):
    """A whole node with an identity and a supplier, in memory."""

    def setUp(self) -> None:
        cheap_passphrases(self)
        self.grid = Grid(Path(self.mktemp()))
        self.clock = self.grid.clock
        server = {"services/identity-server/enabled": True, "services/identity-server/host": SEED_HOST}
        idle = {"services/customer/enabled": False, "services/supplier/enabled": False}
        seed = self.grid.add("seed", **server, **idle)
        seed.start()
        alice = self.grid.add("alice")
        alice.start()
        alice.create_identity()
        self.context = alice.node.context
        self.patch(alice.node, "stop", lambda restart=False: succeed(None))
        self.client = Client(self.context, self.clock)

    def tearDown(self) -> None:
        self.grid.stop()

    def test_odd_values(self) -> None:
        """Text with null characters, control characters and the like, and empty text, break nothing in any method."""
        for row in order():
            for param in row.params:
                for value in ODD:
                    arguments = {**filled(row, param), param.name: value}
                    what = f"{row.name} {param.name}={str(value)[:60]!r}"
                    self.settle(row, self.client.call(row, arguments), what)

    def test_odd_queries_and_paths(self) -> None:
        """The same in queries and in the parts of a path."""
        for row in order():
            for route in row.routes:
                for target in self.odd_targets(row, route.path):
                    answer = self.client.ask(route.verb.encode(), target.encode())
                    self.settle(row, answer, f"{route.verb} {target[:200]}")

    def odd_targets(self, row: Method, path: str) -> Iterator[str]:
        if "{" in path:
            for text in (*ODD_QUERIES[1:], *BAD_QUERIES[:3], "a%2fb", "%3f", "%"):
                yield re.sub(r"\{\w+(:path)?\}", text, path)
            return
        for param in row.params:
            others = "".join(f"&{name}={quote(str(value))}" for name, value in filled(row, param).items())
            for text in ODD_QUERIES:
                yield f"{path}?{param.name}={text}{others}"


class CommandLineTests(SynchronousTestCase):
    """``bitdust api`` with what a shell can pass."""

    def run_api(self, *words: str, stdin: bytes = b"", answers: bool = True) -> tuple[int, str, list[Any]]:
        asked: list[Any] = []

        def ask(client: ApiClient, path: str, body: bytes) -> dict[str, Any]:
            asked.append((path, parse_json(body)))
            return {"status": "OK"}

        self.patch(ApiClient, "_ask", ask)
        done = CliRunner().invoke(api, list(words), obj=Session(Path("nowhere"), False), input=stdin)
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done.exit_code, done.output, asked

    def test_refused(self) -> None:
        """Wrong words end with exit code 2 and a sentence, and the node is not asked."""
        folder = Path(self.mktemp())
        folder.mkdir()
        binary = folder / "binary"
        binary.write_bytes(b"\xff\xfe")
        for words in (
            ("m", "x"), ("m", "=x"), ("m", "a b=1"), ("m", "a=1", "a=1"), ("m", "a=1", "a:=1"), ("m", "a:=x"),
            ("m", "a={"), ("m", "a=" + "[" * DEEP), ("m", "a:=" + "9" * 10_000), ("m", f"a=@{folder}"),
            ("m", f"a=@{binary}"), ("m", "a=@/no/such/file"), ("m", "a=-"), ("m", 'a:={"b":1,"b":2}'), ("m", "a:=NaN"),
            ("a/b",), ("é",), ("",), ("a b",), ("a?b",), ("x" * 200,),
        ):  # fmt: skip
            code, output, asked = self.run_api(*words, stdin=b"\xff")
            self.assertEqual((code, asked), (2, []), f"{words!r:.80} {output[:200]}")
            self.assertIn("Error:", output)

    def test_taken(self) -> None:
        """What is odd and no mistake of the command line's goes to the node as JSON."""
        for word, value in (("a=", ""), ("a=b=c", "b=c"), ("a=\udcff", "\udcff"), ("a:=1e3", 1000.0), ("a=[]", [])):
            code, output, asked = self.run_api("m", word)
            self.assertEqual((code, asked), (0, [("/api/m", {"a": value})]), output)


class LimitTests(SynchronousTestCase):
    def test_double_key_at_the_end_of_many(self) -> None:
        """Finding the double key among many takes one look at each."""
        looks = 0

        class Key(str):
            __hash__ = str.__hash__

            def __eq__(self, other: object) -> bool:
                nonlocal looks
                looks += 1
                return str(self) == other

        from bitdust.api.arguments import _unique

        pairs = [(Key(f"k{number}"), 1) for number in range(5_000)] + [(Key("z"), 1), (Key("z"), 2)]
        self.assertRaises(ValueError, _unique, pairs)
        self.assertLess(looks, 10_000)
        self.assertRaises(BadArgument, parse_json, '{"a": 1, "a": 2}')
