"""``bitdust log``: the node's logs, whether it runs or not. An entry is a line and the indented lines under it."""

import contextlib
import itertools
import json
import os
import re
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

import click
from attrs import define, field

from bitdust.cli.main import Session
from bitdust.cli.output import printable

LEVELS = ("debug", "info", "warn", "error", "critical")
LOOK_AGAIN = 0.2
_ENTRY = re.compile(r"(\S+Z) (debug|info|warn|error|critical) +(.*)", re.S)
Wanted = Callable[[str], bool]


@click.command()
@click.argument("which", required=False, default="stdout")
@click.option("-f", "--follow", "following", is_flag=True, help="Go on with what is written, until Ctrl-C.")
@click.option("-n", "--lines", "number", default=50, show_default=True, type=click.IntRange(0), help="Last entries.")
@click.option("--level", type=click.Choice(LEVELS), default=None, help="Only entries of this level and above.")
@click.option("--grep", "pattern", default=None, help="Only entries in which this regular expression is found.")
@click.pass_obj
def log(session: Session, which: str, following: bool, number: int, level: str | None, pattern: str | None) -> None:
    """Print the end of a log: stdout (what is left out means this), event, api, automats, packet, start, exceptions.

    api, automats and packet are written while their setting is on: bitdust set logs/packet-enabled true
    """
    folder = session.home / "logs"
    wanted = _wanted(level, pattern)
    if which in ("exception", "exceptions"):
        _show(session, last(_exceptions(folder), number, wanted))
        return
    path = folder / f"{which}.log"
    if which not in known(folder):
        raise click.UsageError(_unknown(folder, which))
    try:
        tail = Tail(path)
        if number:
            _show(session, last(tail.older(), number, wanted))
        else:
            tail.skip()
        while following:
            _show(session, filter(wanted, tail.newer()))
            time.sleep(LOOK_AGAIN)
    except KeyboardInterrupt:
        return


ALWAYS = ("stdout", "event", "api", "automats", "packet")


def known(folder: Path) -> list[str]:
    """Logs that there are, or may be."""
    there = {path.name.partition(".log")[0] for path in folder.glob("*.log*") if not path.name.startswith("exception_")}
    return sorted({*ALWAYS, *there})


def _unknown(folder: Path, which: str) -> str:
    return f"there is no log {which!r} in {folder}; there are: {', '.join([*known(folder), 'exceptions'])}"


def _exceptions(folder: Path) -> Iterator[str]:
    """What each file says, the oldest first; the node takes old ones away meanwhile."""
    there = []
    for path in folder.glob("exception_*.log"):
        with contextlib.suppress(OSError):
            there.append((path.stat().st_mtime_ns, path))
    for _, path in sorted(there):
        with contextlib.suppress(OSError):
            yield path.read_text(errors="replace").rstrip()


def _wanted(level: str | None, pattern: str | None) -> Wanted:
    least = LEVELS.index(level) if level else 0
    try:
        found = re.compile(pattern or "").search
    except re.error as error:
        raise click.UsageError(f"--grep: {pattern!r} is no regular expression: {error}") from None

    def wanted(entry: str) -> bool:
        parts = _ENTRY.match(entry) if least else None
        return (not least or (parts is not None and LEVELS.index(parts[2]) >= least)) and found(entry) is not None

    return wanted


def last(entries: Iterable[str], number: int, wanted: Wanted) -> Iterable[str]:
    """The last ones that are wanted."""
    return deque(filter(wanted, entries), maxlen=number) if number else ()


def _show(session: Session, entries: Iterable[str]) -> None:
    for entry in entries:
        if session.as_json:
            parts = _ENTRY.match(entry)
            row = {"time": parts[1], "level": parts[2], "text": parts[3]} if parts else {"text": entry}
            click.echo(json.dumps(row))
        else:
            click.echo("\n".join(printable(line.replace("\t", "    ")) for line in entry.split("\n")))


def entries_of(lines: Iterable[str]) -> Iterator[str]:
    """Lines put together: one that begins with a blank belongs to the one before."""
    entry: list[str] = []
    for line in lines:
        if entry and not line[:1].isspace():
            yield "\n".join(entry)
            entry = []
        entry.append(line.rstrip("\n"))
    if entry:
        yield "\n".join(entry)


@define
class Tail:
    """I read a log that is rotated under me: ``x.log`` becomes ``x.log.1`` and a new ``x.log`` begins."""

    path: Path
    _stream: BinaryIO | None = None
    _part: bytes = field(default=b"", init=False)

    def older(self) -> Iterator[str]:
        """All entries that are there, the oldest first; afterwards `newer` goes on from here."""
        rotated = sorted(self.path.parent.glob(f"{self.path.name}.[0-9]*"), key=_number, reverse=True)
        yield from entries_of(self._all_lines(rotated))

    def _all_lines(self, rotated: list[Path]) -> Iterator[str]:
        for path in rotated:
            try:
                with path.open(errors="replace") as stream:
                    yield from stream
            except FileNotFoundError:
                continue
        yield from self._lines()

    def newer(self) -> Iterator[str]:
        """Entries that were written since the last call, across a rotation."""
        yield from entries_of(self._lines())

    def _lines(self) -> Iterator[str]:
        """Whole lines up to the end of the newest file."""
        while self._open() is not None:
            yield from self._rest()
            if not self._is_rotated():
                return
            yield from self._rest()
            if self._part:
                yield self._next_line()
            self._move_on()

    def _open(self) -> BinaryIO | None:
        if self._stream is None:
            try:
                self._stream = self.path.open("rb")
            except FileNotFoundError:
                return None
        return self._stream

    def _rest(self) -> Iterator[str]:
        stream = self._open()
        for chunk in stream if stream is not None else ():
            self._part += chunk
            if self._part.endswith(b"\n"):
                yield self._next_line()

    def _next_line(self) -> str:
        part, self._part = self._part, b""
        return part.decode(errors="replace")

    def _is_rotated(self) -> bool:
        """Whether another file has the name by now, or this one was cut."""
        try:
            now = os.stat(self.path)
        except FileNotFoundError:
            return False
        stream = self._stream
        return stream is not None and (_place(now) != self._here(stream) or now.st_size < stream.tell())

    def _move_on(self) -> None:
        """Go to the file that was begun after this one; several may have been since the last look."""
        stream, self._stream = self._stream, None
        if stream is None:
            return
        newest_first = [self.path, *sorted(self.path.parent.glob(f"{self.path.name}.[0-9]*"), key=_number)]
        for newer, older in itertools.pairwise(newest_first):
            with contextlib.suppress(FileNotFoundError):
                if _place(os.stat(older)) == self._here(stream):
                    self._stream = newer.open("rb")
        stream.close()

    def _here(self, stream: BinaryIO) -> tuple[int, int]:
        return _place(os.fstat(stream.fileno()))

    def skip(self) -> None:
        """Begin with what is written from now on."""
        stream = self._open()
        if stream is not None:
            stream.seek(0, os.SEEK_END)


def _place(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


def _number(path: Path) -> int:
    ending = path.suffix.removeprefix(".")
    return int(ending) if ending.isdigit() else 0
