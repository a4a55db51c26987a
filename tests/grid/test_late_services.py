"""After an outage a session is there before the services behind it: what was asked too early is asked again soon."""

from bitdust.outcome import outcome
from bitdust.testing.grid import GridNode
from tests.grid.test_shares import SharesCase

SOON = 60.0
"""Seconds in which what can succeed has succeeded."""
LATE = 15.0
"""Seconds for which a session stands before the service behind it is ON."""


class LateCase(SharesCase):
    """Alice and Bob have four suppliers."""

    def lose(self, node: GridNode, seconds: float = 3600.0) -> None:
        """A node is cut off for an hour, and others count what they have tried in vain."""
        self.grid.network.cut = lambda one, other: node.address in (one, other)
        self.grid.pass_time(seconds)

    def comes_back(self, node: GridNode, service: str, *to: GridNode) -> None:
        """It is connected to these again, and one of its services starts a while later."""
        key = f"services/{service.replace('_', '-')}/enabled"
        node.node.settings.set(key, False)
        self.grid.until(lambda: not node.is_on(service), 60, "the end of the service")
        self.grid.network.cut = lambda one, other: False
        for other in to:
            while not other.rooms.gateway.connected(node.fingerprint):
                self.grid.wait(outcome(other.rooms.gateway.session_to(node.fingerprint)), 300)
        self.grid.run(LATE)
        node.node.settings.set(key, True)
        self.grid.until(lambda: node.is_on(service), 60, "the service")


class SharesTests(LateCase):
    def test_a_key_is_given(self) -> None:
        """Who was let in while away gets the key, though its node does not take keys yet when it is back; no service
        of the owner has to start again for that."""
        key = self.create()
        self.api(self.alice, "user_ping", user_id=self.name(self.bob))
        self.lose(self.bob, 60)
        self.envelope(self.alice, "share_grant", key_id=key, trusted_user_id=self.name(self.bob), timeout=5)
        self.lose(self.bob)
        stopped: list[str] = []
        self.alice.node.events.subscribe(lambda event: stopped.append(event.data["name"]), "service-stopped")
        self.comes_back(self.bob, "key_exchange", self.alice)
        self.grid.until(lambda: bool(self.api(self.bob, "shares_list")), SOON, "the key")
        self.assertEqual(stopped, [])

    def test_a_key_is_taken_back(self) -> None:
        """A supplier that was away when somebody was shut out learns it soon, though it keeps nothing for anybody yet
        when it is back."""
        key, away, withdrawals = self.create(), self.suppliers[0], self.alice.rooms.shares.withdrawals
        self.put(self.alice, key, "cake")
        self.grant(key)
        self.lose(away, 60)
        self.envelope(self.alice, "share_revoke", key_id=key, trusted_user_id=self.name(self.bob))
        self.lose(away)
        self.assertEqual(withdrawals.waiting(), 1)
        self.comes_back(away, "supplier", self.alice)
        self.grid.until(lambda: not withdrawals.waiting(), SOON, "the revocation")
