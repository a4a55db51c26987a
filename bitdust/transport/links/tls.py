"""TLS 1.3 with self-signed device certificates: it proves possession of a key; whose key it is, Hello must show."""

import contextlib
from typing import Any

from OpenSSL import SSL, crypto
from OpenSSL._util import ffi, lib, no_zero_allocator
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator, IOpenSSLServerConnectionCreator
from twisted.protocols.tls import BufferingTLSTransport, TLSMemoryBIOFactory, TLSMemoryBIOProtocol
from twisted.python.failure import Failure
from zope.interface import implementer

from bitdust.crypt.device import DeviceKey, certificate_device_key, tls_certificate
from bitdust.wire.encoding import WireError

PROTOCOL = b"bitdust/1"
RECORD = 16 * 1024
BULK = 128 * 1024
"""Bytes that are read at once, and decrypted at most."""
FRAME = 256 * 1024
"""Bytes that are encrypted at once: the body of a frame."""
OVERHEAD = 4096
"""More than TLS adds to so many bytes, and a head before them."""
ED25519 = 1087
"""NID_ED25519 of OpenSSL."""
PARTIAL_WRITE = 1
"""SSL_MODE_ENABLE_PARTIAL_WRITE of OpenSSL, which pyOpenSSL sets: every write would end after one record."""


class BulkConnection(SSL.Connection):
    """Hands over what several TLS records hold at once: 16 KiB at a time cost more than their encryption."""

    def recv(self, bufsize: int, flags: int | None = None) -> bytes:
        """As OpenSSL does it, for as many records as are there, up to `BULK` bytes; whatever error ends that is raised
        again by the next call. pyOpenSSL's own call for each of them would copy everything once more."""
        place, size = no_zero_allocator("char[]", BULK), 0
        while size <= BULK - RECORD:
            read = lib.SSL_read(self._ssl, place + size, RECORD)
            if read > 0:
                size += read
                continue
            with contextlib.suppress(*(SSL.Error,) if size else ()):
                self._raise_ssl_error(self._ssl, read)
            break
        return bytes(ffi.buffer(place, size))

    def bio_read(self, bufsize: int) -> bytes:
        """All that is to be sent: a frame and a little."""
        return super().bio_read(FRAME + OVERHEAD)


class BulkTLSProtocol(BufferingTLSTransport):
    """Encrypts a frame in one call, gives it to the system in one, and reads up to `BULK` bytes from there."""

    def makeConnection(self, transport: Any) -> None:
        """The transport below is there."""
        transport.bufferSize = BULK
        transport.SEND_LIMIT = FRAME + OVERHEAD
        BufferingTLSTransport.makeConnection(self, transport)

    def write_parts(self, *parts: bytes) -> None:
        """Bytes in order. Few of them wait for others of this turn; many go as they are, and are not joined before."""
        base: Any = self
        if sum(map(len, parts)) < RECORD:
            base.write(b"".join(parts))
            return
        base._aggregator.flush()
        if not base.disconnecting or base._producer is not None:
            for part in parts:
                self._encrypt(part)
            base._flushSendBIO()

    def _write(self, data: bytes) -> None:
        base: Any = self
        self._encrypt(data)
        base._flushSendBIO()

    def _encrypt(self, data: bytes) -> None:
        base: Any = self
        view = memoryview(data)
        while view and not base._lostTLSConnection:
            try:
                sent = base._tlsConnection.send(view[:FRAME])
            except SSL.WantReadError:
                base._bufferedWrite(bytes(view))
                return
            except SSL.Error:
                base._tlsShutdownFinished(Failure())
                return
            view = view[sent:]
            if view:
                base._flushSendBIO()


@implementer(IOpenSSLClientConnectionCreator, IOpenSSLServerConnectionCreator)
class DeviceTLS:
    """Makes connections of both roles for one device: TLS 1.3 only, ALPN, no tickets, a certificate wanted.

    Connections share nothing but the certificate: each one proves both keys anew, so that nobody comes in by what an
    earlier one has shown.
    """

    def __init__(self, device: DeviceKey) -> None:
        self.public = device.public
        self._context = _context(device)

    def clientConnectionForTLS(self, protocol: TLSMemoryBIOProtocol) -> SSL.Connection:  # noqa: N802 - the interface's name
        return BulkConnection(self._context, None)

    def serverConnectionForTLS(self, protocol: TLSMemoryBIOProtocol) -> SSL.Connection:  # noqa: N802 - the interface's name
        return BulkConnection(self._context, None)


class TLSFactory(TLSMemoryBIOFactory):
    """Refuses a connection that the inner factory refuses; Twisted's own would wrap nothing and fail at it."""

    noisy = False

    def buildProtocol(self, addr: Any) -> Any:  # noqa: N802 - the interface's name
        """The protocol of a connection, None to refuse it."""
        inner = self.wrappedFactory.buildProtocol(addr)
        protocol: Any = BulkTLSProtocol
        return protocol(self, inner) if inner is not None else None


def _context(device: DeviceKey) -> SSL.Context:
    certificate, key = tls_certificate(device)
    context = SSL.Context(SSL.TLS_METHOD)
    context.set_min_proto_version(SSL.TLS1_3_VERSION)
    context.set_max_proto_version(SSL.TLS1_3_VERSION)
    context.use_certificate(crypto.load_certificate(crypto.FILETYPE_PEM, certificate))
    context.use_privatekey(crypto.load_privatekey(crypto.FILETYPE_PEM, key))
    context.clear_mode(PARTIAL_WRITE)
    context.set_options(SSL.OP_NO_TICKET)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_alpn_protos([PROTOCOL])
    context.set_alpn_select_callback(
        lambda _, offered: PROTOCOL if PROTOCOL in offered else SSL.NO_OVERLAPPING_PROTOCOLS
    )
    context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, _is_ed25519)
    return context


def _is_ed25519(_connection: SSL.Connection, certificate: crypto.X509, _error: int, depth: int, _ok: int) -> bool:
    """Asked before OpenSSL checks any signature: with RSA keys of somebody's choice, one behind the other, that takes
    long. Nobody signs device certificates, so none follows; `peer_device_key` and Hello decide who this is."""
    try:
        return depth == 0 and certificate.get_pubkey().type() == ED25519
    except crypto.Error:
        return False


def peer_device_key(transport: TLSMemoryBIOProtocol) -> bytes:
    """The Ed25519 key whose possession the peer has proved; raises `WireError` ``bad-certificate``."""
    certificate = transport.getPeerCertificate()
    if certificate is None:
        raise WireError("bad-certificate", "the peer showed no certificate")
    connection = transport.getHandle()
    if connection.get_alpn_proto_negotiated() != PROTOCOL:
        raise WireError("bad-version", "the peer does not speak bitdust/1")
    return certificate_device_key(crypto.dump_certificate(crypto.FILETYPE_ASN1, certificate))
