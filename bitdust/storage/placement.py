"""What suppliers hold, as a change of places, or of their number, needs it."""

from typing import Protocol

from bitdust.disk.commit import one_state
from bitdust.storage.catalog import figures
from bitdust.storage.catalog.catalog import Catalog
from bitdust.storage.core import Core
from bitdust.storage.keeping.disposal import OTHERS_DELAY
from bitdust.storage.keeping.reencode_rows import is_moved_all, places_left_out
from bitdust.storage.log.compared import Compared
from bitdust.storage.ports import Ports
from bitdust.surroundings import Connected
from bitdust.wire.records import Family


class HasCore(Protocol):
    """The storage, open or not; `bitdust.storage.storage.Storage` is it."""

    @property
    def is_open(self) -> bool: ...

    @property
    def core(self) -> Core: ...

    def has_data(self) -> bool: ...


class Placement:
    """I answer while the storage is closed as well: unknown is the more careful answer."""

    def __init__(self, around: Connected, ports: Ports, storage: HasCore) -> None:
        self._wall = around.world.wall
        self._ports = ports
        self._storage = storage
        self._judged: dict[tuple[int, bool], tuple[object, bool]] = {}
        self._whole: tuple[object, bool] | None = None
        self._left_out: tuple[object, int | None] | None = None

    def has_data(self) -> bool:
        """Whether pieces of mine may be at suppliers; unknown counts as yes."""
        return self._storage.has_data()

    def _core(self) -> Core | None:
        """All parts, where everything that was safe before is known."""
        core = self._storage.core if self._storage.is_open else None
        return core if core is not None and core.catalog.is_open and core.log_replicas.knows_all else None

    def has_moved(self, position: int, supplier: bytes) -> bool:
        """Whether a supplier holds all that belongs to a place: its piece of every pack, the logs, the key ring.

        Pieces that cannot be had from anybody now do not count: waiting for them would keep the place from its rest.
        """
        if not self.is_logged_at(supplier):
            return False
        core = self._core()
        return core is None or self._is_complete(core.catalog, position, supplier, self._sources())

    def has_all(self, position: int, supplier: bytes) -> bool:
        """Whether a supplier holds its piece of every pack, those included that cannot be had now, and nothing lacks
        anywhere else: whoever left its place may have had another one in another life. Unknown counts as no.

        When all who may bring more were silent for a month, what nobody else has does not count.
        """
        core = self._core()
        if core is None:
            return not self.has_data()
        sources = None if not core.waits_no_more() else self._sources()
        return self._is_complete(core.catalog, position, supplier, sources) and self.is_whole()

    def is_whole(self) -> bool:
        """Whether no piece lacks anywhere; unknown counts as no. When all who may bring more were silent for a month,
        what nobody has does not count."""
        core = self._core()
        return core is not None and self._is_whole(core.catalog, not core.waits_no_more())

    def _is_whole(self, catalog: Catalog, is_all: bool) -> bool:
        """Reads all packs, and is asked as often."""
        asked = (catalog, catalog.revision, is_all)
        if self._whole is None or self._whole[0] != asked:
            self._whole = (asked, figures.is_whole(catalog.read, is_all))
        return self._whole[1]

    def _is_complete(self, catalog: Catalog, position: int, supplier: bytes, sources: list[bytes] | None) -> bool:
        """Reads as many rows as there are packs, and is asked every few seconds: once for each state of the catalog."""
        asked = (catalog, catalog.revision, supplier, sources)
        known = self._judged.get((position, sources is None))
        if known is None or known[0] != asked:
            known = (asked, figures.is_complete_at(catalog.read, position, supplier, sources))
            self._judged[position, sources is None] = known
        return known[1]

    def _sources(self) -> list[bytes]:
        """Who has pieces that can be had: my suppliers, away or not, and who leaves while it is there."""
        family = self._ports.family()
        if family is None:
            return []
        return [who for who in family.holders if who not in family.departing or self._ports.is_online(who)]

    def is_needed(self, position: int, supplier: bytes, former: bytes) -> bool:
        """Whether a former supplier has pieces of a place that its supplier has not; unknown counts as yes, and so does
        a log that is not read to its end: it may name pieces that only the former one has. A guest's does for a month.
        """
        core = self._core()
        if core is None:
            return self.has_data()
        if former != supplier and Compared(core.catalog, core.calendar).is_waited:
            return True
        return figures.holds_what_lacks(core.catalog.read, supplier, former)

    def is_logged_at(self, supplier: bytes) -> bool:
        """Whether a supplier holds all my logs, and my key ring."""
        core = self._core()
        if core is None:
            return not self.has_data()
        return core.log_replicas.is_held_by(supplier) and core.key_ring_replicas.is_held_by(supplier)

    def has_read(self, supplier: bytes) -> bool:
        """Whether a supplier has said what logs of mine it holds, and all of them are known here: what was given up
        when the person started over counts as not known, since whoever turns up may have it."""
        core = self._core()
        return core is not None and core.log_replicas.has_read(supplier, counts_losses=False)

    def names_others(self, supplier: bytes) -> bool:
        """Whether a supplier lists the log of another device than this one: one without its disk lists none."""
        core = self._core()
        return core is not None and core.log_replicas.names_others(supplier)

    def has_listed(self, supplier: bytes) -> bool:
        """Whether a supplier has listed its pieces since the last entries of others came."""
        core = self._core()
        return core is not None and core.has_listed(supplier)

    def end_of(self, key: str, device: bytes, guest: bytes) -> int | None:
        """Up to which entry the log of a guest's device is known; None while more may come that was safe."""
        core = self._core()
        if core is None or Compared(core.catalog, core.calendar).waits_for(key, guest):
            return None
        return core.catalog.end(key, device).sequence

    def is_past(self, moment: float) -> bool:
        """Whether a moment is over by observed time: a clock that is a month ahead for a minute says nothing."""
        return self.earliest() > moment

    def earliest(self) -> float:
        """How late it is at least by observed time; 0 where that cannot be said."""
        core = self._core()
        return core.calendar.now() if core is not None else 0.0

    def latest(self) -> float:
        """How late it may be at most by observed time; 0 where that cannot be said."""
        core = self._core()
        return core.calendar.stamp() if core is not None and core.calendar.is_begun else 0.0

    def refusing_for(self, supplier: bytes) -> float:
        """For how many seconds a supplier has taken none of the pieces, or nothing of the log or the key ring, that it
        was offered; 0 where it takes, and while it is away."""
        if not self._storage.is_open:
            return 0.0
        core = self._storage.core
        return max(one.refusing_for(supplier) for one in (core.queues, core.log_replicas, core.key_ring_replicas))

    def failed_in_a_row(self, supplier: bytes) -> int | None:
        """How many audits a supplier has failed since it passed one; None while that is not known."""
        core = self._storage.core if self._storage.is_open else None
        record = core.audits.book.of(supplier) if core is not None else None
        return record.strikes if record is not None else None

    def rounds(self, supplier: bytes) -> tuple[int, int]:
        """How many audits a supplier has passed, and failed, as far as is known."""
        core = self._storage.core if self._storage.is_open else None
        record = core.audits.book.of(supplier) if core is not None else None
        return (record.passes, record.failures) if record is not None else (0, 0)

    def failing(self, least: int) -> frozenset[bytes]:
        """Everybody who has failed so many audits in a row."""
        return self._storage.core.audits.book.failing(least) if self._storage.is_open else frozenset()

    def is_resized(self, since: float | None) -> bool:
        """Whether no pack of another size than the family's is to be moved, the log that says so is safe, and no other
        device of mine may have been uploading for another size since a moment; None where nobody is to go.

        By observed time: a clock that is a month ahead for a day lets nobody go, nor one that began with 1970."""
        core, family = self._core(), self._ports.family()
        if core is None or family is None:
            return not self.has_data()
        heard = since is None or self._are_others_heard(core, since)
        return heard and core.log_replicas.is_safe() and self._kept_places(core.catalog, family) is not None

    def left_out(self) -> int:
        """At how many places, with those beyond the family, somebody may have pieces that a change of size has to go on
        without; 0 where there are none, and while others are to be moved."""
        core, family = self._core(), self._ports.family()
        return (self._kept_places(core.catalog, family) or 0) if core is not None and family is not None else 0

    def _kept_places(self, catalog: Catalog, family: Family) -> int | None:
        """The same; None while others are to be moved. Reads all packs, and is asked as often.

        Both are said of one state of the catalog: a thread may write between two questions, and who is kept for nothing
        in one state is not let go because all has moved in the next one."""
        asked = (catalog, catalog.revision, family.n, family.seats)
        if self._left_out is None or self._left_out[0] != asked:
            with one_state(catalog.read):
                is_moved = is_moved_all(catalog.read, family.n)
                self._left_out = (asked, places_left_out(catalog.read, family.n, family.seats) if is_moved else None)
        return self._left_out[1]

    def _are_others_heard(self, core: Core, since: float) -> bool:
        """Whether all was read that others have written, where there are others a month after a moment."""
        compared = Compared(core.catalog, core.calendar)
        if core.log_replicas.is_alone_everywhere() or not core.calendar.is_begun:
            is_past = core.log_replicas.is_alone_everywhere() or self._wall() - since >= OTHERS_DELAY / 1000
            return is_past and not compared.is_waited
        return compared.all_read_at() - since >= OTHERS_DELAY / 1000
