"""Two phases: build every room with what is below it, then wire the rooms that need each other."""

import importlib
import pkgutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from bitdust import services
from bitdust.assembly.hidden import FolderFiles, HiddenFiles
from bitdust.assembly.joints import (
    DeviceRenewal,
    FamiliesInDHT,
    MessageDirectory,
    PieceMaking,
    StorageJoint,
    WrittenLogs,
    in_layer,
)
from bitdust.automats.kernel import Registry
from bitdust.blocks.room import BlocksRoom
from bitdust.budget import Budget
from bitdust.companions.companions import Companions
from bitdust.companions.router import Router
from bitdust.config.settings import Settings
from bitdust.customers.room import CustomersRoom
from bitdust.dht.ids import SUPPLIERS_LAYER, WEB_SOCKET_ROUTERS_LAYER
from bitdust.dht.offers import Offers
from bitdust.dht.room import DHTRoom
from bitdust.events import Consumers, Events
from bitdust.folders.door import BtsyncDoor
from bitdust.folders.room import Folders
from bitdust.groups.ports import GroupPeople
from bitdust.groups.room import GroupsRoom
from bitdust.identity.room import IdentityRoom
from bitdust.ipfs.door import IpfsDoor
from bitdust.ipfs.network import Network
from bitdust.key_file import KeyFileCare, KeyFileHints
from bitdust.nodes_lookup import NodesLookup
from bitdust.peers.room import PeersRoom
from bitdust.people.room import Finders, PeopleRoom
from bitdust.recovery import Recovery
from bitdust.risk import Risk
from bitdust.rooms import Rooms
from bitdust.seen_address import SeenAddress
from bitdust.services.driver import Driver
from bitdust.services.service import Service
from bitdust.shares.room import SharesRoom
from bitdust.space import MeasuredFolders, Space
from bitdust.storage.storage import Storage
from bitdust.suppliers.room import SuppliersRoom
from bitdust.surroundings import Connected, Surroundings
from bitdust.transport.gateway import Gateway
from bitdust.wire.table import Who
from bitdust.wiring import check_wires
from bitdust.world import World


def all_services(rooms: Rooms) -> list[Service]:
    """Every service, one of each module ``services/service_*.py``."""
    return [kind(rooms) for kind in _kinds()]  # type: ignore[call-arg]


@cache
def _kinds() -> list[type[Service]]:
    found: list[type[Service]] = []
    for module in sorted(pkgutil.iter_modules(services.__path__), key=lambda one: one.name):
        if module.name.startswith("service_"):
            members = vars(importlib.import_module(f"bitdust.services.{module.name}")).values()
            kinds = [kind for kind in members if isinstance(kind, type) and issubclass(kind, Service)]
            mine = [kind for kind in kinds if kind.__module__.endswith(f".{module.name}")]
            found += mine
    return found


class Assembly:
    """``rooms`` and ``driver``, ready to be started."""

    def __init__(self, world: World, settings: Settings, events: Events, registry: Registry, budget: Budget) -> None:
        identity = IdentityRoom(world, settings, events, registry)
        around = Surroundings(world, settings, events, registry, budget, identity.me, identity.cache)
        gateway = Gateway(around)
        self._connected = Connected.of(around, gateway, gateway.outbox)
        self._device = DeviceRenewal(self._connected)
        self.rooms = self._build(identity, gateway, DHTRoom(around))
        self.driver = Driver(self._connected, all_services(self.rooms))
        self._wire()
        check_wires(self._parts())

    def _build(self, identity: IdentityRoom, gateway: Gateway, dht: DHTRoom) -> Rooms:
        around, directory = self._connected, dht.directory
        peers = PeersRoom(around, gateway.addresses, directory.put_addresses)
        suppliers = SuppliersRoom(around, peers.presence, directory.put_family)
        self._storing = StorageJoint(around, identity, suppliers, directory, self._device.renew)
        storage = Storage(around, self._storing)
        hints = KeyFileHints(around, gateway, dht, suppliers.family, suppliers.publication, storage)
        customers = CustomersRoom(around, peers.presence, FamiliesInDHT(directory), gateway.scopes)
        finder = MessageDirectory(directory)
        people = PeopleRoom(
            around,
            peers.presence,
            Finders(finder, directory, identity.prover),
            lambda: suppliers.family.holders,
            gateway.relations.of,
        )
        shares = SharesRoom(around, suppliers.family, storage, identity.prover, people.friends.is_friend)
        blocks = BlocksRoom(around)
        folders = Folders(around, people.friends.is_friend, identity.registration.create_nameless)
        return Rooms(
            around=around,
            consumers=Consumers(around.events),
            identity=identity,
            gateway=gateway,
            dht=dht,
            peers=peers,
            people=people,
            shares=shares,
            groups=GroupsRoom(around, suppliers.family, shares, GroupPeople(people.history, finder, identity.prover)),
            folders=folders,
            btsync=BtsyncDoor(folders),
            companions=Companions(around, around.world.home / "devices"),
            router=Router(around, gateway.addresses, gateway.scopes.is_new),
            suppliers=suppliers,
            customers=customers,
            blocks=blocks,
            ipfs=IpfsDoor(Network(around, gateway, dht), blocks),
            storage=storage,
            space=self._space(suppliers, customers, storage),
            risk=Risk(around, storage, suppliers),
            recovery=Recovery(around, gateway, dht, identity.registration),
            nodes_lookup=NodesLookup(around, dht, identity),
            seen_address=SeenAddress(around, gateway.stun, dht.node),
            key_file_hints=hints,
            key_file=KeyFileCare(around, suppliers.family, hints),
        )

    def _space(self, suppliers: SuppliersRoom, customers: CustomersRoom, storage: Storage) -> Space:
        home, family = self._connected.world.home, suppliers.family
        names = ("catalog.db", "customers.db", "dht.db", "messages/history.db", "correspondence/correspondence.db")
        databases = tuple(home / name for name in (*names, "mailboxes.db"))
        spool = Path(self._connected.settings.get("paths/backups") or home / "spool")
        return Space(
            self._connected,
            MeasuredFolders(spool, home / "temp", customers.folder, databases),
            customers.store,
            storage.used_and_per_supplier,
            lambda: family.current.n if family.current else None,
        )

    def _wire(self) -> None:
        rooms, identity, suppliers = self.rooms, self.rooms.identity, self.rooms.suppliers
        identity.registration.sources = rooms.recovery
        identity.registration.current_hints = rooms.key_file_hints
        identity.revocations.logs = WrittenLogs(self._connected, rooms.storage, rooms.groups)
        rooms.storage.compared.connect(identity.revocations.settle)
        rooms.groups.read.connect(identity.revocations.settle)
        suppliers.held_back.kept.connect(lambda: rooms.storage.core.monitor.sync() if rooms.storage.is_open else None)
        identity.propagation.directory = rooms.dht.directory
        suppliers.hiring.candidates = suppliers.mandates.candidates = rooms.nodes_lookup
        rooms.companions.routers = rooms.nodes_lookup
        rooms.dht.use_hosts(rooms.gateway.hosts)
        rooms.gateway.relations.add(Who.FRIEND, rooms.people.friends.is_friend)
        rooms.shares.donations.groups = rooms.groups
        for takes_part in (rooms.shares.holds, rooms.groups.holds, rooms.folders.holds):
            rooms.gateway.relations.add(Who.MEMBER, takes_part)
        for listener in (
            rooms.peers.network_is_back,
            identity.propagation.network_is_back,
            suppliers.publication.network_is_back,
            rooms.people.names.holder.network_is_back,
            rooms.people.messages.network_is_back,
            rooms.customers.families.network_is_back,
            rooms.storage.network_is_back,
            rooms.folders.finding.network_is_back,
            rooms.shares.network_is_back,
            rooms.groups.network_is_back,
        ):
            rooms.dht.node.connected.connect(listener)
        rooms.dht.node.seated.connect(in_layer(SUPPLIERS_LAYER, suppliers.somebody_came))
        rooms.dht.node.seated.connect(in_layer(WEB_SOCKET_ROUTERS_LAYER, rooms.companions.network_is_back))
        suppliers.finding.sources = rooms.recovery
        suppliers.hiring.pieces = suppliers.replacements.pieces = rooms.storage.placement
        suppliers.resizing.packs = suppliers.lost.audits = rooms.storage.placement
        rooms.storage.distrusted.connect(lambda supplier: suppliers.hiring.restart())
        suppliers.hiring.customers = suppliers.requests.customers = rooms.customers
        rooms.customers.healing.rebuilds.maker = PieceMaking()
        rooms.people.archive.segments = HiddenFiles(self._connected, rooms.storage, "messages", "history of messages")
        rooms.people.everywhere.lists = HiddenFiles(self._connected, rooms.storage, "friends", "friends")
        rooms.blocks.backup.shelf = HiddenFiles(self._connected, rooms.storage, "blocks", "backup of pins")
        rooms.blocks.backup.keep_records("keys", rooms.ipfs.key_copy)
        rooms.folders.finding.directory = rooms.dht.directory
        has_suppliers = lambda: bool(suppliers.family.current)  # noqa: E731
        rooms.folders.copies.shelf = FolderFiles(self._connected, rooms.storage, rooms.shares, has_suppliers)
        rooms.folders.copies.lender = rooms.shares.borrowing
        rooms.shares.donations.records = rooms.shares.borrowing.records = Offers(rooms.dht.node, identity.me)
        rooms.shares.borrowing.people = rooms.shares.new_writers.people = rooms.dht.directory
        rooms.storage.compared.connect(rooms.folders.copies.look)
        rooms.storage.compared.connect(rooms.blocks.backup.look)
        rooms.storage.compared.connect(rooms.people.everywhere.look)
        rooms.storage.compared.connect(rooms.people.archive.look)
        identity.home_lock.changed.connect(rooms.people.history.look_after)
        messages = rooms.people.messages
        messages.incoming.history = messages.letters.history = rooms.people.history
        messages.incoming.listeners = rooms.people.listeners
        suppliers.family.changed.connect(messages.upkeep.keepers_changed)
        rooms.people.friends.changed.connect(lambda friend: messages.upkeep.keepers_changed())
        rooms.recovery.services = self.driver
        self._storing.services = self.driver
        self._device.services = self.driver

    def _parts(self) -> Iterator[Any]:
        """Every part that may have wires: the rooms, what they hold, and the joints."""
        yield from (self._device, self._storing, self.driver)
        for room in vars_of(self.rooms):
            yield room
            yield from vars_of(room)
        yield from vars_of(self.rooms.customers.healing)
        yield from vars_of(self.rooms.people.messages)


def vars_of(part: object) -> list[object]:
    """The values of a part's attributes."""
    if hasattr(part, "__dict__"):
        return list(vars(part).values())
    return [getattr(part, name) for name in getattr(type(part), "__slots__", ()) if name != "__weakref__"]
