"""Messages over WebSockets: pushed as they are stored, resumed by number, and none left out for a slow client."""

import json
from types import SimpleNamespace
from typing import Any

from twisted.internet.defer import Deferred, fail

from bitdust.api.message_models import Conversations, Messages
from bitdust.api.sources import Snapshot
from bitdust.web import message_flow
from bitdust.web.message_flow import MessageFlow, WantedMessages
from bitdust.wire.errors import BitDustError
from bitdust.wire.messages import GROUP, PRIVATE
from tests.api.fakes import Anything
from tests.api.test_messages import MessagesCase
from tests.api.test_websocket import SocketCase
from tests.unit.history_kit import CAROL, to_group


class FlowCase(MessagesCase):
    """A client; ``waiting`` is what its queue has."""

    def setUp(self) -> None:
        super().setUp()
        self.sent: list[dict[str, Any]] = []
        self.outflow = SimpleNamespace(waiting=(0, 0), put=lambda data: self.sent.append(json.loads(data)))
        self.flow = MessageFlow(self.context, lambda: self.outflow)
        self.history.stored.connect(self.flow.offer)

    def numbers(self) -> list[int]:
        return [message["payload"]["number"] for message in self.sent if message["type"] == "stream_message"]

    def begin(self, **said: Any) -> None:
        self.flow.begin(WantedMessages.of(said))


class FlowTests(FlowCase):
    def test_what_is_pushed(self) -> None:
        """Each message is pushed as it is stored, as older clients know it, with its number."""
        one = self.of_bob("hello")
        self.keep(one)
        payload = {"msg_type": PRIVATE, "message_id": one.id, "time": 1_700_000_000.0, "data": {"message": "hello"}}
        self.assertEqual(self.sent, [{"type": "stream_message", "payload": {
            "payload": payload,
            "sender": {"glob_id": "master$bob@id.example"}, "recipient": {"glob_id": "master$alice@id.example"},
            "direction": "in", "conversation_id": self.with_bob, "number": 1,
        }}])

    def test_wishes(self) -> None:
        """A client gets the types that it wants; without a word nothing changes; a closed one gets nothing."""
        both: list[tuple[dict[str, Any], list[int]]] = [({"messages": None}, [5, 6]), ({"messages": []}, [])]
        for said, wanted in (({"messages": [GROUP]}, [2]), ({}, [4]), *both):
            self.begin(**said)
            self.keep(self.of_bob("x"), to_group("all"))
            self.assertEqual(self.numbers(), wanted)
            self.sent.clear()
        self.flow.close()
        self.begin(messages=None)
        self.keep(self.of_bob("x"))
        self.assertEqual(self.sent, [])

    def test_resuming(self) -> None:
        """What was stored behind a number comes first, then what is new, each once."""
        self.patch(message_flow, "AT_ONCE", 2)
        self.flow.close()
        self.fill(5)
        self.flow = MessageFlow(self.context, lambda: self.outflow)
        self.history.stored.connect(self.flow.offer)
        self.begin(messages_after="2")
        self.assertEqual(self.numbers(), [3, 4, 5])
        self.fill(2)
        self.assertEqual(self.numbers(), [3, 4, 5, 6, 7])

    def test_a_slow_client(self) -> None:
        """While a client does not read, messages stay in the history; later it gets each of them, in order."""
        self.fill(1)
        self.outflow.waiting = (message_flow.MOST_WAITING, 0)
        self.fill(3)
        self.assertEqual(self.numbers(), [1])
        self.clock.advance(1)
        self.assertEqual(self.numbers(), [1])
        self.outflow.waiting = (0, message_flow.MOST_BYTES)
        self.clock.advance(1)
        self.assertEqual(self.numbers(), [1])
        self.outflow.waiting = (0, 0)
        self.clock.advance(1)
        self.fill(1)
        self.assertEqual(self.numbers(), [1, 2, 3, 4, 5])

    def test_a_message_while_the_last_page_is_read(self) -> None:
        """What is stored while a client catches up is not left out."""
        page = self.history.page
        waiting: list[Deferred[Any]] = []

        def slowly(*arguments: Any) -> "Deferred[Any]":
            found = self.successResultOf(page(*arguments))
            waiting.append(Deferred().addCallback(lambda _: found))
            return waiting[-1]

        self.fill(1)
        self.sent.clear()
        self.history.page = slowly  # type: ignore[method-assign]
        self.begin(messages_after=1)
        self.fill(1)
        while waiting:
            waiting.pop().callback(None)
        self.assertEqual(self.numbers(), [2])
        self.fill(1)
        self.assertEqual(self.numbers(), [2, 3])

    def test_the_history_cannot_be_read(self) -> None:
        """The client hears of it, and gets what comes from then on."""
        self.history.page = lambda *_: fail(BitDustError("disk-error", "the disk failed"))  # type: ignore[method-assign]
        self.begin(messages_after=0)
        self.assertEqual(self.sent, [{"type": "gap", "payload": {"reason": "the disk failed", "messages": True}}])
        self.fill(1)
        self.assertEqual(self.numbers(), [1])


class ModelTests(MessagesCase):
    def setUp(self) -> None:
        super().setUp()
        self.context.people.friends.alias_of = lambda fingerprint: ""
        self.seen: list[Snapshot] = []

    def all(self, source: Any) -> list[Snapshot]:
        return self.successResultOf(Deferred.fromCoroutine(source.all()))

    def test_messages(self) -> None:
        """A snapshot is the stored document under its conversation and id."""
        one = self.of_bob("hello")
        source = Messages(self.context)
        forget = source.watch(self.seen.append)
        self.keep(one)
        forget()
        self.keep(to_group("all", CAROL))
        (pushed,) = self.seen
        self.assertEqual(pushed.id, f"{self.with_bob}/{one.id}")
        self.assertEqual((pushed.data["payload"]["data"], pushed.data["number"]), ({"message": "hello"}, 1))
        self.assertEqual([snapshot.data["number"] for snapshot in self.all(source)], [1, 2])

    def test_conversations(self) -> None:
        """A conversation is pushed when a message is stored in it and when it is read, with what it is then."""
        source = Conversations(self.context)
        forget = source.watch(self.seen.append)
        self.keep(self.of_bob("one"), self.of_bob("two"))
        self.result("message_mark_read", conversation_id=self.with_bob)
        pushed = [(one.id, one.data["messages"], one.data["unread"]) for one in self.seen]
        self.assertEqual(pushed, [(self.with_bob, 1, 1), (self.with_bob, 2, 2), (self.with_bob, 2, 0)])
        forget()
        self.keep(to_group("all", CAROL))
        self.assertEqual(len(self.seen), 3)
        self.assertEqual([one.id for one in self.all(source)], ["group_abc", self.with_bob])


class SocketStreamTests(SocketCase):
    async def test_wishes_of_a_client(self) -> None:
        """A client says in its address or later which messages it wants, and from where; nonsense is refused."""
        wished: list[WantedMessages] = []
        self.patch(MessageFlow, "begin", lambda flow, wanted: wished.append(wanted))
        client = await self.connect(f"?api_secret={self.secret}&messages=groupmessage&messages_after=-3")
        client.say(command="resume", messages_after=12, call_id=1)
        client.say(command="subscribe", events=[], messages=None, call_id=2)
        for call_id in (1, 2):
            self.assertEqual((await client.next("api_call"))["response"]["status"], "OK", call_id)
        all_of_them = WantedMessages((PRIVATE, GROUP))
        self.assertEqual(wished, [WantedMessages((GROUP,), -3), WantedMessages(None, 12), all_of_them])
        for said in ({"messages": "all"}, {"messages": ["letters"]}, {"messages_after": "x"}, {"messages_after": True}):
            client.say(command="subscribe", call_id=3, **said)
            self.assertEqual((await client.next("api_call"))["response"]["code"], "bad-argument", said)
        client.say(command="resume", call_id=4)
        self.assertEqual((await client.next("api_call"))["response"]["code"], "bad-argument")
        refused = self.connect(f"?api_secret={self.secret}&messages=letters")
        await self.assertFailure(Deferred.fromCoroutine(refused), ConnectionRefusedError)

    async def test_who_is_there(self) -> None:
        """A message is taken when a client with an open socket wants it."""
        await self.connect()
        talks = self.server.listeners.answering["websocket"].made._talks  # type: ignore[attr-defined]
        stored = Anything(message=Anything(kind=PRIVATE))
        offered: list[Any] = []
        self.patch(MessageFlow, "offer", lambda flow, one: offered.append(one) or True)
        self.assertTrue(talks._take(stored))
        self.assertEqual(offered, [stored])
        for talk in list(talks._open):
            talks.ended(talk)
        self.assertFalse(talks._take(stored))
