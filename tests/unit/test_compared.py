"""What is noted of comparisons has limits, and believes no clock that was ahead."""

from bitdust.storage.catalog.database import set_meta
from bitdust.storage.log.compared import (
    BEHIND,
    MAX_NOTE,
    MOST_BEHIND,
    TOLD_FOR,
    Compared,
    note_compared,
)  # fmt: skip
from bitdust.wire.encoding import encode
from tests.unit.test_log_replicas import LogCase

DEVICE, OTHER = b"\xff" * 8, b"\xfe" * 8
YEAR = 365 * 86_400


class ComparedTests(LogCase):
    def setUp(self) -> None:
        super().setUp()
        self.compared = Compared(self.core.catalog, self.core.calendar)

    def now(self) -> int:
        return int(self.core.world.wall())

    def note(self, moment: int, *lacking: bytes) -> None:
        changing = self.core.catalog.change(lambda database: note_compared(database, moment, lacking, [DEVICE]))
        self.node.wait(changing)

    def test_too_many(self) -> None:
        """However many lack something the note can be read, and the owner's own devices are in it."""
        self.note(self.now() - TOLD_FOR)
        made_up = [b"%08d" % number for number in range(3 * MOST_BEHIND)]
        self.note(self.now(), *made_up, DEVICE)
        self.assertEqual((self.compared.was_here(DEVICE), self.compared.was_here(OTHER)), (False, True))
        self.note(self.now(), DEVICE)
        self.assertFalse(self.compared.was_here(DEVICE))

    def test_a_note_that_cannot_be_read(self) -> None:
        """Where it was too large, or is broken, nothing was compared, until it is the next time."""
        for data in (encode([[b"%08d" % number, self.now()] for number in range(MAX_NOTE // 8)]), b"\xff"):
            self.note(self.now())
            self.assertTrue(self.compared.was_here(DEVICE))
            self.node.wait(self.core.catalog.change(lambda database, data=data: set_meta(database, BEHIND, data)))
            self.assertFalse(self.compared.was_here(DEVICE))
            self.note(self.now(), OTHER)
            self.assertEqual((self.compared.was_here(DEVICE), self.compared.was_here(OTHER)), (True, False))

    def test_a_clock_that_was_ahead(self) -> None:
        """What was noted while the clock was years ahead says nothing when it is right again, for any device."""
        self.note(self.now() + 5 * YEAR)
        self.assertFalse(self.compared.was_here(DEVICE))
        self.note(self.now(), OTHER)
        self.assertEqual((self.compared.was_here(DEVICE), self.compared.was_here(OTHER)), (True, False))
