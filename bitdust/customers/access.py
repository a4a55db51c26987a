"""Whose pieces and logs a request is about, and whether the peer may ask: the owner itself, or who shows a capability.

==========================================  ==================
what is wrong with a capability             it is refused with
==========================================  ==================
its bytes, a field, a number                ``bad-field``
another owner than the packet's             ``not-allowed``
held by somebody else, or another device    ``not-allowed``
held by proof, and none, or for more        ``not-allowed``
signed by nobody who counts for the owner   ``bad-signature``
the owner has no contract here              ``no-contract``
ended, revoked, or valid for too long       ``not-allowed``
the command needs another right             ``not-allowed``
==========================================  ==================

The spare of a place shows a claim instead, which `bitdust.customers.healing.claims` judges.
"""

from collections.abc import Callable
from typing import Protocol

from attrs import frozen

from bitdust.crypt.capabilities import OwnerDocument, is_owners_word, is_proven
from bitdust.crypt.device import check_record
from bitdust.customers.database import NO_SCOPE
from bitdust.customers.store import SupplierStore
from bitdust.wire.capability import Capability, Right, ShownCapability
from bitdust.wire.encoding import WireError
from bitdust.wire.errors import BitDustError
from bitdust.wire.healing import SpareClaim
from bitdust.wire.records import Head
from bitdust.wire.signed import COUNTERSIGNATURE, Signed
from bitdust.wire.table import Device, Document, Peer, Request

READING = (Right.READ, Right.LIST)
Documents = Callable[[bytes], OwnerDocument | None]
"""The newest identity document of a fingerprint that is known here."""


class Claims(Protocol):
    """Who judges what spares ask."""

    def authorise(self, request: Request, claim: SpareClaim, right: Right, /) -> None:
        """Raises `BitDustError` where a request is not covered."""


@frozen
class Access:
    """What a request may touch: everything of its ``owner``, or what its capability names."""

    owner: bytes
    grant: Capability | None = None

    @property
    def scope(self) -> bytes | None:
        """The only scope that may be touched, None for all."""
        return None if self.grant is None else self.grant.scope or NO_SCOPE

    def covers(self, scope: bytes | None) -> bool:
        """Whether a pack or log of this scope may be touched."""
        return self.scope is None or self.scope == (scope or NO_SCOPE)

    def need_owner(self, owner: bytes) -> None:
        """Raises ``not-allowed`` for what belongs to another owner."""
        if owner != self.owner:
            raise BitDustError("not-allowed", "this belongs to somebody else")

    def need_scope(self, scope: bytes | None) -> None:
        """Raises ``not-allowed`` for another scope than that of the capability."""
        if not self.covers(scope):
            raise BitDustError("not-allowed", "the capability is for what belongs to another key")


class Admission:
    """I decide who may ask for whose things, and whose signature counts."""

    def __init__(self, store: SupplierStore, documents: Documents, claims: Claims | None = None) -> None:
        self._store = store
        self._documents = documents
        self._claims = claims

    def access(self, request: Request) -> Access:
        """What a request that was let in may touch."""
        shown = request.packet.capability
        if shown is None:
            return Access(request.peer.fingerprint)
        claim = SpareClaim.find(shown)
        if claim is not None:
            return Access(claim.customer)
        grant = Capability.from_body(ShownCapability.from_bytes(shown).body)
        return Access(grant.owner, grant)

    def authorise(self, request: Request, right: Right) -> None:
        """Check the capability that a packet shows; see the module's text. Raises `BitDustError`, `WireError`."""
        claim = SpareClaim.find(request.packet.capability)
        if claim is not None and self._claims is not None:
            self._claims.authorise(request, claim, right)
            return
        shown = ShownCapability.from_bytes(request.packet.capability or b"")
        grant = Capability.from_body(shown.body)
        if grant.owner != request.packet.owner:
            raise BitDustError("not-allowed", "this capability is of another owner")
        device = _device_key(request.peer)
        if grant.by_proof:
            _need_proof(shown, grant, request.packet.to, device, right)
        elif grant.holder not in (request.peer.fingerprint, device):
            raise BitDustError("not-allowed", "this capability is held by somebody else")
        self._check_owner_signed(shown, grant.owner)
        self._store.usage(grant.owner)
        self._store.need_valid(grant)
        if right not in grant.rights:
            raise BitDustError("not-allowed", f"this capability does not give the right to {right}")

    def _check_owner_signed(self, shown: ShownCapability, owner: bytes) -> None:
        document = self._documents(owner)
        if document is None or not is_owners_word(document, shown):
            raise WireError("bad-signature", "the capability is not signed by its owner")

    def signer(self, peer: Peer, signed: Signed, *, revoked: bool = False) -> Device:
        """The peer's device that signed a record; a revoked one counts only where asked. Raises ``bad-signature``."""
        return _signer(self._newest(peer), signed, revoked)

    def is_owners_word(self, request: Request, signed: Signed) -> bool:
        """Whether the owner's RSA key has signed a record as well. Raises ``bad-signature`` where it seems so."""
        shown = request.fields.get(COUNTERSIGNATURE)
        document = self._documents(request.peer.fingerprint)
        if shown is None or document is None:
            return False
        if not document.public.verify(shown, signed.countersigned()):
            raise WireError("bad-signature", "the countersignature is not by the owner's key")
        return True

    def counting(self, peer: Peer) -> Callable[[bytes], bool]:
        """By the id of a device, whether it is one of the peer's that counts now."""
        document = self._newest(peer)

        def counts(ident: bytes) -> bool:
            device = document.device(ident)
            return device is not None and device.revoked is None

        return counts

    def _newest(self, peer: Peer) -> Document:
        known = self._documents(peer.fingerprint)
        return known if known is not None and known.revision > peer.document.revision else peer.document

    def pack_signer(self, request: Request, access: Access, signed: Signed) -> Device:
        """Who signed a pack record: a device of the owner, or of the holder of a capability."""
        if access.grant is None:
            return self.signer(request.peer, signed, revoked=True)
        document = self._documents(access.owner)
        if document is not None and document.device(signed.device) is not None:
            return _signer(document, signed, revoked=True)
        return self.signer(request.peer, signed)

    def is_vouched(self, request: Request, access: Access, head: Head, signed: Signed) -> bool:
        """Whether the owner of a key brings what somebody whom it let in has written: the own log, under that key, of a
        device that is none of the owner's. Who reads the log checks the signature; at the supplier it is the owner's
        word, and takes the owner's room."""
        is_own_log = head.scope is not None and head.device == signed.device
        return is_own_log and access.grant is None and self._newest(request.peer).device(signed.device) is None

    def log_signer(self, request: Request, access: Access, signed: Signed) -> Device:
        """Who signed a head: a device of the peer, which under a capability must not pass as one of the owner's."""
        document = self._documents(access.owner) if access.grant is not None else None
        if document is not None and document.device(signed.device) is not None:
            raise BitDustError("not-allowed", "under a capability nobody writes the owner's own log")
        return self.signer(request.peer, signed, revoked=access.grant is None)


def _signer(document: Document, signed: Signed, revoked: bool) -> Device:
    device = document.device(signed.device)
    if device is None or (device.revoked is not None and not revoked):
        raise WireError("bad-signature", "the record is not signed by a device of yours that counts")
    check_record(signed, device.key)
    return device


def _need_proof(shown: ShownCapability, grant: Capability, supplier: bytes, device: bytes | None, right: Right) -> None:
    """Whoever has the holder's key may read; nothing is kept for many who cannot be told apart."""
    if device is None or not is_proven(shown, grant.holder, supplier, device):
        raise BitDustError("not-allowed", "this capability is held by proof, which is missing")
    if right not in READING:
        raise BitDustError("not-allowed", "whoever holds a capability by a key alone only reads")


def _device_key(peer: Peer) -> bytes | None:
    device = peer.document.device(peer.device)
    return device.key if device is not None else None
