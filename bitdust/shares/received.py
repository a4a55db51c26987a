"""Keys of other people that were given to me: taken from their owners alone, checked, and kept in my key ring."""

from collections.abc import Callable, Iterable, Mapping

from attrs import evolve

from bitdust.crypt.keyring import KeyRing
from bitdust.crypt.shares import GivenShare
from bitdust.scopes.reservations import Allowance
from bitdust.shares.offer import MAX_OFFER, read_offer
from bitdust.shares.ports import IsFriend
from bitdust.signal import Signal
from bitdust.surroundings import Connected
from bitdust.wire.encoding import encode
from bitdust.wire.errors import BitDustError
from bitdust.wire.names import GROUP_PREFIX
from bitdust.wire.packet import Command
from bitdust.wire.schema import Choice, Struct
from bitdust.wire.table import Answer, Request, Row, Who, ack

KIND = "share"
MOST_OF_STRANGERS = 20
"""Shares of all who are no friends, as long as they were never opened."""
MOST_OF_ONE = 50
"""Shares of one owner."""
STRANGERS_SIZE, SIZE_OF_ONE = 48 * 1024, 64 * 1024
"""Bytes of all of those, as the key ring keeps them."""
COST = 20.0
CHANGES, CHANGES_OF_STRANGERS = (0.2, 100.0), (1 / 60, 20.0)
"""A second, and at once: each changes the key ring, which goes to all suppliers."""


class Received:
    """I keep them. ``changed`` reports one that came, is newer than before, or was opened, closed or forgotten here."""

    def __init__(self, around: Connected, is_friend: IsFriend) -> None:
        self._world = around.world
        self._me = around.me
        self._identities = around.identities
        self._events = around.events
        self._is_friend = is_friend
        clock = around.world.clock
        self._changes, self._of_strangers = Allowance(clock, *CHANGES), Allowance(clock, *CHANGES_OF_STRANGERS)
        self.changed: Signal[[GivenShare]] = Signal()
        self.joined: Signal[[]] = Signal()
        """Another device of mine has said what was done with some."""

    def row(self) -> Row:
        """The row of the packet table by which an owner gives me a key."""
        fields = Struct({"kind": Choice((KIND,))})
        return Row(
            Command.KEY, KIND, fields, MAX_OFFER, Who.ANYONE, "service_key_exchange", self._take,
            gathers=True, cost=COST, becomes=("shared_access_coordinator", "news"),
        )  # fmt: skip

    def all(self) -> list[GivenShare]:
        """Those that were not forgotten, by owner and alias."""
        shares = self._me.key_ring.shares
        return [shares[place] for place in sorted(shares) if not shares[place].erased]

    def find(self, alias: str, is_owner: Callable[[bytes], bool]) -> GivenShare:
        """The one of an owner with an alias. Raises `BitDustError` ``key-not-found``."""
        for share in self.all():
            if share.alias == alias and is_owner(share.owner):
                return share
        listing = "groups_list" if alias.startswith(GROUP_PREFIX) else "shares_list"
        raise BitDustError("key-not-found", f"nobody gave {alias!r} to this node; see {listing}")

    async def _take(self, request: Request) -> Answer:
        data = await request.payload.read_all(MAX_OFFER)
        peer = request.peer
        offer = read_offer(data, peer.document, self._me.fingerprint, self._world.wall())  # type: ignore[arg-type]
        share = offer.share
        before = self._me.key_ring.shares.get(share.place)
        share = offer.after(before) if before is not None else share
        is_late = before is not None and share.given <= before.given and _is_another(share, before)
        # Its owner's clock was ahead before, and it says now what is to take the place of that.
        answer = ack(given=before.given) if before is not None and is_late else ack()
        if before is not None and before.erased and is_late:
            return answer
        if before is not None and before.erased:
            is_same = bool({grant.id for grant in share.grants} & {grant.id for grant in before.grants})
            if is_same and offer.since * 1000 <= before.given:
                return ack()  # its person has forgotten it, and its owner brings it again after each start
            share = before.merged(share).marked(active=False)
        elif before is not None and evolve(before.merged(share), given=before.given) == before:
            return answer
        self._need_place(share, before)
        self._need_pace(share, before)
        is_new = before is None or before.erased
        self._keep(share)
        self._identities.keep(peer.document)  # type: ignore[arg-type]
        if is_new:
            names = {"global_id": peer.document.global_id, "remote_idurl": str(peer.document.idurl)}
            more = {"key_id": share.key_id, "label": share.label, "fingerprint": share.owner.hex()}
            self._events.send("share-received", names | more)
        return answer

    def _need_place(self, share: GivenShare, before: GivenShare | None) -> None:
        as_kept = share if before is None else before.merged(share)
        others = [one for one in self.all() if one.place != share.place]
        theirs = [as_kept, *(one for one in others if one.owner == share.owner)]
        if len(theirs) > MOST_OF_ONE or _size(theirs) > SIZE_OF_ONE:
            text = f"at most {MOST_OF_ONE} shares of one person are kept here, of {SIZE_OF_ONE} bytes together"
            raise BitDustError("too-many-shares", text)
        if self._is_friend(share.owner) or (as_kept.edits and not as_kept.erased):
            return
        unopened = [as_kept, *(one for one in others if not one.edits and not self._is_friend(one.owner))]
        if len(unopened) > MOST_OF_STRANGERS or _size(unopened) > STRANGERS_SIZE:
            raise BitDustError("too-many-shares", "this node keeps no more shares of people who are no friends")

    def _need_pace(self, share: GivenShare, before: GivenShare | None) -> None:
        """Raises ``busy``: the owner brings it again."""
        is_wanted = self._is_friend(share.owner) or (before is not None and before.active)
        paces = [self._changes] if is_wanted else [self._changes, self._of_strangers]
        if any(pace.left() < 1 for pace in paces):
            raise BitDustError("busy", "more keys of others come than are taken; bring it again later")
        for pace in paces:
            pace.spend()

    def mark(self, share: GivenShare, *, active: bool, erased: bool = False) -> GivenShare:
        """Note that it is open, or closed, or forgotten; as it is kept now."""
        marked = self._me.key_ring.shares[share.place].marked(active=active, erased=erased)
        self._keep(marked)
        return self._me.key_ring.shares[share.place]

    def join(self, shares: Mapping[tuple[bytes, str], GivenShare]) -> None:
        """Take over what another device of mine was given, or has done with it. Raises ``too-many-keys``."""
        ring = self._me.key_ring
        before = dict(ring.shares)
        if not ring.merge(KeyRing(shares=dict(shares))):
            return
        self._me.save_key_ring()
        for kept in [one for place, one in ring.shares.items() if before.get(place) != one]:
            self._report(kept)
        self.joined.emit()

    def _keep(self, share: GivenShare) -> None:
        self._me.key_ring.give(share)
        self._me.save_key_ring()
        self._report(self._me.key_ring.shares[share.place])

    def _report(self, kept: GivenShare) -> None:
        self._events.send("share-changed", {"key_id": kept.key_id, "active": kept.active})
        self.changed.emit(kept)


def _is_another(share: GivenShare, kept: GivenShare) -> bool:
    """Whether an owner says something else than what is kept, or gives a secret that is not."""
    lacks = any(not {*some} <= {*kept.secrets.get(name, ())} for name, some in share.secrets.items())
    return _said(share) != _said(kept) or (lacks and not kept.erased)


def _said(share: GivenShare) -> GivenShare:
    """What its owner says, without when, and without what opens it."""
    return evolve(share, given=0, active=False, erased=False, edits=0, secrets={})


def _size(shares: Iterable[GivenShare]) -> int:
    return sum(len(encode(one.as_map())) for one in shares)
