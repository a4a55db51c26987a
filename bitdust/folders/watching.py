"""What the system reports of a folder's files, without what is in the folder's own place."""

from collections.abc import Callable, Iterable
from pathlib import Path

from bitdust.folders.paths import HOUSEKEEPING
from bitdust.watching import Watch, Watcher


class Watching:
    """``report`` gets paths within the folder that may be others than before; "" is all of it."""

    def __init__(self, watcher: Watcher, root: Path, report: Callable[[Iterable[str]], None]) -> None:
        self._watcher = watcher
        self._root = root
        self._report = report
        self._watch: Watch | None = None

    def begin(self) -> None:
        """May be called again."""
        if self._watch is None:
            self._watch = self._watcher.watch(self._root, self._reported, (HOUSEKEEPING,))

    def end(self) -> None:
        """Report nothing any more; `begin` may follow."""
        watch, self._watch = self._watch, None
        if watch is not None:
            watch.close()

    @property
    def how(self) -> str:
        """How changes are noticed, in words; empty while they are not."""
        return self._watch.how if self._watch is not None else ""

    def _reported(self, paths: frozenset[Path]) -> None:
        root, found = str(self._root), set()
        begin = root.rstrip("/") + "/"
        for text in map(str, paths):
            relative = text.removeprefix(begin) if text != root else ""
            if relative != text and relative.split("/", maxsplit=1)[0] != HOUSEKEEPING:
                found.add(relative)
        if found:
            self._report(found)
