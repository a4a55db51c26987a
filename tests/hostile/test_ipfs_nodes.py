"""CAR files, values and objects that are made to cost much, or to look like something else."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from bitdust.ipld import car, dagcbor, dagpb, varint
from bitdust.ipld.cid import DAG_CBOR, DAG_PB, LONGEST_BLOCK, Block, Cid
from bitdust.wire.errors import BitDustError
from tests.unit.ipfs_kit import IpfsCase

DEEP = 3000
BLOCK = Block(Cid.of(b"x"), b"x")
WHOLE = car.header([BLOCK.cid]) + car.section(BLOCK)


def chain(length: int) -> list[Block]:
    """Each block links to the one before."""
    blocks = [BLOCK]
    for _ in range(length):
        data = dagpb.encode([dagpb.Link(blocks[-1].cid, "n", 1)])
        blocks.append(Block(Cid.of(data, DAG_PB), data))
    return blocks


class CarTests(IpfsCase):
    def test_any_bytes(self) -> None:
        """Whatever comes as a CAR is refused in words, or is one; only what is there is pinned, under any codec."""

        @given(st.one_of(st.binary(max_size=300), st.tuples(st.integers(0, len(WHOLE) - 1), st.integers(1, 255))))
        @settings(max_examples=60, deadline=None, database=None)
        def take(what: bytes | tuple[int, int]) -> None:
            data = bytearray(WHOLE)
            if isinstance(what, bytes):
                data = bytearray(what)
            else:
                data[what[0]] ^= what[1]
            if bytes(data) != WHOLE:
                ended: list[Any] = []
                Deferred.fromCoroutine(self.answer("dag/import", (), bytes(data), {})).addBoth(ended.append)
                if isinstance(ended[0], Failure):
                    self.assertTrue(ended[0].check(BitDustError), ended[0])
                else:
                    self.assertIsInstance(ended[0], list)

        take()
        for pin in self.all_of(self.room.pins()):
            self.assertEqual(pin.cid.multihash, BLOCK.cid.multihash)
            self.gets(BLOCK)

    def test_lengths_that_are_not_true(self) -> None:
        """A length beyond every limit is refused at once, not when so many bytes have come."""
        for size in (LONGEST_BLOCK * 2, 1 << 40, (1 << 63) - 1):
            for before in (b"", car.header([BLOCK.cid])):
                self.rpc_fails("too-large", "dag/import", body=before + varint.encode(size) + b"\x01")

    def test_very_many_roots(self) -> None:
        """More roots than an import takes are refused."""
        roots = [Cid.of(number.to_bytes(3, "big")) for number in range(10_001)]
        self.rpc_fails("too-large", "dag/import", body=car.header(roots))

    def test_very_deep(self) -> None:
        """A long chain comes in, goes out and is counted without a stack that is as deep."""
        blocks = chain(DEEP)
        packed = car.header([blocks[-1].cid]) + b"".join(map(car.section, reversed(blocks)))
        (row,) = self.rpc("dag/import", body=packed)
        self.assertEqual(row["Root"]["PinErrorMsg"], "")
        self.assertEqual(self.rpc("dag/export", str(blocks[-1].cid)), packed)
        self.assertEqual(self.rpc("dag/stat", str(blocks[-1].cid))["NumBlocks"], DEEP + 1)
        other = self.rpc("object/patch/add-link", str(blocks[-1].cid), "x", str(BLOCK.cid))["Hash"]
        one = self.rpc("object/patch/rm-link", str(blocks[-1].cid), "n")["Hash"]
        self.assertEqual(len(self.rpc("object/diff", one, other)["Changes"]), 2)


class ValueTests(IpfsCase):
    def test_very_deep_values(self) -> None:
        """JSON and CBOR deeper than a value may be are refused in words, and so is a path longer than any is."""
        deep = b"[" * 100_000 + b"]" * 100_000
        self.rpc_fails("too-large", "dag/put", body=deep)
        self.rpc_fails("too-large", "dag/put", body=b"\x81" * 100_000 + b"\x80", input_enc="raw")
        self.rpc_fails("bad-call", "object/put", body=b'{"Links":' + deep + b"}")
        cid = self.rpc("dag/put", body=json.dumps({"a": 1}).encode())["Cid"]["/"]
        self.rpc_fails("bad-path", "dag/get", cid + "/a" * 2000)

    def test_a_value_that_lies(self) -> None:
        """A block that claims a million items and has none is refused without room for them."""
        data = b"\x9a\x7f\xff\xff\xff"
        cid = self.rpc("block/put", body=data, format="cbor")["Key"]
        self.assertRaises(BitDustError, dagcbor.decode, data)
        for path in ("dag/get", "dag/export", "dag/stat", "refs"):
            self.rpc_fails("malformed", path, cid)
        self.assertEqual(Cid.parse(cid).codec, DAG_CBOR)
