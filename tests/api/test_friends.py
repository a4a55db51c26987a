"""Methods about friends, and how people are named: over a node with a real identity and a real list."""

from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed

from bitdust.crypt.device import DeviceKey
from bitdust.crypt.keyring import RingKey
from bitdust.identity.document import Device, IdentityDocument
from bitdust.people.friends.friends import Friends
from bitdust.people.keys.taking import ring_name
from bitdust.signal import Signal
from bitdust.wire.errors import BitDustError
from tests.api.fakes import Anything
from tests.api.test_nouns import NounCase, document
from tests.grid.chaos import keys


class PeopleCase(NounCase):
    """alice's node; bob is known."""

    def setUp(self) -> None:
        super().setUp()
        self.become_alice()
        context = self.context
        context.presence = Anything(
            state=lambda fingerprint: "OFFLINE", changed=Signal(), chance=Signal(), forget=lambda *_: None
        )
        context.identities, context.sessions, context.outbox = context.cache, Anything(), Anything()
        self.path = Path(self.mktemp())
        context.people.friends = Friends(context, context.presence, self.path, Anything())
        context.people.friends.load()
        self.carol = document("carol", DeviceKey.from_seed(b"c" * 32))


class FriendsTests(PeopleCase):
    def test_add_list_remove(self) -> None:
        """A friend is added by any of its names and removed by any, its alias too; the answers name the person."""
        self.assertEqual(self.result("friends_list"), [])
        names = ("bob@id.example", "http://id.example/bob.xml", self.bob.fingerprint.hex(), "master$bob@id.example")
        for name in names:
            added = self.call("friend_add", trusted_user_id=name, alias="Bob")
            self.assertEqual(added["message"], "bob@id.example, whom you call Bob, is a new friend")
            (row,) = self.result("friends_list")
            self.assertEqual((row["idurl"], row["alias"], row["contact_state"]), (names[1], "Bob", "OFFLINE"))
            self.assertEqual((row["idhost"], row["username"], row["name_proven"]), ("id.example", "bob", True))
            again = self.call("friend_add", trusted_user_id=name)
            self.assertEqual(again["message"], "bob@id.example is a friend already")
            self.result("friend_remove", user_id=name)
        self.result("friend_add", idurl="bob@id.example", alias="Bob")
        self.result("friend_remove", user_id="Bob")
        self.assertEqual(self.code("friend_remove", user_id="bob@id.example"), "not-a-friend")

    def test_refusals(self) -> None:
        """Myself, a word that is no name, an alias that is none, a list that is damaged."""
        self.assertEqual(self.code("friend_add", trusted_user_id="alice@id.example"), "not-allowed")
        self.assertEqual(self.code("friend_add", trusted_user_id="not a name"), "bad-name")
        self.assertEqual(self.code("friend_add", trusted_user_id="bob@id.example", alias="a\nb"), "bad-argument")
        self.assertEqual(self.code("friend_add"), "bad-argument")
        self.path.write_text("{")
        self.context.people.friends.load()
        self.assertEqual(self.code("friend_add", trusted_user_id="bob@id.example"), "damaged-friends")

    def test_what_to_do(self) -> None:
        """Who is no word for a person, or nobody at an ID server, is refused in words that say what may be written."""
        refused = self.call("friend_add", trusted_user_id="no name")["errors"][0]
        for part in ("alice@host", "identity URL", "fingerprint", "nickname", "alias"):
            self.assertIn(part, refused)
        missing = BitDustError("not-found", "http://id.example/bobb.xml does not exist")
        self.context.client = Anything(look_up=lambda idurl: fail(missing))
        answer = self.call("friend_add", trusted_user_id="bobb@id.example")
        self.assertEqual(answer["code"], "not-found")
        self.assertIn("nobody is called bobb at id.example", answer["errors"][0])

    def test_two_of_one_alias(self) -> None:
        """An alias that two friends bear names neither: the error lists who they are."""
        self.context.cache.accept(self.carol)
        for who in ("bob@id.example", self.carol.fingerprint.hex()):
            self.result("friend_add", trusted_user_id=who, alias="B")
        envelope = self.call("friend_remove", user_id="B")
        self.assertEqual(envelope["code"], "ambiguous-user")
        unproven = f"{self.carol.fingerprint.hex()} (unproven: carol@id.example)"
        self.assertEqual(envelope["errors"], [f"2 friends are called 'B': bob@id.example, {unproven}"])

    def test_by_user_name(self) -> None:
        """A friend answers to his user name, once it is proven, before all strangers who bear it as a nickname."""
        self.context.cache.accept(self.carol)
        for who in ("bob@id.example", self.carol.fingerprint.hex()):
            self.result("friend_add", trusted_user_id=who)
        self.assertEqual(self.call("friend_remove", user_id="bob")["message"], "bob@id.example is a friend no more")
        self.assertEqual(self.call("friend_remove", user_id="carol")["status"], "ERROR")

    def test_2016(self) -> None:
        """The methods of 2016 answer in the shapes of that year."""
        rows = {row.name: row for row in self.context.table if row.generation == "2016"}

        def said(name: str, **arguments: Any) -> Any:
            envelope = self.call_row(rows[name], arguments)
            return envelope.get("result", envelope.get("code"))

        url = "http://id.example/bob.xml"
        self.assertEqual(said("add_correspondent", idurl=url), f"new correspondent {url} was added")
        self.assertEqual(said("list_correspondents"), [{"idurl": url, "nickname": "bob"}])
        said("add_correspondent", idurl=url, nickname="Robert")
        self.assertEqual(said("list_correspondents"), [{"idurl": url, "nickname": "Robert"}])
        self.assertEqual(said("remove_correspondent", idurl="Robert"), "correspondent Robert was removed")
        self.assertEqual(said("remove_correspondent", idurl=url), "not-a-friend")
        self.assertEqual(said("add_correspondent", idurl="http://id.example/alice.xml"), "not-allowed")


class FingerprintTests(PeopleCase):
    """Somebody whose fingerprint alone is known."""

    def find(self, record: Any) -> dict[str, Any]:
        def get(kind: str, subject: bytes, thorough: bool) -> "Deferred[Any]":
            self.asked = (kind, subject, thorough)
            return record() if callable(record) else succeed(record)

        self.context.dht = Anything(running=True, get=get)
        return self.call("friend_add", trusted_user_id="ab" * 32)

    def test_in_the_dht(self) -> None:
        """The hash table gives the document, which proves itself; the name in it is unproven."""
        self.context.cache = self.context.identities = type(self.context.cache)(self.context.world, self.context.events)
        self.context.people.friends = Friends(self.context, self.context.presence, self.path, Anything())
        envelope = self.find(Anything(value=self.carol.xml))
        self.assertEqual((envelope["status"], envelope["result"]["name_proven"]), ("OK", False))
        self.assertEqual(self.asked, ("identity", bytes.fromhex("ab" * 32), True))

    def test_nowhere(self) -> None:
        """Nothing there, something that is no document, and a table that does not answer are each an error."""
        self.assertEqual(self.find(None)["code"], "unknown-user")
        self.assertEqual(self.find(Anything(value=b"no document"))["code"], "unknown-user")
        self.assertEqual(self.find(lambda: fail(BitDustError("dht-off", "it is off")))["code"], "dht-off")
        self.context.dht = Anything(running=False)
        self.assertEqual(self.code("user_ping", user_id="cd" * 32), "unknown-user")


class KeyNamesTests(PeopleCase):
    """How keys of other people are named."""

    def have(self, *people: Any) -> None:
        for person in people:
            public = person.public.to_pem()
            self.context.me.key_ring.add(RingKey(ring_name("k", person.fingerprint), public=public))

    def test_by_fingerprint_and_by_name(self) -> None:
        """A fingerprint names a key of its owner always, a global id where it is clear whose that is."""
        self.context.cache.accept(self.carol)
        self.have(self.bob, self.carol)
        rows = {row["fingerprint"]: row for row in self.result("keys_list")}
        bob, carol = rows[self.bob.fingerprint.hex()], rows[self.carol.fingerprint.hex()]
        self.assertEqual((bob["key_id"], bob["name_proven"]), ("k$bob@id.example", True))
        self.assertEqual((carol["key_id"], carol["name_proven"]), (f"k${self.carol.fingerprint.hex()}", False))
        for name in ("k$carol@id.example", carol["key_id"], carol["key_id"].upper().replace("K$", "k$")):
            self.assertEqual(self.result("key_get", key_id=name)["fingerprint"], carol["fingerprint"], name)
        mine = f"master${self.context.me.fingerprint.hex()}"
        self.assertEqual(self.result("key_get", key_id=mine)["creator"], "alice@id.example")
        self.assertEqual(self.code("key_get", key_id="k$dave@id.example"), "key-not-found")
        self.result("key_label", key_id="k$bob@id.example", label="of Bob")
        self.result("key_erase", key_id=carol["key_id"])
        self.assertEqual(self.code("key_get", key_id=carol["key_id"]), "key-not-found")

    def test_two_of_one_name(self) -> None:
        """Of several who call themselves the same, whose name was looked up is meant; where nobody's was, nobody."""
        url = self.bob.idurl
        twins = [
            IdentityDocument.create(keys.key(50 + n), (url,), 1, (Device(0, 1, bytes(31) + bytes((n,))),), 1.0)
            for n in (1, 2)
        ]
        for twin in twins:
            self.context.cache.accept(twin)
        self.have(*twins)
        envelope = self.call("key_get", key_id="k$bob@id.example")
        self.assertEqual(envelope["code"], "ambiguous-user")
        self.assertIn(twins[1].fingerprint.hex(), envelope["errors"][0])
        self.have(self.bob)
        self.assertEqual(self.result("key_get", key_id="k$bob@id.example")["fingerprint"], self.bob.fingerprint.hex())
