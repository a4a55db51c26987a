"""Changing who keeps whose pieces: replacing suppliers, ending contracts, giving notice."""

import re
from collections.abc import Mapping
from typing import Any

from bitdust.api.arguments import Kind
from bitdust.api.context import Context
from bitdust.api.envelope import Envelope, ok
from bitdust.api.jobs import addressed
from bitdust.api.people import NO_PERSON, find_person
from bitdust.api.table import Param, Route, method
from bitdust.customers.retirement import DEFAULT_DAYS
from bitdust.peers.shown import SHORT
from bitdust.wire.errors import BitDustError
from bitdust.wire.sizes import in_words

EMPLOYER = "services/employer/enabled"
ON_LINE = " (--yes-lose-data on the command line)"
WHICH = Param(
    "supplier_id",
    default=None,
    aliases=("id", "idurl", "supplier_idurl"),
    help="global id, IDURL or fingerprint of the supplier",
    example="bob@id.example.net",
)
_PLACE = re.compile(r"[0-9]{1,9}")
POSITION = Param(
    "position", Kind.INTEGER, None, low=0, high=63, aliases=("index",), help="the supplier at this place, from 0"
)


async def the_supplier(context: Context, position: int | None, supplier_id: str | None) -> bytes:
    """The fingerprint of one of my suppliers. Raises ``bad-argument``, ``not-found`` and what looking up raises."""
    rows = context.suppliers.list()
    if supplier_id is not None and _PLACE.fullmatch(supplier_id):
        position, supplier_id = int(supplier_id), None
    if supplier_id is not None:
        named = [*rows, *context.suppliers.leaving()]
        known = [row["fingerprint"] for row in named if row["fingerprint"] and supplier_id in _called(row)]
        return bytes.fromhex(known[0]) if known else (await find_person(context, supplier_id)).fingerprint
    if position is None:
        raise BitDustError("bad-argument", "say which supplier is meant, by position or by supplier_id")
    if position >= len(rows) or not rows[position]["fingerprint"]:
        raise BitDustError("not-found", f"there is no supplier at position {position}; you have {len(rows)} places")
    return bytes.fromhex(rows[position]["fingerprint"])


def _called(row: Mapping[str, Any]) -> tuple[str, ...]:
    """All that a supplier is called in lists and by the doctor; nobody may know the name of one that never came."""
    return row["global_id"], row["idurl"], row["fingerprint"], row["fingerprint"][:SHORT]


@method(
    Route("POST", "/supplier/change/v1", ("/su/c",)),
    Route("PUT", "/supplier/switch/v1", ("/su/sw",)),
    Route("DELETE", "/supplier/replace/v1", ("/su/r",)),
    params=(
        POSITION,
        WHICH,
        Param(
            "new_supplier_id",
            default=None,
            aliases=("new_id", "new_idurl", "new_global_id"),
            help="global id, IDURL or fingerprint of the new one; anybody from the DHT if left out",
        ),
    ),
    service="employer",
    returns="{supplier, new_supplier}",
    errors=("bad-argument", "not-found", "exists", "is-customer", "unreachable", "no-space", "no-service", *NO_PERSON),
    becomes=[("supplier_replacement", "replace")],
)
async def supplier_change(
    context: Context, position: int | None, supplier_id: str | None, new_supplier_id: str | None
) -> Envelope:
    """Replace a supplier by another one. The new one is hired and gets its pieces, its part of the catalog and of the
    keys; the old one keeps everything until all of it has arrived, and is dismissed only then. Follow it with
    suppliers_list, which shows both. A new one that you name is asked first: where it is your supplier or customer
    already, cannot be reached or has no room, the answer says so and nothing is changed."""
    old = await the_supplier(context, position, supplier_id)
    new = await find_person(context, new_supplier_id) if new_supplier_id is not None else None
    if new is not None:
        await context.replacement_requests.try_out(old, new.fingerprint)
    machine = context.replacement_requests.replace(old, new.fingerprint if new is not None else None)
    row = next(row for row in context.suppliers.list() if row["fingerprint"] == old.hex())
    name, by = row["global_id"] or old.hex()[:16], new.global_id if new is not None else "a new supplier"
    return ok(
        {"supplier": name, "new_supplier": new.global_id if new is not None else None},
        message=f"supplier {name} will be replaced by {by}; it keeps your pieces until they have moved",
        automat={"index": machine.index, "id": machine.id} if machine is not None else None,
    )


@method(
    Route("POST", "/contract/end/v1", ("/co/e",)),
    params=(
        POSITION,
        WHICH,
        Param("lose_data", Kind.FLAG, False, help="end it although it still has pieces of yours"),
    ),
    service="customer",
    returns="{ended, not_told}",
    errors=("has-data", "bad-argument", *NO_PERSON),
    becomes=[("supplier_connector", "disconnect"), ("fire_hire", "restart")],
)
async def contracts_end(context: Context, position: int | None, supplier_id: str | None, lose_data: bool) -> Envelope:
    """End the contract with one supplier, or with all of them, and stop being a customer. Each gets your signed word
    and frees the space at once. While files are stored this is refused unless lose_data is true: with one supplier its
    pieces are rebuilt from the others, with all of them everything is lost. To keep files, use supplier_change. One
    that has left its place can be named as well: where it never comes, nothing waits for what only it has."""
    everybody = position is None and supplier_id is None
    rows = [row for row in context.suppliers.list() if row["fingerprint"]] + [*context.suppliers.leaving()]
    if everybody:
        who = [bytes.fromhex(row["fingerprint"]) for row in rows]
    else:
        who = [await the_supplier(context, position, supplier_id)]
    if not who or not {one.hex() for one in who} <= {row["fingerprint"] for row in rows}:
        raise BitDustError("not-found", "there is no such contract: you have no suppliers, or this is none of them")
    if context.hiring.has_data() and not lose_data:
        await context.storage.count()
        raise BitDustError("has-data", _what_is_lost(context, everybody))
    if everybody:
        context.settings.set(EMPLOYER, False)
    missed = await context.hiring.dismiss(who)
    names = {row["fingerprint"]: row["global_id"] or row["fingerprint"][:16] for row in rows}
    ended = [names[one.hex()] for one in who]
    later = [names[one.hex()] for one in missed]
    text = f"{len(ended)} contracts ended" + (f"; {', '.join(later)} will be notified when connected" if later else "")
    if everybody:
        text += f"; this node hires nobody until {EMPLOYER} is true"
    return ok({"ended": ended, "not_told": later}, message=text, automat=addressed(context, "fire_hire"))


def _what_is_lost(context: Context, everybody: bool) -> str:
    stats = context.storage.stats()
    held = f"{stats['files']} files ({in_words(stats['used'])}) are stored"
    if everybody:
        return f"{held}, and all of them are lost without suppliers; download them first, or say lose_data" + ON_LINE
    return f"{held}; to keep them whole use supplier_change, which moves the pieces first, or say lose_data" + ON_LINE


@method(
    Route("DELETE", "/customer/reject/v1", ("/cu/d",)),
    params=(
        Param(
            "customer_id",
            aliases=("id", "idurl", "customer_idurl", "global_id"),
            help="global id, IDURL or fingerprint of the customer",
            example="dave@id.example.net",
        ),
        Param("erase_customer_key", Kind.FLAG, True, obsolete=True, help="a supplier keeps no key of a customer"),
        Param("at_once", Kind.FLAG, False, help="erase the customer's pieces now, without any grace"),
    ),
    service="supplier",
    returns="{customer, freed, kept, until}",
    errors=("not-found", *NO_PERSON),
)
async def customer_reject(context: Context, customer_id: str, at_once: bool) -> Envelope:
    """Stop supporting a customer: it gets notice, nothing more is taken from it, and it can fetch what is stored here
    until its grace of 90 days is over; then its pieces are removed. With at_once they are removed now, and a customer
    that has them nowhere else has lost them."""
    rows = context.customers.list()
    known = [row for row in rows if customer_id in (row["global_id"], row["idurl"], row["fingerprint"])]
    found = bytes.fromhex(known[0]["fingerprint"]) if known else (await find_person(context, customer_id)).fingerprint
    if found.hex() not in {row["fingerprint"] for row in rows}:
        raise BitDustError("not-found", f"{customer_id} is no customer of this node")
    rejection = await context.patrol.give_notice(found, at_once)
    text = f"customer rejected, {rejection.freed} bytes were freed"
    if rejection.kept:
        text += f"; {rejection.kept} bytes stay until the customer has moved them, for 90 days after it has heard"
    result = {"customer": customer_id, "freed": rejection.freed, "kept": rejection.kept, "until": rejection.until}
    return ok(result, message=text)


STATUS = "{state, since, until, remaining_bytes, customers: [{global_id, idurl, used, told, keeps_until}]}"


@method(
    Route("POST", "/supplier/retire/v1", ("/su/rt",)),
    params=(Param("grace_days", Kind.NUMBER, DEFAULT_DAYS, low=0, high=3650, help="days that customers have to move"),),
    returns=STATUS,
    becomes=[("supplier_retirement", "retire")],
)
async def supplier_retire(context: Context, grace_days: float) -> Envelope:
    """Give up being a supplier. Customers get notice, at once or when they connect; none is taken any more, and no
    piece. When everybody has moved, or the days are over, the service stops. What is left behind then stays on the
    disk: it is removed 90 days after its owner got notice, when the service runs, or by customer_reject with
    at_once."""
    await context.retirement.retire(grace_days)
    return _status(context)


@method(
    Route("DELETE", "/supplier/retire/v1"),
    returns=STATUS,
    errors=("not-found",),
    becomes=[("supplier_retirement", "stay")],
)
async def supplier_retire_cancel(context: Context) -> Envelope:
    """Stay a supplier after all. Customers that have not moved yet get notice that they need not."""
    await context.retirement.cancel()
    return _status(context)


@method(Route("GET", "/supplier/retire/v1"), returns=STATUS)
def supplier_retire_status(context: Context) -> Envelope:
    """Whether this node gives up being a supplier, until when customers have time, and who still has data here."""
    return _status(context)


def _status(context: Context) -> Envelope:
    status: dict[str, Any] = context.retirement.status()
    left = len(status["customers"] or ())
    words = {"serving": "this node is a supplier", "notice": "notice was given", "over": "the service has stopped"}
    text = words[status["state"]]
    if status["state"] != "serving" and status["customers"] is not None:
        text += f"; {left} customers still have {in_words(status['remaining_bytes'])} here"
    return ok(status, message=text, automat=addressed(context, "supplier_retirement"))
