"""Answers on the wire: JSON in both success and failure, with status 200; what is no call at all gets a status."""

import json
from typing import Any

from bitdust.web.btsync.table import ApiError
from bitdust.web.dialect import Reply
from bitdust.wire.errors import BitDustError

JSON_HEADERS = b"Content-Type: application/json\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
TEXT_HEADERS = (
    b"Content-Type: text/plain; charset=utf-8\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
)
CHALLENGE = b'WWW-Authenticate: Basic realm="BitDust folders"\r\n'
OTHER = 1
"""The error of all that clients know no number for."""


def answered(value: Any) -> Reply:
    """A value; names of files that are no Unicode come out as lone surrogates."""
    return Reply(200, JSON_HEADERS, json.dumps(value).encode())


def failed(error: BitDustError) -> Reply:
    """An error of a method."""
    if not isinstance(error, ApiError):
        return answered({"error": OTHER, "message": str(error)})
    row: dict[str, Any] = {error.name: error.number}
    return answered(row | ({"message": str(error)} if str(error) else {}))


def refused(status: int, line: str) -> Reply:
    """What is no call, or comes from somebody who may not call."""
    return Reply(status, TEXT_HEADERS + (CHALLENGE if status == 401 else b""), line.encode() + b"\n")
