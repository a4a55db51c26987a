"""Kinds of files, interruptions, rights, ignore lists and the archive of folders: cases of the survival checklist."""

import os
import random
import socket
import stat
from unittest import mock

from bitdust.folders.ignoring import IgnoreList
from bitdust.folders.records import FILE, FOLDER, LINK, Entry, write
from bitdust.folders.tree import Missing, Tree
from bitdust.folders.writing import Changed, Writer
from bitdust.wire.encoding import WireError
from bitdust.wire.errors import BitDustError
from tests.unit.folder_kit import Replica, encrypted_secret, plain_secret, settle
from tests.unit.test_folder_conflicts import ReplicaCase

KB = 1024


class TypeTests(ReplicaCase):
    def test_case_27_links(self) -> None:
        """Links of all sorts are links on all nodes, with the same target, whatever that is."""
        alice, bob = self.pair()
        targets = {"relative": "d/a", "absolute": "/etc/passwd", "dangling": "nowhere", "parent": ".."}
        for name, target in targets.items():
            os.symlink(target, alice.root / name)
        settle(alice, bob)
        self.same({name: ("link", target) for name, target in targets.items()})

    def test_case_27_never_through_a_link(self) -> None:
        """A peer that tells of a link to a folder outside, and then of a file in it, writes nothing there."""
        alice, bob = self.pair()
        outside = (self.base / "outside").absolute()
        outside.mkdir()
        keys = alice.store.keys
        node, content = b"evilnode", alice.write("payload", "evil")
        alice.scan()
        seen = alice.store.journal.heads(keys.path_id(b"payload"))[0].opened(keys)
        link = Entry("x", LINK, target=str(outside), writer=node, made=1)
        file = Entry(
            "x/passwd", FILE, ids=seen.ids, lengths=seen.lengths, size=4, names=seen.names, writer=node, made=2
        )
        alice.store.journal.take([write(link, {node: 1}, keys).raw, write(file, {node: 2}, keys).raw])
        bob.pull(alice)
        bob.apply(alice)
        self.assertEqual(list(outside.iterdir()), [])
        self.assertEqual(os.readlink(bob.root / "x"), str(outside))
        self.assertTrue(content.exists())

    def test_case_28_paths_that_lead_elsewhere(self) -> None:
        """Records of paths that lead out of the folder, or into its own place, are refused and counted."""
        alice, bob = self.pair()
        keys, node = alice.store.keys, b"evilnode"
        paths = ["../a", "/etc/a", "a//b", "./a", "a/..", ".sync/ID", "n" * 256, "a/" * 2048 + "b", "a\0b"]
        raws = [write(Entry(path, FOLDER, writer=node), {node: 1}, keys).raw for path in paths]
        taken = bob.store.journal.take(raws)
        self.assertEqual((taken.changed, taken.refused, bob.store.journal.refused), (0, len(paths), len(paths)))
        self.assertEqual(bob.tree(), {})

    def test_case_29_hard_links(self) -> None:
        """Two names of one file are two files elsewhere."""
        alice, bob = self.pair(a="one")
        os.link(alice.root / "a", alice.root / "b")
        settle(alice, bob)
        self.same({"a": b"one", "b": b"one"})

    def test_case_30_no_files(self) -> None:
        """Pipes and sockets are left out, with a warning."""
        alice, bob = self.pair(a="one")
        os.mkfifo(alice.root / "pipe")
        here = os.getcwd()
        os.chdir(alice.root)
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind("socket")
        os.chdir(here)
        found = alice.scan()
        self.assertEqual(set(found.warnings), {"pipe", "socket"})
        bob.sync(alice)
        self.assertEqual(bob.tree(), {"a": b"one"})

    def test_case_31_holes(self) -> None:
        """A file that is nearly all holes takes no room elsewhere either."""
        alice, bob = self.pair()
        with (alice.root / "sparse").open("wb") as file:
            file.truncate(64 * 1024 * KB)
            file.seek(32 * 1024 * KB)
            file.write(b"in the middle")
        settle(alice, bob)
        self.assertEqual((bob.root / "sparse").stat().st_size, 64 * 1024 * KB)
        self.assertLess((bob.root / "sparse").stat().st_blocks * 512, 4 * 1024 * KB)
        self.assertEqual((bob.root / "sparse").read_bytes(), (alice.root / "sparse").read_bytes())

    def test_case_32_sizes(self) -> None:
        """Files of no byte, one byte, and about as many as a chunk has are what they were."""
        alice, bob = self.pair()
        for size in (0, 1, 16 * KB - 1, 16 * KB, 16 * KB + 1, 64 * KB, 256 * KB - 1, 256 * KB, 256 * KB + 1):
            alice.write(f"f{size}", os.urandom(size))
        settle(alice, bob)
        self.same()

    def test_case_33_executable(self) -> None:
        """That a file can be run follows, both ways, and moves no content."""
        alice, bob = self.pair(run="#!/bin/sh")
        (alice.root / "run").chmod(0o755)
        settle(alice, bob)
        self.assertTrue((bob.root / "run").stat().st_mode & stat.S_IXUSR)
        alice.fetched.clear()
        (bob.root / "run").chmod(0o644)
        settle(alice, bob)
        self.assertFalse((alice.root / "run").stat().st_mode & stat.S_IXUSR)
        self.assertEqual(alice.fetched, [])


class InterruptionTests(ReplicaCase):
    def test_case_38_damaged_chunk(self) -> None:
        """A chunk that is not what it is called is taken from somebody else, and counted."""
        alice, bob = self.pair()
        carol = self.replica("carol")
        alice.write("a", os.urandom(100 * KB))
        settle(alice, carol)
        bob.pull(alice)
        with mock.patch.object(alice, "give", lambda names: [b"garbage" for _ in names]):
            bob.apply(alice, carol)
        self.assertEqual(bob.tree(), alice.tree())
        self.assertGreater(bob.fetcher.bad, 0)

    def test_case_39_journal_lost(self) -> None:
        """A journal that is gone, or damaged, is made anew: nothing that was deleted comes back, no conflict arises."""
        for damage in (True, False):
            with self.subTest(damage=damage):
                self.setUp()
                alice, bob = self.pair(a="first", b="second", c="third")
                alice.close()
                path = alice.base / "alice" / "journal.db"
                bob.remove("b")
                bob.write("c", "newer")
                bob.scan()
                for name in ("journal.db-wal", "journal.db-shm"):
                    path.with_name(name).unlink(missing_ok=True)
                path.write_bytes(b"no database" * 100) if damage else path.unlink()
                alice.open()
                settle(alice, bob)
                self.same({"a": b"first", "c": b"newer"})

    def test_case_40_old_backup(self) -> None:
        """A journal that was brought back from an old copy gives no number twice: what it tells is heard."""
        alice, bob = self.pair(a="first")
        alice.close()
        path = alice.base / "alice" / "journal.db"
        kept = path.read_bytes()
        alice.open()
        for number in range(3):
            alice.write(f"n{number}", "x")
            alice.scan()
        settle(alice, bob)
        alice.close()
        for name in ("journal.db-wal", "journal.db-shm"):
            path.with_name(name).unlink(missing_ok=True)
        path.write_bytes(kept)
        alice.open()
        alice.write("a", "after the restore")
        settle(alice, bob)
        self.same()
        self.assertEqual(bob.tree()["a"], b"after the restore")
        self.assertEqual(len(bob.tree()), 4)

    def test_case_41_folder_gone(self) -> None:
        """A folder that is not there, or lost its mark, stops with an error: nothing of it counts as deleted."""
        alice, bob = self.pair(a="first", b="second")
        aside = alice.root.with_name("unmounted")
        alice.root.rename(aside)
        self.assertRaises(Missing, alice.scan)
        alice.root.mkdir()
        self.assertRaises(Missing, alice.scan)
        bob.pull(alice)
        bob.apply(alice)
        self.assertEqual(set(bob.tree()), {"a", "b"})
        alice.root.rmdir()
        aside.rename(alice.root)
        settle(alice, bob)
        self.same({"a": b"first", "b": b"second"})

    def test_case_42_changed_while_it_is_read(self) -> None:
        """A file that is changed while it is read is not told of before it rests."""
        alice, bob = self.pair(a="first")
        path = alice.write("a", os.urandom(200 * KB))
        seal = alice.store.keys.seal_chunk

        def change(ident: bytes, chunk: bytes) -> bytes:
            with path.open("ab") as file:
                file.write(b"more")
            return seal(ident, chunk)

        with mock.patch.object(alice.store.keys, "seal_chunk", change):
            found = alice.scan()
        self.assertEqual(found.again, {"a"})
        bob.sync(alice)
        self.assertEqual(bob.tree(), {"a": b"first"})
        settle(alice, bob)
        self.same()

    def test_case_43_changed_before_it_is_replaced(self) -> None:
        """What a person writes after the last scan is not replaced: it is a conflict, and both are kept."""
        alice, bob = self.pair(a="first")
        alice.write("a", "from alice", 1_800_000_100)
        alice.scan()
        bob.pull(alice)
        bob.write("a", "from bob", 1_800_000_200)
        bob.apply(alice)
        self.assertEqual(bob.tree(), {"a": b"from bob"})
        self.assertIsInstance(
            bob.failures[0][1].value if hasattr(bob.failures[0][1], "value") else bob.failures[0][1], Changed
        )
        settle(alice, bob)
        self.same()
        self.assertEqual(self.contents(alice), [b"from alice", b"from bob"])

    def test_case_43_in_the_last_moment(self) -> None:
        """What is written between the last look and the exchange is put back, and is a conflict too."""
        alice, bob = self.pair(a="first")
        alice.write("a", "from alice", 1_800_000_100)
        alice.scan()
        bob.pull(alice)
        with mock.patch.object(Writer, "_expect", lambda *_: bob.write("a", "last moment", 1_800_000_300)):
            bob.apply(alice, rounds=1)
        self.assertEqual(bob.tree(), {"a": b"last moment"})
        settle(alice, bob)
        self.same()
        self.assertEqual(self.contents(alice), [b"from alice", b"last moment"])

    def test_case_35_resumes(self) -> None:
        """What had come of a file before the process died is not asked for again."""
        alice, bob = self.pair()
        data = random.Random(35).randbytes(3_000_000)  # some others are cut into fewer chunks than are given first
        alice.write("a", data)
        alice.scan()
        bob.pull(alice)
        serve, served = alice.give, []

        def only_some(names: list[bytes]) -> list[bytes | None]:
            served.extend(names)
            return serve(names) if len(served) < 40 else [None] * len(names)

        with mock.patch.object(alice, "give", only_some):
            bob.apply(alice)
        self.assertEqual(bob.tree(), {})
        bob.close()
        bob.open()
        alice.fetched.clear()
        settle(alice, bob)
        self.same({"a": data})
        self.assertLess(len(alice.fetched), len(data) // (64 * KB))


class RightTests(ReplicaCase):
    def reader(self, name: str = "reader") -> Replica:
        one = Replica(self.base, name, plain_secret().weaker()[0])
        self.addCleanup(one.close)
        return one

    def test_case_47_reader_changes_something(self) -> None:
        """What somebody changes who may only read is sent to nobody; where the preference says so it is undone."""
        alice, _ = self.pair(a="first")
        reader = self.reader()
        reader.sync(alice)
        reader.write("a", "changed"), reader.write("new", "new")
        reader.scan()
        self.assertEqual(alice.pull(reader), 0)
        reader.apply(alice)
        self.assertEqual(reader.tree(), {"a": b"changed", "new": b"new"})

    def test_case_47_reader_takes_new_versions(self) -> None:
        """A newer version replaces what a reader has changed, which is in the archive then."""
        alice, _ = self.pair(a="first")
        reader = self.reader()
        reader.sync(alice)
        reader.write("a", "changed by the reader")
        reader.scan()
        alice.write("a", "second")
        alice.scan()
        reader.sync(alice)
        self.assertEqual(reader.tree(), {"a": b"second"})
        self.assertEqual([row.size for row in reader.store.archive.versions("a")], [len("changed by the reader")])

    def test_case_48_forged_records(self) -> None:
        """Records that no writer has signed are refused by everybody, and so are those of another folder."""
        alice, bob = self.pair(a="first")
        reader = self.reader()
        reader.sync(alice)
        evil = Entry("a", FOLDER, writer=b"evilnode")
        self.assertRaises(BitDustError, write, evil, {b"evilnode": 9}, reader.store.keys)
        other = Replica(self.base, "other", plain_secret(2))
        self.addCleanup(other.close)
        foreign = write(Entry("a", FILE, deleted=True, writer=b"evilnode"), {b"evilnode": 9}, other.store.keys).raw
        raw = bytearray(alice.store.journal.heads(alice.store.keys.path_id(b"a"))[0].raw)
        raw[-1] ^= 1
        for one in (bob, reader):
            taken = one.store.journal.take([foreign, bytes(raw)])
            self.assertEqual((taken.changed, taken.refused), (0, 2))
            self.assertEqual(one.tree(), {"a": b"first"})

    def test_reader_without_the_key(self) -> None:
        """A reader believes no record before somebody has shown the writers' key, and no key that is another's."""
        alice, _ = self.pair(a="first")
        reader = self.reader()
        raw = alice.store.journal.heads(alice.store.keys.path_id(b"a"))[0].raw
        self.assertEqual(reader.store.journal.take([raw]).refused, 1)
        other = encrypted_secret(2).public
        assert other is not None
        self.assertFalse(reader.store.journal.learn_public(other))
        self.assertIsNone(reader.store.keys.public)

    def test_case_44_unreadable(self) -> None:
        """What cannot be read is left out with a warning, and counts as deleted nowhere."""
        alice, bob = self.pair(a="first", d__b="second")
        with mock.patch.object(Tree, "folder", _refusing(Tree.folder, "d")):
            found = alice.scan()
        self.assertIn("d", found.warnings)
        bob.sync(alice)
        self.assertEqual(set(bob.tree()), {"a", "d", "d/b"})


def _refusing(original, path: str):
    def folder(self, wanted: str, make: bool = False):
        if wanted == path:
            raise PermissionError(13, "Permission denied", path)
        return original(self, wanted, make)

    return folder


class IgnoreAndArchiveTests(ReplicaCase):
    def test_case_60_rules(self) -> None:
        """Rules are those of the vendor: floating names, anchored paths, stars within one name, case that counts."""
        rules = IgnoreList("# comment\n\n*.tmp\nThumbs.db\n/build\nphotos/raw\nlogs/*\n?x\n")
        for path in ("a.tmp", "d/b.tmp", "d.tmp/x", "Thumbs.db", "build", "build/x", "photos/raw/1", "logs/a", "ax"):
            self.assertTrue(rules.ignores(path), path)
        for path in ("a.TMP", "thumbs.db", "d/build", "photos", "photos/x", "logs", "x", "axx", "d/photos/raw"):
            self.assertFalse(rules.ignores(path), path)
        self.assertTrue(IgnoreList().ignores(".sync/ID"))

    def test_case_60_added_later(self) -> None:
        """A rule that is added later removes nothing anywhere; changes stop, and go on when it is gone."""
        alice, bob = self.pair(a="first")
        alice.ignored = IgnoreList("a")
        alice.write("a", "second")
        settle_without(alice, bob)
        self.assertEqual((bob.tree(), alice.tree()), ({"a": b"first"}, {"a": b"second"}))
        alice.ignored = IgnoreList()
        settle(alice, bob)
        self.same({"a": b"second"})

    def test_case_62_archive(self) -> None:
        """Replaced and deleted files are in the archive until their time is over, where that is not switched off."""
        alice, bob = self.pair(a="first", b="second")
        alice.write("a", "third")
        alice.remove("b")
        settle(alice, bob)
        (old,), (gone,) = bob.store.archive.versions("a"), bob.store.archive.versions("b")
        self.assertEqual((old.size, gone.size), (5, 6))
        bob.ahead = 31 * 86_400
        self.assertEqual(len(bob.store.archive.clean(30, bob.world.wall())), 2)
        self.assertEqual(bob.store.archive.versions("a"), [])
        bob.store.archive.is_on = False
        alice.write("a", "fourth")
        settle(alice, bob)
        self.assertEqual(bob.store.archive.versions("a"), [])

    def test_case_62_largest(self) -> None:
        """What is larger than the setting is not kept."""
        alice, bob = self.pair(a="first", b="x")
        bob.store.archive.largest = 3
        alice.write("a", "third"), alice.write("b", "y")
        settle(alice, bob)
        self.assertEqual((bob.store.archive.versions("a"), len(bob.store.archive.versions("b"))), ([], 1))

    def test_case_62_restored(self) -> None:
        """A version that was brought back is the newest one everywhere, and is not deleted again."""
        alice, bob = self.pair(a="first", b="second")
        alice.remove("a")
        alice.write("b", "third")
        settle(alice, bob)
        for name in ("a", "b"):
            (version,) = bob.store.archive.versions(name)
            bob.store.archive.restore(name, version.version)
        settle(alice, bob)
        self.same({"a": b"first", "b": b"second"})
        with self.assertRaises(BitDustError) as caught:
            bob.store.archive.restore("a", "12")
        self.assertEqual(caught.exception.code, "no-such-version")


def settle_without(*replicas: Replica) -> None:
    """A few rounds; that all come to the same is not asked for."""
    for _ in range(3):
        for one in replicas:
            one.sync(*(other for other in replicas if other is not one))


class RecordTests(ReplicaCase):
    def test_every_bit_counts(self) -> None:
        """A record of which any byte was changed is refused."""
        alice, bob = self.pair(a="first")
        raw = alice.store.journal.heads(alice.store.keys.path_id(b"a"))[0].raw
        for at in range(0, len(raw), 7):
            damaged = bytearray(raw)
            damaged[at] ^= 0x10
            self.assertEqual(bob.store.journal.take([bytes(damaged)]).refused, 1, at)

    def test_the_same_bytes(self) -> None:
        """The same entry and vector make the same record, whichever writer seals it."""
        alice, bob = self.pair()
        entry, vector = Entry("a", FOLDER, writer=b"somebody"), {b"somebody": 3, b"another1": 2}
        self.assertEqual(write(entry, vector, alice.store.keys).raw, write(entry, vector, bob.store.keys).raw)

    def test_another_path(self) -> None:
        """A record that says another path than it is stored under is refused."""
        alice, _ = self.pair()
        keys = alice.store.keys
        with mock.patch.object(keys, "path_id", lambda path: bytes(16)):
            record = write(Entry("a", FOLDER, writer=b"somebody"), {b"somebody": 1}, keys)
        self.assertRaises(WireError, record.opened, keys)
