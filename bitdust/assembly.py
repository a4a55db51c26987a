"""Puts the parts of one node together, each with what it needs of the others."""

import importlib
import pkgutil
from pathlib import Path

from bitdust import services
from bitdust.automats.kernel import Registry
from bitdust.budget import Budget
from bitdust.config.settings import Settings
from bitdust.crypt.device import DeviceKey
from bitdust.customers.customers import Customers
from bitdust.customers.families import CustomerFamilies
from bitdust.customers.notices import Notices
from bitdust.customers.patrol import Patrol, PieceTests
from bitdust.customers.retirement import Retirement
from bitdust.customers.rows import SupplierRows
from bitdust.customers.store import SupplierStore
from bitdust.dht.node import DHTNode
from bitdust.dht.seeds import parse_seeds
from bitdust.disk.reserve import SETTING as DISK_RESERVE
from bitdust.events import Consumers, Events
from bitdust.identity.cache import IdentityCache
from bitdust.identity.client import IdentityClient
from bitdust.identity.home_lock import HomeLock
from bitdust.identity.me import Me
from bitdust.identity.registration import Registration
from bitdust.identity.server import IdentityServer
from bitdust.peers.presence import Presence
from bitdust.peers.reach import Reach
from bitdust.services.joints import DHTJoint, RecoveryJoint, StorageJoint, SupplierJoint
from bitdust.services.parts import Parts
from bitdust.services.service import Service
from bitdust.space import Places, Space
from bitdust.storage.storage import Storage
from bitdust.suppliers.absences import Absences
from bitdust.suppliers.contracts import ContractBook
from bitdust.suppliers.departures import Departures
from bitdust.suppliers.family import FamilyPublisher, MyFamily
from bitdust.suppliers.hiring import Hiring
from bitdust.suppliers.search import HiringPorts
from bitdust.suppliers.suppliers import SuppliersView
from bitdust.transport.gateway import Gateway
from bitdust.world import World


def all_services(parts: Parts) -> list[Service]:
    """Every service, one of each module ``services/service_*.py``."""
    found: list[Service] = []
    for module in sorted(pkgutil.iter_modules(services.__path__), key=lambda one: one.name):
        if module.name.startswith("service_"):
            members = vars(importlib.import_module(f"bitdust.services.{module.name}")).values()
            kinds = [kind for kind in members if isinstance(kind, type) and issubclass(kind, Service)]
            mine = [kind for kind in kinds if kind.__module__.endswith(f".{module.name}")]
            found += [kind(parts) for kind in mine]  # type: ignore[call-arg]
    return found


class Assembly:
    """The parts of a node, from the ground up: who I am, sessions, my files, my suppliers, my customers.

    The joints (`bitdust.services.joints`) are where parts of different rooms meet; they get hold of the others last.
    """

    def __init__(
        self,
        world: World,
        settings: Settings,
        events: Events,
        consumers: Consumers,
        registry: Registry,
        budget: Budget,
    ) -> None:
        self._world = world
        self._settings = settings
        self._events = events
        self._registry = registry
        self.dht, self.recovery = DHTJoint(), RecoveryJoint(parse_seeds)
        self.supplying, self.storing = SupplierJoint(), StorageJoint()
        self._who_i_am()
        self._sessions(budget)
        self._storage = Storage(world, settings, events, registry, self._me, self.storing, budget)
        self._my_suppliers()
        self._my_customers(budget)
        self.parts = self._together(consumers)
        for joint in (self.dht, self.recovery, self.supplying, self.storing):
            joint.parts = self.parts

    def _who_i_am(self) -> None:
        world, settings = self._world, self._settings
        self._me, self._cache = Me(world, self._events), IdentityCache(world, self._events)
        self._client = IdentityClient(world, settings)
        self._registration = Registration(world, settings, self._registry, self._me, self._client)
        self._registration.find_in_dht = self.recovery.identity_from_dht
        self._registration.ask_supplier = self.recovery.identity_from_supplier
        self._registration.seed_hints = self.recovery.use_seeds
        self._registration.make_hints = self.recovery.make_hints

    def _sessions(self, budget: Budget) -> None:
        self._gateway = Gateway(self._world, self._settings, self._registry, self._me, self._cache, budget)
        gateway = self._gateway
        self._presence = Presence(self._registry, gateway, gateway.outbox, self._events, self._cache.get)
        self._reach = Reach(self._registry, self._me, gateway, self._listening, self.dht.publish_addresses)

    def _listening(self) -> list[str]:
        """Where peers may reach this node."""
        port = self._gateway.port()
        wanted = self._settings.get("services/network/interface")
        hosts = [wanted] if wanted else self._world.network.interfaces()
        return [f"tcp://{host}:{port}" for host in hosts] if port else []

    def _new_dht(self) -> DHTNode:
        me = self._me
        device = me.device if me.present else DeviceKey.generate(self._world.entropy)
        dht = DHTNode(self._world, device, self._registry, self._world.home / "dht.db", self._events)
        if me.present:
            dht.set_owner(me.master.public.spki, me.certificate)
            dht.my_info(lambda: me.addresses_record() if me.addresses else None)
        return dht

    def _my_suppliers(self) -> None:
        metadata, gateway = self._world.home / "metadata", self._gateway
        self._family = MyFamily(self._world, self._me, metadata / "family")
        self._publisher = FamilyPublisher(self._world, self._family, gateway.outbox, self.dht.family_to_dht)
        self._book = ContractBook(metadata / "contracts")
        self._departures = Departures(metadata / "departures")
        self._absences = Absences(metadata / "absences", self._world.clock, self._world.wall)
        self._hiring = Hiring(
            self._world,
            self._settings,
            self._events,
            self._registry,
            self._me,
            gateway,
            gateway.outbox,
            self._cache.get,
            self._family,
            self._publisher,
            self._book,
            self._departures,
            self._absences,
            HiringPorts(
                find_family=self.recovery.find_family,
                has_data=lambda: bool(self._storage.has_data()),
                addresses_of=gateway.known_addresses,
                moved=self._storage.has_moved,
                address_of=lambda who: session.address if (session := gateway.session_with(who)) else None,
            ),
        )

    def _my_customers(self, budget: Budget) -> None:
        settings, events, wall = self._settings, self._events, self._world.wall
        home, gateway = self._world.home, self._gateway
        self._store = store = SupplierStore(
            self._world,
            settings,
            self._customers_folder,
            supplier=lambda: self._me.fingerprint,
            is_retiring=lambda: self._retirement.is_retiring,
            database=home / "customers.db",
            reserve_percent=lambda: int(settings.get(DISK_RESERVE)),
            most_pieces=budget.pieces,
        )
        path = home / "metadata" / "retirement"
        self._retirement = Retirement(self._registry, store, settings, events, wall, path)
        self._notices = Notices(store, gateway, gateway.outbox, wall, lambda: self._retirement.until)
        self._retirement.tell = self._notices.tell_all
        self._families = CustomerFamilies(self._registry, store, self.dht, self._cache.get, self._presence.is_online)

    @property
    def _customers_folder(self) -> Path:
        return Path(self._settings.get("paths/customers") or self._world.home / "customers")

    def _space(self) -> Space:
        home, store, family = self._world.home, self._store, self._family
        databases = tuple(home / name for name in ("catalog.db", "customers.db", "dht.db"))
        spool = Path(self._settings.get("paths/backups") or home / "spool")
        return Space(
            self._settings,
            Places(spool, home / "temp", self._customers_folder, databases),
            self._world.run_in_thread,
            lambda: store if store.is_open else None,
            self._storage.used_and_per_supplier,
            lambda: family.current.n if family.current else None,
        )

    def _together(self, consumers: Consumers) -> Parts:
        settings, events, store = self._settings, self._events, self._store
        return Parts(
            world=self._world,
            settings=settings,
            events=events,
            consumers=consumers,
            registry=self._registry,
            me=self._me,
            home_lock=HomeLock(self._world, self._me),
            cache=self._cache,
            client=self._client,
            registration=self._registration,
            identity_server=IdentityServer(self._world, settings),
            gateway=self._gateway,
            dht=self._new_dht(),
            new_dht=self._new_dht,
            presence=self._presence,
            reach=self._reach,
            book=self._book,
            departures=self._departures,
            family=self._family,
            publisher=self._publisher,
            hiring=self._hiring,
            suppliers=SuppliersView(self._hiring, self._presence, self._cache.get, self._book),
            store=store,
            supplier_rows=SupplierRows(store, self.supplying),
            customers=Customers(store, self._presence, events),
            families=self._families,
            notices=self._notices,
            retirement=self._retirement,
            patrol=Patrol(
                store,
                settings,
                events,
                self._world.wall,
                self._world.clock.seconds,
                self._families.forget,
                self._notices.tell,
            ),
            piece_tests=PieceTests(store, events, self._cache.get),
            space=self._space(),
            storage=self._storage,
        )
