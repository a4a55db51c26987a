"""Queues: logs of groups and shares that this node keeps for its customers, and who writes and reads them."""

from bitdust.api.context import Context, Row
from bitdust.api.envelope import Envelope, listed
from bitdust.api.groups import queue_id
from bitdust.api.people import names_of
from bitdust.api.table import Route, method
from bitdust.customers.readers import Queue


@method(Route("GET", "/queue/list/v1", ("/qu/l",)), service="joint_postman", returns="[{queue_id, messages}]")
def queues_list(context: Context) -> Envelope:
    """Logs that somebody else than their owner reads here; ``messages`` is how many entries each has."""
    return listed([{"queue_id": _id(one), "messages": sum(one.parts.values())} for one in context.readers.queues()])


@method(
    Route("GET", "/queue/consumer/list/v1", ("/qu/c/l",)),
    service="joint_postman",
    returns="[{consumer_id, queues, commands, state, consumed}]",
)
def queue_consumers_list(context: Context) -> Envelope:
    """Who reads them; ``consumed`` is how many entries there are to read."""
    rows: dict[bytes, Row] = {}
    for queue in context.readers.queues():
        for who in queue.readers:
            state = "CONNECTED" if context.gateway.connected(who) else "DISCONNECTED"
            new = {"consumer_id": _name(context, who), "queues": [], "commands": ["Retrieve"], "state": state}
            row = rows.setdefault(who, new | {"consumed": 0})
            row["queues"].append(_id(queue))
            row["consumed"] += sum(queue.parts.values())
    return listed(list(rows.values()))


@method(
    Route("GET", "/queue/producer/list/v1", ("/qu/p/l",)),
    service="joint_postman",
    returns="[{producer_id, queues, state, produced}]",
)
def queue_producers_list(context: Context) -> Envelope:
    """Devices that write them; ``produced`` is how many entries there are of each."""
    rows: dict[bytes, Row] = {}
    for queue in context.readers.queues():
        for device, entries in queue.parts.items():
            new = {"producer_id": device.hex(), "queues": [], "state": "READY", "produced": 0}
            row = rows.setdefault(device, new)
            row["queues"].append(_id(queue))
            row["produced"] += entries
    return listed(list(rows.values()))


@method(
    Route("GET", "/queue/stream/list/v1", ("/qu/s/l",)),
    service="joint_postman",
    returns="[{queue_id, active, consumers, producers, sequence_id}]",
)
def queue_streams_list(context: Context) -> Envelope:
    """The same by log; ``sequence_id`` is how many entries it has."""
    rows = [
        {
            "queue_id": _id(queue),
            "active": bool(queue.readers),
            "consumers": [_name(context, who) for who in queue.readers],
            "producers": [device.hex() for device in queue.parts],
            "sequence_id": sum(queue.parts.values()),
        }
        for queue in context.readers.queues()
    ]
    return listed(rows)


def _id(queue: Queue) -> str:
    return queue_id(queue.scope, queue.owner)


def _name(context: Context, who: bytes) -> str:
    return names_of(context, who)["global_id"] or who.hex()
