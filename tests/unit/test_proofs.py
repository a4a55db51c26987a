"""What a supplier proves of its pieces, and what it admits; how the chain binds an answer to its question."""

import os
from pathlib import Path
from types import SimpleNamespace

from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from bitdust.crypt.merkle import LEAF_SIZE, check_proof, leaves_of
from bitdust.crypt.possession import LeafChain
from bitdust.customers.database import PieceCondition
from bitdust.formats.proof import LeafProof, parse_proofs, to_bytes
from bitdust.wire.encoding import WireError, encode
from bitdust.wire.packet import Command
from tests.unit.supplier_kit import MIB, Pack, Person, Shop, files

ALICE, BOB = Person("alice"), Person("bob")
NONCE = bytes(range(32))
LARGE = 2 * 5 * LEAF_SIZE + 700


class ProofCase(TestCase):
    small = 0

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).resolve() / "customers"
        self.shop = Shop(self.folder, small=self.small)
        self.shop.open()
        self.addCleanup(self.shop.crash)
        for person in (ALICE, BOB):
            self.shop.hire(person, 30 * MIB)
        self.packs = [Pack(ALICE, number, LARGE) for number in range(3)]
        for pack in self.packs:
            self.shop.put(ALICE, pack)

    def ask(self, *packs: Pack, person: Person = ALICE, nonce: bytes = NONCE, **under):
        pieces = [{"pack": pack.id, "index": 0} for pack in packs]
        return self.shop.ask(person, Command.RETRIEVE, "proof", nonce=nonce, pieces=pieces, **under)

    def path(self, pack: Pack) -> Path:
        return next(path for path in self.folder.rglob(f"{pack.id.hex()}.0") if path.parent.parent.is_dir())

    def checked(self, said, *packs: Pack, nonce: bytes = NONCE) -> list[str]:
        """What a customer makes of an answer: empty for a good proof."""
        chain = LeafChain(nonce, ALICE.fingerprint, self.shop.me.fingerprint)
        found = []
        for pack, proof in zip(packs, parse_proofs(said.bytes), strict=True):
            leaves = leaves_of(pack.record.piece_size)
            leaf = chain.leaf(leaves)
            good = check_proof(proof.leaf, leaf, leaves, list(proof.path), pack.record.roots[0])
            found.append(proof.code or ("" if good else "wrong"))
            chain.take(proof.leaf)
        self.assertEqual(said.fields["chain"], chain.value)
        return found


class GivenTests(ProofCase):
    def test_each_piece_is_proved(self) -> None:
        """Of each piece that is named comes one leaf with a path to the root that the owner has signed."""
        self.assertEqual(self.checked(self.ask(*self.packs), *self.packs), ["", "", ""])

    def test_leaves_differ_from_question_to_question(self) -> None:
        """Another random number asks for other leaves; the same one for the same."""
        seen = {parse_proofs(self.ask(self.packs[0], nonce=bytes([n]) * 32).bytes)[0].leaf for n in range(40)}
        self.assertGreater(len(seen), 3)
        self.assertEqual(self.ask(self.packs[0]).bytes, self.ask(self.packs[0]).bytes)

    def test_the_answer_belongs_to_the_question(self) -> None:
        """The end of the chain is another one for another number, challenger or supplier."""
        chains = set()
        for asked in ((NONCE, b"a", b"b"), (NONCE, b"a", b"c"), (NONCE, b"d", b"b"), (b"n" * 32, b"a", b"b")):
            chain = LeafChain(*asked)
            chain.take(b"leaf")
            chains.add(chain.value)
        self.assertEqual(len(chains), 4)

    def test_a_later_leaf_depends_on_those_before(self) -> None:
        """Which leaf comes next is known to nobody who lacks the one before."""
        one, other = (LeafChain(NONCE, b"a", b"b") for _ in range(2))
        one.take(b"leaf")
        other.take(b"Leaf")
        self.assertNotEqual([one.leaf(10**9)], [other.leaf(10**9)])

    def test_nothing_asked_is_a_sign_of_life(self) -> None:
        """A question without pieces is answered at once, for measuring the way."""
        said = self.ask()
        self.assertEqual((parse_proofs(said.bytes), said.command), ([], Command.DATA))

    def test_small_pieces(self) -> None:
        """A piece that is stored beside its row is proved as well."""
        shop = Shop(self.folder.parent / "small" / "customers", small=16 * 1024)
        shop.folder.parent.mkdir()
        shop.open()
        self.addCleanup(shop.crash)
        shop.hire(ALICE)
        pack = Pack(ALICE, 9)
        shop.put(ALICE, pack)
        self.assertEqual(files(shop.folder), [])
        self.shop = shop
        self.assertEqual(self.checked(self.ask(pack), pack), [""])


class AdmittedTests(ProofCase):
    def condition(self, pack: Pack) -> PieceCondition:
        row = self.shop.store._read.execute("SELECT state FROM pieces WHERE pack=?", (pack.id,)).fetchone()
        return PieceCondition(row[0])

    def test_a_file_that_is_gone(self) -> None:
        """Is admitted and marked; the other pieces are proved all the same."""
        self.path(self.packs[1]).unlink()
        self.assertEqual(self.checked(self.ask(*self.packs), *self.packs), ["", "not-found", ""])
        self.assertEqual(self.condition(self.packs[1]), PieceCondition.MISSING)

    def test_damage_anywhere_in_the_piece(self) -> None:
        """One bit, a byte less or a byte more is admitted, whichever leaf was asked for."""
        first, second, third = (self.path(pack) for pack in self.packs)
        first.write_bytes(bytes([first.read_bytes()[0] ^ 1]) + first.read_bytes()[1:])
        second.write_bytes(second.read_bytes()[:-1])
        third.write_bytes(third.read_bytes() + b"x")
        self.assertEqual(self.checked(self.ask(*self.packs), *self.packs), ["damaged"] * 3)
        self.assertEqual({self.condition(pack) for pack in self.packs}, {PieceCondition.DAMAGED})

    def test_a_disk_that_cannot_read(self) -> None:
        """A piece that cannot be read counts as damaged."""
        path = self.path(self.packs[0])
        path.unlink()
        path.symlink_to("/dev/null")
        self.assertEqual(self.checked(self.ask(self.packs[0]), self.packs[0]), ["damaged"])

    def test_what_never_came(self) -> None:
        """Of a piece that was never here nothing is said but that."""
        other = Pack(ALICE, 77, LARGE)
        self.assertEqual(self.checked(self.ask(other), other), ["not-found"])


class RefusedTests(ProofCase):
    def test_of_somebody_else(self) -> None:
        """A customer gets no leaf of another one's piece."""
        said = self.ask(self.packs[0], person=BOB)
        self.assertEqual([one.code for one in parse_proofs(said.bytes)], ["not-found"])

    def test_one_question_at_a_time(self) -> None:
        """While the disk reads for a customer it is told to wait; another customer is answered."""
        begun: list[tuple] = []
        run = self.shop.run_in_thread

        def later(call, *arguments):
            done: Deferred = Deferred()
            begun.append((done, call, arguments))
            return done

        self.shop.run_in_thread = later
        row = self.shop.table[Command.RETRIEVE, "proof"]
        first = row.handler(self._request())
        self.assertEqual(self.ask(self.packs[0]).code, "busy")
        self.shop.run_in_thread = run
        self.assertEqual(self.ask(self.packs[0], person=BOB).command, Command.DATA)
        done, call, arguments = begun.pop()
        done.callback(call(*arguments))
        self.successResultOf(first)
        self.assertEqual(self.ask(self.packs[0]).command, Command.DATA)

    def _request(self):
        peer = SimpleNamespace(fingerprint=ALICE.fingerprint, document=ALICE.document, device=ALICE.device.id)
        packet = SimpleNamespace(owner=ALICE.fingerprint, capability=None, to=self.shop.me.fingerprint)
        pieces = [{"pack": self.packs[0].id, "index": 0}]
        return SimpleNamespace(peer=peer, packet=packet, fields={"kind": "proof", "nonce": NONCE, "pieces": pieces})

    def test_more_than_a_disk_reads_in_a_moment(self) -> None:
        """Several pieces of more than 64 MiB together are refused: each of them would be read whole."""
        change = self.shop.store._writer.execute
        change("UPDATE pieces SET size=?", (40 * MIB,))
        self.assertEqual(self.ask(*self.packs).code, "bad-field")

    def test_an_answer_without_end(self) -> None:
        """What a liar sends in place of proofs is refused by its size, count and shape."""
        for data in (
            b"", os.urandom(99), encode([]), encode({"version": 2, "proofs": []}),
            encode({"version": 1, "proofs": [{}] * 17}), encode({"version": 1, "proofs": [{"path": [b"x" * 32] * 33}]}),
            encode({"version": 1, "proofs": [{"leaf": bytes(LEAF_SIZE + 1)}]}), bytes(4 * MIB),
        ):  # fmt: skip
            self.assertRaises(WireError, parse_proofs, data)
        self.assertEqual(parse_proofs(to_bytes([LeafProof(code="damaged")])), [LeafProof(code="damaged")])
