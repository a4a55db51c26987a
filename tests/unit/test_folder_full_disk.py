"""A keeper whose disk is full gets room again from what it needs no more, and uses it for what it lacks."""

import errno
import os
import sqlite3
from types import SimpleNamespace
from unittest import mock

from bitdust.folders import tidying
from bitdust.folders.keys import TAG
from bitdust.folders.problems import code_of
from bitdust.folders.segments import HEAD, name_of
from bitdust.wire.errors import BitDustError
from tests.unit.folder_kit import Replica, encrypted_secret, kept_at
from tests.unit.keeper_kit import FULL, Chunk, KeeperCase, chunks

DISK = 1_000_000


class FullDiskTests(KeeperCase):
    """Half of the disk is to stay free."""

    def setUp(self) -> None:
        super().setUp()
        self.free, self.keeper.store._percent = DISK, 50
        self.keeper.store.reserve.usage = lambda path: SimpleNamespace(total=DISK, free=self.free - self.used())
        self.some = chunks(170)
        self.keep(self.some)

    def used(self) -> int:
        return sum(self.files().values())

    def fill(self, free: int) -> None:
        """Others take so much of the disk that no more than this is free."""
        self.free = free + self.used()

    def collected(self) -> bool:
        """Whether a run has come to its end; else there was no room."""
        try:
            self.steps()
        except BitDustError as error:
            self.assertEqual(error.code, "disk-full")
            return False
        return True

    def test_all_of_the_reserve_is_taken(self) -> None:
        """Where nothing may be written any more the segments shrink as ever: each frees more than its copy takes, and
        less than that is used of the reserve; what is new fits as soon as enough of it is free again."""
        self.fill(DISK // 2)
        self.name(needed := self.some[::10])
        before = self.used()
        self.assertLessEqual(max(self.used() for _ in self.collect()), before + FULL)
        self.assertLessEqual(self.used(), len(needed) * (100 + HEAD.size) * 4 / 3 + FULL)
        self.keep(more := chunks(30))
        self.all_here(needed + more)

    def test_no_room_for_the_journal(self) -> None:
        """It is said that the disk is full, though SQLite has ended the transaction by itself."""
        journal = self.keeper.store.journal
        (pages,) = journal.database.execute("PRAGMA page_count").fetchone()
        journal.database.execute(f"PRAGMA max_page_count={pages}")
        with self.assertRaises(sqlite3.Error) as failed, journal.change():
            for number in range(500):
                journal.note(f"told {number}", bytes(2000))
        self.assertEqual(code_of(failed.exception), "disk-full")

    def test_far_below_it(self) -> None:
        """The same where others have taken nearly all of the reserve as well."""
        self.fill(FULL)
        self.name(needed := self.some[::10])
        self.assertTrue(self.collected())
        self.assertLessEqual(self.used(), len(needed) * (100 + HEAD.size) * 4 / 3 + FULL)
        self.all_here(needed)

    def test_hardly_a_byte_is_free(self) -> None:
        """What needs the least room goes first, and what that frees is enough for the next one; nothing is begun whose
        copy would not fit as a whole."""
        self.patch(tidying, "COPIED", 150)
        first, second, others = self.some[:17], self.some[17:34], self.some[34:]
        self.name(needed := first[:11] + second[:1] + others)
        self.fill(100)
        before = self.files()
        self.assertFalse(self.collected())
        self.assertEqual(self.files(), before)
        self.fill(150)
        self.assertTrue(self.collected())
        self.assertTrue({name_of(1), name_of(2)}.isdisjoint(self.files()))
        self.all_here(needed)

    def test_what_cannot_be_removed(self) -> None:
        """Segments that stay after all, because the disk does not give one of their chunks, use so much of the reserve
        together and no more; when it gives them again, all of that comes back."""
        self.patch(tidying, "LENT", 1500)
        self.fill(DISK // 2)
        self.name(needed := [one for number, one in enumerate(self.some) if number % 17 < 8])
        before = self.used()
        bad = {kept_at(self.keeper, one[0]) for one in self.some[::17]}
        real = os.pread

        def pread(descriptor: int, size: int, at: int) -> bytes:
            if any(at == spot.offset and os.readlink(f"/dev/fd/{descriptor}") == str(path) for path, spot in bad):
                raise OSError(errno.EIO, "the disk failed")
            return real(descriptor, size, at)

        with mock.patch.object(os, "pread", pread):
            for _ in range(5):
                self.assertFalse(self.collected())
        self.assertLessEqual(self.used(), before + 1500 + FULL // 10)
        self.assertGreater(self.used(), before)
        self.assertTrue(self.collected())
        self.assertLessEqual(self.used(), len(needed) * (100 + HEAD.size) * 4 / 3 + FULL)
        self.all_here(needed)

    def other(self, more: list[Chunk]) -> Replica:
        """Somebody who has these."""
        other = Replica(self.keeper.base, "other", encrypted_secret().weaker()[1])
        self.addCleanup(other.close)
        other.store.blind.keep(more)
        with other.store.journal.change() as database:
            database.executemany("INSERT INTO pieces VALUES(?, x'00', 0, 100, x'')", [(name,) for name, _ in more])
        return other

    def test_new_ones_do_not_fit(self) -> None:
        """What has come and does not fit waits until what is needed no more has gone, within the same run."""
        other = self.other(more := chunks(20))
        self.fill(DISK // 2)
        self.name(self.some[::10], more)
        self.keeper.keep(other)
        self.all_here(self.some[::10] + more)
        self.assertFalse(self.keeper.keeping.is_behind)

    def run_again(self) -> None:
        """What a folder does when it tries again."""
        self.successResultOf(self.keeper.keeping.run())

    def is_full(self) -> bool:
        """Whether the last run says so, and that something is missing."""
        keeping = self.keeper.keeping
        self.assertEqual(keeping.is_behind, keeping.full is not None)
        return keeping.full is not None and code_of(keeping.full) == "disk-full"

    def test_nothing_fits(self) -> None:
        """Where there is room for nothing a run fails for nobody: nothing is asked for, what is there is given, pauses
        grow to a minute; when there is room again the next run brings all."""
        other = self.other(more := chunks(20))
        self.fill(DISK // 2)
        self.name(self.some, more)
        self.keeper.keep(other)
        pauses = []
        for _ in range(5):
            pauses.append(self.keeper.keeping.pause())
            self.run_again()
            self.assertTrue(self.is_full())
        self.assertEqual((pauses, other.fetched), ([20, 40, 60, 60, 60], []))
        self.assertEqual(self.here(self.some), [True] * len(self.some))
        self.free = DISK
        self.run_again()
        self.all_here(self.some + more)
        self.assertEqual((self.is_full(), self.keeper.keeping.pause()), (False, 10))

    def test_some_fit(self) -> None:
        """Where some of what is missing fits, they come, and nothing that does not fit is asked for."""
        other = self.other(more := chunks(20))
        self.name(self.some, more)
        self.fill(DISK // 2 + 7 * (100 + TAG + HEAD.size))
        self.keeper.keep(other)
        for _ in range(3):
            self.run_again()
        self.assertEqual((self.is_full(), sum(self.here(more))), (True, len(other.fetched)))
        self.assertIn(len(other.fetched), (7, 8))

    def test_nobody_has_what_fits(self) -> None:
        """Chunks that nobody has take no room from those behind them."""
        other = self.other(more := chunks(20))
        nowhere = chunks(150)
        self.name(self.some, more, nowhere)
        self.fill(DISK // 2 + 30 * (100 + TAG + HEAD.size))
        self.keeper.keep(other)
        self.assertEqual(self.here(more), [True] * 20)

    def test_the_system_says_so(self) -> None:
        """Where the disk has less room than it says, as with a quota, one chunk is asked for at each further try, and
        all when that can be kept."""
        other = self.other(more := chunks(20))
        self.name(self.some, more)
        add = self.keeper.store.blind.segments.add

        def full(chunks: list[Chunk]) -> None:
            raise OSError(errno.EDQUOT, "the quota is used up")

        self.patch(self.keeper.store.blind.segments, "add", full)
        self.keeper.keep(other)
        asked = []
        for _ in range(3):
            other.fetched.clear()
            self.run_again()
            asked.append(len(other.fetched))
        self.assertEqual((asked, self.is_full()), ([1, 1, 1], True))
        self.patch(self.keeper.store.blind.segments, "add", add)
        self.run_again()
        self.all_here(self.some + more)
        self.assertFalse(self.is_full())

    def test_the_system_says_so_and_nobody_has_the_first(self) -> None:
        """So it is where nobody has those that are asked for first: few more are asked for before one can be kept."""
        several = sorted(chunks(40))
        nowhere, more = several[:3], several[3:]
        other = self.other(more)
        self.name(self.some, nowhere, more)
        add = self.keeper.store.blind.segments.add

        def full(chunks: list[Chunk]) -> None:
            raise OSError(errno.EDQUOT, "the quota is used up")

        self.patch(self.keeper.store.blind.segments, "add", full)
        self.keeper.keep(other)
        for _ in range(3):
            other.fetched.clear()
            self.run_again()
            self.assertTrue(self.is_full())
            come = [one for one in other.fetched if one in dict(more)]
            self.assertIn(len(come), range(1, 5))
        self.patch(self.keeper.store.blind.segments, "add", add)
        self.run_again()
        self.assertEqual(self.here(more), [True] * len(more))
        self.assertTrue(self.keeper.keeping.is_behind)

    def test_the_journal_has_no_room(self) -> None:
        """A database that cannot be written because the disk is full says the same as a file; one that fails does not.
        """
        for code, said in ((sqlite3.SQLITE_FULL, "disk-full"), (sqlite3.SQLITE_IOERR, "disk-error")):
            error = sqlite3.OperationalError("database or disk is full")
            error.sqlite_errorcode = code
            self.assertEqual(code_of(error), said)
