"""Devices of one person that have a folder kept at suppliers, without a network: the shelf is a folder on the disk."""

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase

from bitdust.folders.backup.copy import SupplierCopy
from bitdust.folders.config import FolderConfig
from bitdust.folders.portions import Taken
from bitdust.folders.secrets import Secret
from bitdust.signal import Signal
from tests.unit.backup_kit import FolderShelf
from tests.unit.folder_kit import Replica, encrypted_secret


class SupplierShelf(FolderShelf):
    """There is one folder. Names in ``old`` lie where a former version put them, until they are put there anew."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.old: set[str] = set()
        self.holders: set[bytes] = set()
        self.unfound_because = ""
        self.offering = False

    def refusal(self) -> str:
        return ""

    def of(self, label: str) -> "SupplierShelf":
        return self

    def former(self) -> "Deferred[frozenset[str]]":
        return succeed(frozenset(self.old & set(self.names(""))))

    def keep(self, name: str, source: Path, apart: bool = False) -> "Deferred[Any]":
        return super().keep(name, source, apart).addCallback(lambda _: self.old.discard(name))

    def let_in(self, holder: bytes) -> None:
        self.holders.add(holder)

    def shut_out(self, holder: bytes) -> None:
        self.holders.discard(holder)

    def unfound(self, holder: bytes) -> str:
        return self.unfound_because if holder in self.holders else ""

    def is_offering(self, holder: bytes) -> bool:
        return self.offering and holder in self.holders


class Device(Replica):
    """A replica that its suppliers keep too. ``letter`` is what its device id is made of."""

    is_meeting = True

    def __init__(self, base: Path, letter: str, shelf: Any, secret: Secret) -> None:
        super().__init__(base, letter, secret)
        self.shelf, self.letter = shelf, letter
        self.config = FolderConfig(self.root, secret.text)
        self.beyond: list[Any] = []
        self.changed = Signal[[]]()
        self.around: Any = SimpleNamespace(
            world=self.world,
            registry=self.registry,
            me=SimpleNamespace(device=SimpleNamespace(id=letter.encode() * 8)),
        )
        self.begin()

    @property
    def home(self) -> Path:
        return self.base / self.name

    def begin(self) -> None:
        """Have it kept."""
        self.copy = SupplierCopy(self, self.shelf, self.home)

    def learn(self, records: Sequence[bytes], public: bytes) -> "Deferred[Taken]":
        return self.store.run(self.store.learn, records, public)

    def look_for_chunks(self) -> None:
        """Whoever wants chunks asks the copy itself."""

    def keeps(self) -> str:
        """Go as far as it goes now; the state in which it rests."""
        self.scan()
        self.copy.changed()
        if self.copy.machine.state == "AT_STARTUP":
            self.copy.start()
        else:
            self.clock.advance(3600)
        return str(self.copy.machine.state)

    def again(self) -> None:
        """The next process."""
        self.end()
        self.open()
        self.begin()

    def loses_journal(self) -> None:
        """The next process, which finds no journal."""
        self.end()
        for path in self.home.glob("journal.db*"):
            path.unlink()
        self.open()
        self.begin()

    def end(self) -> None:
        self.copy.stop()
        self.close()


class CopyCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.base = Path(self.mktemp()).absolute()
        self.secret = encrypted_secret()
        self.shelf = SupplierShelf(self.base / "shelf")
        self.shelf.make_key()

    def device(self, letter: str) -> Device:
        device = Device(self.base, letter, self.shelf, self.secret)
        self.addCleanup(device.end)
        return device

    def there(self, end: str, letter: str = "") -> list[str]:
        """Names at suppliers, behind that of the folder; those that a device brought."""
        begin = (letter.encode() * 4).hex()
        names = [name.partition("-")[2] for name in self.shelf.names(end)]
        return [name for name in names if name.startswith(begin)]

    def list_of(self, letter: str) -> Path:
        """The list that a device has told."""
        (name,) = self.there(".state", letter)
        return self.shelf.folder / f"{self.secret.folder_id.hex()[:32]}-{name}"
