"""Replacing suppliers that hold pieces, place by place; one `supplier_replacement` machine for each.

1. The new supplier takes the place in the family record, and the former one stands beside it as leaving. The record is
   on the disk, at every supplier and in the DHT: whatever happens from here on, everybody knows both.
2. The storage moves the place's pieces, its log and its key ring to the new supplier. The former one keeps what it has.
3. When all of it is acknowledged by the new one, the former one is taken out of the record, and after that its contract
   is ended with my signed word, on which it frees the space.

Each step follows from the record and from the catalog alone, so a killed node goes on where it was. Where the new
supplier is lost in the middle, the place goes to another one, and whoever had it first still stays until that one has
everything; the contract of the lost one ends by its term, since it may hold what nobody else does.
"""

from typing import Protocol

from attrs import frozen

from bitdust.automats.supplier_replacement import SupplierReplacement
from bitdust.identity.awaited import FAMILY
from bitdust.peers.shown import Names, show_name
from bitdust.signal import Signal
from bitdust.suppliers.again import Again
from bitdust.suppliers.contracts import ContractBook
from bitdust.suppliers.departures import Departure, Departures, Why
from bitdust.suppliers.family import MyFamily
from bitdust.suppliers.life import Reading, Unread
from bitdust.suppliers.membership import Membership
from bitdust.suppliers.publication import FamilyPublication
from bitdust.surroundings import Connected
from bitdust.wiring import Wire

REFUSED_FOR = 600.0
"""Seconds for which somebody new may take no pieces, or no records, before the place goes to another one."""


class StoredPieces(Reading, Protocol):
    """What is stored at suppliers, as the catalog knows it."""

    def has_data(self) -> bool:
        """Whether pieces of mine may be stored at suppliers; unknown counts as yes."""

    def has_moved(self, position: int, supplier: bytes, /) -> bool:
        """Whether a supplier holds everything that belongs to a place and can be had from anybody."""

    def has_all(self, position: int, supplier: bytes, /) -> bool:
        """Whether a supplier has acknowledged its piece of every pack, those included that cannot be had now, and no
        piece lacks at any other place."""

    def is_needed(self, position: int, supplier: bytes, former: bytes, /) -> bool:
        """Whether a former supplier has pieces of a place that its supplier has not."""

    def refusing_for(self, supplier: bytes, /) -> float:
        """For how many seconds a supplier has taken none of the pieces, or of the records, that it was offered."""


@frozen
class Replacement:
    """The port of the machine of one place."""

    replacements: "Replacements"
    position: int

    def is_wanted(self) -> bool:
        return self.replacements.is_wanted(self.position)

    def has_former(self) -> bool:
        return self.replacements.former(self.position) is not None

    def has_moved(self) -> bool:
        return self.replacements.has_moved(self.position)

    def is_needed(self) -> bool:
        return self.replacements.is_needed(self.position)

    def is_known(self) -> bool:
        return self.replacements.is_known(self.position)

    def search(self, everybody: bool) -> None:
        self.replacements.searching.emit(everybody)

    def publish(self) -> None:
        self.replacements.publish()

    def dismiss_former(self) -> None:
        self.replacements.dismiss_former(self.position)


class Replacements:
    """I know which places change hands, and how far each has come.

    ``searching`` asks for successors: everybody (True), or whoever has not refused a short while ago. ``replaced``
    reports who had to go and is no supplier any more.
    """

    pieces = Wire(StoredPieces)

    def __init__(
        self,
        around: Connected,
        family: MyFamily,
        departures: Departures,
        book: ContractBook,
        publication: FamilyPublication,
    ) -> None:
        self._registry = around.registry
        self._events = around.events
        self._identities = around.identities
        self._me = around.me
        self._family = family
        self._departures = departures
        self._book = book
        self._publication = publication
        self._membership = Membership(around, family)
        self._machines: dict[int, SupplierReplacement] = {}
        self._is_open = False
        self._again = Again(around.world.clock, self.update)
        self.searching: Signal[[bool]] = Signal()
        self.replaced: Signal[[bytes]] = Signal()
        departures.changed.connect(self.update)
        family.changed.connect(self.update)
        publication.acknowledged.connect(lambda supplier: self.update())

    def start(self) -> None:
        """Go on with every place that changes hands, wherever it was when the node stopped."""
        self._is_open = True
        self.update()

    def stop(self) -> None:
        """Move nobody any more; what is on the disk stays."""
        self._is_open = False
        self._again.stop()
        machines, self._machines = self._machines, {}
        for machine in machines.values():
            machine.send("shutdown")

    def update(self) -> None:
        """The record, a departure, or what others know has changed."""
        if not self._is_open or self._me.awaits(FAMILY):
            return
        self.note_read()
        self._forget_the_gone()
        self._machines = {place: one for place, one in self._machines.items() if one.state not in one.final}
        family = self._family.current
        for position in range(family.n if family is not None else 0):
            if position not in self._machines and (self.is_wanted(position) or self.former(position) is not None):
                self._new(position)
        for position, machine in list(self._machines.items()):
            machine.send("check")
            if machine.state in machine.final and self._machines.get(position) is machine:
                del self._machines[position]

    def _new(self, position: int) -> SupplierReplacement:
        machine = SupplierReplacement(self._registry, str(position), Replacement(self, position))
        self._machines[position] = machine
        return machine

    def note_read(self) -> None:
        """Note what of other lives is known by now, and whose end has come; guests come back where there is room. To be
        called now and then: nothing else may happen for long, and others wait for what is noted here."""
        if not self._is_open or self._me.awaits(FAMILY):
            return
        try:
            self._family.note_read(self.pieces)
            self._family.take_again(self.pieces)
        except OSError as error:
            self._again.after(error)

    def _forget_the_gone(self) -> None:
        """Departures of those who have left."""
        for supplier in self._departures.suppliers():
            if supplier not in self._family.holders:
                try:
                    self._departures.forget(supplier)
                    self.replaced.emit(supplier)
                except OSError as error:
                    self._again.after(error)

    def replace(self, position: int) -> SupplierReplacement | None:
        """A person wants another supplier in a place, now; the machine that sees to it, None before `start`."""
        if not self._is_open:
            return None
        machine = self._machines.get(position) or self._new(position)
        machine.send("replace")
        return machine

    def state(self, position: int) -> str:
        """How far the replacement of a place has come; empty where there is none."""
        machine = self._machines.get(position)
        return machine.state if machine is not None else ""

    # what the record says of a place

    def wanted(self) -> list[int]:
        """Places whose supplier is to be replaced by somebody who is not found yet."""
        family = self._family.current
        return [position for position in range(family.n if family is not None else 0) if self.is_wanted(position)]

    def is_wanted(self, position: int) -> bool:
        """While things move to a new supplier it is to be replaced again only where it is lost, lies, or refuses, or a
        person asks for it: who had the place first has everything still. Where each of two has what another life has
        stored both stay beside a third one, if there is room for that; guests make some."""
        known = self._departures.of(self._supplier(position))
        if known is None or (self.former(position) is not None and not self._has_room_beside()):
            return False
        return (
            not self.is_moving(position) or known.why in (Why.AWAY, Why.AUDITS, Why.ASKED) or self.is_refused(position)
        )

    def _has_room_beside(self) -> bool:
        return not self._family.of_other_lives() or self._family.has_room

    def is_refused(self, position: int) -> bool:
        """Whether a place changes hands, and who is to have it has long taken none of its pieces, or not the log, the
        key ring or the family record: it never ends."""
        supplier = self._supplier(position)
        if supplier is None or self.former(position) is None:
            return False
        refusals = (self.pieces.refusing_for(supplier), self._publication.refusing_for(supplier))
        return max(refusals) >= REFUSED_FOR

    def is_moving(self, position: int) -> bool:
        """Whether a place changes hands now. It does not where all has moved that can, and the former one stays."""
        return self.former(position) is not None and self.state(position) not in ("KEPT", "SEARCHING")

    def successor(self, position: int) -> bytes | None:
        """Whom a person chose for a place."""
        departure = self._departures.of(self._supplier(position))
        return departure.successor if departure is not None else None

    def former(self, position: int) -> bytes | None:
        """Who had a place before its supplier, and still holds its pieces."""
        family = self._family.current
        if family is None or family.leaving is None or position >= family.n:
            return None
        return family.leaving[position]

    def departing(self) -> list[bytes]:
        """Suppliers that are to be replaced, or are being replaced."""
        return self._departures.suppliers()

    def departure(self, supplier: bytes) -> Departure | None:
        """Why a supplier is to be replaced; None for one that stays."""
        return self._departures.of(supplier)

    def _supplier(self, position: int) -> bytes | None:
        family = self._family.current
        return family.suppliers[position] if family is not None and position < family.n else None

    def has_moved(self, position: int) -> bool:
        """Whether everything that belongs to a place is at its supplier."""
        supplier = self._supplier(position)
        return supplier is not None and self.pieces.has_moved(position, supplier)

    def is_needed(self, position: int) -> bool:
        """Whether who had a place before still has what its supplier has not, or may have to come back.

        One of another life may never say what it has: where its successor has all that can belong there, nobody waits.
        """
        if self._family.is_doubtful or self._family.has_unread(self.pieces):
            return True
        supplier, former = self._supplier(position), self.former(position)
        if supplier is not None and former is not None and self._family.is_unlisted(former, self.pieces):
            return not self.pieces.has_all(position, supplier)
        return supplier is not None and former is not None and self.pieces.is_needed(position, supplier, former)

    def is_known(self, position: int) -> bool:
        """Whether enough others know who has the place, its supplier among them."""
        supplier = self._supplier(position)
        return supplier is not None and self._publication.is_held_by(supplier) and self._publication.is_safe()

    def unread(self) -> list[Unread]:
        """Lives of before for which everybody who leaves a place stays."""
        return self._family.unread(self.pieces)

    def publish(self) -> None:
        """Bring the record to whoever does not have it."""
        self._publication.update()

    def dismiss_former(self, position: int) -> None:
        """Everything has moved, and enough others know: the former supplier may erase what it has."""
        former = self.former(position)
        try:
            self._family.note_read(self.pieces)
            if former is not None and former not in self._family.members and not self._family.waits_for(former):
                self._book.release(former)
            self._membership.dismiss_former(position)
        except OSError as error:
            self._again.after(error)
            return
        if former is not None and former not in self._family.members:
            names = Names.of(self._identities, former)
            data = {"idurl": names.idurl, "global_id": show_name(self._identities, former), "position": position}
            self._events.send("supplier-dismissed", data)
