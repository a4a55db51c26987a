"""Places of my family that change hands: how many pieces their new suppliers lack still, shown and reported.

Counting reads as many rows as there are packs for each such place; that is done in a thread, and not again before the
catalog has changed.
"""

import sqlite3

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from bitdust.storage.catalog.catalog import Catalog
from bitdust.storage.catalog.database import PackState, PieceState
from bitdust.storage.ports import Ports
from bitdust.surroundings import Connected
from bitdust.wire.errors import BitDustError

REPORT, LONGEST = 5.0, 60.0
"""Seconds between two looks while pieces move, and while none does."""
SHARE = 50.0
"""A look at a large catalog takes a while: the pause after it is so many times as long."""


@frozen
class Place:
    """A place that ``former`` leaves to ``supplier``, None while nobody has it."""

    position: int
    former: bytes
    supplier: bytes | None


@frozen
class ToCome:
    """Pieces of a place that have ``moved`` to its supplier, those ``left``, and their bytes."""

    moved: int = 0
    left: int = 0
    bytes: int = 0


Counted = dict[Place, ToCome]


class Handovers:
    """I send ``replacement-progress`` for a place when its figures have changed."""

    log = Logger()

    def __init__(self, around: Connected, catalog: Catalog, ports: Ports) -> None:
        self._clock = around.world.clock
        self._events = around.events
        self._catalog = catalog
        self._ports = ports
        self._known: tuple[object, Counted] = (None, {})
        self._reported: Counted = {}
        self._call: IDelayedCall | None = None
        self._is_open = self._is_looking = False
        self._pause = REPORT

    def start(self) -> None:
        """Report from now on. May follow a `stop`."""
        self._is_open = True
        self.suppliers_changed()

    def stop(self) -> None:
        """Report nothing any more."""
        self._is_open = False
        call, self._call = self._call, None
        if call is not None and call.active():
            call.cancel()

    def suppliers_changed(self) -> None:
        """Places may have changed hands, and pieces may move again."""
        self._pause = REPORT
        self._plan()

    def places(self) -> list[Place]:
        """In order; of those who leave a place one after the other the first is named."""
        family = self._ports.family()
        leaving = family.leaving or [] if family is not None else []
        suppliers = family.suppliers if family is not None else []
        pairs = zip(leaving, suppliers, strict=False)
        return [Place(number, former, who) for number, (former, who) in enumerate(pairs) if former is not None]

    async def count(self) -> Counted:
        """What is to come at each place. Raises `BitDustError` for a disk that does not give the catalog."""
        places = self.places()
        asked = (self._catalog.revision, places)
        if places and asked != self._known[0]:
            found = await self._catalog.read_in_thread(lambda database: {one: to_come(database, one) for one in places})
            self._known = (asked, found)
        return {one: self._known[1].get(one, ToCome()) for one in places}

    def _plan(self) -> None:
        is_wanted = self._is_open and not self._is_looking and bool(self.places() or self._reported)
        if not is_wanted:
            return
        if self._call is not None and self._call.active():
            if self._call.getTime() <= self._clock.seconds() + self._pause:
                return
            self._call.cancel()
        self._call = self._clock.callLater(self._pause, self._look)

    def _look(self) -> None:
        self._is_looking, began = True, self._clock.seconds()
        looking: Deferred[Counted] = Deferred.fromCoroutine(self.count())
        looking.addCallback(self._report, began)
        looking.addErrback(self._not_looked)
        looking.addBoth(self._has_looked)

    def _report(self, found: Counted, began: float) -> None:
        if not self._is_open:
            return
        changed = [one for one, figures in found.items() if self._reported.get(one) != figures]
        self._pause = max(SHARE * (self._clock.seconds() - began), REPORT if changed else min(2 * self._pause, LONGEST))
        self._reported = found
        for place in changed:
            self._send(place, found[place])

    def _send(self, place: Place, figures: ToCome) -> None:
        names = {"from": self._name(place.former), "to": self._name(place.supplier)}
        left = {"moved": figures.moved, "left": figures.left, "bytes": figures.bytes}
        self._events.send("replacement-progress", {"position": place.position, **names, **left})

    def _name(self, who: bytes | None) -> str:
        return (self._ports.names(who)[1] or who.hex()) if who is not None else ""

    def _not_looked(self, failure: Failure) -> None:
        if failure.check(BitDustError):
            self.log.warn("what is to move cannot be counted now: {e}", e=failure.value)
        else:
            self.log.failure("what is to move cannot be counted", failure)

    def _has_looked(self, _: object) -> None:
        self._is_looking = False
        self._plan()


def to_come(database: sqlite3.Connection, place: Place) -> ToCome:
    """What the supplier of a place has acknowledged of all that belongs there, and what it has not; for a thread."""
    moved, left, size = database.execute(
        "SELECT coalesce(sum(kept), 0), coalesce(sum(NOT kept), 0), coalesce(sum((NOT kept)*size), 0)"
        # A piece that is missing has no size of its own in the catalog.
        " FROM (SELECT coalesce(s.state=? AND s.supplier IS ?, 0) AS kept,"
        " coalesce(nullif(s.size, 0), p.size/((p.n+1)/2)) AS size"
        " FROM packs p LEFT JOIN pieces s ON s.pack=p.pack AND s.number=? WHERE p.state<=? AND p.n>?)",
        (PieceState.KEPT, place.supplier or b"", place.position, PackState.HELD, place.position),
    ).fetchone()
    return ToCome(int(moved), int(left), int(size))
