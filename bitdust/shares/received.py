"""Keys of other people that were given to me: taken from their owners alone, checked, and kept in my key ring."""

from collections.abc import Callable

from bitdust.crypt.shares import GivenShare
from bitdust.shares.offer import MAX_OFFER, read_offer
from bitdust.shares.ports import IsFriend
from bitdust.signal import Signal
from bitdust.surroundings import Connected
from bitdust.wire.errors import BitDustError
from bitdust.wire.packet import Command
from bitdust.wire.schema import Choice, Struct
from bitdust.wire.table import Answer, Request, Row, Who, ack

KIND = "share"
MOST_OF_STRANGERS = 20
"""Shares of all who are no friends, as long as they were never opened."""
MOST_OF_ONE = 50
"""Shares of one owner."""
COST = 20.0


class Received:
    """I keep them. ``changed`` reports one that came, is newer than before, or was opened, closed or forgotten here."""

    def __init__(self, around: Connected, is_friend: IsFriend) -> None:
        self._world = around.world
        self._me = around.me
        self._identities = around.identities
        self._events = around.events
        self._is_friend = is_friend
        self.changed: Signal[[GivenShare]] = Signal()

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
        raise BitDustError("key-not-found", f"nobody gave {alias!r} to this node; see: bitdust share list")

    async def _take(self, request: Request) -> Answer:
        data = await request.payload.read_all(MAX_OFFER)
        peer = request.peer
        share = read_offer(data, peer.document, self._me.fingerprint, self._world.wall())  # type: ignore[arg-type]
        before = self._me.key_ring.shares.get(share.place)
        if before is not None and before.erased:
            if {grant.id for grant in share.grants} & {grant.id for grant in before.grants}:
                return ack()  # its person has forgotten it, and its owner brings it again after each start
            share = before.merged(share).marked(active=False)
        self._need_place(share, before)
        is_new = before is None or before.erased
        self._keep(share)
        self._identities.keep(peer.document)  # type: ignore[arg-type]
        if is_new:
            names = {"global_id": peer.document.global_id, "remote_idurl": str(peer.document.idurl)}
            more = {"key_id": share.key_id, "label": share.label, "fingerprint": share.owner.hex()}
            self._events.send("share-received", names | more)
        return ack()

    def _need_place(self, share: GivenShare, before: GivenShare | None) -> None:
        if before is not None and not before.erased:
            return
        others = self.all()
        if sum(one.owner == share.owner for one in others) >= MOST_OF_ONE:
            raise BitDustError("too-many-shares", f"at most {MOST_OF_ONE} shares of one person are kept here")
        unopened = sum(1 for one in others if not one.edits and not self._is_friend(one.owner))
        if not self._is_friend(share.owner) and unopened >= MOST_OF_STRANGERS:
            raise BitDustError("too-many-shares", "this node keeps no more shares of people who are no friends")

    def mark(self, share: GivenShare, *, active: bool, erased: bool = False) -> GivenShare:
        """Note that it is open, or closed, or forgotten; as it is kept now."""
        marked = self._me.key_ring.shares[share.place].marked(active=active, erased=erased)
        self._keep(marked)
        return self._me.key_ring.shares[share.place]

    def _keep(self, share: GivenShare) -> None:
        self._me.key_ring.give(share)
        self._me.save_key_ring()
        kept = self._me.key_ring.shares[share.place]
        self._events.send("share-changed", {"key_id": kept.key_id, "active": kept.active})
        self.changed.emit(kept)
