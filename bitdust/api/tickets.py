"""Tickets: a word for one WebSocket, in the place of the secret, for programs that can only put it into the address.

Addresses end up in histories, in logs of proxies and in lists of processes. Whoever finds a ticket there finds one that
was used, or is too old.
"""

from bitdust.api.context import Context
from bitdust.api.envelope import Envelope, ok
from bitdust.api.table import Route, method


@method(Route("POST", "/websocket/ticket/v1"), returns="{ticket, seconds}", only_here=True)
def websocket_ticket(context: Context) -> Envelope:
    """A ticket that opens one WebSocket within so many seconds, as ``ws://localhost:8280/?ticket=…``: for pages, which
    cannot send the secret in a header and should not write it into an address."""
    return ok({"ticket": context.tickets.issue(), "seconds": context.tickets.seconds})
