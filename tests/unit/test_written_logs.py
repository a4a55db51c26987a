"""How much a revoked device has written: its longest log, of files or in a group."""

import itertools
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from bitdust.assembly.joints import LONGEST_WAIT, StorageJoint, WrittenLogs
from bitdust.groups.opened import Discussion
from bitdust.identity.awaited import FAMILY

MADE = 1_700_000_000
DEVICE = bytes(8)


class WrittenLogsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.around, self.storage, self.groups = mock.Mock(), mock.Mock(), mock.Mock()
        self.around.me.document.date = "2023-11-14T22:13:20Z"
        self.around.world.wall.return_value = MADE + LONGEST_WAIT
        self.storage.length.return_value = 3
        self.groups.said_by.return_value = 12
        self.groups.were_read.return_value = True

    def length(self) -> int | None:
        return WrittenLogs(self.around, self.storage, self.groups).length(DEVICE)

    def test_the_longest(self) -> None:
        """The longest log counts, wherever it is."""
        self.assertEqual(self.length(), 12)
        self.storage.length.return_value = 20
        self.assertEqual(self.length(), 20)

    def test_groups_that_were_left(self) -> None:
        """It is open while what was said in groups that were left is not known, however late it is."""
        self.groups.said_by.return_value = None
        self.around.world.wall.return_value += 1
        self.assertIsNone(self.length())

    def test_not_known_yet(self) -> None:
        """It is open while the own logs were not compared, and for two days while groups were not read."""
        self.groups.were_read.return_value = False
        self.assertIsNone(self.length())
        self.around.world.wall.return_value += 1
        self.assertEqual(self.length(), 12)
        self.storage.length.return_value = None
        self.assertIsNone(self.length())

    def test_who_waits_no_longer(self) -> None:
        """Groups that were not read, and suppliers of before, are not waited for then."""
        self.groups.were_read.return_value = False
        self.storage.length.side_effect = lambda device, is_patient: None if is_patient else 3
        written = WrittenLogs(self.around, self.storage, self.groups)
        self.assertEqual((written.length(DEVICE), written.length(DEVICE, is_patient=False)), (None, 12))

    def test_a_family_of_before(self) -> None:
        """One that is searched for, or not read yet, or a newer one, leaves it open however long that takes."""
        suppliers = mock.Mock()
        joint = StorageJoint(self.around, mock.Mock(), suppliers, mock.Mock(), mock.Mock())
        awaited = self.around.me.awaits
        cases = ((True, [], False), (False, ["life"], False), (False, [], True), (False, [], False))
        for (is_searching, others, is_aside), awaits in itertools.product(cases, (False, True)):
            awaited.side_effect = lambda part, awaits=awaits: awaits and part == FAMILY
            suppliers.family.has_guests_aside = is_aside
            suppliers.former.is_searching = is_searching
            suppliers.replacements.unread.return_value = others
            self.around.world.wall.return_value = MADE + LONGEST_WAIT + 1
            self.assertEqual(joint.awaits_others(), awaits or is_searching or bool(others) or is_aside)

    def test_a_group_of_which_nobody_was_heard(self) -> None:
        """It is read where somebody was heard since, or where this person is alone in it and nobody else keeps it."""
        group, me, other = mock.Mock(), b"m" * 32, b"o" * 32
        group._me.fingerprint = me
        cases = ((True, False, [me, other], True), (False, True, [me, other], False), (False, True, [me], True))
        for is_heard, is_alone, members, expected in (*cases, (False, False, [me], False)):
            group.log.knows_end_of.return_value, group.log.is_alone.return_value = is_heard, is_alone
            group.members.return_value = members
            self.assertEqual(Discussion.knows_end_of(group, DEVICE), expected)
