"""Reading a record: the highest revision among the nearest nodes, without waiting for the slow ones."""

from collections.abc import Callable

from attrs import frozen
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from bitdust.dht.contact import Contact, nearest
from bitdust.dht.ids import number
from bitdust.dht.lookup import Goal, Lookup, Path
from bitdust.dht.messages import Message
from bitdust.dht.peers import Peers
from bitdust.dht.records import DHTRecord
from bitdust.dht.rpc import Rpc
from bitdust.dht.table import K
from bitdust.wire.encoding import WireError

QUORUM = 3
MIN_GRACE = 0.02
MAX_GRACE = 0.25
LIMIT = 8.0
"""Seconds after which what was heard counts, however many nodes have still to be asked."""


@frozen
class Found:
    """The outcome of a get: the record or None, and the ids of the nearest nodes that answered, in hex.

    ``records`` are all that were seen under the key, older ones and, of a nickname, those of other owners too.
    """

    record: DHTRecord | None
    closest: tuple[str, ...]
    records: tuple[DHTRecord, ...] = ()


@frozen
class Sought:
    """A record that is looked for: its key, its layer, and what this node has of it.

    ``whole`` ends with the lookup alone: of the nearest nodes all that answer are heard, and those that gave an older
    revision than another one get the newest. ``paths`` lookups run beside each other, and ask no node twice.
    """

    key: bytes
    layer: int
    local: DHTRecord | None = None
    whole: bool = False
    paths: int = 1


class Fetching:
    """One search for one key. Done when three nodes gave the record, a little after the first one, or at the end."""

    def __init__(
        self,
        clock: IReactorTime,
        peers: Peers,
        rpc: Rpc,
        check: Callable[[bytes], DHTRecord],
        sought: Sought,
        on_done: Callable[[Found], None],
    ) -> None:
        self._clock = clock
        self._rpc = rpc
        self._check = check
        self._best = sought.local
        self._on_done = on_done
        self._givers: list[tuple[Contact, DHTRecord]] = []
        self._seen: dict[bytes, DHTRecord] = {}
        self._timers: list[IDelayedCall] = []
        self._done = False
        self._sought = sought
        goals = [Goal.value(number(sought.key), path) for path in Path.disjoint(sought.paths)]
        self._lookups = [Lookup(peers, rpc, goal, self._path_ended, on_reply=self._check_reply) for goal in goals]

    def start(self) -> None:
        """Ask."""
        self._timers.append(self._clock.callLater(LIMIT, self._finish))
        for lookup in self._lookups:
            lookup.start()

    def stop(self) -> None:
        """Ask no more and tell nobody."""
        self._done = True
        for lookup in self._lookups:
            lookup.stop()
        for timer in self._timers:
            if timer.active():
                timer.cancel()

    def _check_reply(self, contact: Contact, reply: Message) -> None:
        data = reply.get("record")
        record = None if data is None else self._judge(data)
        if record is None or self._done:
            return
        if self._best is None or _order(record) > _order(self._best):
            self._best = record
        self._givers.append((contact, record))
        if self._sought.whole:
            return
        if len(self._givers) >= QUORUM:
            self._finish()
        elif len(self._givers) == 1:
            grace = min(MAX_GRACE, max(MIN_GRACE, 2 * contact.timeout()))
            self._timers.append(self._clock.callLater(grace, self._finish))

    def _judge(self, data: bytes) -> DHTRecord | None:
        if data not in self._seen:
            try:
                record = self._check(data)
            except WireError:
                return None
            if record.key(self._sought.layer) != self._sought.key:
                return None
            self._seen[data] = record
        return self._seen[data]

    def _path_ended(self, _lookup: Lookup) -> None:
        if all(lookup.done for lookup in self._lookups):
            self._finish()

    def _finish(self) -> None:
        if self._done:
            return
        self.stop()
        if self._sought.whole:
            self._write_back()
        answered = [contact for lookup in self._lookups for contact in lookup.answered()]
        closest = nearest(answered, number(self._sought.key), K)
        local = [self._sought.local] if self._sought.local is not None else []
        records = (*local, *self._seen.values())
        self._on_done(Found(self._best, tuple(contact.id.hex() for contact in closest), records))

    def _write_back(self) -> None:
        """Whoever gave an older revision gets the newest, and gives it to those who ask after me."""
        best = self._best
        for contact, record in self._givers:
            if best is not None and record.revision < best.revision and record.fingerprint == best.fingerprint:
                self._rpc.ask(contact, "store", {"record": best.to_bytes()}, _written, layer=self._sought.layer)


def _written(_contact: Contact, _reply: Message) -> None:
    """Whether it took the record is seen by whoever asks it next."""


def _order(record: DHTRecord) -> tuple[int, int]:
    """Of one revision, whose owner may have sealed it again, what lives longest counts, as for those who keep it."""
    return record.revision, record.expires
