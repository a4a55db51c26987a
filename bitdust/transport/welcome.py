"""Welcome: what this node shows of itself, and whether it believes what a peer shows."""

from collections import deque

from twisted.internet.interfaces import IReactorTime

from bitdust import __version__
from bitdust.crypt.device import check_record, device_id
from bitdust.identity.cache import IdentityCache
from bitdust.identity.document import IdentityDocument
from bitdust.identity.me import Me
from bitdust.transport.hello import Hello
from bitdust.transport.peer import Admission, Peer
from bitdust.transport.session import MAX_STREAMS, Session
from bitdust.transport.streams import WINDOW
from bitdust.wire.encoding import WireError
from bitdust.wire.errors import REVOKED
from bitdust.wire.records import DeviceAddresses
from bitdust.wire.signed import Signed

MAX_PEERS = 20_000
"""Peers whose addresses are remembered; of more, those that were met longest ago are forgotten."""
MOST_CLAIMS = 30
"""Claims of people who are not known here that are heard in a minute: a recovering node may ask any supplier whether it
keeps something, and nobody may ask without end."""


class Welcome:
    """I judge identities: the link proves a device key, the signed document proves whose it is."""

    def __init__(self, clock: IReactorTime, me: Me, identities: IdentityCache) -> None:
        self._clock = clock
        self._me = me
        self._identities = identities
        self._claims: deque[float] = deque(maxlen=MOST_CLAIMS)
        self._addresses: dict[bytes, list[str]] = {}

    def my_hello(self, session: Session) -> Hello:
        """My document and addresses; a claim in their place on a session that shows one."""
        claim, agent = session.claim, f"BitDust/{__version__}"
        if claim is not None:
            return Hello(claim.document.xml, claim.device.id, b"", agent, MAX_STREAMS, WINDOW)
        addresses = self._me.addresses_record().to_bytes()
        return Hello(self._me.document.xml, self._me.device.id, addresses, agent, MAX_STREAMS, WINDOW)

    def admit(self, session: Session, hello: Hello, device_key: bytes) -> Admission:
        """The link's key must be a living device of the document, and its owner the one that was dialled."""
        document = IdentityDocument.parse(hello.identity)
        if hello.device != device_id(device_key) or not document.valid_device(device_key):
            raise WireError("wrong-peer", "the key of this connection is no device of the identity that was shown")
        if session.expected is not None and document.fingerprint != session.expected:
            raise WireError("wrong-peer", "somebody else answers at this address")
        if self._me.present and document.fingerprint == self._me.fingerprint and hello.device == self._me.device.id:
            raise WireError("wrong-peer", "this is my own device")
        stale = self._judge(document, device_key)
        addresses = _addresses(hello, document, device_key)
        if addresses and not stale:
            self._remember(document.fingerprint, addresses)
        return Admission(Peer(document.fingerprint, hello.device, document, tuple(addresses)), stale)

    def _judge(self, document: IdentityDocument, device_key: bytes) -> bool:
        """Whether another document is known here that goes before this one. Raises `WireError` ``revoked``."""
        known = self._identities.get(document.fingerprint)
        if self._me.present and document.fingerprint == self._me.fingerprint:
            known = self._me.document
        if document.is_claim:
            if known is None:
                self._admit_claim()
            return True
        if known is not None:
            device = known.device(device_id(device_key))
            if device is not None and device.revoked is not None:
                raise WireError("revoked", REVOKED)
            if known.goes_before(document):
                return True
        self._identities.accept(document)
        return False

    def _admit_claim(self) -> None:
        """Somebody whom nobody here knows asks for what may be his. Raises `WireError` ``busy``."""
        now = self._clock.seconds()
        if len(self._claims) == MOST_CLAIMS and now - self._claims[0] < 60.0:
            raise WireError("busy", "too many people who are not known here ask for what is theirs; come again later")
        self._claims.append(now)

    def _remember(self, fingerprint: bytes, addresses: list[str]) -> None:
        self._addresses.pop(fingerprint, None)
        self._addresses[fingerprint] = addresses
        if len(self._addresses) > MAX_PEERS:
            del self._addresses[next(iter(self._addresses))]

    def known_addresses(self, fingerprint: bytes) -> list[str]:
        """Addresses that the peer told in its last Hello."""
        return list(self._addresses.get(fingerprint, []))

    def name_of(self, fingerprint: bytes) -> str:
        """The global id of a peer, or the beginning of its fingerprint."""
        document = self._identities.get(fingerprint)
        return document.global_id if document else fingerprint.hex()[:16]


def _addresses(hello: Hello, document: IdentityDocument, device_key: bytes) -> list[str]:
    if not hello.addresses:
        return []
    signed = Signed.from_bytes(hello.addresses, DeviceAddresses.KIND)
    check_record(signed, device_key)
    record = DeviceAddresses.from_body(signed.body)
    if record.owner != document.fingerprint or record.device != hello.device:
        raise WireError("bad-hello", "the addresses are those of another device")
    return list(record.addresses)
