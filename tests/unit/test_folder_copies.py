"""Several devices of one person have a folder kept at the same suppliers: nobody takes away what another one needs."""

from typing import Any

from twisted.internet.defer import Deferred

from bitdust.blocks.backup.others import SILENT
from bitdust.folders.backup.formats import CHUNKS, FORMER_MAGIC, STATE_MAGIC, RecordReader, read_head, write_records
from bitdust.folders.backup.room import SupplierCopies
from bitdust.wire.errors import BitDustError
from tests.unit.supplier_copy_kit import CopyCase

AWAY = BitDustError("too-few-suppliers", "too few suppliers are there")


class WithdrawalTests(CopyCase):
    def test_the_only_copy(self) -> None:
        """Who takes a folder away whose lists of other devices were not read yet removes nothing of theirs."""
        alice, bob = self.device("a"), self.device("b")
        alice.write("a", "of Alice")
        self.assertEqual(alice.keeps(), "KEPT")
        self.shelf.failures["read state"] = AWAY
        bob.write("b", "of Bob")
        self.assertEqual(bob.keeps(), "WAITING")
        before = self.shelf.names("")
        self.failureResultOf(bob.copy.withdraw(), BitDustError)
        self.assertEqual(self.shelf.names(""), before)
        self.shelf.failures.clear()
        self.successResultOf(bob.copy.withdraw())
        self.assertEqual(self.shelf.names(""), before)

    def test_in_no_list_yet(self) -> None:
        """What another device has brought, and has not told of yet, stays."""
        alice, bob = self.device("a"), self.device("b")
        self.shelf.failures["keep state"] = AWAY
        alice.write("a", "of Alice")
        self.assertEqual(alice.keeps(), "WAITING")
        self.successResultOf(bob.copy.withdraw())
        self.assertEqual(len(self.there(".chunks", "a")), 1)

    def test_own_segments(self) -> None:
        """What a device has brought goes with its list; what the list of another one has come to rely on stays."""
        alice, bob = self.device("a"), self.device("b")
        alice.write("a", "of Alice")
        alice.keeps()
        self.assertEqual(bob.keeps(), "KEPT")
        bob.write("b", "of Bob")
        self.assertEqual(bob.keeps(), "KEPT")
        self.assertEqual(len(self.there(".chunks", "b")), 1)
        self.successResultOf(bob.copy.withdraw())
        self.assertEqual((self.there("", "b"), len(self.there(".chunks", "a"))), ([], 1))
        bob.again()
        bob.keeps()
        self.successResultOf(alice.copy.withdraw())
        self.assertEqual(
            (self.there(".state", "a"), len(self.there(".index", "a")), len(self.there(".chunks", "a"))), ([], 1, 1)
        )


    def test_dies_between_two_steps(self) -> None:
        """A process that dies after any step of taking a folder away leaves what the next one takes away; what another
        device needs stays."""
        for done in range(4):
            alice = self.device("a")
            alice.write("a", f"content {done}")
            self.assertEqual((alice.keeps(), len(self.there("", "a"))), ("KEPT", 3))
            remove, left = self.shelf.remove, [done]

            def dies(name: str, remove: Any = remove, left: list[int] = left) -> "Deferred[Any]":
                left[0] -= 1
                return remove(name) if left[0] >= 0 else Deferred()

            patch = self.patch(self.shelf, "remove", dies)
            withdrawing = alice.copy.withdraw()
            self.assertEqual(len(self.there("", "a")), 3 - done)
            patch.restore()
            alice.again()
            self.successResultOf(alice.copy.withdraw())
            self.assertEqual(self.there(""), [])
            self.assertEqual(withdrawing.called, done == 3)
            alice.remove("a")

    def test_a_list_that_comes_while_others_are_read(self) -> None:
        """What is removed after a long read depends on what lies there then."""
        alice, bob = self.device("a"), self.device("b")
        alice.write("a", "of Alice")
        self.assertEqual((alice.keeps(), bob.keeps()), ("KEPT", "KEPT"))
        alice.again()
        take, seen = alice.copy._lists.take, list[str]()

        async def takes(names: Any) -> None:
            await take(names)
            bob.write("b", "of Bob")
            self.assertEqual(bob.keeps(), "KEPT")

        async def cleans(names: Any) -> None:
            seen.append(names[bob_state])

        bob_state = self.there(".state", "b")[0]
        before = self.successResultOf(Deferred.fromCoroutine(alice.copy._versions()))[bob_state]
        self.patch(alice.copy._lists, "take", takes)
        self.patch(alice.copy, "_clean", cleans)
        self.successResultOf(Deferred.fromCoroutine(alice.copy._read()))
        self.assertEqual(len(seen), 1)
        self.assertNotEqual(seen[0], before)


class FormerFormTests(CopyCase):
    def test_made_anew(self) -> None:
        """What lies where a former version put it is put there anew, told of, and then removed; so is what is on the
        disk no more, out of what suppliers have."""
        alice = self.device("a")
        alice.write("a", "content of a")
        alice.write("gone", "content of gone")
        self.assertEqual(alice.keeps(), "KEPT")
        self.shelf.old = set(self.shelf.names(""))
        alice.loses_journal()
        alice.remove("gone")
        self.assertEqual(alice.keeps(), "KEPT")
        self.assertEqual((self.shelf.old & set(self.shelf.names("")), len(self.there(""))), (set(), 3))
        again = self.device("b")
        again.keeps()
        self.assertEqual(again.copy.problem, "")
        self.assertEqual(sorted(again.due()), ["a", "gone"])

    def test_made_anew_by_two(self) -> None:
        """Two devices that put it anew at the same moment have each other's former list, which still needs what was
        there: that goes within two hours, however often the folder changes."""
        alice, bob = self.device("a"), self.device("b")
        alice.write("a", "content of a" * 1000)
        alice.keeps()
        bob.sync(alice)
        bob.write("b", "content of b" * 1000)
        bob.keeps()
        alice.sync(bob)
        alice.keeps()
        self.shelf.old = former = set(self.shelf.names(""))
        for one in (alice, bob):
            one.again()
        waiting: list[tuple[Deferred[Any], Any]] = []

        def later(*file: Any) -> "Deferred[Any]":
            waiting.append((Deferred(), file))
            return waiting[-1][0]

        patch = self.patch(self.shelf, "keep", later)
        self.assertEqual([alice.keeps(), bob.keeps()], ["UPLOADING", "UPLOADING"])
        patch.restore()
        for done, file in waiting:
            self.shelf.keep(*file).chainDeferred(done)
        for _ in range(2 * 6):
            for one in (alice, bob):
                one.copy.changed()
                one.clock.pump([60] * 10)
        kept = {name for name in self.shelf.names("") if not name.endswith(".state")}
        self.assertEqual((alice.copy.machine.state, bob.copy.machine.state, kept & former), ("KEPT", "KEPT", set()))
        for one in (alice, bob):
            head, _ = read_head(self.list_of(one.letter).read_bytes(), self.shelf.secrets())
            self.assertLessEqual({f"{name}.chunks" for name in head.segments}, set(self.there(".chunks")))

    def test_dies_between_two_steps(self) -> None:
        """Whenever a process dies there is a list, and all that it needs, in one form or the other."""
        for steps in range(5):
            with self.subTest(steps=steps):
                self.dies_after(steps)

    def dies_after(self, steps: int) -> None:
        alice = self.device("a")
        alice.write("a", f"content {steps}")
        alice.keeps()
        self.shelf.old = set(self.shelf.names(""))
        left = [steps]

        def limited(call: Any) -> Any:
            def called(*arguments: Any) -> Any:
                left[0] -= 1
                return call(*arguments) if left[0] >= 0 else Deferred()

            return called

        patches = [self.patch(self.shelf, name, limited(getattr(self.shelf, name))) for name in ("keep", "remove")]
        alice.keeps()
        for patch in patches:
            patch.restore()
        head, _ = read_head(self.list_of("a").read_bytes(), self.shelf.secrets())
        self.assertLessEqual({f"{one}.chunks" for one in head.segments}, set(self.there(".chunks")))
        alice.again()
        self.assertEqual((alice.keeps(), len(self.there(""))), ("KEPT", 3))
        self.assertEqual(self.shelf.old & set(self.shelf.names("")), set())
        self.successResultOf(alice.copy.withdraw())
        alice.remove("a")

    def test_who_is_let_in(self) -> None:
        """Whoever can read the folder is let in when its list is there, and shut out when the last list goes."""
        alice, bob = self.device("a"), self.device("b")
        holder = alice.store.keys.holder.public
        self.assertEqual(alice.keeps(), "KEPT")
        self.assertEqual(self.shelf.holders, {holder})
        bob.keeps()
        self.successResultOf(bob.copy.withdraw())
        self.assertEqual(self.shelf.holders, {holder})
        self.successResultOf(alice.copy.withdraw())
        self.assertEqual(self.shelf.holders, set())


class TurnTests(CopyCase):
    """What a person changes, through the room of all copies."""

    def setUp(self) -> None:
        super().setUp()
        self.done: list[Any] = []
        self.copies = SupplierCopies(self.done.append)
        self.patch(self.copies.guests, "begin", lambda folder, home: None)
        self.copies.shelf = self.shelf
        self.alice = self.device("a")
        self.folder: Any = self.alice
        self.addCleanup(self.copies.end, self.folder)
        self.alice.write("a", "content of a")
        self.alice.scan()
        self.begin()

    def begin(self) -> None:
        self.copies.begin(self.folder, self.alice.home)

    def leave(self) -> None:
        self.copies.leave(self.folder, self.alice.home)

    def off(self) -> "Deferred[None]":
        async def off() -> None:
            self.leave()
            await self.copies.withdraw(self.secret.text)

        return self.copies.in_turn(self.secret.text, off)

    def on(self) -> "Deferred[None]":
        async def on() -> None:
            self.begin()

        return self.copies.in_turn(self.secret.text, on)

    def row(self) -> Any:
        return self.successResultOf(Deferred.fromCoroutine(self.copies.row(self.alice.config)))

    def test_tried_again(self) -> None:
        """What could not be taken away is shown as such, and is taken away when suppliers are there."""
        self.assertEqual((self.row().state, len(self.there(""))), ("kept", 3))
        self.shelf.ready = False
        self.successResultOf(self.off())
        self.assertEqual((self.row().wanted, self.row().state, len(self.there(""))), (False, "withdrawing", 3))
        self.assertIn("too few suppliers", self.row().problem)
        self.shelf.ready = True
        self.shelf.failures["remove chunks"] = AWAY
        self.copies.look()
        self.assertEqual((self.row().state, self.row().problem), ("withdrawing", str(AWAY)))
        self.shelf.failures.clear()
        self.copies.look()
        self.assertEqual((self.row().state, self.there(""), self.done), ("off", [], [self.alice.config]))
        self.assertEqual(self.alice.beyond, [])

    def test_what_others_need_while_a_clock_is_ahead(self) -> None:
        """A clock that is a year ahead does not make a device one that has told nothing for months."""
        bob = self.device("b")
        self.shelf.late = bob.world.wall
        bob.sync(self.alice)
        bob.keeps()
        segments = self.there(CHUNKS, "a")
        for name in list(self.alice.tree()):
            self.alice.remove(name)
        self.alice.ahead = 3 * SILENT
        self.alice.keeps()
        self.assertEqual((self.there(CHUNKS, "a"), len(segments)), (segments, 1))
        self.shelf.late = self.alice.world.wall
        self.alice.write("new", "something new")
        self.alice.keeps()
        self.assertNotIn(segments[0], self.there(CHUNKS, "a"))

    def test_what_others_needed(self) -> None:
        """What was left because another device needed it goes when that one wants nothing there any more; so does the
        way in, where both went at the same moment."""
        bob = self.device("b")
        bob.sync(self.alice)
        bob.keeps()
        self.folder.config.suppliers = False
        self.copies.follow(self.folder, self.alice.home)
        self.successResultOf(self.off())
        self.copies.look()
        self.assertEqual(len(self.there("", "a")), 2)
        self.assertEqual(len(self.shelf.holders), 1)
        shut_out = self.patch(self.shelf, "shut_out", lambda holder: None)
        self.successResultOf(bob.copy.withdraw())
        shut_out.restore()
        self.copies.look()
        self.assertEqual((self.there(""), self.shelf.holders), ([], set()))

    def test_found_by_nobody(self) -> None:
        """That nobody finds with the secret alone what is kept is shown where it is said how much is kept."""
        self.shelf.unfound_because = "no other node of the DHT has answered"
        row = self.row()
        self.assertEqual((row.state, row.left), ("kept", 0))
        self.assertEqual(row.problem, f"the secret alone does not bring it back: {self.shelf.unfound_because}")
        self.shelf.unfound_because = ""
        self.assertEqual(self.row().problem, "")

    def test_not_found_yet(self) -> None:
        """A folder is not said to be kept before it is known whether the secret alone finds it at the suppliers."""
        self.shelf.offering = True
        self.assertEqual((self.row().state, self.row().problem), ("keeping", ""))
        self.shelf.offering = False
        self.assertEqual(self.row().state, "kept")

    def test_off_and_on_at_once(self) -> None:
        """Who wants it again while it is being taken away has it kept anew, after that."""
        waiting: list[Deferred[Any]] = []
        remove = self.shelf.remove
        self.patch(self.shelf, "remove", lambda name: waiting.append(Deferred()) or waiting[-1])
        off, on = self.off(), self.on()
        self.assertNoResult(on)
        self.assertEqual(self.row().state, "withdrawing")
        self.patch(self.shelf, "remove", remove)
        for path in self.shelf.folder.iterdir():
            path.unlink()
        waiting[0].callback(None)
        self.successResultOf(off)
        self.successResultOf(on)
        self.assertEqual((self.row().state, self.done), ("kept", [self.alice.config]))
        self.assertEqual((len(self.there("")), len(self.alice.beyond)), (3, 1))


class AnotherJournalTests(CopyCase):
    def test_lost_journal(self) -> None:
        """Who has lost the journal takes the lists in again, its own too, before it tells another one: what it does
        not have on its disk stays in its list, and at the suppliers."""
        alice = self.device("a")
        alice.write("a", "content of a")
        alice.write("b", "content of b")
        self.assertEqual(alice.keeps(), "KEPT")
        alice.loses_journal()
        alice.remove("b")
        self.assertEqual(alice.keeps(), "KEPT")
        self.assertEqual(alice.due(), ["b"])
        self.assertEqual(len(self.there(".chunks")), 1)
        head, begin = read_head(self.list_of("a").read_bytes(), self.shelf.secrets())
        records = list(RecordReader().take(self.list_of("a").read_bytes()[begin:]))
        self.assertEqual((len(head.segments), len(records)), (1, 2))

    def test_list_that_is_away(self) -> None:
        """As long as it cannot read its own list, it tells none, and removes nothing."""
        alice = self.device("a")
        alice.write("a", "content of a")
        alice.keeps()
        before = self.list_of("a").read_bytes()
        alice.loses_journal()
        alice.write("a", "another one")
        for error in (AWAY, BitDustError("incomplete", "pieces are gone")):
            self.shelf.failures["read state"] = error
            self.assertEqual(alice.keeps(), "WAITING")
            self.assertIn(str(error), alice.copy.problem)
            self.assertEqual(self.list_of("a").read_bytes(), before)
        self.assertEqual([call for call in self.shelf.calls if call.startswith("remove")], [])
        self.shelf.failures.clear()
        self.assertEqual((alice.keeps(), alice.copy.problem), ("KEPT", ""))


class ToldTests(CopyCase):
    def told(self, letter: str) -> tuple[int, int]:
        """Segments and records of a list."""
        raw = self.list_of(letter).read_bytes()
        head, begin = read_head(raw, self.shelf.secrets())
        return len(head.segments), len(list(RecordReader().take(raw[begin:])))

    def test_in_the_last_moment(self) -> None:
        """A file that comes while the list is about to be told is in none before its chunks are in a segment."""
        alice = self.device("a")
        alice.write("a", "content of a")

        def changes() -> None:
            if alice.copy.machine.state == "TELLING" and not (alice.root / "b").exists():
                alice.write("b", "content of b")
                alice.scan()

        self.patch(self.shelf, "make_key", changes)
        self.assertEqual((alice.keeps(), self.there(".state"), alice.copy.has_changed), ("KEPT", [], True))
        alice.clock.advance(60)
        self.assertEqual((self.told("a"), alice.copy.has_changed), ((2, 2), False))

    def test_chunks_that_come_later(self) -> None:
        """A list is told again when chunks have come of a file that it told of before."""
        alice, bob = self.device("a"), self.device("b")
        alice.write("a", "content of a")
        alice.scan()
        bob.pull(alice)
        self.assertEqual((bob.keeps(), self.told("b")), ("KEPT", (0, 1)))
        bob.apply(alice)
        self.assertEqual((bob.keeps(), self.told("b")), ("KEPT", (1, 1)))

    def test_each_month(self) -> None:
        """A list that is as it was is told again after a month, so that its device does not count as gone."""
        alice = self.device("a")
        alice.write("a", "content of a")
        alice.keeps()
        first = self.list_of("a").read_bytes()
        alice.keeps()
        self.assertEqual(self.list_of("a").read_bytes(), first)
        alice.ahead = 30 * 86_400
        self.assertEqual(alice.keeps(), "KEPT")
        self.assertNotEqual(self.list_of("a").read_bytes(), first)


class RefusedListTests(CopyCase):
    def test_former_list(self) -> None:
        """A list of a former version is refused, which is told by a code; it is not replaced, and what it needs
        stays. To take the folder away, and have it kept again, begins anew."""
        alice = self.device("a")
        alice.write("a", "content of a")
        alice.keeps()
        path = self.list_of("a")
        path.write_bytes(FORMER_MAGIC + path.read_bytes()[len(STATE_MAGIC) :])
        former = path.read_bytes()
        self.assertTrue(read_head(former, self.shelf.secrets())[0].is_former)
        alice.loses_journal()
        self.assertEqual(alice.keeps(), "WAITING")
        self.assertIn("former-list", alice.copy.problem)
        self.assertEqual((path.read_bytes(), len(self.there(".chunks"))), (former, 1))
        self.successResultOf(alice.copy.withdraw())
        self.assertEqual(self.there(""), [])
        self.assertEqual((alice.keeps(), alice.copy.problem), ("KEPT", ""))

    def test_refused_records(self) -> None:
        """A list of another device of which one record is refused counts as not read: that is told, whoever sees it
        tells its own list, and removes nothing."""
        alice, bob = self.device("a"), self.device("b")
        for name in ("a", "b"):
            alice.write(name, f"content of {name}")
        alice.keeps()
        path = self.list_of("a")
        raw = path.read_bytes()
        _, begin = read_head(raw, self.shelf.secrets())
        records = list(RecordReader().take(raw[begin:]))
        path.write_bytes(raw[:begin] + write_records([records[0], b"x" * 64 + records[1][64:]]))
        bob.write("c", "content of c")
        for content in ("another one", "one more"):
            self.assertEqual(bob.keeps(), "KEPT")
            self.assertIn("list-refused: 1 records", bob.copy.problem)
            bob.write("c", content)
        self.assertEqual(len(self.there(".chunks", "b")), 2)
        path.write_bytes(raw)
        self.shelf.counts[path.name] += 1
        self.assertEqual((bob.keeps(), bob.copy.problem), ("KEPT", ""))
        self.assertEqual(len(self.there(".chunks", "b")), 1)


class ChunkTests(CopyCase):
    def test_a_segment_that_cannot_be_read(self) -> None:
        """Chunks of other segments come all the same; what is away is told, until it can be read."""
        alice = self.device("a")
        for name in ("a", "b"):
            alice.write(name, f"content of {name}")
            self.assertEqual(alice.keeps(), "KEPT")
        segments = self.there(".chunks")
        self.assertEqual(len(segments), 2)
        bob = self.device("b")
        bob.keeps()
        path = next(path for path in self.shelf.folder.iterdir() if path.name.endswith(segments[0]))
        path.rename(self.base / "away")
        bob.apply(bob.copy)
        self.assertEqual((len(bob.tree()), len(bob.due())), (1, 1))
        self.assertIn(segments[0].partition(".")[0], bob.copy.problem)
        (self.base / "away").rename(path)
        bob.keeps()
        bob.apply(bob.copy)
        self.assertEqual((bob.tree(), bob.copy.problem), (alice.tree(), ""))
