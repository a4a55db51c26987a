"""What the owner of a share brings to somebody who was let in; ``docs/formats.md``, section 8, has its bytes."""

from attrs import evolve, frozen

from bitdust.crypt.capabilities import OwnerDocument, is_owners_word
from bitdust.crypt.device import check_record
from bitdust.crypt.shares import AHEAD, SHARE, GivenShare
from bitdust.shares.published import is_published
from bitdust.wire.capability import ShownCapability
from bitdust.wire.encoding import WireError, encode
from bitdust.wire.keepers import signed_holders
from bitdust.wire.names import GROUP_PREFIX
from bitdust.wire.schema import Int, Optional, Struct, parse

VERSION, OLDEST = 3, 1
"""1 named nobody who writes in a share, and had groups kept by suppliers alone; 2 did not say ``since`` when."""
WITH_WRITERS, WITH_SINCE = 2, 3
"""The first versions that have them."""
MAX_OFFER = 256 * 1024
_KEPT = ("active", "edits", "erased", "owner")
"""What the holder says of it; the owner is who brings it."""
_GIVEN = {name: schema for name, schema in SHARE.fields.items() if name not in _KEPT}
_OFFER = Struct({**_GIVEN, "version": Int(OLDEST, VERSION), "since": Optional(Int())})


@frozen
class Offer:
    """A share, ``given`` as its owner dates it, and ``since`` when its holder is let in: when its owner said so last,
    in seconds since the epoch."""

    share: GivenShare
    given: int
    since: int = 0

    def after(self, known: GivenShare) -> GivenShare:
        """The share beside one that is known: dated later where its owner says so, whatever the clock here says."""
        return evolve(self.share, given=max(self.share.given, min(self.given, known.given + 1)))


def write_offer(share: GivenShare, since: int) -> bytes:
    """Canonical bytes."""
    given = {name: value for name, value in share.as_map().items() if name not in _KEPT}
    return encode({"version": VERSION, "since": since} | given)


def read_offer(data: bytes, owner: OwnerDocument, holder: bytes, now: float) -> Offer:
    """What a peer with the document ``owner`` brought to ``holder``, its signatures checked.

    Raises `WireError`: ``bad-field`` for what is no offer, ``not-allowed`` for capabilities of or for somebody else, or
    that have ended, ``bad-signature`` for what the owner has not signed.
    """
    value = parse(data, _OFFER, MAX_OFFER, "offer")
    version, since = value.pop("version"), value.pop("since", None)
    if since is not None and version < WITH_SINCE:
        raise WireError("bad-field", f"an offer of version {version} does not say since when somebody is let in")
    share = GivenShare.of_map({**value, "owner": owner.public.fingerprint, "active": False, "edits": 0})
    for grant in share.grants:
        if grant.owner != share.owner or grant.holder != holder or grant.ends <= now:
            raise WireError("not-allowed", "a capability of the share is of or for somebody else, or has ended")
        if grant.by_proof != is_published(share.alias):
            raise WireError("not-allowed", "capabilities of what is offered to many, and of nothing else, are by proof")
    if not all(is_owners_word(owner, ShownCapability.from_bytes(shown)) for shown in share.capabilities):
        raise WireError("bad-signature", "a capability of the share is not signed by its owner")
    _check_holders(share, owner, version)
    near = min(share.given, int((now + AHEAD) * 1000))
    return Offer(evolve(share, name=owner.global_id, given=near), share.given, since or 0)


def _check_holders(share: GivenShare, owner: OwnerDocument, version: int) -> None:
    keepers, signed = share.keepers(), signed_holders(share.family)
    device = owner.device(signed.device)
    if device is None or device.revoked is not None or share.owner_family().customer != share.owner:
        raise WireError("bad-signature", "the family of the share is not its owner's")
    check_record(signed, device.key)
    if version < WITH_WRITERS and (keepers is not None or share.names):
        raise WireError("bad-field", "an offer of version 1 is of what suppliers keep, and has no names")
    if keepers is not None and (keepers.alias != share.alias or not share.alias.startswith(GROUP_PREFIX)):
        raise WireError("bad-field", "members keep groups alone, and each has a record of its own")
