"""Packs that were coded for a family of another size move to the scheme of the present one, in the background.

A pack is brought here from any suppliers that have enough of it, or taken from this disk, sealed again as a new pack
with the same chunks, and coded for the present family. Only when every supplier has its new piece, one entry of the log
says that the new pack takes the place of the old one; the old pieces go when enough suppliers hold that entry. So at
every moment each version names a pack of which enough suppliers have enough. Which packs are on their way is in the
catalog: a killed node goes on where it was.

What can be had from nowhere for a month is left out (`bitdust.storage.keeping.left_out`).

The weakest packs go first, few at a time, at the pace of the setting, and slowly while files go up or come down.
"""

import sqlite3
from collections import deque
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from bitdust.automats.reencoding import Reencoding
from bitdust.signal import Signal
from bitdust.storage.keeping.left_out import LeftOut
from bitdust.storage.keeping.pack_move import Mover, PackMove, Workshop
from bitdust.storage.keeping.reencode_rows import Found, Left, find_packs, half_way, moved_by_others, undelivered
from bitdust.storage.pieces.pack_store import PackStore
from bitdust.storage.pieces.queues import SupplierQueues
from bitdust.storage.ports import Ports
from bitdust.surroundings import Connected
from bitdust.wire.errors import BitDustError
from bitdust.wire.records import Family

LOOK = 1.0
"""Seconds between two looks at what is to be done, while packs move or are about to."""
LONGEST_LOOK = 60.0
"""While there is nothing to do the pauses grow to so many seconds: old pieces may stay for thirty days."""
MOST_HALF_WAY = 32
"""New packs that wait for suppliers that are away, at most, before the others wait with them."""
MOST_MOVING = 4
BUSY_PAUSE = 30.0
"""Seconds between two packs while files go up or come down."""
TRY_AGAIN = 60.0
"""Seconds after which a pack that could not be had is tried again."""
TAKE_OVER = 1200.0
"""Seconds without progress after which another device than the one that changed the family moves packs."""
UNOPENED = ("bad-seal", "bad-piece", "key-not-found")
"""Codes of a pack that could be had, and not be opened."""
REPORT, CLEAN = 5.0, 20.0
"""Seconds between two reports of progress, and between two orders to delete what has moved."""


class Reencoder:
    """I own the machines. ``moved`` is emitted when old pieces may be deleted."""

    log = Logger()

    def __init__(
        self,
        around: Connected,
        store: PackStore,
        queues: SupplierQueues,
        ports: Ports,
        mover: Mover,
        left_out: LeftOut,
    ) -> None:
        self._world = around.world
        self._clock = around.world.clock
        self._registry = around.registry
        self._events = around.events
        self._run_in_thread = store.run_in_coding_thread
        self._catalog = store.catalog
        self._queues = queues
        self._me = around.me
        self._ports = ports
        self._mover = mover
        self._left_out = left_out
        self._shop = Workshop(around.world, store, queues, ports, mover)
        self._moving: dict[bytes, Reencoding] = {}
        self._waiting: deque[bytes] = deque()
        self._failed: dict[bytes, float] = {}
        self._online: frozenset[bytes] = frozenset()
        self._call: IDelayedCall | None = None
        self._is_open = self._is_looking = self._was_changing = False
        self._pause = LOOK
        self._reported: dict[str, int] = {}
        self._last_begun = self._reported_at = self._cleaned_at = self._fewer_at = -TAKE_OVER
        self.left = Left(0, 0)
        self._by_others = 0
        """How many another device had moved when they were last counted."""
        self.moved_packs, self.reason = 0, ""
        self.moved: Signal[[]] = Signal()
        queues.taken.connect(self._check)

    # life

    def start(self) -> None:
        """Go on with what a former run has left, and with what is to be moved. May follow a `stop`."""
        self._is_open = True
        self._fewer_at = self._clock.seconds()
        self._was_changing = True
        self.look()

    def stop(self) -> None:
        """Begin nothing any more; what is half-way goes on at the next start."""
        self._is_open = False
        if self._call is not None and self._call.active():
            self._call.cancel()
        self._call = None
        self._waiting.clear()
        moving, self._moving = self._moving, {}
        for machine in moving.values():
            machine.send("shutdown")

    @property
    def is_moving(self) -> bool:
        """Whether a pack is on its way."""
        return bool(self._moving)

    def look(self) -> None:
        """Begin what may begin now: something has changed."""
        self._pause = LOOK
        self._look()

    def others_wrote(self) -> None:
        """Packs for a former number may come when the change is over and nobody looks for them any more."""
        if self._call is None:
            self._was_changing = True
            self._look()

    def suppliers_listed(self) -> None:
        """Suppliers have said what they hold, perhaps what could be had from nowhere."""
        self._left_out.suppliers_listed()
        if self._left_out.packs:
            self.look()

    def suppliers_changed(self) -> None:
        """Suppliers came or went: whoever came may have what the packs that could not be had need."""
        family = self._ports.family()
        holders = family.holders if family is not None else []
        online = frozenset(who for who in holders if self._ports.is_online(who))
        if online - self._online:
            self._failed.clear()
        self._online = online
        self.look()

    def _look(self) -> None:
        if self._call is not None and self._call.active():
            self._call.cancel()
        self._call = None
        family = self._ports.family()
        if not self._is_open or family is None or not (family.is_changing or self._moving or self._was_changing):
            return
        self._call = self._clock.callLater(self._pause, self._look)
        if self._is_looking:
            return
        self._is_looking = True
        looking: Deferred[None] = Deferred.fromCoroutine(self._look_at(family))
        looking.addErrback(self._not_looked)
        looking.addBoth(self._has_looked)

    def _not_looked(self, failure: Failure) -> None:
        if not self._is_open:
            return  # what was asked of the disk is cut off when all closes
        if failure.check(BitDustError):  # the catalog cannot be read now; the next look is on its way
            self.log.warn("packs of another size cannot be moved now: {e}", e=failure.value)
        else:
            self.log.failure("packs of another size cannot be moved", failure)

    def _has_looked(self, _: object) -> None:
        self._is_looking = False

    async def _look_at(self, family: Family) -> None:
        for pack, new in half_way(self._catalog.read):
            if pack not in self._moving:
                self._new(pack, new).send("resume")
        if not self._is_my_turn():
            self._waiting.clear()  # another device moves them: how many are left is to be looked at again
        await self._left_out.look(family)
        if not self._waiting:
            await self._find(family)
        self._was_changing = family.is_changing or bool(self.left.packs or self._left_out.packs)
        is_idle = not (self._waiting or self._moving)
        self._pause = min(2 * self._pause, LONGEST_LOOK) if is_idle else LOOK
        while self._waiting and self._may_begin(family):
            pack = self._waiting.popleft()
            if pack not in self._moving:
                self._last_begun = self._clock.seconds()
                self._new(pack, self._world.entropy(16)).send("start")
        self._report(family)

    async def _find(self, family: Family) -> None:
        now, left_out = self._clock.seconds(), frozenset(self._failed)
        device = self._me.device.id

        def look(database: sqlite3.Connection) -> tuple[Found, int]:
            return find_packs(database, family.n, left_out), moved_by_others(database, device)

        found, by_others = await self._run_in_thread(self._catalog.read_apart, look)
        if by_others > self._by_others:
            self._fewer_at = now
        self._by_others, self.left = by_others, found.left
        if self._is_my_turn():
            again = [pack for pack in self._left_out.again if pack not in left_out]
            self._waiting.extend(pack for pack in (*found.packs, *again) if pack not in self._moving)
        if not self._waiting:  # those that failed are tried again behind all others, however many they are
            self._failed = {pack: since for pack, since in self._failed.items() if now - since < TRY_AGAIN}

    def _may_begin(self, family: Family) -> bool:
        now = self._clock.seconds()
        if not self._is_open or self._mover.pace.wait > 0 or not family.complete or self._are_many():
            return False
        if self._mover.is_busy() and now - self._last_begun < BUSY_PAUSE:
            return False
        return self._is_my_turn()

    def _is_my_turn(self) -> bool:
        """Packs are moved by the device that changed the family, by another one when that rests for long: then by that
        one to the end, unless the first one goes on with it."""
        return self._ports.is_family_mine() or self._clock.seconds() - self._fewer_at >= TAKE_OVER

    def _are_many(self) -> bool:
        """Whether enough packs are on their way. Few of them are worked on; those that wait for the absent are more."""
        moving = len(self._moving)
        return moving >= MOST_MOVING and (moving >= MOST_HALF_WAY or moving - self._stranded() >= MOST_MOVING)

    def _stranded(self) -> int:
        """How many new packs wait for nobody but suppliers of which nothing is to be expected now."""
        nothing_comes = dict[bytes, bool]()
        for new, supplier in self._undelivered():
            nothing_comes[new] = nothing_comes.get(new, True) and self._queues.is_absent(supplier)
        return sum(nothing_comes.values())

    def _undelivered(self) -> list[tuple[bytes, bytes | None]]:
        """New packs on their way, each with a supplier that has not taken its piece yet."""
        family = self._ports.family()
        seats = family.seats if family is not None else []
        rows = undelivered(self._catalog.read)
        return [(new, seats[number] if number < len(seats) else None) for new, number in rows]

    def _new(self, pack: bytes, new: bytes) -> Reencoding:
        move = PackMove(self._shop, pack, new, self._pack_failed, self._pack_ended)
        machine = self._moving[pack] = Reencoding(self._registry, pack.hex()[:8], move)
        return machine

    def _check(self) -> None:
        """The catalog knows of more acknowledgements."""
        for machine in list(self._moving.values()):
            machine.send("check")

    def _pack_failed(self, pack: bytes, reason: Any) -> None:
        """It is tried again later."""
        self._failed[pack] = self._clock.seconds()
        error = getattr(reason, "value", reason)
        if getattr(error, "code", "") in UNOPENED:
            self._left_out.unopened.add(pack)
        self.reason = str(error or "a supplier does not answer")
        self.log.warn("pack {pack} cannot be moved now: {e}", pack=pack.hex()[:16], e=self.reason)

    def _pack_ended(self, pack: bytes) -> None:
        """A machine has come to its end."""
        machine = self._moving.pop(pack, None)
        if machine is not None and machine.state == "DONE":
            self.moved_packs += 1
            self.reason = ""
            self.left = Left(max(0, self.left.packs - 1), self.left.bytes)
        self.look()

    # progress

    def progress(self) -> dict[str, Any]:
        """How many packs have moved and are left, and what the rest waits for."""
        family = self._ports.family()
        data = {"suppliers": family.n if family is not None else 0, "moved": self.moved_packs}
        left = {"left": self.left.packs, "bytes": self.left.bytes, "now": len(self._moving)}
        waits = [self._ports.names(who)[1] or who.hex() for who in self.waits_for()] if self._catalog.is_open else []
        reason = self.reason if self.left.packs else ""
        return {**data, **left, "waits_for": waits, "reason": reason, "nowhere": self._left_out.shown()}

    def waits_for(self) -> list[bytes]:
        """Suppliers that have not taken their new pieces yet, and of which nothing is to be expected now."""
        waiting = {who: None for _, who in self._undelivered() if who is not None} if self._moving else {}
        return [who for who in waiting if self._queues.is_absent(who)]

    def _report(self, family: Family) -> None:
        now = self._clock.seconds()
        is_over = not self.left.packs and not self._moving
        if self.moved_packs and now - self._cleaned_at >= CLEAN:
            self._cleaned_at = now
            self.moved.emit()
        data = {"suppliers": family.n, "moved": self.moved_packs, "left": self.left.packs, "bytes": self.left.bytes}
        pause = REPORT if data != self._reported else LONGEST_LOOK
        if not (self.moved_packs or self.left.packs) or (now - self._reported_at < pause and not is_over):
            return
        self._reported_at, self._reported = now, data
        self._events.send("reencoding-progress", data)
        if is_over:
            self._events.send("reencoding-finished", {"suppliers": family.n, "moved": self.moved_packs})
            self.moved_packs = 0
            self.moved.emit()
