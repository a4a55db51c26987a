"""Whoever stole a device makes up families: those whom they name stand beside mine, and give way to anybody else."""

import json
from pathlib import Path
from types import SimpleNamespace

from twisted.trial.unittest import SynchronousTestCase

from bitdust.crypt.device import DeviceKey
from bitdust.suppliers.family import MyFamily
from bitdust.suppliers.other_lives import MOST, OtherLives, _digest
from bitdust.wire.records import MAX_ALSO, Family
from tests.unit.family_kit import Me, Town
from tests.unit.supplier_kit import START, FakeDevice

DAY = 86_400


def people(number: int, count: int = 4) -> list[bytes]:
    """So many suppliers, others for each number."""
    return [bytes([number, one]) * 16 for one in range(count)]


class ForgedCase(SynchronousTestCase):
    """Of three devices of one identity the second one was stolen, and is revoked."""

    def setUp(self) -> None:
        self.me = Me("customer")
        self.thief, self.other = (DeviceKey.from_seed(name * 32) for name in (b"2", b"3"))
        devices = self.me.document.devices
        devices[self.thief.id] = FakeDevice(self.thief.public, revoked=2)
        devices[self.other.id] = FakeDevice(self.other.public)

    def record(self, device: DeviceKey, suppliers: list[bytes], revision: int = 7, **more):
        k, n = (len(suppliers) + 1) // 2, len(suppliers)
        family = Family(self.me.fingerprint, revision, k, n, START, suppliers, roots=[device.id], **more)
        return device.sign_record(family.KIND, family.to_body())

    def forged(self, number: int):
        return self.record(self.thief, people(number), 900 + number)


class FamilyTests(ForgedCase):
    def setUp(self) -> None:
        super().setUp()
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.family = self.loaded()
        self.mine = people(1)
        self.family.write(self.mine, [None] * 4)

    def loaded(self) -> MyFamily:
        world = SimpleNamespace(wall=lambda: float(START))
        family = MyFamily(SimpleNamespace(world=world, me=self.me), self.folder / "family")
        family.load()
        return family

    def flood(self, *numbers: int) -> None:
        for number in numbers or (11, 12, 13):
            self.assertTrue(self.family.take_guests(self.forged(number)))

    def beside(self) -> set[int]:
        """Numbers of those who stand beside mine."""
        return {who[0] for who in self.family.holders} - {1}

    def test_all_room_beside_my_suppliers(self) -> None:
        """A record of a device that counts is joined at once: as few guests as needed step aside, who came last first,
        and come back when there is room."""
        self.flood()
        self.assertEqual(len(self.family.current.also), MAX_ALSO)
        self.assertTrue(self.family.adopt(self.record(self.other, people(2))))
        self.assertEqual(self.beside(), {2, 11, 12})
        self.assertTrue({*self.mine} <= {*self.family.holders})
        self.family.take_again()
        self.assertEqual(self.beside(), {2, 11, 12})
        again = self.loaded()
        gone = [one for one in again.current.also if one["supplier"][0] != 11]
        again.write(self.mine, [None] * 4, [None] * 4, also=[(one["place"], one["supplier"]) for one in gone])
        again.take_again()
        self.assertEqual({who[0] for who in again.holders}, {1, 2, 11, 12, 13} - {11})

    def test_who_leaves_for_another_reason(self) -> None:
        """A forged record that names who leaves a place of mine already makes no guest of that one."""
        self.family.write([people(3)[0], *self.mine[1:]], [None] * 4, [self.mine[0], None, None, None])
        self.assertTrue(self.family.take_guests(self.record(self.thief, [self.mine[0], *people(11)[1:]])))
        self.flood(12, 13)
        self.assertTrue(self.family.adopt(self.record(self.other, people(2))))
        self.assertIn(self.mine[0], self.family.holders)
        self.assertTrue({*people(2)} <= {*self.family.holders})

    def test_a_guest_whom_the_true_record_names(self) -> None:
        """Whoever steps aside is not one of those who are joined."""
        self.flood(11, 12)
        self.assertTrue(self.family.take_guests(self.record(self.thief, people(2), 950)))
        self.assertTrue(self.family.adopt(self.record(self.other, people(2))))
        self.assertTrue({*people(2)} <= {*self.family.holders})

    def test_a_record_that_cannot_be_used_any_more(self) -> None:
        """A guest whose device is known no more does not come back, and keeps nobody else from it."""
        self.flood()
        self.assertTrue(self.family.adopt(self.record(self.other, people(2))))
        del self.me.document.devices[self.thief.id]
        self.family.write(self.mine, [None] * 4, [None] * 4, also=())
        self.family.take_again()
        self.assertEqual(self.beside(), set())
        rows = json.loads((self.folder / "family.others").read_bytes())["lives"]
        self.assertNotIn(True, [row["aside"] for row in rows])


    def test_guests_of_whom_nobody_knows_that(self) -> None:
        """In a file of the second format they have no names: all of them are waited for, as they were."""
        self.flood()
        for name in ("family.others", "family.others.copy"):
            second_format(self.folder / name)
        self.family = self.loaded()
        before = self.family.current
        self.assertFalse(self.family.adopt(self.record(self.other, people(2))))
        self.assertEqual((self.family.current, self.family.has_guests), (before, False))
        rows = json.loads((self.folder / "family.others").read_bytes())["lives"]
        self.assertEqual([row.get("aside", False) for row in rows], [False] * 3)


def second_format(path: Path) -> None:
    """Bring a list of lives to it."""
    rows = json.loads(path.read_bytes())["lives"]
    for row in rows:
        del row["guests"], row["aside"]
    path.write_text(json.dumps({"lives": rows, "digest": _digest(rows)}))


class ManyLivesTests(ForgedCase):
    def setUp(self) -> None:
        super().setUp()
        self.path = Path(self.mktemp())
        self.lives = OtherLives(self.path)

    def known(self) -> list[int]:
        return [one.family.suppliers[0][0] for one in OtherLives(self.path)._known()]

    def test_more_than_are_remembered(self) -> None:
        """Guests push nobody out; where all room is taken one that counts takes that of a guest, the last one's first,
        and where none is left nothing is forgotten for it."""
        for number in range(MOST - 2):
            self.assertTrue(self.lives.note(self.record(self.other, people(100 + number))))
        for number in (11, 12, 13):
            self.assertEqual(self.lives.note(self.forged(number), START + DAY, people(number)), number < 13)
        for number, left in ((21, {11, 21}), (22, {21, 22}), (23, {21, 22})):
            self.assertEqual(self.lives.note(self.record(self.other, people(number))), number < 23)
            self.assertEqual({one for one in self.known() if one < 100}, left)
        self.assertEqual(len(self.known()), MOST)

    def test_a_file_of_the_second_format(self) -> None:
        """One with an end is of guests who are not known by name, and one without it counts."""
        self.lives.note(self.forged(11), START + DAY, people(11))
        self.lives.note(self.record(self.other, people(2)))
        second_format(self.path)
        first, second = OtherLives(self.path)._known()
        self.assertEqual((first.guests, first.is_aside, second.guests, second.is_aside), (None, False, (), False))


class ReplacedTests(ForgedCase):
    """The same in a little world, where a supplier of mine dies meanwhile."""

    def setUp(self) -> None:
        super().setUp()
        self.town = Town(Path(self.mktemp()), 4)
        self.addCleanup(self.town.stop)
        self.me = self.town.me
        self.me.document.devices[self.thief.id] = FakeDevice(self.thief.public, revoked=2)
        self.town.start()
        self.town.clock.advance(1)

    def test_a_supplier_that_is_lost(self) -> None:
        """Its place goes to another one, though forged guests have taken all room beside it."""
        family = self.town.family
        guests = [who for number in (11, 12, 13) for who in people(number)]
        self.town.unread = self.town.unlisted = {*guests}
        for number in (11, 12, 13):
            self.assertTrue(family.take_guests(self.forged(number)))
        lost = family.members[0]
        self.town.add("newcomer")
        self.town.requests.replace(lost, None)
        self.town.clock.pump([1] * 120)
        self.assertNotIn(lost, family.members)
        self.assertIn(lost, family.holders)
