"""Blocks that cannot be read: they are found, their packs are named, and they come back from whoever has them."""

import base64
import errno
import json
import sqlite3
from collections.abc import Iterable
from pathlib import Path

from twisted.internet.defer import Deferred, fail, succeed

from bitdust.blocks import opening
from bitdust.blocks.packs import records
from bitdust.blocks.values import Mode, Pin, Root, Unpin
from bitdust.disk.disk import Disk
from bitdust.ipld.cid import Block, Cid
from bitdust.wire.errors import BitDustError
from tests.unit.block_kit import BlockCase, leaf, tree
from tests.vectors.make import PATH


class Source:
    """Somebody who has some blocks."""

    def __init__(self, blocks: Iterable[Block] = (), answer: bytes | None = None) -> None:
        self.blocks = {block.cid: block.data for block in blocks}
        self.answer = answer
        self.asked: list[Cid] = []

    def fetch(self, cid: Cid) -> "Deferred[bytes | None]":
        self.asked.append(cid)
        return succeed(self.blocks.get(cid, self.answer))


class Refusing:
    def fetch(self, cid: Cid) -> "Deferred[bytes | None]":
        return fail(BitDustError("timeout", "nobody is there"))


class DamageCase(BlockCase):
    def setUp(self) -> None:
        super().setUp()
        self.blocks = tree("a", 300)
        self.put(*self.blocks, changes=[Pin(self.blocks[-1].cid)])

    def packs(self) -> list[Path]:
        return sorted(self.folder.glob("*.pack"))

    def flip(self, path: Path, block: Block) -> None:
        """Change one bit of a block's data."""
        data = bytearray(path.read_bytes())
        data[data.index(block.data)] ^= 1
        path.write_bytes(data)

    def check(self, damaged: int, mended: int) -> None:
        check = self.store.check()
        self.assertEqual((check.machine.state, check.damaged, check.mended), ("DONE", damaged, mended))


class KeepingDisk(Disk):
    """A disk that lets no pack go."""

    def remove(self, path: Path) -> None:
        if path.suffix == ".pack":
            raise OSError(errno.EPERM, "Operation not permitted")
        super().remove(path)


class StuckTests(DamageCase):
    def test_a_pack_that_cannot_be_removed(self) -> None:
        """The store opens all the same, and takes nothing of it for its own; it goes at a later start."""
        self.end(self.store)
        self.store = self.open(KeepingDisk())
        before = self.packs()
        self.put(changes=[Unpin(self.blocks[-1].cid)])
        self.collect()
        self.put(leaf("new"), changes=[Pin(leaf("new").cid)])
        packs = self.packs()
        self.assertLessEqual(set(before), set(packs))
        for _ in range(2):
            self.end(self.store)
            self.store = self.open(KeepingDisk())
            self.assertEqual((self.packs(), self.opened.adopted, self.store.problem()), (packs, 0, ""))
            self.gets(leaf("new"))
        self.put(leaf("newer"))
        self.again()
        self.assertEqual(set(before) & set(self.packs()), set())
        self.gets(leaf("new"), leaf("newer"))


class DamageTests(DamageCase):
    def test_a_changed_bit(self) -> None:
        """A damaged block is never given out; the error names it and its pack, and others are read as before."""
        self.flip(self.packs()[0], self.blocks[0])
        error = self.refused("damaged-block", self.store.get(self.blocks[0].cid))
        self.assertIn(f"{self.packs()[0]} is damaged", str(error))
        self.assertIn(str(self.blocks[0].cid), str(error))
        self.gets(*self.blocks[1:])
        self.assertIn("1 blocks cannot be read", self.store.problem())

    def test_a_missing_pack(self) -> None:
        """A pack that is gone is named at the start and at each read, and new blocks are stored all the same."""
        gone = self.packs()[1]
        self.end(self.store)
        gone.unlink()
        self.store = self.open()
        self.assertIn(f"{gone} is missing", self.store.problem())
        check = self.store.check()
        self.assertGreater(check.damaged, 10)
        self.assertEqual(set(check.unread.values()), {f"{gone} is missing"})
        cid = next(iter(check.unread))
        self.assertIn("is missing", str(self.refused("damaged-block", self.store.get(cid))))
        self.put(leaf("new"))
        self.gets(leaf("new"))

    def test_the_last_pack_is_missing(self) -> None:
        """Where the last pack is gone or cut off, the next block begins another one."""
        self.put(leaf("large", 20_000))
        self.end(self.store)
        last = self.packs()[-1]
        last.write_bytes(last.read_bytes()[:-10])
        self.store = self.open()
        self.assertIn("bytes instead of", self.store.problem())
        self.put(leaf("new"))
        self.again()
        self.gets(leaf("new"))
        self.assertNotEqual(self.packs()[-1], last)

    def test_it_comes_back(self) -> None:
        """What a source has is stored in another pack; then all is well, in this life and the next one."""
        gone = self.packs()[1]
        self.end(self.store)
        gone.unlink()
        self.store = self.open()
        source = Source(self.blocks)
        self.store.add_source(source)
        self.assertGreater(len(source.asked), 10)
        self.assertEqual(self.store.problem(), "")
        self.gets(*self.blocks)
        self.check(0, 0)
        self.collect()
        self.again()
        self.assertEqual(self.store.problem(), "")
        self.gets(*self.blocks)

    def test_a_read_mends(self) -> None:
        """A reader gets the block from whoever has it, and the next one finds it here."""
        self.flip(self.packs()[0], self.blocks[0])
        liar, source = Source(answer=b"something else"), Source(self.blocks)
        for one in (Refusing(), liar, source):
            self.store.add_source(one)
        self.gets(self.blocks[0])
        self.gets(self.blocks[0])
        self.assertEqual((liar.asked, source.asked), ([self.blocks[0].cid], [self.blocks[0].cid]))
        self.assertEqual(self.store.problem(), "")

    def test_whoever_brings_it_mends(self) -> None:
        """A block that was found damaged is stored again when somebody adds it."""
        self.flip(self.packs()[0], self.blocks[0])
        self.check(1, 0)
        self.put(self.blocks[0])
        self.gets(self.blocks[0])
        self.check(0, 0)

    def test_a_check_mends(self) -> None:
        """A check asks for what it cannot read, and says what nobody has."""
        for block in (self.blocks[3], self.blocks[200]):
            for path in self.packs():
                if block.data in path.read_bytes():
                    self.flip(path, block)
        self.store.add_source(Source([self.blocks[3]]))
        check = self.store.check()
        self.assertEqual((check.damaged, check.mended, list(check.unread)), (2, 1, [self.blocks[200].cid]))
        self.assertEqual(check.blocks, 301)

    def test_elsewhere(self) -> None:
        """A block that is not here is asked for elsewhere where that is wanted, once for all who wait."""
        source, block = Source([leaf("far")]), leaf("far")
        waiting: Deferred[bytes | None] = Deferred()
        self.store.add_source(source)
        source.fetch = lambda cid: waiting  # type: ignore[method-assign]
        self.refused("not-found", self.store.get(block.cid))
        first, second = (self.store.get(block.cid, elsewhere=True) for _ in range(2))
        self.assertNoResult(first)
        waiting.callback(block.data)
        self.assertEqual((self.came(first), self.came(second)), (block.data, block.data))
        self.gets(block)
        source.fetch = lambda cid: succeed(None)  # type: ignore[method-assign]
        self.refused("not-found", self.store.get(leaf("nowhere").cid, elsewhere=True))

    def test_a_damaged_block_is_not_copied(self) -> None:
        """A collection leaves the pack of a block that cannot be read, and takes everything else out of it."""
        keep, loose = tree("k", 3), tree("l", 300)
        self.end(self.store)
        self.full = 1 << 20
        self.store = self.open()
        self.put(*keep, *loose, changes=[Pin(keep[-1].cid)])
        path = next(path for path in self.packs() if keep[0].data in path.read_bytes())
        self.flip(path, keep[0])
        self.collect()
        self.assertTrue(path.exists())
        self.refused("damaged-block", self.store.get(keep[0].cid))
        self.gets(*keep[1:])
        self.put(keep[0])
        self.collect()
        self.gets(*keep)
        self.assertFalse(path.exists())

    def test_an_end_while_asking(self) -> None:
        """A store that is closed waits for nobody."""
        self.store.add_source(Source())
        self.store._fetches.sources[0].fetch = lambda cid: Deferred()  # type: ignore[method-assign]
        waiting = self.store.get(leaf("far").cid, elsewhere=True)
        self.again()
        self.refused("not-found", waiting)


class IndexTests(DamageCase):
    def test_a_lost_index(self) -> None:
        """Without its index a store knows all blocks again, says that pins are lost, and collects nothing."""
        self.end(self.store)
        for path in self.folder.glob("index.db*"):
            path.unlink()
        self.store = self.open()
        self.assertEqual(self.opened.adopted, 301)
        self.gets(*self.blocks)
        self.assertIn("pinned is not known", self.store.problem())
        self.assertEqual(self.assertRaises(BitDustError, self.store.collect).code, "pins-unknown")
        self.again()
        self.assertEqual(self.assertRaises(BitDustError, self.store.collect).code, "pins-unknown")
        self.came(self.store.apply(Pin(self.blocks[-1].cid)))
        self.came(self.store.pins_known())
        self.assertEqual(self.store.problem(), "")
        self.put(leaf("loose"))
        self.collect()
        self.gets(*self.blocks)
        self.assertEqual(len(self.here()), 301)

    def test_a_damaged_index(self) -> None:
        """An index that is none is put aside and made anew."""
        self.end(self.store)
        (self.folder / "index.db").write_bytes(b"x" * 5000)
        self.store = self.open()
        self.gets(*self.blocks)
        self.assertIn("is damaged", self.opened.put_aside)
        self.assertEqual(len(list(self.folder.glob("index.db.damaged-*"))), 1)

    def test_pins_of_a_damaged_index(self) -> None:
        """What can be read of the old index is pinned and named in the new one; where that is all, it collects."""
        self.came(self.store.apply(Root("mfs", self.blocks[-1].cid), Pin(self.blocks[0].cid, Mode.DIRECT, "first")))
        self.end(self.store)
        self.spoil("blocks_by_place")
        self.store = self.open()
        self.assertIn("is damaged", self.opened.put_aside)
        pins = {pin for _, pin in self.came(self.store.pins())}
        self.assertEqual(pins, {Pin(self.blocks[-1].cid), Pin(self.blocks[0].cid, Mode.DIRECT, "first")})
        self.assertEqual(self.came(self.store.roots()), {"mfs": self.blocks[-1].cid})
        self.assertEqual(self.store.problem(), "")
        self.collect()
        self.gets(*self.blocks)

    def test_pins_that_are_lost(self) -> None:
        """Where pins cannot be read nothing is collected."""
        self.end(self.store)
        self.spoil("pins")
        self.store = self.open()
        self.gets(*self.blocks)
        self.assertIn("pinned is not known", self.store.problem())

    def test_damage_while_it_runs(self) -> None:
        """An index that is found damaged is told, and made anew at the next start, however large it is."""
        self.patch(opening, "SMALL_FILE", 1)
        self.again()
        self.spoil("links_by_child")
        self.assertEqual(self.store.problem(), "")
        self.refused("damaged-index", self.store.pinned_through(self.blocks[0].cid))
        self.assertIn("is damaged", self.store.problem())
        self.end(self.store)
        self.store = self.open()
        self.assertEqual(self.opened.put_aside, "")
        self.end(self.store)
        self.store = self.open(is_suspect=True)
        self.assertIn("is damaged", self.opened.put_aside)
        self.assertEqual(self.came(self.store.pinned_through(self.blocks[0].cid)), self.blocks[-1].cid)
        self.assertEqual(self.store.problem(), "")

    def spoil(self, table: str) -> None:
        """Overwrite the page where a table or an index begins."""
        database = sqlite3.connect(self.folder / "index.db")
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (page,) = database.execute("SELECT rootpage FROM sqlite_schema WHERE name=?", (table,)).fetchone()
        (size,) = database.execute("PRAGMA page_size").fetchone()
        database.close()
        with (self.folder / "index.db").open("r+b") as file:
            file.seek((page - 1) * size)
            file.write(b"\xee" * size)

    def test_an_unknown_pack(self) -> None:
        """A pack that the index does not know is read up to the first that is no block; nothing of it is lost."""
        other = tree("other", 100)
        path = self.packs()[-1].with_name("00000099.pack")
        self.end(self.store)
        store, self.folder = self.folder, self.folder.with_name("elsewhere")
        self.full = 1 << 20
        self.store = self.open()
        self.put(*other)
        self.end(self.store)
        whole = next(self.folder.glob("*.pack")).read_bytes()
        self.folder = store
        path.write_bytes(whole[:-40])
        self.store = self.open()
        self.assertEqual(self.opened.adopted, 100)
        self.gets(*self.blocks, *other[:100])
        self.assertEqual(self.store.problem(), "")
        self.put(leaf("next"))
        self.again()
        self.gets(*self.blocks, *other[:100], leaf("next"))

    def test_the_format_of_a_pack(self) -> None:
        """Bytes of a pack that were written down are read, and made again."""
        row = next(one for one in json.loads(PATH.read_text()) if one["name"] == "pack of blocks")
        data = base64.b64decode(row["bytes"])
        blocks = [Block(Cid.parse(one["cid"]), bytes.fromhex(one["data"]["hex"])) for one in row["value"]]
        self.end(self.store)
        self.folder = self.folder.with_name("fresh")
        self.store = self.open()
        self.put(*blocks)
        self.assertEqual(self.packs()[0].read_bytes(), data)
        found = [(cid, data[offset : offset + size]) for cid, offset, size in records(Disk(), self.packs()[0])]
        self.assertEqual(found, [tuple(block) for block in blocks])

    def test_a_newer_index(self) -> None:
        """An index of a later program is not touched."""
        self.came(self.store._threads.change(lambda database: None))
        self.end(self.store)
        store = self.open()
        store._ledger.database.execute("PRAGMA user_version=4")
        self.end(store)
        error = self.failureResultOf(self.store.open(), BitDustError).value
        self.assertEqual(error.code, "newer-index")
        self.assertFalse(self.store.is_open)


class FullDisk(Disk):
    """Fails on demand."""

    def __init__(self) -> None:
        self.fails = ""

    def write(self, descriptor, parts) -> None:
        if self.fails == "write":
            super().write(descriptor, [parts[0][: len(parts[0]) // 2]])
            raise OSError(errno.ENOSPC, "no space left on device")
        super().write(descriptor, parts)

    def sync(self, descriptor) -> None:
        if self.fails == "sync":
            raise OSError(errno.EIO, "input/output error")
        super().sync(descriptor)

    def remove(self, path) -> None:
        if self.fails == "remove":
            raise OSError(errno.EBUSY, "busy")
        super().remove(path)


class FullDiskTests(DamageCase):
    full = 1 << 20

    def setUp(self) -> None:
        super().setUp()
        self.end(self.store)
        self.disk = FullDisk()
        self.store = self.open(self.disk)

    def fails(self, kind: str, code: str, *blocks: Block) -> None:
        self.disk.fails = kind
        lease = self.store.lease()
        for block in blocks:
            lease.put(block)
        self.refused(code, lease.commit(Root("mfs", blocks[-1].cid)))
        lease.end()
        self.disk.fails = ""
        self.assertEqual(self.came(self.store.roots()), {})

    def test_full(self) -> None:
        """What a full disk does not take is not there; it goes on when there is room, over what was half written."""
        self.fails("write", "disk-full", leaf("one", 5000))
        self.assertNotIn(leaf("one", 5000).cid, self.here())
        self.put(leaf("two", 100))
        self.again()
        self.gets(leaf("two", 100), *self.blocks)
        self.assertEqual(len(self.packs()), 1)

    def test_a_sync_that_fails(self) -> None:
        """What a disk could not bring to rest is never counted on later: the next block begins another pack."""
        self.fails("sync", "disk-error", leaf("one", 50_000))
        self.put(leaf("two", 100), leaf("one", 50_000))
        self.assertEqual(len(self.packs()), 2)
        self.again()
        self.gets(leaf("two", 100), leaf("one", 50_000), *self.blocks)

    def test_what_was_not_synced_before_it(self) -> None:
        """Small blocks that were answered before a sync failed come back at the next start, whatever is in the pack."""
        self.put(leaf("small", 100))
        self.fails("sync", "disk-error", leaf("one", 50_000))
        self.put(leaf("two", 50_000))
        self.end(self.store)
        pack = self.packs()[0]
        place = pack.read_bytes().index(leaf("small", 100).data)
        with pack.open("r+b") as file:
            file.truncate(place)
        self.store = self.open()
        self.gets(leaf("small", 100), leaf("two", 50_000), *self.blocks)
        self.assertEqual(self.store.problem(), "")

    def test_a_pack_that_cannot_be_removed(self) -> None:
        """It is removed at the next start."""
        self.put(*tree("loose", 900))
        self.disk.fails = "remove"
        self.collect()
        self.assertEqual(len(self.packs()), 2)
        self.end(self.store)
        self.store = self.open()
        self.assertEqual(len(self.packs()), 1)
        self.gets(*self.blocks)
