"""What others try with private messages and mailboxes: each is refused, and honest people are not kept from theirs."""

import os
from types import SimpleNamespace
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred, succeed

from bitdust.crypt.device import DeviceKey
from bitdust.people.amounts import _STRANGER
from bitdust.people.mailboxes.store import SENDER_MOST
from bitdust.people.messages import prekeys
from bitdust.people.messages.desk import KEPT
from bitdust.people.messages.letters import letter
from bitdust.people.messages.store import Device
from bitdust.wire.encoding import WireError, decode, encode
from bitdust.wire.envelopes import Envelope, pack, padded, unpack
from bitdust.wire.errors import BitDustError
from bitdust.wire.messages import PRIVATE, SIGNED_KIND, Message, conversation_of
from bitdust.wire.prekeys import (
    DEPOSIT,
    ENVELOPES,
    FETCH,
    ONCE_ASKED,
    ONCE_KIND,
    OPEN,
    PREKEYS,
    TAKEN,
    WAITING,
    Prekeys,
    once_body,
)
from bitdust.wire.signed import message as signed_message
from tests.unit.message_kit import LOST, PASSES, Node, PostCase, Reply
from tests.unit.test_messages import MailboxCase


def device_of(node: Node) -> Device:
    return (node.me.fingerprint, node.me.device.id)


class HostileCase(PostCase):
    """Mallory knows alice and bob, and is no friend of theirs."""

    def setUp(self) -> None:
        super().setUp()
        self.mallory = self.add("mallory")

    def bring(self, sender: Node, recipient: Node, *raw: bytes) -> list[str]:
        fields = {"kind": ENVELOPES, "to": recipient.me.device.id}
        return self.successResultOf(self.office.ask(sender, recipient, fields, pack(raw))).fields["results"]

    def refusal(self, sender: Node, recipient: Node, fields: dict[str, Any], payload: bytes = b"") -> str:
        failure = self.failureResultOf(self.office.ask(sender, recipient, fields, payload), BitDustError)
        return failure.value.code

    def message(self, sender: Node, recipient: Node, **changes: Any) -> Message:
        mine, theirs = sender.me.fingerprint, recipient.me.fingerprint
        message = Message(
            os.urandom(16).hex(), PRIVATE, conversation_of(mine, theirs), mine, sender.me.device.id, theirs.hex(),
            "master", 1, 1, {"text": "forged"},
        )  # fmt: skip
        return evolve(message, **changes)

    def sealed(self, sender: Node, recipient: Node, plain: bytes) -> bytes:
        """What a sender that follows no rule seals over its own session."""
        return sender.messages.book.seal(device_of(recipient), plain).to_bytes()

    def begin(self, sender: Node, recipient: Node) -> None:
        """The sender has a session with the recipient."""
        self.send(sender, recipient, "honest")


class ForgedTests(HostileCase):
    def test_a_sender_that_is_another(self) -> None:
        """A message that says it is alice's, in a seal of mallory's, is refused, signed by whom it will."""
        self.begin(self.mallory, self.bob)
        as_alice = self.message(self.alice, self.bob)
        for signer in (self.mallory, self.alice):
            plain = letter(signer.me.sign(SIGNED_KIND, as_alice.to_body()))
            raw = self.sealed(self.mallory, self.bob, plain)
            self.assertEqual(self.bring(self.mallory, self.bob, raw), ["refused"])
        self.assertEqual(self.bob.texts, ["honest"])

    def test_a_stolen_session(self) -> None:
        """Who has the session of a device and not its key writes in nobody's name: what is sealed is signed inside."""
        self.begin(self.alice, self.bob)
        body = self.message(self.alice, self.bob, sequence=2).to_body()
        of_mallory = self.mallory.me.sign(SIGNED_KIND, body)
        true = self.alice.me.sign(SIGNED_KIND, body)
        for forged in (
            of_mallory,
            evolve(of_mallory, device=self.alice.me.device.id),
            evolve(true, body=self.message(self.alice, self.bob, sequence=2, data={"text": "other"}).to_body()),
            evolve(true, signature=bytes(64)),
        ):
            raw = self.sealed(self.alice, self.bob, letter(forged))
            self.assertEqual(self.bring(self.alice, self.bob, raw), ["refused"])
        raw = self.sealed(self.alice, self.bob, letter(true))
        self.assertEqual(self.bring(self.alice, self.bob, raw), ["stored"])
        self.assertEqual(self.bob.texts, ["honest", "forged"])

    def test_a_message_for_another(self) -> None:
        """What alice wrote to mallory does not pass as written to bob, sealed anew by mallory."""
        self.begin(self.mallory, self.bob)
        own = self.message(self.mallory, self.bob)
        conversation = conversation_of(self.alice.me.fingerprint, self.mallory.me.fingerprint)
        for changed in (
            evolve(own, recipient=self.alice.me.fingerprint.hex()),
            evolve(own, conversation=conversation),
            evolve(own, recipient="not a fingerprint"),
            evolve(own, kind="group_message"),
            evolve(own, sender_device=b"another!"),
        ):
            plain = letter(self.mallory.me.sign(SIGNED_KIND, changed.to_body()))
            raw = self.sealed(self.mallory, self.bob, plain)
            self.assertEqual(self.bring(self.mallory, self.bob, raw), ["refused"])
        self.assertEqual(self.bob.texts, ["honest"])

    def test_an_envelope_of_another(self) -> None:
        """An envelope is taken from the device alone whose it is, for the device alone that it names."""
        self.send(self.alice, self.bob, "true")
        (payload,) = [packet for _, kind, _, packet in self.office.packets if kind == ENVELOPES]
        (raw,) = unpack(payload)
        self.assertEqual(self.bring(self.mallory, self.bob, raw), ["not-allowed"])
        envelope = Envelope.from_bytes(raw)
        mine = evolve(envelope, sender=self.mallory.me.fingerprint, device=self.mallory.me.device.id)
        self.assertEqual(self.bring(self.mallory, self.bob, mine.to_bytes()), ["no-session"])
        elsewhere = evolve(envelope, to=b"another!").to_bytes()
        self.assertEqual(self.bring(self.alice, self.bob, elsewhere), ["wrong-device"])
        self.assertEqual(self.refusal(self.alice, self.bob, {"kind": ENVELOPES, "to": b"another!"}), "wrong-device")
        self.assertEqual(self.bob.texts, ["true"])

    def test_a_replay(self) -> None:
        """What comes again is acknowledged and is not there twice; once it is long forgotten it does not open."""
        self.send(self.alice, self.bob, "once")
        (payload,) = [packet for _, kind, _, packet in self.office.packets if kind == ENVELOPES]
        self.assertEqual(self.bring(self.alice, self.bob, *unpack(payload), *unpack(payload)), ["stored", "stored"])
        for _ in range(62):
            self.office.clock.advance(86_400)
        self.assertEqual(self.bring(self.alice, self.bob, *unpack(payload)), ["bad-seal"])
        self.assertEqual(self.bob.texts, ["once"])

    def test_changed_bytes(self) -> None:
        """A change of any part of an envelope is noticed, and the true one still opens."""
        self.send(self.alice, self.bob, "before")
        true = Envelope.from_bytes(
            self.sealed(
                self.alice, self.bob,
                letter(self.alice.me.sign(SIGNED_KIND, self.message(self.alice, self.bob, sequence=2).to_body())),
            )
        )  # fmt: skip
        seals = true.sealed[:-1] + bytes([true.sealed[-1] ^ 1])
        for change in ({"id": b"x" * 16}, {"number": true.number + 1}, {"before": 7}, {"sealed": seals}):
            self.assertEqual(self.bring(self.alice, self.bob, evolve(true, **change).to_bytes()), ["bad-seal"])
        self.assertEqual(self.bring(self.alice, self.bob, true.to_bytes()), ["stored"])

    def test_prekeys_that_another_signed(self) -> None:
        """A record that the device has not signed begins no session."""
        record = Prekeys(*device_of(self.bob), 1, b"k" * 32, 1, [])
        forged = self.mallory.me.sign(Prekeys.KIND, record.to_body()).to_bytes()
        self.office.apart.add(frozenset((self.alice, self.bob)))
        true = self.office.prekeys[device_of(self.bob)]
        self.office.prekeys[device_of(self.bob)] = forged
        self.send(self.alice, self.bob, "waits")
        self.passes(60)
        self.assertFalse(self.successResultOf(self.alice.messages.store.sessions(device_of(self.bob))).may_write)
        self.office.prekeys[device_of(self.bob)] = true
        self.office.apart.clear()
        self.passes(600)
        self.assertEqual(self.bob.texts, ["waits"])


class MalformedTests(HostileCase):
    def test_garbage(self) -> None:
        """Bytes that are no envelopes are refused by a code each; the honest one among them is taken."""
        self.begin(self.mallory, self.bob)
        honest = letter(self.mallory.me.sign(SIGNED_KIND, self.message(self.mallory, self.bob, sequence=2).to_body()))
        raw = [b"x", encode([1]), self.sealed(self.mallory, self.bob, honest), b"\xff" * 200]
        results = self.bring(self.mallory, self.bob, *raw)
        self.assertEqual((results[2], "stored" in (results[0], results[1], results[3])), ("stored", False))
        fields = {"kind": ENVELOPES, "to": self.bob.me.device.id}
        for payload in (b"", b"\xff", encode({}), encode([1])):
            self.assertIn(self.refusal(self.mallory, self.bob, fields, payload), ("malformed", "bad-field"))

    def test_what_is_inside(self) -> None:
        """What is no message inside a good seal is refused, and costs nobody his session."""
        self.begin(self.mallory, self.bob)
        sign = self.mallory.me.sign
        for plain in (
            b"", b"\x03", b"\x01", b"\x01" + sign("other", b"").to_bytes(), letter(sign(SIGNED_KIND, b"garbage")),
            b"\x02" + sign("message-notice", encode({"about": "all", "envelopes": [b"x"]})).to_bytes(),
        ):  # fmt: skip
            raw = self.sealed(self.mallory, self.bob, plain)
            self.assertEqual(self.bring(self.mallory, self.bob, raw), ["refused"])
        self.send(self.mallory, self.bob, "still")
        self.assertEqual(self.bob.texts, ["honest", "still"])

    def test_padding(self) -> None:
        """A seal without the padding that belongs to it is refused."""
        self.begin(self.mallory, self.bob)
        book = self.mallory.messages.book
        sessions = book._sessions[device_of(self.bob)]
        envelope = book.seal(device_of(self.bob), b"x")
        _, bare = sessions.seal(padded(b"x").rstrip(b"\0").rstrip(b"\x80"), envelope.beside)
        result = self.bring(self.mallory, self.bob, evolve(envelope, sealed=bare.sealed).to_bytes())
        self.assertEqual(result, ["malformed"])

    def test_too_large(self) -> None:
        """A payload above the limit of its row is refused before it is read."""
        fields = {"kind": ENVELOPES, "to": self.bob.me.device.id}
        self.assertEqual(self.refusal(self.mallory, self.bob, fields, bytes(3 * 1024 * 1024)), "too-large")

    def test_answers(self) -> None:
        """A recipient that answers nonsense, or that nothing opens, stops neither the sender nor its other letters."""
        ask = type(self.office).ask
        lies: list[Any] = [[], ["stored"] * 5, [7], None, ["no-session"], ["later"], ["unheard-of"]]

        def lie(sender, recipient, fields, payload=b""):
            answered = ask(self.office, sender, recipient, fields, payload)
            if fields["kind"] == ENVELOPES and recipient is self.mallory:
                answered.addCallback(lambda reply: evolve(reply, fields={"results": lies[0]}))
            return answered

        self.office.ask = lie
        while lies:
            self.send(self.alice, self.mallory, "to a liar")
            self.passes(30)
            self.assertEqual(self.successResultOf(self.send(self.alice, self.bob, "to bob").arrived), "stored")
            lies.pop(0) if len(lies) > 1 else lies.clear()
            if not lies:
                self.office.ask = lambda *asked: ask(self.office, *asked)


class LiarTests(HostileCase):
    def test_a_device_that_never_has_a_session(self) -> None:
        """A device that says of everything that it has no session for it is given up after a few, at no cost."""
        ask = type(self.office).ask

        def lie(sender, recipient, fields, payload=b""):
            if fields["kind"] == ENVELOPES and recipient is self.mallory:
                return succeed(Reply({"results": ["no-session"]}, b""))
            return ask(self.office, sender, recipient, fields, payload)

        self.office.ask = lie
        self.befriend(self.mallory, self.alice)
        sent = self.successResultOf(self.alice.messages.send(self.mallory.me.fingerprint, {"text": "x"}))
        self.assertEqual(self.failureResultOf(sent.arrived, BitDustError).value.code, "no-session")
        brought = [kind for _, kind, _, _ in self.office.packets if kind == ENVELOPES]
        self.assertLess(len(brought), 10)


class AmountTests(HostileCase):
    def test_a_flood(self) -> None:
        """A stranger has a hundred messages at once and two a second; a friend is not slowed by that."""
        self.begin(self.mallory, self.bob)
        results: list[str] = []
        for _ in range(3):
            raw = [self.sealed(self.mallory, self.bob, b"\x03") for _ in range(60)]
            fields = {"kind": ENVELOPES, "to": self.bob.me.device.id}
            answered = self.office.ask(self.mallory, self.bob, fields, pack(raw))
            answered.addCallbacks(lambda reply: reply.fields["results"], lambda failure: ["busy"] * 60)
            answered.addCallback(results.extend)
            self.office.clock.advance(0)
        burst = int(_STRANGER[0][1])
        self.assertLessEqual(results.count("refused"), burst)
        self.assertGreater(results.count("busy"), 50)
        for number in range(50):
            self.send(self.alice, self.bob, number)
        self.assertEqual(self.bob.texts, ["honest", *range(50)])

    def test_asking_for_prekeys(self) -> None:
        """Who asks for prekeys again and again gets no more than a stranger's share."""
        fields = {"kind": PREKEYS, "to": self.bob.me.device.id}
        asked = [self.office.ask(self.mallory, self.bob, fields) for _ in range(150)]
        refused = []
        for one in asked:
            one.addErrback(refused.append)
        self.assertGreater(len(refused), 40)
        self.assertEqual(self.successResultOf(self.send(self.alice, self.bob).arrived), "stored")

    def test_prekeys_that_nobody_uses(self) -> None:
        """A thousand one-time prekeys of a day are out at most; then sessions begin without, and a day later with."""
        self.patch(prekeys, "MOST_HERE", 5)
        mine = self.bob.messages.prekeys
        got = [self.successResultOf(Deferred.fromCoroutine(mine.hand_out())) for _ in range(7)]
        self.assertEqual([one is None for one in got], [False] * 5 + [True] * 2)
        self.send(self.mallory, self.bob, "without")
        self.assertEqual(self.bob.texts, ["without"])
        self.office.clock.advance(86_401)
        self.assertIsNotNone(self.successResultOf(Deferred.fromCoroutine(mine.hand_out())))

    def test_far_numbers(self) -> None:
        """An envelope that would have thousands of keys made is refused."""
        self.begin(self.mallory, self.bob)
        envelope = Envelope.from_bytes(self.sealed(self.mallory, self.bob, b"\x03"))
        for change in ({"number": 2**31}, {"key": b"n" * 32, "before": 2**31}):
            far = evolve(envelope, base=None, signed=None, once=None, **change)
            result = self.bring(self.mallory, self.bob, far.to_bytes())
            self.assertIn(result, (["too-far"], ["bad-seal"], ["no-session"]))


class MailboxAttacks(MailboxCase, HostileCase):
    def setUp(self) -> None:
        super().setUp()
        self.box = {"recipient": self.bob.me.fingerprint, "to": self.bob.me.device.id}
        self.carol = self.keepers[0]

    def test_strangers_have_no_mailbox(self) -> None:
        """A node keeps mailboxes for friends and customers alone, and only for devices that have opened one."""
        self.assertEqual(self.refusal(self.mallory, self.carol, {"kind": OPEN}), "not-allowed")
        for_alice = {"kind": DEPOSIT, "recipient": self.alice.me.fingerprint, "to": self.alice.me.device.id}
        self.begin(self.mallory, self.alice)
        raw = pack([self.sealed(self.mallory, self.alice, b"x")])
        answer = self.successResultOf(self.office.ask(self.mallory, self.carol, for_alice, raw))
        self.assertEqual(answer.fields["results"], ["no-mailbox"])
        once = {**for_alice, "kind": ONCE_ASKED}
        self.assertEqual(self.refusal(self.mallory, self.carol, once), "no-mailbox")

    def test_nobody_fetches_or_deletes_anothers(self) -> None:
        """Mallory gets nothing of bob's mailbox, and deletes nothing in it."""
        self.away("for bob")
        fetched = self.successResultOf(self.office.ask(self.mallory, self.carol, {"kind": FETCH, "after": 0}))
        self.assertEqual(decode(fetched.payload, 4096), [[], []])
        taken = {"kind": TAKEN, "numbers": list(range(1, 200))}
        self.assertEqual(self.successResultOf(self.office.ask(self.mallory, self.carol, taken)).fields["gone"], 0)
        self.assertEqual(self.kept(), [1, 1])

    def test_forged_deposits(self) -> None:
        """An envelope in another's name, or for another box than it is brought for, is not kept."""
        self.begin(self.mallory, self.bob)
        mine = Envelope.from_bytes(self.sealed(self.mallory, self.bob, b"x"))
        for change in ({"sender": self.alice.me.fingerprint}, {"device": b"another!"}, {"to": b"another!"}):
            raw = pack([evolve(mine, **change).to_bytes()])
            code = self.refusal(self.mallory, self.carol, {"kind": DEPOSIT, **self.box}, raw)
            self.assertEqual(code, "not-allowed")
        self.assertEqual(self.kept(), [0, 0])

    def test_a_box_that_one_fills(self) -> None:
        """One sender has a part of a mailbox, however fast it writes; others still have theirs kept."""
        self.begin(self.mallory, self.bob)
        self.bob.crash()
        store = self.carol.mailboxes.store
        self.successResultOf(
            store._commits.change(
                lambda database: database.executemany(
                    "INSERT INTO kept(box, sender, device, envelope, size, time, data) VALUES(1, ?, ?, ?, 1, ?, x'')",
                    (
                        (*device_of(self.mallory), number.to_bytes(16, "big"), int(self.carol.world.wall()))
                        for number in range(SENDER_MOST)
                    ),
                )
                and None
            )
        )
        raw = pack([self.sealed(self.mallory, self.bob, b"x")])
        answer = self.successResultOf(self.office.ask(self.mallory, self.carol, {"kind": DEPOSIT, **self.box}, raw))
        self.assertEqual(answer.fields["results"], ["full"])
        self.assertEqual(self.successResultOf(self.send(self.alice, self.bob, "kept all the same").arrived), "kept")

    def test_a_flood_of_deposits(self) -> None:
        """A stranger's flood is cut to its share."""
        self.begin(self.mallory, self.bob)
        envelope = Envelope.from_bytes(self.sealed(self.mallory, self.bob, b"x"))
        raw = [evolve(envelope, id=os.urandom(16)).to_bytes() for _ in range(200)]
        answer = self.successResultOf(
            self.office.ask(self.mallory, self.carol, {"kind": DEPOSIT, **self.box}, pack(raw))
        )
        self.assertGreater(answer.fields["results"].count("busy"), 90)

    def test_prekey_exhaustion(self) -> None:
        """Nobody gets two one-time prekeys of a device in a day, so one alone uses up nothing; without them sessions
        begin all the same."""
        once = {"kind": ONCE_ASKED, **self.box}
        got = [self.successResultOf(self.office.ask(self.mallory, self.carol, once)).fields for _ in range(5)]
        self.assertEqual([("once" in fields) for fields in got], [True, False, False, False, False])

    def test_a_one_time_prekey_of_a_mailbox(self) -> None:
        """One that the device has not signed counts for none: the other mailbox is asked, or it goes without."""
        ask, asked = type(self.office).ask, []
        key = DeviceKey.from_seed(b"c" * 32)
        body = once_body(self.bob.me.fingerprint, 1, key.public)
        signed = {"id": 1, "key": key.public, "signature": key.sign(signed_message(ONCE_KIND, body))}
        first, other = self.keepers
        lies = {first: [signed, signed | {"signature": bytes(64)}], other: ["nonsense"]}

        def lie(sender, recipient, fields, payload=b""):
            answered = ask(self.office, sender, recipient, fields, payload)
            if fields["kind"] == ONCE_ASKED and lies.get(recipient):
                asked.append(recipient)
                told = lies[recipient].pop(0)
                return answered.addCallback(lambda reply: evolve(reply, fields={"once": told}))
            return answered

        self.office.ask = lie
        self.bob.crash()
        for writer, liars in ((self.alice, [first, other]), (self.mallory, [first])):
            sent = self.send(writer, self.bob, len(liars))
            self.assertEqual(self.successResultOf(sent.arrived), KEPT)
            self.assertEqual(asked, liars)
            asked.clear()
            (begun,) = self.successResultOf(writer.messages.store.sessions(device_of(self.bob))).all
            self.assertEqual(begun.start.once_id is None, liars == [first, other])
        self.bob.again()
        self.assertEqual(sorted(self.bob.texts), [1, 2])

    def test_a_mailbox_that_lies(self) -> None:
        """One that gives garbage, doubles, envelopes of others, or numbers that fit nothing stops nothing."""
        self.away("true")
        ask = type(self.office).ask
        true = self.successResultOf(ask(self.office, self.bob, self.carol, {"kind": FETCH, "after": 0}))
        (raw,), documents = decode(true.payload, 65_536)
        stranger = evolve(Envelope.from_bytes(raw), sender=b"n" * 32).to_bytes()
        changed = evolve(Envelope.from_bytes(raw), id=b"n" * 16).to_bytes()
        lies = [
            ({"numbers": [1, 2]}, encode([[raw], []])),
            ({"numbers": "many"}, encode([[raw], []])),
            ({"numbers": [1], "lost": [[1, 2]]}, encode([[raw], []])),
            ({}, b"\xff"),
            ({}, encode([[raw]])),
            (
                {"numbers": [1, 2, 3, 4, 5], "more": False, "left": -1},
                encode([[b"x", stranger, changed, raw, raw], [*documents, b"no document"]]),
            ),
        ]

        def lie(sender, recipient, fields, payload=b""):
            answered = ask(self.office, sender, recipient, fields, payload)
            if recipient is self.carol and fields["kind"] == FETCH and lies:
                said, data = lies.pop(0)
                return answered.addCallback(lambda reply: evolve(reply, fields=said, payload=data))
            return answered

        self.office.ask = lie
        self.keepers[1].crash()
        self.alice.crash()
        self.bob.again()
        for _ in range(8):
            self.office.clock.advance(1800)
        self.assertEqual((self.bob.texts, lies), (["true"], []))

    def test_a_stranger_that_calls(self) -> None:
        """A word that there is something is heard from keepers of my mailboxes alone."""
        before = len(self.office.packets)
        self.successResultOf(self.office.ask(self.mallory, self.bob, {"kind": WAITING}))
        self.assertEqual(len(self.office.packets), before)
        self.successResultOf(self.office.ask(self.carol, self.bob, {"kind": WAITING}))
        self.assertEqual([packet[1] for packet in self.office.packets[before:]], [FETCH])

    def test_a_revoked_device(self) -> None:
        """What a device sends whose owner has revoked it is not opened."""
        self.begin(self.mallory, self.bob)
        old = self.mallory.me.document.devices[0]
        devices = (evolve(old, revoked=2, sequence=0), evolve(old, number=1, since=2, key=OTHER.public))
        revised = self.mallory.me.revise(devices=devices)
        self.bob.cache.accept(revised)
        me = self.mallory.me
        thief = SimpleNamespace(me=SimpleNamespace(fingerprint=me.fingerprint, device=me.device, document=revised))
        own = me.sign(SIGNED_KIND, self.message(self.mallory, self.bob, sequence=2).to_body())
        raw = self.sealed(self.mallory, self.bob, letter(own))
        fields = {"kind": ENVELOPES, "to": self.bob.me.device.id}
        self.assertEqual(self.refusal(thief, self.bob, fields, pack([raw])), "not-allowed")
        self.office.judge = lambda sender, recipient, kind: LOST if kind == ENVELOPES else PASSES
        self.send(self.mallory, self.bob, "stolen")
        self.passes(2000)
        self.assertEqual(self.bob.texts, ["honest"])
        self.assertEqual(self.kept(), [1, 1])


OTHER = DeviceKey(b"o" * 32)


class CodeTests(HostileCase):
    def test_own_messages(self) -> None:
        """Too much on its way to one person is refused to the own programs as well, in words."""
        desk = self.alice.messages.letters.desk
        desk.by_person[self.bob.me.fingerprint] = dict.fromkeys(range(10_000))
        failure = self.failureResultOf(self.alice.messages.send(self.bob.me.fingerprint, {"x": 1}), BitDustError)
        self.assertEqual(failure.value.code, "busy")
        desk.by_person.clear()
        self.assertNotIsInstance(failure.value, WireError)
