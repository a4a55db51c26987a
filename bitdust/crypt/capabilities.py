"""Whether a capability is its owner's word: signed by a device of the owner that counts, or by the owner's RSA key.

And whether it is held by who shows it, where its holder is a key that follows from a secret.
"""

from typing import Protocol

from attrs import evolve

from bitdust.crypt.device import DeviceKey, verify
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


def proven(shown: bytes, holder: DeviceKey, supplier: bytes, device: bytes) -> bytes:
    """A capability as the one who has its holder's key shows it to a supplier, from the device with this public key."""
    bare = ShownCapability.from_bytes(shown)
    return evolve(bare, proof=holder.sign(bare.proof_message(supplier, device))).to_bytes()


def is_proven(shown: ShownCapability, holder: bytes, supplier: bytes, device: bytes) -> bool:
    """Whether who asks from this device has proved to this supplier that it has the holder's key."""
    return bool(shown.proof) and verify(holder, shown.proof, shown.proof_message(supplier, device))
