"""Secrets of folders: what each one may, what follows from it, and what is none."""

import hashlib

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from bitdust.crypt.device import verify
from bitdust.crypt.keccak import keccak_256, sponge
from bitdust.folders.secrets import LONGEST, Secret, make, parse
from bitdust.wire.errors import BitDustError

A, B = "AHRAXZOGOMZ7B7VIFL5JK7VRH5URQVHMA", "B3MF5NHDCWI6JTVUU2R3LYMQDAK2QCEXG"
D, F = "DZ4PN4GAEBSHBEOGDLVKQS5DIKXPCCGTE", "FMZXEH4PWSA62N7LAJNHJV57O42X5PEFS"
E = "E" + F[1:] + "ZHBBS5BN7BNVPNNHF4LFVFREXQ"
BODIES = st.binary(min_size=20, max_size=20)
FIPS_PADDING = 6


def writer(kind: str, body: bytes) -> Secret:
    """The writer's secret of these 20 bytes."""
    return make(kind, lambda size: body)


class KeccakTests(SynchronousTestCase):
    def test_vectors(self):
        """Keccak-256 has the values that its authors published."""
        for data, digest in (
            (b"", "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"),
            (b"abc", "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45"),
        ):
            self.assertEqual(keccak_256(data).hex(), digest)

    @settings(max_examples=40)
    @given(st.binary(max_size=300))
    def test_with_the_later_padding_it_is_sha3(self, data):
        """With the padding of FIPS 202 it is SHA3-256, at every length."""
        self.assertEqual(sponge(data, FIPS_PADDING), hashlib.sha3_256(data).digest())

    def test_edges_of_a_block(self):
        """Lengths around one block of 136 bytes are padded rightly."""
        for size in (0, 1, 134, 135, 136, 137, 271, 272, 273):
            data = bytes(range(256))[:size].ljust(size, b"x")
            self.assertEqual(sponge(data, FIPS_PADDING), hashlib.sha3_256(data).digest(), size)


class VectorTests(SynchronousTestCase):
    def test_plain_folder(self):
        """The reader's secret follows from the writer's as in the published pair."""
        self.assertEqual([one.text for one in parse(A).weaker()], [B])

    def test_encrypted_folder(self):
        """The reader's and the keeper's secrets follow from the writer's as in the published family."""
        self.assertEqual([one.text for one in parse(D).weaker()], [E, F])
        self.assertEqual([one.text for one in parse(E).weaker()], [F])
        self.assertEqual(len(E), LONGEST)

    def test_nothing_is_weaker_than_these(self):
        """Of a plain reader's and of a keeper's secret nothing follows."""
        self.assertEqual([parse(B).weaker(), parse(F).weaker()], [(), ()])

    def test_what_each_may(self):
        """Writers write, readers read, a keeper does neither."""
        rights = {
            text[0]: (parse(text).may_write, parse(text).may_read, parse(text).encrypted) for text in (A, B, D, E, F)
        }
        self.assertEqual(
            rights,
            {
                "A": (True, True, False),
                "B": (False, True, False),
                "D": (True, True, True),
                "E": (False, True, True),
                "F": (False, False, True),
            },
        )

    def test_content_keys_are_pinned(self):
        """The keys of contents are BitDust's own, and stay what they are: folders are sealed under them."""
        self.assertEqual(parse(A).content_key(), parse(B).content_key())
        self.assertEqual(parse(D).content_key(), parse(E).content_key())
        self.assertIsNone(parse(F).content_key())
        self.assertEqual(
            [parse(text).content_key().hex()[:16] for text in (A, D)], ["d51138354882281d", "a12137ccbb31d015"]
        )
        self.assertEqual(
            [parse(text).folder_id.hex()[:16] for text in (A, D)], ["f4e2b00ce04ffac5", "af60efd12691ff5d"]
        )


class FamilyTests(SynchronousTestCase):
    @settings(max_examples=25, deadline=None)
    @given(st.sampled_from("AD"), BODIES)
    def test_a_family_agrees(self, kind, body):
        """All secrets of a folder name it alike, come back from their text, and know the writers' public key."""
        first = writer(kind, body)
        family = [first, *first.weaker()]
        self.assertEqual([parse(one.text) for one in family], family)
        self.assertEqual({one.folder_id for one in family}, {first.folder_id})
        self.assertEqual({one.content_key() for one in family if one.may_read}, {first.content_key()})
        self.assertTrue(all(one.check_public(first.public) for one in family))
        self.assertFalse(any(one.check_public(bytes((first.public[0] ^ 1,)) + first.public[1:]) for one in family))
        signature = first.signing_key().sign(b"record")
        self.assertTrue(verify(first.public, signature, b"record"))
        self.assertEqual([one.signing_key() for one in family[1:]], [None] * (len(family) - 1))

    @settings(max_examples=15, deadline=None)
    @given(BODIES)
    def test_plain_and_encrypted_are_two_folders(self, body):
        """The same 20 bytes as a plain and as an encrypted folder name two folders with two keys."""
        plain, encrypted = writer("A", body), writer("D", body)
        self.assertNotEqual(plain.folder_id, encrypted.folder_id)
        self.assertNotEqual(plain.content_key(), encrypted.content_key())

    def test_secrets_do_not_show_themselves(self):
        """A secret in a log line or a traceback shows its kind, and nothing that it is made of."""
        for text in (A, B, D, E, F):
            shown = repr(parse(text))
            self.assertNotIn(text[1:9], shown)
            self.assertNotIn(repr(parse(text).body), shown)


class RefusedTests(SynchronousTestCase):
    def refused(self, text: str) -> None:
        error = self.assertRaises(BitDustError, parse, text)
        self.assertEqual(error.code, "bad-secret")
        if len(text) > 5:
            self.assertNotIn(text, str(error))

    def test_other_letters_lengths_and_characters(self):
        """What is no secret is refused, and the refusal does not repeat it."""
        for text in (
            "",
            "A",
            "G" + A[1:],
            "C" + A[1:],
            A[:-1],
            A + "A",
            A.lower(),
            A[:-1] + "1",
            A[:-1] + "=",
            "A" * 10**6,
        ):
            self.refused(text)
        for text in (E[:33], E + "A", "A" + E[1:], "\u0130" * 33, A[:-1] + "\u0660", " " + A[1:], A[:-1] + "\n"):
            self.refused(text)

    def test_one_text_for_one_secret(self):
        """The bits that are left over at the end of a reader's secret are zero, so that it has one text alone."""
        self.refused(E[:-1] + "R")

    @settings(max_examples=100)
    @given(st.text(max_size=70))
    def test_anything(self, text):
        """Any text is a secret that comes back as the same text, or is refused as ``bad-secret``."""
        try:
            found = parse(text)
        except BitDustError as error:
            self.assertEqual(error.code, "bad-secret")
        else:
            self.assertEqual(found.text, text)
