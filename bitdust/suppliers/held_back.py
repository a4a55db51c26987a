"""What devices of mine have ordered suppliers to destroy, and suppliers hold back: any other device may undo it.

A supplier reports that it holds something back to all devices that are connected; whoever comes later asks. What is
known here is what suppliers said last.
"""

from typing import Any

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from bitdust.formats.orders import DECISION_KIND, Decision
from bitdust.identity.countersigning import countersignature
from bitdust.outcome import Outcome, outcome, outcomes
from bitdust.peers.shown import show_name
from bitdust.signal import Signal
from bitdust.surroundings import Connected
from bitdust.wire.encoding import decode
from bitdust.wire.errors import BitDustError
from bitdust.wire.news import DELETIONS
from bitdust.wire.packet import Command
from bitdust.wire.schema import Bytes, Flag, Int, ListOf, Schema, Struct

SECONDS = 15.0
MOST = 64
MAX_ANSWER = 16 * 1024
_ROWS: Schema = ListOf(
    Struct({"device": Bytes(8), "end": Flag(), "until": Int(), "packs": Int(), "bytes": Int()}), MOST
)


@frozen
class HeldBack:
    """What one device has ordered at one supplier: to end the contract, or to delete packs of so many bytes.

    All of it is done at ``until``, in seconds since the epoch.
    """

    supplier: bytes
    device: bytes
    is_end: bool
    until: int
    packs: int
    size: int


class HeldBackOrders:
    """I ask suppliers what they hold back, and bring them what a person decides.

    ``kept`` is emitted when a supplier holds back no more what is not due yet: it lists these packs again.
    """

    log = Logger()

    def __init__(self, around: Connected) -> None:
        self._me = around.me
        self._events = around.events
        self._identities = around.identities
        self._wall = around.world.wall
        self._outbox = around.outbox
        self._known: dict[bytes, list[HeldBack]] = {}
        self.kept: Signal[[]] = Signal()

    def all(self) -> list[HeldBack]:
        """What was not due yet when suppliers were asked last, what is due first before the rest.

        What a device ordered that was revoked since does not happen.
        """
        now = self._wall()
        found = [one for held in self._known.values() for one in held if one.until > now and self._counts(one.device)]
        return sorted(found, key=lambda one: (one.until, one.supplier, one.device, one.is_end))

    def _counts(self, ident: bytes) -> bool:
        device = self._me.document.device(ident)
        return device is None or device.revoked is None

    def ask(self, supplier: bytes) -> "Deferred[None]":
        """Ask a supplier; never fails."""
        return outcome(Deferred.fromCoroutine(self._ask(supplier))).addCallback(self._answered, supplier)

    async def _ask(self, supplier: bytes) -> list[HeldBack]:
        reply = await self._outbox.send(
            supplier, Command.RETRIEVE, {"kind": DELETIONS}, deadline=SECONDS, max_answer=MAX_ANSWER
        )
        rows: Any = decode(bytes(reply.payload), MAX_ANSWER)
        _ROWS.check(rows, "deletions")
        return [HeldBack(supplier, one["device"], one["end"], one["until"], one["packs"], one["bytes"]) for one in rows]

    def _answered(self, answer: Outcome, supplier: bytes) -> None:
        if answer.error is not None:
            self.log.debug("a supplier does not say what it holds back: {why}", why=answer.error)
            return
        before = {(one.device, one.is_end): one for one in self._known.pop(supplier, [])}
        if answer.value:
            self._known[supplier] = answer.value
        left = {(one.device, one.is_end) for one in answer.value}
        if any(one.packs and one.until > self._wall() for key, one in before.items() if key not in left):
            self.kept.emit()
        for one in answer.value:
            known = before.get((one.device, one.is_end))
            if known is None or known.packs < one.packs:
                self._events.send("deletion-held-back", self.row(one))

    def row(self, one: HeldBack) -> dict[str, Any]:
        """As lists and events show it."""
        device = self._me.document.device(one.device)
        return {
            "supplier": show_name(self._identities, one.supplier),
            "device": device.number if device is not None else None,
            "device_id": one.device.hex(),
            "this_device": one.device == self._me.device.id,
            "what": "contract-end" if one.is_end else "delete",
            "packs": one.packs,
            "bytes": one.size,
            "until": one.until,
        }

    def decide(self, device: bytes, undo: bool) -> "Deferred[int]":
        """Undo or confirm what a device has ordered; fires with how many suppliers have obeyed.

        Fails ``not-found`` where nothing of it is held back, and as suppliers do where none has obeyed.
        """
        return Deferred.fromCoroutine(self._decide(device, undo))

    async def _decide(self, device: bytes, undo: bool) -> int:
        until = {one.supplier: one.until for one in self.all() if one.device == device}
        if not until:
            raise BitDustError("not-found", "no supplier holds back what this device has ordered")
        for one in self.all():
            if one.device == device:
                until[one.supplier] = max(until[one.supplier], one.until)
        answers = await outcomes(self._send(supplier, device, undo, last) for supplier, last in until.items())
        await outcomes(self.ask(supplier) for supplier in until)
        obeyed = sum(answer.error is None for answer in answers)
        if not obeyed and answers[0].error is not None:
            raise answers[0].error
        return obeyed

    def _send(self, supplier: bytes, device: bytes, undo: bool, until: int) -> "Deferred[Any]":
        decision = Decision(self._me.fingerprint, supplier, device, undo, until)
        signed = self._me.sign(DECISION_KIND, decision.to_body())
        fields = {"kind": DELETIONS, **countersignature(self._me.held_master, signed)}
        return self._outbox.send(supplier, Command.CANCEL_SERVICE, fields, signed.to_bytes(), deadline=SECONDS)
