"""A download that is killed at any step of many small files: old or new, and no litter after the next start."""

import errno
import gc
import os
import sqlite3
from pathlib import Path
from typing import Any
from unittest.mock import patch

from twisted.trial.unittest import SynchronousTestCase

from bitdust.disk import syncing
from bitdust.storage.restore import restore as restore_module
from bitdust.testing.world import START
from bitdust.wire.errors import BitDustError
from tests.collecting import only_what_is_new
from tests.unit.storage_kit import Node, network, random_file, stop_quietly

STEPS = ("open", "pwritev", "fchmod", "rename", "link", "sync")
DEAD = OSError(errno.EIO, "the process was killed")


class CrashTests(SynchronousTestCase):
    def setUp(self) -> None:
        only_what_is_new(self)
        self.base, self.around, self.node = network(self)
        self.patch(restore_module, "MOST_TOGETHER", 5)
        self.node.settings.set("services/backups/block-size", 300_000)
        self.folder, self.target = self.base / "folder", self.base / "back"
        self.data = {f"in {number % 3}/{number}": b"" for number in range(12)}
        for name in self.data:
            self.data[name] = random_file(self.folder / name, 20_000)
        os.link(self.folder / "in 0" / "0", self.folder / "again")
        self.node.upload(self.folder, "folder")
        self.node.pass_time(1)
        self.node.stop()
        self.addCleanup(self.forget_the_dead)

    def forget_the_dead(self) -> None:
        """What a killed node waited for fails when it is collected, which must not be in another test."""
        gc.collect()
        self.flushLoggedErrors()

    def node_again(self) -> Node:
        node = Node(self.node.home, self.around, self.node.clock)
        self.addCleanup(stop_quietly, node)
        return node.start()

    def killed(self, node: Node, step: str, number: int) -> Any:
        """The node is killed when it takes a step below the target for the n-th time; then nothing is written."""
        count, is_dead = 0, False

        def instead(name: str, real: Any) -> Any:
            def call(*arguments: Any, **options: Any) -> Any:
                nonlocal count, is_dead
                inside = "dir_fd" in options or "src_dir_fd" in options or isinstance(arguments[0], int)
                if name == step and inside and not is_dead:
                    count += 1
                    if count == number:
                        is_dead = True
                        node.kill()
                if is_dead and inside:
                    raise DEAD
                return real(*arguments, **options)

            return call

        patches = {f"os.{name}": instead(name, getattr(os, name)) for name in STEPS if name != "sync"}
        stack = [patch(name, call) for name, call in patches.items()]
        stack.append(patch.object(syncing, "_SYNCFS", instead("sync", syncing._SYNCFS)))
        return stack

    def states(self) -> None:
        """Each file is as it was before the download, or as it was stored."""
        for name, data in self.data.items():
            self.assertIn((self.target / "folder" / name).read_bytes(), (b"old", data))

    def litter(self) -> list[Path]:
        return list(self.target.rglob(".bitdust-*"))

    def test_what_was_edited_meanwhile(self) -> None:
        """A file that a person has changed since an interrupted download began is kept, and reported."""
        node = self.node_again()
        stack = self.killed(node, "rename", 11)
        for one in stack:
            one.start()
        try:
            node.begin_download("folder", self.target)
            node.pass_time(5)
        except (BitDustError, sqlite3.Error):
            pass  # nobody hears of what a killed node could not do
        finally:
            for one in stack:
                one.stop()
        edited = next(path for path in sorted(self.target.rglob("*")) if path.is_file() and path.name.isdigit())
        edited.write_bytes(b"edited")
        later = node.clock.seconds() + START + 60
        os.utime(edited, (later, later))
        again = self.node_again()
        again.pass_time(20)
        self.assertEqual((again.storage.downloads(), edited.read_bytes()), ([], b"edited"))
        for name, data in self.data.items():
            if self.target / "folder" / name != edited:
                self.assertEqual((self.target / "folder" / name).read_bytes(), data, name)
        again.stop()

    def test_every_step(self) -> None:
        """Whatever step is the last one, the next start ends the download, and leaves nothing beside it."""
        for step, numbers in {
            "open": (5, 42), "pwritev": (7,), "fchmod": (9, 14), "rename": (1, 11), "link": (1,), "sync": (1, 3),
        }.items():  # fmt: skip
            for number in numbers:
                self._one(step, number)
        self.flushLoggedErrors()

    def _one(self, step: str, number: int) -> None:
        for name in self.data:
            path = self.target / "folder" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"old")
        node = self.node_again()
        stack = self.killed(node, step, number)
        for one in stack:
            one.start()
        try:
            node.begin_download("folder", self.target)
            node.pass_time(5)
        except (BitDustError, sqlite3.Error):
            pass  # nobody hears of what a killed node could not do
        finally:
            for one in stack:
                one.stop()
        self.assertIsNone(node.storage.core.catalog._reader, f"{step} {number} was never reached")
        self.states()
        again = self.node_again()
        again.pass_time(20)
        self.assertEqual(again.storage.downloads(), [])
        for name, data in self.data.items():
            self.assertEqual((self.target / "folder" / name).read_bytes(), data, f"{step} {number}")
        self.assertEqual((self.target / "folder" / "again").stat().st_nlink, 2)
        self.assertEqual(self.litter(), [], f"{step} {number}")
        again.stop()
