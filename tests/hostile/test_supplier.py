"""Weaknesses 2 to 7 and 20 of the original, tried on a supplier: nobody but the owner reads, writes or deletes."""

from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import TestCase

from bitdust.customers.contracts import Customer, Wish
from bitdust.wire.encoding import WireError, decode, encode
from bitdust.wire.packet import Command
from bitdust.wire.records import ContractEnd, Head
from bitdust.wire.schema import Struct
from bitdust.wire.signed import Signed
from tests.unit.supplier_kit import DAY, MIB, START, FakeDevice, Pack, Person, Shop, files, log_of, now

ALICE, BOB, MALLORY = Person("alice"), Person("bob"), Person("mallory")
PACK = Pack(ALICE, 1)


class HostileCase(TestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).resolve() / "customers"
        self.shop = Shop(self.folder)
        self.shop.open()
        self.addCleanup(self.shop.crash)
        self.shop.hire(ALICE)
        self.shop.hire(BOB)
        self.shop.put(ALICE, PACK)
        for entry in ALICE.log(3):
            self.shop.log(ALICE, entry)
        self.keyring(ALICE, ALICE.ring(4))
        self.family(ALICE, ALICE.family(4))

    def keyring(self, person: Person, signed):
        return self.shop.ask(person, Command.DATA, "keyring", signed.to_bytes())

    def family(self, person: Person, signed):
        return self.shop.ask(person, Command.CONTACTS, "family", signed.to_bytes(), space="family")

    def delete(self, person: Person, signed, **changes):
        return self.shop.ask(person, Command.DELETE_FILE, None, signed.to_bytes(), **changes)

    def nothing_happened(self) -> None:
        """Everything that is Alice's is as it was."""
        store = self.shop.store
        self.assertEqual(self.shop.get(ALICE, PACK).bytes, PACK.pieces[0])
        self.assertEqual(store.usage(ALICE.fingerprint).used, len(PACK.pieces[0]))
        self.assertEqual(store.heads(ALICE.fingerprint), [ALICE.log(3)[-1][1].to_bytes()])
        self.assertEqual(len(log_of(store, ALICE.fingerprint, ALICE.device.id)), 3)
        self.assertEqual(store.record(ALICE.fingerprint, "keyring"), ALICE.ring(4).to_bytes())
        self.assertEqual(store.record(ALICE.fingerprint, "family"), ALICE.family(4).to_bytes())
        self.assertEqual(store.contract_of(ALICE.fingerprint).state, "active")


class StrangerTests(HostileCase):
    def test_every_command_is_refused_to_a_stranger(self) -> None:
        """Who has no contract gets an answer to RequestService alone, whatever else he sends."""
        entry, head = ALICE.log(1)[0]
        tries = {
            (Command.CANCEL_SERVICE, "service_supplier"): {"service": "service_supplier", "contract": bytes(16)},
            (Command.CANCEL_SERVICE, "capability"): {"payload": ALICE.revocation().to_bytes()},
            (Command.CANCEL_SERVICE, "deletions"): {"payload": ALICE.ring(9).to_bytes()},
            (Command.CONTACTS, "family"): {"space": "family", "payload": ALICE.family(9).to_bytes()},
            (Command.DATA, "piece"): {"index": 0, "record": PACK.signed.to_bytes(), "payload": PACK.pieces[0]},
            (Command.DATA, "log"): {"head": head.to_bytes(), "payload": entry},
            (Command.DATA, "keyring"): {"payload": ALICE.ring(9).to_bytes()},
            (Command.RETRIEVE, "piece"): {"pack": PACK.id, "index": 0, "offset": 0, "length": 0},
            (Command.RETRIEVE, "proof"): {"nonce": bytes(32), "pieces": [{"pack": PACK.id, "index": 0}]},
            (Command.RETRIEVE, "log"): {"device": ALICE.device.id, "first": 1, "most": 99},
            (Command.RETRIEVE, "heads"): {},
            (Command.RETRIEVE, "keyring"): {},
            (Command.RETRIEVE, "family"): {},
            (Command.RETRIEVE, "identity"): {},
            (Command.RETRIEVE, "deletions"): {},
            (Command.LIST_FILES, None): {"after": b"", "most": 10},
            (Command.DELETE_FILE, None): {"payload": ALICE.order(PACK.id).to_bytes()},
        }
        refused = {(spec.command, spec.kind) for spec in self.shop.rows.specs() if not spec.stranger}
        self.assertEqual(set(tries), refused)
        for (command, kind), fields in tries.items():
            said = self.shop.ask(MALLORY, command, kind, **fields)
            self.assertEqual(said.code, "no-contract", f"{command} {kind}")
        self.nothing_happened()

    def test_a_node_does_not_supply_itself(self) -> None:
        """A request under the supplier's own name is refused."""
        self.assertEqual(self.shop.hire(self.shop.me).code, "not-allowed")


class OwnerTests(HostileCase):
    """Weaknesses 2 and 5: the owner field, other customers, captured words."""

    def test_an_owner_field_gives_no_rights(self) -> None:
        """A packet of Bob's that names Alice as owner is refused, whatever it asks."""
        said = self.delete(BOB, ALICE.order(PACK.id), owner=ALICE.fingerprint)
        self.assertEqual(said.code, "not-allowed")
        said = self.shop.ask(BOB, Command.LIST_FILES, None, owner=ALICE.fingerprint, after=b"", most=9)
        self.assertEqual(said.code, "not-allowed")
        self.nothing_happened()

    def test_another_customer_sees_and_reads_nothing(self) -> None:
        """Bob's list is his own, and the id of Alice's pack leads nowhere in his hands."""
        self.assertEqual(self.shop.get(BOB, PACK).code, "not-found")
        self.assertEqual(decode(self.shop.ask(BOB, Command.LIST_FILES, None, after=b"", most=9).bytes, 9), [])
        log = self.shop.ask(BOB, Command.RETRIEVE, "log", device=ALICE.device.id, first=1, most=MIB)
        self.assertEqual(log.fields["count"], 0)
        self.assertEqual(self.shop.ask(BOB, Command.RETRIEVE, "keyring").code, "not-found")
        self.assertEqual(self.shop.ask(BOB, Command.RETRIEVE, "family").code, "not-found")

    def test_another_customer_cannot_store_under_her_name(self) -> None:
        """Alice's signed record in Bob's session stores nothing, nor does her log, ring or family."""
        entry = ALICE.log(1, start=4, previous=Head.from_body(ALICE.log(3)[-1][1].body).hash)[0]
        for said in (
            self.shop.put(BOB, PACK, 1),
            self.shop.log(BOB, entry),
            self.keyring(BOB, ALICE.ring(9)),
            self.family(BOB, ALICE.family(9)),
        ):
            self.assertIn(said.code, ("not-allowed", "bad-signature"))
        self.nothing_happened()
        self.assertEqual(len(files(self.folder)), 1)

    def test_the_same_pack_id_of_another_customer_is_another_pack(self) -> None:
        """Bob may use the id of Alice's pack for his own: both come back as they were brought."""
        his = Pack(BOB, 7)
        record = type(his.record)(BOB.fingerprint, PACK.id, his.record.size, his.record.scheme, his.record.roots)
        his.id, his.signed = PACK.id, BOB.sign(record)
        self.assertEqual(self.shop.put(BOB, his).command, Command.ACK)
        self.assertEqual(self.shop.get(BOB, his).bytes, his.pieces[0])
        self.delete(BOB, BOB.order(PACK.id))
        self.nothing_happened()

    def test_captured_and_forged_orders_delete_nothing(self) -> None:
        """Her own order in his session, his signature under her name, and a broken signature are all refused."""
        good = ALICE.order(PACK.id)
        forged = BOB.device.sign_record("delete", good.body)
        broken = Signed(good.kind, good.body, good.device, bytes(64))
        family = Signed("family", good.body, good.device, good.signature)
        self.assertEqual(self.delete(BOB, good).code, "not-allowed")
        self.assertEqual(self.delete(BOB, forged).code, "not-allowed")
        for signed in (forged, broken):
            self.assertEqual(self.delete(ALICE, signed).code, "bad-signature")
        self.assertEqual(self.delete(ALICE, family).command, Command.FAIL)
        self.assertEqual(self.delete(ALICE, ALICE.order(PACK.id, owner=BOB.fingerprint)).code, "not-allowed")
        self.nothing_happened()

    def test_an_old_order_is_not_obeyed_again(self) -> None:
        """After a later order an earlier one does nothing, even to a pack that came back since."""
        order = ALICE.order(PACK.id, time=START + 5)
        self.assertEqual(self.delete(ALICE, order).fields["freed"], len(PACK.pieces[0]))
        self.delete(ALICE, ALICE.order(bytes(16), time=START + 6))
        self.shop.put(ALICE, PACK)
        self.assertEqual(self.delete(ALICE, order).code, "stale")
        self.nothing_happened()

    def test_a_revoked_device_orders_nothing(self) -> None:
        """A device that the owner revoked signs no order, ring or family any more, and no entries past its end."""
        alice = Person("alice")
        alice.document.revision = 2
        alice.document.devices[alice.device.id] = FakeDevice(alice.device.public, revoked=2, sequence=3)
        self.shop.documents[alice.fingerprint] = alice.document
        entry = ALICE.log(4)[3]
        for said in (
            self.delete(ALICE, ALICE.order(PACK.id)),
            self.keyring(ALICE, ALICE.ring(9)),
            self.family(ALICE, ALICE.family(9)),
            self.shop.log(ALICE, entry),
        ):
            self.assertEqual(said.code, "bad-signature")
        self.nothing_happened()


class ContractTests(HostileCase):
    """Weaknesses 3 and 4: forged cancels and oversized requests."""

    def test_a_forged_cancel_ends_nothing(self) -> None:
        """Who does not hold the contract cannot cancel it, even when he knows its name."""
        name = self.shop.store.contract_of(ALICE.fingerprint).contract.contract
        fields = {"service": "service_supplier", "contract": name}
        self.assertEqual(self.shop.ask(BOB, Command.CANCEL_SERVICE, "service_supplier", **fields).code, "no-contract")
        self.nothing_happened()

    def test_a_true_cancel_deletes_nothing_and_is_undone_by_coming_back(self) -> None:
        """After a cancel the pieces stay readable until the answered moment; a new request makes all as before."""
        name = self.shop.store.contract_of(ALICE.fingerprint).contract.contract
        fields = {"service": "service_supplier", "contract": name}
        said = self.shop.ask(ALICE, Command.CANCEL_SERVICE, "service_supplier", **fields)
        self.assertEqual(said.fields["until"], START + (365 + 90) * DAY)
        self.assertEqual(self.shop.get(ALICE, PACK).bytes, PACK.pieces[0])
        self.assertEqual(self.shop.put(ALICE, PACK, 1).code, "no-contract")
        self.shop.now += 400 * DAY
        self.assertEqual(now(self.shop.store.purge(ALICE.fingerprint)), 0)
        self.shop.hire(ALICE)
        self.nothing_happened()

    def test_a_forged_end_erases_nothing(self) -> None:
        """A word signed by another, for another contract or supplier, or replayed at a new contract erases nothing."""
        contract = self.shop.store.contract_of(ALICE.fingerprint).contract.contract
        mine, me = ALICE.fingerprint, self.shop.me.fingerprint
        good = ALICE.sign(ContractEnd(contract, mine, me))
        words = (
            (BOB.sign(ContractEnd(contract, mine, me)), "bad-signature"),
            (BOB.sign(ContractEnd(contract, BOB.fingerprint, me)), "not-allowed"),
            (ALICE.sign(ContractEnd(bytes(16), mine, me)), "not-allowed"),
            (ALICE.sign(ContractEnd(contract, mine, BOB.fingerprint)), "not-allowed"),
        )
        for word, code in words:
            self.assertEqual(self.end(ALICE, contract, word).code, code)
        self.assertIn(self.end(BOB, contract, good).code, ("not-allowed", "no-contract"))
        self.assertEqual(self.shop.get(ALICE, PACK).bytes, PACK.pieces[0])
        self.assertEqual(self.end(ALICE, contract, good).fields["freed"], len(PACK.pieces[0]))
        self.shop.hire(ALICE)
        self.shop.put(ALICE, PACK)
        again = self.shop.store.contract_of(ALICE.fingerprint).contract.contract
        self.assertNotEqual(again, contract)
        self.assertEqual(self.end(ALICE, contract, good).code, "no-contract")
        self.assertEqual(self.end(ALICE, again, good).code, "not-allowed")
        self.assertEqual(self.shop.get(ALICE, PACK).bytes, PACK.pieces[0])

    def end(self, who: Person, contract: bytes, word):
        fields = {"service": "service_supplier", "contract": contract, "end": word.to_bytes()}
        return self.shop.ask(who, Command.CANCEL_SERVICE, "service_supplier", **fields)

    def test_an_oversized_request_refuses_and_leaves_the_old_contract(self) -> None:
        """More room than there is, or less than is used, is refused; the promise and the pieces stand."""
        name = self.shop.store.contract_of(ALICE.fingerprint).contract.contract
        for room in (2**60, 101 * MIB, 1):
            self.assertEqual(self.shop.hire(ALICE, room, contract=name).code, "no-space")
            self.assertEqual(self.shop.store.contract_of(ALICE.fingerprint).contract.room, 10 * MIB)
            self.nothing_happened()
        self.assertEqual(self.shop.events[-1][0], "existing-customer-denied")

    def test_one_who_lost_its_contract_gets_the_old_one(self) -> None:
        """A recovered customer that cannot name its contract and asks for what does not fit has it renewed."""
        for room in (2**60, 1):
            self.assertEqual(self.shop.hire(ALICE, room).command, Command.ACK)
            self.assertEqual(self.shop.store.contract_of(ALICE.fingerprint).contract.room, 10 * MIB)
        self.nothing_happened()

    def test_a_position_outside_the_family_is_refused(self) -> None:
        """Position 4 of 4 does not exist."""
        self.assertEqual(self.shop.hire(ALICE, position=4).code, "bad-field")


def link_of(person: Person) -> str:
    """The link that leads a person to its pieces."""
    return f"{person.fingerprint.hex()[:16]}-{person.name}@id.example"


class NameTests(HostileCase):
    """Weakness 6: no name on the disk is made of what a peer wrote."""

    def test_a_name_that_leads_elsewhere_makes_no_link(self) -> None:
        """A global id with slashes or dots is kept as text and makes no file or link."""
        for number, name in enumerate(("../../evil@host", "a/b@host", "..", "", "x@" + "h" * 5000, "nul\0@host")):
            customer = Customer(bytes([number]) * 32, "http://host/x.xml", name)
            kept = now(self.shop.store.request(customer, Wish(MIB, 2, 0, 1)))
            self.assertEqual(kept.global_id, name)
        links = {path.name for path in self.folder.iterdir() if path.is_symlink()}
        names = {"alice@id.example", "bob@id.example"}
        self.assertEqual(links, {link_of(ALICE), link_of(BOB)} | names)
        outside = {path.name for path in self.folder.parent.iterdir()}
        self.assertEqual({name.split("-")[0] for name in outside}, {"customers", "customers.db"})

    def test_the_second_to_show_a_name_does_not_get_its_link(self) -> None:
        """A stranger with Alice's global id has a folder of his own; the link goes on leading to hers."""
        stranger = Customer(b"m" * 32, "http://evil/alice.xml", "alice@id.example")
        now(self.shop.store.request(stranger, Wish(MIB, 2, 0, 1)))
        for link in (link_of(ALICE), "alice@id.example"):
            self.assertEqual((self.folder / link).readlink(), Path(ALICE.fingerprint.hex()))

    def test_fields_that_are_no_hashes_are_refused(self) -> None:
        """The rows accept pack and device ids of their exact length only."""
        specs = {(spec.command, spec.kind): Struct(spec.fields) for spec in self.shop.rows.specs()}
        schema = specs[(Command.RETRIEVE, "piece")]
        for pack in ("../../etc/passwd", b"../../etc/passwd!", b"", 5, None):
            fields = {"kind": "piece", "pack": pack, "index": 0, "offset": 0, "length": 0}
            self.assertRaises(WireError, schema.check, fields, "Retrieve")


class RollbackTests(HostileCase):
    """Weakness 7: an old or forged catalog, ring or family replaces nothing."""

    def test_logs_do_not_fork_or_roll_back(self) -> None:
        """Another entry 3, a gap, a head that lies, and a head of another device are refused."""
        last = Head.from_body(ALICE.log(3)[-1][1].body).hash
        other = ALICE.log(3, mark=b"other history")
        self.assertEqual(self.shop.log(ALICE, other[2]).code, "conflict")
        self.assertEqual(self.shop.log(ALICE, ALICE.log(1, start=9, previous=last)[0]).code, "conflict")
        entry = ALICE.log(1, start=4, previous=last)[0][0]
        lie = ALICE.sign(Head(ALICE.fingerprint, ALICE.device.id, 4, bytes(32), START))
        foreign = BOB.sign(Head(ALICE.fingerprint, ALICE.device.id, 4, bytes(32), START))
        old = ALICE.log(3)[-1][1]
        self.assertEqual(self.shop.log(ALICE, (entry, lie)).code, "bad-signature")
        self.assertEqual(self.shop.log(ALICE, (entry, foreign)).code, "bad-signature")
        self.assertEqual(self.shop.log(ALICE, (entry, old)).code, "stale")
        self.nothing_happened()

    def test_rings_and_families_do_not_roll_back(self) -> None:
        """A lower revision is stale, the same revision with other bytes an alarm, and both leave what is kept."""
        self.assertEqual(self.keyring(ALICE, ALICE.ring(3)).code, "stale")
        self.assertEqual(self.keyring(ALICE, ALICE.ring(4, b"empty ring")).code, "conflict")
        self.assertEqual(self.family(ALICE, ALICE.family(3)).code, "stale")
        self.assertEqual(self.family(ALICE, ALICE.family(4, time=0)).code, "conflict")
        self.nothing_happened()

    def test_rings_and_families_need_her_signature(self) -> None:
        """A huge revision under a forged signature wipes nothing."""
        for kind, good, send in (
            ("keyring", ALICE.ring(2**40), self.keyring),
            ("family", ALICE.family(2**40), self.family),
        ):
            forged = BOB.device.sign_record(kind, good.body)
            self.assertEqual(send(ALICE, forged).code, "bad-signature")
            renamed = Signed(kind, good.body, ALICE.device.id, forged.signature)
            self.assertEqual(send(ALICE, renamed).code, "bad-signature")
        self.nothing_happened()


class GarbageTests(HostileCase):
    """Weakness 20: whatever bytes come, the answer is a refusal and nothing changes."""

    def setUp(self) -> None:
        super().setUp()
        self.addCleanup(self.nothing_happened)

    @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.binary(max_size=300), st.sampled_from(["piece", "log", "keyring", "family", "delete"]))
    def test_random_bytes(self, data: bytes, kind: str) -> None:
        """Bytes that are no record are refused with a code by every command that takes one."""
        said = self.send(kind, data)
        self.assertEqual(said.command, Command.FAIL)
        self.assertIn(said.code, ("bad-field", "too-large", "bad-signature", "not-allowed", "stale"))

    @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
    @given(
        st.integers(0, 10_000), st.integers(1, 255), st.sampled_from(["piece", "log", "keyring", "family", "delete"])
    )
    def test_a_flipped_byte_anywhere(self, place: int, mask: int, kind: str) -> None:
        """A good record with one byte changed is refused, and nothing of Alice's changes."""
        good = {
            "piece": Pack(ALICE, 2).signed.to_bytes(),
            "log": ALICE.log(4)[3][1].to_bytes(),
            "keyring": ALICE.ring(9).to_bytes(),
            "family": ALICE.family(9).to_bytes(),
            "delete": ALICE.order(PACK.id, time=START + 9).to_bytes(),
        }[kind]
        changed = bytearray(good)
        changed[place % len(changed)] ^= mask
        self.assertEqual(self.send(kind, bytes(changed)).command, Command.FAIL)

    def send(self, kind: str, data: bytes):
        if kind == "piece":
            return self.shop.ask(ALICE, Command.DATA, "piece", Pack(ALICE, 2).pieces[0], index=0, record=data)
        if kind == "log":
            return self.shop.ask(ALICE, Command.DATA, "log", ALICE.log(4)[3][0], head=data)
        if kind == "keyring":
            return self.shop.ask(ALICE, Command.DATA, "keyring", data)
        if kind == "family":
            return self.shop.ask(ALICE, Command.CONTACTS, "family", data, space="family")
        return self.shop.ask(ALICE, Command.DELETE_FILE, None, data)

    def test_a_log_cannot_fill_the_disk(self) -> None:
        """Entries beyond the allowance are refused with the numbers."""
        self.shop.store._write_connection().execute(
            "UPDATE customers SET log_bytes=? WHERE fingerprint=?", (65 * MIB, ALICE.fingerprint)
        )
        last = Head.from_body(ALICE.log(3)[-1][1].body).hash
        self.assertEqual(self.shop.log(ALICE, ALICE.log(1, start=4, previous=last)[0]).code, "no-space")

    def test_an_entry_of_more_than_a_mebibyte_is_refused(self) -> None:
        """The row's limit for log entries is 2 MiB, an entry has 1 MiB at most, a ring 256 KiB and its signature."""
        head = ALICE.log(1)[0][1].to_bytes()
        large = encode({"version": 2, "entries": [bytes(MIB + 1)], "pieces": []})
        self.assertEqual(self.shop.ask(ALICE, Command.DATA, "log", large, head=head).code, "bad-field")
        limits = {(spec.command, spec.kind): spec.max_payload for spec in self.shop.rows.specs()}
        self.assertEqual(limits[(Command.DATA, "log")], 2 * MIB)
        self.assertLess(limits[(Command.DATA, "keyring")], 258 * 1024)
        self.assertTrue(all(limit <= 64 * MIB for limit in limits.values()))
