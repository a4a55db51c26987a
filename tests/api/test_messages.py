"""Methods about messages, over a real history: what existing clients read, and what is refused."""

import json
from pathlib import Path
from typing import Any

from twisted.internet.defer import CancelledError, Deferred

from bitdust.api.methods import TABLE
from bitdust.people.history import reading
from bitdust.people.history.history import History
from bitdust.people.history.listeners import Listeners
from bitdust.wire.messages import GROUP, OUTGOING, PRIVATE, Message, conversation_of
from tests.api.fakes import Anything
from tests.api.test_friends import PeopleCase
from tests.unit.history_kit import CAROL, message, to_group


class MessagesCase(PeopleCase):
    """alice's node, whose history is open; bob is known by name, carol is not."""

    def setUp(self) -> None:
        super().setUp()
        context = self.context
        context.presence.contacts = lambda: [(self.bob.fingerprint, Anything(index=7, id="online_status(b)", name="o"))]
        context.driver.states["message_history"] = ("ON", "")
        self.history = History(context)
        self.successResultOf(self.history.open())
        self.addCleanup(lambda: self.successResultOf(self.history.close()))
        self.listeners = Listeners(self.clock, self.history)
        context.people.history, context.people.listeners = self.history, self.listeners
        self.me, self.with_bob = context.me.fingerprint, conversation_of(context.me.fingerprint, self.bob.fingerprint)

    def of_bob(self, text: str, **other: Any) -> Message:
        return message(text, self.bob.fingerprint, self.me, data={"message": text}, **other)

    def to_bob(self, text: str, **other: Any) -> Message:
        return message(text, self.me, self.bob.fingerprint, data={"message": text}, direction=OUTGOING, **other)

    def keep(self, *messages: Message) -> None:
        for one in messages:
            self.successResultOf(self.history.add(one))

    def texts(self, method: str, **arguments: Any) -> list[str]:
        return [row["doc"]["payload"]["data"]["message"] for row in self.result(method, **arguments)]

    def fill(self, count: int) -> None:
        self.keep(*(self.of_bob(f"word {number}") for number in range(1, count + 1)))


class HistoryTests(MessagesCase):
    def test_what_clients_read(self) -> None:
        """A row has the document of older nodes; people are key ids, and a fingerprint where no name was proven."""
        one = self.of_bob("hello", time=1_700_000_000_500)
        self.keep(one, self.to_bob("hi"), message("psst", CAROL, self.me, data={"message": "psst"}))
        first, second, third = self.result("message_history")
        payload = {"msg_type": PRIVATE, "message_id": one.id, "time": 1_700_000_000.5, "data": {"message": "hello"}}
        self.assertEqual(first["doc"], {
            "payload": payload,
            "sender": {"glob_id": "master$bob@id.example"}, "recipient": {"glob_id": "master$alice@id.example"},
            "direction": "in", "conversation_id": self.with_bob,
        })
        self.assertEqual((first["number"], first["received"]), (1, 1000.0))
        self.assertEqual(second["doc"]["sender"]["glob_id"], "master$alice@id.example")
        self.assertEqual(second["doc"]["direction"], "out")
        self.assertEqual(third["doc"]["sender"]["glob_id"], CAROL.hex())

    def test_whose(self) -> None:
        """By person under each of its names, by group, by sender and by type; a stranger's fingerprint is no error."""
        self.keep(self.of_bob("in"), self.to_bob("out"))
        self.keep(to_group("all", self.bob.fingerprint, data={"message": "all"}), message("c", CAROL, self.me))
        names = ("bob@id.example", "http://id.example/bob.xml", "master$bob@id.example", self.bob.fingerprint.hex())
        for name in (*names, self.with_bob):
            self.assertEqual(self.texts("message_history", id=name), ["in", "out"])
        self.patch(self.context.groups, "called", lambda name: f"{name}$bob@id.example")
        self.assertEqual(self.texts("message_history", recipient_id="group_abc"), ["all"])
        self.assertEqual(self.texts("message_history", id="group_abc", message_type="group_message"), ["all"])
        self.assertEqual(self.texts("message_history", sender_id="bob@id.example"), ["in", "all"])
        self.assertEqual(self.texts("message_history", id=names[0], sender_id="alice@id.example"), ["out"])
        self.assertEqual(self.texts("message_history", message_type="groupmessage"), ["all"])
        self.assertEqual(self.result("message_history", id="ab" * 32), [])
        self.assertEqual(self.result("message_history", message_type="personal_message"), [])

    def test_a_group_that_is_gone(self) -> None:
        """What was said in a group is found by its key id though the key was forgotten; an unknown one is an error."""
        self.patch(self.context.groups, "called", lambda name: name)
        self.patch(self.context.groups, "conversation", lambda key_id: key_id)
        owner = CAROL.hex()
        self.keep(to_group("all", self.bob.fingerprint, f"group_abc${owner}", data={"message": "all"}))
        for name in ("group_abc$carol@id.example", f"group_abc${owner}", "group_abc"):
            self.assertEqual(self.texts("message_history", id=name), ["all"], name)
        for method, more in (("message_history", {}), ("message_search", {"query": "all"})):
            answer = self.call(method, id="group_abcd$carol@id.example", **more)
            self.assertEqual(answer["code"], "no-conversation")
            self.assertIn("groups_list", answer["errors"][0])
        self.keep(to_group("other", self.bob.fingerprint, f"group_abc${'cd' * 32}"))
        self.assertIn("several", self.call("message_history", id="group_abc$carol@id.example")["errors"][0])

    def test_pages(self) -> None:
        """By offset from the newest back, and on from a message by its id or number."""
        self.fill(5)
        who = {"id": "bob@id.example"}
        self.assertEqual(self.texts("message_history", limit=2, **who), ["word 4", "word 5"])
        self.assertEqual(self.texts("message_history", limit=2, offset="3", **who), ["word 1", "word 2"])
        ident = self.result("message_history", limit=1)[0]["doc"]["payload"]["message_id"]
        self.assertEqual(self.texts("message_history", limit=2, before=ident, **who), ["word 3", "word 4"])
        self.assertEqual(self.texts("message_history", limit=2, after="2", **who), ["word 3", "word 4"])

    def test_refusals(self) -> None:
        """Limits out of range, types and directions that are none, messages that are not there, people who are none."""
        bad: list[dict[str, Any]] = [
            {"limit": 0}, {"limit": 1001}, {"offset": -1}, {"limit": "many"}, {"message_type": "letter"},
            {"before": "x"}, {"before": "9" * 30}, {"before": "1", "after": "2"}, {"colour": "red"},
        ]  # fmt: skip
        for given in bad:
            self.assertEqual(self.code("message_history", **given), "bad-argument", given)
        self.assertEqual(self.code("message_history", after="ab" * 16), "no-message")
        self.assertEqual(self.code("message_history", id="not a name"), "bad-name")
        self.assertEqual(self.code("message_receive", consumer_callback_id="me", direction="up"), "bad-argument")
        self.assertEqual(self.code("message_conversations_list", message_types="a,b"), "bad-argument")
        self.assertEqual(self.code("message_search", query="?"), "bad-query")
        self.assertEqual(self.code("message_search"), "bad-argument")
        self.context.driver.states["message_history"] = ("OFF", "the disk is full")
        self.assertEqual(self.code("message_history"), "service-off")

    def test_conversations(self) -> None:
        """Each with type, times, counts, label and presence; types come as a list, a text, or as they are printed."""
        self.keep(self.of_bob("one"), self.of_bob("two"), to_group("all", CAROL))
        self.context.people.friends.alias_of = lambda fingerprint: "Bob" if fingerprint == self.bob.fingerprint else ""
        group, private = self.result("message_conversations_list")
        last = self.result("message_history", id="bob@id.example", limit=1)[0]["doc"]["payload"]["message_id"]
        self.assertEqual(private, {
            "conversation_id": self.with_bob, "type": PRIVATE, "key_id": "master$bob@id.example", "label": "Bob",
            "state": "OFFLINE", "started": 1000.0, "last_updated": 1000.0, "last_message_id": last, "messages": 2,
            "unread": 2, "index": 7, "id": "online_status(b)", "name": "o",
        })
        self.assertEqual((group["conversation_id"], group["key_id"], group["state"]), ("group_abc", "group_abc", ""))
        named = Anything(key_id="group_1$alice@id.example", label="the four of us")
        self.patch(self.context.groups, "called", lambda name: named.key_id)
        self.patch(self.context.groups, "all", lambda: [named])
        group = self.result("message_conversations_list")[0]
        self.assertEqual((group["key_id"], group["label"]), (named.key_id, "the four of us"))
        for wanted in ("group_message", "groupmessage", ["group_message"]):
            self.assertEqual(len(self.result("message_conversations_list", message_types=wanted)), 1)
        self.assertEqual(len(self.result("message_conversations_list", message_types=f"{GROUP},{PRIVATE}")), 2)
        self.assertEqual(len(self.result("message_conversations_list", limit=1, offset=1)), 1)

    def test_mark_read(self) -> None:
        """A conversation is read up to a message, or to its end."""
        self.fill(3)
        read = self.result("message_mark_read", conversation_id="bob@id.example", message_id="2")
        self.assertEqual(read, {"conversation_id": self.with_bob, "unread": 1})
        self.assertEqual(self.result("message_mark_read", id=self.with_bob)["unread"], 0)
        self.assertEqual(self.code("message_mark_read", id="group_none"), "no-conversation")

    def test_search(self) -> None:
        """The newest first, of one person if wished, in pages."""
        self.fill(3)
        self.keep(message("word of carol", CAROL, self.me, data={"message": "word of carol"}))
        self.assertEqual(self.texts("message_search", query="word", limit=2), ["word of carol", "word 3"])
        of_bob = self.texts("message_search", query="WORD", id="bob@id.example", before="3")
        self.assertEqual(of_bob, ["word 2", "word 1"])
        self.assertEqual(self.texts("message_search", query="word", sender_id=CAROL.hex()), ["word of carol"])
        self.history.is_indexed = False
        with_rest = self.call("message_search", query='"of carol"')
        self.assertEqual(len(with_rest["result"]), 1)


class ExportTests(MessagesCase):
    def test_lines(self) -> None:
        """One JSON object a line, from old to new, in a file that only its owner reads."""
        self.fill(450)
        path = Path(self.mktemp()).absolute()
        told = self.result("message_export", destination_filepath=str(path))
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        self.assertEqual(rows, self.result("message_history", limit=1000))
        self.assertEqual(told, {"local_path": str(path), "messages": 450, "bytes": path.stat().st_size})
        self.assertEqual(path.stat().st_mode & 0o777, 0o600)
        other = path.with_name("other")
        self.assertEqual(self.result("message_export", destination_filepath=str(other), id=CAROL.hex())["messages"], 0)
        self.assertEqual(sorted(one.name for one in path.parent.iterdir() if one.name.startswith(".")), [])

    def test_refusals(self) -> None:
        """A file that is there, a path that is none, a folder that is missing: nothing is written and nothing left."""
        path = Path(self.mktemp()).absolute()
        path.write_text("mine")
        self.assertEqual(self.code("message_export", destination_filepath=str(path)), "exists")
        self.assertEqual(path.read_text(), "mine")
        self.assertEqual(self.code("message_export", destination_filepath="here"), "bad-path")
        answer = self.call("message_export", destination_filepath=f"{path}.no/x")
        self.assertEqual(answer["code"], "bad-path")
        self.assertEqual(answer["errors"], [f"there is no folder {path}.no; make it first"])


class ReceiveTests(MessagesCase):
    def receive(self, consumer: str = "me", **arguments: Any) -> "Deferred[Any]":
        row = TABLE.named("message_receive")
        assert row is not None
        typed = row.arguments({"consumer_callback_id": consumer, **arguments})
        return Deferred.fromCoroutine(row.call(self.context, **typed))

    def register(self) -> None:
        """A program polls once, and goes away."""
        polling = self.receive()
        polling.addErrback(lambda failure: failure.trap(CancelledError))
        polling.cancel()

    def test_a_poll(self) -> None:
        """A poll waits, and answers with the message as clients know it; what comes between two polls waits for it."""
        waiting = self.receive()
        self.assertNoResult(waiting)
        one = self.of_bob("hello")
        self.keep(one)
        (row,) = self.successResultOf(waiting)["result"]
        self.assertEqual(row, {
            "type": PRIVATE, "dir": "incoming", "message_id": one.id, "sender": "master$bob@id.example",
            "recipient": "master$alice@id.example", "data": {"message": "hello"}, "time": 1_700_000_000.0,
            "conversation_id": self.with_bob, "number": 1, "received": 1000.0,
        })
        self.assertTrue(self.listeners.deliver(one))
        self.fill(3)
        self.assertEqual([row["number"] for row in self.successResultOf(self.receive())["result"]], [2, 3, 4])
        self.clock.advance(2)
        self.assertEqual(self.result("message_conversations_list")[0]["unread"], 0)

    def test_nothing_comes(self) -> None:
        """After its timeout a poll is answered with nothing."""
        waiting = self.receive(polling_timeout="15")
        self.clock.advance(14)
        self.assertNoResult(waiting)
        self.clock.advance(1)
        self.assertEqual(self.successResultOf(waiting), {"status": "OK", "result": []})

    def test_wishes(self) -> None:
        """Incoming ones as a rule; outgoing ones, all of them, or one type where that is wished."""
        wishes = {"in": {}, "out": {"direction": "outgoing"}, "all": {"direction": "any"},
                  "group": {"message_types": "group_message"}}
        waiting = {name: self.receive(name, **wish) for name, wish in wishes.items()}
        self.keep(self.to_bob("out"))
        self.keep(to_group("all", self.bob.fingerprint))
        found = {name: self.successResultOf(each)["result"] for name, each in waiting.items()}
        numbers = {name: [row["number"] for row in rows] for name, rows in found.items()}
        self.assertEqual(numbers, {"in": [2], "out": [1], "all": [1], "group": [2]})

    def test_resuming(self) -> None:
        """A program goes on behind the message that it got last, whatever happened since, and gets none twice."""
        self.fill(3)
        found = self.successResultOf(self.receive(after=1))["result"]
        self.assertEqual([row["number"] for row in found], [2, 3])
        self.fill(1)
        self.assertEqual([row["number"] for row in self.successResultOf(self.receive(after=3))["result"]], [4])
        waiting = self.receive(after=4)
        self.assertNoResult(waiting)
        self.fill(1)
        self.assertEqual([row["number"] for row in self.successResultOf(waiting)["result"]], [5])

    def test_large_messages(self) -> None:
        """A page and a poll have a bounded number of bytes; the rest comes with the next one."""
        self.patch(reading, "MOST_BYTES", 60)
        self.register()
        self.fill(5)
        self.assertEqual(self.texts("message_history"), ["word 3", "word 4", "word 5"])
        self.assertIn("the page is full", self.call("message_history")["message"])
        polled = [self.successResultOf(self.receive())["result"] for _ in range(2)]
        self.assertEqual([[row["number"] for row in rows] for rows in polled], [[1, 2, 3], [4, 5]])

    def test_dropped(self) -> None:
        """Who leaves 100 uncollected hears where to go on, and gets all of them from there."""
        self.register()
        self.fill(103)
        answer = self.successResultOf(self.receive())
        self.assertEqual((answer["result"], answer["dropped"], answer["after"]), ([], True, 0))
        self.assertEqual(len(self.successResultOf(self.receive(after=answer["after"]))["result"]), 100)
        self.fill(1)
        self.assertEqual([row["number"] for row in self.successResultOf(self.receive(after=100))["result"]][-1], 104)


class Messages2016Tests(MessagesCase):
    def test_list(self) -> None:
        """Who wrote what to whom, as texts."""
        self.keep(self.of_bob("hello"), self.to_bob("hi"), to_group("all"), message("x", CAROL, self.me, data={"n": 1}))
        rows = self.result("list_messages")
        self.assertEqual([(row["from"], row["message"]) for row in rows], [
            ("master$bob@id.example", "hello"), ("master$alice@id.example", "hi"), (CAROL.hex(), '{"n": 1}'),
        ])
        self.assertEqual(rows[1]["to"], "master$bob@id.example")

    def test_receive_one(self) -> None:
        """One message a call, none of them lost between two calls, and what I send myself is not told."""
        row = TABLE.named("receive_one_message")
        assert row is not None
        waiting = Deferred.fromCoroutine(row.call(self.context, None))
        self.keep(self.to_bob("mine"))
        self.assertNoResult(waiting)
        self.fill(3)
        found = self.successResultOf(waiting)["result"]
        self.assertEqual(found, [{"from": "master$bob@id.example", "message": "word 1"}])
        got = [self.successResultOf(Deferred.fromCoroutine(row.call(self.context, 1.0)))["result"] for _ in range(2)]
        self.assertEqual([each[0]["message"] for each in got], ["word 2", "word 3"])
        last = Deferred.fromCoroutine(row.call(self.context, 1.0))
        self.clock.advance(1)
        self.assertEqual(self.successResultOf(last)["result"], [])
