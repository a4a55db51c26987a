"""Keys between two people: what is given, what is taken, what is proved, and what is tried by those who lie."""

import hashlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from bitdust.automats.kernel import Registry
from bitdust.crypt.device import DeviceKey
from bitdust.crypt.keyring import MAX_LABEL, RingKey
from bitdust.crypt.master import MasterKey
from bitdust.identity.cache import IdentityCache
from bitdust.identity.document import Device, IdentityDocument
from bitdust.identity.me import Me
from bitdust.people.keys import audits, taking
from bitdust.people.keys.audits import DOMAIN, NONCE, Question
from bitdust.people.keys.giving import Gift
from bitdust.people.keys.keys import Keys
from bitdust.people.keys.offer import MAX_OFFER, KeyWord, write_offer
from bitdust.people.keys.taking import MOST_OF_ONE, MOST_OF_STRANGERS, ring_name
from bitdust.signal import Signal
from bitdust.wire.errors import BitDustError
from bitdust.wire.names import HIDDEN, IDURL
from bitdust.wire.packet import Command
from bitdust.world import World
from tests.grid.chaos import keys
from tests.unit.kit import Events


class Person:
    """Somebody with a home, who reaches everybody else of the test."""

    def __init__(self, case: "KeysCase", name: str, number: int) -> None:
        self.case = case
        home = Path(case.mktemp())
        home.mkdir()
        world = World(
            case.clock,
            None,
            home,
            wall=lambda: 1000.0,
            entropy=case.entropy,
            run_in_thread=lambda call, *arguments: succeed(call(*arguments)),
        )  # type: ignore[arg-type]
        self.events = Events()
        self.me = Me(world, self.events)  # type: ignore[arg-type]
        self.cache = IdentityCache(world, self.events)  # type: ignore[arg-type]
        self.device = DeviceKey.from_seed(name.encode().ljust(32))
        self.url = IDURL.parse(f"http://id.example/{name}.xml")
        self.master = keys.key(number)
        document = IdentityDocument.create(self.master, (self.url,), 1, (Device(0, 1, self.device.public),), 1.0)
        self.me.adopt(document, self.master, self.device)
        self.friends: set[bytes] = set()
        self.presence = SimpleNamespace(changed=Signal(), has_session=lambda fingerprint: True)
        self.due: set[bytes] = set()
        self.around: Any = SimpleNamespace(
            world=world, me=self.me, identities=self.cache, events=self.events, outbox=self,
            registry=Registry(case.clock, lambda: 1000.0),
        )  # fmt: skip
        self.is_there = True
        self.keys = Keys(self.around, self.presence, self, self.friends.__contains__)  # type: ignore[arg-type]

    @property
    def fingerprint(self) -> bytes:
        return self.me.fingerprint

    def awaits_key(self, fingerprint: bytes) -> bool:
        return fingerprint in self.due

    def note_key_given(self, fingerprint: bytes) -> "Deferred[bool]":
        self.due.discard(fingerprint)
        return succeed(True)

    def make(self, alias: str, number: int, label: str = "") -> None:
        pair = keys.key(number)
        self.me.key_ring.add(RingKey(alias, label, private=pair.to_pem(), public=pair.public.to_pem()))

    def send(self, to: bytes, command: Command, fields: Any, payload: bytes = b"", **more: Any) -> "Deferred[Any]":
        """The session: whoever it is for answers at once."""
        peer = self.case.people[to]
        return self.case.ask(peer, self, fields, payload) if peer.is_there else Deferred()

    def has(self, owner: "Person", alias: str) -> RingKey | None:
        name = ring_name(alias, owner.fingerprint)
        return self.me.key_ring.get(name) if name in self.me.key_ring else None


class KeysCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.count = 0
        self.people: dict[bytes, Person] = {}
        self.alice, self.bob, self.mallory = (self.person(name) for name in ("alice", "bob", "mallory"))

    def person(self, name: str) -> Person:
        made = Person(self, name, len(self.people))
        self.people[made.fingerprint] = made
        return made

    def entropy(self, size: int) -> bytes:
        self.count += 1
        return hashlib.sha512(b"%d" % self.count).digest()[:size].ljust(size, b"x")

    def ask(self, holder: Person, asker: Person, fields: Any, payload: bytes = b"") -> "Deferred[Any]":
        """What the holder's node answers, as the packet table would have it."""
        (row,) = [row for row in holder.keys.rows() if row.kind == fields["kind"]]
        try:
            row.fields.check(dict(fields), "fields")
        except BitDustError as error:
            return fail(error)
        if len(payload) > row.max_payload:
            return fail(BitDustError("too-large", "the payload"))
        peer = SimpleNamespace(fingerprint=asker.fingerprint, document=asker.me.document)
        request: Any = SimpleNamespace(
            peer=peer, fields=fields, payload=SimpleNamespace(read_all=lambda limit: succeed(payload))
        )
        return Deferred.fromCoroutine(row.handler(request))  # type: ignore[arg-type]

    def give(self, giver: Person, alias: str, taker: Person, private: bool = False, label: bool = False) -> None:
        self.successResultOf(giver.keys.share(Gift(alias, taker.fingerprint, private, label), 10.0))

    def refuses(self, code: str, doing: Any) -> BitDustError:
        error = self.failureResultOf(doing, BitDustError).value
        self.assertEqual(error.code, code, str(error))
        return error


class GivingTests(KeysCase):
    def test_public(self) -> None:
        """The public part is kept under the owner's fingerprint, on the disk, with an event at both ends."""
        self.alice.make("holiday", 10, "Sun")
        self.give(self.alice, "holiday", self.bob)
        kept = self.bob.has(self.alice, "holiday")
        assert kept is not None
        self.assertEqual((kept.public, kept.private, kept.label), (keys.key(10).public.to_pem(), None, ""))
        again = Me(self.bob.around.world, self.bob.events)  # type: ignore[arg-type]
        again.load()
        self.assertIn(ring_name("holiday", self.alice.fingerprint), again.key_ring)
        registered = dict(self.bob.events.sent)["key-registered"]
        self.assertEqual((registered["fingerprint"], registered["is_private"]), (self.alice.fingerprint.hex(), False))
        self.assertIn(self.alice.fingerprint.hex(), registered["key_id"], "nobody has looked up the name")
        self.assertEqual(dict(self.alice.events.sent)["key-shared"]["key_id"], "holiday$alice@id.example")

    def test_again_and_private(self) -> None:
        """The same key again changes nothing; its private part, from a friend, is added to the public one."""
        self.alice.make("holiday", 10, "Sun")
        self.bob.friends.add(self.alice.fingerprint)
        self.give(self.alice, "holiday", self.bob)
        self.give(self.alice, "holiday", self.bob)
        self.assertEqual(self.bob.events.names().count("key-registered"), 1)
        self.give(self.alice, "holiday", self.bob, private=True)
        kept = self.bob.has(self.alice, "holiday")
        assert kept is not None and kept.private is not None
        self.assertEqual(MasterKey.from_pem(kept.private).public.spki, keys.key(10).public.spki)
        self.give(self.alice, "holiday", self.bob)
        self.assertEqual(self.bob.has(self.alice, "holiday"), kept)

    def test_label(self) -> None:
        """What it is called goes along where that is wished."""
        self.alice.make("holiday", 10, "Sun")
        self.give(self.alice, "holiday", self.bob, label=True)
        self.assertEqual(getattr(self.bob.has(self.alice, "holiday"), "label", None), "Sun")

    def test_what_cannot_be_given(self) -> None:
        """The master key, a key that is not here, a key of somebody else, and any key to oneself."""
        self.alice.make("holiday", 10)
        self.give(self.alice, "holiday", self.bob)
        theirs = ring_name("holiday", self.alice.fingerprint)
        for gift, code in (
            (Gift("master", self.bob.fingerprint), "not-allowed"),
            (Gift("nothing", self.bob.fingerprint), "key-not-found"),
            (Gift("holiday", self.alice.fingerprint), "not-allowed"),
        ):
            self.assertEqual(self.assertRaises(BitDustError, self.alice.keys.share, gift, 9).code, code)
        gift = Gift(theirs, self.mallory.fingerprint)
        self.assertEqual(self.assertRaises(BitDustError, self.bob.keys.share, gift, 9).code, "not-allowed")

    def test_nobody_there(self) -> None:
        """Who does not answer in time has not taken it; that is an error and an event, and nothing is left."""
        self.alice.make("holiday", 10)
        self.bob.is_there = False
        giving = self.alice.keys.share(Gift("holiday", self.bob.fingerprint), 10.0)
        self.clock.advance(10)
        self.refuses("no-answer", giving)
        self.assertEqual(self.alice.events.names()[-1], "key-share-failed")
        giving = self.alice.keys.share(Gift("holiday", self.bob.fingerprint), 10.0)
        giving.addErrback(lambda _: None)
        giving.cancel()
        self.assertEqual((self.clock.getDelayedCalls(), len(self.alice.around.registry)), ([], 0))

    def test_person_key(self) -> None:
        """A friend who is to have my person key gets it when it comes, once; others, and before there is one, not."""
        person = self.alice.keys.person
        self.alice.due.add(self.bob.fingerprint)
        person.give(self.bob.fingerprint)
        person.start()
        self.alice.presence.changed.emit(self.bob.fingerprint, True)
        self.assertIsNone(self.bob.has(self.alice, "person"))
        self.alice.make("person", 11)
        self.alice.presence.changed.emit(self.mallory.fingerprint, True)
        self.alice.presence.changed.emit(self.bob.fingerprint, False)
        self.assertEqual((self.mallory.has(self.alice, "person"), self.bob.has(self.alice, "person")), (None, None))
        self.alice.presence.changed.emit(self.bob.fingerprint, True)
        self.assertIsNotNone(self.bob.has(self.alice, "person"))
        self.assertEqual(self.alice.due, set())
        person.stop()
        self.alice.due.add(self.mallory.fingerprint)
        self.alice.presence.changed.emit(self.mallory.fingerprint, True)
        self.assertIsNone(self.mallory.has(self.alice, "person"))

    def test_person_key_of_a_friend_who_cannot_take_it_yet(self) -> None:
        """Who is there before its node takes keys gets it as soon as that does; who refuses it is left alone."""
        self.alice.make("person", 11)
        self.alice.due.add(self.bob.fingerprint)
        person, asked, answer = self.alice.keys.person, list[float](), "unknown-command"
        ask = self.ask

        def starting(holder: Person, asker: Person, fields: Any, payload: bytes = b"") -> "Deferred[Any]":
            asked.append(self.clock.seconds())
            return fail(BitDustError(answer, "not now")) if answer else ask(holder, asker, fields, payload)

        self.patch(self, "ask", starting)
        person.start()
        self.alice.presence.changed.emit(self.bob.fingerprint, True)
        for _ in range(16):
            self.clock.advance(1)
        self.assertEqual((asked, self.bob.has(self.alice, "person")), ([0, 5, 15], None))
        answer = ""
        self.clock.advance(20)
        self.assertIsNotNone(self.bob.has(self.alice, "person"))
        answer = "not-allowed"
        self.alice.due.add(self.mallory.fingerprint)
        self.alice.presence.changed.emit(self.mallory.fingerprint, True)
        count = len(asked)
        self.clock.advance(700)
        self.assertEqual(len(asked), count)
        answer = "unknown-command"
        self.alice.presence.changed.emit(self.mallory.fingerprint, True)
        person.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_person_key_of_a_friend_who_leaves(self) -> None:
        """A delivery that fails leaves the key due, and one that is under way when the service stops is taken back."""
        self.alice.make("person", 11)
        self.alice.due.add(self.bob.fingerprint)
        self.bob.is_there = False
        self.alice.keys.person.start()
        for _ in range(2):
            self.alice.presence.changed.emit(self.bob.fingerprint, True)
        self.clock.advance(30)
        self.alice.presence.changed.emit(self.bob.fingerprint, True)
        self.alice.keys.person.stop()
        self.assertEqual((self.alice.due, self.clock.getDelayedCalls()), ({self.bob.fingerprint}, []))


class HostileGiftTests(KeysCase):
    """What mallory brings to bob's node."""

    def offer(self, private: str | None = None, by: Person | None = None, **changes: Any) -> bytes:
        word = KeyWord(self.mallory.fingerprint, self.bob.fingerprint, "k", keys.key(20).public.spki, "", 5)
        return write_offer(evolve(word, **changes), private, (by or self.mallory).me.sign)

    def bring(self, offer: bytes) -> "Deferred[Any]":
        return self.ask(self.bob, self.mallory, {"kind": "key"}, offer)

    def unchanged(self, code: str, offer: bytes) -> None:
        before = self.bob.me.key_ring.to_bytes()
        self.refuses(code, self.bring(offer))
        self.assertEqual(self.bob.me.key_ring.to_bytes(), before)

    def test_a_key_in_the_place_of_mine(self) -> None:
        """Whatever it is called, a key of somebody else is kept under his fingerprint, beside mine and those of others;
        and another key of that name never replaces it."""
        self.bob.make("k", 30)
        mine = self.bob.me.key_ring.get("k")
        self.alice.make("k", 31)
        self.give(self.alice, "k", self.bob)
        self.successResultOf(self.bring(self.offer()))
        self.assertEqual(self.bob.me.key_ring.get("k"), mine)
        self.assertEqual(getattr(self.bob.has(self.alice, "k"), "public", ""), keys.key(31).public.to_pem())
        self.unchanged("key-exists", self.offer(public=keys.key(21).public.spki))
        self.bob.friends.add(self.mallory.fingerprint)
        self.unchanged("key-exists", self.offer(keys.key(21).to_pem(), public=keys.key(21).public.spki))

    def test_names_that_are_somebody_elses(self) -> None:
        """A key of alice's, one for alice, a master key, and an alias that is none."""
        self.unchanged("not-allowed", self.offer(owner=self.alice.fingerprint))
        self.unchanged("not-allowed", self.offer(holder=self.alice.fingerprint))
        self.unchanged("not-allowed", self.offer(alias="master"))
        self.unchanged("not-allowed", self.offer(alias=f"{HIDDEN}messages"))
        self.unchanged("bad-field", self.offer(alias="a$b"))
        self.unchanged("bad-field", self.offer(alias="../x"))

    def test_signatures(self) -> None:
        """A word that somebody else has signed, that was changed, or that a revoked device has signed."""
        self.unchanged("bad-signature", self.offer(by=self.alice))
        good = self.offer()
        self.unchanged("bad-signature", good[:-20] + bytes((good[-20] ^ 1,)) + good[-19:])
        me = self.mallory.me
        other = Device(1, 1, DeviceKey.from_seed(b"o" * 32).public)
        revoked = evolve(me.document.devices[0], revoked=1, sequence=0)
        document = IdentityDocument.create(self.mallory.master, (self.mallory.url,), 2, (revoked, other), 1.0)
        offer = self.offer()
        me.replace_document(document)
        self.unchanged("bad-signature", offer)

    def test_private_keys_unasked(self) -> None:
        """A stranger leaves no private key here; a friend leaves none that fits another public part, or is none."""
        pem = keys.key(20).to_pem()
        self.unchanged("not-allowed", self.offer(pem))
        self.bob.friends.add(self.mallory.fingerprint)
        self.unchanged("bad-key", self.offer(keys.key(21).to_pem()))
        self.unchanged("bad-key", self.offer("no key"))
        self.unchanged("bad-key", self.offer("-----BEGIN ENCRYPTED PRIVATE KEY-----"))
        swapped = self.offer(pem).replace(pem.encode()[40:60], b"x" * 20)
        self.unchanged("bad-signature", swapped)
        self.successResultOf(self.bring(self.offer(pem)))

    def test_what_cannot_be_read(self) -> None:
        """Garbage, too much, a public key that is none, a label without end."""
        self.unchanged("malformed", b"\xff garbage")
        self.unchanged("too-large", bytes(MAX_OFFER + 1))
        self.unchanged("bad-key", self.offer(public=b"no key"))
        self.unchanged("bad-field", self.offer(label="x" * 801))
        self.unchanged("bad-field", self.offer(label="ä" * (4 * MAX_LABEL)))

    def test_a_flood(self) -> None:
        """One stranger, and all strangers together, leave a bounded number of keys; friends have room beside them."""
        taking_of = {"MOST_OF_ONE": 3, "MOST_OF_STRANGERS": 4}
        for name, most in taking_of.items():
            self.patch(taking, name, most)
        self.assertLess(MOST_OF_ONE + MOST_OF_STRANGERS, 100)
        for number in range(3):
            self.successResultOf(self.bring(self.offer(alias=f"k{number}")))
        self.unchanged("too-many-keys", self.offer(alias="more"))
        self.alice.make("one", 31)
        self.alice.make("two", 32)
        self.give(self.alice, "one", self.bob)
        self.refuses("refused", self.alice.keys.share(Gift("two", self.bob.fingerprint), 9))
        self.bob.friends.add(self.alice.fingerprint)
        self.give(self.alice, "two", self.bob)
        self.unchanged("too-many-keys", self.offer(alias="more"))

    def test_what_was_erased(self) -> None:
        """A stranger does not bring back what this node's person has erased."""
        self.successResultOf(self.bring(self.offer()))
        self.bob.me.key_ring.erase(ring_name("k", self.mallory.fingerprint))
        self.unchanged("not-allowed", self.offer())


class AuditTests(KeysCase):
    def setUp(self) -> None:
        super().setUp()
        self.bob.friends.add(self.alice.fingerprint)
        self.alice.make("holiday", 10)

    def audit(self, alias: str, private: bool, owner: Person | None = None, asker: Person | None = None) -> Any:
        who = asker or self.alice
        question = Question((owner or self.alice).fingerprint, alias, self.bob.fingerprint, private)
        return who.keys.audit(question, 10.0)

    def test_proofs(self) -> None:
        """Whoever has the public part, or the private part, proves it; whoever has not is found out."""
        answers = lambda: [self.successResultOf(self.audit("holiday", private)) for private in (False, True)]  # noqa: E731
        self.assertEqual(answers(), [False, False])
        self.give(self.alice, "holiday", self.bob)
        self.assertEqual(answers(), [True, False])
        self.give(self.alice, "holiday", self.bob, private=True)
        self.assertEqual(answers(), [True, True])

    def test_master(self) -> None:
        """Somebody's own master key, and his own other keys."""
        self.alice.cache.accept(self.bob.me.document)
        self.assertTrue(self.successResultOf(self.audit("master", True, self.bob)))
        self.bob.make("own", 12)
        self.alice.friends.add(self.bob.fingerprint)
        self.give(self.bob, "own", self.alice)
        self.assertTrue(self.successResultOf(self.audit("own", True, self.bob)))

    def test_who_may_not_know(self) -> None:
        """A stranger hears the same, whether the key is here or not; what is not known here cannot be asked about."""
        self.mallory.cache.accept(self.bob.me.document)
        one = self.refuses("refused", self.audit("master", True, self.bob, self.mallory))
        self.alice.make("other", 13)
        self.give(self.alice, "other", self.mallory)
        two = self.refuses("refused", self.audit("other", False, self.alice, self.mallory))
        self.assertEqual(str(one), str(two))
        self.assertEqual(self.assertRaises(BitDustError, self.audit, "nothing", False).code, "key-not-found")
        hidden = f"{HIDDEN}messages"
        self.alice.make(hidden, 14)
        self.refuses("refused", self.audit(hidden, True))
        gift = Gift(hidden, self.bob.fingerprint)
        self.assertEqual(self.assertRaises(BitDustError, self.alice.keys.share, gift, 9).code, "not-allowed")

    def test_lies(self) -> None:
        """An answer without a proof, or with one of another question or another kind, proves nothing."""
        self.give(self.alice, "holiday", self.bob, private=True)
        kept: list[Any] = []
        real = self.alice.send

        def replayed(to: bytes, command: Command, fields: Any, payload: bytes = b"", **more: Any) -> "Deferred[Any]":
            kept.append(self.successResultOf(real(to, command, fields, payload)))
            return succeed(kept[0])

        self.patch(self.alice, "send", replayed)
        self.assertTrue(self.successResultOf(self.audit("holiday", True)))
        self.assertFalse(self.successResultOf(self.audit("holiday", True)), "a proof of before")
        self.assertFalse(self.successResultOf(self.audit("holiday", False)), "a proof of another kind")
        for proof in (None, "text", b"", b"x" * 256):
            answer = SimpleNamespace(fields={"proof": proof})
            self.patch(self.alice, "send", lambda *_, answer=answer, **__: succeed(answer))
            self.assertFalse(self.successResultOf(self.audit("holiday", True)))

    def test_what_is_signed(self) -> None:
        """Whatever number is sent, what is signed begins with a domain that nothing else has, and names both sides."""
        signed: list[bytes] = []
        key = SimpleNamespace(sign=lambda data: signed.append(data) or b"s")
        self.patch(audits.MasterKey, "from_pem", lambda pem: key)
        self.bob.make("own", 12)
        fields = {"kind": "audit", "owner": self.bob.fingerprint, "alias": "own", "nonce": b"n" * NONCE}
        fields |= {"private": True}
        self.successResultOf(self.ask(self.bob, self.alice, fields))
        self.assertTrue(signed[0].startswith(DOMAIN + b"n" * NONCE + self.alice.fingerprint + self.bob.fingerprint))
        for wrong in ({"nonce": b"n"}, {"alias": "a" * 65}, {"owner": b"o"}, {"private": 1}):
            self.refuses("bad-field", self.ask(self.bob, self.alice, fields | wrong))

    def test_nobody_there(self) -> None:
        """Who does not answer in time has said nothing, and nothing is left."""
        self.bob.is_there = False
        asking = self.audit("holiday", True)
        self.clock.advance(10)
        self.refuses("no-answer", asking)
        asking = self.audit("holiday", True)
        asking.addErrback(lambda _: None)
        asking.cancel()
        self.assertEqual((self.clock.getDelayedCalls(), len(self.alice.around.registry)), ([], 0))
