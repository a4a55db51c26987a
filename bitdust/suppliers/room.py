"""The room of my suppliers: the family record, the promises I was given, and who hires, replaces and dismisses."""

from bitdust.identity.awaited import FAMILY
from bitdust.peers.presence import Presence
from bitdust.signal import Disconnect
from bitdust.suppliers.absences import Absences
from bitdust.suppliers.again import Again
from bitdust.suppliers.connectors import Connectors
from bitdust.suppliers.contracts import ContractBook
from bitdust.suppliers.departures import Departures
from bitdust.suppliers.family import MyFamily
from bitdust.suppliers.finding import FamilyFinding
from bitdust.suppliers.former import FormerFamily
from bitdust.suppliers.held_back import HeldBackOrders
from bitdust.suppliers.hiring import AbsentParts, Hiring
from bitdust.suppliers.lost import LostSuppliers
from bitdust.suppliers.mandates import Mandates
from bitdust.suppliers.publication import FamilyPublication, ToDHT
from bitdust.suppliers.replacement import Replacements
from bitdust.suppliers.reputation import Reputation
from bitdust.suppliers.requests import ReplacementRequests
from bitdust.suppliers.resizing import Resizing
from bitdust.suppliers.roster import Roster
from bitdust.suppliers.spares import OwnSpares
from bitdust.suppliers.spares_view import SparesView
from bitdust.suppliers.suppliers import SuppliersView
from bitdust.surroundings import Connected


class SuppliersRoom:
    """``to_dht`` stores my family record."""

    def __init__(self, around: Connected, presence: Presence, to_dht: ToDHT) -> None:
        world, metadata = around.world, around.world.home / "metadata"
        self._presence = presence
        self.family = MyFamily(around, metadata / "family")
        self.book = ContractBook(metadata / "contracts")
        self.departures = Departures(metadata / "departures")
        self.absences = Absences(metadata / "absences", world.clock, world.wall)
        self.publication = FamilyPublication(around, self.family, to_dht)
        self.connectors = Connectors(around, self.family, self.book)
        self.replacements = Replacements(around, self.family, self.departures, self.book, self.publication)
        self.resizing = Resizing(around, self.family, self.book, self.publication)
        self.reputation = Reputation(metadata / "reputation", world.clock, world.entropy)
        self.lost = LostSuppliers(
            around, self.family, self.absences, self.departures, self.replacements, self.reputation
        )
        self.finding = FamilyFinding(around, self.family)
        self.former = FormerFamily(around, self.family, self.finding)
        absent = AbsentParts(self.finding, self.lost, self.former)
        self.hiring = Hiring(around, self.family, self.connectors, self.replacements, self.resizing, absent)
        self.requests = ReplacementRequests(
            around, self.family, self.departures, self.replacements, self.connectors, self.hiring.searches.meet
        )
        self.mandates = Mandates(around, self.family, self.connectors, self.hiring.searches.meet)
        self.spares = OwnSpares(around, self.family, self.book, presence)
        self.held_back = HeldBackOrders(around)
        self.spares_view = SparesView(around, self.family, self.mandates, self.spares)
        self.roster = Roster(around, self.family, self.connectors, self.replacements)
        self.view = SuppliersView(around, self.roster, presence, self.book, self.resizing)
        self.finding.known.connect(self.publication.update)
        self.finding.known.connect(self.replacements.update)
        self.finding.known.connect(self.resizing.want)
        self.connectors.accepted.connect(self.publication.supplier_accepted)
        presence.chance.connect(self.connectors.try_again)
        presence.chance.connect(self.former.hurry)
        self.connectors.accepted.connect(self.spares.supplier_connected)
        self.connectors.accepted.connect(self.held_back.ask)
        self.connectors.leaving.connect(self.requests.receive_notice)
        self._me = around.me
        self._forget: Disconnect = lambda: None
        self._forget_me: Disconnect = lambda: None
        self._again = Again(around.world.clock, self._confirm)

    def load(self) -> None:
        """Read everything from the home; raises `BitDustError` that names a damaged file."""
        self.book.load()
        self.departures.load()
        self.absences.load()
        self.reputation.load()
        self.family.load()

    def open(self) -> None:
        """Connect the family that is hired already, and go on with replacements."""
        self._forget = self.family.changed.connect(self._watch_holders)
        self._forget_me = self._me.changed.connect(self._confirm)
        self._confirm()
        self._watch_holders()
        self.publication.start()
        self.spares.start()
        self.connectors.open()
        self.replacements.start()
        self.resizing.start()
        self.former.start()

    def close(self) -> None:
        """Hire, connect and move nobody any more; contracts stay."""
        self._forget()
        self._forget_me()
        self._again.stop()
        self.former.stop()
        self.hiring.stop()
        self.reputation.save()
        self.spares.stop()
        self.replacements.stop()
        self.resizing.stop()
        self.connectors.close()
        self.publication.stop()

    def somebody_came(self) -> None:
        """Somebody offers to be a supplier who was not known."""
        self.hiring.somebody_came()
        self.mandates.somebody_came()

    def is_supplier(self, fingerprint: bytes) -> bool:
        """Whether a peer has a place in my family, or a contract with me still."""
        known = fingerprint in self.family.holders or fingerprint in self.spares.known()
        return known or self.book.of(fingerprint) is not None

    def _confirm(self) -> None:
        """A device that was revoked may have signed my family record, and nobody takes its word any more."""
        if self._me.awaits(FAMILY):
            return
        try:
            self.family.confirm()
        except OSError as error:
            self._again.after(error)

    def _watch_holders(self) -> None:
        for holder in self.family.holders:
            self._presence.watch(holder)
