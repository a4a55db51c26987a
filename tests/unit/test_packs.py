"""Packs and pieces by themselves: what is put together comes apart again, and what is damaged is refused."""

import errno
import os
import random
from itertools import combinations
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from bitdust.crypt.merkle import root
from bitdust.disk.reserve import Reserve
from bitdust.formats.operations import MOST_CHUNKS
from bitdust.storage.packs import erasure
from bitdust.storage.packs import pack as pack_module
from bitdust.storage.packs.erasure import Coder, Coders
from bitdust.storage.packs.pack import MAX_CHUNK, OpenPack, PackBuilder, seal, unseal
from bitdust.storage.pieces.spool import Spool, SpoolError
from bitdust.wire.encoding import WireError, encode
from bitdust.wire.errors import BitDustError
from bitdust.wire.records import Scheme

NAME = b"n" * 16
PACK, SECRET, OWNER = b"p" * 16, b"s" * 32, b"o" * 32
SEGMENT = 64 * 1024


def plain(rows: Any, data: bytes = b"", **changes: Any) -> bytes:
    """A pack with a table of these rows."""
    table = encode({"version": pack_module.VERSION, "key": "master", "chunks": rows} | changes)
    return len(table).to_bytes(4, "big") + table + data


class PackTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.random = random.Random(11)

    def refused(self, data: bytes) -> None:
        self.assertEqual(self.assertRaises(WireError, OpenPack, data).code, "malformed")

    def test_chunks_come_back(self) -> None:
        """Chunks come back by number, those that could be compressed and those that could not."""
        noise = self.random.randbytes
        chunks = [b"", b"short", b"a" * 100_000, noise(50_000), noise(5000) + b"b" * 9000]
        builder = PackBuilder("master")
        self.assertEqual([builder.add(NAME, chunk) for chunk in chunks], [0, 1, 2, 3, 4])
        self.assertEqual([chunk.zstd for chunk in builder.chunks][2:4], [True, False])
        opened = OpenPack(builder.plain())
        self.assertEqual(len(opened), 5)
        self.assertEqual([bytes(opened.chunk(number)) for number in range(5)], chunks)
        self.assertEqual([bytes(chunk) for chunk in opened.run(1, 2)], chunks[1:3])
        builder.forget_data()
        self.assertEqual(len(builder.chunks), 5)

    def test_as_many_chunks_as_a_pack_may_have(self) -> None:
        """A pack of as many chunks as its row in the log can name is opened again."""
        builder = PackBuilder("master")
        for number in range(MOST_CHUNKS):
            builder.add(NAME, number.to_bytes(3, "big"))
        self.assertEqual(bytes(OpenPack(builder.plain()).chunk(MOST_CHUNKS - 1)), (MOST_CHUNKS - 1).to_bytes(3, "big"))

    def test_no_pack(self) -> None:
        """Bytes that are no pack of this version are refused."""
        self.refused(b"")
        self.refused(b"\xff\xff\xff\xff" + bytes(20))
        self.refused(plain([], version=1))
        self.refused(plain("rows"))
        self.refused(len(encode([])).to_bytes(4, "big") + encode([]))

    def test_rows(self) -> None:
        """A row of the table says name, length, stored length and whether it is compressed, all of a sane size."""
        good = [NAME, 4, 4, False]
        self.assertEqual(bytes(OpenPack(plain([good], b"data")).chunk(0)), b"data")
        for row in (
            good[:3],
            "row",
            [NAME, 4, 4, 0],
            [b"short", 4, 4, False],
            [NAME, -1, 4, True],
            [NAME, MAX_CHUNK + 1, 4, True],
            [NAME, 4, MAX_CHUNK + 1, True],
            [NAME, 5, 4, False],
        ):
            self.refused(plain([row], b"data"))
        for data in (b"dat", b"data+"):
            self.refused(plain([good], data))

    def test_chunks_that_lie(self) -> None:
        """A chunk that cannot be unpacked, or not to its length, is refused, and so is one that is not there."""
        packed = pack_module.zstandard.ZstdCompressor().compress(b"a" * 1000)
        for length, data in ((999, packed), (1001, packed), (4, b"data")):
            opened = OpenPack(plain([[NAME, length, len(data), True]], data))
            self.assertRaises(WireError, opened.chunk, 0)
        opened = OpenPack(plain([[NAME, 1000, len(packed), True]], packed))
        self.assertEqual(opened.chunk(0), b"a" * 1000)
        for number in (-1, 1):
            self.assertRaises(WireError, opened.chunk, number)

    def test_sealed(self) -> None:
        """A sealed pack is named by the roots of its pieces, and any k of them open it again with the secret alone."""
        builder = PackBuilder("master")
        data = self.random.randbytes(200_000)
        builder.add(NAME, data)
        scheme, coder = Scheme(2, 4, SEGMENT), Coder(2, 4)
        sealed = seal(builder.plain(), OWNER, PACK, SECRET, scheme, coder)
        self.assertEqual(sealed.record.roots, [root(piece) for piece in sealed.pieces])
        for chosen in combinations(range(4), 2):
            pieces = {index: sealed.pieces[index] for index in chosen}
            self.assertEqual(bytes(unseal(pieces, sealed.record, [bytes(32), SECRET], coder).chunk(0)), data)
        pieces = {1: sealed.pieces[1], 3: sealed.pieces[3]}
        self.assertRaises(BitDustError, unseal, pieces, sealed.record, [b"x" * 32], coder)
        damaged = bytearray(sealed.pieces[1])
        damaged[7] ^= 1
        self.assertRaises(BitDustError, unseal, pieces | {1: bytes(damaged)}, sealed.record, [SECRET], coder)


class CoderTests(SynchronousTestCase):
    def test_any_k_of_n(self) -> None:
        """Any k pieces give the bytes back, whatever their number: none, one, a segment and a bit more."""
        rng = random.Random(3)
        for k, n in ((1, 2), (2, 3), (3, 7)):
            coder = Coder(k, n)
            for size in (1, 5, SEGMENT, SEGMENT + 1, 3 * SEGMENT - 2):
                data = rng.randbytes(size)
                pieces = dict(enumerate(coder.encode(data, SEGMENT)))
                self.assertEqual({len(piece) for piece in pieces.values()}, {Scheme(k, n, SEGMENT).piece_size(size)})
                for chosen in combinations(range(n), k):
                    found = coder.decode({index: pieces[index] for index in chosen}, size, SEGMENT)
                    self.assertEqual(found, data, (k, n, size, chosen))

    def test_more_than_enough(self) -> None:
        """More pieces than needed do no harm."""
        coder = Coder(2, 4)
        pieces = dict(enumerate(coder.encode(b"some data", SEGMENT)))
        self.assertEqual(coder.decode(pieces, 9, SEGMENT), b"some data")

    def test_refused(self) -> None:
        """Too few pieces, pieces of another size, and schemes that are none are refused."""
        coder = Coder(2, 4)
        pieces = dict(enumerate(coder.encode(b"some data", SEGMENT)))
        error = self.assertRaises(WireError, coder.decode, {0: pieces[0]}, 9, SEGMENT)
        self.assertEqual(error.code, "not-enough-pieces")
        error = self.assertRaises(WireError, coder.decode, {0: pieces[0], 1: pieces[1] + b"x"}, 9, SEGMENT)
        self.assertEqual(error.code, "bad-piece")
        for k, n in ((0, 2), (2, 2), (3, 2)):
            self.assertEqual(self.assertRaises(WireError, Coder, k, n).code, "bad-scheme")

    def test_library_that_fails(self) -> None:
        """What the library cannot put together is a bad piece."""
        coder = Coder(2, 4)
        pieces = dict(enumerate(coder.encode(b"some data", SEGMENT)))

        def fail(fragments: Any) -> bytes:
            raise erasure.ECDriverError("no")

        self.patch(coder._driver, "decode", fail)
        chosen = {2: pieces[2], 3: pieces[3]}
        self.assertEqual(self.assertRaises(WireError, coder.decode, chosen, 9, SEGMENT).code, "bad-piece")

    def test_many_sizes(self) -> None:
        """However many sizes are met, a bounded number of them is remembered, and each is decoded right."""
        coder = Coder(2, 3)
        for size in range(1, 80):
            data = os.urandom(size)
            pieces = coder.encode(data, SEGMENT)
            self.assertEqual(coder.decode({0: pieces[0], 2: pieces[2]}, size, SEGMENT), data)
        self.assertLessEqual(len(coder._headers), 64)

    def test_one_for_each_scheme(self) -> None:
        """Schemes of the same numbers share a coder."""
        coders = Coders()
        self.assertIs(coders.of(Scheme(2, 4, SEGMENT)), coders.of(Scheme(2, 4, 2 * SEGMENT)))
        self.assertIsNot(coders.of(Scheme(2, 4, SEGMENT)), coders.of(Scheme(2, 3, SEGMENT)))


class SpoolTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp()) / "spool"
        self.free, self.total = 1 << 30, 1 << 40
        self.spool = Spool(self.folder, Reserve(lambda: 0, lambda path: self))
        self.spool.open()

    def fails(self, name: str, code: int, times: int = 1) -> None:
        """The next calls of a function of the system fail."""
        real, left = getattr(os, name), times

        def call(*arguments: Any, **options: Any) -> Any:
            nonlocal left
            if left:
                left -= 1
                raise OSError(code, os.strerror(code))
            return real(*arguments, **options)

        self.patch(os, name, call)

    def refused(self, code: str, call: Any, *arguments: Any) -> str:
        error = self.assertRaises(SpoolError, call, *arguments)
        self.assertEqual(error.code, code)
        return str(error)

    def test_kept(self) -> None:
        """Pieces are private, come back, and are listed until they are removed."""
        self.spool.write(PACK, [b"one", b"two"])
        self.assertEqual([self.spool.load(PACK, index) for index in (0, 1)], [b"one", b"two"])
        self.assertEqual(self.spool.names(), {(PACK, 0), (PACK, 1)})
        self.assertEqual({path.stat().st_mode & 0o777 for path in self.folder.iterdir()}, {0o600})
        self.spool.remove(PACK, 0)
        self.spool.remove(PACK, 0)
        self.assertEqual((self.spool.size(PACK, 0), self.spool.size(PACK, 1)), (None, 3))

    def test_all_or_none(self) -> None:
        """A pack whose pieces do not all fit leaves none of them."""
        for code, name in ((errno.ENOSPC, "disk-full"), (errno.EDQUOT, "disk-full"), (errno.EIO, "disk-error")):
            real, written = os.write, []

            def write(descriptor: int, data: Any, _code: int = code, _real: Any = real, _seen: list = written) -> int:
                _seen.append(bytes(data))
                if len(_seen) == 2:
                    raise OSError(_code, os.strerror(_code))
                return int(_real(descriptor, data))

            self.patch(os, "write", write)
            self.refused(name, self.spool.write, PACK, [b"one", b"two", b"three"])
            self.patch(os, "write", real)
            self.assertEqual(self.spool.names(), set())

    def test_reserve(self) -> None:
        """Pieces leave the share of the disk free that is to stay free."""
        self.free = 4
        self.refused("disk-full", self.spool.write, PACK, [b"12345"])
        self.spool.write(PACK, [b"1234"])

    def test_never_written_twice(self) -> None:
        """A piece that is there already is never overwritten: somebody may be sending it."""
        self.spool.write_one(PACK, 0, b"one")
        self.refused("disk-error", self.spool.write_one, PACK, 0, b"other")
        self.assertEqual(self.spool.load(PACK, 0), b"one")

    def test_short_writes(self) -> None:
        """A system that writes only a part is asked for the rest."""
        real = os.write
        self.patch(os, "write", lambda descriptor, data: real(descriptor, bytes(data)[:2]))
        self.spool.write_one(PACK, 0, b"a piece")
        self.assertEqual(self.spool.load(PACK, 0), b"a piece")

    def test_synced(self) -> None:
        """Pieces that are still here, and the folder, are brought to the disk; a failure is never a success."""
        self.spool.write(PACK, [b"one", b"two"])
        synced: list[int] = []
        real = os.fsync
        self.patch(os, "fsync", lambda descriptor: (synced.append(descriptor), real(descriptor))[1])
        self.spool.sync(PACK, [0, 1, 2])
        self.assertEqual(len(synced), 3)
        for succeeding in range(3):
            calls = iter([True] * succeeding + [False])

            def fsync(descriptor: int, _calls: Any = calls) -> None:
                if not next(_calls):
                    raise OSError(errno.EIO, "Input/output error")

            self.patch(os, "fsync", fsync)
            self.assertIn("Input/output error", self.refused("disk-error", self.spool.sync, PACK, [0, 1]))

    def test_lost(self) -> None:
        """A piece that is gone, damaged, or cannot be read is told apart."""
        self.spool.write_one(PACK, 0, b"one")
        self.assertEqual(self.spool.load(PACK, 0, root(b"one")), b"one")
        self.assertIn("damaged", self.refused("piece-lost", self.spool.load, PACK, 0, root(b"two")))
        self.refused("piece-lost", self.spool.load, PACK, 1)
        (self.folder / f"{PACK.hex()}.2").mkdir()
        self.refused("disk-error", self.spool.load, PACK, 2)

    def test_other_files(self) -> None:
        """Files of other names are none of the spool's."""
        self.spool.write_one(PACK, 0, b"one")
        for name in ("README", f"{PACK.hex()}.x", "short.1", f"{'z' * 32}.1"):
            (self.folder / name).write_text("")
        self.assertEqual(self.spool.names(), {(PACK, 0)})
