"""The RPC of IPFS without sockets: arguments, bodies, who is let in, and what answers look like."""

import json
from collections.abc import AsyncIterator
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from bitdust.web.channel import BAD_REQUEST
from bitdust.web.dialect import Head, Reply
from bitdust.web.exchange import INTERNAL
from bitdust.web.ipfs.arguments import (
    BOOL,
    DURATION,
    INT,
    UINT,
    Argument,
    BadCall,
    Option,
    Options,
    fields,
    read_arguments,
    read_options,
)
from bitdust.web.ipfs.dialect import SHORT_BODY, IpfsDialect
from bitdust.web.ipfs.guard import RpcGuard
from bitdust.web.ipfs.permission import ANYBODY
from bitdust.web.ipfs.table import Answer, Call, Command, Commands, Data, Json, Lines
from bitdust.web.ipfs.upload import MOST_WAITING, Upload, upload_of
from bitdust.web.programs import Programs
from bitdust.wire.errors import BitDustError

TYPE = b'multipart/form-data; boundary="b"'


def form(*parts: tuple[bytes, bytes], end: bytes = b"--b--\r\n") -> bytes:
    """A body; each part is its headers and its bytes."""
    return b"".join(b"--b\r\n" + headers + b"\r\n\r\n" + data + b"\r\n" for headers, data in parts) + end


def file(name: str, kind: str = "text/plain") -> bytes:
    """Headers of a part, as the Python client writes them."""
    return f'Content-Disposition: form-data; name="file"; filename="{name}"\r\nContent-Type: {kind}'.encode()


class ArgumentTests(SynchronousTestCase):
    def test_values_as_go_reads_them(self) -> None:
        """Booleans, whole numbers and durations are read as Go reads them; everything else is refused by name."""
        for option, text, value in (
            (BOOL, "True", True),
            (BOOL, "f", False),
            (BOOL, "", True),
            (INT, "-5", -5),
            (UINT, "5", 5),
            (DURATION, "1m30.5s", 90.5),
            (DURATION, "300ms", 0.3),
            (DURATION, "0", 0.0),
        ):
            self.assertEqual(read_options([("x", text)], Options([Option(("x",), option)])), {"x": value})
        wrong = ((BOOL, "yes"), (INT, "1.5"), (INT, "9" * 30), (UINT, "-1"), (DURATION, "5"), (DURATION, ""))
        for option, text in wrong:
            error = self.assertRaises(BadCall, read_options, [("x", text)], Options([Option(("x", "y"), option)]))
            self.assertIn("for option '-x'", str(error))

    def test_names(self) -> None:
        """Aliases count, unknown options are ignored, repeated ones are gathered where that is meant; else nobody knows
        which of two values counts."""
        options = Options([Option(("recursive", "r"), BOOL, default=False), Option(("topic",), several=True)])
        given = [("r", "1"), ("what", "x"), ("topic", "a"), ("topic", "b"), ("recursive", "1")]
        self.assertEqual(read_options(given, options), {"recursive": True, "topic": ["a", "b"]})
        self.assertEqual(read_options([], options), {"recursive": False, "topic": []})
        error = self.assertRaises(BadCall, read_options, [("r", "1"), ("recursive", "0")], options)
        self.assertEqual(str(error), "expected key recursive to have only a single value, received [1 0]")

    def test_positions(self) -> None:
        """Arguments go by position; a missing one is named, and what is more than wanted is ignored."""
        one, more = Argument("one"), Argument("more", required=False, variadic=True)
        self.assertEqual(read_arguments(["a", "b", "c"], [one, more]), {"one": "a", "more": ["b", "c"]})
        self.assertEqual(read_arguments(["a", "False"], [one]), {"one": "a"})
        self.assertEqual(str(self.assertRaises(BadCall, read_arguments, [], [one])), 'argument "one" is required')

    def test_queries(self) -> None:
        """A plus is a space, an odd byte is kept, and too many arguments are refused."""
        self.assertEqual(fields(b"arg=a+b%2Fc&x=%ff&&y"), [("arg", "a b/c"), ("x", "\udcff"), ("y", "")])
        self.assertRaises(BadCall, fields, b"a=1&" * 10_001)
        self.assertRaises(BadCall, fields, b"a" * ((1 << 20) + 1))


class UploadTests(SynchronousTestCase):
    def upload(self, data: bytes, size: int = 1 << 20, end: bool = True) -> Upload:
        made = upload_of(TYPE)
        assert made is not None
        for start in range(0, len(data), size):
            made.feed(data[start : start + size])
        if end:
            made.end()
        return made

    def everything(self, upload: Upload) -> list[tuple[bytes, str, bytes]]:
        async def take() -> list[tuple[bytes, str, bytes]]:
            found = []
            while (part := await upload.next()) is not None:
                found.append((part.name, part.kind, await upload.whole(1 << 20)))
            return found

        return self.successResultOf(Deferred.fromCoroutine(take()))

    def test_files_directories_and_symlinks(self) -> None:
        """Names are percent-encoded, kinds are told by their type, and bytes come as they are, however they are cut."""
        body = form(
            (file("wd", "application/x-directory"), b""),
            (b"Abspath: docs/wd/a\r\n" + file("wd%2Fa%20b"), b"hi\r\n--x\r\n"),
            (file("wd%2Fl", "application/symlink"), b"a b"),
            (file(""), b"\r\n" * 3),
        )
        wanted = [
            (b"wd", "directory", b""),
            (b"wd/a b", "file", b"hi\r\n--x\r\n"),
            (b"wd/l", "symlink", b"a b"),
            (b"", "file", b"\r\n" * 3),
        ]
        for size in (1, 7, 1 << 20):
            self.assertEqual(self.everything(self.upload(body, size)), wanted)

    def test_a_client_waits_for_room(self) -> None:
        """More than a megabyte that nobody takes is not read on, until half of it was taken."""
        upload = self.upload(form((file("a"), b""), end=b"")[:-2], end=False)
        room = upload.feed(bytes(MOST_WAITING))
        assert room is not None
        self.successResultOf(Deferred.fromCoroutine(upload.next()))
        self.assertNoResult(room)
        self.successResultOf(Deferred.fromCoroutine(upload.read()))
        self.successResultOf(room)

    def test_bodies_that_are_none(self) -> None:
        """A body that ends in the middle, or is no form, is refused, and never looks whole."""
        for body in (form((file("a"), b"x"), end=b""), b"--b\r\n", b"nothing", b"--b\r\nx\r\n\r\n"):
            upload = self.upload(body)
            self.failureResultOf(Deferred.fromCoroutine(self.taken(upload)), BadCall)

    async def taken(self, upload: Upload) -> None:
        while await upload.next() is not None:
            await upload.whole(1 << 20)

    def test_limits(self) -> None:
        """A header without end, a long name, and too many bytes where few are wanted are refused."""
        for body in (b"--b\r\nX: " + bytes(1 << 17), form((file("a" * 40_000), b""))):
            self.failureResultOf(Deferred.fromCoroutine(self.taken(self.upload(body))), BadCall)
        upload = self.upload(form((file("a"), bytes(11))))
        self.successResultOf(Deferred.fromCoroutine(upload.next()))
        self.failureResultOf(Deferred.fromCoroutine(upload.whole(10)), BadCall)

    def test_types(self) -> None:
        """Only a multipart form with a boundary is a body of files."""
        self.assertIsNone(upload_of(None))
        self.assertIsNone(upload_of(b"application/json"))
        self.assertRaises(BadCall, upload_of, b"multipart/form-data")
        self.assertRaises(BadCall, upload_of, b"multipart/form-data; boundary=" + b"x" * 300)

    @settings(max_examples=60, deadline=None)
    @given(st.binary(max_size=300), st.integers(1, 50))
    def test_any_bytes(self, data: bytes, size: int) -> None:
        """Whatever comes is files, or refused."""
        upload = self.upload(b"--b\r\n" + data, size)
        taking = Deferred.fromCoroutine(self.taken(upload))
        taking.addErrback(lambda failure: failure.trap(BadCall))
        self.successResultOf(taking)


class GuardTests(SynchronousTestCase):
    guard = RpcGuard(Programs(lambda: ["https://friend.example"], lambda: ["box.example"]))

    def admit(self, method: bytes = b"POST", **headers: bytes) -> Any:
        given = {b"Host": [b"127.0.0.1:5001"]} | {
            name.replace("_", "-").encode(): [value] for name, value in headers.items() if value
        }
        if headers.get("Host") == b"":
            del given[b"Host"]
        return self.guard.admit(Head(method, b"/api/v0/id", b"", b"HTTP/1.1", given, 0, 0.0))

    def status(self, method: bytes = b"POST", **headers: bytes) -> int:
        admitted = self.admit(method, **headers)
        return admitted.status if isinstance(admitted, Reply) else 200

    def test_programs(self) -> None:
        """Programs that name this machine are let in, with any verb but POST refused."""
        self.assertEqual(self.status(User_Agent=b"python-requests/2"), 200)
        self.assertEqual(self.status(Host=b"[::1]:5001"), 200)
        self.assertEqual(self.status(Host=b"box.example"), 200)
        self.assertEqual([self.status(verb) for verb in (b"GET", b"HEAD", b"PUT", b"OPTIONS")], [405, 405, 405, 204])

    def test_browsers(self) -> None:
        """Pages of foreign origins, browsers that name none, and foreign names of this machine are refused."""
        self.assertEqual(self.status(Host=b"evil.example"), 403)
        self.assertEqual(self.status(Host=b""), 403)
        self.assertEqual(self.status(Origin=b"https://evil.example"), 403)
        self.assertEqual(self.status(Origin=b"null"), 403)
        self.assertEqual(self.status(Referer=b"https://evil.example/127.0.0.1"), 403)
        self.assertEqual(self.status(User_Agent=b"Mozilla/5.0"), 403)
        self.assertEqual(self.status(Sec_Fetch_Site=b"cross-site"), 403)
        self.assertEqual(self.status(Origin=b"https://friend.example", User_Agent=b"Mozilla/5.0"), 200)
        self.assertEqual(self.status(Origin=b"http://localhost:3000"), 200)
        self.assertIn(
            b"Access-Control-Allow-Origin: http://localhost:3000", self.admit(Origin=b"http://localhost:3000")
        )


async def _rows(*rows: Any) -> AsyncIterator[Any]:
    for row in rows:
        if isinstance(row, Exception):
            raise row
        yield await row if isinstance(row, Deferred) else row


class Talk:
    """One exchange with a dialect; ``reply`` is its answer."""

    def __init__(
        self,
        dialect: IpfsDialect,
        path: str,
        query: str = "",
        body: bytes | None = None,
        host: bytes = b"localhost",
        more: dict[bytes, list[bytes]] | None = None,
        is_whole: bool = True,
    ) -> None:
        headers = {b"Host": [host]} | ({b"Content-Type": [TYPE]} if body is not None else {}) | (more or {})
        self.head = Head(b"POST", path.encode(), query.encode(), b"HTTP/1.1", headers, None, 0.0)
        self.reply: Reply | None = None
        self.sink = dialect.begin(self)
        if isinstance(self.sink, Reply):
            self.reply = self.sink
        else:
            if body:
                self.sink.received(body)
            if is_whole:
                self.sink.finished()

    def answer(self, reply: Reply) -> None:
        self.reply = reply

    def told(self) -> tuple[int, int, str]:
        """Status, code and message of a refusal."""
        assert self.reply is not None
        row = json.loads(self.reply.body)
        return self.reply.status, row["Code"], row["Message"]

    def body(self) -> "Deferred[bytes]":
        async def read() -> bytes:
            assert self.reply is not None
            body = self.reply.body
            return body if isinstance(body, bytes) else b"".join([piece async for piece in body])

        return Deferred.fromCoroutine(read())


class Everybody:
    """Lets everybody do everything."""

    def caller(self, head: Head, headers: bytes) -> Any:
        return ANYBODY


class DialectTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.answers: list[Answer | Exception] = []
        self.calls: list[Call] = []
        rows = [
            Command(
                "say",
                self.say,
                (Argument("what", required=False),),
                (Option(("loud",), BOOL, default=False), Option(("to",), several=True)),
            ),
            Command("say/hello", self.say),
            Command("take", self.take, file="data"),
        ]
        guard, nobody = RpcGuard(Programs(list, list)), (None, lambda: None)
        commands = Commands().add(rows)
        self.dialect = IpfsDialect(lambda options: nobody, commands, guard, Everybody(), self.clock)

    async def say(self, node: None, call: Call) -> Answer:
        self.calls.append(call)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, Deferred):
            await answer
        return answer

    async def take(self, node: None, call: Call) -> Answer:
        upload = call.file()
        found = []
        while (part := await upload.next()) is not None:
            found.append([part.name.decode(), len(await upload.whole(100))])
        return Json(found)

    def said(self, answer: Any, query: str = "", path: str = "/api/v0/say") -> tuple[int, bytes]:
        self.answers.append(answer)
        talk = Talk(self.dialect, path, query)
        assert talk.reply is not None
        return talk.reply.status, self.successResultOf(talk.body())

    def test_kinds_of_answers(self) -> None:
        """One value is a line with a length, nothing is an empty body, rows are lines, and bytes are bytes."""
        self.assertEqual(self.said(Json({"ä": 1})), (200, '{"ä":1}\n'.encode()))
        self.assertEqual(self.said(None), (200, b""))
        self.assertEqual(self.said(Lines(_rows({"a": 1}, {"a": 2}))), (200, b'{"a":1}\n{"a":2}\n'))
        self.assertEqual(self.said(Data(_rows(b"x", b"y"), 2)), (200, b"xy"))

    def test_errors(self) -> None:
        """An error before the first byte has a status; in the middle it is the last line, or the end of the bytes."""
        wrong = BitDustError("not-pinned", "not pinned")
        line = b'{"Message":"not pinned","Code":0,"Type":"error"}\n'
        self.assertEqual(self.said(wrong), (500, line))
        self.assertEqual(self.said(Lines(_rows(wrong))), (500, line))
        self.assertEqual(self.said(Lines(_rows({"a": 1}, wrong))), (200, b'{"a":1}\n' + line))
        self.assertEqual(self.said(BitDustError("bad-argument", "no"))[0], 400)
        self.assertEqual(self.said(BadCall("no")), (400, b'{"Message":"no","Code":1,"Type":"error"}\n'))
        self.answers.append(Data(_rows(b"x", wrong)))
        talk = Talk(self.dialect, "/api/v0/say")
        self.failureResultOf(talk.body(), BitDustError)

    def test_what_breaks(self) -> None:
        """An exception that nobody expected is logged, and its client is told where to look."""
        self.answers.append(ZeroDivisionError())
        talk = Talk(self.dialect, "/api/v0/say")
        self.assertEqual(talk.reply.status if talk.reply else 0, 500)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_where_commands_are(self) -> None:
        """The longest path that is a command counts; one name behind it is its first argument, and more
        are no command."""
        self.said(None, path="/api/v0/say/a%20b", query="loud=true")
        self.assertEqual((self.calls[-1].arguments, self.calls[-1].options["loud"]), ({"what": "a b"}, True))
        self.said(None, path="/api/v0/say/hello")
        self.assertEqual(self.calls[-1].arguments, {})
        for path in ("/api/v0/nothing", "/api/v0/", "/", "/api/v1/say", "/api/v0/say/a/b", "/api/v0/say/hello/a/b"):
            self.assertEqual(Talk(self.dialect, path).reply.status, 404)

    def test_calls_that_are_alike(self) -> None:
        """What a command does with its arguments and options is no matter of the next call that is alike."""
        for _ in range(2):
            self.assertEqual(self.said(None, "arg=hello&loud=1&loud=1&to=a&to=b"), (200, b""))
            call = self.calls.pop()
            self.assertEqual(call.arguments, {"what": "hello"})
            self.assertEqual((call.options["loud"], call.options["to"]), (True, ["a", "b"]))
            call.arguments["what"] = "bye"
            call.options["to"].append("c")

    def test_what_is_refused_before_a_command_begins(self) -> None:
        """Bad options, missing arguments, foreign pages and what is no request are refused as JSON with a message."""
        talk = Talk(self.dialect, "/api/v0/say", "loud=perhaps")
        text = "could not convert value 'perhaps' to type 'bool' (for option '-loud')"
        self.assertEqual(talk.told(), (400, 1, text))
        talk = Talk(self.dialect, "/api/v0/say", "loud=1", host=b"evil.example")
        status, code, message = talk.told()
        self.assertEqual((status, code), (403, 4))
        self.assertTrue(message.startswith("403 - Forbidden: "))
        for refusal, code in ((BAD_REQUEST, 1), (INTERNAL, 0)):
            talk.reply = self.dialect.refusal(refusal, None)
            self.assertEqual(talk.told(), (refusal.status, code, refusal.text))

    def test_a_time_limit(self) -> None:
        """The option timeout ends a command that waits, before its first byte and in the middle of its lines."""
        for answer in (Deferred(), Lines(_rows(Deferred()))):
            self.answers.append(answer)
            talk = Talk(self.dialect, "/api/v0/say", "timeout=2s")
            self.assertIsNone(talk.reply)
            self.clock.advance(2)
            self.assertIn(b"context deadline exceeded", self.successResultOf(talk.body()))
        self.answers.append(Lines(_rows({"a": 1}, Deferred())))
        talk = Talk(self.dialect, "/api/v0/say", "timeout=2s")
        reading = talk.body()
        self.clock.advance(2)
        self.assertIn(b"context deadline exceeded", self.successResultOf(reading))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_files(self) -> None:
        """A command that needs files says so where there is no form, and gets them where there is one."""
        self.assertEqual(Talk(self.dialect, "/api/v0/take").told(), (400, 1, "file argument 'data' is required"))
        talk = Talk(self.dialect, "/api/v0/take", body=form((file("a"), b"123")))
        self.assertEqual(self.successResultOf(talk.body()), b'[["a",3]]\n')
        talk = Talk(self.dialect, "/api/v0/take", body=form((file("a"), bytes(101))))
        self.assertEqual(talk.reply.status if talk.reply else 0, 400)

    def test_bodies_in_pieces(self) -> None:
        """A short body is given to its command whole; of a long one the command begins before all of it is here."""
        begun: list[int] = []
        self.patch(Upload, "feed", lambda upload, data: begun.append(len(data)))
        body = form((file("a"), b"123"))
        sink = Talk(self.dialect, "/api/v0/take", body=body[:9], is_whole=False).sink
        assert not isinstance(sink, Reply)
        for at in range(9, len(body)):
            sink.received(body[at : at + 1])
        self.assertEqual(begun, [])
        sink.finished()
        self.assertEqual(begun.pop(), len(body))
        sink = Talk(self.dialect, "/api/v0/take", body=bytes(SHORT_BODY), is_whole=False).sink
        assert not isinstance(sink, Reply)
        self.assertEqual(begun, [])
        sink.received(b"x")
        sink.received(b"yz")
        self.assertEqual(begun, [SHORT_BODY + 1, 2])
        sink.gone()

    def test_a_client_that_goes(self) -> None:
        """Whoever goes ends what was done for it."""
        waiting: Deferred[None] = Deferred()
        self.answers.append(waiting)
        talk = Talk(self.dialect, "/api/v0/say", "timeout=1m")
        talk.sink.gone()  # type: ignore[union-attr]
        self.assertTrue(waiting.called)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        succeed(waiting.result if hasattr(waiting, "result") else None)
