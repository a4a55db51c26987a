"""Messages to everybody, from people and by way of peers that are not honest."""

import json
import os
from types import SimpleNamespace

from attrs import evolve
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from bitdust.crypt.device import DeviceKey
from bitdust.identity.document import Device, IdentityDocument
from bitdust.people.broadcasts.broadcasts import CONNECTIONS, MOST_HOPS, ROUTING, Broadcasts, Carried
from bitdust.wire.broadcast import MAX_SAID, Broadcast
from bitdust.wire.encoding import encode
from bitdust.wire.errors import BitDustError
from bitdust.wire.names import IDURL
from tests.grid.chaos import keys
from tests.unit.message_kit import Payload
from tests.unit.supplier_kit import START

NAMES = ("alice", "bob", "carl", "eve")


class Somebody:
    """A person with an identity, who says something; and a node that hears."""

    def __init__(self, case: SynchronousTestCase, which: str, peers: int = 0) -> None:
        self.case, self.clock = case, Clock()
        self.device = DeviceKey.generate(os.urandom)
        source, devices = IDURL.parse(f"http://id.example/{which}.xml"), (Device(0, 1, self.device.public),)
        self.document = IdentityDocument.create(keys.key(NAMES.index(which)), (source,), 1, devices, START)
        self.fingerprint = self.document.fingerprint
        self.settings = {ROUTING: True, CONNECTIONS: 3}
        self.sent: list[tuple[bytes, int, bytes]] = []
        self.events: list[dict] = []
        self.known: dict[bytes, IdentityDocument] = {}
        others = [bytes([number]) * 32 for number in range(peers)]
        sessions = [SimpleNamespace(peer=SimpleNamespace(fingerprint=who)) for who in others]
        world = SimpleNamespace(clock=self.clock, wall=lambda: START + self.clock.seconds(), entropy=os.urandom)
        self.broadcasts = Broadcasts(SimpleNamespace(
            world=world, settings=self.settings, events=self, me=self, outbox=self, identities=self.known,
            sessions=SimpleNamespace(sessions=lambda: sessions),
        ))  # fmt: skip

    def sign(self, kind: str, body: bytes):
        return self.device.sign_record(kind, body)

    def send(self, to, *more, **terms):
        if isinstance(to, str):
            self.events.append(more[0])
            return None
        _, fields, payload = more
        self.sent.append((to, fields["hops"], payload))
        return succeed(None)

    def hears(self, payload: bytes, peer: bytes = b"p" * 32, hops: int = 0) -> str | None:
        """Why it is not taken; None where it is."""
        request = SimpleNamespace(
            payload=Payload(payload), peer=SimpleNamespace(fingerprint=peer), fields={"hops": hops}
        )
        ended: list = []
        Deferred.fromCoroutine(self.broadcasts._hear(request)).addBoth(ended.append)
        return getattr(getattr(ended[0], "value", None), "code", None)

    def word(self, said: bytes = b"{}", **changes) -> bytes:
        """What this person says, or something like it."""
        record = Broadcast(os.urandom(16), self.fingerprint, START * 1000, said)
        record = evolve(record, **changes)
        return Carried(self.sign(Broadcast.KIND, record.to_body()), record, self.document).to_bytes()


class BroadcastTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.alice, self.bob = Somebody(self, "alice", 5), Somebody(self, "bob", 5)

    def test_said_heard_and_passed_on(self) -> None:
        """It goes to all who are connected, is heard once, and passed on to as many as the setting says, so far."""
        self.assertEqual(self.successResultOf(self.alice.broadcasts.say({"msg": "hi"})), 5)
        payload = self.alice.sent[0][2]
        self.assertEqual([self.bob.hears(payload), self.bob.hears(payload, b"q" * 32)], [None, None])
        (event,) = self.bob.events
        self.assertEqual((event["message"], event["fingerprint"]), ({"msg": "hi"}, self.alice.fingerprint.hex()))
        self.assertEqual([(hops, data == payload) for _, hops, data in self.bob.sent], [(1, True)] * 3)
        self.assertIsNone(self.alice.hears(payload))
        self.assertEqual(self.alice.events, [])
        far = Somebody(self, "carl", 5)
        self.assertIsNone(far.hears(payload, hops=MOST_HOPS))
        self.assertEqual((len(far.events), far.sent), (1, []))
        quiet = Somebody(self, "eve", 5)
        quiet.settings[ROUTING] = False
        self.assertIsNone(quiet.hears(payload))
        self.assertEqual((len(quiet.events), quiet.sent), (1, []))

    def test_the_id_of_another(self) -> None:
        """Who says something under the id of what another says keeps that from nobody."""
        ident = os.urandom(16)
        eve = Somebody(self, "eve")
        self.assertEqual([self.bob.hears(who.word(id=ident)) for who in (eve, self.alice)], [None, None])
        self.assertEqual(len(self.bob.events), 2)

    def test_refused_to_say(self) -> None:
        """What is no object, too much, too often, or said to nobody is refused with a code."""
        alone = Somebody(self, "carl")
        for who, data, code in (
            (self.alice, ["x"], "bad-message"),
            (self.alice, {"x": "y" * MAX_SAID}, "too-large"),
            (alone, {}, "not-connected"),
        ):
            with self.assertRaises(BitDustError) as caught:
                who.broadcasts.say(data)
            self.assertEqual(caught.exception.code, code)
        for _ in range(3):
            self.alice.broadcasts.say({})
        with self.assertRaises(BitDustError) as caught:
            self.alice.broadcasts.say({})
        self.assertEqual(caught.exception.code, "busy")
        self.alice.clock.advance(61)
        self.alice.broadcasts.say({})

    def test_forged_or_malformed(self) -> None:
        """Nobody speaks for another or with a revoked device; what is old, to come, or no object is refused."""
        eve, alice = Somebody(self, "eve"), self.alice
        foreign = Broadcast(os.urandom(16), alice.fingerprint, START * 1000, b"{}")
        signed = eve.sign(Broadcast.KIND, foreign.to_body())
        for payload, code in (
            (Carried(signed, foreign, alice.document).to_bytes(), "bad-signature"),
            (Carried(signed, foreign, eve.document).to_bytes(), "bad-signature"),
            (alice.word(time=(START - 700) * 1000), "stale"),
            (alice.word(time=(START + 700) * 1000), "stale"),
            (alice.word(b"[]"), "malformed"),
            (alice.word(b"{{"), "malformed"),
            (alice.word(b"[" * 4000), "malformed"),
            (b"nothing", "malformed"),
            (encode({"word": b"x", "identity": b"y"}), "malformed"),
        ):
            self.assertEqual(self.bob.hears(payload), code)
        gone = evolve(alice.document.devices[0], revoked=2, sequence=0)
        self.bob.known[alice.fingerprint] = evolve(alice.document, revision=2, devices=(gone,))
        self.assertEqual(self.bob.hears(alice.word()), "bad-signature")
        self.assertEqual((self.bob.events, self.bob.sent), ([], []))

    def test_floods(self) -> None:
        """One sender has three at once, one peer thirty, whatever they are; others are still heard, and no more is
        remembered than fits."""
        eve, carl = Somebody(self, "eve"), Somebody(self, "carl")
        codes = [self.bob.hears(eve.word(b'{"n":%d}' % number)) for number in range(6)]
        self.assertEqual(codes, [None] * 3 + ["busy"] * 3)
        forged = [self.bob.hears(evolve_said(eve, number), b"f" * 32) for number in range(40)]
        self.assertEqual(forged.count("busy"), 10)
        self.assertIsNone(self.bob.hears(carl.word()))
        self.assertEqual(self.bob.hears(carl.word(), b"f" * 32), "busy")


def evolve_said(eve: Somebody, number: int) -> bytes:
    """Something that Eve signed in the name of another, whom nobody knows."""
    record = Broadcast(os.urandom(16), bytes([number]) * 32, START * 1000, json.dumps({"n": number}).encode())
    return Carried(eve.sign(Broadcast.KIND, record.to_body()), record, eve.document).to_bytes()
