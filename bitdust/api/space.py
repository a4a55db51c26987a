"""Space: given to others, kept by others, used on this disk. Figures are bytes, each with its ``_str`` for people."""

from bitdust.api.context import Context
from bitdust.api.envelope import Envelope, ok
from bitdust.api.table import Route, method


@method(
    Route("GET", "/space/donated/v1", ("/sp/d",)),
    returns="{customers_num, customers, donated, consumed, used, real, free, used_percent, consumed_percent, *_str}",
)
def space_donated(context: Context) -> Envelope:
    """The space that this node gives: ``consumed`` is promised to customers, ``used`` holds their pieces."""
    return ok(context.space.donated())


@method(
    Route("GET", "/space/consumed/v1", ("/sp/c",)),
    returns="{suppliers_num, needed, needed_per_supplier, used, used_per_supplier, available, …, used_percent, *_str}",
)
def space_consumed(context: Context) -> Envelope:
    """The space that suppliers keep for this node; ``needed`` and ``used`` count your own data, before coding."""
    return ok(context.space.consumed())


@method(
    Route("GET", "/space/local/v1", ("/sp/l",)),
    returns="{backups, customers, temp, databases, total, disktotal, diskfree, total_percent, diskfree_percent, *_str}",
)
async def space_local(context: Context) -> Envelope:
    """What this node takes on its own disk: pieces that wait (backups), pieces of customers, unfinished files,
    and the databases of catalog, customers and DHT."""
    return ok(await context.space.local())
