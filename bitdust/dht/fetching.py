"""Reading a record: the highest revision among the nearest nodes, without waiting for the slow ones."""

from collections.abc import Callable

from attrs import frozen
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from bitdust.dht.contact import Contact
from bitdust.dht.ids import number
from bitdust.dht.lookup import Goal, Lookup
from bitdust.dht.messages import Message
from bitdust.dht.peers import Peers
from bitdust.dht.records import DHTRecord
from bitdust.dht.rpc import Rpc
from bitdust.wire.encoding import WireError

QUORUM = 3
MIN_GRACE = 0.02
MAX_GRACE = 0.25


@frozen
class Found:
    """The outcome of a get: the record or None, and the ids of the nearest nodes that answered, in hex."""

    record: DHTRecord | None
    closest: tuple[str, ...]


@frozen
class Sought:
    """A record that is looked for: its key, its layer, and what this node has of it.

    ``thorough`` ends with the lookup alone: of the nearest nodes all that answer are heard.
    """

    key: bytes
    layer: int
    local: DHTRecord | None
    thorough: bool = False


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
        self._check = check
        self._best = sought.local
        self._on_done = on_done
        self._givers: list[Contact] = []
        self._seen: dict[bytes, DHTRecord] = {}
        self._grace: IDelayedCall | None = None
        self._done = False
        self._key, self._layer, self._thorough = sought.key, sought.layer, sought.thorough
        self._lookup = Lookup(peers, rpc, Goal.value(number(sought.key)), self._finish, on_reply=self._check_reply)

    def start(self) -> None:
        """Ask."""
        self._lookup.start()

    def stop(self) -> None:
        """Ask no more and tell nobody."""
        self._done = True
        self._lookup.stop()
        self._stop_grace()

    def _stop_grace(self) -> None:
        if self._grace is not None and self._grace.active():
            self._grace.cancel()

    def _check_reply(self, contact: Contact, reply: Message) -> None:
        data = reply.get("record")
        record = None if data is None else self._judge(data)
        if record is None or self._done:
            return
        if self._best is None or record.revision > self._best.revision:
            self._best = record
        self._givers.append(contact)
        if self._thorough:
            return
        if len(self._givers) >= QUORUM:
            self._finish(self._lookup)
        elif self._grace is None:
            grace = min(MAX_GRACE, max(MIN_GRACE, 2 * contact.timeout()))
            self._grace = self._clock.callLater(grace, self._finish, self._lookup)

    def _judge(self, data: bytes) -> DHTRecord | None:
        if data not in self._seen:
            try:
                record = self._check(data)
            except WireError:
                return None
            if record.key(self._layer) != self._key:
                return None
            self._seen[data] = record
        return self._seen[data]

    def _finish(self, lookup: Lookup) -> None:
        if not self._done:
            self.stop()
            self._on_done(Found(self._best, tuple(contact.id.hex() for contact in lookup.answered())))
