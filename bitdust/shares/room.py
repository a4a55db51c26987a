"""The room of shares: whom I let in, what I was let into, and which of all that is open."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from bitdust.batching import InTurn
from bitdust.crypt.keyring import RingKey
from bitdust.crypt.shares import GivenShare
from bitdust.crypt.writers import Writer
from bitdust.formats.operations import Op
from bitdust.identity.proving import NameProver
from bitdust.outcome import outcome, unbroken
from bitdust.peers.waking import Waking
from bitdust.shares.borrowed import Borrowing
from bitdust.shares.cuts import Cuts
from bitdust.shares.devices import AmongDevices
from bitdust.shares.distrust import Distrust
from bitdust.shares.donations import Donations
from bitdust.shares.held import HeldKey
from bitdust.shares.new_writers import NewWriters
from bitdust.shares.news import News, writer_of
from bitdust.shares.opened import MyShare, OpenShare, TheirShare, open_active
from bitdust.shares.ports import IsFriend, MyFamily
from bitdust.shares.received import Received
from bitdust.shares.withdrawals import Withdrawals
from bitdust.signal import Signal
from bitdust.storage.storage import Storage
from bitdust.surroundings import Connected
from bitdust.wire.errors import BitDustError
from bitdust.wire.names import GROUP_PREFIX, SHARE_PREFIX, KeyId, check_whole, idurl_of
from bitdust.wire.news import APPENDED, APPENDED_FIELDS
from bitdust.wire.packet import Command
from bitdust.wire.records import Family
from bitdust.wire.schema import Struct
from bitdust.wire.table import Answer, Request, Row, Who, ack


@frozen
class Share(HeldKey):
    """One share, mine or given to me, open or not."""

    key_id: str
    mine: RingKey | None
    given: GivenShare | None
    opened: OpenShare | None

    @property
    def writers(self) -> list[Writer]:
        """Who brings files besides its owner, or did."""
        grants = self.mine.grants if self.mine is not None else ()
        given = self.given.writers if self.given is not None else ()
        return [*given, *(grant.writer for grant in grants if grant.writes)]

    @property
    def alias(self) -> str:
        """The name of its key."""
        return self.key_id.partition("$")[0]

    @property
    def place(self) -> object:
        """What names it for good."""
        return self.given.place if self.given is not None else self.alias


class SharesRoom:
    """I open shares and close them, from `start` to `stop`; what I keep stands in the key ring."""

    log = Logger()

    def __init__(
        self, around: Connected, family: MyFamily, storage: Storage, prover: NameProver, is_friend: IsFriend
    ) -> None:
        self._around = around
        self._me = around.me
        self._family = family
        self._storage = storage
        self._prover = prover
        self.donations = Donations(around, family)
        self.withdrawals = Withdrawals(around, family)
        self._distrust = Distrust(around, self.donations, self.withdrawals)
        self.received = Received(around, is_friend)
        self.devices = AmongDevices(around, family, self.received)
        self.borrowing = Borrowing(around, prover)
        self.new_writers = NewWriters(around, prover)
        self._news = News(around)
        self.cuts = Cuts(around, family, self.withdrawals, storage)
        self.appended: Signal[[bytes, bytes, bytes]] = Signal()
        """Owner and tag of a key under which somebody has written something, and who reports that."""
        self._opened: dict[object, OpenShare] = {}
        self._waking = Waking(around.world)
        self._turns = InTurn()
        """What is opened and closed at one place is so one after the other: two at once would write to one file."""
        self._removers: list[Callable[[], None]] = []

    def row(self) -> Row:
        """The row of the packet table by which a supplier reports that somebody wrote."""
        fields = Struct(APPENDED_FIELDS)
        return Row(
            Command.EVENT, APPENDED, fields, 0, Who.SUPPLIER | Who.MEMBER, "service_key_exchange", self._appended,
            becomes=("shared_access_coordinator", "news"),
        )  # fmt: skip

    def _appended(self, request: Request) -> Answer:
        owner, scope = request.fields["owner"], request.fields["scope"]
        for opened in self._opened.values():
            if isinstance(opened, TheirShare) and opened.is_under(owner, scope):
                opened.machine.send("news")
        if owner == self._me.fingerprint:
            self._storage.look_again()
        self.appended.emit(owner, scope, request.peer.fingerprint)
        return ack()

    def _learnt(self, alias: str, device: bytes, ops: Sequence[Op]) -> None:
        """Something came to my own catalog: perhaps from a guest."""
        key = self._me.key_ring.keys.get(alias)
        who = writer_of(key.grants, device) if key is not None and self._me.document.device(device) is None else None
        if who is not None and self._storage.core.log_replicas.recovered:
            self._news.report(self._storage.core.view, f"{alias}${self._me.global_id}", ops, who)

    # holders of keys that follow from a secret

    def let_in(self, alias: str, holder: bytes) -> None:
        """Whoever has the holder's key may read what is under a key of mine. Raises as `Donations.grant` does."""
        self.donations.let_in(alias, holder)

    def shut_out(self, alias: str, holder: bytes) -> None:
        """Nobody may by that any more; where nobody may there is nothing to do."""
        if self.donations.grant_of(alias, holder) is not None:
            self.donations.take_back(alias, holder)
            self.withdrawals.tell()

    # life

    def start_exchange(self) -> None:
        """Bring others the keys that I gave them, and what is new of them."""
        self.donations.start()
        self.withdrawals.start()
        self._distrust.start()
        self.cuts.start()
        self.devices.start()

    def stop_exchange(self) -> None:
        """Bring nothing any more."""
        self.devices.stop()
        self._distrust.stop()
        self.donations.stop()
        self.withdrawals.stop()
        self.cuts.stop()

    async def start(self) -> None:
        """Open what was open."""
        self._removers = [
            self.donations.writers_changed.connect(self._storage.look_again),
            self.cuts.made.connect(self.donations.refresh),
            self._storage.learnt.connect(self._learnt),
            self._storage.nameless.connect(self.new_writers.listed),
            self.received.changed.connect(self._given),
            self.received.joined.connect(self._follow_ring),
            self._around.sessions.on_session(self._session),
            self._around.events.subscribe(lambda _: self._follow_ring(), "my-keys-synchronized"),
        ]
        await self._open_all()

    async def stop(self) -> None:
        """Close everything; what was open is opened again at the next start."""
        removers, self._removers = self._removers, []
        for remove in removers:
            remove()
        self._waking.stop()
        await unbroken(self._close_all())

    async def _close_all(self) -> None:
        while self._opened and not self._removers:
            await self._end(next(iter(self._opened)))

    async def _open_all(self) -> None:
        await open_active(lambda: self.all() if self._removers else [], self._begin)

    def _follow_ring(self) -> None:
        """Another device may have opened or closed something, or was given something."""
        outcome(Deferred.fromCoroutine(self._open_all()))
        for place, given in self._me.key_ring.shares.items():
            opened = self._opened.get(place)
            if not isinstance(opened, TheirShare):
                continue
            if given.erased or not given.active:
                outcome(Deferred.fromCoroutine(self._end(place)))
            else:
                opened.follow(given)

    def _given(self, share: GivenShare) -> None:
        opened = self._opened.get(share.place)
        if isinstance(opened, TheirShare):
            opened.renew(share)

    def _session(self, session: Any, up: bool) -> None:
        for opened in list(self._opened.values()):
            opened.session(session.peer.fingerprint, up)

    def network_is_back(self) -> None:
        """Who could not be reached a moment ago may be reached now."""
        if self.new_writers.begin_anew():
            self._storage.look_again()
        self._waking.wake(self._opened.values(), lambda opened: opened.network_is_back())
        self._waking.wake(self.donations.waiting(), lambda one: one.hurry())

    # which there are

    def my_family(self) -> Family | None:
        """Who holds what I share."""
        return self._family.current

    def all(self) -> list[Share]:
        """My shares, then those of others."""
        keys = [
            key for key in self._me.key_ring.living() if key.key_id.startswith(SHARE_PREFIX) and "$" not in key.key_id
        ]
        mine = [self._of_mine(key) for key in keys]
        given = [one for one in self.received.all() if not one.alias.startswith(GROUP_PREFIX)]
        return mine + [Share(one.key_id, None, one, self._opened.get(one.place)) for one in given]

    def _of_mine(self, key: RingKey) -> Share:
        return Share(f"{key.key_id}${self._me.global_id}", key, None, self._opened.get(key.key_id))

    def find(self, key_id: str) -> Share:
        """The share that a key id names, or an alias of mine. Raises ``key-not-found``, ``bad-name``, ``not-a-share``.

        Any key of mine but the master may be given to others, whatever its alias.
        """
        check_whole(key_id)
        if "$" in key_id and idurl_of(KeyId.parse(key_id).owner) not in self._me.document.sources:
            key = KeyId.parse(key_id)
            given = self.received.find(key.alias, lambda owner: self._is_called(owner, key.owner))
            return Share(given.key_id, None, given, self._opened.get(given.place))
        alias = key_id.partition("$")[0]
        if alias == "master":
            raise BitDustError("not-a-share", "the master key is yours alone and cannot be shared")
        return self._of_mine(self._me.key_ring.get(alias))

    def _is_called(self, owner: bytes, name: str) -> bool:
        document = self._around.identities.get(owner)
        names = [source.global_id for source in document.sources] if document is not None else []
        return name in names or any(one.owner == owner and one.name == name for one in self.received.all())

    def holds(self, fingerprint: bytes) -> bool:
        """Whether somebody is the owner, a guest or a supplier of a share that this node takes part in."""
        if any(one.owner == fingerprint for one in self.received.all()):
            return True
        if any(fingerprint in opened.holders() for opened in self._opened.values() if isinstance(opened, TheirShare)):
            return True
        keys = self._me.key_ring.living() if self._me.present else []
        return any(grant.holder == fingerprint and not grant.revoked for key in keys for grant in key.grants)

    # what the person decides

    async def open(self, share: Share) -> OpenShare:
        """Connect to its suppliers, now and after each start; the machine that does it.

        Raises ``damaged-catalog``, ``disk-full``.
        """
        return await unbroken(self._open_now(share))

    async def _open_now(self, share: Share) -> OpenShare:
        if share.mine is not None:
            if not share.mine.active:
                self._me.key_ring.mark(share.mine.key_id, True)
                self._me.save_key_ring()
                self._around.events.send("share-changed", {"key_id": share.key_id, "active": True})
        elif share.given is not None and not share.given.active:
            self.received.mark(share.given, active=True)
        return await self._begin(self.find(share.key_id))

    async def _begin(self, share: Share) -> OpenShare:
        return await unbroken(self._turns.run(share.place, partial(self._open, share)))

    async def _open(self, share: Share) -> OpenShare:
        """The one that is open there, which may have been opened meanwhile."""
        opened = self._opened.get(share.place)
        if opened is None:
            if not self._removers:
                raise BitDustError("service-off", f"{share.key_id} is not opened now: shares are being closed")
            opened = await self._made(share)
        opened.machine.send("open")
        return opened

    async def _made(self, share: Share) -> OpenShare:
        if share.given is None:
            rooms = (self._family, self._storage)
            mine = self._opened[share.place] = MyShare(self._around, share.key_id, self._report, rooms)
            return mine
        their = self._opened[share.place] = TheirShare(self._around, share.given, self._report, self._prover)
        adding = await outcome(Deferred.fromCoroutine(self._storage.catalogs.add(their.catalog)))
        if adding.error is not None:
            await self._shut(share.place)
            raise adding.error
        return their

    async def close(self, share: Share) -> None:
        """Disconnect from it; it stays closed. Raises ``not-open``."""
        if share.opened is None and not share.active:
            raise BitDustError("not-open", f"the share {share.key_id} is not open")
        if share.mine is not None:
            self._me.key_ring.mark(share.mine.key_id, False)
            self._me.save_key_ring()
            self._around.events.send("share-changed", {"key_id": share.key_id, "active": False})
            await self._end(share.mine.key_id)
        elif share.given is not None:
            self.received.mark(share.given, active=False)
            await self._end(share.given.place)

    async def forget(self, share: Share) -> None:
        """Give up a share: of mine everybody is shut out, and its key is erased; of another's all here is forgotten.

        What is stored in a share of mine stays until it is deleted.
        """
        if share.mine is not None:
            alias = share.mine.key_id
            for holder in {grant.holder for grant in self.donations.grants(alias)}:
                self.donations.take_back(alias, holder)
            self.withdrawals.tell()
            self._me.key_ring.erase(alias)
            self._me.save_key_ring()
            self._around.events.send("share-changed", {"key_id": share.key_id, "active": False})
            await self._end(alias)
        elif share.given is not None:
            self.received.mark(share.given, active=False, erased=True)
            await self._end(share.given.place)

    async def _end(self, place: object) -> None:
        await unbroken(self._turns.run(place, partial(self._shut, place)))

    async def _shut(self, place: object) -> None:
        opened = self._opened.pop(place, None)
        if opened is None:
            return
        opened.machine.send("shutdown")
        if isinstance(opened, TheirShare):
            await self._storage.catalogs.remove(*opened.catalog.place)

    def _report(self, key_id: str, is_open: bool) -> None:
        self._around.events.send("share-connected" if is_open else "share-disconnected", {"key_id": key_id})
