"""Keys and passphrases that somebody made so that whoever reads them pays for it, or that others can read."""

import base64
import contextlib
from datetime import UTC, datetime
from itertools import count
from math import gcd

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import NameOID
from OpenSSL import SSL, crypto
from twisted.trial.unittest import SynchronousTestCase

from bitdust.crypt import keyfile
from bitdust.crypt.device import certify, check_certificate, tls_certificate
from bitdust.crypt.keyfile import KeyFile, lock_key, unlock_key
from bitdust.crypt.master import MasterKey, MasterPublic
from bitdust.identity.document import IdentityDocument
from bitdust.transport.links.tcp import TCPTransport
from bitdust.transport.links.tls import PROTOCOL, DeviceTLS
from bitdust.wire.encoding import WireError
from tests.keys import cheap_passphrases
from tests.unit.test_identity import GOOD
from tests.vectors.keys import device, master


def with_exponent(least: int) -> rsa.RSAPrivateKey:
    """The fixed key with another public exponent, the first that is possible from an odd number on."""
    known = master()._key.private_numbers()
    order = (known.p - 1) * (known.q - 1)
    e = next(e for e in count(least, 2) if gcd(e, order) == 1)
    private = pow(e, -1, order)
    dmp1, dmq1 = private % (known.p - 1), private % (known.q - 1)
    public = rsa.RSAPublicNumbers(e, known.public_numbers.n)
    return rsa.RSAPrivateNumbers(known.p, known.q, private, dmp1, dmq1, known.iqmp, public).private_key()


def spki(key: rsa.RSAPrivateKey) -> bytes:
    """Its public half, DER."""
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def encoded(der: bytes) -> bytes:
    """As documents hold it."""
    return base64.b64encode(der)


def tls_of(*certificates: tuple[bytes, bytes]) -> SSL.Context:
    """What somebody who shows these certificates, PEM with key, the own one first, dials with."""
    context = SSL.Context(SSL.TLS_METHOD)
    context.use_certificate(crypto.load_certificate(crypto.FILETYPE_PEM, certificates[0][0]))
    context.use_privatekey(crypto.load_privatekey(crypto.FILETYPE_PEM, certificates[0][1]))
    for certificate, _ in certificates[1:]:
        context.add_extra_chain_cert(crypto.load_certificate(crypto.FILETYPE_PEM, certificate))
    context.set_alpn_protos([PROTOCOL])
    return context


def signed_by_rsa(key: rsa.RSAPrivateKey | Ed25519PrivateKey, name: str) -> tuple[bytes, bytes]:
    """The certificate of a key, signed by an RSA key, and the key."""
    called, issuer = (x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, one)]) for one in (name, "RSA"))
    made = x509.CertificateBuilder().subject_name(called).issuer_name(issuer).public_key(key.public_key())
    dated = made.serial_number(1).not_valid_before(LONG_AGO).not_valid_after(LONG_AGO.replace(year=2090))
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return dated.sign(master()._key, hashes.SHA256()).public_bytes(Encoding.PEM), pem


def handshake(context: SSL.Context) -> None:
    """Both sides in memory until they are through; raises what ends it at the side that is asked."""
    shake_hands(SSL.Connection(context, None), DeviceTLS(device()).serverConnectionForTLS(None))


def shake_hands(asking: SSL.Connection, asked: SSL.Connection) -> None:
    """Both sides until they are through, and have read what comes after that."""
    asked.set_accept_state()
    asking.set_connect_state()
    for step in (SSL.Connection.do_handshake,) * 4 + (lambda one: one.recv(1),):
        for one, other in ((asking, asked), (asked, asking)):
            with contextlib.suppress(SSL.WantReadError):
                step(one)
            with contextlib.suppress(SSL.WantReadError):
                other.bio_write(one.bio_read(1 << 20))


A_KEY = "a key " * 20
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
DEAR = with_exponent(2**2040 + 1)
JUST_TOO_LARGE = with_exponent(2**33 + 1)
EVEN = master().public.spki[:-3] + b"\x01\x00\x02"
ONE = master().public.spki[:-3] + b"\x00\x00\x01"


class ExponentTests(SynchronousTestCase):
    def refused(self, read, *arguments) -> None:
        self.assertEqual(self.assertRaises(WireError, read, *arguments).code, "bad-key")

    def test_public_keys(self) -> None:
        """One that makes a check a hundred times dearer, or is no exponent at all, is refused wherever it is read."""
        for data in (spki(DEAR), spki(JUST_TOO_LARGE), EVEN, ONE):
            self.refused(MasterPublic.from_spki, data)
            self.refused(check_certificate, certify(master(), device().public, 0), data)
        self.assertTrue(MasterPublic.from_spki(spki(with_exponent(65539))).bits)

    def test_documents(self) -> None:
        """An identity document of such a key is refused before its signature is checked."""
        text = GOOD.xml.replace(encoded(master().public.spki), encoded(spki(DEAR)))
        self.assertNotEqual(text, GOOD.xml)
        self.refused(IdentityDocument.parse, text)

    def test_private_keys(self) -> None:
        """Nor is such a key taken from a PEM text or a key file."""
        pem = DEAR.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()
        self.refused(MasterKey.from_pem, pem)
        self.refused(KeyFile.read, pem)

    def test_connections(self) -> None:
        """A certificate of an RSA key ends a connection before what it signed is checked."""
        of_rsa = signed_by_rsa(master()._key, "RSA")
        of_device = signed_by_rsa(Ed25519PrivateKey.from_private_bytes(device("second").seed), "device")
        for certificates in ((of_rsa,), (of_device, of_rsa)):
            self.assertRaises(SSL.Error, handshake, tls_of(*certificates))
        handshake(tls_of(tls_certificate(device("second"))))


class ContextTests(SynchronousTestCase):
    def test_nothing_is_resumed(self) -> None:
        """Whoever brings the session of an earlier connection to the same context must prove its key all the same."""
        here, there = DeviceTLS(device()), DeviceTLS(device("second"))
        first, again = (there.clientConnectionForTLS(None) for _ in range(2))
        shake_hands(first, here.serverConnectionForTLS(None))
        self.assertIsNotNone(first.get_session())
        again.set_session(first.get_session())
        asked = here.serverConnectionForTLS(None)
        shake_hands(again, asked)
        for one in (again, asked):
            self.assertFalse(SSL._lib.SSL_session_reused(one._ssl))
            self.assertIsNotNone(one.get_peer_certificate())

    def test_a_device_has_one_context(self) -> None:
        """Connections of one device share what is dear to make; a new device has its own from its first one on."""
        transport = TCPTransport(None, None)
        of_device = transport._of(device())
        self.assertIs(transport._of(device()), of_device)
        self.assertIsNot(transport._of(device("second")), of_device)
        certificate = crypto.load_certificate(crypto.FILETYPE_PEM, tls_certificate(device("second"))[0])
        asked = transport._of(device("second")).serverConnectionForTLS(None)
        self.assertEqual(asked.get_certificate().digest("sha256"), certificate.digest("sha256"))


class PassphraseTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.was = cheap_passphrases(self)

    def test_a_guess_is_dear(self) -> None:
        """A key is locked at today's floor, n=2^17; one that was locked for less before is opened still."""
        self.assertGreaterEqual(self.was[keyfile._BOX_VERSION]["n"], 2**17)
        now = lock_key(A_KEY, b"word")
        self.patch(keyfile, "_BOX_VERSION", 1)
        before = lock_key(A_KEY, b"word")
        for text in (now, before):
            self.assertEqual(unlock_key(text, b"word"), A_KEY)
