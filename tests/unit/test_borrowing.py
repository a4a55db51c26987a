"""What is offered to the holder of a secret: the newest word of each owner's devices that count, and nothing left."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.trial.unittest import SynchronousTestCase

from bitdust.crypt.boxes import seal_to
from bitdust.crypt.device import DeviceKey
from bitdust.dht.offers import Offered
from bitdust.identity.devices import with_revoked
from bitdust.identity.document import Device
from bitdust.shares import borrowed
from bitdust.shares.borrowed import Borrowing
from bitdust.shares.offer import write_offer
from bitdust.wire.names import FOLDER_KEYS
from tests.hostile.test_shares import Owner
from tests.unit.supplier_kit import START
from tests.vectors.keys import device

HOLDER = DeviceKey(b"h" * 32)
LABEL = "0" * 32
OTHER = device("second")


class BorrowingCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.patch(borrowed, "Borrowed", lambda around, share, holder, prover: share)
        self.alice, self.bob = Owner(), Owner("bob", "other")
        self.alice.document = self.alice.with_devices((*self.alice.document.devices, Device(1, 1, OTHER.public)))
        self.there: list[Offered] = []
        self.home = Path(self.mktemp())
        world = SimpleNamespace(wall=lambda: START, home=self.home, run_in_thread=maybeDeferred)
        around: Any = SimpleNamespace(identities=SimpleNamespace(get=self.document), world=world)
        self.borrowing = Borrowing(around, SimpleNamespace())  # type: ignore[arg-type]
        self.borrowing.records = SimpleNamespace(find=self.find, put=None)  # type: ignore[assignment]
        self.borrowing.people = SimpleNamespace(resolve=self.resolve)  # type: ignore[assignment]

    def document(self, fingerprint: bytes) -> Any:
        return next(one.document for one in (self.alice, self.bob) if one.fingerprint == fingerprint)

    async def find(self, holder: bytes) -> list[Offered]:
        return sorted(self.there, key=lambda one: -one.time)

    async def resolve(self, fingerprint: bytes) -> list[str]:
        return []

    def offer(self, time: int, owner: Owner | None = None, sealed: bytes | None = None, by: Any = None) -> None:
        """An owner offers something, or what is given as such."""
        owner = owner or self.alice
        shown = owner.capability(HOLDER.public, by_proof=True)
        share = owner.share(HOLDER.public, alias=FOLDER_KEYS + LABEL, given=time, capabilities=(shown,))
        whole = seal_to(HOLDER.public, write_offer(share, START)) if sealed is None else sealed
        self.there.append(Offered(owner.fingerprint, (by or owner.device).id, time, whole))

    def found(self) -> list[int]:
        """When that was given which counts."""
        shares = self.successResultOf(Deferred.fromCoroutine(self.borrowing.borrow(HOLDER)))
        return [share.given for share in shares]  # type: ignore[attr-defined]


class BorrowingTests(BorrowingCase):
    def test_the_newest_of_each(self) -> None:
        """Of each owner the newest counts, and of that which makes no sense the one before."""
        for time, owner in ((1, self.alice), (2, self.alice), (3, self.bob)):
            self.offer(time, owner)
        self.assertEqual(self.found(), [3, 2])
        self.offer(4, sealed=b"no box at all")
        self.assertEqual(self.found(), [3, 2])

    def test_withdrawn(self) -> None:
        """Behind what was withdrawn nothing older counts, whichever of the owner's devices has said so."""
        self.offer(1)
        self.offer(2, sealed=b"", by=OTHER)
        self.assertEqual(self.found(), [])
        self.offer(3)
        self.assertEqual(self.found(), [3])

    def test_of_a_revoked_device(self) -> None:
        """A device that was revoked, or that nobody knows, neither offers nor withdraws anything, and hides nothing."""
        self.offer(1)
        for time, sealed in ((2, None), (3, b""), (4, b"no box at all")):
            self.offer(time, sealed=sealed, by=OTHER)
            self.offer(time + 10, sealed=sealed, by=HOLDER)
        self.alice.document = with_revoked(self.alice.document, [OTHER.id])
        self.assertEqual(self.found(), [1])

    def test_nothing_is_left(self) -> None:
        """What was read of folders that are here no more goes from the disk; of others, and of shares, nothing does."""
        folder = self.home / "catalogs"
        names = [f"{'ab' * 32}-{FOLDER_KEYS}{label}" for label in (LABEL, "1" * 32)]
        names.append(f"{'ab' * 32}-share_1")
        for name in names:
            (folder / name).mkdir(parents=True)
            (folder / name / "piece").write_bytes(b"x")
            for end in (".db", ".db-wal", ".db-shm"):
                (folder / f"{name}{end}").write_bytes(b"x")
        self.successResultOf(self.borrowing.forget_others([LABEL]))
        kept = {name + end for name in (names[0], names[2]) for end in ("", ".db", ".db-wal", ".db-shm")}
        self.assertEqual({path.name for path in folder.iterdir()}, kept)
        self.successResultOf(self.borrowing.forget_others([]))
        self.assertEqual({path.name.partition("-")[2].partition(".")[0] for path in folder.iterdir()}, {"share_1"})
