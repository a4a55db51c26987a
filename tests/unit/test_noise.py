"""Handshakes of Noise and codes on two screens: published vectors, and what must hold whoever is in between."""

from pathlib import Path
from random import Random

from twisted.trial.unittest import SynchronousTestCase

from bitdust.crypt import noise
from bitdust.crypt.comparison import codes, commitment, keeps
from bitdust.crypt.exchange import public_of
from bitdust.crypt.noise import IK, XX, Agreed, Cipher, Handshake, Pattern
from bitdust.wire.encoding import WireError

PROLOGUE = b"There is no right and wrong. There's only fun and boring."
COMMITMENT = "37a659b6a89f939048a6bcb4ccbc75bc43ba909ac8ca25816e1d74f0f9e78e4d"
CODES = ("625687", "546288")
PUBLISHED = {
    XX: (
        "67a147237ca2e511a5328abf44fc049e725d23ac193f1d5e8da60d543670cd39",
        "b4dbfea92d1afb2ce4a508bd5e014d21ee95ced8d12346d226985d40b2da95e7",
        "0e64a9143ba4c2bb79a25cd1c12575a9da949b52338b32fe1208e4b598c9acc0",
        "c3142e465cafd8356330d7f910146c5428a524e723df165d76a2d5a697aa7e6d",
        (
            (
                "09f6721fa79e976f05d523c07e4818bfad6903108a05734e3163cec30442fcf5",
                "c8a324f41408be37f760130b5a8f2c4e9c92bab229e9b78007aa43b7c7656b3409f6721fa79e976f05d523c07e4818bf"
                "ad6903108a05734e3163cec30442fcf5",
            ),
            (
                "af62581a26fc31c4b722c1f04d73d845eb6daf35bcd64fc805a46a74bd747d90",
                "4e935a4c1dccaf91b78062590be1e790f984eeff2ab9a219e491387a99dbfe53b9ea4a0a1b78a30056a0615ef4cfcc5d"
                "5bcfa087abd07df701c08b2410ab385c490a43cd853a15a1d1e8162c25b78d362ff84afd1f02e0d0e8d25ada33fe5f8e"
                "8856cc49e9a896c1c10616508f52387ca29d35a037c7d1c968a45d07daf01667",
            ),
            (
                "bae081c11b0a050d08a48d4a2dd387bd927e18d12c1f2758ae712ec4e3948dc8",
                "72eb5f83ef7773b38886a657b2216368f76f51e90855aaec0c9cd65c7750c531b3ef8a9261065b9b73009e698c3e0e1e"
                "7153c64e842d877db5f0953c2a43f12bdee99b360ebc11ee64a2989bf8f486a45267753caf35ad5900224e9b04c4b5b2",
            ),
            (
                "062b027afab93baa74c7cdc1ac71b3486636bed142caec9f70f4dd672dbe120d",
                "9953df9aa4294b12364dd6896de6e705564a5583c67ed86f0b985054d63f4381bdb99faa8633893643d6ee3ba987344f",
            ),
            (
                "3000ff396f68e4d00ac10c97a4c14e5901e3245dc29f9a801427babd59bfc2a3",
                "d9ea28203c96f5ac9024541d8f05e5e9bbfedccf701d2a2130ddeada49446a546d03c3ed440558782120b95e537a229e",
            ),
        ),
    ),
    IK: (
        "98faebfdc44a30b111d755708980f247e06f6fd40909fec3d675508952a3f615",
        "01fed814d96619ca317a6011dab28db5f32cb9a29d9bdad0eaca9eb48d7b57c4",
        "bf6aaf9bc0cd92c4c5f93ef0797f02b3bec9498cfb4a3b338f34b4d682112154",
        "9af33ff27f261005a3e57f7a32a6abd17f57834b74b22bb7b7633abe80cd1f95",
        (
            (
                "8cb1797838a7e55bee256343e843befa874c504eb42eabcc843d26707fb3f051",
                "c3b79ee926435e045ffe4b100c9b7fd2548df6dbe26cdaf9ba7672e094abd46944b359dc54c040932dc7a5797b0efb16"
                "24fefa0161ef1fce7c196d06ae9ad1925c1d1127ae542bf18e8f5a4e3c0b7ba242e47b9dd5779de7ed251fac157c5957"
                "d33db53bb9e8d6f31ec0b0dc8f79855a139129acacdcea89ee8e29943c8fcde9",
            ),
            (
                "43365623b9d678439fe922abb9b75c2ded28fbaaa0ef2c0155b650bb3eca706d",
                "24ad0a9c3e786b299f8d2bd2edb4af785d5ffa432cb278a66234cf8e8f0a902c09a740060f734f0be6b91f563e4384a8"
                "da2e34bcc077ab29a017407dfae20a8386bb50d3df38dbfd2b57d39e6f7f667f",
            ),
            (
                "b9eed3d18bae1234e8180140025344e29b72d32db52ca89b142a1ac47295c91e",
                "1bb7ca95b86a472beac1fe0a203b3b1f0f0238669e89ac18819674ea34f158bd613721e58ea4339772aaff3f060086db",
            ),
            (
                "8a0724a71789f642fc06a2af90be6dded6bf2b5ab1a32e210ef19945cd0b9b68",
                "c57711be5a672510e6025bc0089a60d8abe47f6ae56bc7f794b8ec3d632f7a4378450ba76584ca1f23b9ae92cb72a1e0",
            ),
        ),
    ),
}
"""Noise_XX_25519_AESGCM_SHA256 and Noise_IK_25519_AESGCM_SHA256 of the vectors of the library snow: keys of the side
that begins (static, ephemeral), of the other side; payloads and messages, behind the handshake as well."""


def both(pattern: Pattern, keys: list[bytes], prologue: bytes = b"") -> tuple[Handshake, Handshake]:
    """Both sides of a handshake: keys as in the published vectors."""
    remote = public_of(keys[2]) if pattern.knows_responder else b""
    begins = Handshake(pattern, True, prologue, keys[0], keys[1], remote)
    return begins, Handshake(pattern, False, prologue, keys[2], keys[3])


def agree(pattern: Pattern, seed: int = 1) -> tuple[Agreed, Agreed]:
    """What both have when nobody is in between."""
    random = Random(seed)
    sides = both(pattern, [random.randbytes(32) for _ in range(4)])
    turn = 0
    while not sides[0].is_over:
        sides[1 - turn].read(sides[turn].write())
        turn = 1 - turn
    return sides[0].agreed(), sides[1].agreed()


class NoiseTests(SynchronousTestCase):
    def test_published_vectors(self) -> None:
        """Every byte of a handshake, and of what is said after it, is as published."""
        for pattern, (*keys, said) in PUBLISHED.items():
            sides = both(pattern, [bytes.fromhex(key) for key in keys], PROLOGUE)
            rows = [(bytes.fromhex(payload), bytes.fromhex(message)) for payload, message in said]
            count = len(pattern.messages)
            for number, (payload, message) in enumerate(rows[:count]):
                writer, reader = sides[number % 2], sides[1 - number % 2]
                self.assertEqual((writer.is_mine, reader.is_mine), (True, False))
                self.assertEqual(writer.write(payload), message)
                self.assertEqual(reader.read(message), payload)
            agreed = [side.agreed() for side in sides]
            self.assertEqual(agreed[0].hash, agreed[1].hash)
            for number, (payload, message) in enumerate(rows[count:], count):
                self.assertEqual(agreed[number % 2].sends.encrypt(payload), message)
                self.assertEqual(agreed[1 - number % 2].receives.decrypt(message), payload)

    def test_each_learns_the_others_key(self) -> None:
        """And nobody else's."""
        random = Random(1)
        keys = [random.randbytes(32) for _ in range(4)]
        for pattern in (XX, IK):
            begins, answers = agree(pattern)
            self.assertEqual((begins.remote, answers.remote), (public_of(keys[2]), public_of(keys[0])))

    def test_every_change_is_seen(self) -> None:
        """A message of a handshake that is cut or changed anywhere leads to no agreement of the two."""
        random = Random(2)
        keys = [random.randbytes(32) for _ in range(4)]
        for place in range(0, 96, 5):
            begins, answers = both(IK, keys)
            message = bytearray(begins.write())
            message[place] ^= 1
            self.assertRaises(WireError, answers.read, bytes(message))
        for size in (0, 31, 79, 95):
            begins, answers = both(IK, keys)
            self.assertRaises(WireError, answers.read, begins.write()[:size])
        self.assertRaises(WireError, both(XX, keys)[1].read, bytes(noise.MOST + 1))

    def test_a_key_that_makes_no_secret(self) -> None:
        """A public key of small order is refused: everybody would agree on the same."""
        begins, answers = both(XX, [Random(3).randbytes(32) for _ in range(4)])
        answers.read(bytes(32))
        self.assertRaises(WireError, answers.write)

    def test_other_words_before(self) -> None:
        """Both must mean the same protocol."""
        keys = [Random(4).randbytes(32) for _ in range(4)]
        begins, _ = both(IK, keys, b"one")
        _, answers = both(IK, keys, b"other")
        self.assertRaises(WireError, answers.read, begins.write())

    def test_order_and_replay(self) -> None:
        """After it each message is opened once, in its turn."""
        begins, answers = agree(IK)
        first, second = begins.sends.encrypt(b"1"), begins.sends.encrypt(b"2")
        self.assertRaises(WireError, answers.receives.decrypt, second)
        self.assertEqual(answers.receives.decrypt(first), b"1")
        self.assertRaises(WireError, answers.receives.decrypt, first)
        self.assertRaises(WireError, answers.receives.decrypt, b"short")
        self.assertEqual(answers.receives.decrypt(second), b"2")

    def test_keys_change(self) -> None:
        """After so many messages both go on with the next key, and the one of before opens nothing."""
        self.patch(noise, "REKEY_EVERY", 2)
        sends, receives, stays = Cipher(bytes(32)), Cipher(bytes(32)), noise.AESGCM(bytes(32))
        messages = [sends.encrypt(b"x") for _ in range(5)]
        self.assertEqual([receives.decrypt(message) for message in messages], [b"x"] * 5)
        plain = [stays.encrypt(bytes(4) + number.to_bytes(8, "big"), b"x", b"") for number in range(5)]
        self.assertEqual([one == other for one, other in zip(plain, messages, strict=True)], [True] * 2 + [False] * 3)


class ComparisonTests(SynchronousTestCase):
    def test_vectors(self) -> None:
        """As in docs/api/devices-wire.md."""
        device, node, handshake = bytes(range(32)), bytes(range(32, 64)), bytes(range(64, 96))
        made = codes(device, node, handshake)
        page = (Path(__file__).resolve().parents[2] / "docs/api/devices-wire.md").read_text()
        self.assertIn(COMMITMENT, page)
        self.assertIn("`{}`, `{}`".format(*CODES), page)
        self.assertEqual(commitment(node, handshake).hex(), COMMITMENT)
        self.assertEqual((made.node, made.device), CODES)
        self.assertTrue(keeps(bytes.fromhex(COMMITMENT), node, handshake))
        for other in ((device, handshake), (node, device)):
            self.assertFalse(keeps(bytes.fromhex(COMMITMENT), *other))

    def test_each_number_and_the_handshake_count(self) -> None:
        """Another one of the three makes other codes."""
        made = [codes(*(bytes((bit,)) * 32 for bit in bits)) for bits in ((1, 2, 3), (4, 2, 3), (1, 4, 3), (1, 2, 4))]
        self.assertEqual(len({one.node for one in made}), 4)
        self.assertEqual(len({one.device for one in made}), 4)
        self.assertTrue(all(len(one.node) == len(one.device) == 6 for one in made))
