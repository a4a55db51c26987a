"""A router lets apps find nodes that cannot be reached themselves, and passes on sealed messages that it cannot read.

A node asks for a way under a label of its own. The name of the way is a hash of the node's proven keys and that label,
so nobody takes another's way, and the same node gets the same one again. Whoever connects under the name gets a number;
what it sends goes to the node in packets of the session between the two, and back.
"""

import hashlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError

from bitdust.automats.web_socket_route import WebSocketRoute
from bitdust.companions.pipe import (
    DEADLINE,
    FOR_APP,
    FRAMES,
    FROM_APP,
    MAX_PACKET,
    SERVICE,
    WISH,
    Farewell,
    Order,
    Pipe,
    messages,
    session_of,
)
from bitdust.companions.ports import GOING_AWAY, TRY_LATER, Refused
from bitdust.companions.ports import Row as Shown
from bitdust.nearby import network_name
from bitdust.surroundings import Connected
from bitdust.wire.encoding import WireError
from bitdust.wire.errors import BitDustError
from bitdust.wire.packet import Command
from bitdust.wire.table import Answer, Request, Row, Who, ack

if TYPE_CHECKING:
    from bitdust.companions.sockets import FrameSocket, FrameSockets

MOST_ROUTES, MOST_OF_ONE, MOST_OF_NETWORK, MOST_OF_STRANGERS = 100, 8, 16, 75
"""Ways: of all nodes, of one node, of strangers of one network, and of all strangers together."""
MOST_CLIENTS, MOST_ON_ROUTE, CLIENTS_OF_NETWORK, CLIENTS_OF_STRANGERS = 64, 8, 16, 48
"""Apps: on all ways, on one of them, and those of apps that come to strangers' nodes."""
PACE = 10.0
"""What passing a packet on costs, beside a ping."""


def name_of(peer: tuple[bytes, bytes], label: bytes) -> str:
    """The name of the way to a device of somebody, under a label."""
    return hashlib.sha256(b"BitDust route 1" + peer[0] + peer[1] + label).hexdigest()[:32]


class Route:
    """The way to one companion of one node: the port of its machine."""

    def __init__(self, router: "Router", peer: tuple[bytes, bytes], label: bytes, network: str) -> None:
        """``network`` is that of its node, where that is a stranger: keys are cheap, and a network counts as one."""
        self.router = router
        self.peer, self.label, self.network = peer, label, network
        self.name = name_of(peer, label)
        self.life = b""
        self.created = self.updated = router.now()
        self.clients: dict[int, Client] = {}
        self.from_node = self.from_apps = 0
        self.heard = 0.0
        self.machine = WebSocketRoute(router.around.registry, self.name[:8], self)

    def live(self, life: bytes) -> None:
        """Its node asks for it: where it has started anew it knows nothing of those who are connected."""
        if life != self.life:
            self.life = life
            self._hang_up("the node has started anew")
        self.machine.send("wanted")

    def end(self) -> None:
        """Its node wants it no more."""
        self.router.forget(self)
        self._hang_up("the node is gone")

    def _hang_up(self, reason: str) -> None:
        for client in list(self.clients.values()):
            client.close(TRY_LATER, reason)

    def shown(self) -> Shown:
        """As a row of ``device_router_info``."""
        names = self.router.around.identities
        document = names.get(self.peer[0])
        connected = self.router.around.sessions.connected(self.peer[0])
        return {
            "route_id": self.name,
            "route_url": self.router.url_of(self),
            "created": self.created,
            "node_url": str(document.idurl) if document is not None else "",
            "node_connected": connected,
            "node_bytes": self.from_node,
            "node_updated": self.updated,
            "client_connected": len(self.clients),
            "client_bytes": self.from_apps,
            "client_updated": self.heard,
        }


class Client:
    """One app on a way: the end of its WebSocket."""

    def __init__(self, route: Route, number: int, socket: "FrameSocket") -> None:
        self._route = route
        self._number = number
        self._socket = socket
        self.order = Order()
        self._full: Deferred[None] | None = None
        self._pipe = Pipe(self._send, lambda: socket.read_on(False), lambda: socket.read_on(True), self._failed)

    # what the app says

    def received(self, data: bytes) -> None:
        """One message of the app."""
        self._route.from_apps += len(data)
        self._route.heard = self._route.router.now()
        self._pipe.put(data)

    def pause(self) -> None:
        """The app does not read: its node waits."""
        if self._full is None:
            self._full = Deferred()

    def go_on(self) -> None:
        """It reads again."""
        if self._full is not None:
            full, self._full = self._full, None
            full.callback(None)

    def lost(self) -> None:
        """It is gone; its node learns so."""
        self._forget()
        self._pipe.close(Farewell(GOING_AWAY, "the app is gone"))

    def _failed(self) -> None:
        self.close(TRY_LATER, "the node cannot be reached")

    def _send(self, number: int, last: Farewell | None, payload: bytes) -> "Deferred[Any]":
        around, (peer, device) = self._route.router.around, self._route.peer
        fields = {
            "kind": FROM_APP,
            "label": self._route.label,
            "client": self._number,
            "number": number,
            "closed": last is not None,
            "code": last.code if last is not None else 0,
            "reason": last.reason if last is not None else "",
            "peer": str(self._socket.peer)[:64],
        }
        session = session_of(around.sessions, peer, device)
        return around.outbox.send(peer, Command.EVENT, fields, payload, deadline=DEADLINE, session=session)

    # what its node says

    async def pass_on(self, payload: bytes, last: Farewell | None) -> None:
        """Messages for the app; returns when it has room for more."""
        self._route.from_node += len(payload)
        self._route.updated = self._route.router.now()
        for data in messages(payload):
            self._socket.send(data)
        if last is not None:
            self._pipe.stop()
            self.close(last.code or GOING_AWAY, last.reason)
        elif self._full is not None:
            waiting: Deferred[None] = Deferred()
            self._full.addCallback(lambda _: waiting.callback(None))
            await waiting

    def close(self, code: int, reason: str) -> None:
        """Say good-bye to the app."""
        self._forget()
        self._socket.close(code, reason)

    def _forget(self) -> None:
        self._route.clients.pop(self._number, None)
        self.go_on()


class Router:
    """I keep ways from `start` to `stop`."""

    def __init__(
        self, around: Connected, addresses: Callable[[], list[str]], is_stranger: Callable[[bytes], bool]
    ) -> None:
        """``addresses`` are those at which peers find this node, as ``tcp://host:port``."""
        self.around = around
        self._addresses = addresses
        self._is_stranger = is_stranger
        self._routes: dict[str, Route] = {}
        self._sockets: FrameSockets | None = None
        self._port: Any = None
        self._count = int.from_bytes(around.world.entropy(5), "big")
        # Nodes may remember numbers of an earlier life of this router.

    def now(self) -> float:
        """Seconds since 1970."""
        return self.around.world.wall()

    async def start(self) -> None:
        """Open the port of the settings. Fails with ``port-taken``."""
        settings = self.around.settings
        number = int(settings.get("services/web-socket-router/port"))
        from bitdust.companions.sockets import FrameSockets  # noqa: PLC0415 - who is no router loads no WebSockets

        self._sockets = FrameSockets(self.around.world.clock, self._accept, MOST_CLIENTS)
        try:
            self._port = await self.around.world.network.server(number).listen(self._sockets)
        except CannotListenError as error:
            text = f"port {number} of this machine cannot be used ({error.socketError})"
            raise BitDustError("port-taken", text) from error

    async def stop(self) -> None:
        """Keep no way any more."""
        port, self._port = self._port, None
        for route in list(self._routes.values()):
            route.machine.send("stop")
        if port is not None:
            await port.stopListening()
        sockets, self._sockets = self._sockets, None
        if sockets is not None:
            sockets.break_off()

    @property
    def is_open(self) -> bool:
        """Whether apps can connect."""
        return self._port is not None

    def rows(self) -> list[Row]:
        """What a router takes from nodes."""
        ask, cancel = Command.REQUEST_SERVICE, Command.CANCEL_SERVICE
        return [
            Row(ask, SERVICE, WISH, 0, Who.ANYONE, SERVICE, self._wanted, becomes=("web_socket_route", "wanted")),
            Row(cancel, SERVICE, WISH, 0, Who.ANYONE, SERVICE, self._unwanted, becomes=("web_socket_route", "stop")),
            Row(
                Command.EVENT, FOR_APP, FRAMES, MAX_PACKET, Who.ANYONE, SERVICE, self._pass_on,
                gathers=True, cost=PACE,
            ),
        ]  # fmt: skip

    def info(self) -> Shown:
        """As ``device_router_info`` answers."""
        rows = [route.shown() for route in self._routes.values()]
        return {
            "routes": rows,
            "nodes_bytes": sum(row["node_bytes"] for row in rows),
            "clients_bytes": sum(row["client_bytes"] for row in rows),
        }

    def url_of(self, route: Route) -> str:
        """Where an app connects to get on it."""
        said = str(self.around.settings.get("services/web-socket-router/host"))
        if said.startswith(("ws://", "wss://")):
            return f"{said.rstrip('/')}/?r={route.name}"
        host = said or next((where.removeprefix("tcp://").rpartition(":")[0] for where in self._addresses()), "")
        port = self._port.getHost().port if self._port is not None else 0
        return f"ws://{host or '127.0.0.1'}:{port}/?r={route.name}"

    def _network_of(self, peer: tuple[bytes, bytes]) -> str:
        """Of a stranger's node; empty for the household, and for who is none."""
        session = session_of(self.around.sessions, *peer) if self._is_stranger(peer[0]) else None
        return network_name(self.around.settings, session.address) if session is not None else ""

    def _strangers(self) -> list[Route]:
        return [route for route in self._routes.values() if route.network]

    def forget(self, route: Route) -> None:
        """It is over."""
        self._routes.pop(route.name, None)

    # nodes

    def _wanted(self, request: Request) -> Answer:
        if not self.is_open:
            raise BitDustError("no-service", "this router does not listen")
        peer, label = (request.peer.fingerprint, request.peer.device), request.fields["label"]
        route = self._routes.get(name_of(peer, label))
        if route is None:
            network = self._network_of(peer)
            self._need_place(peer, network)
            route = Route(self, peer, label, network)
            self._routes[route.name] = route
        route.live(request.fields["life"])
        return ack(url=self.url_of(route), device=self.around.me.device.id)

    def _need_place(self, peer: tuple[bytes, bytes], network: str) -> None:
        of_one = sum(one.peer[0] == peer[0] for one in self._routes.values())
        is_full = len(self._routes) >= MOST_ROUTES or of_one >= MOST_OF_ONE
        if network:
            strangers = [one.network for one in self._strangers()]
            is_full = is_full or len(strangers) >= MOST_OF_STRANGERS or strangers.count(network) >= MOST_OF_NETWORK
        if is_full:
            raise BitDustError("busy", "this router keeps no more ways; ask another one")

    def _route_of(self, request: Request) -> Route:
        route = self._routes.get(name_of((request.peer.fingerprint, request.peer.device), request.fields["label"]))
        if route is None:
            raise WireError("not-found", "there is no such way of yours")
        return route

    def _unwanted(self, request: Request) -> Answer:
        self._route_of(request).machine.send("stop")
        return ack()

    async def _pass_on(self, request: Request) -> Answer:
        route, fields = self._route_of(request), request.fields
        client = route.clients.get(fields["client"])
        payload = await request.payload.read_all(MAX_PACKET)
        if client is None:
            raise WireError("not-found", "this app is gone")
        if client.order.is_new(fields["number"]):
            last = Farewell(fields["code"], fields["reason"]) if fields["closed"] else None
            await client.pass_on(payload, last)
        return ack()

    # apps

    def _accept(
        self, socket: "FrameSocket", headers: Mapping[str, str], params: Mapping[str, list[str]]
    ) -> Callable[[], Client]:
        route = self._routes.get((params.get("r") or [""])[0])
        if route is None:
            raise Refused(404, "there is no such way")
        if len(route.clients) >= MOST_ON_ROUTE:
            raise Refused(503, "too many are connected on this way")
        if route.network:
            strangers = [(one.network, len(one.clients)) for one in self._strangers()]
            of_network = sum(count for network, count in strangers if network == route.network)
            if of_network >= CLIENTS_OF_NETWORK or sum(count for _, count in strangers) >= CLIENTS_OF_STRANGERS:
                raise Refused(503, "too many are connected on ways like this one")
        return lambda: self._connected(route, socket)

    def _connected(self, route: Route, socket: "FrameSocket") -> Client:
        self._count += 1
        client = route.clients[self._count] = Client(route, self._count, socket)
        return client
