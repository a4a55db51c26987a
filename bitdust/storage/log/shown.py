"""Whether a supplier shows that another program has written under my device key: believing that costs me the key.

Whoever knows a storage secret can seal an entry as mine. So it counts where it leads to a head that my key has signed.
A copy of my home that was cut off while it brought much has left entries that lead to none; they count where so many
suppliers hold some that every k include one of them: nothing that I write could ever be safe beside those.
"""

from collections.abc import Callable, Iterable, Iterator

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from bitdust.crypt.device import check_record
from bitdust.formats.log_entry import Entry, Link, LogName, chain_of
from bitdust.outcome import outcome
from bitdust.replication import members, needed
from bitdust.storage.catalog.catalog import LogEnd
from bitdust.storage.log.proof import Goal, Noted, Walk
from bitdust.storage.log.requests import LogRequests
from bitdust.storage.log.seen import SeenHead
from bitdust.wire.encoding import WireError
from bitdust.wire.records import Family, Head
from bitdust.wire.signed import Signed

_log = Logger()
Opens = Callable[[Entry], bool]


class Copies:
    """I judge what suppliers hold of my log and I have not written. ``family`` gives my newest family."""

    def __init__(self, requests: LogRequests, family: Callable[[], Family | None]) -> None:
        self._requests = requests
        self._family = family
        self._noted = Noted()
        self._holders: set[bytes] = set()
        """Who gave something that was sealed, and leads to nothing that was signed."""

    async def are_shown(self, supplier: bytes, log: LogName, key: bytes, entry: LogEnd, opens: Opens) -> bool:
        """Whether there is a copy, by the ``entry`` that one more supplier says to hold of a log whose device has the
        public ``key``."""
        if await self._is_signed(supplier, log, key, entry, opens):
            return True
        if await _is_given(self._requests, supplier, log, entry, opens):
            self._holders.add(supplier)
        family = self._family()
        return family is not None and len(self._holders.intersection(members(family))) >= needed(family)

    async def _is_signed(self, supplier: bytes, log: LogName, key: bytes, entry: LogEnd, opens: Opens) -> bool:
        listed = await outcome(Deferred.fromCoroutine(self._requests.signed_heads(supplier)))
        heads = list(signed_by(listed.value or [], log, key, supplier))
        highest = max(heads, key=lambda seen: seen.end, default=None)
        if highest is None or highest.end < entry.sequence:
            return False
        goal = Goal.by(highest, heads)
        walk = Walk(self._requests.entries, supplier, goal, (entry.sequence, LogEnd()), opens, self._noted)
        try:
            links = await walk.more()
        except WireError as error:
            _log.warn("what a supplier shows is no entry of mine: {error}", error=error)
            return False
        return any(LogEnd(one.sequence, one.hash) == entry and _opens(one, opens) for one in links[:1])

    def agrees(self, supplier: bytes) -> None:
        """It has taken what I have written."""
        self._holders.discard(supplier)


async def _is_given(requests: LogRequests, supplier: bytes, log: LogName, entry: LogEnd, opens: Opens) -> bool:
    given = await outcome(requests.entries(supplier, log, entry.sequence))
    try:
        first = chain_of(given.value, log)[0] if given.value else None
    except WireError:
        return False
    return first is not None and (first.sequence, first.hash) == (entry.sequence, entry.hash) and _opens(first, opens)


def _opens(link: Link, opens: Opens) -> bool:
    return link.entry is not None and opens(link.entry)


def signed_by(listed: Iterable[bytes], log: LogName, key: bytes, holder: bytes) -> Iterator[SeenHead]:
    """Heads of a log that a supplier lists, as far as the log's own device has signed them with this public ``key``."""
    for data in listed:
        try:
            signed = Signed.from_bytes(data, Head.KIND, 4096)
            head = Head.from_body(signed.body)
            if (head.owner, head.scope, head.device, signed.device) != (log.owner, log.scope, log.device, log.device):
                continue
            check_record(signed, key)
        except WireError:
            continue
        yield SeenHead(head, holder, True, data, signed.device, head.sequence)
