"""What is on its way, by number and by person, and what became of it: where couriers report."""

import sqlite3
from collections import Counter
from collections.abc import Iterable
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from bitdust.batching import Soon
from bitdust.outcome import answer
from bitdust.people.messages.couriers import Courier
from bitdust.people.messages.incoming import CONSUMED, STORED
from bitdust.people.messages.store import (
    LETTER,
    NOTICE,
    Device,
    Outgoing,
    Store,
    drop_done,
    drop_outgoing,
    drop_target,
)
from bitdust.surroundings import Surroundings
from bitdust.wire.errors import BitDustError

DAY = 86_400
KEPT_DAYS = 60
"""What nobody has acknowledged for so long is given up."""
MOST_WAITING = 50_000
MOST_FOR_ONE = 10_000
MOST_NOTICES_FOR_ONE = 50
MOST_FOR_DEVICE = 5_000
"""Of what other devices have already, so many of the newest wait for one that is away."""
KEPT = "kept"
"""Mailboxes have it for every device of the recipient that has not said that it has it."""
FAILED = "private-message-failed"
"""The event that reports a message which is given up."""
Waiter = Deferred[str]


class Desk:
    """Rows and couriers; all that changes is written, and nobody waits for what only makes less."""

    log = Logger()

    def __init__(self, around: Surroundings, store: Store) -> None:
        self._around = around
        self._world = around.world
        self._store = store
        self.rows: dict[int, Outgoing] = {}
        self.by_person: dict[bytes, dict[int, Outgoing]] = {}
        self.couriers: dict[Device, Courier] = {}
        self._waiters: dict[int, list[Waiter]] = {}
        self._notices: Counter[bytes] = Counter()
        """How many wait for each person."""
        self._notice_count = 0
        self._unwritten: list[Outgoing] = []
        """The history has these, and the store does not say so yet: most are done before it would."""
        self._notes = Soon(self._world.clock, self._write_notes)

    def add(self, row: Outgoing) -> None:
        """Something is on its way."""
        self.rows[row.number] = row
        self._count(row, 1)
        if not row.reached:
            self.by_person.setdefault(row.person, {})[row.number] = row

    def check_room(self, person: bytes) -> None:
        """Raises `BitDustError` ``busy`` where too much waits that nobody has yet."""
        if len(self.rows) - self._notice_count >= MOST_WAITING or len(self.by_person.get(person, ())) >= MOST_FOR_ONE:
            raise BitDustError("busy", "too many messages wait to be taken; send more when some have arrived")

    def has_room_for_notice(self, person: bytes, most: int) -> bool:
        """Whether one more may wait beside what people write: others cause them, so they take no room of that."""
        return self._notice_count < most and self._notices[person] < MOST_NOTICES_FOR_ONE

    def _count(self, row: Outgoing, change: int) -> None:
        if row.kind == NOTICE:
            self._notice_count += change
            self._notices[row.person] += change
            if not self._notices[row.person]:
                del self._notices[row.person]

    def stop(self) -> None:
        """Forget all; it is on the disk."""
        self._notes.stop()
        self._write_notes()
        self._notices.clear()
        self._notice_count = 0
        couriers, self.couriers, self.rows, self.by_person = self.couriers, {}, {}, {}
        for courier in couriers.values():
            courier.stop()
        waiters, self._waiters = self._waiters, {}
        error = BitDustError("stopping", "this node stops; the message is stored and goes on its way later")
        answer((one for some in waiters.values() for one in some), Failure(error))

    def when_arrived(self, row: Outgoing) -> Waiter:
        """Fires with `CONSUMED` or `STORED` once a device of the recipient has it, with `KEPT` once mailboxes do; fails
        when it is given up. May be cancelled."""
        if row.reached:
            return succeed(STORED)
        waiter: Waiter = Deferred(lambda waiter: self._forget_waiter(row.number, waiter))
        self._waiters.setdefault(row.number, []).append(waiter)
        return waiter

    def _forget_waiter(self, number: int, waiter: Waiter) -> None:
        waiters = self._waiters.get(number, [])
        if waiter in waiters:
            waiters.remove(waiter)

    def _fire(self, number: int, result: Any) -> None:
        answer(self._waiters.pop(number, []), Failure(result) if isinstance(result, BitDustError) else result)

    # what couriers report

    def has_arrived(self, device: Device, number: int, consumed: bool) -> None:
        row = self.rows.get(number)
        if row is None:
            self._write(lambda database: drop_target(database, device, number, False))
            return
        row.targets.pop(device, None)
        reached = device[0] == row.person
        row.reached = row.reached or reached
        if not self.forget_done(row):
            self._write(lambda database: drop_target(database, device, number, reached))
        if reached:
            self._forget_unreached(row)
            self._fire(number, CONSUMED if consumed else STORED)

    def noted(self, row: Outgoing) -> None:
        """The history has it."""
        row.noted = True
        if not self.forget_done(row) and row.number in self.rows:
            self._unwritten.append(row)
            self._notes.want()

    def _write_notes(self) -> bool:
        rows, self._unwritten = self._unwritten, []
        numbers = [row.number for row in rows if row.number in self.rows]

        def write(database: sqlite3.Connection) -> None:
            for number in numbers:
                database.execute("UPDATE outgoing SET noted=1 WHERE number=?", (number,))
                drop_done(database, number)

        if numbers:
            self._write(write)
        return True

    def is_deposited(self, device: Device, numbers: list[int]) -> "Deferred[None]":
        if not numbers:
            return succeed(None)
        now = int(self._world.wall())

        def write(database: sqlite3.Connection) -> None:
            database.executemany(
                "UPDATE targets SET deposited=? WHERE person=? AND device=? AND number=?",
                ((now, *device, number) for number in numbers),
            )

        return self._store.change(write).addCallback(lambda _: self._deposited(device, numbers))

    def _deposited(self, device: Device, numbers: Iterable[int]) -> None:
        for row in [self.rows[number] for number in numbers if number in self.rows]:
            if row.kind == NOTICE:
                # Nobody answers a notice that was fetched: mailboxes are as far as it goes.
                self.drop(device, row.number)
                self.has_arrived(device, row.number, False)
                continue
            if device in row.targets:  # a mailbox that was faster may have given it to the device meanwhile
                row.targets[device] = (True, True)
            theirs = [kept for (person, _), (_, kept) in row.targets.items() if person == row.person]
            if all(theirs):
                self._fire(row.number, KEPT)

    def gave_up(self, device: Device, number: int, code: str) -> None:
        row = self.rows.get(number)
        if row is None:
            return
        row.targets.pop(device, None)
        if not row.reached and not any(person == row.person for person, _ in row.targets):
            self._fail(row, code)
        elif not self.forget_done(row):
            self._write(lambda database: drop_target(database, device, number, False))

    def drop(self, device: Device, number: int) -> None:
        """It need not be brought to a device any more."""
        if device in self.couriers:
            self.couriers[device].drop(number)

    def _fail(self, row: Outgoing, code: str) -> None:
        """It is given up. That is reported where no device of the person has it; others of hers may have been away."""
        was_reached = row.reached
        row.reached = row.noted = True
        self._forget_unreached(row)
        self._fire(row.number, BitDustError(code, "the recipient does not take this message"))
        for device in row.targets:
            self.drop(device, row.number)
        row.targets = {}
        self.forget_done(row)
        if row.kind == LETTER and not was_reached:
            details = {"message_id": row.message.hex(), "fingerprint": row.person.hex(), "code": code}
            self._around.events.send(FAILED, details)

    def forget_done(self, row: Outgoing) -> bool:
        """It is not on its way any more, once the history has it and everybody else: whether that is so."""
        if row.targets or not (row.noted and row.reached):
            return False
        if self.rows.pop(row.number, None) is not None:
            self._count(row, -1)
            self._write(lambda database: drop_outgoing(database, row.number))
        return True

    def _forget_unreached(self, row: Outgoing) -> None:
        theirs = self.by_person.get(row.person, {})
        theirs.pop(row.number, None)
        if not theirs:
            self.by_person.pop(row.person, None)

    def _write(self, call: Any) -> None:
        self._store.later(call)

    def not_written(self, failure: Any) -> None:
        """What could not be written is done again at the next start."""
        self.log.warn("what is on its way could not be changed: {error}", error=failure.getErrorMessage())

    def upkeep(self) -> None:
        """Give up what waits for too long; and of what a person has already, the oldest for her devices that are not
        there."""
        before = self._store.late.now() - KEPT_DAYS * DAY
        for row in [one for one in self.rows.values() if one.made < before]:
            self._fail(row, "no-answer")
        for device, courier in self.couriers.items():
            for number in courier.oldest(MOST_FOR_DEVICE):
                if number in self.rows and self.rows[number].reached:
                    courier.drop(number)
                    self.has_arrived(device, number, False)

    @property
    def waiting(self) -> int:
        """How many messages no device of their recipients has acknowledged."""
        return sum(1 for row in self.rows.values() if row.kind == LETTER and not row.reached)
