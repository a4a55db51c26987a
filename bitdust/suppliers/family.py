"""My family record: who keeps my pieces. Every change is a new revision, signed and on the disk before anybody hears.

The record goes to the DHT and to every supplier; whoever holds an older one is told when it is next connected, and a
supplier that holds a newer one (written by another device of mine) teaches it to me.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from bitdust.crypt.device import check_record
from bitdust.crypt.files import remove_safely, write_safely
from bitdust.outcome import outcome
from bitdust.peers.ports import Device, Me, Outbox
from bitdust.suppliers.family_merge import Places, merged
from bitdust.wire.encoding import WireError
from bitdust.wire.errors import BitDustError
from bitdust.wire.packet import Command
from bitdust.wire.records import Family, Scheme
from bitdust.wire.signed import Signed

SEND_SECONDS = 20.0
REFRESH_SECONDS = 6 * 3600.0
FIRST_RETRY = 5.0
LONGEST_RETRY = 600.0
MAX_RECORD = 32 * 1024
MAX_BODY = 3500
"""Bytes of a family that fit a DHT record with its signatures; beyond them its addresses are left out."""


class FamilyWorld(Protocol):
    """Time and the local identity."""

    @property
    def clock(self) -> IReactorTime: ...

    @property
    def wall(self) -> Callable[[], float]: ...


class MyFamily:
    """I hold the newest revision. ``path`` is ``metadata/family``; a broken file raises in `load` and stays.

    A record that another device of mine made is `inherited`: pieces must be presumed to lie there until `settle` says
    that the catalog is known. A marker file beside the record keeps this over restarts.
    """

    def __init__(self, world: FamilyWorld, me: Me, path: Path) -> None:
        self._world = world
        self._me = me
        self._path = path
        self._marker = path.with_name(path.name + ".inherited")
        self._watchers: list[Callable[[], None]] = []
        self.current: Family | None = None
        self.signed: Signed | None = None

    def load(self) -> None:
        """Read the file. Raises `BitDustError` ``damaged-family``."""
        try:
            data = self._path.read_bytes()
        except FileNotFoundError:
            return
        try:
            self.signed = Signed.from_bytes(data, Family.KIND, MAX_RECORD)
            self.current = Family.from_body(self.signed.body)
        except WireError as error:
            text = f"{self._path} is damaged ({error}); move it away, and it is found again at the suppliers"
            raise BitDustError("damaged-family", text) from error

    @property
    def inherited(self) -> bool:
        """True while nobody knows whether pieces lie at these suppliers."""
        return self._marker.exists()

    def settle(self) -> None:
        """The catalog is known: from now on it tells whether pieces lie there."""
        remove_safely(self._marker)

    def write(
        self,
        suppliers: Sequence[bytes | None],
        addresses: Sequence[str | None],
        leaving: Sequence[bytes | None] | None = None,
    ) -> Family:
        """The next revision, signed and saved. Without ``leaving`` those who leave a place go on leaving it."""
        n = len(suppliers)
        if leaving is None:
            before = self.current
            leaving = before.leaving if before is not None and before.n == n else None
        family = Family(
            customer=self._me.fingerprint,
            revision=self.current.revision + 1 if self.current is not None else 1,
            k=Scheme.for_family(n).k,
            n=n,
            time=int(self._world.wall()),
            suppliers=list(suppliers),
            addresses=list(addresses),
            leaving=list(leaving) if leaving is not None and any(leaving) else None,
        )
        if len(family.to_body()) > MAX_BODY:
            family = evolve(family, addresses=None)
        self._keep(family, self._me.sign(Family.KIND, family.to_body()))
        return family

    def adopt(self, signed: Signed) -> bool:
        """Take a newer revision that a device of mine signed, from the DHT or a supplier; True when it was newer.

        A record of a device that was revoked since is taken where nothing else is known, and signed anew; it replaces
        none of a device that counts, however high its revision: whoever stole that device could write it.
        """
        family, device = self._checked(signed)
        if self.current is not None and (family.revision <= self.current.revision or device.revoked is not None):
            return False
        write_safely(self._marker, b"")
        self._keep(family, signed)
        if device.revoked is not None:
            self.write(family.suppliers, family.addresses or [None] * family.n)
        return True

    def adopt_best(self, found: Sequence[Signed]) -> bool:
        """Take the newest of several records, those of devices that count before any other; True when it was newer.

        What cannot be proven is passed over. Raises `WireError` when nothing else was found: better to ask again than
        to begin a second family.
        """
        proven: list[tuple[bool, int, Signed]] = []
        refused: WireError | None = None
        for signed in found:
            try:
                family, device = self._checked(signed)
                proven.append((device.revoked is None, family.revision, signed))
            except WireError as error:
                refused = error
        if not proven and refused is not None:
            raise refused
        return bool(proven) and self.adopt(max(proven, key=lambda row: row[:2])[2])

    def reconcile(self, signed: Signed) -> bool:
        """Join a record of the same revision that another device of mine wrote; True when something changed.

        Where both say the same, the one with the lower bytes counts, and the other device goes on from it.
        """
        theirs, device = self._checked(signed)
        mine = self.current
        if mine is None or self.signed is None or theirs.revision != mine.revision or theirs.n != mine.n:
            return False
        if device.revoked is not None or signed.to_bytes() == self.signed.to_bytes():
            return False
        write_safely(self._marker, b"")
        places = merged(mine, theirs)
        if Places.of(theirs).says_the_same(places) and signed.to_bytes() < self.signed.to_bytes():
            self._keep(theirs, signed)
        else:
            self.write(places.suppliers, places.addresses, places.leaving)
        return True

    def _checked(self, signed: Signed) -> tuple[Family, Device]:
        """A record of mine and the device that signed it. Raises `WireError`."""
        family = Family.from_body(signed.body)
        if family.customer != self._me.fingerprint:
            raise WireError("bad-signature", "this family record is somebody else's")
        device = self._me.document.device(signed.device)
        if device is None:
            raise WireError("bad-signature", "this family record is signed by no device of mine")
        check_record(signed, device.key)
        return family, device

    def _keep(self, family: Family, signed: Signed) -> None:
        write_safely(self._path, signed.to_bytes())
        self.current, self.signed = family, signed
        for watcher in list(self._watchers):
            watcher()

    def on_change(self, watcher: Callable[[], None]) -> Callable[[], None]:
        """Be told of every new revision; gives a remover."""
        self._watchers.append(watcher)
        return lambda: self._watchers.remove(watcher) if watcher in self._watchers else None

    def position(self, fingerprint: bytes) -> int | None:
        """The place of a supplier, None for somebody else."""
        if self.current is None or fingerprint not in self.current.suppliers:
            return None
        return self.current.suppliers.index(fingerprint)

    @property
    def members(self) -> list[bytes]:
        """Fingerprints of my suppliers, in order of their places."""
        if self.current is None:
            return []
        return [supplier for supplier in self.current.suppliers if supplier is not None]

    @property
    def holders(self) -> list[bytes]:
        """The members, and those who leave and still hold pieces."""
        return self.current.holders if self.current is not None else []


class FamilyPublisher:
    """I tell the DHT and the suppliers. ``to_dht`` stores the signed record; `publish` may be called at any time."""

    log = Logger()

    def __init__(
        self,
        world: FamilyWorld,
        family: MyFamily,
        outbox: Outbox,
        to_dht: "Callable[[Family, Signed], Deferred[Any]]",
    ) -> None:
        self._world = world
        self._family = family
        self._outbox = outbox
        self._to_dht = to_dht
        self._known: dict[bytes, int] = {}
        self._in_dht = 0
        self._failures = 0
        self._sending: set[bytes] = set()
        self._storing = False
        self._call: Any = None
        self._stopped = False

    def start(self) -> None:
        """Tell again, after a `stop`."""
        self._stopped = False

    def stop(self) -> None:
        """Tell nobody any more."""
        self._stopped = True
        if self._call is not None and self._call.active():
            self._call.cancel()

    @property
    def known_by(self) -> int:
        """How many suppliers hold the newest revision."""
        current = self._family.current
        return sum(1 for revision in self._known.values() if current is not None and revision >= current.revision)

    def knows(self, fingerprint: bytes) -> bool:
        """Whether a supplier holds the newest revision."""
        current = self._family.current
        return current is not None and self._known.get(fingerprint, 0) >= current.revision

    def is_safe(self) -> bool:
        """Whether so many suppliers hold the newest revision that any k which come back later include one of them."""
        current = self._family.current
        if current is None:
            return False
        return sum(1 for member in self._family.members if self.knows(member)) > current.n - current.k

    def publish(self, connected: Callable[[bytes], bool]) -> None:
        """Tell everybody who has an older one; those who are not connected when they come."""
        if self._family.current is None or self._stopped:
            return
        if self._in_dht < self._family.current.revision and not self._failures:
            self._store()
        for fingerprint in self._family.holders:
            if connected(fingerprint):
                self.tell(fingerprint)

    def tell(self, fingerprint: bytes) -> None:
        """Bring the newest revision to one supplier, once."""
        current = self._family.current
        if current is None or self._stopped or fingerprint in self._sending:
            return
        if self._known.get(fingerprint, 0) < current.revision:
            self._sending.add(fingerprint)
            telling = Deferred.fromCoroutine(self._tell(fingerprint))
            telling.addErrback(
                lambda failure: self.log.warn("the family record was not told: {why}", why=failure.value)
            )

    async def _tell(self, fingerprint: bytes) -> None:
        family, signed = self._family.current, self._family.signed
        if family is None or signed is None:
            return
        sent = await outcome(
            self._outbox.send(
                fingerprint, Command.CONTACTS, {"space": "family"}, signed.to_bytes(), deadline=SEND_SECONDS
            )
        )
        if sent.error is None:
            self._known[fingerprint] = family.revision
        elif sent.code in ("stale", "conflict"):
            await self._learn(fingerprint)
        self._sending.discard(fingerprint)
        if self._family.current is not None and self._family.current.revision > family.revision:
            self.tell(fingerprint)

    async def _learn(self, fingerprint: bytes) -> None:
        """The supplier has another record: a device of mine wrote it, or this one lost its own."""
        reply = await outcome(
            self._outbox.send(
                fingerprint, Command.RETRIEVE, {"kind": "family"}, deadline=SEND_SECONDS, max_answer=MAX_RECORD
            )
        )
        if reply.error is not None:
            return
        try:
            found = Signed.from_bytes(reply.value.payload, Family.KIND, MAX_RECORD)
            if self._family.adopt(found) or not self._family.reconcile(found):
                return
            self.log.info("another device of mine changed the family at the same time; both changes are joined")
        except BitDustError as error:
            self.log.warn("a supplier has another family record that cannot be used: {error}", error=error)

    def _store(self) -> None:
        if not self._storing and self._family.current is not None:
            self._storing = True
            storing = Deferred.fromCoroutine(self._store_now())
            storing.addErrback(
                lambda failure: self.log.warn("the family record was not stored: {why}", why=failure.value)
            )

    async def _store_now(self) -> None:
        family, signed = self._family.current, self._family.signed
        if family is None or signed is None:
            return
        stored = await outcome(self._to_dht(family, signed))
        self._storing = False
        if stored.error is not None:
            self._failures += 1
            pause = min(LONGEST_RETRY, FIRST_RETRY * 2.0 ** min(self._failures - 1, 10))
            self.log.info("the family record is not in the DHT ({e}); next try in {s} s", e=stored.error, s=pause)
        else:
            self._in_dht, self._failures = family.revision, 0
            newer = self._family.current is not None and self._family.current.revision > family.revision
            pause = 0.0 if newer else REFRESH_SECONDS
        self._again(pause)

    def _again(self, pause: float) -> None:
        if self._call is not None and self._call.active():
            self._call.cancel()
        if not self._stopped:
            self._call = self._world.clock.callLater(pause, self._store)
