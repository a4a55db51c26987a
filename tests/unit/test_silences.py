"""On how many days a spare that I have named was silent: over restarts, and not while I reach nobody."""

from pathlib import Path
from unittest import mock

from bitdust.suppliers.mandates import DAY, SPARES
from bitdust.suppliers.silences import Silences
from tests.unit.supplier_kit import START
from tests.unit.test_spares import SparesCase


class SilencesTests(SparesCase):
    def test_a_node_that_is_off_at_night(self) -> None:
        """It counts such days as any other: a spare that is gone does not keep its name for ever."""
        town = self.town(6, **{SPARES: 1})
        (spare,) = self.named(town)
        town.kill(town.suppliers[spare])
        for day in range(10):
            town.clock.advance(DAY / 2)
            town.room.mandates.stop()
            town.stop()
            town.living()
            town.clock.advance(DAY / 2)
            town.start()
            self.turn(town)
            town.room.mandates.start()
            self.turn(town)
            if day < 5:
                self.assertEqual(self.named(town), {spare})
        self.assertEqual(len(self.named(town) - {spare}), 1)

    def test_a_node_that_begins_without_a_network(self) -> None:
        """Who reaches nobody just after its start each morning takes no name from a spare that is there."""
        town = self.town(6, **{SPARES: 1})
        named = self.named(town)
        for _ in range(10):
            town.room.mandates.stop()
            town.stop()
            town.living()
            for one in town.suppliers.values():
                town.kill(one)
            town.clock.advance(DAY)
            town.start()
            town.room.mandates.start()
            self.turn(town)
            for one in town.suppliers.values():
                one.up = True
            self.turn(town, 90.0)
            self.assertEqual(self.named(town), named)
        self.assertEqual(town.room.mandates._silences.days(*named), 0)

    def test_what_was_counted_makes_no_sense(self) -> None:
        """It counts as nothing; and a disk that takes nothing is no reason to stop."""
        town = self.town(6, **{SPARES: 1})
        (spare,) = self.named(town)
        town.kill(town.suppliers[spare])
        path = town.folder / "metadata" / "silences"
        for text in ("", "[]", '{"a": 1}', '{"zz": [1, 2]}', '{"aa": [null, 2]}'):
            path.write_text(text)
            silences = Silences(path, lambda: float(START))
            silences.load()
            self.assertEqual(silences.days(spare), 0)
        with mock.patch("bitdust.suppliers.silences.write_safely", side_effect=OSError(28, "full")):
            for _ in range(9):
                self.turn(town, DAY)
        self.assertEqual(len(self.named(town) - {spare}), 1)

    def test_a_clock_that_leaps(self) -> None:
        """A clock that was a year ahead for a moment counts one day more, when it leaps, and stops nothing."""
        times = [float(START)]
        silences = Silences(Path(self.mktemp()), lambda: times[-1])
        for now in (START, START + 366 * DAY, START, START + DAY - 1, START + DAY, START + DAY + 1):
            times.append(float(now))
            silences.note(b"s")
        self.assertEqual(silences.days(b"s"), 3)

    def test_a_clock_that_is_set_back(self) -> None:
        """However often that happens within one day, it counts once; the next day is counted from then on."""
        times = [float(START)]
        silences = Silences(Path(self.mktemp()), lambda: times[-1])
        for back in range(10):
            times.append(float(START - back * 3600))
            silences.note(b"s")
        self.assertEqual(silences.days(b"s"), 1)
        for later, days in ((DAY - 1, 1), (DAY, 2), (DAY + 1, 2), (2 * DAY, 3)):
            times.append(START - 9 * 3600.0 + later)
            silences.note(b"s")
            self.assertEqual(silences.days(b"s"), days)
