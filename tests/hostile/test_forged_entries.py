"""Somebody knows a key's storage secret, and makes up entries of a device's log, which a supplier gives."""

from collections.abc import Callable
from functools import partial
from typing import Any
from unittest import mock

from attrs import evolve
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock

from bitdust.crypt.keyring import MASTER
from bitdust.formats.log_entry import Content, Entry, LogName, hash_of, seal
from bitdust.formats.operations import item_op
from bitdust.storage.log import proof, recovery, requests
from bitdust.storage.log.proof import Noted, Waits
from bitdust.storage.log.recovery import LogRecovery
from bitdust.storage.log.seen import SeenHead
from bitdust.wire.encoding import encode
from bitdust.wire.errors import BitDustError
from bitdust.wire.packet import Command
from bitdust.wire.records import Head
from tests.unit.kit import Reply
from tests.unit.storage_kit import Node, PeerFailed, stop_quietly
from tests.unit.supplier_kit import now
from tests.unit.test_catalog import open_catalog
from tests.unit.test_storage_recovery import RecoveryCase

MOST = 16 * 2**20


class ForgedCase(RecoveryCase):
    def setUp(self) -> None:
        super().setUp()
        for name in ("one", "two", "three"):
            self.node.create(name)
        self.node.pass_time(2)

    def true_entries(self) -> list[bytes]:
        catalog = self.node.storage.core.catalog
        return catalog.entries(MASTER, self.node.me.device.id, 1, 100)

    def forged(self, after: int, count: int) -> list[bytes]:
        """Entries that follow the true one ``after``, sealed as the device's own."""
        me, found = self.node.me, list[bytes]()
        true = self.true_entries()[:after]
        epoch, secret = me.key_ring.current(MASTER)
        for sequence in range(after + 1, after + 1 + count):
            previous = hash_of([*true, *found][-1]) if sequence > 1 else bytes(32)
            entry = Entry(me.fingerprint, me.device.id, sequence, previous, epoch, b"")
            said = Content(sequence, 1, [item_op(f"{70 + sequence}", "", b"evil %d" % sequence, "file", MASTER, 1)])
            found.append(seal(entry, secret, said).to_bytes())
        return found

    def give(self, number: int, entries: list[bytes]) -> list[int]:
        """From now on a supplier gives these as that device's log; what it is asked for."""
        supplier, asked, device = self.around.suppliers[number], list[int](), self.node.me.device.id
        supplier.ask = partial(self._lie, supplier.ask, entries, asked, device)  # type: ignore[method-assign]
        return asked

    def _lie(
        self, ask: Any, entries: list[bytes], asked: list[int], device: bytes,
        me: Any, command: Command, fields: Any, payload: Any, deadline: float,
    ) -> Any:  # fmt: skip
        answer = ask(me, command, fields, payload, deadline)
        if command is not Command.RETRIEVE or fields.get("kind") != "log" or fields["device"] != device:
            return answer
        asked.append(fields["first"])
        return answer.addCallback(lambda one: Reply(one.fields, encode(entries[fields["first"] - 1 :])))

    def paths(self, node: Node) -> list[str]:
        return [row["path"] for row in node.rows()]


class ForgedEntryTests(ForgedCase):
    def recovered(self) -> Node:
        self.node.kill()
        again = self.again()
        again.pass_time(5)
        return again

    def all_is_there(self, again: Node) -> None:
        replicas = again.storage.core.log_replicas
        self.assertEqual((replicas.recovered, replicas.reason), (True, ""))
        self.assertEqual(self.paths(again), ["one", "three", "two"])

    def test_the_first_entry_alone(self) -> None:
        """A recovered home takes nothing that does not lead to what the device has signed, and reads the true log."""
        self.give(0, self.forged(0, 1))
        self.all_is_there(self.recovered())

    def test_behind_true_ones(self) -> None:
        """So it is with what is made up behind true entries."""
        self.give(0, [*self.true_entries()[:1], *self.forged(1, 1)])
        self.all_is_there(self.recovered())

    def test_as_many_as_there_are(self) -> None:
        """So it is with as many as the head promises, and with more."""
        self.give(0, self.forged(0, len(self.true_entries())))
        self.give(1, self.forged(0, 50))
        self.all_is_there(self.recovered())

    def test_all_suppliers_but_one(self) -> None:
        """One that is honest is enough."""
        for number in range(3):
            self.give(number, self.forged(number, 1))
        self.all_is_there(self.recovered())

    def test_it_is_asked_once(self) -> None:
        """Who gave what leads nowhere is not asked again and again for the same in one comparison."""
        for number in range(4):
            asked = self.give(number, self.forged(0, 1))
        again = self.recovered()
        self.assertIn("log entries are missing", again.storage.core.log_replicas.reason)
        self.assertEqual(self.paths(again), [])
        again.storage.core.log_replicas.pull_again()
        before = len(asked)
        again.pass_time(1)
        self.assertLess(len(asked) - before, 4)

    def test_another_device(self) -> None:
        """A home that compares what another device of its owner has written takes nothing made up either."""
        second = self.again("second")
        second.pass_time(5)
        known = len(self.true_entries())
        self.node.create("four")
        self.node.create("five")
        self.node.pass_time(2)
        self.give(0, [*self.true_entries()[:known], *self.forged(known, 1)])
        second.storage.core.log_replicas.pull_again()
        second.pass_time(5)
        self.assertEqual(self.paths(second), ["five", "four", "one", "three", "two"])

    def test_a_thief_of_another_device(self) -> None:
        """A device that was revoked signs in the place of another one, which is revoked as well and had not written so
        much: what that one has signed itself is read first, and so is nothing that is made up."""
        second = self.again("second")
        second.pass_time(5)
        catalog, device = self.node.storage.core.catalog, self.node.me.device.id
        true, forged = self.true_entries(), self.forged(0, 50)
        heads = [head for head in self.node.storage.heads() if head.device == device]
        own = SeenHead(heads[0], b"t" * 32, True, signer=device, end=len(true))
        made_up = evolve(heads[0], sequence=50, hash=hash_of(forged[-1]))
        vouched = SeenHead(made_up, b"l" * 32, False, signer=second.me.device.id, end=50)
        given = {b"t" * 32: true, b"l" * 32: forged}
        logs, empty = self.node.storage.core.log_writer.logs, open_catalog(self)

        def fetch(holder: bytes, log: LogName, first: int) -> "Deferred[list[bytes]]":
            return succeed(given[holder][first - 1 :])

        recovering = LogRecovery(empty, logs, MASTER, fetch).recover([vouched, own])
        merged = now(Deferred.fromCoroutine(recovering))
        self.assertEqual((merged.entries, empty.end(MASTER, device)), (len(true), catalog.end(MASTER, device)))


class ForgedForkTests(ForgedCase):
    """A supplier says that it holds another entry under this device's own key, as if the home had been copied."""

    def say(self, entries: list[bytes], head: bytes | None) -> None:
        """The first supplier holds these in place of the true ones, and lists that head."""
        self.give(0, entries)
        supplier, last = self.around.suppliers[0], len(entries)
        original = supplier.ask

        def ask(me: Any, command: Command, fields: Any, *more: Any) -> Any:
            if (command, fields.get("kind")) == (Command.DATA, "log"):
                told = {"sequence": last, "hash": hash_of(entries[-1])}
                return fail(PeerFailed({"code": "conflict", "text": "another one is held", **told}))
            if head is not None and fields.get("kind") == "heads":
                return succeed(Reply({}, encode([head])))
            return original(me, command, fields, *more)

        supplier.ask = ask  # type: ignore[method-assign]
        self.node.create("four")
        self.node.pass_time(5)

    def head(self, sequence: int, digest: bytes) -> bytes:
        me = self.node.me
        return me.sign(Head.KIND, Head(me.fingerprint, me.device.id, sequence, digest, 1).to_body()).to_bytes()

    def test_an_entry_alone(self) -> None:
        """What somebody made up who knows the secret of the key costs the device nothing."""
        self.say([*self.true_entries()[:2], *self.forged(2, 1)], None)
        self.assertEqual(self.node.taken, 0)

    def test_entries_as_far_as_the_head(self) -> None:
        """So it is with as much as the true head promises, and more."""
        self.say(self.forged(0, 10), None)
        self.assertEqual(self.node.taken, 0)

    def test_what_was_signed(self) -> None:
        """Where a program signed with the device's key what it had written, the device gets another key."""
        entries = [*self.true_entries()[:2], *self.forged(2, 2)]
        self.say(entries, self.head(4, hash_of(entries[-1])))
        self.assertEqual(self.node.taken, 1)


class AnotherHistoryTests(ForgedCase):
    """A thief of the device has its key as well, signs a longer log in place of the true one, and has one supplier."""

    def list_heads(self, number: int, *heads: tuple[int, bytes]) -> None:
        me, supplier = self.node.me, self.around.suppliers[number]
        signed = [
            me.sign(Head.KIND, Head(me.fingerprint, me.device.id, sequence, digest, 1).to_body()).to_bytes()
            for sequence, digest in heads
        ]
        original = supplier.ask

        def ask(me: Any, command: Command, fields: Any, *more: Any) -> Any:
            if command is Command.RETRIEVE and fields.get("kind") == "heads":
                return succeed(Reply({}, encode(signed)))
            return original(me, command, fields, *more)

        supplier.ask = ask  # type: ignore[method-assign]

    def assert_true_one(self) -> None:
        self.node.kill()
        again = self.again()
        again.pass_time(5)
        self.assertTrue({"one", "two", "three"} <= {*self.paths(again)}, self.paths(again))

    def test_from_the_beginning(self) -> None:
        """What most suppliers list is read first, and nothing that contradicts it afterwards."""
        forged = self.forged(0, 20)
        self.give(0, forged)
        self.list_heads(0, (20, hash_of(forged[-1])))
        self.assert_true_one()

    def test_while_the_others_are_cut_off(self) -> None:
        """Where those who list the true one fail to give it, that is waited for."""
        forged = self.forged(0, 20)
        self.give(0, forged)
        self.list_heads(0, (20, hash_of(forged[-1])))
        self.node.kill()
        failing = [mock.patch.object(one, "ask", partial(self.fail_log, one.ask)) for one in self.around.suppliers[1:]]
        for one in failing:
            one.start()
        self.addCleanup(mock.patch.stopall)
        again = self.again()
        again.pass_time(5)
        self.assertEqual(self.paths(again), [])
        for one in failing:
            one.stop()
        again.pass_time(70)
        self.assertTrue({"one", "two", "three"} <= {*self.paths(again)}, self.paths(again))

    def fail_log(self, ask: Any, me: Any, command: Command, fields: Any, *more: Any) -> Any:
        if command is Command.RETRIEVE and fields.get("kind") == "log":
            return fail(BitDustError("no-answer", "cut"))
        return ask(me, command, fields, *more)

    def test_beside_the_true_end(self) -> None:
        """So it is where another head says as well that it was signed where the true one was."""
        forged, last = self.forged(0, 20), len(self.true_entries())
        self.give(0, forged)
        self.list_heads(0, (20, hash_of(forged[-1])), (last, hash_of(forged[last - 1])))
        self.assert_true_one()

    def test_instead_of_the_true_end(self) -> None:
        """So it is where the log is as long as the true one."""
        last = len(self.true_entries())
        forged = self.forged(0, last)
        self.give(0, forged)
        self.list_heads(0, (last, hash_of(forged[-1])))
        self.assert_true_one()


    def comparing(self, clock: Clock, longest: int, give: Callable[[int], list[bytes]]) -> Callable[[], int]:
        """Two of three suppliers list an end of so many entries, and give what ``give`` says from an entry on, or fail;
        the third one has the true log. The call compares once, and says how many entries were taken over."""
        true, forged = self.true_entries(), self.forged(0, longest)
        [own] = [head for head in self.node.storage.heads() if head.device == self.node.me.device.id]
        made_up = evolve(own, sequence=longest, hash=hash_of(forged[-1]))
        heads = [SeenHead(made_up, who * 32, True, signer=own.device, end=longest) for who in (b"l", b"m")]
        heads.append(SeenHead(own, b"t" * 32, True, signer=own.device, end=len(true)))
        logs, empty = self.node.storage.core.log_writer.logs, open_catalog(self)
        noted = Noted(waits=Waits(clock.seconds))

        def fetch(holder: bytes, log: LogName, first: int) -> "Deferred[list[bytes]]":
            given = true[first - 1 :] if holder == b"t" * 32 else give(first)
            return succeed(given) if given else fail(BitDustError("no-answer", "silent"))

        def compare() -> int:
            recovery = LogRecovery(empty, logs, MASTER, fetch, noted)
            return now(Deferred.fromCoroutine(recovery.recover(heads))).entries

        return compare

    def test_nobody_gives_what_most_list(self) -> None:
        """Where two of three list an end that nobody ever gives, what the third one has is read after an hour without
        anything new: who lies together with others delays it, and no more."""
        clock = Clock()
        compare = self.comparing(clock, 20, lambda first: [])
        for _ in range(6):
            self.assertEqual(compare(), 0)
            clock.advance(600)
        self.assertEqual(compare(), len(self.true_entries()))

    def test_one_entry_at_a_time(self) -> None:
        """Where they give an entry at each comparison, and are cut off then, that delays it by a day, and no more."""
        clock, forged, left = Clock(), self.forged(0, 150), [0]

        def give(first: int) -> list[bytes]:
            left[0] -= 1
            return forged[first - 1 : first] if left[0] >= 0 else []

        compare, hours = self.comparing(clock, 150, give), 0.0
        while True:
            left[0] = 1
            taken = compare()
            if taken:
                break
            clock.advance(900)
            hours += 0.25
        self.assertEqual((taken, hours), (len(self.true_entries()), 24.0))


class LargeLogTests(ForgedCase):
    """Logs that are larger than what is kept in memory until it is proven."""

    def setUp(self) -> None:
        super().setUp()
        for number in range(30):
            self.node.create(f"more-{number}")
        self.node.pass_time(2)
        self.patch(proof, "MOST_KEPT", 5000)
        self.patch(requests, "MOST_FETCHED", 2000)
        self.patch(recovery, "MOST_AT_ONCE", 1000)

    def test_all_comes_back(self) -> None:
        """They come back whole, beside a supplier that makes up as much."""
        self.give(0, self.forged(0, 33))
        before = self.paths(self.node)
        self.node.kill()
        again = self.again()
        again.pass_time(5)
        self.assertEqual(self.paths(again), before)

    def test_a_crash_on_the_way(self) -> None:
        """Killed between two answers of the second time, the next start goes on from what was taken over."""
        before, catalog = self.paths(self.node), self.node.storage.core.catalog
        last = catalog.end(MASTER, self.node.me.device.id).sequence
        self.node.kill()
        again, device = self.again(start=False), self.node.me.device.id
        cut = [self.stop_after(supplier, 16) for supplier in self.around.suppliers]
        again.start().pass_time(1)
        reached = again.storage.core.catalog.end(MASTER, device).sequence
        self.assertTrue(0 < reached < last, reached)
        again.kill()
        for restore in cut:
            restore()
        restarted = Node(again.home, self.around, again.clock)
        self.addCleanup(stop_quietly, restarted)
        restarted.start().pass_time(5)
        self.assertEqual(self.paths(restarted), before)

    def stop_after(self, supplier: Any, count: int) -> Callable[[], None]:
        """All suppliers together answer so often when they are asked for entries, and then no more."""
        original, self.answers = supplier.ask, count

        def ask(me: Any, command: Command, fields: Any, *more: Any) -> Any:
            if command is Command.RETRIEVE and fields.get("kind") == "log":
                self.answers -= 1
                if self.answers < 0:
                    return fail(BitDustError("no-answer", "not now"))
            return original(me, command, fields, *more)

        supplier.ask = ask
        return lambda: setattr(supplier, "ask", original)
