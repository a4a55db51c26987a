"""Space, services, machines and traffic, as of 2016: a single thing is told as a list of one."""

from typing import Any

from bitdust.api import services
from bitdust.api.context import Context
from bitdust.api.envelope import Envelope, listed
from bitdust.api.year2016.shapes import method_2016, said

SPACE = "[{{{}, *_str}}]"


@method_2016(
    returns=SPACE.format("customers_num, customers, old_customers, donated, consumed, used, real, free, *_percent")
)
def space_donated(context: Context) -> Envelope:
    """The space that this node gives: ``consumed`` is promised to customers, ``used`` holds their pieces."""
    return listed([context.space.donated()])


@method_2016(
    returns=SPACE.format("suppliers_num, needed, used, available, each also …_per_supplier, used_percent"),
)
def space_consumed(context: Context) -> Envelope:
    """The space that suppliers keep for this node; figures count your own data, before coding."""
    return listed([context.space.consumed()])


@method_2016(
    returns=SPACE.format("backups, customers, temp, total, disktotal, diskfree, total_percent, diskfree_percent")
)
async def space_local(context: Context) -> Envelope:
    """What this node takes on its own disk: pieces that wait (backups), pieces of customers, unfinished files."""
    return listed([await context.space.local()])


@method_2016(params=(services.NAME,), returns=f"[{services.ROW}]", errors=("not-found",))
def service_info(context: Context, service_name: str) -> Envelope:
    """One service."""
    return listed([context.driver.info(service_name)])


@method_2016(
    params=(services.NAME,),
    returns="'service_tcp_connections was switched on'",
    errors=("not-found", "not-started"),
)
async def service_start(context: Context, service_name: str) -> Envelope:
    """Enable a service and start it, with all it needs; answers when it works, or with the reason why it does not."""
    answer: Envelope = await services.service_start.call(context, service_name)
    if answer["status"] != "OK":
        return answer
    return said(f"{context.driver.info(service_name)['name']} was switched on")


@method_2016(params=(services.NAME,), returns="'service_tcp_connections was switched off'", errors=("not-found",))
async def service_stop(context: Context, service_name: str) -> Envelope:
    """Disable a service and stop it, dependents first."""
    await services.service_stop.call(context, service_name)
    return said(f"{context.driver.info(service_name)['name']} was switched off")


@method_2016(returns="[{index, id, name, state, since, timers}]")
def automats_list(context: Context) -> Envelope:
    """Every state machine that lives in this process; ``timers`` as a text."""
    return listed([_machine(context.registry.describe(machine)) for machine in context.registry])


def _machine(row: dict[str, Any]) -> dict[str, Any]:
    return row | {"timers": ",".join(row["timers"])}


@method_2016(
    service="gateway",
    returns="[{in: {total_bytes, total_packets, failed_packets, unknown_bytes, unknown_packets, <command>: count},"
    " out: {…}}]",
)
def packets_stats(context: Context) -> Envelope:
    """Bytes and packets since the start, and packets by command. Fail packets count as failed, those that no service
    of this node takes as unknown, with the bytes of their payloads."""
    traffic, inbox = context.gateway.traffic(), context.gateway.inbox
    incoming = _traffic(traffic["in"]) | {
        "unknown_bytes": inbox.unknown_bytes,
        "unknown_packets": inbox.unknown_packets,
    }
    return listed([{"in": incoming, "out": _traffic(traffic["out"])}])


def _traffic(counts: dict[str, Any]) -> dict[str, Any]:
    """What this node sends is known to it."""
    commands = {name: count for name, count in counts.items() if name not in ("bytes", "packets")}
    return commands | {
        "total_bytes": counts["bytes"],
        "total_packets": counts["packets"],
        "failed_packets": commands.get("Fail", 0),
        "unknown_bytes": 0,
        "unknown_packets": 0,
    }
