"""Suppliers, who keep my pieces, and customers, whose pieces I keep."""

from typing import Any

from bitdust.api.arguments import Kind
from bitdust.api.context import Context
from bitdust.api.envelope import Envelope, listed, ok
from bitdust.api.people import NO_PERSON, find_person, names_of
from bitdust.api.table import Param, Route, method
from bitdust.dht.directory import newest_family
from bitdust.dht.sealed_family import opened
from bitdust.wire.errors import BitDustError
from bitdust.wire.records import Family
from bitdust.wire.signed import Signed

VERBOSE = Param("verbose", Kind.FLAG, False, help="add figures")
CUSTOMER = Param(
    "customer_id", default=None, aliases=("id", "customer_idurl"), help="global id or IDURL; me if left out"
)
SUPPLIER = (
    "{position, idurl, global_id, name_proven, supplier_state, connected, contact_state, address, reason, contract,"
    " notice, replaces, replacement, beyond,"
    " audit: {standing, last, last_passed, passed, failed, failed_in_a_row, next, bad_pieces},"
    " since, problems: [{code, text}]}"
)


@method(
    Route("GET", "/supplier/list/v1", ("/su/l",)),
    params=(CUSTOMER, VERBOSE),
    service="customer",
    returns=f"[{SUPPLIER}]",
    errors=NO_PERSON,
)
async def suppliers_list(context: Context, customer_id: str | None, verbose: bool) -> Envelope:
    """My suppliers by position; an empty place has no IDURL. ``audit`` says how the supplier's audits stand: proven,
    overdue, failed or off; it is null while no data moves. While their number changes, places ``beyond`` the family
    follow: to come, or to go. ``problems`` says what is amiss with a supplier, as storage_risk does; ``since`` is when
    one that is away was there last. Beside the list, ``healing`` says why the family would not heal by itself while I
    am away, and ``waits_for`` why it is not complete; both are empty where all is well."""
    if customer_id is not None and (await find_person(context, customer_id)).fingerprint != context.me.fingerprint:
        raise BitDustError("not-found", "this node knows only its own suppliers")
    rows = [row | _details(context, row["fingerprint"]) for row in context.suppliers.list()]
    return listed(rows, healing=context.spares.status()["problem"], waits_for=context.hiring.reason)


def _details(context: Context, fingerprint: str) -> dict[str, Any]:
    if not fingerprint:
        return {"audit": None, "since": None, "problems": []}
    supplier = bytes.fromhex(fingerprint)
    problems = [trouble.as_dict() for trouble in context.risk.troubles(supplier)]
    return {
        "audit": _audit(context, fingerprint),
        "since": context.risk.away_since(supplier),
        "problems": problems,
    }


def _audit(context: Context, fingerprint: str) -> dict[str, Any] | None:
    storage = context.storage
    return storage.core.audits.row(bytes.fromhex(fingerprint)) if fingerprint and storage.is_open else None


@method(
    Route("POST", "/supplier/ping/v1", ("/su/png",)),
    service="customer",
    returns="{online, total}",
    becomes=[("online_status", "ping")],
)
async def suppliers_ping(context: Context) -> Envelope:
    """Ask every supplier for a sign of life; answers when all have answered or failed to."""
    online = await context.suppliers.ping()
    total = sum(bool(row["fingerprint"]) for row in context.suppliers.list())
    return ok({"online": online, "total": total}, message=f"{online} of {total} suppliers are online")


@method(
    Route("POST", "/supplier/audit/v1", ("/su/a",)),
    service="data_motion",
    returns="{suppliers}",
    becomes=[("supplier_audit", "audit")],
)
def suppliers_audit(context: Context) -> Envelope:
    """Have every supplier that is there prove some of its pieces now, whether it is time or not; suppliers_list shows
    what comes of it."""
    count = context.storage.core.audits.now()
    return ok({"suppliers": count}, message=f"{count} suppliers are being audited")


@method(
    Route("GET", "/supplier/list/dht/v1", ("/su/dht",)),
    params=(CUSTOMER,),
    service="entangled_dht",
    other_names=("suppliers_dht_lookup",),
    returns="{customer_idurl, suppliers, ecc_map, revision, publisher_idurl, timestamp}",
    errors=(*NO_PERSON, "not-allowed"),
)
async def suppliers_list_dht(context: Context, customer_id: str | None) -> Envelope:
    """My suppliers, as my signed record in the DHT names them; that of another customer is sealed to its owner.

    ``suppliers`` has every place in order; an empty one is an empty text.
    """
    customer = await find_person(context, customer_id) if customer_id else context.me.document
    record = await newest_family(context.dht, customer)
    if record is None:
        raise BitDustError("not-found", f"the DHT holds no family record of {customer.global_id}")
    if customer.fingerprint != context.me.fingerprint:
        raise BitDustError("not-allowed", f"the family of {customer.global_id} is sealed: its owner alone can read it")
    signed = Signed.from_bytes(opened(context.me, record.value), Family.KIND)
    family = Family.from_body(signed.body)
    suppliers = [_shown(context, member) for member in family.suppliers]
    return ok(
        {
            "customer_idurl": str(customer.idurl),
            "suppliers": suppliers,
            "ecc_map": family.ecc_map,
            "revision": family.revision,
            "publisher_idurl": str(customer.idurl),
            "timestamp": family.time,
        }
    )


def _shown(context: Context, member: bytes | None) -> str:
    return (names_of(context, member)["idurl"] or member.hex()) if member is not None else ""


@method(
    Route("GET", "/customer/list/v1", ("/cu/l",)),
    params=(VERBOSE,),
    service="supplier",
    returns="[{position, fingerprint, idurl, global_id, name_proven, contact_state, customer_state, contract, used?,"
    " quota?, pieces?, missing?, log_bytes?, record_bytes?, taken?, unfilled?, network?, last_seen?, until?}]",
)
def customers_list(context: Context, verbose: bool) -> Envelope:
    """My customers; ``position`` is my place in the customer's family.

    Anybody may call himself anything: without ``name_proven`` nobody has looked up whether ``global_id`` is the name of
    this ``fingerprint``.
    """
    return listed(context.customers.list(verbose))


@method(
    Route("POST", "/customer/ping/v1", ("/cu/png",)),
    service="supplier",
    returns="{online, total}",
    becomes=[("online_status", "ping")],
)
async def customers_ping(context: Context) -> Envelope:
    """Ask every customer for a sign of life."""
    online, total = await context.customers.ping(), len(context.customers.list())
    return ok({"online": online, "total": total}, message=f"{online} of {total} customers are online")
