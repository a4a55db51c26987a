"""Groups that are open: each a log in which its members write, and the machine that keeps it up to date."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from attrs import frozen
from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger

from bitdust.crypt.keyring import KeyRing
from bitdust.crypt.shares import GivenShare
from bitdust.formats.operations import MAX_MESSAGE, message_op
from bitdust.groups.held_back import HeldBack
from bitdust.groups.holders import MemberPorts, OwnerPorts
from bitdust.groups.keepers import KeeperList
from bitdust.groups.ports import GroupPeople
from bitdust.groups.ring import following
from bitdust.identity.document import IdentityDocument
from bitdust.outcome import outcome, outcomes
from bitdust.peers.new_devices import NewDevices
from bitdust.replication import members
from bitdust.shares.donations import Donations
from bitdust.shares.opened import Guest, OpenShare, Report
from bitdust.shares.ports import MyFamily
from bitdust.signal import Signal
from bitdust.storage.ports import PartHolders
from bitdust.storage.shared.member_access import MemberAccess, SharedKey
from bitdust.storage.shared.member_log import Gap, MemberLog, Said
from bitdust.surroundings import Connected
from bitdust.wire.encoding import WireError
from bitdust.wire.errors import BitDustError
from bitdust.wire.keepers import Keepers
from bitdust.wire.messages import GROUP, INCOMING, OUTGOING, Message
from bitdust.wire.names import idurl_of
from bitdust.wire.records import Family

FOLDER = "groups"
MOST_WATCHED = 2
ROOM_FOR_DATA = MAX_MESSAGE - 4096
LOOK_AGAIN = 300.0
"""Seconds until a member who was not found is looked for again."""


def conversation_of(owner: bytes, alias: str) -> str:
    """The name of a group's conversation, which stays when its creator's identity moves."""
    return f"{alias}${owner.hex()}"


class Discussion(ABC):
    """What a group is, whoever made it: its log, its members, and what is said there."""

    log_of = Logger()

    def __init__(self, around: Connected, owner: bytes, alias: str, people: GroupPeople) -> None:
        self._world = around.world
        self._me = around.me
        self._identities = around.identities
        self._events = around.events
        self._people = people
        self.owner = owner
        self.alias = alias
        self._vouched: dict[bytes, IdentityDocument] = {}
        self._held_back = HeldBack(around.world.clock.seconds)
        self.read_again: Signal[[]] = Signal()
        self._news: set[bytes] = set()
        self._watched: set[bytes] = set()
        self.conversation = conversation_of(owner, alias)
        self._is_handing_on = self._is_wanted_again = False
        self.is_aside = False
        """Whether it is read without being joined: nothing that was said there is handed on."""
        self._sequence = 0
        self._looked: dict[bytes, float] = {}
        self.new_devices = NewDevices(around.world.clock.seconds)

    def begin(self, around: Connected, holders: PartHolders) -> None:
        """Make the log; once, when the key and the members can be asked for."""
        path: Path = around.world.home / FOLDER / f"{self.owner.hex()}-{self.alias}.db"
        self.access = MemberAccess(lambda: self._me.device.id, self.key, self.documents)
        self.log = MemberLog(around, path, self.access, holders)
        self.log.grown.connect(lambda device: self.hand_on())

    @abstractmethod
    def key(self) -> SharedKey:
        """The key as it is now."""

    @abstractmethod
    def members(self) -> list[bytes]:
        """Who writes in it, its creator first."""

    @abstractmethod
    def keepers(self) -> Keepers | None:
        """The members who keep it; None where suppliers do."""

    @abstractmethod
    def shut_out(self) -> Sequence[bytes]:
        """Names of capabilities that count no more."""

    def is_joint(self) -> bool:
        """Whether members keep it."""
        return self.keepers() is not None

    def is_mine_to_keep(self) -> bool:
        """Whether this node is one of those members."""
        keepers = self.keepers()
        return keepers is not None and self._me.fingerprint in keepers.keepers

    def knows_end_of(self, device: bytes) -> bool:
        """Whether somebody was heard since a device of mine was revoked, or there is nobody who could be."""
        return self.log.knows_end_of(device) or (self.log.is_alone() and {*self.members()} <= {self._me.fingerprint})

    def scope(self) -> bytes:
        """Its tag."""
        return self.key().scopes[0]

    def vouch(self, member: Any) -> None:
        """Somebody has shown the creator's word that it is a member, of which this node may not have heard."""
        if member.fingerprint not in self.members():
            self._vouched[member.fingerprint] = member.document

    def read_by(self, member: bytes) -> None:  # noqa: B027  only its creator minds
        """A member has read it at this node."""

    def documents(self) -> list[IdentityDocument]:
        """The identities of members, as far as they are known here."""
        mine, found = self._me.document, [self._identities.get(who) for who in self.members()]
        known = {one.fingerprint: one for one in found if one is not None}
        return list((self._vouched | known | {mine.fingerprint: mine}).values())

    async def know_members(self) -> None:
        """Look up the identities of members that are not known here; again after a while those that nobody found.

        A creator may name two hundred who are nobody, and a keeper may call as often as it likes.
        """
        known = {one.fingerprint for one in self.documents()}
        now, members = self._world.clock.seconds(), self.members()
        self._looked = {who: at for who, at in self._looked.items() if who in members and now - at < LOOK_AGAIN}
        missing = [who for who in members if who not in known and who not in self._looked]
        self._looked |= dict.fromkeys(missing, now)
        await outcomes(Deferred.fromCoroutine(self.find(who)) for who in missing)

    async def find(self, who: bytes) -> None:
        """Look up one of them."""
        await outcome(self._people.finder.look_up(who))

    async def say(self, data: dict[str, Any]) -> Message:
        """Write a message; it is on the disk when this is over. Raises ``not-connected``, ``bad-message``,
        ``too-large``, disk errors."""
        me = self._me
        known = self._people.history.last_sequence(self.conversation, me.device.id)
        if self.log.lacks_mine(bool(known)):
            text = "what this node has said here before has not come back yet from those who keep the group; try later"
            raise BitDustError("not-connected", text)
        self._sequence = max(self._sequence, known) + 1
        message = Message(
            self._world.entropy(16).hex(),
            GROUP,
            self.conversation,
            me.fingerprint,
            me.device.id,
            self.conversation,
            self.alias,
            int(self._world.wall() * 1000),
            self._sequence,
            data,
            OUTGOING,
        )
        body = message.to_body()
        if len(body) > ROOM_FOR_DATA:
            raise BitDustError("too-large", f"at most {ROOM_FOR_DATA} bytes are said to a group at once: share a file")
        await self.log.write(message_op(self.alias, body))
        return message

    # what was said

    def hand_on(self) -> None:
        """Bring to the history what was said and is not there yet."""
        self._is_wanted_again = True
        if not (self._is_handing_on or self.is_aside) and self.log.catalog.is_open:
            self._is_handing_on = True
            outcome(Deferred.fromCoroutine(self._hand_on())).addCallback(self._handed_on)

    async def _hand_on(self) -> None:
        while self._is_wanted_again and self.log.catalog.is_open:
            self._is_wanted_again = False
            access = self.access.now()
            said = self._held_back.ready(self.log.unread(), access, self._me.device.id)
            if not said:
                return
            found = [message for one in said if (message := self._message_of(one, access)) is not None]
            for ended in await outcomes([self._people.history.add(message) for message in found]):
                if ended.error is not None:
                    raise ended.error
            self._people.prover.want({message.sender for message in found} - {self._me.fingerprint})
            for gap in await self.log.handed_on(said):
                self._report_gap(gap)
            self._is_wanted_again = True

    def _report_gap(self, gap: Gap) -> None:
        who = next((one for one in self.documents() if one.device(gap.device) is not None), None)
        data = {"group": self.conversation, "device": gap.device.hex(), "first": gap.first, "last": gap.last}
        self._events.send("group-messages-dropped", data | {"global_id": who.global_id if who is not None else ""})

    def _handed_on(self, ended: Any) -> None:
        self._is_handing_on = False
        if ended.error is not None:
            self.log_of.warn("what was said in a group is not in the history yet: {why}", why=ended.error)

    def _message_of(self, said: Said, access: MemberAccess) -> Message | None:
        """What somebody said; None for what is no message of the one whose device wrote it."""
        if said.op.get("op") != "message":
            return None
        mine = said.device == self._me.device.id
        try:
            message = Message.from_body(said.op["body"], OUTGOING if mine else INCOMING)
        except WireError as error:
            self.log_of.warn("an entry of a group holds no message: {why}", why=error)
            return None
        theirs = (message.sender_device, message.conversation, message.kind)
        is_theirs = message.sender == self._me.fingerprint
        if not mine:
            is_theirs = access.is_writer(message.sender, said.device, said.sequence)
        if theirs != (said.device, self.conversation, GROUP) or not is_theirs:
            self.log_of.warn("an entry of a group says that somebody else wrote it")
            return None
        return message.outgoing() if message.sender == self._me.fingerprint else message

    def has_news(self, keeper: bytes, machine: Any) -> None:
        """A keeper has reported that somebody wrote: it is read alone, unless all are to be read anyway."""
        if machine.state == "CONNECTED":
            self._news.add(keeper)
        machine.send("news")

    def told_by(self, online: list[bytes]) -> list[bytes]:
        """Whom to read from now: those who reported something, or all."""
        news, self._news = self._news, set()
        if told := [who for who in online if who in news]:
            return told
        self._watched = following(self._me.fingerprint, online, 1 if self.is_mine_to_keep() else MOST_WATCHED)
        return online

    def watches(self, keeper: bytes) -> bool:
        """Whether a member who keeps it is to report what is written: one or two do so, all have it."""
        return keeper in self._watched

    async def read_from(self, online: Iterable[bytes]) -> None:
        """Take over what others hold: one alone has all that was said, or all that it did not hide."""
        await self.know_members()
        asked, least = list(online), 0 if self.is_mine_to_keep() else 1
        await self.log.pull(asked, least)
        if self.new_devices.is_wanted(self.log.nameless):
            others = [who for who in self.members() if who != self._me.fingerprint]
            await outcomes(Deferred.fromCoroutine(self.find(who)) for who in others)
            again = await outcome(Deferred.fromCoroutine(self.log.pull(asked, least)))
            if again.error is not None:
                self.log_of.info("a group was read once, not again with new devices: {why}", why=again.error)
        self.hand_on()
        self.read_again.emit()


@frozen
class Given:
    """What a share says of a group."""

    share: GivenShare
    key: SharedKey
    family: Family
    keepers: Keepers | None

    @classmethod
    def of(cls, share: GivenShare) -> "Given":
        """Read it."""
        scopes = [grant.scope for grant in share.grants if grant.scope is not None]
        key = SharedKey(share.owner, share.alias, scopes, share.secrets, share.sealing)
        return cls(share, key, share.owner_family(), share.keepers())


class TheirGroup(Guest, Discussion):
    """A group that somebody else made."""

    def __init__(self, around: Connected, share: GivenShare, report: Report, people: GroupPeople) -> None:
        self._read: Given | None = None
        Guest.__init__(self, around, share, report, people.prover)
        Discussion.__init__(self, around, share.owner, share.alias, people)
        self.begin(around, MemberPorts(self._ports, around.sessions, self))

    def key(self) -> SharedKey:
        return self._given().key

    def _given(self) -> "Given":
        """What the share says, which is asked for with each packet, and read once."""
        if self._read is None or self._read.share is not self._share:
            self._read = Given.of(self._share)
        return self._read

    def family(self) -> Family:
        return self._given().family

    def members(self) -> list[bytes]:
        return list(self._share.members) or [self._share.owner]

    async def find(self, who: bytes) -> None:
        """By the name that the creator knows where nobody else does: a member may be gone."""
        await super().find(who)
        name = dict(zip(self._share.members, self._share.names, strict=False)).get(who)
        if name and self._identities.get(who) is None:
            await self._people.prover.prove(who, idurl_of(name))

    def keepers(self) -> Keepers | None:
        return self._given().keepers

    def shut_out(self) -> Sequence[bytes]:
        keepers = self.keepers()
        return keepers.revoked if keepers is not None else ()

    def renew(self, share: GivenShare) -> None:
        removed = {*self._share.members} - {*share.members}
        super().renew(share)
        for member in list(self._vouched):
            if member in removed or (member in share.members and self._identities.get(member) is not None):
                del self._vouched[member]
        self.hand_on()
        self.log.place()

    def read(self) -> "Deferred[Any]":
        return Deferred.fromCoroutine(self.read_from(self.told_by(self.online())))

    def has_enough(self) -> bool:
        return bool(self.online()) or self.is_mine_to_keep()


class MyGroup(OpenShare, Discussion):
    """A group of mine."""

    def __init__(
        self, around: Connected, key_id: str, report: Report, rooms: tuple[MyFamily, Donations], people: GroupPeople,
    ) -> None:  # fmt: skip
        self._family, self._donations = rooms
        OpenShare.__init__(self, around, key_id, report)
        alias = key_id.partition("$")[0]
        Discussion.__init__(self, around, around.me.fingerprint, alias, people)
        ports = OwnerPorts(around, self)
        self.begin(around, ports)
        self.log.makes_secrets(self._make_secret)
        self.keeper_list = KeeperList(around, alias, self.log.catalog)

    def family(self) -> Family | None:
        keepers = self.keepers()
        return keepers.as_family() if keepers is not None else self._family.current

    def keepers(self) -> Keepers | None:
        return None if members(self._family.current) else self.keeper_list.record

    def shut_out(self) -> Sequence[bytes]:
        return self._donations.shut_out(self.alias)

    def read_by(self, member: bytes) -> None:
        if self.is_joint() and member in self.members():
            self.keeper_list.read_by(member)

    def follow_grants(self) -> "Deferred[Any]":
        """Somebody was let in, or shut out."""
        return self.keeper_list.follow(self.members(), self.shut_out())

    def key(self) -> SharedKey:
        ring: KeyRing = self._me.key_ring
        key = ring.get(self.alias)
        return SharedKey(self.owner, self.alias, sorted(key.scopes), key.secrets, max(key.usable, default=None))

    def _make_secret(self, alias: str) -> None:
        if self._me.ensure_secret(alias):
            self._around.events.send("my-keys-renewed", {})
            self._donations.refresh()

    def members(self) -> list[bytes]:
        return self._donations.members(self.alias)

    def connect(self) -> "Deferred[Any]":
        return outcomes(self.reach(who, None) for who in self.others()) if self.is_joint() else succeed(None)

    def read(self) -> "Deferred[Any]":
        return Deferred.fromCoroutine(self.read_from(self.told_by(self.online())))

    def has_enough(self) -> bool:
        return bool(self.online()) or self.is_joint()
