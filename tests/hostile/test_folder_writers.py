"""Whoever may write in a folder may delete and change everything in it, and must not be able to break it for others."""

import errno
import os
from types import SimpleNamespace
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred

from bitdust.folders import journal
from bitdust.folders.deciding import conflict_name
from bitdust.folders.finding import MOST_PLACES, MOST_WAYS, Finding
from bitdust.folders.keeping import Keeping
from bitdust.folders.keys import FolderKeys, sealed_name
from bitdust.folders.paths import DEEPEST
from bitdust.folders.reading import LARGEST
from bitdust.folders.records import LONGEST_CHUNK, NODE, Entry, Record, body_of, packed, write
from bitdust.folders.vectors import MOST_WRITERS
from bitdust.wire.encoding import WireError, encode
from bitdust.wire.schema import U63
from tests.api.fakes import Anything
from tests.unit.folder_kit import Replica, encrypted_secret, settle
from tests.unit.test_folder_conflicts import ReplicaCase

MALLORY = b"mallory!"


class WriterCase(ReplicaCase):
    """Alice, Bob, and Mallory, who has the folder's secret too, and signs whatever comes to mind."""

    def entry(self, path: str, data: bytes, writer: bytes = MALLORY, **parts: Any) -> Entry:
        keys = FolderKeys(self.replicas[0].secret)
        ident = keys.chunk_id(data)
        name = sealed_name(keys.seal_chunk(ident, data))
        length = len(data).to_bytes(4, "big")
        usual = {"mtime": 1_700_000_000 * 10**9, "ids": ident, "names": name, "lengths": length, "size": len(data)}
        return Entry(path, "file", writer=writer, **(usual | parts))

    def says(self, entry: Entry, vector: dict[bytes, int] | None = None, *to: Replica) -> list[int]:
        """Whether those who hear it, usually all, take it as something new."""
        return self.brings(write(entry, vector or {MALLORY: 1}, FolderKeys(self.replicas[0].secret)), *to)

    def brings(self, record: Record, *to: Replica) -> list[int]:
        return [one.store.journal.take([record.raw]).changed for one in to or self.replicas]

    def go_on(self, path: str) -> None:
        """What alice and bob change comes to the other: this path, and everything beside it."""
        alice, bob = self.replicas
        for number, one in enumerate((alice, bob, alice)):
            one.write("beside", f"beside {number}")
            one.write(path, f"still mine {number}")
            settle(alice, bob)
            self.same()
            self.assertIn(f"still mine {number}".encode(), self.contents(bob))
            self.assertIn(f"beside {number}".encode(), self.contents(bob))

    def full(self, first: int, count: int = 5, path: str = "a") -> dict[bytes, int]:
        """A vector that follows what is known of a path, and in which no other writer finds room."""
        journal = self.replicas[0].store.journal
        known = [head.vector for head in journal.heads(journal.keys.path_id(path.encode()))]
        found = {node: count for vector in known for node in vector} if count > 5 else dict(*known)
        more = (bytes((first,)) + number.to_bytes(NODE - 1, "big") for number in range(MOST_WRITERS - len(found)))
        return found | dict.fromkeys(more, count)


class VectorTests(WriterCase):
    def test_counting_in_my_name(self) -> None:
        """Who counts in alice's name as far as one can count does not keep her from changing her file again."""
        alice, _ = self.pair(a="first", bad="bad")
        node = alice.store.journal.node
        self.assertEqual(self.says(self.entry("a", b"bad", node, made=U63), {node: U63}), [1, 1])
        self.go_on("a")
        self.assertNotEqual(alice.store.journal.node, node)
        alice.close()
        alice.open()
        self.go_on("a")

    def test_a_vector_that_is_full(self) -> None:
        """Who names a thousand writers leaves no room for another one, and what they change goes on all the same."""
        self.pair(a="first", bad="bad")
        vector = self.full(1)
        self.assertEqual(self.says(self.entry("a", b"bad", min(vector), made=1), vector), [1, 1])
        self.go_on("a")

    def test_two_that_are_full(self) -> None:
        """Two versions that cannot be joined stand side by side: nobody stores what nobody can read."""
        self.pair(bad="bad", worse="worse")
        one, other = self.full(1), self.full(2)
        self.assertEqual(self.says(self.entry("a", b"bad", min(one), made=1), one), [1, 1])
        self.assertEqual(self.says(self.entry("a", b"worse", min(other), made=1), other), [1, 1])
        self.go_on("a")

    def test_nothing_can_follow(self) -> None:
        """Where everybody was counted to the end that path stays as it is, with a warning, and all others go on."""
        alice, bob = self.pair(a="first", bad="bad")
        vector = self.full(1, U63)
        self.assertEqual(self.says(self.entry("a", b"bad", min(vector), made=U63), vector), [1, 1])
        settle(alice, bob)
        alice.write("a", "mine")
        self.assertIn("nothing can follow", alice.scan().warnings["a"])
        alice.rename("a", "b")
        alice.write("beside", "it")
        settle(alice, bob)
        self.assertEqual((bob.tree()["b"], bob.tree()["beside"]), (b"mine", b"it"))

    def test_what_nobody_could_read(self) -> None:
        """No such record is ever written."""
        alice = self.replica("alice")
        entry, keys = self.entry("a", b"bad"), FolderKeys(alice.secret)
        too_many = {number.to_bytes(NODE, "big"): 1 for number in range(MOST_WRITERS)} | {MALLORY: 1}
        self.assertRaises(WireError, write, entry, too_many, keys)
        self.assertRaises(WireError, write, entry, {MALLORY: U63 + 1}, keys)


class PathTests(WriterCase):
    def deep(self, depth: int) -> Record:
        """A record of a path so deep, made by a program that does not look at it."""
        keys, path, entry = FolderKeys(self.replicas[0].secret), b"/".join([b"d"] * depth), self.entry("x", b"bad")
        ident, sealed = keys.path_id(path), keys.seal_record(encode([path, 0, entry.ids]))
        body = body_of(ident, packed({MALLORY: 1}), False, entry.names, entry.lengths, sealed)
        return Record(ident, {MALLORY: 1}, False, entry.names, entry.lengths, sealed, keys.sign(body) + body)

    def test_too_deep(self) -> None:
        """A path of more names than a person ever has is refused: each look would cost the square of them."""
        alice, bob = self.pair(bad="bad")
        self.assertEqual(self.brings(self.deep(DEEPEST + 1)), [0, 0])
        self.assertEqual(self.brings(self.deep(DEEPEST)), [1, 1])
        settle(alice, bob)
        self.assertEqual(len([path for path in alice.tree() if path.endswith("/d")]), DEEPEST - 1)

    def test_too_deep_on_the_disk(self) -> None:
        """What is as deep on the disk is left out, with a warning."""
        alice = self.replica("alice")
        (alice.root / "/".join("d" * (DEEPEST + 1))).mkdir(parents=True)
        self.assertEqual(list(alice.scan().warnings.values()), [os.strerror(errno.ENAMETOOLONG)])

    def test_names_that_end_in_a_sentence(self) -> None:
        """What is long behind the last dot of a name is no suffix: of two such files the other one is kept beside, and
        in the archive."""
        alice, bob = self.replica("alice"), self.replica("bob")
        name = "1. " + "How we came there, and what we saw on the way. " * 5
        alice.write(name, "one")
        bob.write(name, "two")
        settle(alice, bob)
        self.same()
        self.assertEqual(self.contents(alice), [b"one", b"two"])
        alice.write(name, "three")
        settle(alice, bob)
        self.assertEqual(bob.store.archive.versions(name)[0].size, 3)

    def test_a_path_with_no_room_for_a_copy(self) -> None:
        """Beside a file whose path is as long as one can be there is no room: its copy is in the folder's root."""
        alice = self.replica("alice")
        long = "/".join([*["d" * 250] * 16, "n" * 60])
        for path, folder in (("d/" * 20 + "name.txt", "d/" * 20), (f"{long}.txt", "")):
            found = conflict_name(path, self.entry(path, b"bad"))
            self.assertTrue(found.startswith(folder) and found.endswith(".txt"))
            self.assertNotIn("/", found.removeprefix(folder))
            write(self.entry(found, b"bad"), {MALLORY: 1}, FolderKeys(alice.secret))


class SizeTests(WriterCase):
    def test_chunks_that_are_too_long(self) -> None:
        """Nobody asks for a chunk of four gigabytes, which would have to be in memory."""
        self.pair(bad="bad")
        self.assertEqual(LARGEST, LONGEST_CHUNK)
        entry = self.entry("a", b"bad", lengths=(2**32 - 2).to_bytes(4, "big"), size=2**32 - 2)
        self.assertEqual(self.says(entry), [0, 0])

    def test_a_file_that_fills_the_disk(self) -> None:
        """One chunk that stands in a file very often takes no more than the reserve of the disk leaves; a smaller file
        beside it comes."""
        alice, bob = self.pair(bad="x" * 50_000)
        bob.store.reserve.usage = lambda path: SimpleNamespace(total=10_000_000, free=1_000_000)
        often = self.entry("much", b"x" * 50_000)
        times = 100_000
        self.says(evolve(often, ids=often.ids * times, names=often.names * times, lengths=often.lengths * times,
                         size=often.size * times))  # fmt: skip
        self.says(self.entry("little", b"x" * 50_000), {MALLORY: 2})
        bob.apply(alice)
        self.assertEqual(bob.due(), ["much"])
        self.assertEqual({getattr(error, "code", "") for _, error in bob.failures}, {"disk-full"})
        self.assertLess(sum(one.stat().st_blocks for one in bob.root.rglob("*")) * 512, 1_000_000)

    def test_a_keeper(self) -> None:
        """The same of what is kept for others."""
        alice = Replica(self.base, "alice", encrypted_secret())
        keeper = Replica(self.base, "keeper", encrypted_secret().weaker()[-1])
        self.addCleanup(alice.close)
        self.addCleanup(keeper.close)
        keeper.store.reserve.usage = lambda path: SimpleNamespace(total=10_000, free=1000)
        alice.write("a", os.urandom(5000))
        alice.scan()
        keeper.pull(alice)
        keeper.sources = [alice]
        keeping = Keeping(keeper.store, keeper.fetcher)
        self.assertFalse(self.successResultOf(keeping.run()))
        self.assertEqual((keeping.full.code, keeping.is_behind), ("disk-full", True))
        self.assertEqual([*keeper.root.rglob("*.seg")], [])
        keeper.store.reserve.usage = lambda path: SimpleNamespace(total=10_000, free=10_000)
        self.assertTrue(self.successResultOf(keeping.run()))
        self.assertEqual((keeping.full, keeping.is_behind), (None, False))
        self.assertEqual(len([*keeper.root.rglob("*.seg")]), 1)


class PeersTests(WriterCase):
    def test_devices_without_end(self) -> None:
        """So many devices are remembered and no more, whoever has a secret and makes new ones; those that were here go
        on where they were, and one that has not come for long gives way."""
        self.patch(journal, "MOST_PEERS", 3)
        alice, bob = self.pair(a="first")
        mine = alice.store.journal
        for number in range(20):
            device = number.to_bytes(8, "big")
            mine.note_peer(device, bytes(16), number, "mallory")
            mine.note_told(device, number + 1)
        rows = mine.database.execute("SELECT count(*) FROM peers").fetchone()[0]
        told = mine.database.execute("SELECT count(*) FROM meta WHERE name GLOB 'told *'").fetchone()[0]
        self.assertEqual((rows, told <= 3, mine.known_of(bob.device)[0]), (3, True, bob.store.journal.epoch))
        alice.clock.advance(31 * 86_400)
        alice.pull(bob)
        mine.note_peer(b"new dev.", bytes(16), 1, "carol")
        self.assertEqual((mine.known_of(b"new dev.")[1], mine.known_of(bob.device)[0]), (1, bob.store.journal.epoch))

    def test_places_without_end(self) -> None:
        """Who says in the hash table that it is now here and now there fills nothing."""
        sessions = Anything(sessions=list, dial=lambda *where, **how: Deferred())
        around = Anything(sessions=sessions, world=Anything(clock=None))
        finding = Finding(around, Anything(), list, lambda who: False)
        folder = Anything(config=Anything(text="secret"))
        for number in range(1000):
            finding._found[f"198.51.100.1:{number}"] = (b"m" * 32, b"d" * 8)
            finding._met_far(folder, f"tcp://198.51.100.1:{number}", b"m" * 32)
            finding._met_far(folder, "tcp://198.51.100.1:7", number.to_bytes(32, "big"))
        self.assertLessEqual(len(finding._found), MOST_PLACES)
        self.assertLessEqual(max(map(len, finding._seen.values())), MOST_WAYS)
