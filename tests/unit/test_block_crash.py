"""A block store that dies, or loses its power, at every change of its disk: what was answered is there."""

import gc
import random
import shutil
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred

from bitdust.blocks import collecting, rewriting, unsynced
from bitdust.blocks.store import BlockStore
from bitdust.blocks.values import Mode, Pin, Root, Unpin
from bitdust.ipld.cid import Block, Cid
from bitdust.testing.faulty_disk import SYNC, WRITE, Change, Crash, Fault, FaultyDisks
from tests.grid.crash.power import Unsynced
from tests.unit.block_kit import BlockCase, tree

HOWS = {"before": 0.0, "half": 0.5, "after": 1.0, "power": 0.0, "torn": 0.0}
ONLY = {"half": WRITE, "torn": SYNC}
"""Ways that are the same as another one, but for changes of this kind."""
OLD, NEW, LOOSE, NEXT = tree("old", 8), tree("new", 6, 2), tree("loose", 30), tree("next", 4)


class Life:
    """One process over the folder; it ends at a change, or does not."""

    def __init__(self, case: BlockCase, at: int, how: str) -> None:
        self.case, self.at, self.how = case, at, how
        self.kinds: list[str] = []
        self.disks = FaultyDisks(sees_all=True)
        self.unsynced = Unsynced()
        self.last: Change | None = None
        self.count = 0
        self.is_over = False

    def judge(self, change: Change) -> Fault | None:
        """What SQLite writes in a row is one change."""
        last = self.last
        is_same = last is not None and (last.kind, last.path) == (change.kind, change.path)
        if not (is_same and change.kind == WRITE and ".db" in change.path.name):
            self.count += 1
        self.last = change
        if len(self.kinds) < self.count:
            self.kinds.append(change.kind)
        if self.count != self.at or self.is_over:
            self.unsynced.see(change)
            return None
        return Fault(Crash(str(change)), HOWS[self.how], self.die)

    def die(self) -> None:
        self.is_over = True
        self.disks.leave(self.case.folder)
        if self.how in ("power", "torn"):
            with self.disks.outside():
                self.unsynced.cut(random.Random(self.at) if self.how == "torn" else None)


class CrashCase(BlockCase):
    full = 2048

    every = 1
    """Of very many changes each so-many-th in each way, and another one in the next way."""

    def lives(self, prepare: Callable[[], None], live: Callable[[BlockStore], None], least: int) -> None:
        """Let a process die at each of its changes in each way; then `judge` says what must be there."""
        prepare()
        self.end(self.store)
        before = self.folder.with_name(self.folder.name + ".before")
        shutil.copytree(self.folder, before)
        kinds = self.life(0, "before", live)
        self.assertGreater(len(kinds), least)
        for shift, how in enumerate(HOWS):
            for at, kind in enumerate(kinds, 1):
                if ONLY.get(how, kind) == kind and (at + shift) % self.every == 0:
                    shutil.rmtree(self.folder)
                    shutil.copytree(before, self.folder)
                    self.assertGreaterEqual(len(self.life(at, how, live)), at)
        self.store = self.open()

    def life(self, at: int, how: str, live: Callable[[BlockStore], None]) -> list[str]:
        """The kinds of changes that there were."""
        life = Life(self, at, how)
        self.done: set[str] = set()
        life.disks.watch(self.folder, life.judge)
        with life.disks.installed():
            store = BlockStore(self.around, self.folder, *self.made, full=self.full)
            if self.went(store.open()):
                live(store)
            life.disks.leave(self.folder)
        for packs in (store._packs, *store._threads.packs.values()):
            packs.close()
        del store
        gc.collect(0)
        self.store = self.open()
        try:
            self.judge()
        except Exception as error:
            raise AssertionError(f"{how} {at}, {life.last}: {error}") from error
        self.end(self.store)
        return life.kinds

    def went(self, work: "Deferred[Any]") -> bool:
        """Whether it ended well; a process that is gone says nothing."""
        ended: list[bool] = []
        work.addCallbacks(lambda _: ended.append(True), lambda _: ended.append(False))
        return ended == [True]

    def judge(self) -> None:
        """What must be there."""
        raise NotImplementedError

    def sound(self) -> None:
        """All that is listed can be read, all that is pinned is complete, the figures are true, and life goes on."""
        self.assertEqual(self.store.problem(), "")
        every = {block.cid: block for block in (*OLD, *NEW, *LOOSE, *NEXT)}
        here = self.here()
        self.gets(*(every[cid] for cid in here))
        for _, pin in self.came(self.store.pins()):
            if pin.mode is Mode.RECURSIVE:
                self.assertTrue(self.below(pin.cid, every) <= here)
        self.counted()

    def below(self, cid: Cid, every: dict[Cid, Block]) -> set[Cid]:
        links = self.made[0](cid, every[cid].data)
        return {cid}.union(*(self.below(link, every) for link in links))

    def counted(self) -> None:
        database = self.store._ledger.database
        query = "SELECT count(pack), coalesce(sum(size), 0), coalesce(sum(14 + length(multihash) + size), 0)"
        counted = database.execute(f"{query} FROM blocks WHERE pack IS NOT NULL").fetchone()
        packed, live = database.execute("SELECT coalesce(sum(size), 0), coalesce(sum(live), 0) FROM packs").fetchone()
        self.assertEqual(live, counted[2])
        self.assertEqual(database.execute("SELECT * FROM totals").fetchone(), (*counted[:2], packed, live))

    def pinned(self) -> set[Cid]:
        return {pin.cid for _, pin in self.came(self.store.pins())}

    def step(self, name: str, work: "Deferred[Any]") -> bool:
        """Do something of a life; what was answered is noted."""
        went = self.went(work)
        if went:
            self.done.add(name)
        return went


class AddTests(CrashCase):
    def test_an_add(self) -> None:
        """An add that was answered is there with its pin and root; one that was not left no pin and no root."""
        self.lives(lambda: self.put(*OLD, changes=[Pin(OLD[-1].cid)]), self.add, 10)

    def add(self, store: BlockStore) -> None:
        lease = store.lease()
        for block in NEW:
            lease.put(block)
        if self.step("add", lease.commit(Pin(NEW[-1].cid), Root("mfs", NEW[-1].cid))):
            for block in NEXT:
                lease.put(block)
            self.step("next", lease.commit(Pin(NEXT[-1].cid)))

    def judge(self) -> None:
        self.sound()
        self.gets(*OLD)
        if "add" in self.done:
            self.gets(*NEW)
        is_added = NEW[-1].cid in self.pinned()
        self.assertGreaterEqual(is_added, "add" in self.done)
        self.assertEqual(self.came(self.store.roots()), {"mfs": NEW[-1].cid} if is_added else {})
        self.assertGreaterEqual(NEXT[-1].cid in self.pinned(), "next" in self.done)
        self.put(*NEW, *NEXT, changes=[Pin(NEW[-1].cid), Pin(NEXT[-1].cid)])
        self.collect()
        self.gets(*OLD, *NEW, *NEXT)
        self.sound()


class SyncedAddTests(AddTests):
    def setUp(self) -> None:
        """As larger adds are written: each syncs its pack."""
        super().setUp()
        self.patch(unsynced, "SMALL", 0)


class FullJournalTests(AddTests):
    def setUp(self) -> None:
        """Some adds sync the pack, and those before them with it."""
        super().setUp()
        self.patch(unsynced, "MOST", 200)


class RootTests(CrashCase):
    def test_a_change_of_a_root(self) -> None:
        """A root names the old tree or the new one, and that one is whole."""
        self.lives(lambda: self.put(*OLD, changes=[Root("mfs", OLD[-1].cid), Pin(OLD[-1].cid)]), self.change, 7)

    def change(self, store: BlockStore) -> None:
        lease = store.lease()
        for block in NEW:
            lease.put(block)
        self.step("change", lease.commit(Root("mfs", NEW[-1].cid), Unpin(OLD[-1].cid)))

    def judge(self) -> None:
        self.sound()
        root = self.came(self.store.roots())["mfs"]
        is_changed = root == NEW[-1].cid
        self.assertGreaterEqual(is_changed, "change" in self.done)
        self.assertEqual(self.pinned(), set() if is_changed else {OLD[-1].cid})
        self.collect()
        self.gets(*(NEW if is_changed else OLD))
        self.sound()


class CollectTests(CrashCase):
    every = 3

    def test_a_collection(self) -> None:
        """Whatever a collection was doing, what is pinned is there, and the next one ends its work."""
        self.patch(collecting, "ROWS", 7)
        self.patch(rewriting, "COPIED", 300)
        self.lives(self.prepare, self.collect_in, 15)

    def prepare(self) -> None:
        self.put(*NEW)
        mixed = [block for pair in zip(LOOSE, OLD * 4, strict=False) for block in pair]
        self.put(*mixed, *LOOSE, changes=[Pin(OLD[-1].cid)])

    def collect_in(self, store: BlockStore) -> None:
        if store.collect().machine.state == "DONE":
            self.done.add("collect")

    def judge(self) -> None:
        self.sound()
        self.gets(*OLD)
        if "collect" in self.done:
            self.assertEqual(self.here(), {block.cid for block in OLD})
        lease = self.store.lease()
        try:
            self.came(lease.hold(NEW[-1].cid))
            self.collect()
            self.sound()
            is_whole = {block.cid for block in NEW} <= self.here()
            if is_whole:
                self.came(self.store.apply(Pin(NEW[-1].cid)))
            else:
                self.refused("not-found", self.store.apply(Pin(NEW[-1].cid)))
        finally:
            lease.end()
        packs = len(list(self.folder.glob("*.pack")))
        self.assertLessEqual(packs, 6)
