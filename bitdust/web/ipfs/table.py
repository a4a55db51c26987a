"""The commands of the RPC: one row for each, which says what it takes and who answers.

The rows stand in `bitdust.web.ipfs.commands`, by their theme. A row is all there is to a command: the dialect reads a
call by it, and the command `commands` prints it.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from typing import Any

from attrs import define, field, frozen

from bitdust.web.ipfs.arguments import BOOL, DURATION, Argument, BadCall, Option, Options
from bitdust.web.ipfs.calls import Calls
from bitdust.web.ipfs.upload import Upload

BASE = "/api/v0"
NEEDED = "required"
Row = dict[str, Any]


@frozen
class Json:
    """One JSON value."""

    value: Any


@frozen
class Lines:
    """JSON values, one a line. A ``live`` one is sent line by line, and its head before the first line is there."""

    rows: AsyncIterator[Row]
    live: bool = False


@frozen
class Rows:
    """JSON values, one a line, that are all here."""

    rows: Sequence[Row]


@frozen
class Data:
    """Bytes; ``length`` is how many, where it is known. An error in the middle cuts the connection."""

    pieces: AsyncIterator[bytes]
    length: int | None = None
    content_type: str = "text/plain"


@frozen
class Whole:
    """Bytes that are all here, few of them."""

    data: bytes
    content_type: str = "text/plain"


Answer = Json | Lines | Rows | Data | Whole | None
"""None is an empty body, which is not the same as any JSON to clients."""


@define
class Call:
    """One call: arguments and options by their first names, and the files of its body."""

    arguments: Row
    options: Row
    upload: Upload | None = None

    def file(self) -> Upload:
        """The body. Raises `BadCall` where there is none, which a row that needs one has asked before."""
        if self.upload is None:
            raise BadCall("file argument 'data' is required")
        return self.upload


Runner = Callable[[Any, Call], Awaitable[Answer]]
"""Answers a call; its first argument is what commands may use of the node."""
GLOBAL = (
    Option(("timeout",), DURATION),
    Option(("offline",), BOOL, default=False),
    Option(("stream-channels",), BOOL, default=True),
    Option(("encoding", "enc")),
    Option(("cid-base",)),
    Option(("upgrade-cidv0-in-output",), BOOL, default=False),
)
"""Options that every command takes."""


@frozen
class Command:
    """A row: where it is, as ``pin/ls``; ``file`` is the name of the file argument that its body needs, if it does.

    One that ``may_have_file`` has a body where its client sends one. One that ``asks_peers`` does nothing else, and is
    refused where its client wants it offline.
    """

    path: str
    run: Runner
    arguments: tuple[Argument, ...] = ()
    options: tuple[Option, ...] = ()
    file: str | None = None
    may_have_file: bool = False
    asks_peers: bool = False
    aliases: tuple[str, ...] = ()

    all_options: Options = field(init=False, eq=False, repr=False)
    """Its own ones, and those of all commands."""

    @all_options.default
    def _all_options(self) -> Options:
        return Options((*self.options, *GLOBAL))


@define(eq=False)
class Commands:
    """All rows, found by path."""

    _rows: dict[str, Command] = field(factory=dict)
    calls: Calls = field(factory=Calls)
    """Who calls which now."""

    def add(self, rows: Iterable[Command]) -> "Commands":
        """Raises `ValueError` for a path that is there already."""
        for row in rows:
            for path in (row.path, *row.aliases):
                if path in self._rows:
                    raise ValueError(f"two commands at {path}")
                self._rows[path] = row
        return self

    def find(self, path: str) -> tuple[Command, list[str]] | None:
        """The command at a path behind the base, and the last segment where that stands behind it: it is the first
        argument. A path of content has several, and goes into the query."""
        segments = [segment for segment in path.split("/") if segment]
        for behind in (0, 1):
            row = self._rows.get("/".join(segments[: len(segments) - behind]))
            if row is not None:
                return row, segments[len(segments) - behind :]
        return None

    def paths(self) -> list[str]:
        """Every path, in order, aliases too."""
        return sorted(self._rows)

    def tree(self, with_options: bool = False) -> Row:
        """All commands as `commands` prints them."""
        root = _node("ipfs", None, with_options)
        for path in self.paths():
            level = root
            *above, last = path.split("/")
            for name in above:
                level = _below(level, name, None, with_options)
            _below(level, last, self._rows[path], with_options)
        return root


def _below(level: Row, name: str, row: Command | None, with_options: bool) -> Row:
    found = next((one for one in level["Subcommands"] if one["Name"] == name), None)
    if found is None:
        found = _node(name, row, with_options)
        level["Subcommands"].append(found)
    return found


def _node(name: str, row: Command | None, with_options: bool) -> Row:
    options = row.all_options.all if row is not None and with_options else ()
    return {"Name": name, "Subcommands": [], "Options": [{"Names": list(option.names)} for option in options]}
