"""`bitdust message` and `bitdust chat`: what they ask of the node, and what they print."""

import json
import time
from pathlib import Path
from typing import Any
from unittest import mock

from bitdust.cli import chat as chat_module
from bitdust.cli.chat import Chat
from bitdust.cli.client import ApiClient, ApiError
from bitdust.cli.main import Session
from tests.unit.test_cli_calls import NodeCase

TALK = {
    "conversation_id": "a&b", "type": "private_message", "key_id": "master$bob@id.example", "label": "Bob",
    "state": "CONNECTED", "started": 1.0, "last_updated": 2.0, "last_message_id": "ab", "messages": 3, "unread": 1,
}  # fmt: skip


def stored(
    text: Any, number: int = 1, sender: str = "master$bob@id.example", recipient: str = "master$alice@id.example"
) -> dict[str, Any]:
    data = text if isinstance(text, dict) else {"message": text}
    payload = {"msg_type": "private_message", "message_id": "ab", "time": 1_700_000_000.0, "data": data}
    doc = {"payload": payload, "sender": {"glob_id": sender}, "recipient": {"glob_id": recipient}}
    return {"number": number, "received": 1.0, "doc": doc}


class MessageTests(NodeCase):
    def test_list(self) -> None:
        """Conversations with whom, how many messages, and how many of them are unread."""
        self.answers["message_conversations_list"] = {"result": [TALK]}
        printed = self.asks("message", ("message_conversations_list", {"limit": 100}))
        self.assertIn("Bob", printed)
        self.prints_json("message list --limit 5", [TALK])
        self.answers["message_conversations_list"] = {"result": []}
        self.assertIn("bitdust chat", self.asks("msg ls", ("message_conversations_list", {"limit": 100})))

    def test_history(self) -> None:
        """One line a message; what is no plain text is shown as JSON, and nothing plays with the terminal."""
        rows = [stored("hello\x1b[2J"), stored({"a": 1}, sender="ab" * 32)]
        self.answers["message_history"] = {"result": rows}
        wanted = {"recipient_id": "bob", "limit": 50, "offset": 0}
        printed = self.asks("message history bob", ("message_history", wanted)).splitlines()
        self.assertTrue(printed[0].endswith("bob@id.example: hello\\x1b[2J"), printed[0])
        self.assertTrue(printed[1].endswith('abababababababab: {"a": 1}'), printed[1])
        self.asks(
            "message history bob -n 5 --offset 2 --before 9",
            ("message_history", {"recipient_id": "bob", "limit": 5, "offset": 2, "before": "9"}),
        )
        self.prints_json("message history", rows)
        to_all = stored("all", recipient="group_1$alice@id.example")
        self.answers["message_history"] = {"result": [stored("hi"), to_all]}
        printed = self.cli("message", "history").output.splitlines()
        self.assertTrue(printed[0].endswith("bob@id.example to alice@id.example: hi"), printed[0])
        self.assertTrue(printed[1].endswith("bob@id.example to group_1$alice@id.example: all"), printed[1])
        self.answers["message_history"] = {"result": []}
        self.assertIn("no such messages", self.cli("message", "history").output)

    def test_when(self) -> None:
        """A line says when a message was written, which may be long before it came here; never a time after it came."""
        written = 1_700_000_000.0
        for received, shown in ((written + 9e6, written), (written - 9e6, written - 9e6)):
            self.answers["message_history"] = {"result": [stored("hi") | {"received": received}]}
            when = time.strftime("%Y-%m-%d %H:%M", time.localtime(shown))
            self.assertTrue(self.cli("message", "history").output.startswith(when))

    def test_search(self) -> None:
        """Words are one query, of one person if wished."""
        self.answers["message_search"] = {"result": [stored("a cat")]}
        wanted = {"query": "cat dog*", "recipient_id": "Bob", "limit": 50}
        self.assertIn("a cat", self.asks("message search cat dog* --with Bob", ("message_search", wanted)))

    def test_export(self) -> None:
        """Into a file by the node; to the standard output page by page, one JSON object a line."""
        self.answers["message_export"] = {"result": {"messages": 2}, "message": "2 messages are in x"}
        path = str(Path("out.jsonl").absolute())
        wanted = {"destination_filepath": path, "recipient_id": None}
        self.assertIn("2 messages", self.asks("message export out.jsonl", ("message_export", wanted)))
        pages = {str(-(2**52)): [stored("one", 1), stored("two", 2)], "2": [stored("three", 3)], "3": []}
        self.answers["message_history"] = lambda arguments: {"result": pages[arguments["after"]]}
        lines = self.cli("message", "export", "--with", "bob").output.splitlines()
        self.assertEqual([json.loads(line)["number"] for line in lines], [1, 2, 3])

    def test_read_and_send(self) -> None:
        """A conversation is read; a text is sent as it is usual, a JSON object as it stands, and nonsense is not."""
        self.answers["message_mark_read"] = {"result": {"conversation_id": "a&b", "unread": 0}}
        self.assertIn("0 messages", self.asks("message read bob", ("message_mark_read", {"conversation_id": "bob"})))
        self.answers["message_send"] = {"result": {"consumed": True, "state": "delivered"}}
        waits = {"recipient_id": "bob", "ping_timeout": 0, "message_ack_timeout": 15.0}
        sent = ("message_send", waits | {"data": {"message": "hello you"}})
        self.assertIn("delivered; a program there has it", self.asks("message send bob hello you", sent))
        self.asks("chat to bob hello you", sent)
        soon = ("message_send", waits | {"data": {"a": 1}, "message_ack_timeout": 2.0})
        self.asks('message send bob {"a":1} --timeout 2', soon)
        self.refuses("message send bob {oops", "no JSON object", 2)

    def test_to_a_group(self) -> None:
        """The key id of a group takes a text to all of its members, and never to its creator alone."""
        key = "group_1$alice@id.example"
        self.answers["message_send_group"] = {"result": {"message_id": "ab"}, "message": "message sent"}
        sent = ("message_send_group", {"group_key_id": key, "data": {"message": "hello all"}})
        self.assertIn("message sent", self.asks(f"chat send {key} hello all", sent))

    def test_numbers_out_of_range(self) -> None:
        """They are refused before anything is asked, by the name of the option."""
        for words, option in (
            ("message list --limit 0", "--limit"),
            ("message history bob -n 1001", "--limit"),
            ("message history bob --offset -1", "--offset"),
            ("message search cat --limit many", "--limit"),
            ("message send bob hi --timeout 301", "--timeout"),
            ("group share k bob --timeout 0", "--timeout"),
            ("share grant k bob --quota -1", "--quota"),
            ("share history --limit 0", "--limit"),
            ("friend status bob --timeout -1", "--timeout"),
        ):
            self.refuses(words, option, 2)
        self.assertEqual(self.asked, [])

    def test_nothing_to_send(self) -> None:
        """A text in which nothing is goes to nobody."""
        for words in (
            ("chat", "send", "bob", ""),
            ("message", "send", "bob", " ", "\t"),
            ("group", "send", "k$a@b", ""),
        ):
            self.assertIn("there is nothing in it to send", self.cli(*words, code=2).output)


class ChatTests(NodeCase):
    def setUp(self) -> None:
        super().setUp()
        self.answers["friends_list"] = {
            "result": [
                {"alias": "", "global_id": "bob@id.example", "fingerprint": "ab" * 32, "contact_state": "CONNECTED"}
            ]
        }
        self.answers["message_conversations_list"] = {"result": [TALK, TALK | {"label": "bob@id.example"}]}
        self.answers["message_history"] = {"result": [stored("hello", 7)]}
        self.answers["message_send"] = {"result": {"consumed": False, "state": "delivered"}}

    def chat(self, typed: str, *words: str) -> str:
        with mock.patch.object(Chat, "_listen"):
            return self.cli("chat", *words, input=typed).output

    def test_with_somebody(self) -> None:
        """The last lines are shown and read; each line that is typed is sent; the end of input ends it."""
        printed = self.chat("how are you?\n", "bob@id.example")
        self.assertIn("bob@id.example: hello", printed)
        self.assertIn("(delivered; nobody is reading it now)", printed)
        waits = {"recipient_id": "bob@id.example", "ping_timeout": 0, "message_ack_timeout": chat_module.PATIENCE}
        self.assertIn(("message_send", waits | {"data": {"message": "how are you?"}}), self.asked)
        self.assertIn(("message_mark_read", {"conversation_id": "bob@id.example"}), self.asked)

    def test_commands(self) -> None:
        """Who is here, whom to write to, what was written, and the end; errors are shown, and the chat goes on."""
        self.answers["message_send"] = ApiError("unknown-user", "nobody knows him")
        printed = self.chat("/who\nfirst\n/with Bob\n/history 3\nhello\n{oops\n/what\n/quit\nnever sent\n")
        self.assertIn("CONNECTED", printed)
        self.assertEqual(printed.count("bob@id.example  CONNECTED"), 2)
        for part in ("to whom? /with ID", "Error: nobody knows him", "no JSON object", "/quit  or Ctrl-C"):
            self.assertIn(part, printed)
        self.assertIn(("message_history", {"recipient_id": "Bob", "limit": 3}), self.asked)
        self.assertNotIn("never sent", json.dumps(self.asked))

    def test_somebody_away(self) -> None:
        """A line for somebody who is away keeps nobody for long, and says what becomes of it."""
        self.answers["message_send"] = {"result": {"state": "stored"}, "message": "it goes on its way later"}
        self.assertIn("(it goes on its way later)", self.chat("hello\n", "bob@id.example"))

    def test_a_group(self) -> None:
        """What is typed in a group goes to all of its members."""
        key = "group_1$alice@id.example"
        self.answers["message_send_group"] = {"result": {"message_id": "ab"}, "message": "message sent"}
        self.assertNotIn("message sent", self.chat("hello\n", key))
        self.assertIn(("message_send_group", {"group_key_id": key, "data": {"message": "hello"}}), self.asked)

    def test_for_programs(self) -> None:
        """Every line of the standard output is JSON."""
        with mock.patch.object(Chat, "_listen"):
            printed = self.cli("--json", "chat", "bob@id.example", input="/quit\n").stdout
        self.assertEqual([json.loads(line)["number"] for line in printed.splitlines()], [7])

    def test_what_comes(self) -> None:
        """A poll goes on behind the last message, and shows each line once; as JSON for programs."""
        row = {"number": 8, "received": 1_700_000_000.0, "sender": "master$bob@id.example", "data": {"message": "hi"},
               "recipient": "master$alice@id.example"}  # fmt: skip
        self.answers["message_receive"] = {"result": [row]}
        shown: list[str] = []
        self.patch(chat_module.click, "echo", lambda text="", **_: shown.append(text))
        for as_json in (False, True):
            talk = Chat(Session(self.home, as_json))
            talk.poll(ApiClient(self.home))
            talk.poll(ApiClient(self.home))
        afters = [arguments["after"] for method, arguments in self.asked if method == "message_receive"]
        self.assertEqual(afters, [0, 8, 0, 8])
        self.assertTrue(shown[0].endswith("bob@id.example: hi"))
        self.assertEqual(json.loads(shown[2]), row)
        self.answers["message_receive"] = {"result": [row | {"recipient": "group_1$alice@id.example"}]}
        Chat(Session(self.home, False)).poll(ApiClient(self.home))
        self.assertTrue(shown[4].endswith("bob@id.example to group_1$alice@id.example: hi"), shown[4])

    def test_a_node_that_is_away(self) -> None:
        """The poll is tried again after a moment, and the person hears why nothing comes; at the end it stops."""
        talk = Chat(Session(self.home, False))
        errors: list[str] = []

        def shown(text: str = "", **_: Any) -> None:
            errors.append(text)
            if len(errors) == 2:
                talk.stop()

        self.answers["message_receive"] = ApiError("not-running", "BitDust is not running")
        self.patch(chat_module, "AGAIN", 0.001)
        self.patch(chat_module.click, "echo", shown)
        talk._listen()
        self.assertEqual(errors, ["\nError: BitDust is not running"] * 2)
