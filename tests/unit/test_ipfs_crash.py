"""Files with names, written by a process that dies, or loses its power, at every change of its disk."""

from types import SimpleNamespace
from typing import Any

from twisted.internet.defer import Deferred

from bitdust.blocks.store import BlockStore
from bitdust.ipfs.mfs_paths import parse_mfs
from bitdust.ipfs.mfs_writing import Writing
from bitdust.ipfs.room import IpfsRoom
from bitdust.ipld.codecs import links
from tests.unit.ipfs_kit import IpfsCase
from tests.unit.test_block_crash import CrashCase

OLD, NEW = b"old " * 300, b"new and longer " * 300
HOW = Writing(create=True, parents=True, truncate=True)


class MfsCrashTests(CrashCase, IpfsCase):
    made = (links,)
    full = 2048
    every = 2

    def write(self, room: IpfsRoom, path: str, data: bytes) -> "Deferred[Any]":
        left = [data]

        async def read() -> bytes:
            return left.pop() if left else b""

        return Deferred.fromCoroutine(room.mfs.write(parse_mfs(path), HOW, read))

    def test_a_file_that_is_written_and_moved(self) -> None:
        """A path leads to what was there before, or to what was written, whole; what was answered stays so."""
        self.lives(lambda: self.came(self.write(self.room, "/d/f", OLD)), self.change, 10)

    def change(self, store: BlockStore) -> None:
        stores: Any = SimpleNamespace(store=store, folder=self.folder)
        room = IpfsRoom(self.around, stores)
        if self.step("write", self.write(room, "/d/f", NEW)):
            self.step("move", Deferred.fromCoroutine(room.mfs.move(parse_mfs("/d/f"), parse_mfs("/g"))))

    def judge(self) -> None:
        self.assertEqual(self.store.problem(), "")
        self.counted()
        for _ in range(2):
            before, after = self.found("/d/f"), self.found("/g")
            self.assertIn((before, after), [(OLD, None), (NEW, None), (None, NEW)])
            if "write" in self.done:
                self.assertIn(NEW, (before, after))
            if "move" in self.done:
                self.assertEqual(after, NEW)
            self.collect()

    def found(self, path: str) -> bytes | None:
        names = [row["Name"] for row in self.rpc("files/ls", "/")["Entries"]]
        if path == "/g" and "g" not in names:
            return None
        if path == "/d/f" and not self.rpc("files/ls", "/d")["Entries"]:
            return None
        return bytes(self.rpc("files/read", path))
