"""The supplier's store: everything that a node keeps for its customers, and who may have it back.

`SupplierStore` joins the parts: contracts, pieces, logs and records, deleting, the scan at start, and the group commit
that writes all of it (`bitdust.disk.commit`). A fingerprint given to a method must be proven by a session;
signatures of records are checked by the caller (`rows`). A Deferred fires after the disk has it.
"""

import contextlib
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred

from bitdust.crypt.possession import LeafChain
from bitdust.customers.contracts import RENEW_AFTER, Account, Contracts, ContractState, Customer, Wish
from bitdust.customers.database import NO_SCOPE, give_back, open_database
from bitdust.customers.delays import Choose, Delays, keep_contract
from bitdust.customers.deletion import RemovePieces, forget_garbage
from bitdust.customers.free_space import FreeSpace
from bitdust.customers.grants import forget_revocations, need_valid, revoke
from bitdust.customers.intake import PieceIntake, Shelf
from bitdust.customers.keepsakes import IDENTITY, Keepsake, all_kept, keep, kept
from bitdust.customers.links import Links
from bitdust.customers.listing import Listed, list_pieces
from bitdust.customers.log_source import LogSource
from bitdust.customers.logs import ReceivedEntry, heads
from bitdust.customers.names import PieceName
from bitdust.customers.pieces import FoundPiece, Pieces, TestedPiece, customers_alone, incoming
from bitdust.customers.promises import DAY
from bitdust.customers.proofs import Proofs, Proven
from bitdust.customers.quota import Usage
from bitdust.customers.records import Counts, record, store_record
from bitdust.customers.scan import ScanReport, scan
from bitdust.customers.small import SmallIntake, StoredLog, StoreLog
from bitdust.disk.commit import GroupCommit, Job
from bitdust.disk.disk import Disk
from bitdust.disk.reserve import SETTING as DISK_RESERVE
from bitdust.formats.log_packet import SMALL, SmallPiece
from bitdust.scopes.scopes import Scopes
from bitdust.surroundings import Surroundings
from bitdust.wire.capability import MOST_DAYS, Capability
from bitdust.wire.errors import BitDustError
from bitdust.wire.records import Head, PackRecord
from bitdust.wire.signed import Signed

DONATED = "services/supplier/donated-space"
PROMISE_DAYS = "services/supplier/promise-days"


class SupplierStore:
    """I keep pieces, logs, rings, families and contracts of my customers. `start` first, `stop` last."""

    def __init__(
        self,
        around: Surroundings,
        folder: Path,
        database: Path | None = None,
        disk: Disk | None = None,
        small: int = SMALL,
        scopes: Scopes | None = None,
    ) -> None:
        """Without ``scopes`` of the node there are some for customers alone."""
        self._world = around.world
        self._settings = around.settings
        self.folder = folder
        self._path = database or folder.with_name("customers.db")
        self._disk = disk or Disk()
        self._writer: sqlite3.Connection | None = None
        self._reader: sqlite3.Connection | None = None
        self._commits = GroupCommit(self._world.run_in_thread, self._disk, self._write_connection)
        shelf = Shelf(folder, self._disk, self._world.run_in_thread, self._commits)
        self.space = FreeSpace(self._disk, folder, lambda: int(self._settings.get(DISK_RESERVE)))
        self.scopes = scopes or customers_alone(around)
        self.pieces = Pieces(shelf, self.space.free, self.scopes, small)
        self._links = Links(self._disk, folder)
        self._proofs = Proofs(shelf, self._world.clock.seconds)
        self.contracts = Contracts(around, self.donated, self.space.free)
        self.delays = Delays(around, self.contracts, self._commits, lambda: self._read, self._remove)
        self._renewed: dict[bytes, float] = {}

    def start(self) -> "Deferred[ScanReport]":
        """Open the database and check the disk; see `bitdust.customers.scan`."""
        return self._world.run_in_thread(self._open)

    def _open(self) -> ScanReport:
        self._disk.make_folder(self.folder)
        self._writer, self._reader = open_database(self._path)
        forget_revocations(self._writer, self._now())
        return scan(self._writer, self._disk, self.folder)

    def stop(self) -> "Deferred[None]":
        """Fires when everything that was begun is written and the files are closed."""
        return self._commits.when_idle().addCallback(lambda _: self._close())

    def _close(self) -> None:
        for connection in (self._reader, self._writer):
            if connection is not None:
                connection.close()
        self._reader = self._writer = None

    def _write_connection(self) -> sqlite3.Connection:
        if self._writer is None:
            raise BitDustError("busy", "the supplier's store is not open")
        return self._writer

    @property
    def _read(self) -> sqlite3.Connection:
        if self._reader is None:
            raise BitDustError("busy", "the supplier's store is not open")
        return self._reader

    @property
    def is_open(self) -> bool:
        return self._reader is not None

    def donated(self) -> int:
        """Bytes of the setting ``services/supplier/donated-space``."""
        return int(self._settings.get(DONATED))

    def _now(self) -> int:
        return int(self._world.wall())

    def write(self, job: Job) -> "Deferred[Any]":
        """Fires when one more job is on the disk, with the batch that takes it."""
        return self._commits.run(job)

    # contracts

    def request(self, customer: Customer, wish: Wish) -> "Deferred[Account]":
        """Make, renew or resize a contract; ``is_new`` says which. Fails ``no-space`` and leaves what was there."""
        return Deferred.fromCoroutine(self._request(customer, wish))

    async def _request(self, customer: Customer, wish: Wish) -> Account:
        now = self._now()

        def request(database: sqlite3.Connection) -> Account:
            account = self.contracts.request(database, customer, wish, now)
            keep_contract(database, customer.fingerprint)
            if customer.document:
                keep(database, IDENTITY, Keepsake(customer.fingerprint, customer.revision, 0, customer.document))
            return account

        account: Account = await self._commits.change(request)
        self._renewed[customer.fingerprint] = now
        try:
            await self._world.run_in_thread(self._links.make, account)
        except OSError:
            return account  # the link is a convenience for people; the folder is made with the first piece
        return account

    def cancel(self, customer: bytes, contract: bytes) -> "Deferred[Account]":
        """The customer leaves; its pieces stay until ``Account.until``."""
        return self._commits.change(lambda db: self.contracts.cancel(db, customer, contract))

    def retire(self) -> "Deferred[None]":
        """Take no more pieces from anybody, and nobody new."""
        self.contracts.is_closed = True
        return self._commits.change(self.contracts.retire)

    def stay(self) -> "Deferred[None]":
        """Undo `retire`."""
        self.contracts.is_closed = False
        return self._commits.change(self.contracts.stay)

    def reject(self, customer: bytes) -> "Deferred[Account]":
        """Take no more pieces from one customer; what it has stays for its grace. Fails ``no-contract``."""
        return self._commits.change(lambda db: self.contracts.reject(db, customer))

    def erase(self, customer: bytes) -> "Deferred[int]":
        """Erase the pieces of a rejected customer now; fires with freed bytes."""
        return self._forget(customer, lambda database: self.contracts.erase(database, customer))

    def lapse(self) -> "Deferred[int]":
        """Give room to others that was not filled for the days of the setting; fires with from how many."""
        since = self._now() - int(self._settings.get(PROMISE_DAYS)) * DAY
        return self._commits.change(lambda db: self.contracts.lapse(db, since))

    def set_idle(self, customer: bytes) -> "Deferred[None]":
        """Set no room aside any more for a customer that was not in touch for long; its pieces stay."""
        return self._commits.change(lambda db: self.contracts.set_state(db, customer, ContractState.IDLE))

    def contract_of(self, customer: bytes) -> Account | None:
        """The promise to a customer, in whichever state."""
        return self.contracts.of(self._read, customer)

    def has_contract(self, customer: bytes) -> bool:
        """Whether there is one, in whichever state."""
        return self.contracts.has(self._read, customer)

    def customers(self) -> list[Account]:
        """All promises."""
        return self.contracts.all(self._read)

    def holdings(self, customer: bytes) -> tuple[int, int]:
        """How many pieces of a customer are known here, and the bytes of those that the disk has lost."""
        account = self.contract_of(customer)
        query = "SELECT coalesce(sum(size), 0) FROM pieces WHERE customer=? AND state=1"  # by the index of those
        (missing,) = self._read.execute(query, (customer,)).fetchone()
        return (account.pieces if account is not None else 0), missing

    def touch(self, customer: bytes) -> "Deferred[None] | None":
        """The customer is in touch: renew its term, at most once an hour; None when nothing was written."""
        now = self._world.wall()
        renewed = self._renewed.get(customer)
        if (renewed is not None and now - renewed < RENEW_AFTER) or self.contract_of(customer) is None:
            return None
        self._renewed[customer] = now
        return self._commits.change(lambda db: self.contracts.renew(db, customer, int(now)))

    def announce(self, customer: bytes) -> "Deferred[None]":
        """The grace of a contract whose term is over begins now."""
        return self._commits.change(lambda db: self.contracts.announce(db, customer, self._now()))

    def purge(self, customer: bytes) -> "Deferred[int]":
        """Forget a customer whose announced grace is over; fires with freed bytes, 0 when it is too early."""
        now = self._now()
        return self._forget(customer, lambda database: self.contracts.purge(database, customer, now))

    def end(self, customer: bytes, contract: bytes) -> "Deferred[int]":
        """Erase everything of a customer on its signed word, which the caller has checked; fires with freed bytes."""
        return self._forget(customer, lambda database: self.contracts.end(database, customer, contract))

    def _forget(
        self, customer: bytes, forget: Callable[[sqlite3.Connection], list[tuple[bytes, int, int]]]
    ) -> "Deferred[int]":
        def choose(database: sqlite3.Connection) -> list[tuple[PieceName, int]]:
            return [(PieceName(customer, pack, number), size) for pack, number, size in forget(database)]

        self._renewed.pop(customer, None)
        return self._remove(customer, choose)

    def _remove(self, customer: bytes, choose: Choose) -> "Deferred[int]":
        return Deferred.fromCoroutine(self._forgotten(customer, RemovePieces(self._disk, self.folder, choose)))

    async def _forgotten(self, customer: bytes, job: RemovePieces) -> int:
        account = self.contract_of(customer)
        freed = await self._removed(job)
        if account is not None and self.is_open and self.contract_of(customer) is None:
            self._renewed.pop(customer, None)
            with contextlib.suppress(OSError):
                await self._world.run_in_thread(self._links.remove, account)
        return freed

    async def _removed(self, job: RemovePieces) -> int:
        freed: int = await self._commits.run(job)
        if job.names:
            await self._commits.change(lambda database: forget_garbage(database, job.names))
        return freed

    # pieces

    def receive(
        self,
        name: PieceName,
        pack: PackRecord,
        signed: bytes,
        grant: Capability | None = None,
        peer: bytes | None = None,
    ) -> PieceIntake | SmallIntake:
        """Begin to take a piece whose record was verified, of its owner or under a capability; ``peer`` brings it.

        Raises no-contract, no-space, not-allowed, conflict, busy, bad-field.
        """
        return self.pieces.receive(self._read, incoming(name, pack, signed, grant), pack, peer or name.customer)

    def find(
        self,
        name: PieceName,
        offset: int = 0,
        length: int = 0,
        scope: bytes | None = None,
        peer: bytes | None = None,
    ) -> "Deferred[FoundPiece]":
        """Fires with part of a piece for a ``peer``, which must be of one ``scope`` where that is given.

        Raises not-found, bad-field, busy; also fails with not-found.
        """
        return self.pieces.find(self._read, name, (offset, length), scope, peer or name.customer)

    def prove(self, names: Sequence[PieceName], chain: LeafChain, scope: bytes | None) -> "Deferred[Proven]":
        """Prove that pieces of one customer are here; see `bitdust.customers.proofs`."""
        return Deferred.fromCoroutine(self._proofs.prove(self._read, names, chain, scope))

    def size(self, name: PieceName) -> int:
        """Bytes of a piece that is known here, 0 for any other."""
        query = "SELECT size FROM pieces WHERE customer=? AND pack=? AND number=?"
        row = self._read.execute(query, name.key).fetchone()
        return int(row[0]) if row is not None else 0

    def usage(self, customer: bytes) -> Usage:
        """Bytes used and promised. Raises no-contract."""
        account = self.contract_of(customer)
        if account is None:
            raise BitDustError("no-contract", "there is no contract with you; ask for the service first")
        return Usage(account.used, account.room, account.pieces, account.log_bytes, account.record_bytes)

    def listing(self, customer: bytes, after: bytes, most: int, scope: bytes | None = None) -> Listed:
        """Kept pieces in order of packs, from the pack behind ``after``, of one ``scope`` or of all.

        A pack is never split over two pages.
        """
        return list_pieces(self._read, customer, after, most, scope)

    # capabilities

    def revoke(self, owner: bytes, capability: bytes, signed: bytes) -> "Deferred[None]":
        """Let a capability count no more, on the owner's signed word, which the caller has checked."""
        now = self._now()
        return self._commits.change(lambda database: revoke(database, owner, capability, now, signed))

    def need_valid(self, grant: Capability) -> None:
        """Raises ``not-allowed`` for a capability that has ended, that ends too late, or that was revoked."""
        now = self._now()
        if grant.ends <= now:
            raise BitDustError("not-allowed", "this capability has ended")
        if grant.ends > now + MOST_DAYS * DAY:
            raise BitDustError("not-allowed", f"a capability may end at most {MOST_DAYS} days from now")
        need_valid(self._read, grant)

    # catalog logs and records

    def append(
        self,
        entries: Sequence[ReceivedEntry],
        head: Head,
        signed_head: bytes,
        pieces: Sequence[tuple[PackRecord, SmallPiece]] = (),
        grant: Capability | None = None,
    ) -> "Deferred[StoredLog]":
        """Keep entries of one log and small pieces in one commit; fires with what was kept.

        Raises no-space; fails conflict, no-space, no-contract, not-allowed, and then nothing is kept. A piece that
        cannot be kept is named in the result and keeps nothing else back.
        """
        self.space.need(sum(len(entry.data) for entry in entries))
        packet = StoreLog(entries, head, signed_head, grant, self.delays.until())
        for pack, piece in pieces:
            self.pieces.admit_small(self._read, packet, pack, piece)
        return self._commits.run(packet)

    def entries(self, customer: bytes, device: bytes, first: int, most: int, scope: bytes = NO_SCOPE) -> LogSource:
        """Entries of a log, to be read as they are sent."""
        return LogSource(lambda: self._read, (customer, scope, device), first, most)

    def heads(self, customer: bytes, scope: bytes | None = None) -> list[bytes]:
        """The newest signed head of each log, or of those of one scope."""
        return heads(self._read, customer, scope)

    def store_record(self, customer: bytes, kind: str, revision: int, signed: bytes) -> "Deferred[int]":
        """Keep some record; fires with the revision kept; fails stale, conflict, bad-field, no-contract."""
        return self._commits.change(lambda database: store_record(database, customer, kind, revision, signed))

    def store_signed(self, customer: bytes, revision: int, signed: Signed, counts: Counts) -> "Deferred[int]":
        """Keep a key ring or family, with which devices of the customer count now; see `store_record`.

        Raises no-space.
        """
        data, device = signed.to_bytes(), signed.device
        self.space.need(len(data))
        return self._commits.change(
            lambda database: store_record(database, customer, signed.kind, revision, data, device, counts)
        )

    def keep(self, kind: str, new: Keepsake) -> "Deferred[None]":
        """Keep what a recovery of a customer needs, for as long as its contract."""
        return self._commits.change(lambda database: keep(database, kind, new))

    def keepsake(self, kind: str, customer: bytes) -> Keepsake | None:
        """What is kept of a kind of one customer."""
        return kept(self._read, kind, customer)

    def keepsakes(self, kind: str) -> list[Keepsake]:
        """What is kept of a kind, of everybody."""
        return all_kept(self._read, kind)

    def record(self, customer: bytes, kind: str, back: int = 0) -> bytes | None:
        """The newest signed record of a kind, or the one that was the newest ``back`` records before."""
        return record(self._read, customer, kind, back)

    # looking after it all

    async def shrink(self) -> None:
        """Give the disk what the database does not need any more, a part at a time between other commits."""
        while await self._commits.change(give_back):
            pass

    def piece_after(self, last: PieceName | None) -> PieceName | None:
        """The next piece of anybody behind ``last``, None at the end."""
        row = self._read.execute(
            "SELECT customer, pack, number FROM pieces WHERE (customer, pack, number) > (?, ?, ?)"
            " ORDER BY customer, pack, number LIMIT 1",
            last.key if last is not None else (b"", b"", -1),
        ).fetchone()
        return PieceName(*row) if row is not None else None

    def test(self, name: PieceName) -> "Deferred[TestedPiece | None]":
        """Read a piece again and mark it if it is gone or damaged; None when it was deleted meanwhile."""
        return Deferred.fromCoroutine(self.pieces.test(self._read, name))
