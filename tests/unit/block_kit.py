"""A block store on a clock, with blocks whose links are easy to read."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from bitdust.automats.kernel import Registry
from bitdust.blocks.store import BlockStore
from bitdust.disk.disk import Disk
from bitdust.ipld.cid import DAG_CBOR, DAG_PB, RAW, Block, Cid
from bitdust.ipld.errors import malformed
from bitdust.wire.errors import BitDustError
from tests.unit.kit import Settings

START = 1_700_000_000
MAX, RESERVE = "services/block-store/storage-max", "paths/disk-reserve-percent"


def links_of(cid: Cid, data: bytes) -> list[Cid]:
    """A node is ``N``, a byte for the codec, the number of its links, each with its length, and anything behind."""
    if cid.codec == RAW:
        return []
    if data[:1] != b"N" or data[1] != cid.codec & 0xFF:
        raise malformed("no node of this codec")
    count, position, found = int.from_bytes(data[2:5], "big"), 5, []
    for _ in range(count):
        length = data[position]
        found.append(Cid.from_bytes(data[position + 1 : position + 1 + length]))
        position += 1 + length
    return found


def leaf(text: str, size: int = 0) -> Block:
    """A block without links."""
    data = text.encode() + hashlib.shake_128(text.encode()).digest(size)
    return Block(Cid.of(data), data)


def node(*children: Block | Cid, text: str = "", codec: int = DAG_PB) -> Block:
    """A block that links to others."""
    cids = [bytes(child.cid if isinstance(child, Block) else child) for child in children]
    data = b"N" + bytes([codec & 0xFF]) + len(cids).to_bytes(3, "big")
    data += b"".join(bytes([len(cid)]) + cid for cid in cids) + text.encode()
    return Block(Cid.of(data, codec), data)


def named(block: Block, codec: int) -> Block:
    """The same bytes under another codec."""
    return Block(Cid(1, codec, block.cid.multihash), block.data)


def tree(name: str, leaves: int = 3, levels: int = 1) -> list[Block]:
    """Blocks of a tree, children before parents; the last one is the root."""
    blocks, level = [], [leaf(f"{name} {number}") for number in range(leaves)]
    for depth in range(levels):
        blocks += level
        level = [node(*level, text=f"{name} {depth}")]
    return [*blocks, *level]


class BlockCase(SynchronousTestCase):
    """A store whose every read and write is done at once."""

    full = 4096
    made = (links_of,)
    """What a store is made with besides its place."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.folder = Path(self.mktemp()).absolute()
        self.settings = Settings({MAX: 1 << 40, RESERVE: 0})
        self.registry = Registry(self.clock, self.clock.seconds)
        now = lambda: START + self.clock.seconds()  # noqa: E731
        world = SimpleNamespace(clock=self.clock, wall=now, run_in_thread=self.run_in_thread)
        self.around: Any = SimpleNamespace(world=world, settings=self.settings, registry=self.registry)
        self.store = self.open()

    def run_in_thread(self, call: Any, *arguments: Any) -> "Deferred[Any]":
        """At once."""
        return maybeDeferred(call, *arguments)

    def tearDown(self) -> None:
        self.end(self.store)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def open(self, disk: Disk | None = None, is_suspect: bool = False) -> BlockStore:
        store = BlockStore(self.around, self.folder, *self.made, disk, self.full)
        self.opened = self.came(store.open(is_suspect))
        return store

    def end(self, store: BlockStore) -> None:
        self.came(store.close())

    def again(self) -> None:
        """The node starts once more."""
        self.end(self.store)
        self.store = self.open()

    def came(self, work: "Deferred[Any] | None") -> Any:
        """What it fires with, now."""
        return self.successResultOf(work) if work is not None else None

    def refused(self, code: str, work: "Deferred[Any]") -> BitDustError:
        """It has failed with this code."""
        error = self.failureResultOf(work, BitDustError).value
        self.assertEqual(error.code, code, str(error))
        return error

    def put(self, *blocks: Block, changes: Sequence[Any] = ()) -> None:
        """Store blocks and changes in one go."""
        lease = self.store.lease()
        for block in blocks:
            self.came(lease.put(block))
        self.came(lease.commit(*changes))
        lease.end()

    def here(self) -> set[Cid]:
        """Blocks that the store lists."""
        found, after = [], -1
        while True:
            rows, after = self.came(self.store.listing(after, 7))
            found += [row.cid for row in rows]
            if after < 0:
                return set(found)

    def gets(self, *blocks: Block) -> None:
        """These are here, each with its bytes."""
        for block in blocks:
            self.assertEqual(self.came(self.store.get(block.cid)), block.data)

    def collect(self) -> Any:
        """Run a collection to its end."""
        collection = self.store.collect()
        self.assertEqual(collection.machine.state, "DONE")
        return collection


__all__ = ["DAG_CBOR", "DAG_PB", "RAW", "BlockCase", "leaf", "links_of", "named", "node", "tree"]
