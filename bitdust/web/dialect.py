"""What one port, or one corner of it, speaks over HTTP: the values and protocols between the engine and its dialects.

REST, the metrics and OpenAPI are dialects. Each says which paths it takes, how much a client may send, whom it lets
in, and how its errors look. The engine below (`bitdust.web.engine`) knows none of that: it reads requests, brings a
body piece by piece to the one who takes it, writes replies as fast as their client reads, and ends what makes no
progress.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from typing import NamedTuple, Protocol

from attrs import define, frozen
from twisted.internet.defer import Deferred

from bitdust.web.answers import Place
from bitdust.web.guard import Refusal

Trailers = Callable[[BaseException | None], bytes]
"""Header lines behind the last chunk of a stream, by the error that ended it, or None."""


@frozen
class Limits:
    """What a client may take of the engine.

    ``body`` is the most bytes of a body, which must be whole within ``seconds``. A dialect without a limit takes bodies
    of any length piece by piece; there, time is given to a client as long as it sends.
    """

    body: int | None = None
    seconds: float = 30.0


@define(eq=False)
class Head:
    """The first line and the headers of a request, by their names in the usual spelling, as ``Sec-Fetch-Site``.

    ``length`` is that of the body, None for one in chunks; ``started`` is when the request's first bytes came, on the
    clock of the node."""

    method: bytes
    path: bytes
    query: bytes
    version: bytes
    headers: Mapping[bytes, list[bytes]]
    length: int | None
    started: float

    def single(self, name: bytes) -> bytes | None:
        """The value of a header, None without it; one that is there twice equals no value that anybody expects."""
        values = self.headers.get(name)
        if values is None:
            return None
        return values[0] if len(values) == 1 else b"\0several"


class Reply(NamedTuple):
    """An answer. ``headers`` are whole lines; the engine adds length and connection.

    A ``body`` that is an asynchronous iterator is asked for its next piece when the client has read what was sent
    before, and closed when the client goes. Without a ``length`` it goes out in chunks, where the client knows them.
    Long bytes count in ``place`` until the client has taken them; without one they get a place of their own.
    """

    status: int
    headers: bytes = b""
    body: bytes | AsyncIterator[bytes] = b""
    length: int | None = None
    trailers: Trailers | None = None
    place: Place | None = None


class BodySink(Protocol):
    """Takes the body of one request, and answers it through the exchange that it was begun with."""

    def received(self, data: bytes, /) -> "Deferred[None] | None":
        """The next piece of the body. While a Deferred has not fired, nothing more is read from the client."""

    def finished(self) -> None:
        """The body is whole."""

    def gone(self) -> None:
        """The client has gone before it was answered: stop, nobody reads an answer."""


class Exchange(Protocol):
    """A request that has begun."""

    @property
    def head(self) -> Head:
        """Its first line and headers."""

    def answer(self, reply: Reply, /) -> None:
        """Send the answer, once. It may come before the body is whole: a stream then goes on beside it, whereas
        behind anything else no more of the body is taken."""


class Dialect(Protocol):
    """One way of speaking HTTP."""

    @property
    def limits(self) -> Limits:
        """What its clients may take."""

    def takes(self, path: bytes, /) -> bool:
        """Whether a path, without its query, is spoken to in this dialect."""

    def begin(self, exchange: Exchange, /) -> BodySink | Reply:
        """The headers of a request are here: who takes its body, or an answer that needs none of it."""

    def refusal(self, refusal: Refusal, head: Head | None, /) -> Reply:
        """What the engine refuses, in the words of this dialect; ``head`` is None for what is no request at all."""
