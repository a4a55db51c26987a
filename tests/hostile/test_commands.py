"""Customers, holders of capabilities and strangers send whatever they like: what counts stays what is stored."""

import random
from pathlib import Path
from typing import Any

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from bitdust.formats.log_packet import SMALL, LogPacket, SmallPiece
from bitdust.wire.capability import Capability, Right, ShownCapability
from bitdust.wire.packet import Command
from tests.unit.supplier_kit import START, Pack, Person, Shop

ALICE, BOB, MALLORY = Person("alice"), Person("bob"), Person("mallory")
OWNERS = (ALICE, MALLORY)
SCOPE = b"s" * 16
SCOPES = (None, SCOPE)
QUOTA = 5000
PACKS = [
    *(Pack(ALICE, number) for number in range(4)),
    *(Pack(ALICE, number, scope=SCOPE) for number in range(10, 14)),
    *(Pack(ALICE, number, scope=SCOPE, signer=BOB) for number in range(20, 24)),
    *(Pack(MALLORY, number) for number in range(3)),
]
LOGS = {
    (who.name, owner.fingerprint, scope): who.log(8, owner=owner.fingerprint, scope=scope)
    for who in (ALICE, BOB, MALLORY)
    for owner in OWNERS
    for scope in SCOPES
}


class CommandsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.random = random.Random(7)
        self.shop = Shop(Path(self.mktemp()).resolve() / "customers", small=SMALL)
        self.shop.open()
        self.addCleanup(self.shop.crash)
        for person in OWNERS:
            self.shop.hire(person)
        for person in (ALICE, BOB, MALLORY):
            self.shop.documents[person.fingerprint] = person.document

    def capability(self) -> bytes | None:
        """None, or one of many."""
        if self.random.random() < 0.4:
            return None
        rights = self.random.sample(list(Right), self.random.randint(1, len(Right)))
        holder = self.random.choice((BOB.fingerprint, MALLORY.fingerprint, BOB.device.public))
        giver, ident = self.random.choice(OWNERS), self.random.choice((b"c" * 16, b"d" * 16))
        return giver.capability(holder, *rights, quota=QUOTA, scope=self.random.choice(SCOPES), id=ident)

    def piece(self) -> SmallPiece:
        """A small piece, some of them wrong."""
        pack, index = self.random.choice(PACKS), self.random.randrange(4)
        good = SmallPiece(index, pack.signed.to_bytes(), pack.pieces[index])
        changes = ({}, {}, {}, {}, {"index": 63}, {"data": bytes(len(good.data))}, {"record": good.record[:-1] + b"x"})
        return evolve(good, **self.random.choice(changes))

    def log(self, who: Person, **under: Any) -> Any:
        """Entries in order, or out of it, with small pieces."""
        writer = who if self.random.random() < 0.8 else self.random.choice((ALICE, BOB, MALLORY))
        entries = LOGS[writer.name, under["owner"], self.random.choice(SCOPES)]
        start = self.random.randrange(8)
        chosen = self.random.choice((entries[start : start + 4], entries[: start + 1], self.random.sample(entries, 3)))
        pieces = tuple(self.piece() for _ in range(self.random.randint(0, 4)))
        packet = LogPacket(tuple(data for data, _ in chosen), pieces).to_bytes()
        return self.shop.ask(who, Command.DATA, "log", packet, head=chosen[-1][1].to_bytes(), **under)

    def delete(self, who: Person, number: int, **under: Any) -> Any:
        """An order of anybody, with some packs twice."""
        packs = [self.random.choice(PACKS).id for _ in range(3)]
        order = self.random.choice((ALICE, BOB, MALLORY)).order(*packs, *packs[:1], time=START + number)
        return self.shop.ask(who, Command.DELETE_FILE, None, order.to_bytes(), **under)

    def read(self, who: Person, **under: Any) -> Any:
        """A piece; who is given one of another owner has shown that it may."""
        pack = self.random.choice(PACKS)
        said = self.shop.get(who, pack, self.random.randrange(4), **under)
        if said.code is None and who.fingerprint != pack.record.owner:
            shown = Capability.from_body(ShownCapability.from_bytes(under["capability"]).body)
            self.assertEqual((shown.owner, shown.scope), (pack.record.owner, pack.record.scope))
            self.assertIn(Right.READ, shown.rights)
        return said

    def check_accounts(self) -> None:
        """What is counted of each customer is what its rows have, and no piece has other bytes than it says."""
        one = self.shop.store._read.execute
        for who, *counted in one("SELECT fingerprint, used, pieces, log_bytes, record_bytes FROM customers").fetchall():
            stored = one("SELECT coalesce(sum(size), 0), count(*) FROM pieces WHERE customer=?", (who,)).fetchone()
            entries = one("SELECT coalesce(sum(length(entry)), 0) FROM log WHERE customer=?", (who,)).fetchone()
            records = [
                one(f"SELECT coalesce(sum(length(signed)), 0) FROM {table} WHERE customer=?", (who,)).fetchone()[0]
                for table in ("records", "revocations")
            ]
            self.assertEqual(counted, [*stored, *entries, sum(records)])
        wrong = one(
            "SELECT count(*) FROM pieces p LEFT JOIN small s USING (customer, pack, number) WHERE length(s.data)"
            " IS NOT p.size"
        ).fetchone()
        self.assertEqual(wrong, (0,))
        self.assertEqual(one("SELECT count(*) FROM pieces").fetchone(), one("SELECT count(*) FROM small").fetchone())
        self.assertEqual(one("SELECT count(*) FROM grants WHERE used>? OR items<0", (QUOTA,)).fetchone(), (0,))

    def test_anything_from_anybody(self) -> None:
        """Three thousand commands, right and wrong: accounts stay true, and nobody reads what was not given."""
        codes: set[str | None] = set()
        for number in range(3000):
            who = self.random.choice((ALICE, ALICE, BOB, MALLORY))
            under = {"owner": self.random.choice(OWNERS).fingerprint, "capability": self.capability()}
            kind = self.random.random()
            if kind < 0.6:
                said = self.log(who, **under)
            elif kind < 0.75:
                said = self.shop.put(who, self.random.choice(PACKS), self.random.randrange(4), **under)
            elif kind < 0.8:
                said = self.delete(who, number, **under)
            else:
                said = self.read(who, **under)
            codes.add(said.code)
            if number % 100 == 0:
                self.check_accounts()
        self.check_accounts()
        self.assertLessEqual({None, "not-allowed", "bad-signature", "conflict", "not-found", "stale"}, codes)
