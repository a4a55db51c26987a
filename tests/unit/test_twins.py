"""Places that two devices have made at the same time become one item, whoever hears of whom first."""

from pathlib import Path

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.unit.storage_kit import Node, network, random_file, stop_quietly


class TwinsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.base, self.around, self.one = network(self)
        self.two = self.device("two", self.one)
        self.one.me.replace_document(self.two.me.document)
        self.data: dict[tuple[Node, str], bytes] = {}

    def device(self, name: str, before: Node, clock: Clock | None = None) -> Node:
        node = Node(self.base / name, self.around, clock or self.one.clock, before=before)
        self.addCleanup(stop_quietly, node)
        node.start()
        node.pass_time(5)
        return node

    def write(self, node: Node, remote: str) -> None:
        """A device uploads a file of its own to a place."""
        local = self.base / f"{node.home.name}-{remote.replace('/', '-')}"
        self.data[node, remote] = random_file(local, 3000)
        node.upload(local, remote)
        node.pass_time(1)

    def meet(self, *nodes: Node) -> None:
        """Each hears what the others have done."""
        for _ in range(3):
            for node in nodes or (self.one, self.two):
                node.storage.core.log_replicas.pull_again()
                node.pass_time(2)

    def places(self, node: Node) -> list[tuple[str, str, list[str]]]:
        return sorted(
            (row["path"], row["path_id"], sorted(one["version"] for one in row["versions"])) for row in node.rows()
        )

    def contents(self, node: Node, remote: str) -> set[bytes]:
        """What the versions of an item give back."""
        found: set[bytes] = set()
        for number, version in enumerate(node.info(remote)["versions"]):
            target: Path = self.base / f"back-{node.home.name}-{number}"
            node.download(f"{remote}/{version['version']}", target)
            found.add((target / remote.rpartition("/")[2]).read_bytes())
        return found

    def test_one_file_with_two_versions(self) -> None:
        """Both devices, and one that comes later, see one item with both versions, under one id."""
        self.write(self.one, "same")
        self.write(self.two, "same")
        ids = {self.places(node)[0][1] for node in (self.one, self.two)}
        self.assertEqual(len(ids), 2)
        self.meet()
        self.assertEqual(self.places(self.one), self.places(self.two))
        ((path, _, versions),) = self.places(self.one)
        self.assertEqual((path, len(versions)), ("same", 2))
        self.assertEqual(self.contents(self.two, "same"), set(self.data.values()))
        third = self.device("third", self.two, Clock())
        self.assertEqual(self.places(third), self.places(self.one))
        for node in (self.one, self.two, third):
            self.assertEqual({node.storage.find_id(ident).item.path for ident in ids}, {self.places(node)[0][1]})

    def test_a_folder(self) -> None:
        """What is in two folders of one name is in one, and files of one name in it are one."""
        for node, names in ((self.one, ("both", "first")), (self.two, ("both", "second"))):
            for name in names:
                self.write(node, f"folder/{name}")
        self.meet()
        self.assertEqual(self.places(self.one), self.places(self.two))
        shown = [(path, len(versions)) for path, _, versions in self.places(self.one)]
        self.assertEqual(shown, [("folder", 0), ("folder/both", 2), ("folder/first", 1), ("folder/second", 1)])
        self.assertEqual(self.contents(self.one, "folder/second"), {self.data[self.two, "folder/second"]})

    def test_what_comes_later_is_moved_too(self) -> None:
        """A version that was written to the item that goes, before its device had heard of it, is not lost."""
        self.write(self.one, "same")
        self.write(self.two, "same")
        core = self.two.storage.core
        item = self.two.storage.find("same").item
        self.one.storage.core.log_replicas.pull_again()
        self.one.pass_time(2)
        random_file(self.base / "more", 2000)
        self.two.wait(self.two.run(self.two.storage.begin_upload(item, bytes(self.base / "more"))).completion)
        self.meet()
        self.assertTrue(core.catalog.is_open)
        self.assertEqual(self.places(self.one), self.places(self.two))
        ((_, _, versions),) = self.places(self.one)
        self.assertEqual(len(versions), 3)

    def test_a_file_and_a_folder(self) -> None:
        """They stay two: neither can stand for the other."""
        self.write(self.one, "same")
        self.two.create("same", folder=True)
        self.two.pass_time(1)
        self.meet()
        self.assertEqual([path for path, _, _ in self.places(self.one)], ["same", "same"])

    def test_deleted_and_made_again(self) -> None:
        """A place that was made again after a deletion is another one: nothing of the former comes back."""
        self.write(self.one, "same")
        self.meet()
        self.one.delete("same")
        self.meet()
        self.write(self.two, "same")
        self.meet()
        ((_, _, versions),) = self.places(self.one)
        self.assertEqual((len(versions), self.places(self.one)), (1, self.places(self.two)))
