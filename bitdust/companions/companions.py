"""All companions of this node: added, let in, shut out, and the lines that they come on."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.logger import Logger

from bitdust.companions.book import LABEL, Book, Record, check_name
from bitdust.companions.companion import Companion
from bitdust.companions.grants import Grant
from bitdust.companions.pipe import FRAMES, FROM_APP, MAX_PACKET
from bitdust.companions.ports import Desk, Refused, Routers
from bitdust.companions.ports import Row as Shown
from bitdust.companions.routes import Routes
from bitdust.outcome import unbroken
from bitdust.peers.waking import Waking
from bitdust.surroundings import Connected
from bitdust.wire.encoding import WireError
from bitdust.wire.errors import BitDustError
from bitdust.wire.packet import Command
from bitdust.wire.table import Answer, Request, Row, Who
from bitdust.wiring import Wire

if TYPE_CHECKING:
    from bitdust.companions.sockets import FrameSocket, FrameSockets

SERVICE = "service_web_socket_communicator"
DEFAULT_PORT = 8281
MOST_SOCKETS = 16
LOOPBACK = {"localhost": "127.0.0.1", "127.0.0.1": "127.0.0.1", "::1": "::1"}
PACE = 10.0
SOON = 5.0
"""Seconds over which ways through routers are searched, at the start and when the network is back: an app is not to
miss this node for longer than friends do."""


@frozen
class Wish:
    """What somebody says of a companion that is to be added."""

    name: str
    routed: bool
    host: str = "localhost"
    port: int | None = None


class PortDoor:
    """The `Door` of a companion on this machine."""

    def __init__(self, listening: Any, sockets: "FrameSockets") -> None:
        self._listening = listening
        self._sockets = sockets

    @property
    def port(self) -> int:
        """The one that was really bound."""
        return int(self._listening.getHost().port)

    @property
    def is_open(self) -> bool:
        """Whether the port is open still."""
        return bool(self._listening.connected)

    def urls(self) -> list[str]:
        host = self._listening.getHost().host
        return [f"ws://{f'[{host}]' if ':' in host else host}:{self.port}/"]

    def close(self) -> None:
        self._listening.stopListening()


class Companions:
    """I let in those that are active, from `start` to `stop`."""

    log = Logger()
    routers = Wire(Routers)

    def __init__(self, around: Connected, folder: Path) -> None:
        self._around = around
        self.book = Book(folder, around.world.run_in_thread)
        self.desk: Desk | None = None
        self.running: dict[str, Companion] = {}
        self.is_on = False
        self._waking = Waking(around.world, SOON)
        self.problems: dict[str, str] = {}
        """Why those that should run do not, by name."""

    def load(self) -> None:
        """Read from the home."""
        self.book.load()

    async def start(self) -> None:
        """Take lines of all that are active."""
        self.is_on = True
        for name in list(self.book.known):
            record = self.book.known.get(name)
            if self.is_on and record is not None and record.active and name not in self.running:
                try:
                    await self._run(record, self._start_soon)
                except (BitDustError, OSError) as error:
                    self.problems[record.name] = str(error)
                    self.log.warn("device {name}: {problem}", name=record.name, problem=str(error))

    def _start_soon(self, routes: Routes) -> None:
        """All that were let in look for routers at this moment."""
        self._waking.wake(routes.ways, lambda way: way.machine.send("start"))

    def stop(self) -> None:
        """Take no more lines; those that are open end."""
        self.is_on = False
        self._waking.stop()
        for companion in list(self.running.values()):
            companion.stop()
        self.problems.clear()

    def network_is_back(self) -> None:
        """Routers that were not found may be found now."""
        doors = [companion.door for companion in self.running.values()]
        ways = [way for door in doors if isinstance(door, Routes) for way in door.ways]
        self._waking.wake(ways, lambda way: way.machine.send("network-back"))

    def rows(self) -> list[Row]:
        """What routers bring."""
        event = Command.EVENT
        return [
            Row(event, FROM_APP, FRAMES, MAX_PACKET, Who.ANYONE, SERVICE, self._arrived, gathers=True, cost=PACE),
        ]

    def deaf(self) -> list[str]:
        """Names of those whose port on this machine was open, and is not any more."""
        doors = {name: companion.door for name, companion in self.running.items()}
        return [name for name, door in doors.items() if isinstance(door, PortDoor) and not door.is_open]

    def rows_shown(self) -> list[Shown]:
        """All of them, those whose files cannot be read as well."""
        damaged = [{"name": name, "active": False, "problem": why} for name, why in self.book.damaged.items()]
        return [*(self.shown(record) for record in self.book.known.values()), *damaged]

    # one of them

    async def add(self, wish: Wish) -> Record:
        """Known from now on, inactive. Raises `BitDustError`."""
        world, host = self._around.world, wish.host or "localhost"
        if host not in LOOPBACK and not wish.routed:
            text = f"a device connects on this machine ({', '.join(LOOPBACK)}) or through a router: routed=true"
            raise BitDustError("bad-argument", text)
        port = DEFAULT_PORT if wish.port is None else wish.port
        label, key, now = world.entropy(LABEL), world.entropy(32), int(world.wall())
        record = Record(check_name(wish.name), wish.routed, host, port, False, key, label, now)
        await self.book.add(record)
        self._around.events.send("device-added", {"name": record.name, "routed": record.routed})
        return record

    async def open(self, name: str) -> Companion:
        """Active from now on, after a restart as well.

        Raises `BitDustError` ``not-found`` or ``port-taken``, `OSError`.
        """
        return await unbroken(self._open(name))

    async def _open(self, name: str) -> Companion:
        record = await self.book.change(name, active=True)
        running = self.running.get(name)
        return running if running is not None else await self._run(record)

    async def shut(self, name: str, deactivate: bool = True) -> Record:
        """Its lines end before this returns; with ``deactivate`` it stays so after a restart."""
        record = self.book.of(name)
        self._end(name)
        if deactivate:
            record = await self.book.change(name, active=False)
            self._end_outdated(name)
        return record

    async def reset(self, name: str) -> Record:
        """Whoever was let in is let in no more, and its lines end before this returns."""
        record = self.book.of(name)
        self._end(name)
        blank = record.without_app(self._around.world.entropy(32))
        record = await self.book.change(name, app_key=b"", authorized=0, node_key=blank.node_key)
        self._end_outdated(name)
        return record

    async def remove(self, name: str) -> None:
        """Known no more."""
        self._end(name)
        await self.book.remove(name)
        self._end_outdated(name)
        self._around.events.send("device-removed", {"name": name})

    async def grant(self, name: str, app_key: bytes) -> Grant:
        """Let in whoever has a key that the person of this node got from it by a way of its own."""
        if name in self.running:
            raise BitDustError("device-started", f"stop the device first: bitdust device stop {name}")
        record = await self.book.change(name, app_key=app_key, authorized=int(self._around.world.wall()))
        self._around.events.send("device-authorized", {"name": name, "routed": record.routed})
        return Grant.of(self._around.me, record)

    async def client_code(self, name: str, code: str) -> None:
        """As `Companion.client_code`."""
        self.book.of(name)
        companion = self.running.get(name)
        if companion is None:
            raise BitDustError("not-ready", f"the device is not started: bitdust device start {name}")
        await companion.client_code(code)

    def shown(self, record: Record) -> Shown:
        """As ``device_info``."""
        companion = self.running.get(record.name)
        urls = companion.door.urls() if companion is not None and companion.door is not None else []
        return {
            "name": record.name,
            "active": record.active,
            "authorized": bool(record.app_key),
            "meta": {
                "routed": record.routed,
                "host": record.host,
                "port_number": None if record.routed else record.port,
                "created": record.created,
                "authorized": record.authorized or None,
                "server_public_key": record.node_public.hex(),
                "client_public_key": record.app_key.hex() or None,
            },
            "url": urls[0] if urls else None,
            "problem": self._problem(record, companion, urls),
            "instance": companion.shown() if companion is not None else None,
        }

    def _problem(self, record: Record, companion: Companion | None, urls: list[str]) -> str:
        if companion is not None and record.routed and not urls:
            return "no router carries it yet"
        return self.problems.get(record.name, "")

    def _end(self, name: str) -> None:
        companion = self.running.get(name)
        if companion is not None:
            companion.stop()

    def _end_outdated(self, name: str) -> None:
        """It may have been opened while it was written that it is shut out."""
        companion, record = self.running.get(name), self.book.known.get(name)
        if companion is not None and (
            record is None or not record.active or record.node_key != companion.record.node_key
        ):
            companion.stop()

    # what companions tell

    def started(self, companion: Companion) -> None:
        """It takes lines from now on."""
        self.running[companion.record.name] = companion
        self.problems.pop(companion.record.name, None)

    def ended(self, companion: Companion) -> None:
        """It takes none any more."""
        if self.running.get(companion.record.name) is companion:
            del self.running[companion.record.name]
            if companion.reason:
                self.problems[companion.record.name] = companion.reason

    # doors

    async def _run(self, record: Record, search: Callable[[Routes], None] = Routes.start) -> Companion:
        if not self.is_on:
            raise BitDustError("service-off", f"{SERVICE}() is not started")
        companion = Companion(self._around, self, record)
        self.started(companion)
        try:
            if record.routed:
                routes = Routes(self._around, companion, lambda: self.routers, lambda: self._moved(companion))
                companion.door = routes
                companion.start()
                search(routes)
            else:
                door = await self._listen(companion, record)
                if companion.is_over:
                    door.close()
                    raise BitDustError("not-ready", "the device was stopped in the meantime")
                companion.door = door
                companion.start()
        except BaseException:
            companion.stop()
            raise
        return companion

    async def _listen(self, companion: Companion, record: Record) -> PortDoor:
        from bitdust.companions.sockets import FrameSockets  # noqa: PLC0415 - who lets no app in loads no WebSockets

        sockets = FrameSockets(self._around.world.clock, self._accepting(companion), MOST_SOCKETS)
        network, host = self._around.world.network, LOOPBACK[record.host]
        try:
            listening: Any = await network.server(record.port, host).listen(sockets)
        except CannotListenError as error:
            if record.port != DEFAULT_PORT:
                text = f"port {record.port} of this machine cannot be used ({error.socketError})"
                raise BitDustError("port-taken", text) from error
            listening = await network.server(0, host).listen(sockets)
        door = PortDoor(listening, sockets)
        if door.port != record.port:
            await self._note_port(companion, door)
        return door

    async def _note_port(self, companion: Companion, door: PortDoor) -> None:
        try:
            companion.record = await self.book.change(companion.record.name, port=door.port)
        except BaseException:
            door.close()
            raise

    def _accepting(self, companion: Companion) -> Callable[..., Callable[[], Any]]:
        def accept(
            socket: "FrameSocket", headers: Mapping[str, str], params: Mapping[str, list[str]]
        ) -> Callable[[], Any]:
            if self.desk is None:
                raise Refused(503, "the API of this node is closed")
            refusal = self.desk.refusal(headers)
            if refusal is not None:
                raise Refused(*refusal)
            return lambda: companion.accept(socket)

        return accept

    def _moved(self, companion: Companion) -> None:
        """The ways to a companion are others now: those who are connected hear so, and the next start asks there."""
        companion.publish()
        routes = companion.door
        if isinstance(routes, Routes) and routes.used() and not companion.is_over:
            keeping = self.book.change(companion.record.name, routers=routes.used())
            Deferred.fromCoroutine(keeping).addErrback(lambda failure: self.log.failure("not kept: routers", failure))

    async def _arrived(self, request: Request) -> Answer:
        for companion in self.running.values():
            if isinstance(companion.door, Routes) and companion.record.label == request.fields["label"]:
                return await companion.door.way_of(request.peer.fingerprint).received(request)
        raise WireError("not-found", "there is no such device here")
