"""The room of my customers: this node as a supplier, from the pieces on its disk to the notices it sends."""

from pathlib import Path
from typing import Any

from bitdust.customers.contracts import Kept
from bitdust.customers.customers import Customers
from bitdust.customers.families import CustomerFamilies, FamilyDHT
from bitdust.customers.notices import Notices
from bitdust.customers.patrol import Patrol, PieceTests
from bitdust.customers.retirement import Retirement
from bitdust.customers.rows import SupplierRows
from bitdust.customers.store import SupplierStore
from bitdust.disk.reserve import SETTING as DISK_RESERVE
from bitdust.identity.document import IdentityDocument
from bitdust.peers.presence import Presence
from bitdust.surroundings import Connected
from bitdust.wire.records import Family
from bitdust.wire.signed import Signed


class CustomersRoom:
    """``dht`` keeps the family records of customers."""

    def __init__(self, around: Connected, presence: Presence, dht: FamilyDHT) -> None:
        self._around = around
        settings, events, world = around.settings, around.events, around.world
        self.store = store = SupplierStore(
            world,
            settings,
            self.folder,
            supplier=lambda: around.me.fingerprint,
            is_retiring=lambda: self.retirement.is_retiring,
            database=world.home / "customers.db",
            reserve_percent=lambda: int(settings.get(DISK_RESERVE)),
            most_pieces=around.budget.pieces,
        )
        path = world.home / "metadata" / "retirement"
        self.retirement = Retirement(around.registry, store, settings, events, world.wall, path)
        self.notices = Notices(
            store, around.sessions, around.outbox, world.wall, lambda: self.retirement.until
        )  # fmt: skip
        self.retirement.tell = self.notices.tell_all
        self.families = CustomerFamilies(around.registry, store, dht, around.identities.get, presence.is_online)
        self.view = Customers(store, presence, events)
        self.patrol = Patrol(
            store, settings, events, world.wall, world.clock.seconds, self.families.forget, self.notices.tell
        )  # fmt: skip
        self.piece_tests = PieceTests(store, events, around.identities.get)
        self.rows = SupplierRows(store, _Answering(self, around))

    @property
    def folder(self) -> Path:
        """Where pieces are stored."""
        return Path(self._around.settings.get("paths/customers") or self._around.world.home / "customers")

    def load(self) -> None:
        """Read from the home; raises `BitDustError` that names a damaged file."""
        self.retirement.load()


class _Answering:
    """What the supplier's commands need of this room and the node."""

    def __init__(self, room: CustomersRoom, around: Connected) -> None:
        self._room = room
        self._around = around

    def my_fingerprint(self) -> bytes:
        return self._around.me.fingerprint

    def document_of(self, fingerprint: bytes) -> IdentityDocument | None:
        return self._around.identities.get(fingerprint)

    def sign(self, kind: str, body: bytes) -> Signed:
        return self._around.me.sign(kind, body)

    def report(self, event: str, data: dict[str, Any]) -> None:
        self._around.events.send(event, data)

    def family_kept(self, customer: bytes, family: Family, signed: bytes) -> None:
        self._room.families.family_kept(customer, family, signed)

    def customer_left(self, customer: bytes) -> None:
        self._room.families.forget(customer)
        self._room.retirement.look()

    def leaves(self, kept: Kept) -> int:
        return self._room.notices.until(kept)
