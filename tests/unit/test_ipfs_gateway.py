"""The gateway of IPFS without sockets: what a path shows, in which form, and who may ask."""

from typing import Any
from urllib.parse import quote

from attrs import define
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from bitdust.ipfs.names.keys import Published
from bitdust.ipld import car, dagpb, unixfs
from bitdust.ipld.cid import DAG_PB, Block, Cid
from bitdust.ipld.ipns import Record, make
from bitdust.ipld.keys import PrivateKey
from bitdust.ipld.peerid import PeerId
from bitdust.web.dialect import Head, Reply
from bitdust.web.gateway.dialect import GatewayDialect
from bitdust.web.gateway.kinds import HTML, TEXT, UNKNOWN, by_name, by_sample
from bitdust.web.gateway.pages import MOST_SHOWN, listing
from bitdust.web.gateway.ranges import Range, ranges_of
from bitdust.web.guard import Refusal
from bitdust.web.programs import Programs
from tests.unit.block_kit import START
from tests.unit.ipfs_kit import Given
from tests.unit.ipfs_node_kit import NodeCase

DATA = bytes(range(256)) * 4000
"""A little more than a megabyte, in several blocks."""
PAGE = b"<!DOCTYPE html><p>hello"


@define
class Answer:
    """What a client sees."""

    status: int
    headers: dict[str, str]
    body: bytes


class Asking:
    """One request on its way."""

    def __init__(self, head: Head) -> None:
        self.head = head
        self.reply: Reply | None = None

    def answer(self, reply: Reply) -> None:
        self.reply = reply


class GatewayCase(NodeCase):
    full = 8 << 20

    def setUp(self) -> None:
        super().setUp()
        programs = Programs(lambda: ["https://friend.example"], lambda: ["box.example"])
        self.dialect = GatewayDialect(self.visit, programs)
        self.visits = 0
        self.offline = True

    def visit(self) -> Any:
        """The room of one request, which is counted until it is left."""
        room = self.room.visit(offline=self.offline, is_patient=False)
        self.visits += 1
        room.leave = self.left
        return room

    def left(self) -> None:
        self.visits -= 1

    def ask(self, path: str, method: str = "GET", query: str = "", **headers: str) -> Reply:
        """The reply to a request, whose body is still to be read."""
        given = {"Host": "127.0.0.1:8080"} | {name.replace("_", "-"): value for name, value in headers.items()}
        named = {name.encode(): [value.encode()] for name, value in given.items()}
        asking = Asking(Head(method.encode(), path.encode(), query.encode(), b"HTTP/1.1", named, 0, 0.0))
        begun = self.dialect.begin(asking)
        if isinstance(begun, Reply):
            return begun
        begun.finished()
        assert asking.reply is not None
        return asking.reply

    def get(self, path: str, method: str = "GET", query: str = "", **headers: str) -> Answer:
        """What comes for a request, whole."""
        reply = self.ask(path, method, query, **headers)
        body = self.run_now(whole(reply, method))
        self.assertEqual(self.visits, 0)
        lines = [line.partition(": ") for line in reply.headers.decode("latin-1").split("\r\n") if line]
        if reply.length is not None and method == "GET":
            self.assertEqual(reply.length, len(body))
        return Answer(reply.status, {name: value for name, _, value in lines}, body)


async def whole(reply: Reply, method: str = "GET") -> bytes:
    """All bytes of a reply."""
    if isinstance(reply.body, bytes):
        return reply.body
    stream: Any = reply.body
    try:
        return b"" if method == "HEAD" else b"".join([piece async for piece in stream])
    finally:
        await stream.aclose()


class FileTests(GatewayCase):
    def test_a_file(self) -> None:
        """A file has its bytes, a type, its CID as a tag, and may be kept for ever; HEAD has the same without bytes."""
        root = self.add(Given(b"d/a.txt", b"hello"), Given(b"d/big", DATA))["d"]
        got = self.get(f"/ipfs/{root}/a.txt")
        self.assertEqual((got.status, got.body, got.headers["Content-Type"]), (200, b"hello", TEXT))
        self.assertEqual(got.headers["ETag"], f'"{self.cid(f"{root}/a.txt")}"')
        self.assertIn("immutable", got.headers["Cache-Control"])
        self.assertEqual((got.headers["X-Ipfs-Path"], got.headers["X-Ipfs-Roots"]), (f"/ipfs/{root}/a.txt", root))
        self.assertEqual(self.get(f"/ipfs/{root}/big").body, DATA)
        head = self.ask(f"/ipfs/{root}/big", "HEAD")
        self.assertEqual((head.status, head.length), (200, len(DATA)))
        self.assertEqual(self.run_now(whole(head, "HEAD")), b"")

    def test_what_a_client_has(self) -> None:
        """A tag that a client has, weak or strong or any, saves it the bytes; another one does not."""
        cid = self.add(Given(b"f", b"x"))["f"]
        for tag in (f'"{cid}"', f'W/"{cid}"', f'"other", "{cid}"', "*"):
            got = self.get(f"/ipfs/{cid}", If_None_Match=tag)
            self.assertEqual((got.status, got.body), (304, b""), tag)
        self.assertEqual(self.get(f"/ipfs/{cid}", If_None_Match='"other"').status, 200)

    def test_one_range(self) -> None:
        """Bytes from the middle, from the end, and to the end are those of the file, over the edges of blocks too."""
        cid = self.add(Given(b"f", DATA))["f"]
        for text, start, end in (("0-0", 0, 1), ("262143-262145", 262143, 262146), ("-5", len(DATA) - 5, len(DATA))):
            got = self.get(f"/ipfs/{cid}", Range=f"bytes={text}")
            self.assertEqual((got.status, got.body), (206, DATA[start:end]), text)
            self.assertEqual(got.headers["Content-Range"], f"bytes {start}-{end - 1}/{len(DATA)}")
        self.assertEqual(self.get(f"/ipfs/{cid}", Range="bytes=1000000-").body, DATA[1_000_000:])
        got = self.get(f"/ipfs/{cid}", Range=f"bytes={len(DATA)}-")
        self.assertEqual((got.status, got.headers["Content-Range"]), (416, f"bytes */{len(DATA)}"))
        self.assertEqual(got.headers["Cache-Control"], "no-store")
        for header in ("bytes=x", "bytes=5-2", "lines=1-2", "bytes="):
            self.assertEqual(self.get(f"/ipfs/{cid}", Range=header).status, 200, header)

    def test_several_ranges(self) -> None:
        """Several ranges come as parts, each with its place and type; too many of them as the whole file."""
        cid = self.add(Given(b"f", DATA))["f"]
        got = self.get(f"/ipfs/{cid}", Range="bytes=0-1, 300000-300003,-2")
        boundary = got.headers["Content-Type"].rpartition("=")[2].encode()
        parts = got.body.split(b"\r\n--" + boundary)
        self.assertEqual((got.status, parts[0], parts[-1]), (206, b"", b"--\r\n"))
        found = [part.partition(b"\r\n\r\n") for part in parts[1:-1]]
        self.assertEqual([data for _, _, data in found], [DATA[:2], DATA[300_000:300_004], DATA[-2:]])
        self.assertIn(f"Content-Range: bytes 300000-300003/{len(DATA)}".encode(), found[1][0])
        many = ",".join(f"{number}-{number}" for number in range(17))
        self.assertEqual(self.get(f"/ipfs/{cid}", Range=f"bytes={many}").status, 200)
        self.assertEqual(self.get(f"/ipfs/{cid}", Range="bytes=0-,0-").status, 200)

    def test_ranges_on_a_condition(self) -> None:
        """A range of what a client has holds for this file alone; of another one it gets all."""
        cid = self.add(Given(b"f", b"0123456789"))["f"]
        self.assertEqual(self.get(f"/ipfs/{cid}", Range="bytes=1-2", If_Range=f'"{cid}"').body, b"12")
        self.assertEqual(self.get(f"/ipfs/{cid}", Range="bytes=1-2", If_Range='"other"').body, b"0123456789")
        self.assertEqual(self.get(f"/ipfs/{cid}", "HEAD", Range="bytes=1-2").status, 200)

    def test_names_for_clients(self) -> None:
        """A client may say what to call a file, and that it wants to keep it; no name breaks out of the header."""
        cid = self.add(Given(b"f", b"x"))["f"]
        got = self.get(f"/ipfs/{cid}", query="filename=" + quote('a"\r\nX: é.png') + "&download=true")
        self.assertEqual(got.headers["Content-Type"], "image/png")
        shown = got.headers["Content-Disposition"]
        self.assertTrue(shown.startswith('attachment; filename="a___X: _.png"; filename*='), shown)
        self.assertNotIn("X", got.headers)

    def test_an_empty_file_and_a_symlink(self) -> None:
        """An empty file is one; of a symlink its target is shown, and not followed."""
        root = self.add(Given(b"d/e", b""), Given(b"d/l", b"../x", "symlink"))["d"]
        self.assertEqual(self.get(f"/ipfs/{root}/e").body, b"")
        self.assertEqual(self.get(f"/ipfs/{root}/l").body, b"../x")

    def test_missing_in_the_middle(self) -> None:
        """A file of which later blocks are missing breaks off, and never ends as if it was whole; without its first
        bytes there is an error."""
        first, last = (Block(Cid.of(data), data) for data in (b"a" * 10, b"b" * 10))
        meaning = unixfs.UnixFs(unixfs.Kind.FILE, None, 20, (10, 10))
        data = dagpb.encode([dagpb.Link(one.cid, "", 10) for one in (first, last)], meaning.encode())
        root = Block(Cid.of(data, DAG_PB), data)
        self.run_now(self.room.put([root]))
        self.assertEqual(self.get(f"/ipfs/{root.cid}").status, 404)
        self.run_now(self.room.put([first]))
        reply = self.ask(f"/ipfs/{root.cid}", query="filename=x.txt")
        self.assertEqual((reply.status, reply.length), (200, 20))
        self.fails("not-found", whole(reply))
        self.assertEqual(self.visits, 0)
        self.run_now(self.room.put([last]))
        self.assertEqual(self.get(f"/ipfs/{root.cid}").body, b"a" * 10 + b"b" * 10)


class FolderTests(GatewayCase):
    def test_a_list(self) -> None:
        """A directory is a page with its names, which lead on whatever they hold, behind a path with a slash."""
        root = self.add(Given(b'd/<b> &"%2e.txt', b"x"), Given(b"d/sub/a", b"y"))["d"]
        got = self.get(f"/ipfs/{root}", query="a=b")
        self.assertEqual((got.status, got.headers["Location"]), (302, f"/ipfs/{root}/?a=b"))
        got = self.get(f"/ipfs/{root}/")
        self.assertEqual((got.status, got.headers["Content-Type"]), (200, HTML))
        self.assertIn(b'<a href="./%3Cb%3E%20%26%22%252e.txt">&lt;b&gt; &amp;&quot;%2e.txt</a>', got.body)
        self.assertNotIn(b"<b>", got.body)
        self.assertNotIn(b'"../"', got.body)
        self.assertIn(b'"../"', self.get(f"/ipfs/{root}/sub/").body)
        self.assertEqual(self.get(f"/ipfs/{root}/", If_None_Match=got.headers["ETag"]).status, 304)
        self.assertEqual(self.get(f"/ipfs/{root}/{quote('<b> &')}{quote(chr(34))}{quote('%2e.txt')}").body, b"x")

    def test_an_index(self) -> None:
        """Where there is an index.html, it is shown instead; where that is a directory, it is not."""
        root = self.add(Given(b"d/index.html", PAGE))["d"]
        got = self.get(f"/ipfs/{root}/")
        self.assertEqual((got.body, got.headers["Content-Type"]), (PAGE, HTML))
        self.assertEqual(got.headers["ETag"], f'"{self.cid(f"{root}/index.html")}"')
        other = self.add(Given(b"e/index.html/x", b"x"))["e"]
        self.assertIn(b"index.html", self.get(f"/ipfs/{other}/").body)

    def test_very_many_names(self) -> None:
        """A page shows ten thousand names, and says how many more there are."""
        link = dagpb.Link(Cid.of(b"x"), "n", 1)
        page = listing("/ipfs/x", False, [link] * (MOST_SHOWN + 5))
        self.assertEqual(page.count(b"<tr>"), MOST_SHOWN + 1)
        self.assertIn("… and 5 more".encode(), page)


class BlockTests(GatewayCase):
    def test_blocks_that_clients_check(self) -> None:
        """A block is its bytes, a CAR everything below it, a tar its files, by query or by header."""
        root = self.add(Given(b"d/a", b"x"))["d"]
        raw = self.get(f"/ipfs/{root}", query="format=raw")
        self.assertEqual(Cid.v0(raw.body), Cid.parse(root))
        self.assertEqual(raw.headers["ETag"], f'"{root}.raw"')
        self.assertTrue(raw.headers["Content-Disposition"].startswith("attachment"))
        self.assertEqual(self.get(f"/ipfs/{root}", Accept="text/html, application/vnd.ipld.raw").body, raw.body)
        packed = self.get(f"/ipfs/{root}", Accept="application/vnd.ipld.car; version=1")
        self.assertTrue(packed.body.startswith(car.header([Cid.parse(root)])))
        self.assertEqual(packed.body, self.rpc("dag/export", root))
        self.assertTrue(packed.headers["Content-Type"].startswith("application/vnd.ipld.car"))
        self.assertIn(b"ustar", self.get(f"/ipfs/{root}", query="format=tar").body)
        head = self.ask(f"/ipfs/{root}", "HEAD", query="format=car")
        self.assertEqual((head.status, head.length, isinstance(head.body, bytes)), (200, None, False))
        self.run_now(head.body.aclose())
        self.assertEqual(self.get(f"/ipfs/{root}", query="format=raw", If_None_Match=f'"{root}.raw"').status, 304)

    def test_what_is_no_file(self) -> None:
        """A value that is no file is not shown as one; its block is."""
        cid = self.rpc("dag/put", body=b'{"a": 1}')["Cid"]["/"]
        self.assertEqual(self.get(f"/ipfs/{cid}").status, 406)
        self.assertEqual(self.get(f"/ipfs/{cid}", query="format=raw").status, 200)


class NameTests(GatewayCase):
    def test_names_of_others(self) -> None:
        """A name of another node leads where others say, where the gateway may ask them; else it leads nowhere."""
        root = self.add(Given(b"d/a", b"x"))["d"]
        key = PrivateKey.generate()
        name, until = PeerId.of(key.public), (START + 100) * 10**9
        self.table.kept[name] = (1, make(key, Record(f"/ipfs/{root}".encode(), 1, until, 0)))
        self.assertEqual((self.get(f"/ipns/{name}/a").status, self.table.gets), (404, 0))
        self.offline = False
        self.assertEqual(self.get(f"/ipns/{name}/a").body, b"x")

    def test_names_of_this_node(self) -> None:
        """A name leads to what its key has published as long as that counts, and is asked for again each time, here
        alone."""
        root = self.add(Given(b"d/a", b"x"))["d"]
        key = self.run_now(self.room.keys.generate("k", "ed25519"))
        self.assertEqual(self.get(f"/ipns/{key.id}/a").status, 404)
        now = int(self.around.world.wall()) * 10**9
        told = Published(f"/ipfs/{root}".encode(), 1, now, 3600 * 10**9, 0)
        self.run_now(self.room.keys.publish(key.id, lambda before: told))
        got = self.get(f"/ipns/{key.id}/a")
        self.assertEqual((got.status, got.body), (200, b"x"))
        self.assertIn("no-cache", got.headers["Cache-Control"])
        self.assertEqual(self.get(f"/ipns/{key.id}").headers["Location"], f"/ipns/{key.id}/")
        self.clock.advance(3700)
        self.assertEqual(self.get(f"/ipns/{key.id}/a").status, 404)
        self.assertEqual(self.get("/ipns/example.org/a").status, 404)
        self.assertEqual(self.table.gets, 0)


class AccessTests(GatewayCase):
    def test_only_reading(self) -> None:
        """Whoever wants to do more than read is told that this is all, pages on other sites among them."""
        for method in ("POST", "PUT", "DELETE", "OPTIONS", "PATCH"):
            got = self.get("/ipfs/x", method)
            self.assertEqual((got.status, got.headers["Allow"]), (405, "GET, HEAD"))
        self.assertNotIn("Access-Control-Allow-Origin", self.get("/", Origin="https://friend.example").headers)

    def test_each_page_alone(self) -> None:
        """Each page is in a sandbox without the origin of others, is framed nowhere else, and is what its type says."""
        cid = self.add(Given(b"f", PAGE))["f"]
        headers = self.get(f"/ipfs/{cid}").headers
        policy = headers["Content-Security-Policy"]
        self.assertIn("sandbox", policy)
        self.assertNotIn("allow-same-origin", policy)
        self.assertEqual((headers["X-Content-Type-Options"], headers["X-Frame-Options"]), ("nosniff", "SAMEORIGIN"))
        self.assertEqual(headers["Referrer-Policy"], "same-origin")
        self.assertEqual(self.get(f"/ipfs/{cid}", Service_Worker="script").status, 403)

    def test_pages_of_other_sites(self) -> None:
        """A foreign page loads nothing from here, though a link on it may lead here; pages of the gateway load what is
        here. Names of other machines that point here are refused."""
        cid = self.add(Given(b"f", PAGE))["f"]
        own = "http://127.0.0.1:8080/ipfs/x/"
        for status, headers in (
            (403, {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "no-cors", "Sec_Fetch_Dest": "image"}),
            (403, {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "iframe"}),
            (403, {"Sec_Fetch_Site": "cross-site", "Referer": "https://evil.example/127.0.0.1"}),
            (200, {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "document"}),
            (200, {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "no-cors", "Referer": own}),
            (200, {"Sec_Fetch_Site": "none", "Sec_Fetch_Mode": "navigate"}),
            (200, {"Host": "box.example"}),
            (403, {"Host": "evil.example"}),
        ):
            self.assertEqual(self.get(f"/ipfs/{cid}", **headers).status, status, headers)

    def test_what_is_asked_wrongly(self) -> None:
        """Paths that are none, forms that are not sent, and what is not here get a sentence and a status."""
        root = self.add(Given(b"d/a", b"x"))["d"]
        absent = Cid.of(b"absent")
        for status, path, query in (
            (200, "/", ""),
            (404, "/x", ""),
            (404, "/favicon.ico", ""),
            (400, "/ipfs/", ""),
            (400, "/ipfs/x", ""),
            (400, "/ipfs/%00", ""),
            (404, "/" + "x" * 40_000, ""),
            (400, "/ipfs/" + "x" * 40_000, ""),
            (400, f"/ipfs/{root}", "format=zip"),
            (404, f"/ipfs/{root}/b", ""),
            (404, f"/ipfs/{root}/a/b", ""),
            (404, f"/ipfs/{absent}", ""),
            (404, f"/ipfs/{absent}", "format=car"),
        ):
            got = self.get(path, query=query)
            self.assertEqual((got.status, got.headers["Content-Type"]), (status, TEXT), path[:80])
            self.assertTrue(got.body.endswith(b"\n"))
        self.assertEqual(self.dialect.refusal(Refusal(413, "too-large", "x"), None).status, 413)

    @settings(max_examples=100, deadline=None, database=None)
    @given(st.binary(max_size=60), st.binary(max_size=40))
    def test_any_path(self, path: bytes, query: bytes) -> None:
        """Whatever a path is, it is answered in words."""
        got = self.get("/ipfs/" + path.decode("latin-1"), query=query.decode("latin-1"))
        self.assertIn(got.status, (200, 302, 400, 404, 406))


class RangeTests(SynchronousTestCase):
    @settings(max_examples=200, deadline=None)
    @given(st.text("0123456789-,= bytes", max_size=30), st.integers(0, 100))
    def test_any_header(self, text: str, size: int) -> None:
        """Ranges lie inside of the file, whatever the header says."""
        for one in ranges_of(f"bytes={text}".encode(), size) or ():
            self.assertTrue(one.length > 0 <= one.start and one.start + one.length <= size)

    def test_places(self) -> None:
        """First and last byte count, and what lies behind the end does not."""
        self.assertEqual(ranges_of(b"bytes=2-4", 10), [Range(2, 3)])
        self.assertEqual(ranges_of(b"bytes=8-100", 10), [Range(8, 2)])
        self.assertEqual(ranges_of(b"bytes=-100", 10), [Range(0, 10)])
        self.assertEqual(ranges_of(b"bytes=-0", 10), [])
        self.assertEqual(ranges_of(b"bytes=0-0,20-", 10), [Range(0, 1)])
        self.assertEqual(Range(2, 3).content_range(10), b"bytes 2-4/10")
        self.assertIsNone(ranges_of(None, 10))


class KindTests(SynchronousTestCase):
    def test_by_name(self) -> None:
        """Names say the type, whatever this system has in its tables; text is UTF-8."""
        for name, kind in (("a.html", HTML), ("a.PNG", "image/png"), ("a.json", "application/json; charset=utf-8")):
            self.assertEqual(by_name(name), kind)
        self.assertEqual(by_name("a.tar.gz"), "application/gzip")
        self.assertIsNone(by_name("a"))
        self.assertIsNone(by_name(""))

    def test_by_sample(self) -> None:
        """The first bytes say the type of what has no name; text that is cut in a letter is text."""
        for data, kind in (
            (b"", TEXT),
            (b"  \n<HTML>", HTML),
            (b"\x89PNG\r\n\x1a\n....", "image/png"),
            (b"RIFF....WEBPVP8 ", "image/webp"),
            (b"....ftypisom", "video/mp4"),
            (b"plain \xc3\xa9", TEXT),
            (b"\xff\xfe\x00", UNKNOWN),
            (b"a" * 511 + b"\xc3", TEXT),
            (b"a\xc3", UNKNOWN),
        ):
            self.assertEqual(by_sample(data), kind, data[:20])
