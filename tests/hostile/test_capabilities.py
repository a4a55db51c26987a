"""Somebody else asks a supplier for Alice's things: only within what she signed, and no longer than she wants."""

from pathlib import Path

from twisted.trial.unittest import TestCase

from bitdust.crypt.capabilities import proven
from bitdust.crypt.device import DeviceKey
from bitdust.customers.grants import KEPT_SECONDS, MOST_REVOKED, stored_under
from bitdust.customers.names import PieceName
from bitdust.wire.capability import Capability, Right, ShownCapability
from bitdust.wire.encoding import decode, encode
from bitdust.wire.packet import Command
from bitdust.wire.records import Head
from tests.unit.supplier_kit import DAY, MIB, START, FakeDevice, Pack, Person, Shop, files, log_of, now
from tests.vectors.keys import master

ALICE, BOB, MALLORY = Person("alice"), Person("bob"), Person("mallory")
SHARE, OTHER = b"s" * 16, b"o" * 16
PRIVATE = Pack(ALICE, 1)
SHARED = Pack(ALICE, 2, scope=SHARE)
ELSEWHERE = Pack(ALICE, 3, scope=OTHER)
SIZE = len(SHARED.pieces[0])


class CapabilityCase(TestCase):
    """Alice is a customer and has shared one key with Bob, who is none."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).resolve() / "customers"
        self.shop = Shop(self.folder)
        self.shop.open()
        self.addCleanup(self.shop.crash)
        self.shop.hire(ALICE)
        self.alice = Person("alice").document
        self.shop.documents[ALICE.fingerprint] = self.alice
        for pack in (PRIVATE, SHARED, ELSEWHERE):
            self.assertEqual(self.shop.put(ALICE, pack).command, Command.ACK)
        for scope in (None, SHARE, OTHER):
            for entry in ALICE.log(2, scope=scope):
                self.assertEqual(self.shop.log(ALICE, entry).command, Command.ACK)

    def under(self, *rights: Right, holder: bytes = BOB.fingerprint, **changes) -> dict:
        """Owner and capability of a packet of Bob's."""
        shown = ALICE.capability(holder, *rights, **{"scope": SHARE, **changes})
        return {"owner": ALICE.fingerprint, "capability": shown}

    def read(self, pack: Pack = SHARED, who: Person = BOB, **under):
        return self.shop.get(who, pack, **under)

    def code(self, **under) -> str | None:
        return self.read(**under).code

    def revoke(self, who: Person = ALICE, signed=None):
        word = (signed or who.revocation()).to_bytes()
        return self.shop.ask(who, Command.CANCEL_SERVICE, "capability", word)

    def stored(self) -> int:
        return stored_under(self.shop.store._read, ALICE.fingerprint, b"c" * 16)[0]


class ReadTests(CapabilityCase):
    def test_the_holder_reads_what_is_shared(self) -> None:
        """Pieces, list, heads and log of the one key come to Bob; nothing else of Alice's does."""
        under = self.under(Right.READ, Right.LIST)
        self.assertEqual(self.read(**under).bytes, SHARED.pieces[0])
        listed = self.shop.ask(BOB, Command.LIST_FILES, None, after=b"", most=9, **under)
        self.assertEqual(decode(listed.bytes, MIB), [[SHARED.id, 0, SIZE]])
        heads = self.shop.ask(BOB, Command.RETRIEVE, "heads", **under)
        self.assertEqual(decode(heads.bytes, MIB), [ALICE.log(2, scope=SHARE)[-1][1].to_bytes()])
        log = {"device": ALICE.device.id, "first": 1, "most": MIB, **under}
        said = self.shop.ask(BOB, Command.RETRIEVE, "log", scope=SHARE, **log)
        self.assertEqual(decode(said.bytes, MIB), [data for data, _ in ALICE.log(2, scope=SHARE)])
        for pack in (PRIVATE, ELSEWHERE):
            self.assertEqual(self.read(pack, **under).code, "not-found")
        for scope in (OTHER, None):
            self.assertEqual(self.shop.ask(BOB, Command.RETRIEVE, "log", scope=scope, **log).code, "not-allowed")

    def test_a_capability_without_scope_is_for_the_own_key(self) -> None:
        """It opens what belongs to the master key, and nothing of a share."""
        under = self.under(Right.READ, Right.LIST, scope=None)
        self.assertEqual(self.read(PRIVATE, **under).bytes, PRIVATE.pieces[0])
        self.assertEqual(self.read(SHARED, **under).code, "not-found")
        listed = self.shop.ask(BOB, Command.LIST_FILES, None, after=b"", most=9, **under)
        self.assertEqual(decode(listed.bytes, MIB), [[PRIVATE.id, 0, SIZE]])

    def test_the_owner_sees_all_of_its_keys(self) -> None:
        """Alice's own list and heads are of every scope."""
        listed = decode(self.shop.ask(ALICE, Command.LIST_FILES, None, after=b"", most=9).bytes, MIB)
        self.assertEqual(len(listed), 3)
        self.assertEqual(len(decode(self.shop.ask(ALICE, Command.RETRIEVE, "heads").bytes, MIB)), 3)

    def test_one_device_may_hold_it(self) -> None:
        """A capability of a device key opens for that device, and for no other device or person."""
        under = self.under(holder=BOB.device.public)
        self.assertEqual(self.read(**under).bytes, SHARED.pieces[0])
        self.assertEqual(self.code(**self.under(holder=MALLORY.device.public)), "not-allowed")

    def test_the_rsa_key_may_sign(self) -> None:
        """Alice's RSA key signs as well as her device; another RSA key does not."""
        body = Capability(b"c" * 16, ALICE.fingerprint, BOB.fingerprint, tuple(Right), 0, START + 1, SHARE).to_body()
        unsigned = ShownCapability(body, b"", bytes(64))
        for name, code in (("master", None), ("other", "bad-signature")):
            self.alice.public = master("master").public
            shown = ShownCapability(body, b"", master(name).sign(unsigned.message()))
            self.assertEqual(self.code(owner=ALICE.fingerprint, capability=shown.to_bytes()), code)


class RefusalTests(CapabilityCase):
    def test_forged(self) -> None:
        """Signed by the holder, by a stranger, by a device that Alice revoked, or changed: it opens nothing."""
        good = ShownCapability.from_bytes(self.under()["capability"])
        mine = BOB.device.sign_record("capability", good.body)
        more = decode(good.body, 1024) | {"scope": OTHER}
        for forged in (
            ShownCapability(good.body, BOB.device.id, mine.signature),
            ShownCapability(good.body, ALICE.device.id, mine.signature),
            ShownCapability(good.body, ALICE.device.id, bytes(64)),
            ShownCapability(good.body, ALICE.device.id, good.signature + bytes(8)),
            ShownCapability(encode(more), good.device, good.signature),
        ):
            self.assertEqual(self.code(owner=ALICE.fingerprint, capability=forged.to_bytes()), "bad-signature")
        other_kind = ALICE.device.sign_record("delete", good.body)
        shown = ShownCapability(good.body, ALICE.device.id, other_kind.signature)
        self.assertEqual(self.code(owner=ALICE.fingerprint, capability=shown.to_bytes()), "bad-signature")
        self.alice.devices[ALICE.device.id] = FakeDevice(ALICE.device.public, revoked=2, sequence=9)
        self.assertEqual(self.code(**self.under()), "bad-signature")

    def test_by_proof(self) -> None:
        """What is held by proof counts with one; what one person or device holds is shown by nobody else with a proof,
        and what is held by proof not without one by whose device has that key."""
        holder, supplier = DeviceKey(b"k" * 32), self.shop.me.fingerprint

        def code(key: DeviceKey, proof: DeviceKey | None, **changes) -> str | None:
            shown = self.under(Right.READ, holder=key.public, **changes)["capability"]
            if proof is not None:
                shown = proven(shown, proof, supplier, BOB.device.public)
            return self.code(owner=ALICE.fingerprint, capability=shown)

        self.assertIsNone(code(holder, holder, by_proof=True))
        for key, proof, by_proof in (
            (holder, holder, False), (MALLORY.device, MALLORY.device, False), (holder, None, True),
            (holder, MALLORY.device, True), (BOB.device, None, True),
        ):  # fmt: skip
            self.assertEqual(code(key, proof, by_proof=by_proof), "not-allowed")

    def test_an_owner_whom_nobody_knows(self) -> None:
        """Where the owner's document is not known, no signature can be checked, and nothing is given."""
        self.shop.documents.clear()
        self.assertEqual(self.code(**self.under()), "bad-signature")

    def test_an_owner_without_a_contract(self) -> None:
        """Mallory's capability is signed well; she is no customer here."""
        self.shop.documents[MALLORY.fingerprint] = MALLORY.document
        shown = MALLORY.capability(BOB.fingerprint)
        self.assertEqual(self.code(owner=MALLORY.fingerprint, capability=shown), "no-contract")

    def test_ended(self) -> None:
        """To the second of its end and after it a capability gives nothing; one of more than 366 days never does."""
        under = self.under(ends=START + 10)
        self.shop.now = START + 9.9
        self.assertIsNone(self.code(**under))
        self.shop.now = START + 10
        self.assertEqual(self.code(**under), "not-allowed")
        self.assertIsNone(self.code(**self.under(ends=START + 10 + 366 * DAY)))
        self.assertEqual(self.code(**self.under(ends=START + 11 + 366 * DAY)), "not-allowed")

    def test_held_by_somebody_else(self) -> None:
        """Bob's capability does nothing in Mallory's session, nor in that of another customer."""
        self.shop.hire(MALLORY)
        self.assertEqual(self.code(who=MALLORY, **self.under()), "not-allowed")

    def test_of_another_owner(self) -> None:
        """A capability of Alice's opens nothing of Carol's, whatever the packet says; nor hers without one."""
        carol = Person("carol")
        self.shop.hire(carol)
        shown = self.under()["capability"]
        self.assertEqual(self.code(owner=carol.fingerprint, capability=shown), "not-allowed")
        self.assertEqual(self.code(owner=BOB.fingerprint, capability=shown), "not-allowed")
        self.assertEqual(self.code(owner=ALICE.fingerprint), "not-allowed")

    def test_another_right(self) -> None:
        """Each command needs its own right; having all the others does not help."""
        written = Pack(ALICE, 9, scope=SHARE, signer=BOB)
        asked = {
            Right.READ: lambda under: self.read(**under),
            Right.LIST: lambda under: self.shop.ask(BOB, Command.LIST_FILES, None, after=b"", most=9, **under),
            Right.WRITE: lambda under: self.shop.put(BOB, written, **under),
            Right.LOG: lambda under: self.shop.log(BOB, self.entry(), **under),
        }
        for right, ask in asked.items():
            others = [other for other in Right if other is not right]
            self.assertEqual(ask(self.under(*others)).code, "not-allowed", right)
            self.assertIsNone(ask(self.under(right)).code, right)

    def entry(self) -> tuple:
        return BOB.log(1, owner=ALICE.fingerprint, scope=SHARE)[0]

    def test_what_no_capability_gives(self) -> None:
        """Deleting, ending, key ring, family, identity and revoking belong to the owner alone."""
        under = self.under()
        for command, kind, payload, fields in (
            (Command.DELETE_FILE, None, ALICE.order(SHARED.id).to_bytes(), {}),
            (Command.CANCEL_SERVICE, "service_supplier", b"", {"service": "service_supplier", "contract": bytes(16)}),
            (Command.CANCEL_SERVICE, "capability", ALICE.revocation().to_bytes(), {}),
            (Command.DATA, "keyring", ALICE.ring(9).to_bytes(), {}),
            (Command.CONTACTS, "family", ALICE.family(9).to_bytes(), {"space": "family"}),
            (Command.RETRIEVE, "keyring", b"", {}),
            (Command.RETRIEVE, "family", b"", {}),
            (Command.RETRIEVE, "identity", b"", {}),
        ):
            said = self.shop.ask(BOB, command, kind, payload, **under, **fields)
            self.assertEqual(said.code, "not-allowed", f"{command} {kind}")
        self.assertEqual(self.read(**under).bytes, SHARED.pieces[0])

    def test_bytes_that_are_no_capability(self) -> None:
        """Nested, cut, padded and empty bytes are refused with a code before any signature is looked at."""
        good = self.under()["capability"]
        deep: object = good
        for _ in range(11):
            deep = [deep]
        for bad in (b"\x80", good[:-1], good + b"\0", encode(deep), bytes(5000), encode(["capability"] * 4)):
            said = self.code(owner=ALICE.fingerprint, capability=bad)
            self.assertIn(said, ("bad-field", "too-large"))


class RevocationTests(CapabilityCase):
    def test_a_revoked_capability_counts_no_more(self) -> None:
        """After Alice's word it is refused, again and again, over restarts; another one of hers still counts."""
        under = self.under()
        self.assertIsNone(self.code(**under))
        self.assertEqual(self.revoke().command, Command.ACK)
        self.assertEqual(self.revoke().command, Command.ACK)
        self.assertEqual(self.code(**under), "not-allowed")
        self.assertEqual(self.shop.put(BOB, Pack(ALICE, 9, scope=SHARE, signer=BOB), **under).code, "not-allowed")
        self.shop.crash()
        self.shop.open()
        self.assertEqual(self.code(**under), "not-allowed")
        self.assertEqual(self.code(**self.under(quota=2 * MIB, ends=START + 2 * DAY)), "not-allowed")
        self.assertIsNone(self.code(**self.under(id=b"d" * 16)))

    def test_a_revocation_outlives_the_contract(self) -> None:
        """Alice leaves for good and comes back: what she revoked stays revoked while it could still count."""
        self.revoke()
        contract = self.shop.store.contract_of(ALICE.fingerprint).contract.contract
        now(self.shop.store.end(ALICE.fingerprint, contract))
        for passed, code in ((0, "not-allowed"), (KEPT_SECONDS - 1, "not-allowed"), (2, "not-found")):
            self.shop.now += passed
            self.shop.crash()
            self.shop.open()
            self.shop.hire(ALICE)
            self.assertEqual(self.code(**self.under(ends=int(self.shop.now) + DAY)), code)
            now(self.shop.store.end(ALICE.fingerprint, self.contract()))

    def contract(self) -> bytes:
        return self.shop.store.contract_of(ALICE.fingerprint).contract.contract

    def test_only_the_owner_revokes(self) -> None:
        """Bob's word about Alice's capability, her word in his session and a forged one change nothing."""
        self.shop.hire(BOB)
        forged = BOB.device.sign_record("revocation", ALICE.revocation().body)
        self.assertEqual(self.revoke(BOB, ALICE.revocation()).code, "not-allowed")
        self.assertEqual(self.revoke(ALICE, forged).code, "bad-signature")
        self.assertEqual(self.revoke(BOB).command, Command.ACK)
        self.assertIsNone(self.code(**self.under()))

    def test_revocations_are_bounded(self) -> None:
        """So many are kept of one customer; then the oldest that can matter no more make room, or it is refused."""
        rows = [(ALICE.fingerprint, number.to_bytes(16), START, b"") for number in range(MOST_REVOKED)]
        self.shop.store._write_connection().executemany("INSERT INTO revocations VALUES(?, ?, ?, ?)", rows)
        self.assertEqual(self.revoke().code, "no-space")
        self.shop.now += KEPT_SECONDS + 1
        self.assertEqual(self.revoke().command, Command.ACK)


class WriteTests(CapabilityCase):
    def written(self, number: int = 9, **changes) -> Pack:
        return Pack(ALICE, number, **{"scope": SHARE, "signer": BOB, **changes})

    def test_a_piece_counts_twice(self) -> None:
        """What Bob brings is Alice's, counts in her room and in the capability's quota, and comes back to both."""
        pack, under = self.written(), self.under()
        before = self.shop.store.usage(ALICE.fingerprint).used
        self.assertEqual(self.shop.put(BOB, pack, **under).fields["used"], before + SIZE)
        self.assertEqual(self.stored(), SIZE)
        self.assertEqual(self.read(pack, **under).bytes, pack.pieces[0])
        self.assertEqual(self.shop.get(ALICE, pack).bytes, pack.pieces[0])
        self.assertEqual(self.shop.put(BOB, pack, **under).fields["used"], before + SIZE)
        self.assertEqual(self.stored(), SIZE)

    def test_the_quota_to_the_byte(self) -> None:
        """Exactly the quota fits, one byte less does not; the count survives a restart and goes with a deletion."""
        under = self.under(quota=2 * SIZE)
        self.assertIsNone(self.shop.put(BOB, self.written(9), **under).code)
        self.shop.crash()
        self.shop.open()
        self.assertEqual(self.shop.put(BOB, self.written(10), **self.under(quota=2 * SIZE - 1)).code, "no-space")
        self.assertIsNone(self.shop.put(BOB, self.written(10), **under).code)
        self.assertEqual(self.shop.put(BOB, self.written(11), **under).code, "no-space")
        order = ALICE.order(self.written(9).id).to_bytes()
        self.assertEqual(self.shop.ask(ALICE, Command.DELETE_FILE, None, order).fields, {"freed": SIZE})
        self.assertEqual(self.stored(), SIZE)
        self.assertIsNone(self.shop.put(BOB, self.written(11), **under).code)
        self.assertEqual(len(files(self.folder)), 5)

    def test_many_tiny_pieces(self) -> None:
        """Rows cost more than a byte: 64 pieces and entries are free, more need a KiB of quota each."""
        tiny = [self.written(20 + number, size=1) for number in range(67)]
        for pack in tiny[:66]:
            self.assertIsNone(self.shop.put(BOB, pack, **self.under(quota=2 * 1024)).code)
        self.assertEqual(self.shop.put(BOB, tiny[66], **self.under(quota=2 * 1024)).code, "no-space")
        entry = BOB.log(1, owner=ALICE.fingerprint, scope=SHARE)[0]
        self.assertEqual(self.shop.log(BOB, entry, **self.under(quota=2 * 1024)).code, "no-space")
        order = ALICE.order(tiny[0].id).to_bytes()
        self.shop.ask(ALICE, Command.DELETE_FILE, None, order)
        self.assertIsNone(self.shop.put(BOB, tiny[66], **self.under(quota=2 * 1024)).code)

    def test_the_owners_room_is_the_limit_too(self) -> None:
        """A large quota gives no more than Alice's contract has."""
        used = self.shop.store.usage(ALICE.fingerprint).used
        self.shop.hire(ALICE, used + SIZE - 1)
        self.assertEqual(self.shop.put(BOB, self.written(), **self.under()).code, "no-space")
        self.assertEqual(self.stored(), 0)

    def test_a_write_that_is_undone_costs_nothing(self) -> None:
        """Where the disk refuses the piece its name, neither count has moved."""
        self.shop.disk.rename = self.broken
        self.assertEqual(self.shop.put(BOB, self.written(), **self.under()).code, "internal")
        self.assertEqual(self.stored(), 0)
        self.assertEqual(self.shop.store.usage(ALICE.fingerprint).used, 3 * SIZE)

    def broken(self, old: Path, new: Path) -> None:
        raise OSError("the disk is broken")

    def test_revoked_while_the_bytes_came(self) -> None:
        """A piece whose capability is revoked before its last byte is not kept."""
        pack = self.written()
        grant = Capability.from_body(ShownCapability.from_bytes(self.under()["capability"]).body)
        intake = self.intake(pack, grant)
        self.revoke()
        error = self.failureResultOf(intake.store()).value
        self.assertEqual(error.code, "not-allowed")
        self.assertEqual(len(files(self.folder)), 3)

    def intake(self, pack: Pack, grant: Capability):
        name = PieceName(ALICE.fingerprint, pack.id, 0)
        intake = self.shop.store.receive(name, pack.record, pack.signed.to_bytes(), grant)
        intake.write(memoryview(pack.pieces[0]))
        return intake

    def test_records_that_are_refused(self) -> None:
        """Another scope, another owner, or a record that neither Alice nor the holder signed stores nothing."""
        under = self.under()
        for pack, code in (
            (self.written(scope=OTHER), "not-allowed"),
            (self.written(scope=None), "not-allowed"),
            (Pack(BOB, 9, scope=SHARE), "not-allowed"),
            (self.written(signer=MALLORY), "bad-signature"),
        ):
            self.assertEqual(self.shop.put(BOB, pack, **under).code, code)
        self.assertEqual(len(files(self.folder)), 3)
        self.assertIsNone(self.shop.put(BOB, self.written(signer=ALICE), **under).code)

    def test_a_log_only_grows(self) -> None:
        """Bob's device has a log of its own in the share; it counts in the quota, and nothing of Alice's is touched."""
        made = BOB.log(3, owner=ALICE.fingerprint, scope=SHARE)
        under = self.under(quota=len(made[0][0]) * 2)
        for entry in (made[0], made[0], made[1]):
            self.assertIsNone(self.shop.log(BOB, entry, **under).code)
        self.assertEqual(self.stored(), 2 * len(made[0][0]))
        self.assertEqual(self.shop.log(BOB, made[2], **under).code, "no-space")
        heads = decode(self.shop.ask(BOB, Command.RETRIEVE, "heads", **under).bytes, MIB)
        self.assertEqual(len(heads), 2)
        self.assertEqual(len(log_of(self.shop.store, ALICE.fingerprint, ALICE.device.id, 1, SHARE)), 2)

    def test_who_only_writes_a_log_shortens_it(self) -> None:
        """Who brings no files may forget what it said first, which gives its quota back; Alice's log stays whole."""
        made = BOB.log(4, owner=ALICE.fingerprint, scope=SHARE)
        size = len(made[0][0])
        under = self.under(Right.LOG, quota=size * 3)
        for entry in made[:3]:
            self.assertIsNone(self.shop.log(BOB, entry, **under).code)
        self.assertEqual(self.shop.log(BOB, made[3], **under).code, "no-space")
        shorter = BOB.sign(self.changed(Head.from_body(made[2][1].body), first=3))
        begun = BOB.sign(self.changed(Head.from_body(made[3][1].body), first=3))
        self.assertIsNone(self.shop.log(BOB, (made[2][0], shorter), **under).code)
        self.assertEqual(self.shop.log(BOB, (made[3][0], begun), **under).code, "no-space")
        roomy = self.under(Right.LOG, quota=size * 4)
        self.assertIsNone(self.shop.log(BOB, (made[3][0], begun), **roomy).code)
        self.assertEqual(self.stored(), 2 * size)
        left = log_of(self.shop.store, ALICE.fingerprint, BOB.device.id, 1, SHARE)
        self.assertEqual(left, [made[2][0], made[3][0]])
        self.assertEqual(len(log_of(self.shop.store, ALICE.fingerprint, ALICE.device.id, 1, SHARE)), 2)

    def test_logs_that_are_refused(self) -> None:
        """Alice's own log, another scope, a head that drops entries, and a head of another log are refused."""
        entry, signed = BOB.log(1, owner=ALICE.fingerprint, scope=SHARE)[0]
        head = Head.from_body(signed.body)
        covers = [{"device": ALICE.device.id, "sequence": 2}]
        last = Head.from_body(ALICE.log(2, scope=SHARE)[-1][1].body).hash
        hers = ALICE.log(1, start=3, previous=last, scope=SHARE)[0]
        for made, code in (
            (hers, "not-allowed"),
            (BOB.log(1, owner=ALICE.fingerprint, scope=OTHER)[0], "not-allowed"),
            (BOB.log(1, owner=ALICE.fingerprint)[0], "not-allowed"),
            ((entry, BOB.sign(self.changed(head, covers=covers))), "not-allowed"),
            ((entry, BOB.sign(self.changed(head, first=1))), "not-allowed"),
            ((entry, BOB.sign(self.changed(head, scope=OTHER))), "not-allowed"),
            ((entry, BOB.sign(self.changed(head, scope=None))), "not-allowed"),
            ((BOB.log(1, owner=ALICE.fingerprint, scope=OTHER)[0][0], signed), "bad-field"),
            ((entry, MALLORY.device.sign_record("head", signed.body)), "bad-signature"),
        ):
            self.assertEqual(self.shop.log(BOB, made, **self.under()).code, code)
        self.assertEqual(len(log_of(self.shop.store, ALICE.fingerprint, ALICE.device.id, 1, SHARE)), 2)
        self.assertEqual(self.shop.store.heads(ALICE.fingerprint, SHARE), [ALICE.log(2, scope=SHARE)[-1][1].to_bytes()])

    def changed(self, head: Head, **fields) -> Head:
        values = {name: getattr(head, name) for name in Head.FIELDS}
        return Head(**{**values, **fields})

    def test_after_a_notice_nothing_more_is_taken(self) -> None:
        """When Alice has notice, Bob may read on and write no more."""
        now(self.shop.store.reject(ALICE.fingerprint))
        self.assertEqual(self.shop.put(BOB, self.written(), **self.under()).code, "no-service")
        self.assertIsNone(self.code(**self.under()))
