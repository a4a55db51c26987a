"""Groups between whole nodes: said and heard, late, away, killed, shut out, with suppliers dying."""

from unittest import mock

from twisted.internet.defer import Deferred, fail

from bitdust.api.call import perform
from bitdust.api.methods import TABLE
from bitdust.formats.log_entry import Entry, LogName
from bitdust.storage.log.requests import LogRequests
from bitdust.testing.grid import SEED_HOST, GridNode
from bitdust.wire.errors import BitDustError
from tests.grid.test_main_job import NO_CUSTOMER, NO_SUPPLIER, GridCase


class GroupsCase(GridCase):
    """A creator with suppliers, and members who have none."""

    MEMBERS = 2

    def setUp(self) -> None:
        super().setUp()
        self.add_suppliers(4)
        self.alice = self.add_customer("alice")
        self.members = [self.add_member(f"member-{number}") for number in range(self.MEMBERS)]

    def add_member(self, name: str, **settings) -> GridNode:
        node = self.grid.add(name, **NO_SUPPLIER, **NO_CUSTOMER, **settings)
        node.start()
        node.create_identity()
        self.grid.until(lambda: node.is_on("private_groups"), 120, "groups")
        return node

    def envelope(self, node: GridNode, method: str, **arguments) -> dict:
        answer: Deferred[dict] = perform(node.node.context, TABLE.named(method), arguments)
        return self.grid.wait(answer)

    def api(self, node: GridNode, method: str, **arguments):
        """The result of a method of the API. Raises `BitDustError` for an error of it."""
        envelope = self.envelope(node, method, **arguments)
        if envelope["status"] != "OK":
            raise BitDustError(envelope["code"], envelope["errors"][0])
        return envelope.get("result")

    def name(self, node: GridNode) -> str:
        return node.rooms.identity.me.global_id

    def create(self) -> str:
        key = self.api(self.alice, "group_create", label="friends")["group_key_id"]
        self.api(self.alice, "group_join", group_key_id=key)
        return key

    def invite(self, key: str, node: GridNode) -> None:
        self.api(self.alice, "group_share", group_key_id=key, trusted_user_id=self.name(node))
        self.api(node, "group_join", group_key_id=key)

    def say(self, key: str, node: GridNode, text: str) -> None:
        self.api(node, "message_send_group", group_key_id=key, data={"text": text})

    def is_said(self, key: str, node: GridNode, text: str) -> bool:
        """Whether it could be said: right after a group has moved its new keepers may not be there yet."""
        try:
            self.say(key, node, text)
        except BitDustError:
            return False
        return True

    def heard(self, key: str, node: GridNode) -> list[tuple[str, str]]:
        """Who said what, as a node's history has it."""
        rows = self.api(node, "message_history", recipient_id=key, message_type="group_message", limit=1000) or []
        docs = [row["doc"] for row in rows]
        senders = [doc["sender"]["glob_id"] for doc in docs]
        called = [who.partition("$")[2] or who for who in senders]
        return [(who, doc["payload"]["data"]["text"]) for who, doc in zip(called, docs, strict=True)]

    def is_told_and_let_in_again(self, key: str, node: GridNode, others: list[GridNode]) -> None:
        """Whoever was shut out learns it instead of speaking to nobody; let in again, it is heard at once."""
        told = self.api(node, "group_info", group_key_id=key)
        self.assertEqual(told["state"], "DISCONNECTED")
        self.assertIn("revoked", told["reason"])
        refused = self.envelope(node, "message_send_group", group_key_id=key, data={"text": "hello?"})
        self.assertEqual(refused["code"], "not-allowed")
        self.assertNotIn("hello?", [text for _, text in self.heard(key, node)])
        self.api(self.alice, "group_share", group_key_id=key, trusted_user_id=self.name(node))
        self.grid.until(lambda: self.is_said(key, node, "back"), 10, "the group")
        for other in (self.alice, *others):
            self.grid.until(lambda other=other: "back" in [text for _, text in self.heard(key, other)], 60, "the word")

    def all_hear(self, key: str, nodes: list[GridNode], texts: set[str], seconds: float = 60) -> None:
        for node in nodes:
            said = f"what was said to {node.name}"
            self.grid.until(lambda node=node: {text for _, text in self.heard(key, node)} >= texts, seconds, said)
            found = [text for _, text in self.heard(key, node)]
            self.assertEqual(sorted(found), sorted(texts), node.name)


class LostFileTests(GroupsCase):
    def test_what_was_said_before_is_not_given(self) -> None:
        """Where the file of a group was lost its member says nothing before its own part is back, however long that
        takes: it would stand in the place of what was said before, and be heard by nobody."""
        key = self.create()
        bob, carl = self.members
        self.invite(key, bob)
        self.say(key, bob, "before")
        self.all_hear(key, [self.alice, bob], {"before"})
        bob.crash()
        for path in (bob.home / "groups").glob("*.db*"):
            path.unlink()
        real, device, is_hidden = LogRequests.entries, bob.rooms.identity.me.device.id, True

        def given(requests: LogRequests, supplier: bytes, log: LogName, first: int) -> Deferred:
            if is_hidden and log.device == device:
                return fail(BitDustError("no-answer", "not now"))
            return real(requests, supplier, log, first)

        self.patch(LogRequests, "entries", given)
        bob = self.members[0] = bob.again("10.0.0.99")
        self.grid.until(lambda: bob.is_on("private_groups"), 120, "groups")
        state = lambda: self.api(bob, "group_info", group_key_id=key)["state"]  # noqa: E731
        self.grid.until(lambda: state() == "CONNECTED", 120, "the group")
        self.assertEqual(self.envelope(bob, "message_send_group", group_key_id=key, data={"text": "after"})["code"],
                         "not-connected")  # fmt: skip
        is_hidden = False
        self.grid.until(lambda: self.is_said(key, bob, "after"), 600, "its own part")
        self.invite(key, carl)
        self.all_hear(key, [self.alice, bob, carl], {"before", "after"})


class GroupsTests(GroupsCase):
    def test_said_and_heard(self) -> None:
        """What one says all hear within seconds, once, under the name of who said it; who joins late hears all."""
        key = self.create()
        self.assertEqual(self.api(self.alice, "group_info", group_key_id=key)["last_sequence_id"], -1)
        bob, carl = self.members
        self.invite(key, bob)
        self.say(key, self.alice, "hello")
        self.say(key, bob, "hi")
        self.all_hear(key, [self.alice, bob], {"hello", "hi"}, 5)
        self.assertIn((self.name(bob), "hi"), self.heard(key, self.alice))
        self.invite(key, carl)
        self.all_hear(key, [carl], {"hello", "hi"}, 5)
        self.say(key, carl, "late")
        self.all_hear(key, [self.alice, bob, carl], {"hello", "hi", "late"}, 10)
        self.grid.until(lambda: (self.name(carl), "late") in self.heard(key, bob), 10, "the name of who speaks")
        info = self.api(bob, "group_info", group_key_id=key)
        self.assertEqual((info["state"], info["label"], len(info["members"])), ("CONNECTED", "friends", 3))
        self.assertGreater(info["last_sequence_id"], 0)
        self.assertEqual([one for node in (self.alice, bob) for one in node.rooms.shares.all()], [])
        brokers = self.api(bob, "group_info_dht", group_creator_id=self.name(self.alice))
        self.assertEqual([(one["position"], one["broker_id"]) for one in brokers], [*enumerate(info["keepers"])])
        self.assertEqual(self.api(bob, "group_info_dht"), [])
        queues = {row["queue_id"] for row in self.api(self.suppliers[0], "queues_list")}
        self.assertIn(info["active_queue_id"], queues)

    def test_a_member_whose_identity_is_forgotten(self) -> None:
        """What came with proof, and cannot be judged when it is read, is not left out: it waits for the identity."""
        key = self.create()
        bob, carl = self.members
        for node in self.members:
            self.invite(key, node)
        self.say(key, bob, "one")
        self.all_hear(key, [carl], {"one"}, 10)
        opened = next(iter(carl.rooms.groups._opened.values()))
        with mock.patch.object(opened, "hand_on"):
            self.say(key, bob, "two")
            self.grid.until(opened.log.unread, 10, "what was said")
        real = opened._identities
        forgetful = mock.Mock(wraps=real)
        forgetful.get.side_effect = lambda who: real.get(who) if who != bob.fingerprint else None
        with mock.patch.object(opened, "_identities", forgetful):
            opened.hand_on()
            self.grid.run(1)
            self.assertNotIn("two", [text for _, text in self.heard(key, carl)])
        opened.hand_on()
        self.all_hear(key, [carl], {"one", "two"}, 10)

    def test_suppliers_die(self) -> None:
        """With all suppliers but one dead, in the middle of it, what is said still comes to everybody."""
        key = self.create()
        bob, carl = self.members
        for node in self.members:
            self.invite(key, node)
        self.say(key, bob, "one")
        for supplier in self.suppliers[1:]:
            supplier.kill()
        self.say(key, carl, "two")
        self.say(key, self.alice, "three")
        self.all_hear(key, [self.alice, bob, carl], {"one", "two", "three"}, 400)

    def test_away_and_killed(self) -> None:
        """Who is away hears everything when it is back, once; what a killed node had said goes on its way then."""
        key = self.create()
        bob, carl = self.members
        for node in self.members:
            self.invite(key, node)
        self.say(key, bob, "one")
        self.all_hear(key, [carl], {"one"})
        carl.crash()
        for text in ("two", "three"):
            self.say(key, bob, text)
        bob.crash()
        self.say(key, self.alice, "four")
        carl, bob = carl.again("10.0.0.91"), bob.again("10.0.0.92")
        for node in (carl, bob):
            self.grid.until(lambda node=node: node.is_on("private_groups"), 120, "groups")
        self.all_hear(key, [self.alice, bob, carl], {"one", "two", "three", "four"}, 120)
        names = (self.name(bob), bob.fingerprint.hex())
        order = [text for who, text in self.heard(key, carl) if who in names]
        self.assertIn(order, (["one", "two", "three"], ["three", "two", "one"]))

    def test_shut_out(self) -> None:
        """Who was shut out hears nothing that is said later, and is heard by nobody; the others go on."""
        key = self.create()
        bob, carl = self.members
        for node in self.members:
            self.invite(key, node)
        self.say(key, bob, "one")
        self.all_hear(key, [self.alice, carl], {"one"})
        self.api(self.alice, "group_remove", group_key_id=key, trusted_user_id=self.name(bob))
        self.grid.run(5)
        self.assertEqual(self.api(bob, "group_info", group_key_id=key)["state"], "DISCONNECTED")
        self.say(key, carl, "two")
        self.is_said(key, bob, "let me in")
        self.grid.run(30)
        self.all_hear(key, [self.alice, carl], {"one", "two"})
        self.assertNotIn("two", [text for _, text in self.heard(key, bob)])
        self.is_told_and_let_in_again(key, bob, [carl])

    def test_let_in_again_with_two_devices(self) -> None:
        """Who was shut out and is let in again goes on at each device, whichever the key was brought to."""
        key = self.create()
        one = self.add_customer("dave")
        two = self.recover(self.key_file(one), "dave-again")
        self.invite(key, one)
        state = lambda node: node.rooms.groups.all()[0].opened.machine.state  # noqa: E731
        both = lambda wanted: all(node.rooms.groups.all() and node.rooms.groups.all()[0].opened  # noqa: E731
                                  and state(node) == wanted for node in (one, two))  # fmt: skip
        self.grid.until(lambda: both("CONNECTED"), 60, "the group at both devices")
        self.api(self.alice, "group_remove", group_key_id=key, trusted_user_id=self.name(one))
        self.grid.until(lambda: both("DISCONNECTED"), 10, "the word of suppliers")
        self.api(self.alice, "group_share", group_key_id=key, trusted_user_id=self.name(one))
        self.say(key, self.alice, "back")
        self.grid.until(lambda: both("CONNECTED"), 30, "the new key at both devices")
        self.all_hear(key, [one, two], {"back"}, 20)

    def test_refused(self) -> None:
        """Groups that are not joined, unknown ones, keys of others and what is no object are refused with a code."""
        key, (bob, _) = self.create(), self.members
        for node, method, arguments, code in (
            (bob, "group_join", {"group_key_id": key}, "key-not-found"),
            (bob, "message_send_group", {"group_key_id": key, "data": {}}, "key-not-found"),
            (bob, "group_info", {"group_key_id": f"master${self.name(bob)}"}, "not-a-group"),
            (self.alice, "message_send_group", {"group_key_id": key, "data": {"message": ""}}, "bad-message"),
            (self.alice, "message_send_group", {"group_key_id": key, "data": {"x": "y" * 700_000}}, "too-large"),
            (self.alice, "group_share", {"group_key_id": key, "trusted_user_id": self.name(self.alice)}, "not-allowed"),
            (self.alice, "group_create", {"creator_id": self.name(bob)}, "not-allowed"),
            (self.alice, "file_create", {"remote_path": f"{key}:file"}, "not-allowed"),
            (bob, "group_share", {"group_key_id": key, "trusted_user_id": self.name(self.alice)}, "key-not-found"),
        ):
            self.assertEqual(self.envelope(node, method, **arguments).get("code"), code, method)
        self.say(key, self.alice, "bye")
        self.all_hear(key, [self.alice], {"bye"})
        self.api(self.alice, "group_leave", group_key_id=key)
        sent = self.envelope(self.alice, "message_send_group", group_key_id=key, data={"text": "x"})
        self.assertEqual(sent["code"], "not-open")
        self.assertEqual(self.api(self.alice, "groups_list", only_active=True), [])
        self.api(self.alice, "group_leave", group_key_id=key, erase_key=True)
        self.assertEqual(self.api(self.alice, "groups_list"), [])
        self.assertEqual([text for _, text in self.heard(key, self.alice)], ["bye"])


class WithoutSuppliers(GroupsCase):
    """A creator who has no suppliers: members keep what is said."""

    MEMBERS = 3

    def setUp(self) -> None:
        GridCase.setUp(self)
        self.add_suppliers(1)
        self.alice = self.add_member("alice")
        self.members = [self.add_member(f"member-{number}") for number in range(self.MEMBERS)]

    def test_members_keep_it(self) -> None:
        """The creator alone can open it and write; who comes hears all of it, keeps it too, and is named."""
        key = self.create()
        alone = self.api(self.alice, "group_info", group_key_id=key)
        self.assertEqual((alone["state"], alone["joint_postman"]), ("CONNECTED", "members"))
        self.assertEqual(alone["keepers"], [self.name(self.alice)])
        self.say(key, self.alice, "hello")
        bob, carl, _ = self.members
        for node in (bob, carl):
            self.invite(key, node)
        self.say(key, bob, "hi")
        self.all_hear(key, [self.alice, bob, carl], {"hello", "hi"}, 10)
        self.say(key, carl, "hey")
        self.all_hear(key, [self.alice, bob, carl], {"hello", "hi", "hey"}, 10)
        info = self.api(carl, "group_info", group_key_id=key)
        self.assertEqual(set(info["keepers"]), {self.name(node) for node in (self.alice, bob, carl)})
        queues = self.api(bob, "queue_streams_list")
        self.assertEqual([row["queue_id"] for row in queues], [info["active_queue_id"]])
        self.assertIn(self.name(carl), queues[0]["producers"])
        keepers = (self.alice, bob)  # a member watches one or two of them
        read = lambda: [row["consumer_id"] for node in keepers for row in self.api(node, "queue_consumers_list")]  # noqa: E731
        self.grid.until(lambda: self.name(carl) in read(), 600, "somebody whom carl asks for news")

    def test_all_but_one_die(self) -> None:
        """What was said to a keeper that is left alone, the creator gone, comes to who was away meanwhile."""
        key = self.create()
        bob, carl, dave = self.members
        for node in self.members:
            self.invite(key, node)
        self.say(key, bob, "one")
        self.all_hear(key, [self.alice, bob, carl, dave], {"one"}, 20)
        dave.crash()
        self.say(key, bob, "two")
        self.all_hear(key, [carl], {"one", "two"}, 20)
        self.alice.kill()
        bob.kill()
        self.say(key, carl, "three")
        dave = dave.again("10.0.0.91")
        self.grid.until(lambda: dave.is_on("private_groups"), 120, "groups")
        self.all_hear(key, [dave, carl], {"one", "two", "three"}, 400)

    def test_a_keeper_that_begins_again(self) -> None:
        """A keeper that starts while it can reach no other one calls them again, and does not wait for five minutes."""
        key, bob = self.create(), self.members[0]
        self.invite(key, bob)
        self.say(key, bob, "one")
        self.all_hear(key, [self.alice], {"one"}, 20)
        apart = {"10.0.0.91", bob.address}
        self.grid.network.cut = lambda one, two: {one, two} == apart
        self.alice.crash()
        self.say(key, bob, "two")
        self.grid.pass_time(300)
        self.alice = self.alice.again("10.0.0.91")
        self.grid.until(lambda: self.alice.is_on("private_groups"), 120, "groups")
        self.grid.pass_time(20)
        self.grid.network.cut = lambda one, two: False
        self.all_hear(key, [self.alice], {"one", "two"}, 20)

    def test_a_second_device_without_the_group(self) -> None:
        """A keeper is asked at the device that has the group, although another one of the same person came later; and
        its other device, which knows nothing of the group, shuts nobody out."""
        key, bob = self.create(), self.members[0]
        key_file = self.alice.rooms.identity.registration.backup(None)
        other = self.grid.add_stranger("alice-again", **NO_SUPPLIER, **NO_CUSTOMER)
        other.start()
        self.grid.wait(other.rooms.identity.registration.recover(key_file, None, None), 300)
        self.invite(key, bob)
        bob.crash()
        self.say(key, self.alice, "one")
        bob = bob.again("10.0.0.91")
        self.grid.until(lambda: bob.is_on("private_groups"), 120, "groups")
        for node, device in ((bob, self.alice), (bob, other), (self.alice, other)):
            self.grid.wait(node.rooms.gateway.dial(device.rooms.gateway.addresses()[0], device.fingerprint))
        self.all_hear(key, [bob], {"one"}, 30)
        bob.kill()
        self.api(self.alice, "group_reconnect", group_key_id=key)
        self.say(key, self.alice, "two")

    def test_moves_to_suppliers(self) -> None:
        """When the creator has suppliers these keep it, with the parts of members who are gone by then."""
        self.add_suppliers(1)
        key = self.create()
        bob, carl, dave = self.members
        for node in (bob, carl):
            self.invite(key, node)
        self.say(key, bob, "one")
        self.all_hear(key, [self.alice, carl], {"one"}, 20)
        bob.kill()
        self.alice.node.settings.set("services/customer/suppliers-number", 2)
        self.api(self.alice, "config_set", key="services/customer/enabled", value="true")
        self.grid.until(lambda: self.kept_by(key, self.alice) == "suppliers", 300, "suppliers")
        self.grid.until(lambda: self.kept_by(key, carl) == "suppliers", 120, "the news of suppliers")
        self.grid.until(lambda: self.is_said(key, carl, "two"), 60, "suppliers that can be read")
        self.all_hear(key, [self.alice, carl], {"one", "two"}, 60)
        self.invite(key, dave)
        carl.kill()
        self.alice.kill()
        self.all_hear(key, [dave], {"one", "two"}, 60)

    def kept_by(self, key: str, node: GridNode) -> str:
        return self.api(node, "group_info", group_key_id=key)["joint_postman"]

    def test_shut_out_without_suppliers(self) -> None:
        """Who was shut out is refused by all keepers."""
        key = self.create()
        bob, carl, _ = self.members
        for node in (bob, carl):
            self.invite(key, node)
        self.say(key, bob, "one")
        self.all_hear(key, [self.alice, carl], {"one"}, 20)
        self.api(self.alice, "group_remove", group_key_id=key, trusted_user_id=self.name(bob))
        self.grid.run(5)
        self.assertEqual(self.api(bob, "group_info", group_key_id=key)["state"], "DISCONNECTED")
        self.say(key, carl, "two")
        self.is_said(key, bob, "let me in")
        self.grid.run(30)
        self.all_hear(key, [self.alice, carl], {"one", "two"})
        self.assertNotIn("two", [text for _, text in self.heard(key, bob)])
        info = self.api(self.alice, "group_info", group_key_id=key)
        self.assertEqual(set(info["keepers"]), {self.name(node) for node in (self.alice, carl)})
        self.is_told_and_let_in_again(key, bob, [carl])

    def test_partition_and_a_dying_keeper(self) -> None:
        """Two halves that hear nothing of each other each go on; together again all hear all, though who said it died
        in between."""
        key = self.create()
        bob, carl, dave = self.members
        for node in self.members:
            self.invite(key, node)
        self.say(key, bob, "one")
        self.all_hear(key, [self.alice, bob, carl, dave], {"one"}, 20)
        one, other = {self.alice.address, bob.address}, {carl.address, dave.address}
        self.grid.network.cut = lambda *ends: bool({*ends} & one and {*ends} & other)
        self.say(key, bob, "two")
        self.say(key, dave, "three")
        self.all_hear(key, [self.alice, bob], {"one", "two"}, 60)
        self.all_hear(key, [carl], {"one", "three"}, 60)
        dave.kill()
        self.grid.network.cut = lambda *ends: False
        self.all_hear(key, [self.alice, bob, carl], {"one", "two", "three"}, 400)

    def test_rotation_in_the_middle(self) -> None:
        """A member whose identity moves to another name goes on, as who it was."""
        key, carl = self.create(), self.members[1]
        host = f"10.0.0.{len(self.grid.nodes) + 1}"
        serves = {"services/identity-server/enabled": True, "services/identity-server/host": host}
        self.grid.add("second", **NO_CUSTOMER, **NO_SUPPLIER, **serves).start()
        servers = {"services/identity-propagate/known-servers": f"{SEED_HOST}:8084,{host}:8084"}
        bob = self.add_member("bob", **servers, **{"services/identity-propagate/max-servers": 1})
        for node in (bob, carl):
            self.invite(key, node)
        self.say(key, bob, "one")
        self.all_hear(key, [carl], {"one"}, 20)
        before = self.name(bob)
        self.api(bob, "identity_rotate")
        self.assertNotEqual(self.name(bob), before)
        self.say(key, bob, "two")
        self.say(key, carl, "three")
        self.all_hear(key, [self.alice, bob, carl], {"one", "two", "three"}, 60)
        senders = {text: who for who, text in self.heard(key, self.alice)}
        self.assertEqual(senders["one"], senders["two"])

    def test_a_new_secret_for_those_who_stay(self) -> None:
        """What is said after somebody was shut out is sealed under a secret that this person has not."""
        key = self.create()
        bob, carl, _ = self.members
        for node in (bob, carl):
            self.invite(key, node)
        self.say(key, carl, "one")
        self.all_hear(key, [self.alice, bob], {"one"}, 20)
        before = bob.rooms.groups.find(key).opened.key()
        self.api(self.alice, "group_remove", group_key_id=key, trusted_user_id=self.name(bob))
        self.grid.run(5)
        self.say(key, carl, "two")
        self.all_hear(key, [self.alice], {"one", "two"}, 20)
        log = carl.rooms.groups.find(key).opened.log
        sealed = [Entry.parse(data).epoch for data in log.give(carl.rooms.identity.me.device.id, 1, 10_000)]
        self.assertEqual([epoch in before.secrets for epoch in sealed], [True, False])
