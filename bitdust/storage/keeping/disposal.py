"""What becomes of pieces that nobody needs: dropped here, and ordered to be deleted at suppliers.

Pieces are deleted at suppliers only after enough of them hold the tombstone of their pack, and nothing that is held
needs it (`bitdust.storage.catalog.held`). Where other devices of mine may be building on it unheard, pieces stay for
30 days more, and until all logs were read to their ends after that: thirty days in which something that another one
has written is held up, or not given, say nothing. What waits here for suppliers makes up for those that are lost, so it
stays as well while a log is not read. Where all are read what others build on is heard of soon, and it goes at once.
"""

import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, TypeVar

from attrs import frozen
from twisted.internet.defer import Deferred, DeferredList
from twisted.logger import Logger

from bitdust.formats.orders import DELETE_KIND, MOST_PACKS
from bitdust.identity.countersigning import countersignature
from bitdust.outcome import Outcome, outcome
from bitdust.storage.catalog.calendar import Calendar
from bitdust.storage.catalog.catalog import Catalog
from bitdust.storage.catalog.database import PackState, PieceState
from bitdust.storage.catalog.held import LIVING, NEEDED
from bitdust.storage.log.compared import Compared
from bitdust.storage.log.replicas import LogReplicas
from bitdust.storage.pieces.local_copies import LocalCopies, drop_data
from bitdust.storage.pieces.spool import Spool
from bitdust.storage.ports import Ports
from bitdust.surroundings import Connected
from bitdust.wire.encoding import encode
from bitdust.wire.packet import Command

SILENCE = 15.0
AT_ONCE = 5000
OTHERS_DELAY = 30 * 86_400_000
OTHERS_HEAR = 3_600_000
"""Milliseconds in which other devices hear that a pack was moved; what they build on it meanwhile moves with it."""
T = TypeVar("T")
Piece = tuple[bytes, int]
Safe = dict[tuple[str, bytes], int]
"""By key and device, up to which entry of a log enough suppliers hold it."""


class Disposal:
    """I drop what this disk keeps of dead packs, and copies that a person has removed and the disk did not let go;
    ``unread`` gives the keys under which logs are not read."""

    def __init__(
        self,
        run_in_thread: "Callable[..., Deferred[Any]]",
        catalog: Catalog,
        spool: Spool,
        local_copies: LocalCopies,
        unread: Callable[[], Collection[str]] = frozenset,
    ) -> None:
        self._local_copies = local_copies
        self._run_in_thread = run_in_thread
        self._catalog = catalog
        self._spool = spool
        self._unread = unread
        self._looked: int | None = None

    async def drop(self) -> None:
        """Drop pieces that wait for suppliers, and copies of those that suppliers have."""
        await self._drop_waiting()
        await self._drop_copies()
        await self._local_copies.remove_stuck()

    async def _drop_waiting(self) -> None:
        """Pieces that wait here for suppliers are not wanted any more either."""
        unread = self._unread()
        rows = await self._catalog.read_in_thread(lambda database: waiting_pieces(database, unread))
        if not rows:
            return

        def drop(database: sqlite3.Connection) -> None:
            database.executemany("DELETE FROM pieces WHERE pack=? AND number=? AND state<>1", rows)

        await self._catalog.change(drop)
        await self._run_in_thread(self._remove, rows)

    async def _drop_copies(self) -> None:
        """Nor are copies of pieces that a supplier has still to delete, which may be thirty days from now."""
        revision = self._catalog.revision
        if revision == self._looked:
            return
        inside: list[Piece] = await self._catalog.read_in_thread(self._remove_copies)
        if inside:
            await self._catalog.change(lambda database: drop_data(database, inside))
        # Where there are more in the catalog's own file, the next round goes on with them.
        self._looked = None if len(inside) == AT_ONCE else revision

    def _remove_copies(self, database: sqlite3.Connection) -> list[Piece]:
        """Remove all that are files, and name some of those that are in the catalog itself; in a thread."""
        inside: list[Piece] = []
        for pack, number, is_inside in copies(database):
            if not is_inside:
                self._spool.remove(pack, number)
            elif len(inside) < AT_ONCE:
                inside.append((pack, number))
        return inside

    def _remove(self, rows: Iterable[Piece]) -> None:
        for pack, number in rows:
            self._spool.remove(pack, number)


def waiting_pieces(database: sqlite3.Connection, unread: Collection[str] = ()) -> list[Piece]:
    """Pieces of dead packs that no supplier has, a bounded number. For a thread.

    Where something held needs the pack, or something that is ``unread`` under its key may, what waits here stays, and
    what is missing is made when it is wanted again. Of a pack that never was in the log nobody has heard.
    """
    keys = ", ".join("?" * len(unread))
    was_logged = "EXISTS (SELECT 1 FROM tombstones t WHERE t.name=lower(hex(p.pack)))"
    rows = database.execute(
        "SELECT s.pack, s.number FROM pieces s JOIN packs p ON p.pack=s.pack WHERE s.state<>1 AND p.state>=?"
        f" AND (NOT ({NEEDED} OR p.key IN ({keys}) AND {was_logged}) OR (s.state=? AND NOT {LIVING})) LIMIT ?",
        (PackState.DEAD, *unread, PieceState.MISSING, AT_ONCE),
    )
    return [(bytes(pack), number) for pack, number in rows]


def copies(database: sqlite3.Connection) -> Iterator[tuple[bytes, int, bool]]:
    """All pieces of dead packs that suppliers have, and whether the bytes are in the catalog itself. For a thread."""
    rows = database.execute(
        "SELECT s.pack, s.number, s.data IS NOT NULL FROM packs p CROSS JOIN pieces s ON s.pack=p.pack"
        f" WHERE p.state>=? AND s.state=? AND NOT {NEEDED}",
        (PackState.DEAD, PieceState.KEPT),
    )
    return ((bytes(pack), number, bool(is_inside)) for pack, number, is_inside in rows)


class DeleteOrders:
    """I order suppliers to delete packs."""

    log = Logger()

    def __init__(
        self, around: Connected, catalog: Catalog, replicas: LogReplicas, ports: Ports, calendar: Calendar
    ) -> None:
        self._world = around.world
        self._catalog = catalog
        self._replicas = replicas
        self._compared = Compared(catalog, calendar)
        self._me = around.me
        self._ports = ports
        self._last_orders: dict[bytes, int] = {}

    async def send(self) -> None:
        """Send what is due to everybody who is connected, side by side: who does not answer holds up nobody else."""
        online = [who for who in suppliers_of_pieces(self._catalog.read) if self._ports.is_online(who)]
        if online:
            safe = await self._safe()
            if self._replicas.is_alone() and not await self._is_surely_alone(online, safe):
                return
            orders = [outcome(Deferred.fromCoroutine(self._order(who, safe))) for who in online]
            await DeferredList(orders, consumeErrors=True)

    async def _is_surely_alone(self, online: Iterable[bytes], safe: Safe) -> bool:
        """Whether nothing is due, or enough suppliers say so now; a device that they name makes pieces stay."""

        def is_due(database: sqlite3.Connection) -> bool:
            return any(deletable(database, who, safe, self._latest()) for who in online)

        return not await self._catalog.read_in_thread(is_due) or await self._replicas.others.look()

    async def _order(self, supplier: bytes, safe: Safe) -> None:
        """Order one supplier to delete what is due, until nothing is."""
        latest = self._latest()
        while found := await self._catalog.read_in_thread(lambda database: deletable(database, supplier, safe, latest)):
            others: set[bytes] = await self._catalog.read_in_thread(lambda database: self._of_others(database, found))  # noqa: B023
            mine = [pack for pack in found if pack not in others]
            for packs in (*parts(mine, MOST_PACKS), *parts(sorted(others), MOST_PACKS)):
                sent = await self._send(supplier, packs, packs[0] not in others)
                if sent.error is not None:
                    self.log.info("supplier {s} deletes nothing now: {e}", s=supplier.hex()[:16], e=sent.error)
                    return
                await self._catalog.change(lambda database, gone=packs: _forget(database, supplier, gone))  # type: ignore[misc]

    def _latest(self) -> "Latest":
        """Of keys under which others may be building on something unheard: before when it must have been given up."""
        before = {key: moment * 1000 - OTHERS_DELAY for key, moment in self._compared.read_at().items()}
        keys = self._compared.unread_keys() | self._replicas.others.guest_keys()
        return Latest(before, None if not self._replicas.is_alone() else keys)

    def _of_others(self, database: sqlite3.Connection, packs: list[bytes]) -> set[bytes]:
        """Those that another device of mine has given up, which may be stolen: my RSA key does not vouch for that."""
        return given_up_by_others(database, packs, self._me.device.id)

    async def _send(self, supplier: bytes, packs: list[bytes], mine: bool) -> Outcome:
        """One order. A supplier that has had a later one, by a clock that was ahead, says of when: then once more."""
        sent = await self._send_dated(supplier, packs, mine)
        later = sent.fields.get("time")
        if sent.code == "stale" and type(later) is int:
            self._last_orders[supplier] = later
            sent = await self._send_dated(supplier, packs, mine)
        return sent

    def _send_dated(self, supplier: bytes, packs: list[bytes], mine: bool) -> "Deferred[Outcome]":
        now = max(int(self._world.wall() * 1000), self._last_orders.get(supplier, 0) + 1)
        self._last_orders[supplier] = now
        body = encode({"owner": self._me.fingerprint, "packs": packs, "time": now})
        signed = self._me.sign(DELETE_KIND, body)
        fields = countersignature(self._me.held_master if mine else None, signed)
        order = self._ports.outbox.send(supplier, Command.DELETE_FILE, fields, signed.to_bytes(), deadline=SILENCE)
        return outcome(order)

    async def _safe(self) -> Safe:
        """Up to which entry of each log enough suppliers hold the tombstones."""
        logs: list[tuple[str, bytes]] = await self._catalog.read_in_thread(
            lambda database: database.execute("SELECT DISTINCT key, device FROM tombstones").fetchall()
        )
        return {(key, bytes(device)): self._replicas.safe_sequence(key, bytes(device)) for key, device in logs}


@frozen
class Latest:
    """Tombstones under these ``keys``, all for None, must have been written ``before``, in milliseconds by key: never
    where nothing is said of that. Others need not."""

    before: Mapping[str, int]
    keys: frozenset[str] | None = frozenset()

    def allows(self, key: str, time: int) -> bool:
        """Whether a tombstone is old enough."""
        before = self.before.get(key)
        return (before is not None and time <= before) or (self.keys is not None and key not in self.keys)


def deletable(database: sqlite3.Connection, supplier: bytes, safe: Safe, latest: Latest) -> list[bytes]:
    """What is due at one supplier, a bounded number; what is not due yet is passed over. For a thread."""
    rows = database.execute(
        "SELECT DISTINCT s.pack, t.key, t.device, t.sequence,"
        " t.time - EXISTS (SELECT 1 FROM moves m WHERE m.old=s.pack) * ? FROM packs p CROSS JOIN pieces s"
        " ON s.pack=p.pack LEFT JOIN tombstones t ON t.name=lower(hex(s.pack))"
        f" WHERE s.supplier=? AND s.state=? AND p.state>=? AND NOT {NEEDED} ORDER BY s.pack",
        (OTHERS_DELAY - OTHERS_HEAR, supplier, PieceState.KEPT, PackState.DEAD),
    )
    due = (bytes(pack) for pack, *tombstone in rows if _is_due(safe, latest, *tombstone))
    return list(islice(due, AT_ONCE))


def given_up_by_others(database: sqlite3.Connection, packs: Iterable[bytes], device: bytes) -> set[bytes]:
    """Packs whose tombstone another device has written."""
    query = "SELECT 1 FROM tombstones WHERE name=? AND device<>?"
    return {pack for pack in packs if database.execute(query, (pack.hex(), device)).fetchone() is not None}


def _is_due(safe: Safe, latest: Latest, key: str | None, device: bytes, sequence: int, time: int) -> bool:
    """A pack without a tombstone was given up before it was in the log."""
    return key is None or (latest.allows(key, time) and sequence <= safe.get((key, bytes(device)), 0))


def _forget(database: sqlite3.Connection, supplier: bytes, packs: list[bytes]) -> None:
    rows = [(pack, supplier) for pack in packs]
    database.executemany("DELETE FROM pieces WHERE pack=? AND supplier=?", rows)
    database.executemany("DELETE FROM bad_pieces WHERE pack=? AND supplier=?", rows)
    database.executemany("DELETE FROM lost_pieces WHERE pack=? AND supplier=?", rows)


def suppliers_of_pieces(database: sqlite3.Connection) -> Iterator[bytes]:
    """Everybody who has acknowledged a piece; found by one step each, not by reading all pieces."""
    query, supplier = "SELECT min(supplier) FROM pieces WHERE supplier>?", b""
    while (found := database.execute(query, (supplier,)).fetchone()[0]) is not None:
        supplier = bytes(found)
        yield supplier


def parts(names: Iterable[T], size: int = AT_ONCE) -> Iterator[list[T]]:
    """Lists of at most so many."""
    part: list[T] = []
    for name in names:
        part.append(name)
        if len(part) == size:
            yield part
            part = []
    if part:
        yield part
