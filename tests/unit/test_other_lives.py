"""Guests of another life who fall out of my record are not forgotten before they were read."""

from pathlib import Path
from types import SimpleNamespace

from attrs import evolve

from bitdust.suppliers.family import MyFamily
from bitdust.suppliers.other_lives import MOST, OtherLives
from tests.hostile.test_forged_lives import ForgedCase, ForgedTownCase, people
from tests.stand_ins import StoredAsSaid
from tests.unit.supplier_kit import START


class GoneCase(ForgedCase):
    """Four guests stand beside mine, and nobody has read them."""

    def setUp(self) -> None:
        super().setUp()
        self.path = Path(self.mktemp())
        self.family = self.loaded()
        self.family.write(people(1), [None] * 4)
        self.before = self.family.current
        self.assertTrue(self.family.take_guests(self.forged(11)))
        self.stored = StoredAsSaid()
        self.stored.unread = self.stored.unlisted = {*people(11)}

    def loaded(self) -> MyFamily:
        family = MyFamily(SimpleNamespace(world=SimpleNamespace(wall=lambda: float(START)), me=self.me), self.path)
        family.load()
        return family

    def look(self) -> None:
        self.family.note_read(self.stored)
        self.family.take_again()

    def guests(self) -> int:
        return len({*self.family.holders} & {*people(11)})

    def follow(self, **changed) -> None:
        theirs = evolve(self.before, revision=self.family.current.revision + 1, **changed)
        self.assertTrue(self.family.adopt(self.other.sign_record(theirs.KIND, theirs.to_body())))


class GoneTests(GoneCase):
    def test_a_newer_record_without_them(self) -> None:
        """Another device that knew nothing of them writes the record: they stand beside mine again."""
        self.follow()
        self.assertEqual(self.guests(), 0)
        self.look()
        self.assertEqual(self.guests(), 4)
        self.assertTrue(self.family.has_unread(self.stored))

    def test_too_few_of_them(self) -> None:
        """One of four says nothing of what two of them have to tell."""
        self.follow(leaving=[people(11)[0], None, None, None])
        self.look()
        self.assertEqual(self.guests(), 4)

    def test_a_disk_that_is_full(self) -> None:
        """They come back, and the record cannot be written: after a restart they do so again."""
        lives = self.family._others.guests()
        left = self.family._others.without(lives, self.family.current)
        self.family._others.step_aside(lives)
        self.family.write(left.suppliers, [None] * 4, [None] * 4, also=())
        self.patch(self.family, "write", lambda *told, **more: (_ for _ in ()).throw(OSError(28, "full")))
        self.assertRaises(OSError, self.family.take_again)
        self.family = self.loaded()
        self.assertEqual((self.family.has_guests_aside, self.guests()), (False, 0))
        self.look()
        self.assertEqual(self.guests(), 4)

    def test_who_was_read(self) -> None:
        """Whoever goes afterwards does not come back."""
        self.stored.unread = set()
        self.family.note_read(self.stored)
        self.follow()
        self.look()
        self.assertEqual((self.guests(), self.family._others._known()), (0, []))


class FollowedTests(ForgedCase):
    """Records that are followed one after the other."""

    def test_how_many_have_to_be_read(self) -> None:
        """One that asks for fewer places takes nothing from one that asks for more, though it names all of them."""
        for former, count in ((None, 2), (4, 1)):
            lives = OtherLives(Path(self.mktemp()))
            self.assertTrue(lives.note(self.record(self.other, people(20, 7)), guests=()))
            smaller = self.record(self.other, people(20, 7)[:4], 8, beyond=people(20, 7)[4:], former=former)
            self.assertTrue(lives.note(smaller, guests=()))
            self.assertEqual(len(lives._known()), count)

    def test_more_than_are_remembered(self) -> None:
        """Those take the room of guests; where there are none a life that says nothing takes that of another one: all
        who can be asked are read then, and nothing that counts is forgotten for guests."""
        lives, stored = OtherLives(Path(self.mktemp())), StoredAsSaid()
        self.assertTrue(lives.note(self.forged(11), START, people(11)))
        for number in range(MOST - 1):
            self.assertTrue(lives.note(self.record(self.other, people(100 + number)), guests=()))
        for number in (90, 91, 92):
            self.assertTrue(lives.note(self.record(self.other, people(number)), guests=()))
            self.assertEqual((len(lives._known()), lives.guests()[0].guests), (MOST, ()))
            stored.unread = {people(number)[0]}
            self.assertEqual(lives.are_unread(stored, people(number)[:1]), True)
        self.assertFalse(lives.note(self.record(self.other, people(93))))
        self.assertFalse(lives.note(self.forged(12), START, people(12)))
        stored.unread = {people(100)[0]}
        self.assertTrue(lives.are_unread(stored, people(100)[:1]))


class EndedTests(ForgedTownCase):
    """A person ends the contracts of guests."""

    def setUp(self) -> None:
        super().setUp()
        self.town.unread = self.town.unlisted = {*people(11)}
        self.assertTrue(self.town.family.take_guests(self.forged(11)))

    def left_after(self, ended: list[bytes]) -> int:
        self.town.hiring.dismiss(ended)
        self.town.clock.pump([1] * 120)
        return len({*self.town.family.holders} & {*people(11)})

    def test_all_of_them(self) -> None:
        """They go, and do not come back."""
        self.assertEqual(self.left_after(people(11)), 0)
        self.assertEqual((self.town.family.has_guests_aside, self.town.family.has_unread(self.town)), (False, False))

    def test_all_but_one(self) -> None:
        """Of the others the last one is waited for."""
        self.assertEqual(self.left_after(people(11)[1:]), 1)
        self.assertEqual([one.silent for one in self.town.family.unread(self.town)], [people(11)[:1]])
