"""The room of groups: those that I made and those that I was let into, and which of them are open.

The key of a group is given as that of a share is: `bitdust.shares` brings it, renews it, and takes it back.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from bitdust.batching import InTurn
from bitdust.crypt.keyring import RingKey
from bitdust.crypt.shares import GivenShare
from bitdust.groups.group import Group
from bitdust.groups.keeping import Keeping
from bitdust.groups.left import LeftGroups, Place
from bitdust.groups.left_files import LeftFiles
from bitdust.groups.opened import FOLDER, MyGroup, TheirGroup, conversation_of
from bitdust.groups.ports import GroupPeople
from bitdust.outcome import outcome, unbroken
from bitdust.peers.waking import Waking
from bitdust.shares.opened import open_active
from bitdust.shares.ports import MyFamily
from bitdust.shares.room import SharesRoom
from bitdust.signal import Signal
from bitdust.surroundings import Connected
from bitdust.wire.errors import BitDustError
from bitdust.wire.keepers import Keepers
from bitdust.wire.messages import Message
from bitdust.wire.names import GROUP_PREFIX, KeyId, check_whole, idurl_of
from bitdust.wire.signed import Signed


class GroupsRoom:
    """I open groups and close them, from `start` to `stop`; what I keep of them stands in the key ring."""

    log = Logger()

    def __init__(self, around: Connected, family: MyFamily, shares: SharesRoom, people: GroupPeople) -> None:
        self._around = around
        self._me = around.me
        self._family = family
        self._shares = shares
        self._people = people
        self._opened: dict[Place, MyGroup | TheirGroup] = {}
        self._waking = Waking(around.world)
        self._turns = InTurn()
        """What is opened and closed at one place is so one after the other: two at once would write to one file."""
        self.read: Signal[[]] = Signal()
        """One of them was read, or the file of one that was left."""
        self._left_files = LeftFiles(around.world, around.world.home / FOLDER, self.read.emit)
        self._left = LeftGroups(around, self._places_left, self._read_aside, self.read.emit)
        self.keeping = Keeping(around, self._of_scope, self._kept)
        self._removers: list[Callable[[], None]] = []

    def _appended(self, owner: bytes, scope: bytes, keeper: bytes) -> None:
        for opened in list(self._opened.values()):
            if opened.owner == owner and scope in opened.key().scopes:
                opened.has_news(keeper, opened.machine)

    def _of_scope(self, scope: bytes) -> MyGroup | TheirGroup | None:
        return next((one for one in self._opened.values() if scope in one.key().scopes), None)

    def _kept(self) -> list[tuple[bytes, bytes]]:
        opened = [one for one in self._opened.values() if one.is_mine_to_keep() and one.log.catalog.is_open]
        return [(one.owner, one.scope()) for one in opened if one.log.entries()]

    def keepers(self, alias: str) -> Signed | None:
        """See `GroupKeepers`."""
        opened = self._opened.get((self._me.fingerprint, alias))
        return opened.keeper_list.signed if isinstance(opened, MyGroup) else None

    # life

    async def start(self) -> None:
        """Open what was open."""
        self._left_files.start()
        self._removers = [
            self._shares.received.changed.connect(self._given),
            self._shares.received.joined.connect(self._follow_ring),
            self._shares.appended.connect(self._appended),
            self._around.sessions.on_session(self._session),
            self._family.changed.connect(self._family_changed),
            self._shares.donations.changed.connect(self._grants_changed),
            self._me.changed.connect(self._devices_changed),
            self._around.events.subscribe(lambda _: self._follow_ring(), "my-keys-synchronized"),
        ]
        await self._open_all()
        self._left.start()

    async def stop(self) -> None:
        """Close everything; what was open is opened again at the next start."""
        while self._removers:
            self._removers.pop()()
        self._waking.stop()
        self._left_files.stop()
        await unbroken(self._close_all())

    async def _close_all(self) -> None:
        await self._left.stop()
        while self._opened and not self._removers:
            await self._end(next(iter(self._opened)))

    async def _open_all(self) -> None:
        await open_active(lambda: self.all() if self._removers else [], self._begin)

    def _follow_ring(self) -> None:
        outcome(Deferred.fromCoroutine(self._open_all()))
        self._left.look()
        joined = {group.place: group for group in self.all() if group.active}
        for place, opened in list(self._opened.items()):
            group = joined.get(place)
            if group is None:
                outcome(Deferred.fromCoroutine(self._end(place)))
            elif group.given is not None and isinstance(opened, TheirGroup):
                opened.follow(group.given)

    def _given(self, share: GivenShare) -> None:
        opened = self._opened.get(share.place)
        if isinstance(opened, TheirGroup):
            opened.renew(share)

    def _family_changed(self) -> None:
        for opened in list(self._opened.values()):
            if isinstance(opened, MyGroup):
                opened.log.place()
                opened.machine.send("news")

    def _grants_changed(self, alias: str) -> None:
        opened = self._opened.get((self._me.fingerprint, alias))
        if isinstance(opened, MyGroup) and opened.log.catalog.is_open:
            opened.follow_grants()

    def _devices_changed(self) -> None:
        """A device was revoked perhaps that has signed who keeps a group of mine."""
        for _, alias in list(self._opened) if self._me.present else []:
            self._grants_changed(alias)
        self._left.look()

    def _session(self, session: Any, up: bool) -> None:
        who = session.peer.fingerprint
        for opened in list(self._opened.values()):
            opened.session(who, up)
            if who in opened.holders():
                opened.log.place()
                opened.machine.send("news")

    def network_is_back(self) -> None:
        """Who could not be reached a moment ago may be reached now."""
        for opened in self._opened.values():
            opened.new_devices.begin_anew()
        self._waking.wake(self._opened.values(), lambda opened: opened.network_is_back())

    # which there are

    def all(self) -> list[Group]:
        """My groups, then those of others."""
        keys = [key for key in self._me.key_ring.living() if key.key_id.startswith(GROUP_PREFIX)]
        given = [one for one in self._shares.received.all() if one.alias.startswith(GROUP_PREFIX)]
        mine = [self._of_mine(key) for key in keys if "$" not in key.key_id]
        return mine + [self._of_given(one) for one in given]

    def _of_mine(self, key: RingKey) -> Group:
        me, alias = self._me, key.key_id
        opened = self._opened.get((me.fingerprint, alias))
        return Group(f"{alias}${me.global_id}", me.fingerprint, alias, key, None, opened)

    def _of_given(self, share: GivenShare) -> Group:
        return Group(share.key_id, share.owner, share.alias, None, share, self._opened.get(share.place))

    def find(self, key_id: str) -> Group:
        """The group that a key id names, or an alias of mine.

        Raises ``key-not-found``, ``bad-name``, ``not-a-group``.
        """
        check_whole(key_id)
        alias = key_id.partition("$")[0]
        if not alias.startswith(GROUP_PREFIX):
            raise BitDustError("not-a-group", f"{key_id[:100]!r} is no group: their key ids begin with {GROUP_PREFIX}")
        if "$" in key_id and idurl_of(KeyId.parse(key_id).owner) not in self._me.document.sources:
            given = self._shares.find(key_id).given
            assert given is not None
            return self._of_given(given)
        return self._of_mine(self._me.key_ring.get(alias))

    def conversation(self, key_id: str) -> str:
        """The name of a group's conversation, also of one whose key was forgotten; the text where nobody knows it.

        Raises ``bad-name``.
        """
        alias, dollar, owner = key_id.partition("$")
        if not dollar:
            return conversation_of(self._me.fingerprint, alias)
        idurl = idurl_of(owner)
        if self._me.present and idurl in self._me.document.sources:
            return conversation_of(self._me.fingerprint, alias)
        known = next((one for one in self.all() if one.key_id == key_id), None)
        if known is not None:
            return conversation_of(known.owner, alias)
        document = self._around.identities.by_idurl(idurl)
        return conversation_of(document.fingerprint, alias) if document is not None else key_id

    def called(self, conversation: str) -> str:
        """The key id of the group that a conversation belongs to; the name itself where it is not known here."""
        found = (group for group in self.all() if conversation_of(group.owner, group.alias) == conversation)
        return next((group.key_id for group in found), conversation)

    def members(self, group: Group) -> list[bytes]:
        """Who writes in it, its creator first."""
        if group.given is not None:
            return list(group.given.members) or [group.owner]
        return self._shares.donations.members(group.alias)

    def joint(self, group: Group) -> Keepers | None:
        """The members who keep it; None where suppliers do, or where that is not known while it is not open here."""
        if group.opened is not None:
            return group.opened.keepers()
        return group.given.keepers() if group.given is not None else None

    def holds(self, fingerprint: bytes) -> bool:
        """Whether somebody is a member or a supplier of a group that is open here."""
        opened = self._opened.values()
        return any(fingerprint in one.members() or fingerprint in one.holders() for one in opened)

    def were_read(self, device: bytes) -> bool:
        """Whether half of those who keep it were heard of each group that is joined, or was left and not forgotten,
        since a device was revoked."""
        joined = all(one.opened is not None and one.opened.knows_end_of(device) for one in self.all() if one.active)
        return joined and self._left.knows_end_of(device)

    def said_by(self, device: bytes, is_patient: bool = True) -> int | None:
        """Entries of the longest part of a device in any group that is open, or that was left, as far as it was read
        here. None until the files of those that were left were read, which ``read`` reports; and, for who is patient,
        while one of them cannot be."""
        logs = [one.log for one in self._opened.values() if one.log.catalog.is_open]
        left = self._left_files.longest(device, {log.catalog.path for log in logs}, is_patient)
        return max((left, *(log.end_of(device) for log in logs))) if left is not None else None

    # what the person decides

    async def join(self, group: Group) -> MyGroup | TheirGroup:
        """Open it, now and after each start. Raises ``damaged-catalog``, ``disk-full``."""
        return await unbroken(self._join(group))

    async def _join(self, group: Group) -> MyGroup | TheirGroup:
        if group.mine is not None and not group.mine.active:
            self._me.key_ring.mark(group.alias, True)
            self._me.save_key_ring()
            self._changed(group, True)
        elif group.given is not None and not group.given.active:
            self._shares.received.mark(group.given, active=True)
        return await self._begin(self.find(group.key_id))

    async def _begin(self, group: Group) -> MyGroup | TheirGroup:
        self._left.give_way(group.place)
        return await unbroken(self._turns.run(group.place, partial(self._open, group)))

    async def _open(self, group: Group) -> MyGroup | TheirGroup:
        """The one that is open there, which may have been opened meanwhile."""
        opened = self._opened.get(group.place)
        if opened is None:
            if not self._removers:
                raise BitDustError("service-off", f"{group.key_id} is not opened now: groups are being closed")
            opened = await self._made(group)
        opened.machine.send("open")
        return opened

    async def _made(self, group: Group) -> MyGroup | TheirGroup:
        opened = self._opened[group.place] = self._new(group)
        opening = await outcome(Deferred.fromCoroutine(self._opening(opened)))
        if opening.error is not None:
            await self._shut(group.place)
            raise opening.error
        return opened

    def _new(self, group: Group) -> MyGroup | TheirGroup:
        if group.given is not None:
            return TheirGroup(self._around, group.given, self._report, self._people)
        rooms = (self._family, self._shares.donations)
        return MyGroup(self._around, group.key_id, self._report, rooms, self._people)

    def _places_left(self) -> list[Place]:
        return [group.place for group in self.all() if group.was_left]

    async def _read_aside(self, place: Place) -> frozenset[bytes]:
        return await self._turns.run(place, partial(self._read_left, place))

    async def _read_left(self, place: Place) -> frozenset[bytes]:
        """Read a group that was left; the revoked devices of mine of which it is known now what they said there."""
        group = next((one for one in self.all() if one.place == place), None)
        if group is None or not group.was_left or group.opened is not None:
            return frozenset()
        ends, opened = self._me.document.open_ends, self._new(group)
        opened.is_aside = True
        try:
            await unbroken(self._load(opened))
            await outcome(opened.connect())
            await opened.read_from(opened.online())
            return frozenset(device for device in ends if opened.knows_end_of(device))
        finally:
            await unbroken(self._put_away(opened))

    async def _load(self, opened: MyGroup | TheirGroup) -> None:
        await opened.log.open()
        if isinstance(opened, MyGroup):
            await opened.keeper_list.load(opened.members(), opened.shut_out())

    async def _put_away(self, opened: MyGroup | TheirGroup) -> None:
        opened.machine.send("shutdown")
        await opened.log.close()
        self._left_files.forget(opened.log.catalog.path)

    async def _opening(self, opened: MyGroup | TheirGroup) -> None:
        """Whatever fails here: one that is open for one half would be taken for a whole one."""
        await self._load(opened)
        if isinstance(opened, MyGroup):
            opened.keeper_list.changed.connect(self._keepers_changed(opened))
            self._shares.donations.refresh()
        opened.log.grown.connect(lambda device: self._grown(opened, device))
        opened.read_again.connect(self.read.emit)
        opened.log.shut_out.connect(lambda: opened.machine.send("news"))
        opened.hand_on()

    def _keepers_changed(self, opened: MyGroup) -> Callable[[], None]:
        def changed() -> None:
            self._shares.donations.refresh()
            opened.log.place()
            self.keeping.readers.report_all(opened.owner)

        return changed

    def _grown(self, opened: MyGroup | TheirGroup, device: bytes) -> None:
        """Who keeps a group reports to those who read it here what came, from whomever."""
        if opened.is_joint():
            self.keeping.readers.report(opened.owner, opened.scope(), device)

    def look_again(self, opened: MyGroup | TheirGroup) -> None:
        """Read at once what was said."""
        if opened.machine.state == "CONNECTED":
            opened.machine.send("news")
        else:
            opened.machine.send("open")

    async def leave(self, group: Group, erase_key: bool) -> None:
        """Close it, and forget its key where that is wished. Raises ``not-open``."""
        await unbroken(self._leave(group, erase_key))

    async def _leave(self, group: Group, erase_key: bool) -> None:
        if group.opened is None and not group.active and not erase_key:
            raise BitDustError("not-open", f"the group {group.key_id} is not joined")
        if group.given is not None:
            self._shares.received.mark(group.given, active=False, erased=erase_key)
        elif erase_key:
            await self._shares.forget(self._shares.find(group.key_id))
        else:
            self._me.key_ring.mark(group.alias, False)
            self._me.save_key_ring()
            self._changed(group, False)
        await self._end(group.place)

    def _changed(self, group: Group, active: bool) -> None:
        self._around.events.send("share-changed", {"key_id": group.key_id, "active": active})

    async def _end(self, place: Place) -> None:
        await unbroken(self._turns.run(place, partial(self._shut, place)))

    async def _shut(self, place: Place) -> None:
        opened = self._opened.pop(place, None)
        if opened is not None:
            await self._put_away(opened)

    async def say(self, group: Group, data: dict[str, Any]) -> Message:
        """Write to all members. Raises ``not-open``, ``not-connected``, ``not-allowed``, ``bad-message``,
        ``too-large``, disk errors."""
        opened = group.opened
        if opened is None:
            raise BitDustError("not-open", f"the group {group.key_id} is not joined; see group_join")
        if opened.is_shut_out:
            text = f"nothing was sent: who keeps {group.key_id} does not let you in any more ({opened.reason})"
            raise BitDustError("not-allowed", f"{text}; ask its creator")
        if not opened.log.end() and opened.machine.state != "CONNECTED":
            raise BitDustError("not-connected", f"the group {group.key_id} was never read yet: {opened.reason}")
        return await opened.say(data)

    def _report(self, key_id: str, is_open: bool) -> None:
        self._around.events.send("group-connected" if is_open else "group-disconnected", {"group_key_id": key_id})
