"""Keepers of encrypted folders: they hold, check and give what they cannot read; and the brake on mass deletions."""

import errno
import os
from pathlib import Path
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from bitdust.folders import blind, keeping, listing
from bitdust.folders.fetching import QUESTIONS, Wanted
from bitdust.folders.keys import sealed_name
from bitdust.folders.secrets import Secret
from tests.unit.folder_kit import Replica, damage, encrypted_secret, plain_secret, settle
from tests.unit.keeper_kit import read

CANARY = b"the canary sings in the mine"


class KeeperTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.base = Path(self.mktemp())
        secret = encrypted_secret()
        reader, keeper = secret.weaker()
        self.alice = self.replica("alice", secret)
        self.keeper = self.replica("keeper", keeper)
        self.reader = reader

    def replica(self, name: str, secret: Secret) -> Replica:
        one = Replica(self.base, name, secret)
        self.addCleanup(one.close)
        return one

    def kept(self) -> None:
        """The keeper has all of it."""
        self.alice.scan()
        self.keeper.pull(self.alice)
        self.keeper.keep(self.alice)
        self.assertFalse(self.keeper.keeping.is_behind)

    def on_disk(self) -> bytes:
        """All that the keeper has, journal and all."""
        self.keeper.store.journal.database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        folders = (self.keeper.root, self.base / "keeper")
        files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
        return b"".join(str(path).encode() + path.read_bytes() for path in files)

    def test_case_49_reads_nothing(self) -> None:
        """Neither names nor contents can be found on a keeper's disk."""
        self.alice.write("secret-name/diary.txt", CANARY * 1000)
        self.kept()
        found = self.on_disk()
        self.assertNotIn(CANARY, found)
        self.assertNotIn(b"secret-name", found)
        self.assertNotIn(b"diary", found)

    def test_case_49_restores(self) -> None:
        """Whoever may read or write gets all of it from a keeper alone, when everybody else is gone."""
        self.alice.write("d/a", os.urandom(500_000))
        self.alice.write("empty", b"")
        os.symlink("d/a", self.alice.root / "link")
        self.kept()
        for name, secret in (("reader", self.reader), ("writer", encrypted_secret())):
            other = self.replica(name, secret)
            other.pull(self.keeper)
            other.apply(self.keeper)
            self.assertEqual(other.tree(), self.alice.tree())

    def test_case_49_damaged(self) -> None:
        """A chunk that was changed on a keeper's disk is not given, and can be had again."""
        self.alice.write("a", os.urandom(10_000))
        self.kept()
        (row,) = self.keeper.store.journal.database.execute("SELECT name FROM kept").fetchall()
        damage(self.keeper, row[0])
        self.assertIsNone(read(self.keeper, row[0]))
        reader = self.replica("reader", self.reader)
        reader.pull(self.keeper)
        reader.apply(self.keeper)
        self.assertEqual(reader.tree(), {})
        reader.apply(self.keeper, self.alice)
        self.assertEqual(reader.tree(), self.alice.tree())

    def test_case_49_fetched_again(self) -> None:
        """A keeper fetches again what could not be read on its disk, from whoever has it, and nothing else."""
        self.alice.write("a", os.urandom(500_000))
        self.kept()
        names = [name for (name,) in self.keeper.store.journal.database.execute("SELECT name FROM kept")]
        damage(self.keeper, names[1])
        self.assertEqual(self.keeper.give(names[:3])[1], bytes(len(self.keeper.give(names[:3])[1] or b"")))
        self.alice.fetched.clear()
        self.keeper.keep()
        self.assertTrue(self.keeper.keeping.is_behind)
        self.assertEqual([chunk is None for chunk in self.keeper.give(names[:3])], [False, True, False])
        self.keeper.keep(self.alice)
        self.assertEqual((self.alice.fetched, self.keeper.keeping.is_behind), ([names[1]], False))
        self.assertEqual(self.keeper.give(names), self.alice.give(names))

    def test_renames_and_inserts_are_cheap(self) -> None:
        """A rename moves no chunk to a keeper, and an insertion a few."""
        data = os.urandom(3_000_000)
        self.alice.write("big", data)
        self.kept()
        self.alice.fetched.clear()
        self.alice.rename("big", "deep/down/bigger")
        self.kept()
        self.assertEqual(self.alice.fetched, [])
        self.alice.write("deep/down/bigger", data[:1_000_000] + b"inserted" + data[1_000_000:])
        self.kept()
        self.assertLess(len(self.alice.fetched), 6)

    def test_collects(self) -> None:
        """What no record names any more is removed from a keeper's disk."""
        self.alice.write("a", os.urandom(100_000))
        self.kept()
        self.alice.remove("a")
        self.kept()
        (count,) = self.keeper.store.journal.database.execute("SELECT count(*) FROM kept").fetchone()
        self.assertEqual(
            (count, [path for path in (self.keeper.root / ".sync/chunks").rglob("*") if path.is_file()]), (0, [])
        )

    def test_conflicts_wait_for_writers(self) -> None:
        """A keeper holds both of two concurrent versions until a writer has decided, then what was decided."""
        bob = self.replica("bob", encrypted_secret())
        self.alice.write("a", b"of alice", 1_800_000_100)
        self.alice.scan()
        bob.write("a", b"of bob", 1_800_000_200)
        bob.scan()
        for one in (self.alice, bob):
            self.keeper.pull(one)
            self.keeper.keep(self.alice, bob)
        ident = self.alice.store.keys.path_id(b"a")
        self.assertEqual(len(self.keeper.store.journal.heads(ident)), 2)
        settle(self.alice, bob)
        self.keeper.pull(bob)
        self.assertEqual(len(self.keeper.store.journal.heads(ident)), 1)
        self.assertEqual(self.keeper.store.journal.digest(), bob.store.journal.digest())


class LaneTests(SynchronousTestCase):
    """A peer that answers when the test says so."""

    def setUp(self) -> None:
        self.base = Path(self.mktemp())
        secret = encrypted_secret()
        self.alice = Replica(self.base, "alice", secret)
        self.keeper = Replica(self.base, "keeper", secret.weaker()[1])
        self.asked: list[tuple[list[bytes], Deferred[list[bytes | None]]]] = []
        self.keeper.sources = [self]
        for one in (self.alice, self.keeper):
            self.addCleanup(one.close)

    def ask_chunks(self, names: list[bytes], size: int) -> "Deferred[list[bytes | None]]":
        self.asked.append((names, Deferred()))
        return self.asked[-1][1]

    def kept(self) -> int:
        (count,) = self.keeper.store.journal.database.execute("SELECT count(*) FROM kept").fetchone()
        return count

    def test_one_fails(self) -> None:
        """When what came cannot be written, nothing is written that comes later, and the next run brings all of it."""
        self.patch(keeping, "AT_ONCE", 2)
        for number in range(6):
            self.alice.write(f"{number}", f"the content of {number}")
        self.alice.scan()
        self.keeper.pull(self.alice)
        blind = self.keeper.store.blind
        write, broken = blind.keep, [OSError(errno.EIO, "broken")]

        def keep(chunks: list[tuple[bytes, bytes]]) -> None:
            if broken:
                raise broken.pop()
            write(chunks)

        self.patch(blind, "keep", keep)
        work = keeping.Keeping(self.keeper.store, self.keeper.fetcher)
        running = work.run()
        self.assertEqual([len(names) for names, _ in self.asked], [2, 2, 2])
        for names, answer in self.asked:
            answer.callback(self.alice.give(names))
        self.failureResultOf(running, OSError)
        self.assertEqual((work.is_running, self.kept()), (False, 0))
        self.keeper.keep(self.alice)
        self.assertEqual((self.kept(), self.keeper.keeping.is_behind), (6, False))

    def test_few_are_missing(self) -> None:
        """What is missing is looked for so many names at a time, and asked for together."""
        for number in range(30):
            self.alice.write(f"{number}", f"the content of {number}")
        self.alice.scan()
        self.keeper.pull(self.alice)
        self.keeper.keep(self.alice)
        names = sorted(name for (name,) in self.keeper.store.journal.database.execute("SELECT name FROM kept"))
        with self.keeper.store.journal.change() as database:
            database.executemany("DELETE FROM kept WHERE name=?", [(name,) for name in names[::9]])
        self.patch(blind, "ROWS", 4)
        run, looks = self.keeper.store.run, list[object]()

        def counted(call: Any, *arguments: Any) -> "Deferred[Any]":
            looks.extend([call] * (call == self.keeper.store.blind.wanted))
            return run(call, *arguments)

        self.patch(self.keeper.store, "run", counted)
        self.keeper.keep(self)
        self.assertEqual(([asked for asked, _ in self.asked], len(looks)), ([names[::9]], 8))

    def test_tidying_goes_on(self) -> None:
        """Nobody waits until what is not needed has gone: a run ends, the next one comes, and work goes on in between;
        when all is given up that ends as well."""
        store, held = self.keeper.store, list[Deferred[None]]()
        run, portions = store.run, iter([None, None, None])
        self.patch(store.tidying, "collect", lambda _: portions)

        def hold(call: Any, *arguments: Any) -> "Deferred[Any]":
            if arguments[:1] != (portions,):
                return run(call, *arguments)
            held.append(Deferred())
            return held[-1].addCallback(lambda _: call(*arguments))

        self.patch(store, "run", hold)
        self.keeper.keep()
        work = self.keeper.keeping
        for _ in range(2):
            held[-1].callback(None)
            self.assertEqual((work.is_running, self.successResultOf(work.run())), (False, False))
        self.assertEqual(len(held), 3)
        work.stop()
        self.assertEqual((len(held), list(portions)), (3, [None]))

    def test_given_up(self) -> None:
        """Whoever waits for chunks that are not wanted any more is told, whether they were asked for or not."""
        fetcher = self.keeper.fetcher
        there = Deferred.fromCoroutine(fetcher.fetch("owner", [Wanted(b"a" * 16, 5)]))
        self.keeper.sources = []
        waiting = Deferred.fromCoroutine(fetcher.fetch("other", []))
        self.successResultOf(waiting)
        fetcher.drop("owner")
        self.assertNoResult(there)
        self.asked[0][1].callback([None])
        self.failureResultOf(there, CancelledError)
        self.keeper.sources = [self]
        several = [Deferred.fromCoroutine(fetcher.fetch(name, [Wanted(b"b" * 16, 5)])) for name in "abcde"]
        self.assertEqual(len(self.asked), 1 + QUESTIONS)
        fetcher.drop("e")
        self.failureResultOf(several[4], CancelledError)

    def test_together(self) -> None:
        """Chunks that are wanted together come together, without those that nobody has; whether somebody may still
        have one of these is known then. What comes for somebody who has gone is dropped."""
        fetcher = self.keeper.fetcher
        chunks = [b"one", b"two", b"three"]
        wanted = [Wanted(sealed_name(one), len(one)) for one in chunks]
        coming = Deferred.fromCoroutine(fetcher.fetch("owner", wanted))
        self.assertNoResult(coming)
        self.asked[0][1].callback([b"one", None, b"three"])
        self.assertEqual(self.successResultOf(coming), {sealed_name(one): one for one in (b"one", b"three")})
        self.assertFalse(fetcher.is_doubtful("owner"))
        broken = Deferred.fromCoroutine(fetcher.fetch("owner", wanted[:2]))
        gone = Deferred.fromCoroutine(fetcher.fetch("other", wanted[2:]))
        gone.cancel()
        self.failureResultOf(gone, CancelledError)
        self.asked[2][1].callback([b"three"])
        self.asked[1][1].errback(OSError("the line broke"))
        self.assertEqual((self.successResultOf(broken), fetcher.is_doubtful("owner")), ({}, True))
        fetcher.drop("owner")
        self.assertFalse(fetcher.is_doubtful("owner"))


class BrakeTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.base = Path(self.mktemp())
        self.alice, self.bob = (Replica(self.base, name, plain_secret()) for name in ("alice", "bob"))
        for one in (self.alice, self.bob):
            self.addCleanup(one.close)
        for number in range(150):
            self.alice.write(f"d/{number}", f"file {number}")
        settle(self.alice, self.bob)

    def test_case_63_held(self) -> None:
        """More than a hundred files, and half of all, are not deleted before a person has confirmed it."""
        for number in range(120):
            self.alice.remove(f"d/{number}")
        self.alice.scan()
        self.bob.sync(self.alice)
        self.assertEqual(len(self.bob.tree()), 151)
        self.assertEqual(listing.totals(self.bob.store.journal).held, 120)
        self.assertEqual(listing.confirm(self.bob.store.journal), 120)
        self.bob.apply(self.alice)
        settle(self.alice, self.bob)
        self.assertEqual(self.bob.tree(), self.alice.tree())
        self.assertEqual(len(self.bob.tree()), 31)

    def test_moves_are_no_deletions(self) -> None:
        """A folder that was moved is moved, however many files are in it."""
        (self.alice.root / "d").rename(self.alice.root / "e")
        settle(self.alice, self.bob)
        self.assertEqual(self.bob.tree(), self.alice.tree())
        self.assertIn("e/149", self.bob.tree())


class SelectiveTests(SynchronousTestCase):
    def test_case_61_chosen(self) -> None:
        """What is not chosen is told of and not fetched; chosen folders bring new files too; and to choose otherwise
        removes a file here and nowhere else."""
        base = Path(self.mktemp())
        alice, bob = (Replica(base, name, plain_secret()) for name in ("alice", "bob"))
        self.addCleanup(alice.close), self.addCleanup(bob.close)
        with bob.store.journal.change():
            bob.store.journal.note("selective", b"\1")
        alice.write("d/a", b"first"), alice.write("b", b"second")
        alice.scan()
        bob.sync(alice)
        self.assertEqual(bob.tree(), {})
        rows = listing.entries(bob.store.journal, "", True)
        self.assertEqual([(row.name, row.download, row.have_pieces) for row in rows], [("b", False, 0), ("d", None, 0)])
        listing.choose(bob.store.journal, "d", True)
        alice.write("d/new", b"third")
        alice.scan()
        bob.sync(alice)
        self.assertEqual(bob.tree(), {"d": None, "d/a": b"first", "d/new": b"third"})
        listing.choose(bob.store.journal, "d/a", False)
        bob.apply(alice)
        bob.scan()
        settle(alice, bob)
        self.assertEqual(bob.tree(), {"d": None, "d/new": b"third"})
        self.assertEqual(alice.tree(), {"b": b"second", "d": None, "d/a": b"first", "d/new": b"third"})
