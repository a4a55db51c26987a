"""After an outage a session is there before the services behind it: what was asked too early is asked again soon."""

from twisted.internet.defer import succeed

from bitdust.identity.awaited import CATALOG
from bitdust.outcome import outcome
from bitdust.testing.grid import GridNode
from tests.grid.test_main_job import GridCase
from tests.grid.test_messages import MailboxCase, MessagesCase
from tests.grid.test_recovery import RecoveryCase
from tests.grid.test_shares import SharesCase

SOON = 60.0
"""Seconds in which what can succeed has succeeded."""
LATE = 15.0
"""Seconds for which a session stands before the service behind it is ON."""


class Late(GridCase):
    """What keeps a service from its peers for longer than its node."""

    def lose_touch(self, *nodes: GridNode, seconds: float = 3600.0) -> None:
        """Nodes are cut off for an hour, and others count what they have tried in vain."""
        away = {node.address for node in nodes}
        self.grid.network.cut = lambda one, other: (one in away) != (other in away)
        self.grid.pass_time(seconds)

    def come_back(self, service: str, to: GridNode, *nodes: GridNode) -> None:
        """They are connected to another one again, and one of their services starts a while later."""
        for node in nodes:
            self.switch(node, service, False)
        self.grid.network.cut = lambda one, other: False
        for node in nodes:
            self.meet(node, to)
        self.grid.run(LATE)
        for node in nodes:
            self.switch(node, service, True)

    def switch(self, node: GridNode, service: str, is_on: bool) -> None:
        node.node.settings.set(f"services/{service.replace('_', '-')}/enabled", is_on)
        self.grid.until(lambda: node.is_on(service) is is_on, 60, service)

    def meet(self, node: GridNode, to: GridNode) -> None:
        while not to.rooms.gateway.connected(node.fingerprint):
            self.grid.wait(outcome(to.rooms.gateway.session_to(node.fingerprint)), 300)


class SharesTests(Late, SharesCase):
    """Alice and Bob have four suppliers."""

    def test_a_key_is_given(self) -> None:
        """Who was let in while away gets the key, though its node does not take keys yet when it is back; no service
        of the owner has to start again for that."""
        key = self.create()
        self.api(self.alice, "user_ping", user_id=self.name(self.bob))
        self.lose_touch(self.bob, seconds=60)
        self.envelope(self.alice, "share_grant", key_id=key, trusted_user_id=self.name(self.bob), timeout=5)
        self.lose_touch(self.bob)
        stopped: list[str] = []
        self.alice.node.events.subscribe(lambda event: stopped.append(event.data["name"]), "service-stopped")
        self.come_back("key_exchange", self.alice, self.bob)
        self.grid.until(lambda: self.bob.is_on("shared_data"), 60, "shares")
        self.grid.until(lambda: bool(self.api(self.bob, "shares_list")), SOON, "the key")
        self.assertEqual(stopped, [])

    def test_a_key_is_taken_back(self) -> None:
        """A supplier that was away when somebody was shut out learns it soon, though it keeps nothing for anybody yet
        when it is back."""
        key, away, withdrawals = self.create(), self.suppliers[0], self.alice.rooms.shares.withdrawals
        self.put(self.alice, key, "cake")
        self.grant(key)
        self.lose_touch(away, seconds=60)
        self.envelope(self.alice, "share_revoke", key_id=key, trusted_user_id=self.name(self.bob))
        self.lose_touch(away)
        self.assertEqual(withdrawals.waiting(), 1)
        self.come_back("supplier", self.alice, away)
        self.grid.until(lambda: not withdrawals.waiting(), SOON, "the revocation")

    def test_a_share_is_open(self) -> None:
        """A share of somebody else is open again soon after its suppliers are back from an hour's absence, though
        they answer nobody yet."""
        key = self.create()
        self.put(self.alice, key, "cake")
        self.grant(key)
        self.api(self.bob, "share_open", key_id=key)
        self.lose_touch(*self.suppliers)
        self.assertEqual(self.api(self.bob, "share_info", key_id=key)["state"], "DISCONNECTED")
        self.come_back("supplier", self.bob, *self.suppliers)
        state = lambda: self.api(self.bob, "share_info", key_id=key)["state"]  # noqa: E731
        self.grid.until(lambda: state() == "CONNECTED", SOON, "the share")

    def test_without_a_network(self) -> None:
        """A share is open again as soon as there is a network after an hour without one, though nobody calls."""
        key, carl = self.create(), self.add_visitor("carl")
        self.put(self.alice, key, "cake")
        self.api(self.alice, "share_grant", key_id=key, trusted_user_id=self.name(carl))
        self.api(carl, "share_open", key_id=key)
        self.lose_touch(carl)
        self.assertEqual(self.api(carl, "share_info", key_id=key)["state"], "DISCONNECTED")
        self.grid.network.cut = lambda one, other: False
        self.grid.until(lambda: self.api(carl, "share_info", key_id=key)["state"] == "CONNECTED", SOON, "the share")


class MessagesTests(Late, MessagesCase):
    """Nobody keeps mailboxes."""

    def test_a_message(self) -> None:
        """What was written to somebody who was away for an hour arrives soon, though its node takes no messages yet
        when it is back."""
        alice, bob = self.person("alice"), self.person("bob")
        self.introduce(alice, bob)
        self.lose_touch(bob, seconds=60)
        self.send(alice, bob, text="hello")
        self.lose_touch(bob)
        self.come_back("private_messages", alice, bob)
        self.grid.until(lambda: self.stored(bob) == ["hello"], SOON, "the message")

    def test_without_a_network(self) -> None:
        """What was written while there was no network for an hour, to people who are known and to others, is on its
        way as soon as there is one."""
        alice, bob, carol = self.person("alice"), self.person("bob"), self.person("carol")
        self.introduce(alice, bob)
        self.lose_touch(alice, seconds=60)
        for person in (bob, carol):
            self.send(alice, person, text="hello")
        self.lose_touch(alice)
        self.grid.network.cut = lambda one, other: False
        for person in (bob, carol):
            self.grid.until(lambda person=person: self.stored(person) == ["hello"], SOON, f"what {person.name} gets")


class MailboxTests(Late, MailboxCase):
    def test_a_visit(self) -> None:
        """What mailboxes have comes soon, though those who keep them, back after an hour, do not keep any yet."""
        self.bob.crash()
        self.assertEqual(self.grid.wait(self.send(self.alice, self.bob, text="hello").arrived, 300), "kept")
        self.alice.crash()
        dave, carol = self.keepers[1], self.keepers[0]
        dave.crash()
        self.lose_touch(carol, seconds=60)
        bob = self.again(self.bob, "10.0.0.20")
        self.lose_touch(carol)
        self.come_back("private_messages", bob, carol)
        self.grid.until(lambda: self.stored(bob) == ["hello"], SOON, "the message")

    def test_who_keeps_them(self) -> None:
        """Whoever starts while nobody is there who might keep its mailboxes has them soon after they are back from an
        hour's absence, though they keep none yet."""
        self.bob.crash()
        self.lose_touch(*self.keepers, seconds=1)
        self.bob = self.again(self.bob, "10.0.0.20")
        self.lose_touch(*self.keepers, seconds=3800)
        self.come_back("private_messages", self.bob, *self.keepers)
        self.grid.until(lambda: self.is_fresh(self.bob, 2), SOON, "the mailboxes")


class StorageTests(Late, RecoveryCase):
    """Alice has a file at four suppliers."""

    def test_lists(self) -> None:
        """A supplier that comes back lists what it has soon after it answers, and not at the next round."""
        alice, _, _ = self.uploaded(4)
        away, inventory = self.suppliers[0], alice.rooms.storage.core.inventory
        self.lose_touch(away)
        self.come_back("supplier", alice, away)
        since = self.grid.clock.seconds()
        self.grid.until(lambda: inventory.has_listed(away.fingerprint, since), SOON, "the list")

    def test_logs(self) -> None:
        """When all come back it is known within seconds after they answer whether their logs are mine."""
        alice, _, _ = self.uploaded(4)
        logs = alice.rooms.storage.core.log_replicas
        self.lose_touch(*self.suppliers)
        self.assertFalse(logs.synchronized)
        self.come_back("supplier", alice, *self.suppliers)
        self.grid.until(lambda: logs.synchronized, 15, "the comparison")

    def test_what_is_newest(self) -> None:
        """A recovered node that has heard too few to write does so soon after one more answers."""
        alice, key_file, _ = self.uploaded(4)
        self.lose(alice)
        self.lose_touch(*self.suppliers[:2], seconds=1)
        again = self.grid.add_stranger("alice-again")
        again.rooms.dht.directory.heads_of = lambda scopes: succeed([])
        again.start()
        self.grid.wait(again.rooms.identity.registration.recover(key_file.read_text(), None, None), 300)
        self.grid.until(lambda: again.is_on("my_data"), 300, "the recovery")
        self.lose_touch(*self.suppliers[:2])
        self.assertTrue(again.rooms.identity.me.awaits(CATALOG))
        self.come_back("supplier", again, self.suppliers[0])
        self.grid.until(lambda: not again.rooms.identity.me.awaits(CATALOG), SOON, "the newest state")
