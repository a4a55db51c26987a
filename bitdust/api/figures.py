"""Figures of the whole process: what `process_info` shows, and what monitoring scrapes.

Sizes are bytes. What belongs to a service that is not ON is left out, or counts as nothing.
"""

from collections import Counter
from collections.abc import Callable
from typing import Any

from bitdust import __version__
from bitdust.api.context import Context

Figures = dict[str, Any]


def machines(context: Context) -> Counter[tuple[str, str]]:
    """How many machines of each kind are in each state."""
    return Counter((machine.name, machine.state) for machine in context.registry)


def process(context: Context) -> Figures:
    """All of it, by noun. What is in my catalog is as `Storage.count` has found it last."""
    moves = machines(context)
    kinds: Counter[str] = Counter()
    for (kind, _), count in moves.items():
        kinds[kind] += count
    services = context.driver.list()
    figures = {
        "version": __version__,
        "health": context.health(),
        "config": {"options": len(context.settings.keys())},
        "identity": identity(context),
        "service": {"active": sum(row["state"] == "ON" for row in services), "total": len(services)},
        "automats": {"active": sum(moves.values()), "by_kind": dict(sorted(kinds.items()))},
        "event": {"sequence": context.events.last, "consumers": len(context.consumers)},
        "share": {"active": moves["shared_access_coordinator", "CONNECTED"]},
        "group": {"active": moves["group_member", "CONNECTED"]},
    }
    parts: dict[str, tuple[str, Callable[[], Figures]]] = {
        "keys_registry": ("key", lambda: {"registered": len(context.me.key_ring.living())}),
        "gateway": ("contact", lambda: contact(context)),
        "backup_db": ("file", lambda: file(context)),
        "entangled_dht": ("dht", lambda: dht(context)),
    }
    figures |= {name: count() for service, (name, count) in parts.items() if context.driver.is_on(service)}
    if context.driver.is_on("gateway"):
        figures |= {"network": network(context), "stream": stream(context, kinds)}
    return figures


def identity(context: Context) -> Figures:
    """Of those that I know: how many, with how many IDURLs, and at how many addresses."""
    known = context.cache.all()
    addresses = context.gateway.known_addresses if context.driver.is_on("gateway") else lambda fingerprint: []
    return {
        "ready": context.me.present,
        "cache": len(known),
        "cache_ids": sum(len(document.sources) for document in known),
        "cache_contacts": sum(len(addresses(document.fingerprint)) for document in known),
    }


def contact(context: Context) -> Figures:
    """``active`` peers have a session now; ``correspondents`` are friends."""
    suppliers = context.suppliers.list() if context.driver.is_on("customer") else []
    customers = context.customers.list() if context.driver.is_on("supplier") else []
    suppliers = [row for row in suppliers if not row["beyond"]]
    hired = sum(bool(row["idurl"]) for row in suppliers)
    return {
        "active": len({session.peer.fingerprint for session in context.gateway.sessions() if session.peer is not None}),
        "correspondents": len(context.people.friends.all()),
        "customers": len(customers),
        "suppliers_hired": hired,
        "suppliers_total": len(suppliers),
        "suppliers_active": sum(row["contact_state"] == "CONNECTED" for row in suppliers),
        "customer_assistants": sum(row["contact_state"] == "CONNECTED" for row in customers),
    }


def file(context: Context) -> Figures:
    """My catalog, and how many of its pieces are where they belong; ``backups_size`` is sealed and counted once."""
    storage = context.storage
    stats = storage.stats()
    more: Figures = {"audits": storage.core.audits.figures() if storage.is_open else {}}
    more["reencoding"] = storage.reencoding()
    more["risk"] = context.risk.latest
    return stats | {"backups_size": stats["used"], "customers": 1} | more


def dht(context: Context) -> Figures:
    """Traffic and records, by layer."""
    status = context.dht.status()
    layers = {
        str(layer["layer_id"]): {
            "cache": layer["data_store_items"],
            "nodes": layer["node_items"],
            "packets_in": layer["packets_received"],
            "packets_out": layer["packets_sent"],
        }
        for layer in status["layers"]
    }
    return {"layers": layers, "bytes_in": status["bytes_received"], "bytes_out": status["bytes_sent"]}


def network(context: Context) -> Figures:
    """Sessions by protocol, packets on their way now, and packets and bytes since the start."""
    traffic, gateway = context.gateway.traffic(), context.gateway
    return {
        "protocols": dict(Counter(row["proto"] for row in gateway.connections())),
        "scopes": gateway.scopes.shown(),
        "packets_in": len(gateway.inbox.packets()),
        "packets_out": len(gateway.outbox.packets()),
        "packets_in_total": traffic["in"]["packets"],
        "packets_out_total": traffic["out"]["packets"],
        "bytes_in": traffic["in"]["bytes"],
        "bytes_out": traffic["out"]["bytes"],
    }


def stream(context: Context, kinds: Counter[str]) -> Figures:
    """Queues of messages and who serves them; ``queues`` and ``consumers`` are long polls of this node's events and
    messages."""
    sending = context.gateway.outbox.packets()
    consumers = len(context.consumers) + len(context.people.listeners.polls)
    return {
        "queues": consumers + len(context.watching),
        "consumers": consumers,
        "producers": kinds["message_producer"],
        "keepers": kinds["queue_keeper"],
        "peddlers": kinds["message_peddler"],
        "supplier_queues": kinds["supplier_queue"],
        "streams": sum(bool(item["size"]) for row in sending for item in row["items"]),
    }
