"""The ways through routers on which a companion finds this node. A router passes sealed messages on, and reads none."""

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, gatherResults
from twisted.python.failure import Failure

from bitdust.automats.routed_web_socket import RoutedWebSocket
from bitdust.companions.book import MOST_ROUTERS
from bitdust.companions.companion import Companion
from bitdust.companions.line import Line
from bitdust.companions.pipe import (
    DEADLINE,
    FOR_APP,
    LIFE,
    MAX_PACKET,
    SERVICE,
    Farewell,
    Order,
    Pipe,
    messages,
    session_of,
)
from bitdust.companions.ports import Router, Routers
from bitdust.outcome import outcome
from bitdust.surroundings import Connected
from bitdust.wire.encoding import WireError
from bitdust.wire.errors import BitDustError
from bitdust.wire.packet import Command
from bitdust.wire.table import Answer, Request, ack

WAYS = 2
ASK_SECONDS = 20.0
MAX_URL = 300


class Way:
    """The port of one `RoutedWebSocket`, and the lines that come on it."""

    def __init__(self, routes: "Routes", number: int) -> None:
        self._routes = routes
        self.router: Router | None = None
        self._wish = {
            "service": SERVICE,
            "label": routes.companion.record.label,
            "life": routes.around.world.entropy(LIFE),
        }
        self._device = b""
        self.url = ""
        self.lines: dict[int, RoutedCarrier] = {}
        self._farewells: dict[Deferred[None], None] = {}
        self.machine = RoutedWebSocket(routes.around.registry, f"{routes.companion.record.name} {number}", self)

    def find(self) -> "Deferred[Any]":
        if self.router is not None:
            kept: Deferred[Any] = Deferred()
            kept.callback(self.router)
            return kept
        return self._routes.find(self).addCallback(self._found)

    def _found(self, router: Router | None) -> None:
        if router is None or router.fingerprint in self._routes.others(self):
            raise BitDustError("not-found", "no other router is known")
        self.router = router

    def ask(self) -> "Deferred[Any]":
        return Deferred.fromCoroutine(self._ask())

    async def _ask(self) -> str:
        assert self.router is not None
        around, peer = self._routes.around, self.router.fingerprint
        if not around.sessions.connected(peer) and self.router.addresses:
            await _reach(around, self.router)
        reply = await around.outbox.send(peer, Command.REQUEST_SERVICE, self._wish, deadline=ASK_SECONDS)
        url, device = reply.fields.get("url"), reply.fields.get("device")
        if not isinstance(url, str) or not url.startswith(("ws://", "wss://")) or len(url) > MAX_URL:
            raise BitDustError("bad-answer", "the router gave no address")
        self._device = device if isinstance(device, bytes) else b""
        return url

    def take(self, url: Any) -> None:
        if url != self.url:
            self.url = url
            self._routes.changed()

    def lose(self) -> None:
        if self.url:
            self.url = ""
            self._end_lines()
            self._routes.changed()

    def forget_router(self) -> None:
        self.router = None

    def give_back(self) -> None:
        """The companions hear first why they are left: a router hangs up on those whose way is gone."""
        self._end_lines()
        told = gatherResults(list(self._farewells))
        told.addCallback(lambda _: self._cancel()).addErrback(_dropped)

    def _cancel(self) -> "Deferred[Any] | None":
        if self.router is None or not self._routes.around.sessions.connected(self.router.fingerprint):
            return None
        outbox = self._routes.around.outbox
        return outbox.send(self.router.fingerprint, Command.CANCEL_SERVICE, self._wish, deadline=5.0)

    def follow(self, farewell: "Deferred[None]") -> None:
        """Somebody is being told good-bye."""
        self._farewells[farewell] = None
        farewell.addCallback(lambda _: self._farewells.pop(farewell))

    def jitter(self) -> float:
        return int.from_bytes(self._routes.around.world.entropy(2), "big") / 65536

    def _end_lines(self) -> None:
        for carrier in list(self.lines.values()):
            carrier.gone()

    # packets

    async def received(self, request: Request) -> Answer:
        """Messages of one connection, in their order."""
        fields, found = request.fields, messages(await request.payload.read_all(MAX_PACKET))
        carrier = self.lines.get(fields["client"])
        if carrier is None:
            if fields["number"]:
                raise WireError("not-found", "this connection is closed")
            carrier = RoutedCarrier(self, fields["client"], str(fields.get("peer") or "a router"))
            self.lines[fields["client"]] = carrier
            carrier.line = self._routes.companion.accept(carrier)
        if carrier.order.is_new(fields["number"]):
            for data in found:
                if carrier.line is not None:
                    carrier.line.received(data)
            if fields["closed"]:
                carrier.gone()
            await carrier.ready()
        return ack()

    def send(self, client: int, number: int, last: Farewell | None, payload: bytes) -> "Deferred[Any]":
        """One packet for a connection."""
        assert self.router is not None
        fields: dict[str, Any] = {
            "kind": FOR_APP,
            "label": self._routes.companion.record.label,
            "client": client,
            "number": number,
            "closed": last is not None,
            "code": last.code if last is not None else 0,
            "reason": last.reason if last is not None else "",
        }
        around, peer = self._routes.around, self.router.fingerprint
        session = session_of(around.sessions, peer, self._device)
        return around.outbox.send(peer, Command.EVENT, fields, payload, deadline=DEADLINE, session=session)


class RoutedCarrier:
    """A `Carrier` of one connection at a router."""

    def __init__(self, way: Way, client: int, peer: str) -> None:
        self._way = way
        self._client = client
        self.peer = peer
        self.line: Line | None = None
        self.order = Order()
        self._resting: Deferred[None] | None = None
        self._pipe = Pipe(
            lambda number, last, payload: way.send(client, number, last, payload),
            lambda: self.line.pause() if self.line is not None else None,
            lambda: self.line.go_on() if self.line is not None else None,
            self.failed,
        )

    def send(self, data: bytes) -> None:
        """One message."""
        self._pipe.put(data)

    def read_on(self, on: bool) -> None:
        """While it is not read on, the router waits for its answer, and takes nothing more from the companion."""
        if not on and self._resting is None:
            self._resting = Deferred()
        elif on and self._resting is not None:
            resting, self._resting = self._resting, None
            resting.callback(None)

    async def ready(self) -> None:
        """Returns when more may come."""
        if self._resting is not None:
            waiting: Deferred[None] = Deferred()
            self._resting.addCallback(lambda _: waiting.callback(None))
            await waiting

    def close(self, code: int, reason: str) -> None:
        """Say good-bye, and let nothing more in."""
        self._forget()
        self._way.follow(self._pipe.close(Farewell(code, reason[:100])))

    def failed(self) -> None:
        """Nothing arrives there any more."""
        self.gone()
        self._way.machine.send("line-failed")

    def gone(self) -> None:
        """The companion, or the router, is not there any more."""
        line = self.line
        self._forget()
        self._pipe.stop()
        if line is not None:
            line.lost()

    def _forget(self) -> None:
        self.line = None
        self._way.lines.pop(self._client, None)
        self.read_on(True)


class Routes:
    """The `Door` of a companion that comes through routers."""

    def __init__(
        self, around: Connected, companion: Companion, routers: Callable[[], Routers], changed: Callable[[], None]
    ) -> None:
        self.around = around
        self.companion = companion
        self._routers = routers
        self.changed = changed
        self.ways = [Way(self, number) for number in range(WAYS)]
        for way, router in zip(self.ways, companion.record.routers, strict=False):
            way.router = Router(router)

    def start(self) -> None:
        """Ask for the ways."""
        for way in self.ways:
            way.machine.send("start")

    def urls(self) -> list[str]:
        return [way.url for way in self.ways if way.url]

    def close(self) -> None:
        for way in self.ways:
            way.machine.send("stop")

    def used(self) -> tuple[bytes, ...]:
        """The routers that carry it, to be asked first after the next start."""
        return tuple(way.router.fingerprint for way in self.ways if way.router is not None and way.url)[:MOST_ROUTERS]

    def find(self, asking: Way) -> "Deferred[Router | None]":
        """One that the other ways do not use."""
        return self._routers().find(frozenset(self.others(asking) | {self.around.me.fingerprint}))

    def others(self, asking: Way) -> set[bytes]:
        """The routers of the other ways."""
        return {way.router.fingerprint for way in self.ways if way is not asking and way.router is not None}

    def way_of(self, peer: bytes) -> Way:
        """The one through a router. Raises `WireError` ``not-allowed``."""
        for way in self.ways:
            if way.router is not None and way.router.fingerprint == peer:
                return way
        raise WireError("not-allowed", "this node is not reached through you")


async def _reach(around: Connected, router: Router) -> None:
    """A session with a router, at an address where it was seen; where none works, the request says so."""
    for address in router.addresses[:2]:
        if (await outcome(around.sessions.dial(address, expect=router.fingerprint))).error is None:
            return


def _dropped(failure: Failure) -> None:
    """A router that does not hear it forgets the way by itself."""
