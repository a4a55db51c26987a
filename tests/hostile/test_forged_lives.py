"""Whoever stole a device makes up families: those whom they name stand beside mine, and give way to anybody else."""

import json
from pathlib import Path
from types import SimpleNamespace

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from bitdust.crypt.device import DeviceKey
from bitdust.suppliers.family import MyFamily
from bitdust.suppliers.life import GUEST_DAYS
from bitdust.suppliers.membership import Membership
from bitdust.suppliers.other_lives import MOST, OtherLives, _digest
from bitdust.wire.records import MAX_ALSO, Family
from tests.stand_ins import StoredAsSaid
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
        self.now = float(START)
        self.family = self.loaded()
        self.mine = people(1)
        self.family.write(self.mine, [None] * 4)

    def loaded(self) -> MyFamily:
        world = SimpleNamespace(wall=lambda: self.now)
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

    def test_a_change_of_the_same_moment(self) -> None:
        """Another device that knew of no guests has changed the record meanwhile: what it says counts, and guests step
        aside for it as they do for another life."""
        third = people(40)
        self.family.write(self.mine, [None] * 4, third)
        before = self.family.current
        self.flood(11, 12)
        newcomer, replaced = people(210)[3], people(200)[3]
        theirs = evolve(
            before,
            revision=self.family.current.revision,
            suppliers=[*self.mine[:3], newcomer],
            also=[{"place": 3, "supplier": self.mine[3]}, {"place": 3, "supplier": replaced}],
        )
        self.assertTrue(self.family.reconcile(self.other.sign_record(theirs.KIND, theirs.to_body())))
        self.assertLessEqual({*self.mine, *third, newcomer, replaced}, {*self.family.holders})
        self.assertEqual(self.beside() & {11, 12}, {11})
        self.family.write(self.mine, [None] * 4, [None] * 4, also=())
        self.family.take_again()
        self.assertIn(12, self.beside())

    def test_guests_beyond_my_places(self) -> None:
        """Those of a larger family stand at the last places that there are: no number of suppliers that is wanted later
        makes members of them, and those of one record hide none of another one."""
        for number in (11, 12):
            self.assertTrue(self.family.take_guests(self.record(self.thief, people(number, 6), 900 + number)))
        self.assertLessEqual({*people(11, 6), *people(12, 6)}, {*self.family.holders})
        around = SimpleNamespace(events=SimpleNamespace(send=lambda *told: None), identities={})
        membership = Membership(around, self.family)
        membership.want(7)
        for place in (4, 5, 6):
            self.assertTrue(membership.give(place, people(50 + place)[0], None))
        membership.resize(7)
        self.assertEqual({who[0] for who in self.family.members}, {1, 54, 55, 56})
        self.assertLessEqual({*people(11, 6), *people(12, 6)}, {*self.family.holders})

    def test_guests_at_places_that_are_wanted(self) -> None:
        """Where they take all places that there are, those that are wanted become vacant, whichever device wants them:
        nobody is hired by being read, and all are read in the end."""
        self.assertTrue(self.family.take_guests(self.record(self.thief, people(11, 64), 911)))
        around = SimpleNamespace(events=SimpleNamespace(send=lambda *told: None), identities={})
        membership = Membership(around, self.family)
        self.family.changed.connect(self.family.take_again)
        for is_mine in (True, False):
            membership.want(4)
            self.assertLessEqual({*people(11, 64)}, {*self.family.holders})
            theirs = evolve(self.family.current, revision=self.family.current.revision + 1, wanted=7)
            if is_mine:
                membership.want(7)
            else:
                self.assertTrue(self.family.adopt(self.other.sign_record(theirs.KIND, theirs.to_body())))
            self.assertEqual({*self.family.current.seats[4:7]} - {None}, set())
        for place in (4, 5, 6):
            self.assertTrue(membership.give(place, people(50 + place)[0], None))
        membership.resize(7)
        self.assertEqual({who[0] for who in self.family.members}, {1, 54, 55, 56})
        self.family.take_again()
        self.assertLessEqual({*people(11, 64)}, {*self.family.holders})

    def test_guests_at_places_of_a_larger_life(self) -> None:
        """It keeps them when it is joined: nobody is hired by being read."""
        self.assertTrue(self.family.take_guests(self.record(self.thief, people(11, 64), 911)))
        self.assertTrue(self.family.adopt(self.record(self.other, people(20, 7))))
        self.assertEqual(self.family.members, [*self.mine, *people(20, 7)[4:]])

    def test_guests_at_places_that_another_device_has_given(self) -> None:
        """The same where it did so at the same moment, whichever of the two has guests there."""
        before = self.family.current
        self.assertTrue(self.family.take_guests(self.record(self.thief, people(11, 64), 911)))
        with_guests = self.family.current
        larger = evolve(before, k=4, n=7, suppliers=[*self.mine, *people(20, 3)], addresses=None, former=4)
        for mine, other in ((with_guests, larger), (larger, with_guests)):
            self.family._keep(mine, self.family.signed)
            self.family.write(mine.suppliers, [None] * mine.n)
            theirs = evolve(other, revision=self.family.current.revision)
            self.assertTrue(self.family.reconcile(self.other.sign_record(theirs.KIND, theirs.to_body())))
            self.assertEqual(self.family.members, larger.suppliers)

    def test_those_who_leave_there(self) -> None:
        """Whoever leaves a place of the other record, or waits for its turn, is read as well."""
        also = [{"place": 0, "supplier": people(13)[0]}]
        theirs = self.record(self.thief, people(11), leaving=people(12), also=also)
        self.assertTrue(self.family.take_guests(theirs))
        self.assertEqual(self.beside(), {11, 12, 13})

    def test_more_than_there_are_places(self) -> None:
        """A record is read when all whom it names have room, and waits before."""
        for number in (11, 12):
            record = self.record(self.thief, people(number, 40), 900 + number)
            self.assertTrue(self.family.take_guests(record))
        self.assertEqual((self.beside(), self.family.has_guests_aside), ({11}, True))

    def test_another_life_of_the_same_revision(self) -> None:
        """Where there is no room for it, it is not joined by another way either: nobody is forgotten."""
        join_true_lives(self, self.family)
        before = self.family.current
        theirs = self.record(self.other, people(5), before.revision)
        self.assertFalse(self.family.adopt(theirs))
        self.assertFalse(self.family.reconcile(theirs))
        self.assertEqual(self.family.current, before)

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

    def test_guests_who_free_no_place(self) -> None:
        """Where lives that count take all room beside my suppliers nobody is forgotten for guests beyond the family, or
        for some of a life that counts: no place is given."""
        join_true_lives(self, self.family)
        made_up = [*self.family.members, *people(99, 2)]
        self.assertTrue(self.family.take_guests(self.record(self.thief, made_up, 950)))
        before = self.family.current
        self.assertFalse(self.family.has_room)
        around = SimpleNamespace(events=SimpleNamespace(send=lambda *told: None), identities=None)
        self.assertFalse(Membership(around, self.family).give(0, people(98)[0], None))
        self.assertEqual(self.family.current, before)

    def test_a_record_that_is_taken_twice(self) -> None:
        """Those whom it names can step aside still; they are waited for no longer, and what was read stays so."""
        self.flood()
        stored = StoredAsSaid()
        stored.unlisted = {*self.family.holders}
        self.family.note_read(stored)
        self.assertEqual([row["read"] for row in self.lives_of_file()], [True] * 3)
        before = self.lives_of_file()
        self.now += 5 * DAY
        self.flood()
        self.assertEqual(sorted(self.lives_of_file(), key=str), sorted(before, key=str))
        self.assertTrue(self.family.adopt(self.record(self.other, people(2))))
        self.assertEqual(len(self.beside() & {11, 12, 13}), 2)

    def test_guests_who_are_aside(self) -> None:
        """They are waited for until a moment that was noted when they came first, wherever they have been since."""
        stored = StoredAsSaid()
        stored.unread = stored.unlisted = {*people(2), *people(11), *people(12), *people(13), *self.mine}
        self.flood()
        self.assertFalse(self.family.has_guests_aside)
        self.assertTrue(self.family.adopt(self.record(self.other, people(2))))
        self.assertTrue(self.family.has_guests_aside)
        self.now += 5 * DAY
        self.family.take_guests(self.forged(13))
        ends = {row["until"] for row in self.lives_of_file() if row["guests"] is not None}
        self.assertEqual(ends, {START + GUEST_DAYS * DAY})
        stored.past = START + GUEST_DAYS * DAY
        self.family.note_read(stored)
        self.assertTrue(self.family.has_guests_aside)
        stored.past += 1
        self.family.note_read(stored)
        self.assertFalse(self.family.has_guests_aside)
        self.assertEqual([row["guests"] for row in self.lives_of_file()], [None])

    def lives_of_file(self) -> list[dict]:
        return json.loads((self.folder / "family.others").read_bytes())["lives"]

    def test_a_life_that_was_joined_before_its_device_was_revoked(self) -> None:
        """Its record makes no guests of those who were joined."""
        record = self.record(self.other, people(2))
        self.assertTrue(self.family.adopt(record))
        before = self.lives_of_file()
        self.me.document.devices[self.other.id] = FakeDevice(self.other.public, revoked=3)
        self.assertTrue(self.family.take_guests(record))
        self.assertEqual(self.lives_of_file(), before)

    def test_each_change_takes_them_again(self) -> None:
        """Guests who come back while others do so are the same guests."""
        self.flood()
        self.assertTrue(self.family.adopt(self.record(self.other, people(2))))
        third = DeviceKey.from_seed(b"7" * 32)
        self.me.document.devices[third.id] = FakeDevice(third.public)
        self.assertTrue(self.family.adopt(self.record(third, people(3))))
        self.assertEqual(sum(row["aside"] for row in self.lives_of_file()), 2)
        self.family.changed.connect(self.family.take_again)
        self.family.write(self.mine, [None] * 4, [None] * 4, also=())
        revision = self.family.current.revision
        rows = [row for row in self.lives_of_file() if row["guests"] is not None]
        self.assertEqual([(row["aside"], len(row["guests"])) for row in rows], [(False, 4)] * 3)
        self.assertEqual({11, 12, 13} & self.beside(), {12, 13})
        self.family.take_again()
        self.assertEqual(self.family.current.revision, revision)

    def test_guests_of_whom_nobody_knows_that(self) -> None:
        """In a file of the second format they have no names: all of them are waited for, as they were."""
        self.flood()
        for name in ("family.others", "family.others.copy"):
            second_format(self.folder / name)
        self.family = self.loaded()
        before = self.family.current
        self.assertFalse(self.family.adopt(self.record(self.other, people(2))))
        self.assertEqual((self.family.current, self.family.has_room), (before, False))
        rows = json.loads((self.folder / "family.others").read_bytes())["lives"]
        self.assertEqual([row.get("aside", False) for row in rows], [False] * 3)


def join_true_lives(case: ForgedCase, family: MyFamily) -> None:
    """Three lives of devices that count are joined, whose suppliers take all room beside mine."""
    for number in (2, 3, 4):
        device = DeviceKey.from_seed(bytes([60 + number]) * 32)
        case.me.document.devices[device.id] = FakeDevice(device.public)
        case.assertTrue(family.adopt(case.record(device, people(number))))
    case.assertEqual(len(family.current.also), MAX_ALSO)


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

    def test_records_that_are_followed_one_after_the_other(self) -> None:
        """A thief whose device counts still names one more in each: they take one place, beside those who are gone."""
        strangers = people(120, 40)
        for number in range(MOST + 2):
            beyond, revision = strangers[: number + 1], 7 + number
            record = self.record(self.other, people(1), revision, beyond=beyond, former=4)
            self.assertTrue(self.lives.note(record, guests=()))
        self.assertEqual(len(self.known()), 1)
        self.assertTrue(self.lives.note(self.record(self.other, people(1), 99, beyond=strangers[5:]), guests=()))
        self.assertTrue(self.lives.note(self.forged(11), START + DAY, people(11)))
        self.assertEqual(len(self.known()), 3)

    def test_a_file_of_the_second_format(self) -> None:
        """One with an end is of guests who are not known by name, and one without it counts."""
        self.lives.note(self.forged(11), START + DAY, people(11))
        self.lives.note(self.record(self.other, people(2)))
        second_format(self.path)
        first, second = OtherLives(self.path)._known()
        self.assertEqual((first.guests, first.is_aside, second.guests, second.is_aside), (None, False, (), False))


class ForgedTownCase(ForgedCase):
    """A little world, in which the device that forges was revoked."""

    def setUp(self) -> None:
        super().setUp()
        self.town = Town(Path(self.mktemp()), 4)
        self.addCleanup(self.town.stop)
        self.me = self.town.me
        self.me.document.devices[self.thief.id] = FakeDevice(self.thief.public, revoked=2)
        self.town.start()
        self.town.clock.advance(1)


class ReplacedTests(ForgedTownCase):
    """The same in a little world, where a supplier of mine dies meanwhile."""

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

    def test_a_supplier_that_is_lost_beside_lives_that_count(self) -> None:
        """Nobody of an unread life is forgotten for its place, though a forged record names some beyond the family."""
        family = self.town.family
        self.town.unread = self.town.unlisted = {who for number in (2, 3, 4) for who in people(number)}
        join_true_lives(self, family)
        made_up = [*family.members, *people(99, 2)]
        self.assertTrue(family.take_guests(self.record(self.thief, made_up, 950)))
        before = {*family.holders}
        self.town.clock.pump([1] * 30)
        self.town.add("newcomer")
        self.town.requests.replace(family.members[0], None)
        self.town.clock.pump([1] * 120)
        self.assertEqual(before - {*family.holders}, set())

    def joined(self, suppliers: list[bytes]) -> MyFamily:
        """The family of today with one of a device that counts."""
        self.me.document.devices[self.other.id] = FakeDevice(self.other.public)
        self.assertTrue(self.town.family.adopt(self.record(self.other, suppliers)))
        return self.town.family

    def test_an_end_that_comes_while_nothing_happens(self) -> None:
        """Guests who have stepped aside are waited for no longer than a month, though nobody else comes or goes."""
        everybody = [who for number in (2, 11, 12, 13) for who in people(number)]
        self.town.unread = self.town.unlisted = {*everybody}
        for number in (11, 12, 13):
            self.assertTrue(self.town.family.take_guests(self.forged(number)))
        family = self.joined(people(2))
        self.town.clock.pump([1] * 120)
        self.assertTrue(family.has_guests_aside)
        self.town.past = START + (GUEST_DAYS + 1) * DAY
        self.town.clock.pump([1] * 120)
        self.assertFalse(family.has_guests_aside)

    def test_lists_that_come_while_nothing_happens(self) -> None:
        """A life whose suppliers all have places again is waited for until they have listed their pieces."""
        family = self.town.family
        self.town.unlisted = {*family.members}
        self.joined(family.members)
        self.town.clock.pump([1] * 120)
        self.assertEqual({*family.of_other_lives()}, {*family.members})
        self.town.unlisted = set()
        self.town.clock.pump([1] * 120)
        self.assertEqual(family.of_other_lives(), [])
