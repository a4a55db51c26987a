"""A supplier reports to its customers what its disk has lost, before they find out by themselves.

Who is not connected finds out when it comes: it asks for a list, and what is lost is not in it.
"""

from collections.abc import Sequence

from twisted.logger import Logger

from bitdust.customers.names import PieceName
from bitdust.surroundings import Connected
from bitdust.wire.packet import Command
from bitdust.wire.records import MAX_SUPPLIERS
from bitdust.wire.schema import Bytes, Choice, Int, ListOf, Schema, Struct

KIND = "lost"
MOST = 64
FIELDS: dict[str, Schema] = {
    "kind": Choice((KIND,)),
    "pieces": ListOf(Struct({"pack": Bytes(16), "index": Int(0, MAX_SUPPLIERS - 1)}), MOST, 1),
}
"""Of the packet, as a customer checks them."""
SEND_SECONDS = 15.0


class Losses:
    """I send the reports."""

    log = Logger()

    def __init__(self, around: Connected) -> None:
        self._sessions = around.sessions
        self._outbox = around.outbox

    def report(self, lost: Sequence[PieceName]) -> None:
        """Report pieces to those customers of them who are connected."""
        for customer in dict.fromkeys(name.customer for name in lost):
            mine = [name for name in lost if name.customer == customer]
            if self._sessions.connected(customer):
                for start in range(0, len(mine), MOST):
                    self._send(customer, mine[start : start + MOST])

    def _send(self, customer: bytes, lost: Sequence[PieceName]) -> None:
        fields = {"kind": KIND, "pieces": [{"pack": name.pack, "index": name.number} for name in lost]}
        sending = self._outbox.send(customer, Command.DATA, fields, deadline=SEND_SECONDS)
        sending.addErrback(lambda failure: self.log.info("lost pieces were not reported: {why}", why=failure.value))
