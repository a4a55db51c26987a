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
        self._late: dict[tuple[bytes, bytes], set[str]] = {}
        """By customer and device that a report is on its way to, what has been brought since it began."""

    def report(self, customer: bytes, device: bytes, record: str) -> None:
        """A device of a customer has brought a record of this kind."""
        self._waiting.setdefault(customer, set()).add((record, device))
        if customer not in self._calls:
            self._calls[customer] = self._clock.callLater(GATHER, self._send, customer)

    def stop(self) -> None:
        """Report nothing any more."""
        calls, self._calls, self._waiting, self._late = self._calls, {}, {}, {}
        for call in calls.values():
            call.cancel()

    def _send(self, customer: bytes) -> None:
        del self._calls[customer]
        brought = self._waiting.pop(customer, set())
        for session in self._sessions.sessions():
            records = {record for record, device in brought if device != session.peer.device}
            if session.peer.fingerprint == customer and records:
                self._report_over(session, records)

    def _report_over(self, session: Any, records: set[str]) -> None:
        """A device that has not answered yet is reported to when it has."""
        customer, device = session.peer.fingerprint, session.peer.device
        if (customer, device) in self._late:
            self._late[customer, device] |= records
            return
        self._late[customer, device] = set()
        fields: dict[str, Any] = {"kind": KIND, "records": sorted(records)}
        sending = self._outbox.send(customer, Command.EVENT, fields, deadline=SEND_SECONDS, session=session)
        outcome(sending).addCallback(self._sent, customer, device)

    def _sent(self, answer: Outcome, customer: bytes, device: bytes) -> None:
        if answer.error is not None:
            self.log.debug("a device was not reported to: {why}", why=answer.error)
        late = self._late.pop((customer, device), set())
        for session in self._sessions.sessions() if late else ():
            if (session.peer.fingerprint, session.peer.device) == (customer, device):
                self._report_over(session, late)
