"""One proof that a version can come back: of every pack leaves are asked for, and in full each pack is opened as well.

Nothing is written. A pack counts as restorable when k of its pieces were proved, in full when it was brought back,
opened, and every chunk in it has its name. What a supplier did not prove is missing from then on and made again.
"""

import sqlite3
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from attrs import define, field, frozen
from twisted.internet.defer import Deferred, gatherResults
from twisted.logger import Logger

from bitdust.automats.verification import Verification as VerificationMachine
from bitdust.batching import ThreadQueue
from bitdust.crypt.sealing import chunk_name, index_key
from bitdust.outcome import Outcome, outcome
from bitdust.storage.catalog.catalog import Catalog
from bitdust.storage.catalog.paths import Target
from bitdust.storage.jobs import Job, Row
from bitdust.storage.keeping.prover import Prover, Sought, is_refusal
from bitdust.storage.packs.erasure import Coders
from bitdust.storage.packs.pack import unseal
from bitdust.storage.pieces.bad_pieces import BadPieces
from bitdust.storage.pieces.fetch import Fetcher
from bitdust.storage.pieces.locations import PackSource, PackSources
from bitdust.storage.restore.plan import FileWork, Planner, RestorePlan, pack_order
from bitdust.surroundings import Connected
from bitdust.wire.errors import BitDustError
from bitdust.wire.records import PieceRef

AT_A_TIME = 32
"""Packs whose pieces are asked for together."""
OPENED_AT_A_TIME = 4
"""Packs that are brought back together."""
MOST_SILENCE = 2
"""Questions without an answer after which a supplier is not asked any more."""
MOST_PROBLEMS = 100


class Secrets(Protocol):
    """Whose packs they are."""

    def secrets(self, alias: str, epoch: int, /) -> tuple[bytes, ...]:
        """The storage secrets under one of which a pack was sealed."""


@frozen
class VerifyParts:
    """What verifications share; ``names`` gives IDURL and global id of a supplier."""

    around: Connected
    catalog: Catalog
    prover: Prover
    bad_pieces: BadPieces
    fetcher: Fetcher
    sources: PackSources
    coding: ThreadQueue
    names: Callable[[bytes], tuple[str, str]]


@frozen
class VerifyOrder:
    """What was asked for: ``names`` are the fields that every answer about it has."""

    number: int
    target: Target
    full: bool
    created: float
    names: Row


@define
class SupplierTally:
    """Of one supplier: pieces that it was asked for, proved, did not prove, and did not answer for."""

    asked: int = 0
    proved: int = 0
    failed: int = 0
    silent: int = 0
    questions_lost: int = 0


@define
class Findings:
    """What was found so far. ``fewest`` is how many pieces more than are needed the weakest pack has."""

    packs: int = 0
    lost: dict[bytes, str] = field(factory=dict)
    missing: int = 0
    fewest: int | None = None
    suppliers: dict[bytes, SupplierTally] = field(factory=dict)


class Verification(Job):
    """I am the port of a `verification` machine; ``ended`` is called at its end."""

    log = Logger()
    what = "verifying"

    def __init__(
        self, parts: VerifyParts, owner: Secrets, order: VerifyOrder, ended: "Callable[[Verification], None]"
    ) -> None:
        super().__init__(order.number, order.created, order.names)
        self._parts = parts
        self._owner = owner
        self._ended = ended
        self.target = order.target
        self.full = order.full
        self._coders = Coders()
        self._plan = RestorePlan()
        self._waiting_packs: list[bytes] = []
        self._all = 0
        self._found = Findings()
        self._bad: list[Row] = []
        self.verdict: Row = {}
        self.machine = VerificationMachine(parts.around.registry, f"{order.names['path_id']}/{order.number}", self)

    def start(self) -> None:
        self.machine.send("start")

    def abort(self, reason: BitDustError) -> None:
        self.machine.send("stop", reason)

    def describe(self) -> Row:
        version = self.target.version or self._plan.version
        path_id = self.names["path_id"]
        return {**self.names, "version": version, "backup_id": f"{path_id}/{version}", "full": self.full}

    def row(self) -> Row:
        """As `files_verifications` shows a running job."""
        share = self._found.packs / self._all if self._all else 0.0
        total = self._plan.total
        return {
            **self.describe(),
            "state": self.machine.state,
            "created": self.created,
            "packs_done": self._found.packs,
            "packs": self._all,
            "bytes_processed": int(total * share),
            "total_size": total,
            "progress": f"{100.0 * share:.0f}%",
        }

    # the machine's port

    def make_plan(self) -> "Deferred[Any]":
        return self._parts.catalog.read_in_thread(self._make_plan).addCallback(self._planned)

    def _make_plan(self, database: sqlite3.Connection) -> tuple[RestorePlan, list[bytes]]:
        """In a thread: there may be a million files."""
        plan = Planner(database).make(self.target)
        return plan, pack_order(plan.files)

    def _planned(self, made: tuple[RestorePlan, list[bytes]]) -> None:
        self._plan, self._waiting_packs = made
        self._all = len(self._waiting_packs)

    def has_more(self) -> bool:
        return bool(self._waiting_packs)

    def check_some(self) -> "Deferred[Any]":
        count = OPENED_AT_A_TIME if self.full else AT_A_TIME
        packs, self._waiting_packs = self._waiting_packs[:count], self._waiting_packs[count:]
        return Deferred.fromCoroutine(self._check(packs))

    async def _check(self, packs: Sequence[bytes]) -> None:
        found = self._found
        sources: dict[bytes, PackSource] = {}
        for pack in packs:
            located: Outcome = await outcome(self._parts.sources.of(pack))
            if located.error is None:
                sources[pack] = located.value
            else:
                found.lost[pack] = str(located.error)
        proved = await self._proved(list(sources.values()))
        for pack, source in sources.items():
            self._judge(pack, source, proved.get(source.record.pack, 0))
        if self.full:
            opening = [Deferred.fromCoroutine(self._open(pack)) for pack in sources]
            await gatherResults(opening, consumeErrors=True)
        found.packs += len(packs)
        if found.lost and not self._waiting_packs:
            self._bad = await self._parts.around.world.run_in_thread(self._bad_files)

    async def _proved(self, sources: Sequence[PackSource]) -> dict[bytes, int]:
        """How many pieces of each pack were proved."""
        sought: dict[bytes, list[Sought]] = {}
        for source in sources:
            for index, supplier in source.places.items():
                one = Sought(PieceRef(source.record.pack, index), source.record.piece_size)
                sought.setdefault(supplier, []).append(one)
        asking = [Deferred.fromCoroutine(self._ask(who, pieces)) for who, pieces in sought.items()]
        proved: dict[bytes, int] = {}
        for good in await gatherResults(asking, consumeErrors=True):
            for piece in good:
                proved[piece.pack] = proved.get(piece.pack, 0) + 1
        return proved

    async def _ask(self, supplier: bytes, sought: list[Sought]) -> list[PieceRef]:
        """Those that a supplier has proved."""
        tally = self._found.suppliers.setdefault(supplier, SupplierTally())
        tally.asked += len(sought)
        pieces = [one.piece for one in sought]
        if tally.questions_lost >= MOST_SILENCE:
            tally.silent += len(pieces)
            return []
        answer: Outcome = await outcome(Deferred.fromCoroutine(self._parts.prover.prove(supplier, sought)))
        if answer.error is not None and not is_refusal(answer.error):
            tally.questions_lost += 1
            tally.silent += len(pieces)
            return []
        failed = dict.fromkeys(pieces, answer.code) if answer.error is not None else answer.value
        tally.failed += len(failed)
        tally.proved += len(pieces) - len(failed)
        if answer.error is None and failed:
            await self._parts.bad_pieces.note_all(supplier, list(failed))
        return [piece for piece in pieces if piece not in failed]

    def _judge(self, pack: bytes, source: PackSource, proved: int) -> None:
        scheme, found = source.record.scheme, self._found
        here = max(proved, len(source.local))
        found.missing += scheme.n - min(scheme.n, here)
        spare = here - scheme.k
        found.fewest = spare if found.fewest is None else min(found.fewest, spare)
        if spare < 0 and not self.full:
            found.lost[pack] = f"{here} of its {scheme.n} pieces were proved where {scheme.k} are needed"

    async def _open(self, pack: bytes) -> None:
        """Bring a pack back, or the one that has taken its place meanwhile, and look into it, as a restore would."""
        fetching = outcome(Deferred.fromCoroutine(self._parts.fetcher.current(self._parts.sources, pack)))
        fetched: Outcome = await fetching
        if fetched.error is not None:
            self._found.lost[pack] = str(fetched.error)
            return
        opened: Outcome = await outcome(self._parts.coding.submit(self._look_into, *fetched.value))
        if opened.error is not None:
            self._found.lost[pack] = str(opened.error)

    def _look_into(self, source: PackSource, pieces: dict[int, bytes]) -> None:
        """In a thread. Raises `BitDustError` where a chunk is not what its name says."""
        secrets = self._owner.secrets(source.key, source.epoch)
        opened = unseal(pieces, source.record, secrets, self._coders.of(source.record.scheme))
        names = self._parts.catalog.read_apart(lambda database: chunk_names(database, source.record.pack))
        keys = [index_key(secret) for secret in secrets]
        for number, name in enumerate(names):
            if all(chunk_name(key, opened.chunk(number)) != name for key in keys):
                raise BitDustError("incomplete", "a chunk of a pack is not what was stored")

    # the end

    def verified(self) -> None:
        self.verdict = self.finished()
        self._finish(self.verdict)

    def finished(self) -> Row:
        """The verdict, and what it rests on."""
        found, bad = self._found, self._bad
        suppliers = [self._shown(who, tally) for who, tally in found.suppliers.items()]
        return {
            **self.describe(),
            "verified": not found.lost,
            "files": len(self._plan.files),
            "files_lost": len(bad),
            "total_size": self._plan.total,
            "packs": self._all,
            "packs_lost": len(found.lost),
            "pieces_missing": found.missing,
            "spare_pieces": found.fewest,
            "suppliers": suppliers,
            "problems": bad[:MOST_PROBLEMS],
        }

    def _bad_files(self) -> list[Row]:
        """Files that need a pack which is lost; in a thread."""
        lost = self._found.lost
        return [
            {"path": file.place.text, "reason": lost[pack]}
            for file in self._plan.files
            if (pack := _first_lost(file, lost)) is not None
        ]

    def _shown(self, supplier: bytes, tally: SupplierTally) -> Row:
        idurl, global_id = self._parts.names(supplier)
        counts = {"asked": tally.asked, "proved": tally.proved, "failed": tally.failed, "silent": tally.silent}
        return {"idurl": idurl, "global_id": global_id, **counts}

    def failed(self, reason: Any) -> None:
        error = getattr(reason, "value", reason)
        if error is None:
            error = BitDustError("timeout", f"verifying {self.shown} took too long")
        if not isinstance(error, BitDustError):
            self.log.error("verifying {path} failed: {reason!r}", path=self.shown, reason=error)
            error = BitDustError("failed", f"verifying {self.shown} failed: {error}")
        self._finish(error)

    def aborted(self, reason: Any) -> None:
        self._finish(reason if isinstance(reason, BitDustError) else BitDustError("stopped", str(reason)))

    def _finish(self, result: Row | BitDustError) -> None:
        self._waiting_packs = []
        self._ended(self)
        self.end(result)


def _first_lost(file: FileWork, lost: dict[bytes, str]) -> bytes | None:
    return next((run.pack for run in file.runs if run.pack in lost), None)


def chunk_names(database: sqlite3.Connection, pack: bytes) -> list[bytes]:
    """Names of the chunks of a pack, in order."""
    row = database.execute("SELECT names FROM packs WHERE pack=?", (pack,)).fetchone()
    names = bytes(row[0]) if row is not None else b""
    return [names[start : start + 16] for start in range(0, len(names), 16)]
