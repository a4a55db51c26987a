"""Changing who keeps whose pieces: replacing suppliers, ending contracts, giving notice."""

from bitdust.api.arguments import Kind
from bitdust.api.context import Context
from bitdust.api.envelope import Envelope, ok
from bitdust.api.people import find_person
from bitdust.api.table import Param, Route, method
from bitdust.wire.errors import BitDustError

WHICH = Param(
    "supplier_id",
    default=None,
    aliases=("id", "idurl", "supplier_idurl"),
    help="global id, IDURL or fingerprint of the supplier",
    example="bob@id.example.net",
)
POSITION = Param("position", Kind.INTEGER, None, low=0, high=63, help="the supplier at this place, from 0")


async def the_supplier(context: Context, position: int | None, supplier_id: str | None) -> bytes:
    """The fingerprint of one of my suppliers. Raises ``bad-argument``, ``not-found`` and what looking up raises."""
    rows = context.suppliers.list()
    if supplier_id is not None and supplier_id.isdigit():
        position, supplier_id = int(supplier_id), None
    if supplier_id is not None:
        known = [row["fingerprint"] for row in rows if supplier_id in (row["global_id"], row["idurl"])]
        return bytes.fromhex(known[0]) if known else (await find_person(context, supplier_id)).fingerprint
    if position is None:
        raise BitDustError("bad-argument", "say which supplier is meant, by position or by supplier_id")
    if position >= len(rows) or not rows[position]["fingerprint"]:
        raise BitDustError("not-found", f"there is no supplier at position {position}; you have {len(rows)} places")
    return bytes.fromhex(rows[position]["fingerprint"])


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
    errors=("bad-argument", "not-found", "exists", "unknown-user"),
)
async def supplier_change(
    context: Context, position: int | None, supplier_id: str | None, new_supplier_id: str | None
) -> Envelope:
    """Replace a supplier by another one. The new one is hired and gets its pieces, its part of the catalog and of the
    keys; the old one keeps everything until all of it has arrived, and is dismissed only then. Follow it with
    suppliers_list, which shows both."""
    old = await the_supplier(context, position, supplier_id)
    new = await find_person(context, new_supplier_id) if new_supplier_id is not None else None
    context.hiring.replacing.change(old, new.fingerprint if new is not None else None)
    row = next(row for row in context.suppliers.list() if row["fingerprint"] == old.hex())
    name, by = row["global_id"] or old.hex()[:16], new.global_id if new is not None else "a new supplier"
    return ok(
        {"supplier": name, "new_supplier": new.global_id if new is not None else None},
        message=f"supplier {name} will be replaced by {by}; it keeps your pieces until they have moved",
    )
