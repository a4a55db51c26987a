"""Messages come back with the identity: they are in the storage, and lists of files do not show them."""

from typing import Any

from bitdust.api.call import perform
from bitdust.api.methods import TABLE
from bitdust.people.history.archive import AFTER
from bitdust.people.history.values import Filter, Page
from bitdust.testing.grid import GridNode
from tests.grid.test_recovery import RecoveryCase
from tests.unit.history_kit import message


class ArchiveTests(RecoveryCase):
    def history(self, node: GridNode) -> list[Any]:
        found = self.grid.wait(node.rooms.people.history.page(Filter(), Page(1000)))
        return [(stored.message, stored.at) for stored in found]

    def write(self, node: GridNode, *texts: str) -> None:
        """Somebody writes to a node, as its messages room would store it."""
        for number, text in enumerate(texts, 1):
            one = message(text, b"b" * 32, node.fingerprint, sequence=number)
            self.grid.wait(node.rooms.people.history.add(one))

    def result(self, node: GridNode, method: str, **arguments: Any) -> Any:
        row = TABLE.named(method)
        assert row is not None
        return self.grid.wait(perform(node.node.context, row, arguments)).get("result")

    def test_after_a_recovery(self) -> None:
        """What was written is there on a machine that has nothing but the key file, in its order, and only once; no
        list of files, keys or uploads has shown it."""
        alice, key_file, data = self.uploaded(4)
        self.write(alice, "one", "two", "three")
        self.grid.run(AFTER + 60)
        self.write(alice, "four")
        self.grid.run(AFTER + 60)
        told = self.history(alice)
        self.assertEqual(self.grid.wait(alice.rooms.people.history.fact("archived")), 4)
        self.assertEqual([row["path"] for row in self.result(alice, "files_list", recursive=True)], ["file"])
        self.assertEqual([row["alias"] for row in self.result(alice, "keys_list")], ["master"])
        self.assertNotIn("four", "".join(path.read_text("latin1") for path in self.archived(alice)))
        ring = alice.rooms.identity.me.key_ring
        former = alice.rooms.people.archive.segments.secrets()
        ring.renew_secrets(lambda size: b"n" * size, 0)
        self.assertEqual(alice.rooms.people.archive.segments.secrets(), [*former, b"n" * 32])
        self.lose(alice)
        again = self.begin(key_file)
        self.grid.until(lambda: again.is_on("my_data"), 300, "the recovery")
        self.comes_back(again, data)
        self.write(again, "five")
        self.grid.until(lambda: len(self.history(again)) == 5, AFTER + 900, "the messages")
        self.assertEqual(self.history(again)[:4], told)
        self.assertEqual(again.rooms.people.history.last_sequence(told[0][0].conversation, b"b" * 8), 3)
        self.grid.run(AFTER + 60)
        self.assertEqual(len(self.history(again)), 5)
        again.rooms.people.archive.look()
        self.grid.run(5)
        self.assertFalse((again.home / "messages" / "archive" / "back").exists())

    def archived(self, node: GridNode) -> list[Any]:
        return [path for path in (node.home / "messages" / "archive").iterdir() if path.is_file()]
