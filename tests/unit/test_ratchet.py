"""X3DH and the Double Ratchet: published vectors, and what must hold whatever the network does."""

from random import Random

from attrs import evolve
from twisted.trial.unittest import TestCase

from bitdust.crypt.device import DeviceKey
from bitdust.crypt.exchange import converted, private_of, public_of, shared
from bitdust.crypt.ratchet import chains
from bitdust.crypt.ratchet.agreement import Bundle, Party, Prekey, answer, begin, derive
from bitdust.crypt.ratchet.chains import Header, When, chain_step, message_keys, root_step
from bitdust.crypt.ratchet.session import MOST, Sealed, Sessions, answered, begun
from bitdust.wire.encoding import WireError, encode

NOW = 1_700_000_000
BESIDE = b"beside"


SIGNAL = [
    bytes.fromhex(text)
    for text in (
        "5820d92bbf3e748068019490c3aa945021faa6d243e48649f66bd6a445991763",
        "016a60fccf33b6f09a1e9b54777842dde6c4f630ae359567b37420cf2d93f145",
        "28d304a2eb00fb63f85e6d4cefc6bf131b5ee562b46bd52ccb528a8461ddc365",
        "183a6ec2c74a21f3deb3704c3d3245e0a5d55fdcc99a269d6468a67caeef5912",
        "98040bae6b3d029cf125dc8ed807ce33fce007d82f676d7bc71a5b913b603b67",
        "89f9576037c1076c192211fb2261e4c444585144c28c1c6e7c48b691269bf2e6",
        "c35af181b0bfeab5d9711220c160d643f6e81c0011bfa1aa16aef36a91cd1a9b",
        "8aa205ea1700c085b643e9684f6a537488bd9f3ea01d00f95855e18fab9fbe51",
        "dd610eee8f33022563488aede094ab6c72af3969f7cfa65f095fee59c4eae73d"
        "acc6304dc0cc20e58fcea460dac167554e89a9b25ebda5a3babe15cf8b71e79a"
        "f3f0255843da3a816c78d765cebdba0b",
    )
]
"""Alice's identity key, Bob's, her one-time key, his signed prekey, her ratchet key; secret, root, chain, keys."""


class Side:
    """One device with its prekeys and sessions."""

    def __init__(self, name: bytes, random: Random) -> None:
        self.random = random
        self.device = DeviceKey(name * 32)
        self.party = Party(name * 32, self.device.public)
        self.signed = Prekey(1, random.randbytes(32))
        self.once = {2: Prekey(2, random.randbytes(32))}
        self.sessions = Sessions()

    def bundle(self, once: bool = True) -> Bundle:
        key = self.once[2] if once else None
        return Bundle(self.party, 1, self.signed.public, key and key.id, key and key.public)

    def begin(self, other: "Side", once: bool = True) -> None:
        bundle = other.bundle(once)
        agreed, start = begin(self.device, self.party, bundle, self.random.randbytes(32))
        session = begun(agreed, start, bundle.signed, self.random.randbytes(32), NOW)
        self.sessions = self.sessions.with_new(session)

    def write(self, text: bytes) -> Sealed:
        self.sessions, sealed = self.sessions.seal(text, BESIDE)
        return sealed

    def read(self, message: Sealed, other: "Side", now: int = NOW, latest: int = 0) -> bytes:
        sessions = self.sessions
        if message.start is not None and not sessions.knows(message.start):
            once = self.once[message.start.once_id] if message.start.once_id is not None else None
            agreed = answer(self.device, self.party, other.party, message.start, self.signed, once)
            sessions = sessions.with_new(answered(agreed, message.start, self.signed.private, now))
        # Whatever goes through the disk is as good as what stayed in memory.
        self.sessions, plain = Sessions.from_bytes(sessions.to_bytes()).open_message(
            message, BESIDE, self.random.randbytes(32), When(now, max(now, latest))
        )
        return plain


class VectorTests(TestCase):
    def test_diffie_hellman(self):
        """RFC 7748, section 6.1."""
        alice = bytes.fromhex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a")
        bob = bytes.fromhex("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb")
        self.assertEqual(public_of(alice).hex(), "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a")
        self.assertEqual(public_of(bob).hex(), "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f")
        agreed = "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742"
        self.assertEqual(shared(alice, public_of(bob)).hex(), agreed)
        self.assertEqual(shared(bob, public_of(alice)).hex(), agreed)

    def test_derivation(self):
        """RFC 5869, A.1: the first 42 of the 64 bytes of ``KDF_RK``, with its input as salt, secret and info."""
        salt, info = bytes(range(13)), bytes(range(0xF0, 0xFA))
        first, second = root_step(salt, b"\x0b" * 22, info)
        okm = "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"
        self.assertEqual((first + second)[:42].hex(), okm)

    def test_a_session_of_signal(self):
        """The session of Open Whisper Systems' RatchetingSessionTest, whose keys are derived under other names: the
        secret of X3DH without a one-time prekey, the root key, the chain key, and the keys of the first message."""
        alice, bob, base, prekey, own = SIGNAL[:5]
        parts = [shared(alice, prekey), shared(base, bob), shared(base, prekey)]
        secret = derive(parts, b"WhisperText", 64)[:32]
        root, chain = root_step(secret, shared(own, prekey), b"WhisperRatchet")
        keys = message_keys(chain_step(chain)[0], b"WhisperMessageKeys", 80)
        self.assertEqual([secret, root, chain, keys], SIGNAL[5:])

    def test_identity_keys(self):
        """Both halves of a device's key are converted to the same key of X25519."""
        device = DeviceKey(b"d" * 32)
        self.assertEqual(public_of(private_of(device)), converted(device.public))


def both(random: Random) -> tuple[Side, Side]:
    return Side(b"a", random), Side(b"b", random)


class SessionTests(TestCase):
    def setUp(self):
        self.random = Random(7)
        self.alice, self.bob = both(self.random)

    def refused(self, code: str, side: Side, message: Sealed, other: Side) -> None:
        before = side.sessions
        self.assertEqual(self.assertRaises(WireError, side.read, message, other).code, code)
        self.assertEqual(side.sessions, before)

    def test_with_and_without_a_one_time_prekey(self):
        """The first message opens with or without a one-time prekey, and answers go back over the same session."""
        for once in (True, False):
            alice, bob = both(self.random)
            alice.begin(bob, once)
            self.assertEqual(bob.read(alice.write(b"hello"), alice), b"hello")
            self.assertEqual(alice.read(bob.write(b"hello too"), bob), b"hello too")
            self.assertIsNone(alice.sessions.all[0].start)

    def test_the_first_messages_repeat_how_it_began(self):
        """Until an answer comes each message says how its session began: whichever arrives first opens."""
        self.alice.begin(self.bob)
        one, two = self.alice.write(b"one"), self.alice.write(b"two")
        self.assertEqual(self.bob.read(two, self.alice), b"two")
        self.assertEqual(self.bob.read(one, self.alice), b"one")
        self.alice.read(self.bob.write(b"answer"), self.bob)
        self.assertIsNone(self.alice.write(b"three").start)

    def test_a_replay(self):
        """What was opened does not open again, whether it came in order or late."""
        self.alice.begin(self.bob)
        one, two = self.alice.write(b"one"), self.alice.write(b"two")
        for message in (two, one):
            self.bob.read(message, self.alice)
            self.refused("bad-seal", self.bob, message, self.alice)

    def test_changes(self):
        """A message with one byte changed, in its seal or beside it, is refused, and the true one still opens."""
        self.alice.begin(self.bob)
        self.bob.read(self.alice.write(b"before"), self.alice)
        true = self.alice.write(b"true")
        header = true.header
        for changed in (
            evolve(true, sealed=true.sealed[:-1] + bytes([true.sealed[-1] ^ 1])),
            evolve(true, sealed=b""),
            evolve(true, header=evolve(header, number=header.number + 1)),
            evolve(true, header=evolve(header, before=header.before + 1)),
            evolve(true, header=evolve(header, key=public_of(b"x" * 32))),
        ):
            self.refused("bad-seal", self.bob, changed, self.alice)
        self.assertEqual(self.bob.read(true, self.alice), b"true")

    def test_keys_that_make_no_secret(self):
        """A key of small order is refused where it is a ratchet key, a prekey or an identity key."""
        self.alice.begin(self.bob)
        self.bob.read(self.alice.write(b"before"), self.alice)
        message = self.alice.write(b"true")
        self.refused("bad-key", self.bob, evolve(message, header=evolve(message.header, key=bytes(32))), self.alice)
        bundle = self.bob.bundle()
        nobody = evolve(bundle.owner, key=b"\1" + bytes(31))
        for bad in (evolve(bundle, signed=bytes(32)), evolve(bundle, owner=nobody)):
            error = self.assertRaises(WireError, begin, self.alice.device, self.alice.party, bad, b"r" * 32)
            self.assertEqual(error.code, "bad-key")

    def test_somebody_else(self):
        """A session binds both people: with another fingerprint for the same key nothing opens."""
        self.alice.begin(self.bob)
        message = self.alice.write(b"hello")
        self.alice.party = evolve(self.alice.party, fingerprint=b"m" * 32)
        self.refused("bad-seal", self.bob, message, self.alice)

    def test_too_far(self):
        """A message behind more than a thousand others is refused, and costs no more keys than that."""
        self.alice.begin(self.bob)
        self.bob.read(self.alice.write(b"first"), self.alice)
        for _ in range(chains.MAX_SKIP):
            last = self.alice.write(b"lost")
        beyond = self.alice.write(b"beyond")
        self.refused("too-far", self.bob, evolve(beyond, header=evolve(beyond.header, number=1002)), self.alice)
        self.assertEqual(self.bob.read(last, self.alice), b"lost")
        self.assertEqual(len(self.bob.sessions.all[0].chains.skipped), chains.MAX_SKIP - 1)

    def test_keys_of_missing_messages_end(self):
        """Keys of what never came are forgotten: the oldest above two thousand, and all after a month and a half."""
        self.alice.begin(self.bob)
        late = self.alice.write(b"late")
        for _ in range(3):
            for _ in range(900):
                last = self.alice.write(b"x")
            self.bob.read(last, self.alice)
        self.assertEqual(len(self.bob.sessions.all[0].chains.skipped), chains.MAX_KEPT)
        self.refused("bad-seal", self.bob, late, self.alice)
        self.alice.write(b"lost too")
        self.bob.read(self.alice.write(b"much later"), self.alice, NOW + chains.KEPT_SECONDS + 1)
        self.assertEqual(len(self.bob.sessions.all[0].chains.skipped), 1)

    def test_keys_that_are_noted_by_a_wrong_clock(self):
        """A key is noted at the latest that it may be, and goes by the earliest: a clock that is behind ends none."""
        self.alice.begin(self.bob)
        lost = self.alice.write(b"lost")
        self.bob.read(self.alice.write(b"x"), self.alice, NOW - 2 * chains.KEPT_SECONDS, NOW)
        self.alice.write(b"lost too")
        self.bob.read(self.alice.write(b"y"), self.alice, NOW + 1)
        self.assertEqual(self.bob.read(lost, self.alice, NOW + 1), b"lost")

    def test_both_begin_at_once(self):
        """Two sessions that cross are both good, and all messages of both open, in any order."""
        self.alice.begin(self.bob)
        self.bob.begin(self.alice)
        hers, his = self.alice.write(b"hers"), self.bob.write(b"his")
        self.assertEqual(self.alice.read(his, self.bob), b"his")
        self.assertEqual(self.bob.read(hers, self.alice), b"hers")
        for number in range(4):
            self.assertEqual(self.bob.read(self.alice.write(b"%d" % number), self.alice), b"%d" % number)
            self.assertEqual(self.alice.read(self.bob.write(b"%d" % number), self.bob), b"%d" % number)

    def test_few_sessions(self):
        """Who begins again and again has five sessions at most, the ones that were used last."""
        self.alice.begin(self.bob)
        self.bob.read(self.alice.write(b"first"), self.alice)
        for _ in range(MOST):
            self.alice.begin(self.bob, once=False)
            self.bob.read(self.alice.write(b"again"), self.alice)
        self.assertEqual(len(self.bob.sessions.all), MOST)
        self.assertEqual(self.alice.read(self.bob.write(b"answer"), self.bob), b"answer")

    def test_a_state_of_yesterday(self):
        """Two messages that are sealed from one old state share no key and nonce, because their names differ."""
        self.alice.begin(self.bob)
        old = self.alice.sessions
        (_, one), (_, two) = old.seal(b"text one", b"name 1"), old.seal(b"text one", b"name 2")
        self.assertEqual(one.header, two.header)
        self.assertNotEqual(one.sealed[:8], two.sealed[:8])

    def test_nothing_to_write_with(self):
        """Who has answered nothing yet cannot write over a session that the other side began and never used."""
        error = self.assertRaises(WireError, chains.seal, chains.second(b"s" * 32, b"p" * 32), b"x", b"")
        self.assertEqual(error.code, "no-chain")
        empty = Sealed(Header(b"k" * 32, 0, 0), b"x" * 20)
        error = self.assertRaises(WireError, Sessions().open_message, empty, b"", b"f" * 32, NOW)
        self.assertEqual(error.code, "no-session")

    def test_forward_secrecy(self):
        """A state that is stolen opens nothing that came before it, nor what comes after both sides have written."""
        self.alice.begin(self.bob)
        old = [self.alice.write(b"%d" % number) for number in range(3)]
        for message in old:
            self.bob.read(message, self.alice)
        thief = Side(b"b", Random(1))
        thief.sessions = self.bob.sessions
        for message in old:
            self.refused("bad-seal", thief, message, self.alice)
        # The ratchet turns where nobody looks: the secret half of his new key is not in what was stolen.
        self.alice.read(self.bob.write(b"answer"), self.bob)
        self.bob.read(self.alice.write(b"turn"), self.alice)
        self.alice.read(self.bob.write(b"answer"), self.bob)
        self.refused("bad-seal", thief, self.alice.write(b"later"), self.alice)


class NetworkTests(TestCase):
    def test_loss_reordering_and_doubles(self):
        """Whatever is lost, doubled or out of order: each message that arrives opens once, and is what was written."""
        for seed in range(5):
            random = Random(seed)
            sides = both(random)
            on_the_way: list[tuple[int, bytes, Sealed]] = []
            read: list[bytes] = []
            for side, other in (sides, sides[::-1]):
                if side is sides[0] or random.random() < 0.5:
                    side.begin(other, once=random.random() < 0.5)
            for number in range(80):
                who = random.randrange(2)
                if sides[who].sessions.may_write:
                    text = b"%d of %d" % (number, who)
                    on_the_way.append((who, text, sides[who].write(text)))
                while on_the_way and random.random() < 0.45:
                    who, text, message = on_the_way.pop(random.randrange(len(on_the_way)))
                    if random.random() < 0.1:
                        continue
                    side, other = sides[1 - who], sides[who]
                    self.assertEqual(side.read(message, other), text)
                    read.append(text)
                    if random.random() < 0.2:
                        self.assertRaises(WireError, side.read, message, other)
            self.assertEqual(len(read), len(set(read)))
            self.assertGreater(len(read), 25)


class FormatTests(TestCase):
    def test_malformed(self):
        """Bytes that are no sessions are refused."""
        random = Random(3)
        alice, bob = both(random)
        alice.begin(bob)
        good = alice.sessions.to_bytes()
        self.assertEqual(Sessions.from_bytes(good), alice.sessions)
        for bad in (b"", good[:-1], encode([2, []]), encode([1, [[1]]]), encode([1, [[b"b" * 32, 1, None, 1, []]]])):
            self.assertRaises(WireError, Sessions.from_bytes, bad)

    def test_secrets_are_not_shown(self):
        """No key is in what a state or a bundle looks like in a log."""
        random = Random(3)
        alice, bob = both(random)
        alice.begin(bob)
        state = alice.sessions.all[0].chains
        shown = repr(alice.sessions) + repr(state) + repr(bob.signed)
        for secret in (state.private, state.root, state.sending, bob.signed.private):
            self.assertNotIn(repr(secret), shown)
