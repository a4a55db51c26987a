"""Models over WebSockets: who listens to which, and what is pushed to whom."""

from collections.abc import Callable, Iterator

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from bitdust.api.context import Context, Row
from bitdust.api.snapshots import SOURCES
from bitdust.api.sources import Snapshot, Source
from bitdust.events import Event
from bitdust.web.outflow import MAX_WAITING_SNAPSHOTS, Outflow, model_gap_message
from bitdust.web.render import compact
from bitdust.wire.errors import BitDustError

SNAPSHOT = 512
"""Bytes of memory that a snapshot is taken to have until it is written."""


def model_message(model: str, snapshot: Snapshot, created: float) -> bytes:
    """A snapshot as it goes to a client; ``created`` is seconds since the epoch."""
    payload: Row = {"name": model, "id": snapshot.id, "data": snapshot.data, "created": created}
    if snapshot.deleted:
        payload["deleted"] = True
    return compact({"type": "model", "payload": payload})


class Models:
    """The models of a node. Each is watched while somebody listens to it."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self._sources = {name: make(context) for name, make in SOURCES.items()}
        self._listeners: dict[str, dict[SocketListener, None]] = {name: {} for name in SOURCES}
        self._forget: dict[str, Callable[[], None]] = {}
        self._postponed: dict[tuple[SocketListener, str], None] = {}
        self._forget_services = context.events.subscribe(self._started, "service-started")

    def source(self, model: str) -> Source:
        """Where its snapshots come from."""
        return self._sources[model]

    def message(self, model: str, snapshot: Snapshot) -> bytes:
        """As it goes to a client, made now."""
        return model_message(model, snapshot, self.context.world.wall())

    def listen(self, listener: "SocketListener", model: str) -> None:
        """Push it from now on."""
        self._listeners[model][listener] = None
        if model not in self._forget:
            self._forget[model] = self._sources[model].watch(lambda snapshot: self._changed(model, snapshot))

    def forget(self, listener: "SocketListener", model: str) -> bool:
        """Push it no more; whether it was pushed."""
        self._postponed.pop((listener, model), None)
        was = self._listeners[model].pop(listener, self) is None
        if not self._listeners[model] and model in self._forget:
            self._forget.pop(model)()
        return was

    def _changed(self, model: str, snapshot: Snapshot) -> None:
        data = self.message(model, snapshot)
        for listener in list(self._listeners[model]):
            listener.push(model, data)

    # what has to wait for its service

    def off_because(self, model: str) -> str | None:
        """Why there are no snapshots now."""
        service = self._sources[model].service
        if service is None or self.context.driver.is_on(service):
            return None
        info = self.context.driver.info(service)
        return f"{info['name']} is {info['state']}" + (f": {info['reason']}" if info["reason"] else "")

    def postpone(self, listener: "SocketListener", model: str) -> None:
        """Push all of it when its service has started."""
        self._postponed[listener, model] = None

    def _started(self, event: Event) -> None:
        for listener, model in list(self._postponed):
            if event.data.get("name") == f"service_{self._sources[model].service}":
                del self._postponed[listener, model]
                listener.catch_up(model)

    def close(self) -> None:
        """Watch nothing any more."""
        self._forget_services()
        for forget in self._forget.values():
            forget()
        self._forget.clear()


@define(eq=False)
class SocketListener:
    """One socket's choice of models: a `Listener` of the API."""

    models: Models
    outflow: Callable[[], Outflow]
    _chosen: set[str] = field(factory=set)
    _held: dict[str, list[bytes]] = field(factory=dict)
    _sending: set[str] = field(factory=set)
    log = Logger()

    def enable(self, model: str, request_all: bool) -> "Deferred[Row]":
        """Push it from now on."""
        self.models.listen(self, model)
        self._chosen.add(model)
        return Deferred.fromCoroutine(self._enabled(model, request_all))

    async def _enabled(self, model: str, request_all: bool) -> Row:
        pushed = await self._request(model, None) if request_all else {}
        return {"model_name": model, "enabled": True} | pushed

    def disable(self, model: str) -> bool:
        """Push it no more."""
        self._chosen.discard(model)
        return self.models.forget(self, model)

    def request(self, model: str, ident: str | None) -> "Deferred[Row]":
        """Push all of it, or one snapshot."""
        return Deferred.fromCoroutine(self._requested(model, ident))

    async def _requested(self, model: str, ident: str | None) -> Row:
        return {"model_name": model} | await self._request(model, ident)

    async def _request(self, model: str, ident: str | None) -> Row:
        """While snapshots are being read, changes are held back, so that what is older never comes after them."""
        if model in self._held or model in self._sending:
            raise BitDustError("busy", f"snapshots of model {model!r} are still on their way; wait for them")
        reason = self.models.off_because(model)
        if reason is not None:
            self.models.postpone(self, model)
            return {"postponed": reason}
        held = self._held[model] = []
        try:
            found = await self.models.source(model).all()
            if ident is not None:
                found = [snapshot for snapshot in found if snapshot.id == ident]
            if ident is not None and not found:
                raise BitDustError("not-found", f"model {model!r} has no {ident[:200]!r}")
            self.outflow().put_many(self._messages(model, found), SNAPSHOT * len(found))
            self._sending.add(model)
        finally:
            del self._held[model]
            for data in held:
                self.push(model, data)
            if len(held) == MAX_WAITING_SNAPSHOTS:
                self.outflow().put(model_gap_message(model, "too slow"))
        return {"pushed": len(found)}

    def _messages(self, model: str, found: list[Snapshot]) -> Iterator[bytes]:
        for snapshot in found:
            yield self.models.message(model, snapshot)
        self._sending.discard(model)

    def catch_up(self, model: str) -> None:
        """What was postponed is due."""
        due = Deferred.fromCoroutine(self._request(model, None))
        due.addErrback(lambda failure: self.outflow().put(model_gap_message(model, str(failure.value))))

    def push(self, model: str, data: bytes) -> None:
        """One snapshot has changed."""
        if model in self._held:
            if len(self._held[model]) < MAX_WAITING_SNAPSHOTS:
                self._held[model].append(data)
        elif model in self._chosen:
            self.outflow().put_snapshot(model, data)

    def close(self) -> None:
        """The socket is gone."""
        for model in SOURCES:
            self.models.forget(self, model)
        self._chosen.clear()
