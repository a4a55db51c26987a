"""Every supplier that holds pieces of mine is audited: one machine each, while data moves."""

from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from bitdust.signal import Signal
from bitdust.storage.catalog.catalog import Catalog
from bitdust.storage.keeping.audit import Audit, Round, has_pieces, sample
from bitdust.storage.keeping.audit_book import AuditBook, Standing
from bitdust.storage.keeping.prover import Prover, Sought
from bitdust.storage.pieces.bad_pieces import BadPieces
from bitdust.storage.ports import Ports
from bitdust.surroundings import Connected
from bitdust.wire.records import PieceRef

PIECES = "services/customer/audit-pieces"
REPLACE_AFTER = "services/employer/replace-after-failed-audits"


class Audits:
    """I own the machines. ``distrusted`` is emitted when a supplier has failed so often in a row that it should be
    replaced, and at the start for those that had before; `is_distrusted` says so at any time."""

    log = Logger()

    def __init__(self, around: Connected, catalog: Catalog, ports: Ports, bad_pieces: BadPieces) -> None:
        self._around = around
        self._catalog = catalog
        self._ports = ports
        self._bad_pieces = bad_pieces
        self.entropy = around.world.entropy
        self.wall = around.world.wall
        self.book = AuditBook(catalog, around.settings, around.world.wall)
        self.prover = Prover(around, catalog, ports)
        self._audits: dict[bytes, Audit] = {}
        self._is_open = False
        self.distrusted: Signal[[bytes]] = Signal()
        bad_pieces.lost.connect(self._lost)

    def open(self) -> None:
        """Read what is known."""
        self.book.open()
        self._is_open = True

    def stop(self) -> None:
        """Ask nobody any more."""
        self._is_open = False
        self._keep(frozenset())

    def suppliers_changed(self) -> None:
        """Suppliers came, went or changed."""
        family = self._ports.family()
        if not self._is_open or family is None:
            return
        self._keep(frozenset(family.holders))
        for supplier in family.holders:
            audit = self._audits.get(supplier)
            if audit is None:
                self.book.begin(supplier)
                audit = self._audits[supplier] = Audit(self._around.registry, self, supplier)
                if self.is_distrusted(supplier):
                    self.distrusted.emit(supplier)
            audit.machine.send("supplier-online")

    def _keep(self, holders: frozenset[bytes]) -> None:
        for supplier in [who for who in self._audits if who not in holders]:
            self._audits.pop(supplier).machine.send("shutdown")

    def now(self) -> int:
        """Audit everybody who is there, whether it is time or not; how many those are."""
        there = [audit for audit in self._audits.values() if audit.is_online()]
        for audit in there:
            audit.machine.send("audit")
        return len(there)

    def _lost(self, supplier: bytes, again: bool) -> None:
        """A supplier says itself that it has lost something."""
        self.book.losses.note(supplier, again)
        if self.is_distrusted(supplier):
            self.distrusted.emit(supplier)

    # what others ask

    def is_distrusted(self, supplier: bytes) -> bool:
        """Whether a supplier has failed, or lost, so often that it should be replaced."""
        limit = int(self._around.settings.get(REPLACE_AFTER))
        return bool(limit) and self.book.blame(supplier) >= limit

    def doubted(self) -> frozenset[bytes]:
        """Suppliers whose pieces do not count as reliable now: their audits are overdue, or the last one failed."""
        return self.book.with_standing(Standing.OVERDUE, Standing.FAILED)

    def failed(self) -> frozenset[bytes]:
        """Suppliers that failed their last audit."""
        return self.book.with_standing(Standing.FAILED)

    def row(self, supplier: bytes) -> dict[str, Any]:
        """As `suppliers_list` shows it, times in seconds since the epoch, None where there is none."""
        record, audit = self.book.of(supplier), self._audits.get(supplier)
        is_due = audit is not None and self.book.period
        return {
            "standing": self.book.standing(supplier).value,
            "last": (record.ended or None) if record is not None else None,
            "last_passed": (record.passed or None) if record is not None else None,
            "passed": record.passes if record is not None else 0,
            "failed": record.failures if record is not None else 0,
            "failed_in_a_row": record.strikes if record is not None else 0,
            "next": int(max(audit.due, self.wall())) if audit is not None and is_due else None,
            "bad_pieces": self._bad_pieces.count(supplier),
        }

    def figures(self) -> dict[str, int]:
        """How many of my suppliers stand how, and rounds that were passed and failed."""
        standings = [self.book.standing(supplier) for supplier in self._audits]
        records = [record for who in self._audits if (record := self.book.of(who)) is not None]
        found = {standing.value: standings.count(standing) for standing in Standing}
        rounds = {
            "rounds_passed": sum(record.passes for record in records),
            "rounds_failed": sum(record.failures for record in records),
        }
        return found | rounds

    # what each audit asks

    def pieces(self) -> int:
        return int(self._around.settings.get(PIECES))

    def is_online(self, supplier: bytes) -> bool:
        return self._ports.is_online(supplier)

    def sample(self, supplier: bytes, count: int) -> "Deferred[list[Sought]]":
        return self._catalog.read_in_thread(lambda database: sample(database, supplier, count, self.entropy))

    def note_failed(self, supplier: bytes, pieces: list[PieceRef]) -> "Deferred[None]":
        return self._bad_pieces.note_all(supplier, pieces)

    def evades(self, supplier: bytes) -> bool:
        """Where k others prove what they have it is not the line of this node; who has nothing proves nothing."""
        family = self._ports.family()
        if family is None or not self.book.is_silent(supplier):
            return False
        proved = filter(self.book.has_passed, family.holders)
        return sum(has_pieces(self._catalog.read, who) for who in proved) >= family.k

    def ended(self, supplier: bytes, found: Round) -> None:
        record = self.book.of(supplier)
        if record is None or (not found.failed and not found.reason):
            return
        idurl, global_id = self._ports.names(supplier)
        missing = sum(1 for code in found.failed.values() if code == "not-found")
        data = {
            "idurl": idurl,
            "global_id": global_id,
            "asked": found.asked,
            "missing": missing,
            "wrong": len(found.failed) - missing,
            "failed_in_a_row": record.strikes,
            "reason": found.reason or f"{len(found.failed)} of {found.asked} pieces were not proved",
        }
        self.log.warn("audit of {who} failed: {why}", who=global_id or supplier.hex()[:16], why=data["reason"])
        self._around.events.send("supplier-audit-failed", data)
        if self.is_distrusted(supplier):
            self.distrusted.emit(supplier)
