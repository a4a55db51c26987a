"""Heads of my own logs in the DHT: a recovered node learns from them up to where it must get its logs back.

So none may name entries that only this home has: when that is lost, a recovery would wait for them for ever.
"""

from collections.abc import Callable, Iterable

from attrs import frozen
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from bitdust.storage.catalog.catalog import Catalog, LogEnd
from bitdust.storage.log.replica import KeyLog, sort_keys
from bitdust.storage.ports import Ports
from bitdust.surroundings import Connected
from bitdust.wire.records import Head

EVERY = 30.0
"""Seconds between two heads of one log, at least."""


@frozen
class _Published:
    moment: float
    sequence: int


class HeadPublisher:
    """I bring the head of a log to the DHT when more of it is safe, not at every entry; the last one follows by itself.

    ``safe_end`` is the log up to where enough suppliers hold it.
    """

    log = Logger()

    def __init__(self, around: Connected, ports: Ports, safe_end: Callable[[KeyLog], LogEnd]) -> None:
        self._world = around.world
        self._me = around.me
        self._ports = ports
        self._safe_end = safe_end
        self._published: dict[tuple[str, bytes], _Published] = {}
        self._later: dict[str, IDelayedCall] = {}
        self._is_stopped = False

    def stop(self) -> None:
        """Bring nothing any more by itself."""
        self._is_stopped = True
        later, self._later = self._later, {}
        for call in later.values():
            if call.active():
                call.cancel()

    def publish(self, logs: Iterable[KeyLog]) -> None:
        """Bring those that are due."""
        for one in logs:
            self._publish(one)

    def _publish(self, one: KeyLog, is_due: bool = False) -> None:
        device, now = self._me.device.id, self._world.clock.seconds()
        end, before = self._safe_end(one), self._published.get((one.key, device))
        if not end.sequence or (before is not None and before.sequence >= end.sequence):
            return
        if before is not None and now - before.moment < EVERY and not is_due:
            if one.key not in self._later:
                self._later[one.key] = self._world.clock.callLater(EVERY - (now - before.moment), self._due, one)
            return
        published = self._published[one.key, device] = _Published(now, end.sequence)
        head = one.head(end, brief=True)
        putting = self._ports.publish_head(head, self._me.sign(Head.KIND, head.to_body()))
        putting.addErrback(self._failed, one, device, published)

    def _due(self, one: KeyLog) -> None:
        """What came soon after the last head was brought is not to wait for the next entry."""
        del self._later[one.key]
        # By the clock a part of a second may be left: its sum and its difference are rounded differently.
        self._publish(one, is_due=True)

    def _failed(self, failure: Failure, one: KeyLog, device: bytes, published: _Published) -> None:
        """The next occasion tries again, and half a minute at most: the first contact may have come in the meantime.

        Where a newer head is there already, nothing is left to do.
        """
        if self._published.get((one.key, device)) is published:
            del self._published[one.key, device]
            if not self._is_stopped and one.key not in self._later:
                self._later[one.key] = self._world.clock.callLater(EVERY, self._due, one)
        self.log.info("the head of a log is not in the DHT: {error}", error=failure.value)


def heads_of(catalog: Catalog, owner: bytes, end_of: Callable[[str, bytes], LogEnd]) -> list[Head]:
    """Unsigned heads of all logs that have entries up to their end, which ``end_of`` gives by key and device."""
    return [
        Head(owner, device, end.sequence, end.hash, 0, scope=catalog.scope(key, device))
        for key in sort_keys(catalog.known_keys())
        for device in catalog.devices(key)
        if (end := end_of(key, device)).sequence
    ]
