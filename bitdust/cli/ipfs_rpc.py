"""The RPC of IPFS as the command line speaks it: over the port that its clients use."""

import http.client
import json
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from bitdust.cli.client import ApiError
from bitdust.cli.main import Session

PIECE = 1 << 18
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


def form(paths: tuple[Path, ...]) -> dict[str, Any]:
    """Files as the body of a request."""
    boundary = secrets.token_hex(16)
    headers = {"Content-Type": f'multipart/form-data; boundary="{boundary}"', "Transfer-Encoding": "chunked"}
    return {"body": _parts(paths, boundary), "headers": headers, "encode_chunked": True}


def _parts(paths: tuple[Path, ...], boundary: str) -> Iterator[bytes]:
    for top in paths:
        for path in (top, *sorted(top.rglob("*"))) if top.is_dir() else (top,):
            name = quote(os.fsencode(Path(top.absolute().name) / path.relative_to(top)), safe="")
            kind = "symlink" if path.is_symlink() else "x-directory" if path.is_dir() else "octet-stream"
            yield (
                f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
                f"Content-Type: application/{kind}\r\n\r\n"
            ).encode()
            if path.is_symlink():
                yield os.fsencode(os.readlink(path))
            elif path.is_file():
                with path.open("rb") as stream:
                    while data := stream.read(PIECE):
                        yield data
            yield b"\r\n"
    yield f"--{boundary}--\r\n".encode()


def whole(answer: http.client.HTTPResponse) -> Iterator[bytes]:
    """Bytes to the end; raises `ApiError` where the connection was cut before it."""
    try:
        while data := answer.read(PIECE):
            yield data
    except (http.client.HTTPException, OSError):
        raise ApiError("cut-off", "the answer ended in the middle: a block below this is missing or damaged") from None
