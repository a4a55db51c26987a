"""DHTNode: what the rest of the program calls."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.logger import Logger

from bitdust.automats.dht_connector import DHTConnector
from bitdust.crypt.device import DeviceKey
from bitdust.dht.contact import Contact
from bitdust.dht.debugging import DebugRecords
from bitdust.dht.fetching import Found, Sought
from bitdust.dht.ids import ID_BYTES, MAX_LAYER, record_key
from bitdust.dht.publishing import Stored
from bitdust.dht.records import Checker, DHTRecord, Owner, make_record
from bitdust.dht.reports import describe_record, layer_status
from bitdust.dht.roaming import Acquaintances, NodeInfo, Wanted
from bitdust.dht.rpc import Datagrams
from bitdust.dht.seeds import Seed, seed_contacts
from bitdust.dht.stack import Identity, Stack, jitter
from bitdust.dht.store import RecordStore
from bitdust.scopes.networks import Household
from bitdust.signal import Signal
from bitdust.surroundings import Surroundings
from bitdust.wire.encoding import WireError
from bitdust.wire.errors import BitDustError
from bitdust.wire.networks import HOUSEHOLD
from bitdust.wire.records import DeviceCertificate
from bitdust.wire.signed import Signed

LASTING = ("identity", "family", "head", "ipns")
"""Records of which an old revision does harm: they say who may speak, where everything is, and how much there is."""
PATHS = 2


class DHTOff(BitDustError):
    """The DHT is not running; code ``dht-off``."""

    def __init__(self) -> None:
        super().__init__("dht-off", "the DHT is not running on this node")


class DHTNode:
    """One node of the table, on one UDP port. Needs a device key; records of an owner need `set_owner` first."""

    log = Logger()

    def __init__(
        self,
        around: Surroundings,
        device: DeviceKey,
        database: Path | None = None,
    ) -> None:
        world = around.world
        self._world = world
        self._database = database
        self._events = around.events
        self._checker = Checker()
        self._known = Acquaintances(self._checker)
        self._provider: Callable[[], Signed | None] = lambda: None
        self._entries: Callable[[], list[Seed]] = list
        self._datagrams: Datagrams | None = None
        self._stack: Stack | None = None
        self._seeds: list[Seed] = []
        self._reported_layers: set[int] = set()
        self._device = device
        self._own = Contact(device.public, "", 0)
        self._owner: Owner | None = None
        self.household = Household(HOUSEHOLD.split())
        """Networks of which every node counts by itself, from the next start on."""
        self.jitter = jitter(world.entropy)
        self.connected: Signal[[]] = Signal()
        """Others are there, after nobody was."""
        self.seated: Signal[[int]] = Signal()
        """Somebody of a layer is known who was not before."""
        self.debug = DebugRecords(world.wall, self)
        self.connector = DHTConnector(around.registry, self)

    # who I am

    @property
    def id(self) -> bytes:
        """This node's id, 20 bytes."""
        return self._own.id

    def use_device(
        self, device: DeviceKey, spki: bytes | None = None, certificate: DeviceCertificate | None = None
    ) -> "Deferred[None]":
        """Be the node of a device key, and of its owner (RSA public key, DER, and the device's certificate) if any.

        Where that is another key than before, a running node closes; the Deferred fires when it may be started again.
        Layers and seeds stay.
        """
        closed: Deferred[None] = succeed(None)
        if device.public != self._device.public:
            closed = self.stop()
            self._device, self._owner = device, None
            self._own = Contact(device.public, "", 0, self._own.layers)
        self.set_owner(spki, certificate)
        return closed

    def entries_from(self, provider: Callable[[], list[Seed]]) -> None:
        """Who gives more addresses at which other nodes may be, asked at every attempt to join."""
        self._entries = provider

    def use_seeds(self, seeds: list[Seed]) -> None:
        """Ask these nodes first from now on; now, too, where it runs."""
        self._seeds = list(seeds)
        if self._stack is not None:
            self.join().addErrback(lambda failure: self.log.debug("not joined: {why}", why=failure.value))

    def set_owner(self, spki: bytes | None, certificate: DeviceCertificate | None) -> None:
        """Whose device this is (RSA public key, DER); None takes it back. Raises `WireError` ``bad-key``."""
        if spki is None or certificate is None:
            self._owner = None
            return
        if certificate.key != self._device.public:
            raise WireError("bad-key", "the certificate is not of this node's device key")
        self._owner = Owner(spki, certificate)

    def my_info(self, provider: Callable[[], Signed | None]) -> None:
        """Who gives the signed addresses record that others may ask for."""
        self._provider = provider

    def _info(self) -> dict[str, bytes]:
        if self._owner is None:
            return {}
        fields = {"owner": self._owner.spki, "certificate": self._owner.certificate.to_body()}
        addresses = self._provider()
        return fields if addresses is None else {**fields, "addresses": addresses.to_bytes()}

    # life

    @property
    def running(self) -> bool:
        """Whether it takes part."""
        return self._stack is not None

    @property
    def port(self) -> int:
        """The UDP port, 0 when closed."""
        return self._datagrams.port if self._datagrams is not None else 0

    def start(self, datagrams: Datagrams, seeds: list[Seed] | None = None) -> "Deferred[int]":
        """Begin to join over an open UDP port; fires with its number. The machine `connector` says how it goes on."""
        if self._stack is not None:
            return succeed(self.port)
        self._seeds = list(seeds or [])
        store: RecordStore | None = None
        try:
            store = RecordStore(self._database, self._own.number)
            who = Identity(self._own, self._device, self._info, self.household)
            stack = Stack.build(self._world, datagrams, who, self._checker, store, self)
            stack.rpc.open()
        except Exception:  # noqa: BLE001 - the caller gets it as a failed Deferred
            if store is not None:
                store.close()
            return fail()
        self._stack, self._datagrams = stack, datagrams
        stack.peers.changed.connect(lambda: self.connector.send("contacts-changed"))
        stack.peers.seated.connect(self.seated.emit)
        stack.upkeep.start()
        self.connector.send("start")
        return succeed(self.port)

    def stop(self) -> "Deferred[None]":
        """Take part no more; what is kept stays in the database. May be started again."""
        self.connector.send("stop")
        return succeed(None)

    # what the machine asks

    def leave(self) -> None:
        """Of the machine: forget everything that runs."""
        stack, self._stack = self._stack, None
        self._datagrams = None
        if stack is not None:
            stack.close()
            self._reported_layers.clear()

    def join(self) -> "Deferred[int]":
        """Of the machine: one attempt to come in."""
        return seed_contacts([*self._seeds, *self._entries()], self._world.run_in_thread).addCallback(self._join)

    def _join(self, seeds: list[Contact]) -> "int | Deferred[int]":
        return self._stack.join(seeds) if self._stack is not None else 0

    def knows_others(self) -> bool:
        """Whether any other node answers."""
        return self._stack is not None and len(self._stack.peers) > 0

    def silence(self) -> float:
        """Seconds since any of the known nodes was heard; 0 where nobody is known. Upkeep asks every ten minutes."""
        heard = [contact.heard for contact in self._stack.peers.everyone()] if self._stack is not None else []
        return self._world.clock.seconds() - max(heard) if heard else 0.0

    def knows_entry(self) -> bool:
        """Whether there is somebody to ask."""
        return bool(self._seeds or self._entries()) or (self._stack is not None and bool(self._stack.store.contacts()))

    def report(self, state: str) -> None:
        """Of the machine: the state of the whole thing."""
        if state == "CONNECTED" and self._stack is not None:
            self._report_layer(0)
            self._stack.save_contacts()
            self._stack.upkeep.show_soon()
            self.show_layers()
            self.connected.emit()

    # layers

    def attach(self, layer: int) -> None:
        """Take part in a layer (1 to 15) and show it to others."""
        if not 1 <= layer <= MAX_LAYER:
            raise BitDustError("bad-layer", f"a layer is a number from 1 to {MAX_LAYER}")
        self._own.layers |= 1 << layer
        self._layers_changed()

    def detach(self, layer: int) -> None:
        """Take part no more; others learn of it with the next message."""
        self._own.layers &= ~(1 << layer)
        self._reported_layers.discard(layer)
        self._layers_changed()

    def _layers_changed(self) -> None:
        if self._stack is not None and self._own.layers:
            self.show_layers()
            self._stack.upkeep.show_soon()

    def layers(self) -> tuple[int, ...]:
        """Layers that this node takes part in; always 0."""
        return tuple(layer for layer in range(MAX_LAYER + 1) if self._own.attached(layer))

    def _report_layer(self, layer: int) -> None:
        if layer not in self._reported_layers:
            self._reported_layers.add(layer)
            self._events.send("dht-layer-connected", {"layer_id": layer})

    # records

    def put(
        self, kind: str, subject: bytes | str, revision: int, value: bytes, ttl: int, layer: int = 0
    ) -> "Deferred[Stored]":
        """Sign a record and store it at the nodes nearest to its key; ``ttl`` seconds. Types: `bitdust.dht.records`.

        ``value`` of ``family``, ``head`` and ``addresses`` is the bytes of the `Signed` record. Fails with `WireError`
        (``no-owner``, ``bad-subject``, ``too-large``…), ``stale`` when a newer revision is here.
        """
        try:
            expires = int(self._world.wall()) + ttl
            record = make_record(kind, subject, revision, expires, value, self._device, self._owner)
            return self._publish(record.to_bytes(), layer, mine=True)
        except BitDustError:
            return fail()

    def put_raw(self, data: bytes, layer: int = 0) -> "Deferred[Stored]":
        """Store a record of somebody else's, byte for byte."""
        try:
            return self._publish(data, layer, mine=False)
        except BitDustError:
            return fail()

    def put_for(self, kind: str, subject: bytes, revision: int, value: bytes, ttl: int) -> "Deferred[Stored]":
        """Store a record that proves itself for somebody else; it is none of mine."""
        expires = int(self._world.wall()) + ttl
        return self.put_raw(DHTRecord(kind, subject, revision, expires, value).to_bytes())

    def _publish(self, data: bytes, layer: int, mine: bool) -> "Deferred[Stored]":
        stack = self._must_run()
        record = self._checker.check(data, self._world.wall())
        if mine:
            outcome = stack.answers.keep(data, layer, mine=True)
            # Others keep what the disk of this node does not take now.
            if not outcome["stored"] and outcome["code"] != "no-space":
                raise WireError(outcome["code"], "this node has another or a newer record of that subject")
        return stack.publish(record, data, layer)

    def _must_run(self) -> Stack:
        if self._stack is None:
            raise DHTOff()
        return self._stack

    def get(
        self, kind: str, subject: bytes | str, layer: int = 0, thorough: bool = False
    ) -> "Deferred[DHTRecord | None]":
        """The newest record of that subject that can be found, proven; None when there is none.

        Of an identity, a family or a head all of the nearest nodes that answer are heard: a few that are fast cannot
        bring an old one back. ``thorough`` does so with any record, and asks along two paths that share no node.
        """
        return self.search(kind, subject, layer, thorough).addCallback(lambda found: found.record)

    def search(self, kind: str, subject: bytes | str, layer: int = 0, thorough: bool = False) -> "Deferred[Found]":
        """As `get`, with the nodes that were asked."""
        if self._stack is None:
            return fail(DHTOff())
        key, whole = record_key(kind, subject, layer), thorough or kind in LASTING
        return self._stack.search(Sought(key, layer, whole=whole, paths=PATHS if thorough else 1))

    def revision(self, key: bytes) -> int | None:
        """The revision of the record that is kept here under a key."""
        return self._stack.store.revision(key) if self._stack is not None else None

    # nodes

    def find_node(self, ident: bytes, layer: int = 0) -> "Deferred[list[Contact]]":
        """The nodes of a layer nearest to an id, nearest first; only such as answered just now."""
        return fail(DHTOff()) if self._stack is None else self._stack.nodes(ident, layer)

    def find_device(self, device_key: bytes) -> "Deferred[NodeInfo | None]":
        """The node under a device key, proven, with its owner and addresses; None where it is not there."""
        return fail(DHTOff()) if self._stack is None else self._stack.who(self._known, device_key)

    def random_node(self, layer: int = 0, exclude: frozenset[bytes] = frozenset()) -> "Deferred[NodeInfo | None]":
        """Somebody of a layer but me, picked fairly, proven, with addresses; nobody whose owner is in ``exclude``."""
        if self._stack is None:
            return fail(DHTOff())
        mine = frozenset() if self._owner is None else frozenset((self._owner.certificate.owner,))
        return self._stack.pick(self._known, Wanted(layer, exclude | mine))

    # upkeep

    def republish(self, key: bytes, layer: int, then: Callable[[], None]) -> None:
        """Of upkeep: store a kept record again, verbatim."""
        data = self._stack.store.get(key, self._world.wall()) if self._stack is not None else None
        if data is None:
            then()
            return
        storing = self.put_raw(data, layer)
        storing.addErrback(lambda failure: self.log.debug("not published again: {why}", why=failure.value))
        storing.addBoth(lambda _: then())

    def refresh(self) -> None:
        """Of upkeep: look up neighbours in every layer, and save who was met."""
        if self._stack is None:
            return
        self._explore(self._world.entropy(ID_BYTES), 0)
        self.look_around()
        self._stack.save_contacts()

    def knock(self) -> None:
        """Of upkeep: ask a few of those who were met before and are away."""
        if self._stack is not None:
            self._stack.knock()

    def look_around(self) -> None:
        """Of upkeep: look for neighbours, everywhere."""
        if self._stack is not None:
            self._explore(self.id, 0)
            self.show_layers()

    def known(self) -> int:
        """Of upkeep: how many nodes answer."""
        return len(self._stack.peers) if self._stack is not None else 0

    def show_layers(self) -> None:
        """Look up the neighbours in every layer; so others learn that this node is there."""
        if self._stack is not None:
            for layer in self.layers()[1:]:
                self._explore(self.id, layer)

    def _explore(self, ident: bytes, layer: int) -> None:
        def met(contacts: list[Contact]) -> None:
            if contacts:
                self._report_layer(layer)

        exploring = self.find_node(ident, layer)
        exploring.addCallback(met)
        exploring.addErrback(lambda _: None)

    # what is shown

    def local_records(self) -> list[dict[str, Any]]:
        """Everything that is kept here, as `dht_local_db_dump` shows it."""
        return [] if self._stack is None else [describe_record(kept) for kept in self._stack.store.all()]

    def status(self) -> dict[str, Any]:
        """The part ``dht`` of `network_status`."""
        stack = self._stack
        if stack is None:
            return {"udp_port": None, "bytes_received": 0, "bytes_sent": 0, "layers": []}
        traffic = stack.rpc.traffic
        shown = sorted({*self.layers(), *stack.peers.tables})
        return {
            "udp_port": self.port,
            "state": self.connector.state,
            "node_id": self.id.hex(),
            "bytes_received": traffic.bytes_in,
            "bytes_sent": traffic.bytes_out,
            "layers": [layer_status(layer, self._own, stack.peers, stack.store, traffic) for layer in shown],
        }
