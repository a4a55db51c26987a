"""Pins as backups, with whole nodes: what is pinned comes back from the key file, block by block as it is wanted."""

import hashlib
from typing import Any

from twisted.internet.defer import Deferred

from bitdust.api.call import perform
from bitdust.api.methods import TABLE
from bitdust.blocks.values import Mode, Row, Unpin
from bitdust.ipfs.adding import AddOptions
from bitdust.ipfs.blocks import get
from bitdust.ipfs.names.keys import Published
from bitdust.ipfs.reading import read
from bitdust.ipfs.room import IpfsRoom
from bitdust.ipld.cid import Cid
from bitdust.ipld.peerid import PeerId
from bitdust.outcome import outcome
from bitdust.testing.grid import GridNode
from bitdust.web.ipfs.port import visit
from tests.grid.test_recovery import RecoveryCase
from tests.unit.ipfs_kit import Files, Given

SERVICES = ("block-store", "ipfs-backup")
SEGMENT = "services/ipfs-backup/segment-size"


def noise(name: str, size: int) -> bytes:
    """Bytes that nothing makes smaller, and that are the same in every run."""
    return hashlib.shake_128(name.encode()).digest(size)


class PinCase(RecoveryCase):
    def switch_on(self, node: GridNode) -> None:
        for name in SERVICES:
            node.node.settings.set(f"services/{name}/enabled", True)
        self.grid.until(lambda: node.is_on("ipfs_backup"), 300, node.reason("ipfs_backup"))

    def room(self, node: GridNode) -> IpfsRoom:
        return IpfsRoom(node.rooms.around, node.rooms.blocks)

    def add(self, node: GridNode, **files: bytes) -> dict[str, Cid]:
        job = self.room(node).add(AddOptions())
        self.grid.wait(job.run(Files(*(Given(name.encode(), data) for name, data in files.items()))))
        return {one.name: one.part.cid for one in job.rows()}

    def cat(self, node: GridNode, cid: Cid, offset: int = 0, length: int | None = None) -> bytes:
        async def whole() -> bytes:
            _, pieces = await read(self.room(node).blocks, cid, offset, length)
            return b"".join([piece async for piece in pieces])

        return self.run_now(whole())

    def offline(self, node: GridNode, cid: Cid) -> str:
        """Why a block cannot be had by a call that says ``offline=true``; empty where it can."""
        room, leave = visit(self.room(node))({"offline": True, "timeout": None})
        read = self.grid.wait(outcome(Deferred.fromCoroutine(get(room.blocks, cid))))
        leave()
        return str(read.error or "")

    def rests(self, node: GridNode, seconds: float = 600) -> Any:
        """The keeper has nothing to do any more."""
        keeper = node.rooms.blocks.backup.keeper
        try:
            self.grid.until(lambda: keeper.machine.state == "IDLE", seconds, "the backup")
        except AssertionError as error:
            moves = [(one.event, one.new) for one in keeper.machine.past]
            raise AssertionError(f"{error}: {keeper.failure}, {moves}") from error
        return keeper

    def is_adopted(self, node: GridNode) -> None:
        """What suppliers have is known; to store something new, more of them may be needed."""
        machine = node.rooms.blocks.backup.keeper.machine
        self.grid.until(lambda: machine.state in ("TELLING", "IDLE"), 60, f"what was lost, {machine}")

    def backed_up(self, node: GridNode) -> Any:
        """The next change is in the backup."""
        keeper = node.rooms.blocks.backup.keeper
        self.grid.until(lambda: keeper.machine.state != "IDLE", 60, "a change")
        return self.rests(node)

    def publish(self, node: GridNode, name: str, sequence: int) -> PeerId:
        """A key of a name that has published something."""
        keys = node.rooms.ipfs.keys
        ident = self.run_now(keys.generate(name, "ed25519")).id
        now = int(self.grid.clock.seconds()) * 10**9
        value = Published(b"/ipfs/bafkqaaa", sequence, now, 10**15, 0, True)
        self.run_now(keys.publish(ident, lambda before: value))
        return ident

    def result(self, node: GridNode, method: str, **arguments: Any) -> Any:
        row = TABLE.named(method)
        assert row is not None
        return self.grid.wait(perform(node.node.context, row, arguments)).get("result")

    def pins(self, node: GridNode) -> set[Cid]:
        return {pin.cid for _, pin in self.grid.wait(node.rooms.blocks.store.pins(Mode.RECURSIVE))}

    def row(self, node: GridNode, cid: Cid) -> Row:
        (row,) = self.grid.wait(node.rooms.blocks.store.rows([cid]))
        return row


class RecoveryTests(PinCase):
    def test_from_the_key_file(self) -> None:
        """With half of the suppliers dead, pins are there again before any block is, and a block comes when it is
        read."""
        alice, key_file, _ = self.uploaded(4)
        self.switch_on(alice)
        self.rests(alice)
        data = {"song": noise("song", 1_500_000), "lamb": b"Mary had a little lamb"}
        cids = self.add(alice, **data)
        self.backed_up(alice)
        published = self.publish(alice, "blog", 7)
        self.backed_up(alice)
        members = self.members(alice)
        self.lose(alice)
        for supplier in members[1:3]:
            supplier.kill()
        again = self.begin(key_file)
        self.grid.until(lambda: again.is_on("my_data"), 300, "the recovery")
        self.switch_on(again)
        self.is_adopted(again)
        store = again.rooms.blocks.store
        self.assertEqual(self.pins(again), set(cids.values()))
        self.assertEqual(self.grid.wait(store.stat()).blocks, 0)
        self.assertTrue(self.row(again, cids["song"]).is_away)
        (_, blog) = self.run_now(again.rooms.ipfs.keys.all())
        self.assertEqual((blog.name, blog.id, blog.published.sequence), ("blog", published, 7))
        self.assertEqual(self.cat(again, cids["song"], 700_000, 10), data["song"][700_000:700_010])
        self.assertEqual(self.grid.wait(store.stat()).blocks, 2)
        for name, cid in cids.items():
            self.assertEqual(self.cat(again, cid), data[name])


class UpkeepTests(PinCase):
    def test_one_life(self) -> None:
        """Segments are counted in space and shown in no list; copies that go come back; what is pinned no more goes
        from the suppliers, and what stays beside it does not."""
        self.add_suppliers(2)
        alice = self.add_customer(**{"services/customer/suppliers-number": 2, SEGMENT: 1 << 20})
        self.switch_on(alice)
        self.rests(alice)
        data = {"gone": noise("gone", 600_000), "stays": noise("stays", 200_000)}
        cids = self.add(alice, **data)
        self.backed_up(alice)
        used = self.result(alice, "space_consumed")["used"]
        self.assertGreater(used, 800_000)
        self.assertEqual(self.result(alice, "files_list", recursive=True), [])
        self.assertEqual(self.result(alice, "files_uploads")["running"], [])
        self.assertEqual([row["alias"] for row in self.result(alice, "keys_list")], ["master"])
        rows = self.result(alice, "ipfs_pins")
        self.assertEqual({(row["cid"], row["backed_up"]) for row in rows}, {(str(cid), True) for cid in cids.values()})
        store = alice.rooms.blocks.store
        self.run_now(store.saving.drop(1 << 40))
        self.assertEqual(self.grid.wait(store.stat()).blocks, 0)
        self.assertIn("suppliers are not asked offline", self.offline(alice, cids["stays"]))
        self.assertEqual(self.cat(alice, cids["stays"]), data["stays"])
        self.assertEqual(self.offline(alice, cids["stays"]), "")
        self.grid.wait(store.apply(Unpin(cids["gone"])))
        collection = store.collect()
        self.grid.wait(collection.machine.when(*collection.machine.final))
        self.backed_up(alice)
        figures = self.grid.wait(store.saving.figures())
        self.assertEqual((figures.segments, figures.bytes), (1, self.row(alice, cids["stays"]).size))
        self.grid.until(lambda: self.result(alice, "space_consumed")["used"] < used // 2, 600, "the removal")
        self.run_now(store.saving.drop(1 << 40))
        self.assertEqual(self.cat(alice, cids["stays"]), data["stays"])
