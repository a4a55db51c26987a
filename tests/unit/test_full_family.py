"""A disk that takes no family record: nothing breaks off, and what was to be written is written a little later."""

import errno
from contextlib import AbstractContextManager
from typing import Any
from unittest import mock

from bitdust.identity.awaited import FAMILY
from bitdust.suppliers.departures import Departures
from bitdust.suppliers.family import MyFamily
from bitdust.suppliers.finding import Answer
from bitdust.suppliers.mandates import AFTER
from tests.unit.family_kit import Me
from tests.unit.test_finding import FindingCase
from tests.unit.test_hiring import TownCase


def full(owner: type, name: str) -> "AbstractContextManager[Any]":
    """The disk is full for whoever writes this."""
    return mock.patch.object(owner, name, side_effect=OSError(errno.ENOSPC, "No space left on device"))


class FullFamilyTests(TownCase):
    def test_a_mandate(self) -> None:
        """It is written seconds after there is room, searched for or not."""
        self.start()
        mandates = self.town.room.mandates
        self.addCleanup(mandates.stop)
        with full(MyFamily, "_keep"):
            mandates.start()
            self.pass_time(10)
        self.assertIsNone(self.town.family.current.mandate)
        self.pass_time(15)
        self.assertIsNotNone(self.town.family.current.mandate)
        with full(MyFamily, "_keep"):
            self.town.settings.set(AFTER, 0)
        self.assertIsNotNone(self.town.family.current.mandate)
        self.pass_time(15)
        self.assertIsNone(self.town.family.current.mandate)

    def test_who_was_hired(self) -> None:
        """Who cannot be written down is let go; with room again everybody is hired."""
        with full(MyFamily, "_keep"):
            self.start()
            self.pass_time(5)
        self.assertIsNone(self.town.family.current)
        self.pass_time(120)
        self.assertEqual(len(self.town.family.members), 4)

    def test_who_is_lost(self) -> None:
        """A place that is to change hands, and a supplier that stays after all, wait for the next look."""
        self.start()
        self.town.data = True
        who = self.town.supplier(1).fingerprint
        self.town.strikes[who] = 3
        with full(Departures, "_keep"):
            self.town.hiring.restart()
            self.pass_time(1)
        self.assertEqual(self.town.departures.suppliers(), [])
        self.town.supplier(4).up = self.town.supplier(5).up = False
        self.town.hiring.restart()
        self.pass_time(1)
        self.assertEqual(self.town.departures.suppliers(), [who])
        self.town.strikes[who] = 0
        with full(Departures, "_keep"):
            self.town.hiring.restart()
            self.pass_time(1)
        self.assertEqual(self.town.departures.suppliers(), [who])
        self.town.hiring.restart()
        self.pass_time(1)
        self.assertEqual(self.town.departures.suppliers(), [])


class FullRecoveryTests(FindingCase):
    def test_the_end_of_a_search(self) -> None:
        """A recovered node that cannot note that its family is known does so ten seconds later."""
        with full(Me, "came_back"):
            self.hear(*(self.told(place, self.family(7)) for place in range(4)))
            self.assertTrue(self.me.awaits(FAMILY))
        self.town.clock.advance(10)
        self.assertFalse(self.me.awaits(FAMILY))
        self.town.clock.advance(1)
        self.assertEqual(self.town.online(), 4)

    def test_a_record_that_is_found(self) -> None:
        """One that the disk does not take counts as an answer that did not come; it is asked for again."""
        with full(MyFamily, "_keep"):
            self.hear(Answer(self.members[0], self.family(7).to_bytes()))
        self.assertEqual(self.revision, 0)
        self.town.clock.advance(10)
        self.assertEqual(self.revision, 7)
