"""A keeper whose disk is full gets room again from what it needs no more, and uses it for what it lacks."""

import errno
import os
from types import SimpleNamespace
from unittest import mock

from bitdust.folders import tidying
from bitdust.folders.segments import HEAD, name_of
from bitdust.wire.errors import BitDustError
from tests.unit.folder_kit import Replica, encrypted_secret, kept_at
from tests.unit.keeper_kit import FULL, KeeperCase, chunks

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

    def test_new_ones_do_not_fit(self) -> None:
        """What has come and does not fit waits until what is needed no more has gone, within the same run."""
        other = Replica(self.keeper.base, "other", encrypted_secret().weaker()[1])
        self.addCleanup(other.close)
        more = chunks(20)
        other.store.blind.keep(more)
        with other.store.journal.change() as database:
            database.executemany("INSERT INTO pieces VALUES(?, x'00', 0, 100, x'')", [(name,) for name, _ in more])
        self.fill(DISK // 2)
        self.name(self.some[::10], more)
        self.keeper.keep(other)
        self.all_here(self.some[::10] + more)
        self.assertFalse(self.keeper.keeping.is_behind)
