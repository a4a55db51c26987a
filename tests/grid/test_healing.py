"""Families that heal while their owner is away: whole nodes in memory, a mandate of minutes in the place of days."""

import shutil
import sqlite3

from bitdust.suppliers import mandates
from bitdust.testing.grid import GridNode
from bitdust.wire.signed import Signed
from tests.grid.test_shares import PeopleCase

DAY = 20
AFTER = 7 * DAY


class HealingCase(PeopleCase):
    def family_of(self, count: int, spares: int, **settings) -> GridNode:
        """A customer with so many suppliers and spares, whose mandate lets members act after a few minutes."""
        self.patch(mandates, "DAY", DAY)
        self.add_suppliers(count)
        settings = {"services/customer/suppliers-number": count, "services/employer/healing-spares": spares} | settings
        node = self.add_customer(**settings)
        self.add_suppliers(spares)
        node.rooms.suppliers.mandates.search_again()
        self.grid.until(lambda: self.spares_of(node) == spares, 60, "the mandate")
        self.grid.run(5)
        return node

    def spares_of(self, node: GridNode) -> int:
        mandate = node.rooms.suppliers.family.current.mandate
        return len(mandate.spares) if mandate is not None else 0

    def node_of(self, fingerprint: bytes) -> GridNode:
        return next(one for one in self.suppliers if one.fingerprint == fingerprint)

    def at(self, customer: GridNode, place: int) -> GridNode:
        return self.node_of(customer.rooms.suppliers.family.current.suppliers[place])

    def pieces(self, node: GridNode, customer: bytes, place: int) -> dict[bytes, bytes]:
        """Every piece of a place that a node has on its disk, by pack."""
        database = sqlite3.connect(node.home / "customers.db")
        self.addCleanup(database.close)
        rows = database.execute(
            "SELECT p.pack, s.data FROM pieces p LEFT JOIN small s ON (p.customer, p.pack, p.number) ="
            " (s.customer, s.pack, s.number) WHERE p.customer=? AND p.number=?",
            (customer, place),
        ).fetchall()
        folder = node.home / "customers" / customer.hex()
        return {
            pack: data if data is not None else (folder / pack.hex()[:2] / f"{pack.hex()}.{place}").read_bytes()
            for pack, data in rows
        }

    def spare_at(self, customer: bytes, place: int, asked: GridNode) -> GridNode | None:
        """Who stands in at a place, as another node knows it."""
        bench = asked.rooms.customers.healing.councils.bench(customer)
        spare = bench.spare_at(place) if bench is not None else None
        return self.node_of(spare) if spare is not None else None

    def is_whole(self, customer: bytes, place: int, asked: GridNode) -> bool:
        spare = self.spare_at(customer, place, asked)
        states = dict(spare.rooms.customers.healing.stand_ins.states()) if spare is not None else {}
        return states.get(customer) == "WHOLE"

    def heal(self, customer: bytes, place: int, asked: GridNode) -> GridNode:
        """Let time pass until a spare has made everything of a place."""
        self.later(lambda: self.is_whole(customer, place, asked), 4 * AFTER)
        return self.spare_at(customer, place, asked)


    def later(self, condition, seconds: float) -> None:
        """Let so much time pass at most, in larger steps, until something holds."""
        end = self.grid.clock.seconds() + seconds
        while not condition():
            self.assertLess(self.grid.clock.seconds(), end, "it has not come to that")
            self.grid.run(2, 0.1)


class HealingTests(HealingCase):
    def test_a_member_that_never_comes_back(self) -> None:
        """With the owner off a spare makes every piece of the dead member's place, byte for byte."""
        alice = self.family_of(6, 3)
        for number in range(3):
            path, data = self.file(f"file-{number}", 400_000)
            self.upload(alice, path, f"file-{number}")
        self.grid.run(5)
        mine, dead = alice.fingerprint, self.at(alice, 2)
        other = self.at(alice, 0)
        alice.kill()
        dead.kill()
        self.grid.run(AFTER / 2)
        self.assertIsNone(self.spare_at(mine, 2, other))
        spare = self.heal(mine, 2, other)
        self.assertEqual(self.pieces(spare, mine, 2), self.pieces(dead, mine, 2))

    def test_death_after_death(self) -> None:
        """With healing between more die than could ever die at once, and a key file gives everything back."""
        alice = self.family_of(4, 3, **{"services/backups/block-size": 65536})
        path, data = self.file("file", 500_000)
        self.upload(alice, path, "file")
        self.grid.run(5)
        mine, key_file = alice.fingerprint, self.key_file(alice)
        members = [self.at(alice, place) for place in range(4)]
        alice.kill()
        shutil.rmtree(alice.home)
        for place in (0, 1, 2):
            members[place].kill()
            spare = self.heal(mine, place, members[3])
            self.assertEqual(self.pieces(spare, mine, place), self.pieces(members[place], mine, place))
            self.grid.run(DAY, 0.1)
        again = self.recover(key_file)
        self.download(again, "file", self.base / "back")
        self.assertEqual((self.base / "back" / "file").read_bytes(), data)

    def test_what_guests_brought(self) -> None:
        """A spare makes the pieces of what guests bring to a share while its owner is off, too."""
        self.alice = self.family_of(4, 2)
        self.bob = self.add_visitor("bob")
        self.grid.until(lambda: self.alice.is_on("shared_data"), 60, "shares")
        key = self.create()
        self.grant(key)
        self.api(self.bob, "share_open", key_id=key)
        mine, dead, other = self.alice.fingerprint, self.at(self.alice, 1), self.at(self.alice, 0)
        self.alice.kill()
        self.put(self.bob, key, "cake")
        self.grid.run(5)
        dead.kill()
        spare = self.heal(mine, 1, other)
        made = self.pieces(spare, mine, 1)
        self.assertEqual((len(made), made), (1, self.pieces(dead, mine, 1)))
        heads = [one.rooms.customers.store.heads(mine) for one in (spare, other)]
        self.assertEqual(sorted(heads[0]), sorted(heads[1]))
        guest = self.bob.rooms.identity.me.device.id
        self.assertIn(guest, [Signed.from_bytes(data, "head").device for data in heads[0]])

    def test_a_partition_that_heals(self) -> None:
        """A member that was cut off keeps its place when its owner is back; the spare gets a word and erases all."""
        alice = self.family_of(4, 2)
        path, data = self.file("file", 300_000)
        self.upload(alice, path, "file")
        self.grid.run(5)
        mine, away, other = alice.fingerprint, self.at(alice, 1), self.at(alice, 0)
        family = alice.rooms.suppliers.family.current
        self.grid.network.cut = lambda one, two: alice.address in (one, two) or away.address in (one, two)
        spare = self.heal(mine, 1, other)
        self.assertEqual(self.pieces(spare, mine, 1), self.pieces(away, mine, 1))
        self.grid.network.cut = lambda one, two: False
        found = alice.rooms.suppliers.spares
        self.later(lambda: spare.fingerprint in found.known() or not self.pieces(spare, mine, 1), 120)
        self.later(lambda: not self.pieces(spare, mine, 1), 300)
        self.assertEqual(alice.rooms.suppliers.family.current.suppliers, family.suppliers)
        self.assertIsNone(self.spare_at(mine, 1, other))
        self.assertEqual(len(self.pieces(away, mine, 1)), 1)
        self.download(alice, "file", self.base / "back")
        self.assertEqual((self.base / "back" / "file").read_bytes(), data)
