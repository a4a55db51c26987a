"""IPFS from the command line: whether it is on, and files in and out through the same port that its clients use."""

import http.client
import json
import os
import secrets
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import click

from bitdust.cli.client import ApiError
from bitdust.cli.groups import Aliased
from bitdust.cli.main import Session
from bitdust.cli.output import show_json, show_table

PIECE = 1 << 18
OFF = "IPFS is off: bitdust ipfs enable"


@click.group(cls=Aliased, aliases={"on": "enable", "off": "disable", "show": "status"}, default="status")
def ipfs() -> None:
    """Clients of IPFS on this machine: status, enable, disable, add, cat, get, ls, pins, export, import."""


@ipfs.command("status")
@click.pass_obj
def status(session: Session) -> None:
    """Whether it is on, where clients find it, and how much is stored."""
    _show(session, session.call("ipfs_status"))


@ipfs.command("enable")
@click.pass_obj
def enable(session: Session) -> None:
    """Store blocks and answer clients, now and after every start."""
    _show(session, session.call("ipfs_enable"))


@ipfs.command("disable")
@click.pass_obj
def disable(session: Session) -> None:
    """Answer no clients any more; what is stored stays on the disk."""
    _show(session, session.call("ipfs_disable"))


def _show(session: Session, row: dict[str, Any]) -> None:
    if session.as_json:
        show_json(row)
        return
    if not row["port"]:
        click.echo(f"off: {row['reason']}" if row["reason"] else "off")
        return
    click.echo(f"on, at {row['address']}: {row['blocks']} blocks, {row['bytes']} of {row['storage_max']} bytes")


class Rpc:
    """One connection to the port of IPFS."""

    def __init__(self, session: Session) -> None:
        port = session.call("ipfs_status")["port"]
        if not port:
            raise ApiError("service-off", OFF)
        self._connection = http.client.HTTPConnection("127.0.0.1", port)

    def ask(self, command: str, options: dict[str, str], *arguments: str, **body: Any) -> http.client.HTTPResponse:
        """The answer, whose body is still to be read. Raises `ApiError`."""
        query = urlencode([*options.items(), *(("arg", one) for one in arguments)])
        try:
            self._connection.request("POST", f"/api/v0/{command}?{query}", **body)
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


@ipfs.command("add")
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--wrap", "-w", is_flag=True, help="Make a directory around them.")
@click.option("--only-hash", "-n", is_flag=True, help="Store nothing, show the CIDs.")
@click.option("--pin/--no-pin", default=True, help="Keep them, whatever is collected.")
@click.option("--cid-version", type=click.Choice(["0", "1"]), default="0", help="Of new CIDs.")
@click.pass_obj
def add(session: Session, paths: tuple[Path, ...], wrap: bool, only_hash: bool, pin: bool, cid_version: str) -> None:
    """Add files and folders; prints a CID for each."""
    rpc = Rpc(session)
    options = {
        "wrap-with-directory": str(wrap),
        "only-hash": str(only_hash),
        "pin": str(pin),
        "cid-version": cid_version,
    }
    rows = list(rpc.rows("add", options, **_form(paths)))
    if session.as_json:
        show_json(rows)
        return
    for row in rows:
        click.echo(f"{row['Hash']} {row['Name']}")


def _form(paths: tuple[Path, ...]) -> dict[str, Any]:
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


@ipfs.command("cat")
@click.argument("path")
@click.option("--offset", type=int, default=0, help="Begin at this byte.")
@click.option("--length", type=int, help="So many bytes.")
@click.pass_obj
def cat(session: Session, path: str, offset: int, length: int | None) -> None:
    """Write a file to standard output."""
    options = {"offset": str(offset)} | ({"length": str(length)} if length is not None else {})
    answer = Rpc(session).ask("cat", options, path)
    for data in _whole(answer):
        sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def _whole(answer: http.client.HTTPResponse) -> Iterator[bytes]:
    """Bytes to the end; raises `ApiError` where the connection was cut before it."""
    try:
        while data := answer.read(PIECE):
            yield data
    except (http.client.HTTPException, OSError):
        raise ApiError("cut-off", "the answer ended in the middle: a block below this is missing or damaged") from None


@ipfs.command("get")
@click.argument("path")
@click.argument("target", default=".", type=click.Path(file_okay=False, path_type=Path))
@click.pass_obj
def get(session: Session, path: str, target: Path) -> None:
    """Bring a file or a folder back into TARGET."""
    answer = Rpc(session).ask("get", {"archive": "true"}, path)
    target.mkdir(parents=True, exist_ok=True)
    try:
        with tarfile.open(fileobj=answer, mode="r|") as tar:
            tar.extractall(target, filter="data")
    except (tarfile.TarError, http.client.HTTPException) as error:
        raise ApiError("cut-off", f"not all of it came back: {error}") from None


@ipfs.command("export")
@click.argument("path")
@click.argument("target", type=click.Path(dir_okay=False, path_type=Path))
@click.pass_obj
def export(session: Session, path: str, target: Path) -> None:
    """Write everything below a path into TARGET, a CAR file."""
    if target.exists():
        raise ApiError("exists", f"{target} exists; take another name")
    temporary = target.with_name(f".part-{os.getpid()}-{target.name}")
    answer = Rpc(session).ask("dag/export", {}, path)
    try:
        with temporary.open("xb") as stream:
            for data in _whole(answer):
                stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.rename(target)
    except OSError as error:
        raise ApiError("os-error", f"{target} cannot be written: {error.strerror or error}") from None
    finally:
        temporary.unlink(missing_ok=True)


@ipfs.command("import")
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.pass_obj
def bring(session: Session, files: tuple[Path, ...]) -> None:
    """Store what is in CAR files, and keep it; prints their roots."""
    roots = [row["Root"] for row in Rpc(session).rows("dag/import", {}, **_form(files))]
    if session.as_json:
        show_json([{"cid": row["Cid"]["/"], "problem": row["PinErrorMsg"]} for row in roots])
    else:
        for row in roots:
            click.echo(" ".join((row["Cid"]["/"], row["PinErrorMsg"])).strip())
    if any(row["PinErrorMsg"] for row in roots):
        raise ApiError("not-pinned", "not everything is here that is to be kept; the next collection takes what came")


@ipfs.command("ls")
@click.argument("path")
@click.pass_obj
def ls(session: Session, path: str) -> None:
    """What is in a directory."""
    answer = json.loads(Rpc(session).ask("ls", {}, path).read())
    rows = answer["Objects"][0]["Links"]
    if session.as_json:
        show_json(rows)
        return
    kinds = {1: "directory", 2: "file", 4: "symlink"}
    shown = [
        {"cid": row["Hash"], "size": row["Size"], "kind": kinds.get(row["Type"], ""), "name": row["Name"]}
        for row in rows
    ]
    show_table(shown, ["cid", "size", "kind", "name"], "it is empty")


@ipfs.command("pins")
@click.pass_obj
def pins(session: Session) -> None:
    """What stays, whatever is collected."""
    rows = [
        {"cid": row["Cid"], "pinned": row["Type"]}
        for kind in ("recursive", "direct")
        for row in Rpc(session).rows("pin/ls", {"type": kind, "stream": "true"})
    ]
    if session.as_json:
        show_json(rows)
        return
    show_table(rows, ["cid", "pinned"], "nothing is pinned; bitdust ipfs add FILE")


@ipfs.command("pin")
@click.argument("path")
@click.pass_obj
def pin(session: Session, path: str) -> None:
    """Keep what is here under a path, whatever is collected."""
    answer = json.loads(Rpc(session).ask("pin/add", {}, path).read())
    click.echo("\n".join(answer["Pins"]))


@ipfs.command("unpin")
@click.argument("path")
@click.pass_obj
def unpin(session: Session, path: str) -> None:
    """Keep it no more; it goes with the next collection."""
    answer = json.loads(Rpc(session).ask("pin/rm", {}, path).read())
    click.echo("\n".join(answer["Pins"]))


@ipfs.command("gc")
@click.pass_obj
def collect(session: Session) -> None:
    """Remove blocks that no pin needs."""
    gone = [row["Key"]["/"] for row in Rpc(session).rows("repo/gc", {})]
    if session.as_json:
        show_json(gone)
        return
    click.echo(f"{len(gone)} blocks are gone")
