"""Shares and groups that are wanted again while they are being opened."""

from unittest import mock

from twisted.internet.defer import Deferred

from bitdust.groups.keepers import KeeperList
from bitdust.storage.shared.member_log import MemberLog
from tests.grid.test_shares import PeopleCase


class OpenedOnce(PeopleCase):
    """Two are open; their room begins again, and the first of them takes long to open."""

    def setUp(self) -> None:
        super().setUp()
        self.add_suppliers(4)
        self.alice = self.add_customer("alice")
        self.grid.until(lambda: self.alice.is_on("shared_data"), 60, "shares")
        self.bob = self.add_visitor("bob")
        self.grid.until(lambda: self.bob.is_on("private_groups"), 60, "groups")
        self.made: list[object] = []
        self.gate: Deferred[None] = Deferred()

    def slowly(self, original):
        """As the original, of which the first call waits for the gate."""

        async def opened(which) -> None:
            self.made.append(which)
            if len(self.made) == 1:
                await self.gate
            await original(which)

        return opened

    def restarted(self, room) -> "Deferred[None]":
        starting = Deferred.fromCoroutine(room.start())
        self.assertEqual(len(self.made), 1)
        return starting

    def each_opens_once(self, room, wish, keys: list[str]) -> None:
        starting = self.restarted(room)
        wishes = [Deferred.fromCoroutine(wish(room.find(key))) for key in keys]
        wishes += [Deferred.fromCoroutine(wish(room.find(key))) for key in keys]
        self.assertEqual(sum(one.called for one in wishes), 2)
        self.gate.callback(None)
        self.grid.wait(starting)
        opened = [self.grid.wait(one) for one in wishes]
        self.assertEqual(len(self.made), 2)
        self.assertEqual(opened, 2 * [room.find(key).opened for key in keys])

    def closes_what_opens(self, room, close, key: str) -> None:
        starting = self.restarted(room)
        opening = room.find(key).opened
        closing = Deferred.fromCoroutine(close(room.find(key)))
        self.assertFalse(closing.called)
        self.gate.callback(None)
        self.grid.wait(starting)
        self.grid.wait(closing)
        self.assertEqual((room.find(key).opened, opening.machine.state), (None, "CLOSED"))


class SharesOnce(OpenedOnce):
    def setUp(self) -> None:
        super().setUp()
        self.keys = [self.create() for _ in range(2)]
        for key in self.keys:
            self.grant(key)
            self.grid.until(lambda key=key: key in [one.key_id for one in self.room.all()], 60, "the key")
            self.api(self.bob, "share_open", key_id=key)
        self.keys = [one.key_id for one in self.room.all()]
        self.grid.wait(Deferred.fromCoroutine(self.room.stop()))
        catalogs = self.room._storage.catalogs
        self.patch(catalogs, "add", self.slowly(catalogs.add))

    @property
    def room(self):
        return self.bob.rooms.shares

    def test_opened_meanwhile(self) -> None:
        """A share that the person opens while another one opens, or it itself, is opened once, and everybody has it."""
        self.each_opens_once(self.room, self.room.open, self.keys)

    def test_closed_meanwhile(self) -> None:
        """A share that is closed while it opens is closed when it is open, and its catalog with it."""
        self.closes_what_opens(self.room, self.room.close, self.keys[0])


class GroupsOnce(OpenedOnce):
    def setUp(self) -> None:
        super().setUp()
        for _ in range(2):
            self.api(self.bob, "group_join", group_key_id=self.api(self.bob, "group_create")["group_key_id"])
        self.keys = [one.key_id for one in self.room.all()]
        self.grid.wait(Deferred.fromCoroutine(self.room.stop()))
        self.patch(MemberLog, "open", self.slowly(MemberLog.open))

    @property
    def room(self):
        return self.bob.rooms.groups

    def test_one_that_cannot_be_opened_whole(self) -> None:
        """A group of which the list of keepers cannot be read is not open, and is whole when that can be again."""
        self.gate.callback(None)
        with mock.patch.object(KeeperList, "load", side_effect=OSError("no")):
            self.grid.wait(Deferred.fromCoroutine(self.room.start()))
            for key in self.keys:
                self.assertIsNone(self.room.find(key).opened)
                self.assertRaises(OSError, self.join, key)
        opened = self.join(self.keys[0])
        self.assertIs(self.room.find(self.keys[0]).opened, opened)
        self.assertTrue(opened.log.shut_out.connected)
        self.assertEqual(opened.keeper_list.of(), [self.bob.fingerprint])

    def join(self, key: str):
        return self.grid.wait(Deferred.fromCoroutine(self.room.join(self.room.find(key))))

    def test_joined_meanwhile(self) -> None:
        """A group that is joined while another one opens, or it itself, is opened once, and everybody has it."""
        self.each_opens_once(self.room, self.room.join, self.keys)

    def test_left_meanwhile(self) -> None:
        """A group that is left while it opens is closed when it is open, and its file with it."""
        self.closes_what_opens(self.room, lambda group: self.room.leave(group, False), self.keys[0])
