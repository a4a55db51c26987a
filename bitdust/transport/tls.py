"""TLS 1.3 with self-signed device certificates: it proves possession of a key; whose key it is, Hello must show."""

from typing import Any

from OpenSSL import SSL, crypto
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator, IOpenSSLServerConnectionCreator
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol
from zope.interface import implementer

from bitdust.crypt.device import DeviceKey, certificate_device_key, tls_certificate
from bitdust.wire.encoding import WireError

PROTOCOL = b"bitdust/1"


@implementer(IOpenSSLClientConnectionCreator, IOpenSSLServerConnectionCreator)
class DeviceTLS:
    """Makes connections of both roles for one device: TLS 1.3 only, ALPN, no tickets, a certificate wanted."""

    def __init__(self, device: DeviceKey) -> None:
        self._context = _context(device)

    def clientConnectionForTLS(self, protocol: TLSMemoryBIOProtocol) -> SSL.Connection:  # noqa: N802 - the interface's name
        return SSL.Connection(self._context, None)

    def serverConnectionForTLS(self, protocol: TLSMemoryBIOProtocol) -> SSL.Connection:  # noqa: N802 - the interface's name
        return SSL.Connection(self._context, None)


class TLSFactory(TLSMemoryBIOFactory):
    """Refuses a connection that the inner factory refuses; Twisted's own would wrap nothing and fail at it."""

    noisy = False

    def buildProtocol(self, addr: Any) -> Any:  # noqa: N802 - the interface's name
        """The protocol of a connection, None to refuse it."""
        inner = self.wrappedFactory.buildProtocol(addr)
        return TLSMemoryBIOProtocol(self, inner) if inner is not None else None


def _context(device: DeviceKey) -> SSL.Context:
    certificate, key = tls_certificate(device)
    context = SSL.Context(SSL.TLS_METHOD)
    context.set_min_proto_version(SSL.TLS1_3_VERSION)
    context.set_max_proto_version(SSL.TLS1_3_VERSION)
    context.use_certificate(crypto.load_certificate(crypto.FILETYPE_PEM, certificate))
    context.use_privatekey(crypto.load_privatekey(crypto.FILETYPE_PEM, key))
    context.set_options(SSL.OP_NO_TICKET)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_alpn_protos([PROTOCOL])
    context.set_alpn_select_callback(
        lambda _, offered: PROTOCOL if PROTOCOL in offered else SSL.NO_OVERLAPPING_PROTOCOLS
    )
    # Nobody signs device certificates, so the chain says nothing; `peer_device_key` and Hello decide who this is.
    context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, lambda *_: True)
    return context


def peer_device_key(transport: TLSMemoryBIOProtocol) -> bytes:
    """The Ed25519 key whose possession the peer has proved; raises `WireError` ``bad-certificate``."""
    certificate = transport.getPeerCertificate()
    if certificate is None:
        raise WireError("bad-certificate", "the peer showed no certificate")
    connection = transport.getHandle()
    if connection.get_alpn_proto_negotiated() != PROTOCOL:
        raise WireError("bad-version", "the peer does not speak bitdust/1")
    return certificate_device_key(crypto.dump_certificate(crypto.FILETYPE_ASN1, certificate))
