"""The room of my customers: this node as a supplier, from the pieces on its disk to the notices it sends."""

from pathlib import Path

from twisted.internet.defer import Deferred

from bitdust.customers.calls import CustomerCalls
from bitdust.customers.customers import Customers
from bitdust.customers.families import CustomerFamilies, CustomersInDHT
from bitdust.customers.healing.room import Healing
from bitdust.customers.losses import Losses
from bitdust.customers.news import News
from bitdust.customers.notices import Notices
from bitdust.customers.patrol import Patrol
from bitdust.customers.readers import Readers
from bitdust.customers.retirement import Retirement
from bitdust.customers.rows import SupplierRows
from bitdust.customers.scrubber import Scrubber
from bitdust.customers.store import SupplierStore
from bitdust.customers.upkeep import Upkeep
from bitdust.peers.presence import Presence
from bitdust.scopes.scopes import Scopes
from bitdust.surroundings import Connected
from bitdust.wire.news import DELETIONS
from bitdust.wire.records import Head
from bitdust.wire.signed import Signed


class CustomersRoom:
    """``dht`` keeps the families and identities of customers; what they take at a time is counted in ``scopes``."""

    def __init__(self, around: Connected, presence: Presence, dht: CustomersInDHT, scopes: Scopes) -> None:
        home = around.world.home
        self.folder = Path(around.settings.get("paths/customers") or home / "customers")
        self.store = SupplierStore(around, self.folder, home / "customers.db", scopes=scopes)
        self.retirement = Retirement(around, self.store, home / "metadata" / "retirement")
        self.notices = Notices(around, self.store, lambda: self.retirement.until)
        self.families = CustomerFamilies(around, self.store, dht, presence)
        self.view = Customers(around, self.store, presence)
        self.calls = CustomerCalls(around, self.store, presence)
        self.patrol = Patrol(around, self.store)
        self.scrubber = Scrubber(around, self.store, home / "metadata" / "scrubbed")
        self.losses = Losses(around)
        self.upkeep = Upkeep(around, self.patrol, self.scrubber)
        self.healing = Healing(around, self.store, presence)
        self.rows = SupplierRows(around, self.store, self.notices, self.healing.claims)
        self.news = News(around)
        self.readers = Readers(around, self._heads, self._kept)
        scopes.is_newcomer = self.view.is_newcomer
        self._scopes, self._wall = scopes, around.world.wall
        self._connect()

    def _connect(self) -> None:
        self.retirement.notices_due.connect(self.notices.deliver_all)
        self.patrol.noticed.connect(self.notices.deliver)
        for gone in (self.patrol.removed, self.rows.customer_left):
            gone.connect(self.families.forget)
            gone.connect(self.healing.forget)
            gone.connect(self.view.forget)
        for known in (self.rows.family_stored, self.healing.rows.changed):
            known.connect(self.families.refresh)
        self.rows.family_stored.connect(self.healing.refresh)
        for brought in self.rows.brought:
            brought.connect(self.news.report)
        self.view.spared.connect(lambda customer: self.news.report(customer, b"", DELETIONS))
        self.rows.appended.connect(self.readers.report)
        self.rows.read.connect(self.readers.note)
        self.rows.withdrawn.connect(self.readers.report_all)
        self.scrubber.lost.connect(self.losses.report)
        for left in (self.rows.customer_left, self.patrol.removed):
            left.connect(lambda customer: self.retirement.customer_left())

    def start(self) -> "Deferred[None]":
        """Open the store, do what a notice says, and follow who comes; then commands can be answered."""
        return Deferred.fromCoroutine(self._start())

    async def _start(self) -> None:
        self.view.note_unread((await self.store.start()).unread)
        self.remember_networks()
        await self.retirement.start()
        self.view.start()
        self.notices.start()
        self.calls.start()

    def _heads(self, owner: bytes, scope: bytes) -> list[bytes]:
        return self.store.heads(owner, scope) if self.store.is_open else []

    def _kept(self) -> list[tuple[bytes, bytes]]:
        """Owner and scope of logs that belong to other keys than the master."""
        owners = [one.contract.customer for one in self.store.customers()] if self.store.is_open else []
        signed = [Signed.from_bytes(data, Head.KIND) for owner in owners for data in self.store.heads(owner)]
        heads = [Head.from_body(one.body) for one in signed]
        return [(head.owner, head.scope) for head in heads if head.scope is not None]

    def remember_networks(self) -> None:
        """Those of customers who have stored something: let them shake hands beside a flood."""
        for account in self.store.customers():
            if account.network and not account.is_newcomer(self._wall()):
                self._scopes.arrivals.met(account.network)

    def stop(self) -> "Deferred[None]":
        """Fires when the store is closed."""
        self.calls.stop()
        self.news.stop()
        self.view.stop()
        self.notices.stop()
        self.retirement.stop()
        return self.store.stop()

    def fingerprints(self) -> frozenset[bytes]:
        """Customers that have not moved away; nobody while the store is closed."""
        accounts = self.store.customers() if self.store.is_open else []
        return frozenset(one.contract.customer for one in accounts if one.is_here)

    def problem(self) -> str:
        """Why nothing can be kept, in words; empty when all is well."""
        if not self.store.is_open:
            return "the store is closed"
        if not self.folder.is_dir():
            return f"{self.folder} is gone: is its disk mounted?"
        return ""

    def load(self) -> None:
        """Read from the home; raises `BitDustError` that names a damaged file."""
        self.retirement.load()
