"""Two devices of one person, both at work: each knows at once what the other has done."""

from pathlib import Path

from bitdust.testing.grid import GridNode
from tests.grid.test_figures import call
from tests.grid.test_main_job import GridCase


class TwoDevicesCase(GridCase):
    def setUp(self) -> None:
        super().setUp()
        self.add_suppliers(4)
        self.alice = self.add_customer()
        self.other = self.recover(self.key_file(self.alice))
        self.grid.run(10)

    def names(self, node: GridNode) -> list[str]:
        listed = self.run_now(node.rooms.storage.list(None, None, True, False, False))
        return sorted(row["path"] for row in listed)

    def keys(self, node: GridNode) -> list[dict]:
        return call(self.grid, node, "keys_list")

    def equal(self) -> bool:
        return self.names(self.alice) == self.names(self.other)

    def new(self, node: GridNode, name: str) -> Path:
        path, _ = self.file(name, 20_000)
        self.upload(node, path, name)
        return path


class NewsTests(TwoDevicesCase):
    def test_equal_within_seconds(self) -> None:
        """What one device uploads, deletes or adds to its keys the other one knows within two seconds."""
        self.new(self.alice, "from-one")
        self.grid.until(self.equal, 2, "the upload")
        self.new(self.other, "from-two")
        self.grid.until(self.equal, 2, "the other upload")
        self.run_now(self.alice.rooms.storage.delete("from-two"))
        self.grid.until(lambda: self.names(self.other) == ["from-one"], 2, "the deletion")
        for node, other, alias in ((self.alice, self.other, "holiday"), (self.other, self.alice, "work")):
            made = call(self.grid, node, "key_create", key_alias=alias, label="Sun")
            self.grid.until(lambda: made in self.keys(other), 2, f"the key {alias}")  # noqa: B023

    def test_delivered_within_seconds(self) -> None:
        """What one device has brought to the suppliers counts as delivered and reliable on the other within seconds."""
        self.new(self.other, "from-two")
        self.grid.until(lambda: self.delivered(self.alice) == [("100%", "100%")], 15, "the pieces")

    def delivered(self, node: GridNode) -> list[tuple[str, str]]:
        listed = self.run_now(node.rooms.storage.list(None, None, True, False, False))
        return [(row["versions"][-1]["delivered"], row["versions"][-1]["reliable"]) for row in listed]

    def test_equal_after_a_reconnection(self) -> None:
        """A device that was cut off knows within two seconds after it is connected again."""
        away = {self.other.address}
        self.grid.network.cut = lambda one, two: (one in away) != (two in away)
        self.grid.run(120)
        self.new(self.alice, "meanwhile")
        self.grid.network.cut = lambda one, two: False
        connected = self.other.rooms.suppliers.connectors.connected
        self.grid.until(lambda: len(connected()) == 4, 60, "the connection")
        self.grid.until(self.equal, 2, "the news")


class FriendsTests(TwoDevicesCase):
    def aliases(self, node: GridNode) -> list[str]:
        return sorted(friend.alias for friend in node.rooms.people.friends.all())

    def befriend(self, node: GridNode, other: GridNode, alias: str) -> None:
        self.grid.wait(node.rooms.people.friends.add(other.rooms.identity.me.document, alias))

    def test_the_same_friends(self) -> None:
        """Who is added, called otherwise or removed on one device is so on the other within a quarter of a minute; a
        machine that has nothing but the key file has them too, and lists of files and keys show nothing of it."""
        one, two, *_ = self.suppliers
        self.befriend(self.alice, one, "One")
        self.befriend(self.other, two, "Two")
        both = lambda *names: all(self.aliases(node) == list(names) for node in (self.alice, self.other))  # noqa: E731
        self.grid.until(lambda: both("One", "Two"), 30, "both friends on both")
        self.befriend(self.other, one, "Uno")
        self.grid.wait(self.alice.rooms.people.friends.remove(two.fingerprint))
        self.grid.until(lambda: both("Uno"), 15, "the changes")
        self.assertEqual(self.names(self.alice), [])
        key_file = self.key_file(self.alice)
        self.alice.kill()
        self.other.kill()
        again = self.recover(key_file, "third")
        self.grid.until(lambda: self.aliases(again) == ["Uno"], 60, "the friends")


class NicknameTests(TwoDevicesCase):
    def nickname(self, node: GridNode) -> str:
        return str(node.node.settings.get("personal/nickname"))

    def test_the_same_nickname(self) -> None:
        """The nickname that is chosen on one device is that of the other within a quarter of a minute, and of a machine
        that has nothing but the key file, which keeps it in the DHT."""
        self.other.node.settings.set("personal/nickname", "wonder")
        self.grid.until(lambda: self.nickname(self.alice) == "wonder", 15, "the nickname")
        self.grid.run(15)
        key_file = self.key_file(self.alice)
        self.alice.kill()
        self.other.kill()
        again = self.recover(key_file, "third")
        self.grid.until(lambda: self.nickname(again) == "wonder", 60, "the nickname")
        standing = lambda: again.rooms.people.names.holder.standing  # noqa: E731
        self.grid.until(lambda: (standing().nickname, standing().position) == ("wonder", 0), 60, "the record")


class DeletingTests(TwoDevicesCase):
    def test_what_was_deleted_stays_deleted(self) -> None:
        """Once a deletion is answered as not pending no recovery brings the file back."""
        self.new(self.alice, "gone")
        key_file = self.key_file(self.alice)
        row = self.run_now(self.alice.rooms.storage.delete("gone"))
        self.assertFalse(row["pending"])
        self.alice.kill()
        self.other.kill()
        again = self.recover(key_file, "third")
        self.assertEqual(self.names(again), [])
