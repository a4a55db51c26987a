"""The API of BitTorrent Sync on this node: whether it is on, and where its clients find it."""

from bitdust.api.context import Context, Row
from bitdust.api.envelope import Envelope, ok
from bitdust.api.table import Route, method

SERVICE = "btsync"


@method(Route("GET", "/btsync/status/v1"), returns="{enabled, state, reason, port, address}")
def btsync_status(context: Context) -> Envelope:
    """Whether clients of BitTorrent Sync are answered, and where."""
    return ok(_status(context))


def _status(context: Context) -> Row:
    info, port = context.driver.info(SERVICE), context.btsync.port
    row: Row = {name: info[name] for name in ("enabled", "state", "reason")}
    host = str(context.settings.get("services/btsync/address"))
    shown = f"[{host}]" if ":" in host else host
    return row | {"port": port, "address": f"http://{shown}:{port}/api" if port else ""}


@method(Route("POST", "/btsync/enable/v1"), returns="as btsync_status", errors=("port-taken", "password-needed"),
        only_here=True)  # fmt: skip
async def btsync_enable(context: Context) -> Envelope:
    """Answer clients of BitTorrent Sync, from now on and after every start; whoever reaches them may add any folder."""
    await context.driver.start(SERVICE)
    return ok(_status(context))


@method(Route("POST", "/btsync/disable/v1"), returns="as btsync_status")
async def btsync_disable(context: Context) -> Envelope:
    """Answer no clients of BitTorrent Sync any more; folders stay in sync."""
    await context.driver.stop(SERVICE)
    return ok(_status(context))
