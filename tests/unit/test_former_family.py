"""After somebody has started over: the family of before is searched for as long as anybody may have it."""

from pathlib import Path
from unittest import mock

from twisted.trial.unittest import TestCase

from bitdust.identity.awaited import STARTED_OVER
from bitdust.suppliers.finding import Answer
from bitdust.suppliers.former import DAY, NOTE, TERM
from bitdust.wire.records import Family
from tests.unit.family_kit import Town
from tests.unit.supplier_kit import START


class FormerFamilyTests(TestCase):
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
        self.town.answers = [Answer(self.members[0], self.me.sign(family.KIND, family.to_body()).to_bytes())]

    def told(self) -> list[dict]:
        return [data for event, data in self.town.events.sent if event == "former-family-found"]

    @property
    def is_searching(self) -> bool:
        return self.town.room.former.is_searching

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
        self.assertEqual(set(map(str, self.town.asked_for_family)), {str((self.members[:1], True))})

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
        self.assertEqual((self.is_searching, self.told(), self.note.exists()), (False, [], False))

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
