"""The room of my suppliers: the family record, the promises I was given, and who hires and replaces."""

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred

from bitdust.peers.presence import Presence
from bitdust.suppliers.absences import Absences
from bitdust.suppliers.contracts import ContractBook
from bitdust.suppliers.departures import Departures
from bitdust.suppliers.family import FamilyPublisher, MyFamily
from bitdust.suppliers.hiring import Hiring
from bitdust.suppliers.search import HiringPorts
from bitdust.suppliers.suppliers import SuppliersView
from bitdust.surroundings import Connected
from bitdust.wire.records import Family
from bitdust.wire.signed import Signed

Publish = Callable[[Family, Signed], "Deferred[Any]"]


class SuppliersRoom:
    """``ports`` is what hiring asks of other rooms."""

    def __init__(self, around: Connected, presence: Presence, publish: Publish, ports: HiringPorts) -> None:
        world, metadata = around.world, around.world.home / "metadata"
        self.family = MyFamily(world, around.me, metadata / "family")
        self.publisher = FamilyPublisher(world, self.family, around.outbox, publish)
        self.book = ContractBook(metadata / "contracts")
        self.departures = Departures(metadata / "departures")
        self.absences = Absences(metadata / "absences", world.clock, world.wall)
        self.hiring = Hiring(
            world, around.settings, around.events, around.registry, around.me, around.sessions, around.outbox,
            around.identities.get, self.family, self.publisher, self.book, self.departures, self.absences, ports,
        )  # fmt: skip
        self.view = SuppliersView(self.hiring, presence, around.identities.get, self.book)

    def load(self) -> None:
        """Read everything from the home; raises `BitDustError` that names a damaged file."""
        self.book.load()
        self.departures.load()
        self.absences.load()
        self.family.load()
