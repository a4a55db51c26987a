"""Collections beside adds in flight: whatever happens between two portions, nothing goes that somebody needs."""

import random
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from bitdust.automats.kernel import Registry
from bitdust.blocks import collecting, leases, reach, rewriting
from bitdust.blocks.store import BlockStore
from bitdust.blocks.values import Mode, Pin, Root, Unpin
from bitdust.ipld.cid import Block, Cid
from bitdust.wire.errors import BitDustError
from tests.unit.block_kit import MAX, RESERVE, BlockCase, links_of, tree
from tests.unit.kit import Settings

SEEDS = range(6)


class Adder:
    """I add, pin, unpin and name trees, with a pause wherever a client might make one."""

    def __init__(self, store: BlockStore, source: random.Random, name: str, pause: Any) -> None:
        self.store, self.source, self.name, self.pause = store, source, name, pause
        self.trees = [tree(f"{source.choice('abc')} {number}", source.randint(1, 5), source.randint(1, 3))
                      for number in range(4)]  # fmt: skip
        self.pins: dict[Cid, list[Block]] = {}
        self.root: list[Block] = []

    async def live(self, rounds: int) -> None:
        for _ in range(rounds):
            await self.source.choice((self.add, self.add, self.pin, self.unpin, self.name_it))()
            await self.pause()

    async def add(self) -> None:
        blocks = self.source.choice(self.trees)
        lease = self.store.lease()
        for block in blocks:
            waiting = lease.put(block)
            if waiting is not None:
                await waiting
            if not self.source.randrange(3):
                await self.pause()
        if not self.source.randrange(3):
            await lease.commit()
            await self.pause()
        await lease.commit(Pin(blocks[-1].cid))
        lease.end()
        self.pins[blocks[-1].cid] = blocks

    async def pin(self) -> None:
        """What is here may be pinned without being brought; what is going is said not to be here."""
        blocks = self.source.choice(self.trees)
        try:
            await self.store.apply(Pin(blocks[-1].cid))
        except BitDustError as error:
            if error.code != "not-found":
                raise
        else:
            self.pins[blocks[-1].cid] = blocks

    async def unpin(self) -> None:
        """Another adder may have done so before."""
        if self.pins:
            cid = self.source.choice(list(self.pins))
            del self.pins[cid]
            try:
                await self.store.apply(Unpin(cid))
            except BitDustError as error:
                if error.code != "not-pinned":
                    raise

    async def name_it(self) -> None:
        blocks = self.source.choice(self.trees)
        lease = self.store.lease()
        for block in blocks:
            lease.put(block)
        await lease.commit(Root(self.name, blocks[-1].cid))
        lease.end()
        self.root = blocks


async def collect_while(store: BlockStore, is_over: Any) -> int:
    """Run one collection after the other; how many blocks have gone."""
    gone = 0
    while not is_over():
        collection = store.collect()
        await collection.machine.when("DONE")
        gone += collection.blocks
    return gone


class RaceTests(BlockCase):
    full = 2000

    def setUp(self) -> None:
        self.source = random.Random(0)
        super().setUp()

    def run_in_thread(self, call: Any, *arguments: Any) -> "Deferred[Any]":
        return deferLater(self.clock, self.source.choice((0.0, 0.01, 0.05)), call, *arguments)

    def came(self, work: "Deferred[Any] | None") -> Any:
        """What it fires with, when enough time has passed."""
        fired: list[Any] = []
        if work is not None:
            work.addBoth(lambda result: fired.append(result) or result)
            for _ in range(100_000):
                if fired:
                    return self.successResultOf(work)
                self.clock.advance(0.01)
        return None

    def pause(self) -> "Deferred[None]":
        return deferLater(self.clock, self.source.random() / 10)

    def test_in_any_order(self) -> None:
        """Adders that share blocks, and collections all the time: what is pinned or named at the end is whole."""
        for module, name, value in ((collecting, "ROWS", 3), (collecting, "ROUNDS", 1), (rewriting, "COPIED", 200)):
            self.patch(module, name, value)
        self.patch(reach, "TOGETHER", 2)
        self.patch(leases, "FLUSH", 100)
        gone = 0
        for seed in SEEDS:
            self.source = random.Random(seed)
            adders = [Adder(self.store, self.source, f"root {number}", self.pause) for number in range(3)]
            working = gatherResults([Deferred.fromCoroutine(adder.live(12)) for adder in adders])
            collecting_ = Deferred.fromCoroutine(collect_while(self.store, lambda working=working: working.called))
            self.came(working)
            gone += self.came(collecting_)
            self.judge(adders)
            for _, pin in self.came(self.store.pins()):
                self.came(self.store.apply(Unpin(pin.cid)))
        self.assertGreater(gone, 100)

    def judge(self, adders: list[Adder]) -> None:
        pins = {pin.cid for _, pin in self.came(self.store.pins())}
        every = {blocks[-1].cid: blocks for adder in adders for blocks in adder.trees}
        for cid in pins:
            self.gets(*every[cid])
        for adder in adders:
            self.gets(*adder.root)
        for cid in pins:
            self.came(self.store.apply(Pin(cid, Mode.RECURSIVE)))


class RealThreadTests(TestCase):
    def test_real_threads(self) -> None:
        """The same with threads of the system: adders, a reader and collections, all at once."""
        return Deferred.fromCoroutine(self.race())

    async def race(self) -> None:
        registry = Registry(reactor, reactor.seconds)
        world = SimpleNamespace(clock=reactor, wall=reactor.seconds, run_in_thread=deferToThread)
        around: Any = SimpleNamespace(world=world, settings=Settings({MAX: 1 << 40, RESERVE: 0}), registry=registry)
        store = BlockStore(around, Path(self.mktemp()).absolute(), links_of, full=20_000)
        await store.open()
        self.patch(collecting, "ROWS", 20)
        self.patch(leases, "FLUSH", 500)
        source = random.Random(1)
        adders = [Adder(store, source, f"root {number}", lambda: deferLater(reactor, 0)) for number in range(4)]
        working = gatherResults([Deferred.fromCoroutine(adder.live(15)) for adder in adders])
        await gatherResults([working, Deferred.fromCoroutine(collect_while(store, lambda: working.called))])
        every = {blocks[-1].cid: blocks for adder in adders for blocks in adder.trees}
        for _, pin in await store.pins():
            for block in every[pin.cid]:
                self.assertEqual(await store.get(block.cid), block.data)
        await store.close()
        for machine in registry:
            machine.stop_timers()
