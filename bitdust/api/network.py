"""The network as a whole."""

from typing import Any

from twisted.internet.defer import DeferredList

from bitdust.api.arguments import Kind
from bitdust.api.context import Context
from bitdust.api.envelope import Envelope, failed, ok
from bitdust.api.jobs import address, addressed
from bitdust.api.table import Param, Route, method

NEEDED = ("network", "gateway", "p2p_hookups")
LONGEST_WAIT = 20.0


def _flag(name: str, text: str) -> Param:
    return Param(name, Kind.FLAG, False, help=text)


@method(
    Route("GET", "/network/status/v1", ("/nw/st",)),
    Route("GET", "/network/info/v1", ("/nw/i",)),
    Route("GET", "/network/details/v1"),
    params=(
        _flag("suppliers", "add suppliers"),
        _flag("customers", "add customers"),
        _flag("cache", "add known identities"),
        _flag("tcp", "add sessions over TCP"),
        _flag("udp", "add UDP ports"),
        _flag("proxy", "add relays"),
        _flag("dht", "add the DHT"),
    ),
    service="network",
    returns="{p2p_connector_state, network_connector_state, idurl, global_id, identity_*, suppliers?, customers?, …}",
)
def network_status(
    context: Context, suppliers: bool, customers: bool, cache: bool, tcp: bool, udp: bool, proxy: bool, dht: bool
) -> Envelope:
    """How this node is connected."""
    status: dict[str, Any] = {
        "p2p_connector_state": _state(context, "p2p_connector"),
        "network_connector_state": _state(context, "network_connector"),
        **_identity(context),
    }
    wanted = {"suppliers": suppliers, "customers": customers, "cache": cache, "tcp": tcp, "udp": udp, "dht": dht}
    parts = {
        "suppliers": _suppliers,
        "customers": _customers,
        "cache": _cache,
        "tcp": _tcp,
        "udp": _udp,
        "dht": _dht,
    }
    status |= {name: parts[name](context) for name, asked in wanted.items() if asked}
    if proxy:
        status["proxy"] = {"sessions": []}
    if context.identity_server is not None and context.driver.is_on("identity_server"):
        status["identity_server"] = {"web_port": context.identity_server.port}
    return ok(status)


def _state(context: Context, name: str) -> str | None:
    found = context.registry.find(name)
    return found[0].state if found else None


def _identity(context: Context) -> dict[str, Any]:
    if not context.me.present:
        return {"idurl": None, "global_id": None}
    document = context.me.document
    return {
        "idurl": str(document.idurl),
        "global_id": document.global_id,
        "identity_sources": [str(source) for source in document.sources],
        "identity_contacts": context.me.addresses,
        "identity_revision": document.revision,
    }


def _suppliers(context: Context) -> dict[str, Any]:
    rows = [row for row in context.suppliers.list() if row["fingerprint"]] if context.driver.is_on("customer") else []
    states = [row["supplier_state"] for row in rows]
    return {
        "desired": context.settings.get("services/customer/suppliers-number"),
        "requested": states.count("REQUEST"),
        "connected": states.count("CONNECTED"),
        "total": len(rows),
        "peers": [{"idurl": row["idurl"], "state": row["supplier_state"]} for row in rows],
    }


def _customers(context: Context) -> dict[str, Any]:
    rows = context.customers.list() if context.driver.is_on("supplier") else []
    states = [row["contact_state"] for row in rows]
    return {
        "connected": states.count("CONNECTED"),
        "total": len(rows),
        "peers": [{"idurl": row["idurl"], "state": row["contact_state"]} for row in rows],
    }


def _cache(context: Context) -> dict[str, Any]:
    documents = context.cache.all()
    peers = [{"idurl": str(one.idurl), "connected": context.gateway.connected(one.fingerprint)} for one in documents]
    return {"total": len(peers), "connected": sum(peer["connected"] for peer in peers), "peers": peers}


def _tcp(context: Context) -> dict[str, Any]:
    sessions = [row for row in context.gateway.connections() if row["proto"] == "tcp"]
    return {"port": context.gateway.port(), "sessions": sessions, "streams": []}


def _udp(context: Context) -> dict[str, Any]:
    port = context.dht.port if context.driver.is_on("entangled_dht") else None
    return {"ports": [port] if port else [], "sessions": [], "streams": []}


def _dht(context: Context) -> dict[str, Any]:
    stats: dict[str, Any] = context.dht.status() if context.driver.is_on("entangled_dht") else {}
    return stats


@method(
    Route("GET", "/network/connected/v1", ("/nw/con",)),
    params=(Param("wait_timeout", Kind.NUMBER, 5.0, help="seconds to wait for it", low=0, high=LONGEST_WAIT),),
    returns="{service_network, service_gateway, service_p2p_hookups, p2p_connector_state}",
    errors=("no-identity", "not-connected"),
)
async def network_connected(context: Context, wait_timeout: float) -> Envelope:
    """OK as soon as this node is on the network; ERROR with the ``reason`` when it is not after ``wait_timeout``.

    There is no waiting for what is disabled.
    """
    if not context.me.present:
        return failed("no-identity", "there is no identity yet: create or recover one", reason="identity_not_exist")
    if not all(context.driver.info(name)["enabled"] or context.driver.is_on(name) for name in NEEDED):
        return _not_connected(context)
    waiting = [context.driver.when_on(name) for name in NEEDED]
    await DeferredList(waiting, consumeErrors=True).addTimeout(wait_timeout, context.world.clock)
    if not all(context.driver.is_on(name) for name in NEEDED):
        return _not_connected(context)
    return ok({f"service_{name}": "ON" for name in NEEDED} | {"p2p_connector_state": _state(context, "p2p_connector")})


def _not_connected(context: Context) -> Envelope:
    """What is missing first."""
    info = next(info for info in map(context.driver.info, NEEDED) if info["state"] != "ON")
    text = f"{info['name']}() is {info['state']}: {info['reason']}"
    why = info["state"].lower() if info["enabled"] else "disabled"
    return failed("not-connected", text, reason=f"{info['name']}_{why}")


@method(
    Route("GET", "/network/reconnect/v1", ("/nw/rcon",)),
    service="network",
    becomes=[("network_connector", "reconnect"), ("p2p_connector", "check-synchronize")],
)
def network_reconnect(context: Context) -> Envelope:
    """Check the network again, publish where this node is reached, and connect to all peers again."""
    sessions = context.gateway.sessions()
    for session in sessions:
        session.close("stopping", "this node connects again")
    for machine in context.registry.find("network_connector"):
        machine.send("reconnect")
    for machine in context.registry.find("p2p_connector"):
        machine.send("check-synchronize")
    text = f"reconnecting; {len(sessions)} sessions are built again"
    return ok(message=text, automat=addressed(context, "p2p_connector"))


@method(Route("GET", "/network/disconnect/v1", ("/nw/dcon",)), service="network", becomes=[("local_service", "stop")])
async def network_disconnect(context: Context) -> Envelope:
    """Take this node off the network until `service_start` of the network, or the next start of the node."""
    await context.driver.stop("network")
    text = "this node is off the network; start the service network to come back"
    return ok(message=text, automat=address(context.driver.info("network")))


@method(
    Route("GET", "/network/stun/v1", ("/nw/stn",)),
    params=(
        Param("udp_port", Kind.INTEGER, None, obsolete=True),
        Param("dht_port", Kind.INTEGER, None, obsolete=True),
    ),
    service="entangled_dht",
    returns="{result, type, ip, port, details: [{node, ip, port}]}",
    errors=("no-answer", "dht-off"),
    becomes=[("stun_client", "start")],
)
async def network_stun(context: Context) -> Envelope:
    """From which address others see this node: a few nodes of the DHT are asked, over the UDP port of this node.

    ``type`` is symmetric where a router shows another port to each of them, else non-symmetric."""
    seen = await context.seen_address.find()
    host, port = seen.address
    details = [{"node": f"{who[0]}:{who[1]}", "ip": told[0], "port": told[1]} for who, told in seen.answers]
    kind = "symmetric" if seen.symmetric else "non-symmetric"
    return ok({"result": "stun-success", "type": kind, "ip": host, "port": port, "details": details})
