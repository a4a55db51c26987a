"""What Linux reports of files: folders that move, queues that overflow, systems that have no watches left."""

import ctypes
import errno
import os
import queue
import struct
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from twisted.internet.defer import maybeDeferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from bitdust import inotify
from bitdust.inotify import MOMENT, FolderWatch, events
from bitdust.watching import MOST_QUEUES, QUIET, InotifyWatcher, RescanWatcher

ENOUGH = 20.0


class Library:
    """The system's calls, of which watches can run out."""

    def __init__(self) -> None:
        self.left = 1000
        self.inotify_rm_watch = inotify.LIBRARY.inotify_rm_watch  # type: ignore[union-attr]
        self.inotify_init1 = inotify.LIBRARY.inotify_init1  # type: ignore[union-attr]

    def inotify_add_watch(self, descriptor: int, path: bytes, mask: int) -> int:
        if not self.left:
            ctypes.set_errno(errno.ENOSPC)
            return -1
        self.left -= 1
        return int(inotify.LIBRARY.inotify_add_watch(descriptor, path, mask))  # type: ignore[union-attr]


class EventTests(SynchronousTestCase):
    def test_events(self) -> None:
        """Watch, mask and name of each event are read; names come with zeros behind them, or not at all."""
        raw = struct.pack("iIII", 1, 2, 0, 8) + b"abc".ljust(8, b"\0") + struct.pack("iIII", 3, 4, 0, 0)
        self.assertEqual(list(events(raw)), [(1, 2, b"abc"), (3, 4, b"")])


class FolderWatchTests(SynchronousTestCase):
    """The watch alone; its thread's reports are asked for here, when there are some."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).resolve()
        (self.folder / "a/b").mkdir(parents=True)
        (self.folder / "own").mkdir()
        self.reports: list[set[str]] = []
        self.errors: list[Exception] = []
        self.library = Library()
        self.patch(FolderWatch, "_run", lambda watch: None)
        self.watch = FolderWatch(self.folder, ("own",), self.reported, self.errors.append, self.library)
        self.addCleanup(self.watch.close)
        self.watch._watch_all()
        self.reports.clear()

    def reported(self, paths: Any) -> None:
        self.reports.append({os.path.relpath(os.fsdecode(path), self.folder) for path in paths})

    def now(self) -> set[str]:
        """What has been reported since the last time."""
        self.watch._take(os.read(self.watch._events, 65536))
        return self.reports.pop() if self.reports else set()

    def test_moved_folders(self) -> None:
        """What happens in a folder that was moved is reported under its new name; what was in it when it came as well;
        and nothing of one that has left."""
        (self.folder / "a").rename(self.folder / "c")
        (self.folder / "c/b/x").write_text("x")
        self.assertLessEqual({"a", "c", "c/b", "c/b/x"}, self.now())
        (self.folder / "c/b/y").write_text("y")
        self.assertEqual(self.now(), {"c/b/y"})
        (self.folder / "c").rename(self.folder.with_name("elsewhere"))
        self.assertEqual(self.now(), {"c"})
        (self.folder.with_name("elsewhere") / "b/z").write_text("z")
        (self.folder / "last").write_text("last")
        self.assertEqual(self.now(), {"last"})

    def test_swapped_folders(self) -> None:
        """Folders that have taken each other's names are known by these."""
        (self.folder / "d/e").mkdir(parents=True)
        self.now()
        for old, new in (("a", "t"), ("d", "a"), ("t", "d")):
            (self.folder / old).rename(self.folder / new)
        self.now()
        (self.folder / "a/e/x").write_text("x")
        (self.folder / "d/b/y").write_text("y")
        self.assertEqual(self.now(), {"a/e/x", "d/b/y"})

    def test_without(self) -> None:
        """Names that need no watch get none; the same name deeper down does."""
        (self.folder / "own/x").write_text("x")
        (self.folder / "own2").write_text("x")
        (self.folder / "a/own").mkdir()
        (self.folder / "own/y").mkdir()
        self.assertEqual(self.now(), {"own2", "a/own"})
        (self.folder / "a/own/x").write_text("x")
        self.assertEqual(self.now(), {"a/own/x"})

    def test_overflow(self) -> None:
        """Where the system has left events out all is looked at, and watched, anew."""
        self.watch._take(struct.pack("iIII", -1, inotify.OVERFLOW, 0, 0))
        self.assertEqual(self.reports.pop(), {"."})
        (self.folder / "a/b/x").write_text("x")
        self.assertEqual(self.now(), {"a/b/x"})

    def test_the_folder_itself(self) -> None:
        """A folder that is moved away is reported."""
        self.folder.rename(self.folder.with_name("moved"))
        self.assertEqual(self.now(), {"."})

    def test_no_such_folder(self) -> None:
        """What is not there cannot be watched, and leaves no descriptor open."""
        before = len(os.listdir("/proc/self/fd"))
        nowhere = self.folder / "nowhere"
        self.assertRaises(FileNotFoundError, FolderWatch, nowhere, (), self.reported, self.errors.append)
        self.assertEqual(len(os.listdir("/proc/self/fd")), before)


class SlowLibrary(Library):
    """A system that gives a watch for the folder itself, and the next one when it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[bytes] = []
        self.is_asked, self.may_go_on, self.ended = threading.Event(), threading.Event(), threading.Event()

    def inotify_add_watch(self, descriptor: int, path: bytes, mask: int) -> int:
        self.asked.append(path)
        if len(self.asked) > 1:
            self.is_asked.set()
            while not self.may_go_on.wait(MOMENT) and not self.ended.is_set():
                continue
        return super().inotify_add_watch(descriptor, path, mask)


class OpeningTests(SynchronousTestCase):
    """A folder with many others below it: whoever opens the watch has other things to do."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).resolve()
        self.library = SlowLibrary()
        self.reports: queue.SimpleQueue[set[str]] = queue.SimpleQueue()
        self.errors: list[Exception] = []
        self.patch(inotify.time, "time_ns", self.later)

    def later(self) -> int:
        """An hour from now: what is done now is long ago then."""
        return int((time.time() + 3600) * inotify.SECOND)

    def opened(self, *paths: str) -> FolderWatch:
        """A watch on a folder with these below it, which is held up at the first of them."""
        for path in paths:
            (self.folder / path).mkdir(parents=True)
        watch = FolderWatch(self.folder, (), self.reported, self.errors.append, self.library)
        self.assertTrue(self.library.is_asked.wait(ENOUGH))
        return watch

    def reported(self, paths: Any) -> None:
        self.reports.put({os.path.relpath(os.fsdecode(path), self.folder) for path in paths})

    def test_opening_does_not_wait(self) -> None:
        """The watch is open before any folder below is watched, and events of it are reported when all are."""
        watch = self.opened("a/b", "c")
        self.assertEqual(len(self.library.asked), 2)
        (self.folder / "new").write_text("x")
        self.library.may_go_on.set()
        self.assertEqual(self.reports.get(timeout=ENOUGH), {"new"})
        (self.folder / "a/b/x").write_text("x")
        self.assertEqual(self.reports.get(timeout=ENOUGH), {"a/b/x"})
        watch.close()

    def test_changes_while_it_opens(self) -> None:
        """What was changed in a folder below before the watch on it is reported, and what was not is not."""
        (self.folder / "a").mkdir(parents=True)
        (self.folder / "a/old").write_text("x")
        (self.folder / "a/changed").write_text("x")
        real, now = os.lstat, self.later() + inotify.SECOND

        def lstat(path: Any, **how: Any) -> Any:
            return SimpleNamespace(st_ctime_ns=now) if bytes(path).endswith(b"/changed") else real(path, **how)

        watch = self.opened()
        self.patch(inotify.os, "lstat", lstat)
        self.library.may_go_on.set()
        self.assertEqual(self.reports.get(timeout=ENOUGH), {"a/changed"})
        watch.close()

    def test_closed_while_it_opens(self) -> None:
        """A watch that is closed before it has found all folders looks at no more of them, and reports nothing."""
        before = len(os.listdir("/proc/self/fd"))
        watch = self.opened(*(f"{number}/below" for number in range(9)))
        self.library.ended = watch._ended
        watch.close()
        self.assertEqual(len(self.library.asked), 2)
        self.assertTrue(self.reports.empty())
        self.assertEqual(self.errors, [])
        self.assertEqual(len(os.listdir("/proc/self/fd")), before)


class NoWatchesTests(SynchronousTestCase):
    """Systems that give no more watches: the folder is compared, and says so."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).resolve()
        self.folder.mkdir()
        self.clock, self.library = Clock(), Library()
        self.reports: list[frozenset[Path]] = []
        rescan = RescanWatcher(self.clock, maybeDeferred)
        self.watcher = InotifyWatcher(lambda call, *args: call(*args), self.clock, rescan, self.library)

    def test_case_55_none_from_the_start(self) -> None:
        """A folder for which there is none is compared every minute."""
        self.library.left = 0
        watch = self.watcher.watch(self.folder, self.reports.append)
        self.assertEqual(watch.how, "by a comparison every 60 s (no watches are left)")
        (self.folder / "x").write_text("x")
        self.clock.pump([60.0, QUIET])
        self.assertEqual(self.reports, [{self.folder / "x"}])
        watch.close()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_case_55_none_for_those_below(self) -> None:
        """A folder is compared where one of those below it gets none while the watch opens."""
        (self.folder / "a").mkdir()
        self.library.left = 1
        watch = self.watcher.watch(self.folder, self.reports.append)
        watch._folder._thread.join(ENOUGH)
        self.assertEqual(watch.how, "by a comparison every 60 s (no watches are left)")
        watch.close()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_case_55_none_later(self) -> None:
        """A folder in which one that is new gets none is compared from then on; what was not told is to be looked for
        everywhere, and watches that are of no use are given back."""
        watch = self.watcher.watch(self.folder, self.reports.append)
        self.assertEqual(watch.how, "as the system reports them")
        self.library.left = 0
        (self.folder / "new").mkdir()
        watch._folder._thread.join(ENOUGH)
        self.assertEqual(watch.how, "by a comparison every 60 s (no watches are left)")
        self.assertEqual(watch._folder._events, -1)
        self.clock.advance(QUIET)
        self.assertEqual(self.reports, [{self.folder}])
        watch.close()
        self.assertEqual(self.clock.getDelayedCalls(), [])


class ManyFoldersTests(SynchronousTestCase):
    """A user has few queues, and other programs want some too."""

    def test_those_beyond(self) -> None:
        """Folders beyond some are watched by another means, as long as those before them are."""
        clock, base, taken = Clock(), Path(self.mktemp()).resolve(), []

        class Others:
            def watch(self, folder: Path, changed: Any, without: Any = ()) -> Any:
                taken.append(folder.name)
                return RescanWatcher(clock, maybeDeferred).watch(folder, changed, without)

        rescan = RescanWatcher(clock, maybeDeferred)
        watcher = InotifyWatcher(lambda call, *args: call(*args), clock, rescan, inotify.LIBRARY, Others())
        watches = []
        for number in range(MOST_QUEUES + 2):
            (base / f"{number}").mkdir(parents=True)
            watches.append(watcher.watch(base / f"{number}", lambda paths: None))
        self.assertEqual(taken, [f"{MOST_QUEUES}", f"{MOST_QUEUES + 1}"])
        watches.pop(0).close()
        watches.append(watcher.watch(base / "0", lambda paths: None))
        self.assertEqual(len(taken), 2)
        for watch in watches:
            watch.close()
        self.assertEqual(clock.getDelayedCalls(), [])
