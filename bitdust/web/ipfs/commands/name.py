"""Names of IPNS: what one's own lead to, and where others' do; hosts with links in DNS."""

from collections.abc import AsyncIterator

from attrs import evolve

from bitdust.ipfs.names.keys import SELF
from bitdust.ipfs.names.names import Order
from bitdust.ipfs.names.resolving import How
from bitdust.ipfs.paths import parse
from bitdust.ipfs.room import IpfsRoom
from bitdust.web.ipfs.arguments import BOOL, DURATION, UINT, Argument, Option
from bitdust.web.ipfs.commands.key import IPNS_BASE, shown
from bitdust.web.ipfs.commands.kit import content
from bitdust.web.ipfs.table import Answer, Call, Command, Json, Lines, Row
from bitdust.wire.errors import BitDustError

USUAL_COUNT = 16
USUAL_TIMEOUT = 60.0
NO_PUBSUB = "IPNS pubsub subsystem is not enabled"


async def publish(room: IpfsRoom, call: Call) -> Answer:
    options, text = call.options, call.arguments["ipfs-path"]
    path = parse(text)
    if options["resolve"]:
        await content(room, text)
    order = Order(
        str(path), options["key"], options["lifetime"], options["ttl"], options["allow-offline"], room.is_offline
    )
    key = await room.names.publish(order)
    return Json({"Name": shown(key.id, options["ipns-base"]), "Value": str(path)})


async def resolve(room: IpfsRoom, call: Call) -> Answer:
    options = call.options
    name = call.arguments["name"] or str((await room.keys.all())[0].id)
    how = How(
        room.is_offline, bool(options["nocache"]), options["dht-record-count"] != 1, options["dht-timeout"] or None
    )
    recursive = bool(options["recursive"])
    if options["stream"]:
        return Lines(_better_and_better(room, name, how, recursive))
    return Json({"Path": await room.names.resolver.resolve(name, how, recursive)})


async def _better_and_better(room: IpfsRoom, name: str, how: How, recursive: bool) -> AsyncIterator[Row]:
    """What is known here at once, and what others know then, where that is something else."""
    known = ""
    try:
        if not how.is_fresh:
            known = await room.names.resolver.resolve(name, evolve(how, offline=True), recursive)
            yield {"Path": known}
    except BitDustError as error:
        if how.offline or error.code != "no-name":
            raise
    found = await room.names.resolver.resolve(name, how, recursive)
    if found != known:
        yield {"Path": found}


async def dns(room: IpfsRoom, call: Call) -> Answer:
    if room.is_offline:
        raise BitDustError("no-dns", "could not resolve name: DNS is not asked offline")
    host = call.arguments["domain-name"].removeprefix("/ipns/")
    return Json({"Path": await room.names.resolver.domain(host, bool(call.options["recursive"]))})


async def pubsub_state(room: IpfsRoom, call: Call) -> Answer:
    """Records are found in the hash table alone; nobody is told of new ones by a topic."""
    return Json({"Enabled": False})


async def no_pubsub(room: IpfsRoom, call: Call) -> Answer:
    raise BitDustError("not-enabled", NO_PUBSUB)


ROWS = (
    Command(
        "name/publish",
        publish,
        (Argument("ipfs-path"),),
        (
            Option(("resolve",), BOOL, default=True),
            Option(("lifetime", "t"), DURATION),
            Option(("ttl",), DURATION),
            Option(("key", "k"), default=SELF),
            Option(("allow-offline",), BOOL, default=False),
            Option(("quieter", "Q"), BOOL, default=False),
            IPNS_BASE,
        ),
    ),
    Command(
        "name/resolve",
        resolve,
        (Argument("name", required=False),),
        (
            Option(("recursive", "r"), BOOL, default=True),
            Option(("nocache", "n"), BOOL, default=False),
            Option(("dht-record-count", "dhtrc"), UINT, default=USUAL_COUNT),
            Option(("dht-timeout", "dhtt"), DURATION, default=USUAL_TIMEOUT),
            Option(("stream", "s"), BOOL, default=False),
        ),
    ),
    Command("name/pubsub/state", pubsub_state),
    Command("name/pubsub/subs", no_pubsub, options=(IPNS_BASE,)),
    Command("name/pubsub/cancel", no_pubsub, (Argument("name"),)),
    Command("dns", dns, (Argument("domain-name"),), (Option(("recursive", "r"), BOOL, default=True),)),
)
