"""Giving up an identity: what is removed, what is kept, and a crash at any moment."""

import os
from pathlib import Path
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from bitdust.identity import erasure
from bitdust.identity.erasure import FORMER, KEY_FILE, Erasure, tale

FINGERPRINT = bytes(range(32))
NAME = f"{FINGERPRINT.hex()[:16]}-1"
FILES = ("metadata/mykeyfile", "metadata/localidentity", "metadata/keyring", "metadata/devicekey", "catalog.db",
         "metadata/family.before", "metadata/grants")  # fmt: skip


class Killed(BaseException):
    """The process ends here."""


class ErasureTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.home = Path(self.mktemp())
        self.spool = self.home / "spool"
        (self.home / "metadata" / "contracts").mkdir(parents=True)
        (self.home / "metadata" / "contracts" / "one").write_text("contract")
        self.fill()

    def fill(self) -> None:
        for name in FILES:
            (self.home / name).write_text(name)
        self.spool.mkdir(exist_ok=True)
        (self.spool / "piece").write_text("piece")
        (self.home / "customers").mkdir(exist_ok=True)
        (self.home / "customers" / "theirs").write_text("theirs")

    @property
    def erasure(self) -> Erasure:
        return Erasure(self.home, self.spool)

    def assert_away(self) -> None:
        for name in (*FILES, "spool", "metadata/contracts", "metadata/erasing"):
            self.assertFalse((self.home / name).exists(), name)
        self.assertEqual((self.home / "customers" / "theirs").read_text(), "theirs")

    def test_kept(self) -> None:
        """Without the private key's erasure all of it lies in one private folder, with a key file beside it."""
        erased = self.erasure.run(FINGERPRINT, "the key file")
        self.assert_away()
        former = self.home / FORMER / NAME
        self.assertEqual(erased.former, str(former))
        self.assertEqual((former / KEY_FILE).read_text(), "the key file")
        self.assertEqual((former / KEY_FILE).stat().st_mode & 0o777, 0o600)
        self.assertEqual(former.stat().st_mode & 0o777, 0o700)
        for name in FILES:
            self.assertEqual((former / Path(name).name).read_text(), name)
        self.assertEqual((former / "spool" / "piece").read_text(), "piece")
        self.assertEqual((former / "contracts" / "one").read_text(), "contract")

    def test_twice(self) -> None:
        """A second erasure of the same identity leaves what the first one kept."""
        self.erasure.run(FINGERPRINT, "first")
        self.fill()
        second = self.erasure.run(FINGERPRINT, "second")
        self.assertEqual(second.former, str(self.home / FORMER / f"{FINGERPRINT.hex()[:16]}-2"))
        self.assertEqual((self.home / FORMER / NAME / KEY_FILE).read_text(), "first")

    def test_gone(self) -> None:
        """With the private key's erasure nothing of it is left, and nothing of others is touched."""
        erased = self.erasure.run(FINGERPRINT, None)
        self.assert_away()
        self.assertIsNone(erased.former)
        self.assertFalse((self.home / FORMER).exists())

    def test_spool_elsewhere(self) -> None:
        """A spool outside the home stays on its disk, under a name that no other identity takes."""
        self.spool = Path(self.mktemp())
        self.fill()
        self.erasure.run(FINGERPRINT, "the key file")
        self.assertFalse(self.spool.exists())
        self.assertEqual((Path(f"{self.spool}-{NAME}") / "piece").read_text(), "piece")

    def test_killed_anywhere(self) -> None:
        """Killed before any step, the next start finishes it; the note is there first and the document goes last."""
        for key_file in (None, "the key file"):
            for survives in range(40):
                self.setUp()
                if self.killed_after(survives, key_file):
                    self.assertTrue((self.home / FILES[1]).exists() or (self.home / "metadata" / "erasing").exists())
                    started = (self.home / "metadata" / "erasing").exists()
                    again = self.erasure.finish()
                    self.assertEqual(again is not None, started)
                    if not started:
                        self.assertTrue(all((self.home / name).exists() for name in FILES))
                        self.erasure.run(FINGERPRINT, key_file)
                self.assert_away()
        self.assertIsNone(self.erasure.finish())

    def killed_after(self, steps: int, key_file: str | None) -> bool:
        """Run until so many changes of the disk were made; True when it was killed."""
        left = [steps]

        def counted(real):
            def call(*args, **options):
                if not left[0]:
                    raise Killed
                left[0] -= 1
                return real(*args, **options)

            return call

        changes = [
            mock.patch.object(Path, "rename", counted(Path.rename)),
            mock.patch.object(os, "rename", counted(os.rename)),
            mock.patch.object(os, "unlink", counted(os.unlink)),
            mock.patch.object(erasure.shutil, "rmtree", counted(erasure.shutil.rmtree)),
        ]
        for change in changes:
            change.start()
        try:
            self.erasure.run(FINGERPRINT, key_file)
        except Killed:
            return True
        finally:
            for change in changes:
                change.stop()
        return False

    def test_what_is_told(self) -> None:
        """The person hears of the ID servers, of each supplier and of the DHT."""
        told = tale(self.erasure.run(FINGERPRINT, None), ["http://id.example/alice.xml"], ["bob@id.example"])
        self.assertIn(str(self.home / FILES[0]), told["removed"])
        self.assertEqual(len(told["elsewhere"]), 3)
        self.assertIn("http://id.example/alice.xml", told["elsewhere"][0])
        self.assertIn("bob@id.example", told["elsewhere"][1])
