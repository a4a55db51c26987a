"""Answers and errors of the RPC on the wire.

What is refused says why as JSON: of plain text the Python client shows no more than the status. Only a command that
is not there, and a verb, are refused in the plain words of the daemon that clients know.

One JSON value has a length, because clients parse what has none again at every piece; so has what is here and short.
Other bytes have none, because clients keep what has one until it is whole. An error after the first byte is the last
line of JSON lines, and a cut connection behind bytes: nothing that is not whole ends like a whole answer. A trailer is
not sent: most clients do not look at it, and take what came before it for all.
"""

import json
from collections.abc import AsyncIterator
from typing import Any

from bitdust.web.dialect import Reply
from bitdust.web.ipfs.table import Answer, Data, Json, Lines, Row, Rows, Whole
from bitdust.wire.errors import BitDustError

EXPOSED = b"X-Stream-Output, X-Chunked-Output, X-Content-Length"
COMMON = (
    b"Access-Control-Allow-Headers: %s\r\nAccess-Control-Expose-Headers: %s\r\n" % (EXPOSED, EXPOSED)
    + b"Vary: Origin\r\nCache-Control: no-store\r\n"
)
JSON_TYPE = b"Content-Type: application/json\r\n"
LINES = JSON_TYPE + b"X-Chunked-Output: 1\r\n"
TEXT_TYPE = b"Content-Type: text/plain; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\n"
_JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
CODES = {"bad-argument": 1, "bad-call": 1, "forbidden": 4}
"""What an error is in the eyes of the RPC: 1 is the client's fault, 4 is forbidden, 0 is all else."""


def text(status: int, line: str, headers: bytes = b"") -> Reply:
    """A line of plain text."""
    return Reply(status, COMMON + TEXT_TYPE + headers, line.encode() + b"\n")


def refused(status: int, code: int, message: str, headers: bytes = b"") -> Reply:
    """An error before the first byte."""
    return Reply(status, COMMON + JSON_TYPE + headers, dump(_row(code, message)))


def failed(error: BitDustError, headers: bytes = b"") -> Reply:
    """The error of a command, before the first byte."""
    row = error_row(error)
    return refused(400 if row["Code"] == 1 else 500, row["Code"], row["Message"], headers)


def error_row(error: BitDustError) -> Row:
    """Scripts look for some of the texts."""
    message = f"merkledag: not found: {error}" if error.code == "not-found" else str(error)
    return _row(CODES.get(error.code, 0), message)


def _row(code: int, message: str) -> Row:
    return {"Message": message, "Code": code, "Type": "error"}


def dump(value: Any) -> bytes:
    """JSON as Go writes it: nothing but what has to be escaped is, and one line end."""
    return _JSON(value).encode("utf-8", "replace") + b"\n"


async def reply_to(answer: Answer, headers: bytes = b"") -> Reply:
    """The reply, once its first byte is sure; raises `BitDustError` where there will be none."""
    common = COMMON + headers
    if answer is None:
        return Reply(200, common)
    if isinstance(answer, Json):
        return Reply(200, common + JSON_TYPE, dump(answer.value))
    if isinstance(answer, Rows):
        return Reply(200, common + LINES, b"".join(map(dump, answer.rows)))
    if isinstance(answer, Whole):
        return Reply(200, common + _head_of(answer.content_type, len(answer.data)), answer.data)
    if isinstance(answer, Lines):
        return await _lines(answer, common + LINES)
    return await _data(answer, common)


async def _lines(answer: Lines, headers: bytes) -> Reply:
    first = [] if answer.live else await _first(answer.rows)
    return Reply(200, headers, _written(first, answer.rows))


async def _written(first: list[Row], rows: AsyncIterator[Row]) -> AsyncIterator[bytes]:
    try:
        for row in first:
            yield dump(row)
        async for row in rows:
            yield dump(row)
    except BitDustError as error:
        yield dump(error_row(error))
    finally:
        await _close(rows)


async def _data(answer: Data, headers: bytes) -> Reply:
    first = await _first(answer.pieces)
    headers += _head_of(answer.content_type, answer.length)
    return Reply(200, headers, _pieces(first, answer.pieces))


def _head_of(content_type: str, length: int | None) -> bytes:
    head = b"Content-Type: %s\r\nX-Stream-Output: 1\r\n" % content_type.encode("latin-1")
    return head if length is None else head + b"X-Content-Length: %d\r\n" % length


async def _pieces(first: list[bytes], pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    try:
        for piece in first:
            yield piece
        async for piece in pieces:
            yield piece
    finally:
        await _close(pieces)


async def _first(items: AsyncIterator[Any]) -> list[Any]:
    """The first one, if there is any: until it is here an error can still be an answer of its own."""
    async for item in items:
        return [item]
    return []


async def _close(items: AsyncIterator[Any]) -> None:
    close = getattr(items, "aclose", None)
    if close is not None:
        await close()
