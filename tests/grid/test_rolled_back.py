"""Homes of people without suppliers that are set back to an old copy, and written to before anybody was heard."""

import shutil
from typing import Any

from twisted.internet.defer import Deferred, fail

from bitdust.storage.log.replica import KeyLog
from bitdust.storage.log.requests import LogRequests
from bitdust.testing.grid import GridNode
from bitdust.wire.errors import BitDustError
from tests.grid.test_groups import GroupsCase
from tests.grid.test_shared_writing import WritingCase


class SetBack:
    """The suppliers, or whoever keeps a group, say nothing until they are to be heard again."""

    is_silent = False

    def be_silent(self) -> None:
        heads, deliver = LogRequests.signed_heads, KeyLog.deliver

        async def listed(requests: LogRequests, supplier: bytes) -> Any:
            if self.is_silent:
                raise BitDustError("no-answer", "not now")
            return await heads(requests, supplier)

        def brought(part: KeyLog, supplier: bytes) -> "Deferred[Any]":
            return fail(BitDustError("no-answer", "not now")) if self.is_silent else deliver(part, supplier)

        self.patch(LogRequests, "signed_heads", listed)
        self.patch(KeyLog, "deliver", brought)

    def copy(self, node: GridNode, service: str) -> GridNode:
        node.crash()
        shutil.copytree(node.home, self.base / "old copy")
        return self.on_again(node, service, "10.0.0.98")

    def set_back(self, node: GridNode, service: str) -> GridNode:
        node.crash()
        shutil.rmtree(node.home)
        shutil.copytree(self.base / "old copy", node.home)
        self.is_silent = True
        return self.on_again(node, service, "10.0.0.99")

    def on_again(self, node: GridNode, service: str, address: str) -> GridNode:
        node = node.again(address)
        self.grid.until(lambda: node.is_on(service), 300, service)
        return node


class GuestTests(SetBack, WritingCase):
    def setUp(self) -> None:
        super().setUp()
        self.be_silent()
        self.bob = self.add_visitor("bobby")
        self.key = self.open()

    def test_a_guest(self) -> None:
        """What a guest has brought before is there again, and so is what it brings before it has heard anybody."""
        one = self.put(self.bob, self.key, "one")
        self.bob = self.copy(self.bob, "shared_data")
        self.grid.until(lambda: self.api(self.bob, "share_info", key_id=self.key)["state"] == "CONNECTED", 120, "it")
        two = self.put(self.bob, self.key, "two")
        self.sees(self.alice, self.key, "one", "two")
        self.bob = self.set_back(self.bob, "shared_data")
        device = self.bob.rooms.identity.me.device.id
        path, three = self.file("three", 300_000)
        remote = f"{self.key}:three"
        self.grid.until(lambda: self.names(self.bob, self.key) == ["one"], 60, "what the old copy has")
        self.api(self.bob, "file_create", remote_path=remote)
        self.grid.run(5)
        self.api(self.bob, "file_upload_start", local_path=str(path.absolute()), remote_path=remote)
        self.grid.run(5)
        self.is_silent = False
        me = self.bob.rooms.identity.me
        self.grid.until(lambda: me.device.id != device, 60, "a key of its own")
        self.grid.until(lambda: self.names(self.alice, self.key) == ["one", "three", "two"], 120, "the word")
        for node in (self.alice, self.bob):
            self.sees(node, self.key, "one", "two", "three")
            for name, data in (("one", one), ("two", two), ("three", three)):
                self.gets(node, self.key, name, data)


class MemberTests(SetBack, GroupsCase):
    def setUp(self) -> None:
        super().setUp()
        self.be_silent()

    def test_a_member(self) -> None:
        """What a member has said before its disk was set back it hears again, and what it says before it has heard
        anybody all others hear."""
        key, (bob, carl) = self.create(), self.members
        for node in (bob, carl):
            self.invite(key, node)
        self.say(key, bob, "one")
        self.all_hear(key, [self.alice, carl], {"one"})
        bob = self.copy(bob, "private_groups")
        self.grid.until(lambda: self.is_said(key, bob, "two"), 120, "the group")
        self.all_hear(key, [self.alice, carl], {"one", "two"})
        bob = self.members[0] = self.set_back(bob, "private_groups")
        device = bob.rooms.identity.me.device.id
        self.grid.until(lambda: self.is_said(key, bob, "three"), 120, "the group")
        self.is_silent = False
        self.all_hear(key, [self.alice, carl, bob], {"one", "two", "three"}, 120)
        self.assertNotEqual(bob.rooms.identity.me.device.id, device)
