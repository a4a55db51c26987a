"""The backup of pins over a shelf in memory: what is gathered, told, rewritten, removed, dropped and taken over."""

from typing import Any

from twisted.internet.defer import Deferred

from bitdust.blocks.backup.formats import read_index, read_state
from bitdust.blocks.backup.keeper import LOCAL, REFRESH
from bitdust.blocks.backup.others import SILENT
from bitdust.blocks.backup.report import rows
from bitdust.blocks.packs import name_of
from bitdust.blocks.values import Mode, Pin, Root, Unpin
from bitdust.ipfs.room import IpfsRoom
from bitdust.ipld.car import CarReader
from bitdust.ipld.cid import RAW, Cid
from bitdust.wire.encoding import WireError
from bitdust.wire.errors import BitDustError
from tests.unit.backup_kit import CAR, DEVICE, INDEX, STATE, BackupCase, Drawer
from tests.unit.block_kit import MAX, leaf, node


def large(name: str, leaves: int = 4, size: int = 500) -> list[Any]:
    """A tree whose leaves have so many bytes."""
    below = [leaf(f"{name} {number}", size) for number in range(leaves)]
    return [*below, node(*below, text=name)]


class GatheringTests(BackupCase):
    def test_a_pin(self) -> None:
        """What is pinned is in one segment, nodes first, with an index that tells of it, and suppliers know the pin."""
        blocks = large("one")
        loose = leaf("loose")
        self.put(loose)
        self.pin(*blocks)
        self.assertEqual(self.shelf.calls, ["keep car", "keep index", "keep state"])
        (name,) = self.shelf.names(CAR)
        data = (self.shelf.folder / name).read_bytes()
        reader = CarReader()
        found = reader.feed(data)
        reader.finish()
        self.assertEqual([block.cid for block in found], [blocks[-1].cid, *(one.cid for one in blocks[:-1])])
        size, described = read_index((self.shelf.folder / name.replace(CAR, INDEX)).read_bytes())
        self.assertEqual(size, len(data))
        self.assertEqual([data[one.offset :][: one.size] for one in described], [block.data for block in found])
        self.assertEqual(described[0].links, tuple(one.cid for one in blocks[:-1]))
        told = read_state((self.shelf.folder / (DEVICE.hex() + STATE)).read_bytes(), self.shelf.keys)
        self.assertEqual(list(told.pins), [Pin(blocks[-1].cid)])
        self.assertEqual(list(told.segments), [name.removesuffix(CAR)])
        saved = self.saved(blocks[-1].cid)
        self.assertEqual((saved.blocks, saved.bytes, saved.is_told), (0, 0, True))
        self.assertEqual(list((self.home / "temp" / "blocks-backup").iterdir()), [])
        self.counted()

    def test_nothing_new(self) -> None:
        """A start with nothing new brings nothing; a pin whose blocks are there brings its name alone."""
        self.pin(*large("one"))
        self.restart()
        self.rests()
        self.assertEqual(len(self.shelf.calls), 3)
        self.came(self.store.apply(Pin(large("one")[0].cid)))
        self.rests()
        self.assertEqual(self.shelf.calls[3:], ["keep state"])
        self.came(self.store.apply(Unpin(large("one")[0].cid)))
        self.rests()
        self.assertEqual(self.shelf.calls[4:], ["keep state"])

    def test_full_segments(self) -> None:
        """A segment has so many bytes, or so many blocks; what is shared is in it once."""
        blocks = large("many", 12)
        self.pin(*blocks, node(*blocks[3:], text="above"))
        self.assertEqual(len(self.shelf.names(CAR)), 2)
        self.assertEqual(self.in_segments(), 14)
        self.counted()

    def test_kinds(self) -> None:
        """Direct pins keep one block; roots what is below them; what stands in its CID needs no segment."""
        inner, inline = leaf("inner"), Cid.of(b"in its name", RAW, 0)
        above = node(inner, inline, text="above")
        self.put(inner, above, changes=[Pin(above.cid, Mode.DIRECT)])
        self.rests()
        self.assertEqual(self.in_segments(), 1)
        self.came(self.store.apply(Root("mfs", above.cid)))
        self.rests()
        self.assertEqual(self.in_segments(), 2)
        self.came(self.store.apply(Pin(inline)))
        self.rests()
        self.assertEqual(self.saved(inline).is_told, True)
        self.lose()
        self.rests()
        self.assertEqual(self.pinned(), {above.cid, inline})
        self.assertEqual(self.came(self.store.roots()), {"mfs": above.cid})
        self.gets(inner, above)

    def test_other_codecs(self) -> None:
        """A block that gets links because it is known as something else is followed again."""
        below = leaf("below")
        block = node(below)
        raw = Cid(1, RAW, block.cid.multihash)
        self.put(block._replace(cid=raw), below, changes=[Pin(raw)])
        self.rests()
        self.assertEqual(self.in_segments(), 1)
        self.put(block, changes=[Pin(block.cid)])
        self.rests()
        self.assertEqual(self.in_segments(), 2)

    def test_without_suppliers(self) -> None:
        """Nothing is made while suppliers take nothing; a try that fails is made again, and leaves no file behind."""
        self.shelf.ready = False
        self.restart()
        self.put(*large("one"), changes=[Pin(large("one")[-1].cid)])
        self.assertEqual(self.keeper.machine.state, "WAITING")
        self.shelf.failures["keep index"] = BitDustError("too-few-suppliers", "nobody is there")
        self.shelf.ready = True
        self.keeper.suppliers()
        self.assertEqual((self.keeper.machine.state, self.keeper.failure), ("WAITING", "nobody is there"))
        self.assertEqual(self.saved(large("one")[-1].cid).blocks, 5)
        self.shelf.failures.clear()
        self.clock.advance(120)
        self.rests()
        self.assertEqual((len(self.shelf.names(CAR)), len(self.shelf.names(INDEX))), (1, 1))
        self.assertEqual(self.keeper.failure, "")
        self.counted()

    def test_unreadable(self) -> None:
        """A block that cannot be read keeps its pin out of what is told, and no other one; later it is tried again."""
        bad, good = large("bad"), large("good")
        self.put(*bad)
        pack = self.folder / name_of(1)
        data = pack.read_bytes()
        pack.write_bytes(data.replace(bad[1].data, bytes(len(bad[1].data))))
        self.put(*good, changes=[Pin(bad[-1].cid), Pin(good[-1].cid)])
        self.rests()
        self.assertIn(bad[1].cid, self.keeper.unreadable)
        self.assertEqual((self.saved(bad[-1].cid).blocks, self.saved(good[-1].cid).blocks), (1, 0))
        self.assertEqual((self.saved(bad[-1].cid).is_told, self.saved(good[-1].cid).is_told), (False, True))
        pack.write_bytes(data)
        self.came(self.store.apply(Pin(bad[0].cid)))
        self.rests()
        self.clock.advance(3600)
        self.rests()
        self.assertEqual(self.keeper.unreadable, {})
        self.assertTrue(self.saved(bad[-1].cid).is_told)
        self.counted()


class TellingTests(BackupCase):
    def test_records(self) -> None:
        """Small values of other parts are told sealed when they have changed, and come back, the newest last."""
        self.records["keys"] = Drawer(b"a secret key")
        self.keeper.changed()
        self.rests()
        path = self.shelf.folder / (DEVICE.hex() + STATE)
        self.assertNotIn(b"a secret key", path.read_bytes())
        self.keeper.changed()
        self.rests()
        self.assertEqual(self.shelf.calls, ["keep state"])
        self.clock.advance(100)
        self.records["keys"] = Drawer(b"another key")
        self.lose()
        self.rests()
        self.clock.advance(100)
        self.lose(b"f" * 8)
        self.assertEqual(self.records["keys"].joined[-2:], [b"a secret key", b"another key"])

    def test_records_that_cannot_be_had(self) -> None:
        """Records that are locked stay as they were told; what is no record any more keeps back nothing else."""
        self.records["keys"] = drawer = Drawer(b"a secret key")
        self.keeper.changed()
        self.rests()
        drawer.failure = BitDustError("locked", "the keys are locked")
        self.pin(*large("one"))
        told = read_state((self.shelf.folder / (DEVICE.hex() + STATE)).read_bytes(), self.shelf.keys)
        self.assertEqual((len(told.pins), told.records), (1, {"keys": b"a secret key"}))
        self.clock.advance(1)
        drawer.failure = WireError("malformed", "this is no key")
        self.lose()
        self.rests()
        self.assertEqual((len(self.pinned()), drawer.joined), (1, []))

    def test_a_sign_of_life(self) -> None:
        """Each month suppliers are told again, so that other devices see that this one lives."""
        self.pin(*large("one"))
        self.clock.advance(3600)
        self.assertEqual(self.shelf.calls.count("keep state"), 1)
        self.clock.pump([3600] * (REFRESH // 3600))
        self.rests()
        self.assertEqual(self.shelf.calls.count("keep state"), 2)


class ReadingTests(BackupCase):
    def test_after_a_loss(self) -> None:
        """A new home has pins and roots, and no blocks; each comes when it is read, and stays."""
        one, two = large("one"), large("two", 3)
        self.pin(*one)
        self.put(*two, changes=[Root("mfs", two[-1].cid)])
        self.rests()
        self.lose()
        self.rests()
        self.assertEqual(self.pinned(), {one[-1].cid})
        self.assertEqual(self.came(self.store.roots()), {"mfs": two[-1].cid})
        self.assertEqual(self.here(), set())
        self.assertEqual(self.away(*one, *two), [True] * 9)
        self.assertEqual([call for call in self.shelf.calls if call == "read car"], [])
        self.gets(one[0])
        self.assertEqual(self.here(), {one[0].cid})
        self.assertEqual(len([call for call in self.shelf.calls if call == "read car"]), 1)
        self.gets(one[0], *one, *two)
        self.assertEqual(len([call for call in self.shelf.calls if call == "read car"]), 9)
        self.assertEqual(self.events.names(), ["pins-restored"])
        self.counted()
        self.collect()
        self.gets(*one, *two)

    def test_suppliers_away(self) -> None:
        """What cannot be had now is told so; a takeover that cannot read all goes on later."""
        one = large("one")
        self.pin(*one)
        self.shelf.failures["read"] = BitDustError("not-enough-pieces", "only 1 of 2 pieces")
        self.lose()
        self.assertEqual(self.keeper.machine.state, "WAITING")
        self.assertEqual(self.pinned(), set())
        self.shelf.failures.clear()
        self.clock.advance(60)
        self.rests()
        self.shelf.failures["read"] = BitDustError("not-enough-pieces", "only 1 of 2 pieces")
        error = self.refused("not-found", self.store.get(one[0].cid))
        self.assertIn("could not be had from the suppliers now", str(error))
        self.assertEqual(self.pinned(), {one[-1].cid})

    def test_a_lost_segment(self) -> None:
        """A pin of which a segment is gone does not come back whole; that is told, what is left of it stays, and
        nothing else is held up."""
        one, two = large("one", 12), large("two", 2)
        self.pin(*one)
        self.pin(*two)
        gone = next(name for name in self.shelf.names(INDEX) if (self.shelf.folder / name).stat().st_size < 700)
        (self.shelf.folder / gone).write_bytes(b"nothing")
        self.lose()
        self.rests()
        self.assertEqual(len(self.keeper.lost), 1)
        self.assertEqual(len(self.pinned()), 1)
        self.collect()
        self.rests()
        self.counted()

    def test_what_is_here_already(self) -> None:
        """A home that has made pins and a directory of its own keeps them, and what was lost beside them."""
        one, two = large("one"), large("two")
        self.put(*one, changes=[Root("mfs", one[-1].cid), Pin(one[0].cid)])
        self.rests()
        self.shelf.ready = False
        self.lose()
        self.put(*two, one[0], changes=[Root("mfs", two[-1].cid), Pin(one[0].cid)])
        self.shelf.ready = True
        self.keeper.suppliers()
        self.rests()
        roots = self.came(self.store.roots())
        self.assertEqual(roots, {"mfs": two[-1].cid, "from a lost home: mfs": one[-1].cid})
        self.assertEqual(self.here(), {block.cid for block in (*two, one[0])})
        self.gets(*one, *two)

    def test_an_empty_directory_gives_way(self) -> None:
        """A directory that is empty is no directory of its own."""
        one, empty = large("one"), node(text="empty")
        self.put(*one, changes=[Root("mfs", one[-1].cid)])
        self.rests()
        self.shelf.ready = False
        self.lose()
        self.put(empty, changes=[Root("mfs", empty.cid)])
        self.shelf.ready = True
        self.keeper.suppliers()
        self.rests()
        self.assertEqual(self.came(self.store.roots()), {"mfs": one[-1].cid})

    def test_damaged_packs(self) -> None:
        """What cannot be read on this disk comes out of segments, also where a whole pack is gone."""
        one = large("one")
        self.pin(*one)
        self.keeper.stop()
        self.end(self.store)
        (self.folder / name_of(1)).unlink()
        self.store = self.open()
        self.assertNotEqual(self.store.problem(), "")
        self.keeper = self.begin()
        self.rests()
        self.assertEqual(self.store.problem(), "")
        self.gets(*one)

    def test_a_lost_index(self) -> None:
        """With the index gone pins come back from what suppliers were told; blocks that are here are not fetched."""
        one = large("one")
        self.pin(*one)
        self.keeper.stop()
        self.end(self.store)
        for path in self.folder.glob("index.db*"):
            path.unlink()
        self.store = self.open()
        self.keeper = self.begin()
        self.rests()
        self.assertEqual(self.pinned(), {one[-1].cid})
        self.assertEqual(self.here(), {block.cid for block in one})
        self.assertEqual(self.saved(one[-1].cid).blocks, 0)
        self.counted()


class ReportTests(BackupCase):
    def rows(self, offset: int = 0, limit: int = 10) -> list[dict[str, Any]]:
        return self.came(Deferred.fromCoroutine(rows(self.store, offset, limit)))

    def test_rows(self) -> None:
        """Roots come before pins; a pin is backed up when suppliers have its blocks and know of it."""
        one, two = large("one"), large("two")
        self.shelf.ready = False
        self.restart()
        self.put(*one, *two, changes=[Pin(one[-1].cid), Root("mfs", two[-1].cid), Pin(two[0].cid, Mode.DIRECT, "a")])
        found = self.rows()
        self.assertEqual([row["mode"] for row in found], ["root", "recursive", "direct"])
        self.assertEqual([row["name"] for row in found], ["mfs", "", "a"])
        self.assertEqual([row["blocks_left"] for row in found], [5, 5, 1])
        self.assertEqual(found[1]["bytes_left"], sum(len(block.data) for block in one))
        self.assertEqual([row["backed_up"] for row in found], [False] * 3)
        self.shelf.failures["keep state"] = BitDustError("too-few-suppliers", "nobody is there")
        self.shelf.ready = True
        self.keeper.suppliers()
        self.assertEqual([(row["backed_up"], row["blocks_left"]) for row in self.rows()], [(False, 0)] * 3)
        self.shelf.failures.clear()
        self.clock.advance(60)
        self.rests()
        self.assertEqual([row["backed_up"] for row in self.rows()], [True] * 3)
        self.assertEqual([row["mode"] for row in self.rows(1, 1)], ["recursive"])
        self.assertEqual(self.rows(3), [])

    def test_verifying(self) -> None:
        """What is away is sound while it is in a segment, and is not brought here to see that."""
        one = large("one")
        self.pin(*one)
        self.lose()
        self.rests()
        room = IpfsRoom(self.around, self)  # type: ignore[arg-type]
        self.assertEqual(self.came(Deferred.fromCoroutine(room.bad_below(one[-1].cid))), [])
        self.assertEqual(self.here(), set())
        self.store._ledger.database.execute("UPDATE segments SET state=2")
        bad = self.came(Deferred.fromCoroutine(room.bad_below(one[-1].cid)))
        self.assertIn("could not be had from the suppliers", bad[0][1])


class RewritingTests(BackupCase):
    def test_half_empty(self) -> None:
        """A segment of which less than half is needed is rewritten, and nothing is lost; then it is gone."""
        one, two = large("one", 5), large("two", 1)
        self.put(*one, *two, changes=[Pin(one[-1].cid), Pin(two[-1].cid)])
        self.rests()
        before = self.shelf.names(CAR)
        self.came(self.store.apply(Unpin(one[-1].cid)))
        self.collect()
        self.rests()
        after = self.shelf.names(CAR)
        self.assertEqual((len(before), len(after)), (1, 1))
        self.assertNotEqual(before, after)
        self.assertEqual(len(self.shelf.names(INDEX)), 1)
        self.counted()
        self.lose()
        self.rests()
        self.assertEqual(self.pinned(), {two[-1].cid})
        self.gets(*two)
        self.assertEqual(self.away(one[0]), [False])

    def test_many_small(self) -> None:
        """Segments that are full only together become one."""
        trees = [large(f"small {number}", 2, 300) for number in range(10)]
        for one in trees:
            self.pin(*one)
        self.keeper.try_again()
        self.assertEqual(len(self.shelf.names(CAR)), 5)
        self.counted()
        self.lose()
        self.rests()
        for one in trees:
            self.gets(*one)

    def test_empty(self) -> None:
        """A segment of which nothing is needed goes; what is pinned again meanwhile is brought again."""
        one = large("one")
        self.pin(*one)
        self.came(self.store.apply(Unpin(one[-1].cid)))
        self.collect()
        self.rests()
        self.assertEqual((self.shelf.names(CAR), self.shelf.names(INDEX)), ([], []))
        self.pin(*one)
        self.assertEqual(len(self.shelf.names(CAR)), 1)
        self.counted()

    def test_away(self) -> None:
        """What is rewritten need not be here: it is read out of the old segment, and stays away."""
        one, two = large("one", 5), large("two", 1)
        self.put(*one, *two, changes=[Pin(one[-1].cid), Pin(two[-1].cid)])
        self.rests()
        self.lose()
        self.rests()
        self.came(self.store.apply(Unpin(one[-1].cid)))
        self.clock.advance(self.clock.seconds() + SILENT)
        self.collect()
        self.rests()
        self.assertEqual(self.away(*two), [True, True])
        self.assertEqual(len(self.shelf.names(CAR)), 1)
        self.gets(*two)
        self.counted()

    def test_what_another_device_needs(self) -> None:
        """A segment that another device has told of lately stays at the suppliers; months later it goes."""
        one = large("one")
        self.pin(*one)
        self.lose()
        self.rests()
        self.came(self.store.apply(Unpin(one[-1].cid)))
        self.collect()
        self.rests()
        self.assertEqual(len(self.shelf.names(CAR)), 1)
        self.assertEqual(self.figures().segments, 0)

    def test_a_clock_that_is_ahead(self) -> None:
        """A clock that is a year ahead does not make a device one that has told nothing for months."""
        one, world = large("one"), self.around.world
        self.pin(*one)
        self.lose()
        self.rests()
        self.came(self.store.apply(Unpin(one[-1].cid)))
        self.patch(world, "wall", lambda wall=world.wall: wall() + 3 * SILENT)
        self.shelf.late = self.clock.seconds
        self.collect()
        self.rests()
        self.assertEqual(len(self.shelf.names(CAR)), 1)

    def test_a_second_loss(self) -> None:
        """What was unpinned on a home that was lost does not come back from the one before it."""
        one, two = large("one"), large("two")
        self.pin(*one)
        self.pin(*two)
        self.clock.advance(100)
        self.lose()
        self.rests()
        self.came(self.store.apply(Unpin(one[-1].cid)))
        self.rests()
        self.clock.advance(100)
        self.lose(b"f" * 8)
        self.rests()
        self.assertEqual(self.pinned(), {two[-1].cid})

    def test_partly_gone(self) -> None:
        """A block that was removed by hand is brought again when its tree is pinned again."""
        one = large("one")
        self.pin(*one)
        self.came(self.store.apply(Unpin(one[-1].cid)))
        self.rests()
        self.came(self.store.remove(one[0].cid))
        self.pin(*one)
        self.assertEqual(self.saved(one[-1].cid).blocks, 0)
        self.assertEqual(len(self.shelf.names(CAR)), 2)
        self.counted()


class RoomTests(BackupCase):
    full = 3000

    def test_copies_go(self) -> None:
        """Where space is short copies go of what suppliers have, leaves first; they come back when they are read."""
        one, loose = large("one", 12), large("loose", 3)
        self.put(*loose)
        self.pin(*one)
        packed, _ = self.store.saving.packed()
        self.settings.values |= {MAX: packed, LOCAL: 90}
        self.clock.advance(60)
        self.rests()
        self.assertLessEqual(self.store.saving.packed()[0], packed * 90 // 100)
        self.assertEqual(self.away(one[-1], *loose), [False] * 5)
        self.assertGreater(sum(self.away(*one)), 1)
        self.gets(*loose, *one)
        self.counted()

    def test_nothing_more_to_drop(self) -> None:
        """Where nothing can go it is tried once, and again when something has come."""
        loose = large("loose", 3)
        self.put(*loose)
        self.settings.values |= {MAX: self.store.saving.packed()[0], LOCAL: 10}
        self.clock.advance(60)
        self.rests()
        self.assertFalse(self.keeper.is_short())
        self.gets(*loose)

    def test_everything(self) -> None:
        """Nodes go last."""
        one = large("one", 2)
        self.pin(*one)
        self.settings.values |= {MAX: 1_000_000}
        self.came_from(self.store.saving.drop(1 << 40))
        self.assertEqual(self.away(*one), [True] * 3)
        self.assertEqual(self.here(), set())
        self.came(self.store.apply(Pin(one[0].cid)))
        self.collect()
        self.gets(*one)
        self.collect()
        self.gets(*one)
        self.counted()

    def came_from(self, work: Any) -> Any:
        return self.came(Deferred.fromCoroutine(work))

    def test_added_again(self) -> None:
        """A block that is away and is stored again is here again, and still in its segment."""
        one = large("one", 2)
        self.pin(*one)
        self.came_from(self.store.saving.drop(1 << 40))
        self.put(*one)
        self.assertEqual(self.away(*one), [False] * 3)
        self.assertEqual(self.saved(one[-1].cid).blocks, 0)
        self.restart()
        self.rests()
        self.assertEqual(len(self.shelf.names(CAR)), 1)
        self.counted()
