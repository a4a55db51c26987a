"""k pieces of a pack, from the suppliers that are fastest now.

Each supplier has an estimate of its answer time and speed, moved by every piece it gives. A pack asks the k suppliers
that should be first, counting what each has to do already. One that makes no progress for twice the time expected of it
is not waited for: another is asked as well, and the first k good pieces win. A piece that does not fit its root is
noted against its supplier and fetched elsewhere.
"""

from collections.abc import Callable

from twisted.internet.defer import Deferred

from bitdust.crypt.merkle import root
from bitdust.outcome import Outcome, outcome
from bitdust.storage.pieces.bad_pieces import BadPieces
from bitdust.storage.pieces.locations import PackSource, PackSources
from bitdust.storage.pieces.pace import Pace
from bitdust.storage.pieces.pack_fetch import Fetch, PieceRequest
from bitdust.storage.ports import PieceGivers
from bitdust.surroundings import Connected
from bitdust.wire.errors import BitDustError
from bitdust.wire.packet import Command
from bitdust.wire.records import PackRecord, PieceRef

SILENCE = 30.0
TOO_FEW = "not-enough-pieces"


class Fetcher:
    """I know every supplier's pace and all packs that are being fetched."""

    def __init__(self, around: Connected, ports: PieceGivers, bad_pieces: BadPieces) -> None:
        self.clock = around.world.clock
        self.wall = around.world.wall
        self._run_in_thread = around.world.run_in_thread
        self._registry = around.registry
        self._ports = ports
        self._bad_pieces = bad_pieces
        self._paces: dict[bytes, Pace] = {}
        self._fetches: dict[Fetch, float] = {}
        self.is_open = True

    def fetch(
        self, record: PackRecord, places: dict[int, bytes], most: int | None = None
    ) -> "Deferred[dict[int, bytes]]":
        """k checked pieces, or another number; ``places`` says who has which. Fails ``not-enough-pieces``."""
        fetch = Fetch(self._registry, self, record, places, most or record.scheme.k)
        self._fetches[fetch] = self.clock.seconds()
        fetch.start()
        return fetch.done

    async def enough(self, source: PackSource, places: dict[int, bytes] | None = None) -> dict[int, bytes]:
        """k pieces, from this disk or from suppliers who can be asked now. Raises ``not-enough-pieces``."""
        needed, places = source.record.scheme.k, source.places if places is None else places
        if len(source.local) >= needed:
            return source.local
        there = sum(self.is_online(who) for who in places.values())
        if there < needed:
            raise BitDustError(TOO_FEW, f"{there} suppliers have a piece of it where {needed} are needed")
        found: dict[int, bytes] = await self.fetch(source.record, places)
        return found

    async def current(self, sources: PackSources, pack: bytes) -> tuple[PackSource, dict[int, bytes]]:
        """k pieces of a pack, or of the one that takes its place meanwhile, and which it is.

        A log is read before all of its pieces have come, and what was missing then may have come since; right after two
        lives of mine have become one, a place may be asked for what its former supplier still has.
        """
        while True:
            source = await sources.of(pack)
            if len(source.local) >= source.record.scheme.k:
                return source, dict(source.local)
            found = await outcome(self.fetch(source.record, source.places))
            if found.error is None:
                return source, found.value
            later = await sources.of(pack)
            if later.record.pack == source.record.pack:
                return later, await self._last_resorts(source, later, found)

    async def _last_resorts(self, source: PackSource, later: PackSource, found: Outcome) -> dict[int, bytes]:
        """Those who may have what nobody was heard to have; fails as it did before where there is no one."""
        hoped = {index: who for index, who in source.hoped.items() if self.is_online(who) or self.is_coming(who)}
        if hoped:
            found = await outcome(self.fetch(later.record, {**hoped, **later.places}))
            if found.error is None:
                came = {index: who for index, who in hoped.items() if index in found.value}
                await outcome(self._bad_pieces.given(later.record.pack, came))
        elsewhere = {**source.elsewhere, **later.elsewhere}
        if found.error is not None and elsewhere:
            found = await outcome(self.fetch(later.record, {**later.places, **elsewhere}))
        if found.error is not None:
            raise found.error
        pieces: dict[int, bytes] = found.value
        return pieces

    def stop(self) -> None:
        """Ask for nothing any more."""
        self.is_open = False
        for fetch in list(self._fetches):
            fetch.done.cancel()

    def incoming(self, supplier: bytes) -> list[PieceRequest]:
        """Pieces that one supplier was asked for."""
        return [one for fetch in self._fetches for one in fetch.requests() if one.supplier == supplier]

    def longest(self) -> float:
        """For how many seconds the oldest pack is being fetched; 0 while there is none."""
        return self.clock.seconds() - min(self._fetches.values()) if self._fetches else 0.0

    # what each fetch asks

    def pace(self, supplier: bytes) -> Pace:
        return self._paces.setdefault(supplier, Pace())

    def rank(self, supplier: bytes) -> tuple[bool, int]:
        return (self.pace(supplier).suspect, self._bad_pieces.count(supplier))

    def is_online(self, supplier: bytes) -> bool:
        return self._ports.is_online(supplier)

    def is_coming(self, supplier: bytes) -> bool:
        return not self._ports.is_online(supplier) and self._ports.is_coming(supplier)

    def request(
        self, supplier: bytes, piece: PieceRef, size: int, progress: Callable[[int, int], None]
    ) -> "Deferred[bytes]":
        fields = {"kind": "piece", "pack": piece.pack, "index": piece.index, "offset": 0, "length": 0}
        asking = self._ports.outbox.send(
            supplier, Command.RETRIEVE, fields, deadline=SILENCE, max_answer=size + 1024, progress=progress
        )
        return asking.addCallback(lambda reply: reply.payload)

    def check(self, data: bytes, expected: bytes) -> "Deferred[bool]":
        return self._run_in_thread(lambda: root(data) == expected)

    def note_bad(self, supplier: bytes, piece: PieceRef) -> None:
        self._bad_pieces.note(supplier, piece)

    def note_missing(self, supplier: bytes, piece: PieceRef) -> None:
        self._bad_pieces.admitted(supplier, [piece])

    def ended(self, fetch: Fetch) -> None:
        self._fetches.pop(fetch, None)
