"""A watcher of files: who wants to know that something below a folder changed is told which paths, a moment later.

On Linux, and elsewhere with the package ``watchdog``, the system reports changes as they happen; without it, or where
the system has no more watches to give, the folder is compared with what it was every minute. `Watch.how` says which of
the two it is. Both are hints: whoever must not miss anything still compares by itself now and then.
"""

import contextlib
import importlib
import os
from collections.abc import Callable, Collection, Iterable
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from bitdust.inotify import LIBRARY, FolderWatch

QUIET = 0.5
"""Seconds without a change before what has gathered is reported."""
LONGEST = 5.0
"""Seconds after which it is reported even where changes go on."""
MOST_PATHS = 10_000
"""More paths than that are reported as the watched folder itself: look everywhere."""
MOST_QUEUES = 32
"""Folders of one node that have a queue of the system for themselves."""
RESCAN_EVERY = 60.0
READS = frozenset(("opened", "closed_no_write"))
"""Kinds of events that change nothing."""
Changed = Callable[[frozenset[Path]], None]
RunInThread = Callable[..., "Deferred[Any]"]
Signature = tuple[int, int, int, int]


class Watch(Protocol):
    """One folder that is watched."""

    @property
    def how(self) -> str:
        """How changes are noticed, in words."""

    def close(self) -> None:
        """End it; nothing is reported any more. May be called twice."""


class Watcher(Protocol):
    """What `bitdust.world.World` has: a way to watch folders."""

    def watch(self, folder: Path, changed: Changed, without: Collection[str] = ()) -> Watch:
        """Call ``changed`` with the paths that were made, changed, moved or removed in ``folder`` or below it.

        What is below ``without``, names in the folder itself, need not be reported.
        """


class Gathering:
    """I collect paths until nothing has changed for a moment, so that one saved file is one report."""

    log = Logger()

    def __init__(self, clock: IReactorTime, folder: Path, changed: Changed) -> None:
        self._clock = clock
        self._folder = folder
        self._changed = changed
        self._paths: set[Path] = set()
        self._since = 0.0
        self._call: IDelayedCall | None = None
        self._closed = False

    def add(self, paths: Iterable[Path]) -> None:
        """More that changed."""
        if self._closed:
            return
        if not self._paths:
            self._since = self._clock.seconds()
        self._paths.update(paths)
        if len(self._paths) > MOST_PATHS:
            self._paths = {self._folder}
        if not self._paths:
            return
        left = max(0.0, min(QUIET, self._since + LONGEST - self._clock.seconds()))
        if self._call is not None and self._call.active():
            self._call.reset(left)
        else:
            self._call = self._clock.callLater(left, self._report)

    def add_all(self) -> None:
        """What changed is not known: it may be anything."""
        self.add([self._folder])

    def _report(self) -> None:
        paths, self._paths = frozenset(self._paths), set()
        try:
            self._changed(paths)
        except Exception:  # noqa: BLE001 - one listener's fault must not end the watch of the others
            self.log.failure("a listener for changes below {folder} failed", folder=str(self._folder))

    def close(self) -> None:
        """Report nothing any more."""
        self._closed = True
        if self._call is not None and self._call.active():
            self._call.cancel()


class RescanWatcher:
    """Compares a folder with what it was, once a minute; needs nothing but the file system."""

    def __init__(
        self, clock: IReactorTime, run_in_thread: RunInThread, every: float = RESCAN_EVERY, reason: str = ""
    ) -> None:
        self._clock = clock
        self._run_in_thread = run_in_thread
        self._every = every
        self._reason = reason

    def watch(self, folder: Path, changed: Changed, without: Collection[str] = (), reason: str = "") -> "RescanWatch":
        """See `Watcher`."""
        because = reason or self._reason
        how = f"by a comparison every {self._every:.0f} s" + (f" ({because})" if because else "")
        compared = partial(signatures, folder, without)
        return RescanWatch(
            self._clock, self._run_in_thread, compared, Gathering(self._clock, folder, changed), (self._every, how)
        )


class RescanWatch:
    """One folder and what it was when it was read last."""

    log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        run_in_thread: RunInThread,
        compared: Callable[[], dict[str, Signature]],
        gathering: Gathering,
        means: tuple[float, str],
    ) -> None:
        self._every, self.how = means
        self._clock = clock
        self._run_in_thread = run_in_thread
        self._compared = compared
        self._gathering = gathering
        self._known: dict[str, Signature] | None = None
        self._call: IDelayedCall | None = None
        self._closed = False
        self._read()

    def _read(self) -> None:
        self._call = None
        self._run_in_thread(self._compared).addCallbacks(self._compare, self._failed)

    def _compare(self, found: dict[str, Signature]) -> None:
        if self._known is not None:
            before = self._known
            names = {name for name in before.keys() | found.keys() if before.get(name) != found.get(name)}
            self._gathering.add(Path(name) for name in names)
        self._known = found
        self._again()

    def _failed(self, failure: Any) -> None:
        self.log.failure("a watched folder could not be compared with what it was", failure)
        self._again()

    def _again(self) -> None:
        if not self._closed:
            self._call = self._clock.callLater(self._every, self._read)

    def close(self) -> None:
        """See `Watch`."""
        self._closed = True
        self._gathering.close()
        if self._call is not None and self._call.active():
            self._call.cancel()


def signatures(folder: Path, without: Collection[str] = ()) -> dict[str, Signature]:
    """What can be seen of each path below a folder without reading it; what cannot be listed is left out."""
    found: dict[str, Signature] = {}
    root = os.fspath(folder)
    waiting = [root]
    while waiting:
        here = waiting.pop()
        with contextlib.suppress(OSError), os.scandir(here) as entries:
            for entry in entries:
                if here == root and entry.name in without:
                    continue
                with contextlib.suppress(OSError):
                    status = entry.stat(follow_symlinks=False)
                    found[entry.path] = (status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino)
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
    return found


class InotifyWatcher:
    """Watches by what Linux reports. Folders that the system takes no watch for are compared instead.

    Each has a queue of its own, of which a user may have 128: beyond a few folders ``others`` has them watched, which
    is watchdog, with one queue for all.
    """

    log = Logger()

    def __init__(
        self,
        from_thread: Callable[..., Any],
        clock: IReactorTime,
        rescan: RescanWatcher,
        library: Any,
        others: Watcher | None = None,
    ) -> None:
        self._from_thread = from_thread
        self._clock = clock
        self._rescan = rescan
        self._library = library
        self._others = others
        self._watches: list[InotifyWatch] = []

    def watch(self, folder: Path, changed: Changed, without: Collection[str] = ()) -> Watch:
        """See `Watcher`."""
        self._watches = [one for one in self._watches if not one.is_closed]
        if self._others is not None and len(self._watches) >= MOST_QUEUES:
            return self._others.watch(folder, changed, without)
        self._watches.append(self._own(folder, changed, without))
        return self._watches[-1]

    def _own(self, folder: Path, changed: Changed, without: Collection[str]) -> "InotifyWatch":
        def compared(error: Exception) -> Watch:
            reason = getattr(error, "strerror", None) or str(error)
            self.log.warn("{folder} is not watched: {why}", folder=str(folder), why=reason)
            return self._rescan.watch(folder, changed, without, reason)

        return InotifyWatch(self._from_thread, Gathering(self._clock, folder, changed), compared).begin(
            lambda report, broken: FolderWatch(folder, without, report, broken, self._library)
        )


class InotifyWatch:
    """One folder of which Linux reports changes, as long as it has watches for it."""

    def __init__(
        self, from_thread: Callable[..., Any], gathering: Gathering, compared: Callable[[Exception], Watch]
    ) -> None:
        self._from_thread = from_thread
        self._gathering = gathering
        self._compared = compared
        self._folder: FolderWatch | None = None
        self._instead: Watch | None = None
        self.is_closed = False

    def begin(self, watch: Callable[[Callable[..., Any], Callable[..., Any]], FolderWatch]) -> "InotifyWatch":
        """Watch it, or have it compared."""
        try:
            self._folder = watch(self._reported, lambda error: self._from_thread(self._broken_later, error))
        except OSError as error:
            self._broken(error)
        return self

    @property
    def how(self) -> str:
        """See `Watch`."""
        return self._instead.how if self._instead is not None else NotifyWatch.how

    def _reported(self, paths: Collection[bytes]) -> None:
        self._from_thread(self._gathering.add, [Path(os.fsdecode(path)) for path in paths])

    def _broken(self, error: Exception) -> None:
        if not self.is_closed:
            self._instead = self._compared(error)

    def _broken_later(self, error: Exception) -> None:
        """What changed before the first comparison, and was not told, is told with all the rest."""
        self._broken(error)
        self._gathering.add_all()

    def close(self) -> None:
        """See `Watch`."""
        self.is_closed = True
        self._gathering.close()
        folder, self._folder = self._folder, None
        if folder is not None:
            folder.close()
        if self._instead is not None:
            self._instead.close()


class NotifyWatcher:
    """Watches with ``watchdog``: one thread that waits for the system, started with the first watch, ended with the
    last. Folders that the system takes no watch for are compared instead."""

    log = Logger()

    def __init__(
        self, clock: IReactorTime, from_thread: Callable[..., Any], observer: Callable[[], Any], rescan: RescanWatcher
    ) -> None:
        self._clock = clock
        self._from_thread = from_thread
        self._new_observer = observer
        self._rescan = rescan
        self._observer: Any = None
        self._watches: set[NotifyWatch] = set()

    def watch(self, folder: Path, changed: Changed, without: Collection[str] = ()) -> Watch:
        """See `Watcher`."""
        gathering = Gathering(self._clock, folder, changed)
        if self._observer is None:
            self._observer = self._new_observer()
            self._observer.start()
        try:
            handle = self._observer.schedule(Handler(self._from_thread, gathering), str(folder), recursive=True)
        except OSError as error:
            self.log.warn("{folder} is not watched: {why}", folder=str(folder), why=error.strerror or str(error))
            self._end_when_unused()
            return self._rescan.watch(folder, changed, without, error.strerror or str(error))
        watch = NotifyWatch(gathering, lambda: self._drop(watch, handle))
        self._watches.add(watch)
        return watch

    def _drop(self, watch: "NotifyWatch", handle: Any) -> None:
        self._watches.discard(watch)
        with contextlib.suppress(KeyError, OSError):
            self._observer.unschedule(handle)
        self._end_when_unused()

    def _end_when_unused(self) -> None:
        if not self._watches:
            observer, self._observer = self._observer, None
            observer.stop()
            observer.join()


class NotifyWatch:
    """One folder for which the system reports changes."""

    how = "as the system reports them"

    def __init__(self, gathering: Gathering, drop: Callable[[], None]) -> None:
        self._gathering = gathering
        self._drop: Callable[[], None] | None = drop

    def close(self) -> None:
        """See `Watch`."""
        drop, self._drop = self._drop, None
        self._gathering.close()
        if drop is not None:
            drop()


class Handler:
    """What ``watchdog`` calls in its thread."""

    def __init__(self, from_thread: Callable[..., Any], gathering: Gathering) -> None:
        self._from_thread = from_thread
        self._gathering = gathering

    def dispatch(self, event: Any) -> None:
        """One event: the path, and for a move also where it went."""
        if event.event_type in READS or (event.event_type == "modified" and event.is_directory):
            return
        paths = [Path(os.fsdecode(path)) for path in (event.src_path, event.dest_path) if path]
        self._from_thread(self._gathering.add, paths)


class Unwatched:
    """The watcher of worlds that have none."""

    how = "not at all"

    def watch(self, folder: Path, changed: Changed, without: Collection[str] = ()) -> "Unwatched":
        """Nothing is ever reported."""
        return self

    def close(self) -> None:
        """Nothing to end."""


def system_watcher(
    reactor: Any,
    run_in_thread: RunInThread,
    load: Callable[[str], Any] = importlib.import_module,
    library: Any = LIBRARY,
) -> Watcher:
    """The best watcher that this installation has."""
    rescan = RescanWatcher(reactor, run_in_thread)
    others: Watcher | None = None
    with contextlib.suppress(ImportError):
        observer = load("watchdog.observers").Observer
        others = NotifyWatcher(reactor, reactor.callFromThread, observer, rescan)
    if library is not None:
        return InotifyWatcher(reactor.callFromThread, reactor, rescan, library, others)
    return others or RescanWatcher(reactor, run_in_thread, reason="the package watchdog is not installed")
