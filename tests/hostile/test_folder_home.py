"""A thief with a copy of a home, and the secrets of folders that are in it."""

import json
from pathlib import Path

from bitdust.crypt.device import DeviceKey
from bitdust.folders import secrets
from bitdust.folders.config import FILE, Book, FolderConfig
from bitdust.identity.me import Me
from bitdust.wire.errors import BitDustError
from tests.unit.test_home_lock import WORD, LockCase

SECRET = secrets.make("D", lambda size: b"s" * size)


class LockedTests(LockCase):
    """Alice's home, and a folder that is in sync there."""

    def setUp(self) -> None:
        super().setUp()
        self.place = self.home / "folders"
        self.file = self.place / FILE

    def config(self, name: str = "photos") -> FolderConfig:
        return FolderConfig(Path("/home/alice") / name, SECRET.text)

    def texts(self, me: Me) -> list[str]:
        return [one.text for one in Book(self.place, me).all()]

    def hidden(self) -> bool:
        data = self.file.read_bytes()
        return not any(one.text.encode() in data for one in (SECRET, *SECRET.weaker()))

    def test_a_locked_home(self) -> None:
        """It gives no secret away, says that it is locked, and has all folders once it is open again."""
        me, lock = self.again()
        Book(self.place, me).add(self.config())
        self.do(lock.lock(WORD))
        me, lock = self.again()
        self.assertTrue(self.hidden())
        book = Book(self.place, me)
        self.assertEqual(self.assertRaises(BitDustError, book.all).code, "locked")
        self.do(lock.unlock(WORD))
        self.assertEqual([one.text for one in book.all()], [SECRET.text])

    def test_a_list_of_before(self) -> None:
        """What a former version, or a node without an identity, has written as it is, is sealed at the next look."""
        me, _ = self.again()
        rows = [{"dir": "/home/alice/photos", "text": SECRET.text, "preferences": {}, "hosts": [], "paused": False}]
        self.place.mkdir()
        self.file.write_text(json.dumps({"version": 1, "folders": rows}))
        self.assertFalse(self.hidden())
        self.assertEqual(self.texts(me), [SECRET.text])
        self.assertTrue(self.hidden())
        self.assertEqual(self.texts(self.again()[0]), [SECRET.text])

    def test_another_device(self) -> None:
        """When this device has a new key the list is sealed for that at once, with or without the RSA key."""
        me, _ = self.again()
        book = Book(self.place, me)
        book.add(self.config())
        me.renew_device()
        me._master = None
        self.assertEqual(self.texts(me), [SECRET.text])
        self.assertIsNot(type(me.device), type(None))
        self.assertIsInstance(me.device, DeviceKey)

    def test_a_file_of_somebody_else(self) -> None:
        """What this node cannot open is left as it is, and said to be damaged."""
        me, _ = self.again()
        Book(self.place, me).add(self.config())
        data = self.file.read_bytes()
        self.file.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
        changed = self.file.read_bytes()
        book = Book(self.place, me)
        self.assertEqual(self.assertRaises(BitDustError, book.all).code, "broken-folders")
        me.changed.emit()
        self.assertEqual(self.file.read_bytes(), changed)
        self.assertRaises(BitDustError, book.add, self.config("other"))
        self.assertEqual(self.file.read_bytes(), changed)

    def test_many(self) -> None:
        """A list that could not be opened again is not written: the one before counts."""
        me, _ = self.again()
        book = Book(self.place, me)
        book.add(self.config())
        hosts = [f"{number:x}.{hash(number * 7919) & 0xFFFFFFFF:x}.example:1" for number in range(60_000)]
        config = self.config("many")
        config.hosts = hosts
        self.assertEqual(self.assertRaises(BitDustError, book.add, config).code, "too-many")
        self.assertEqual(self.texts(me), [SECRET.text])
