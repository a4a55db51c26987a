"""People who were let into a share and say more in its log than they may: nothing that others made suffers by it."""

import random
from types import SimpleNamespace

from attrs import evolve
from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase

from bitdust.crypt.device import DeviceKey
from bitdust.crypt.merkle import root
from bitdust.crypt.writers import MARK, GuestDevice, Marks, Writer, guest_device, number_of
from bitdust.formats.log_entry import Begin, Content, Entry, LogName, hash_of, head_of, seal
from bitdust.formats.operations import earlier_op, item_op, move_op, pack_op, snapshot_op, tombstone_op, version_ops
from bitdust.storage.catalog.catalog import insert_entry
from bitdust.storage.catalog.paths import by_path, versions
from bitdust.storage.log.access import SharedLogs
from bitdust.storage.log.recovery import LogRecovery
from bitdust.storage.log.seen import read_head
from bitdust.storage.packs.packer import stored_place
from bitdust.wire.names import new_version
from bitdust.wire.records import Head, PackRecord, Scheme
from tests.unit.supplier_kit import START, now
from tests.unit.test_catalog import OWNER, SECRET, open_catalog, rows

KEY, SCOPE = "share_1", b"s" * 16


class Writing:
    """Somebody who writes a log of the share: the owner with number 0, or a guest with a mark."""

    def __init__(self, seed: int, mark: bytes | None = None) -> None:
        self.key = DeviceKey.generate(random.Random(seed).randbytes)
        self.mark = mark
        self.number = number_of(mark, 0) if mark is not None else 0
        self.marks = Marks(frozenset([mark])) if mark is not None else None
        self.entries: list[tuple[Entry, Content]] = []

    @property
    def writer(self) -> Writer:
        return Writer(self.mark, b"h" * 32, frozenset([self.key.public]))

    def path(self, place: str) -> str:
        return f"{place}.{self.number}" if self.number else place

    def version(self, second: int) -> str:
        return new_version(START + second, self.number)

    def say(self, lamport: int, *ops) -> None:
        """One more entry."""
        previous = hash_of(self.entries[-1][0].to_bytes()) if self.entries else bytes(32)
        bare = Entry(OWNER, self.key.id, len(self.entries) + 1, previous, 1, b"", SCOPE)
        content = Content(lamport, START * 1000, list(ops))
        self.entries.append((seal(bare, SECRET, content), content))

    def said(self):
        return [(entry, content, self.marks) for entry, content in self.entries]

    def head(self, **changes) -> bytes:
        entry = self.entries[-1][0]
        head = head_of(LogName(OWNER, SCOPE, self.key.id), entry.sequence, hash_of(entry.to_bytes()), START, Begin())
        return self.key.sign_record(Head.KIND, evolve(head, **changes).to_body()).to_bytes()


def item(path: str, name: bytes, parent: str = "", kind: str = "file"):
    return item_op(path, parent, name, kind, KEY, START * 1000)


def pack(ident: bytes, name: bytes, data: bytes = b"x"):
    record = PackRecord(OWNER, ident, 100, Scheme.for_family(2), [root(data), root(data)], SCOPE)
    return pack_op(record, KEY, 1, name, [100])


class WordsTests(SynchronousTestCase):
    """Alice owns, Bob is honest, Mallory is not."""

    def setUp(self) -> None:
        self.alice, self.bob, self.mallory = Writing(1), Writing(2, b"bobbob"), Writing(3, b"mallor")
        self.packs = {who: (who.mark or b"alice!") + bytes(10) for who in (self.alice, self.bob, self.mallory)}
        alice, bob = self.alice, self.bob
        alice.say(1, pack(self.packs[alice], b"n" * 16), item("0", b"docs", kind="folder"), item("0/1", b"plan", "0"))
        alice.say(2, *version_ops("0/1", alice.version(1), 100, 0o644, 0, [[self.packs[alice], 0, 1]]))
        bob.say(3, pack(self.packs[bob], b"b" * 16), item(bob.path("0/0"), b"cake", "0"))
        bob.say(4, *version_ops(bob.path("0/0"), bob.version(2), 100, 0o644, 0, [[self.packs[bob], 0, 1]]))
        self.honest = [*alice.said(), *bob.said()]

    def catalog(self, entries):
        catalog = open_catalog(self)

        def insert(database):
            for entry, content, marks in entries:
                insert_entry(database, KEY, entry, content, 0, marks)

        now(catalog.change(insert))
        return catalog

    def without(self, catalog) -> dict:
        """What there is besides what Mallory made."""
        seen, mark = rows(catalog), self.mallory.mark
        del seen["tombstones"]
        seen["packs"] = [row for row in seen["packs"] if bytes(row[0])[:MARK] != mark]
        return {name: [row for row in some if str(self.mallory.number) not in str(row)] for name, some in seen.items()}

    def harms_nobody(self, *ops) -> None:
        """Said before and after what others said, it changes nothing of theirs."""
        expected = self.without(self.catalog(self.honest))
        self.mallory.say(9, *ops)
        said = self.mallory.said()
        for entries in ([*self.honest, *said], [*said, *self.honest], [*self.bob.said(), *said, *self.alice.said()]):
            self.assertEqual(self.without(self.catalog(entries)), expected, ops)
        self.mallory.entries.clear()

    def test_what_others_made(self) -> None:
        """It cannot be deleted, hidden, changed, moved or renamed by a guest."""
        alice, bob, mallory = self.alice, self.bob, self.mallory
        plan, cake = f"0/1/{alice.version(1)}", f"{bob.path('0/0')}/{bob.version(2)}"
        self.harms_nobody(tombstone_op(["0", "0/1", bob.path("0/0"), plan, cake], list(self.packs.values()), 1))
        self.harms_nobody(tombstone_op([], [], 1, ["0", "0/1", bob.path("0/0")]))
        self.harms_nobody({"op": "gone", "path": "0/1", "version": mallory.version(9)})
        self.harms_nobody({"op": "label", "path": "0/1", "label": "nothing of worth"})
        self.harms_nobody(move_op(self.packs[alice], self.packs[mallory]))
        more = version_ops("0/1", alice.version(1), 1, 0, 0, [[self.packs[mallory], 0, 1]])
        self.harms_nobody(*more)
        self.harms_nobody({**more[0], "start": 1})
        self.harms_nobody(*version_ops("0/1", alice.version(50), 1, 0, 0, []))
        self.harms_nobody(snapshot_op([{"device": alice.key.id, "sequence": 99, "hash": bytes(32)}]))
        self.harms_nobody(earlier_op(1, alice.key.id, 1, [tombstone_op(["0/1"], [], 1)]))

    def test_what_others_will_make(self) -> None:
        """Nobody takes the ids that others give, or claims a pack of theirs with other roots."""
        alice, bob = self.alice, self.bob
        self.harms_nobody(item("0/1", b"stolen", "0"), item(bob.path("0/0"), b"stolen", "0"), item("7", b"taken"))
        self.harms_nobody(pack(self.packs[alice], b"m" * 16, b"other"), pack(self.packs[bob], b"m" * 16, b"other"))

    def test_nothing_builds_on_a_guests_chunks(self) -> None:
        """A guest that claims to have the chunks of a file to come has them for itself: others store their own."""
        self.mallory.say(9, pack(self.packs[self.mallory], b"c" * 16))
        catalog = self.catalog([*self.honest, *self.mallory.said()])
        places = [stored_place(catalog.read, name * 16) for name in (b"c", b"b")]
        self.assertEqual(places, [None, None])
        count = "SELECT count(*) FROM chunks"
        self.assertEqual(catalog.read.execute(count).fetchone(), (1,))

    def test_another_key_of_the_owner(self) -> None:
        """What a guest says to be in a folder of another key is nowhere, in whichever order both come."""
        secret = Writing(1)
        secret.say(5, item_op("8", "", b"private", "folder", "master", START * 1000))
        self.mallory.say(9, item(self.mallory.path("8/0"), b"letter", "8"))
        for first in (True, False):
            catalog = open_catalog(self)

            def insert(database, first=first):
                ((entry, content),) = secret.entries
                (said,) = self.mallory.said()
                if first:
                    insert_entry(database, "master", entry, content)
                insert_entry(database, KEY, said[0], said[1], 0, said[2])
                if not first:
                    insert_entry(database, "master", entry, content)

            now(catalog.change(insert))
            paths = [row[0] for row in catalog.read.execute("SELECT path FROM items")]
            self.assertEqual(paths, ["8"], first)

    def test_what_a_guest_made(self) -> None:
        """It takes its own things back; a folder of its own stays while others have something in it."""
        alice, bob = self.alice, self.bob
        bob.say(5, item(bob.path("1"), b"bobs", kind="folder"))
        alice.say(6, item(f"{bob.path('1')}/0", b"guest book", bob.path("1")))
        alice.say(7, *version_ops(f"{bob.path('1')}/0", alice.version(3), 0, 0o644, 0, []))
        cake = bob.path("0/0")
        bob.say(8, tombstone_op([f"{cake}/{bob.version(2)}"], [], 1, [cake, bob.path("1")]))
        for entries in ([*alice.said(), *bob.said()], [*bob.said(), *alice.said()]):
            catalog = self.catalog(entries)
            self.assertIsNone(by_path(catalog.read, KEY, "docs/cake"))
            self.assertIsNotNone(by_path(catalog.read, KEY, "bobs/guest book"))
        self.assertEqual(versions(catalog.read, cake), [])

    def test_any_order(self) -> None:
        """Whatever the order in which the entries of three people come, the catalog is the same."""
        alice, bob, mallory = self.alice, self.bob, self.mallory
        mallory.say(5, item(mallory.path("0/0"), b"mine", "0"), tombstone_op(["0", "0/1"], [], 1))
        mallory.say(6, *version_ops("0/1", mallory.version(4), 1, 0o600, 0, []))
        alice.say(7, tombstone_op([f"0/1/{mallory.version(4)}", bob.path("0/0")], [], 2))
        bob.say(8, *version_ops(bob.path("0/0"), bob.version(9), 3, 0o600, 0, []), tombstone_op([], [], 3, ["0/1"]))
        logs = [alice.said(), bob.said(), mallory.said()]
        expected = None
        for seed in range(12):
            shuffled, left = [], [list(log) for log in logs]
            chosen = random.Random(seed)
            while any(left):
                shuffled.append(chosen.choice([log for log in left if log]).pop(0))
            found = rows(self.catalog(shuffled))
            expected = expected or found
            self.assertEqual(found, expected, seed)


class HeadsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.alice, self.bob, self.mallory = Writing(1), Writing(2, b"bobbob"), Writing(3, b"mallor")
        for who in (self.alice, self.bob, self.mallory):
            who.say(1, item(who.path("0"), b"x"))
        device = SimpleNamespace(id=self.alice.key.id, key=self.alice.key.public, revoked=None, sequence=None)
        document = SimpleNamespace(device=lambda ident: device if ident == device.id else None, fingerprint=OWNER)
        self.logs = SharedLogs(document, OWNER, {KEY: [SCOPE]}, {KEY: {1: (SECRET,)}}, [self.bob.writer])

    def end(self, head: bytes, logs: SharedLogs | None = None) -> tuple[int, bool] | None:
        seen = read_head(head, logs or self.logs, b"p" * 32)
        return (seen.end, seen.proven) if seen is not None else None

    def test_who_writes(self) -> None:
        """A guest's head counts; a stranger's leads nowhere, and nobody signs for somebody else."""
        self.assertEqual(self.end(self.bob.head()), (1, True))
        self.assertEqual(self.end(self.mallory.head()), (0, False))
        self.assertIsNone(self.end(self.mallory.head(device=self.bob.key.id)))
        self.assertIsNone(self.end(self.bob.head(device=self.alice.key.id)))
        self.assertIsNone(self.end(self.bob.head(first=1)))
        self.assertIsNone(self.end(self.bob.head(covers=[{"device": self.alice.key.id, "sequence": 1}])))
        self.assertIsNone(self.end(self.bob.head(owner=b"z" * 32)))

    def test_a_cut(self) -> None:
        """Of who was shut out counts what was there until then; let in again, all of it."""
        for _ in range(3):
            self.bob.say(2, item(self.bob.path("1"), b"y"))
        cut = evolve(self.bob.writer, cut={self.bob.key.id: 2})
        self.assertEqual(self.end(self.bob.head(), evolve(self.logs, writers=[cut])), (2, False))
        nothing = evolve(self.logs, writers=[evolve(cut, cut={})])
        self.assertEqual(self.end(self.bob.head(), nothing), (0, False))
        again = evolve(self.bob.writer, mark=b"second")
        both = guest_device([cut, again], self.bob.key.id)
        marks, holders = Marks(frozenset([b"bobbob", b"second"])), frozenset([cut.holder])
        self.assertEqual(both, GuestDevice(self.bob.key.public, marks, None, holders))

    def test_the_owners_device_is_nobodys(self) -> None:
        """A guest that claims a device of the owner's, and is shut out, takes nothing of the owner's log along."""
        claim = evolve(self.bob.writer, devices=frozenset([self.alice.key.public]), cut={})
        logs = evolve(self.logs, writers=[claim])
        self.assertIsNone(logs.guest(SCOPE, self.alice.key.id))
        self.assertEqual(self.end(self.alice.head(), logs), (1, True))

    def test_a_log_that_cannot_be_read(self) -> None:
        """A guest who writes what nobody opens keeps nobody's catalog from being whole; a stranger is not read at
        all."""
        good = self.bob.entries[0][0]
        self.bob.entries[0] = (evolve(good, sealed=bytes(len(good.sealed))), self.bob.entries[0][1])
        held = {who.key.id: [who.entries[0][0].to_bytes()] for who in (self.alice, self.bob, self.mallory)}
        catalog = open_catalog(self)

        def fetch(holder, log, first):
            return succeed(held[log.device][first - 1 :])

        heads = [read_head(who.head(), self.logs, b"p" * 32) for who in (self.alice, self.bob, self.mallory)]
        merged = now(Deferred.fromCoroutine(LogRecovery(catalog, self.logs, KEY, fetch).recover(heads)))
        self.assertEqual((merged.entries, merged.missing), (1, []))
        self.assertEqual(catalog.devices(KEY), [self.alice.key.id])
