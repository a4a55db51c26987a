"""Disks that forget at a power cut what nobody has synced: names, contents and removals; all of it, or some."""

import random
from pathlib import Path

from attrs import frozen

from bitdust.testing.faulty_disk import CREATE, REMOVE, RENAME, SYNC, WRITE, Change

Read = bytes | None
SECTOR = 512
MADE_BY_SQLITE = ("-wal", "-journal")


@frozen
class Named:
    """What a name in a folder stood for before a change that was not synced yet."""

    path: Path
    before: Read


class Unsynced:
    """I watch the changes of one home, and take back at a power cut those that need not have reached its disk."""

    def __init__(self) -> None:
        self._names: list[Named] = []
        self._contents: dict[Path, Read] = {}
        self._fresh: set[Path] = set()

    def see(self, change: Change) -> None:
        """A change is about to be done."""
        path = change.path
        if change.kind == SYNC and path.is_dir():
            self._names = [named for named in self._names if named.path.parent != path]
        elif change.kind == SYNC:
            self._contents.pop(path, None)
            if path in self._fresh:
                # SQLite syncs the folder with a journal that it has made.
                self._fresh.discard(path)
                self._names = [named for named in self._names if named.path.parent != path.parent]
        elif change.kind == WRITE:
            self._contents.setdefault(path, read(path))
        elif change.kind == CREATE:
            before = read(path)
            if before is None:
                self._names.append(Named(path, None))
            self._contents.setdefault(path, before or b"")
            if path.name.endswith(MADE_BY_SQLITE):
                self._fresh.add(path)
        elif change.kind in (REMOVE, RENAME):
            self._names.append(Named(path, read(path)))
            self._contents.pop(path, None)
            if change.source is not None:
                self._names.append(Named(change.source, read(change.source)))
                if change.source in self._contents:
                    self._contents[path] = self._contents.pop(change.source)

    def cut(self, torn: random.Random | None = None) -> None:
        """The power is gone; with ``torn`` some of what was not synced is there, sector by sector and name by name."""
        for path, content in self._contents.items():
            if content is not None and path.exists():
                path.write_bytes(content if torn is None else tear(content, path.read_bytes(), torn))
        lost = len(self._names) if torn is None else torn.randint(0, len(self._names))
        for named in reversed(self._names[len(self._names) - lost :]):
            if named.before is not None:
                named.path.parent.mkdir(parents=True, exist_ok=True)
                named.path.write_bytes(named.before)
            elif named.path.is_file():
                named.path.unlink()


def tear(before: bytes, after: bytes, source: random.Random) -> bytes:
    """Some sectors of each; where the file has grown, some of it is empty."""
    length = source.choice((len(before), len(after)))
    before, after = before.ljust(length, b"\0"), after.ljust(length, b"\0")
    places = range(0, length, SECTOR)
    return b"".join(source.choice((before, after))[place : place + SECTOR] for place in places)[:length]


def read(path: Path) -> Read:
    """A file's bytes; None where there is none."""
    return path.read_bytes() if path.is_file() else None
