"""Keys of other people that are open to whoever has a secret: found in the hash table, read at their owners' suppliers.

Nothing of them is in my key ring: who has the secret finds them again.
"""

from collections.abc import Callable, Iterable, Sequence

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from bitdust.crypt.boxes import open_from
from bitdust.crypt.capabilities import proven
from bitdust.crypt.device import DeviceKey
from bitdust.crypt.shares import GivenShare
from bitdust.formats.operations import Op
from bitdust.identity.document import IdentityDocument
from bitdust.identity.proving import NameProver
from bitdust.outcome import outcome
from bitdust.shares.offer import read_offer
from bitdust.shares.opened import Report, TheirShare
from bitdust.shares.ports import Offered, OfferRecords, Resolves
from bitdust.shares.published import is_published
from bitdust.signal import Signal
from bitdust.storage.catalog.paths import Target
from bitdust.storage.catalog.rows import Part
from bitdust.storage.shared.catalog import forget_catalogs
from bitdust.surroundings import Connected
from bitdust.wire.encoding import WireError
from bitdust.wire.errors import BitDustError
from bitdust.wire.names import FOLDER_KEYS
from bitdust.wiring import Wire


class _Opened(TheirShare):
    """One of them: it is read, and shown in no list."""

    def __init__(
        self, around: Connected, share: GivenShare, holder: DeviceKey, report: Report, prover: NameProver
    ) -> None:
        self._holder = holder
        super().__init__(around, share, report, prover)

    def shown_to(self, capability: bytes, supplier: bytes) -> bytes:
        return proven(capability, self._holder, supplier, self._around.me.device.public)

    def _learnt(self, alias: str, device: bytes, ops: Sequence[Op]) -> None:
        """What others brought is no news of a share."""


class Borrowed:
    """Files under a key of somebody else, read from `begin` to `end` with what the ``holder`` of a secret can prove.

    ``opened`` says that what suppliers hold is known, and can be read.
    """

    def __init__(self, around: Connected, share: GivenShare, holder: DeviceKey, prover: NameProver) -> None:
        self._around = around
        self._alias = share.alias
        self.owner = share.owner
        self.opened: Signal[[]] = Signal()
        self._share = _Opened(around, share, holder, self._report, prover)
        self._forget: Callable[[], None] = lambda: None

    def _report(self, key_id: str, is_open: bool) -> None:
        if is_open:
            self.opened.emit()

    def begin(self) -> "Deferred[None]":
        """Connect and read. Fails with ``damaged-catalog``, ``disk-full``."""
        return Deferred.fromCoroutine(self._begin())

    async def _begin(self) -> None:
        await self._share.catalog.open()
        sessions = self._around.sessions
        self._forget = sessions.on_session(lambda one, up: self._share.session(one.peer.fingerprint, up))
        self._share.machine.send("open")

    def end(self) -> "Deferred[None]":
        """Ask nobody any more."""
        self._forget()
        self._share.machine.send("shutdown")
        return Deferred.fromCoroutine(self._share.catalog.close())

    def can_keep(self) -> bool:
        """Whether all that suppliers hold is known now."""
        return self._share.machine.state == "CONNECTED"

    @property
    def problem(self) -> str:
        """Why it cannot be read now; empty while it can."""
        return "" if self.can_keep() else self._share.reason

    def versions(self) -> "Deferred[dict[str, str]]":
        """The newest version of each, by name."""
        return Deferred.fromCoroutine(self._versions())

    async def _versions(self) -> dict[str, str]:
        view = self._share.catalog.view
        rows = await view.listed(Target(self._alias, None), True, Part(self._alias))
        return {str(row["path"]): str(row["latest"]) for row in rows if row["type"] == "file" and row["versions"]}

    def read(self, name: str, offset: int = 0, length: int | None = None) -> "Deferred[bytes]":
        """Bytes of one, of which only what holds them is brought."""
        return Deferred.fromCoroutine(self._read(name, offset, length))

    async def _read(self, name: str, offset: int, length: int | None) -> bytes:
        catalog = self._share.catalog
        return await catalog.ranges.read(catalog.view.find(f"{catalog.shared.key_id}:{name}"), offset, length)


class Borrowing:
    """I find what is offered to the holder of a key."""

    log = Logger()
    records = Wire(OfferRecords)
    people = Wire(Resolves)

    def __init__(self, around: Connected, prover: NameProver) -> None:
        self._around = around
        self._prover = prover

    async def borrow(self, holder: DeviceKey) -> list[Borrowed]:
        """All that can be read with this key, not begun; those first that were offered last.

        Whoever is in the table beside the true owner keeps nobody from him: there are few places, and all are read.
        """
        found = await self.records.find(holder.public)
        shares = []
        for owner in dict.fromkeys(offered.owner for offered in found):
            share = await self._share(owner, [one for one in found if one.owner == owner], holder)
            if share is not None:
                shares.append(share)
        shares.sort(key=lambda share: -share.given)
        return [Borrowed(self._around, share, holder, self._prover) for share in shares]

    async def _share(self, owner: bytes, offers: Sequence[Offered], holder: DeviceKey) -> GivenShare | None:
        """The newest that makes sense, unless it was withdrawn since. A device that was revoked says nothing of it."""
        await outcome(Deferred.fromCoroutine(self.people.resolve(owner)))
        document = self._around.identities.get(owner)
        if document is None:
            return None
        for offered in offers:
            device = document.device(offered.device)
            if device is None or device.revoked is not None:
                continue
            share = self._opened(offered, document, holder) if offered.sealed else None
            if share is not None or not offered.sealed:
                return share
        return None

    def _opened(self, offered: Offered, document: IdentityDocument, holder: DeviceKey) -> GivenShare | None:
        try:
            offer = open_from(offered.sealed, holder)
            share = read_offer(offer, document, holder.public, self._around.world.wall()).share
        except (WireError, BitDustError) as error:
            self.log.warn("an offer to the holder of a folder's secret counts for nothing: {why}", why=str(error))
            return None
        return share if is_published(share.alias) else None

    def forget_others(self, labels: Iterable[str]) -> "Deferred[None]":
        """Remove what was read of folders, but for those with these labels. Fails with `OSError`."""
        wanted, world = {f"{FOLDER_KEYS}{label}" for label in labels}, self._around.world
        return world.run_in_thread(forget_catalogs, world.home, lambda key: not is_published(key) or key in wanted)
