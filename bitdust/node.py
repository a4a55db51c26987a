"""The node: builds everything, owns everything, and lets go of it in order."""

import importlib
import os
import pkgutil
import signal
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from bitdust import services
from bitdust.api.following import Following, Watching
from bitdust.api.methods import TABLE
from bitdust.api.tally import Tally
from bitdust.automats.kernel import Registry
from bitdust.budget import Budget, measure
from bitdust.config.home import prepare_home
from bitdust.config.settings import Settings
from bitdust.contacts.contracts import ContractBook
from bitdust.contacts.customers import Customers
from bitdust.contacts.departures import Departures
from bitdust.contacts.families import CustomerFamilies
from bitdust.contacts.family import FamilyPublisher, MyFamily
from bitdust.contacts.hiring import Hiring
from bitdust.contacts.notices import Notices
from bitdust.contacts.patrol import Patrol, PieceTests
from bitdust.contacts.presence import Presence
from bitdust.contacts.reach import Reach
from bitdust.contacts.registration import Registration
from bitdust.contacts.retirement import Retirement
from bitdust.contacts.searching import HiringPorts
from bitdust.contacts.space import Places, Space
from bitdust.contacts.suppliers import SuppliersView
from bitdust.crypt.device import DeviceKey
from bitdust.dht.node import DHTNode
from bitdust.events import Consumers, Events
from bitdust.identity.cache import IdentityCache
from bitdust.identity.client import IdentityClient
from bitdust.identity.erasure import Erasure, tale
from bitdust.identity.home_lock import HomeLock, find_passphrase
from bitdust.identity.me import Me
from bitdust.identity.server import IdentityServer
from bitdust.last_resort import begin_again, end_within, leave
from bitdust.log.eventlog import start_event_log
from bitdust.log.rotation import Room
from bitdust.log.start import start_logging
from bitdust.notify import ServiceManager
from bitdust.services.driver import RESTING, Driver
from bitdust.services.joints import DHTJoint, RecoveryJoint, StorageJoint, SupplierJoint
from bitdust.services.parts import Parts
from bitdust.services.service import Service
from bitdust.services.service_entangled_dht import parse_seeds
from bitdust.storage.reserve import SETTING as DISK_RESERVE
from bitdust.storage.storage import Storage
from bitdust.storage.supplier_rows import SupplierRows
from bitdust.storage.supplier_store import SupplierStore
from bitdust.transport.gateway import Gateway
from bitdust.transport.inbox import Answer
from bitdust.web.server import ApiServer
from bitdust.wire.errors import BitDustError
from bitdust.world import World, real_world, share_one_heap

RESTART = 100
STOP_WITHIN = 4.0
"""Seconds for everything to stop in order; what is not done by then is done again after the next start."""
LAST_RESORT = 0.7
"""Seconds more for threads that still read or write; nothing that they would leave behind counts before its end."""
REMINDER = "there is no checked copy of your key file; without one nothing comes back: bitdust identity backup FILE"
DAY = 86_400


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


class Node:
    """One node in a World; it is the context of the API."""

    log = Logger()

    def __init__(self, world: World, budget: Budget | None = None) -> None:
        self.budget = budget or Budget()
        self._upgraded = prepare_home(world.home)
        self.world = world
        self.settings = Settings(world.home / "config")
        self.events = Events(world.clock, world.wall, run=world.entropy(8).hex())
        self.consumers = Consumers(self.events)
        self.registry = Registry(world.clock, world.wall)
        self.tally = Tally(world.clock, self.settings)
        self.following = Following(self.registry, self.events)
        self.watching = Watching(self.registry)
        self.listener = None
        self.exit_code = 0
        self._stopped: Deferred[None] | None = None
        self.on_ready: Callable[[], None] = lambda: None
        self.on_stopping: Callable[[], None] = lambda: None
        self.on_stopped: Callable[[], None] = lambda: None
        self.passphrase: Callable[[], str | None] = lambda: None
        self._dht_joint, self._recovery = DHTJoint(), RecoveryJoint(parse_seeds)
        self._supplier_joint, self._storage_joint = SupplierJoint(), StorageJoint()
        self.parts = self._build()
        chance = world.entropy
        self.driver = Driver(
            self.registry,
            world.clock,
            self.settings,
            self.events,
            lambda: self.me.present,
            lambda: int.from_bytes(chance(4), "big") / 2**32,
            all_services(self.parts),
            lambda: str(self.me.absence()),
        )
        self.api = ApiServer(self, TABLE, self.budget)
        self._recovery.restart_dht = lambda: self.driver.restart("entangled_dht")
        self._storage_joint.device_taken = self._renew_device
        self._storage_joint.restart_storage = lambda: self.driver.restart("data_motion")
        self._follow_settings()

    # building

    def _build(self) -> Parts:
        world, settings, events, registry = self.world, self.settings, self.events, self.registry
        home = world.home
        me, cache = Me(world, events), IdentityCache(world, events)
        client = IdentityClient(world, settings)
        gateway = Gateway(world, settings, registry, me, cache, self.budget)
        identities = cache.get
        presence = Presence(registry, gateway, gateway.outbox, events, identities)
        family = MyFamily(world, me, home / "metadata" / "family")
        publisher = FamilyPublisher(world, family, gateway.outbox, self._dht_joint.family_to_dht)
        book = ContractBook(home / "metadata" / "contracts")
        ports = HiringPorts(
            find_family=self._recovery.find_family,
            has_data=self._has_data,
            addresses_of=gateway.known_addresses,
            moved=self._has_moved,
            address_of=lambda who: session.address if (session := gateway.session_with(who)) else None,
        )
        departures = Departures(home / "metadata" / "departures")
        hiring = Hiring(
            world,
            settings,
            events,
            registry,
            me,
            gateway,
            gateway.outbox,
            identities,
            family,
            publisher,
            book,
            departures,
            ports,
        )
        folder = Path(settings.get("paths/customers") or home / "customers")
        store = SupplierStore(
            world,
            settings,
            folder,
            supplier=lambda: me.fingerprint,
            is_retiring=lambda: retirement.is_retiring,
            database=home / "customers.db",
            reserve_percent=lambda: int(settings.get(DISK_RESERVE)),
            most_pieces=self.budget.pieces,
        )
        retirement = Retirement(registry, store, settings, events, world.wall, home / "metadata" / "retirement")
        notices = Notices(store, gateway, gateway.outbox, world.wall, lambda: retirement.until)
        retirement.tell = notices.tell_all
        customers = Customers(store, presence, events)
        families = CustomerFamilies(registry, store, self._dht_joint, identities, presence.is_online)
        databases = tuple(home / name for name in ("catalog.db", "customers.db", "dht.db"))
        places = Places(Path(settings.get("paths/backups") or home / "spool"), home / "temp", folder, databases)

        def new_dht() -> DHTNode:
            device = me.device if me.present else DeviceKey.generate(world.entropy)
            dht = DHTNode(world, device, registry, home / "dht.db", events)
            if me.present:
                dht.set_owner(me.master.public.spki, me.certificate)
                dht.my_info(lambda: me.addresses_record() if me.addresses else None)
            return dht

        registration = Registration(world, settings, registry, me, client)
        registration.find_in_dht = self._recovery.identity_from_dht
        registration.ask_supplier = self._recovery.identity_from_supplier
        registration.seed_hints = self._recovery.use_seeds
        registration.make_hints = self._recovery.make_hints
        storage = Storage(world, settings, events, registry, me, self._storage_joint, self.budget)
        parts = Parts(
            world=world,
            settings=settings,
            events=events,
            consumers=self.consumers,
            registry=registry,
            me=me,
            home_lock=HomeLock(world, me),
            cache=cache,
            client=client,
            registration=registration,
            identity_server=IdentityServer(world, settings),
            gateway=gateway,
            dht=new_dht(),
            new_dht=new_dht,
            presence=presence,
            reach=Reach(registry, me, gateway, self._listening, self._dht_joint.publish_addresses),
            book=book,
            departures=departures,
            family=family,
            publisher=publisher,
            hiring=hiring,
            suppliers=SuppliersView(hiring, presence, identities, book),
            store=store,
            supplier_rows=SupplierRows(store, self._supplier_joint, Answer),
            customers=customers,
            families=families,
            notices=notices,
            retirement=retirement,
            patrol=Patrol(store, settings, events, world.wall, families.forget, notices.tell),
            piece_tests=PieceTests(store, events, identities),
            space=Space(
                settings,
                places,
                world.run_in_thread,
                lambda: store if store.is_open else None,
                storage.used_and_per_supplier,
                lambda: family.current.n if family.current else None,
            ),
            storage=storage,
        )
        for joint in (self._dht_joint, self._recovery, self._supplier_joint, self._storage_joint):
            joint.parts = parts
        return parts

    # the context of the API

    def __getattr__(self, name: str) -> Any:
        parts = self.__dict__.get("parts")
        if parts is None or name.startswith("_") or not hasattr(parts, name):
            raise AttributeError(name)
        return getattr(parts, name)

    def health(self) -> dict[str, Any]:
        """The process lives and its event loop turns."""
        return {}

    def stop(self, restart: bool = False) -> "Deferred[None]":
        """Stop everything, then the process; the answer to who asked is sent before."""
        if self._stopped is None:
            self.exit_code = RESTART if restart else 0
            self._stopped = Deferred()
            self.world.clock.callLater(0.05, self._stop)
        return succeed(None)

    def _stop(self) -> None:
        if self.exit_code != RESTART:
            self.on_stopping()
        deadline = self.world.clock.callLater(STOP_WITHIN, self._stopped_late)
        self.shutdown().addErrback(self._stopped_badly).addBoth(self._all_stopped, deadline)

    def _all_stopped(self, _: None, deadline: IDelayedCall) -> None:
        if deadline.active():
            deadline.cancel()
            self.on_stopped()

    def _stopped_badly(self, failure: Failure) -> None:
        self.log.failure("the node did not stop in order", failure)

    def _stopped_late(self) -> None:
        waiting = ", ".join(
            f"{row['name']} {row['state']}" for row in self.driver.list() if row["state"] not in RESTING
        )
        self.log.warn("the node ends without waiting any longer for: {waiting}", waiting=waiting or "its API")
        self.on_stopped()

    def erase_identity(self, erase_private_key: bool) -> "Deferred[dict[str, Any]]":
        """Stop every service, put my identity's files away and start the process again; what lies where."""
        return Deferred.fromCoroutine(self._erase_identity(erase_private_key))

    async def _erase_identity(self, erase_private_key: bool) -> dict[str, Any]:
        me = self.parts.me
        fingerprint, sources = me.fingerprint, [str(url) for url in me.document.sources]
        key_file = None if erase_private_key else self.parts.registration.kept_backup()
        suppliers = [row["global_id"] or row["idurl"] for row in self.parts.suppliers.list() if row["idurl"]]
        await self.driver.stop_all()
        try:
            erased = await self.world.run_in_thread(self._erasure().run, fingerprint, key_file)
        except OSError:
            await self.driver.start_all()
            raise
        self.events.send("local-identity-erased")
        await self.stop(restart=True)
        return tale(erased, sources, suppliers)

    def _erasure(self) -> Erasure:
        home = self.world.home
        return Erasure(home, Path(self.settings.get("paths/backups") or home / "spool"))

    # life

    def start(self) -> "Deferred[None]":
        """Read the home, open the API, start the services; fires when nothing is on its way any more."""
        return Deferred.fromCoroutine(self._start())

    async def _start(self) -> None:
        self._tell_upgrades()
        self.load_home()
        await self._unlock()
        self._remind()
        await Deferred.fromCoroutine(self.api.start())
        self.on_ready()
        await self.driver.start_all()

    def load_home(self) -> None:
        """Read who I am and whom I know; raises `BitDustError` that names a damaged file."""
        self._erasure().finish()
        self.parts.me.load()
        self.parts.cache.load()
        self.parts.book.load()
        self.parts.departures.load()
        self.parts.retirement.load()
        self.parts.family.load()
        self._watch_identity()

    def _tell_upgrades(self) -> None:
        for step in self._upgraded:
            told = {"before": step.before, "after": step.after, "what": step.what}
            self.log.info("the home went from format {before} to {after}: {what}", **told)
            self.events.send("home-upgraded", told)

    async def _unlock(self) -> None:
        """Open locked keys where this node was told a passphrase; where it is wrong, the node waits as a locked one."""
        if not self.parts.me.locked_key:
            return
        try:
            passphrase = self.passphrase()
            if passphrase is not None:
                await self.parts.home_lock.unlock(passphrase)
        except BitDustError as error:
            self.parts.me.locked_because = str(error)
            self.log.error("the keys stay locked: {why}", why=str(error))
            self.events.send("home-locked", {"reason": str(error)})

    def _remind(self) -> None:
        me = self.parts.me
        if me.present and me.backup_checked is None:
            self.events.send("backup-reminder", {"global_id": me.global_id, "text": REMINDER})

    def _watch_identity(self) -> None:
        def appeared(event: Any) -> None:
            restarting = (
                self.driver.restart("entangled_dht") if self.driver.is_enabled("entangled_dht") else succeed(None)
            )
            restarting.addBoth(lambda _: self.driver.wake_all())

        def accepted(event: Any) -> None:
            for kept in self.parts.store.customers():
                self.parts.presence.watch(kept.contract.customer)

        def unlocked(event: Any) -> None:
            self._remind()
            if self.driver.running:
                appeared(event)

        self.events.subscribe(appeared, "local-identity-set")
        self.events.subscribe(unlocked, "local-identity-unlocked")
        self.events.subscribe(accepted, "new-customer-accepted")
        self.events.subscribe(accepted, "existing-customer-accepted")

    def shutdown(self) -> "Deferred[None]":
        """Services first, dependents before what they need; then the API."""
        return Deferred.fromCoroutine(self._shutdown())

    async def _shutdown(self) -> None:
        await self.driver.shutdown()
        self.consumers.stop()
        self.watching.stop()
        await Deferred.fromCoroutine(self.api.stop())
        self.events.stop()
        self.registry.shutdown()

    def _follow_settings(self) -> None:
        def traced(key: str, old: Any, new: Any) -> None:
            self.registry.trace_transitions = self.settings.get("logs/automat-transitions-enabled")
            self.registry.trace_events = self.settings.get("logs/automat-events-enabled")
            packets = self.settings.get("logs/packet-enabled")
            self.parts.gateway.inbox.log_packets = self.parts.gateway.outbox.log_packets = packets

        self.settings.on_change("logs/", traced)
        traced("", None, None)

    def _renew_device(self) -> None:
        """A copy of this home goes on under this device's key: this node takes one of its own."""
        self.parts.me.renew_device(revoke=False)
        for name in ("entangled_dht", "tcp_connections"):
            self.driver.restart(name)

    def _listening(self) -> list[str]:
        port = self.parts.gateway.port()
        wanted = self.settings.get("services/network/interface")
        hosts = [wanted] if wanted else self.world.network.interfaces()
        return [f"tcp://{host}:{port}" for host in hosts] if port else []

    def _has_moved(self, position: int, supplier: bytes) -> bool:
        return self.parts.storage.has_moved(position, supplier)

    def _has_data(self) -> bool:
        """Unknown counts as yes: what may lie at a supplier keeps its place."""
        return bool(self.parts.storage.has_data())


def main(home: Path, foreground: bool) -> int:
    """Run a node until it is told to stop; the exit code, `RESTART` when it wants to be started again."""
    from twisted.internet import reactor  # noqa: PLC0415 - the one place where the global reactor is taken

    share_one_heap()
    real: Any = reactor
    measured = measure()
    try:
        node = Node(real_world(real, home), measured.budget())
    except BitDustError as error:
        print(f"BitDust cannot start: {error}", file=sys.stderr)
        return 1
    setting = node.settings.get
    room = Room(lambda: setting("logs/file-size"), lambda: setting("logs/files"))
    stop_logging = start_logging(home, lambda: setting("logs/debug-level"), foreground, room=room)
    stop_events = start_event_log(home, node.events, room)
    node.passphrase = lambda: find_passphrase(setting("personal/passphrase-file"), os.environ)

    for warning in measured.warnings():
        Node.log.warn("{warning}", warning=warning)

    def failed(failure: Any) -> None:
        print(f"BitDust cannot start: {failure.getErrorMessage()}", file=sys.stderr)
        Node.log.failure("the node could not start", failure)
        node.exit_code = 1
        maybeDeferred(node.shutdown).addBoth(lambda _: real.stop())

    manager = ServiceManager(real, os.environ)
    node.on_ready = manager.ready
    node.on_stopping = manager.stopping

    def stopped() -> None:
        end_within(LAST_RESORT, begin_again if node.exit_code == RESTART else partial(leave, node.exit_code))
        real.stop()

    node.on_stopped = stopped
    for number in (signal.SIGTERM, signal.SIGINT):
        real.callWhenRunning(signal.signal, number, lambda *_: real.callFromThread(node.stop, False))
    real.callWhenRunning(lambda: node.start().addErrback(failed))
    real.run(installSignalHandlers=False)
    stop_events()
    stop_logging()
    return node.exit_code
