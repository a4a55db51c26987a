"""The copy of the key file that was checked last: named suppliers, what is said when they change, and its renewal."""

from pathlib import Path
from types import SimpleNamespace

from attrs import evolve
from twisted.internet.defer import maybeDeferred
from twisted.trial.unittest import SynchronousTestCase

from bitdust.cli.reminder import is_outdated
from bitdust.crypt.keyfile import HeadHint, Hints, KeyFile, SupplierHint, with_hints
from bitdust.identity.awaited import FAMILY
from bitdust.key_file import ALWAYS, ONCE, KeyFileCare, read_note
from bitdust.signal import Signal
from bitdust.wire.encoding import WireError
from tests.keys import cheap_passphrases
from tests.unit.kit import Events
from tests.unit.test_identity import GOOD
from tests.vectors.keys import master

ONE, TWO, THREE = (bytes([number]) * 32 for number in (1, 2, 3))
WORD = b"correct horse"


class KeyFileCase(SynchronousTestCase):
    def setUp(self) -> None:
        cheap_passphrases(self)
        self.home = Path(self.mktemp()).absolute()
        (self.home / "metadata").mkdir(parents=True)
        self.file = self.home / "alice.key"
        self.events = Events()
        self.awaited: set[str] = set()
        self.me = SimpleNamespace(document=GOOD, awaits=self.awaited.__contains__)
        self.family = SimpleNamespace(changed=Signal(), holders=[], current=None)
        self.hints = SimpleNamespace(hints=lambda: Hints(suppliers=tuple(map(SupplierHint, self.family.holders))))
        self.broken: Exception | None = None
        self.again()

    def again(self) -> None:
        world = SimpleNamespace(home=self.home, run_in_thread=self.in_thread)
        around = SimpleNamespace(world=world, me=self.me, events=self.events)
        self.family.changed = Signal()
        self.care = KeyFileCare(around, self.family, self.hints)

    def in_thread(self, call, *arguments):
        return maybeDeferred(call, *arguments)

    def hire(self, *suppliers: bytes, complete: bool = True) -> None:
        self.family.holders = list(suppliers)
        self.family.current = SimpleNamespace(complete=complete)
        self.family.changed.emit()

    def write(self, passphrase: bytes | None = None) -> None:
        self.file.write_text(KeyFile(GOOD.sources, master()).write(passphrase))

    def named(self, passphrase: bytes | None = None) -> list[bytes]:
        read = KeyFile.read(self.file.read_text(), passphrase)
        self.assertEqual(read.master.fingerprint, master().fingerprint)
        return [hint.fingerprint for hint in read.hints.suppliers]


class CareTests(KeyFileCase):
    def test_nobody_is_reminded_without_need(self) -> None:
        """Without a copy, or with one that names all suppliers, there is nothing to say."""
        self.hire(ONE, TWO)
        self.assertEqual((self.care.unnamed, self.events.sent), (0, []))
        self.care.note([ONE, TWO, THREE], "", "")
        self.assertEqual((self.care.unnamed, self.events.sent, is_outdated(self.home)), (0, [], False))

    def test_suppliers_that_changed(self) -> None:
        """They are counted, told once by an event, and by the command line until another copy names them."""
        self.hire(ONE, TWO)
        self.care.note([ONE, TWO], str(self.file), "")
        self.hire(ONE, THREE)
        self.again()
        self.family.changed.emit()
        self.assertEqual([(name, data["suppliers"]) for name, data in self.events.sent], [("key-file-outdated", 1)])
        self.assertEqual((self.care.unnamed, is_outdated(self.home)), (1, True))
        self.care.note([ONE, THREE], "", "")
        self.assertEqual((self.care.unnamed, is_outdated(self.home)), (0, False))

    def test_a_family_that_comes_back_to_the_copy(self) -> None:
        """Where the named suppliers have all pieces again nothing is outdated any more."""
        self.care.note([ONE], "", "")
        self.hire(TWO)
        self.assertTrue(is_outdated(self.home))
        self.hire(ONE)
        self.assertFalse(is_outdated(self.home))

    def test_a_family_in_the_making(self) -> None:
        """As long as a place is empty, or the family is searched for, the copy is left alone."""
        self.write()
        self.care.note([], str(self.file), ONCE)
        self.hire(ONE, complete=False)
        self.awaited.add(FAMILY)
        self.hire(ONE, TWO)
        self.assertEqual((self.named(), self.events.sent), ([], []))

    def test_renewed_once(self) -> None:
        """The copy of a new identity gets its suppliers when all are hired; later it is the person's business."""
        self.write(WORD)
        self.care.note([], str(self.file), ONCE)
        self.hire(ONE, TWO)
        self.assertEqual(self.named(WORD), [ONE, TWO])
        self.assertEqual(self.file.stat().st_mode & 0o777, 0o600)
        self.hire(ONE, THREE)
        self.assertEqual(self.named(WORD), [ONE, TWO])
        self.assertEqual([name for name, _ in self.events.sent], ["key-file-renewed", "key-file-outdated"])

    def test_renewed_always(self) -> None:
        """Where the person asked for it every change of suppliers is written into the file."""
        self.write()
        self.hire(ONE, TWO)
        self.care.note([], str(self.file), ALWAYS)
        self.assertEqual(self.named(), [ONE, TWO])
        self.hire(ONE, THREE)
        self.assertEqual((self.named(), self.care.unnamed), ([ONE, THREE], 0))

    def test_looking_at_a_copy_ends_no_renewal(self) -> None:
        """A check of the copy, or of another one, leaves the renewal that was asked for as it is."""
        self.write()
        self.hire(ONE, TWO)
        self.care.note([], str(self.file), ALWAYS)
        for path in (str(self.file), "/elsewhere/copy", ""):
            self.care.note([ONE, TWO], path, "")
        self.hire(ONE, THREE)
        self.assertEqual((self.named(), self.care.unnamed), ([ONE, THREE], 0))

    def test_a_file_that_is_gone_or_another(self) -> None:
        """What cannot be renewed is outdated and told with the reason; nothing else is written over."""
        self.care.note([], str(self.file), ALWAYS)
        self.hire(ONE)
        self.assertIn("No such file", self.events.sent[-1][1]["reason"])
        self.file.write_text("my diary")
        self.again()
        self.hire(ONE, TWO)
        self.assertEqual(self.file.read_text(), "my diary")
        self.assertTrue(is_outdated(self.home))
        self.write()
        self.hire(ONE, THREE)
        self.assertEqual((self.named(), is_outdated(self.home)), ([ONE, THREE], False))

    def test_a_note_that_is_damaged(self) -> None:
        """It counts as none."""
        for damage in (b"", b"[]", b"{}", b"\xff"):
            (self.home / "metadata" / "keyfile").write_bytes(damage)
            self.assertIsNone(read_note(self.home / "metadata"))
            self.assertFalse(is_outdated(self.home))
            self.hire(ONE)


class HintsTests(SynchronousTestCase):
    def test_the_key_stays(self) -> None:
        """New hints take the place of old ones, or of none, byte for byte beside the key."""
        old = Hints(4, ("10.0.0.1:1",), (SupplierHint(ONE),), (HeadHint(b"d" * 8, 3, TWO),), family=6)
        new = evolve(old, suppliers=(SupplierHint(TWO, ("tcp://10.0.0.2:1",)),), family=7)
        text = KeyFile(GOOD.sources, master(), old).write(WORD)
        bare = text.partition("-----BEGIN BITDUST HINTS")[0]
        for before in (text, bare, bare.rstrip("\n")):
            renewed = with_hints(before, new)
            self.assertTrue(renewed.startswith(bare))
            read = KeyFile.read(renewed, WORD)
            self.assertEqual((read.hints, read.idurls, read.damaged_hints), (new, GOOD.sources, ""))

    def test_what_is_no_key_file(self) -> None:
        """A text without a whole key is refused."""
        for text in ("", "my diary", "-----BEGIN RSA PRIVATE KEY-----", "x" * 20_000):
            self.assertRaises(WireError, with_hints, text, Hints())
