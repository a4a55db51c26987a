"""Segments of a keeper: many sealed chunks in a file, to whose end alone something is added."""

import errno
import os
from pathlib import Path
from typing import Any
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from bitdust.folders import segments
from bitdust.folders.blind import FORMER
from bitdust.folders.keys import sealed_name
from bitdust.folders.segments import HEAD, LONGEST, MAGIC, SegmentReader, Segments, Spot, name_of
from bitdust.folders.tree import BLIND, Tree
from tests.unit.keeper_kit import chunks


class SegmentCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.patch(segments, "FULL", 1000)
        self.root = Path(self.mktemp()).absolute()
        (self.root / ".sync").mkdir(parents=True)
        self.tree = Tree(self.root)
        self.segments = Segments(self.tree, BLIND)
        self.reader = SegmentReader(self.tree, BLIND)
        self.addCleanup(self.reader.close)

    def path(self, segment: int) -> Path:
        return self.root / BLIND / name_of(segment)

    def read(self, spots: list[Spot]) -> list[bytes]:
        return [self.reader.read(spot) for spot in spots]


class AddTests(SegmentCase):
    def test_behind_each_other(self) -> None:
        """Chunks come behind each other, whether in one call or in several; when a segment is full the next begins."""
        added = chunks(30)
        spots = [*self.segments.add(added[:3]), *self.segments.add(added[3:])]
        self.assertEqual(self.read(spots), [data for _, data in added])
        sizes = {number: self.path(number).stat().st_size for number in {spot.segment for spot in spots}}
        self.assertEqual(self.segments.sizes(), sizes)
        self.assertEqual(sorted(sizes), [1, 2, 3, 4])
        self.assertEqual([sizes[number] for number in (1, 2, 3)], [len(MAGIC) + 9 * (HEAD.size + 100)] * 3)
        self.assertEqual(self.segments.open_one, 4)

    def test_in_large_parts(self) -> None:
        """What is much is given to the system in parts, and is all there."""
        self.patch(segments, "FULL", 16 * 1024 * 1024)
        self.patch(segments, "AT_ONCE", 250)
        added = chunks(10)
        self.assertEqual(self.read(self.segments.add(added)), [data for _, data in added])

    def test_an_empty_one(self) -> None:
        """A chunk without a byte is one as well."""
        spots = self.segments.add([(sealed_name(b""), b""), *chunks(1)])
        self.assertEqual([spot.size for spot in spots], [0, 100])
        self.assertEqual(self.reader.read(spots[0]), b"")

    def test_number_zero(self) -> None:
        """No segment has the number of chunks that are in files of their own, whatever somebody calls a file."""
        self.segments.add(chunks(1))
        for name in (name_of(FORMER), "000000000000.seg"):
            (self.root / BLIND / name).write_bytes(MAGIC)
        self.assertEqual(list(self.segments.sizes()), [1])

    def test_no_file_stays_open(self) -> None:
        """One that cannot be looked at is closed, and what comes goes into the next one."""
        self.segments.add(chunks(1))
        opened, fstat = len(os.listdir("/dev/fd")), os.fstat

        def failing(descriptor: int) -> os.stat_result:
            if os.readlink(f"/dev/fd/{descriptor}").endswith(name_of(1)):
                raise OSError(errno.EIO, "the disk failed")
            return fstat(descriptor)

        with mock.patch.object(os, "fstat", failing):
            self.assertEqual([spot.segment for spot in self.segments.add(chunks(1))], [2])
        self.assertEqual(len(os.listdir("/dev/fd")), opened)

    def test_goes_on(self) -> None:
        """The next process goes on at the end that it is told."""
        (first,) = self.segments.add(chunks(1))
        again = Segments(self.tree, BLIND)
        again.go_on(first.segment, first.end)
        (second,) = again.add(chunks(1))
        self.assertEqual((second.segment, second.offset), (first.segment, first.end + HEAD.size))

    def test_of_another_length(self) -> None:
        """To a segment that somebody has cut, made longer or removed nothing is added."""
        for change in (lambda path: path.write_bytes(path.read_bytes()[:-1]),
                       lambda path: path.write_bytes(path.read_bytes() + b"x"),
                       lambda path: path.unlink()):  # fmt: skip
            (first,) = self.segments.add(chunks(1))
            change(self.path(first.segment))
            sizes = self.segments.sizes()
            (second,) = self.segments.add(chunks(1))
            self.assertGreater(second.segment, first.segment)
            self.assertEqual(self.segments.sizes(), sizes | {second.segment: second.end})

    def test_links_and_pipes(self) -> None:
        """Nothing is written to, or read from, what is behind a link, nor does a pipe make anybody wait."""
        elsewhere = self.root / "elsewhere"
        (first,) = added = self.segments.add(chunks(1))
        path = self.path(first.segment)
        path.rename(elsewhere)
        before = elsewhere.read_bytes()
        path.symlink_to(elsewhere)
        self.assertRaises(OSError, self.read, added)
        (second,) = self.segments.add(chunks(1))
        self.assertEqual((second.segment, elsewhere.read_bytes()), (first.segment + 1, before))
        self.path(second.segment).unlink()
        os.mkfifo(self.path(second.segment))
        self.path(second.segment + 1).symlink_to(elsewhere)
        (third,) = self.segments.add(chunks(1))
        self.assertEqual((third.segment, elsewhere.read_bytes()), (second.segment + 2, before))
        self.assertEqual(list(self.segments.sizes()), [third.segment])

    def test_numbers_end(self) -> None:
        """A number of more than 12 digits is that of no segment, whatever somebody has called a file; after the last
        one of 12 the first comes again that is free."""
        self.segments.add(chunks(1))
        before = self.segments.sizes()
        for name in ("9" * 20, "9223372036854775807", "1" + "0" * 12):
            (self.root / BLIND / f"{name}.seg").write_bytes(MAGIC)
        self.assertEqual(self.segments.sizes(), before)
        self.segments.go_on(10**12 - 2, segments.FULL)
        self.assertEqual([self.segments.add(chunks(9))[-1].segment for _ in range(3)], [10**12 - 1, 2, 3])
        self.assertEqual(sorted(self.segments.sizes()), [1, 2, 3, 10**12 - 1])

    def test_a_link_is_in_the_way(self) -> None:
        """Where somebody has put a link in the place of the folder, nothing is written behind it."""
        elsewhere = self.root / "elsewhere"
        elsewhere.mkdir()
        (self.root / BLIND).symlink_to(elsewhere)
        self.assertRaises(OSError, self.segments.add, chunks(1))
        self.assertRaises(OSError, self.segments.sizes)
        self.assertEqual(list(elsewhere.iterdir()), [])

    def test_made_where_its_place_is(self) -> None:
        """The folder of the segments is made; the one that it is in is not: without it the disk is another one."""
        (self.root / ".sync").rmdir()
        self.assertRaises(FileNotFoundError, self.segments.add, chunks(1))
        self.assertEqual(list(self.root.iterdir()), [])
        (self.root / ".sync").mkdir()
        self.assertEqual(len(self.segments.add(chunks(1))), 1)

    def test_synced(self) -> None:
        """What was added is on the disk, each segment once for many, and the folder with a new one."""
        steps: list[str] = []
        fsync = os.fsync

        def synced(descriptor: int) -> None:
            steps.append(os.path.basename(os.readlink(f"/dev/fd/{descriptor}")))
            fsync(descriptor)

        self.segments.add(chunks(1))
        with mock.patch.object(os, "fsync", synced):
            self.segments.add(chunks(3))
            self.assertEqual(steps, [name_of(1)])
            self.segments.add(chunks(10))
        self.assertEqual(steps[1:], [name_of(1), name_of(2), "chunks"])


class FailureTests(SegmentCase):
    def failing(self, name: str, at: int) -> Any:
        """The so-many-th call fails, and those after it."""
        real, left = getattr(os, name), [at]

        def call(*arguments: Any, **named: Any) -> Any:
            left[0] -= 1
            if left[0] < 0:
                raise OSError(errno.ENOSPC, "full")
            return real(*arguments, **named)

        return mock.patch.object(os, name, call)

    def test_taken_back(self) -> None:
        """When something cannot be written, or synced, new segments go, and nothing is added to one that was there."""
        for name, at in (("write", 0), ("write", 1), ("write", 2), ("fsync", 0), ("fsync", 1), ("fsync", 2)):
            (first,) = kept = self.segments.add(chunks(1))
            before = self.segments.sizes()
            with self.failing(name, at):
                error = self.assertRaises(OSError, self.segments.add, chunks(20))
            self.assertEqual((error.errno, self.segments.sizes()), (errno.ENOSPC, before), f"{name} {at}")
            self.assertEqual((self.segments.open_one, self.segments.spoilt), (0, set()))
            (second,) = self.segments.add(chunks(1))
            self.assertGreater(second.segment, first.segment)
            self.assertEqual(len(self.read([*kept, second])), 2)
            self.segments.remove(second.segment)

    def test_not_taken_back(self) -> None:
        """Where that fails as well, this process does not trust what it has left there."""
        kept = self.segments.add(chunks(1))
        with self.failing("fsync", 1), self.failing("ftruncate", 0), self.failing("unlink", 0):
            self.assertRaises(OSError, self.segments.add, chunks(20))
        self.assertEqual((self.segments.spoilt, len(self.read(kept))), ({1, 2}, 1))

    def test_half_a_write(self) -> None:
        """A disk may take less than it was given; the rest comes behind that."""
        real = os.write
        with mock.patch.object(os, "write", lambda descriptor, data: real(descriptor, data[:33])):
            added = chunks(5)
            self.assertEqual(self.read(self.segments.add(added)), [data for _, data in added])


class ReadTests(SegmentCase):
    def test_records(self) -> None:
        """All records are found from any of their beginnings on, up to the first that is torn."""
        added = chunks(4)
        spots = self.segments.add(added)
        found = [(name, spot) for (name, _), spot in zip(added, spots, strict=True)]
        self.assertEqual(list(self.reader.records(1, len(MAGIC))), found)
        self.assertEqual(list(self.reader.records(1, spots[1].end)), found[2:])
        self.assertEqual(list(self.reader.records(1, spots[3].end)), [])
        path, whole = self.path(1), self.path(1).read_bytes()
        for cut in range(1, HEAD.size + 100):
            path.write_bytes(whole[:-cut])
            self.reader.close()
            self.assertEqual(list(self.reader.records(1, len(MAGIC))), found[:3])
        path.write_bytes(whole[: spots[2].end] + bytes(500))
        self.reader.close()
        self.assertEqual(list(self.reader.records(1, len(MAGIC))), found[:3])

    def test_sizes_that_no_chunk_has(self) -> None:
        """A record that says it is longer than any chunk is none, however long the file is, and is not read."""
        (spot,) = self.segments.add(chunks(1))
        for size, count in ((LONGEST, 2), (LONGEST + 1, 1), (300 * 1024 * 1024, 1), (2**32 - 1, 1)):
            with self.path(1).open("r+b") as file:
                file.seek(spot.end)
                file.write(HEAD.pack(size, b"n" * 16))
                file.truncate(spot.end + HEAD.size + size)
            self.reader.close()
            self.assertEqual(len(list(self.reader.records(1, len(MAGIC)))), count)

    def test_kept_open(self) -> None:
        """Of several chunks of one segment in a row the file is opened once."""
        spots = self.segments.add(chunks(9))
        opened: list[str] = []
        real = self.tree.file
        self.patch(self.tree, "file", lambda path: (opened.append(path), real(path))[1])
        self.read(spots)
        self.assertEqual(opened, [f"{BLIND}/{name_of(1)}"])

    def test_one_that_has_gone(self) -> None:
        """A segment that was removed is not found; one that is open still can be read."""
        spots = self.segments.add(chunks(2))
        self.read(spots[:1])
        self.segments.remove(1)
        self.assertEqual(len(self.read(spots)), 2)
        self.reader.close()
        self.assertRaises(FileNotFoundError, self.read, spots)
        self.segments.remove(1)
        (new,) = self.segments.add(chunks(1))
        self.assertEqual(new.segment, 2)
