"""Watching files: what is reported, when, and by which means."""

import errno
import os
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.task import Clock
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import SynchronousTestCase, TestCase

from bitdust.config.following import SettingsFollower
from bitdust.config.settings import Settings
from bitdust.testing.network import MemoryNetwork
from bitdust.testing.world import fake_world
from bitdust.watching import (
    LONGEST,
    MOST_PATHS,
    QUIET,
    Gathering,
    Handler,
    NotifyWatcher,
    RescanWatcher,
    Unwatched,
    signatures,
    system_watcher,
)


class GatheringTests(SynchronousTestCase):
    """One report for many changes."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.reports: list[frozenset[Path]] = []
        self.gathering = Gathering(self.clock, Path("/f"), self.reports.append)

    def test_one_report_after_a_moment_of_quiet(self) -> None:
        """Changes in quick succession are one report, which comes when they have stopped."""
        for name in ("/f/a", "/f/b", "/f/a"):
            self.gathering.add([Path(name)])
            self.clock.advance(QUIET / 2)
        self.assertEqual(self.reports, [])
        self.clock.advance(QUIET / 2)
        self.assertEqual(self.reports, [{Path("/f/a"), Path("/f/b")}])

    def test_changes_that_never_stop_are_reported_all_the_same(self) -> None:
        """A file that is written all the time is reported within the longest wait."""
        passed = 0.0
        while not self.reports and passed < 2 * LONGEST:
            self.gathering.add([Path("/f/log")])
            self.clock.advance(QUIET / 2)
            passed += QUIET / 2
        self.assertLessEqual(passed, LONGEST + QUIET)

    def test_case_54_too_many_paths(self) -> None:
        """Who is told the folder itself has to look everywhere."""
        self.gathering.add(Path(f"/f/{number}") for number in range(MOST_PATHS + 1))
        self.clock.advance(QUIET)
        self.assertEqual(self.reports, [{Path("/f")}])

    def test_nothing_after_the_end(self) -> None:
        """A closed watch reports nothing, and leaves no call on the clock."""
        self.gathering.add([Path("/f/a")])
        self.gathering.close()
        self.gathering.add([Path("/f/b")])
        self.clock.advance(LONGEST)
        self.assertEqual((self.reports, self.clock.getDelayedCalls()), ([], []))

    def test_a_listener_that_fails(self) -> None:
        """A listener's error is logged, and the next change is reported again."""
        calls: list[int] = []

        def listener(paths: frozenset[Path]) -> None:
            calls.append(len(paths))
            raise ValueError("no")

        gathering = Gathering(self.clock, Path("/f"), listener)
        for _ in range(2):
            gathering.add([Path("/f/a")])
            self.clock.advance(QUIET)
        self.assertEqual((calls, len(self.flushLoggedErrors(ValueError))), ([1, 1], 2))

    def test_no_paths_are_no_change(self) -> None:
        """An empty report is never sent."""
        self.gathering.add([])
        self.assertEqual(self.clock.getDelayedCalls(), [])


class RescanTests(SynchronousTestCase):
    """Comparing a folder with what it was."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.folder = Path(self.mktemp()).resolve()
        (self.folder / "deep" / "er").mkdir(parents=True)
        (self.folder / "deep" / "old").write_text("old")
        self.reports: list[frozenset[Path]] = []

    def watch(self, run: Any = maybeDeferred) -> Any:
        watch = RescanWatcher(self.clock, run, 10.0, "for a test").watch(self.folder, self.reports.append)
        self.addCleanup(watch.close)
        return watch

    def later(self) -> frozenset[Path]:
        self.clock.pump([10.0, QUIET])
        return self.reports.pop() if self.reports else frozenset()

    def test_changes_of_every_kind(self) -> None:
        """Files that are new, changed, moved and removed are reported, however deep; nothing else is."""
        self.watch()
        self.assertEqual(self.later(), frozenset())
        deep, deeper = self.folder / "deep", self.folder / "deep" / "er"
        (deeper / "new").write_text("new")
        self.assertEqual(self.later(), {deeper, deeper / "new"})
        (deep / "old").write_text("other text")
        self.assertEqual(self.later(), {deep / "old"})
        os.rename(deeper / "new", self.folder / "moved")
        self.assertEqual(self.later(), {deeper, deeper / "new", self.folder / "moved"})
        (self.folder / "moved").unlink()
        self.assertEqual(self.later(), {self.folder / "moved"})

    def test_it_says_how(self) -> None:
        """The watch says that it compares, how often, and why."""
        self.assertEqual(self.watch().how, "by a comparison every 10 s (for a test)")

    def test_a_folder_that_goes_and_comes(self) -> None:
        """A folder that is gone is an empty one; what is there when it is back is new."""
        self.watch()
        os.rename(self.folder, self.folder.with_name("elsewhere"))
        self.assertIn(self.folder / "deep", self.later())
        os.rename(self.folder.with_name("elsewhere"), self.folder)
        self.assertIn(self.folder / "deep" / "old", self.later())

    def test_links_are_not_followed(self) -> None:
        """A link to a folder outside is one entry."""
        (self.folder / "link").symlink_to("/")
        self.assertNotIn(str(self.folder / "link" / "etc"), signatures(self.folder))

    def test_an_error_does_not_end_it(self) -> None:
        """When reading fails, the next round reads again."""
        rounds: list[str] = []

        def run(call: Any, *args: Any) -> "Deferred[Any]":
            rounds.append("read")
            return maybeDeferred(call, *args) if len(rounds) != 2 else maybeDeferred(self._fail)

        self.watch(run)
        (self.folder / "new").write_text("new")
        self.later()
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        self.assertIn(self.folder / "new", self.later())

    def _fail(self) -> None:
        raise ValueError("the thread pool is ill")

    def test_the_end(self) -> None:
        """A closed watch reads nothing any more."""
        watch = self.watch()
        watch.close()
        watch.close()
        self.assertEqual(self.clock.getDelayedCalls(), [])


class FakeObserver:
    """What `watchdog` offers, with a system that has no watches left."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def start(self) -> None:
        self.calls.append("start")

    def schedule(self, handler: Any, path: str, recursive: bool) -> None:
        raise OSError(errno.ENOSPC, "inotify watch limit reached")

    def stop(self) -> None:
        self.calls.append("stop")

    def join(self) -> None:
        self.calls.append("join")


class MeansTests(SynchronousTestCase):
    """Which means is taken."""

    def test_without_the_package(self) -> None:
        """Without watchdog folders are compared, and the watch says why."""

        def load(name: str) -> Any:
            raise ImportError(name)

        watch = system_watcher(Clock(), maybeDeferred, load, None).watch(Path(self.mktemp()), lambda paths: None)
        watch.close()
        self.assertIn("watchdog is not installed", watch.how)

    def test_case_55_no_watches_left(self) -> None:
        """Where the system has no watch left the folder is compared, and the thread ends again."""
        clock, observer = Clock(), FakeObserver()
        rescan = RescanWatcher(clock, maybeDeferred)
        watcher = NotifyWatcher(clock, maybeDeferred, lambda: observer, rescan)
        watch = watcher.watch(Path(self.mktemp()), lambda paths: None)
        watch.close()
        self.assertEqual(watch.how, "by a comparison every 60 s (inotify watch limit reached)")
        self.assertEqual(observer.calls, ["start", "stop", "join"])

    def test_reading_is_no_change(self) -> None:
        """Opening and closing a file, and the new time of a folder, are not reported; both ends of a move are."""
        added: list[list[Path]] = []
        handler = Handler(lambda call, paths: call(paths), SimpleNamespace(add=added.append))
        for kind, is_directory in (("opened", False), ("closed_no_write", False), ("modified", True)):
            handler.dispatch(SimpleNamespace(event_type=kind, is_directory=is_directory, src_path="/a", dest_path=""))
        self.assertEqual(added, [])
        handler.dispatch(SimpleNamespace(event_type="moved", is_directory=False, src_path=b"/a", dest_path="/b"))
        self.assertEqual(added, [[Path("/a"), Path("/b")]])

    def test_a_world_without_a_watcher(self) -> None:
        """Worlds that have none report nothing, and say so."""
        watch = Unwatched().watch(Path("/"), lambda paths: None)
        watch.close()
        self.assertEqual(watch.how, "not at all")


class RealFilesTests(TestCase):
    """The system's own reports, on real files."""

    def means(self) -> Any:
        """The best that there is."""
        return system_watcher(reactor, deferToThread)

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).resolve()
        (self.folder / "inside").mkdir(parents=True)
        self.seen: set[Path] = set()
        self.waiting: tuple[set[Path], Deferred[None]] | None = None
        self.watcher = self.means()
        self.watch = self.watcher.watch(self.folder, self.changed)
        self.addCleanup(self.watch.close)

    def changed(self, paths: frozenset[Path]) -> None:
        self.seen |= paths
        if self.waiting is not None and self.waiting[0] <= self.seen:
            (_, done), self.waiting = self.waiting, None
            done.callback(None)

    def until(self, *paths: Path) -> "Deferred[None]":
        done: Deferred[None] = Deferred()
        done.addTimeout(20, reactor)
        self.waiting = (set(paths), done)
        self.changed(frozenset())
        return done

    async def test_case_57_new_folders(self) -> None:
        """A file that is written at once in new folders, one in the other, one that is renamed and one that is removed
        are all reported."""
        self.assertEqual(self.watch.how, "as the system reports them")
        new = self.folder / "inside" / "new" / "in" / "it"
        new.mkdir(parents=True)
        (new / "a.txt").write_text("a")
        await self.until(new / "a.txt")
        (new / "a.txt").rename(self.folder / "b.txt")
        await self.until(self.folder / "b.txt")
        self.seen.clear()
        (self.folder / "b.txt").unlink()
        await self.until(self.folder / "b.txt")

    async def test_case_56_deleted_and_made_again(self) -> None:
        """A folder in it that is deleted and made again is watched as before."""
        inside = self.folder / "inside"
        inside.rmdir()
        await self.until(inside)
        for number in range(2):
            inside.mkdir()
            (inside / f"a{number}").write_text("a")
            await self.until(inside / f"a{number}")
            shutil.rmtree(inside)
            self.seen.clear()

    async def test_two_watches(self) -> None:
        """Each watch gets its own; when one ends the other goes on."""
        other: Deferred[Any] = Deferred()
        other.addTimeout(20, reactor)
        inside = self.watcher.watch(self.folder / "inside", other.callback)
        (self.folder / "inside" / "x").write_text("x")
        await self.until(self.folder / "inside" / "x")
        self.assertIn(self.folder / "inside" / "x", await other)
        inside.close()
        (self.folder / "y").write_text("y")
        await self.until(self.folder / "y")


class WatchdogTests(RealFilesTests):
    """The same by the package, as where the system is another one."""

    def means(self) -> Any:
        return system_watcher(reactor, deferToThread, library=None)


class SettingsFollowerTests(SynchronousTestCase):
    """The first user: settings that somebody else writes."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.folder = Path(self.mktemp()).resolve()
        self.settings = Settings(self.folder)
        self.settings.set("logs/debug-level", 3)
        self.world = fake_world(MemoryNetwork(self.clock), self.clock, "192.0.2.1", self.folder)
        self.follower = SettingsFollower(self.world.watcher, self.folder, self.settings)
        self.follower.start()
        self.follower.start()
        self.addCleanup(self.follower.stop)

    def touch(self, name: str = "settings.json") -> int:
        self.world.watcher.touch(self.folder / name, Path("/elsewhere/settings.json"))
        self.clock.advance(QUIET)
        return int(self.settings.get("logs/debug-level"))

    def test_what_somebody_else_writes_takes_effect(self) -> None:
        """Another process changes the file: the settings here follow, and their listeners are called."""
        heard: list[Any] = []
        self.settings.on_change("logs/", lambda key, old, new: heard.append((key, old, new)))
        Settings(self.folder).set("logs/debug-level", 9)
        self.assertEqual((self.touch("other.json"), heard), (3, []))
        self.assertEqual((self.touch(), heard), (9, [("logs/debug-level", 3, 9)]))

    def test_a_damaged_file_changes_nothing(self) -> None:
        """A file that cannot be read leaves the settings as they are; when it is mended they follow again."""
        (self.folder / "settings.json").write_text("{")
        self.assertEqual(self.touch(), 3)
        (self.folder / "settings.json").write_text('{"logs/debug-level": 5}')
        self.assertEqual(self.touch(), 5)

    def test_the_end(self) -> None:
        """After the end nothing is read, and nothing is watched."""
        self.follower.stop()
        Settings(self.folder).set("logs/debug-level", 9)
        self.assertEqual((self.touch(), self.world.watcher.watches), (3, []))
