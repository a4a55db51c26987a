"""Which network this node is on, and the way to another one; see `bitdust.config.networks`."""

import re
from typing import Any

from bitdust.api.context import Context
from bitdust.api.envelope import Envelope, ok
from bitdust.api.paths import local_path
from bitdust.api.table import Param, Route, method
from bitdust.config.networks import KNOWN_NODES, KNOWN_SERVERS, MAX_DEFINITION, Networks, base_of
from bitdust.dht.contact import MAX_TIMEOUT
from bitdust.dht.lookup import ALPHA
from bitdust.dht.records import MAX_TTL
from bitdust.dht.table import K
from bitdust.dht.upkeep import REPUBLISH
from bitdust.transport.links.tls import PROTOCOL
from bitdust.wire.errors import BitDustError

_PORT = re.compile(r"[0-9]{1,5}")


@method(
    Route("POST", "/network/create/v1", ("/nw/cr", "/network/create")),
    params=(
        Param(
            "url",
            help="where the definition of the network is: https://…, http://…, or an absolute path",
            example="/home/alice/village.json",
        ),
    ),
    returns="{name, label, maintainer, contact_email, home}",
    errors=("bad-network", "bad-path", "exists", "not-found", "network-error"),
    local_files=True,
)
async def network_create(context: Context, url: str) -> Envelope:
    """Learn a network from its definition (JSON: name, label, maintainer, known nodes and ID servers) and go there.

    Each network has a home folder of its own with another identity; the API stays where it is. The node starts again.
    """
    networks = _networks(context)
    definition = networks.create(await _definition(context, url))
    return await _go_to(context, networks, definition.name)


@method(
    Route("POST", "/network/select/v1", ("/nw/sel", "/network/select")),
    params=(Param("name", help="`default`, or a network that network_create made", example="default"),),
    returns="{name, label, maintainer, contact_email, home}",
    errors=("not-found", "bad-network"),
)
async def network_select(context: Context, name: str) -> Envelope:
    """Go to another network that this node knows: the node starts again with the home folder of that network."""
    return await _go_to(context, _networks(context), name)


def _networks(context: Context) -> Networks:
    return Networks(base_of(context.world.home))


async def _definition(context: Context, url: str) -> bytes:
    if url.startswith(("http://", "https://")):
        return await context.client.read(url)
    path = local_path(url.removeprefix("file://"), "url")
    if not path.is_file():
        raise BitDustError("not-found", f"there is no file {path}; give the URL of a network's definition, or its path")
    with open(path, "rb") as stream:
        return stream.read(MAX_DEFINITION + 1)


async def _go_to(context: Context, networks: Networks, name: str) -> Envelope:
    row = _described(networks, name)
    if networks.current == name:
        return ok(row, message=f"this node is on the network {name} already")
    networks.select(name)
    await context.stop(restart=True)
    return ok(row, message=f"the node starts again on the network {name}")


def _described(networks: Networks, name: str) -> dict[str, Any]:
    definition = networks.definition(name)
    return {
        "name": definition.name,
        "label": definition.label,
        "maintainer": definition.maintainer,
        "contact_email": definition.contact_email,
        "home": str(networks.home(name)),
    }


@method(
    Route("GET", "/network/configuration/v1", ("/nw/cf",)),
    returns="{current_network, networks, name, label, maintainer, contact_email, service_entangled_dht: {…}, …}",
)
def network_configuration(context: Context) -> Envelope:
    """Which network this node is on, and with which constants and first hosts."""
    networks = _networks(context)
    get = context.settings.get
    return ok(
        {"current_network": networks.current, "networks": networks.names()}
        | _described(networks, networks.current)
        | {
            "service_entangled_dht": {
                "bucket_size": K,
                "parallel_calls": ALPHA,
                "refresh_timeout": int(REPUBLISH),
                "rpc_timeout": MAX_TIMEOUT,
                "max_age": MAX_TTL,
                "known_nodes": _hosts(get(KNOWN_NODES), "udp_port"),
            },
            "service_gateway": {"session_protocol": "TLS 1.3", "application_protocol": PROTOCOL.decode()},
            "service_identity_propagate": {
                "known_servers": _hosts(get(KNOWN_SERVERS), "http_port"),
                "whitelisted_servers": _hosts(get("services/identity-propagate/preferred-servers"), "http_port"),
            },
        }
    )


def _hosts(text: str, port_name: str) -> list[dict[str, Any]]:
    """``host:port,host:port`` as the definition of a network writes it."""
    parts = [part.strip().rpartition(":") for part in text.split(",") if ":" in part]
    return [{"host": host, port_name: int(port)} for host, _, port in parts if _PORT.fullmatch(port)]
