"""Healing while owners are away: what a member watches and votes, what a spare is given, and what it makes."""

from bitdust.customers.healing.book import HealingBook
from bitdust.customers.healing.claims import SpareClaims
from bitdust.customers.healing.councils import Councils
from bitdust.customers.healing.election import Elections
from bitdust.customers.healing.rebuild import Rebuilds
from bitdust.customers.healing.rows import HealingRows
from bitdust.customers.healing.standins import StandIns
from bitdust.customers.healing.watch import FamilyWatches
from bitdust.customers.store import SupplierStore
from bitdust.peers.presence import Presence
from bitdust.signal import Disconnect
from bitdust.surroundings import Connected


class Healing:
    """I am started and stopped with the care for customers' families."""

    def __init__(self, around: Connected, store: SupplierStore, presence: Presence) -> None:
        self._store = store
        self._presence = presence
        self._disconnect: Disconnect = lambda: None
        self.book = HealingBook(around.world.home / "metadata" / "healing", store.write)
        self.councils = Councils(around, store, self.book, presence)
        self.claims = SpareClaims(around, store, self.councils)
        self.elections = Elections(around, store, self.councils)
        self.watches = FamilyWatches(around, self.councils, self.elections)
        self.rebuilds = Rebuilds(around, store, self.councils, self.elections)
        self.stand_ins = StandIns(around, store, self.councils, self.rebuilds)
        self.rows = HealingRows(store, self.councils, self.elections, self.stand_ins)
        self.rows.changed.connect(self.refresh)

    def start(self) -> None:
        """Watch over all customers, and go on where this node stands in."""
        self.book.load()
        for customer in self.book.customers():
            if self._store.contract_of(customer) is None:  # this node was killed before it could forget it
                self.councils.forget(customer)
        self._disconnect = self._presence.changed.connect(lambda who, online: self.councils.note_owner(who))
        self.watches.start()
        self.stand_ins.start()
        for account in self._store.customers():
            self.councils.tidy(account.contract.customer)
            self.watches.refresh(account.contract.customer)

    def stop(self) -> None:
        """Watch and rebuild nothing any more."""
        self._disconnect()
        self.watches.stop()
        self.stand_ins.stop()

    def refresh(self, customer: bytes) -> None:
        """More is known of the family of a customer."""
        self.councils.tidy(customer)
        self.watches.refresh(customer)
        self.stand_ins.refresh(customer)

    def forget(self, customer: bytes) -> None:
        """This customer is one no more."""
        self.watches.forget(customer)
        self.stand_ins.forget(customer)
        self.claims.forget(customer)
        self.councils.forget(customer)
