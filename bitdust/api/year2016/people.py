"""Suppliers, customers and other nodes, as of 2016."""

from typing import Any

from twisted.internet.defer import TimeoutError

from bitdust.api import contracts, friends, names, users
from bitdust.api.arguments import Kind
from bitdust.api.context import Context
from bitdust.api.envelope import Envelope, failed, listed
from bitdust.api.people import NO_PERSON, find_person
from bitdust.api.table import Param
from bitdust.api.year2016.shapes import day_first, method_2016, said
from bitdust.transport.outbox import NoAnswer
from bitdust.wire.packet import Command

SENT = "requests to all {} was sent"


@method_2016(service="customer", returns="[{position, idurl, status, connected, numfiles}]")
async def suppliers_list(context: Context) -> Envelope:
    """Who keeps my pieces: ``numfiles`` counts those that it has acknowledged, ``connected`` is since when."""
    pieces = await context.storage.pieces_by_supplier() if context.storage.is_open else {}
    return listed([_supplier(row, pieces) for row in context.suppliers.list()])


def _supplier(row: dict[str, Any], pieces: dict[bytes, int]) -> dict[str, Any]:
    return {
        "connected": day_first(row["connected"]),
        "idurl": row["idurl"],
        "numfiles": pieces.get(bytes.fromhex(row["fingerprint"]), 0),
        "position": row["position"],
        "status": _status(row),
    }


def _status(row: dict[str, Any]) -> str:
    return "online" if row["contact_state"] == "CONNECTED" else "offline"


SUPPLIER = Param(
    "index_or_idurl",
    aliases=("index", "position", "supplier_id", "idurl"),
    help="position from 0, or IDURL or global id",
    example="bob@id.example.net",
)


@method_2016(
    params=(SUPPLIER,),
    service="employer",
    returns="'supplier will be replaced by new peer'",
    errors=contracts.supplier_change.errors,
)
async def supplier_replace(context: Context, index_or_idurl: str) -> Envelope:
    """Replace a supplier by another one from the DHT, who gets all its pieces; the old one keeps them until then."""
    await contracts.supplier_change.call(context, None, index_or_idurl, None)
    return said("supplier will be replaced by new peer")


@method_2016(
    params=(
        SUPPLIER,
        Param(
            "new_idurl",
            aliases=("new_supplier_id",),
            help="IDURL or global id of the new one",
            example="bob@id.example",
        ),
    ),
    service="employer",
    returns="'supplier will be replaced by http://id.example/bob.xml'",
    errors=contracts.supplier_change.errors,
)
async def supplier_change(context: Context, index_or_idurl: str, new_idurl: str) -> Envelope:
    """Replace a supplier by one that you name, who gets all its pieces; the old one keeps them until then."""
    new = await find_person(context, new_idurl)
    await contracts.supplier_change.call(context, None, index_or_idurl, new_idurl)
    return said(f"supplier will be replaced by {new.idurl}")


@method_2016(service="supplier", returns="[{position, idurl, status}]")
def customers_list(context: Context) -> Envelope:
    """Whose pieces I keep."""
    rows = context.customers.list()
    return listed([{"idurl": row["idurl"], "position": row["position"], "status": _status(row)} for row in rows])


@method_2016(
    params=(
        Param("idurl", aliases=("customer_id",), help="IDURL or global id of the customer", example="bob@id.example"),
        Param("at_once", Kind.FLAG, False, help="remove its pieces now, without any grace"),
    ),
    service="supplier",
    returns="'customer rejected, 536870912 bytes were freed'",
    errors=contracts.customer_reject.errors,
)
async def customer_reject(context: Context, idurl: str, at_once: bool) -> Envelope:
    """Stop supporting a customer. Its pieces stay for a grace of 90 days, or go now with at_once; the answer counts the
    bytes that are free now."""
    answer = await contracts.customer_reject.call(context, idurl, at_once)
    return said(f"customer rejected, {answer['result']['freed']} bytes were freed")


@method_2016(service="customer", returns=f"'{SENT.format('suppliers')}'")
async def suppliers_ping(context: Context) -> Envelope:
    """Ask every supplier for a sign of life; answers when all have answered or failed to."""
    await context.suppliers.ping()
    return said(SENT.format("suppliers"))


@method_2016(service="supplier", returns=f"'{SENT.format('customers')}'")
async def customers_ping(context: Context) -> Envelope:
    """Ask every customer for a sign of life; answers when all have answered or failed to."""
    await context.customers.ping()
    return said(SENT.format("customers"))


@method_2016(
    params=(
        Param("idurl", aliases=("user_id", "global_id"), help="IDURL or global id", example="bob@id.example"),
        Param("timeout", Kind.NUMBER, 10.0, help="seconds", low=0.1, high=300),
    ),
    service="gateway",
    returns="'(signed.Packet[Ack(Identity) bob|bob for alice], in_70_19828906(DONE))'",
    errors=NO_PERSON,
)
async def ping(context: Context, idurl: str, timeout: float) -> Envelope:
    """Ask another node for a sign of life: its identity is read where it is not known, a session is made, my Identity
    is sent and its Ack awaited."""
    person = await find_person(context, idurl)
    if context.me.present and person.fingerprint == context.me.fingerprint:
        return await users.user_ping.call(context, idurl, timeout, 0)  # type: ignore[no-any-return]
    asking = context.gateway.outbox.send(person.fingerprint, Command.IDENTITY, {}, deadline=timeout)
    try:
        reply = await asking.addTimeout(timeout, context.world.clock)
    except (NoAnswer, TimeoutError) as error:
        return failed(
            "no-answer", f"{person.global_id} does not answer: {error or f'nothing within {timeout:g} seconds'}"
        )
    peer, packet = person.idurl.name, reply.packet
    shown = f"{packet.command.value}(Identity) {peer}|{peer} for {context.me.document.idurl.name}"
    return said(f"(signed.Packet[{shown}], in_{packet.id.hex()[:16]}(DONE))")


FRIEND = Param("idurl", aliases=("user_id", "global_id"), help="IDURL or global id", example="bob@id.example")


@method_2016(returns="[{idurl, nickname}]")
def list_correspondents(context: Context) -> Envelope:
    """Your friends."""
    rows = [friends.friend_row(context, friend) for friend in context.people.friends.all()]
    return listed([{"idurl": row["idurl"], "nickname": row["alias"] or row["username"]} for row in rows])


@method_2016(
    params=(FRIEND, Param("nickname", default="", aliases=("alias",), help="what you call this person")),
    service="identity_propagate",
    returns="'new correspondent http://id.example/bob.xml was added'",
    errors=friends.friend_add.errors,
)
async def add_correspondent(context: Context, idurl: str, nickname: str) -> Envelope:
    """Accept somebody as a friend; who is one already gets the nickname."""
    answer: Envelope = await friends.friend_add.call(context, idurl, nickname, True)
    if answer["status"] != "OK":
        return answer
    return said(f"new correspondent {answer['result']['idurl']} was added")


@method_2016(
    params=(FRIEND,),
    service="identity_propagate",
    returns="'correspondent bob@id.example was removed'",
    errors=friends.friend_remove.errors,
)
async def remove_correspondent(context: Context, idurl: str) -> Envelope:
    """Somebody is a friend no more."""
    answer: Envelope = await friends.friend_remove.call(context, idurl)
    return answer if answer["status"] != "OK" else said(f"correspondent {idurl} was removed")


@method_2016(
    params=(names.NICKNAME,),
    service="nickname",
    returns="'nickname alice was set'",
    errors=names.nickname_set.errors,
    becomes=[("nickname_holder", "set")],
)
def set_my_nickname(context: Context, nickname: str) -> Envelope:
    """Register a nickname in the DHT, and keep it there."""
    answer: Envelope = names.nickname_set.call(context, nickname)
    return said(f"nickname {answer['result']['nickname']} was set")


@method_2016(
    params=(names.NICKNAME,),
    service="entangled_dht",
    returns=f"[{names.BEARER}]",
    errors=names.user_observe.errors,
    becomes=[("nickname_observer", "observe-many")],
)
async def find_peer_by_nickname(context: Context, nickname: str) -> Envelope:
    """Everybody who bears a nickname in the DHT."""
    answer: Envelope = await names.user_observe.call(context, nickname, 1)
    return answer
