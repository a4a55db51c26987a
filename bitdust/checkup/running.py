"""Looking at a running node from inside: gathers figures from its parts and lets `judging` tell what they mean."""

import json
from collections.abc import Mapping
from functools import partial
from typing import Any, Protocol

from twisted.internet.defer import Deferred, gatherResults, succeed
from twisted.internet.protocol import Factory
from twisted.internet.protocol import Protocol as Connection

from bitdust.checkup import home, judging, libraries, lives, ports
from bitdust.checkup import risk as risks
from bitdust.checkup.deletions import deletions
from bitdust.checkup.finding import Finding, called
from bitdust.checkup.folders import folders
from bitdust.checkup.judging import Copy, Reached, Seen
from bitdust.checkup.rounds import Check, run_checks
from bitdust.checkup.shelves import shelves
from bitdust.checkup.uploads import uploads
from bitdust.config.settings import Settings
from bitdust.dht.node import DHTNode
from bitdust.dht.seeds import SEEDS, parse_seeds
from bitdust.identity.awaited import CATALOG, FAMILY, KEY_RING
from bitdust.identity.client import IdentityClient, Server
from bitdust.identity.document import IdentityDocument
from bitdust.identity.me import Me
from bitdust.outcome import outcomes
from bitdust.services.driver import Driver
from bitdust.transport.gateway import Gateway
from bitdust.wire.addresses import Address
from bitdust.wire.names import IDURL
from bitdust.world import World

DIAL_LIMIT = 3.0
TRIP_SECONDS = 60


class Patient(Protocol):
    """The parts of a node that are looked at."""

    @property
    def world(self) -> World: ...

    @property
    def settings(self) -> Settings: ...

    @property
    def me(self) -> Me: ...

    @property
    def client(self) -> IdentityClient: ...

    @property
    def gateway(self) -> Gateway: ...

    @property
    def ipfs(self) -> Any: ...

    @property
    def folders(self) -> Any: ...

    @property
    def btsync(self) -> Any: ...

    @property
    def dht(self) -> DHTNode: ...

    @property
    def driver(self) -> Driver: ...

    @property
    def suppliers(self) -> Any: ...

    @property
    def hiring(self) -> Any: ...

    @property
    def key_file(self) -> Any: ...

    @property
    def spares(self) -> Any: ...

    @property
    def held_back(self) -> Any: ...

    @property
    def storage(self) -> Any: ...

    @property
    def customers(self) -> Any: ...

    @property
    def space(self) -> Any: ...

    @property
    def risk(self) -> Any: ...

    @property
    def identity_server(self) -> Any: ...


def checks(node: Patient) -> Mapping[str, Check]:
    """Every check by its name, in the order in which a person should read what they found."""
    in_thread, folder = node.world.run_in_thread, node.world.home
    return {
        "identity": lambda: _identity(node.me),
        "recovery": lambda: _recovery(node),
        "former key ring": lambda: _other_life(node),
        "former family": lambda: _unread(node),
        "revoked devices": lambda: _open_ends(node.me),
        "copied home": lambda: _copied(node),
        "log entries": lambda: [*_held_up(node), *_not_given(node), *unread_shares(node.storage)],
        "services": lambda: judging.services(node.driver.list()),
        "settings": lambda: in_thread(home.settings, folder),
        "disk": lambda: in_thread(home.disk, folder, _promised(node), node.settings.get(home.RESERVE)),
        "permissions": lambda: in_thread(home.permissions, folder),
        "ports": lambda: in_thread(ports.open_node, node.settings, _real_ports(node)),
        "reachability": lambda: Deferred.fromCoroutine(_reachability(node)),
        "clock": lambda: Deferred.fromCoroutine(_clock(node)),
        "ID servers": lambda: Deferred.fromCoroutine(_id_servers(node)),
        "my identity": lambda: Deferred.fromCoroutine(_my_identity(node)),
        "DHT": lambda: Deferred.fromCoroutine(_dht(node)),
        "customers": lambda: _customers(node),
        "suppliers": lambda: _suppliers(node),
        "number of suppliers": lambda: _resizing(node),
        "healing": lambda: _healing(node),
        "deletions": lambda: Deferred.fromCoroutine(_deletions(node)),
        "audits": lambda: _audits(node),
        "risk": lambda: Deferred.fromCoroutine(_risk(node)),
        "uploads": lambda: _uploads(node),
        "folders in sync": lambda: folders(node.folders.folders()) if node.driver.is_on("folder_sync") else [],
        "last backup": lambda: Deferred.fromCoroutine(_last_backup(node)),
        "key backup": lambda: _key_backup(node),
        "key size": lambda: libraries.key_size(node.me.public.bits if node.me.present else None),
        "libraries": lambda: in_thread(libraries.libraries),
        "exceptions": lambda: in_thread(home.exceptions, folder),
        "messages": lambda: in_thread(home.messages, folder),
    }


def look_at(node: Patient) -> "Deferred[list[Finding]]":
    """Look at everything; never fails."""
    return run_checks(node.world.clock, checks(node)).addCallback(judging.without_consequences)


def _identity(me: Me) -> list[Finding]:
    return judging.identity(me.present, me.global_id if me.present else "", bool(me.locked_key))


def _recovery(node: Patient) -> list[Finding]:
    me = node.me
    if not me.present:
        return judging.recovery([me.searched_because] if me.searched_because else [], False)
    waits: list[str] = []
    if me.awaits(FAMILY):
        waits.append(node.hiring.reason or "the family of this identity is searched for")
    if me.awaits(KEY_RING):
        waits.append("the key ring has not come back from the suppliers")
    if me.awaits(CATALOG):
        waits.append("newer states of your files may exist, so nothing is written until more suppliers were heard")
    return judging.recovery(waits, True)


def _other_life(node: Patient) -> list[Finding]:
    found = node.storage.core.other_life.reunion if node.storage.is_open else None
    return judging.other_life(found.files, node.world.wall() - found.time) if found is not None else []


def _unread(node: Patient) -> list[Finding]:
    if not node.driver.is_on("customer"):
        return []
    return [*lives.unread(node.suppliers.unread()), *lives.waiting(node.suppliers.is_one_waiting)]


def _open_ends(me: Me) -> list[Finding]:
    if not me.present:
        return []
    known = [me.document.device(ident) for ident in me.document.open_ends]
    return lives.open_ends(sorted(one.number for one in known if one is not None), me.held_master is not None)


def _copied(node: Patient) -> list[Finding]:
    in_storage = node.storage.core.log_replicas.copied if node.storage.is_open else None
    found = max((one for one in (in_storage, node.me.copies.last) if one is not None), key=_when, default=None)
    device = node.me.document.device(found.device) if found is not None else None
    if found is None or device is None or device.revoked is not None:
        return []
    return judging.copied(device.number, found.device == node.me.device.id, node.world.wall() - found.time)


def _when(one: Any) -> int:
    return int(one.time)


def _held_up(node: Patient) -> list[Finding]:
    rows = node.storage.core.log_replicas.held_up.rows() if node.storage.is_open else []
    known = [(node.me.document.device(row.device), row) for row in rows]
    names = [(str(device.number) if device is not None else row.device.hex(), row) for device, row in known]
    return lives.held_up([(name, row.sequence, row.reason) for name, row in names])


def _not_given(node: Patient) -> list[Finding]:
    devices = node.storage.core.log_replicas.not_given() if node.storage.is_open else ()
    known = [node.me.document.device(ident) for ident in devices if ident not in node.me.document.open_ends]
    return lives.not_given([str(number) for number in sorted(one.number for one in known if one is not None)])


def unread_shares(storage: Any) -> list[Finding]:
    """Shares whose own logs do not come back."""
    reasons = [one.own_log.why(one.shared.key_id) for one in storage.catalogs.shared()]
    return lives.unread_shares([reason for reason in reasons if reason])


def _promised(node: Patient) -> int:
    """Bytes that customers may still bring."""
    if not node.driver.is_on("supplier"):
        return 0
    given = node.space.donated()
    return max(0, int(given["consumed"]) - int(given["used"]))


def _customers(node: Patient) -> list[Finding]:
    """Who holds what of the donated space."""
    if not node.driver.is_on("supplier"):
        return []
    rows = node.customers.list(verbose=True)
    held = [judging.Held(called(row), row["taken"], row["unfilled"]) for row in rows]
    return judging.customers(held, int(node.space.donated()["donated"])) + shelves(node.customers.unread)


def _real_ports(node: Patient) -> dict[str, int]:
    try:
        api = json.loads((node.world.home / "metadata" / "apiports").read_text())
    except (OSError, ValueError):
        api = {}
    driver = node.driver
    real = {
        "interface/api/rest-http-port": api.get("rest", 0),
        "interface/api/web-socket-port": api.get("websocket", 0),
    }
    if node.me.present:
        real["services/tcp-connections/tcp-port"] = node.gateway.port()
    real["services/entangled-dht/udp-port"] = node.dht.port if driver.is_on("entangled_dht") else 0
    real["services/ipfs/api-port"] = node.ipfs.port
    real["services/ipfs/gateway-port"] = node.ipfs.gateway
    real["services/btsync/api-port"] = node.btsync.port
    if node.identity_server is not None:
        real["services/identity-server/web-port"] = node.identity_server.port if driver.is_on("identity_server") else 0
    return real


async def _seen(node: Patient) -> list[Seen]:
    """What each configured ID server answers, side by side."""
    clock = node.world.clock

    def one(server: Server) -> "Deferred[Seen]":
        name, started = f"{server.host}:{server.port}", clock.seconds()
        asked = node.client.greet(server)
        return asked.addCallbacks(
            lambda answer: Seen(name, answer[0], answer[1], clock.seconds() - started),
            lambda failure: Seen(name, error=failure.getErrorMessage()),
        )

    return await gatherResults([one(server) for server in node.client.servers()])


async def _clock(node: Patient) -> list[Finding]:
    """ID servers, and peers by the time in their last answers; of these only those whom this node has called, and each
    once: whoever comes here by himself may come as often as he likes."""
    dates = [seen.date - node.world.wall() for seen in await _seen(node) if seen.date is not None]
    sessions = node.gateway.sessions() if node.driver.is_on("gateway") else []
    called = [(one.peer, one.ahead) for one in sessions if one.call.dialled]
    peers = {peer.fingerprint: ahead for peer, ahead in called if peer is not None and ahead is not None}
    return judging.clock([*dates, *peers.values()])


async def _id_servers(node: Patient) -> list[Finding]:
    return judging.id_servers(await _seen(node))


def _copy(idurl: str, found: IdentityDocument, me: Me) -> Copy:
    is_mine = found.fingerprint == me.document.fingerprint
    this = found.device(me.device.id) if is_mine else None
    return Copy(idurl, found.revision, is_mine, revokes_me=this is not None and this.revoked is not None)


async def _my_identity(node: Patient) -> list[Finding]:
    if not node.me.present:
        return []
    document = node.me.document

    def one(idurl: IDURL) -> "Deferred[Copy]":
        return node.client.fetch(idurl).addCallbacks(
            lambda found: _copy(str(idurl), found, node.me),
            lambda failure: Copy(str(idurl), error=failure.getErrorMessage()),
        )

    return judging.my_identity(document.revision, await gatherResults([one(idurl) for idurl in document.sources]))


async def _reachability(node: Patient) -> list[Finding]:
    if not node.driver.is_on("tcp_transport"):
        return []
    visitors = sum(not session.dialled for session in node.gateway.sessions())
    open_here = bool(visitors) or await _reach_myself(node)
    return judging.reachability(Reached(node.me.addresses, visitors, open_here))


async def _reach_myself(node: Patient) -> bool:
    """All of my addresses are tried side by side: one that swallows everything takes all the time that there is."""

    def dial(address: str) -> "Deferred[Any]":
        mine = Address.parse(address)
        dialled = node.world.network.client(mine.host, mine.port, DIAL_LIMIT).connect(Factory.forProtocol(Connection))
        return dialled.addCallback(_hang_up)

    return any(ended.error is None for ended in await outcomes(map(dial, node.me.addresses)))


def _hang_up(connection: Any) -> bool:
    connection.transport.loseConnection()
    return True


async def _dht(node: Patient) -> list[Finding]:
    if not node.driver.is_on("entangled_dht"):
        return []
    nodes = max((int(layer["node_items"]) for layer in node.dht.status()["layers"]), default=0)
    seeds = len(parse_seeds(node.settings.get(SEEDS)))
    if not nodes:
        return judging.dht(0, seeds, "")
    started = node.world.clock.seconds()
    key, value = f"doctor-{node.world.entropy(8).hex()}", node.world.entropy(8).hex()
    put = await node.dht.debug.put(key, json.dumps(value), TRIP_SECONDS)
    got = await node.dht.debug.get(key)
    told = "" if got.get("value") == value else f"write {put['write']}, read {got['read']}"
    return judging.dht(nodes, seeds, told, node.world.clock.seconds() - started)


def _suppliers(node: Patient) -> list[Finding]:
    return judging.suppliers(node.suppliers.list()) if node.driver.is_on("customer") else []


def _resizing(node: Patient) -> list[Finding]:
    if not node.driver.is_on("customer"):
        return []
    beyond = [row for row in node.suppliers.list() if row["beyond"]]
    return judging.resizing(node.suppliers.change(), beyond, node.storage.reencoding())


def _healing(node: Patient) -> list[Finding]:
    return judging.healing(node.spares.status()) if node.driver.is_on("employer") else []


def _audits(node: Patient) -> list[Finding]:
    if not node.storage.is_open:
        return []
    hired = [row for row in node.suppliers.list() if row["fingerprint"]]
    audits = node.storage.core.audits
    return judging.audits([row | {"audit": audits.row(bytes.fromhex(row["fingerprint"]))} for row in hired])


async def _deletions(node: Patient) -> list[Finding]:
    held_back = node.held_back
    rows = [held_back.row(one) for one in held_back.all()]
    rows += await node.storage.core.held_deletions.masses() if node.storage.is_open else []
    return deletions(rows, node.world.wall()) if node.driver.is_on("employer") else []


async def _risk(node: Patient) -> list[Finding]:
    if not node.storage.is_open:
        return []
    return risks.risk(await node.risk.look(), node.world.wall())


def _uploads(node: Patient) -> list[Finding]:
    return uploads(node.storage.uploads(), node.storage.failed_uploads()) if node.storage.is_open else []


async def _last_backup(node: Patient) -> list[Finding]:
    if not node.storage.is_open:
        return []
    safety = await node.storage.safety()
    return judging.last_backup(safety["files"], safety["reliable"], safety["waiting"], node.world.wall())


def _key_backup(node: Patient) -> "Deferred[list[Finding]]":
    if not node.me.present:
        return succeed([])
    unnamed = node.key_file.unnamed
    return node.world.run_in_thread(partial(judging.key_backup, node.me.backup_checked, node.world.wall(), unnamed))
