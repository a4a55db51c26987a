"""Bytes of opened packs into growing files, and what an earlier try has left of them."""

import contextlib
import os
import sqlite3
import stat
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from attrs import frozen

from bitdust.crypt.sealing import chunk_name, index_key
from bitdust.disk.reserve import Reserve, no_reserve
from bitdust.storage.links import stays_inside
from bitdust.storage.options import Wishes
from bitdust.storage.packs.pack import OpenPack
from bitdust.storage.restore.attributes import dress, set_owner
from bitdust.storage.restore.plan import FileWork, FolderWork, LinkWork, Run
from bitdust.storage.restore.tree import CHANGED, KEPT, LEFT_OUT, Blocked, Tree, part_name, trouble
from bitdust.wire.errors import BitDustError
from bitdust.wire.names import shown
from bitdust.wire.sizes import in_words

MOST_VECTORS = 512
COPIED = 1024 * 1024
WORTH_A_SYNC = 4
"""Files; fewer are synced one by one, so that nothing else on the file system is waited for."""
Secrets = Callable[[str, int], Sequence[bytes]]


@frozen
class Problem:
    """Why one entry did not come back, or (``changed``) not as it was."""

    file: FileWork
    reason: str
    what: str = LEFT_OUT

    @classmethod
    def of(cls, file: FileWork, blocked: Blocked) -> "Problem":
        """What an error says of a file."""
        return cls(file, str(blocked), blocked.what)


@frozen
class Written:
    """What became of one run of a file: bytes that are in it now, or why not."""

    file: FileWork
    size: int
    reason: str = ""


class FilesWriter:
    """I write below one tree. All methods block and belong into threads; packs are written side by side.

    Once growing files are taken away, nothing is written any more that could leave another one.
    """

    def __init__(self, tree: Tree, policy: str, reserve: Reserve | None = None, wishes: Wishes | None = None) -> None:
        self.tree = tree
        self._wishes = wishes or Wishes()
        self.policy = policy
        self.begun: float | None = None
        """When an interrupted download began: a person has perhaps gone on with files that it had brought."""
        self._reserve = reserve or no_reserve()
        self._place = Path(os.fsdecode(tree.destination))
        self._gate = threading.Condition()
        self._busy = 0
        self._is_closed = False

    def survey(self, files: Sequence[FileWork], database: sqlite3.Connection, secrets: Secrets) -> list[Problem]:
        """Before anything is fetched: what is in the way, and runs that an earlier try has brought already.

        Runs that are there are taken out of `FileWork.runs`. A file that shall be kept is reported as a problem.
        Where not all fits, what alone does not, and what says it is far larger than what is stored for it, is left out.
        Raises `BitDustError` ``disk-full`` when the rest does not fit, or nothing is left.
        """
        problems: list[Problem] = []
        checker = PartChecker(database, secrets)
        with self.tree.keeping():
            for file in files:
                try:
                    self._check_place(file)
                    self._take_up(file, checker)
                except Blocked as blocked:
                    problems.append(Problem.of(file, blocked))
        bad = {problem.file for problem in problems}
        needs = {file: sum(run.size for run in file.runs) for file in files if file not in bad}
        return problems + self._beyond({file: need for file, need in needs.items() if need})

    def _beyond(self, needs: dict[FileWork, int]) -> list[Problem]:
        """Files that are left out, the largest first, so that the others have room."""
        room = self._reserve.left(self._place)
        total, out = sum(needs.values()), list[Problem]()
        if total <= room:
            return out
        for file in sorted(needs, key=lambda one: -needs[one]):
            if total > room and (file.is_swollen or needs[file] > room):
                total -= needs[file]
                out.append(Problem(file, f"{in_words(needs[file])} would be written, and {in_words(room)} may be"))
        if total > room or len(out) == len(needs):
            self._need_room(sum(needs.values()))
        return out

    @property
    def capacity(self) -> int:
        """Bytes that may be written on the disk, were it empty."""
        return self._reserve.capacity(self._place)

    def _need_room(self, size: int) -> None:
        self._reserve.check(self._place, size, "the download does not fit")

    def _check_place(self, file: FileWork) -> None:
        kind = self.tree.kind(file.place)
        if kind is not None and self.policy == "keep":
            raise Blocked("it exists and was kept", KEPT)
        if kind == "file" and self.begun is not None:
            changed = self.tree.changed(file.place)
            if changed > self.begun * 10**9 and changed != file.version.mtime:
                raise Blocked("it was changed after the download had begun, and was kept", KEPT)
        if kind in ("folder", "other"):
            raise Blocked("a folder of this name lies in the way" if kind == "folder" else "something lies in the way")

    def _take_up(self, file: FileWork, checker: "PartChecker") -> None:
        try:
            with self.tree.folder(file.place.folders, make=False) as folder:
                part = os.open(file.part, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
        except PermissionError:
            self.tree.remove_part(file.place.folders, file.part)  # it had its mode already, and could not be written
            return
        except OSError:
            return
        try:
            file.runs = [run for run in file.runs if not checker.has(part, run)]
            file.left = len(file.runs)
        except OSError as error:
            raise trouble(error, file.place.text) from error
        finally:
            os.close(part)

    def write(self, pack: OpenPack, works: Sequence[tuple[FileWork, Run]]) -> list[Written]:
        """The runs of one pack. Raises `BitDustError` ``disk-full``."""
        self._need_room(sum(run.size for _, run in works))
        done: list[Written] = []
        with self._writing(), self.tree.keeping():
            for file, run in works:
                if self._is_closed:
                    break
                try:
                    self._write_run(pack, file, run)
                except Blocked as blocked:
                    done.append(Written(file, 0, str(blocked)))
                else:
                    done.append(Written(file, run.size))
        return done

    def _write_run(self, pack: OpenPack, file: FileWork, run: Run) -> None:
        with self._part(file) as descriptor:
            position, number = run.offset, run.first
            while number < run.first + len(run.lengths):
                count = min(MOST_VECTORS, run.first + len(run.lengths) - number)
                position += write_all(descriptor, list(pack.run(number, count)), position)
                number += count
            if file.left == 1:
                self._dress(descriptor, file)

    def finish(self, files: Sequence[FileWork]) -> list[Problem]:
        """Files that are whole come to the disk, with one sync for all, and then get their names.

        Raises `BitDustError` ``disk-full``.
        """
        problems: list[Problem] = []
        with self._writing(), self.tree.keeping():
            complete = self._each(files, lambda file: self._complete(file, problems), problems)
            if len(complete) < WORTH_A_SYNC or not self.tree.sync():
                complete = self._each(complete, self._sync_one, problems)
            self._each(complete, self._name, problems)
        return problems

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        with self._gate:
            self._busy += 1
        try:
            yield
        finally:
            with self._gate:
                self._busy -= 1
                self._gate.notify_all()

    def _each(
        self, files: Sequence[FileWork], step: Callable[[FileWork], None], problems: list[Problem]
    ) -> list[FileWork]:
        """Those with which a step went well."""
        well = []
        for file in files if not self._is_closed else ():
            try:
                step(file)
            except Blocked as blocked:
                problems.append(Problem.of(file, blocked))
            else:
                well.append(file)
        return well

    def _complete(self, file: FileWork, problems: list[Problem]) -> None:
        if file.told is None:
            with self._part(file) as descriptor:
                self._dress(descriptor, file)
        problems += [Problem(file, reason, CHANGED) for reason in file.told or ()]

    def _dress(self, descriptor: int, file: FileWork) -> None:
        """Its last bytes are in it: the rest. What its mode lets nobody open later comes to the disk at once."""
        status = os.fstat(descriptor)
        if status.st_size != file.version.size:
            os.ftruncate(descriptor, file.version.size)
        file.told = dress(descriptor, file.version, file.extras, self._wishes)
        file.identity = status.st_dev, status.st_ino
        if not file.version.mode & stat.S_IRUSR:
            os.fsync(descriptor)
            file.is_synced = True

    def link(self, file: FileWork) -> list[Problem]:
        """Another name of a file that is there; where the file system has no such names, a copy."""
        leader = file.leader
        if leader is None or not leader.is_named or leader.identity is None:
            return [Problem(file, "the file of which it is another name did not come back")]
        problems: list[Problem] = []
        try:
            self.tree.link(leader.place, leader.identity, file.place, file.part)
            file.is_named = True
        except Blocked as blocked:
            return [Problem.of(file, blocked)]
        except OSError as error:
            text = f"it is a copy, and not another name of {leader.place.text}: {error.strerror}"
            problems.append(Problem(file, text, CHANGED))
            copied = self._each([file], lambda one: self._copy(one, leader), problems)
            problems += self.finish(copied)
        return problems

    def _copy(self, file: FileWork, leader: FileWork) -> None:
        try:
            source = self.tree.open_named(leader.place, leader.identity or (0, 0))
        except OSError as error:
            raise trouble(error, leader.place.text) from error
        try:
            with self._part(file) as target:
                position = 0
                while data := os.pread(source, COPIED, position):
                    if any(data):
                        write_all(target, [data], position)
                    position += len(data)
        finally:
            os.close(source)

    def _sync_one(self, file: FileWork) -> None:
        if not file.is_synced:
            with self._part(file, os.O_RDONLY) as descriptor:
                os.fsync(descriptor)

    def _name(self, file: FileWork) -> None:
        self.tree.give_name(file.place, file.part)
        file.is_named = True

    @contextlib.contextmanager
    def _part(self, file: FileWork, access: int = os.O_RDWR) -> Iterator[int]:
        descriptor = self.tree.open_part(file.place.folders, file.part, access)
        try:
            yield descriptor
        except OSError as error:
            raise trouble(error, file.place.text) from error
        finally:
            os.close(descriptor)

    def finish_folder(self, folder: FolderWork) -> list[str]:
        """All is in it; what it could not be given, in words. Raises `BitDustError`."""
        version, told = folder.version if self.policy != "keep" else None, list[str]()

        def finish(descriptor: int) -> None:
            if version is not None:
                told.extend(dress(descriptor, version, folder.extras, self._wishes))

        self.tree.finish_folder(folder.parts, finish)
        return told

    def make_link(self, link: LinkWork) -> list[str]:
        """A link as text; what it could not be given, in words. Raises `BitDustError`."""
        target = link.version.target or b""
        kind = self.tree.kind(link.place)
        if kind is not None and self.policy == "keep":
            raise Blocked("it exists and was kept", KEPT)
        if not stays_inside(target, link.depth):
            raise Blocked(f"a link to {shown(target)!r}, which leads out of its folder")
        part, owner, told = part_name(link.item.path, link.version.version), link.extras.owner, list[str]()

        def own(folder: int) -> None:
            if owner is not None and self._wishes.owners:
                told.extend(set_owner(partial(os.chown, part, dir_fd=folder, follow_symlinks=False), owner))

        self.tree.make_link(link.place, target, link.version.mtime, part, own)
        return told

    def remove_parts(self, files: Sequence[FileWork]) -> None:
        """Take all growing files away."""
        with self._gate:
            self._is_closed = True
            self._gate.wait_for(lambda: not self._busy)
        with self.tree.keeping():
            for file in files:
                self.tree.remove_part(file.place.folders, file.part)


def write_all(descriptor: int, chunks: "list[bytes | bytearray | memoryview]", position: int) -> int:
    """All chunks from ``position`` on; how many bytes that were."""
    total = sum(len(chunk) for chunk in chunks)
    written = os.pwritev(descriptor, chunks, position)
    if written < total:
        rest = memoryview(b"".join(chunks))
        while written < total:
            written += os.pwrite(descriptor, rest[written:], position + written)
    return total


class PartChecker:
    """I find which runs a growing file holds, by the names of their chunks: no note about it could be wrong."""

    def __init__(self, database: sqlite3.Connection, secrets: Secrets) -> None:
        self._database = database
        self._secrets = secrets
        self._known: tuple[bytes, list[bytes], bytes] = (b"", [], b"")

    def has(self, descriptor: int, run: Run) -> bool:
        """Whether every chunk of the run is where it belongs."""
        keys, names = self._of(run.pack)
        offset = run.offset
        for number, length in enumerate(run.lengths, run.first):
            data = os.pread(descriptor, length, offset)
            name = names[16 * number : 16 * number + 16]
            if len(data) != length or all(chunk_name(key, data) != name for key in keys):
                return False
            offset += length
        return True

    def _of(self, pack: bytes) -> tuple[list[bytes], bytes]:
        if self._known[0] != pack:
            row = self._database.execute("SELECT key, epoch, names FROM packs WHERE pack=?", (pack,)).fetchone()
            if row is None:
                raise BitDustError("damaged-catalog", "a version names an unknown pack")
            keys = [index_key(secret) for secret in self._secrets(row[0], row[1])]
            self._known = (pack, keys, bytes(row[2]))
        return self._known[1], self._known[2]
