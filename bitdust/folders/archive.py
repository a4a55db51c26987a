"""Former versions of a folder's files: ``.sync/Archive``, each under its path with the time when it was replaced."""

import contextlib
import os
from collections.abc import Callable

from bitdust.folders.paths import LONGEST_NAME, name, parent, split_suffix, to_bytes
from bitdust.folders.port import VersionRow
from bitdust.folders.records import FILE
from bitdust.folders.tree import ARCHIVE, Tree
from bitdust.wire.errors import BitDustError

DAY = 86_400
MB = 1024 * 1024
_STAMP = 14


class Archive:
    """I keep what is replaced or deleted. ``wall`` is seconds since the epoch. My methods block."""

    def __init__(self, tree: Tree, wall: Callable[[], float]) -> None:
        self._tree = tree
        self._wall = wall
        self.is_on = True
        self.largest = 1000 * MB

    def keep(self, source: str, path: str) -> str:
        """Take a file out of the way; where it is now, empty where it was not to be kept."""
        found = self._tree.look(source)
        if found is None:
            return ""
        if not self.is_on or found.kind != FILE or found.size > self.largest:
            self._tree.remove(source)
            return ""
        stamp = int(self._wall() * 1000)
        while True:
            place = f"{ARCHIVE}/{archived_name(path, stamp)}"
            try:
                self._tree.give_name(source, place)
            except FileExistsError:
                stamp += 1
                continue
            return place

    def versions(self, path: str) -> list[VersionRow]:
        """Former versions of a path, the newest first."""
        found = []
        with contextlib.suppress(FileNotFoundError), self._tree.folder(f"{ARCHIVE}/{parent(path)}".rstrip("/")) as here:
            for one in os.listdir(here):
                original, stamp = original_name(one)
                if stamp and original == name(path):
                    size = os.lstat(one, dir_fd=here).st_size
                    found.append(VersionRow(path, str(stamp), size, stamp // 1000))
        return sorted(found, key=lambda row: row.replaced, reverse=True)

    def place_of(self, path: str, version: str) -> str:
        """Where a version is."""
        return f"{ARCHIVE}/{archived_name(path, int(version))}"

    def restore(self, path: str, version: str) -> None:
        """Bring a version back to its place; what is there goes to the archive. Raises ``no-such-version``."""
        place = self.place_of(path, version) if version.isdigit() else ""
        if not place or self._tree.look(place) is None:
            raise BitDustError("no-such-version", f"{path!r} has no version {version[:40]!r} in the archive")
        if self._tree.look(path) is None:
            self._tree.give_name(place, path)
            return
        self._tree.exchange(place, path)
        self.keep(place, path)

    def clean(self, days: int, now: float) -> list[str]:
        """Remove what is older; the places that are empty now. 0 days keep everything."""
        if not days:
            return []
        oldest, removed = int((now - days * DAY) * 1000), []
        for place in self._all():
            stamp = original_name(name(place))[1]
            if stamp and stamp < oldest:
                self._tree.remove(place)
                removed.append(place)
        return removed

    def _all(self) -> list[str]:
        found, waiting = [], [ARCHIVE]
        while waiting:
            folder = waiting.pop()
            with contextlib.suppress(OSError), self._tree.folder(folder) as here, os.scandir(here) as entries:
                for entry in entries:
                    path = f"{folder}/{os.fsdecode(entry.name)}"
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(path)
                    else:
                        found.append(path)
        return found


def archived_name(path: str, stamp: int) -> str:
    """``a/b.txt`` of 1800000000000 is ``a/b.1800000000000.txt``."""
    stem, suffix = split_suffix(path)
    mark = f".{stamp:0{_STAMP}d}"
    while len(to_bytes(name(stem))) > LONGEST_NAME - len(mark) - len(to_bytes(suffix)) and len(name(stem)) > 1:
        stem = stem[:-1]
    return stem + mark + suffix


def original_name(archived: str) -> tuple[str, int]:
    """The name without its stamp, and the stamp, 0 where there is none."""
    stem, suffix = split_suffix(archived)
    for left, right in ((stem, suffix), (archived, "")):
        digits = left[-_STAMP:]
        if len(left) > _STAMP and left[-_STAMP - 1] == "." and digits.isdigit():
            return left[: -_STAMP - 1] + right, int(digits)
    return archived, 0
