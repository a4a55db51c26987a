"""Files in the body of a request, one after the other, as they come: nothing is kept beyond what is being taken."""

from collections import deque
from urllib.parse import unquote_to_bytes

from attrs import define, field
from multipart import (  # type: ignore[import-untyped]
    MultipartError,
    MultipartSegment,
    PushMultipartParser,
    parse_options_header,
)
from twisted.internet.defer import Deferred

from bitdust.web.ipfs.arguments import BadCall
from bitdust.wire.errors import BitDustError

MOST_WAITING = 1 << 20
"""Bytes that wait here for the command, before the client is read no further."""
MAX_HEADER = 1 << 16
MAX_NAME = 1 << 15
WEIGHT = 512
"""What a file counts for beside its bytes."""
KINDS = {"application/x-directory": "directory", "application/symlink": "symlink"}


@define(eq=False)
class Part:
    """A file, directory or symlink of a body. ``name`` is the path that the client gives it, in bytes, "" for none; the
    bytes of a symlink are its target. ``source`` is where it is on the client's disk, as the client says."""

    name: bytes
    kind: str
    source: bytes | None = None


@define(eq=False)
class Upload:
    """I give the files of one body to one reader, who takes each to its end before the next one."""

    _parser: PushMultipartParser
    _waiting: deque[Part | bytes | None] = field(factory=deque)
    """What has come: a file, its bytes, and None for the end of it."""
    _size: int = 0
    _is_whole: bool = False
    _error: BitDustError | None = None
    _wanted: "Deferred[None] | None" = None
    _room: "Deferred[None] | None" = None

    # the client's side

    def feed(self, data: bytes) -> "Deferred[None] | None":
        """The next bytes of the body; a Deferred fires when there is room for more."""
        if self._error is not None or self._is_whole:
            return None
        try:
            for event in self._parser.parse(data):
                self._take(event)
        except MultipartError as error:
            self.fail(BadCall(f"the body is no multipart form: {error}"))
        except BadCall as error:
            self.fail(error)
        self._wake()
        if self._size <= MOST_WAITING or self._error is not None:
            return None
        self._room = Deferred()
        return self._room

    def _take(self, event: "MultipartSegment | bytes | bytearray | None") -> None:
        if isinstance(event, MultipartSegment):
            self._waiting.append(part_of(event))
            self._size += WEIGHT
        elif event:
            self._waiting.append(bytes(event))
            self._size += len(event)
        elif event is None:
            self._waiting.append(None)

    def end(self) -> None:
        """The body is over."""
        try:
            if not self._parser.closed:
                self._parser.close()
        except MultipartError as error:
            self.fail(BadCall(f"the body is no multipart form: {error}"))
        self._is_whole = True
        self._wake()

    def fail(self, error: BitDustError) -> None:
        """Nothing more comes; whoever reads is told why, once what has come was read."""
        if self._error is None:
            self._error = error
        self._wake()
        self._make_room(0)

    def _wake(self) -> None:
        wanted, self._wanted = self._wanted, None
        if wanted is not None:
            wanted.callback(None)

    # the command's side

    async def next(self) -> Part | None:
        """The next file, None behind the last one. Raises `BadCall` for a body that is none."""
        while True:
            while self._waiting:
                event = self._waiting.popleft()
                if isinstance(event, Part):
                    self._make_room(WEIGHT)
                    return event
                self._make_room(len(event or b""))
            if not await self._more():
                return None

    async def read(self) -> bytes:
        """Bytes of the file, as many as there are; none at its end. Raises `BadCall`."""
        while not self._waiting:
            if not await self._more():
                raise BadCall("the body of the request ends in the middle of a file")
        if self._waiting[0] is None:
            self._waiting.popleft()
            return b""
        pieces: list[bytes] = []
        while self._waiting and isinstance(self._waiting[0], bytes):
            pieces.append(self._waiting.popleft())  # type: ignore[arg-type]
        data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        self._make_room(len(data))
        return data

    async def whole(self, most: int) -> bytes:
        """All bytes of the file. Raises `BadCall` for more than ``most``."""
        pieces: list[bytes] = []
        size = 0
        while data := await self.read():
            size += len(data)
            if size > most:
                raise BadCall(f"this takes at most {most} bytes")
            pieces.append(data)
        return b"".join(pieces)

    async def _more(self) -> bool:
        """Wait until something has come; False behind the end."""
        if self._error is not None:
            raise self._error
        if self._is_whole:
            return False
        self._wanted = Deferred()
        await self._wanted
        return True

    def _make_room(self, size: int) -> None:
        self._size -= size
        room = self._room
        if room is not None and (self._size <= MOST_WAITING // 2 or self._error is not None):
            self._room = None
            room.callback(None)


def upload_of(content_type: bytes | None) -> Upload | None:
    """A reader of a body of this type; None where it is no multipart form. Raises `BadCall`."""
    if content_type is None:
        return None
    kind, options = parse_options_header(content_type.decode("latin-1"))
    if not kind.startswith("multipart/"):
        return None
    boundary = options.get("boundary", "")
    if not 1 <= len(boundary) <= 200 or not boundary.isprintable() or not boundary.isascii():
        raise BadCall("the multipart form has no boundary of 1 to 200 letters")
    return Upload(PushMultipartParser(boundary, max_header_size=MAX_HEADER, header_charset="latin-1"))


def part_of(segment: MultipartSegment) -> Part:
    """Raises `BadCall` for a name that is too long."""
    name = unquote_to_bytes((segment.filename or "").encode("latin-1", "replace"))
    source = segment.header("Abspath")
    if len(name) > MAX_NAME:
        raise BadCall(f"a file has a name of more than {MAX_NAME} bytes")
    return Part(
        name, KINDS.get(segment.content_type or "", "file"), source.encode("latin-1") if source is not None else None
    )
