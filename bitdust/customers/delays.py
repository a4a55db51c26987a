"""Orders that destroy much wait, and can be undone until they are due: the device that signed them may be stolen.

A mass of packs within a day, and the end of a contract, wait for as long as the setting says, unless the owner's
RSA key has signed as well. Packs that wait are listed to nobody and go on being stored, read and counted. Whatever a
device of the owner's says meanwhile that does not fit ends the waiting: a piece of such a pack that comes again keeps
the pack, and who asks for the service again keeps the contract. A device that counts no more has ordered nothing.

``delayed`` has a row for each order that waits, ``condemned`` one for each of its packs.
"""

import sqlite3
from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import Any

from attrs import frozen
from twisted.internet.defer import Deferred

from bitdust.customers.contracts import Contracts
from bitdust.customers.deletion import Chosen, obey, remove_rows
from bitdust.customers.logs import covered_by, forget_covered
from bitdust.customers.names import PieceName
from bitdust.customers.promises import DAY
from bitdust.customers.quota import BESIDE
from bitdust.disk.commit import GroupCommit
from bitdust.formats.orders import DeleteOrder
from bitdust.surroundings import Surroundings
from bitdust.wire.errors import BitDustError

HOURS = "services/supplier/deletion-delay"
SHARE = 10
"""More than one in so many packs that are kept is a mass."""
MOST = 100
"""So are more packs than these."""
AGAIN = 10 * DAY
"""Seconds in which as much may go again: who takes its time has a tenth, and a hundredth a day."""
UNITS = 1000
"""Parts of a pack in which it is counted."""
SURE_AFTER = 3000.0
"""Seconds for which an order has to look due: a clock that is ahead for a moment destroys nothing."""
Choose = Callable[[sqlite3.Connection], Chosen]
Counts = Callable[[bytes, bytes], bool]
"""Whether a device of a customer counts now."""


@frozen
class Delayed:
    """What waits of one device of a customer: the end of its contract, or packs and their bytes.

    The first of it is due at ``since``, the last at ``until``, in seconds since the epoch.
    """

    device: bytes
    is_end: bool
    since: int
    until: int
    packs: int
    size: int

    def as_fields(self) -> dict[str, Any]:
        """As the customer's devices are shown it."""
        return {"device": self.device, "end": self.is_end, "until": self.until, "packs": self.packs, "bytes": self.size}


class Delays:
    """I let orders wait, and carry them out; ``remove`` removes pieces of a customer and fires with their bytes."""

    def __init__(
        self,
        around: Surroundings,
        contracts: Contracts,
        commits: GroupCommit,
        read: Callable[[], sqlite3.Connection],
        remove: "Callable[[bytes, Choose], Deferred[int]]",
    ) -> None:
        self._settings = around.settings
        self._wall = around.world.wall
        self._uptime = around.world.clock.seconds
        self._contracts = contracts
        self._commits = commits
        self._read = read
        self._remove = remove
        self._due_since: dict[int, float] = {}

    def until(self, at_once: bool = False) -> int:
        """When an order of now is due; 0 for one that does not wait."""
        hours = 0 if at_once else int(self._settings.get(HOURS))
        return int(self._wall()) + hours * 3600 if hours else 0

    def delete(self, order: DeleteOrder, at_once: bool = False) -> "Deferred[int]":
        """Carry out the owner's verified order, or a mass of packs later; fires with bytes freed. Fails ``stale``."""
        now, until = int(self._wall()), self.until(at_once)

        def choose(database: sqlite3.Connection) -> Chosen:
            chosen = obey(database, order)
            if until:
                chosen = [(name, size) for name, size in chosen if not _is_condemned(database, name)]
                if is_mass(database, order.owner, len({name.pack for name, _ in chosen}), now):
                    condemn(database, order.owner, order.device, until, chosen)
                    return []
            remove_rows(database, chosen)
            return chosen

        return self._remove(order.owner, choose)

    def end(self, customer: bytes, contract: bytes, device: bytes) -> "Deferred[int]":
        """Let the end of a contract wait; fires with when it is due, 0 where nothing waits. Fails ``no-contract``."""
        until = self.until()

        def end(database: sqlite3.Connection) -> int:
            account = self._contracts.of(database, customer)
            if account is None or account.contract.contract != contract:
                raise BitDustError("no-contract", "there is no such contract with you")
            before = database.execute(
                "SELECT due FROM delayed WHERE customer=? AND device=? AND contract=?", (customer, device, contract)
            ).fetchone()
            if before is None and until:
                _write(database, customer, device, until, contract)
            return int(before[0]) if before is not None else until

        return self._commits.change(end)

    def of(self, customer: bytes) -> list[Delayed]:
        """What waits of a customer, by device."""
        rows = self._read().execute(
            "SELECT d.device, d.contract IS NOT NULL, min(d.due), max(d.due), count(c.pack), coalesce(sum(c.size), 0)"
            " FROM delayed d LEFT JOIN condemned c ON c.delayed=d.id WHERE d.customer=? GROUP BY 1, 2 ORDER BY 1, 2",
            (customer,),
        )
        found = [Delayed(bytes(row[0]), bool(row[1]), *row[2:]) for row in rows]
        return [one for one in found if one.is_end or one.packs]

    def undo(self, customer: bytes, devices: Collection[bytes]) -> "Deferred[int]":
        """What these devices have ordered does not happen; fires with how many orders waited."""

        def undo(database: sqlite3.Connection) -> int:
            query = "DELETE FROM delayed WHERE customer=? AND device=?"
            gone = [database.execute(query, (customer, device)).rowcount for device in devices]
            return sum(gone)

        return self._commits.change(undo)

    def confirm(self, customer: bytes, device: bytes, until: int) -> "Deferred[int]":
        """What a device has ordered, and what is due by ``until``, happens now; fires with bytes freed."""
        return self._carry_out(customer, "device=? AND due<=?", (device, until))

    def due(self, counts: Counts) -> "Deferred[list[tuple[bytes, int]]]":
        """Carry out what has been due for a while; fires with customers and bytes freed.

        Entries of logs are forgotten as well, for which a snapshot stands.
        """
        return Deferred.fromCoroutine(self._due(counts))

    async def _due(self, counts: Counts) -> list[tuple[bytes, int]]:
        now = int(self._wall())
        for customer, by in covered_by(self._read(), now):
            forgetting = partial(forget_covered, customer=customer, by=by, now=now, counts=counts(customer, by))
            await self._commits.change(forgetting)
        query = "SELECT id, customer, device FROM delayed WHERE due<=? ORDER BY id"
        rows = self._read().execute(query, (int(self._wall()),)).fetchall()
        self._due_since = {row[0]: self._due_since.get(row[0], self._uptime()) for row in rows}
        done = []
        for ident, customer, device in rows:
            if not counts(customer, device):
                await self.undo(customer, [device])
            elif self._uptime() - self._due_since[ident] >= SURE_AFTER:
                done.append((bytes(customer), await self._carry_out(customer, "id=?", (ident,))))
        return done

    def _carry_out(self, customer: bytes, which: str, values: Sequence[object]) -> "Deferred[int]":
        def choose(database: sqlite3.Connection) -> Chosen:
            query = f"SELECT id, contract FROM delayed WHERE customer=? AND {which} ORDER BY id"
            chosen: Chosen = []
            for ident, contract in database.execute(query, (customer, *values)).fetchall():
                chosen += self._end(database, customer, contract) if contract else _condemned(database, customer, ident)
                database.execute("DELETE FROM delayed WHERE id=?", (ident,))
            return chosen

        return self._remove(customer, choose)

    def _end(self, database: sqlite3.Connection, customer: bytes, contract: bytes) -> Chosen:
        account = self._contracts.of(database, customer)
        if account is None or account.contract.contract != contract:
            return []
        return [
            (PieceName(customer, pack, number), size)
            for pack, number, size in self._contracts.end(database, customer, contract)
        ]


def is_mass(database: sqlite3.Connection, customer: bytes, packs: int, now: int) -> bool:
    """Whether so many packs are too many, with those that went not long ago; those that are not are counted."""
    pieces, since, gone = database.execute(
        "SELECT pieces, dropped_since, dropped FROM customers WHERE fingerprint=?", (customer,)
    ).fetchone() or (0, 0, 0)
    most = min(MOST * UNITS, (pieces * UNITS + gone) // SHARE)
    left = max(0, gone - most * min(max(0, now - since), AGAIN) // AGAIN)
    if left + packs * UNITS > most:
        return packs > 0
    database.execute(
        "UPDATE customers SET dropped_since=?, dropped=? WHERE fingerprint=?", (now, left + packs * UNITS, customer)
    )
    return False


def condemn(database: sqlite3.Connection, customer: bytes, device: bytes, due: int, chosen: Chosen) -> None:
    """These go when it is due."""
    ident = _write(database, customer, device, due, None)
    sizes: dict[bytes, int] = {}
    for name, size in chosen:
        sizes[name.pack] = sizes.get(name.pack, 0) + size + BESIDE
    rows = [(customer, pack, size, ident) for pack, size in sizes.items()]
    database.executemany("INSERT OR IGNORE INTO condemned VALUES(?, ?, ?, ?)", rows)


def _write(database: sqlite3.Connection, customer: bytes, device: bytes, due: int, contract: bytes | None) -> int:
    query = "INSERT INTO delayed(customer, device, due, contract) VALUES(?, ?, ?, ?) RETURNING id"
    (ident,) = database.execute(query, (customer, device, due, contract)).fetchone()
    return int(ident)


def _is_condemned(database: sqlite3.Connection, name: PieceName) -> bool:
    row = database.execute("SELECT 1 FROM condemned WHERE customer=? AND pack=?", (name.customer, name.pack))
    return row.fetchone() is not None


def _condemned(database: sqlite3.Connection, customer: bytes, ident: int) -> Chosen:
    rows = database.execute(
        "SELECT p.pack, p.number, p.size FROM condemned c JOIN pieces p ON p.customer=c.customer AND p.pack=c.pack"
        " WHERE c.delayed=?",
        (ident,),
    ).fetchall()
    chosen = [(PieceName(customer, bytes(pack), number), size) for pack, number, size in rows]
    remove_rows(database, chosen)
    return chosen


def keep_condemned(database: sqlite3.Connection, name: PieceName) -> None:
    """Its owner brings a piece of this pack again: the pack is wanted."""
    database.execute("DELETE FROM condemned WHERE customer=? AND pack=?", (name.customer, name.pack))


def keep_contract(database: sqlite3.Connection, customer: bytes) -> None:
    """The customer asks for the service again: its contract does not end."""
    database.execute("DELETE FROM delayed WHERE customer=? AND contract IS NOT NULL", (customer,))
