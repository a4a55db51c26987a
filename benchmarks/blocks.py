"""The block store: what it takes and gives a second, and what a million blocks cost.

    python -m benchmarks blocks --megabytes 512 --blocks 1000000

One process, its own threads, real files and syncs. A file is added as a client would: blocks of 256 KiB of random bytes
under nodes of 174 links, with one pin at the end. Small adds are one block of 1 KB and its pin each, one after the
other. The million are blocks of 64 bytes under nodes of 174 links, half of them pinned. CPU seconds are those of the
process.
"""

import argparse
import gc
import os
import random
import resource
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import react
from twisted.internet.threads import deferToThread

from benchmarks.storage import memory_mib
from bitdust.automats.kernel import Registry
from bitdust.blocks.store import BlockStore
from bitdust.blocks.values import Pin
from bitdust.blocks.writing import SETTING
from bitdust.disk.reserve import SETTING as RESERVE
from bitdust.ipld import dagpb
from bitdust.ipld.cid import DAG_PB, Block, Cid
from bitdust.ipld.codecs import links

LEAF, FAN = 256 * 1024, 174


class Timer:
    """Seconds and CPU seconds since it was made."""

    def __init__(self) -> None:
        self._began, self._used = time.perf_counter(), cpu()

    @property
    def took(self) -> tuple[float, float]:
        return time.perf_counter() - self._began, cpu() - self._used


def cpu() -> float:
    """CPU seconds of this process."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def node(cids: Sequence[Cid]) -> Block:
    """A node over some blocks."""
    data = dagpb.encode([dagpb.Link(cid, "", 0) for cid in cids])
    return Block(Cid.of(data, DAG_PB), data)


def tree(count: int, size: int) -> Iterator[Block]:
    """Random leaves, and nodes over them as they come; the root is the last."""
    levels: list[list[Cid]] = [[]]
    for _ in range(count):
        data = os.urandom(size)
        yield from grown(levels, Block(Cid.of(data), data))
    for at in range(len(levels)):
        if at + 1 < len(levels) or len(levels[at]) > 1:
            above = node(levels[at])
            yield above
            levels[at + 1 : at + 2] = [[*(levels[at + 1] if at + 1 < len(levels) else []), above.cid]]


def grown(levels: list[list[Cid]], block: Block) -> Iterator[Block]:
    """A block, and the nodes that it makes full."""
    at = 0
    while True:
        yield block
        levels[at].append(block.cid)
        if len(levels[at]) < FAN:
            return
        block, levels[at] = node(levels[at]), []
        at += 1
        if at == len(levels):
            levels.append([])


class Bench:
    """One store in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        world = SimpleNamespace(clock=reactor, wall=time.time, run_in_thread=deferToThread)
        settings = SimpleNamespace(get={SETTING: 1 << 50, RESERVE: 0}.__getitem__)
        registry = Registry(reactor, time.time)  # type: ignore[arg-type]
        self.around: Any = SimpleNamespace(world=world, settings=settings, registry=registry)
        self.folder = folder
        self.figures: dict[str, float] = {}

    async def open(self) -> None:
        """Open the store."""
        self.store = BlockStore(self.around, self.folder, links)
        await self.store.open()

    async def add(self, count: int, size: int, pinned: bool = True) -> Cid:
        """Add a tree; its root."""
        lease = self.store.lease()
        for block in tree(count, size):
            waiting = lease.put(block)
            if waiting is not None:
                await waiting
        await lease.commit(*([Pin(block.cid)] if pinned else ()))
        lease.end()
        return block.cid

    def note(self, name: str, timer: Timer, amount: float) -> None:
        """So much a second, by the clock and by the CPU."""
        took, used = timer.took
        self.figures |= {name: amount / took, f"{name} of CPU": amount / max(used, 1e-9)}

    async def large(self, megabytes: int) -> None:
        """A file of so many megabytes in, out, and in again."""
        count = megabytes * 1_000_000 // LEAF
        timer = Timer()
        await self.add(count, LEAF)
        self.note("add, MB a second", timer, megabytes)
        rows, after = [], -1
        while True:
            more, after = await self.store.listing(after)
            rows += more
            if after < 0:
                break
        cids = [row.cid for row in rows]
        timer = Timer()
        at = 0
        while at < len(cids):
            at += len(await self.store.get_some(cids[at : at + 32]))
        self.note("get in order, MB a second", timer, megabytes)
        random.shuffle(cids)
        timer = Timer()
        for cid in cids[:500]:
            await self.store.get(cid)
        self.note("get one by one, blocks a second", timer, len(cids[:500]))

    async def small(self, count: int) -> None:
        """Adds of one block and its pin."""
        timer = Timer()
        for _ in range(count):
            await self.add(1, 1000)
        self.note("small adds one after the other, a second", timer, count)
        timer = Timer()
        await_all = [Deferred.fromCoroutine(self.add(1, 1000)) for _ in range(count)]
        for one in await_all:
            await one
        self.note("small adds at once, a second", timer, count)

    async def million(self, blocks: int) -> None:
        """Very many small blocks: figures of everything that lists or walks."""
        before = memory_mib(os.getpid())
        timer = Timer()
        await self.add(blocks // 2, 64)
        loose = await self.add(blocks - blocks // 2, 64, pinned=False)
        self.note("many small blocks, a second", timer, blocks)
        self.figures["memory before, MiB"] = before
        self.figures["memory after adding, MiB"] = memory_mib(os.getpid())
        stat = await self.timed("repo/stat, ms", self.store.stat)
        self.figures["blocks"] = stat.blocks
        self.figures["index, bytes a block"] = stat.index / stat.blocks
        await self.timed("pin/ls recursive, ms", self.store.pins)
        await self.timed("who pins a block, ms", lambda: self.store.pinned_through(loose))
        await self.indirect()
        await self.again("start, ms")
        timer = Timer()
        collection = self.store.collect()
        await collection.machine.when("DONE")
        took, used = timer.took
        self.figures |= {"gc, s": took, "gc, CPU s": used, "gc removed": collection.blocks}
        self.figures["peak memory, MiB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

    async def indirect(self) -> None:
        """``pin/ls --type=indirect`` to its end."""
        timer, count = Timer(), 0
        found = await self.store.indirect()
        while rows := await self.store.indirect_page(found):
            count += len(rows)
        took, used = timer.took
        self.figures |= {"pin/ls indirect, s": took, "pin/ls indirect, CPU s": used, "pin/ls indirect, blocks": count}

    async def again(self, name: str) -> None:
        """Close and open."""
        await self.store.close()
        await self.timed(name, self.open)

    async def timed(self, name: str, call: Any) -> Any:
        """Milliseconds of one call."""
        timer = Timer()
        result = await call()
        self.figures[name] = 1000 * timer.took[0]
        return result


def main(arguments: Sequence[str]) -> int:
    """Print a line a figure."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks blocks", description=__doc__)
    parser.add_argument("--megabytes", type=int, default=512)
    parser.add_argument("--small", type=int, default=300)
    parser.add_argument("--blocks", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, help="where to store; left out: a temporary folder")
    options = parser.parse_args(arguments)

    async def run(_: Any) -> None:
        with tempfile.TemporaryDirectory(prefix="bitdust-blocks-", dir=options.folder) as folder:
            for name in ("large", "small", "million"):
                bench = Bench(Path(folder) / name)
                await bench.open()
                amount = {"large": options.megabytes, "small": options.small, "million": options.blocks}[name]
                await getattr(bench, name)(amount)
                await bench.store.close()
                gc.collect()
                for what, value in bench.figures.items():
                    print(f"{what:60} {value:12.2f}", flush=True)

    try:
        react(lambda main_reactor: Deferred.fromCoroutine(run(main_reactor)))
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0
