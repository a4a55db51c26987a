"""Files with names on this node (MFS), from the command line."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from bitdust.cli.client import ApiError
from bitdust.cli.groups import Aliased
from bitdust.cli.ipfs_rpc import Rpc, one_file, pieces, whole
from bitdust.cli.main import Session
from bitdust.cli.output import show_fields, show_json, show_table
from bitdust.wire.sizes import in_words

MISSING = "file does not exist"
"""What the RPC says of a path of which some name is missing."""
KINDS = {0: "file", 1: "directory"}
PARENTS = click.option("--parents", "-p", is_flag=True, help="Make the directories above it that are missing.")


@click.group("files", cls=Aliased, aliases={"list": "ls", "del": "rm", "cat": "read"}, default="ls")
def files() -> None:
    """Files with names of their own, which may change: ls, stat, mkdir, cp, mv, rm, read, write."""


@files.command("ls")
@click.argument("path", default="/")
@click.pass_obj
def ls(session: Session, path: str) -> None:
    """What is in a directory."""
    found = json.loads(Rpc(session).ask("files/ls", {"long": "true"}, path).read())["Entries"] or []
    rows = [
        {"name": row["Name"], "kind": KINDS.get(row["Type"], ""), "size": row["Size"], "cid": row["Hash"]}
        for row in found
    ]
    if session.as_json:
        show_json(rows)
        return
    shown = [{**row, "size": in_words(row["size"]) if row["kind"] == "file" else ""} for row in rows]
    show_table(shown, ["name", "kind", "size", "cid"], f"{path} is empty; bitdust ipfs files write /NAME FILE")


@files.command("stat")
@click.argument("path", default="/")
@click.pass_obj
def stat(session: Session, path: str) -> None:
    """The CID of a file or directory, and its size."""
    found = json.loads(Rpc(session).ask("files/stat", {}, path).read())
    row = {
        "cid": found["Hash"],
        "kind": found["Type"],
        "size": found["Size"],
        "with_all_blocks": found["CumulativeSize"],
    }
    show_json(row) if session.as_json else show_fields(row)


@files.command("mkdir")
@click.argument("path")
@PARENTS
@click.pass_obj
def mkdir(session: Session, path: str, parents: bool) -> None:
    """Make a directory."""
    with _hint(path):
        Rpc(session).ask("files/mkdir", {"parents": str(parents)}, path)


@files.command("cp")
@click.argument("source")
@click.argument("target")
@PARENTS
@click.pass_obj
def copy(session: Session, source: str, target: str, parents: bool) -> None:
    """Give SOURCE, a path here or /ipfs/CID, another name; no bytes are copied."""
    with _hint(target):
        Rpc(session).ask("files/cp", {"parents": str(parents)}, source, target)


@files.command("mv")
@click.argument("source")
@click.argument("target")
@click.pass_obj
def move(session: Session, source: str, target: str) -> None:
    """Another name in place of the old one."""
    Rpc(session).ask("files/mv", {}, source, target)


@files.command("rm")
@click.argument("paths", nargs=-1, required=True)
@click.option("--recursive", "-r", is_flag=True, help="Directories, with all that is in them.")
@click.pass_obj
def remove(session: Session, paths: tuple[str, ...], recursive: bool) -> None:
    """Remove names, all of them or none; what no name and no pin needs goes with the next collection."""
    Rpc(session).ask("files/rm", {"recursive": str(recursive)}, *paths)


@files.command("read")
@click.argument("path")
@click.option("--offset", type=int, default=0, help="Begin at this byte.")
@click.option("--count", type=int, help="So many bytes.")
@click.pass_obj
def read(session: Session, path: str, offset: int, count: int | None) -> None:
    """Write a file to standard output."""
    options = {"offset": str(offset)} | ({"count": str(count)} if count is not None else {})
    for data in whole(Rpc(session).ask("files/read", options, path)):
        sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


@files.command("write")
@click.argument("path")
@click.argument("source", type=click.Path(dir_okay=False, allow_dash=True, path_type=Path))
@click.option("--offset", type=int, help="Write from this byte on, and leave the rest as it is.")
@PARENTS
@click.pass_obj
def write(session: Session, path: str, source: Path, offset: int | None, parents: bool) -> None:
    """Write SOURCE, a file or - for standard input, under a name; what was there goes, unless an --offset is given."""
    options = {"create": "true", "parents": str(parents)}
    options |= {"truncate": "true"} if offset is None else {"offset": str(offset)}
    try:
        stream = sys.stdin.buffer if str(source) == "-" else source.open("rb")
    except OSError as error:
        raise ApiError("os-error", f"{source} cannot be read: {error.strerror or error}") from None
    with stream, _hint(path):
        Rpc(session).ask("files/write", options, path, **one_file(pieces(stream)))


@contextmanager
def _hint(path: str) -> Iterator[None]:
    """Say what makes the directories above a path, where one is missing."""
    try:
        yield
    except ApiError as error:
        if str(error) != MISSING:
            raise
        raise ApiError(error.code, f"there is no directory for {path} yet; --parents makes it") from None
