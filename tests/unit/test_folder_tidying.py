"""A keeper's segments are compared with its journal: what has gone leaves it, and what was forgotten is known again."""

import errno
import os
import shutil
from collections.abc import Callable
from typing import Any
from unittest import mock

from bitdust.folders import tidying
from bitdust.folders.journal import DAY
from bitdust.folders.segments import HEAD, MAGIC, name_of
from bitdust.folders.tree import ID, Missing
from tests.unit.folder_kit import damage, kept_at
from tests.unit.keeper_kit import Chunk, KeeperCase, chunks, read


class MendTests(KeeperCase):
    def setUp(self) -> None:
        super().setUp()
        self.chunks = chunks(40)
        self.keep(self.chunks)

    def others(self, *gone: Chunk) -> None:
        """All but these are here, and these alone are wanted until they come again."""
        self.assertEqual(self.here(self.chunks), [one not in gone for one in self.chunks])
        self.assertEqual(self.wanted(), sorted(name for name, _ in gone))
        self.keeper.store.blind.keep(list(gone))
        self.again()
        self.steps()
        self.all_here(self.chunks)

    def test_damaged(self) -> None:
        """A chunk that reads damaged leaves the journal with the next run, and no other one does."""
        damage(self.keeper, self.chunks[3][0])
        self.assertEqual(self.here(self.chunks).count(False), 1)
        self.assertEqual(self.wanted(), [])
        self.steps()
        self.others(self.chunks[3])

    def test_damaged_by_another_thread(self) -> None:
        """The same where a thread that serves peers has met it, which may not write to the journal."""
        damage(self.keeper, self.chunks[3][0])
        self.keeper.give([self.chunks[3][0], self.chunks[4][0]])
        self.steps()
        given = self.keeper.give([name for name, _ in self.chunks[3:5]])
        self.assertEqual([one is None for one in given], [True, False])
        self.others(self.chunks[3])

    def test_removed(self) -> None:
        """Chunks of a segment that somebody has removed are wanted again."""
        path = self.path(self.chunks[0])
        gone = [one for one in self.chunks if self.path(one) == path]
        path.unlink()
        self.steps()
        self.others(*gone)

    def test_all_removed(self) -> None:
        """The same of all segments, and of their folder; chunks get another one."""
        shutil.rmtree(self.place)
        self.steps()
        self.others(*self.chunks)

    def test_cut(self) -> None:
        """Of a segment that was cut the chunks before that stay, and nothing is added to it."""
        path = self.path(self.chunks[-1])
        _, spot = kept_at(self.keeper, self.chunks[-2][0])
        os.truncate(path, spot.end - 1)
        self.steps()
        self.assertEqual(self.wanted(), sorted(name for name, _ in self.chunks[-2:]))
        more = chunks(1)
        self.keep(more)
        self.assertNotEqual(self.path(more[0]), path)
        self.chunks += more
        self.others(*self.chunks[-3:-1])

    def test_a_link_in_its_place(self) -> None:
        """A segment in whose place is a link, or a folder, is gone."""
        path = self.path(self.chunks[0])
        gone = [one for one in self.chunks if self.path(one) == path]
        path.rename(self.keeper.base / "elsewhere")
        path.symlink_to((self.keeper.base / "elsewhere").absolute())
        self.steps()
        self.others(*gone)

    def test_not_mounted(self) -> None:
        """Where the folder is not there at all, nothing leaves the journal: it is there again when its disk is."""
        root, aside = self.keeper.root, self.keeper.base / "aside"
        damage(self.keeper, self.chunks[0][0])
        read(self.keeper, self.chunks[0][0])
        root.rename(aside)
        root.mkdir()
        self.assertRaises(Missing, self.steps, self.mend)
        root.rmdir()
        aside.rename(root)
        (root / ID).rename(root / "mark")
        self.assertRaises(Missing, self.keeper.store.tidying._let_go, [self.chunks[1][0]])
        (root / "mark").rename(root / ID)
        self.assertEqual(self.wanted(), [])
        self.steps()
        self.assertEqual(self.here(self.chunks).count(False), 1)

    def test_kept_where_nothing_is_mounted(self) -> None:
        """Where the folder's disk is not mounted nothing is kept, made, or known again: neither where it would be, nor
        where a former version has left segments; when it is mounted everything is as it was."""
        root, aside, more = self.keeper.root, self.keeper.base / "aside", chunks(3)
        root.rename(aside)
        root.mkdir()
        self.assertRaises(Missing, self.keeper.store.blind.keep, more)
        self.assertEqual(list(root.iterdir()), [])
        shutil.copytree(aside, root, dirs_exist_ok=True, ignore=shutil.ignore_patterns("ID"))
        left = self.files()
        with self.database_unchanged():
            (self.place / name_of(900)).write_bytes((self.place / name_of(1)).read_bytes())
            self.assertRaises(Missing, self.keeper.store.blind.keep, more)
            self.assertRaises(Missing, self.steps, self.mend)
            (self.place / name_of(900)).unlink()
        self.assertEqual(self.files(), left)
        shutil.rmtree(root)
        aside.rename(root)
        self.keep(more)
        self.all_here(self.chunks + more)

    def test_unmounted_meanwhile(self) -> None:
        """What was written while the disk went away does not count as kept."""
        mark, more = self.keeper.root / ID, chunks(3)
        add = self.keeper.store.blind.segments.add

        def unmounted(some: list[Chunk]) -> Any:
            spots = add(some)
            mark.rename(self.keeper.base / "mark")
            return spots

        self.name(self.chunks, more)
        with mock.patch.object(self.keeper.store.blind.segments, "add", unmounted):
            self.assertRaises(Missing, self.keeper.store.blind.keep, more)
        (self.keeper.base / "mark").rename(mark)
        self.assertEqual(self.wanted(), sorted(name for name, _ in more))

    def test_not_readable_now(self) -> None:
        """What a disk does not give now is not given, and stays: it may give it later, and nobody else may have it."""

        def failed(*_: Any) -> bytes:
            raise OSError(errno.EIO, "the disk failed")

        with mock.patch.object(os, "pread", failed):
            self.assertEqual(self.here(self.chunks), [False] * 40)
            self.steps()
            self.name(self.chunks[::2])
            self.steps()
        self.name(self.chunks)
        self.assertEqual(self.here(self.chunks)[::2], [True] * 20)
        self.keeper.store.blind.keep(self.chunks)
        self.steps()
        self.all_here(self.chunks)

    def test_many_doubts(self) -> None:
        """Chunks that could not be read are counted up to a limit; the rest is met another time."""
        with mock.patch("bitdust.folders.blind.MOST_DOUBTED", 3):
            for name, _ in self.chunks[:5]:
                damage(self.keeper, name)
            self.here(self.chunks)
        self.assertEqual(len(self.keeper.store.blind.doubted), 3)
        self.patch(tidying, "DOUBTED", 2)
        left = []
        for _ in self.mend():
            left.append(len(self.keeper.store.blind.doubted))
        self.assertEqual(left[:2], [1, 0])
        self.steps()
        self.here(self.chunks)
        self.steps()
        self.others(*self.chunks[:5])


class ForgottenTests(KeeperCase):
    """A power cut has taken the journal's last transactions back, and left what was synced."""

    def setUp(self) -> None:
        super().setUp()
        self.before, self.after = chunks(5), chunks(40)
        self.keep(self.before)
        self.home = self.keeper.base / "keeper"

    def cut(self, work: Callable[[], Any]) -> None:
        """Work, of which the journal forgets everything."""
        self.keeper.close()
        copy = self.keeper.base / "copy"
        shutil.copytree(self.home, copy)
        self.keeper.open()
        work()
        self.keeper.close()
        shutil.rmtree(self.home)
        copy.rename(self.home)
        self.keeper.open()

    def test_known_again(self) -> None:
        """Chunks that were kept are known again, in segments that the journal knew and in those that it did not."""
        self.cut(lambda: self.keep(self.after))
        self.name(self.before, self.after)
        self.assertEqual(len(self.wanted()), 40)
        self.steps()
        self.all_here(self.before + self.after)

    def test_synced_before(self) -> None:
        """They are synced before they are known again: who wrote them may have died before that."""
        self.cut(lambda: self.keep(self.after))
        self.name(self.before, self.after)
        steps: list[tuple[str, int]] = []
        real = os.fsync

        def synced(descriptor: int) -> None:
            steps.append((os.path.basename(os.readlink(f"/dev/fd/{descriptor}")), len(self.wanted())))
            real(descriptor)

        with mock.patch.object(os, "fsync", synced):
            self.steps(self.mend)
        files = [(name_of(1), 40), (name_of(2), 28), (name_of(3), 11)]
        self.assertEqual(steps, [step for name, count in files for step in ((name, count), ("chunks", count))])

    def test_known_once(self) -> None:
        """The list of all segments is read once, however many are looked into: there may be thousands."""
        self.cut(lambda: self.keep(self.after, chunks(100)))
        asked: list[str] = []
        self.database.set_trace_callback(asked.append)
        self.addCleanup(lambda: self.database.set_trace_callback(None))
        self.assertGreater(self.steps(self.mend), 8)
        self.database.set_trace_callback(None)
        self.assertEqual(len([one for one in asked if one == "SELECT number, size FROM segments"]), 1)

    def test_named_by_records(self) -> None:
        """Where records name all of them nobody has to wait for one: what is not needed goes at once."""
        self.cut(lambda: self.keep(self.after))
        self.name(self.before[:2], self.after)
        self.steps()
        self.assertEqual(self.here(self.before), [True, True, False, False, False])

    def test_records_forgotten_too(self) -> None:
        """Where the records that name them were forgotten as well, chunks stay for a day: the records may come."""
        self.cut(lambda: self.keep(self.after))
        self.steps()
        self.steps()
        self.wait_a_day()
        self.assertEqual(len(self.files()), 1)

    def day(self) -> None:
        """A day in which the keeper is on, and somebody is here."""
        for _ in range(24):
            self.keeper.clock.advance(DAY / 24)
            self.steps()

    def wait_a_day(self) -> None:
        """They are all there when their records come; those that no record names are a day later no more."""
        self.name(self.before, self.after)
        self.all_here(self.before + self.after)
        self.name(self.before)
        self.day()
        self.assertEqual(self.here(self.after), [False] * 40)

    def lose_the_journal(self) -> None:
        self.keeper.close()
        for path in self.home.glob("journal.db*"):
            path.unlink()
        self.keeper.open()

    def test_nothing_is_written_over(self) -> None:
        """Until they are known again nothing is added where they are."""
        self.cut(lambda: self.keep(self.after))
        more = chunks(30)
        self.keep(more)
        self.name(self.before, self.after, more)
        self.steps()
        self.all_here(self.before + self.after + more)

    def test_torn(self) -> None:
        """Of what was being written the whole chunks are known again; what is half there, or empty, is not, and the
        next one comes into another segment."""
        self.cut(lambda: self.keep(self.after))
        self.name(self.before, self.after)
        last = max(self.place.iterdir())
        for tail in (b"\0\0\0\x64" + bytes(50), bytes(200), HEAD.pack(100, b"n" * 16) + bytes(100)):
            with last.open("ab") as file:
                file.write(tail)
            self.steps()
            self.all_here(self.before + self.after)
        more = chunks(1)
        self.keep(more)
        self.assertGreater(self.path(more[0]), last)
        self.steps()
        self.all_here(self.before + self.after + more)

    def test_one_is_damaged(self) -> None:
        """A damaged one among them is left out, and fetched again; those behind it are known again."""
        paths: dict[bytes, Any] = {}

        def work() -> None:
            self.keep(self.after)
            damage(self.keeper, self.after[2][0])
            paths.update({name: kept_at(self.keeper, name) for name, _ in self.after})

        self.cut(work)
        self.name(self.before, self.after)
        self.steps()
        self.assertEqual(self.wanted(), [self.after[2][0]])
        self.assertEqual(kept_at(self.keeper, self.after[3][0]), paths[self.after[3][0]])

    def test_not_synced(self) -> None:
        """What could not be synced is not known again by the process that has met that: it may be in memory alone."""
        with mock.patch.object(os, "fsync", side_effect=OSError(errno.EIO, "the disk failed")):
            self.assertRaises(OSError, self.keep, self.after)
        self.steps()
        self.assertEqual(self.here(self.before + self.after), [True] * 5 + [False] * 40)
        self.assertEqual(len(self.wanted()), 40)
        self.keeper.store.blind.keep(self.after)
        self.steps()
        self.all_here(self.before + self.after)

    def test_copied_and_not_readable(self) -> None:
        """Where the journal forgot that a chunk was copied, and the disk does not give the one that it knows, the copy
        is known from then on: it can be read, and the other may never be."""
        self.keep(full := chunks(12))
        old = {kept_at(self.keeper, name) for name, _ in self.before}
        self.cut(lambda: self.keeper.store.blind.keep(self.before))
        self.name(self.before, full)
        real = os.pread

        def read(descriptor: int, size: int, offset: int) -> bytes:
            if any(str(path) == os.readlink(f"/dev/fd/{descriptor}") and spot.offset == offset for path, spot in old):
                raise OSError(errno.EIO, "the disk failed")
            return real(descriptor, size, offset)

        self.assertEqual(len({path for path, _ in old}), 1)
        with mock.patch.object(os, "pread", read):
            self.steps()
            self.all_here(self.before + full)
        self.steps()
        self.all_here(self.before + full)

    def test_not_synced_before(self) -> None:
        """Nor by the next process, which would find it in the memory of the system: it is cut off at once."""
        with mock.patch.object(os, "fsync", side_effect=OSError(errno.EIO, "the disk failed")):
            self.assertRaises(OSError, self.keep, self.after)
        self.again()
        self.steps()
        self.assertEqual((self.here(self.after), len(self.wanted())), ([False] * 40, 40))
        self.keeper.store.blind.keep(self.after)
        self.all_here(self.before + self.after)

    def test_as_the_disk_has_it(self) -> None:
        """What a process has left that could not even cut it off is read from the disk, not from the memory of the
        system, before it is known again; and it is synced before that."""
        steps: list[str] = []
        sync, read = os.fsync, os.pread

        def forget(descriptor: int, *of: int) -> None:
            self.assertEqual(of, (0, 0, os.POSIX_FADV_DONTNEED))
            steps.append("forgotten")
            path = self.place / os.path.basename(os.readlink(f"/dev/fd/{descriptor}"))
            if path.name == name_of(1):
                os.truncate(path, path.stat().st_size - 3)

        def synced(descriptor: int) -> None:
            steps.append("synced")
            sync(descriptor)

        def looked(descriptor: int, size: int, offset: int) -> bytes:
            steps.extend(["read"] * (size == 100))
            return read(descriptor, size, offset)

        self.cut(lambda: self.keep(self.after[:10]))
        self.name(self.before, self.after[:10])
        with (mock.patch.object(os, "posix_fadvise", forget), mock.patch.object(os, "fsync", synced),
              mock.patch.object(os, "pread", looked)):  # fmt: skip
            self.steps(self.mend)
        self.assertEqual(steps, ["synced", "forgotten", "synced", *["read"] * 9])
        self.assertEqual(self.wanted(), [self.after[9][0]])

    def test_moved_meanwhile(self) -> None:
        """Nothing is removed before the disk has the journal's word that it is not needed: see the crash tests. What
        was removed all the same is found where it was copied to."""
        self.patch(tidying, "durably", lambda database: mock.MagicMock())
        many = chunks(60)
        self.keep(many)
        self.name(self.before, many[::2])
        self.cut(self.steps)
        self.name(self.before, many[::2])
        self.steps()
        self.all_here(self.before + many[::2])

    def test_a_new_journal(self) -> None:
        """Where the journal was lost, chunks are known again without being fetched, and wait for their records."""
        self.keep(self.after)
        self.lose_the_journal()
        self.steps()
        self.name(self.before, self.after)
        self.all_here(self.before + self.after)

    def test_waits_in_the_next_process(self) -> None:
        """The next process waits for the rest of the day: it knows these chunks, and finds nothing that is new."""
        self.keep(self.after)
        self.lose_the_journal()
        self.steps()
        for _ in range(23):
            self.again()
            self.keeper.clock.advance(DAY / 24)
            self.steps()
        self.name(self.before, self.after)
        self.all_here(self.before + self.after)
        self.name(self.before)
        self.again()
        self.keeper.clock.advance(DAY / 24)
        self.steps()
        self.assertEqual(self.here(self.after), [False] * 40)

    def test_waits_whatever_the_clock_says(self) -> None:
        """A clock that is set right in between, or was right before, ends no waiting, and makes none longer."""
        self.keep(self.after)
        self.lose_the_journal()
        self.steps()
        for ahead in (40 * DAY, 0, -40 * DAY):
            self.keeper.ahead = ahead
            self.steps()
        self.wait_a_day()

    def test_waits_for_somebody(self) -> None:
        """As long as nobody is here who could tell the records, the day does not begin."""
        self.keep(self.after)
        self.lose_the_journal()
        for _ in range(50):
            self.keeper.clock.advance(DAY / 24)
            self.keeper.keep()
        self.name(self.before, self.after)
        self.all_here(self.before + self.after)
        self.name(self.before)
        self.keeper.keep(self.keeper)
        for _ in range(24):
            self.keeper.clock.advance(DAY / 24)
            self.keeper.keep(self.keeper)
        self.assertEqual(self.here(self.after), [False] * 40)

    def test_waits_where_nothing_happens(self) -> None:
        """The hours count though nothing brings the keeper to work: it looks again by itself until the day is over, or
        until it is stopped."""
        self.keep(self.after)
        self.lose_the_journal()
        self.name(self.before)
        self.keeper.keep(self.keeper)
        for _ in range(24):
            self.assertEqual(len(self.keeper.clock.getDelayedCalls()), 1)
            self.keeper.clock.advance(DAY / 24)
        self.assertEqual((self.here(self.after), self.keeper.clock.getDelayedCalls()), ([False] * 40, []))
        self.lose_the_journal()
        for _ in range(2):
            self.keeper.keep(self.keeper)
            self.keeper.keeping.stop()
            self.assertEqual(self.keeper.clock.getDelayedCalls(), [])

    def test_files_of_others(self) -> None:
        """What is called like a segment and is none stays as it is; what is empty, or was never written, goes."""
        foreign = {"00000077.seg": b"BitDust sealed 2 and more", "0000078.seg": MAGIC, "x.seg": b"x",
                   "99999999999999999999.seg": MAGIC, "9223372036854775807.seg": MAGIC}
        empty = {"00000090.seg": b"", "00000091.seg": MAGIC[:5], "00000092.seg": bytes(100), "00000093.seg": MAGIC}
        for name, data in (foreign | empty).items():
            (self.place / name).write_bytes(data)
        self.again()
        self.steps()
        found = {path.name: path.read_bytes() for path in self.place.iterdir() if path.name != name_of(1)}
        self.assertEqual(found, foreign)
        more = chunks(1)
        self.keep(more)
        self.assertGreater(self.path(more[0]).name, "00000093.seg")

    def test_no_number_twice(self) -> None:
        """A number of a segment that has gone is given to no other one, which an old copy of the journal may name."""
        path = self.path(self.before[0])
        self.name()
        self.steps()
        self.assertEqual(self.files(), {})
        self.again()
        self.keep(self.after)
        self.assertFalse(path.exists())
