"""One companion while it may come: who is being let in, and the lines that are open."""

from hmac import compare_digest
from typing import Any, Protocol

from twisted.internet.defer import Deferred

from bitdust.automats.companion_session import REFUSED
from bitdust.automats.encrypted_web_socket import EncryptedWebSocket
from bitdust.automats.kernel import MachineFinished
from bitdust.companions.book import Book, Record
from bitdust.companions.line import Line
from bitdust.companions.ports import GOING_AWAY, TRY_LATER, Carrier, Desk, Row, Talk
from bitdust.crypt.comparison import Codes
from bitdust.surroundings import Connected
from bitdust.wire.errors import BitDustError

MOST_LINES = 16


class Door(Protocol):
    """Where its lines come in: a port of this machine, or routes at routers."""

    def urls(self) -> list[str]:
        """Where the companion connects; empty while nobody can."""

    def close(self) -> None:
        """Let nobody in any more."""


class House(Protocol):
    """What all companions share."""

    book: Book
    desk: Desk | None

    def started(self, companion: "Companion", /) -> None: ...

    def ended(self, companion: "Companion", /) -> None: ...


class Companion:
    """I let one app in, and shut it out at once when I end."""

    def __init__(self, around: Connected, house: House, record: Record) -> None:
        self._around = around
        self._house = house
        self.record = record
        self.door: Door | None = None
        self.lines: dict[Line, None] = {}
        self._pairing: Line | None = None
        self._codes: Codes | None = None
        self.reason = ""
        """Why it has ended by itself; empty while it has not."""
        self.machine = EncryptedWebSocket(around.registry, record.name, self)

    def start(self) -> None:
        """Lines may come."""
        self.machine.send("start")

    def stop(self) -> None:
        """No more of them, and those that are open end now."""
        self.machine.send("stop")

    @property
    def is_over(self) -> bool:
        """Whether it takes no more lines."""
        return self.machine.state == "CLOSED"

    def shown(self) -> Row:
        """As ``instance`` of ``device_info``."""
        return {
            "index": self.machine.index,
            "id": self.machine.id,
            "name": "encrypted_web_socket",
            "state": self.machine.state,
            "server_code": self._codes.node if self._codes is not None else None,
            "connections": sum(line.machine.state == "OPEN" for line in self.lines),
            "connected_routers": self.door.urls() if self.record.routed and self.door is not None else [],
        }

    # lines

    def accept(self, carrier: Carrier) -> Line | None:
        """The line of somebody who has connected; None where there are too many."""
        if len(self.lines) >= MOST_LINES:
            stranger = next((line for line in self.lines if line.machine.state in ("HELLO?", "PROOF?", "KEYS?")), None)
            if stranger is None:
                carrier.close(TRY_LATER, f"{MOST_LINES} connections are open already")
                return None
            stranger.end(TRY_LATER, "others wait, and this one has shown nothing yet")
        line = Line(self._around, self, carrier)
        self.lines[line] = None
        return line

    def opened(self, line: Line) -> Talk | None:
        """It may speak to the API now."""
        if self._house.desk is None:
            line.end(GOING_AWAY, "the API of this node is closed")
            return None
        talk = self._house.desk.begin(line)
        if self.record.routed and self.door is not None:
            talk.push("routes", {"urls": self.door.urls()})
        self._send("device-connected", peer=line.carrier.peer)
        return talk

    def ended(self, line: Line) -> None:
        """Its connection is gone."""
        was_open = any(move.new == "OPEN" for move in line.machine.past)
        if self.lines.pop(line, line) is None and was_open:
            self._send("device-disconnected", peer=line.carrier.peer)
        if line is self._pairing:
            self._pairing = self._codes = None
            self.machine.send("failed")

    def publish(self) -> None:
        """Say to those who are connected where this node is found from now on."""
        for line in list(self.lines):
            if line.talk is not None and self.door is not None:
                line.talk.push("routes", {"urls": self.door.urls()})

    # letting in

    def may_pair(self) -> bool:
        return self.machine.state == "CLIENT_PUB?"

    def paired(self, line: Line) -> None:
        self._pairing = line
        self.machine.send("keys")

    def show(self, line: Line, shown: Codes) -> None:
        self._codes = shown
        self.machine.send("codes")

    def confirmed(self, line: Line) -> None:
        self.machine.send("server-code")

    async def client_code(self, code: str) -> None:
        """The code that the companion shows was typed here; returns when it is let in for good. Raises `BitDustError`
        ``not-ready``, ``wrong-code`` or ``handshake-failed``."""
        if self.machine.state != "CLIENT_CODE?":
            raise BitDustError("not-ready", _NOT_READY.get(self.machine.state, "nobody is being let in now"))
        failures, is_right = self.machine.failures, self.is_right(code)
        self.machine.send("client-code", code)
        if not is_right:
            left = "" if self.machine.state == "CLIENT_CODE?" else "; the device has to begin again"
            raise BitDustError("wrong-code", f"the device shows another code{left}")
        try:
            state = await self.machine.when("READY", "CLIENT_PUB?")
        except MachineFinished:
            state = "CLOSED"
        if state != "READY" or failures != self.machine.failures:
            raise BitDustError("handshake-failed", "the device could not be let in; try again")

    def is_authorized(self) -> bool:
        return self.record.app_key != b""

    def is_right(self, code: str) -> bool:
        return self._codes is not None and compare_digest(self._codes.device.encode(), code.encode())

    def keep(self) -> "Deferred[Any]":
        assert self._pairing is not None
        return Deferred.fromCoroutine(self._keep(self._pairing.app_key))

    async def _keep(self, key: bytes) -> None:
        now = int(self._around.world.wall())
        before = self.record.node_key
        record = await self._house.book.change(self.record.name, app_key=key, authorized=now)
        if record.node_key == before:
            self.record = record

    def welcome(self) -> None:
        line, self._pairing, self._codes = self._pairing, None, None
        self._send("device-authorized")
        if line is not None:
            line.say_authorized()

    def drop(self) -> None:
        line, self._pairing, self._codes = self._pairing, None, None
        if line is not None:
            line.end(REFUSED, "the codes were not confirmed")

    def end(self, reason: str) -> None:
        self.reason = reason
        self._pairing = self._codes = None
        for line in list(self.lines):
            line.end(REFUSED, "this device is shut out")
        door, self.door = self.door, None
        if door is not None:
            door.close()
        self._house.ended(self)

    def report(self, event: str) -> None:
        self._around.events.send(event, {"device": self.record.name} | self.shown())

    def _send(self, event: str, **more: Any) -> None:
        self._around.events.send(event, {"name": self.record.name, "routed": self.record.routed} | more)


_NOT_READY = {
    "CLIENT_PUB?": "no device has connected to be let in yet",
    "HANDSHAKE": "the device has not shown its code yet",
    "SERVER_CODE?": "first type the code of this node, server_code in device_info, on the device",
    "READY": "this device is let in already",
}
