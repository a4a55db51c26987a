"""IPFS over a block store on a clock: files that come in, and commands of the RPC without sockets."""

from collections import deque
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

from attrs import define
from twisted.internet.defer import Deferred

from bitdust.ipfs.adding import AddOptions
from bitdust.ipfs.paths import parse
from bitdust.ipfs.reading import read, resolve
from bitdust.ipfs.room import IpfsRoom
from bitdust.ipld.cid import Cid
from bitdust.ipld.codecs import links
from bitdust.signal import Signal
from bitdust.web.ipfs.arguments import read_arguments, read_options
from bitdust.web.ipfs.commands import all_commands
from bitdust.web.ipfs.table import Call, Data, Json, Lines, Rows, Whole
from bitdust.web.ipfs.upload import Upload, upload_of
from bitdust.wire.errors import BitDustError
from tests.unit.block_kit import BlockCase

LAMB = "QmZfF6C9j4VtoCsTp4KSrhYH47QMd3DNXVZBKaxJdhaPab"
"""What every IPFS node calls the bytes of `Mary had a little lamb` (the reference of the Python client)."""
EMPTY_FOLDER = "QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn"


@define
class Given:
    """One file that comes in."""

    name: bytes
    data: bytes = b""
    kind: str = "file"


class Files:
    """A source of files, each in pieces."""

    def __init__(self, *files: Given, fail: BitDustError | None = None) -> None:
        self.files = deque(files)
        self.left: deque[bytes] = deque()
        self.fail = fail

    async def next(self) -> Given | None:
        if not self.files:
            if self.fail is not None:
                raise self.fail
            return None
        file = self.files.popleft()
        self.left = deque(file.data[start : start + 100_000] for start in range(0, len(file.data), 100_000))
        return file

    async def read(self) -> bytes:
        return self.left.popleft() if self.left else b""


def nobody() -> Any:
    """Who a node is that has no identity."""
    return SimpleNamespace(locked_key="", present=False, changed=Signal())


class IpfsCase(BlockCase):
    full = 1 << 20
    made = (links,)

    def setUp(self) -> None:
        super().setUp()
        self.around.me = self.me = nobody()
        self.around.world.home = self.folder
        self.room = IpfsRoom(self.around, self)

    def run_now(self, work: Any) -> Any:
        return self.came(Deferred.fromCoroutine(work))

    def add(self, *files: Given, **options: Any) -> dict[str, str]:
        """Names and CIDs of what was added."""
        job = self.room.add(AddOptions(**options))
        self.came(job.run(Files(*files)))
        return {one.name: str(one.part.cid) for one in job.rows()}

    def fails(self, code: str, work: Any) -> BitDustError:
        return self.refused(code, Deferred.fromCoroutine(work))

    def cid(self, path: str) -> Cid:
        return self.run_now(resolve(self.room.blocks, parse(path)))

    def cat(self, path: str, offset: int = 0, length: int | None = None) -> bytes:
        async def whole() -> bytes:
            size, pieces = await read(self.room.blocks, self.cid(path), offset, length)
            data = b"".join([piece async for piece in pieces])
            assert size == len(data)
            return data

        return self.run_now(whole())

    def all_of(self, items: AsyncIterator[Any]) -> list[Any]:
        async def gather() -> list[Any]:
            return [item async for item in items]

        return self.run_now(gather())

    def rpc(self, path: str, *arguments: str, body: bytes | None = None, **options: Any) -> Any:
        """What a command answers: a value, rows, bytes, or None. An option is called ``cid_version``."""
        return self.run_now(self.answer(path, arguments, body, options))

    def rpc_fails(self, code: str, path: str, *arguments: str, body: bytes | None = None, **options: Any) -> str:
        """The text of an error."""
        return str(self.fails(code, self.answer(path, arguments, body, options)))

    async def answer(self, path: str, arguments: tuple[str, ...], body: bytes | None, options: dict[str, Any]) -> Any:
        row, _ = all_commands().find(path)
        given = [(name.replace("_", "-"), str(value)) for name, value in options.items()]
        call = Call(read_arguments(list(arguments), row.arguments), read_options(given, row.all_options))
        assert (row.file is None) == (body is None), f"{path} takes {row.file}"
        if body is not None:
            call.upload = uploaded(body)
        answer = await row.run(self.room, call)
        if isinstance(answer, Lines):
            return [line async for line in answer.rows]
        if isinstance(answer, Data):
            return b"".join([piece async for piece in answer.pieces])
        if isinstance(answer, Rows):
            return list(answer.rows)
        if isinstance(answer, Whole):
            return answer.data
        return answer.value if isinstance(answer, Json) else answer


def uploaded(data: bytes) -> Upload:
    """A body of one file, which has come."""
    upload = upload_of(b"multipart/form-data; boundary=b")
    assert upload is not None
    head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n'
    upload.feed(head + data + b"\r\n--b--\r\n")
    upload.end()
    return upload
