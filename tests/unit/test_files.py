"""Files that hold what must not be lost: whole or not there, private, and without leftovers."""

import errno
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from bitdust.crypt import files
from bitdust.crypt.files import (
    TEMPORARY,
    make_private_folder,
    remove_leftovers,
    remove_safely,
    sync_folder,
    write_safely,
)

OLD, NEW = b"the old one", b"the new one, which is longer"
STEPS = ("open", "fchmod", "write", "fsync", "rename", "close")


class Killed(BaseException):
    """The process ends here: nothing after this line runs."""


class Disk:
    """The operating system's calls, recorded, with one of them failing."""

    def __init__(self, fail_at: int = -1, error: BaseException | None = None, dead: bool = False) -> None:
        self.calls: list[str] = []
        self._fail_at = fail_at
        self._error = error
        self._dead = dead

    def _wrapped(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            if self._dead and len(self.calls) > self._fail_at >= 0:
                raise Killed
            self.calls.append(name)
            if len(self.calls) - 1 == self._fail_at and self._error is not None:
                raise self._error
            return real(*args, **kwargs)

        return call

    @contextmanager
    def plugged(self) -> Iterator[None]:
        names = (*STEPS, "unlink")
        with mock.patch.multiple(files.os, **{name: self._wrapped(name, getattr(os, name)) for name in names}):
            yield


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


class WriteSafelyTests(SynchronousTestCase):
    """`write_safely` replaces a file as a whole."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.path = self.folder / "x"

    def names(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir())

    def calls(self) -> list[str]:
        disk = Disk()
        with disk.plugged():
            write_safely(self.path, NEW)
        return disk.calls

    def test_the_order_of_steps(self) -> None:
        """The bytes are on the disk before the name is, and the name before the call ends."""
        calls = [call for call in self.calls() if call in ("fsync", "rename")]
        self.assertEqual(calls, ["fsync", "rename", "fsync"])

    def test_what_is_synced(self) -> None:
        """The first sync is of the whole new file under its temporary name, the second of the folder."""
        synced: list[tuple[bool, int]] = []
        real = os.fsync

        def fsync(descriptor: int) -> None:
            status = os.fstat(descriptor)
            synced.append((stat.S_ISDIR(status.st_mode), status.st_ino))
            self.assertEqual(len(synced) == 1, not self.path.exists())
            if len(synced) == 1:
                self.assertEqual(status.st_size, len(NEW))
            real(descriptor)

        with mock.patch.object(files.os, "fsync", fsync):
            write_safely(self.path, NEW)
        self.assertEqual(synced, [(False, self.path.stat().st_ino), (True, self.folder.stat().st_ino)])

    def test_a_failure_at_any_step(self) -> None:
        """When a step fails the error is told, the file is the old or the new one, and no temporary name is left."""
        for step in range(len(self.calls())):
            self.path.write_bytes(OLD)
            disk = Disk(step, OSError(errno.ENOSPC, "No space left on device"))
            with disk.plugged(), self.assertRaises(OSError):
                write_safely(self.path, NEW)
            renamed = "rename" in disk.calls[:step]
            self.assertEqual(self.path.read_bytes(), NEW if renamed else OLD, disk.calls)
            self.assertEqual(self.names(), ["x"], disk.calls)

    def test_a_crash_between_any_two_steps(self) -> None:
        """A process that is killed at any step leaves the old file or the new one, whole; the next start removes the
        rest."""
        for step in range(len(self.calls())):
            self.path.write_bytes(OLD)
            disk = Disk(step, Killed(), dead=True)
            with disk.plugged(), self.assertRaises(Killed):
                write_safely(self.path, NEW)
            self.assertIn(self.path.read_bytes(), (OLD, NEW), disk.calls)
            remove_leftovers(self.folder)
            self.assertEqual(self.names(), ["x"], disk.calls)

    def test_no_disk_space_while_writing(self) -> None:
        """A disk that fills up in the middle of the bytes leaves the old file."""
        self.path.write_bytes(OLD)
        real = os.write
        taken = iter((2, OSError(errno.ENOSPC, "No space left on device")))

        def full(descriptor: int, data: Any) -> int:
            left = next(taken)
            if isinstance(left, OSError):
                raise left
            return real(descriptor, data[:left])

        with mock.patch.object(os, "write", full), self.assertRaises(OSError):
            write_safely(self.path, NEW)
        self.assertEqual((self.path.read_bytes(), self.names()), (OLD, ["x"]))

    def test_mode(self) -> None:
        """The file is private, whatever the umask and the old file allow, unless another mode is asked for."""
        self.path.write_bytes(OLD)
        self.path.chmod(0o666)
        before = os.umask(0)
        self.addCleanup(os.umask, before)
        write_safely(self.path, NEW)
        self.assertEqual(mode(self.path), 0o600)
        write_safely(self.path, NEW, 0o644)
        self.assertEqual(mode(self.path), 0o644)

    def test_a_link_in_place_of_the_file(self) -> None:
        """A symbolic link is replaced, and what it pointed to is not written."""
        target = self.folder / "target"
        target.write_bytes(OLD)
        self.path.symlink_to(target.name)
        write_safely(self.path, NEW)
        self.assertEqual((target.read_bytes(), self.path.is_symlink(), self.path.read_bytes()), (OLD, False, NEW))

    def test_a_leftover_of_a_killed_writer(self) -> None:
        """What a killed writer left under the temporary name does not stand in the way, nor get into the file."""
        self.path.with_name(f"{TEMPORARY}{os.getpid()}-x").write_bytes(b"y" * 1000)
        write_safely(self.path, NEW)
        self.assertEqual((self.path.read_bytes(), self.names()), (NEW, ["x"]))

    @settings(max_examples=25, deadline=None)
    @given(st.binary(max_size=5000))
    def test_any_bytes(self, data: bytes) -> None:
        """What was written is what is read."""
        write_safely(self.path, data)
        self.assertEqual(self.path.read_bytes(), data)

    def test_no_descriptor_stays_open(self) -> None:
        """Neither success nor failure leaves a file open."""
        before = len(os.listdir("/proc/self/fd"))
        write_safely(self.path, NEW)
        for step in ("fsync", "rename", "fchmod"):
            with mock.patch.object(files.os, step, side_effect=OSError), self.assertRaises(OSError):
                write_safely(self.path, NEW)
        self.assertEqual(len(os.listdir("/proc/self/fd")), before)


class FolderTests(SynchronousTestCase):
    """Folders and leftovers."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp())

    def test_private_with_parents(self) -> None:
        """A new folder and its new parents are for the owner alone, whatever the umask says."""
        before = os.umask(0)
        self.addCleanup(os.umask, before)
        make_private_folder(self.folder / "a" / "b")
        self.assertEqual([mode(path) for path in (self.folder, self.folder / "a", self.folder / "a/b")], [0o700] * 3)

    def test_an_open_folder_is_closed(self) -> None:
        """A folder that others could read is made private; what it holds stays."""
        self.folder.mkdir(mode=0o755)
        (self.folder / "x").write_bytes(OLD)
        make_private_folder(self.folder)
        self.assertEqual((mode(self.folder), (self.folder / "x").read_bytes()), (0o700, OLD))

    def test_a_file_in_its_place(self) -> None:
        """A file where the folder should be is an error, and stays."""
        self.folder.write_bytes(OLD)
        with self.assertRaises(OSError):
            make_private_folder(self.folder)
        self.assertEqual(self.folder.read_bytes(), OLD)

    def test_only_leftovers_go(self) -> None:
        """Temporary files are removed and named; other files and folders stay."""
        self.folder.mkdir()
        for name in (TEMPORARY + "1-x", TEMPORARY + "2-y", "x", ".y"):
            (self.folder / name).write_bytes(OLD)
        (self.folder / (TEMPORARY + "folder")).mkdir()
        self.assertEqual([path.name for path in remove_leftovers(self.folder)], [TEMPORARY + "1-x", TEMPORARY + "2-y"])
        self.assertEqual(sorted(path.name for path in self.folder.iterdir()), [TEMPORARY + "folder", ".y", "x"])

    def test_leftovers_of_no_folder(self) -> None:
        """A folder that is not there has no leftovers."""
        self.assertEqual(remove_leftovers(self.folder), [])

    def test_remove_safely(self) -> None:
        """A removed file stays removed: the folder is synced; a file that is not there is no error."""
        self.folder.mkdir()
        (self.folder / "x").write_bytes(OLD)
        with mock.patch.object(files, "sync_folder", wraps=sync_folder) as synced:
            remove_safely(self.folder / "x")
            remove_safely(self.folder / "x")
        synced.assert_called_once_with(self.folder)
        self.assertEqual(list(self.folder.iterdir()), [])
