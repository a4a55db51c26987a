"""The history between two nodes: what one writes, the other stores, finds and shows, also after a restart."""

from typing import Any

from twisted.internet.defer import Deferred

from bitdust.api.call import perform
from bitdust.api.methods import TABLE
from bitdust.testing.grid import GridNode
from tests.grid.test_messages import MessagesCase


class HistoryCase(MessagesCase):
    """Alice and bob, who know each other's names."""

    def setUp(self) -> None:
        super().setUp()
        self.alice, self.bob = self.person("alice"), self.person("bob")
        for one, other in ((self.alice, self.bob), (self.bob, self.alice)):
            self.introduce(one, other)

    def ask(self, node: GridNode, method: str, /, **arguments: Any) -> "Deferred[dict[str, Any]]":
        row = TABLE.named(method)
        assert row is not None
        return perform(node.node.context, row, arguments)

    def result(self, node: GridNode, method: str, /, **arguments: Any) -> Any:
        envelope = self.grid.wait(self.ask(node, method, **arguments))
        self.assertEqual(envelope["status"], "OK", envelope)
        return envelope.get("result")

    def written(self, node: GridNode, other: GridNode) -> list[tuple[str, str]]:
        """Directions and texts of a conversation."""
        rows = self.result(node, "message_history", id=other.fingerprint.hex())
        return [(row["doc"]["direction"], row["doc"]["payload"]["data"]["message"]) for row in rows]

    def write(self, node: GridNode, other: GridNode, text: str) -> dict[str, Any]:
        return dict(self.result(node, "message_send", id=other.fingerprint.hex(), data={"message": text}))


class TwoNodesTests(HistoryCase):
    def test_consumed_and_kept(self) -> None:
        """A message is consumed when a program polls for it there, and only then; both sides have both in their
        histories, in order, still after a restart, and bob's next program goes on behind the last number."""
        self.assertFalse(self.write(self.alice, self.bob, "nobody is there")["consumed"])
        polling = self.ask(self.bob, "message_receive", consumer_callback_id="app", polling_timeout=60)
        self.grid.run(0.1)
        self.assertTrue(self.write(self.alice, self.bob, "are you there?")["consumed"])
        (row,) = self.grid.wait(polling)["result"]
        self.assertEqual((row["data"], row["dir"]), ({"message": "are you there?"}, "incoming"))
        self.write(self.bob, self.alice, "I am")
        told = ["nobody is there", "are you there?", "I am"]
        self.assertEqual(self.written(self.alice, self.bob), list(zip(("out", "out", "in"), told, strict=True)))
        self.assertEqual(self.written(self.bob, self.alice), list(zip(("in", "in", "out"), told, strict=True)))
        self.bob.crash()
        self.bob = self.bob.again("10.9.0.7")
        self.grid.until(lambda: self.bob.is_on("message_history"), 120, "the history")
        self.assertEqual(len(self.written(self.bob, self.alice)), 3)
        who = self.alice.fingerprint.hex()
        (found,) = self.result(self.bob, "message_search", query="there", sender_id=who, limit=1)
        self.assertEqual(found["doc"]["payload"]["data"], {"message": "are you there?"})
        behind = {"direction": "any", "after": row["number"]}
        again = self.result(self.bob, "message_receive", consumer_callback_id="app", **behind)
        self.assertEqual([one["data"]["message"] for one in again], ["I am"])
        (talk,) = self.result(self.alice, "message_conversations_list", message_types="private_message")
        self.assertEqual((talk["messages"], talk["unread"], talk["type"]), (3, 1, "private_message"))
