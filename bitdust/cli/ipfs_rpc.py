"""The RPC of IPFS as the command line speaks it: over the port that its clients use."""

import http.client
import json
import os
import secrets
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote, urlencode

from bitdust.cli.client import ApiError
from bitdust.cli.main import Session

PIECE = 1 << 18
STDIN = Path("-")
"""Standard input, in the place of a file."""
OFF = "IPFS is off: bitdust ipfs enable"


class Rpc:
    """One connection to the port of IPFS."""

    def __init__(self, session: Session) -> None:
        port = session.call("ipfs_status")["port"]
        if not port:
            raise ApiError("service-off", OFF)
        self._secret = {"api_secret": session.client.secret}
        self._connection = http.client.HTTPConnection("127.0.0.1", port)

    def ask(self, command: str, options: dict[str, str], *arguments: str, **body: Any) -> http.client.HTTPResponse:
        """The answer, whose body is still to be read. Raises `ApiError`."""
        query = urlencode([*options.items(), *(("arg", one) for one in arguments)])
        try:
            headers = {**body.pop("headers", {}), **self._secret}
            self._connection.request("POST", f"/api/v0/{command}?{query}", headers=headers, **body)
            answer = self._connection.getresponse()
        except OSError as error:
            raise ApiError("no-answer", f"the port of IPFS does not answer: {error}") from None
        if answer.status != 200:
            raise ApiError("ipfs", _message(answer.read(1 << 16)))
        return answer

    def rows(self, command: str, options: dict[str, str], *arguments: str, **body: Any) -> Iterator[dict[str, Any]]:
        """Lines of JSON, as they come. Raises `ApiError` for the error that ends them."""
        for line in self.ask(command, options, *arguments, **body):
            row = json.loads(line)
            if row.get("Type") == "error":
                raise ApiError("ipfs", row["Message"])
            yield row


def _message(body: bytes) -> str:
    try:
        return str(json.loads(body)["Message"])
    except (ValueError, KeyError, TypeError):
        return body.decode(errors="replace").strip()


Part = tuple[str, str, Iterator[bytes]]
"""A file of a body: its name, percent-encoded, its kind, and its bytes."""


def form(paths: tuple[Path, ...], sent: Callable[[int], object] = lambda size: None) -> dict[str, Any]:
    """Files and folders as the body of a request; ``sent`` is told how many bytes of them go out."""
    return _body(_parts(paths, sent))


def one_file(pieces: Iterator[bytes]) -> dict[str, Any]:
    """One file without a name as the body of a request."""
    return _body(iter([("", "octet-stream", pieces)]))


def _body(parts: Iterator[Part]) -> dict[str, Any]:
    boundary = secrets.token_hex(16)
    headers = {"Content-Type": f'multipart/form-data; boundary="{boundary}"', "Transfer-Encoding": "chunked"}
    return {"body": _encoded(parts, boundary), "headers": headers, "encode_chunked": True}


def _encoded(parts: Iterator[Part], boundary: str) -> Iterator[bytes]:
    for name, kind, pieces in parts:
        yield (
            f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
            f"Content-Type: application/{kind}\r\n\r\n"
        ).encode()
        yield from pieces
        yield b"\r\n"
    yield f"--{boundary}--\r\n".encode()


def _parts(paths: tuple[Path, ...], sent: Callable[[int], object]) -> Iterator[Part]:
    for top, path in tree(paths):
        if path == STDIN:
            yield "", "octet-stream", pieces(sys.stdin.buffer, sent)
            continue
        name = quote(os.fsencode(Path(top.absolute().name) / path.relative_to(top)), safe="")
        kind = "symlink" if path.is_symlink() else "x-directory" if path.is_dir() else "octet-stream"
        yield name, kind, _bytes(path, sent)


def tree(paths: tuple[Path, ...]) -> Iterator[tuple[Path, Path]]:
    """Every path with the one that was named, a folder before what is in it."""
    for top in paths:
        yield top, top
        if top.is_dir():
            yield from ((top, path) for path in sorted(top.rglob("*")))


def _bytes(path: Path, sent: Callable[[int], object]) -> Iterator[bytes]:
    if path.is_symlink():
        yield os.fsencode(os.readlink(path))
    elif path.is_file():
        with path.open("rb") as stream:
            yield from pieces(stream, sent)


def pieces(stream: BinaryIO, sent: Callable[[int], object] = lambda size: None) -> Iterator[bytes]:
    """What is in a stream, a piece at a time; somebody is told how much has gone."""
    while data := stream.read(PIECE):
        yield data
        sent(len(data))


def whole(answer: http.client.HTTPResponse) -> Iterator[bytes]:
    """Bytes to the end; raises `ApiError` where the connection was cut before it."""
    try:
        while data := answer.read(PIECE):
            yield data
    except (http.client.HTTPException, OSError):
        raise ApiError("cut-off", "the answer ended in the middle: a block below this is missing or damaged") from None
