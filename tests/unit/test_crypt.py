"""Keys, seals, trees and private files: what opens, what is refused, and with which code."""

import ast
import base64
import hashlib
import os
import stat
from pathlib import Path
from typing import Any
from unittest import mock

from attrs import evolve
from blake3 import blake3
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from bitdust.crypt import files, merkle, sealing
from bitdust.crypt.device import (
    DeviceKey,
    certificate_device_key,
    certify,
    check_certificate,
    check_record,
    device_id,
    tls_certificate,
    verify,
)
from bitdust.crypt.keyfile import KeyFile
from bitdust.crypt.keyring import RingKey
from bitdust.crypt.master import MasterKey, MasterPublic
from bitdust.crypt.merkle import LEAF_SIZE, MerkleHasher
from bitdust.wire.errors import BitDustError
from tests.vectors.keys import device, master

SECRET, PACK = bytes(range(32)), b"p" * 16


def code_of(case: SynchronousTestCase, call: Any, *args: Any) -> str:
    """The code of the `BitDustError` that a call must raise."""
    return str(case.assertRaises(BitDustError, call, *args).code)


def flipped(data: bytes, place: int) -> bytes:
    """The bytes with one bit changed."""
    return data[:place] + bytes((data[place] ^ 1,)) + data[place + 1 :]


class Files(SynchronousTestCase):
    """Weaknesses 19 and 21: files are private, and whole or not there."""

    def setUp(self):
        self.folder = Path(self.mktemp()).resolve() / "a" / "b"
        files.make_private_folder(self.folder)

    def test_private(self):
        """Files are 0600 and folders 0700 under any umask, also where they were more open before."""
        path = self.folder / "key"
        path.write_bytes(b"old")
        path.chmod(0o644)
        self.folder.chmod(0o755)
        before = os.umask(0)
        self.addCleanup(os.umask, before)
        files.make_private_folder(self.folder)
        files.write_safely(path, b"new")
        for found, mode in ((path, 0o600), (self.folder, 0o700), (self.folder.parent, 0o700)):
            self.assertEqual(stat.S_IMODE(found.stat().st_mode), mode)
        self.assertEqual(path.read_bytes(), b"new")

    def test_a_crash_leaves_the_old_file(self):
        """Whichever step fails, the old file is there whole and nothing else lies beside it."""
        path = self.folder / "key"
        files.write_safely(path, b"old")
        for step in ("fsync", "rename", "fchmod"):
            with mock.patch.object(os, step, side_effect=OSError("disk")):
                self.assertRaises(OSError, files.write_safely, path, b"new")
            self.assertEqual(path.read_bytes(), b"old")
            self.assertEqual(list(self.folder.iterdir()), [path])

    def test_order_of_steps(self):
        """The file is on the disk before it has its name, and the name is before the writer says yes."""
        steps = []
        real = {name: getattr(os, name) for name in ("fsync", "rename")}

        def note(name):
            return mock.patch.object(os, name, side_effect=lambda *args: (steps.append(name), real[name](*args))[1])

        with note("fsync"), note("rename"):
            files.write_safely(self.folder / "key", b"new")
        self.assertEqual(steps, ["fsync", "rename", "fsync"])

    def test_no_link_is_followed(self):
        """A link laid under the temporary name does not lead the secret elsewhere."""
        other = self.folder.parent / "other"
        (self.folder / f"{files.TEMPORARY}{os.getpid()}-key").symlink_to(other)
        self.assertRaises(OSError, files.write_safely, self.folder / "key", b"secret")
        self.assertFalse(other.exists())

    def test_leftovers(self):
        """What a crash left is removed, what was finished stays; removing is idempotent."""
        files.write_safely(self.folder / "key", b"x")
        (self.folder / f"{files.TEMPORARY}9-key").write_bytes(b"half")
        self.assertEqual(len(files.remove_leftovers(self.folder)), 1)
        self.assertEqual([path.name for path in self.folder.iterdir()], ["key"])
        files.remove_safely(self.folder / "key")
        files.remove_safely(self.folder / "key")
        self.assertEqual(list(self.folder.iterdir()), [])


class Master(SynchronousTestCase):
    """The RSA key."""

    def test_signatures(self):
        """A signature holds for its bytes and its key alone."""
        signature = master().sign(b"data")
        public = MasterPublic.from_spki(master().public.spki)
        self.assertTrue(public.verify(signature, b"data"))
        for bad in (flipped(signature, 7), signature[:-1], signature + b"\0", b"", bytes(256)):
            self.assertFalse(public.verify(bad, b"data"))
        self.assertFalse(public.verify(signature, b"datb"))
        self.assertFalse(master("other").public.verify(signature, b"data"))
        self.assertEqual(public.fingerprint, hashlib.sha256(public.spki).digest())

    @settings(deadline=None)
    @given(st.binary(max_size=300))
    def test_boxes(self, data):
        """What is sealed comes back, and two boxes of one text differ."""
        box = master().public.seal(data)
        self.assertEqual(master().unseal(box), data)
        self.assertNotEqual(box, master().public.seal(data))

    def test_who_opens_boxes(self):
        """Weakness 1: the master key opens key rings, device key, family, the list of folders, all my own: nobody gets
        anything opened."""
        uses, openers = {}, []
        for path in Path(files.__file__).parents[1].rglob("*.py"):
            text = path.read_text()
            if "open_box" not in text and ".unseal" not in text:
                continue
            for node in ast.walk(ast.parse(text)):
                called = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
                if called == "open_box":
                    openers.append(path.name)
                if called.endswith(".unseal"):
                    uses.setdefault(path.name, []).append(called)
        mine = {
            "boxes.py": ["_need(master).unseal", "_need(master).unseal"],
            "device_file.py": ["master.unseal"],
        }
        self.assertEqual(uses, mine)
        mine = ["bodies.py", "book.py", "book.py", "config.py", "keyring_replica.py", "ring_file.py"]
        self.assertEqual(sorted(openers), [*mine, "sealed_family.py", "vault.py"])

    def test_spoiled_boxes(self):
        """A box with any byte changed, cut off, or of another key is refused."""
        box = master().public.seal(b"secret")
        places = (0, 1, 2, 3, 100, 258, 259, 270, 271, len(box) - 1)
        for bad in (
            *(flipped(box, place) for place in places),
            *(box[:end] for end in (0, 2, 3, 259, len(box) - 1)),
            box + b"x",
        ):
            self.assertEqual(code_of(self, master().unseal, bad), "bad-seal")
        self.assertEqual(code_of(self, master("other").unseal, box), "bad-seal")

    @settings(deadline=None)
    @given(st.binary(max_size=400))
    def test_any_box(self, data):
        """Bytes that are no box are refused."""
        self.assertEqual(code_of(self, master().unseal, data), "bad-seal")

    def test_pem(self):
        """The private key comes back from its text; with a passphrase only under the right one."""
        self.assertEqual(MasterKey.from_pem(master().to_pem()).fingerprint, master().fingerprint)
        text = master().to_pem(b"pass")
        self.assertIn("ENCRYPTED", text)
        self.assertEqual(MasterKey.from_pem(text, b"pass").fingerprint, master().fingerprint)
        self.assertEqual(code_of(self, MasterKey.from_pem, text), "passphrase-needed")
        self.assertEqual(code_of(self, MasterKey.from_pem, text, b"other"), "wrong-passphrase")

    def test_a_damaged_key_of_its_own(self) -> None:
        """What a node has examined once is read without examining primes again, and wherever one bit of it is another
        one it is refused."""
        key = master()
        head, *middle, foot = key.to_pem().strip().split("\n")
        whole = base64.b64decode("".join(middle))
        self.assertEqual(MasterKey.from_pem(key.to_pem(), own=True).fingerprint, key.fingerprint)
        for place in range(0, len(whole), 7):
            broken = bytearray(whole)
            broken[place] ^= 1 << place % 8
            pem = "\n".join([head, base64.b64encode(broken).decode(), foot])
            self.assertEqual(code_of(self, MasterKey.from_pem, pem, None, True), "bad-key", place)

    def test_other_keys(self):
        """Keys that are too small, of another kind, cut off or too large a text are refused."""
        curve = ec.generate_private_key(ec.SECP256R1())
        small = rsa.generate_private_key(65537, 1024)
        for key in (curve, small):
            pem = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()
            spki = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
            self.assertEqual(code_of(self, MasterKey.from_pem, pem), "bad-key")
            self.assertEqual(code_of(self, MasterPublic.from_spki, spki), "bad-key")
        self.assertEqual(code_of(self, MasterKey.from_pem, master().to_pem()[:800]), "bad-key")
        self.assertEqual(code_of(self, MasterKey.from_pem, "x" * 20_000), "too-large")
        for bits in (1024, 2047, 9000):
            self.assertEqual(code_of(self, MasterKey.generate, bits), "bad-key")

    @settings(deadline=None)
    @given(st.binary(max_size=100))
    def test_any_public_key(self, data):
        """Bytes that are no RSA key are refused."""
        self.assertEqual(code_of(self, MasterPublic.from_spki, data), "bad-key")

    def test_nothing_is_shown(self):
        """No private byte is in the text of a key."""
        self.assertNotIn(device().seed.hex(), repr(device()))
        self.assertNotIn(repr(device().seed), repr(device()))
        self.assertNotIn("PRIVATE", repr(master()) + repr(KeyFile((), master())))
        self.assertNotIn("secret", repr(RingKey("a", private="secret", secrets={1: (b"secret",)})))


class Device(SynchronousTestCase):
    """The Ed25519 key of a device."""

    def test_records(self):
        """A record holds under its kind, body, device and signature alone."""
        good = device().sign_record("head", b"body")
        check_record(good, device().public)
        bad = (
            evolve(good, kind="family"),
            evolve(good, body=b"bodz"),
            evolve(good, device=device("second").id),
            evolve(good, signature=flipped(good.signature, 3)),
        )
        for record in bad:
            self.assertEqual(code_of(self, check_record, record, device().public), "bad-signature")
        self.assertEqual(code_of(self, check_record, good, device("second").public), "bad-signature")

    @settings(deadline=None)
    @given(st.binary(max_size=70), st.binary(max_size=70))
    def test_any_signature(self, public, signature):
        """Neither an odd key nor an odd signature is more than a no."""
        self.assertFalse(verify(public, signature, b"data"))
        self.assertFalse(verify(device().public, signature, b"data"))

    def test_certificates(self):
        """The owner's word for a device fails when any field was changed, or another key is shown."""
        good = certify(master(), device().public, 3)
        check_certificate(good, master().public.spki)
        changes = ({"owner": b"o" * 32}, {"key": device("second").public}, {"number": 4}, {"signature": bytes(256)})
        for change in changes:
            self.assertEqual(
                code_of(self, check_certificate, evolve(good, **change), master().public.spki), "bad-signature"
            )
        self.assertEqual(code_of(self, check_certificate, good, master("other").public.spki), "bad-signature")
        self.assertEqual(code_of(self, check_certificate, good, b"no key"), "bad-key")
        forged = evolve(good, signature=master("other").sign(good.message()))
        self.assertEqual(code_of(self, check_certificate, forged, master("other").public.spki), "bad-signature")

    def test_tls(self):
        """A TLS certificate carries the device key; anything else that is shown is refused."""
        from cryptography import x509

        pem, private = tls_certificate(device())
        der = x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER)
        self.assertEqual(certificate_device_key(der), device().public)
        self.assertIn(b"PRIVATE", private)
        for bad in (b"", b"x", der[:-5], der[:50]):
            self.assertEqual(code_of(self, certificate_device_key, bad), "bad-certificate")

    def test_seeds(self):
        """A seed has 32 bytes; the id is made of the public key."""
        for size in (0, 31, 33):
            self.assertEqual(code_of(self, DeviceKey.from_seed, bytes(size)), "bad-key")
        made = DeviceKey.generate(lambda size: b"\7" * size)
        self.assertEqual((made.seed, made.id), (b"\7" * 32, device_id(made.public)))


class Merkle(SynchronousTestCase):
    """The tree over a piece: RFC 6962 with BLAKE3."""

    def expected(self, data: bytes) -> bytes:
        """The definition of section 2.1, word by word."""
        if len(data) <= LEAF_SIZE:
            return blake3(data, derive_key_context=merkle.LEAF_CONTEXT).digest()
        leaves, middle = -(-len(data) // LEAF_SIZE), 1
        while middle * 2 < leaves:
            middle *= 2
        left, right = data[: middle * LEAF_SIZE], data[middle * LEAF_SIZE :]
        both = self.expected(left) + self.expected(right)
        return blake3(both, derive_key_context=merkle.NODE_CONTEXT).digest()

    @settings(max_examples=40, deadline=None)
    @given(st.integers(0, 9), st.integers(-1, 1), st.lists(st.integers(1, LEAF_SIZE * 2), max_size=4))
    def test_root(self, leaves, more, cuts):
        """The root is that of the definition, however the bytes come in."""
        data = os.urandom(1) * max(0, leaves * LEAF_SIZE + more)
        hasher, position = MerkleHasher(), 0
        for size in (*cuts, len(data)):
            hasher.update(data[position : position + size])
            position += size
        self.assertEqual(hasher.root(), self.expected(data))
        self.assertEqual(hasher.root(), merkle.root(data))

    def test_proofs(self):
        """Weakness 24: a proof holds for its leaf, place, number of leaves and root alone."""
        data = b"".join(bytes((number,)) * LEAF_SIZE for number in range(5)) + b"end"
        root = merkle.root(data)
        for leaf in range(6):
            content, path = data[leaf * LEAF_SIZE : (leaf + 1) * LEAF_SIZE], merkle.proof(data, leaf)
            self.assertTrue(merkle.check_proof(content, leaf, 6, path, root))
            bad = (
                (content + b"x", leaf, 6, path, root),
                (content, (leaf + 1) % 6, 6, path, root),
                (content, leaf, 12, path, root),
                (content, leaf, 6, path[:-1], root),
                (content, leaf, 6, [*path, root], root),
                (content, leaf, 6, path, flipped(root, 0)),
                (content, -1, 6, path, root),
                (content, 6, 6, path, root),
            )
            for case in bad:
                self.assertFalse(merkle.check_proof(*case), case[1:3])
        self.assertRaises(IndexError, merkle.proof, data, 6)

    def test_a_node_is_no_leaf(self):
        """Two hashes put together do not pass for a leaf with the same root."""
        data = b"a" * LEAF_SIZE + b"b"
        both = b"".join(merkle.root(part) for part in (data[:LEAF_SIZE], b"b"))
        self.assertNotEqual(merkle.root(both), merkle.root(data))


class Sealing(SynchronousTestCase):
    """Seals of packs and log entries."""

    SIZES = (0, 1, sealing.SEGMENT - 1, sealing.SEGMENT, sealing.SEGMENT + 1)

    def test_packs(self):
        """A pack of any length comes back, and has the length that was told before."""
        for size in self.SIZES:
            plain = b"x" * size
            sealed = sealing.seal_pack(plain, SECRET, PACK)
            self.assertEqual(len(sealed), sealing.sealed_size(size))
            self.assertEqual(sealing.open_pack(sealed, SECRET, PACK), plain)

    def test_spoiled_packs(self):
        """A pack that was changed, cut at a segment, reordered, lengthened, or is another's is refused."""
        step = sealing.SEGMENT + sealing.TAG
        sealed = sealing.seal_pack(bytes(2 * sealing.SEGMENT + 5), SECRET, PACK)
        short = sealing.seal_pack(b"abc", SECRET, PACK)
        bad = (
            *(flipped(short, place) for place in range(len(short))),
            *(short[:end] for end in range(len(short))),
            sealed[: 2 * step],
            sealed[:step],
            sealed[step:],
            sealed[step : 2 * step] + sealed[:step] + sealed[2 * step :],
            sealed + sealed[-21:],
            b"",
        )
        for data in bad:
            self.assertEqual(code_of(self, sealing.open_pack, data, SECRET, PACK), "bad-seal")
        self.assertEqual(code_of(self, sealing.open_pack, short, SECRET, b"q" * 16), "bad-seal")
        self.assertEqual(code_of(self, sealing.open_pack, short, bytes(32), PACK), "bad-seal")

    @settings(deadline=None)
    @given(st.binary(max_size=200), st.binary(max_size=20), st.integers(0, 2**63))
    def test_entries(self, data, aad, number):
        """A log entry opens under its secret, purpose, number and open fields alone."""
        sealed = sealing.seal_entry(SECRET, b"log", number, aad, data)
        self.assertEqual(sealing.open_entry(SECRET, b"log", number, aad, sealed), data)
        bad = (
            (bytes(32), b"log", number, aad, sealed),
            (SECRET, b"lag", number, aad, sealed),
            (SECRET, b"log", number + 1, aad, sealed),
            (SECRET, b"log", number, aad + b"x", sealed),
            (SECRET, b"log", number, aad, flipped(sealed, -1 % len(sealed))),
            (SECRET, b"log", number, aad, b""),
        )
        for case in bad:
            self.assertEqual(code_of(self, sealing.open_entry, *case), "bad-seal")

    def test_chunk_names(self):
        """A chunk's name tells nothing to whom has not the owner's secret."""
        mine, other = sealing.index_key(SECRET), sealing.index_key(bytes(32))
        self.assertEqual(sealing.chunk_name(mine, b"x"), sealing.chunk_name(mine, memoryview(b"x")))
        self.assertNotEqual(sealing.chunk_name(mine, b"x"), sealing.chunk_name(other, b"x"))
        self.assertNotIn(sealing.chunk_name(mine, b"x"), blake3(b"x").digest())

    def test_the_library_is_blake3(self):
        """The first of the official test vectors (no input): plain, keyed, and with a context."""
        key, context = b"whats the Elvish word for friend", "BLAKE3 2019-12-27 16:29:52 test vectors context"
        found = [blake3(b""), blake3(b"", key=key), blake3(b"", derive_key_context=context)]
        told = ("af1349b9f5f9a1a6", "92b2b75604ed3c76", "2cc39783c223154f")
        self.assertEqual([digest.hexdigest()[:16] for digest in found], list(told))
