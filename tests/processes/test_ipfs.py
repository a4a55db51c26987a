"""A real daemon and the unmodified Python client of IPFS."""

import io
import json
import os
import time
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import ipfshttpclient
from ipfshttpclient.exceptions import ErrorResponse
from twisted.internet.threads import deferToThread

from bitdust.cli import ipfs as ipfs_by_command
from tests.processes.ipfs_kit import IpfsCase, client_address
from tests.processes.ipfs_names import check_keys, check_names

LAMB = "QmZfF6C9j4VtoCsTp4KSrhYH47QMd3DNXVZBKaxJdhaPab"

EMPTY = "QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn"


class ClientTests(IpfsCase):
    async def test_files_and_pins(self) -> None:
        """What the client adds it reads back, by every path, after a kill of the node as well; pins keep it."""
        await deferToThread(self.files_and_pins)

    def files_and_pins(self) -> None:
        self.start()
        client = self.client
        self.assertEqual(client.add_bytes(b"Mary had a little lamb"), LAMB)
        folder, data = self.base / "d", os.urandom(1_000_000)
        (folder / "sub").mkdir(parents=True)
        (folder / "a").write_bytes(data)
        (folder / "sub" / "b").write_text("there")
        added = {row["Name"]: row["Hash"] for row in client.add(str(folder), recursive=True)}
        self.assertEqual(set(added), {"d", "d/a", "d/sub", "d/sub/b"})
        root = added["d"]
        self.node.kill()
        self.start()
        client = self.client
        self.assertEqual(client.cat(f"{root}/a"), data)
        self.assertEqual(client.cat(f"/ipfs/{root}/a", offset=999_990, length=100), data[-10:])
        self.assertEqual([row["Name"] for row in client.ls(root)["Objects"][0]["Links"]], ["a", "sub"])
        client.get(root, target=str(self.base / "back"))
        self.assertEqual((self.base / "back" / root / "sub" / "b").read_text(), "there")
        self.assertEqual(client.pin.ls(type="recursive")["Keys"][root], {"Type": "recursive"})
        client.pin.rm(root)
        self.assertIn(added["d/a"], [row["Key"]["/"] for row in client.repo.gc()])
        error = self.assertRaises(ErrorResponse, client.cat, f"{root}/a")
        self.assertIn("merkledag: not found", str(error))
        self.refusals(client)
        self.assertEqual(client.cat(LAMB), b"Mary had a little lamb")
        self.assertEqual(client.get_json(client.add_json({"b": 1, "a": 2})), {"a": 2, "b": 1})
        key = client.block.put(io.BytesIO(b"bytes"))["Key"]
        self.assertEqual((client.block.get(key), client.block.stat(key)["Size"]), (b"bytes", 5))
        names = {"NumObjects", "RepoPath", "RepoSize", "StorageMax", "Version"}
        self.assertEqual(set(client.repo.stat()), names)
        self.credentials()
        self.gateway(root, data)
        self.folders_by_command()
        self.files_by_command()
        self.names_of_files(client)
        self.nodes_and_values(self.client)
        check_keys(self, self.client)
        check_names(self, self.client)
        with urlopen(Request(f"http://127.0.0.1:{self.port}/api/v0/commands", method="POST")) as answer:  # noqa: S310
            self.assertEqual(json.load(answer)["Name"], "ipfs")

    def refusals(self, client: Any) -> None:
        """What is refused before a command begins has its reason in the exception of the client."""
        odd = self.assertRaises(ErrorResponse, client.add_bytes, b"", opts={"chunker": "size-0"})
        bad = self.assertRaises(ErrorResponse, client.cat, LAMB, opts={"offset": "soon"})
        page = ipfshttpclient.Client(client_address(self.port), headers={"Origin": "https://evil.example"})
        foreign = self.assertRaises(ErrorResponse, page.version)
        self.assertIn("chunker size must be greater than 0", str(odd))
        self.assertIn("(for option '-offset')", str(bad))
        self.assertIn("services/ipfs/allowed-origins", str(foreign))

    def gateway(self, root: str, data: bytes) -> None:
        """The gateway is off until it is wanted; then browsers and curl read what is here, whole or in part."""
        self.assertEqual(self.status()["gateway"], "")
        self.assertIn("off", self.cli("gateway"))
        shown = self.cli("gateway", "enable").split()[1].removesuffix("/ipfs/CID/path")
        self.assertEqual(shown, self.status()["gateway"])
        status = self.cli("status")
        self.assertIn(shown, status)
        self.assertIn("backup of pins: 0 bytes at the suppliers; it is disabled", status)
        with urlopen(f"{shown}/ipfs/{LAMB}") as answer:  # noqa: S310
            self.assertEqual((answer.read(), answer.headers["ETag"]), (b"Mary had a little lamb", f'"{LAMB}"'))
        with urlopen(Request(f"{shown}/ipfs/{LAMB}", headers={"Range": "bytes=5-7"})) as answer:  # noqa: S310
            self.assertEqual((answer.status, answer.read()), (206, b"had"))
        known = Request(f"{shown}/ipfs/{LAMB}", headers={"If-None-Match": f'"{LAMB}"'})
        error = self.assertRaises(HTTPError, urlopen, known)  # noqa: S310
        self.assertEqual((error.code, error.headers["Content-Length"]), (304, None))
        error.close()
        folder = self.client.add(str(self.base / "d"), recursive=True)[-1]["Hash"]
        self.assertEqual(folder, root)
        with urlopen(f"{shown}/ipfs/{root}") as answer:  # noqa: S310
            self.assertEqual(answer.url, f"{shown}/ipfs/{root}/")
            self.assertIn(b'<a href="./sub">', answer.read())
        with urlopen(f"{shown}/ipfs/{root}/a") as answer:  # noqa: S310
            self.assertEqual(answer.read(), data)
        self.assertIn("off", self.cli("gateway", "disable"))
        self.assertRaises(OSError, urlopen, f"{shown}/")  # noqa: S310

    def credentials(self) -> None:
        """From the first authorization on, clients need one; it allows what it names, and goes as it came."""
        bearer = self.cli("authorize", "robot").partition(": ")[2].strip()
        words = self.cli("authorize", "alice", "--basic", "--path", "/api/v0/cat").split()
        address = client_address(self.port)
        self.assertRaises(ErrorResponse, ipfshttpclient.connect, address)
        with ipfshttpclient.connect(address, headers={"Authorization": bearer}) as client:
            self.assertEqual(client.add_bytes(b"Mary had a little lamb"), LAMB)
        with ipfshttpclient.connect(address, username="alice", password=words[-1]) as client:
            self.assertEqual(client.cat(LAMB), b"Mary had a little lamb")
            refused = self.assertRaises(ErrorResponse, client.add_bytes, b"")
        self.assertIn("do not allow", str(refused))
        self.assertEqual(self.cli("cat", LAMB), "Mary had a little lamb")
        for name in ("robot", "alice"):
            self.assertIn(name, self.cli("authorizations"))
            self.cli("unauthorize", name)
        logs = b"".join(path.read_bytes() for path in (self.node.home / "logs").glob("*.log"))
        self.assertNotIn(words[-1].encode(), logs)

    def folders_by_command(self) -> None:
        """Who knows the words of IPFS adds folders and standard input, and gets them back under any name, as new."""
        folder, began = str(self.base / "d"), time.time() - 2
        (root,) = self.cli("add", "-r", "-Q", folder).split()
        self.assertEqual(self.cli("add", "-q", folder).split()[-1], root)
        (cid,) = self.cli("add", "-q", "-", input="Mary had a little lamb").split()
        self.assertEqual(cid, LAMB)
        self.assertIn(f"{LAMB} is no directory but a file of 22 bytes", self.cli("ls", LAMB))
        self.assertIn(f"{EMPTY} is empty", self.cli("ls", self.client.object.new("unixfs-dir")["Hash"]))
        there, under = self.base / "there", self.base / "under"
        self.assertIn(f"written to {there}", self.cli("get", root, "-o", str(there)))
        self.assertEqual((there / "sub" / "b").read_text(), "there")
        self.assertGreater((there / "sub" / "b").stat().st_mtime, began)
        self.assertIn("exists; take another name", self.cli("get", root, "-o", str(there), code=1))
        self.assertIn(str(under / "b"), self.cli("get", f"{root}/sub/b", str(under)))
        self.assertEqual((under / "b").read_text(), "there")
        watched = self.patch(ipfs_by_command, "is_watched", lambda session: True)
        self.assertIn("adding", self.cli("add", folder))
        self.assertIn("getting", self.cli("get", root, "-o", str(self.base / "bar")))
        self.assertIn("exporting", self.cli("export", root, str(self.base / "c")))
        self.assertIn("importing", self.cli("import", str(self.base / "c")))
        watched.restore()
        self.assertIn("--parents", self.cli("files", "mkdir", "/x/y", code=1))
        self.assertIn("--parents", self.cli("files", "cp", f"/ipfs/{root}", "/x/y", code=1))

    def files_by_command(self) -> None:
        """The command line writes, shows, moves and removes files with names."""
        source = self.base / "source"
        source.write_text("hello")
        self.assertIn("is empty", self.cli("files"))
        self.assertIn("--parents", self.cli("files", "write", "/a/b", str(source), code=1))
        self.cli("files", "write", "--parents", "/a/b", str(source))
        self.cli("files", "write", "--offset", "4", "/a/b", str(source))
        self.assertEqual(self.cli("files", "read", "/a/b"), "hellhello")
        self.assertEqual(self.cli("files", "read", "--offset", "4", "--count", "2", "/a/b"), "he")
        self.cli("files", "mkdir", "/c")
        self.cli("files", "cp", "/a/b", "/c/d")
        self.cli("files", "mv", "/c/d", "/e")
        self.assertIn("e     file", self.cli("files", "ls", "/"))
        self.assertRegex(self.cli("pins"), r"Qm\w+ +root +no, [\d.]+ \w+ +mfs\n")
        self.assertIn(self.client.files.stat("/e")["Hash"], self.cli("files", "stat", "/e"))
        self.assertIn("use -r", self.cli("files", "rm", "/a", code=1))
        self.cli("files", "rm", "-r", "/a", "/c", "/e")
        self.assertIn("is empty", self.cli("files", "ls"))
        self.assertIn(" blocks are gone", self.cli("gc"))

    def names_of_files(self, client: Any) -> None:
        """What the reference of the client prints of MFS."""
        files, empty = client.files, {"Size": 0, "Hash": "", "Type": 0}
        files.mkdir("/test")
        self.assertEqual(files.ls("/"), {"Entries": [{"Name": "test"} | empty]})
        printed = {"Hash": EMPTY, "Size": 0, "CumulativeSize": 4, "Type": "directory", "Blocks": 0}
        self.assertEqual(files.stat("/test"), printed)
        files.cp("/test", "/bla")
        files.write("/test/file", io.BytesIO(b"hi"), create=True)
        files.mv("/test/file", "/bla/file")
        self.assertEqual(files.read("/bla/file"), b"hi")
        self.node.kill()
        self.start()
        files = self.client.files
        self.assertEqual(files.read("/bla/file", offset=1, count=1), b"i")
        files.rm("/bla/file")
        files.rm("/bla", recursive=True)
        self.assertEqual([row["Name"] for row in files.ls("/")["Entries"]], ["test"])
        self.assertIn("file does not exist", str(self.assertRaises(ErrorResponse, files.stat, "/bla")))

    def nodes_and_values(self, client: Any) -> None:
        """What the reference of the client prints of objects and of the DAG."""
        thing, patch = client.object, client.object.patch
        empty = thing.new()["Hash"]
        self.assertEqual(empty, "QmdfTbBqBPQ7VNxZEYEj14VmRuZBkqFbiwReogJgS1zR1n")
        self.assertEqual(patch.append_data(empty, io.BytesIO(b"bla")), patch.set_data(empty, io.BytesIO(b"bla")))
        root = patch.add_link(empty, "a", EMPTY)["Hash"]
        links = [{"Name": "a", "Hash": EMPTY, "Size": 4}]
        self.assertEqual(thing.links(root), {"Hash": root, "Links": links})
        self.assertEqual(thing.get(root), {"Data": "", "Links": links})
        names = {"Hash", "NumLinks", "BlockSize", "LinksSize", "DataSize", "CumulativeSize"}
        self.assertEqual((set(thing.stat(root)), thing.data(root)), (names, b""))
        self.assertEqual(patch.rm_link(root, "a"), {"Hash": empty})
        self.assertEqual(thing.diff(empty, root)["Changes"][0]["After"], {"/": EMPTY})
        body = io.BytesIO(json.dumps({"Data": "", "Links": links}).encode())
        self.assertEqual(thing.put(body), {"Hash": root, "Links": links})
        cid = client.dag.put(io.BytesIO(b'{"a": [1]}'))["Cid"]["/"]
        self.assertEqual(client.dag.get(cid), {"a": [1]})
        self.assertEqual(client.dag.resolve(f"{cid}/a"), {"Cid": {"/": cid}, "RemPath": "a"})
        self.assertEqual(client.resolve(f"/ipfs/{cid}/a"), {"Path": f"/ipfs/{cid}/a"})
        packed = client.dag.export(root)
        file = self.base / "root.car"
        self.assertEqual(self.cli("export", root, str(file)), "")
        self.assertEqual((file.read_bytes(), os.listdir(file.parent).count("root.car")), (packed, 1))
        self.assertEqual(self.cli("import", str(file)), f"{root}\n")
        self.assertEqual(client.dag.imprt(io.BytesIO(packed))["Root"]["Cid"], {"/": root})
        self.assertIn(root, client.pin.ls(type="recursive")["Keys"])
