"""Requests of HTTP that are wrong, ambiguous, endless, too large, or not HTTP at all."""

from collections.abc import Callable
from random import Random

from tests.hostile.fuzz.scripts import Script, torn

GOOD = b"/process/health/v1"
SMUGGLED = b"GET /smuggled/v1 HTTP/1.1\r\nHost: localhost\r\n\r\n"
LENGTHS = (
    b"5",
    b"+5",
    b"-1",
    b"0x5",
    b"5, 5",
    b"5, 6",
    b"5 6",
    b"",
    b"\x0b5",
    b"5\x00",
    b"1" * 40,
    b"\xb2",
    b"5_0",
    b"00005",
)
CODINGS = (
    b"chunked",
    b"Chunked",
    b"CHUNKED",
    b" chunked",
    b"chunked ",
    b"\tchunked",
    b"xchunked",
    b"chunked, identity",
    b"identity, chunked",
    b"gzip, chunked",
    b"chunked;q=1",
    b"\x0bchunked",
    b'"chunked"',
    b"chunked\x00",
    b"chu nked",
)
ODD_BYTES = (
    b"\x00",
    b"\xff\xfe",
    b"\xc3\x28",
    b"\xed\xa0\x80",
    b"\xf0\x9f\x92\xa9",
    b"\r",
    b"\x1b[2J",
    b"\xe2\x80\xae",
    b"%",
)
VERBS = (
    b"GET",
    b"POST",
    b"PUT",
    b"DELETE",
    b"HEAD",
    b"OPTIONS",
    b"TRACE",
    b"CONNECT",
    b"PATCH",
    b"get",
    b"G\x00T",
    b"X" * 300,
)
TARGETS = (
    b"*",
    b"http://localhost/process/health/v1",
    b"localhost:80",
    b"//",
    b"/..;/..",
    b"/%2e%2e/%2e%2e/etc/passwd",
    b"/process/%00/v1",
    b"/process/health/v1/",
    b"/process/health/v1?%",
    b"/process/health/v1?a=%ff%fe",
    b"/process/health/v1?" + b"a=1&" * 200,
    b"/" + b"a/" * 3000,
    b"/\xf0\x9f\x92\xa9",
    b"/process/health/v1#x",
    b"/config/get/v1?key=" + b"%F0%9F%92%A9" * 50,
    b"/config/get/v1?key=a&key=b",
    b"/docs",
    b"/openapi.json",
    b"/metrics",
)
VERSIONS = (
    b"HTTP/1.1",
    b"HTTP/1.0",
    b"HTTP/0.9",
    b"HTTP/1.9",
    b"HTTP/2.0",
    b"HTTP/11",
    b"http/1.1",
    b"HTTP/1.1 ",
    b"",
    b"X",
)
FOREIGN = (
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 200,
    b"\r\n" * 500,
    b"SSH-2.0-OpenSSH_9.0\r\n",
    b"*1\r\n$4\r\nPING\r\n",
    b"\x00" * 300,
    b"GET",
    b" \r\n\r\n",
    b"GET /\r\n\r\n",
    b"\n\n\n",
)
NUMBERS = (b"1e999", b"-1e999", b"NaN", b"Infinity", b"1" * 5000, b"-0", b"01", b"0x1", b"1.", b".5", b"1e-999999999")


class Requests:
    """I make them, for one node: the secret of its API gets them past the first door."""

    def __init__(self, random: Random, secret: bytes) -> None:
        self._random = random
        self._secret = secret
        self._kinds: tuple[Callable[[], Script], ...] = (
            self.ambiguous,
            self.lengths,
            self.headers,
            self.chunks,
            self.bodies,
            self.numbers,
            self.targets,
            self.many,
            self.foreign,
            self.expectations,
            self.unfinished,
            self.folded,
        )

    def script(self) -> Script:
        """The next one."""
        made = self._random.choice(self._kinds)()
        chance = self._random.random()
        return (
            made
            if chance < 0.7
            else Script(made.kind, made.parts, "half" if chance < 0.9 else "reset", made.whole, made.most)
        )

    def _head(self, *lines: bytes, verb: bytes = b"POST", target: bytes = b"/config/get/v1") -> bytes:
        own = [verb + b" " + target + b" HTTP/1.1", b"Host: localhost"]
        if self._random.random() < 0.7:
            own.append(b"api_secret: " + self._secret)
        return b"\r\n".join([*own, *lines]) + b"\r\n\r\n"

    def _made(self, kind: str, data: bytes, whole: bool = False, most: int = 1) -> Script:
        return Script(kind, torn(self._random, data), whole=whole, most=most)

    def ambiguous(self) -> Script:
        """Two lengths, of which two programs take different ones: there is one answer, and none to what is hidden."""
        random = self._random
        one = random.choice(LENGTHS)
        name = random.choice(
            (b"Transfer-Encoding: ", b"Transfer-Encoding : ", b"Transfer-encoding:\t", b"\tTransfer-Encoding: ")
        )
        other = name + random.choice(CODINGS) if random.random() < 0.8 else b"Content-Length: " + random.choice(LENGTHS)
        lines = [b"Content-Length: " + one, other]
        random.shuffle(lines)
        body = random.choice((b"0\r\n\r\n", b"5\r\nabcde\r\n0\r\n\r\n", b"abcde"))
        # A line that begins with a tab belongs to the one before it, and equal lengths are one.
        is_clear = other.startswith(b"\t") or (other.startswith(b"Content") and other.endswith(one))
        return self._made("ambiguous", self._head(*lines) + body + SMUGGLED, whole=True, most=2 if is_clear else 1)

    def lengths(self) -> Script:
        """A length that is none, or that the body has not."""
        line = self._random.choice((b"Content-Length: ", b"content-length:", b"Content-Length : ", b"Content_Length: "))
        return self._made("lengths", self._head(line + self._random.choice(LENGTHS)) + b"abcde", most=2)

    def headers(self) -> Script:
        """Too many headers, too long ones, and names that are none."""
        random = self._random
        how = random.randrange(5)
        if how == 0:
            lines = [b"X-%d: %d" % (number, number) for number in range(random.choice((50, 499, 501, 2000)))]
        elif how == 1:
            lines = [b"X: " + b"a" * random.choice((8000, 17_000, 70_000))]
        elif how == 2:
            lines = [b"Cookie: " + b"a=b; " * random.choice((10, 3000))]
        elif how == 3:
            lines = [
                random.choice(
                    (b"", b": x", b"no colon", b"X Y: 1", b"X\x00: 1", b"\xff: 1", b"X:" + random.choice(ODD_BYTES))
                )
            ]
        else:
            lines = [
                b"Host: " + random.choice((b"evil.example", b"", b"localhost:99999", b"[::1", b"a@localhost", b"\xff"))
            ]
        return self._made("headers", self._head(*lines, verb=b"GET", target=GOOD), most=4)

    def chunks(self) -> Script:
        """Chunks that are none, have no end, or are many."""
        random = self._random
        body = random.choice(
            (
                b"FFFFFFFFFFFFFFFFF\r\nabc",
                b"-1\r\nabc\r\n",
                b"5\r\nabcdefgh\r\n0\r\n\r\n",
                b"5;" + b"x" * random.choice((10, 5000, 70_000)),
                b"0" * 3000 + b"5\r\nabcde\r\n0\r\n\r\n",
                b"1\r\na\r\n" * random.choice((10, 2000)) + b"0\r\n\r\n",
                b"5\nabcde\n0\n\n",
                b"0\r\n" + b"X: y\r\n" * random.choice((3, 600, 5000)) + b"\r\n",
                b"g\r\n",
                b"\r\n\r\n",
                b"0x5\r\nabcde\r\n0\r\n\r\n",
                b"2\r\n{}\r\n0\r\nContent-Length: 5\r\n\r\n",
                b"5 \r\nabcde\r\n0\r\n\r\n",
                b"\xb25\r\n",
            )
        )
        return self._made("chunks", self._head(b"Transfer-Encoding: chunked") + body, most=3)

    def bodies(self) -> Script:
        """Bodies that are no JSON, or more of it than anybody reads."""
        random, deep = self._random, self._random.choice((10, 990, 20_000, 200_000))
        body = random.choice(
            (
                b"[" * deep,
                b'{"a":' * deep,
                b"[" * deep + b"]" * deep,
                b'{"key":' + b"[" * deep + b"]" * deep + b"}",
                b"\xff\xfe{\x00}\x00",
                b"\xef\xbb\xbf{}",
                b'{"key": "\xff"}',
                b'{"key": "\\ud800"}',
                b'{"key": "\\u0000"}',
                b'{"key": 1, "key": 2}',
                b'{"a\xc0\xaf": 1}',
                b'{"key": "' + b"a" * random.choice((100, 100_000)) + b'"}',
                b"{" + b",".join(b'"%d":0' % n for n in range(3000)) + b"}",
                b"null",
                b"[]",
                b'"key"',
                b"{'key': 1}",
                b"key=logs",
                b"{}" * 100,
                b"{\x00}",
                b"{",
                b'{"key": {"key": {"key": []}}}',
            )
        )
        return self._made("bodies", self._head(b"Content-Length: %d" % len(body)) + body, whole=True)

    def numbers(self) -> Script:
        """Numbers that no number has room for, where a number belongs."""
        random = self._random
        name, target = random.choice(
            (
                (b"seconds", b"/event/list/v1"),
                (b"value", b"/config/set/v1"),
                (b"limit", b"/message/history/v1"),
                (b"key", b"/config/get/v1"),
            )
        )
        body = b'{"' + name + b'": ' + random.choice(NUMBERS) + b', "key": "logs/debug-level"}'
        return self._made("numbers", self._head(b"Content-Length: %d" % len(body), target=target) + body, whole=True)

    def targets(self) -> Script:
        """Verbs, targets and versions of every kind."""
        random = self._random
        first = b" ".join((random.choice(VERBS), random.choice(TARGETS), random.choice(VERSIONS)))
        data = first + b"\r\nHost: localhost\r\napi_secret: " + self._secret + b"\r\n\r\n"
        if random.random() < 0.3:
            place = random.randrange(len(data))
            data = data[:place] + random.choice(ODD_BYTES) + data[place:]
        return self._made("targets", data, most=3)

    def many(self) -> Script:
        """Many requests at once, of which some are good."""
        random = self._random
        count = random.choice((2, 17, 60))
        one = b"GET " + GOOD + b" HTTP/1.1\r\nHost: localhost\r\napi_secret: " + self._secret + b"\r\n\r\n"
        parts = [one if random.random() < 0.9 else self.targets().data for _ in range(count)]
        return self._made("many", b"".join(parts), most=2 * count)

    def foreign(self) -> Script:
        """Another protocol."""
        return self._made("foreign", self._random.choice(FOREIGN), most=2)

    def expectations(self) -> Script:
        """A body that waits to be asked for, another protocol that is wished for, and ranges of what has none."""
        random = self._random
        line = random.choice(
            (
                b"Expect: 100-continue",
                b"Expect: 200-ok",
                b"Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings",
                b"Range: bytes=0-1,2-3,-5",
                b"Connection: close, keep-alive",
                b"TE: trailers",
                b"Expect: " + b"1" * 9000,
            )
        )
        body = random.choice((b"{}", b""))
        return self._made("expectations", self._head(line, b"Content-Length: 2") + body, most=3)

    def unfinished(self) -> Script:
        """A request that breaks off."""
        data = self._head(b"Content-Length: 4000") + b'{"key": "' + b"a" * 2000
        return self._made("unfinished", data[: self._random.randrange(1, len(data))])

    def folded(self) -> Script:
        """Lines that end otherwise, or go on in the next one."""
        random = self._random
        end = random.choice((b"\n", b"\r", b"\r\r\n", b"\n\r", b"\x0b\r\n", b"\r\n "))
        lines = (b"GET " + GOOD + b" HTTP/1.1", b"Host: localhost", b"api_secret: " + self._secret, b"X: y")
        return self._made("folded", end.join(lines) + end + random.choice((end, b"\r\n\r\n")), most=3)
