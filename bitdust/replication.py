"""Records that every supplier of a family is to hold: how many of them are enough, and how each gets there.

A log, a key ring and a family are brought to suppliers in the same way. Each is a `Record`; `Replicas` has one
`Replica` machine for each supplier, and reports every acknowledgement.
"""

from collections.abc import Callable, Collection, Iterable
from typing import Any, Protocol

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from bitdust.automats.kernel import Registry
from bitdust.automats.replica import Replica
from bitdust.signal import Signal
from bitdust.wire.records import Family

CONTRADICTIONS = ("conflict", "stale")
"""Codes of a supplier that holds something else, or something newer."""


def needed(family: Family) -> int:
    """How many suppliers must hold a record before it counts as safe: any k of them include one that does."""
    return family.n - family.k + 1


def members(family: Family | None) -> list[bytes]:
    """Fingerprints of the suppliers of a family, in order of their places; empty places are left out."""
    return [supplier for supplier in family.suppliers if supplier is not None] if family is not None else []


def keepers(family: Family | None) -> list[bytes]:
    """The members of a family, and those beyond it: of a larger family that is to come, or that was."""
    return [supplier for supplier in family.seats if supplier is not None] if family is not None else []


def is_safe(family: Family | None, is_held_by: Callable[[bytes], bool]) -> bool:
    """Whether so many members of a family hold a record that any k which come back later include one of them."""
    return family is not None and sum(1 for supplier in members(family) if is_held_by(supplier)) >= needed(family)


def places_heard(family: Family, heard: Collection[bytes], recovering: bool) -> int:
    """At how many places of a family somebody has reported what it holds.

    Where a place changes hands, what was safe before may be stored at the one who leaves alone, and what became safe
    since at the new one alone: a node that has lost everything must have heard both.
    """
    wanted = all if recovering else any
    places = map(family.holders_of, range(family.n))
    return sum(1 for place in places if place and wanted(who in heard for who in place))


def are_enough(family: Family, heard: Collection[bytes], recovering: bool = True) -> bool:
    """Whether so many places were heard that everything which was ever safe has been."""
    return places_heard(family, heard, recovering) >= needed(family)


class Record(Protocol):
    """Something that suppliers are to hold as it is here."""

    def is_held_by(self, supplier: bytes, /) -> bool:
        """Whether a supplier holds all of it that could be brought to it now."""

    def deliver(self, supplier: bytes, /) -> "Deferred[Any]":
        """Bring a supplier what comes next, and note that it holds it."""

    def compare(self, supplier: bytes, error: BaseException, /) -> "Deferred[bool]":
        """A supplier holds something else: find out what. Fires with whether it is known now how to go on."""


@frozen
class RecordCopy:
    """I am the port of one `Replica`: one record at one supplier."""

    supplier: bytes
    record: Record
    reachable: Callable[[bytes], bool]
    acknowledged: "Signal[[bytes]]"
    delivered: "Callable[[bytes, Any], Any]"

    def is_current(self) -> bool:
        """Whether the supplier holds the record."""
        return self.record.is_held_by(self.supplier)

    def is_reachable(self) -> bool:
        """Whether there is a session with it."""
        return self.reachable(self.supplier)

    def deliver(self) -> "Deferred[Any]":
        """Bring what comes next."""
        return self.record.deliver(self.supplier).addBoth(lambda result: self.delivered(self.supplier, result))

    def is_contradiction(self, error: Any) -> bool:
        """Whether it refused because it holds something else."""
        return getattr(error, "code", "") in CONTRADICTIONS

    def compare(self, error: Any) -> "Deferred[bool]":
        """Find out what it holds."""
        return self.record.compare(self.supplier, error)

    def report_acknowledged(self) -> None:
        """It holds more than before."""
        self.acknowledged.emit(self.supplier)


class Replicas:
    """I keep one record at several suppliers; ``acknowledged`` names the supplier that holds more than before."""

    def __init__(self, registry: Registry, name: str, record: Record, reachable: Callable[[bytes], bool]) -> None:
        self._registry = registry
        self._name = name
        self._record = record
        self._reachable = reachable
        self._machines: dict[bytes, Replica] = {}
        self._refused_at: dict[bytes, float] = {}
        self.acknowledged: Signal[[bytes]] = Signal()
        self.refused: Signal[[str]] = Signal()
        """A supplier takes nothing any more: the code with which it began to refuse."""

    def place_at(self, suppliers: Iterable[bytes]) -> None:
        """From now on these suppliers, and no others, are brought the record; whoever was given up on is tried again.

        To be called whenever suppliers came, went or changed, and when it was learnt what they hold.
        """
        wanted = list(suppliers)
        for supplier in [known for known in self._machines if known not in wanted]:
            self._machines.pop(supplier).send("shutdown")
            self._refused_at.pop(supplier, None)
        for supplier in wanted:
            machine = self._machines.get(supplier)
            if machine is None:
                machine = self._machines[supplier] = self._new(supplier)
            machine.send("retry")
            machine.send("changed")

    def _new(self, supplier: bytes) -> Replica:
        place = RecordCopy(supplier, self._record, self._reachable, self.acknowledged, self._delivered)
        return Replica(self._registry, place, f"{self._name} {supplier.hex()[:8]}")

    def _delivered(self, supplier: bytes, result: Any) -> Any:
        if isinstance(result, Failure):
            is_news = supplier not in self._refused_at
            self._refused_at.setdefault(supplier, self._registry.clock.seconds())
            if is_news:
                self.refused.emit(str(getattr(result.value, "code", "")))
        else:
            self._refused_at.pop(supplier, None)
        return result

    def refusing_for(self, supplier: bytes) -> float:
        """For how many seconds a supplier has taken nothing of the record, whatever it answered; 0 where it takes, and
        while it is away."""
        since = self._refused_at.get(supplier)
        return self._registry.clock.seconds() - since if since is not None and self._reachable(supplier) else 0.0

    def update(self) -> None:
        """The record has grown."""
        for machine in list(self._machines.values()):
            machine.send("changed")

    def stop(self) -> None:
        """Bring nothing any more; `place_at` begins again."""
        self.place_at(())

    def states(self) -> dict[bytes, str]:
        """The state of each supplier's machine."""
        return {supplier: machine.state for supplier, machine in self._machines.items()}
