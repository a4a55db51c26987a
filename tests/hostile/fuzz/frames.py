"""WebSocket frames that RFC 6455 forbids, allows and nobody sends, or that carry what is no command."""

import json
import zlib
from collections.abc import Callable
from random import Random

from tests.hostile.fuzz.scripts import Script, torn

TEXT, BINARY, CLOSE, PING, PONG, GOES_ON = 1, 2, 8, 9, 10, 0
FIN, RSV1, RSV2, RSV3, MASKED = 0x80, 0x40, 0x20, 0x10, 0x80
CLOSE_CODES = (0, 999, 1000, 1001, 1002, 1004, 1005, 1006, 1007, 1011, 1015, 1016, 2999, 3000, 4999, 5000, 65_535)
COMMANDS = ("api_call", "subscribe", "resume", "", "x" * 1000, None, 1, [], {})
METHODS = ("process_health", "config_get", "event_list", "no_such_method", "", None, 7, [], "process_health\x00")
VALUES = (None, True, -1, 1e308, 2**70, "", "\ud800", "*", [], [[]], {}, {"a": {}}, ["*"] * 300, "run-1", "a" * 2000)
DEFLATE = b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"


def frame(
    opcode: int, payload: bytes, *, flags: int = FIN, masked: bool = True, mask: bytes = b"\x01\x02\x03\x04"
) -> bytes:
    """One frame, in the shortest form."""
    size = len(payload)
    bit = MASKED if masked else 0
    if size < 126:
        head = bytes((flags | opcode, bit | size))
    elif size < 1 << 16:
        head = bytes((flags | opcode, bit | 126)) + size.to_bytes(2, "big")
    else:
        head = bytes((flags | opcode, bit | 127)) + size.to_bytes(8, "big")
    if not masked:
        return head + payload
    whole = mask * (size // 4 + 1)
    return head + mask + (int.from_bytes(payload, "big") ^ int.from_bytes(whole[:size], "big")).to_bytes(size, "big")


class Frames:
    """I make them: a handshake, most times a good one, and what follows it."""

    def __init__(self, random: Random, secret: bytes) -> None:
        self._random = random
        self._secret = secret
        self._kinds: tuple[Callable[[], bytes], ...] = (
            self.flags,
            self.unmasked,
            self.fragments,
            self.controls,
            self.closes,
            self.sizes,
            self.compressed,
            self.texts,
            self.commands,
            self.commands,
            self.noise,
            self.pings,
        )

    def script(self) -> Script:
        """The next one."""
        random = self._random
        if random.random() < 0.1:
            return Script("handshake", torn(random, self._bad_handshake()))
        kind = random.choice(self._kinds)
        count = random.choice((1, 1, 3))
        said = b"".join(kind() if number == 0 else random.choice(self._kinds)() for number in range(count))
        chance = random.random()
        ending = "wait" if chance < 0.6 else "half" if chance < 0.8 else "reset"
        return Script(f"frames {kind.__name__}", (self.handshake(), *torn(random, said)), ending)

    def handshake(self, *more: bytes) -> bytes:
        """One that is taken."""
        lines = [
            b"GET /?a=" + self._secret + b" HTTP/1.1",
            b"Host: localhost",
            b"Upgrade: websocket",
            b"Connection: Upgrade",
            b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
            b"Sec-WebSocket-Version: 13",
            *more,
        ]
        if self._random.random() < 0.2:
            lines.append(DEFLATE)
        return b"\r\n".join(lines) + b"\r\n\r\n"

    def _bad_handshake(self) -> bytes:
        random = self._random
        lines = [
            b"GET /?a=" + self._secret + b" HTTP/1.1",
            b"Host: localhost",
            b"Upgrade: websocket",
            b"Connection: Upgrade",
            b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
            b"Sec-WebSocket-Version: 13",
        ]
        odd = (
            b"GET /?a=%ff%00&after=x&events=[ HTTP/1.1",
            b"POST / HTTP/1.1",
            b"GET /\xff HTTP/1.1",
            b"Host: evil.example",
            b"Upgrade: x",
            b"Connection: \xff",
            b"Sec-WebSocket-Key: short",
            b"Sec-WebSocket-Key: " + b"A" * 70_000,
            b"Sec-WebSocket-Version: 99999999999999999999",
            b"Sec-WebSocket-Version: x",
            b"Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=99",
            b"no colon",
            b": ",
            b"Sec-WebSocket-Extensions: permessage-deflate; a; a",
            b"Sec-WebSocket-Protocol: ,,,",
            b"Sec-WebSocket-Protocol: \xff",
            b"X: " + b"y" * 9000,
            b"Origin: http://evil.example",
            b"Origin: ://",
            b"Content-Length: 99",
        )
        for _ in range(random.choice((1, 1, 2))):
            lines[random.randrange(len(lines))] = random.choice(odd)
        if random.random() < 0.3:
            lines.append(random.choice(odd))
        return random.choice((b"\r\n", b"\r\n", b"\n")).join(lines) + b"\r\n\r\n"

    # what follows it

    def flags(self) -> bytes:
        """Bits and kinds of frames that mean nothing."""
        random = self._random
        return frame(
            random.randrange(16),
            b"{}",
            flags=random.choice((RSV1, RSV2, RSV3, FIN | RSV1, FIN | RSV3, FIN | 0x70, 0, FIN)),
        )

    def unmasked(self) -> bytes:
        """A frame as only servers send it."""
        return frame(self._random.choice((TEXT, PING, CLOSE)), b"{}", masked=False)

    def fragments(self) -> bytes:
        """A message in many frames, one that goes on without having begun, one that begins while another one lasts."""
        random = self._random
        how = random.randrange(4)
        if how == 0:
            return frame(GOES_ON, b"{}")
        if how == 1:
            return frame(TEXT, b"{", flags=0) + frame(TEXT, b"}")
        part = random.choice((b"", b"a", b"[" * 100))
        middle = frame(GOES_ON, part, flags=0) * random.choice((1, 100, 3000))
        return frame(TEXT, part, flags=0) + middle + (frame(GOES_ON, part) if how == 2 else frame(PING, b"x"))

    def controls(self) -> bytes:
        """Control frames that are too long, or in parts."""
        random = self._random
        opcode = random.choice((CLOSE, PING, PONG))
        return frame(opcode, b"a" * random.choice((0, 125, 126, 70_000)), flags=random.choice((0, FIN)))

    def closes(self) -> bytes:
        """The end, with every code and reason, and something behind it."""
        random = self._random
        code = random.choice(CLOSE_CODES).to_bytes(2, "big")
        reason = random.choice((b"", b"bye", b"\xff\xfe", b"\xed\xa0\x80", b"a" * 123))
        payload = random.choice((b"", b"\x03", code + reason))
        return frame(CLOSE, payload) + (frame(TEXT, b"{}") if random.random() < 0.5 else b"")

    def sizes(self) -> bytes:
        """Lengths that are longer than they need be, or than anything."""
        random = self._random
        size = random.choice((0, 5, 125, 1 << 16, 1 << 20, (1 << 20) + 1, 1 << 31, 1 << 62, (1 << 64) - 1))
        if random.random() < 0.3:
            return bytes((FIN | TEXT, MASKED | 126)) + (size & 0xFFFF).to_bytes(2, "big") + b"\x00" * 4 + b"{}"
        return bytes((FIN | TEXT, MASKED | 127)) + size.to_bytes(8, "big") + b"\x00" * 4 + b"{}"

    def compressed(self) -> bytes:
        """What would be many times as long, were compression spoken here."""
        packer = zlib.compressobj(9, zlib.DEFLATED, -15)
        packed = packer.compress(b" " * self._random.choice((10, 3_000_000))) + packer.flush(zlib.Z_SYNC_FLUSH)
        return frame(self._random.choice((TEXT, BINARY)), packed[:-4], flags=FIN | RSV1)

    def texts(self) -> bytes:
        """Texts that are no UTF-8, no JSON, or too much of it."""
        random, deep = self._random, self._random.choice((10, 990, 100_000))
        text = random.choice(
            (
                b"",
                b"\xff",
                b"\xed\xa0\x80",
                b"\xc0\xaf",
                b"{",
                b"[]",
                b"null",
                b"1" * 5000,
                b"NaN",
                b"[" * deep,
                b'{"a":' * deep,
                b"[" * deep + b"]" * deep,
                b'{"command": "\\ud800"}',
                b"\xef\xbb\xbf{}",
                b'{"a": 1e999}',
                b"{\x00}",
            )
        )
        return frame(random.choice((TEXT, TEXT, TEXT, BINARY)), text)

    def commands(self) -> bytes:
        """Commands of which the parts are of any kind."""
        random = self._random
        said: dict[str, object] = {"command": random.choice(COMMANDS), "call_id": random.choice(VALUES)}
        for name in ("method", "kwargs", "events", "after", "run", "messages", "messages_after", "generation"):
            if random.random() < 0.5:
                said[name] = random.choice(METHODS) if name == "method" else random.choice(VALUES)
        return frame(TEXT, json.dumps(said).encode())

    def noise(self) -> bytes:
        """Any bytes."""
        return self._random.randbytes(self._random.choice((1, 20, 500)))

    def pings(self) -> bytes:
        """Many, each of which is to be answered."""
        return frame(PING, b"a" * 125) * self._random.choice((1, 300))
