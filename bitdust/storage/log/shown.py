"""Whether a supplier shows that another program has written under my device key: believing that costs me the key.

Whoever knows a storage secret can seal an entry as mine. So it counts where it leads to a head that my key has signed.
"""

from collections.abc import Callable, Iterable, Iterator

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from bitdust.crypt.device import check_record
from bitdust.formats.log_entry import Entry, LogName
from bitdust.outcome import outcome
from bitdust.storage.catalog.catalog import LogEnd
from bitdust.storage.log.proof import Goal, Walk
from bitdust.storage.log.requests import LogRequests
from bitdust.storage.log.seen import SeenHead
from bitdust.wire.encoding import WireError
from bitdust.wire.records import Head
from bitdust.wire.signed import Signed

_log = Logger()


async def is_shown(
    requests: LogRequests, supplier: bytes, log: LogName, key: bytes, entry: LogEnd, opens: Callable[[Entry], bool]
) -> bool:
    """Whether a supplier shows an ``entry`` of a log whose device has the public ``key``, and that it was signed."""
    listed = await outcome(Deferred.fromCoroutine(requests.signed_heads(supplier)))
    heads = list(_signed_by(listed.value or [], log, key, supplier))
    highest = max(heads, key=lambda seen: seen.end, default=None)
    if highest is None or highest.end < entry.sequence:
        return False
    goal = Goal.by(highest, heads)
    walk = Walk(requests.entries, supplier, goal, (entry.sequence, LogEnd()), opens)
    try:
        links = await walk.more()
    except WireError as error:
        _log.warn("what a supplier shows is no entry of mine: {error}", error=error)
        return False
    return any(LogEnd(one.sequence, one.hash) == entry and one.entry and opens(one.entry) for one in links[:1])


def _signed_by(listed: Iterable[bytes], log: LogName, key: bytes, holder: bytes) -> Iterator[SeenHead]:
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
