"""The body of a message: every field is back, and nothing else is taken."""

from attrs import evolve
from twisted.trial.unittest import TestCase

from bitdust.wire.encoding import WireError, decode, encode
from bitdust.wire.messages import (
    MAX_DATA,
    MAX_DEPTH,
    OUTGOING,
    PRIVATE,
    Message,
    conversation_of,
    json_object,
    json_text,
)

ALICE, BOB = b"\x02" * 32, b"\x01" * 32
MESSAGE = Message(
    "00112233445566778899aabbccddeeff", PRIVATE, conversation_of(ALICE, BOB), ALICE, b"8 bytes!", BOB.hex(), "master",
    1_700_000_000_123, 7, {"text": "Grüße", "half": 0.5, "big": 2**70, "none": None, "list": [True, {"deep": [1]}]},
)  # fmt: skip


class BodyTests(TestCase):
    def test_every_field_is_back(self):
        """Numbers with fractions and of any size are back as they were; the direction is the reader's."""
        self.assertEqual(Message.from_body(MESSAGE.to_body()), MESSAGE)
        self.assertEqual(Message.from_body(MESSAGE.to_body(), OUTGOING), MESSAGE.outgoing())

    def test_a_conversation_has_one_name(self):
        """Both people call it the same."""
        self.assertEqual(conversation_of(ALICE, BOB), conversation_of(BOB, ALICE))
        self.assertEqual(conversation_of(ALICE, BOB), f"{'01' * 32}&{'02' * 32}")

    def test_no_object(self):
        """What is no JSON object is refused where it is written and where it is read."""
        for data in ("text", [1], None, {"x": float("nan")}, {"x": b"bytes"}, {"x": "\ud800"}):
            self.assertEqual(self.assertRaises(WireError, json_text, data).code, "bad-message")
        for text in (
            b"[1]",
            b"1",
            b'{"x": NaN}',
            b"{",
            b"\xff\xff",
            b'{"x":' + b"[" * 100_000,
            rb'{"x": "\ud800"}',
            b'{"x": 1e999}',
            b'{"x": ' + b"[" * MAX_DEPTH + b"]" * MAX_DEPTH + b"}",
        ):
            self.assertEqual(self.assertRaises(WireError, json_object, text).code, "bad-message")

    def test_deep(self):
        """A hundred levels travel, and many lists beside each other; one level more does not."""
        deep = {"x": [[[]] * 200]}
        for _ in range(MAX_DEPTH - 4):
            deep = {"x": deep}
        self.assertEqual(json_object(json_text(deep)), deep)
        self.assertEqual(self.assertRaises(WireError, json_text, {"x": deep}).code, "bad-message")

    def test_a_megabyte(self):
        """A megabyte of JSON travels; a byte more is refused, not cut."""
        frame = len(json_text({"x": ""}))
        whole = evolve(MESSAGE, data={"x": "a" * (MAX_DATA - frame)})
        self.assertEqual(Message.from_body(whole.to_body()), whole)
        with self.assertRaises(WireError) as caught:
            evolve(MESSAGE, data={"x": "a" * (MAX_DATA - frame + 1)}).to_body()
        self.assertEqual(caught.exception.code, "too-large")

    def test_malformed(self):
        """A field that is missing, unknown, or of another form is refused."""
        good = decode(MESSAGE.to_body(), 4096)
        for change in ({"id": b"short"}, {"sequence": 0}, {"kind": "other"}, {"more": 1}, {"sender": "text"}):
            self.assertRaises(WireError, Message.from_body, encode({**good, **change}))
        self.assertRaises(WireError, Message.from_body, encode({key: good[key] for key in good if key != "time"}))
        self.assertRaises(WireError, Message.from_body, MESSAGE.to_body()[:-1])
