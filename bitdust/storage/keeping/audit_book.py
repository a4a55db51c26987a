"""What is known of each supplier's audits, in ``catalog.db``: it outlives every restart."""

import sqlite3
from collections.abc import Callable
from enum import StrEnum
from typing import Any

from attrs import asdict, evolve, frozen
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from bitdust.automats.kernel import doubled
from bitdust.config.settings import Settings
from bitdust.storage.catalog.catalog import Catalog
from bitdust.storage.keeping.audit_times import AuditTimes
from bitdust.storage.keeping.losses import LossBook

PERIOD = "services/customer/audit-hours"
FIRST = 3600.0
"""Seconds after which a new supplier is audited for the first time."""
RETRIES = (600.0, 2 * 3600.0, 8 * 3600.0)
"""Seconds until the next try after the first failure in a row, the second, and each further one."""
SILENT = 7 * 86_400.0
"""Seconds after which a round without an end is like one without an answer in time, where others prove theirs; three
periods where these are longer."""
ENOUGH = 8
"""Late rounds in a row that make a failure: with the pauses between them they take most of a day or more."""


class Standing(StrEnum):
    """PROVEN within the period, or so new that nothing is due; OVERDUE; FAILED the last time; OFF: no audits."""

    PROVEN = "proven"
    OVERDUE = "overdue"
    FAILED = "failed"
    OFF = "off"


@frozen
class AuditRecord:
    """Of one supplier, times in seconds since the epoch: ``since`` when it is audited, when it ``passed`` last (0:
    never), when the last round ``ended``; rounds that were passed and failed; failures and late answers in a row."""

    since: int
    passed: int = 0
    ended: int = 0
    passes: int = 0
    failures: int = 0
    strikes: int = 0
    late: int = 0


class AuditBook:
    """I keep the records of all suppliers that ever had to prove something."""

    log = Logger()

    def __init__(self, catalog: Catalog, settings: Settings, wall: Callable[[], float]) -> None:
        self._catalog = catalog
        self._settings = settings
        self._wall = wall
        self._records: dict[bytes, AuditRecord] = {}
        self.losses = LossBook(catalog, wall)
        self.times = AuditTimes(catalog, wall, lambda: self.period)

    def open(self) -> None:
        """Read what earlier runs have found out."""
        rows = self._catalog.read.execute("SELECT * FROM audits").fetchall()
        self._records = {bytes(supplier): AuditRecord(*values) for supplier, *values in rows}
        self.losses.open()
        self.times.open()

    @property
    def period(self) -> float:
        """Seconds within which a supplier has to prove something; 0 where nobody has to."""
        return float(self._settings.get(PERIOD)) * 3600.0

    def of(self, supplier: bytes) -> AuditRecord | None:
        """What is known of one."""
        return self._records.get(supplier)

    def begin(self, supplier: bytes) -> None:
        """A supplier is audited from now on."""
        if supplier not in self._records:
            self._write(supplier, AuditRecord(int(self._wall())))

    def standing(self, supplier: bytes) -> Standing:
        """Whether a supplier's word counts now."""
        record = self._records.get(supplier)
        if record is not None and record.strikes:
            return Standing.FAILED
        if not self.period:
            return Standing.OFF
        if record is None:
            return Standing.PROVEN
        age = self._wall() - max(record.passed, record.since)
        return Standing.PROVEN if abs(age) <= self.period else Standing.OVERDUE

    def has_passed(self, supplier: bytes) -> bool:
        """Whether a supplier has proved something within the period."""
        record = self._records.get(supplier)
        return record is not None and 0 <= self._wall() - record.passed <= self.period

    def is_silent(self, supplier: bytes) -> bool:
        """Whether a supplier has proved nothing for a week, or three periods where that is longer."""
        record = self._records.get(supplier)
        return record is not None and self._wall() - max(record.passed, record.since) > max(SILENT, 3 * self.period)

    def with_standing(self, *standings: Standing) -> frozenset[bytes]:
        """All suppliers that stand so."""
        return frozenset(who for who in self._records if self.standing(who) in standings)

    def blame(self, supplier: bytes) -> int:
        """How many rounds in a row it has failed, and what it lost again and again counts like failed rounds."""
        record = self._records.get(supplier)
        return (record.strikes if record is not None else 0) + self.losses.failures(supplier)

    def failing(self, least: int) -> frozenset[bytes]:
        """Who is to blame for so many."""
        return frozenset(who for who in (*self._records, *self.losses.suppliers()) if self.blame(who) >= least)

    def due(self, supplier: bytes, chance: float) -> float:
        """When the next round is due, in seconds since the epoch; ``chance`` from 0 to 1 spreads it."""
        record, now = self._known(supplier), self._wall()
        if max(record.since, record.ended) > now + 60:  # the clock was set back
            return now
        if record.strikes or record.late:
            failed = RETRIES[min(record.strikes, len(RETRIES)) - 1] if record.strikes else 0.0
            late = doubled(RETRIES[0], record.late - 1, RETRIES[-1]) if record.late else 0.0
            return record.ended + max(failed, late) * (1.0 + 0.5 * chance)
        if not record.passed:
            return record.since + min(FIRST, self.period / 3) * (0.75 + 0.5 * chance)
        return record.passed + self.period / 3 * (0.75 + 0.5 * chance)

    # what came of a round

    def passed(self, supplier: bytes) -> None:
        """Everything that was asked for was proved."""
        record, now = self._known(supplier), int(self._wall())
        since, passes = min(record.since, now), record.passes + 1
        self._write(supplier, evolve(record, since=since, passed=now, ended=now, passes=passes, strikes=0, late=0))

    def failed(self, supplier: bytes) -> int:
        """Something was not proved; how many times in a row now."""
        record, now = self._known(supplier), int(self._wall())
        strikes = record.strikes + 1
        self._write(supplier, evolve(record, ended=now, failures=record.failures + 1, strikes=strikes, late=0))
        return strikes

    def late(self, supplier: bytes) -> bool:
        """A round had no answer in time; whether that was once too often."""
        record, now = self._known(supplier), int(self._wall())
        self._write(supplier, evolve(record, ended=now, late=record.late + 1))
        return record.late + 1 >= ENOUGH

    def _known(self, supplier: bytes) -> AuditRecord:
        return self._records.get(supplier) or AuditRecord(int(self._wall()))

    def _write(self, supplier: bytes, record: AuditRecord) -> None:
        self._records[supplier] = record
        values = (supplier, *asdict(record).values())

        def write(database: sqlite3.Connection) -> None:
            database.execute(f"INSERT OR REPLACE INTO audits VALUES({', '.join('?' * len(values))})", values)

        writing: Deferred[Any] = self._catalog.change(write)
        writing.addErrback(lambda failure: self.log.failure("an audit could not be noted", failure))
