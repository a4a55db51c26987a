"""A walk over a folder that compares it with what was seen, a portion at a time, in the folder's thread.

A file is read again where size, times or inode are others than they were, or where it was so young at that time that a
change may not show. What cannot be read is neither told nor taken for deleted.
"""

import errno
import os
import stat
from collections import deque
from collections.abc import Callable, Iterable

from attrs import define, field

from bitdust.folders.ignoring import IgnoreList
from bitdust.folders.items import Local, Seen, local_from
from bitdust.folders.journal import Journal
from bitdust.folders.paths import DEEPEST, LONGEST_PATH, parent
from bitdust.folders.portions import Taken
from bitdust.folders.reading import Changing, read_entry
from bitdust.folders.records import FILE, FOLDER, Entry
from bitdust.folders.tree import Special, Tree, local_of

PORTION = 500
"""Files that are read, or folders that are listed, before others have their turn."""
MANY_BESIDE = 20
"""Paths in one folder for which the folder is listed instead of looking at each of them."""
MOST_SHOWN = 100
"""Bytes of a path that is too long."""
PORTION_BYTES = 32 * 1024 * 1024


@define
class Found:
    """What a scan has come to."""

    changed: int = 0
    read: int = 0
    warnings: dict[str, str] = field(factory=dict)
    again: set[str] = field(factory=set)
    """Paths that were changed while they were read."""


class Scan:
    """One walk: call `step` until it says that nothing is left. ``paths`` are where to look; empty for everywhere."""

    def __init__(
        self, tree: Tree, journal: Journal, ignored: IgnoreList, now: Callable[[], float], paths: Iterable[str] = ()
    ) -> None:
        self._tree = tree
        self._journal = journal
        self._ignored = ignored
        self._now = now
        self._folders: deque[str] = deque()
        self._flat: deque[str] = deque()
        """Folders in which much has happened, though not in those below."""
        self._named: set[bytes] = set()
        """Paths that somebody has told of in these."""
        self._files: deque[str] = deque()
        self._missing: deque[str] = deque()
        self._takes_both: bool | None = None
        self._going: list[tuple[str, bool]] = []
        """A missing path and what is below it, each with whether what is below is in here, or told, already."""
        self._replaced: list[str] = []
        self.found = Found()
        self.overwrite = False
        self._begin(set(paths))

    def _begin(self, paths: set[str]) -> None:
        if not paths or "" in paths:
            self._folders.append("")
            return
        beside: dict[str, list[str]] = {}
        seen: dict[str, bool] = {"": True}
        for path in {self._known_root(path, seen) for path in paths}:
            beside.setdefault(parent(path), []).append(path)
        for folder, found in sorted(beside.items()):
            if len(found) > MANY_BESIDE:
                self._flat.append(folder)
                self._named.update(map(os.fsencode, found))
                continue
            for path in sorted(found):
                self._one(path)

    def _known_root(self, path: str, seen: dict[str, bool]) -> str:
        """The outermost part of a path that is in no folder which was seen before."""
        while True:
            above = parent(path)
            if above not in seen:
                seen[above] = self._journal.items.local(above) is not None
            if seen[above]:
                return path
            path = above

    def _one(self, path: str) -> None:
        """Look at one path, whatever is there."""
        if self._ignored.ignores(path):
            return
        try:
            found = self._look(path)
        except OSError as error:
            self._warn(path, error)
            return
        known = self._journal.items.local(path)
        if found is None:
            self._missing.append(path)
        elif known is not None and known.kind == FOLDER != found.kind:
            self._gone(path)
        if found is not None:
            self._compare(path, found, known)

    def step(self, ident: bytes) -> bool:
        """Go on for a moment; whether something is left. Raises `bitdust.folders.tree.Missing`."""
        self._tree.check(ident)
        done = size = 0
        pairs: list[tuple[Local, Entry]] = []
        while (self._files or self._flat or self._folders) and done < PORTION and size < PORTION_BYTES:
            done += 1
            if self._files:
                path = self._files.popleft()
                size += self._read(path, pairs)
            else:
                is_flat = bool(self._flat)
                self._list((self._flat or self._folders).popleft(), is_flat)
                self._tell_replaced()
        if pairs:
            self._told(self._journal.notice(pairs, self.overwrite))
        if self._files or self._flat or self._folders:
            return True
        self._tell_missing(ident)
        return bool(self._missing or self._going)

    def _tell_missing(self, ident: bytes) -> None:
        """A portion of what is not there any more, the deepest first.

        It comes last: who hears of a move knows the new place before the old one goes.
        """
        gone: list[str] = []
        looked = 0
        while (self._going or self._missing) and len(gone) < PORTION and looked < 2 * PORTION:
            path, is_empty = self._going.pop() if self._going else (self._missing.popleft(), False)
            looked += 1
            if not self._is_gone(path):
                continue
            below = [] if is_empty else [os.fsdecode(row[0]) for row in self._journal.items.seen_rows(path)]
            if below:
                self._going.append((path, True))
                self._going += [(one, False) for one in below]
            else:
                gone.append(path)
        if gone:
            self._tree.check(ident)  # what has gone together with the folder itself is not deleted
            self._told(self._journal.miss(gone, self.overwrite))

    def _told(self, taken: Taken) -> None:
        self.found.changed += taken.changed
        self.found.warnings.update(taken.unwritten)

    def _is_gone(self, path: str) -> bool:
        try:
            return self._look(path) is None
        except OSError:
            return False

    def _look(self, path: str) -> Local | None:
        """What is there under just that name."""
        found = self._tree.look(path)
        if self._takes_both is None:
            self._takes_both = self._tree.takes_both()
        return found if found is None or not self._takes_both or self._tree.is_called(path) else None

    @property
    def waiting(self) -> int:
        """Files that are still to be read."""
        return len(self._files)

    def _read(self, path: str, pairs: list[tuple[Local, Entry]]) -> int:
        try:
            local, entry = read_entry(self._tree, path, self._journal.keys, int(self._now() * 10**9))
        except Changing:
            self.found.again.add(path)
        except FileNotFoundError:
            pass
        except (Special, OSError) as error:
            self._warn(path, error)
        else:
            self.found.read += 1
            pairs.append((local, entry))
            return local.size
        return 0

    def _list(self, folder: str, is_flat: bool = False) -> None:
        try:
            with self._tree.folder(folder) as descriptor:
                self._compare_all(descriptor, folder, is_flat)
        except (FileNotFoundError, NotADirectoryError):
            if folder:
                self._missing.append(folder)
        except OSError as error:
            self._warn(folder, error)

    def _compare_all(self, descriptor: int, folder: str, is_flat: bool) -> None:
        """What is in a folder and what was seen there, both in the order of their bytes, beside each other; ``is_flat``
        where folders in it are as they were unless they are named.

        Of a hundred thousand files nearly all are as they were: for them nothing is made that is not needed.
        """
        rows = self._journal.items.seen_rows(folder)
        row = next(rows, None)
        prefix = os.fsencode(f"{folder}/") if folder else b""
        may_ignore = self._ignored.has_rules or not folder
        for name in sorted(map(os.fsencode, os.listdir(descriptor))):
            raw = prefix + name
            while row is not None and row[0] < raw:
                self._miss(row[0])
                row = next(rows, None)
            known = None
            if row is not None and row[0] == raw:
                known, row = row, next(rows, None)
            if may_ignore and self._ignored.ignores(os.fsdecode(raw)):
                continue
            if len(raw) > LONGEST_PATH or raw.count(b"/") >= DEEPEST:
                self._warn(os.fsdecode(raw[:MOST_SHOWN]), OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG)))
                continue
            try:
                state = os.lstat(name, dir_fd=descriptor)
                if known is None or not _as_seen(state, known):
                    self._otherwise(os.fsdecode(raw), state, known)
                elif known[1] == FOLDER and (not is_flat or raw in self._named):
                    self._folders.append(os.fsdecode(raw))
            except FileNotFoundError:
                if known is not None:
                    self._miss(raw)
            except OSError as error:
                self._warn(os.fsdecode(raw), error)
        while row is not None:
            self._miss(row[0])
            row = next(rows, None)

    def _miss(self, raw: bytes) -> None:
        path = os.fsdecode(raw)
        if not self._ignored.ignores(path):
            self._missing.append(path)

    def _otherwise(self, path: str, state: os.stat_result, row: Seen | None) -> None:
        found = local_of(path, state)
        known = local_from(row) if row is not None else None
        if known is not None and known.kind == FOLDER != found.kind:
            self._replaced.append(path)
        self._compare(path, found, known)

    def _compare(self, path: str, found: Local, known: Local | None) -> None:
        if known is None or known.racy or not found.looks_like(known) or self._mode_changed(found, known):
            self._files.append(path)
        if found.kind == FOLDER:
            self._folders.append(path)

    def _tell_replaced(self) -> None:
        """All that was in folders whose place something else has taken is gone, before that is told."""
        for path in self._replaced:
            self._gone(path)
        self._replaced.clear()

    @staticmethod
    def _mode_changed(found: Local, known: Local) -> bool:
        return found.kind == FILE and found.executable != known.executable

    def _gone(self, path: str) -> None:
        """A path and all below it are not there any more: the deepest first."""
        items = self._journal.items
        gone, waiting = [], [path]
        while waiting:
            one = waiting.pop()
            gone.append(one)
            waiting += items.seen_in(one)
        self._told(self._journal.miss(reversed(gone), self.overwrite))

    def _warn(self, path: str, error: Exception) -> None:
        reason = getattr(error, "strerror", None) or str(error)
        self.found.warnings[path] = reason


def _as_seen(state: os.stat_result, row: Seen) -> bool:
    """Whether nothing tells them apart that can be seen without reading: `Local.looks_like`, for very many."""
    _, kind, size, mtime, ctime, inode, executable, _, racy = row
    if kind == FILE:
        return (
            (state.st_mtime_ns, state.st_size, state.st_ctime_ns, state.st_ino) == (mtime, size, ctime, inode)
            and stat.S_ISREG(state.st_mode)
            and not racy
            and bool(state.st_mode & stat.S_IXUSR) == bool(executable)
        )
    return kind == FOLDER and stat.S_ISDIR(state.st_mode) and state.st_ino == inode
