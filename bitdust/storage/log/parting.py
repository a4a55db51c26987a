"""Where two programs that wrote under one device key have parted: a home was copied, or set back to an old copy."""

from collections.abc import Callable
from functools import partial

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


class Parting:
    """I compare what is here of this device's logs with what a supplier shows. ``family`` gives my newest family."""

    def __init__(self, me: Me, catalog: Catalog, requests: LogRequests, family: Callable[[], Family | None]) -> None:
        self._me = me
        self._catalog = catalog
        self._requests = requests
        self._copies = Copies(requests, family)

    async def last_shared(self, key: str, supplier: bytes) -> int | None:
        """The last entry that both have, where a supplier shows another one behind that than is here. None where one
        goes on from the other, and where that cannot be seen: both have forgotten how their logs begin."""
        device = self._me.device
        scope, mine = self._catalog.scope(key, device.id), self._catalog.end(key, device.id)
        log = LogName(self._requests.access.owner, scope, device.id)
        listed = await outcome(Deferred.fromCoroutine(self._requests.signed_heads(supplier)))
        ends = [seen.end for seen in signed_by(listed.value or [], log, device.public, supplier)]
        last = min(mine.sequence, max(ends, default=0))
        theirs = (await self._hashes(supplier, log, last)).get(last) if last else None
        if theirs is None or theirs == self._hash(key, log, last):
            return None
        opens = partial(can_open, self._requests.access, key)
        if not await self._copies.are_shown(supplier, log, device.public, LogEnd(last, theirs), opens):
            return None
        return await self._shared_before(key, supplier, log, last)

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
