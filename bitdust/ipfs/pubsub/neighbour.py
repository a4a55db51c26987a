"""A neighbour in topics: the port of one `IpfsNeighbour`."""

from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet.defer import Deferred

from bitdust.automats.ipfs_neighbour import IpfsNeighbour
from bitdust.automats.kernel import Registry
from bitdust.ipfs.pubsub.message import TOPIC_LIST, TOPICS, TopicMessage
from bitdust.ipfs.pubsub.queues import Queue
from bitdust.outcome import Outcome, outcomes
from bitdust.ports import Outbox
from bitdust.transport.outbox import PeerFailed
from bitdust.wire.packet import Command
from bitdust.wire.schema import Struct

MOST_WAITING, MOST_BYTES = 128, 4 * 1024 * 1024
TOGETHER = 16
"""Messages that are on their way to it."""
SECONDS = 10.0
REFUSALS = ("not-allowed", "unknown-command")
_ANSWER = Struct({"topics": TOPIC_LIST})


class Neighbour:
    """Who it is, its topics as it told them last, and what waits for it."""

    def __init__(
        self,
        registry: Registry,
        outbox: Outbox,
        session: Any,
        mine: Callable[[], list[bytes]],
        gone: Callable[["Neighbour"], None],
    ) -> None:
        self._outbox = outbox
        self._mine = mine
        self._gone = gone
        self._told: list[bytes] | None = None
        self.session = session
        self.topics: frozenset[bytes] = frozenset()
        self.queue = Queue(MOST_WAITING, MOST_BYTES)
        self.machine = IpfsNeighbour(registry, session.address, self)

    @property
    def device(self) -> bytes:
        """Its device id."""
        return bytes(self.session.peer.device)

    def put(self, message: TopicMessage) -> None:
        """Bring it a message, after those that wait."""
        self.queue.put(message)
        self.machine.send("queued")

    # what the machine asks

    def greet(self) -> "Deferred[None]":
        told = self._told = self._mine()
        return self._ask(Command.EVENT, {"kind": TOPICS, "topics": told}).addCallback(self._answered)

    def _answered(self, reply: Any) -> None:
        _ANSWER.check(dict(reply.fields), "answer")
        self.topics = frozenset(reply.fields["topics"])

    def is_stale(self) -> bool:
        return self._told != self._mine()

    def has_next(self) -> bool:
        return len(self.queue) > 0

    def send(self) -> "Deferred[Any]":
        messages = [self.queue.take() for _ in range(min(TOGETHER, len(self.queue)))]
        asking = [self._ask(Command.MESSAGE, one.to_fields(), one.data) for one in messages]
        return outcomes(asking).addCallback(_judge)

    def _ask(self, command: Command, fields: Mapping[str, Any], payload: bytes | None = None) -> "Deferred[Any]":
        who = self.session.peer.fingerprint
        return self._outbox.send(who, command, fields, payload, deadline=SECONDS, session=self.session)

    def is_refusal(self, failure: Any) -> bool:
        return getattr(getattr(failure, "value", None), "code", "") in REFUSALS

    def leave(self) -> None:
        self._gone(self)


def _judge(ended: list[Outcome]) -> None:
    """A message that was refused by itself (it is too old, or there are too many) is no failure of the peer."""
    for one in ended:
        if one.error is not None and (one.code in REFUSALS or not isinstance(one.error, PeerFailed)):
            raise one.error
