"""What reads bytes and texts of others for IPFS, beside the formats of `bitdust.ipld`: each means something, or is
refused in words."""

import hashlib
from pathlib import Path
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from bitdust.blocks.backup.formats import MAGIC, Told, read_index, read_state, write_index, write_state
from bitdust.blocks.packs import record, records
from bitdust.blocks.saving import Described
from bitdust.blocks.values import Mode, Pin
from bitdust.disk.disk import Disk
from bitdust.ipfs.durations import read_duration
from bitdust.ipfs.mfs_paths import parse_mfs
from bitdust.ipfs.paths import parse
from bitdust.ipfs.pubsub.message import MESSAGE_FIELDS, TopicMessage
from bitdust.ipld.cid import Block, Cid
from bitdust.web.ipfs.arguments import BadCall, fields
from bitdust.web.ipfs.commands.pubsub import Topic
from bitdust.wire.encoding import WireError, decode, encode
from bitdust.wire.errors import BitDustError
from tests.vectors.keys import device

FAST = settings(max_examples=200, deadline=None, database=None)
CIDS = [Cid.of(b"a"), Cid.v0(b"b"), Cid.of(b"c", 0x71)]
INDEX = write_index(1000, [Described(CIDS[0], 59, 100, tuple(CIDS[1:])), Described(CIDS[1], 200, 800)])
STATE = write_state(
    Told(1, [Pin(CIDS[0], Mode.RECURSIVE, "a")], {"mfs": CIDS[1]}, ["s"], {"keys": b"k"}, {"d": 5}), bytes(32)
)
CHANGE = st.tuples(st.integers(0, 10_000), st.binary(max_size=8), st.integers(0, 8))
"""Where bytes are put, which ones, and how many are taken away there."""
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 63), (1 << 64) - 1) | st.binary(max_size=40) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def changed(data: bytes, change: tuple[int, bytes, int]) -> bytes:
    at, put, gone = change[0] % (len(data) + 1), change[1], change[2]
    return data[:at] + put + data[at + gone :]


class BackupTests(SynchronousTestCase):
    @FAST
    @given(CHANGE, st.booleans())
    @example((len(MAGIC) + 8 + 12, b"\xff\xff\xff\xff", 4), True)
    def test_index_of_a_segment(self, change: Any, is_summed: bool) -> None:
        """An index whose bytes were changed is refused; where its checksum was made anew, it names no block that a
        segment cannot have."""
        body = changed(INDEX[:-32], change)
        data = body + (hashlib.sha256(body).digest() if is_summed else INDEX[-32:])
        try:
            size, blocks = read_index(data)
        except WireError as error:
            self.assertEqual(error.code, "malformed")
            return
        self.assertTrue(is_summed or data == INDEX)
        self.assertTrue(all(one.offset + one.size <= size for one in blocks))
        self.assertEqual(write_index(size, blocks)[:-32], body)

    @FAST
    @given(CHANGE)
    def test_state_of_a_device(self, change: Any) -> None:
        """What a device has told, of which some bytes were changed, is refused or says something of the same kind."""
        self.is_told(changed(STATE, change))

    @FAST
    @given(st.sampled_from(sorted(decode(STATE, len(STATE)))), VALUES)
    def test_fields_of_a_state(self, name: str, value: Any) -> None:
        """Any value in the place of one of its fields is refused, or is taken for what it says."""
        self.is_told(encode({**decode(STATE, len(STATE)), name: value}))

    def is_told(self, data: bytes) -> None:
        try:
            told = read_state(data, [bytes(32)])
        except WireError:
            return
        self.assertTrue(all(isinstance(pin, Pin) for pin in told.pins))
        self.assertTrue(all(type(record) is bytes for record in told.records.values()))


class PackTests(SynchronousTestCase):
    @FAST
    @given(CHANGE)
    def test_records(self, change: Any) -> None:
        """A pack that nobody knows is read up to the first record that is none, and never beyond its end."""
        blocks = [Block(cid, data) for cid, data in zip(CIDS, (b"a", b"b", b"c"), strict=True)]
        whole = b"BitDust blocks 1" + b"".join(b"".join(record(block)) for block in blocks)
        data = changed(whole, change)
        path = Path(self.mktemp())
        path.write_bytes(data)
        found = list(records(Disk(), path))
        path.unlink()
        self.assertLessEqual(len(found), len(data) // 16)
        for _, offset, _ in found:
            self.assertLessEqual(offset, len(data))


class MessageTests(SynchronousTestCase):
    SAID = TopicMessage.said(device(), b"news", 1, 2, b"hello")

    @FAST
    @given(st.sampled_from(("topic", "author", "number", "time", "signature")), VALUES)
    def test_a_message(self, name: str, value: Any) -> None:
        """A message of which a field was changed is refused, by its form or by its signature."""
        given_fields = {**self.SAID.to_fields(), name: value}
        if given_fields == self.SAID.to_fields():
            return
        with self.assertRaises(WireError):
            MESSAGE_FIELDS.check(given_fields, "message")
            TopicMessage.read(given_fields, self.SAID.data)

    @FAST
    @given(st.binary(max_size=60))
    def test_topics(self, name: bytes) -> None:
        """A topic that is written is read as the same one, as text and as multibase."""
        text = name.decode("utf-8", "surrogateescape")
        if name and not text.startswith("u"):
            self.assertEqual(Topic.parse(text).name, name)
        try:
            is_text = name.decode().isprintable() and bool(name)
        except UnicodeDecodeError:
            is_text = False
        if is_text:
            self.assertEqual(Topic.parse(Topic(b"", True).write(name)), Topic(name, True))


class TextTests(SynchronousTestCase):
    @FAST
    @given(st.text("0123456789.hmnsuµ-+e ", max_size=120))
    @example("9" * 40 + "h")
    @example("1" * 99 + "s")
    def test_durations(self, text: str) -> None:
        """A text is a time of at most 292 years, as Go counts them, or is refused."""
        try:
            seconds = read_duration(text)
        except ValueError:
            return
        self.assertTrue(0 <= seconds < 2**63 / 1e9)

    @FAST
    @given(st.text(max_size=80))
    def test_paths(self, text: str) -> None:
        """A path of content, and one of a file with a name, is read as it is written, or is refused."""
        for read in (parse, parse_mfs):
            for given_text in (text, f"/{text}", f"/ipns/{text}"):
                try:
                    found = read(given_text)
                except BitDustError:
                    continue
                self.assertEqual(str(read(str(found))), str(found))

    @FAST
    @given(st.binary(max_size=200))
    def test_queries(self, query: bytes) -> None:
        """Any query is names and values, or is refused."""
        try:
            found = fields(query)
        except BadCall:
            return
        self.assertLessEqual(len(found), query.count(b"&") + 1)
