"""A process that adds trees and collects is killed by the system: every tree that it answered for is there."""

import subprocess
import sys

from bitdust.blocks.values import Mode
from bitdust.ipld.cid import Cid
from tests.unit.block_kit import BlockCase, links_of

PROGRAM = """
import sys
from pathlib import Path
from types import SimpleNamespace

from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.threads import deferToThread

from bitdust.automats.kernel import Registry
from bitdust.blocks.store import BlockStore
from bitdust.blocks.values import Pin, Unpin
from tests.unit.block_kit import MAX, RESERVE, links_of, tree
from tests.unit.kit import Settings

world = SimpleNamespace(clock=reactor, wall=reactor.seconds, run_in_thread=deferToThread)
around = SimpleNamespace(world=world, settings=Settings({MAX: 1 << 40, RESERVE: 0}),
                         registry=Registry(reactor, reactor.seconds))
store = BlockStore(around, Path(sys.argv[1]), links_of, full=20_000)

async def add(who):
    last, before, number = None, None, 0
    while True:
        number += 1
        blocks = tree(f"{who} {number}", 20)
        lease = store.lease()
        for block in blocks:
            lease.put(block)
        await lease.commit(Pin(blocks[-1].cid), *([Unpin(before)] if before and number % 2 else []))
        lease.end()
        before, last = last, blocks[-1].cid
        print(who, last, flush=True)

async def collect():
    while True:
        await store.collect().machine.when("DONE")

async def live():
    await store.open()
    await gatherResults([Deferred.fromCoroutine(one) for one in (add("a"), add("b"), collect())])

Deferred.fromCoroutine(live()).addErrback(lambda failure: failure.printTraceback(sys.stderr))
reactor.run()
"""
ANSWERS = 60


class KilledStoreTests(BlockCase):
    full = 20_000

    def test_kill_9(self) -> None:
        """The last tree of each adder was answered for, so it is pinned and whole; the store goes on, and collects."""
        self.end(self.store)
        command = [sys.executable, "-c", PROGRAM, str(self.folder)]
        last: dict[str, Cid] = {}
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            for _ in range(ANSWERS):
                who, cid = process.stdout.readline().split()
                last[who] = Cid.parse(cid)
            process.kill()
            for line in process.stdout:
                if line.endswith("\n"):
                    last[line.split()[0]] = Cid.parse(line.split()[1])
        self.store = self.open()
        pins = {pin.cid for _, pin in self.came(self.store.pins(Mode.RECURSIVE))}
        self.assertLessEqual(set(last.values()), pins)
        self.assertEqual(len(last), 2)
        for _ in range(2):
            for cid in pins:
                self.whole(cid)
            self.collect()
        self.assertEqual(self.store.problem(), "")

    def whole(self, cid: Cid) -> None:
        for link in links_of(cid, self.came(self.store.get(cid))):
            self.whole(link)
