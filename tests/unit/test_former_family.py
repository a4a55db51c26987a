"""After somebody has started over: the family of before is searched for as long as anybody may have it."""

import errno
import json
from pathlib import Path
from typing import Any
from unittest import mock

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from bitdust.crypt.device import DeviceKey
from bitdust.identity.awaited import STARTED_OVER
from bitdust.suppliers.family_before import DAY, HELD_DAYS, MAX_RECORD
from bitdust.suppliers.family_merge import SizeChange
from bitdust.suppliers.finding import Answer
from bitdust.suppliers.former import MOST_DOUBTFUL, NOTE, TERM
from bitdust.suppliers.life import GUEST_DAYS, Life
from bitdust.suppliers.other_lives import MOST, OtherLives
from bitdust.wire.records import Family
from bitdust.wire.signed import Signed
from tests.unit.family_kit import Me, Town
from tests.unit.supplier_kit import START, FakeDevice


class FormerFamilyCase(TestCase):
    def setUp(self) -> None:
        self.town = Town(Path(self.mktemp()), 8)
        self.addCleanup(self.town.stop)
        self.me, self.note = self.town.me, self.town.folder / "metadata" / NOTE
        self.members = [one.fingerprint for one in list(self.town.suppliers.values())[4:]]

    def start_over(self) -> None:
        self.me.awaited.add(STARTED_OVER)
        self.town.hinted_suppliers = self.members[:1]
        self.town.start()
        self.town.clock.advance(0)
        self.me.awaited.discard(STARTED_OVER)

    def restart(self) -> None:
        self.town.stop()
        self.town.living()
        self.town.start()

    def found(self) -> None:
        """From now on somebody has the record of before."""
        family = Family(self.me.fingerprint, 7, 2, 4, START, self.members, roots=[b"former--"])
        self.answer(family, *self.members)

    def answer(self, family: Family, *who: bytes | None) -> None:
        """From now on these have a record."""
        record = self.me.sign(family.KIND, family.to_body()).to_bytes()
        self.town.answers = [*self.town.answers, *(Answer(one, record) for one in who)]

    def told(self) -> list[dict]:
        return [data for event, data in self.town.events.sent if event == "former-family-found"]

    @property
    def is_searching(self) -> bool:
        return self.town.room.former.is_searching


class FormerFamilyTests(FormerFamilyCase):
    def test_rounds_grow_rarer(self) -> None:
        """Suppliers that the key file names, and others, are asked again and again, in the end once a day."""
        self.start_over()
        for _ in range(40):
            self.town.clock.advance(DAY / 8)
        before = len(self.town.asked_for_family)
        self.assertLess(before, 25)
        for _ in range(24):
            self.town.clock.advance(DAY / 8)
        self.assertEqual(len(self.town.asked_for_family), before + 3)
        asked = sorted({self.members[0], *self.town.family.members})
        self.assertEqual(self.town.asked_for_family[-3:], [(asked, True)] * 3)

    def test_the_network_is_back(self) -> None:
        """After a day with nobody in reach the next round comes at once, and rounds come quickly again."""
        self.start_over()
        for _ in range(40):
            self.town.clock.advance(DAY / 8)
        before = len(self.town.asked_for_family)
        self.town.presence.chance.emit()
        for _ in range(20):
            self.town.clock.advance(1)
        self.assertEqual(len(self.town.asked_for_family), before + 4)

    def test_it_joins_the_family_of_today(self) -> None:
        """What is found is not put in the place of what was hired since: all are known, and an event says so once."""
        self.start_over()
        mine = self.town.family.members
        self.restart()
        self.assertTrue(self.is_searching)
        self.found()
        self.town.clock.advance(DAY)
        self.assertEqual(set(self.town.family.holders), {*mine, *self.members})
        self.assertEqual((self.told(), self.is_searching), ([{"revision": 7, "suppliers": 4}], False))
        self.restart()
        self.assertFalse(self.is_searching)

    def test_killed_when_it_has_just_joined(self) -> None:
        """The search comes to its end at the next start, though nobody has written down that all is found."""
        self.start_over()
        self.found()
        kept, adopt = list[bytes](), self.town.family.adopt

        def adopting(signed: Signed) -> bool:
            kept.append(self.note.read_bytes())
            return adopt(signed)

        with mock.patch.object(self.town.family, "adopt", adopting):
            self.town.clock.advance(DAY)
        self.assertTrue({*self.members} <= {*self.town.family.holders})
        self.town.stop()
        self.note.write_bytes(kept[-1])
        self.town.living()
        self.town.start()
        self.town.clock.advance(2 * DAY)
        self.assertFalse(self.is_searching)

    def record(self, revision: int) -> Family:
        return Family(self.me.fingerprint, revision, 2, 4, START, self.members, roots=[b"former--"])

    def test_an_old_record_that_answers_first(self) -> None:
        """It does not end the search before enough of its suppliers, or the DHT, know none that is newer."""
        self.start_over()
        self.answer(self.record(5), self.members[0])
        self.town.clock.advance(DAY)
        self.assertTrue(self.is_searching)
        self.answer(self.record(9), self.members[1])
        self.town.clock.advance(DAY)
        asked = {*self.town.asked_for_family[-1][0]}
        self.assertEqual((self.told(), asked), ([], {*self.members, *self.town.family.members}))
        self.answer(self.record(9), self.members[2])
        self.town.clock.advance(DAY)
        self.assertEqual(self.told(), [{"revision": 9, "suppliers": 4}])

    def test_a_record_that_somebody_made_up(self) -> None:
        """It hides none of mine, and nobody is asked whom it names."""
        self.start_over()
        family = self.record(2**60)
        forged = Me("mallory").sign(Family.KIND, family.to_body()).to_bytes()
        self.town.answers = [Answer(b"m" * 32, forged)]
        self.answer(self.record(9), *self.members)
        self.town.clock.advance(DAY)
        self.assertEqual(self.told(), [{"revision": 9, "suppliers": 4}])

    def test_the_dht_knows_the_newest(self) -> None:
        """Its word is enough where no supplier has said that there is a newer one."""
        self.start_over()
        self.answer(self.record(9), None)
        self.town.clock.advance(DAY)
        self.assertEqual(self.told(), [{"revision": 9, "suppliers": 4}])

    def test_too_few_are_there(self) -> None:
        """After three rounds what one supplier knows counts."""
        self.start_over()
        self.answer(self.record(5), self.members[0])
        for _ in range(3):
            self.assertEqual(self.told(), [])
            self.town.clock.advance(DAY)
        self.assertEqual(self.told(), [{"revision": 5, "suppliers": 4}])

    def test_one_that_never_answers(self) -> None:
        """A round that does not come to its end in a minute joins what was heard in it, and can end the search."""
        self.start_over()
        self.found()
        ask = self.town.ask_for_family
        silent = mock.Mock(side_effect=lambda *asked: ask(*asked).addCallback(lambda _: Deferred()))
        with mock.patch.object(self.town, "ask_for_family", silent):
            self.town.clock.advance(DAY)
            self.assertEqual(self.told(), [])
            self.town.clock.advance(59)
            self.assertEqual(self.told(), [])
            self.town.clock.advance(1)
        self.assertEqual((self.told(), self.is_searching), ([{"revision": 7, "suppliers": 4}], False))

    def test_those_who_may_have_it_are_not_hired(self) -> None:
        """Not before they have said that they know of none: their pieces are those of another place, perhaps."""
        first = [one.fingerprint for one in list(self.town.suppliers.values())[:2]]
        self.members = first
        self.start_over()
        self.assertEqual(set(first) & {*self.town.family.members}, {first[1]})
        self.town.answers = [Answer(first[0])]
        self.assertEqual(self.town.room.former.awaited, {first[0]})
        self.town.clock.advance(DAY)
        self.assertEqual((self.town.room.former.awaited, self.is_searching), (frozenset(), True))

    def test_what_is_no_use(self) -> None:
        """Neither garbage nor the family of today ends the search."""
        self.start_over()
        mine = self.town.family.signed.to_bytes()
        self.town.answers = [Answer(self.members[0], b"garbage"), Answer(self.members[1], mine), Answer(None)]
        self.town.clock.advance(DAY)
        self.assertTrue(self.is_searching)

    def test_nobody_can_have_it_any_more(self) -> None:
        """When the last contract of before is over the search is, without a word."""
        self.start_over()
        self.town.clock.advance(TERM + DAY)
        self.town.clock.advance(DAY)
        self.assertEqual((self.is_searching, self.told()), (False, []))
        self.assertTrue(json.loads(self.note.read_bytes())["over"])

    def set_wrong(self, before: float, after: float) -> None:
        """The wall clock is so far off in the first hours, and then so far."""
        clock, wrong = self.town.clock, before

        def restart() -> None:
            self.restart()
            self.town.world.wall = lambda: START + clock.seconds() + wrong

        self.town.world.wall = lambda: START + clock.seconds() + wrong
        self.start_over()
        for hours in range(36):
            clock.advance(DAY / 24)
            wrong = before if hours < 3 else after
            restart()
        noted = json.loads(self.note.read_bytes())
        noted.pop("reading", None)
        self.town.stop()
        self.note.write_text(json.dumps(noted))
        restart()
        clock.advance(DAY)
        self.assertTrue(self.is_searching)
        for _ in range(3):
            clock.rightNow += TERM / 2
            clock.advance(DAY)
        self.assertFalse(self.is_searching)

    def test_a_clock_that_is_ahead(self) -> None:
        """One that is years ahead does not end it early; nor does it after a restart, or where a program of before had
        noted when it began."""
        self.set_wrong(0.0, 2 * TERM)

    def test_a_clock_that_was_behind(self) -> None:
        """Nor does one that was years behind when the search began."""
        self.set_wrong(-2 * TERM, 0.0)

    def test_a_damaged_note(self) -> None:
        """It begins the search again; a missing one does not."""
        self.town.start()
        self.assertFalse(self.is_searching)
        self.note.write_text("{")
        self.restart()
        self.assertTrue(self.is_searching)

    def test_a_full_disk(self) -> None:
        """What cannot be noted is a little later."""
        with mock.patch("bitdust.suppliers.former.write_safely", side_effect=OSError("no")):
            self.me.awaited.add(STARTED_OVER)
            self.town.room.former.start()
            self.assertFalse(self.is_searching)
        self.town.clock.advance(11)
        self.assertTrue(self.is_searching)


class InheritedTests(FormerFamilyCase):
    """A device finds a family, and never started over itself."""

    def come_to(self, root: int, others: int = 2) -> None:
        """One of the other devices had hired it, counted from the oldest; the newest device is this."""
        document, mine = self.me.document, self.me.device
        devices = [DeviceKey.from_seed(bytes([number]) * 32) for number in range(1, others + 1)]
        document.devices = {one.id: FakeDevice(one.public) for one in (*devices, mine)}
        family = Family(self.me.fingerprint, 3, 2, 4, START, self.members, roots=[devices[root].id])
        self.town.family.adopt(devices[root].sign_record(family.KIND, family.to_body()))
        self.lost = devices[0]
        self.town.start()
        self.town.clock.advance(0)

    def test_one_that_started_over(self) -> None:
        """Whoever hired the family had started over: the family of the device before is searched for, here as well, and
        no longer than until it is found."""
        self.come_to(1)
        self.assertTrue(self.is_searching)
        self.restart()
        first = [one.fingerprint for one in list(self.town.suppliers.values())[:4]]
        family = Family(self.me.fingerprint, 7, 2, 4, START, first, roots=[self.lost.id])
        record = self.lost.sign_record(family.KIND, family.to_body()).to_bytes()
        self.town.answers = [Answer(one, record) for one in first]
        self.town.clock.advance(DAY)
        self.assertEqual({*self.town.family.holders}, {*first, *self.members})
        for _ in range(3):
            self.town.clock.advance(DAY)
        self.assertFalse(self.is_searching)

    def test_another_one_starts_over_with_it(self) -> None:
        """So it is where the person waits for nothing any more when it is found, though it is no news then."""
        self.me.awaited.add(STARTED_OVER)
        self.come_to(1)
        self.town.family.settle()
        self.assertTrue(self.is_searching)

    def test_one_that_is_not_found(self) -> None:
        """Where nothing is found the search goes on."""
        self.come_to(1)
        for _ in range(30):
            self.town.clock.advance(DAY)
        self.assertTrue(self.is_searching)

    def test_the_first_one(self) -> None:
        """Where the first device had hired it there is no family before."""
        self.come_to(0)
        self.assertFalse(self.is_searching)


    def test_one_of_which_the_key_file_knows(self) -> None:
        """Whoever starts over with a family, while suppliers of the key file were not heard, searches for theirs."""
        first = [one.fingerprint for one in list(self.town.suppliers.values())[:4]]
        self.me.awaited.add(STARTED_OVER)
        self.town.hinted_suppliers = first[:2]
        self.come_to(0)
        self.assertTrue(self.is_searching)
        family = Family(self.me.fingerprint, 3, 2, 4, START, first, roots=[b"former--"])
        self.answer(family, *first)
        self.town.clock.advance(DAY)
        self.assertEqual({*self.town.family.holders}, {*first, *self.members})

    def test_a_newer_one(self) -> None:
        """Where another device came after the one that hired the family, the family of that one is searched for: it may
        have started over, and whoever wrote the key file need not have known that."""
        self.me.awaited.add(STARTED_OVER)
        self.town.hinted_suppliers = self.members[:2]
        self.come_to(0)
        self.assertTrue(self.is_searching)
        newer = DeviceKey.from_seed(bytes([2]) * 32)
        first = [one.fingerprint for one in list(self.town.suppliers.values())[:4]]
        family = Family(self.me.fingerprint, 3, 2, 4, START, first, roots=[newer.id])
        record = newer.sign_record(family.KIND, family.to_body()).to_bytes()
        self.town.answers = [Answer(one, record) for one in first]
        self.town.clock.advance(DAY)
        self.assertEqual({*self.town.family.holders}, {*first, *self.members})

    def test_at_the_next_start(self) -> None:
        """A home that has followed such a family for long, and never searched, does so from its next start on, for as
        long as anybody may have something, and no more."""
        start, self.town.start = self.town.start, lambda: None
        self.come_to(1)
        self.town.family.settle()
        start()
        self.town.start = start
        self.assertTrue(self.is_searching)
        self.town.clock.rightNow += TERM
        self.town.clock.advance(DAY)
        self.assertFalse(self.is_searching)
        self.restart()
        self.assertFalse(self.is_searching)

    def test_one_of_them_is_found(self) -> None:
        """Where one was found, and others may be somewhere, the search is over with the term as well."""
        document, older = self.me.document, [DeviceKey.from_seed(bytes([number]) * 32) for number in (8, 9)]
        document.devices = {one.id: FakeDevice(one.public) for one in older}
        known = dict(document.devices)
        self.come_to(1)
        document.devices = known | document.devices
        first = [one.fingerprint for one in list(self.town.suppliers.values())[:4]]
        family = Family(self.me.fingerprint, 7, 2, 4, START, first, roots=[older[1].id])
        record = older[1].sign_record(family.KIND, family.to_body()).to_bytes()
        self.town.answers = [Answer(one, record) for one in first]
        self.town.clock.advance(DAY)
        self.assertEqual((len(self.told()), self.is_searching), (1, True))
        self.town.clock.rightNow += TERM
        self.town.clock.advance(DAY)
        self.assertFalse(self.is_searching)
        self.restart()
        self.assertFalse(self.is_searching)

    def test_all_of_the_key_file_are_of_it(self) -> None:
        """Where the key file names nobody else, and no other device came since, there is nothing to search for."""
        self.me.awaited.add(STARTED_OVER)
        self.town.hinted_suppliers = self.members[:2]
        self.come_to(0, others=1)
        self.assertFalse(self.is_searching)


class RevokedTests(FormerFamilyCase):
    """The device that had signed the family of before was revoked when the person started over, or later."""

    def setUp(self) -> None:
        super().setUp()
        self.lost = DeviceKey(b"l" * 32)
        self.me.document.devices[self.lost.id] = FakeDevice(self.lost.public, revoked=2)
        self.start_over()
        self.mine = self.town.family.members
        self.town.unread = {*self.members}

    def signed_by_lost(self, revision: int, members: list[bytes], roots: bytes = b"former--") -> bytes:
        family = Family(self.me.fingerprint, revision, 2, 4, START, members, roots=[roots])
        return self.lost.sign_record(family.KIND, family.to_body()).to_bytes()

    def tell(self, record: bytes, *who: bytes | None) -> None:
        self.town.answers = [*self.town.answers, *(Answer(one, record) for one in who)]

    def days(self, count: int) -> None:
        for _ in range(count):
            self.town.clock.advance(DAY)

    def test_it_is_read_beside_mine(self) -> None:
        """After two days its suppliers are asked, nobody of mine gives way, and an event says so once."""
        self.tell(self.signed_by_lost(7, self.members), *self.members)
        self.days(2)
        self.assertEqual(self.told(), [])
        self.days(2)
        family = self.town.family
        self.assertEqual((family.members, set(family.holders)), (self.mine, {*self.mine, *self.members}))
        self.days(5)
        self.assertEqual(self.told(), [{"revision": 7, "suppliers": 4}])
        self.assertEqual(set(family.holders), {*self.mine, *self.members})
        self.town.unread.clear()
        self.town.clock.pump([1] * 600)
        self.assertEqual((family.members, set(family.holders)), (self.mine, {*self.mine}))

    def test_the_two_days_go_on_after_a_restart(self) -> None:
        """Since when a record is known is on the disk, and so is which was taken."""
        self.tell(self.signed_by_lost(7, self.members), *self.members)
        self.days(1)
        self.restart()
        self.days(3)
        self.restart()
        self.days(3)
        self.assertEqual(len(self.told()), 1)

    def test_it_was_noted_by_a_clock_that_was_ahead(self) -> None:
        """When that is set right the two days begin then, and not in times to come."""
        clock, ahead = self.town.clock, 365 * DAY
        self.town.world.wall = lambda: START + clock.seconds() + ahead
        self.tell(self.signed_by_lost(7, self.members), *self.members)
        self.days(1)
        ahead = 0
        self.days(2)
        self.restart()
        self.days(3)
        self.assertEqual(len(self.told()), 1)

    def test_another_one_is_found_in_time(self) -> None:
        """A record of a device that counts is the one that is taken, and the search is over."""
        self.tell(self.signed_by_lost(900, [b"f" * 32, b"g" * 32, b"h" * 32, b"i" * 32]), None, self.members[3])
        self.days(1)
        family = Family(self.me.fingerprint, 7, 2, 4, START, self.members, roots=[self.lost.id])
        self.answer(family, *self.members)
        self.days(1)
        self.assertEqual((self.told(), self.is_searching), ([{"revision": 7, "suppliers": 4}], False))
        self.assertEqual(set(self.town.family.holders), {*self.mine, *self.members})

    def test_a_record_that_a_thief_made_up(self) -> None:
        """It takes nobody's place, hides no true one, and those whom it names are waited for a month, whatever
        the wall clock says."""
        made_up = [bytes([number]) * 32 for number in range(1, 5)]
        forged = self.signed_by_lost(2**60, made_up, b"madeup--")
        self.town.unread = self.town.unlisted = {*self.members, *made_up}
        self.tell(forged, b"m" * 32, b"n" * 32, None)
        self.days(4)
        family = self.town.family
        self.assertEqual((family.members, family.current.leaving), (self.mine, made_up))
        self.assertLess(family.current.revision, 1000)
        self.assertTrue(self.is_searching)
        self.tell(self.signed_by_lost(7, self.members), *self.members)
        self.days(4)
        self.assertEqual({*family.holders}, {*self.mine, *made_up, *self.members})
        self.town.unread = self.town.unlisted = {*made_up}
        self.days(GUEST_DAYS)
        self.town.clock.pump([1] * 600)
        self.assertEqual({*family.holders} & {*made_up}, {*made_up})
        self.town.past = self.town.world.wall()
        self.town.clock.pump([1] * 600)
        self.assertEqual(({*family.holders}, family.current.also), ({*self.mine}, None))

    def test_the_true_record_is_found_after_a_forged_one(self) -> None:
        """A forged record with the roots of the true one and a higher revision was taken, and the true one is joined
        as well."""
        made_up = [bytes([number]) * 32 for number in range(1, 5)]
        self.town.unread = self.town.unlisted = {*self.members, *made_up}
        self.tell(self.signed_by_lost(900, made_up, self.lost.id), b"m" * 32, None)
        self.days(4)
        family = self.town.family
        self.assertEqual(family.current.leaving, made_up)
        self.assertEqual((family.current.roots, family.current.revision < 900), ([self.me.device.id], True))
        self.answer(Family(self.me.fingerprint, 7, 2, 4, START, self.members, roots=[self.lost.id]), *self.members)
        self.days(4)
        self.assertEqual({*family.holders}, {*self.mine, *made_up, *self.members})
        self.assertEqual([one["revision"] for one in self.told()], [900, 7])

    def flood(self) -> None:
        """As many records of a thief as are remembered."""
        for number in range(MOST_DOUBTFUL):
            self.tell(self.signed_by_lost(900 + number, [bytes([number]) * 32, None, None, None]), b"m" * 32)
        self.days(1)

    def noted(self) -> int:
        return len(json.loads(self.note.read_bytes())["doubtful"])

    def test_a_thief_takes_all_room(self) -> None:
        """A record that a supplier of the key file gives takes the room of one that strangers gave."""
        self.flood()
        self.tell(self.signed_by_lost(7, self.members), self.members[0])
        self.days(4)
        self.assertIn({"revision": 7, "suppliers": 4}, self.told())
        self.assertEqual(self.noted(), MOST_DOUBTFUL)

    def test_what_a_thief_goes_on_giving(self) -> None:
        """What was taken long ago makes room as well, and is not taken again by that."""
        self.flood()
        self.days(3)
        self.assertEqual(len(self.told()), MOST_DOUBTFUL)
        self.tell(self.signed_by_lost(7, self.members), b"s" * 32)
        self.days(8)
        self.assertEqual(self.told()[MOST_DOUBTFUL:], [{"revision": 7, "suppliers": 4}])
        self.assertEqual(self.noted(), MOST_DOUBTFUL)

    def test_who_is_known_longest(self) -> None:
        """Where there is no room for all, who is known longest comes before what more have given, and is newer."""
        asked = []
        self.patch(self.town.family, "take_guests", lambda signed: bool(asked.append(signed)))
        self.tell(self.signed_by_lost(7, self.members), b"s" * 32)
        self.days(1)
        self.tell(self.signed_by_lost(900, [b"f" * 32, None, None, None]), *(bytes([one]) * 32 for one in range(9)))
        self.days(4)
        self.assertEqual([Family.from_body(one.body).revision for one in asked[-2:]], [7, 900])

    def test_what_a_thief_gives_no_more(self) -> None:
        """What nobody gave for a week makes room for what strangers give."""
        self.flood()
        self.town.answers = []
        self.days(8)
        self.tell(self.signed_by_lost(7, self.members), b"s" * 32)
        self.days(1)
        self.assertEqual(self.noted(), 1)
        self.days(3)
        self.assertEqual(self.told()[-1:], [{"revision": 7, "suppliers": 4}])

    def test_the_one_that_suppliers_of_before_know(self) -> None:
        """Of two records of the lost device the one is taken first that the key file's suppliers have."""
        self.tell(self.signed_by_lost(900, [bytes([number]) * 32 for number in range(1, 5)]), b"m" * 32, None)
        self.tell(self.signed_by_lost(7, self.members), self.members[0])
        self.days(4)
        self.assertEqual(self.told()[0], {"revision": 7, "suppliers": 4})
        self.assertEqual(self.town.family.current.leaving, self.members)

    def first_life(self) -> None:
        """One of two lives before is found, of which each had two suppliers."""
        self.other = DeviceKey(b"o" * 32)
        devices = self.me.document.devices
        devices[self.other.id] = FakeDevice(self.other.public)
        devices[self.me.device.id] = devices.pop(self.me.device.id)  # this one is the newest
        self.town.unread.clear()
        first = [*self.members[:2], None, None]
        self.answer(Family(self.me.fingerprint, 7, 2, 4, START, first, roots=[self.lost.id]), None)
        self.days(1)
        self.assertEqual((len(self.told()), self.is_searching), (1, True))

    def second_life(self, revision: int) -> None:
        """The record of the other one is there as well."""
        second = [None, None, *self.members[2:]]
        self.answer(Family(self.me.fingerprint, revision, 2, 4, START, second, roots=[self.other.id]), None)

    def test_a_third_life(self) -> None:
        """After one life of before was found the search goes on for that of another device, and ends with it."""
        self.first_life()
        self.restart()
        self.second_life(9)
        self.days(2)
        self.assertEqual((len(self.told()), self.is_searching), (2, False))

    def test_a_third_life_that_changed_less(self) -> None:
        """A record of a lower revision than that of another life is joined, though the higher one is found again."""
        self.first_life()
        self.second_life(5)
        self.days(4)
        self.assertEqual((self.told()[1:], self.is_searching), ([{"revision": 5, "suppliers": 2}], False))

    def test_guests_after_a_first_life(self) -> None:
        """Where one life was joined that of a revoked device is read in beside, though the first is found again."""
        self.first_life()
        self.town.unread = {*self.members}
        self.tell(self.signed_by_lost(6, [None, None, *self.members[2:]]), *self.members[2:])
        self.days(5)
        self.assertEqual(self.told()[1:], [{"revision": 6, "suppliers": 2}])
        self.assertTrue({*self.members[2:]} <= {*self.town.family.holders})


class UnreadTests(FormerFamilyCase):
    """Both families are one, and the catalog knows nothing yet of what was stored in the life before."""

    def setUp(self) -> None:
        super().setUp()
        self.start_over()
        self.today = self.town.family.members
        self.found()
        self.town.unread = {*self.members}
        self.town.clock.advance(DAY)
        self.town.family.settle()
        self.town.clock.advance((HELD_DAYS + 1) * DAY)

    def pass_time(self, seconds: float = 600.0) -> None:
        for _ in range(int(seconds)):
            self.town.clock.advance(1)

    def left(self) -> set[bytes]:
        """Those of both families who have been let go."""
        return {*self.today, *self.members} - {*self.town.family.holders}

    def test_nobody_goes_before_it_is_read(self) -> None:
        """All of both families stay until the logs at k places of the former one are known; then four of eight go."""
        self.pass_time()
        self.assertEqual((self.left(), self.town.hiring.has_data()), (set(), True))
        self.town.unread.discard(self.members[0])
        self.pass_time()
        self.assertEqual(self.left(), set())
        self.town.unread.discard(self.members[1])
        self.pass_time()
        self.assertEqual((len(self.left()), self.town.hiring.has_data()), (4, False))
        self.assertEqual(sum(one.ended for one in self.town.suppliers.values()), 4)

    def test_each_stays_until_it_has_listed_its_pieces(self) -> None:
        """Logs say what was stored; which piece each of those who leave has is known when it has said so."""
        self.town.unread.clear()
        silent = self.town.unlisted = {*self.members}
        self.pass_time()
        self.assertEqual(self.left() & silent, set())
        leaves = [who for who in self.town.family.current.departing if who in silent]
        self.town.unlisted = silent - {*leaves[:1]}
        self.pass_time()
        self.assertEqual(self.left() & silent, {*leaves[:1]})

    def test_neither_of_two_at_one_place_goes(self) -> None:
        """Where a place that both have is given to somebody new both stay beside that one, and leave in turn."""
        family = self.town.family
        place = next(number for number, who in enumerate(family.current.leaving) if who)
        first, second = family.current.leaving[place], family.current.suppliers[place]
        self.town.add("newcomer")
        self.town.requests.replace(second, None)
        self.pass_time()
        self.assertEqual((self.left(), family.current.holders_of(place)[1:]), (set(), [first, second]))
        self.town.unread.clear()
        self.pass_time(1800)
        self.assertIsNone(family.current.also)
        self.assertTrue({first, second} <= self.left())

    def test_after_a_restart(self) -> None:
        """What is not read is on the disk."""
        self.restart()
        self.pass_time()
        self.assertEqual(self.left(), set())

    def test_a_size_is_not_given_up(self) -> None:
        """Packs of a size of before may be stored that the catalog does not name."""
        family = self.town.family
        change = SizeChange(beyond=(b"b" * 32,), former=4)
        family.write(family.current.suppliers, [None] * 4, change=change)
        self.town.resized = True
        self.pass_time()
        self.assertEqual(family.current.former, 4)
        self.town.unread.clear()
        self.pass_time()
        self.assertIsNone(family.current.former)

    def test_one_that_never_lists(self) -> None:
        """It goes when its successor has every piece that can belong to the place, and not before."""
        self.town.unread.clear()
        family = self.town.family
        place, silent = next((place, who) for place, who in enumerate(family.current.leaving) if who in self.members)
        self.town.unlisted = {silent}
        self.pass_time()
        self.assertEqual((silent in family.holders, len(self.left())), (True, 3))
        self.town.complete = {family.current.suppliers[place]}
        self.pass_time()
        self.assertEqual((silent in family.holders, len(self.left())), (False, 4))

    def test_a_full_disk_lets_nobody_go(self) -> None:
        """Whoever goes has told what it has, and that is on the disk first."""
        self.town.unread = {*self.members[2:]}
        module, full = "bitdust.suppliers.other_lives", mock.Mock(side_effect=OSError("full"))
        with mock.patch.multiple(module, remove_safely=full, write_safely=full):
            self.pass_time()
            self.assertEqual(self.left(), set())
        self.pass_time()
        self.assertEqual(len(self.left()), 4)

    def test_a_damaged_note_of_it(self) -> None:
        """Where nobody can say any more whom to wait for, all of today's holders are to be read."""
        for name in ("family.others", "family.others.copy"):
            self.town.folder.joinpath("metadata", name).write_text("{")
        self.restart()
        self.town.unread = {self.members[0]}
        self.pass_time()
        self.assertEqual(self.left(), set())
        self.town.unread.clear()
        self.pass_time()
        self.assertEqual(len(self.left()), 4)


class OtherLivesTests(FormerFamilyCase):
    def setUp(self) -> None:
        super().setUp()
        self.path = self.town.folder / "others"
        self.lives = OtherLives(self.path)

    def record(self, **changed):
        family = evolve(Family(self.me.fingerprint, 7, 2, 4, START, self.members), **changed)
        return self.me.sign(family.KIND, family.to_body())

    def is_unread(self, *read: int, holders=None) -> bool:
        self.town.unread = {*self.members} - {self.members[number] for number in read}
        holders = self.members if holders is None else holders
        unread = self.lives.are_unread(self.town, holders)
        self.lives.look(self.town, holders)
        return unread

    def test_any_k_places(self) -> None:
        """Of four with two needed any two are enough, once; what was read stays so."""
        self.lives.note(self.record())
        self.assertEqual((self.is_unread(), self.is_unread(3), self.is_unread(1, 3)), (True, True, False))
        self.assertFalse(self.is_unread() or self.path.exists())

    def test_a_place_that_changed_hands(self) -> None:
        """It counts when both who have and who leave it are read."""
        self.lives.note(self.record(suppliers=[*self.members[:3], None], leaving=[None, None, self.members[3], None]))
        self.assertTrue(self.is_unread(0, 2))
        self.assertFalse(self.is_unread(0, 2, 3))

    def test_those_who_are_gone(self) -> None:
        """Nobody waits for whoever is no holder any more."""
        self.lives.note(self.record())
        self.assertTrue(self.is_unread(0, 1, holders=self.members[1:3]))
        self.assertFalse(self.is_unread(1, 2, holders=self.members[1:3]))
        self.lives.note(self.record())
        self.assertFalse(self.is_unread(holders=()))

    def test_one_that_is_waited_for_no_longer(self) -> None:
        """Nobody waits for it when its time is over for certain; a wall clock that is ahead alone lets nobody go."""
        self.lives.note(self.record(), until=START + 10)
        self.town.clock.advance(DAY)
        self.assertTrue(self.is_unread())
        self.town.unlisted = {self.members[0]}
        self.assertTrue(self.lives.is_unlisted(self.members[0], self.town))
        self.town.past = START + 11
        self.assertFalse(self.lives.is_unlisted(self.members[0], self.town))
        self.assertFalse(self.is_unread() or self.path.exists() or self.lives.has(self.members[0]))

    def test_several_lives(self) -> None:
        """Each is waited for; one that is noted twice is waited for once."""
        first, second = self.record(), self.record(revision=8, suppliers=[self.members[2], None, None, None])
        for one in (first, second, first):
            self.lives.note(one)
        self.assertTrue(self.is_unread(0, 1))
        self.assertFalse(self.is_unread(2))

    def test_a_disk_that_takes_nothing(self) -> None:
        """A life that cannot be noted is not joined; one that is read is asked about again."""
        with mock.patch("bitdust.suppliers.other_lives.write_safely", side_effect=OSError("full")):
            self.assertRaises(OSError, self.lives.note, self.record())
        self.lives.note(self.record())
        with mock.patch("bitdust.suppliers.other_lives.remove_safely", side_effect=OSError("read-only")):
            self.assertRaises(OSError, self.is_unread, 0, 1)
        self.town.unread = {*self.members}
        self.assertTrue(self.lives.are_unread(self.town, self.members))
        self.assertTrue(OtherLives(self.path).are_unread(self.town, self.members))

    def test_those_without_their_disks(self) -> None:
        """Who names no log of before counts only where all have answered: two honest ones may be off for an hour."""
        self.town.wiped = {*self.members[:2]}
        self.lives.note(self.record())
        self.assertTrue(self.is_unread(0, 1))
        self.assertTrue(self.is_unread(0, 1, 2))
        self.assertFalse(self.is_unread(0, 1, 2, 3))

    def test_asking_writes_nothing(self) -> None:
        """Whether a life is read is a question; what is known by now is written down by `look` alone."""
        self.lives.note(self.record())
        before = self.path.read_bytes()
        self.town.unread.clear()
        self.assertFalse(self.lives.are_unread(self.town, self.members))
        self.assertEqual(self.path.read_bytes(), before)

    def test_what_was_read_stays_read(self) -> None:
        """Those of whom it was read may be gone when the others have still to list their pieces."""
        self.lives.note(self.record())
        self.town.unlisted = {self.members[2]}
        self.assertFalse(self.is_unread(0, 1))
        self.assertTrue(self.path.exists())
        self.assertFalse(self.is_unread(holders=self.members[2:]))
        self.town.unread = {*self.members}
        self.assertFalse(OtherLives(self.path).are_unread(self.town, self.members))

    def test_a_damaged_file(self) -> None:
        """Of two copies one is enough to know whom to wait for, and both are there again with the next look."""
        copy, self.town.late = self.path.with_name(self.path.name + ".copy"), 0.0
        for path in (self.path, copy):
            self.lives.note(self.record())
            data = path.read_bytes()
            path.write_bytes(data.replace(self.members[0].hex().encode()[:8], b"00000000"))
            self.assertNotEqual(path.read_bytes(), data)
            self.lives = OtherLives(self.path)
            self.assertTrue(self.is_unread())
            self.assertEqual((self.path.read_bytes(), copy.read_bytes()), (data, data))
            self.assertFalse(self.is_unread(0, 1) or self.path.exists() or copy.exists())

    def test_a_file_that_is_not_given_now(self) -> None:
        """Nothing is written over files that the disk does not give, or that this user may not read: it is asked again,
        and everybody is waited for meanwhile."""
        self.lives.note(self.record())
        data, opened = self.path.read_bytes(), Path.open

        def refused(path: Path, *how: str) -> Any:
            if path.name.startswith(self.path.name):
                raise PermissionError(errno.EACCES, "Permission denied", str(path))
            return opened(path, *how)

        self.lives = OtherLives(self.path)
        self.town.unread = {*self.members}
        with mock.patch.object(Path, "open", refused):
            self.assertTrue(self.lives.are_unread(self.town, self.members))
            self.assertRaises(PermissionError, self.lives.note, self.record(revision=8))
            self.assertRaises(PermissionError, self.is_unread, 0, 1)
        self.assertEqual(self.path.read_bytes(), data)
        self.assertFalse(self.is_unread(0, 1))

    def test_the_largest_file(self) -> None:
        """All lives that are remembered are read again, however large their records are, and whomever they name."""
        names = tuple(bytes([number]) * 32 for number in range(200))
        more = (names, False, names, 1, names, names, names)
        lives = [Life(f"{number:02}" * MAX_RECORD, False, 1, *more) for number in range(MOST)]
        self.lives._write(lives)
        self.assertEqual(OtherLives(self.path)._known(), lives)

    def test_a_file_of_the_first_format(self) -> None:
        """A list of records is one of lives of which nothing is read; the next look writes it anew."""
        self.path.write_text(json.dumps([self.record().to_bytes().hex()]))
        self.assertTrue(self.is_unread(1))
        self.assertEqual([row["read"] for row in json.loads(self.path.read_bytes())["lives"]], [False])
        self.assertFalse(self.is_unread(1, 2))

    def test_until_all_have_listed(self) -> None:
        """What is read is remembered until every supplier of that life has listed its pieces."""
        self.lives.note(self.record())
        self.town.unlisted = {self.members[2]}
        self.assertFalse(self.is_unread(0, 1))
        listed = [self.lives.is_unlisted(who, self.town) for who in self.members]
        self.assertEqual((listed, self.path.exists()), ([False, False, True, False], True))
        self.town.unlisted.clear()
        self.assertFalse(self.is_unread(0, 1) or self.path.exists())
