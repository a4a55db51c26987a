"""Chunks of a folder on their way: cut out of an answer, and read ahead for one."""

import errno
import os
from pathlib import Path
from typing import Any
from unittest import mock

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from bitdust.folders import serving
from bitdust.folders.fetching import MISSING, Parting, parted
from bitdust.folders.keys import sealed_name
from bitdust.folders.serving import ChunkSource
from bitdust.folders.tree import SYNCS, sync_all
from bitdust.wire.errors import BitDustError
from tests.unit.folder_kit import Replica, encrypted_secret


def travelling(chunks: list[bytes | None]) -> bytes:
    """Chunks as they travel."""
    lengths = [(MISSING if chunk is None else len(chunk)).to_bytes(4, "big") for chunk in chunks]
    return b"".join(length + (chunk or b"") for length, chunk in zip(lengths, chunks, strict=True))


class PartingTests(SynchronousTestCase):
    @settings(max_examples=150, deadline=None)
    @given(st.lists(st.none() | st.binary(max_size=40), max_size=12), st.lists(st.integers(1, 30), max_size=40))
    def test_any_parts(self, chunks: list[bytes | None], sizes: list[int]) -> None:
        """Wherever an answer is cut, the same chunks come of it, empty and missing ones too."""
        data, parting = memoryview(travelling(chunks)), Parting()
        for size in sizes:
            parting.write(data[:size])
            data = data[size:]
        parting.write(data)
        self.assertEqual(parting.end(len(chunks)), chunks)
        self.assertEqual(parted(travelling(chunks), len(chunks)), chunks)

    def test_malformed(self) -> None:
        """An answer that ends in a chunk or in a length, or has another number of chunks, is refused."""
        whole = travelling([b"one", None, b"three"])
        for data, count in ((whole, 2), (whole, 4), (whole[:-1], 3), (whole[:2], 1), (whole[:4], 1), (b"", 1)):
            error = self.assertRaises(BitDustError, parted, data, count)
            self.assertEqual(error.code, "malformed")

    def test_nothing_else_is_kept(self) -> None:
        """What was given is copied: of a large part a few bytes may belong to a chunk that is not complete."""
        parting, part = Parting(), bytearray(travelling([b"x" * 50])[:20])
        parting.write(memoryview(part))
        part.append(0)


class AheadTests(SynchronousTestCase):
    """A thread that is asked for something by the test alone."""

    def setUp(self) -> None:
        self.alice = Replica(Path(self.mktemp()), "alice", encrypted_secret())
        self.addCleanup(self.alice.close)
        self.content = os.urandom(600_000)
        self.alice.write("a", self.content)
        self.alice.scan()
        rows = self.alice.store.journal.database.execute("SELECT name FROM pieces ORDER BY offset").fetchall()
        self.names = [name for (name,) in rows]
        self.asked: list[tuple[Any, ...]] = []

    def run_now(self, call: Any, *arguments: Any) -> "Deferred[Any]":
        done: Deferred[Any] = Deferred()
        self.asked.append(arguments)
        done.callback(call(*arguments))
        return done

    def source(self) -> ChunkSource:
        one = self.alice.store.serving
        return self.successResultOf(ChunkSource(one, self.run_now).find(self.names))

    def read(self, source: ChunkSource, at: int, length: int) -> bytes:
        return bytes(self.successResultOf(source.read(at, length)))

    def test_one_job(self) -> None:
        """An answer is found and read in one job of the thread, whatever parts it is sent in."""
        source, parts, at = self.source(), [], 0
        while at < source.size:
            parts.append(self.read(source, at, 10_000))
            at += len(parts[-1])
        self.assertEqual(self.asked, [(self.names, True)])
        names = [sealed_name(chunk) for chunk in parted(b"".join(parts), len(self.names)) if chunk is not None]
        self.assertEqual(names, self.names)

    def test_not_for_many(self) -> None:
        """So many answers at a time hold what was read ahead; another one has its parts read, until one has gone."""
        self.patch(serving, "MOST_AHEAD", 2)
        sources = [self.source() for _ in range(3)]
        for source in sources:
            self.read(source, 0, 1000)
        self.assertEqual(self.asked, [(self.names, True), (self.names, True), (self.names, False), (0, 1000)])
        self.read(sources[0], 1000, sources[0].size)
        self.read(sources[2], 1000, 1000)
        self.assertEqual(self.asked[4:], [(1000, serving.AHEAD)])
        del sources, source
        self.assertEqual(len(self.alice.store.serving.ahead), 0)

    def test_longer_than_that(self) -> None:
        """Of an answer that is longer the next part is read when the one before was asked for, to its last byte."""
        self.patch(serving, "AHEAD", 100_000)
        source, parts, at = self.source(), [], 0
        while at < source.size:
            parts.append(self.read(source, at, 64_000))
            at += len(parts[-1])
        self.assertEqual([offset for offset, _ in self.asked[1:]], list(range(100_000, source.size, 100_000)))
        self.assertEqual(len(self.alice.store.serving.ahead), 0)


class SyncTests(SynchronousTestCase):
    def test_each_once(self) -> None:
        """Every descriptor is synced once, by some threads together; what one of them meets is told."""
        seen: list[int] = []
        count = 3 * SYNCS
        with mock.patch.object(os, "fsync", seen.append):
            for some in (0, 1, count):
                seen.clear()
                sync_all(range(some))
                self.assertEqual(sorted(seen), list(range(some)))

        def broken(descriptor: int) -> None:
            seen.append(descriptor)
            if descriptor == count // 2:
                raise OSError(errno.EIO, "broken")

        seen.clear()
        with mock.patch.object(os, "fsync", broken):
            error = self.assertRaises(OSError, sync_all, range(count))
        self.assertEqual((error.errno, sorted(seen)), (errno.EIO, list(range(count))))
