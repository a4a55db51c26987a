"""``GET /metrics``: the node's figures as Prometheus reads them, with the extra ``bitdust[metrics]``.

The library is loaded when somebody asks. Nothing is kept for it: every page is made from what the node counts anyway.
"""

import importlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from bitdust.api import figures
from bitdust.api.context import Context
from bitdust.api.tally import BOUNDS
from bitdust.wire.errors import BitDustError

PATH = b"/metrics"
CONTENT_TYPE = b"Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"
OPEN = "interface/api/metrics-enabled"
Labels = tuple[str, ...]
Values = Mapping[Any, float]
"""By the values of the labels, which are a tuple of texts."""


def page(context: Context) -> bytes:
    """The whole page; raises `BitDustError` ``not-installed`` without the library."""
    try:
        core = importlib.import_module("prometheus_client.core")
        exposition = importlib.import_module("prometheus_client.exposition")
    except ImportError:
        text = "metrics need the package prometheus_client: pip install 'bitdust[metrics]', then restart the node"
        raise BitDustError("not-installed", text) from None
    registry = core.CollectorRegistry(auto_describe=False)
    registry.register(_Collector(context, core))
    text_of_all: bytes = exposition.generate_latest(registry)
    return text_of_all


class _Collector:
    """What the library asks for families of samples."""

    def __init__(self, context: Context, core: Any) -> None:
        self._context = context
        self._core = core

    def collect(self) -> Iterator[Any]:
        """One family after the other."""
        info = figures.process(self._context)
        yield self._gauge("up", "The node works", {(): 1})
        yield self._gauge("build_info", "The version that runs", {(info["version"],): 1}, ("version",))
        yield from self._machines()
        yield from self._scopes()
        yield from self._network(info)
        yield from self._storage(info)
        yield from self._contacts(info)
        counts = {(name,): count for name, count in self._context.events.counts().items()}
        yield self._counter("events", "Events of the node's stream", counts, ("event",))
        yield self._calls()

    def _gauge(self, name: str, text: str, values: Values, labels: Labels = ()) -> Any:
        return self._family(self._core.GaugeMetricFamily(f"bitdust_{name}", text, labels=labels), values)

    def _counter(self, name: str, text: str, values: Values, labels: Labels = ()) -> Any:
        return self._family(self._core.CounterMetricFamily(f"bitdust_{name}", text, labels=labels), values)

    def _family(self, family: Any, values: Values) -> Any:
        for labels, value in values.items():
            family.add_metric(labels, value)
        return family

    def _machines(self) -> Iterable[Any]:
        services = {(row["name"],): float(row["state"] == "ON") for row in self._context.driver.list()}
        yield self._gauge("service_up", "1 while the service is ON", services, ("service",))
        states = figures.machines(self._context)
        yield self._gauge("machines", "State machines", states, ("kind", "state"))

    def _network(self, info: Mapping[str, Any]) -> Iterable[Any]:
        if "network" in info:
            traffic = self._context.gateway.traffic()
            ways = {"in": traffic["in"], "out": traffic["out"]}
            sizes = {(way,): counts["bytes"] for way, counts in ways.items()}
            yield self._counter("network_bytes", "Bytes of sessions with peers", sizes, ("direction",))
            packets = {
                (way, command): count
                for way, counts in ways.items()
                for command, count in counts.items()
                if command not in ("bytes", "packets")
            }
            yield self._counter("packets", "Packets to and from peers", packets, ("direction", "command"))
            waiting = {("in",): info["network"]["packets_in"], ("out",): info["network"]["packets_out"]}
            yield self._gauge("packets_in_work", "Packets on their way now", waiting, ("direction",))
        if "dht" in info:
            yield from self._dht(info["dht"])

    def _scopes(self) -> Iterable[Any]:
        roles = self._context.gateway.scopes.roles.values()
        taken = {(one.kind, resource.value): count for one in roles for resource, count in one.used.items()}
        refused = {(one.kind, resource.value): count for one in roles for resource, count in one.refused.items()}
        yield self._gauge("taken", "What peers and programs hold of this node now", taken, ("role", "resource"))
        yield self._counter("refused", "What they asked for and did not get", refused, ("role", "resource"))

    def _dht(self, dht: Mapping[str, Any]) -> Iterable[Any]:
        sizes = {("in",): dht["bytes_in"], ("out",): dht["bytes_out"]}
        yield self._counter("dht_bytes", "Bytes of the DHT's datagrams", sizes, ("direction",))
        layers = dht["layers"].items()
        nodes = {(layer,): counts["nodes"] for layer, counts in layers}
        yield self._gauge("dht_nodes", "Known nodes of the DHT", nodes, ("layer",))
        records = {(layer,): counts["cache"] for layer, counts in layers}
        yield self._gauge("dht_records", "Records kept for the DHT", records, ("layer",))
        packets = {(layer, way): counts[f"packets_{way}"] for layer, counts in layers for way in ("in", "out")}
        yield self._counter("dht_packets", "Datagrams of the DHT", packets, ("layer", "direction"))

    def _storage(self, info: Mapping[str, Any]) -> Iterable[Any]:
        if "file" in info:
            file = info["file"]
            items = {("file",): file["files"], ("folder",): file["folders"]}
            yield self._gauge("catalog_items", "Items of my catalog", items, ("type",))
            yield self._gauge("catalog_bytes", "Bytes of the newest versions", {(): file["files_size"]})
            pieces = {(name,): file["pieces"].get(name, 0) for name in ("due", "acknowledged", "waiting", "missing")}
            yield self._gauge("pieces", "Pieces of my packs", pieces, ("state",))
            yield self._gauge(
                "spool_bytes", "Bytes that wait for suppliers", {(): file["pieces"].get("spool_bytes", 0)}
            )
            yield from self._audits(file["audits"])
            yield from self._risk(self._context.risk.figures())
        if self._context.driver.is_on("customer"):
            mine = self._context.space.consumed()
            space = {("needed",): mine["needed"], ("used",): mine["used"]}
            yield self._gauge("space_bytes", "Room for my data at suppliers", space, ("kind",))
        if self._context.driver.is_on("supplier"):
            given = self._context.space.donated()
            kinds = {(kind,): given[kind] for kind in ("donated", "consumed", "used")}
            yield self._gauge("donated_bytes", "Room for customers' data on this disk", kinds, ("kind",))

    def _risk(self, risk: Mapping[str, Any]) -> Iterable[Any]:
        """Nothing before the first look, and nothing of how many may die while nothing is stored."""
        if not risk:
            return
        if risk["may_die"] is not None:
            dying = {("now",): risk["may_die"], ("all",): risk["may_die_in_all"]}
            text = "Suppliers that may be lost before a file is, with those that are away now, or with all of them"
            yield self._gauge("suppliers_may_die", text, dying, ("counting",))
        packs = {(name,): risk[f"packs_{name}"] for name in ("unreadable", "lost")}
        yield self._gauge("packs_at_risk", "Packs that cannot be had now, or never again", packs, ("state",))
        troubles = {(code,): count for code, count in risk["troubles"].items()}
        yield self._gauge("suppliers_in_trouble", "Suppliers by what is amiss with them", troubles, ("code",))
        safe = {(name,): float(is_safe) for name, is_safe in risk["safe"].items()}
        yield self._gauge("records_safe", "1 where any k suppliers include one that has it", safe, ("record",))
        stuck = {(): float(risk["rebuilding_stuck"])}
        yield self._gauge("rebuilding_stuck", "1 while pieces cannot be made again", stuck)
        elsewhere = {(): float(risk["family_changed_elsewhere"])}
        yield self._gauge("family_changed_elsewhere", "1 where another device, or a spare, has changed it", elsewhere)

    def _audits(self, audits: Mapping[str, Any]) -> Iterable[Any]:
        standings = {(name,): audits.get(name, 0) for name in ("proven", "overdue", "failed", "off")}
        yield self._gauge("audited_suppliers", "Suppliers by how their audits stand", standings, ("standing",))
        rounds = {(name,): audits.get(f"rounds_{name}", 0) for name in ("passed", "failed")}
        yield self._gauge("audit_rounds", "Audits of those suppliers since they were hired", rounds, ("result",))

    def _contacts(self, info: Mapping[str, Any]) -> Iterable[Any]:
        contact = info.get("contact", {})
        found = {(name,): count for name, count in contact.items()}
        yield self._gauge("contacts", "Peers by what they are to this node", found, ("kind",))

    def _calls(self) -> Any:
        family = self._core.HistogramMetricFamily(
            "bitdust_api_request_seconds", "API calls by method and outcome", labels=("method", "status")
        )
        for name, status, times in self._context.tally:
            buckets, count = [], 0
            for bound, inside in zip([*map(str, BOUNDS), "+Inf"], times.spans, strict=True):
                count += inside
                buckets.append((bound, count))
            family.add_metric((name, status), buckets, sum_value=times.seconds)
        return family
