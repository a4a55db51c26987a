"""How one piece gets to a supplier: alone, or with the next packet of the log when it is small."""

from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from bitdust.formats.log_packet import SmallPiece
from bitdust.identity.me import Me
from bitdust.outcome import Outcome
from bitdust.ports import Reply
from bitdust.storage.log.riders import Riders
from bitdust.storage.pieces.queue import Progress
from bitdust.storage.ports import PieceHolders
from bitdust.wire.packet import Command
from bitdust.wire.records import PackRecord

SILENCE = 30.0


class PieceSender:
    """I sign the pack record of a piece and send both."""

    def __init__(self, me: Me, ports: PieceHolders, riders: Riders) -> None:
        self._me = me
        self._ports = ports
        self._riders = riders

    def send(self, supplier: bytes, record: PackRecord, index: int, data: bytes, progress: Progress) -> "Deferred[Any]":
        """Fires when the supplier holds the piece; fails with what it answered."""
        signed = self._me.sign(record.KIND, record.to_body()).to_bytes()
        fields = {"kind": "piece", "index": index, "record": signed}

        def alone() -> "Deferred[Any]":
            sending: Deferred[Any] = self._ports.outbox.send(
                supplier, Command.DATA, fields, data, deadline=SILENCE, progress=progress
            )
            return sending.addCallbacks(acknowledged, refused)

        def acknowledged(reply: Reply) -> Reply:
            self._ports.note_answer(supplier, reply)
            return reply

        def refused(failure: Failure) -> Failure:
            self._ports.note_refusal(supplier, Outcome(error=failure.value).code)
            return failure

        return self._riders.offer(supplier, record.pack, SmallPiece(index, signed, data), alone)
