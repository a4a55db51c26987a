"""Bodies in chunks: whatever way they come, they are read as Twisted reads them."""

from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.main import CONNECTION_LOST
from twisted.internet.tcp import Connection
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.http import _ChunkedTransferDecoder

from bitdust.web.answers import SHORT
from bitdust.web.channel import ApiChannel
from bitdust.web.chunks import Chunks

BODIES = (
    b"3\r\nabc\r\n0\r\n\r\n",
    b"3\r\nabc\r\n1\r\nd\r\n0\r\n\r\nPOST / HTTP/1.1\r\n",
    b"A\r\n0123456789\r\n00\r\n\r\n",
    b"3;name=value\r\nabc\r\n2\r\nde\r\n0\r\nTrailer: x\r\n\r\n",
    b"3\r\n\r\n\r\r\n0\r\n\r\n",
    b"3\r\nabcd\r\n0\r\n\r\n",
    b"x\r\nabc\r\n",
    b"0x3\r\nabc\r\n",
    b"-3\r\nabc\r\n",
    b" 3\r\nabc\r\n",
    b"3 \r\nabc\r\n",
    b"+3\r\nabc\r\n",
    b"3\nabc\n0\n\n",
    b"123456789\r\nabc",
    b"3\r\nabc\r\nffffffff\r\nrest",
)


class ChunkTests(SynchronousTestCase):
    def read(self, kind: Callable[..., Any], pieces: Sequence[bytes]) -> list[Any]:
        """The data, what came behind the end, and what went wrong."""
        taken, ends = bytearray(), []
        decoder = kind(taken.extend, ends.append)
        try:
            for number, piece in enumerate(pieces):
                decoder.dataReceived(piece)
                if ends:
                    return [bytes(taken), ends[0] + b"".join(pieces[number + 1 :]), None]
        except Exception as error:  # noqa: BLE001 - whatever it is, it is compared
            return [bytes(taken), ends, type(error)]
        return [bytes(taken), ends, None]

    def test_every_division(self) -> None:
        """Right and wrong bodies, cut anywhere in two or into single bytes, give the same data and the same errors as
        those of Twisted."""
        for body in BODIES:
            divisions = [(body[:at], body[at:]) for at in range(1, len(body))]
            for pieces in ((body,), *divisions, tuple(body[at : at + 1] for at in range(len(body)))):
                self.assertEqual(self.read(Chunks, pieces), self.read(_ChunkedTransferDecoder, pieces), pieces)

    def test_one_piece(self) -> None:
        """Chunks that have come together are handed on together, and once."""
        taken: list[bytes] = []
        Chunks(taken.append, lambda rest: None).dataReceived(b"1\r\na\r\n2\r\nbc\r\n0\r\n\r\n")
        self.assertEqual(taken, [b"abc"])


class System(Connection):
    """A connection whose system takes so many bytes at once, or is gone."""

    def __init__(self, takes: Any) -> None:
        self.takes = takes
        self.sent: list[bytes] = []
        self.waiting: list[bytes] = []
        self.connected, self.dataBuffer = True, b""
        self._tempDataBuffer: list[bytes] = self.waiting

    def writeSomeData(self, data: bytes) -> Any:
        if isinstance(self.takes, int):
            self.sent.append(data[: self.takes])
        return min(self.takes, len(data)) if isinstance(self.takes, int) else self.takes

    def write(self, data: bytes) -> None:
        self.waiting.append(data)


class WriteTests(SynchronousTestCase):
    """Answers on a connection of the system."""

    def written(self, system: System, *answers: bytes) -> tuple[list[bytes], list[bytes]]:
        channel = ApiChannel.__new__(ApiChannel)
        channel.transport = system
        for answer in answers:
            channel.write(answer)
        return system.sent, system.waiting

    def test_at_once(self) -> None:
        """A short answer goes out at once, and nothing of it waits for a turn of the reactor."""
        self.assertEqual(self.written(System(100), b"one", b"two"), ([b"one", b"two"], []))

    def test_order(self) -> None:
        """What the system does not take waits, and what follows waits behind it."""
        self.assertEqual(self.written(System(2), b"one", b"two"), ([b"on"], [b"e", b"two"]))
        self.assertEqual(self.written(System(0), b"one"), ([b""], [b"one"]))

    def test_left_to_the_reactor(self) -> None:
        """Long answers, and those for a client that has gone or is being closed, are left to the reactor."""
        long = bytes(SHORT + 1)
        self.assertEqual(self.written(System(100), long), ([], [long]))
        self.assertEqual(self.written(System(CONNECTION_LOST), b"one"), ([], [b"one"]))
        for state in ("disconnecting", "_writeDisconnected"):
            system = System(100)
            setattr(system, state, True)
            self.assertEqual(self.written(system, b"one"), ([], [b"one"]))
        system = System(100)
        system.connected = False
        self.assertEqual(self.written(system, b"one"), ([], [b"one"]))
