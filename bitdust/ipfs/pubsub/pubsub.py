"""Topics: what is said in one goes to every node that takes part, by way of a few neighbours each.

Neighbours are partners of the exchange (friends, other devices of mine, who was connected to by hand), and whoever
greets this node and may have its blocks. They tell each other their topics. A message goes to at most eight neighbours
that take part in its topic, and they pass it on; it is heard once, counts for two minutes, and little is taken of one
author and of one neighbour. Who reads too slowly loses the oldest messages, as does a neighbour that takes too slowly.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from bitdust.ipfs.exchange.partners import Partners, key_of
from bitdust.ipfs.pubsub.message import LONGEST_TOPIC, MOST_DATA, MOST_TOPICS, TopicMessage
from bitdust.ipfs.pubsub.neighbour import Neighbour
from bitdust.ipfs.pubsub.queues import Queue, Subscription
from bitdust.scopes.reservations import Allowances
from bitdust.surroundings import Connected
from bitdust.wire.errors import BitDustError
from bitdust.wire.table import Answer, Request, ack

MESH = 8
"""Neighbours to which one message goes."""
MOST_NEIGHBOURS, OF_STRANGERS, OF_NETWORK = 64, 16, 4
"""Neighbours: all of them, those that are no partners, and those of one network."""
MOST_SUBSCRIPTIONS = 256
FRESH = 120.0
"""Seconds around its time in which a message counts."""
REMEMBERED = 32_768
OF_AUTHOR, OF_NEIGHBOUR = (10.0, 100.0), (100.0, 400.0)
"""Messages a second, and at once."""
MOST_UNREAD, MOST_UNREAD_BYTES = 1024, 8 * 1024 * 1024
"""Of one reader."""


class PubSub:
    """I know topics, neighbours and readers."""

    def __init__(self, around: Connected, partners: Partners, may_have: Callable[[bytes], bool]) -> None:
        self._world, self._registry = around.world, around.registry
        self._sessions, self._outbox, self._me = around.sessions, around.outbox, around.me
        self._partners = partners
        self._may_have = may_have
        self._readers: dict[Subscription, None] = {}
        self._neighbours: dict[Any, Neighbour] = {}
        self._heard: OrderedDict[tuple[bytes, bytes, bytes], None] = OrderedDict()
        self._shares = Allowances(around.world.clock)
        self._number = 0
        self._forget: Callable[[], None] = lambda: None
        self.refused = 0

    # life

    def open(self) -> None:
        """Begin."""
        self._forget = self._sessions.on_session(self._session_changed)

    def close(self) -> None:
        """Every reader ends, and every neighbour is left."""
        self._forget()
        for reader in list(self._readers):
            self.unsubscribe(reader)
        for neighbour in list(self._neighbours.values()):
            neighbour.machine.send("stop")

    def _session_changed(self, session: Any, is_up: bool) -> None:
        neighbour = self._neighbours.get(session)
        if neighbour is not None and not is_up:
            neighbour.machine.send("stop")
        elif is_up:
            self.look_for_neighbours()

    def look_for_neighbours(self) -> None:
        """Greet partners that are not greeted yet, while anybody reads here; who else is connected learns nothing."""
        for partner in self._partners.connected() if self._readers else ():
            self._meet(partner.session)

    def _meet(self, session: Any) -> Neighbour | None:
        neighbour = self._neighbours.get(session)
        if neighbour is None and self._has_place(session) and session.ended is None:
            neighbour = Neighbour(self._registry, self._outbox, session, self.my_topics, self._left)
            self._neighbours[session] = neighbour
            neighbour.machine.send("start")
        return neighbour

    def _has_place(self, session: Any) -> bool:
        """Keys cost nothing: strangers have few places, those of one network fewer, and partners all others."""
        if len(self._neighbours) >= MOST_NEIGHBOURS:
            return False
        if self._partners.may_ask(key_of(session)):
            return True
        strangers = [one for one in map(key_of, self._neighbours) if not self._partners.may_ask(one)]
        network = self._partners.network(key_of(session))
        of_network = sum(self._partners.network(one) == network for one in strangers) if network else 0
        return len(strangers) < OF_STRANGERS and of_network < OF_NETWORK

    def _left(self, neighbour: Neighbour) -> None:
        self._neighbours.pop(neighbour.session, None)

    # reading

    def my_topics(self) -> list[bytes]:
        """Topics that somebody reads here, as neighbours learn them: in order, and no more than they take."""
        return sorted({reader.topic for reader in self._readers})[:MOST_TOPICS]

    def subscribe(self, topic: bytes) -> Subscription:
        """Read a topic from now on; `unsubscribe` ends it. Raises ``bad-argument`` and ``busy``."""
        _need_topic(topic)
        topics = self.my_topics()
        if len(self._readers) >= MOST_SUBSCRIPTIONS or (len(topics) >= MOST_TOPICS and topic not in topics):
            raise BitDustError("busy", f"{MOST_TOPICS} topics, or {MOST_SUBSCRIPTIONS} readers, are all there can be")
        reader = Subscription(topic, Queue(MOST_UNREAD, MOST_UNREAD_BYTES))
        self._readers[reader] = None
        self.look_for_neighbours()
        self._tell_topics()
        return reader

    def unsubscribe(self, reader: Subscription) -> None:
        """Read it no more; may be called again."""
        if self._readers.pop(reader, reader) is None:
            reader.end()
            self._tell_topics()

    def _tell_topics(self) -> None:
        for neighbour in list(self._neighbours.values()):
            neighbour.machine.send("changed")

    def peers(self, topic: bytes | None = None) -> list[Any]:
        """Sessions with neighbours that take part in a topic, or in any of those that are read here."""
        wanted = set(self.my_topics()) if topic is None else {topic}
        return [one.session for one in self._neighbours.values() if wanted & one.topics]

    # saying

    def publish(self, topic: bytes, data: bytes) -> None:
        """Say something; who reads it here hears it, too. Raises ``too-large``, ``bad-argument``, ``busy``."""
        _need_topic(topic)
        if len(data) > MOST_DATA:
            raise BitDustError("too-large", f"a message has at most {MOST_DATA} bytes")
        device = self._me.device
        if self._shares.of(device.public, OF_AUTHOR).left() < 1:
            raise BitDustError("busy", "more was said than others would take; say it later")
        self._shares.of(device.public, OF_AUTHOR).spend()
        now = int(self._world.wall() * 1000)
        self._number = max(self._number + 1, now * 1000)
        self.look_for_neighbours()
        self._take(TopicMessage.said(device, topic, self._number, now, data), None)

    def _take(self, message: TopicMessage, source: Any) -> None:
        self._heard[message.name] = None
        if len(self._heard) > REMEMBERED:
            self._heard.popitem(last=False)
        for reader in list(self._readers):
            if reader.topic == message.topic:
                reader.put(message)
        for neighbour in self._mesh(message.topic, source):
            neighbour.put(message)

    def _mesh(self, topic: bytes, source: Any) -> list[Neighbour]:
        """A few that take part; for each topic others, and the same from message to message."""
        fit = [one for one in self._neighbours.values() if topic in one.topics and one.session is not source]
        return sorted(fit, key=lambda one: hashlib.sha256(topic + one.device).digest())[:MESH]

    # what neighbours ask

    def greeted(self, request: Request) -> Answer:
        """A peer tells its topics, and is told mine."""
        neighbour = self._neighbour_of(request)
        neighbour.topics = frozenset(request.fields["topics"])
        return ack(topics=self.my_topics())

    def _neighbour_of(self, request: Request) -> Neighbour:
        peer = request.peer
        key = (peer.fingerprint, peer.device)
        sessions = [one for one in self._sessions.sessions() if (one.peer.fingerprint, one.peer.device) == key]
        if not sessions or not (self._may_have(peer.fingerprint) or self._partners.may_ask(key)):
            self.refused += 1
            raise BitDustError("not-allowed", "this node takes part in topics with its friends alone")
        neighbour = self._meet(sessions[0])
        if neighbour is None:
            raise BitDustError("busy", "this node has as many neighbours as it wants already")
        return neighbour

    async def said(self, request: Request) -> Answer:
        """A neighbour brings a message. What was heard before is nothing new, and no fault."""
        neighbour = self._neighbour_of(request)
        fields = request.fields
        if self._shares.of(neighbour.device, OF_NEIGHBOUR).left() < 1:
            self.refused += 1
            raise BitDustError("busy", "you bring more messages than this node takes")
        self._shares.of(neighbour.device, OF_NEIGHBOUR).spend()
        if (fields["topic"], fields["author"], fields["number"]) in self._heard:
            return ack()
        if abs(self._world.wall() - fields["time"] / 1000) > FRESH:
            raise BitDustError("stale", "this was said too long ago, or your clock or mine is wrong")
        if fields["topic"] not in self.my_topics():
            return ack()
        message = TopicMessage.read(fields, await request.payload.read_all(MOST_DATA))
        author = self._shares.of(message.author, OF_AUTHOR)
        if message.name in self._heard:
            return ack()
        if author.left() < 1:
            self.refused += 1
            raise BitDustError("busy", "its author says more than this node takes")
        author.spend()
        self._take(message, neighbour.session)
        return ack()


def _need_topic(topic: bytes) -> None:
    if not 0 < len(topic) <= LONGEST_TOPIC:
        raise BitDustError("bad-argument", f"a topic has 1 to {LONGEST_TOPIC} bytes")
