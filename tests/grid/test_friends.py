"""Friends, as whole nodes without suppliers: who comes back is seen within seconds, wherever it was."""

from base64 import b64decode

from twisted.internet.defer import Deferred

from bitdust.api.call import perform
from bitdust.api.keys import SIGNATURE_DOMAIN
from bitdust.api.methods import TABLE
from bitdust.api.snapshots import SOURCES, Snapshot
from bitdust.crypt.master import MasterPublic
from bitdust.people.keys.pem import spki_of
from bitdust.testing.grid import SEED_HOST, GridNode
from tests.grid.test_main_job import NO_CUSTOMER, NO_SUPPLIER, GridCase

SOON = 10.0


class PeopleCase(GridCase):
    """People who neither have suppliers nor are any."""

    def person(self, name: str, **settings) -> GridNode:
        node = self.grid.add(name, **NO_CUSTOMER, **NO_SUPPLIER, **settings)
        node.start()
        node.create_identity()
        self.grid.until(lambda: node.is_on("friends"), what=name)
        return node

    def envelope(self, node: GridNode, method: str, **arguments) -> dict:
        answer: Deferred[dict] = perform(node.node.context, TABLE.named(method), arguments)
        return self.grid.wait(answer)

    def call(self, node: GridNode, method: str, **arguments):
        envelope = self.envelope(node, method, **arguments)
        self.assertEqual(envelope["status"], "OK", envelope)
        return envelope.get("result")


class FriendsTests(PeopleCase):
    def setUp(self) -> None:
        super().setUp()
        self.alice, self.bob = self.person("alice"), self.person("bob")
        self.call(self.alice, "friend_add", trusted_user_id=self.bob.rooms.identity.me.global_id, alias="Bob")
        self.call(self.bob, "friend_add", trusted_user_id=self.alice.fingerprint.hex())
        self.grid.until(self.are_together, SOON, "the first meeting")

    def sees(self, node: GridNode) -> str:
        (row,) = self.call(node, "friends_list")
        return str(row["contact_state"])

    def are_together(self) -> bool:
        return self.sees(self.alice) == self.sees(self.bob) == "CONNECTED"

    def test_the_list(self) -> None:
        """Global id and fingerprint name the same person; a friend who was added by his key gets his name proven."""
        (mine,), (his,) = self.call(self.alice, "friends_list"), self.call(self.bob, "friends_list")
        self.assertEqual((mine["alias"], mine["username"], mine["name_proven"]), ("Bob", "bob", True))
        self.assertEqual((his["username"], his["name_proven"]), ("alice", True))
        self.assertTrue(self.alice.rooms.gateway.relations.of(self.bob.fingerprint))
        self.assertEqual(self.call(self.alice, "user_status", user_id="Bob")["global_id"], mine["global_id"])

    def test_a_name_that_nobody_answers_for(self) -> None:
        """Where the ID server of a friend is away the name is shown as unproven; it is looked up once he comes back."""
        carol, dave = self.person("carol"), self.person("dave")
        self.grid.run(30)
        away = {carol.address, self.seed.address}
        self.grid.network.cut = lambda one, other: {one, other} == away
        self.call(carol, "friend_add", trusted_user_id=dave.fingerprint.hex())
        self.call(dave, "friend_add", trusted_user_id=carol.fingerprint.hex())
        self.grid.run(20)
        self.assertFalse(self.call(carol, "friends_list")[0]["name_proven"])
        self.grid.network.cut = lambda one, other: False
        dave.crash()
        self.grid.pass_time(600)
        dave.again("10.0.1.9")
        self.grid.until(lambda: self.call(carol, "friends_list")[0]["name_proven"], SOON, "the proof")

    def test_model(self) -> None:
        """A WebSocket that asked for it sees friends come and go, and says what `friends_list` says."""
        source = SOURCES["correspondent"](self.alice.node.context)
        seen: list[Snapshot] = []
        forget = source.watch(seen.append)
        (now,) = self.grid.wait(Deferred.fromCoroutine(source.all()))
        self.call(self.alice, "friend_remove", user_id="Bob")
        forget()
        self.assertEqual((now.id, now.data["nickname"], now.deleted), (str(now.data["idurl"]), "Bob", False))
        self.assertEqual([(one.id, one.deleted) for one in seen], [(now.id, True)])

    def test_killed_and_back(self) -> None:
        """A friend that was killed is back elsewhere: both see each other within seconds, and know each other still."""
        self.bob.crash()
        self.grid.pass_time(3600)
        self.assertEqual(self.sees(self.alice), "OFFLINE")
        self.bob = self.bob.again("10.0.1.7")
        self.grid.until(lambda: self.bob.is_on("friends") and self.are_together(), SOON, "the meeting")

    def test_both_killed(self) -> None:
        """When both were away, whoever comes second finds the other one."""
        for node in (self.alice, self.bob):
            node.crash()
        self.grid.pass_time(3600)
        self.alice = self.alice.again("10.0.1.6")
        self.grid.pass_time(600)
        self.bob = self.bob.again("10.0.1.7")
        self.grid.until(lambda: self.bob.is_on("friends") and self.are_together(), SOON, "the meeting")

    def test_cut_off(self) -> None:
        """After an hour without a network both ends are together again within seconds, without anybody asking."""
        self.grid.network.cut = lambda one, other: (one == self.bob.address) != (other == self.bob.address)
        self.grid.pass_time(3600)
        self.assertEqual((self.sees(self.alice), self.sees(self.bob)), ("OFFLINE", "OFFLINE"))
        self.grid.network.cut = lambda one, other: False
        self.grid.until(self.are_together, SOON, "the meeting")

    def test_an_orderly_end(self) -> None:
        """A friend that stops says so: it is seen at once."""
        self.bob.stop()
        self.grid.until(lambda: self.sees(self.alice) == "OFFLINE", 1.0, "the goodbye")
        self.grid.nodes.remove(self.bob)


class NicknamesTests(PeopleCase):
    def setUp(self) -> None:
        super().setUp()
        self.alice, self.bob = self.person("alice"), self.person("bob", **{"personal/nickname": "bobby"})
        self.grid.until(lambda: self.position(self.bob) == 0, SOON, "the nickname")

    def position(self, node: GridNode) -> int | None:
        return self.call(node, "nickname_get")["position"]

    def test_a_friend_by_nickname(self) -> None:
        """A nickname names a person wherever a user is named; a name that nobody has looked up yet is shown so."""
        found = self.call(self.alice, "user_search", nickname="Bobby")
        self.assertEqual((found["result"], found["position"], found["name_proven"]), ("exist", 0, False))
        (same,) = self.call(self.alice, "user_observe", nickname="bobby")
        self.assertEqual(same, found)
        self.assertEqual(self.call(self.alice, "user_search", nickname="nobody")["result"], "not exist")
        added = self.envelope(self.alice, "friend_add", trusted_user_id="bobby")
        self.assertEqual(added["result"]["fingerprint"], self.bob.fingerprint.hex())
        self.assertIn(f"{self.bob.fingerprint.hex()} (unproven: bob@", added["message"])
        self.grid.until(lambda: self.call(self.alice, "friends_list")[0]["name_proven"], 1.0, "the proof")
        self.assertEqual(self.envelope(self.alice, "user_ping", user_id="nobody")["code"], "unknown-user")
        self.assertEqual(self.call(self.alice, "user_ping", user_id="alice")["seconds"], 0.0)

    def test_two_of_one_nickname(self) -> None:
        """Where several bear it, the error lists who they are, and a fingerprint decides."""
        self.call(self.alice, "nickname_set", nickname="bobby")
        self.grid.until(lambda: self.position(self.alice) == 1, SOON, "the other nickname")
        envelope = self.envelope(self.alice, "friend_add", trusted_user_id="bobby")
        self.assertEqual(envelope["code"], "ambiguous-user")
        for node in (self.alice, self.bob):
            self.assertIn(node.fingerprint.hex(), envelope["errors"][0] + self.alice.fingerprint.hex())
        self.call(self.alice, "friend_add", trusted_user_id=self.bob.fingerprint.hex())

    def test_2016(self) -> None:
        """The methods of 2016 set a nickname and find who bears it."""

        def said(name: str, nickname: str):
            answer = perform(self.alice.node.context, TABLE.named(name, "2016"), {"nickname": nickname})
            return self.grid.wait(answer)["result"]

        self.assertEqual(said("set_my_nickname", "Bobby"), "nickname bobby was set")
        self.grid.until(lambda: self.position(self.alice) == 1, SOON, "the other nickname")
        found = said("find_peer_by_nickname", "bobby")
        both = {node.fingerprint.hex() for node in (self.alice, self.bob)}
        self.assertEqual({row["fingerprint"] for row in found}, both)


class KeysTests(PeopleCase):
    def setUp(self) -> None:
        super().setUp()
        self.alice, self.bob = self.person("alice"), self.person("bob")
        for node, other in ((self.alice, self.bob), (self.bob, self.alice)):
            gives = node is self.alice
            name = other.rooms.identity.me.global_id
            self.call(node, "friend_add", trusted_user_id=name, alias="friend", share_person_key=gives)

    def foreign(self, node: GridNode) -> list[dict]:
        return [row for row in self.call(node, "keys_list") if row["fingerprint"] != node.fingerprint.hex()]

    def test_person_key(self) -> None:
        """Whoever adds a friend gives the public part of a key of its own, which the friend's list of keys shows."""
        self.grid.until(lambda: self.foreign(self.bob), SOON, "the key")
        (row,) = self.foreign(self.bob)
        self.assertEqual((row["key_id"], row["is_public"]), (f"person${self.alice.rooms.identity.me.global_id}", True))
        self.assertTrue(self.call(self.bob, "key_get", key_id=row["key_id"])["name_proven"])
        self.assertEqual(self.foreign(self.alice), [])
        self.alice.stop()
        self.grid.nodes.remove(self.alice)

    def test_share_and_audit(self) -> None:
        """A private key goes to a friend, who can prove it; its signature can be checked by anybody."""
        me = self.alice.rooms.identity.me
        self.call(self.alice, "key_create", key_alias="holiday", label="Sun")
        signed = self.call(self.alice, "key_get", key_id="holiday", include_signature=True)
        message = SIGNATURE_DOMAIN + b"holiday\0" + spki_of(signed["public"])
        public = MasterPublic.from_spki(spki_of(signed["signature_pubkey"]))
        self.assertEqual(public.fingerprint, me.fingerprint)
        self.assertTrue(public.verify(b64decode(signed["signature"]), message))
        audit = {"key_id": "holiday", "untrusted_user_id": "friend", "is_private": True}
        self.assertEqual(self.call(self.alice, "key_audit", **audit), [False])
        shared = {"key_id": "holiday", "trusted_user_id": "friend", "include_private": True, "include_label": True}
        self.call(self.alice, "key_share", **shared)
        self.assertEqual(self.call(self.alice, "key_audit", **audit), [True])
        key_id = f"holiday${self.alice.fingerprint.hex()}"
        row = self.call(self.bob, "key_get", key_id=key_id, include_private=True)
        self.assertEqual((row["label"], row["is_public"]), ("Sun", False))
        self.assertIn("PRIVATE", row["private"])
        self.assertEqual(self.call(self.bob, "key_get", key_id=f"holiday${me.global_id}")["public"], signed["public"])
        master = f"master${self.bob.rooms.identity.me.global_id}"
        self.assertEqual(self.call(self.alice, "key_audit", **audit | {"key_id": master}), [True])
        self.assertEqual(self.envelope(self.alice, "key_share", **shared | {"key_id": "master"})["code"], "not-allowed")
        self.call(self.alice, "friend_remove", user_id="friend")
        stranger = shared | {"trusted_user_id": self.bob.fingerprint.hex()}
        refused = self.envelope(self.alice, "key_share", **stranger)
        self.assertEqual(refused["code"], "not-allowed")
        self.assertIn("no friend of yours", refused["errors"][0])
        self.call(self.alice, "key_share", **stranger | {"include_private": False})


class RotationTests(PeopleCase):
    def second_server(self) -> tuple[str, dict]:
        """Another ID server; its host, and the settings of people who know both."""
        host = "10.0.0.2"
        serves = {"services/identity-server/enabled": True, "services/identity-server/host": host}
        second = self.grid.add("second", **NO_CUSTOMER, **NO_SUPPLIER, **serves)
        second.start()
        return host, {"services/identity-propagate/known-servers": f"{SEED_HOST}:8084,{host}:8084"}

    def test_data_stays(self) -> None:
        """A customer that moves to another ID server keeps its suppliers and files, and stores more, under both names;
        a key file of before brings everything back."""
        host, known = self.second_server()
        most = {"services/identity-propagate/max-servers": 1}
        self.add_suppliers(2)
        alice = self.add_customer(**known, **most, **{"services/customer/suppliers-number": 2})
        before, data = self.file("before", 50_000)
        self.upload(alice, before, "before")
        family = alice.rooms.suppliers.family.members
        key_file, old = self.key_file(alice), alice.rooms.identity.me.global_id
        self.call(alice, "identity_rotate")
        self.assertEqual(self.call(alice, "identity_get")["sources"], [f"http://{host}:8084/alice.xml"])
        after, more = self.file("after", 50_000)
        self.upload(alice, after, "after")
        self.grid.run(10)
        self.assertEqual(alice.rooms.suppliers.family.members, family)
        (row,) = self.call(self.suppliers[0], "customers_list")
        self.assertEqual((row["global_id"], row["fingerprint"]), (f"alice@{host}_8084", alice.fingerprint.hex()))
        self.assertNotEqual(row["global_id"], old)
        alice.crash()
        again = self.recover(key_file)
        for name, content in (("before", data), ("after", more)):
            self.download(again, name, self.base / "back")
            self.assertEqual((self.base / "back" / name).read_bytes(), content)

    def test_friends_stay(self) -> None:
        """An identity that moves to another ID server stays a friend, under its new name and its old one, here, after
        a restart, and at a friend who was away; and is found when its first server is gone."""
        host, known = self.second_server()
        known |= {"services/identity-propagate/max-servers": 1}
        alice, bob = self.person("alice", **known), self.person("bob", **known)
        for node, other in ((alice, bob), (bob, alice)):
            self.call(node, "friend_add", trusted_user_id=other.rooms.identity.me.global_id)
        self.grid.until(lambda: self.call(alice, "friends_list")[0]["contact_state"] == "CONNECTED", 30, "bob")
        alice.settings["services/identity-propagate/max-servers"] = 5
        alice.node.settings.set("services/identity-propagate/max-servers", 5)
        found = self.call(alice, "identity_rotate")
        new = f"http://{host}:8084/alice.xml"
        self.assertEqual((found["idurl"], found["rotated"]), (new, True))
        self.grid.until(lambda: self.call(bob, "friends_list")[0]["idurl"] == new, 10, "the new name")
        self.grid.until(lambda: self.call(bob, "friends_list")[0]["name_proven"], 1.0, "its proof")
        for name in (new, *found["old_sources"], alice.fingerprint.hex()):
            self.assertEqual(self.call(bob, "user_status", user_id=name)["idurl"], new)
        self.grid.until(lambda: self.seed.rooms.identity.server is not None, 1)
        self.seed.kill()
        alice.crash()
        alice = alice.again("10.0.1.7")
        self.grid.until(lambda: self.call(bob, "friends_list")[0]["contact_state"] == "CONNECTED", 30, "alice")
        self.assertEqual(self.call(alice, "friends_list")[0]["fingerprint"], bob.fingerprint.hex())
        self.assertEqual(self.call(alice, "identity_get")["idurl"], new)
