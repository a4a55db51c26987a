"""MFS: files with names of their own that change, over the block store."""

import os
from types import SimpleNamespace
from typing import Any

from twisted.internet.defer import CancelledError, Deferred

from bitdust.blocks.store import BlockStore
from bitdust.blocks.values import Unpin
from bitdust.ipfs.mfs import NAME
from bitdust.ipfs.mfs_paths import parse_mfs
from bitdust.ipfs.mfs_tree import Tree
from bitdust.ipfs.mfs_writing import Writing
from bitdust.ipfs.reading import read as read_content
from bitdust.ipfs.room import IpfsRoom
from bitdust.ipld.building import FileBuilder, Recipe
from bitdust.ipld.codecs import links
from bitdust.wire.errors import BitDustError
from tests.unit.ipfs_kit import EMPTY_FOLDER, Given, IpfsCase, nobody, uploaded
from tests.unit.test_block_crash import CrashCase

PIECE = 262_144


def names(answer: dict[str, Any]) -> list[str]:
    return [row["Name"] for row in answer["Entries"]]


def never() -> "Deferred[bytes]":
    return Deferred()


class MfsCase(IpfsCase):
    def write(self, path: str, data: bytes, **options: Any) -> None:
        self.rpc("files/write", path, body=data, **{"create": True} | options)

    def hash_of(self, path: str) -> str:
        return self.rpc("files/stat", path)["Hash"]


class FolderTests(MfsCase):
    def test_an_empty_one(self) -> None:
        """Before anything was made, the top is the empty directory that everybody knows, and it can be read."""
        self.assertEqual(self.rpc("files/ls"), {"Entries": []})
        expected = {"Hash": EMPTY_FOLDER, "Size": 0, "CumulativeSize": 4, "Blocks": 0, "Type": "directory"}
        self.assertEqual(self.rpc("files/stat", "/"), expected)
        self.assertEqual(self.rpc("block/get", EMPTY_FOLDER), b"\x0a\x02\x08\x01")

    def test_making(self) -> None:
        """A directory is there once it was answered for, after a restart and a collection as well."""
        self.assertIsNone(self.rpc("files/mkdir", "/test"))
        self.assertEqual(self.rpc("files/ls", "/"), {"Entries": [{"Name": "test", "Type": 0, "Size": 0, "Hash": ""}]})
        self.assertEqual(self.rpc_fails("exists", "files/mkdir", "/test"), "file already exists")
        self.rpc("files/mkdir", "/test", parents=True)
        self.assertEqual(self.rpc_fails("no-file", "files/mkdir", "/a/b/c"), "file does not exist")
        self.rpc("files/mkdir", "/a/b/c/", parents=True)
        self.collect()
        self.again()
        self.assertEqual(names(self.rpc("files/ls", "/a/b")), ["c"])
        long = self.rpc("files/ls", "/", long=True)["Entries"]
        self.assertEqual([(row["Name"], row["Type"], row["Size"]) for row in long], [("a", 1, 0), ("test", 1, 0)])
        self.assertEqual(long[1]["Hash"], EMPTY_FOLDER)
        self.assertEqual(self.rpc("files/flush"), {"Cid": self.hash_of("/")})

    def test_paths_that_lead_nowhere(self) -> None:
        """A path without a slash, below a file, or to nothing is refused with the text that programs look for."""
        self.write("/f", b"hi")
        self.assertEqual(self.rpc_fails("bad-path", "files/mkdir", "x"), "paths must start with a leading slash")
        self.assertEqual(self.rpc_fails("no-file", "files/stat", "/g"), "file does not exist")
        self.assertIn("Not a directory", self.rpc_fails("no-directory", "files/stat", "/f/g"))
        self.rpc_fails("no-directory", "files/mkdir", "/f", parents=True)
        self.rpc_fails("bad-path", "files/mkdir", "/a" * 300, parents=True)
        self.rpc_fails("exists", "files/mkdir", "/")
        self.rpc_fails("too-large", "files/mkdir", "/" + "n" * 5000)
        self.assertEqual(names(self.rpc("files/ls", "//a/.././f")), ["f"])

    def test_copies(self) -> None:
        """A copy is another name for the same content, of MFS or of any other; what it was made of may go."""
        added = self.add(Given(b"d/a", b"hi"))
        self.rpc("files/cp", f"/ipfs/{added['d']}", "/copy")
        self.came(self.store.apply(Unpin(self.cid(added["d"]))))
        self.collect()
        self.assertEqual(self.rpc("files/read", "/copy/a"), b"hi")
        self.rpc("files/mkdir", "/in")
        self.rpc("files/cp", "/copy", "/in/")
        self.assertEqual(self.hash_of("/in/copy"), added["d"])
        text = "cp: cannot put node in path /in: directory already has entry by that name"
        self.assertEqual(self.rpc_fails("exists", "files/cp", "/copy/a", "/in"), text)
        text = "cp: cannot get node from path /nothing: file does not exist"
        self.assertEqual(self.rpc_fails("no-file", "files/cp", "/nothing", "/x"), text)
        self.rpc_fails("no-file", "files/cp", "/copy/a", "/no/where")
        self.rpc("files/cp", "/copy/a", "/no/where", parents=True)
        other = self.rpc("block/put", body=b"\xa0", format="cbor")["Key"]
        self.rpc_fails("no-file", "files/cp", f"/ipfs/{other}", "/x")

    def test_moves(self) -> None:
        """What is moved keeps its CID; a file in its way is replaced, a directory takes it in."""
        self.write("/a/f", b"hi", parents=True)
        self.write("/g", b"ho")
        self.rpc("files/mv", "/a/f", "/g")
        self.assertEqual((self.rpc("files/read", "/g"), self.rpc("files/ls", "/a")), (b"hi", {"Entries": []}))
        self.rpc("files/mv", "/g", "/a")
        self.rpc("files/mkdir", "/b")
        self.rpc("files/mv", "/a", "/b/")
        self.assertEqual((names(self.rpc("files/ls")), names(self.rpc("files/ls", "/b/a"))), (["b"], ["g"]))
        self.rpc("files/mv", "/b/a/g", "/b/a/g")
        self.rpc_fails("bad-path", "files/mv", "/b", "/b/a/")
        self.rpc_fails("bad-path", "files/mv", "/b", "/b/x")
        self.rpc_fails("bad-path", "files/mv", "/", "/x")
        self.rpc_fails("no-file", "files/mv", "/nothing", "/x")
        self.write("/g/g", b"", parents=True)
        self.rpc_fails("exists", "files/mv", "/b/a/g", "/g")
        self.assertEqual(self.rpc("files/read", "/b/a/g"), b"hi")

    def test_removing(self) -> None:
        """A file goes, a directory only when that was said; of several paths all go or none."""
        self.write("/a/f", b"hi", parents=True)
        self.write("/g", b"ho")
        self.assertEqual(
            self.rpc_fails("is-directory", "files/rm", "/g", "/a"), "/a is a directory, use -r to remove directories"
        )
        self.assertEqual(names(self.rpc("files/ls")), ["a", "g"])
        self.rpc("files/rm", "/g", "/a", recursive=True)
        self.assertEqual(self.hash_of("/"), EMPTY_FOLDER)
        self.assertEqual(self.rpc_fails("bad-path", "files/rm", "/", recursive=True), "cannot delete root")
        self.rpc_fails("no-file", "files/rm", "/g")
        self.rpc("files/rm", "/g", force=True)

    def test_other_kinds_of_names(self) -> None:
        """A directory of CIDs of another kind hands that on to what is made in it, and can change it later."""
        self.rpc("files/mkdir", "/v1", cid_version=1)
        self.rpc("files/mkdir", "/v1/below")
        self.write("/v1/f", b"hi")
        self.assertTrue(all(self.hash_of(path).startswith("baf") for path in ("/v1", "/v1/below")))
        self.assertTrue(self.hash_of("/").startswith("Qm"))
        self.rpc("files/chcid", "/v1", hash="blake2b-256")
        self.assertTrue(self.hash_of("/v1").startswith("bafykbza"), self.hash_of("/v1"))
        self.rpc("files/chcid", cid_version=1)
        self.assertTrue(self.hash_of("/").startswith("bafy"))
        self.assertEqual(self.rpc("files/read", "/v1/f"), b"hi")
        self.rpc_fails("no-directory", "files/chcid", "/v1/f", cid_version=1)
        self.rpc_fails("bad-call", "files/mkdir", "/x", hash="what")

    def test_stat_of_what_is_here(self) -> None:
        """Whether everything below a path is on this disk is said where that is asked, of other content too."""
        added = self.add(Given(b"d/a", bytes(300_000)))
        row = self.rpc("files/stat", f"/ipfs/{added['d']}", with_local=True)
        self.assertEqual((row["Local"], row["SizeLocal"]), (True, row["CumulativeSize"]))
        self.came(self.store.apply(Unpin(self.cid(added["d"]))))
        self.run_now(self.room.remove(self.cid(added["d/a"])))
        row = self.rpc("files/stat", f"/ipfs/{added['d']}", with_local=True)
        self.assertEqual((row["Local"], row["SizeLocal"] < row["CumulativeSize"]), (False, True))


class FileTests(MfsCase):
    def trickle(self, data: bytes, **options: Any) -> str:
        builder = FileBuilder(Recipe(trickle=True, **options))
        builder.feed(data)
        builder.finish()
        return str(builder.root.cid)

    def test_a_new_file(self) -> None:
        """A new file is a trickle tree, as other nodes write it; what is behind it in time reads it whole."""
        data = os.urandom(5 * PIECE + 7)
        self.write("/f", data)
        self.assertEqual(self.hash_of("/f"), self.trickle(data))
        self.assertEqual(self.rpc("files/read", "/f"), data)
        self.assertEqual(self.rpc("files/read", "/f", offset=PIECE - 1, count=3), data[PIECE - 1 : PIECE + 2])
        row = self.rpc("files/stat", "/f")
        self.assertEqual((row["Size"], row["Blocks"], row["Type"]), (len(data), 6, "file"))
        self.write("/empty", b"")
        self.assertEqual(self.hash_of("/empty"), "QmbFMke1KXqnYyBBWxB74N4c5SBnJMVAiMNRcGu6x1AwQH")
        entries = self.rpc("files/ls", "/f", long=True)["Entries"]
        self.assertEqual(entries, [{"Name": "f", "Type": 0, "Size": len(data), "Hash": self.hash_of("/f")}])

    def test_as_a_model(self) -> None:
        """Bytes over others, behind the end, and far behind it are what they are in a file of any disk."""
        model = bytearray()
        for offset, size in ((0, 10), (5, 10), (20, 3), (23, PIECE), (100, 50), (PIECE + 9_000, 2), (0, 9 * PIECE)):
            data = os.urandom(size)
            self.write("/f", data, offset=offset)
            model += bytes(max(0, offset - len(model)))
            model[offset : offset + size] = data
            self.assertEqual(self.rpc("files/read", "/f"), bytes(model), (offset, size))
        self.write("/f", b"ab", truncate=True)
        self.assertEqual(self.rpc("files/read", "/f"), b"ab")
        self.write("/f", b"12345678", count=3, offset=1)
        self.assertEqual(self.rpc("files/read", "/f"), b"a123")

    def test_other_leaves(self) -> None:
        """Bare leaves and CIDs of version 1 are made where they are asked for, and by what was added so."""
        data = os.urandom(1000)
        self.write("/f", data, raw_leaves=True)
        self.assertEqual(self.hash_of("/f"), self.trickle(data, raw_leaves=True))
        (bare,) = self.rpc("add", body=data, cid_version=1)
        self.rpc("files/cp", f"/ipfs/{bare['Hash']}", "/bare")
        self.write("/bare", b"xyz", offset=999)
        self.assertEqual(self.rpc("files/read", "/bare"), data[:-1] + b"xyz")

    def test_what_is_refused(self) -> None:
        """A file that is not there, a directory, negative numbers and an offset too far behind change nothing."""
        before = self.hash_of("/")
        self.assertEqual(self.rpc_fails("no-file", "files/write", "/f", body=b"x"), "file does not exist")
        self.rpc_fails("no-file", "files/write", "/a/f", body=b"x", create=True)
        self.rpc_fails("is-directory", "files/write", "/", body=b"x", create=True)
        self.rpc_fails("bad-argument", "files/write", "/f", body=b"x", create=True, offset=1 << 40)
        for options in ({"offset": -1}, {"count": -1}):
            self.rpc_fails("bad-call", "files/write", "/f", body=b"x", create=True, **options)
            self.rpc_fails("bad-call", "files/read", "/f", **options)
        self.assertEqual(self.hash_of("/"), before)
        self.write("/f", b"hi")
        text = self.rpc_fails("bad-argument", "files/read", "/f", offset=3)
        self.assertIn("offset was past end of file (3 > 2)", text)
        self.rpc_fails("is-directory", "files/read", "/")

    def test_at_the_same_time(self) -> None:
        """Who writes a file that somebody writes waits; other paths go on, and what they change stays."""
        mfs, waiting = self.room.mfs, [Deferred(), Deferred()]

        def reader(number: int, data: bytes) -> Any:
            left = [data, b""]

            async def read() -> bytes:
                await waiting[number]
                return left.pop(0)

            return read

        path, how = parse_mfs("/f"), Writing(create=True)
        first = Deferred.fromCoroutine(mfs.write(path, how, reader(0, b"first")))
        second = Deferred.fromCoroutine(mfs.write(path, how, reader(1, b"SEC")))
        self.rpc("files/mkdir", "/other")
        waiting[1].callback(None)
        self.assertNoResult(second)
        waiting[0].callback(None)
        self.came(first)
        self.came(second)
        self.assertEqual((self.rpc("files/read", "/f"), names(self.rpc("files/ls"))), (b"SECst", ["f", "other"]))

    def test_a_file_that_moves_away(self) -> None:
        """A file that is replaced or gone while it is written stays as it is now; who wrote is told."""
        self.write("/f", b"old")
        wait: Deferred[None] = Deferred()

        async def read() -> bytes:
            await wait
            return b""

        writing = Deferred.fromCoroutine(self.room.mfs.write(parse_mfs("/f"), Writing(truncate=True), read))
        self.rpc("files/rm", "/f")
        self.collect()
        wait.callback(None)
        self.refused("changed", writing)
        self.assertEqual(self.rpc("files/ls"), {"Entries": []})

    def test_a_client_that_goes(self) -> None:
        """A write that ends early changes nothing, and lets the next one in."""
        self.write("/f", b"old")

        async def read() -> bytes:
            raise BitDustError("gone", "the client has gone")

        self.fails("gone", self.room.mfs.write(parse_mfs("/f"), Writing(truncate=True), read))
        self.assertEqual(self.rpc("files/read", "/f"), b"old")
        cancelled = Deferred.fromCoroutine(self.room.mfs.write(parse_mfs("/f"), Writing(truncate=True), never))
        cancelled.cancel()
        self.failureResultOf(cancelled, CancelledError)
        self.write("/f", b"new")
        self.assertEqual(self.rpc("files/read", "/f"), b"new")

    def test_it_can_be_followed(self) -> None:
        """A write is a machine; when its client goes, whoever waits to write the same file comes next."""
        source: Any = SimpleNamespace(read=never)
        going = Deferred.fromCoroutine(self.room.write(parse_mfs("/f"), Writing(create=True), source))
        upload = uploaded(b"next")
        self.run_now(upload.next())
        waiting = Deferred.fromCoroutine(self.room.write(parse_mfs("/f"), Writing(create=True), upload))
        machines = [one for one in self.around.registry if one.name == "ipfs_add"]
        self.assertEqual([one.state for one in machines], ["RECEIVING", "RECEIVING"])
        self.assertEqual(machines[0].id, "ipfs_add(files/write 1)")
        going.cancel()
        self.failureResultOf(going)
        self.came(waiting)
        self.assertEqual([one.state for one in machines], ["STOPPED", "DONE"])

    def test_adding_with_a_name(self) -> None:
        """What is added gets a name there where that is asked, its own one behind a slash."""
        self.rpc("add", body=b"hi", to_files="/a")
        self.rpc("files/mkdir", "/d")
        self.rpc("add", body=b"ho", to_files="/d/")
        self.assertEqual((self.rpc("files/read", "/a"), self.rpc("files/read", "/d/f")), (b"hi", b"ho"))
        self.assertEqual(self.rpc_fails("exists", "add", body=b"hi", to_files="/a")[:3], "cp:")

    def test_a_folder_in_shards(self) -> None:
        """A directory too large for one block is found, changed and listed as others are."""
        (leaf,) = self.rpc("add", body=b"x", only_hash=True)
        added = self.add(*(Given(f"d/{number:04}{'n' * 900}".encode(), b"x") for number in range(1200)))
        self.rpc("files/cp", f"/ipfs/{added['d']}", "/big")
        self.rpc("files/rm", f"/big/0007{'n' * 900}")
        self.write("/big/new", b"x")
        listed = names(self.rpc("files/ls", "/big"))
        self.assertEqual((len(listed), listed[-1], leaf["Size"]), (1200, "new", "9"))

    def test_named_root(self) -> None:
        """The directory is a root of the store, so a backup of roots has all of it."""
        self.write("/f", b"hi")
        self.assertEqual(str(self.came(self.store.roots())[NAME]), self.hash_of("/"))


class CrashTests(CrashCase):
    full = 1 << 20
    made = (links,)

    def test_a_change(self) -> None:
        """A node that dies at any change of its disk has what was answered; a path leads to all of it or nothing."""
        self.lives(self.before, self.live, 10)

    def setUp(self) -> None:
        super().setUp()
        self.around.me = nobody()
        self.around.world.home = self.folder

    def room_of(self, store: BlockStore) -> IpfsRoom:
        return IpfsRoom(self.around, SimpleNamespace(store=store, folder=self.folder))

    def before(self) -> None:
        self.came(self.make(self.store, "/old"))

    def make(self, store: BlockStore, path: str) -> "Deferred[None]":
        return Deferred.fromCoroutine(self.room_of(store).mfs.make_folder(parse_mfs(path), False, None))

    def live(self, store: BlockStore) -> None:
        mfs, left = self.room_of(store).mfs, [b"bytes" * 1000, b""]

        async def read() -> bytes:
            return left.pop(0)

        f, g = parse_mfs("/a/f"), parse_mfs("/old/g")
        for what, work in (
            ("a", lambda: mfs.make_folder(parse_mfs("/a"), False, None)),
            ("f", lambda: mfs.write(f, Writing(create=True), read)),
            ("g", lambda: mfs.move(f, g)),
        ):
            if not self.went(Deferred.fromCoroutine(work())):
                return
            self.done.add(what)

    def judge(self) -> None:
        self.came(Deferred.fromCoroutine(self.look()))

    async def look(self) -> None:
        room = self.room_of(self.store)
        tree = Tree(await room.mfs.root(), self.store.lease(), room.in_thread)
        found = [path for path in ("/old", "/a", "/a/f", "/old/g") if await tree.find(parse_mfs(path).names)]
        assert "/old" in found
        assert "a" not in self.done or "/a" in found, found
        assert "f" not in self.done or ("/a/f" in found) != ("/old/g" in found), found
        assert "g" not in self.done or "/old/g" in found, found
        for path in found[1 + ("/a" in found) :]:
            cid = (await room.mfs.find(parse_mfs(path))).cid
            _, pieces = await read_content(room.blocks, cid)
            assert b"".join([piece async for piece in pieces]) == b"bytes" * 1000
        tree.lease.end()
