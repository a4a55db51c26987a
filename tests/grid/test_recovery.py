"""Coming back from a key file alone: whoever is gone, however old the file is, and however long its owner was away."""

import shutil
from pathlib import Path

from twisted.internet.defer import succeed

from bitdust.identity.awaited import FAMILY
from bitdust.suppliers.family_before import DAY, HELD_DAYS
from bitdust.testing.grid import GridNode
from tests.grid.test_main_job import NO_SUPPLIER, GridCase

QUICKLY = 10.0
"""Seconds from the key file to a storage that can be read, with half of the family switched off."""


class RecoveryCase(GridCase):
    def lose(self, node: GridNode) -> None:
        node.kill()
        shutil.rmtree(node.home)

    def begin(self, key_file: Path, name: str = "alice-again", revoke_others: bool = False) -> GridNode:
        """A node that knows nothing but the key file, and has just been given it."""
        node = self.grid.add_stranger(name)
        node.start()
        node.recovering = node.rooms.identity.registration.recover(key_file.read_text(), None, None, revoke_others)
        node.recovering.addErrback(lambda failure: setattr(node, "failure", failure))
        return node

    def uploaded(self, suppliers: int) -> tuple[GridNode, Path, bytes]:
        self.add_suppliers(suppliers)
        alice = self.add_customer(**{"services/customer/suppliers-number": suppliers})
        path, data = self.file("file", 300_000)
        self.upload(alice, path, "file")
        self.grid.run(5)
        return alice, self.key_file(alice), data

    def comes_back(self, node: GridNode, data: bytes) -> None:
        self.download(node, "file", self.base / "back")
        self.assertEqual((self.base / "back" / "file").read_bytes(), data)

    def members(self, node: GridNode) -> list[GridNode]:
        """Suppliers by place."""
        by_name = {one.fingerprint: one for one in self.suppliers}
        return [by_name[who] for who in node.rooms.suppliers.family.members]


class SwitchedOffTests(RecoveryCase):
    """The machines of the others swallow packets; so does that of the ID server."""

    def half(self, suppliers: int, *patterns: tuple[int, ...]) -> None:
        """Recover again and again from one key file, with other machines gone each time."""
        alice, key_file, data = self.uploaded(suppliers)
        members = self.members(alice)
        self.lose(alice)
        for number, gone in enumerate(patterns):
            away = {self.seed.address, *(members[place].address for place in gone)}
            self.grid.network.cut = lambda one, other, away=away: one in away or other in away
            again = self.quickly(key_file, data, f"alice-{number}")
            self.lose(again)
            self.grid.network.cut = lambda one, other: False
            self.grid.run(20)

    def quickly(self, key_file: Path, data: bytes, name: str) -> GridNode:
        begun = self.grid.clock.seconds()
        again = self.begin(key_file, name)
        self.grid.until(lambda: again.is_on("my_data"), 60, "the recovery")
        self.assertLess(self.grid.clock.seconds() - begun, QUICKLY)
        self.comes_back(again, data)
        return again

    def test_half_of_four(self) -> None:
        """Any two of four give everything back in less than ten seconds."""
        self.half(4, (0, 1), (2, 3))

    def test_half_of_six(self) -> None:
        """Any three of six do."""
        self.half(6, (1, 3, 4), (0, 2, 5))

    def test_three_of_seven(self) -> None:
        """Any four of seven do, and all of them with the ID server alone away."""
        self.half(7, (0, 2, 5), ())


class OldKeyFileTests(RecoveryCase):
    def replaced(self, count: int) -> tuple[GridNode, Path, bytes]:
        """A customer that has got other suppliers in so many places since it wrote its key file."""
        alice, key_file, data = self.uploaded(4)
        self.add_suppliers(count)
        for place in range(count):
            former = self.members(alice)[place]
            alice.rooms.suppliers.requests.replace(former.fingerprint, None)
            self.grid.until(
                lambda former=former: former.fingerprint not in alice.rooms.suppliers.family.holders, 900, "a successor"
            )
            former.kill()
        self.grid.run(5)
        return alice, key_file, data

    def test_older_than_three_replacements(self) -> None:
        """Neither the DHT nor one of the three former suppliers knows the family: suppliers at large do."""
        alice, key_file, data = self.replaced(3)
        family = alice.rooms.suppliers.family.current
        self.lose(alice)
        again = self.grid.add_stranger("alice-again")
        again.rooms.dht.directory.my_family = lambda: succeed(None)
        again.start()
        self.grid.wait(again.rooms.identity.registration.recover(key_file.read_text(), None, None), 300)
        self.grid.until(lambda: again.is_on("my_data"), 300, "the recovery")
        self.comes_back(again, data)
        found = again.rooms.suppliers.family.current
        self.assertEqual((found.revision, found.suppliers), (family.revision, family.suppliers))

    def test_nothing_but_the_key(self) -> None:
        """Without a name, a hint, or a record in the DHT, suppliers at large give identity and family to the key."""
        alice, key_file, data = self.uploaded(4)
        self.add_suppliers(4)
        key_file.write_text(key_file.read_text().partition("-----BEGIN BITDUST HINTS")[0].partition("\n")[2])
        self.lose(alice)
        again = self.grid.add("alice-again", **NO_SUPPLIER)
        directory = again.rooms.dht.directory
        directory.identity_of = lambda fingerprint: succeed(None)
        directory.my_family = lambda: succeed(None)
        again.start()
        self.grid.wait(again.rooms.identity.registration.recover(key_file.read_text(), None, None), 300)
        self.grid.until(lambda: again.is_on("my_data"), 300, "the recovery")
        self.comes_back(again, data)

    def test_nobody_is_there(self) -> None:
        """With nobody in reach it hires nobody, says what it waits for, and goes on when they are back."""
        alice, key_file, data = self.uploaded(4)
        members = {one.address for one in self.suppliers}
        self.add_suppliers(4)
        self.lose(alice)
        self.grid.network.cut = lambda one, other: (one in members) != (other in members)
        again = self.begin(key_file)
        again.rooms.dht.directory.my_family = lambda: succeed(None)
        self.grid.run(600, 0.1)
        me, hiring = again.rooms.identity.me, again.rooms.suppliers.hiring
        self.assertTrue(me.awaits(FAMILY))
        self.assertIsNone(again.rooms.suppliers.family.current)
        self.assertIn("the family of this identity is searched for", hiring.reason)
        self.assertEqual([one for one in self.suppliers if one.rooms.customers.store.contract_of(me.fingerprint)
                          and one.address not in members], [])  # fmt: skip
        self.grid.network.cut = lambda one, other: False
        self.grid.until(lambda: again.is_on("my_data"), 400, "the recovery")
        self.comes_back(again, data)

    def test_the_person_waits_no_longer(self) -> None:
        """On the person's word a family is hired and a secret is made, and files can be stored again. The family of
        before is looked for all the same: when it is in reach again, both lives go on as one, and an event says so."""
        alice, key_file, data = self.uploaded(4)
        members = {one.address for one in self.suppliers}
        self.add_suppliers(4)
        self.lose(alice)
        self.grid.network.cut = lambda one, other: (one in members) != (other in members)
        again = self.begin(key_file)
        again.rooms.dht.directory.my_family = lambda: succeed(None)
        self.grid.run(60)
        self.assertTrue(again.rooms.identity.me.is_recovering)
        again.rooms.identity.me.start_over()
        self.grid.until(lambda: again.is_on("my_data"), 300, "a new storage")
        path, _ = self.file("new")
        self.upload(again, path, "new")
        self.assertTrue(again.rooms.suppliers.former.is_searching)
        again.stop()
        again = again.again("10.0.9.9")
        self.grid.network.cut = lambda one, other: False
        self.grid.until(lambda: again.is_on("my_data") and again.rooms.storage.exists("file"), 1200, "files of before")
        self.assertFalse(again.rooms.suppliers.former.is_searching)
        family = again.rooms.suppliers.family
        self.assertEqual({one.fingerprint for one in self.suppliers} - {*family.holders}, set())
        self.comes_back(again, data)
        if family.is_doubtful:
            self.grid.clock.advance(HELD_DAYS * DAY)
        self.grid.until(lambda: family.current.leaving is None, 2 * 3600, "the end of the changes")
        self.comes_back(again, data)
        told = [event.data["suppliers"] for event in again.node.events.since(0) if event.id == "former-family-found"]
        self.assertEqual(told, [4])


    def test_the_lost_device_is_revoked(self) -> None:
        """What it had stored before that comes back as well, from a family that it had signed, after two days."""
        alice, key_file, data = self.uploaded(4)
        former = {node.address for node in self.members(alice)}
        self.lose(alice)
        self.add_suppliers(4)
        self.grid.network.cut = lambda one, other: (one in former) != (other in former)
        again = self.begin(key_file, "alice-later", revoke_others=True)
        again.rooms.dht.directory.my_family = lambda: succeed(None)
        self.grid.run(60)
        again.rooms.identity.me.start_over()
        self.grid.until(lambda: again.is_on("my_data"), 300, "a new storage")
        path, _ = self.file("new")
        self.upload(again, path, "new")
        mine = again.rooms.suppliers.family.members
        self.grid.network.cut = lambda one, other: False
        for _ in range(4):
            self.grid.clock.advance(DAY)
            self.grid.run(60)
        self.grid.until(lambda: again.rooms.storage.exists("file"), 2 * DAY, "files of before")
        self.comes_back(again, data)
        family = again.rooms.suppliers.family
        self.grid.until(lambda: family.current.leaving is None, 2 * 3600, "the end of the changes")
        self.assertEqual(family.members, mine)
        self.comes_back(again, data)


class AwayTests(RecoveryCase):
    """The owner is away for long, its home is lost, and the key file was written before anybody was hired."""

    def away(self, *days: int) -> None:
        """All nodes are off so many days at a time, and on for some minutes between; the first one forgets all."""
        self.add_suppliers(4)
        alice = self.grid.add("alice", **NO_SUPPLIER)
        alice.start()
        alice.create_identity()
        key_file = self.key_file(alice)
        key_file.write_text(key_file.read_text().partition("-----BEGIN BITDUST HINTS")[0])
        self.grid.until(lambda: alice.is_on("my_data"), 300, "the storage")
        path, data = self.file("file", 300_000)
        self.upload(alice, path, "file")
        self.grid.run(5)
        self.lose(alice)
        for several in days:
            self.sleep(several)
        again = self.grid.add("alice-again")
        again.start()
        self.grid.wait(again.rooms.identity.registration.recover(key_file.read_text(), None, None), 300)
        self.grid.until(lambda: again.is_on("my_data"), 300, "the recovery")
        self.comes_back(again, data)
        self.assertFalse(again.rooms.identity.me.is_recovering)

    def sleep(self, days: int) -> None:
        nodes = [self.seed, *self.suppliers]
        for node in reversed(nodes):
            node.stop()
        self.grid.run(1)
        self.grid.clock.rightNow += days * 86_400
        shutil.rmtree(self.seed.home)
        self.seed.settings |= {"services/identity-server/enabled": False}
        for node in nodes:
            node.node = node._build()
            node.start()
        self.grid.until(lambda: all(one.is_on("supplier") for one in self.suppliers), 300, "the suppliers")
        self.grid.run(400, 0.1)

    def test_forty_days(self) -> None:
        """Suppliers bring family and identity to the DHT again after they were off, and all comes back."""
        self.away(40)

    def test_four_hundred_days(self) -> None:
        """As long as the contracts run everything can be found, though nobody but the suppliers knows anything."""
        self.away(100, 200, 100)
