"""Whoever stole a device makes up so many families that not all whom they name have room beside my suppliers: each has
its turn, and a true one does not wait until all of them are given up."""

import json
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

from attrs import evolve

from bitdust.suppliers.family import MyFamily
from bitdust.suppliers.life import GUEST_DAYS, TERM
from bitdust.suppliers.other_lives import MOST, OtherLives, _digest
from tests.hostile.test_forged_lives import DAY, ForgedCase, ForgedTownCase, join_true_lives, people
from tests.stand_ins import StoredAsSaid
from tests.unit.supplier_kit import START

TRUE = 2
"""The number of those whom the true record names."""


class Silent(StoredAsSaid):
    """Nobody answers but those of some numbers, and a clock says how late it is."""

    def __init__(self) -> None:
        super().__init__()
        self.now = float(START)
        self.answering: set[int] = {1}

    def has_read(self, supplier: bytes) -> bool:
        return supplier[0] in self.answering

    def names_others(self, supplier: bytes) -> bool:
        return self.has_read(supplier) or supplier in self.slow

    def has_listed(self, supplier: bytes) -> bool:
        return False

    def is_past(self, moment: float) -> bool:
        return self.now > moment

    def latest(self) -> float:
        return self.now


class WaveCase(ForgedCase):
    def setUp(self) -> None:
        super().setUp()
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.stored = Silent()
        self.family = self.loaded()
        self.family.write(people(1), [None] * 4)

    def loaded(self) -> MyFamily:
        world = SimpleNamespace(wall=lambda: self.stored.now)
        family = MyFamily(SimpleNamespace(world=world, me=self.me), self.folder / "family")
        family.load()
        return family

    def flood(self, *numbers: int) -> None:
        for number in numbers or (11, 12, 13):
            self.assertTrue(self.family.take_guests(self.forged(number)))

    def look(self) -> None:
        self.family.note_read(self.stored)
        self.family.take_again(self.stored)

    def pass_days(self, days: float) -> None:
        """Look twice a day: now and when half of each has passed."""
        self.look()
        for _ in range(int(2 * days)):
            self.stored.now += DAY / 2 + 1
            self.look()
            self.assertEqual(self.family.members, people(1))

    def beside(self) -> set[int]:
        """Numbers of those who stand beside mine."""
        return {who[0] for who in self.family.holders} - {1}

    def rows(self) -> list[dict]:
        path = self.folder / "family.others"
        return json.loads(path.read_bytes())["lives"] if path.exists() else []


class WaveTests(WaveCase):
    def test_a_true_life_that_comes_last(self) -> None:
        """It has its room a day later, instead of as few of those who never answer as have to go."""
        self.flood()
        self.look()
        self.assertTrue(self.family.take_guests(self.forged(TRUE)))
        self.assertEqual((self.beside(), self.family.has_guests_aside), ({11, 12, 13}, True))
        self.pass_days(0.5)
        self.assertEqual(self.beside(), {11, 12, 13})
        self.pass_days(1)
        self.assertEqual(len(self.beside() - {TRUE}), 2)
        self.assertLessEqual({*people(TRUE)}, {*self.family.holders})

    def test_who_answers_stays(self) -> None:
        """A life of which one supplier was heard keeps its room, though it is not read, and off afterwards; so does one
        that was read before others came."""
        self.stored.answering.add(11)
        self.stored.slow = {people(TRUE)[3]}
        self.flood(11, TRUE, 12)
        self.look()
        self.flood(*range(13, 20))
        self.pass_days(2)
        self.stored.slow = set()
        self.family = self.loaded()
        self.pass_days(20)
        self.assertLessEqual({11, TRUE}, self.beside())
        heard = [[who.hex() for who in who_answered] for who_answered in (people(11), [people(TRUE)[3]])]
        self.assertEqual(sorted(row["heard"] for row in self.rows() if row["heard"]), sorted(heard))

    def test_true_suppliers_in_families_that_are_made_up(self) -> None:
        """A thief who names one of the true ones, and some of mine, in each of its own keeps the others away for a day;
        and whoever has answered is never without a place beside mine."""
        self.stored.answering.add(TRUE)
        for number in range(11, 20):
            made_up = [people(TRUE)[0], people(1)[1], *people(number)[2:]]
            self.assertTrue(self.family.take_guests(self.record(self.thief, made_up, 900 + number)))
        self.look()
        self.assertTrue(self.family.take_guests(self.forged(TRUE)))
        self.assertNotIn(people(TRUE)[3], self.family.holders)
        for _ in range(8):
            self.pass_days(0.5)
            self.assertIn(people(TRUE)[0], self.family.holders)
        self.stored.answering.discard(TRUE)
        for _ in range(20):
            self.pass_days(1)
            self.assertLessEqual({*people(TRUE)}, {*self.family.holders})

    def test_families_of_mine_that_are_made_up(self) -> None:
        """One that is read because mine are named there gives its room up too: nobody who answers stands for it."""
        for number in (11, 12, 13, 14, 15, 16):
            made_up = [*people(1)[:2], *people(number)[2:]]
            self.assertTrue(self.family.take_guests(self.record(self.thief, made_up, 900 + number)))
        self.look()
        self.assertTrue(self.family.take_guests(self.forged(TRUE)))
        self.assertNotIn(TRUE, self.beside())
        self.pass_days(1.5)
        self.assertLessEqual({*people(TRUE)}, {*self.family.holders})

    def test_who_waits_is_not_let_go(self) -> None:
        """A supplier of a life that waits stays with what it has while its logs are not read, or its pieces not listed,
        though the life for which it stood is over."""
        shared = [people(TRUE)[0], *people(11)[1:]]
        self.stored.slow = {shared[0]}
        self.assertTrue(self.family.take_guests(self.record(self.thief, shared, 900)))
        self.flood(12, 13, TRUE)
        self.look()
        (waiting,) = (one for one in self.family._others.guests(is_aside=True))
        self.assertTrue(waiting.has(shared[0]))
        self.family._others.forget(next(one for one in self.family._others.guests() if one.has(shared[0])))
        self.assertTrue(self.family.is_unlisted(shared[0], self.stored))
        self.assertFalse(self.family.is_unlisted(b"x" * 32, self.stored))

    def test_each_has_its_turn(self) -> None:
        """However many there are each stands for a day, one after the other, and none has had two before all had one;
        a month after its first turn each is given up, and all are in little more than a month."""
        numbers, turns, before = [TRUE, *range(11, 26)], [], set()
        self.flood(*numbers)
        for day in range(40):
            self.pass_days(1)
            turns += sorted(self.beside() - before)
            before = self.beside()
            if day == 7:
                self.assertEqual(sorted(turns[: len(numbers)]), numbers)
        self.assertGreater(len(turns), 3 * len(numbers))
        self.assertEqual((self.rows(), self.family.has_guests_aside), ([], False))

    def test_a_month_begins_with_the_first_turn(self) -> None:
        """Accomplices of a thief who answer keep their room for a month; who waits behind them is waited for as long
        as contracts last, and then for a month of its own."""
        self.stored.slow = {who for number in (11, 12, 13) for who in people(number)}
        self.flood(11, 12, 13, TRUE)
        self.pass_days(GUEST_DAYS - 1)
        self.assertEqual(self.beside(), {11, 12, 13})
        ends = {row["until"] for row in self.rows() if row["aside"]}
        self.assertEqual(ends, {START + TERM})
        self.family.write(people(1), [None] * 4, [None] * 4, also=())
        self.stored.now = float(START + GUEST_DAYS * DAY + 10)
        self.pass_days(1)
        self.assertEqual(self.beside(), {TRUE})
        (row,) = self.rows()
        self.assertLess(abs(row["until"] - START - 2 * GUEST_DAYS * DAY), DAY)
        self.pass_days(GUEST_DAYS - 2)
        self.assertTrue(self.rows())
        self.pass_days(2)
        self.assertEqual(self.rows(), [])

    def test_many_small_ones_before_a_large_one(self) -> None:
        """Nobody takes a room by turns before the one that waits longest, however much it needs."""
        for number in (11, 12, 13, 14, 15, 16):
            self.family.take_guests(self.record(self.thief, people(number, 2), 900 + number))
            self.stored.now += DAY / 5
            self.look()
        large = self.record(self.thief, people(TRUE), 8, leaving=people(TRUE + 1))
        self.assertTrue(self.family.take_guests(large))
        for number in range(17, 30):
            self.assertTrue(self.family.take_guests(self.record(self.thief, people(number, 2), 900 + number)))
        self.pass_days(1.5)
        self.assertLessEqual({TRUE, TRUE + 1}, self.beside())

    def test_lives_that_count(self) -> None:
        """They give up nothing to guests, heard or not, and who waits behind them is not forgotten."""
        join_true_lives(self, self.family)
        before = self.family.current
        self.flood(11)
        self.pass_days(60)
        self.assertEqual(self.family.current, before)
        self.assertEqual(sorted(row["aside"] for row in self.rows()), [False, False, False, True])

    def test_one_that_can_never_have_room(self) -> None:
        """It is not noted: nobody waits for what cannot be."""
        record = self.record(self.thief, people(11, 64), leaving=people(12, 64))
        self.assertFalse(self.family.take_guests(record))
        self.assertEqual(self.rows(), [])

    def test_who_stands_for_two_lives(self) -> None:
        """A supplier stays when one of two lives for which it stands gives its room up, and is a guest of the other."""
        self.flood(11, 12)
        self.look()
        shared = [people(11)[0], *people(TRUE)[1:]]
        self.assertTrue(self.family.take_guests(self.record(self.thief, shared, 8)))
        self.flood(13, 14, 15)
        for _ in range(12):
            self.pass_days(0.5)
            for life in OtherLives(self.folder / "family.others").guests():
                self.assertLessEqual({*life.family.holders}, {*self.family.holders})
                self.assertLessEqual({*life.guests}, {*life.family.holders})

    def test_a_clock_that_was_ahead(self) -> None:
        """Who came while a clock was a year ahead gives its room up like others when it is right again."""
        self.stored.now += 365 * DAY
        self.flood()
        self.look()
        self.stored.now = float(START)
        self.flood(TRUE)
        self.pass_days(1.5)
        self.assertIn(TRUE, self.beside())

    def test_a_storage_that_is_closed(self) -> None:
        """While nobody can say how late it is, nobody gives up anything."""
        self.flood(11, 12, 13, TRUE)
        self.stored.latest = lambda: 0.0
        self.pass_days(3)
        self.assertEqual(self.beside(), {11, 12, 13})

    def test_a_disk_that_is_full(self) -> None:
        """Where a turn is noted and the record cannot be written, nobody is forgotten, and the turns go on."""
        self.flood(11, 12, 13, TRUE)
        self.look()
        self.stored.now += DAY + 1
        with mock.patch.object(MyFamily, "_keep", side_effect=OSError(28, "full")):
            self.assertRaises(OSError, self.look)
        self.family = self.loaded()
        self.assertEqual(len(self.rows()), 4)
        self.pass_days(3)
        self.assertEqual(len(self.rows()), 4)
        self.assertIn(TRUE, self.beside())

    def test_a_record_of_another_device_without_them(self) -> None:
        """Those who stood stand again, or wait like the others: nobody is forgotten."""
        before = self.family.current
        self.flood(11, 12, 13, TRUE)
        self.look()
        theirs = evolve(before, revision=self.family.current.revision + 1)
        theirs = self.other.sign_record(theirs.KIND, theirs.to_body())
        self.assertTrue(self.family.adopt(theirs))
        self.assertEqual(self.beside(), set())
        self.look()
        self.assertEqual(len(self.beside()), 3)
        self.pass_days(1.5)
        self.assertIn(TRUE, self.beside())
        self.assertEqual(len(self.rows()), 4)


class FormatTests(WaveCase):
    def test_a_file_of_the_fourth_format(self) -> None:
        """Nobody was heard, and all begin to stand or to wait with the next look: nobody gives way at once."""
        self.flood(11, 12, 13, TRUE)
        self.stored.answering.add(12)
        self.look()
        self.write_as_fourth()
        self.stored.answering.discard(12)
        self.family = self.loaded()
        self.assertEqual({(one.since, one.heard) for one in self.lives()}, {(0, ())})
        self.stored.now += 3 * DAY
        self.look()
        self.assertEqual({one.since for one in self.lives()}, {int(self.stored.now)})
        self.assertEqual((self.beside(), sum(row["aside"] for row in self.rows())), ({11, 12, 13}, 1))
        self.assertEqual(len({row["until"] for row in self.rows()}), 2)
        self.pass_days(1.5)
        self.assertIn(TRUE, self.beside())

    def lives(self) -> list:
        return OtherLives(self.folder / "family.others")._known()

    def write_as_fourth(self) -> None:
        rows = self.rows()
        for row in rows:
            del row["since"], row["heard"]
        for name in ("family.others", "family.others.copy"):
            (self.folder / name).write_text(json.dumps({"lives": rows, "digest": _digest(rows)}))

    def test_what_makes_no_sense(self) -> None:
        """A file whose moments are no numbers says nothing, like one that is damaged: all who can be asked are read."""
        self.flood(11)
        self.look()
        rows = self.rows()
        rows[0]["since"] = "long ago"
        for name in ("family.others", "family.others.copy"):
            (self.folder / name).write_text(json.dumps({"lives": rows, "digest": _digest(rows)}))
        (life,) = self.lives()
        self.assertIsNone(life.family)
        self.assertTrue(self.loaded().has_unread(self.stored))

    def test_more_than_are_remembered(self) -> None:
        """Those who wait take no room of others in the list, and as many as it names can be read again, however large
        their records are."""
        self.flood()
        addresses = ["a" * 100] * 64
        for number in range(14, 14 + MOST - 3):
            names = [bytes([number, 1, one]) * 16 for one in range(64)]
            record = self.record(self.thief, [who[:32] for who in names], addresses=addresses)
            self.assertTrue(self.family.take_guests(record))
        self.assertFalse(self.family.take_guests(self.forged(TRUE)))
        self.assertEqual((len(self.lives()), len(self.rows())), (MOST, MOST))
        self.assertTrue(self.family.adopt(self.record(self.other, people(3))))
        self.assertEqual(len(self.lives()), MOST)
        self.assertIn(3, self.beside())


class TownTests(ForgedTownCase):
    def test_turns_while_nothing_happens(self) -> None:
        """They go on by the clock alone."""
        family, numbers = self.town.family, (11, 12, 13, TRUE)
        self.town.unread = self.town.unlisted = {who for number in numbers for who in people(number)}
        for number in numbers:
            self.assertTrue(family.take_guests(self.forged(number)))
        self.assertNotIn(people(TRUE)[0], family.holders)
        self.town.clock.pump([1] * 120)
        self.assertNotIn(people(TRUE)[0], family.holders)
        self.assertTrue(self.town.room.view.is_one_waiting)
        self.town.past = self.town.late + DAY + 1
        self.town.late += DAY + 1
        self.town.clock.pump([1] * 120)
        self.assertIn(people(TRUE)[0], family.holders)
