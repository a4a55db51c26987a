"""Who is at the other end of a session, and how the session comes about."""

from attrs import frozen

from bitdust.crypt.device import DeviceKey
from bitdust.identity.document import IdentityDocument
from bitdust.wire.addresses import Address


@frozen
class Peer:
    """Who is at the other end, proven: the device key by the link, its owner by the signed document."""

    fingerprint: bytes
    device: bytes
    document: IdentityDocument
    addresses: tuple[str, ...] = ()


@frozen
class Claim:
    """What a recovering node shows in place of its document: a claim to be that person, with a device key of its own.

    ``device`` proves itself by the link of this session, whatever other sessions show at the same time.
    """

    document: IdentityDocument
    device: DeviceKey


@frozen
class Call:
    """How a session comes about: the peer's address, whether we dial it, whom we want to reach, and what we claim."""

    address: Address
    dialled: bool
    expected: bytes | None = None
    claim: Claim | None = None
    anywhere: bool = False
    """Whether its address may lead into any private network: it was named by somebody with whom there are dealings, or
    by my own key file."""


@frozen
class Admission:
    """What the check of a peer's Hello decided."""

    peer: Peer
    stale: bool
