"""The distributed hash table: to look around and to debug."""

import json
from typing import Any

from bitdust.api.arguments import BadArgument, Kind
from bitdust.api.context import Context
from bitdust.api.envelope import Envelope, listed, ok
from bitdust.api.table import Param, Route, method
from bitdust.dht.contact import Contact
from bitdust.dht.ids import ID_BYTES, MAX_LAYER
from bitdust.dht.records import DAY, DEBUG, MAX_DEBUG_VALUE
from bitdust.wire.errors import BitDustError

LAYER = Param("layer_id", Kind.INTEGER, 0, help="0 for all nodes, 3 for suppliers", low=0, high=MAX_LAYER)
KEY = Param("key", help="the name that was written", example="greeting")
RECORD_TYPE = Param("record_type", default=DEBUG, help=f"only {DEBUG} is read and written here")


@method(
    Route("GET", "/dht/node/find/v1", ("/d/n/f",)),
    params=(
        Param("node_id_64", default=None, aliases=("node_id", "id"), help="40 hex digits; random if left out"),
        LAYER,
        Param("count", Kind.INTEGER, 1, obsolete=True),
    ),
    service="entangled_dht",
    returns="{my_dht_id, lookup, closest_nodes: [{dht_id, address}]}",
    errors=("bad-argument",),
)
async def dht_node_find(context: Context, node_id_64: str | None, layer_id: int) -> Envelope:
    """The nodes whose ids are closest to one."""
    target = _node_id(node_id_64) if node_id_64 else context.world.entropy(ID_BYTES)
    nodes = await context.dht.find_node(target, layer_id)
    return ok(
        {"my_dht_id": context.dht.id.hex(), "lookup": target.hex(), "closest_nodes": [_node(one) for one in nodes]}
    )


def _node_id(text: str) -> bytes:
    try:
        found = bytes.fromhex(text)
    except ValueError:
        found = b""
    if len(found) != ID_BYTES:
        raise BadArgument("argument 'node_id_64' must be 40 hex digits")
    return found


def _node(contact: Contact) -> dict[str, str]:
    return {"dht_id": contact.id.hex(), "address": contact.text}


@method(
    Route("GET", "/dht/user/random/v1", ("/d/u/r",)),
    params=(LAYER, Param("count", Kind.INTEGER, 1, low=1, high=20)),
    service="nodes_lookup",
    returns="[IDURL, or fingerprint of somebody whose identity is not known here]",
    errors=("not-found",),
)
async def dht_user_random(context: Context, layer_id: int, count: int) -> Envelope:
    """Random living nodes of a layer."""
    found: dict[bytes, str] = {}
    while len(found) < count:
        node = await context.dht.random_node(layer_id, frozenset(found))
        if node is None:
            break
        document = context.cache.get(node.fingerprint)
        found[node.fingerprint] = str(document.idurl) if document else node.fingerprint.hex()
    if not found:
        raise BitDustError("not-found", f"no other node was found in layer {layer_id}")
    return listed(list(found.values()))


@method(
    Route("GET", "/dht/value/get/v1", ("/d/v/g",)),
    params=(KEY, RECORD_TYPE, LAYER, Param("use_cache_ttl", Kind.INTEGER, None, obsolete=True)),
    service="entangled_dht",
    returns="{read: success, my_dht_id, key, value} or {read: failed, my_dht_id, key, closest_nodes}",
    errors=("bad-argument",),
)
async def dht_value_get(context: Context, key: str, record_type: str, layer_id: int) -> Envelope:
    """Read a value that somebody wrote for debugging."""
    _only_debug(record_type)
    return ok(_with_nodes(await context.dht.debug.get(key, layer_id)))


def _with_nodes(answer: dict[str, Any]) -> dict[str, Any]:
    """Ids of nodes as older clients read them."""
    nodes = answer.get("closest_nodes")
    return answer if nodes is None else answer | {"closest_nodes": [{"dht_id": node} for node in nodes]}


@method(
    Route("POST", "/dht/value/set/v1", ("/d/v/s",)),
    params=(
        KEY,
        Param("value", Kind.JSON, help=f"any JSON, {MAX_DEBUG_VALUE} bytes at most", example={"text": "hello"}),
        Param("expire", Kind.INTEGER, None, help="seconds, a day at most", low=1, high=DAY),
        RECORD_TYPE,
        LAYER,
    ),
    service="entangled_dht",
    returns="{write: success or failed, my_dht_id, key, value, closest_nodes}",
    errors=("bad-argument", "too-large"),
)
async def dht_value_set(
    context: Context, key: str, value: Any, expire: int | None, record_type: str, layer_id: int
) -> Envelope:
    """Write a value for debugging; it goes away after a day at most."""
    _only_debug(record_type)
    text = json.dumps(value, separators=(",", ":"))
    if len(text) > MAX_DEBUG_VALUE:
        raise BitDustError("too-large", f"the value has {len(text)} bytes; at most {MAX_DEBUG_VALUE} are kept")
    return ok(_with_nodes(await context.dht.debug.put(key, text, expire, layer_id)))


def _only_debug(record_type: str) -> None:
    if record_type != DEBUG:
        raise BadArgument(f"argument 'record_type' must be {DEBUG}; other records are written by their services")


@method(Route("GET", "/dht/db/dump/v1", ("/d/d/d",)), service="entangled_dht", returns="[{key, type, revision, …}]")
def dht_local_db_dump(context: Context) -> Envelope:
    """Every record that this node keeps for the DHT."""
    return listed(context.dht.local_records())
