"""Scrubbing: every piece on the disk is read again now and then, so that damage is found while others have the rest.

How much is read in a second is a setting, and a start goes on where the walk was. What was lost is reported to the
customer at once, before it finds out by itself: it makes the piece again and brings it.
"""

from pathlib import Path

from attrs import define, field
from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger

from bitdust.automats.local_tester import RATE, STEP
from bitdust.crypt.files import write_safely
from bitdust.customers.names import PieceName
from bitdust.customers.pieces import TestedPiece
from bitdust.customers.store import SupplierStore
from bitdust.outcome import outcome
from bitdust.signal import Signal
from bitdust.surroundings import Surroundings

MOST_PIECES = 100
"""Pieces of one portion: small ones are read from the database, one by one."""
SAVE_AFTER = 600.0
OVERDUE = 6 * 3600.0
"""Seconds in which a piece is read again, where there is one and everything works."""


@define
class Portion:
    """What was read at a time, and which pieces of it were found to be lost just now."""

    pieces: int = 0
    size: int = 0
    lost: list[TestedPiece] = field(factory=list)

    @property
    def is_whole(self) -> bool:
        """Whether nothing was lost."""
        return not self.lost


class Scrubber:
    """The port of `local_tester`: a slow walk over all pieces. ``lost`` is emitted for each piece that was lost."""

    log = Logger()

    def __init__(self, around: Surroundings, store: SupplierStore, path: Path) -> None:
        self._store = store
        self._path = path
        self._events = around.events
        self._settings = around.settings
        self._identities = around.identities
        self._run_in_thread = around.world.run_in_thread
        self._uptime = around.world.clock.seconds
        self._last: PieceName | None = None
        self._worked = self._saved = self._uptime()
        self._credit = 0
        self._found: list[TestedPiece] = []
        """What was found to be lost and is not reported, as reading the portion took too long."""
        self.tested = 0
        self.damaged = 0
        self.lost: Signal[[list[PieceName]]] = Signal()

    def start(self) -> None:
        """Go on where the walk was; count what is overdue from now on."""
        self._worked = self._saved = self._uptime()
        try:
            customer, pack, number = self._path.read_text().split()
            self._last = PieceName(bytes.fromhex(customer), bytes.fromhex(pack), int(number))
        except (OSError, ValueError):  # a damaged file costs another walk
            self._last = None

    def stop(self) -> None:
        """Note where the walk is."""
        try:
            write_safely(self._path, self._position())
        except OSError as error:
            self.log.warn("{path} cannot be written: {why}", path=str(self._path), why=error)

    def _position(self) -> bytes:
        last = self._last
        return f"{last.customer.hex()} {last.pack.hex()} {last.number}".encode() if last is not None else b""

    def is_overdue(self) -> bool:
        """Whether nothing could be read for hours although there are pieces."""
        return self._uptime() - self._worked > OVERDUE and self._store.piece_after(None) is not None

    # the machine's port

    def has_next(self) -> bool:
        return self._store.is_open and self._store.piece_after(self._last) is not None

    def test_next(self) -> "Deferred[Portion]":
        """Read as much as the time since the last portion allows. A piece whose test fails does not stop the walk."""
        self._credit = min(0, self._credit) + int(int(self._settings.get(RATE)) * STEP)
        if self._credit <= 0:
            return succeed(Portion())
        return Deferred.fromCoroutine(self._walk())

    async def _walk(self) -> Portion:
        portion = Portion(lost=self._found)
        try:
            await self._fill(portion)
        finally:
            self._credit -= portion.size
        self._found = []
        if self._uptime() - self._saved > SAVE_AFTER:
            self._saved = self._uptime()
            saving = self._run_in_thread(write_safely, self._path, self._position())
            saving.addErrback(lambda failure: self.log.warn("the walk cannot be noted: {why}", why=failure.value))
        return portion

    async def _fill(self, portion: Portion) -> None:
        while portion.size < self._credit and portion.pieces < MOST_PIECES and self._store.is_open:
            name = self._store.piece_after(self._last)
            if name is None:
                break
            self._last = name
            portion.pieces += 1
            tested = await outcome(self._store.test(name))
            if tested.error is not None:
                self.log.info("piece {name} could not be read again: {why}", name=name.pack.hex(), why=tested.error)
                continue
            self._count(portion, tested.value)

    def _count(self, portion: Portion, tested: TestedPiece | None) -> None:
        self._worked = self._uptime()
        self.tested += 1
        if tested is None:
            return
        portion.size += tested.size
        if tested.is_news and not tested.is_whole:
            portion.lost.append(tested)

    def report(self, tested: Portion) -> None:
        """For the owner of the disk, and for the customers."""
        for one in tested.lost:
            self.damaged += 1
            name, document = one.name, self._identities.get(one.name.customer)
            idurl = str(document.idurl) if document is not None else ""
            piece, state = f"{name.pack.hex()}.{name.number}", one.condition.name.lower()
            self._events.send("customer-piece-damaged", {"idurl": idurl, "piece": piece, "state": state})
        self.lost.emit([one.name for one in tested.lost])

    def rewind(self) -> None:
        self._last = None
        if self._store.is_open and self._store.piece_after(None) is None:
            self._worked = self._uptime()
