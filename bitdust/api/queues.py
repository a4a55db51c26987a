"""Queues: logs of groups and shares that are kept here for customers or as a member, and who writes and reads them."""

from bitdust.api.context import Context, Row
from bitdust.api.envelope import Envelope, listed
from bitdust.api.groups import queue_id
from bitdust.api.people import names_of
from bitdust.api.table import Route, method
from bitdust.customers.readers import Queue


@method(Route("GET", "/queue/list/v1", ("/qu/l",)), service="joint_postman", returns="[{queue_id, messages}]")
def queues_list(context: Context) -> Envelope:
    """Logs of groups and shares that are kept here; ``messages`` is how many entries there are of each."""
    return listed([{"queue_id": _id(one), "messages": one.entries} for one in _queues(context)])


@method(
    Route("GET", "/queue/consumer/list/v1", ("/qu/c/l",)),
    service="joint_postman",
    returns="[{consumer_id, queues, commands, state, consumed}]",
)
def queue_consumers_list(context: Context) -> Envelope:
    """Who reads them: whoever has asked within a quarter of an hour. ``consumed`` is how many entries there are to
    read."""
    rows: dict[bytes, Row] = {}
    for queue in _queues(context):
        for who in queue.readers:
            state = "CONNECTED" if context.gateway.connected(who) else "DISCONNECTED"
            new = {"consumer_id": _name(context, who), "queues": [], "commands": ["Retrieve"], "state": state}
            row = rows.setdefault(who, new | {"consumed": 0})
            row["queues"].append(_id(queue))
            row["consumed"] += queue.entries
    return listed(list(rows.values()))


@method(
    Route("GET", "/queue/producer/list/v1", ("/qu/p/l",)),
    service="joint_postman",
    returns="[{producer_id, queues, state, produced}]",
)
def queue_producers_list(context: Context) -> Envelope:
    """Who writes them: a global id, or a device in hex whose owner is not known here. ``produced`` is how many entries
    are kept of each."""
    names = _writers(context)
    rows: dict[str, Row] = {}
    for queue in _queues(context):
        for device, entries in queue.parts.items():
            name = names.get(device, device.hex())
            row = rows.setdefault(name, {"producer_id": name, "queues": [], "state": "READY", "produced": 0})
            if _id(queue) not in row["queues"]:
                row["queues"].append(_id(queue))
            row["produced"] += entries
    return listed(list(rows.values()))


@method(
    Route("GET", "/queue/stream/list/v1", ("/qu/s/l",)),
    service="joint_postman",
    returns="[{queue_id, active, consumers, producers, sequence_id}]",
)
def queue_streams_list(context: Context) -> Envelope:
    """The same by log; ``sequence_id`` is how many entries it ever had, ``active`` whether somebody reads it."""
    names = _writers(context)
    rows = [
        {
            "queue_id": _id(queue),
            "active": bool(queue.readers),
            "consumers": [_name(context, who) for who in queue.readers],
            "producers": list(dict.fromkeys(names.get(device, device.hex()) for device in queue.parts)),
            "sequence_id": queue.last,
        }
        for queue in _queues(context)
    ]
    return listed(rows)


def _queues(context: Context) -> list[Queue]:
    """Those of customers first; a group may be kept here in both ways while it moves to suppliers."""
    return context.readers.queues() + context.groups.keeping.readers.queues()


def _id(queue: Queue) -> str:
    return queue_id(queue.scope, queue.owner)


def _name(context: Context, who: bytes) -> str:
    return names_of(context, who)["global_id"] or who.hex()


def _writers(context: Context) -> dict[bytes, str]:
    """The global id of whose device it is, as far as identities are known here."""
    known = [context.me.document, *context.cache.all()] if context.me.present else context.cache.all()
    return {device.id: _name(context, document.fingerprint) for document in known for device in document.devices}
