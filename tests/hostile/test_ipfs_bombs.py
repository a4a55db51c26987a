"""Trees of IPFS that are small and look endless, forms that are almost forms, and what the RPC and the gateway do."""

from typing import Any

from twisted.internet.defer import Deferred

from bitdust.ipfs.adding import AddOptions
from bitdust.ipfs.archive import DEEPEST
from bitdust.ipld import car, dagpb, hamt, unixfs
from bitdust.ipld.cid import DAG_PB, RAW, Block, Cid
from bitdust.ipld.dagpb import Link
from bitdust.ipld.unixfs import Kind, UnixFs
from bitdust.web.gateway.pages import MOST_SHOWN
from bitdust.web.ipfs.upload import MOST_WAITING, upload_of
from tests.unit.ipfs_kit import Given
from tests.unit.test_ipfs_gateway import GatewayCase, whole

FLOORS = 10
WIDE = 64
LEAF = Block(Cid.of(b"leaf", RAW), b"leaf")


def node(links: list[Link], meaning: UnixFs) -> Block:
    """A dag-pb block."""
    data = dagpb.encode(links, meaning.encode())
    return Block(Cid.of(data, DAG_PB), data)


def tower(wide: int, floors: int, make: Any) -> list[Block]:
    """Each floor links to the one below it so many times, by what ``make`` makes of that and its size."""
    blocks, size = [LEAF], len(LEAF.data)
    for _ in range(floors):
        blocks.append(make([blocks[-1].cid] * wide, size))
        size *= wide
    return blocks


def folder(cids: list[Cid], size: int) -> Block:
    return node([Link(cid, f"{number:02}", 1) for number, cid in enumerate(cids)], unixfs.FOLDER)


def file(cids: list[Cid], size: int) -> Block:
    meaning = UnixFs(Kind.FILE, None, size * len(cids), (size,) * len(cids))
    return node([Link(cid, "", 1) for cid in cids], meaning)


def shard(cids: list[Cid], size: int) -> Block:
    data = hamt.Shard({place: Link(cid, "", 1) for place, cid in enumerate(cids)}).encode()
    return Block(Cid.of(data, DAG_PB), data)


class TreeTests(GatewayCase):
    def store_all(self, blocks: list[Block]) -> str:
        """The CID of the last one."""
        self.run_now(self.room.put(blocks))
        return str(blocks[-1].cid)

    def test_shards_that_repeat(self) -> None:
        """A directory of shards that are named again and again in each other's places is refused, not walked."""
        root = self.store_all(tower(256, 9, shard))
        for path in ("ls", "get"):
            self.rpc_fails("malformed", path, root)
        self.assertEqual(self.get(f"/ipfs/{root}/").status, 422)
        self.assertIn(self.get(f"/ipfs/{root}/name").status, (404, 422))
        self.assertEqual(self.rpc("dag/stat", root)["NumBlocks"], 10)

    def test_folders_that_repeat(self) -> None:
        """Of a directory with more files than atoms each block is walked once; who wants all of it gets it piece by
        piece, as long as it reads."""
        blocks = tower(WIDE, FLOORS, folder)
        root = self.store_all(blocks)
        self.assertEqual(len(self.rpc("refs", root, recursive=True, unique=True)), FLOORS)
        self.assertEqual(len(self.rpc("refs", root, recursive=True)), FLOORS * WIDE)
        self.assertEqual(self.rpc("pin/add", root), {"Pins": [root]})
        self.assertEqual(len(self.rpc("dag/export", root)), sum(map(len, map(car.section, blocks))) + self.header(root))
        self.assertEqual(len(self.rpc("ls", root)["Objects"][0]["Links"]), WIDE)
        reply = self.ask(f"/ipfs/{root}", query="format=tar")
        taken = self.run_now(self.some(reply.body, 10))
        self.assertLess(taken, 1 << 20)
        self.assertEqual(self.visits, 0)

    def header(self, root: str) -> int:
        return len(car.header([Cid.parse(root)]))

    async def some(self, pieces: Any, count: int) -> int:
        """Read so many pieces, and go; how many bytes they had."""
        size = 0
        for _ in range(count):
            size += len(await anext(pieces))
        await pieces.aclose()
        return size

    def test_files_that_repeat(self) -> None:
        """A file of exabytes in few blocks is read at any place at once, to its last byte."""
        root = self.store_all(tower(174, 7, file))
        size = 4 * 174**7
        self.assertEqual(self.cat(root, size - 6), b"afleaf")
        self.assertEqual(self.rpc("cat", root, offset=size // 2 + 1, length=5), b"eafle")
        got = self.get(f"/ipfs/{root}", Range="bytes=-3")
        self.assertEqual((got.status, got.body), (206, b"eaf"))
        self.assertEqual(got.headers["Content-Range"], f"bytes {size - 3}-{size - 1}/{size}")
        self.assertEqual(self.rpc("files/cp", f"/ipfs/{root}", "/f"), None)
        self.assertEqual(self.rpc("files/stat", "/f")["Size"], size)

    def test_files_that_lie(self) -> None:
        """A file whose parts are not as long as it says breaks off where that shows, and never looks whole."""
        lies = node([Link(LEAF.cid, "", 4), Link(LEAF.cid, "", 4)], UnixFs(Kind.FILE, None, 9, (4, 5)))
        root = self.store_all([LEAF, lies])
        self.rpc_fails("malformed", "cat", root)
        reply = self.ask(f"/ipfs/{root}", query="filename=x.txt")
        self.assertEqual((reply.status, reply.length), (200, 9))
        self.fails("malformed", whole(reply))
        self.assertEqual(self.visits, 0)

    def test_a_circle(self) -> None:
        """Blocks that would link to each other in a circle do not have the names that they claim, and none is kept."""
        first, second = Cid.of(b"first", DAG_PB), Cid.of(b"second", DAG_PB)
        data = [dagpb.encode([Link(cid, "x", 1)], unixfs.FOLDER.encode()) for cid in (second, first)]
        packed = car.header([first]) + b"".join(map(car.section, map(Block, (first, second), data)))
        self.rpc_fails("mismatch", "dag/import", body=packed)
        self.assertFalse(self.came(self.store.has(first)))

    def test_very_many_links(self) -> None:
        """A hundred thousand links of one block are stored and walked, and none of them costs a look for itself; of
        many names a page shows some, and a path leads to each."""
        self.assertEqual(len(self.rpc("refs", self.linked(100_000), unique=True)), 1)
        root = self.linked(MOST_SHOWN + 500)
        self.assertEqual(self.get(f"/ipfs/{root}/").body.count(b"<tr>"), MOST_SHOWN + 1)
        self.assertEqual(self.get(f"/ipfs/{root}/28ff").body, b"x")

    def linked(self, count: int) -> str:
        """A directory of so many names for one block that stands in its CID."""
        inline = Cid(1, RAW, b"\x00\x01x")
        return self.store_all([node([Link(inline, f"{number:x}", 1) for number in range(count)], unixfs.FOLDER)])

    def test_very_deep(self) -> None:
        """Paths of ten thousand names are refused at once; a tree deeper than any breaks a tar off."""
        blocks = tower(1, DEEPEST + 10, folder)
        root = self.store_all(blocks)
        steps = "/00" * 10_000
        self.rpc_fails("bad-path", "cat", root + steps)
        self.assertEqual(self.get(f"/ipfs/{root}{steps}").status, 400)
        self.rpc_fails("bad-path", "files/mkdir", "/d" * 10_000, parents=True)
        self.rpc_fails("too-deep", "get", root)
        self.fails("too-deep", whole(self.ask(f"/ipfs/{root}", query="format=tar")))
        self.assertEqual(self.visits, 0)


def part(headers: str, data: bytes = b"x") -> bytes:
    return b"--b\r\n" + headers.encode("latin-1") + b"\r\n\r\n" + data + b"\r\n"


def named(name: str, kind: str = "application/octet-stream") -> str:
    return f'Content-Disposition: form-data; name="file"; filename="{name}"\r\nContent-Type: {kind}'


class FormTests(GatewayCase):
    def send(self, *parts: bytes, end: bytes = b"--b--\r\n", piece: int = 1 << 16) -> Any:
        """What an add of a body ends with: rows, or an error."""
        upload = upload_of(b"multipart/form-data; boundary=b")
        assert upload is not None
        ended: list[Any] = []
        Deferred.fromCoroutine(self.taken(upload)).addBoth(ended.append)
        body = b"".join(parts) + end
        for start in range(0, len(body), piece):
            upload.feed(body[start : start + piece])
            self.assertLess(upload._size, MOST_WAITING + 2 * piece)
        upload.end()
        return ended[0]

    async def taken(self, upload: Any) -> dict[str, str]:
        job = self.room.add(AddOptions())
        await job.run(upload)
        return {one.name: str(one.part.cid) for one in job.rows()}

    def refuses(self, code: str, *parts: bytes, **how: Any) -> None:
        self.assertEqual(self.send(*parts, **how).value.code, code)

    def test_names_that_lead_out(self) -> None:
        """Names that lead out of what is added, by whatever spelling, and names that are two things, are refused."""
        for name in ("..", "a/../b", "%2e%2e", "a%2F..%2Fb", "/etc/passwd", "a//b", "a%00b", "./a", "a/", "/"):
            self.refuses("bad-name", part(named(name)))
        self.refuses("bad-name", part(named("a")), part(named("a%2Fb")))
        self.refuses("bad-name", part(named("a%2Fb")), part(named("a")))
        self.refuses("bad-name", part(named("x%2F" * 300 + "x")))
        self.assertEqual(set(self.send(part(named("a%5Cb"))).values()), {self.add(Given(b"", b"x")).popitem()[1]})

    def test_forms_that_are_almost_forms(self) -> None:
        """A body that ends early, has no end, a part without a line between, or headers without end, is refused."""
        good = part(named("a"))
        for body, end in (
            (good, b""),
            (good, b"--b"),
            (good[:-3], b""),
            (b"--b\r\nX\r\n\r\nx\r\n", b"--b--\r\n"),
            (b"--b\r\n" + named("a").encode() + b"\r\n", b"--b--\r\n"),
            (b"--b\r\nX: " + b"y" * 200_000, b""),
            (b"--c\r\n" + good, b""),
            (b"x" * 100_000, b""),
        ):
            self.refuses("bad-call", body, end=end)
        nested = b"--c\r\n" + named("inner").encode() + b"\r\n\r\ny\r\n--c--\r\n"
        (cid,) = self.send(
            part('Content-Disposition: form-data; name="f"\r\nContent-Type: multipart/mixed; boundary=c', nested)
        ).values()
        self.assertEqual(self.cat(cid), nested)

    def test_lines_that_look_like_an_end(self) -> None:
        """Bytes that only begin like a boundary are bytes of the file, however the body is cut."""
        data = b"\r\n--\r\n--a\r\n-\r\r\n--B--\r\n\n--b"
        for piece in (1, 2, 5, 1000):
            (cid,) = self.send(part(named(""), data), piece=piece).values()
            self.assertEqual(self.cat(cid), data)

    def test_very_many_parts(self) -> None:
        """Parts without a byte count for what they cost while they wait, and each is there in the end."""
        found = self.send(*(part(named(f"d%2F{number}"), b"") for number in range(5000)))
        self.assertEqual(len(found), 5001)

    def test_symlinks(self) -> None:
        """A symlink is kept as its target, wherever that leads; one with an endless target is refused."""
        found = self.send(part(named("d%2Fl", "application/symlink"), b"../../etc/passwd"))
        self.assertEqual(self.get(f"/ipfs/{found['d']}/l").body, b"../../etc/passwd")
        self.assertEqual(self.get(f"/ipfs/{found['d']}/l/x").status, 404)
        self.refuses("too-large", part(named("l", "application/symlink"), b"x" * 5000))
