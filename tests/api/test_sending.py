"""Sending messages by the API: what existing clients read, and what is refused."""

from typing import Any

from twisted.internet.defer import Deferred, fail, succeed

from bitdust.api.call import perform
from bitdust.api.methods import TABLE
from bitdust.people.messages.desk import KEPT
from bitdust.people.messages.incoming import CONSUMED, STORED
from bitdust.people.messages.outgoing import Sent
from bitdust.wire.errors import BitDustError
from tests.api.fakes import Anything
from tests.api.test_friends import PeopleCase
from tests.unit.history_kit import message


class SendingCase(PeopleCase):
    """alice's node, whose messages go where the test says; bob is known by name."""

    def setUp(self) -> None:
        super().setUp()
        self.context.driver.states["private_messages"] = ("ON", "")
        self.sent: list[tuple[bytes, Any, str]] = []
        self.arrived: Deferred[str] = Deferred(lambda _: None)
        self.context.people.messages = Anything(send=self.take)
        self.ident = message("x", self.bob.fingerprint, self.context.me.fingerprint).id

    def take(self, person: bytes, data: Any, key: str = "master") -> Any:
        self.sent.append((person, data, key))
        kept = message("x", self.context.me.fingerprint, person)
        return succeed(Sent(kept, self.arrived))

    def send(self, data: Any, **more: Any) -> Any:
        return self.call("message_send", recipient_id="bob@id.example", data=data, **more)


class SendTests(SendingCase):
    def test_delivered(self) -> None:
        """A device has stored it: ``consumed`` says whether a program was listening there."""
        for ended, consumed in ((CONSUMED, True), (STORED, False)):
            self.arrived = succeed(ended)
            answer = self.send({"text": "hello"}, timeout=30)
            self.assertEqual((answer["status"], answer["result"]["consumed"]), ("OK", consumed))
            self.assertEqual(answer["result"]["state"], "delivered")
        self.assertEqual(self.sent, [(self.bob.fingerprint, {"text": "hello"}, "master")] * 2)

    def test_nothing(self) -> None:
        """A text alone in which nothing is is refused; what programs send is theirs, empty or not."""
        self.arrived = succeed(STORED)
        for text in ("", " \n"):
            refused = self.send({"message": text})
            self.assertEqual((refused["status"], refused["code"]), ("ERROR", "bad-message"))
        for data in ({}, {"message": "", "file": "a"}, {"text": ""}):
            self.assertEqual(self.send(data)["status"], "OK")
        self.assertEqual(len(self.sent), 3)

    def test_a_group(self) -> None:
        """The key id of a group names no person: nothing goes to its creator alone."""
        refused = self.call("message_send", recipient_id="group_abc$bob@id.example", data={"text": "to all"})
        self.assertEqual(refused["code"], "bad-name")
        self.assertIn("message_send_group", refused["errors"][0])
        self.assertEqual(self.sent, [])

    def test_a_key_id(self) -> None:
        """The name of a key before the person is the key that the message is addressed to."""
        self.arrived = succeed(STORED)
        self.call("message_send", id="master$bob@id.example", data={"x": 1})
        self.call("message_send", recipient_id="work$bob@id.example", data={"x": 1})
        self.assertEqual([key for _, _, key in self.sent], ["master", "work"])

    def test_kept(self) -> None:
        """Who is away has it in mailboxes: nobody says ``consumed``."""
        self.arrived = succeed(KEPT)
        answer = self.send({"x": 1})
        self.assertEqual((answer["result"]["state"], "consumed" in answer["result"]), ("kept", False))
        self.assertIn("is away", answer["message"])

    def test_later(self) -> None:
        """Who cannot be reached within both times gets it later: that is no error."""
        row = TABLE.named("message_send")
        assert row is not None
        arguments = {"recipient_id": "bob@id.example", "data": {}, "ping_timeout": 2, "timeout": 3}
        waiting = perform(self.context, row, arguments)
        self.assertNoResult(waiting)
        self.clock.advance(5)
        answer = self.successResultOf(waiting)
        self.assertEqual((answer["status"], answer["result"]["state"]), ("OK", "stored"))
        self.arrived = fail(BitDustError("stopping", "this node stops"))
        self.assertEqual(self.send({})["status"], "OK")

    def test_refusals(self) -> None:
        """A recipient that takes it never, data that are no object, and a service that is off are errors in words."""
        self.arrived = fail(BitDustError("refused", "the recipient does not take this message"))
        self.assertEqual(self.send({})["code"], "refused")
        self.context.people.messages.send = lambda *asked: fail(BitDustError("bad-message", "a message is an object"))
        self.assertEqual(self.send("text")["code"], "bad-message")
        self.context.driver.states["private_messages"] = ("OFF", "it is off")
        self.assertEqual(self.send({})["status"], "ERROR")

    def test_2016(self) -> None:
        """The older generation sends a text, and gets the name of a packet."""
        answer = self.call("send_message", recipient="bob@id.example", message_body="hello")
        self.assertTrue(answer["result"][0].startswith("signed.Packet[Message("))
        self.assertEqual(self.sent[-1][1], {"message": "hello"})
