"""What my person was let into, from device to device: those that have a session with each other bring it directly.

All of it stands in the key ring, which suppliers keep for all devices; this is for a person who has none.
"""

from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall

from bitdust.crypt.keyring import KeyRing
from bitdust.crypt.ring_room import MAX_RING
from bitdust.crypt.shares import not_ahead
from bitdust.peers.own_devices import OwnDevices
from bitdust.replication import members
from bitdust.shares.ports import MyFamily
from bitdust.shares.received import Received
from bitdust.surroundings import Connected
from bitdust.wire.encoding import WireError
from bitdust.wire.packet import Command
from bitdust.wire.schema import Choice, Struct
from bitdust.wire.table import Answer, Request, Row, Who, ack

SERVICE, KIND = "service_key_exchange", "shares"
FIELDS = Struct({"kind": Choice((KIND,))})
COST = 50.0
"""What joining them costs, beside a ping."""
GATHERED = 1.0
"""Seconds in which what changes goes in one packet: each has the whole list."""


class AmongDevices:
    """I bring other devices what this one was given and what was done with it, and join what they bring, from `start`
    to `stop`."""

    def __init__(self, around: Connected, family: MyFamily, received: Received) -> None:
        self._around = around
        self._family = family
        self._received = received
        self._own = OwnDevices(around, Command.KEY, KIND, self._given)
        self._removers: list[Callable[[], None]] = []
        self._timer: IDelayedCall | None = None

    def row(self) -> Row:
        """What other devices of mine bring."""
        return Row(
            Command.KEY, KIND, FIELDS, MAX_RING, Who.DEVICE, SERVICE, self._brought, gathers=True, cost=COST,
            becomes=("shared_access_coordinator", "news"),
        )  # fmt: skip

    def start(self) -> None:
        """Bring it to whoever comes, and to all when it changes."""
        self._removers = [
            self._around.sessions.on_session(self._own.met),
            self._received.changed.connect(lambda share: self._bring_soon()),
            self._family.changed.connect(self._own.bring_to_all),
        ]
        self._own.bring_to_all()

    def stop(self) -> None:
        """Bring nothing any more."""
        removers, self._removers = self._removers, []
        for remove in removers:
            remove()
        if self._timer is not None and self._timer.active():
            self._timer.cancel()

    def _bring_soon(self) -> None:
        if self._timer is None or not self._timer.active():
            self._timer = self._around.world.clock.callLater(GATHERED, self._own.bring_to_all)

    def _given(self) -> bytes | None:
        shares = self._around.me.key_ring.shares
        return KeyRing(shares=shares).to_bytes() if shares and not members(self._family.current) else None

    async def _brought(self, request: Request) -> Answer:
        ring = KeyRing.from_bytes(await request.payload.read_all(MAX_RING))
        if ring.keys:
            raise WireError("bad-field", "own keys of a person go to other devices with the whole ring alone")
        self._received.join(not_ahead(ring.shares, self._around.world.wall()))
        return ack()
