"""Messages by topic.

Clients until version 0.10 write topics and data as they are, as the Python client does, and read base 64. Later ones
write both as multibase (``u…``), and bring data in the body. A topic counts as multibase where it is base 64 of the
form for URLs, without anything left over, of readable text; such a topic means that text, whoever writes it.
"""

from collections.abc import AsyncIterator
from typing import Any

from attrs import frozen

from bitdust.ipfs.peerids import peer_id
from bitdust.ipfs.pubsub.message import MOST_DATA, TopicMessage
from bitdust.ipfs.pubsub.queues import Subscription
from bitdust.ipfs.room import IpfsRoom
from bitdust.ipld import multibase
from bitdust.ipld.errors import FormatError
from bitdust.web.ipfs.arguments import BOOL, Argument, BadCall, Option
from bitdust.web.ipfs.commands.kit import need_file
from bitdust.web.ipfs.table import Answer, Call, Command, Json, Lines, Row

URL = "u"
_PADDED = multibase.NAMES["base64pad"]
_URL = multibase.NAMES["base64url"]


@frozen
class Topic:
    """A topic, and whether it was written as multibase."""

    name: bytes
    is_multibase: bool = False

    @classmethod
    def parse(cls, text: str) -> "Topic":
        """Either way of writing it."""
        if text.startswith(URL):
            try:
                name = _URL.read(text[1:])
                if name.decode().isprintable() and _URL.write(name) == text[1:] and name:
                    return cls(name, True)
            except (FormatError, UnicodeDecodeError):
                pass
        return cls(text.encode("utf-8", "surrogateescape"))

    def write(self, name: bytes) -> str:
        """A topic as this client reads it."""
        return URL + _URL.write(name) if self.is_multibase else name.decode("utf-8", "replace")


async def publish(room: IpfsRoom, call: Call) -> Answer:
    topic, data = Topic.parse(call.arguments["topic"]), call.arguments["data"]
    if call.upload is not None:
        said = await (await need_file(call)).whole(MOST_DATA)
    elif data:
        said = b"".join(one.encode("utf-8", "surrogateescape") for one in data)
    else:
        raise BadCall('argument "data" is required')
    room.nodes.pubsub.publish(topic.name, said)
    return None


async def subscribe(room: IpfsRoom, call: Call) -> Answer:
    topic = Topic.parse(call.arguments["topic"])
    reader = room.nodes.pubsub.subscribe(topic.name)
    room.at_end(lambda: room.nodes.pubsub.unsubscribe(reader))
    return Lines(_messages(reader, topic), live=True)


async def _messages(reader: Subscription, topic: Topic) -> AsyncIterator[Row]:
    while (message := await reader.next()) is not None:
        yield _row(message, topic)


def _row(message: TopicMessage, topic: Topic) -> Row:
    peer = peer_id(message.author)
    if topic.is_multibase:
        sender: str = str(peer)
        data, number = (URL + _URL.write(one) for one in (message.data, message.number))
    else:
        sender, data, number = (_PADDED.write(one) for one in (bytes(peer), message.data, message.number))
    return {"from": sender, "data": data, "seqno": number, "topicIDs": [topic.write(message.topic)]}


async def topics(room: IpfsRoom, call: Call) -> Answer:
    shown: Any = Topic(b"", bool(call.options["multibase"]))
    return Json({"Strings": [shown.write(one) for one in room.nodes.pubsub.my_topics()]})


async def peers(room: IpfsRoom, call: Call) -> Answer:
    named = call.arguments["topic"]
    sessions = room.nodes.pubsub.peers(Topic.parse(named).name if named else None)
    return Json({"Strings": sorted(str(peer) for peer in room.nodes.swarm.peers_of(sessions))})


ROWS = (
    Command(
        "pubsub/pub",
        publish,
        (Argument("topic"), Argument("data", required=False, variadic=True)),
        may_have_file=True,
        asks_peers=True,
    ),
    Command("pubsub/sub", subscribe, (Argument("topic"),), (Option(("discover",), BOOL, default=False),)),
    Command("pubsub/ls", topics, options=(Option(("multibase",), BOOL, default=False),)),
    Command("pubsub/peers", peers, (Argument("topic", required=False),)),
)
