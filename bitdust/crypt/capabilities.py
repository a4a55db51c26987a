"""Whether a capability is its owner's word: signed by a device of the owner that counts, or by the owner's RSA key."""

from typing import Protocol

from bitdust.crypt.device import verify
from bitdust.crypt.master import MasterPublic
from bitdust.wire.capability import ShownCapability
from bitdust.wire.table import Document


class OwnerDocument(Document, Protocol):
    """An identity document with the RSA key that it is signed by."""

    @property
    def public(self) -> MasterPublic: ...


def is_owners_word(document: OwnerDocument, shown: ShownCapability) -> bool:
    """Whether the owner of ``document`` has signed a capability."""
    if not shown.device:
        return document.public.verify(shown.signature, shown.message())
    device = document.device(shown.device)
    return device is not None and device.revoked is None and verify(device.key, shown.signature, shown.message())
