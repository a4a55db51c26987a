"""A block store beside a dictionary: whatever is done, both know the same."""

import random
import sqlite3

from bitdust.blocks import collecting, leases, reach
from bitdust.blocks.reach import IdSet, Waiting
from bitdust.blocks.values import Mode, Pin, Root, Unpin
from bitdust.ipld.cid import Block, Cid
from bitdust.ipld.multihash import IDENTITY
from bitdust.wire.errors import BitDustError
from tests.unit.block_kit import DAG_CBOR, RAW, BlockCase, leaf, links_of, named, node

SEEDS, STEPS = range(16, 28), 120


def universe(source: random.Random) -> list[Block]:
    """Blocks that link to each other in all ways: shared, often, under other names, inline, and one that is broken."""
    blocks = [leaf(f"leaf {number}", source.choice((0, 10, 900))) for number in range(8)]
    blocks.append(named(leaf("broken"), 0x70))
    for number in range(12):
        children = source.sample(blocks, source.randint(1, 4))
        if not source.randrange(4):
            children = children * 2
        if not source.randrange(4):
            data = node(*children[:1]).data
            children.append(Block(Cid.of(data, 0x70, IDENTITY), data))
        if not source.randrange(4):
            children[0] = named(children[0], source.choice((RAW, DAG_CBOR)))
        blocks.append(node(*children, text=str(number)))
    return blocks


class Model:
    """What a store has to know."""

    def __init__(self, every: list[Block]) -> None:
        self.every = {block.cid.multihash: block for block in every}
        self.here: set[bytes] = set()
        self.pins: dict[Cid, Mode] = {}
        self.roots: dict[str, Cid] = {}
        self.held: set[bytes] = set()
        self.codecs = {block.cid.multihash: {block.cid.codec} for block in every}
        for block in every:
            for link in self.links(block.cid):
                self.codecs.setdefault(link.multihash, set()).add(link.codec)

    def data(self, cid: Cid) -> bytes:
        return cid.inline() if cid.is_inline else self.every[cid.multihash].data

    def links(self, cid: Cid) -> list[Cid]:
        try:
            return links_of(cid, self.data(cid))
        except ValueError:
            return []

    def below(self, cid: Cid) -> set[Cid]:
        """Everything that can be reached, itself included; nobody knows what is below a block that is not here."""
        found, waiting = {cid}, [cid]
        while waiting:
            one = waiting.pop()
            is_here = one.is_inline or one.multihash in self.here
            new = [link for link in self.links(one) if is_here and link not in found]
            found.update(new)
            waiting += new
        return found

    def is_whole(self, cid: Cid) -> bool:
        """Whether all below is here, and can be followed."""
        below = self.below(cid)
        is_here = all(one.is_inline or one.multihash in self.here for one in below)
        return is_here and all(one.codec == RAW or self.can_follow(one) for one in below)

    def can_follow(self, cid: Cid) -> bool:
        try:
            links_of(cid, self.data(cid))
        except ValueError:
            return False
        return True

    def needed(self) -> set[bytes]:
        """At least this stays after a collection; blocks that are known under several names may keep more."""
        names = [pin for pin, mode in self.pins.items() if mode is Mode.RECURSIVE] + list(self.roots.values())
        names += [Cid(1, codec, held) for held in self.held for codec in self.codecs[held]]
        kept = {one.multihash for name in names for one in self.below(name)}
        return kept | {pin.multihash for pin, mode in self.pins.items() if mode is Mode.DIRECT}


class ModelTests(BlockCase):
    full = 3000

    def test_random_lives(self) -> None:
        """Stores, pins, roots, removals, leases, collections and restarts in any order."""
        self.patch(collecting, "ROWS", 5)
        self.patch(reach, "TOGETHER", 2)
        self.patch(collecting, "ROUNDS", 1)
        self.patch(leases, "FLUSH", 1500)
        self.patch(leases, "BESIDE", 0)
        for seed in SEEDS:
            self.source = random.Random(seed)
            self.blocks = universe(self.source)
            self.model = Model(self.blocks)
            self.lease = self.store.lease()
            for _ in range(STEPS):
                self.step()
            self.empty()

    def empty(self) -> None:
        """Without pins and roots nothing is left, not even a row."""
        self.lease.end()
        for cid in list(self.model.pins):
            self.came(self.store.apply(Unpin(cid)))
        for name in list(self.model.roots):
            self.came(self.store.apply(Root(name, None)))
        self.collect()
        database: sqlite3.Connection = self.store._ledger.database
        for table in ("blocks", "links", "forms", "packs"):
            self.assertEqual(database.execute(f"SELECT count(*) FROM {table}").fetchone(), (0,), table)

    def step(self) -> None:
        steps = (self.store_some, self.store_some, self.pin, self.unpin, self.root, self.remove, self.lease_some,
                 self.end_lease, self.compare, self.gc, self.restart)  # fmt: skip
        weights = (6, 6, 6, 4, 3, 2, 3, 1, 2, 2, 1)
        self.source.choices(steps, weights)[0]()

    def pick(self) -> Block:
        return self.source.choice(self.blocks)

    def store_some(self) -> None:
        chosen = self.source.sample(self.blocks, self.source.randint(1, 8))
        if self.source.randrange(2):
            chosen = [named(block, self.source.choice((RAW, block.cid.codec))) for block in chosen]
        self.put(*chosen)
        self.model.here |= {block.cid.multihash for block in chosen}

    def pin(self) -> None:
        cid, mode = self.pick().cid, self.source.choice(tuple(Mode))
        work = self.store.apply(Pin(cid, mode))
        if cid.multihash not in self.model.here:
            self.refused("not-found", work)
        elif mode is Mode.DIRECT and self.model.pins.get(cid) is Mode.RECURSIVE:
            self.refused("already-pinned", work)
        elif mode is Mode.RECURSIVE and not self.model.is_whole(cid):
            error = self.failureResultOf(work, BitDustError).value
            self.assertIn(error.code, ("not-found", "unreadable"))
        else:
            self.came(work)
            self.model.pins[cid] = mode

    def unpin(self) -> None:
        cid = self.pick().cid
        work = self.store.apply(Unpin(cid))
        if self.model.pins.pop(cid, None) is None:
            self.refused("not-pinned", work)
        else:
            self.came(work)

    def root(self) -> None:
        cid, name = self.pick().cid, self.source.choice(("mfs", "key"))
        if cid.multihash in self.model.here:
            self.came(self.store.apply(Root(name, cid)))
            self.model.roots[name] = cid

    def remove(self) -> None:
        block = self.pick()
        work = self.store.remove(block.cid)
        failed = self.successResultOf(work.addErrback(lambda failure: failure.value))
        if block.cid.multihash in self.model.needed() & self.model.here:
            self.assertEqual(failed.code, "pinned")
        elif failed is True:
            self.model.here.discard(block.cid.multihash)

    def lease_some(self) -> None:
        for block in self.source.sample(self.blocks, 3):
            self.came(self.lease.put(block))
            self.model.here.add(block.cid.multihash)
            self.model.held.add(block.cid.multihash)
        self.came(self.lease.commit())

    def end_lease(self) -> None:
        self.lease.end()
        self.lease = self.store.lease()
        self.model.held.clear()

    def gc(self) -> None:
        self.collect()
        here = {cid.multihash for cid in self.here()}
        lost = (self.model.needed() & self.model.here) - here
        self.assertEqual([self.why(one) for one in lost], [])
        self.assertLessEqual(here, self.model.here)
        self.model.here = here
        self.compare()

    def why(self, lost: bytes) -> list[object]:
        """Who needs a block."""
        names = [(pin, mode) for pin, mode in self.model.pins.items()]
        names += [(cid, name) for name, cid in self.model.roots.items()]
        names += [(Cid(1, codec, one), "held") for one in self.model.held for codec in self.model.codecs[one]]
        number = {block.cid.multihash: at for at, block in enumerate(self.blocks)}
        return [number[lost], *((number[cid.multihash], cid.codec, why) for cid, why in names
                                if lost in {one.multihash for one in self.model.below(cid)})]  # fmt: skip

    def restart(self) -> None:
        self.lease.end()
        self.again()
        self.lease = self.store.lease()
        self.model.held.clear()
        self.compare()

    def compare(self) -> None:
        self.assertEqual({cid.multihash for cid in self.here()}, self.model.here)
        self.gets(*(block for block in self.blocks if block.cid.multihash in self.model.here))
        self.assertEqual({pin.cid: pin.mode for _, pin in self.came(self.store.pins())}, self.model.pins)
        self.assertEqual(self.came(self.store.roots()), self.model.roots)
        stat = self.came(self.store.stat())
        sizes = [len(self.model.every[one].data) for one in self.model.here]
        self.assertEqual((stat.blocks, stat.bytes), (len(sizes), sum(sizes)))
        self.assertEqual(stat.packed, sum(path.stat().st_size for path in self.folder.glob("*.pack")))
        for cid in (cid for cid, mode in self.model.pins.items() if mode is Mode.RECURSIVE):
            self.assertEqual(self.came(self.store.missing(self.came(self.store.rows([cid]))[0].id)), [])


class SetTests(BlockCase):
    def test_ids(self) -> None:
        """A set of ids is like any other set, in order."""
        source = random.Random(1)
        ids, real = IdSet(), set()
        for _ in range(5000):
            one = source.choice((source.randrange(100), source.randrange(10**6), source.randrange(10**12)))
            self.assertEqual(ids.add(one), one not in real)
            real.add(one)
        self.assertEqual((list(ids), len(ids)), (sorted(real), len(real)))
        self.assertTrue(all(one in ids for one in real))
        self.assertFalse(any(one in ids for one in range(10**6, 10**6 + 5000) if one not in real))

    def test_waiting(self) -> None:
        """Each id that waits is taken, however many wait."""
        waiting, taken = Waiting(10), []
        for one in range(100):
            waiting.put(one)
        self.assertEqual(len(waiting), 100)
        while found := waiting.take(7):
            taken += found
        self.assertEqual(sorted(taken), list(range(100)))
        self.assertEqual(len(waiting), 0)
