"""DHTNode: what the rest of the program calls."""

import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, fail, maybeDeferred, succeed
from twisted.internet.interfaces import IListeningPort
from twisted.logger import Logger

from bitdust.automats.dht_connector import DHTConnector
from bitdust.automats.kernel import Registry
from bitdust.crypt.device import DeviceKey
from bitdust.dht.answers import Answers, Kit
from bitdust.dht.contact import Contact, reach
from bitdust.dht.fetching import Fetching, Found
from bitdust.dht.ids import ID_BYTES, MAX_LAYER, number, record_key
from bitdust.dht.joining import Joining
from bitdust.dht.limits import Rates
from bitdust.dht.lookup import Lookup
from bitdust.dht.peers import Peers
from bitdust.dht.publishing import Publishing, Stored
from bitdust.dht.records import DEBUG, MAX_DEBUG_TTL, Checker, DHTRecord, Owner, make_record
from bitdust.dht.reports import describe_record, layer_status
from bitdust.dht.roaming import Acquaintances, NodeInfo, RandomPick
from bitdust.dht.rpc import Rpc
from bitdust.dht.store import RecordStore
from bitdust.dht.upkeep import Upkeep
from bitdust.events import Events
from bitdust.wire.encoding import WireError
from bitdust.wire.errors import BitDustError
from bitdust.wire.records import DeviceCertificate
from bitdust.wire.signed import Signed
from bitdust.world import World

QUERIES = (300.0, 2000.0)
MAX_DOORS = 48
MAX_SAVED = 200
Seed = tuple[str, int]


class DHTOff(BitDustError):
    """The DHT is not running; code ``dht-off``."""

    def __init__(self) -> None:
        super().__init__("dht-off", "the DHT is not running on this node")


class DHTNode:
    """One node of the table, on one UDP port. Needs a device key; records of an owner need `set_owner` first."""

    log = Logger()

    def __init__(
        self,
        world: World,
        device: DeviceKey,
        registry: Registry,
        database: Path | None = None,
        events: Events | None = None,
    ) -> None:
        self._world = world
        self._device = device
        self._database = database
        self._events = events
        self._checker = Checker()
        self._own = Contact(device.public, "", 0)
        self._owner: Owner | None = None
        self._provider: Callable[[], Signed | None] = lambda: None
        self._known = Acquaintances()
        self._port: IListeningPort | None = None
        self._seeds: list[Seed] = []
        self._store: RecordStore | None = None
        self._running: set[Any] = set()
        self._closed: Deferred[Any] = succeed(None)
        self._told_layers: set[int] = set()
        self.connector = DHTConnector(registry, self)

    # life

    @property
    def id(self) -> bytes:
        """This node's id, 20 bytes."""
        return self._own.id

    @property
    def running(self) -> bool:
        """Whether the socket is open."""
        return self._port is not None

    def start(self, port: int, interface: str = "", seeds: list[Seed] | None = None) -> "Deferred[int]":
        """Open the socket and begin to join; fires with the UDP port. The machine `connector` tells how it goes on."""
        if self._port is not None:
            return succeed(self.port)
        clock, entropy = self._world.clock, self._world.entropy
        self._seeds = list(seeds or [])
        try:
            self._store = RecordStore(self._database, self._own.number)
            self._upkeep = Upkeep(clock, self._world.wall, self.jitter, self._store, self)
            kit = Kit(
                clock, self._world.wall, self._device, self._store, self._checker, self._info, self._upkeep.stored
            )
            self._answers = Answers(kit, self._own)
            self._rpc = Rpc(clock, entropy, self._own, self._answers, Rates(*QUERIES))
            self._peers = self._answers.peers = Peers(clock, entropy, self._own, self._rpc)
            self._peers.on_change = self._contacts_changed
            self._port = self._world.network.listen_udp(port, self._rpc, interface)
        except Exception:  # noqa: BLE001 - the caller gets it as a failed Deferred
            self._close_store()
            return fail()
        self._upkeep.start()
        self.connector.send("start")
        return succeed(self.port)

    def stop(self) -> "Deferred[None]":
        """Close the socket; what is kept stays in the database. May be started again."""
        self._closed = succeed(None)
        self.connector.send("stop")
        return self._closed

    def leave(self) -> None:
        """Of the machine: forget everything that runs."""
        if self._port is None:
            return
        port, self._port = self._port, None
        for task in list(self._running):
            task.cancel()
        self._save_contacts()
        self._upkeep.stop()
        self._peers.stop()
        self._rpc.close()
        self._closed = maybeDeferred(_close, port)
        self._told_layers.clear()
        self._close_store()

    def _close_store(self) -> None:
        if self._store is not None:
            self._store.close()
            self._store = None

    @property
    def port(self) -> int:
        """The UDP port, 0 when closed."""
        host: Any = None if self._port is None else self._port.getHost()
        return 0 if host is None else int(host.port)

    # what the machine asks

    def join(self) -> "Deferred[int]":
        """Of the machine: one attempt to come in."""
        return self._resolved().addCallback(self._join)

    def _join(self, seeds: list[Contact]) -> "Deferred[int]":
        met = {(contact.host, contact.port) for contact in seeds}
        saved = [contact for contact in self._saved() if (contact.host, contact.port) not in met]
        doors = [*seeds, *saved[: MAX_DOORS - len(seeds)]][:MAX_DOORS]
        joining = Joining(self._world.clock, self._world.entropy, self._peers, self._rpc, self._own, doors)
        joining.start()
        return joining.done

    def _saved(self) -> list[Contact]:
        return self._store.contacts() if self._store is not None else []

    def _resolved(self) -> "Deferred[list[Contact]]":
        names = [seed for seed in self._seeds if not reach(seed[0])]
        plain = [Contact(b"", host, port) for host, port in self._seeds if reach(host)]
        if not names:
            return succeed(plain)

        def add(found: list[Seed]) -> list[Contact]:
            return plain + [Contact(b"", host, port) for host, port in found]

        looking: Deferred[list[Contact]] = self._world.run_in_thread(_resolve, names).addCallback(add)
        return looking

    def knows_others(self) -> bool:
        """Whether any other node answers."""
        return self._port is not None and len(self._peers) > 0

    def has_doors(self) -> bool:
        """Whether there is somebody to ask."""
        return bool(self._seeds) or bool(self._saved())

    def report(self, state: str) -> None:
        """Of the machine: the state of the whole thing."""
        if state == "CONNECTED" and self._port is not None:
            self._tell_layer(0)
            self._save_contacts()
            self._layers_changed()

    def jitter(self, seconds: float) -> float:
        """Seconds, up to a fifth more or less."""
        return seconds * (0.8 + 0.4 * int.from_bytes(self._world.entropy(2), "big") / 65535)

    def _contacts_changed(self) -> None:
        self.connector.send("contacts-changed")

    # who I am

    def set_owner(self, spki: bytes | None, certificate: DeviceCertificate | None) -> None:
        """Whose device this is (RSA public key, DER); None takes it back."""
        known = spki is not None and certificate is not None
        if known and certificate is not None and certificate.key != self._device.public:
            raise WireError("bad-key", "the certificate is not of this node's device key")
        self._owner = Owner(spki, certificate) if spki is not None and certificate is not None else None

    def my_info(self, provider: Callable[[], Signed | None]) -> None:
        """Who gives the signed addresses record that others may ask for."""
        self._provider = provider

    def _info(self) -> dict[str, bytes]:
        if self._owner is None:
            return {}
        fields = {"owner": self._owner.spki, "certificate": self._owner.certificate.to_body()}
        addresses = self._provider()
        return fields if addresses is None else {**fields, "addresses": addresses.to_bytes()}

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
        self._told_layers.discard(layer)
        self._layers_changed()

    def _layers_changed(self) -> None:
        if self._port is not None and self._own.layers:
            self.show_layers()
            self._upkeep.show_soon()

    def layers(self) -> tuple[int, ...]:
        """Layers that this node takes part in; always 0."""
        return tuple(layer for layer in range(MAX_LAYER + 1) if self._own.attached(layer))

    def _tell_layer(self, layer: int) -> None:
        if layer not in self._told_layers and self._events is not None:
            self._told_layers.add(layer)
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

    def _publish(self, data: bytes, layer: int, mine: bool) -> "Deferred[Stored]":
        self._must_run()
        record = self._checker.check(data, self._world.wall())
        if mine:
            outcome = self._answers.keep(data, layer, mine=True)
            if not outcome["stored"]:
                raise WireError(outcome["code"], "this node has another or a newer record of that subject")
        done: Deferred[Stored] = Deferred(self._running.discard)
        self._running.add(done)

        def keep() -> bool:
            return bool(self._answers.keep(data, layer)["stored"])

        def end(stored: Stored) -> None:
            self._finish(done, stored)

        where = (data, number(record.key(layer)), layer)
        Publishing(self._peers, self._rpc, self._own, where, keep, end).start()
        return done

    def _must_run(self) -> None:
        if self._port is None:
            raise DHTOff()

    def _finish(self, done: "Deferred[Any]", result: Any) -> None:
        if done in self._running:
            self._running.discard(done)
            done.callback(result)

    def get(self, kind: str, subject: bytes | str, layer: int = 0) -> "Deferred[DHTRecord | None]":
        """The newest record of that subject that can be found, proven; None when there is none."""
        return self.search(kind, subject, layer).addCallback(lambda found: found.record)

    def search(self, kind: str, subject: bytes | str, layer: int = 0) -> "Deferred[Found]":
        """As `get`, with the nodes that were asked."""
        if self._port is None or self._store is None:
            return fail(DHTOff())
        key = record_key(kind, subject, layer)
        data = self._store.get(key, self._world.wall())
        local = DHTRecord.from_bytes(data) if data is not None else None
        done: Deferred[Found] = Deferred(lambda _: self._abandon(done, fetching))
        self._running.add(done)
        fetching = Fetching(
            self._world.clock,
            self._peers,
            self._rpc,
            lambda found: self._checker.check(found, self._world.wall()),
            (number(key), layer),
            local,
            lambda found: self._finish(done, found),
        )
        fetching.start()
        return done

    def _abandon(self, done: "Deferred[Any]", task: Fetching) -> None:
        self._running.discard(done)
        task.stop()

    # nodes

    def find_node(self, ident: bytes, layer: int = 0) -> "Deferred[list[Contact]]":
        """The nodes of a layer nearest to an id, nearest first; only such as answered just now."""
        if self._port is None:
            return fail(DHTOff())
        done: Deferred[list[Contact]] = Deferred(self._running.discard)
        self._running.add(done)
        question = ("find_node", {"target": ident})

        def end(lookup: Lookup) -> None:
            self._finish(done, lookup.answered())

        Lookup(self._peers, self._rpc, number(ident), layer, question, end).start()
        return done

    def random_node(self, layer: int = 0, exclude: frozenset[bytes] = frozenset()) -> "Deferred[NodeInfo | None]":
        """Somebody of a layer but me, picked fairly, proven, with addresses; nobody whose owner is in ``exclude``."""
        if self._port is None:
            return fail(DHTOff())
        mine = frozenset() if self._owner is None else frozenset((self._owner.certificate.owner,))
        done: Deferred[NodeInfo | None] = Deferred(self._running.discard)
        self._running.add(done)
        RandomPick(
            self._peers,
            self._rpc,
            self._checker,
            self._known,
            self._world.entropy,
            layer,
            exclude | mine,
            lambda info: self._finish(done, info),
        ).start()
        return done

    # upkeep

    def republish(self, key: bytes, layer: int, then: Callable[[], None]) -> None:
        """Of upkeep: store a kept record again, verbatim."""
        data = self._store.get(key, self._world.wall()) if self._store is not None else None
        if data is None or self._port is None:
            then()
            return
        storing = self.put_raw(data, layer)
        storing.addErrback(lambda failure: self.log.debug("not published again: {why}", why=failure.value))
        storing.addBoth(lambda _: then())

    def refresh(self) -> None:
        """Of upkeep: look around in every layer, and save who was met."""
        if self._port is None:
            return
        self._look_around(self.id, 0)
        self._look_around(self._world.entropy(ID_BYTES), 0)
        self.show_layers()
        self._save_contacts()

    def show_layers(self) -> None:
        """Of upkeep: look for the neighbours in every layer; so others learn that this node is there."""
        if self._port is not None:
            for layer in self.layers()[1:]:
                self._look_around(self.id, layer)

    def _look_around(self, ident: bytes, layer: int) -> None:
        def met(contacts: list[Contact]) -> None:
            if contacts:
                self._tell_layer(layer)

        looking = self.find_node(ident, layer)
        looking.addCallback(met)
        looking.addErrback(lambda _: None)

    def _save_contacts(self) -> None:
        if self._store is not None and len(self._peers):
            best = sorted(self._peers.everyone(), key=lambda contact: -contact.heard)
            self._store.save_contacts(best[:MAX_SAVED])

    # what is shown

    def local_records(self) -> list[dict[str, Any]]:
        """Everything that is kept here, as `dht_local_db_dump` shows it."""
        return [] if self._store is None else [describe_record(kept) for kept in self._store.all()]

    def status(self) -> dict[str, Any]:
        """The part ``dht`` of `network_status`."""
        if self._store is None:
            return {"udp_port": None, "bytes_received": 0, "bytes_sent": 0, "layers": []}
        shown = sorted({*self.layers(), *self._peers.tables})
        layers = [layer_status(layer, self._own, self._peers, self._store, self._rpc.traffic) for layer in shown]
        traffic = self._rpc.traffic
        return {
            "udp_port": self.port,
            "state": self.connector.state,
            "node_id": self.id.hex(),
            "bytes_received": traffic.bytes_in,
            "bytes_sent": traffic.bytes_out,
            "layers": layers,
        }

    # debugging

    def debug_put(
        self, key: str, value_json: Any, expire: int | None = None, layer: int = 0
    ) -> "Deferred[dict[str, Any]]":
        """Write any JSON value under a text; anybody may write there. Lives 24 hours at most, 1 kB."""
        try:
            value = json.loads(value_json) if isinstance(value_json, str) else value_json
            raw = json.dumps(value, separators=(",", ":")).encode()
        except (ValueError, TypeError) as error:
            return fail(BitDustError("bad-value", f"the value must be JSON: {error}"))
        ttl = MAX_DEBUG_TTL if expire is None else max(1, min(int(expire), MAX_DEBUG_TTL))

        def shown(stored: Stored) -> dict[str, Any]:
            good = {"write": "success", "value": value} if stored.count else {"write": "failed"}
            return {**good, "my_dht_id": self.id.hex(), "key": key, "closest_nodes": list(stored.closest)}

        known = self._store.revision(record_key(DEBUG, key, layer)) if self._store is not None else None
        revision = max(int(self._world.wall() * 1000), (known or 0) + 1)
        return self.put(DEBUG, key, revision, raw, ttl, layer).addCallback(shown)

    def debug_get(self, key: str, layer: int = 0) -> "Deferred[dict[str, Any]]":
        """Read what `debug_put` wrote."""

        def shown(found: Found) -> dict[str, Any]:
            answer = {"my_dht_id": self.id.hex(), "key": key}
            try:
                value = json.loads(found.record.value) if found.record is not None else None
            except ValueError:
                value = None
            if value is None:
                return {**answer, "read": "failed", "closest_nodes": list(found.closest) or [self.id.hex()]}
            return {**answer, "read": "success", "value": value}

        return self.search(DEBUG, key, layer).addCallback(shown)


def _close(port: IListeningPort) -> Any:
    return port.stopListening()


def _resolve(names: list[Seed]) -> list[Seed]:
    found: list[Seed] = []
    for host, port in names:
        try:
            known = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
        except (OSError, UnicodeError):
            continue
        found.extend((str(item[4][0]), port) for item in known[:2])
    return found
