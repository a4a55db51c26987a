"""What the owner of a share brings to somebody who was let in; ``docs/formats.md``, section 8, has its bytes."""

from attrs import evolve

from bitdust.crypt.capabilities import OwnerDocument, is_owners_word
from bitdust.crypt.device import check_record
from bitdust.crypt.shares import AHEAD, SHARE, GivenShare
from bitdust.wire.capability import ShownCapability
from bitdust.wire.encoding import WireError, encode
from bitdust.wire.keepers import signed_holders
from bitdust.wire.names import GROUP_PREFIX
from bitdust.wire.schema import Int, Struct, parse

VERSION, OLDEST = 2, 1
"""1 named nobody who writes in a share, and had groups kept by suppliers alone."""
MAX_OFFER = 256 * 1024
_KEPT = ("active", "edits", "erased", "owner")
"""What the holder says of it; the owner is who brings it."""
_OFFER = Struct(
    {"version": Int(OLDEST, VERSION)} | {name: schema for name, schema in SHARE.fields.items() if name not in _KEPT}
)


def write_offer(share: GivenShare) -> bytes:
    """Canonical bytes."""
    return encode({"version": VERSION} | {name: value for name, value in share.as_map().items() if name not in _KEPT})


def read_offer(data: bytes, owner: OwnerDocument, holder: bytes, now: float) -> GivenShare:
    """What a peer with the document ``owner`` brought to ``holder``, its signatures checked.

    Raises `WireError`: ``bad-field`` for what is no offer, ``not-allowed`` for capabilities of or for somebody else, or
    that have ended, ``bad-signature`` for what the owner has not signed.
    """
    value = parse(data, _OFFER, MAX_OFFER, "offer")
    version = value.pop("version")
    share = GivenShare.of_map({**value, "owner": owner.public.fingerprint, "active": False, "edits": 0})
    for grant in share.grants:
        if grant.owner != share.owner or grant.holder != holder or grant.ends <= now:
            raise WireError("not-allowed", "a capability of the share is of or for somebody else, or has ended")
    if not all(is_owners_word(owner, ShownCapability.from_bytes(shown)) for shown in share.capabilities):
        raise WireError("bad-signature", "a capability of the share is not signed by its owner")
    _check_holders(share, owner, version)
    return evolve(share, name=owner.global_id, given=min(share.given, int((now + AHEAD) * 1000)))


def _check_holders(share: GivenShare, owner: OwnerDocument, version: int) -> None:
    keepers, signed = share.keepers(), signed_holders(share.family)
    device = owner.device(signed.device)
    if device is None or share.owner_family().customer != share.owner:
        raise WireError("bad-signature", "the family of the share is not its owner's")
    check_record(signed, device.key)
    if version < VERSION and (keepers is not None or share.names):
        raise WireError("bad-field", "an offer of version 1 is of what suppliers keep, and has no names")
    if keepers is not None and (keepers.alias != share.alias or not share.alias.startswith(GROUP_PREFIX)):
        raise WireError("bad-field", "members keep groups alone, and each has a record of its own")
