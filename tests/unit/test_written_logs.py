"""How much a revoked device has written: its longest log, of files or in a group."""

from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from bitdust.assembly.joints import LONGEST_WAIT, WrittenLogs

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

    def test_not_known_yet(self) -> None:
        """It is open while the own logs were not compared, and for two days while groups were not read."""
        self.groups.were_read.return_value = False
        self.assertIsNone(self.length())
        self.around.world.wall.return_value += 1
        self.assertEqual(self.length(), 12)
        self.storage.length.return_value = None
        self.assertIsNone(self.length())
