"""A customer of bad will at a supplier's store: what it sends harms nobody else, and costs what it takes."""

import errno
from pathlib import Path
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred, gatherResults
from twisted.trial.unittest import SynchronousTestCase

from bitdust.crypt.merkle import root
from bitdust.customers.logs import ReceivedEntry
from bitdust.customers.names import PieceName, record_of
from bitdust.formats.log_entry import MAX_HEADS
from bitdust.formats.log_packet import SMALL, SmallPiece
from bitdust.formats.orders import DeleteOrder
from bitdust.wire.encoding import decode
from bitdust.wire.packet import Command
from bitdust.wire.records import Head
from tests.unit.supplier_kit import BrokenDisk, Pack, Person, Shop, files, now

ALICE, MALLORY = Person("alice"), Person("mallory")
PACK = Pack(ALICE, 1)


class Refusing(BrokenDisk):
    """A disk on which nothing is renamed any more."""

    def rename(self, old: Path, new: Path) -> None:
        raise OSError(errno.EIO, "broken")


class StoreCase(SynchronousTestCase):
    small = SMALL

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).resolve() / "customers"
        self.disk = BrokenDisk()
        self.shop = Shop(self.folder, self.disk, small=self.small)
        self.shop.open()
        self.addCleanup(self.shop.crash)
        for person in (ALICE, MALLORY):
            self.shop.hire(person)
            self.shop.documents[person.fingerprint] = person.document

    def held_back(self) -> "list[tuple[Deferred[Any], Any, tuple[Any, ...]]]":
        """From now on the calls of threads wait in this list."""
        calls: list[tuple[Deferred[Any], Any, tuple[Any, ...]]] = []

        def later(call: Any, *arguments: Any) -> "Deferred[Any]":
            calls.append((Deferred(), call, arguments))
            return calls[-1][0]

        self.shop.run_in_thread = later
        return calls

    def release(self, calls: "list[tuple[Deferred[Any], Any, tuple[Any, ...]]]") -> None:
        """Do what waits, and what comes of it."""
        while calls:
            waiting, call, arguments = calls.pop(0)
            try:
                waiting.callback(call(*arguments))
            except Exception:  # noqa: BLE001
                waiting.errback()

    def usage(self, person: Person = ALICE) -> tuple[int, int]:
        """Bytes and number of pieces that count."""
        account = self.shop.store.contract_of(person.fingerprint)
        (pieces,) = self.shop.store._read.execute(
            "SELECT pieces FROM customers WHERE fingerprint=?", (person.fingerprint,)
        ).fetchone()
        return (account.used if account is not None else -1, pieces)


class BatchTests(StoreCase):
    """Many customers share one commit."""

    small = 0

    def test_an_order_that_names_a_pack_twice(self) -> None:
        """It deletes the pack once, and counts it once."""
        self.shop.put(MALLORY, Pack(MALLORY, 1))
        order = MALLORY.order(Pack(MALLORY, 1).id, Pack(MALLORY, 1).id)
        said = self.shop.ask(MALLORY, Command.DELETE_FILE, None, order.to_bytes())
        self.assertEqual((said.code, said.fields), (None, {"freed": len(Pack(MALLORY, 1).pieces[0])}))
        self.assertEqual(self.usage(MALLORY), (0, 0))

    def test_what_breaks_one_breaks_no_other(self) -> None:
        """A write that fails in a way that nobody thought of leaves the others of its batch alone."""
        calls = self.held_back()
        first = self.shop.store._commits.change(lambda database: None)

        def broken(database: object) -> None:
            raise TypeError("nobody thought of this")

        bad = self.shop.store._commits.change(broken)
        good = self.shop.store._commits.change(
            lambda db: db.execute("UPDATE customers SET idurl='http://new.example/a.xml'").rowcount
        )
        self.release(calls)
        self.failureResultOf(bad, TypeError)
        self.assertEqual(self.successResultOf(gatherResults([first, good]))[1], 2)

    def test_nothing_stays_of_a_piece_that_broke(self) -> None:
        """Its temporary file is removed, and its bytes do not count."""
        self.patch(self.disk, "sync", lambda descriptor: 1 // 0)
        with self.assertRaises(ZeroDivisionError):
            self.shop.put(ALICE, PACK)
        self.assertEqual((files(self.folder), self.usage()), ([], (0, 0)))

    def test_a_piece_deleted_before_it_has_its_name(self) -> None:
        """Piece and order in one batch, and the disk fails: the piece is taken off the account once."""
        self.shop.put(ALICE, PACK, 1)
        calls = self.held_back()
        self.shop.store._commits.change(lambda database: None)
        record = PACK.signed.to_bytes()
        coming = self.shop.store.receive(_name(PACK, 0), PACK.record, record)
        coming.write(memoryview(PACK.pieces[0]))
        storing = coming.store()
        deleting = self.shop.store.delays.delete(_order(ALICE, PACK.id))
        self.patch(self.disk, "rename", Refusing().rename)
        self.release(calls)
        self.assertEqual(self.failureResultOf(storing).value.code, "internal")
        self.assertEqual(self.successResultOf(deleting), 2 * len(PACK.pieces[0]))
        self.assertEqual(self.usage(), (0, 0))


def _name(pack: Pack, index: int) -> PieceName:
    return PieceName(pack.record.owner, pack.id, index)


def _order(person: Person, *packs: bytes) -> DeleteOrder:
    signed = person.order(*packs)
    return DeleteOrder.parse(signed.body, signed.device)


class SealedTwiceTests(StoreCase):
    """One pack under two records: what counts must be what is stored."""

    def sealed(self, pack: Pack, index: int, data: bytes) -> SmallPiece:
        """Another record under the id of a pack, whose pieces are as large as ``data``."""
        record = evolve(pack.record, size=2 * len(data), roots=[root(data)] * 4)
        return SmallPiece(index, ALICE.sign(record).to_bytes(), data)

    def test_in_one_packet(self) -> None:
        """A piece of one byte is not made one of 16 KiB by the next piece of its packet."""
        tiny, large = self.sealed(PACK, 0, b"t"), self.sealed(PACK, 0, bytes(SMALL))
        said = self.shop.log_packet(ALICE, ALICE.log(1), tiny, large)
        self.assertEqual(said.fields["refused"], [{"pack": PACK.id, "index": 0, "code": "conflict"}])
        self.assertEqual(self.usage(), (1, 1))
        self.assertEqual(self.shop.get(ALICE, PACK).bytes, b"t")

    def test_another_piece_of_the_pack(self) -> None:
        """No other piece of a pack comes under another record either."""
        one, other = self.sealed(PACK, 0, b"one"), self.sealed(PACK, 1, b"other")
        said = self.shop.log_packet(ALICE, ALICE.log(1), one, other)
        self.assertEqual([refused["code"] for refused in said.fields["refused"]], ["conflict"])

    def test_over_two_streams(self) -> None:
        """Two packets at the same time are no way around it."""
        calls = self.held_back()
        self.shop.store._commits.change(lambda database: None)
        said = []
        for number, data in enumerate((b"t", bytes(SMALL))):
            piece = self.sealed(PACK, 0, data)
            (entry, head), *_ = ALICE.log(1, scope=bytes([number]) * 16)
            said.append(self.begin(entry, head, piece))
        self.release(calls)
        self.assertEqual([len(self.successResultOf(one).refused) for one in said], [0, 1])
        self.assertEqual(self.usage(), (1, 1))

    def begin(self, entry: bytes, head: Any, piece: SmallPiece) -> "Deferred[Any]":
        """A packet of which nobody waits for the end yet."""
        pieces = [(record_of(piece.record), piece)]
        return self.shop.store.append(
            [ReceivedEntry.parse(entry)], Head.from_body(head.body), head.to_bytes(), pieces
        )


class HeadsTests(StoreCase):
    """Every scope has logs of its own, and a scope costs nothing."""

    def test_heads_fit_one_answer(self) -> None:
        """A customer that makes up scopes is refused before its heads are more than one answer holds."""
        large = [{"device": bytes([number]) * 8, "sequence": 1} for number in range(64)]
        codes = []
        for number in range(800):
            scope = number.to_bytes(16, "big")
            ((entry, signed),) = ALICE.log(1, scope=scope)
            head = ALICE.sign(evolve(Head.from_body(signed.body), covers=large))
            codes.append(self.shop.log(ALICE, (entry, head)).code)
            if codes[-1] is not None:
                break
        self.assertEqual(codes[-1], "no-space")
        listed = self.shop.ask(ALICE, Command.RETRIEVE, "heads").bytes
        self.assertLessEqual(len(listed), MAX_HEADS)
        self.assertEqual(len(decode(listed, MAX_HEADS)), len(codes) - 1)
        self.assertGreater(len(listed), MAX_HEADS - 8192)

    def test_logs_that_are_known_go_on(self) -> None:
        """With no room for another log those that are there still grow."""
        entries = ALICE.log(3)
        self.shop.log(ALICE, entries[0])
        filler = (ALICE.fingerprint, b"x", b"y", bytes(MAX_HEADS - 300))
        filling = self.shop.store._commits.change(
            lambda database: database.execute("INSERT INTO heads VALUES(?, ?, ?, 1, ?)", filler)
        )
        now(filling)
        self.assertEqual(self.shop.log(ALICE, ALICE.log(1, scope=b"s" * 16)[0]).code, "no-space")
        self.assertEqual(self.shop.log(ALICE, entries[1]).code, None)
