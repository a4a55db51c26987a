"""News to customers: what one device has brought is reported to the owner's other devices at once.

They compare for themselves: a report says which kinds of records have changed, and nothing of what is in them.
"""

from typing import Any

from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from bitdust.outcome import Outcome, outcome
from bitdust.surroundings import Connected
from bitdust.wire.news import KIND
from bitdust.wire.packet import Command

GATHER = 0.1
"""Seconds in which what is brought gathers for one report."""
SEND_SECONDS = 15.0
Brought = set[tuple[str, bytes]]
"""Kinds of records, each with the device that brought one."""


class News:
    """I report to devices that have a session with me; whoever comes later compares anyway."""

    log = Logger()

    def __init__(self, around: Connected) -> None:
        self._clock = around.world.clock
        self._sessions = around.sessions
        self._outbox = around.outbox
        self._waiting: dict[bytes, Brought] = {}
        self._calls: dict[bytes, IDelayedCall] = {}
        self._sending: set[tuple[bytes, bytes]] = set()

    def report(self, customer: bytes, device: bytes, record: str) -> None:
        """A device of a customer has brought a record of this kind."""
        self._waiting.setdefault(customer, set()).add((record, device))
        if customer not in self._calls:
            self._calls[customer] = self._clock.callLater(GATHER, self._send, customer)

    def stop(self) -> None:
        """Report nothing any more."""
        calls, self._calls, self._waiting = self._calls, {}, {}
        for call in calls.values():
            call.cancel()

    def _send(self, customer: bytes) -> None:
        """A device that has not answered yet is reported to when it has."""
        del self._calls[customer]
        brought = self._waiting.pop(customer, set())
        late: Brought = set()
        for session in self._sessions.sessions():
            peer = session.peer
            records = sorted({record for record, device in brought if device != peer.device})
            if peer.fingerprint != customer or not records:
                continue
            if (customer, peer.device) in self._sending:
                late |= {(record, device) for record, device in brought if device != peer.device}
                continue
            self._sending.add((customer, peer.device))
            fields: dict[str, Any] = {"kind": KIND, "records": records}
            sending = self._outbox.send(customer, Command.EVENT, fields, deadline=SEND_SECONDS, session=session)
            outcome(sending).addCallback(self._sent, customer, peer.device)
        if late:
            self._waiting[customer] = late

    def _sent(self, answer: Outcome, customer: bytes, device: bytes) -> None:
        self._sending.discard((customer, device))
        if answer.error is not None:
            self.log.debug("a device was not reported to: {why}", why=answer.error)
        for record, brought_by in self._waiting.get(customer, set()).copy():
            self.report(customer, brought_by, record)
