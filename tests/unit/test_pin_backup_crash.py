"""A backup of pins that dies before or after every step, of the shelf and of the index: nothing that stays is lost."""

import shutil
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred

from bitdust.blocks.values import Pin, Root, Unpin
from tests.unit.backup_kit import CAR, DEVICE, INDEX, BackupCase
from tests.unit.test_pin_backup import large

GONE, STAYS, NEW = large("gone", 5), large("stays", 1), large("new", 9)


class Tripwire:
    """Lets a process live up to a step, with it or without it; afterwards nobody hears of anything."""

    def __init__(self, at: int, with_it: bool) -> None:
        self.at, self.with_it = at, with_it
        self.count = 0
        self.is_dead = False

    def over(self, call: Callable[..., "Deferred[Any]"]) -> Callable[..., "Deferred[Any]"]:
        def step(*arguments: Any) -> "Deferred[Any]":
            self.count += 1
            is_last = self.count == self.at
            if self.is_dead or (is_last and not self.with_it):
                self.is_dead = True
                return Deferred()
            done = call(*arguments)
            if is_last:
                self.is_dead = True
                done.addErrback(lambda _: None)
                return Deferred()
            return done

        return step


class CrashCase(BackupCase):
    def lives(self, prepare: Callable[[], None], live: Callable[[], None], least: int) -> None:
        """Let a process die before and after each of its steps; then `judge` says what must be there."""
        prepare()
        self.keeper.stop()
        self.end(self.store)
        before = self.folder.with_name(self.folder.name + ".before")
        for number, folder in enumerate((self.folder, self.shelf.folder)):
            shutil.copytree(folder, before / str(number))
        self.device = self.around.me.device.id
        steps = self.life(before, 0, False, live)
        self.assertGreater(steps, least)
        for at in range(1, steps + 1):
            for with_it in (False, True):
                self.life(before, at, with_it, live)
        self.store = self.open()
        self.keeper = self.begin()

    def life(self, before: Any, at: int, with_it: bool, live: Callable[[], None]) -> int:
        """How many steps there were."""
        for number, folder in enumerate((self.folder, self.shelf.folder)):
            shutil.rmtree(folder)
            shutil.copytree(before / str(number), folder)
        self.around.me.device.id = self.device
        wire = Tripwire(at, with_it)
        self.store = self.open()
        names = ("keep", "read", "remove")
        self.store._threads.change = wire.over(self.store._threads.change)
        for name in names:
            setattr(self.shelf, name, wire.over(getattr(type(self.shelf), name).__get__(self.shelf)))
        self.keeper = self.begin_dying()
        live()
        for _ in range(3):
            self.clock.advance(10)
        self.keeper.stop()
        for name in names:
            delattr(self.shelf, name)
        self.end(self.store)
        try:
            self.store = self.open()
            self.keeper = self.begin()
            self.rests()
            self.judge()
        except Exception as error:
            raise AssertionError(f"{at}, with it: {with_it}: {error}") from error
        finally:
            self.keeper.stop()
            self.end(self.store)
        return wire.count

    def begin_dying(self) -> Any:
        from bitdust.blocks.backup.keeper import Keeper

        keeper = Keeper(self.around, self.store, self.shelf, self.records)
        Deferred.fromCoroutine(keeper.start())
        return keeper

    def judge(self) -> None:
        """What must be there."""
        raise NotImplementedError

    def tidy(self) -> None:
        """Suppliers have what the index names, and nothing else."""
        self.counted()
        names = [name.removesuffix(CAR) for name in self.shelf.names(CAR)]
        self.assertEqual(names, [name.removesuffix(INDEX) for name in self.shelf.names(INDEX)])
        known = self.store._ledger.database.execute("SELECT name FROM segments WHERE state=1 ORDER BY name").fetchall()
        self.assertEqual(names, [name for (name,) in known])


class GatheringTests(CrashCase):
    def test_a_pin(self) -> None:
        """Whenever it dies, the next start brings the pin to the suppliers, and leaves nothing there beside it."""
        self.lives(lambda: self.put(*NEW), self.pin_new, 8)

    def pin_new(self) -> None:
        self.store.apply(Pin(NEW[-1].cid), Root("mfs", NEW[-1].cid))

    def judge(self) -> None:
        if self.pinned():
            self.tidy()
            self.assertTrue(self.saved(NEW[-1].cid).is_told)
            self.lose(b"l" * 8)
            self.rests()
            self.assertEqual(self.pinned(), {NEW[-1].cid})
            self.assertEqual(self.came(self.store.roots()), {"mfs": NEW[-1].cid})
            self.gets(*NEW)
        else:
            self.assertEqual(self.shelf.names(CAR), [])


class RewritingTests(CrashCase):
    def test_a_half_empty_segment(self) -> None:
        """Whenever it dies, what stays is in exactly one segment after the next start, and comes back from there."""
        self.lives(self.prepare, lambda: None, 6)

    def prepare(self) -> None:
        self.put(*GONE, *STAYS, changes=[Pin(GONE[-1].cid), Pin(STAYS[-1].cid)])
        self.rests()
        self.keeper.stop()
        self.came(self.store.apply(Unpin(GONE[-1].cid)))
        self.collect()

    def judge(self) -> None:
        self.tidy()
        self.assertEqual(len(self.shelf.names(CAR)), 1)
        self.lose(b"l" * 8)
        self.rests()
        self.assertEqual(self.pinned(), {STAYS[-1].cid})
        self.gets(*STAYS)


class AdoptingTests(CrashCase):
    def test_a_takeover(self) -> None:
        """Whenever it dies, also with a collection before it goes on, the next start takes over everything."""
        self.lives(self.prepare, lambda: None, 6)

    def prepare(self) -> None:
        self.put(*STAYS, *NEW, changes=[Pin(NEW[-1].cid), Root("mfs", STAYS[-1].cid)])
        self.rests()
        self.shelf.ready = False
        self.lose(b"l" * 8)
        self.shelf.ready = True

    def begin(self, store: Any = None) -> Any:
        if self.around.me.device.id != DEVICE and self.shelf.ready:
            self.collect()
        return super().begin(store)

    def judge(self) -> None:
        self.counted()
        self.assertEqual(self.pinned(), {NEW[-1].cid})
        self.assertEqual(self.came(self.store.roots()), {"mfs": STAYS[-1].cid})
        self.collect()
        self.gets(*STAYS, *NEW)


class DroppingTests(CrashCase):
    full = 1500

    def test_copies_that_go(self) -> None:
        """Whenever it dies, each block is here or comes from a segment."""
        self.lives(lambda: self.pin(*NEW), self.drop, 4)

    def drop(self) -> None:
        Deferred.fromCoroutine(self.store.saving.drop(1 << 40)).addErrback(lambda _: None)

    def judge(self) -> None:
        self.tidy()
        self.gets(*NEW)
