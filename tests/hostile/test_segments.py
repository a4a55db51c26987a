"""A stolen device writes segments of the history: a recovered home reads in all the others."""

import base64
import json
import os
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from twisted.internet.defer import fail

from bitdust.crypt.sealing import hkdf
from bitdust.people.history.archive import _INFO, AFTER, AGAIN, MOST_READ, READ, SETTING, Archive
from bitdust.wire.errors import BitDustError
from tests.unit.history_kit import HistoryCase
from tests.unit.test_message_archive import Shelf

SECRET = b"s" * 32
GOOD = {
    "at": 5, "id": "aa" * 16, "kind": "private_message", "conversation": "c", "sender": "bb" * 32,
    "sender_device": "cc" * 8, "recipient": "r", "recipient_key": "master", "time": 5, "sequence": 1,
    "data": {"text": "good"}, "direction": "incoming",
}  # fmt: skip
BAD: tuple[dict[str, Any], ...] = (
    {"id": "no id"}, {"id": 5}, {"id": "dd" * 15}, {"at": -1}, {"at": 2**70}, {"at": "soon"}, {"time": 2**70},
    {"sequence": 0}, {"sequence": 1.5}, {"sequence": "1"}, {"data": []}, {"data": None}, {"data": {"x": "\ud800"}},
    {"conversation": ["c"]}, {"conversation": "c" * 400}, {"direction": "sideways"}, {"kind": "other"},
    {"sender": "bb"}, {"sender": 5}, {"recipient": None}, {"more": 1},
)  # fmt: skip


class SegmentTests(HistoryCase):
    def test_what_is_no_message(self) -> None:
        """Lines that no history has stored, and files that are no segments, keep nothing back."""
        self.settings.values[SETTING] = True
        shelf = Shelf(Path(self.mktemp()).absolute())
        shelf.keys = [SECRET]
        lines = [self.line(**GOOD | {"id": f"{number:032x}"} | bad) for number, bad in enumerate(BAD)]
        lines = [*lines, b"no base64 \xff", self.sealed(b"5"), self.sealed(b"[]"), self.line(**GOOD)]
        (shelf.folder / "stolen-0000000000000001").write_bytes(b"\n".join(lines))
        with (shelf.folder / "stolen-0000000000000002").open("wb") as stream:
            stream.truncate(MOST_READ + 1)
        archive = Archive(self.around, self.history)  # type: ignore[arg-type]
        archive.segments = shelf
        archive.start()
        self.addCleanup(archive.stop)
        self.around.world.clock.advance(AFTER)
        self.assertEqual(self.successResultOf(self.history.fact(READ)), 1)
        self.assertEqual(self.successResultOf(self.history.counts())["messages"], 1)

    def test_one_that_nobody_gives(self) -> None:
        """A segment that was made up, so that it is nowhere, keeps no other one from being read in."""
        self.settings.values[SETTING] = True
        shelf = Shelf(Path(self.mktemp()).absolute())
        shelf.keys = [SECRET]
        for name in ("honest-0000000000000001", "stolen-0000000000000001"):
            (shelf.folder / name).write_bytes(self.line(**GOOD | {"id": name[:6].encode().hex().ljust(32, "0")}))
        bring, code = shelf.bring, ["no-answer"]

        def lie(name: str, folder: Path) -> Any:
            made_up = name.startswith("stolen")
            return fail(BitDustError(code[0], "nobody has it")) if made_up else bring(name, folder)

        shelf.bring = lie
        archive = Archive(self.around, self.history)  # type: ignore[arg-type]
        archive.segments = shelf
        archive.start()
        self.addCleanup(archive.stop)
        self.around.world.clock.advance(AFTER)
        self.assertEqual(self.successResultOf(self.history.counts())["messages"], 0)
        code[0] = "incomplete"
        self.around.world.clock.advance(AGAIN)
        self.assertEqual(self.successResultOf(self.history.counts())["messages"], 1)

    def line(self, **value: Any) -> bytes:
        return self.sealed(json.dumps(value).encode())

    def sealed(self, text: bytes) -> bytes:
        nonce = os.urandom(12)
        return base64.b64encode(nonce + AESGCM(hkdf(SECRET, _INFO)).encrypt(nonce, text, _INFO))
