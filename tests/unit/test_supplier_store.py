"""The supplier's store: promises, pieces, logs, records, and what the disk may do to them."""

import errno
import hashlib
from pathlib import Path

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from bitdust.customers.database import PieceCondition, connect
from bitdust.customers.keepsakes import Keepsake
from bitdust.customers.names import PieceName
from bitdust.customers.quota import BESIDE
from bitdust.wire.encoding import decode
from bitdust.wire.errors import BitDustError
from bitdust.wire.packet import Command
from bitdust.wire.records import Contract, Head, PackRecord
from bitdust.wire.signed import Signed
from tests.unit.supplier_kit import (
    DAY,
    MIB,
    START,
    BrokenDisk,
    FakeDevice,
    Killed,
    Pack,
    Person,
    Shop,
    files,
    log_of,
    now,
)  # fmt: skip

ALICE = Person("alice")
BOB = Person("bob")


class ShopCase(TestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).resolve() / "customers"
        self.shop = self.open_shop()

    def open_shop(self, disk: BrokenDisk | None = None) -> Shop:
        shop = Shop(self.folder, disk)
        shop.open()
        self.addCleanup(shop.crash)
        return shop

    def reopen(self, disk: BrokenDisk | None = None):
        """The next start of the same supplier; gives the shop and the report of its scan."""
        self.shop.crash()
        shop = Shop(self.folder, disk)
        report = shop.open()
        self.addCleanup(shop.crash)
        self.shop = shop
        return shop, report


class ContractTests(ShopCase):
    def test_a_contract_is_signed_and_says_what_was_asked(self) -> None:
        """RequestService is answered with the supplier's signed promise of room, place and term."""
        said = self.shop.hire(ALICE, 5 * MIB, position=2)
        signed = Signed.from_bytes(said.fields["contract"], Contract.KIND)
        contract = Contract.from_body(signed.body)
        self.assertEqual((contract.customer, contract.supplier), (ALICE.fingerprint, self.shop.me.fingerprint))
        self.assertEqual((contract.room, contract.position, contract.n), (5 * MIB, 2, 4))
        self.assertEqual((contract.since, contract.term, contract.grace), (START, 365, 90))
        self.assertEqual(signed.device, self.shop.me.device.id)

    def test_promises_never_exceed_what_is_donated(self) -> None:
        """The sum of all rooms stays within the setting, and the refusal says how much is free."""
        self.shop.hire(ALICE, 60 * MIB)
        said = self.shop.hire(BOB, 60 * MIB)
        self.assertEqual(said.code, "no-space")
        self.assertIn("40 MB of 100 MB are free", said.fields["text"])
        self.assertIsNone(self.shop.store.contract_of(BOB.fingerprint))
        self.assertEqual(self.shop.hire(BOB, 40 * MIB).command, Command.ACK)

    def test_promises_never_exceed_the_disk(self) -> None:
        """Room that the disk has not is not promised, whatever the setting says."""
        shop, _ = self.reopen(BrokenDisk())
        shop.disk.space = MIB
        self.assertEqual(shop.hire(ALICE, 2 * MIB).code, "no-space")

    def test_asking_again_renews_the_same_contract(self) -> None:
        """A second request keeps the contract's name, begins its term anew and may change its room."""
        first = self.shop.store.contract_of(ALICE.fingerprint) or self.shop.hire(ALICE)
        name = self.shop.store.contract_of(ALICE.fingerprint).contract.contract
        self.shop.now += DAY
        self.shop.hire(ALICE, 20 * MIB)
        kept = self.shop.store.contract_of(ALICE.fingerprint)
        self.assertEqual((kept.contract.contract, kept.contract.room), (name, 20 * MIB))
        self.assertEqual(kept.contract.since, START + DAY)
        self.assertIsNotNone(first)

    def test_a_lowered_donation_takes_nothing_from_those_who_are_there(self) -> None:
        """When the owner of the disk donates less, old promises stand and can be renewed; new ones are refused."""
        self.shop.hire(ALICE, 60 * MIB)
        self.shop.settings.values["services/supplier/donated-space"] = MIB
        self.assertEqual(self.shop.hire(ALICE, 60 * MIB).command, Command.ACK)
        self.assertEqual(self.shop.hire(BOB, 1).code, "no-space")

    def test_the_link_leads_to_the_pieces(self) -> None:
        """A link by fingerprint and global id leads to the folder of that fingerprint, and goes with the contract."""
        self.shop.hire(ALICE)
        pack = Pack(ALICE, 1)
        self.shop.put(ALICE, pack)
        link = self.folder / f"{ALICE.fingerprint.hex()[:16]}-alice@id.example"
        self.assertEqual(link.readlink(), Path(ALICE.fingerprint.hex()))
        self.assertTrue((link / pack.id.hex()[:2] / f"{pack.id.hex()}.0").is_file())
        now(self.shop.store.end(ALICE.fingerprint, self.shop.store.contract_of(ALICE.fingerprint).contract.contract))
        self.assertFalse(link.is_symlink())

    def test_any_contact_renews_the_term(self) -> None:
        """Hearing from the customer moves `since`, is written at most once an hour, and ends an announced grace."""
        self.shop.hire(ALICE)
        self.shop.now += 400 * DAY
        now(self.shop.store.announce(ALICE.fingerprint))
        self.assertTrue(self.shop.store.contract_of(ALICE.fingerprint).announced)
        now(self.shop.store.touch(ALICE.fingerprint))
        kept = self.shop.store.contract_of(ALICE.fingerprint)
        self.assertEqual((kept.contract.since, kept.announced), (START + 400 * DAY, 0))
        self.assertIsNone(self.shop.store.touch(ALICE.fingerprint))

    def test_nothing_goes_before_an_announced_grace_is_over(self) -> None:
        """Pieces outlive term and grace when the grace was not announced, and a late announcement starts it in full."""
        self.shop.hire(ALICE)
        self.shop.put(ALICE, Pack(ALICE, 1))
        self.shop.now += 1000 * DAY
        self.assertEqual(now(self.shop.store.purge(ALICE.fingerprint)), 0)
        now(self.shop.store.announce(ALICE.fingerprint))
        self.shop.now += 89 * DAY
        self.assertEqual(now(self.shop.store.purge(ALICE.fingerprint)), 0)
        self.assertEqual(self.shop.get(ALICE, Pack(ALICE, 1)).command, Command.DATA)
        self.shop.now += DAY
        self.assertEqual(now(self.shop.store.purge(ALICE.fingerprint)), 500)
        self.assertEqual(files(self.folder), [])
        self.assertIsNone(self.shop.store.contract_of(ALICE.fingerprint))

    def test_figures_add_up(self) -> None:
        """Used bytes are those of the pieces, promised ones those of the contracts."""
        self.shop.hire(ALICE, 10 * MIB)
        self.shop.hire(BOB, 20 * MIB)
        self.shop.put(ALICE, Pack(ALICE, 1))
        self.shop.put(ALICE, Pack(ALICE, 1), 1)
        kept = self.shop.store.customers()
        self.assertEqual((sum(one.used for one in kept), sum(one.allotted for one in kept)), (1000, 30 * MIB))


class PieceTests(ShopCase):
    def setUp(self) -> None:
        super().setUp()
        self.shop.hire(ALICE)

    def test_a_piece_comes_back_with_its_record(self) -> None:
        """What was acknowledged is given back byte by byte, large or small, with the owner's signed record."""
        for number, size in ((1, 1), (2, 1000), (3, 5 * MIB + 12_345)):
            pack = Pack(ALICE, number, size)
            said = self.shop.put(ALICE, pack, 1)
            self.assertEqual(said.command, Command.ACK, said)
            found = self.shop.get(ALICE, pack, 1)
            self.assertEqual(found.bytes, pack.pieces[1])
            self.assertEqual(found.fields["record"], pack.signed.to_bytes())

    def test_the_answer_counts_what_is_used(self) -> None:
        """Ack tells bytes of pieces, of the room, and how many of it they take with what is beside each."""
        said = self.shop.put(ALICE, Pack(ALICE, 1))
        self.assertEqual(said.fields, {"used": 500, "room": 10 * MIB, "taken": 500 + BESIDE})

    def test_a_range_of_a_piece(self) -> None:
        """`offset` and `length` cut the piece; a length of 0 goes to the end."""
        pack = Pack(ALICE, 1, 300_000)
        self.shop.put(ALICE, pack)
        self.assertEqual(self.shop.get(ALICE, pack, 0, 100_000, 50).bytes, pack.pieces[0][100_000:100_050])
        self.assertEqual(self.shop.get(ALICE, pack, 0, 149_990, 0).bytes, pack.pieces[0][149_990:])
        self.assertEqual(self.shop.get(ALICE, pack, 0, 150_000, 9).bytes, b"")
        self.assertEqual(self.shop.get(ALICE, pack, 0, 150_001, 0).code, "bad-field")

    def test_files_are_private(self) -> None:
        """Pieces are 0600 and their folders 0700."""
        self.shop.put(ALICE, Pack(ALICE, 1))
        (name,) = files(self.folder)
        path = self.folder / name
        self.assertEqual(path.stat().st_mode & 0o777, 0o600)
        self.assertEqual({parent.stat().st_mode & 0o777 for parent in list(path.parents)[:3]}, {0o700})
        self.assertEqual((self.folder.parent / "customers.db").stat().st_mode & 0o777, 0o600)

    def test_wrong_bytes_are_not_kept(self) -> None:
        """A piece that does not fit its root, is too short or too long is refused and leaves nothing."""
        pack = Pack(ALICE, 1, 4 * MIB)
        wrong = bytearray(pack.pieces[0])
        wrong[-1] ^= 1
        self.assertEqual(self.shop.put(ALICE, pack, 0, bytes(wrong)).code, "bad-piece")
        self.assertEqual(self.shop.put(ALICE, pack, 0, pack.pieces[0][:-1]).code, "bad-piece")
        self.assertEqual(self.shop.put(ALICE, pack, 0, pack.pieces[0] + b"x").code, "bad-piece")
        self.assertEqual(self.shop.put(ALICE, pack, 1, pack.pieces[0]).code, "bad-piece")
        self.assertEqual(files(self.folder), [])
        self.assertEqual(self.shop.store.usage(ALICE.fingerprint).used, 0)

    def test_the_same_piece_twice_counts_once(self) -> None:
        """A piece whose answer was lost is sent again: acknowledged, counted once."""
        pack = Pack(ALICE, 1)
        self.shop.put(ALICE, pack)
        self.assertEqual(self.shop.put(ALICE, pack).fields["used"], 500)

    def test_a_pack_is_sealed_once(self) -> None:
        """Another record under the id of a kept pack is refused."""
        self.shop.put(ALICE, Pack(ALICE, 1))
        other = Pack(ALICE, 1, 2000)
        self.assertEqual(self.shop.put(ALICE, other).code, "conflict")

    def test_the_quota_is_counted_at_the_write(self) -> None:
        """A piece over the room is refused with the numbers before it is taken, and nothing else is touched."""
        self.shop.hire(ALICE, 1200 + 2 * BESIDE)
        self.shop.put(ALICE, Pack(ALICE, 1))
        self.shop.put(ALICE, Pack(ALICE, 2))
        said = self.shop.put(ALICE, Pack(ALICE, 3))
        self.assertEqual(said.code, "no-space")
        self.assertIn("9192 of 9392 bytes are taken by 2 pieces", said.fields["text"])
        self.assertEqual(len(files(self.folder)), 2)

    def test_bytes_on_their_way_are_reserved(self) -> None:
        """Two pieces that come at once cannot share the last free bytes."""
        self.shop.hire(ALICE, 700 + 2 * BESIDE)
        first, second = Pack(ALICE, 1), Pack(ALICE, 2)
        name = PieceName(ALICE.fingerprint, first.id, 0)
        intake = self.shop.store.receive(name, first.record, first.signed.to_bytes())
        self.assertEqual(self.shop.put(ALICE, second).code, "no-space")
        self.assertRaises(BitDustError, self.shop.store.receive, name, first.record, first.signed.to_bytes())
        now(intake.abort())
        self.assertEqual(self.shop.put(ALICE, second).command, Command.ACK)

    def test_a_sender_that_stops_leaves_nothing(self) -> None:
        """A stream that breaks in the middle frees its reservation and its temporary file."""
        pack = Pack(ALICE, 1, 4 * MIB)
        intake = self.shop.store.receive(PieceName(ALICE.fingerprint, pack.id, 0), pack.record, pack.signed.to_bytes())
        intake.write(memoryview(pack.pieces[0])[: MIB + 1])
        self.assertEqual(len(files(self.folder)), 1)
        now(intake.abort())
        self.assertEqual(files(self.folder), [])
        self.assertEqual(self.shop.put(ALICE, pack).command, Command.ACK)

    def test_no_thread_works_on_a_file_that_is_given_up(self) -> None:
        """Giving up waits for the thread that still writes, so that no descriptor is closed under it."""
        pack = Pack(ALICE, 1, 4 * MIB)
        begun: list[tuple] = []
        run = self.shop.run_in_thread

        def later(call, *arguments):
            done: Deferred = Deferred()
            begun.append((done, call, arguments))
            return done

        self.shop.run_in_thread = later
        intake = self.shop.store.receive(PieceName(ALICE.fingerprint, pack.id, 0), pack.record, pack.signed.to_bytes())
        intake.write(memoryview(pack.pieces[0])[: MIB + 1])
        gone = intake.abort()
        self.assertEqual(len(begun), 1)
        done, call, arguments = begun[0]
        done.callback(now(run(call, *arguments)))
        self.assertEqual(len(begun), 2)
        done, call, arguments = begun[1]
        done.callback(now(run(call, *arguments)))
        self.successResultOf(gone)
        self.assertEqual(files(self.folder), [])

    def test_a_caller_that_goes_away_disturbs_no_write(self) -> None:
        """When nobody waits for a piece any more its write goes on, and until its end the piece cannot come again."""
        pack = Pack(ALICE, 1)
        begun: list[tuple] = []

        def later(call, *arguments):
            done: Deferred = Deferred()
            begun.append((done, call, arguments))
            return done

        self.shop.store._commits._run_in_thread = later
        name = PieceName(ALICE.fingerprint, pack.id, 0)
        intake = self.shop.store.receive(name, pack.record, pack.signed.to_bytes())
        intake.write(memoryview(pack.pieces[0]))
        kept = intake.store()
        kept.cancel()
        self.failureResultOf(kept)
        self.assertEqual(self.shop.put(ALICE, pack).code, "busy")
        done, call, arguments = begun.pop()
        done.callback(call(*arguments))
        self.assertEqual(self.shop.get(ALICE, pack).bytes, pack.pieces[0])

    def test_a_record_of_a_former_device(self) -> None:
        """Pieces of a pack that a revoked device has signed are taken from the owner: packs outlive devices."""
        alice, second = Person("alice"), Person("alice's second device")
        alice.document.devices[alice.device.id] = FakeDevice(alice.device.public, revoked=2, sequence=9)
        alice.document.devices[second.device.id] = FakeDevice(second.device.public)
        pack = Pack(ALICE, 1)
        self.assertEqual(self.shop.put(alice, pack).command, Command.ACK)
        self.shop.documents[ALICE.fingerprint] = alice.document
        self.assertEqual(self.shop.put(alice, Pack(ALICE, 2)).command, Command.ACK)
        forged = Pack(ALICE, 3, signer=BOB)
        self.assertEqual(self.shop.put(alice, forged).code, "bad-signature")

    def test_lists_page_by_page(self) -> None:
        """ListFiles gives pack, index and bytes in order; a pack is never split over two pages."""
        packs = sorted((Pack(ALICE, number) for number in range(5)), key=lambda pack: pack.id)
        for pack in packs:
            self.shop.put(ALICE, pack, 0)
            self.shop.put(ALICE, pack, 3)
        first = self.shop.ask(ALICE, Command.LIST_FILES, None, after=b"", most=3)
        self.assertTrue(first.fields["more"])
        listed = decode(first.bytes, MIB)
        self.assertEqual(listed, [[pack.id, index, 500] for pack in packs[:2] for index in (0, 3)])
        rest = self.shop.ask(ALICE, Command.LIST_FILES, None, after=packs[1].id, most=100)
        self.assertFalse(rest.fields["more"])
        self.assertEqual(len(decode(rest.bytes, MIB)), 6)

    def test_a_delete_order_frees_its_packs_once(self) -> None:
        """The owner's signed order removes rows, files and bytes; the very same order again changes nothing."""
        keep, drop = Pack(ALICE, 1), Pack(ALICE, 2)
        for pack in (keep, drop):
            self.shop.put(ALICE, pack, 0)
            self.shop.put(ALICE, pack, 1)
        order = ALICE.order(drop.id).to_bytes()
        self.assertEqual(self.shop.ask(ALICE, Command.DELETE_FILE, None, order).fields, {"freed": 1000})
        self.assertEqual(self.shop.get(ALICE, drop).code, "not-found")
        self.assertEqual(self.shop.get(ALICE, keep).bytes, keep.pieces[0])
        self.assertEqual(self.shop.ask(ALICE, Command.DELETE_FILE, None, order).fields, {"freed": 0})
        self.assertEqual(self.shop.store.usage(ALICE.fingerprint).used, 1000)
        self.assertEqual(len(files(self.folder)), 2)

    def test_a_vanished_file_is_found_out_and_may_come_again(self) -> None:
        """Reading a piece whose file is gone says not-found; its owner brings it anew without paying twice."""
        pack = Pack(ALICE, 1)
        self.shop.put(ALICE, pack)
        (self.folder / files(self.folder)[0]).unlink()
        self.assertEqual(self.shop.get(ALICE, pack).code, "not-found")
        self.assertEqual(decode(self.shop.ask(ALICE, Command.LIST_FILES, None, after=b"", most=9).bytes, 99), [])
        self.assertEqual(self.shop.put(ALICE, pack).fields["used"], 500)
        self.assertEqual(self.shop.get(ALICE, pack).bytes, pack.pieces[0])

    def test_a_kept_piece_is_replaced_by_what_its_owner_sends_again(self) -> None:
        """A piece that the disk has changed, unnoticed, is whole again after its owner has sent it once more."""
        pack = Pack(ALICE, 1)
        self.shop.put(ALICE, pack)
        path = self.folder / files(self.folder)[0]
        path.write_bytes(b"?" + path.read_bytes()[1:])
        self.assertEqual(self.shop.put(ALICE, pack).fields["used"], 500)
        self.assertEqual(self.shop.get(ALICE, pack).bytes, pack.pieces[0])

    def test_a_kept_piece_outlives_a_bad_one_in_its_place(self) -> None:
        """Bytes that do not fit the root are refused for a piece that is kept as well, and what is there stays."""
        pack = Pack(ALICE, 1)
        self.shop.put(ALICE, pack)
        self.assertEqual(self.shop.put(ALICE, pack, 0, bytes(len(pack.pieces[0]))).code, "bad-piece")
        self.assertEqual(self.shop.get(ALICE, pack).bytes, pack.pieces[0])

    def test_reading_again_finds_damage(self) -> None:
        """The tester's walk reads every piece, marks a flipped bit as damage and a repaired piece as kept."""
        for number in range(3):
            self.shop.put(ALICE, Pack(ALICE, number))
        path = self.folder / files(self.folder)[1]
        good = path.read_bytes()
        path.write_bytes(b"?" + good[1:])
        self.assertEqual(self.walk(), [PieceCondition.KEPT, PieceCondition.DAMAGED, PieceCondition.KEPT])
        path.write_bytes(good)
        self.assertEqual(self.walk(), [PieceCondition.KEPT] * 3)
        path.unlink()
        self.assertEqual(self.walk(), [PieceCondition.KEPT, PieceCondition.MISSING, PieceCondition.KEPT])

    def walk(self) -> list[PieceCondition]:
        states, last = [], None
        while (last := self.shop.store.piece_after(last)) is not None:
            states.append(now(self.shop.store.test(last)).condition)
        return states


class LogTests(ShopCase):
    def setUp(self) -> None:
        super().setUp()
        self.shop.hire(ALICE)

    def test_entries_and_heads_come_back(self) -> None:
        """A log is kept in order with the newest head, and read from any entry on."""
        made = ALICE.log(5)
        for entry in made:
            self.shop.log(ALICE, entry)
        said = self.shop.ask(ALICE, Command.RETRIEVE, "log", device=ALICE.device.id, first=3, most=MIB)
        self.assertEqual(decode(said.bytes, MIB), [data for data, _ in made[2:]])
        self.assertEqual(said.fields["count"], 3)
        heads = decode(self.shop.ask(ALICE, Command.RETRIEVE, "heads").bytes, MIB)
        self.assertEqual(heads, [made[-1][1].to_bytes()])

    def test_answers_are_bounded(self) -> None:
        """`most` bytes cut the answer, but one entry always comes."""
        for entry in ALICE.log(4, mark=bytes(1000)):
            self.shop.log(ALICE, entry)
        said = self.shop.ask(ALICE, Command.RETRIEVE, "log", device=ALICE.device.id, first=1, most=2500)
        self.assertEqual(said.fields["count"], 2)
        said = self.shop.ask(ALICE, Command.RETRIEVE, "log", device=ALICE.device.id, first=1, most=1)
        self.assertEqual(said.fields["count"], 1)

    def test_an_entry_again_is_no_error(self) -> None:
        """The same entry twice is acknowledged with what is held."""
        made = ALICE.log(2)
        for entry in (*made, made[0]):
            said = self.shop.log(ALICE, entry)
        self.assertEqual(said.fields["sequence"], 2)

    def test_a_gap_and_a_fork_are_conflicts_that_tell_what_is_held(self) -> None:
        """An entry that does not follow the last one is refused with sequence and hash of what is held."""
        made = ALICE.log(4)
        self.shop.log(ALICE, made[0])
        gap = self.shop.log(ALICE, made[2])
        self.assertEqual((gap.code, gap.fields["sequence"]), ("conflict", 1))
        fork = self.shop.log(ALICE, ALICE.log(1, mark=b"other")[0])
        self.assertEqual(fork.code, "conflict")
        self.assertEqual(len(gap.fields["hash"]), 32)

    def test_a_new_supplier_takes_the_tail(self) -> None:
        """Where nothing is held the log begins with its first entry, which a compaction may have moved."""
        made = ALICE.log(3, start=50, previous=b"p" * 32)
        refused = self.shop.log(ALICE, made[0])
        self.assertEqual((refused.code, refused.fields["sequence"]), ("conflict", 0))
        begun = evolve(Head.from_body(made[0][1].body), first=50)
        self.shop.log(ALICE, (made[0][0], ALICE.sign(begun)))
        for entry in made[1:]:
            said = self.shop.log(ALICE, entry)
        self.assertEqual(said.fields["sequence"], 52)

    def test_a_tail_that_another_log_stands_for(self) -> None:
        """A device that wrote no more since another one made a snapshot has a head that does not know. Its tail is
        taken where that snapshot is kept to its end, and goes up to where the tail begins."""
        second = Person("alice's second device")
        ALICE.document.devices[second.device.id] = FakeDevice(second.device.public)
        self.addCleanup(ALICE.document.devices.pop, second.device.id)
        tail = second.log(3, start=7, previous=b"p" * 32, owner=ALICE.fingerprint)
        ((entry, head),) = ALICE.log(1)
        told = [{"device": second.device.id, "sequence": 5}]
        self.shop.log(ALICE, (entry, ALICE.sign(evolve(Head.from_body(head.body), covers=told))))
        self.assertEqual(self.shop.log_packet(ALICE, tail).code, "conflict")
        ((entry, head),) = ALICE.log(1, start=2, previous=hashlib.sha256(entry).digest())
        told = [{"device": second.device.id, "sequence": 6}]
        self.shop.log(ALICE, (entry, ALICE.sign(evolve(Head.from_body(head.body), covers=told))))
        self.assertEqual(self.shop.log_packet(ALICE, tail).fields["sequence"], 9)
        self.assertEqual(log_of(self.shop.store, ALICE.fingerprint, second.device.id), [data for data, _ in tail])
        self.assertIn(tail[-1][1].to_bytes(), self.shop.store.heads(ALICE.fingerprint))

    def test_records_keep_the_highest_revision(self) -> None:
        """Key ring and family: newer replaces, equal refreshes, older is stale, other bytes are an alarm."""
        for kind, make in (("keyring", ALICE.ring), ("family", ALICE.family)):
            self.assertEqual(self.record(kind, make(3)).fields, {"revision": 3})
            self.assertEqual(self.record(kind, make(3)).fields, {"revision": 3})
            self.assertEqual(self.record(kind, make(5)).fields, {"revision": 5})
            stale = self.record(kind, make(4))
            self.assertEqual((stale.code, stale.fields["revision"]), ("stale", 5))
            self.assertEqual(self.shop.ask(ALICE, Command.RETRIEVE, kind).bytes, make(5).to_bytes())
        self.assertEqual(self.record("family", ALICE.family(5, time=1)).code, "conflict")
        self.assertIn("customer-record-conflict", [event for event, _ in self.shop.events])

    def record(self, kind: str, signed):
        if kind == "family":
            return self.shop.ask(ALICE, Command.CONTACTS, "family", signed.to_bytes(), space="family")
        return self.shop.ask(ALICE, Command.DATA, "keyring", signed.to_bytes())

    def test_former_records_are_kept(self) -> None:
        """The last three key rings and families are kept and given, and the newest one of each device besides."""
        second = Person("alice's second device")
        ALICE.document.devices[second.device.id] = FakeDevice(second.device.public)
        self.addCleanup(ALICE.document.devices.pop, second.device.id)
        for kind, make in (("keyring", ALICE.ring), ("family", ALICE.family)):
            body = make(1).body
            first = second.device.sign_record(kind, body)
            for signed in (first, *map(make, range(2, 7))):
                self.assertEqual(self.record(kind, signed).command, Command.ACK)
            given = [self.shop.ask(ALICE, Command.RETRIEVE, kind, back=back) for back in range(5)]
            self.assertEqual([said.bytes for said in given[:4]],
                             [signed.to_bytes() for signed in (make(6), make(5), make(4), first)])  # fmt: skip
            self.assertEqual(given[4].code, "not-found")

    def test_a_revision_out_of_reach(self) -> None:
        """Nobody takes the last revision there is, after which nothing could be written any more."""
        for kind, make in (("keyring", ALICE.ring), ("family", ALICE.family)):
            self.record(kind, make(5))
            self.assertEqual(self.record(kind, make(1006)).code, "bad-field")
            self.assertEqual(self.record(kind, make(1005)).fields, {"revision": 1005})

    def test_what_a_revoked_device_wrote(self) -> None:
        """A record of a device that counts replaces one of a revoked device, however high its revision."""
        stolen = Person("alice's stolen device")
        ALICE.document.devices[stolen.device.id] = FakeDevice(stolen.device.public)
        self.addCleanup(ALICE.document.devices.pop, stolen.device.id)
        for kind, make in (("keyring", ALICE.ring), ("family", ALICE.family)):
            self.record(kind, stolen.device.sign_record(kind, make(2**62).body))
            self.assertEqual(self.record(kind, make(7)).code, "stale")
        ALICE.document.devices[stolen.device.id] = FakeDevice(stolen.device.public, revoked=2)
        for kind, make in (("keyring", ALICE.ring), ("family", ALICE.family)):
            self.assertEqual(self.record(kind, make(7)).fields, {"revision": 7})
            self.assertEqual(self.shop.ask(ALICE, Command.RETRIEVE, kind).bytes, make(7).to_bytes())
            self.assertEqual(self.record(kind, stolen.device.sign_record(kind, make(8).body)).code, "bad-signature")

    def test_a_store_of_the_former_format(self) -> None:
        """A store of version 4 keeps its records, with the device that signed each, and goes on from there."""
        self.record("keyring", ALICE.ring(3))
        self.shop.close()
        database = connect(self.shop.folder.parent / "customers.db")
        database.executescript(
            "DELETE FROM records; DROP TABLE records;"
            "CREATE TABLE records(customer BLOB NOT NULL, kind TEXT NOT NULL, revision INTEGER NOT NULL,"
            " signed BLOB NOT NULL); CREATE UNIQUE INDEX records_by_kind ON records(customer, kind);"
            "DROP TABLE keepsakes; ALTER TABLE contracts DROP COLUMN promised; DROP INDEX pieces_missing;"
            "ALTER TABLE contracts DROP COLUMN made; ALTER TABLE contracts DROP COLUMN network;"
            "ALTER TABLE customers DROP COLUMN record_bytes;"
            "DROP TRIGGER condemned_goes; DROP TABLE condemned; DROP TABLE delayed;"
            "ALTER TABLE customers DROP COLUMN held; ALTER TABLE customers DROP COLUMN dropped_since;"
            "ALTER TABLE customers DROP COLUMN dropped; PRAGMA user_version=4;"
        )
        database.execute("INSERT INTO records VALUES(?, ?, ?, ?)",
                         (ALICE.fingerprint, "keyring", 3, ALICE.ring(3).to_bytes()))  # fmt: skip
        database.execute("INSERT INTO records VALUES(?, ?, ?, ?)", (ALICE.fingerprint, "family-dht", 3, b"raw"))
        database.close()
        self.shop.open()
        self.assertEqual(self.record("keyring", ALICE.ring(2)).code, "stale")
        self.assertEqual(self.record("keyring", ALICE.ring(4)).fields, {"revision": 4})
        self.assertEqual(self.shop.ask(ALICE, Command.RETRIEVE, "keyring", back=1).bytes, ALICE.ring(3).to_bytes())
        self.assertIsNone(self.shop.store.record(ALICE.fingerprint, "family-dht"))
        self.shop.hire(ALICE)
        self.assertEqual(self.shop.ask(ALICE, Command.RETRIEVE, "identity").bytes, ALICE.document.xml)
        self.assertTrue(self.shop.store._read.execute("PRAGMA index_info(pieces_missing)").fetchall())
        self.assertEqual(self.shop.store.delays.of(ALICE.fingerprint), [])

    def test_what_is_missing_is_found_without_a_walk(self) -> None:
        """The list of customers reads an index of what is missing alone, however many pieces there are."""
        asked: list[str] = []
        self.shop.store._read.set_trace_callback(asked.append)
        self.shop.store.holdings(ALICE.fingerprint)
        (query,) = [one for one in asked if "sum(size)" in one]
        plan = self.shop.store._read.execute(f"EXPLAIN QUERY PLAN {query}").fetchall()
        self.assertIn("INDEX pieces_missing", str(plan))

    def test_a_family_is_told_to_whom_it_may_concern(self) -> None:
        """The family machine hears of every record that was kept."""
        self.record("family", ALICE.family(2))
        self.assertEqual(self.shop.families, [ALICE.fingerprint])

    def test_identity_comes_back_to_its_owner(self) -> None:
        """The document is kept with the contract, whatever else is known of identities; a newer one goes before it."""
        self.assertEqual(self.shop.documents, {})
        self.assertEqual(self.shop.ask(ALICE, Command.RETRIEVE, "identity").bytes, ALICE.document.xml)
        newer = evolve(ALICE.document, revision=2)
        self.shop.documents[ALICE.fingerprint] = newer
        self.assertEqual(self.shop.ask(ALICE, Command.RETRIEVE, "identity").bytes, newer.xml)

    def test_keepsakes_go_with_the_contract(self) -> None:
        """When a contract ends nothing of it stays, and an older document replaces none."""
        store, older = self.shop.store, Keepsake(ALICE.fingerprint, 0, 0, b"older")
        now(store.keep("identity", older))
        self.assertEqual([kept.revision for kept in store.keepsakes("identity")], [1])
        now(store.end(ALICE.fingerprint, store.contract_of(ALICE.fingerprint).contract.contract))
        self.assertEqual(store.keepsakes("identity"), [])


class DiskTests(ShopCase):
    """What a crash or a full disk may leave behind."""

    def test_everything_survives_a_new_start(self) -> None:
        """Contracts, pieces, logs and records are there after the process comes back."""
        self.shop.hire(ALICE)
        pack = Pack(ALICE, 1, 3 * MIB)
        self.shop.put(ALICE, pack)
        for entry in ALICE.log(2):
            self.shop.log(ALICE, entry)
        shop, report = self.reopen()
        self.assertEqual((report.repaired, report.removed, report.missing, report.unknown), (0, 0, [], []))
        self.assertEqual(shop.get(ALICE, pack).bytes, pack.pieces[0])
        self.assertEqual(shop.store.usage(ALICE.fingerprint).used, len(pack.pieces[0]))

    def test_killed_at_every_step_of_a_store(self) -> None:
        """Whatever step a kill -9 hits, the piece is absent or whole afterwards, counted so, and can come again."""
        for size in (1000, 5 * MIB):
            pack, first = Pack(ALICE, size, size), Pack(ALICE, 0)
            self.reopen()
            self.shop.hire(ALICE)
            self.shop.put(ALICE, first)
            step = 0
            while True:
                step += 1
                disk = BrokenDisk()
                shop, _ = self.reopen(disk)
                disk.fail_at = len(disk.calls) + step
                try:
                    shop.put(ALICE, pack)
                except Killed:
                    self.after_crash(pack, first)
                    continue
                break
            self.assertGreater(step, 5)
            self.assertEqual(shop.get(ALICE, pack).bytes, pack.pieces[0])
            self.reopen()
            now(self.shop.store.delays.delete(self.order(self.shop, pack)))

    def after_crash(self, pack: Pack, first: Pack) -> None:
        shop, report = self.reopen()
        self.assertEqual((report.missing, report.damaged, report.unknown), ([], [], []))
        self.assertEqual([name for name in files(self.folder) if name.endswith(".part")], [])
        self.assertEqual(shop.get(ALICE, first).bytes, first.pieces[0])
        found = shop.get(ALICE, pack)
        kept = found.command == Command.DATA
        if kept:
            self.assertEqual(found.bytes, pack.pieces[0])
        self.assertEqual(shop.store.usage(ALICE.fingerprint).used, 500 + kept * len(pack.pieces[0]))
        now(shop.store.delays.delete(self.order(shop, pack)))

    def order(self, shop: Shop, pack: Pack):
        from bitdust.formats.orders import DeleteOrder

        self.orders = getattr(self, "orders", START) + 1
        signed = ALICE.order(pack.id, time=self.orders)
        return DeleteOrder.parse(signed.body, signed.device)

    def test_killed_at_every_step_of_a_delete(self) -> None:
        """After a kill in the middle of a delete the piece is whole or gone, with its bytes counted accordingly."""
        self.shop.hire(ALICE)
        for step in range(1, 10):
            pack = Pack(ALICE, step)
            disk = BrokenDisk()
            shop, _ = self.reopen(disk)
            shop.put(ALICE, pack)
            disk.fail_at = len(disk.calls) + step
            try:
                now(shop.store.delays.delete(self.order(shop, pack)))
                self.assertGreater(step, 2)
            except Killed:
                pass
            shop, report = self.reopen()
            self.assertEqual((report.missing, report.unknown), ([], []))
            self.assertEqual(shop.store.usage(ALICE.fingerprint).used, 0)
            self.assertEqual(files(self.folder), [])

    def test_a_full_disk_refuses_and_keeps_nothing_half(self) -> None:
        """No space left at any step is answered with no-space, leaves no file and no bytes counted; later it works."""
        self.shop.hire(ALICE)
        for size in (1000, 5 * MIB):
            pack = Pack(ALICE, size, size)
            for name in ("make_folder", "create", "write", "write-half", "sync", "rename", "sync_folder"):
                disk = BrokenDisk()
                shop, _ = self.reopen(disk)
                self.fill(disk, name)
                said = shop.put(ALICE, pack)
                self.assertEqual(said.code, "no-space", f"{name} {size}")
                self.assertEqual(shop.store.usage(ALICE.fingerprint).used, 0)
                self.assertEqual(shop.get(ALICE, pack).code, "not-found")
                shop, report = self.reopen()
                self.assertEqual(report.missing, [])
                for left in files(self.folder):
                    (self.folder / left).unlink()
            self.assertEqual(shop.put(ALICE, pack).command, Command.ACK)
            now(shop.store.delays.delete(self.order(shop, pack)))

    def fill(self, disk: BrokenDisk, name: str) -> None:
        step = disk._step

        def full(call: str) -> None:
            step(call)
            if call == name:
                raise OSError(errno.ENOSPC, "No space left on device")

        disk._step = full

    def test_lost_files_are_reported_and_never_forgotten(self) -> None:
        """A missing or cut file is reported at the start and its row stays; a file without row is left where it is."""
        self.shop.hire(ALICE)
        for number in range(3):
            self.shop.put(ALICE, Pack(ALICE, number))
        names = files(self.folder)
        (self.folder / names[0]).unlink()
        (self.folder / names[1]).write_bytes(b"short")
        stranger = self.folder / names[2]
        stranger = stranger.with_name(stranger.parent.name * 16 + ".0")
        stranger.write_bytes(b"whose?")
        shop, report = self.reopen()
        self.assertEqual((len(report.missing), len(report.damaged)), (1, 1))
        self.assertEqual(report.unknown, [str(stranger.relative_to(self.folder))])
        self.assertTrue(stranger.exists())
        self.assertEqual(shop.store.usage(ALICE.fingerprint).used, 1500)
        for number in range(3):
            self.assertEqual(shop.put(ALICE, Pack(ALICE, number)).command, Command.ACK)
            self.assertEqual(shop.get(ALICE, Pack(ALICE, number)).bytes, Pack(ALICE, number).pieces[0])

    def test_a_broken_database_is_never_replaced(self) -> None:
        """A database that cannot be read refuses to start, says so, and stays as it is."""
        self.shop.close()
        path = self.folder.parent / "customers.db"
        path.write_bytes(b"this is no database, but it was one" * 100)
        shop = Shop(self.folder)
        error = self.assertRaises(BitDustError, shop.open)
        self.assertEqual(error.code, "damaged-store")
        self.assertTrue(path.read_bytes().startswith(b"this is no database"))

    def test_many_small_pieces_share_their_syncs(self) -> None:
        """Pieces that come while the disk is busy are written in one batch: one transaction, one sync a folder."""
        disk = BrokenDisk()
        shop, _ = self.reopen(disk)
        shop.hire(ALICE)
        begun: list[tuple] = []

        def later(call, *arguments):
            done: Deferred = Deferred()
            begun.append((done, call, arguments))
            return done

        commits = shop.store._commits
        commits._run_in_thread = later
        kept = []
        for number in range(40):
            pack = Pack(ALICE, number)
            intake = shop.store.receive(PieceName(ALICE.fingerprint, pack.id, 0), pack.record, pack.signed.to_bytes())
            intake.write(memoryview(pack.pieces[0]))
            kept.append(intake.store())
        for _ in range(2):
            done, call, arguments = begun.pop()
            done.callback(call(*arguments))
        self.assertEqual(begun, [])
        self.assertEqual(self.successResultOf(kept[-1]).used, 20_000)
        folders = len({name.split("/")[1] for name in files(self.folder)})
        made = disk.calls.count("make_folder") - 1
        self.assertEqual(made, 41)
        self.assertLess(disk.calls.count("sync_folder"), 2 * folders + 6)

    def test_the_owner_of_a_record_is_who_signed_it(self) -> None:
        """The stored record is the signed one, byte by byte, so that anyone can check it later."""
        self.shop.hire(ALICE)
        pack = Pack(ALICE, 1)
        self.shop.put(ALICE, pack)
        signed = Signed.from_bytes(self.shop.get(ALICE, pack).fields["record"], PackRecord.KIND)
        self.assertEqual(PackRecord.from_body(signed.body), pack.record)
