"""The RSA key's word beside a device's signature, for what would else wait until another device agrees."""

from bitdust.crypt.master import MasterKey
from bitdust.wire.signed import COUNTERSIGNATURE, Signed


def countersignature(master: MasterKey | None, signed: Signed) -> dict[str, bytes]:
    """The field of a packet with that word; none where this device has not the key."""
    return {COUNTERSIGNATURE: master.sign(signed.countersigned())} if master is not None else {}
