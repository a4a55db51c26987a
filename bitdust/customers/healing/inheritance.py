"""A spare counts for a recovery: it takes log and key ring of the owner from the members."""

from collections import Counter
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from bitdust.customers.healing.reading import MemberReader, SignedHead
from bitdust.customers.logs import ReceivedEntry
from bitdust.customers.store import SupplierStore
from bitdust.formats.log_entry import NOTHING_BEFORE
from bitdust.formats.orders import ring_revision
from bitdust.outcome import outcome
from bitdust.wire.errors import BitDustError
from bitdust.wire.records import Head
from bitdust.wire.signed import Signed

MOST_ANSWERS = 10_000
BATCH = 500
MOST_BYTES = 512 * 1024 * 1024
MOST_ENTRIES = 1_000_000
"""Of one log: it is in memory until its end is known. Who is behind all of a family could let it grow for ever."""
Log = tuple[bytes, bytes]


class Inheritance:
    """What a family keeps beside pieces, for its spare."""

    log = Logger()

    def __init__(self, store: SupplierStore, reader: MemberReader) -> None:
        self._store = store
        self._reader = reader

    async def take(self) -> None:
        """Everything that k members know. Raises `BitDustError` where fewer answer, or a log cannot be had whole."""
        await self._take_rings()
        found = await self._reader.of_all(self._reader.heads)
        if len(found) < self._reader.family.k:
            raise BitDustError("no-answer", f"{len(found)} members answer, {self._reader.family.k} are needed")
        for holders in self._newest(found).values():
            taking = await outcome(Deferred.fromCoroutine(self._take_log(holders)))
            if taking.error is not None and not holders[0][0].is_guests:
                raise taking.error

    async def _take_rings(self) -> None:
        """All that members have, the newest last; a ring that is not newer than what is here changes nothing."""
        found = await self._reader.of_all(self._reader.key_rings)
        customer, counts = self._reader.customer, self._reader.counts
        rings = {
            (ring_revision(ring.body, customer), ring.to_bytes()): ring for some in found.values() for ring in some
        }
        for (revision, _), ring in sorted(rings.items()):
            kept = await outcome(self._store.store_signed(customer, revision, ring, counts))
            if kept.error is not None and kept.code not in ("stale", "conflict", "bad-field"):
                raise kept.error

    def _newest(self, found: dict[bytes, list[SignedHead]]) -> dict[Log, list[tuple[SignedHead, bytes]]]:
        """For each log its heads with who has them: the newest first, and those of revoked devices last. Heads of
        guests that k members have alike: who signed them is not known here."""
        alike = Counter(one.data for heads in found.values() for one in heads)
        logs: dict[Log, list[tuple[SignedHead, bytes]]] = {}
        for member, heads in found.items():
            for one in heads:
                if one.is_guests and alike[one.data] < self._reader.family.k:
                    continue
                logs.setdefault((one.head.scope or b"", one.head.device), []).append((one, member))
        for holders in logs.values():
            holders.sort(key=lambda pair: (not pair[0].counts, -pair[0].head.sequence))
        return logs

    async def _take_log(self, holders: list[tuple[SignedHead, bytes]]) -> None:
        """A log as far as anybody gives it.

        One that shows a newer head, and no entries to it, or a fork that a stolen device has signed, stops nothing.
        """
        held = self._held(holders[0][0].head)
        problem = BitDustError("no-answer", "nobody gives a whole log")
        for one, member in holders:
            if one.head.sequence <= held:
                continue
            first = held + 1 if held and (one.head.first or 1) <= held + 1 else one.head.first or 1
            ended = await outcome(Deferred.fromCoroutine(self._take_up_to(member, one, first)))
            if ended.error is None:
                held = one.head.sequence
            elif isinstance(ended.error, BitDustError):
                problem = ended.error
                self.log.info("a log of a customer cannot be had from one: {why}", why=problem)
        if not held:
            raise problem

    async def _take_up_to(self, member: bytes, one: SignedHead, first: int) -> None:
        await self._keep(await self._chain(member, one.head, first), one)

    def _held(self, head: Head) -> int:
        """The last sequence of a log that is here."""
        known = [Head.from_body(Signed.from_bytes(data, Head.KIND).body) for data in self._store.heads(head.owner)]
        return max((one.sequence for one in known if (one.scope, one.device) == (head.scope, head.device)), default=0)

    async def _chain(self, member: bytes, head: Head, first: int) -> list[ReceivedEntry]:
        """Entries that lead from ``first`` to the head. Raises `BitDustError` where they are no chain."""
        chain: list[ReceivedEntry] = []
        size = 0
        for _ in range(MOST_ANSWERS):
            some = await self._reader.entries(member, head, chain[-1].sequence + 1 if chain else first)
            for entry in some:
                if entry.sequence <= head.sequence:
                    self._need_next(chain, entry, head, first)
                    chain.append(entry)
                    size += len(entry.data)
            if not some or chain[-1].sequence == head.sequence:
                break
            if size > MOST_BYTES or len(chain) > MOST_ENTRIES:
                raise BitDustError("too-large", "the log is longer than a spare can take")
        if not chain or chain[-1].hash != head.hash:
            raise BitDustError("conflict", "the log does not end with what the owner has signed")
        return chain

    def _need_next(self, chain: list[ReceivedEntry], entry: ReceivedEntry, head: Head, first: int) -> None:
        expected: Any = (head.owner, head.scope or b"", head.device)
        follows = entry.sequence == (chain[-1].sequence + 1 if chain else first)
        if not chain:
            linked = first != 1 or entry.previous == NOTHING_BEFORE
        else:
            linked = entry.previous == chain[-1].hash
        if entry.chain != expected or not follows or not linked:
            raise BitDustError("conflict", "the entries of a log are no chain")

    async def _keep(self, chain: list[ReceivedEntry], one: SignedHead) -> None:
        for start in range(0, len(chain), BATCH):
            await self._store.append(chain[start : start + BATCH], one.head, one.data)
