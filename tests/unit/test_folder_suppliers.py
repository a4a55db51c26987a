"""What suppliers are given of a folder: segments, indexes and lists by the byte, and what is known of them."""

import hashlib
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from bitdust.crypt.sealing import hkdf
from bitdust.folders.backup.formats import (
    RecordReader,
    Told,
    read_head,
    read_index,
    write_head,
    write_index,
    write_records,
)
from bitdust.folders.backup.index import MANY_SMALL, SEGMENT, SupplierIndex
from bitdust.wire.encoding import WireError
from tests.unit.folder_kit import Replica, encrypted_secret

KEY, NONCE = b"k" * 32, b"n" * 12


class FormatTests(SynchronousTestCase):
    def test_index(self) -> None:
        """An index tells where each chunk is; one that is cut or changed is none."""
        chunks = [(b"a" * 16, 5), (b"b" * 16, 7)]
        raw = write_index(chunks)
        self.assertEqual(raw[:16], b"BitDust chunks 1")
        self.assertEqual(raw[-32:], hashlib.sha256(raw[:-32]).digest())
        self.assertEqual(read_index(raw), [(b"a" * 16, 0, 5), (b"b" * 16, 5, 7)])
        for bad in (raw[:-1], b"x" + raw[1:], raw[:20] + b"x" + raw[21:], b""):
            self.assertRaises(WireError, read_index, bad)

    def test_list(self) -> None:
        """Head and records come back, the folder's secret by any key of those that are known; without, it is empty."""
        text = encrypted_secret().text
        told = Told(5, "photos", b"p" * 32, ["s1", "s2"], text)
        raw = write_head(told, KEY, NONCE)
        self.assertNotIn(text.encode(), raw)
        found, begin = read_head(raw + b"rest", [b"o" * 32, KEY])
        self.assertEqual((found, found.secret, begin), (told, text, len(raw)))
        self.assertEqual(read_head(raw, [b"o" * 32])[0].secret, "")
        for bad in (raw[:-1], b"x" + raw[1:], raw[:16] + b"\xff" + raw[17:], b""):
            self.assertRaises(WireError, read_head, bad, [KEY])
        self.assertNotEqual(hkdf(KEY, b"a"), hkdf(KEY, b"b"))

    def test_records_in_parts(self) -> None:
        """Records come out whole, wherever the list is cut; one that ends too early, or is too long, is refused."""
        records = [b"one", b"", b"three" * 100]
        raw = write_records(records)
        for step in (1, 5, 100, 10_000):
            reader = RecordReader()
            found = [one for at in range(0, len(raw), step) for one in reader.take(raw[at : at + step])]
            reader.end()
            self.assertEqual(found, records)
        reader = RecordReader()
        self.assertEqual(len(list(reader.take(raw[:-1]))), 2)
        self.assertRaises(WireError, reader.end)
        self.assertRaises(WireError, list, RecordReader().take(b"\xff\xff\xff\xff"))


class IndexTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.base = Path(self.mktemp())
        self.alice = Replica(self.base, "alice", encrypted_secret())
        self.addCleanup(self.alice.close)
        self.path = self.base / "suppliers.db"
        self.index = SupplierIndex(self.path, self.alice.store.journal)
        self.index.open()
        self.addCleanup(self.index.close)

    def names(self) -> list[bytes]:
        return [name for name, _ in self.index.due(100, ())]

    def follow(self) -> None:
        self.alice.scan()
        while self.index.follow(2):
            pass

    def save(self, segment: str, names: list[bytes], size: int = 10) -> None:
        self.index.add(segment, [(name, number * size, size) for number, name in enumerate(names)])

    def test_what_is_due(self) -> None:
        """What the folder has and suppliers have not is due, each chunk once; what no file has any more is not."""
        for name in ("a", "b", "c"):
            self.alice.write(name, f"content of {name}")
        self.alice.write("d", "content of a")
        self.follow()
        self.assertEqual((len(self.names()), self.index.figures().chunks), (3, 3))
        due = self.names()
        self.assertEqual(len(self.index.due(100, {due[0]})), 2)
        self.save("s", due[:2])
        self.assertEqual(self.names(), due[2:])
        self.assertEqual(self.index.figures().kept, 20)
        self.assertEqual([(spot.name, spot.offset) for spot in self.index.spots(due)], [(due[0], 0), (due[1], 10)])
        self.alice.remove("b")
        self.alice.remove("c")
        self.follow()
        self.assertEqual(self.index.figures().chunks, 1)
        self.index.forget("s")
        self.assertEqual((self.index.segments(), len(self.names())), ([], 1))

    def test_what_is_needed(self) -> None:
        """Segments of which no file has anything are not needed, but by lists of others that are not too old."""
        self.alice.write("a", "content of a")
        self.follow()
        self.save("live", self.names())
        self.save("dead", [b"x" * 16])
        self.assertEqual(self.index.needed(), ["live"])
        self.index.note_state("bob.state", "v1", 100, ["dead"])
        self.index.note_state("mine.state", "v1", 100, ["live", "more"])
        self.assertEqual(self.index.needed_by_others("mine.state", 50), {"dead"})
        self.assertEqual(self.index.needed_by_others("mine.state", 101), set())
        self.assertEqual(self.index.states(), {"bob.state": "v1", "mine.state": "v1"})
        self.index.note_head("bob.state", "v2", 101, ["dead"])
        self.assertEqual((self.index.states(), self.index.heads()["bob.state"]), ({"mine.state": "v1"}, "v2"))
        self.index.drop_states(["bob.state"])
        self.assertEqual(self.index.heads(), {"mine.state": "v1"})

    def test_made_anew(self) -> None:
        """A segment that is half empty is brought again as part of another one, and so are many small ones."""
        for number in range(MANY_SMALL):
            self.alice.write(f"f{number}", f"content {number}")
        self.follow()
        names = self.names()
        self.save("half", [*names[:1], b"x" * 16, b"y" * 16])
        self.save("whole", names[1:], SEGMENT // 4)
        self.index.choose_sparse()
        self.assertEqual(self.names(), names[:1])
        self.save("again", names[:1])
        self.assertEqual((self.names(), self.index.needed()), ([], ["again", "whole"]))
        for number, name in enumerate(names):
            self.save(f"small{number}", [name])
        self.index.choose_sparse()
        self.assertEqual(self.names(), names)

    def test_lost(self) -> None:
        """A damaged file is made anew, and so is what was followed of a journal that is another one."""
        self.alice.write("a", "content")
        self.follow()
        self.save("s", self.names())
        self.index.note_told(self.index.digest(), 7)
        self.assertEqual((self.index.is_told(7), self.index.is_told(8), self.index.told_at()), (True, False, 7))
        self.alice.store.journal.epoch = b"another life" + bytes(4)
        self.index.open()
        self.assertFalse(self.index.is_told(0))
        self.assertEqual(self.index.figures().chunks, 0)
        self.follow()
        self.assertEqual(self.index.figures().kept, 10)
        self.index.close()
        self.path.write_bytes(b"no database" * 100)
        self.index.open()
        self.assertEqual(self.index.segments(), [])
