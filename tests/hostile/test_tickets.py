"""Tickets for WebSockets in hands that they were not made for."""

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from bitdust.api import issued_tickets
from bitdust.api.issued_tickets import SECONDS, Tickets
from tests.api.fakes import FakeContext
from tests.hostile.test_websocket import SocketCase


class TicketTests(SocketCase):
    """A ticket at a real listener."""

    async def opens(self, query: str, **headers: str) -> bool:
        """Whether a socket is opened by what the address says, without the secret."""
        raw = await self.connect(query, secret=False, **headers)
        status = raw.heard.partition(b"\r\n")[0]
        self.assertTrue(b" 101 " in status or b" 401 " in status or b" 403 " in status, status)
        return b" 101 " in status

    async def test_once(self) -> None:
        """It opens one socket; a second one that shows it is refused as one with a wrong secret is, and counted."""
        ticket = self.context.tickets.issue()
        self.assertTrue(await self.opens(f"ticket={ticket}"))
        for wrong in (f"ticket={ticket}", "ticket=", "ticket=x", f"ticket={self.secret}"):
            self.assertFalse(await self.opens(wrong), wrong)
        self.assertEqual(self.context.events.counts()["web-socket-access-denied"], 4)

    async def test_two_are_none(self) -> None:
        """An address with several tickets opens nothing."""
        first, second = self.context.tickets.issue(), self.context.tickets.issue()
        self.assertFalse(await self.opens(f"ticket={first}&ticket={second}"))

    async def test_a_page_from_elsewhere(self) -> None:
        """A ticket does not help a page of another origin, which does not use it up either."""
        ticket = self.context.tickets.issue()
        self.assertFalse(await self.opens(f"ticket={ticket}", Origin="https://evil.example"))
        self.assertTrue(await self.opens(f"ticket={ticket}"))


class IssuedTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.tickets = Tickets(FakeContext(self.clock, self.mktemp()).world)

    def test_soon(self) -> None:
        """After half a minute it opens nothing."""
        early, late = self.tickets.issue(), self.tickets.issue()
        self.clock.advance(SECONDS - 1)
        self.assertTrue(self.tickets.redeem(early))
        self.clock.advance(1)
        self.assertFalse(self.tickets.redeem(late))

    def test_not_kept_as_they_are(self) -> None:
        """Who reads the memory of the node finds no ticket, and who asks for tickets without end fills nothing."""
        self.patch(issued_tickets, "MOST", 3)
        tickets = [self.tickets.issue() for _ in range(4)]
        self.assertNotIn(tickets[3], repr(vars(self.tickets)))
        self.assertEqual([self.tickets.redeem(one) for one in tickets], [False, True, True, True])
