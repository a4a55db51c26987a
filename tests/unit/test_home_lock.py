"""Keys under a passphrase: locked, opened, and what is left when that is cut off."""

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from bitdust.automats.kernel import Registry
from bitdust.crypt.keyfile import Hints, KeyFile, is_locked, lock_key
from bitdust.crypt.keyring import MASTER
from bitdust.identity import home_lock as lock_module
from bitdust.identity import me as me_module
from bitdust.identity.document import IdentityDocument
from bitdust.identity.home_lock import HomeLock, find_passphrase
from bitdust.identity.me import Me
from bitdust.identity.registration import Registration
from bitdust.wire.errors import BitDustError
from tests.keys import cheap_passphrases
from tests.unit.test_identity import GOOD, HomeCase, code_of
from tests.vectors.keys import device, master

WORD = "correct horse"


class LockCase(HomeCase):
    """Alice's home, and a lock of it."""

    def setUp(self) -> None:
        super().setUp()
        cheap_passphrases(self)
        self.clock: Clock = self.world.clock
        self.world = evolve(self.world, run_in_thread=maybeDeferred)
        self.folder = self.home / "metadata"
        Me(self.world, self.events).adopt(GOOD, master(), device())
        self.patch(me_module, "certify", lambda *_: None)

    def again(self) -> tuple[Me, HomeLock]:
        """A node's start."""
        me = Me(self.world, self.events)
        me.load()
        return me, HomeLock(self.world, me)

    def do(self, work: Any) -> None:
        self.successResultOf(Deferred.fromCoroutine(work))

    def refused(self, work: Any) -> str:
        return str(self.failureResultOf(Deferred.fromCoroutine(work), BitDustError).value.code)


class LockTests(LockCase):
    def test_there_and_back(self) -> None:
        """Locked keys wait for their passphrase, then are all there; without the lock they come by themselves again."""
        me, lock = self.again()
        changes: list[bool] = []
        lock.changed.connect(lambda: changes.append(me.keeps_locked))
        secret = me.key_ring.secrets(MASTER, 1)
        self.do(lock.lock(WORD))
        self.assertEqual(changes, [True])
        self.assertTrue(me.present and me.keeps_locked)
        me, lock = self.again()
        self.assertEqual((me.present, me.keeps_locked, code_of(self, getattr, me, "master")), (False, True, "locked"))
        self.assertIn("bitdust unlock", str(me.absence()))
        changes: list[bool] = []
        me.changed.connect(lambda: changes.append(me.present))
        self.do(lock.unlock(WORD))
        self.assertEqual(changes, [True])
        self.assertEqual(self.events.names()[-1], "local-identity-unlocked")
        self.assertEqual((me.document, me.device.seed, me.key_ring.secrets(MASTER, 1)), (GOOD, device().seed, secret))
        self.assertEqual(self.refused(lock.unlock(WORD)), "not-locked")
        self.assertEqual(self.refused(lock.remove("wrong word")), "wrong-passphrase")
        self.clock.advance(1)
        self.do(lock.remove(WORD))
        me, lock = self.again()
        self.assertEqual((me.present, me.keeps_locked), (True, False))
        self.assertEqual(self.refused(lock.remove(WORD)), "not-locked")

    def test_remove_while_locked(self) -> None:
        """`unlock --permanently` opens and takes the lock away in one."""
        self.do(self.again()[1].lock(WORD))
        self.do(self.again()[1].remove(WORD))
        self.assertTrue(self.again()[0].present)

    def test_nothing_private_is_left(self) -> None:
        """No file of a locked home holds the RSA key, the device's seed or a storage secret, nor a new device key."""
        me, lock = self.again()
        self.do(lock.lock(WORD))
        me.renew_device()
        secrets = [
            me.device.seed.hex().encode(),
            device().seed.hex().encode(),
            b"BEGIN RSA",
            me.device.seed,
            *me.key_ring.secrets(MASTER, 1),
        ]
        for path in self.folder.iterdir():
            for secret in secrets:
                self.assertNotIn(secret, path.read_bytes(), path.name)
        seed = me.device.seed
        self.assertTrue(is_locked(me.kept_locked()))
        me, lock = self.again()
        self.do(lock.unlock(WORD))
        self.assertEqual(me.device.seed, seed)

    def test_cut_off_anywhere(self) -> None:
        """Whichever write of locking or of unlocking for good fails, the home opens, with or without."""
        real = me_module.write_safely
        for fails in ("devicekey", "mykeyfile"):
            for work in ("lock", "remove"):
                if work == "remove":
                    self.do(self.again()[1].lock(WORD))

                def write(path: Path, data: bytes, fails: str = fails) -> None:
                    if path.name == fails:
                        raise OSError("disk")
                    real(path, data)

                me, lock = self.again()
                if me.locked_key:
                    self.do(lock.unlock(WORD))
                self.patch(me_module, "write_safely", write)
                self.failureResultOf(Deferred.fromCoroutine(getattr(lock, work)(WORD)), OSError)
                self.patch(me_module, "write_safely", real)
                me, lock = self.again()
                if me.locked_key:
                    self.do(lock.unlock(WORD))
                self.assertEqual(me.device.seed, device().seed)
                if me.keeps_locked:
                    self.do(lock.remove(WORD))

    def test_wrong_passphrases(self) -> None:
        """A wrong one changes nothing and costs a pause that doubles up to a minute; the right one ends that."""
        self.do(self.again()[1].lock(WORD))
        self.patch(lock_module, "unlock_key", self.cheap)
        me, lock = self.again()
        before = {path.name: path.read_bytes() for path in self.folder.iterdir()}
        for pause in (1, 2, 4, 8, 16, 32, 60, 60):
            self.assertEqual(self.refused(lock.unlock("wrong word")), "wrong-passphrase")
            self.clock.advance(pause - 0.5)
            self.assertEqual(self.refused(lock.unlock(WORD)), "too-many-tries")
            self.clock.advance(0.5)
        self.do(lock.unlock(WORD))
        self.assertTrue(me.present)
        self.assertEqual(before, {path.name: path.read_bytes() for path in self.folder.iterdir()})

    def cheap(self, text: str, passphrase: bytes) -> str:
        """What `unlock_key` does, without its work."""
        self.assertTrue(is_locked(text))
        if passphrase != WORD.encode():
            raise BitDustError("wrong-passphrase", "the passphrase does not open this key file")
        return master().to_pem()

    def test_one_at_a_time(self) -> None:
        """While one passphrase is tried, no other is: the work of a guess cannot be had in parallel."""
        self.do(self.again()[1].lock(WORD))
        started: list[Any] = []
        self.world = evolve(self.world, run_in_thread=lambda call, *args: started.append(call) or Deferred())
        _, lock = self.again()
        trying = Deferred.fromCoroutine(lock.unlock(WORD))
        self.assertEqual(self.refused(lock.unlock(WORD)), "too-many-tries")
        self.assertEqual(len(started), 1)
        self.assertNoResult(trying)

    def test_another_identity_meanwhile(self) -> None:
        """Locking takes a while; an identity that came meanwhile keeps its own key on the disk."""
        works: list[Any] = []
        self.world = evolve(self.world, run_in_thread=lambda *call: works.append((Deferred(), call)) or works[-1][0])
        me, lock = self.again()
        locking = Deferred.fromCoroutine(lock.lock(WORD))
        self.world = evolve(self.world, run_in_thread=maybeDeferred)
        (_, (work, *words)) = works[0]
        sealed = work(*words)
        source = GOOD.idurl
        mine = IdentityDocument.create(master("other"), (source,), 1, GOOD.devices, 1000.0)
        me.adopt(mine, master("other"), device())
        key = (self.folder / "mykeyfile").read_bytes()
        works[0][0].callback(sealed)
        works[1][0].callback(master().to_pem())
        self.assertEqual(self.failureResultOf(locking, BitDustError).value.code, "wrong-key")
        self.assertEqual((self.folder / "mykeyfile").read_bytes(), key)
        self.assertFalse(me.keeps_locked)

    def test_the_key_file_of_an_erased_identity(self) -> None:
        """The key file that erasing puts aside guards the key as the home did: the same passphrase opens it."""
        me, lock = self.again()
        registration = Registration(self.world, None, Registry(self.clock), me, None)
        registration.current_hints = SimpleNamespace(hints=Hints)
        self.assertFalse(is_locked(registration.kept_backup()))
        self.do(lock.lock(WORD))
        text = registration.kept_backup()
        self.assertEqual(KeyFile.read(text, WORD.encode()).master.fingerprint, me.fingerprint)
        self.assertNotIn("RSA PRIVATE", text)

    def test_short_and_long(self) -> None:
        """A passphrase that is short, or absurdly long, is refused before anything is written."""
        me, lock = self.again()
        for word in ("", "1234567", "x" * 1001):
            self.assertEqual(self.refused(lock.lock(word)), "bad-passphrase")
        self.assertFalse(me.keeps_locked)

    def test_damaged(self) -> None:
        """A locked key that is damaged is named, and does not count as a wrong passphrase."""
        path = self.folder / "mykeyfile"
        text = lock_key(master().to_pem(), WORD.encode())
        path.write_text(text.replace("-----END", "-----AND"))
        _, lock = self.again()
        for _ in range(2):
            self.assertEqual(self.refused(lock.unlock(WORD)), "broken-identity")


class BackupMarkTests(LockCase):
    def test_until_checked(self) -> None:
        """There is no checked copy until one is noted; that lasts over restarts, and ends with the key."""
        me, _ = self.again()
        self.assertIsNone(me.backup_checked)
        me.note_backup()
        self.assertEqual(self.again()[0].backup_checked, self.world.wall())
        me.adopt(GOOD, master(), device())
        self.assertIsNone(me.backup_checked)
        (self.folder / "backup").write_text('{"fingerprint": "00", "checked": 1}')
        self.assertIsNone(me.backup_checked)

    def test_recovered(self) -> None:
        """Who came back from a key file has one that is good."""
        me, _ = self.again()
        me.adopt(GOOD, master(), device(), fresh=False)
        self.assertEqual(me.backup_checked, self.world.wall())

    def test_damaged_mark(self) -> None:
        """A mark that cannot be read counts as none."""
        me, _ = self.again()
        for damage in (b"", b"[]", b"\xff", b'{"fingerprint": 1}', b"9" * 2000):
            (self.folder / "backup").write_bytes(damage)
            self.assertIsNone(me.backup_checked)


class PassphraseFileTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()

    def written(self, name: str, text: str, mode: int = 0o600) -> str:
        path = self.folder / name
        path.write_text(text)
        path.chmod(mode)
        return str(path)

    def test_where_from(self) -> None:
        """The setting comes first, then the environment, then systemd's credential; else there is none."""
        self.written("bitdust-passphrase", "by systemd\n", 0o440)
        environment = {"CREDENTIALS_DIRECTORY": str(self.folder)}
        self.assertEqual(find_passphrase("", environment), "by systemd")
        environment["BITDUST_PASSPHRASE_FILE"] = self.written("env", "by environment")
        self.assertEqual(find_passphrase("", environment), "by environment")
        self.assertEqual(find_passphrase(self.written("set", "by setting\r\n"), environment), "by setting")
        self.assertIsNone(find_passphrase("", {}))
        self.assertIsNone(find_passphrase("", {"CREDENTIALS_DIRECTORY": str(self.folder / "none")}))

    def test_refused(self) -> None:
        """A file that everybody reads, or a group, or nobody, is refused with its name."""
        shared = self.written("shared", WORD, 0o640)
        for path in (self.written("open", WORD, 0o644), shared, str(self.folder / "missing"), str(self.folder)):
            error = self.assertRaises(BitDustError, find_passphrase, path, dict(os.environ))
            self.assertEqual((error.code, path in str(error)), ("bad-passphrase-file", True))
