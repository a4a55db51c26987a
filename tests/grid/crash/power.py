"""Disks that forget at a power cut what nobody has synced: names, contents and removals.

SQLite syncs for itself what it commits; a database is left as it is.
"""

from pathlib import Path

from attrs import frozen

from bitdust.testing.faulty_disk import CREATE, REMOVE, RENAME, SYNC, WRITE, Change

Read = bytes | None


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

    def see(self, change: Change) -> None:
        """A change is about to be done."""
        path = change.path
        if change.kind == SYNC and path.is_dir():
            self._names = [named for named in self._names if named.path.parent != path]
        elif change.kind == SYNC:
            self._contents.pop(path, None)
        elif ".db" in path.name:
            return
        elif change.kind == WRITE:
            self._contents.setdefault(path, read(path))
        elif change.kind == CREATE:
            before = read(path)
            if before is None:
                self._names.append(Named(path, None))
            self._contents.setdefault(path, before or b"")
        elif change.kind in (REMOVE, RENAME):
            self._names.append(Named(path, read(path)))
            self._contents.pop(path, None)
            if change.source is not None:
                self._names.append(Named(change.source, read(change.source)))
                if change.source in self._contents:
                    self._contents[path] = self._contents.pop(change.source)

    def cut(self) -> None:
        """The power is gone."""
        for path, content in self._contents.items():
            if content is not None and path.exists():
                path.write_bytes(content)
        for named in reversed(self._names):
            if named.before is not None:
                named.path.parent.mkdir(parents=True, exist_ok=True)
                named.path.write_bytes(named.before)
            elif named.path.is_file():
                named.path.unlink()


def read(path: Path) -> Read:
    """A file's bytes; None where there is none."""
    return path.read_bytes() if path.is_file() else None
