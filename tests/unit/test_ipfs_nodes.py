"""Nodes and values of IPFS over the block store: `object/*`, `dag/*`, and CAR files in and out."""

import base64
import json
import os
from typing import Any

from bitdust.blocks.values import Unpin
from bitdust.ipfs import nodes
from bitdust.ipld import car, dagcbor, dagpb
from bitdust.ipld.cid import DAG_CBOR, DAG_PB, Block, Cid
from tests.unit.ipfs_kit import EMPTY_FOLDER, Given, IpfsCase

LINKED = "QmXg9Pp2ytZ14xgmQjYEiHjVjMFXzCVVEcRTWJBmLgR39V"
LINK = {"Name": "some link", "Hash": LINKED, "Size": 8}
ANOTHER = {"Data": "another", "Links": [LINK]}
PUT = "QmZZmY4KCu9r3e7M2Pcn46Fc5qbn6NpzaAGaYb22kbfTqm"
APPENDED = "QmR79zQQj2aDfnrNgczUhvf2qWapEfQ82YQRt3QjrbhSb2"
WITH_LINK = "QmNtXbF3AjAk59gQKRgEdVabHcSsiPUnJwHnZKyj2x8Z3k"
"""What the reference of the Python client prints."""


def body(value: Any) -> bytes:
    return json.dumps(value).encode()


class ObjectTests(IpfsCase):
    def test_the_printed_examples(self) -> None:
        """Every object that the reference of the Python client makes has the hash that is printed there."""
        empty = "QmdfTbBqBPQ7VNxZEYEj14VmRuZBkqFbiwReogJgS1zR1n"
        self.assertEqual(self.rpc("object/new"), {"Hash": empty})
        self.assertEqual(self.rpc("object/new", "unixfs-dir"), {"Hash": EMPTY_FOLDER})
        self.assertEqual(self.rpc("object/put", body=body(ANOTHER)), {"Hash": PUT, "Links": [LINK]})
        self.assertEqual(self.rpc("object/patch/append-data", PUT, body=b"bla"), {"Hash": APPENDED})
        self.assertEqual(self.rpc("object/patch/add-link", APPENDED, "Johnny", APPENDED), {"Hash": WITH_LINK})
        self.assertEqual(self.rpc("object/patch/rm-link", WITH_LINK, "Johnny"), {"Hash": APPENDED})
        changed = {"Hash": "QmSw3k2qkv4ZPsbu9DVEJaTMszAQWNgM1FTFYpfZeNQWrd"}
        self.assertEqual(self.rpc("object/patch/set-data", WITH_LINK, body=b"bla"), changed)
        self.assertEqual(self.rpc("object/get", PUT), {"Links": [LINK], "Data": "another"})
        self.assertEqual(self.rpc("object/data", PUT), b"another")
        self.assertEqual(self.rpc("object/links", PUT), {"Hash": PUT, "Links": [LINK]})
        figures = self.rpc("object/stat", PUT)
        self.assertEqual((figures["NumLinks"], figures["DataSize"], figures["BlockSize"]), (1, 7, 60))
        self.assertEqual((figures["LinksSize"], figures["CumulativeSize"], figures["Hash"]), (53, 68, PUT))

    def test_encodings(self) -> None:
        """Data that is no text comes and goes in base 64; a whole node comes as its bytes."""
        data = b"\x00\xff\xfe"
        given = {"Data": base64.b64encode(data).decode(), "Links": []}
        made = self.rpc("object/put", body=body(given), datafieldenc="base64", pin=True)["Hash"]
        self.assertEqual(self.rpc("object/data", made), data)
        self.assertEqual(self.rpc("object/get", made, data_encoding="base64")["Data"], given["Data"])
        block = dagpb.encode([dagpb.Link(Cid.parse(LINKED), "x", 3)], b"d")
        self.assertEqual(self.rpc("object/put", body=block, inputenc="protobuf")["Hash"], str(Cid.v0(block)))
        self.assertEqual([str(pin.cid) for pin in self.all_of(self.room.pins())], [made])

    def test_what_is_refused(self) -> None:
        """What is no object gets an error that says so, and nothing is stored."""
        bad = ({"Links": [{"Hash": LINKED, "Size": -1}]}, {"Links": [{}]}, [], {"Data": 1}, "x", {"Links": ["x"]})
        for given in bad:
            self.rpc_fails("bad-call", "object/put", body=body(given))
        self.assertEqual(self.rpc_fails("no-node", "object/put", body=b"{}"), "no data or links in this node")
        self.rpc_fails("bad-call", "object/put", body=b"{", inputenc="json")
        self.rpc_fails("malformed", "object/put", body=b"\xff", inputenc="protobuf")
        self.rpc_fails("bad-call", "object/put", body=b"{}", inputenc="xml")
        self.assertEqual(self.here(), set())
        self.rpc_fails("bad-call", "object/new", "what")
        raw = self.rpc("block/put", body=b"raw", format="raw")["Key"]
        self.assertIn("expected protobuf dag node", self.rpc_fails("no-node", "object/get", raw))
        self.assertEqual(self.rpc("object/links", raw)["Links"], [])

    def test_links_at_paths(self) -> None:
        """A link deep below changes all nodes above it; nodes on the way are made only where that was said."""
        root, leaf = self.rpc("object/new", "unixfs-dir")["Hash"], self.add(Given(b"f", b"hi"))["f"]
        self.rpc_fails("no-link", "object/patch/add-link", root, "a/b/f", leaf)
        made = self.rpc("object/patch/add-link", root, "a/b/f", leaf, create=True)["Hash"]
        self.assertEqual(self.cat(f"{made}/a/b/f"), b"hi")
        self.assertEqual(made, self.wrapped(b"a/b/f"))
        self.assertEqual(self.rpc("object/patch/rm-link", made, "a/b/f")["Hash"] == made, False)
        text = self.rpc_fails("no-link", "object/patch/rm-link", made, "a/x")
        self.assertIn('no link named "x" under', text)

    def wrapped(self, name: bytes) -> str:
        return self.add(Given(name, b"hi"), wrap=True)[""]

    def test_differences(self) -> None:
        """Two trees differ in what was added, removed and changed, by path; equal ones in nothing."""
        one = self.add(Given(b"d/a", b"1"), Given(b"d/gone", b"2"), Given(b"d/s/x", b"3"))
        other = self.add(Given(b"d/a", b"9"), Given(b"d/new", b"2"), Given(b"d/s/x", b"3"))
        changes = self.rpc("object/diff", one["d"], other["d"])["Changes"]
        a = {"Type": 2, "Path": "a", "Before": {"/": one["d/a"]}, "After": {"/": other["d/a"]}}
        gone = {"Type": 1, "Path": "gone", "Before": {"/": one["d/gone"]}, "After": None}
        new = {"Type": 0, "Path": "new", "Before": None, "After": {"/": other["d/new"]}}
        self.assertEqual(changes, [a, gone, new])
        self.assertEqual(self.rpc("object/diff", one["d"], one["d"]), {"Changes": []})
        leaf = self.rpc("object/diff", one["d/a"], other["d/a"])["Changes"]
        self.assertEqual(leaf, [a | {"Path": ""}])

    def test_too_much_to_compare(self) -> None:
        """Trees that would have to be compared again and again are given up."""
        self.patch(nodes, "MOST_COMPARED", 50)
        roots = [self.add(Given(b"f", name))["f"] for name in (b"1", b"2")]
        for _ in range(8):
            new = self.rpc("object/new")["Hash"]
            roots = [
                self.rpc("object/patch/add-link", self.rpc("object/patch/add-link", new, "a", root)["Hash"], "b", root)[
                    "Hash"
                ]
                for root in roots
            ]
        self.rpc_fails("too-large", "object/diff", *roots)


class DagTests(IpfsCase):
    def test_values(self) -> None:
        """A value has the CID that the reference prints, and comes back with its links and bytes."""
        printed = {"Data": "another", "Links": [LINK | {"Hash": "QmXg9Pp2ytZ14xgmQjYEiHjVjMFXzCV … R39V"}]}
        made = self.rpc("dag/put", body=body(printed))
        self.assertEqual(made, {"Cid": {"/": "bafyreifgjgbmtykld2e3yncey3naek5xad3h4m2pxmo3of376qxh54qk34"}})
        self.assertEqual(self.rpc("dag/get", made["Cid"]["/"]), printed)
        leaf = self.add(Given(b"f", b"hi"))["f"]
        value = {"a": [1, None, 1.5, {"x": {"/": leaf}}], "b": {"/": {"bytes": "AAE"}}}
        cid = self.rpc("dag/put", body=body(value), pin=False)["Cid"]["/"]
        self.assertEqual(self.rpc("dag/get", cid), value)
        self.assertEqual(self.rpc("dag/get", f"{cid}/a/2"), 1.5)
        self.assertEqual(self.rpc("dag/resolve", f"/ipfs/{cid}/a/3"), {"Cid": {"/": cid}, "RemPath": "a/3"})
        self.assertEqual(self.rpc("dag/resolve", f"{cid}/a/3/x"), {"Cid": {"/": leaf}, "RemPath": ""})
        self.assertEqual(self.rpc("resolve", f"/ipfs/{cid}/a/0"), {"Path": f"/ipfs/{cid}/a/0"})
        self.assertEqual(self.rpc("cat", f"{cid}/a/3/x"), b"hi")
        self.rpc_fails("no-link", "cat", f"{cid}/a/3")
        self.rpc_fails("no-link", "dag/get", f"{cid}/a/9")
        self.assertEqual(self.rpc("dag/get", f"{cid}/b", output_codec="raw"), b"\x00\x01")
        pinned = {str(pin.cid) for pin in self.all_of(self.room.pins())}
        self.assertEqual((made["Cid"]["/"] in pinned, cid in pinned), (True, False))

    def test_nodes(self) -> None:
        """A dag-pb node is shown as version 0.6 shows it, and taken in that form and in today's."""
        added = self.add(Given(b"d/a", b"hi"))
        shown = self.rpc("dag/get", added["d"])
        self.assertEqual(shown, {"data": "CAE=", "links": [{"Name": "a", "Size": 10, "Cid": {"/": added["d/a"]}}]})
        for given in (shown, json.loads(self.rpc("dag/get", added["d"], output_codec="dag-json"))):
            cid = Cid.parse(self.rpc("dag/put", body=body(given), format="protobuf")["Cid"]["/"])
            self.assertEqual(str(cid.to_v0()), added["d"])

    def test_codecs(self) -> None:
        """Blocks come as they are, or from one codec into another; what is none is refused."""
        data = dagcbor.encode({"a": 1})
        as_json = (b'{"a":1}', {"input_codec": "dag-json"})
        for given, options in ((data, {"input_enc": "raw"}), (data, {"input_codec": "dag-cbor"}), as_json):
            made = self.rpc("dag/put", body=given, **options)["Cid"]["/"]
            self.assertEqual(made, str(Cid.of(data, DAG_CBOR)))
        made = self.rpc("dag/put", body=b'{"a":1}', store_codec="dag-json", hash="sha2-512")["Cid"]["/"]
        self.assertEqual(self.rpc("block/get", made), b'{"a":1}')
        for given, options in ((b"{", {}), (b"\xff", {"input_enc": "raw"}), (b'{"a":1}', {"format": "protobuf"})):
            self.rpc_fails("malformed", "dag/put", body=given, **options)
        self.rpc_fails("bad-call", "dag/put", body=b"{}", format="what")

    def test_numbers(self) -> None:
        """JSON by its old name gives floats, as version 0.6 made them, where a float can say the number."""
        made = self.rpc("dag/put", body=body({"a": [1, 1 << 60, (1 << 60) + 1, -0.5]}))["Cid"]["/"]
        expected = {"a": [1.0, float(1 << 60), (1 << 60) + 1, -0.5]}
        self.assertEqual(made, str(Cid.of(dagcbor.encode(expected), DAG_CBOR)))
        self.assertEqual(repr(self.rpc("dag/get", made)), repr({"a": [1, 1 << 60, (1 << 60) + 1, -0.5]}))

    def test_stat(self) -> None:
        """How many blocks there are below a root, each counted once, and how many bytes they have."""
        added = self.add(Given(b"d/a", b"hi"), Given(b"d/b", b"hi"))
        size = sum(len(self.came(self.store.get(self.cid(one)))) for one in (added["d"], added["d/a"]))
        self.assertEqual(self.rpc("dag/stat", added["d"]), {"Size": size, "NumBlocks": 2})


class CarTests(IpfsCase):
    def test_there_and_back(self) -> None:
        """A tree goes out as a CAR, is forgotten, and comes in again from it, byte for byte; its root is pinned."""
        data = os.urandom(700_000)
        root = self.add(Given(b"d/a", data), Given(b"d/b", b"hi"), Given(b"d/c", b"hi"))["d"]
        packed = self.rpc("dag/export", root)
        self.came(self.store.apply(Unpin(self.cid(root))))
        self.collect()
        self.assertEqual(self.here(), set())
        self.assertEqual(self.rpc("dag/import", body=packed), [{"Root": {"Cid": {"/": root}, "PinErrorMsg": ""}}])
        self.assertEqual(self.cat(f"{root}/a"), data)
        self.collect()
        self.again()
        self.assertEqual(self.rpc("dag/export", root), packed)
        self.assertEqual(self.rpc("dag/import", body=packed, silent=True), [])

    def test_without_pins(self) -> None:
        """What is not to be pinned goes with the next collection; an import can be followed like an add."""
        block = Block(Cid.of(b"x"), b"x")
        packed = car.header([block.cid]) + car.section(block)
        moves: list[tuple[str, str]] = []
        forget = self.around.registry.on_transition(lambda move: moves.append((move.id, move.new)))
        self.assertEqual(self.rpc("dag/import", body=packed, pin_roots=False), [])
        self.clock.advance(0)
        forget()
        states = [state for ident, state in moves if ident == "ipfs_add(car 1)"]
        self.assertEqual(states, ["RECEIVING", "STORING", "DONE"])
        self.gets(block)
        self.collect()
        self.assertEqual(self.here(), set())

    def test_roots_that_cannot_be_pinned(self) -> None:
        """A root of which something is missing, or which is none, says why; the others are pinned, all is stored."""
        whole, absent = Block(Cid.of(b"x"), b"x"), Cid.of(b"absent")
        data = dagpb.encode([dagpb.Link(absent, "a", 6)])
        open_one, none = Block(Cid.of(data, DAG_PB), data), Block(Cid.of(b"\xff", DAG_CBOR), b"\xff")
        roots = [open_one.cid, whole.cid, absent, none.cid]
        packed = car.header(roots) + b"".join(map(car.section, (open_one, whole, none)))
        rows = [row["Root"] for row in self.rpc("dag/import", body=packed)]
        self.assertEqual([row["Cid"]["/"] for row in rows], list(map(str, roots)))
        self.assertEqual([bool(row["PinErrorMsg"]) for row in rows], [True, False, True, True])
        self.assertEqual([pin.cid for pin in self.all_of(self.room.pins())], [whole.cid])
        self.gets(open_one, whole, none)

    def test_what_is_refused(self) -> None:
        """A CAR that ends early, or with a block that is something else, pins nothing."""
        block = Block(Cid.of(b"x"), b"x")
        whole = car.header([block.cid]) + car.section(block)
        wrong = car.header([block.cid]) + car.section(Block(block.cid, b"y"))
        for data, code in ((whole[:-1], "malformed"), (b"", "malformed"), (wrong, "mismatch"), (b"junk", "malformed")):
            self.rpc_fails(code, "dag/import", body=data)
        self.assertEqual(self.all_of(self.room.pins()), [])

    def test_a_block_that_is_missing(self) -> None:
        """An export of what is not all here ends with an error, never like a whole one."""
        data = dagpb.encode([dagpb.Link(Cid.of(b"absent"), "a", 6)])
        self.run_now(self.room.put([Block(Cid.of(data, DAG_PB), data)]))
        self.rpc_fails("not-found", "dag/export", str(Cid.of(data, DAG_PB)))
        self.rpc_fails("not-found", "dag/export", str(Cid.of(b"absent")))
