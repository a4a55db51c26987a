"""Whoever stole a device names, as suppliers of families that it makes up, nodes that I hire later, and suppliers of a
true life that waits: what they have is lost for neither."""

import json
from types import SimpleNamespace

from bitdust.suppliers.contracts import SignedContract
from bitdust.suppliers.life import GUEST_DAYS
from bitdust.suppliers.membership import Membership
from bitdust.suppliers.other_lives import OtherLives, _digest
from bitdust.wire.records import Contract
from tests.hostile.test_forged_lives import DAY, ForgedTownCase, people
from tests.hostile.test_forged_waves import TRUE, WaveCase
from tests.unit.family_kit import Supplier
from tests.unit.supplier_kit import START

NEW = people(50)
HIRED = people(14)[0]


class HiredTests(WaveCase):
    """The room beside mine is taken, and a life waits for it."""

    def setUp(self) -> None:
        super().setUp()
        self.flood(11, 12, 13, 14)
        self.look()
        around = SimpleNamespace(events=SimpleNamespace(send=lambda *told: None), identities={})
        self.membership = Membership(around, self.family)

    def half_days(self, count: int) -> None:
        for _ in range(count):
            self.stored.now += DAY / 2 + 1
            self.look()
            self.assertIn(HIRED, self.family.holders)

    def test_who_leaves_a_place_of_mine(self) -> None:
        """Whoever waits as a guest and is hired stays when it leaves that place, whichever lives have their turn."""
        self.assertTrue(self.membership.give(0, HIRED, None))
        self.look()
        self.assertTrue(self.membership.give(0, NEW[0], None))
        self.half_days(30)

    def test_who_is_hired_for_a_place_to_come(self) -> None:
        """It has it: it stands there for no life."""
        self.membership.want(7)
        self.membership.give(4, HIRED, None)
        self.half_days(6)
        self.assertEqual(self.family.current.seats[4], HIRED)
        self.family.write(people(1), [None] * 4, [None] * 4, also=())
        self.look()
        self.assertEqual(self.family.current.seats[4], HIRED)

    def test_all_of_them_are_hired(self) -> None:
        """The life needs no room, and is waited for until they were read, a month at most."""
        for place, who in enumerate(people(14)):
            self.assertTrue(self.membership.give(place, who, None))
            self.look()
        (row,) = (row for row in self.rows() if row["record"] == self.forged(14).to_bytes().hex())
        self.assertEqual((row["guests"], row["aside"], row["read"]), ([], False, False))
        self.assertEqual(row["until"], int(self.stored.now) + GUEST_DAYS * DAY)
        self.stored.answering.add(14)
        self.look()
        self.assertTrue(next(row for row in self.rows() if not row["guests"])["read"])


class WaitingTests(WaveCase):
    def test_a_file_of_the_fifth_format(self) -> None:
        """Nothing was ended with anybody; and what is ended from then on outlives a restart."""
        self.flood(11, 12, 13, TRUE)
        self.look()
        rows = self.rows()
        for row in rows:
            del row["ended"]
        for name in ("family.others", "family.others.copy"):
            (self.folder / name).write_text(json.dumps({"lives": rows, "digest": _digest(rows)}))
        self.family = self.loaded()
        self.family.end_guests([people(TRUE)[0], people(11)[1]])
        ended = {one.family.suppliers[0][0]: one.ended for one in OtherLives(self.folder / "family.others")._known()}
        self.assertEqual(ended, {11: (people(11)[1],), 12: (), 13: (), TRUE: (people(TRUE)[0],)})

    def test_one_that_has_room_before_its_turn(self) -> None:
        """It is waited for a month, like all that have it, and not as long as it might have waited for it."""
        self.flood(11, 12, 13, TRUE)
        self.look()
        self.family.write(people(1), [None] * 4, [None] * 4, also=())
        self.assertTrue(self.family.take_guests(self.forged(TRUE)))
        self.assertLessEqual({*people(TRUE)}, {*self.family.holders})
        ends = {row["until"] for row in self.rows() if not row["aside"]}
        self.assertEqual(ends, {int(self.stored.now) + GUEST_DAYS * DAY})


class TownTests(ForgedTownCase):
    def test_whose_word_a_waiting_life_needs(self) -> None:
        """Who stands for a life that is read, and is one of another life that waits, goes, and erases nothing."""
        town, names = self.town, [people(TRUE), people(11), people(12), people(13)]
        shared = town.add("shared").fingerprint
        made_up, true = [shared, *names[1][1:]], [shared, *names[0][1:]]
        town.unlisted = {shared, *(who for some in names for who in some)}
        self.assertTrue(town.family.take_guests(self.record(self.thief, made_up, 900)))
        for number in (12, 13):
            self.assertTrue(town.family.take_guests(self.forged(number)))
        town.clock.pump([1] * 60)
        self.assertIsNotNone(town.book.of(shared))
        town.unread = {*names[0][1:]}
        self.assertTrue(town.family.take_guests(self.record(self.thief, true, 901)))
        self.assertTrue(town.family.has_guests_aside)
        town.unlisted.remove(shared)
        town.clock.pump([1] * 300)
        self.assertNotIn(shared, town.family.holders)
        self.assertEqual((town.suppliers[shared].ended, town.book.is_released(shared)), (0, False))

    def dismissed(self) -> Supplier:
        """A supplier of long ago, whose contract is to be ended, and who could not be told so yet."""
        town = self.town
        supplier = town.add("former")
        answer = supplier.contract(town.me, {"room": 1000, "position": 0, "n": 4})
        town.book.save(SignedContract(Contract(b"c" * 16, town.me.fingerprint, supplier.fingerprint, 1000, 0, 4, START),
                                      self.successResultOf(answer).fields["contract"]))  # fmt: skip
        town.book.release(supplier.fingerprint)
        supplier.mood = "silent"
        town.clock.pump([1] * 30)
        return supplier

    def test_one_whose_word_is_on_its_way(self) -> None:
        """A life turns up that names a supplier who is to erase all that it has: it is not told so any more, while the
        life waits and when its turn is over."""
        town, numbers = self.town, (11, 12, 13)
        former = self.dismissed()
        true = [former.fingerprint, *people(TRUE)[1:]]
        town.unread = town.unlisted = {*true, *(who for number in numbers for who in people(number))}
        for number in numbers:
            self.assertTrue(town.family.take_guests(self.forged(number)))
        self.assertTrue(town.family.take_guests(self.record(self.thief, true, 900)))
        self.assertNotIn(former.fingerprint, town.family.holders)
        former.mood = "kind"
        stood = False
        for _ in range(8):
            town.clock.pump([1] * 90)
            stood = stood or former.fingerprint in town.family.holders
            town.past = town.late + DAY / 2 + 1
            town.late += DAY / 2 + 1
        self.assertEqual((stood, former.ended), (True, 0))

    def test_who_was_ended_while_it_waits(self) -> None:
        """Whom a person has given up does not come back with the turn of its life."""
        family, numbers = self.town.family, (11, 12, 13, TRUE)
        self.town.unread = self.town.unlisted = {who for number in numbers for who in people(number)}
        for number in numbers:
            self.assertTrue(family.take_guests(self.forged(number)))
        self.town.hiring.dismiss(people(TRUE)[:1])
        self.town.clock.pump([1] * 60)
        self.town.past = self.town.late + DAY + 1
        self.town.late += DAY + 1
        self.town.clock.pump([1] * 120)
        self.assertEqual({*people(TRUE)} & {*family.holders}, {*people(TRUE)[1:]})
