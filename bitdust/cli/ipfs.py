"""IPFS from the command line: whether it is on, and files in and out through the same port that its clients use."""

import http.client
import json
import os
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from bitdust.cli.client import ApiError
from bitdust.cli.groups import Aliased
from bitdust.cli.ipfs_files import files
from bitdust.cli.ipfs_names import config, identify, key, name
from bitdust.cli.ipfs_pins import pin, pins, unpin
from bitdust.cli.ipfs_rpc import OFF, STDIN, Rpc, form, tree, whole
from bitdust.cli.main import Session
from bitdust.cli.output import show_json, show_table
from bitdust.wire.sizes import in_words


@click.group(cls=Aliased, aliases={"on": "enable", "off": "disable", "show": "status"}, default="status")
def ipfs() -> None:
    """Clients of IPFS on this machine: status, enable, add, cat, get, ls, pins, files, name, key, id, config…"""


for _group in (files, key, name, identify, config, pin, pins, unpin):
    ipfs.add_command(_group)


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


@ipfs.group("gateway", cls=Aliased, aliases={"on": "enable", "off": "disable"}, default="status")
def gateway() -> None:
    """Content for browsers of this machine: enable, disable; where it is, when nothing follows."""


@gateway.command("status")
@click.pass_obj
def gateway_status(session: Session) -> None:
    """Where browsers find content."""
    _show_gateway(session, session.call("ipfs_status"))


@gateway.command("enable")
@click.pass_obj
def gateway_enable(session: Session) -> None:
    """Show content to browsers, now and after every start."""
    _show_gateway(session, session.call("ipfs_gateway_enable"))


@gateway.command("disable")
@click.pass_obj
def gateway_disable(session: Session) -> None:
    """Show nothing to browsers any more."""
    _show_gateway(session, session.call("ipfs_gateway_disable"))


def _show_gateway(session: Session, row: dict[str, Any]) -> None:
    if session.as_json:
        show_json({"gateway": row["gateway"]})
    elif row["gateway"]:
        click.echo(f"on: {row['gateway']}/ipfs/CID/path")
    else:
        click.echo("off: bitdust ipfs gateway enable" if row["port"] else OFF)


def _show(session: Session, row: dict[str, Any]) -> None:
    if session.as_json:
        show_json(row)
        return
    if not row["port"]:
        click.echo(f"off: {row['reason']}" if row["reason"] else "off")
        return
    size, most = in_words(row["bytes"]), in_words(row["storage_max"])
    click.echo(f"on, at {row['address']}: {row['blocks']} blocks, {size} of {most}")
    if row["gateway"]:
        click.echo(f"gateway: {row['gateway']}/ipfs/CID/path")
    backup = row["backup"]
    doing = backup["problem"] or backup["doing"].lower().replace("_", " ") or backup["reason"] or "off"
    click.echo(f"backup of pins: {in_words(backup['bytes'])} at the suppliers; {doing}")


@ipfs.command("add")
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, allow_dash=True, path_type=Path))
@click.option("--recursive", "-r", is_flag=True, help="Folders too, as they always are.")
@click.option("--quiet", "-q", is_flag=True, help="Print CIDs alone.")
@click.option("--quieter", "-Q", is_flag=True, help="Print the last CID alone: that of all.")
@click.option("--wrap", "-w", is_flag=True, help="Make a directory around them.")
@click.option("--only-hash", "-n", is_flag=True, help="Store nothing, show the CIDs.")
@click.option("--pin/--no-pin", default=True, help="Keep them, whatever is collected.")
@click.option("--cid-version", type=click.Choice(["0", "1"]), default="0", help="Of new CIDs.")
@click.pass_obj
def add(session: Session, /, paths: tuple[Path, ...], quiet: bool, quieter: bool, **given: Any) -> None:
    """Add files and folders, - for standard input; prints a CID for each."""
    rpc = Rpc(session)
    options = {
        "wrap-with-directory": str(given["wrap"]),
        "only-hash": str(given["only_hash"]),
        "pin": str(given["pin"]),
        "cid-version": given["cid_version"],
        "quieter": str(quieter),
    }
    with _progress(session, "adding", lambda: _on_disk(paths)) as sent:
        rows = list(rpc.rows("add", options, **form(paths, sent)))
    if session.as_json:
        show_json(rows)
        return
    for row in rows:
        click.echo(row["Hash"] if quiet or quieter else f"{row['Hash']} {row['Name']}")


def is_watched(session: Session) -> bool:
    """Whether a person looks at what goes on."""
    return not session.as_json and sys.stderr.isatty()


@contextmanager
def _progress(session: Session, label: str, size: Callable[[], int]) -> Iterator[Callable[[int], object]]:
    """A bar for a person who watches; how many bytes there will be is asked for that person alone."""
    if not is_watched(session):
        yield lambda size: None
        return
    with click.progressbar(length=size(), label=label, file=sys.stderr) as bar:
        yield bar.update


def _on_disk(paths: tuple[Path, ...]) -> int:
    """Bytes of files."""
    every = tree(tuple(path for path in paths if path != STDIN))
    return sum(path.stat().st_size for _, path in every if path.is_file() and not path.is_symlink())


def _stat(session: Session, path: str) -> dict[str, Any]:
    """What is at a path of content."""
    at = path if path.startswith("/") else f"/ipfs/{path}"
    found: dict[str, Any] = json.loads(Rpc(session).ask("files/stat", {}, at).read())
    return found


def _stored(session: Session, path: str) -> int:
    """Bytes of all blocks below a path."""
    return int(_stat(session, path)["CumulativeSize"])


@ipfs.command("cat")
@click.argument("path")
@click.option("--offset", type=int, default=0, help="Begin at this byte.")
@click.option("--length", type=int, help="So many bytes.")
@click.pass_obj
def cat(session: Session, path: str, offset: int, length: int | None) -> None:
    """Write a file to standard output."""
    options = {"offset": str(offset)} | ({"length": str(length)} if length is not None else {})
    answer = Rpc(session).ask("cat", options, path)
    for data in whole(answer):
        sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


class Counted:
    """An answer as it is read; somebody is told how much."""

    def __init__(self, answer: http.client.HTTPResponse, got: Callable[[int], object]) -> None:
        self._answer = answer
        self._got = got

    def read(self, size: int) -> bytes:
        """So many bytes."""
        data = self._answer.read(size)
        self._got(len(data))
        return data


@ipfs.command("get")
@click.argument("path")
@click.argument("target", default=".", type=click.Path(file_okay=False, path_type=Path))
@click.option("--output", "-o", type=click.Path(path_type=Path), help="Bring it here, under this name.")
@click.pass_obj
def get(session: Session, path: str, target: Path, output: Path | None) -> None:
    """Bring a file or a folder back into TARGET, under its name or CID."""
    if output is not None and output.exists():
        raise ApiError("exists", f"{output} exists; take another name")
    answer = Rpc(session).ask("get", {"archive": "true"}, path)
    name, now, placed = "", int(time.time()), [target]
    if output is not None:
        target, name = output.parent, output.name

    def taken(member: tarfile.TarInfo, folder: str) -> tarfile.TarInfo | None:
        """As what is new, since no times are stored with it, and under the name that is wanted."""
        top, slash, rest = member.name.partition("/")
        placed[0] = target / (name or top)
        return tarfile.data_filter(member.replace(name=(name or top) + slash + rest, mtime=now), folder)

    target.mkdir(parents=True, exist_ok=True)
    try:
        with _progress(session, "getting", lambda: _stored(session, path)) as got:
            source: Any = Counted(answer, got)
            with tarfile.open(fileobj=source, mode="r|") as tar:
                tar.extractall(target, filter=taken)
    except (tarfile.TarError, http.client.HTTPException) as error:
        raise ApiError("cut-off", f"not all of it came back: {error}") from None
    session.say(f"written to {placed[0]}", path=str(placed[0]))


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
        with (
            _progress(session, "exporting", lambda: _stored(session, path)) as got,
            temporary.open("xb") as stream,
        ):
            for data in whole(answer):
                stream.write(data)
                got(len(data))
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
    with _progress(session, "importing", lambda: _on_disk(files)) as sent:
        roots = [row["Root"] for row in Rpc(session).rows("dag/import", {}, **form(files, sent))]
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
    rows = [row for row in answer["Objects"][0]["Links"] if row["Name"]]
    if session.as_json:
        show_json(rows)
        return
    kinds = {1: "directory", 2: "file", 4: "symlink"}
    shown = [
        {"cid": row["Hash"], "size": row["Size"], "kind": kinds.get(row["Type"], ""), "name": row["Name"]}
        for row in rows
    ]
    show_table(shown, ["cid", "size", "kind", "name"], "" if shown else _without_names(session, path))


def _without_names(session: Session, path: str) -> str:
    """What is there where no names are."""
    found = _stat(session, path)
    if found["Type"] == "directory":
        return f"{path} is empty"
    return f"{path} is no directory but a file of {in_words(found['Size'])}: bitdust ipfs cat {path}"


@ipfs.command("gc")
@click.pass_obj
def collect(session: Session) -> None:
    """Remove blocks that no pin needs."""
    gone = [row["Key"]["/"] for row in Rpc(session).rows("repo/gc", {})]
    if session.as_json:
        show_json(gone)
        return
    click.echo(f"{len(gone)} blocks are gone")


@ipfs.command("authorizations")
@click.pass_obj
def authorizations(session: Session) -> None:
    """Who may call the port of IPFS, and what each may call."""
    rows = session.call("ipfs_authorizations")
    if session.as_json:
        show_json(rows)
        return
    show_table(rows, ["name", "kind", "paths"], "nobody: whoever reaches the port on this machine may call all")


@ipfs.command("authorize")
@click.argument("name")
@click.option("--basic", is_flag=True, help="Make a password, NAME being the user, and not a token.")
@click.option("--path", "paths", multiple=True, default=["/api/v0"], help="What it may call, as /api/v0/cat.")
@click.pass_obj
def authorize(session: Session, name: str, basic: bool, paths: tuple[str, ...]) -> None:
    """Make a secret, shown this once, with which NAME may call the port; from the first one on, all clients need one.

    Many --path may be given; each allows what is below it as well."""
    row = session.call("ipfs_authorize", name=name, kind="basic" if basic else "bearer", paths=list(paths))
    if session.as_json:
        show_json(row)
        return
    click.echo(f"user {row['name']}, password {row['secret']}" if basic else f"Authorization: Bearer {row['secret']}")


@ipfs.command("unauthorize")
@click.argument("name")
@click.pass_obj
def unauthorize(session: Session, name: str) -> None:
    """Let NAME call the port no more."""
    session.call("ipfs_unauthorize", name=name)
    session.say(f"{name} may call it no more", name=name)
