"""Where two programs that wrote under one device key have parted: a home was copied, or set back to an old copy."""

from collections.abc import Callable
from functools import partial

from attrs import frozen
from twisted.internet.defer import Deferred

from bitdust.formats.log_entry import LogName, chain_of
from bitdust.identity.me import Me
from bitdust.outcome import outcome
from bitdust.storage.catalog.catalog import Catalog, LogEnd
from bitdust.storage.log.requests import LogRequests
from bitdust.storage.log.shown import Copies, signed_by
from bitdust.storage.log.taking import can_open
from bitdust.wire.encoding import WireError
from bitdust.wire.records import Family


@frozen
class Shared:
    """The last entry of a log that a supplier has as it is here, None where both have forgotten how their logs begin;
    ``is_parted``: it shows another one behind that."""

    last: int | None
    is_parted: bool = False


class Parting:
    """I compare what is here of the log of a device of mine with what a supplier shows. ``family`` gives the newest
    family of the log's owner."""

    def __init__(self, me: Me, catalog: Catalog, requests: LogRequests, family: Callable[[], Family | None]) -> None:
        self._me = me
        self._catalog = catalog
        self._requests = requests
        self._copies = Copies(requests, family)

    async def compare(self, key: str, device: bytes, supplier: bytes) -> Shared | None:
        """None where nothing can be said: it lists nothing that this device has signed, or does not give it."""
        known = self._me.document.device(device)
        log = LogName(self._requests.access.owner, self._catalog.scope(key, device), device)
        listed = await outcome(Deferred.fromCoroutine(self._requests.signed_heads(supplier)))
        if known is None or listed.error is not None:
            return None
        ends = [seen.end for seen in signed_by(listed.value, log, known.key, supplier)]
        last = min(self._catalog.end(key, device).sequence, max(ends, default=0))
        theirs = (await self._hashes(supplier, log, last)).get(last) if last else None
        if theirs is None or theirs == self._hash(key, log, last):
            return Shared(last) if theirs is not None else None
        opens = partial(can_open, self._requests.access, key)
        if not await self._copies.are_shown(supplier, log, known.key, LogEnd(last, theirs), opens):
            return None
        return Shared(await self._shared_before(key, supplier, log, last), True)

    async def _shared_before(self, key: str, supplier: bytes, log: LogName, last: int) -> int | None:
        """In steps that grow: what was written twice is short, as a rule, and what was before that may be long."""
        first, step = self._catalog.first_sequence(key, log.device), 1
        while last > first:
            last, step = max(first, last - step), 2 * step
            shared = await self._shared_from(key, supplier, log, last)
            if shared is None or shared >= last:
                return shared
        return 0 if first == 1 else None

    async def _shared_from(self, key: str, supplier: bytes, log: LogName, first: int) -> int | None:
        """The last entry that both have from one on, the one before it for none; None where that one is not given."""
        begin = first
        while theirs := await self._hashes(supplier, log, begin):
            if begin not in theirs:
                break
            for sequence in range(begin, max(theirs) + 1):
                if theirs[sequence] != self._hash(key, log, sequence):
                    return sequence - 1
            begin = max(theirs) + 1
        return begin - 1 if begin > first else None

    async def _hashes(self, supplier: bytes, log: LogName, first: int) -> dict[int, bytes]:
        given = await outcome(self._requests.entries(supplier, log, first))
        try:
            return {one.sequence: one.hash for one in chain_of(given.value or [], log)}
        except WireError:
            return {}

    def _hash(self, key: str, log: LogName, sequence: int) -> bytes | None:
        query = "SELECT hash FROM entries WHERE key=? AND device=? AND sequence=?"
        row = self._catalog.read.execute(query, (key, log.device, sequence)).fetchone()
        return bytes(row[0]) if row is not None else None
