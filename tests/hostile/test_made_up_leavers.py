"""A stolen device writes a record in which strangers leave my places, and is revoked when I have followed that."""

import json
from pathlib import Path
from types import SimpleNamespace

from attrs import evolve

from bitdust.crypt.device import DeviceKey
from bitdust.identity.awaited import FAMILY
from bitdust.suppliers.family import MyFamily
from bitdust.suppliers.family_before import DAY
from bitdust.suppliers.life import GUEST_DAYS, TERM
from bitdust.suppliers.other_lives import OtherLives, _digest
from tests.hostile.test_forged_lives import ForgedCase, people
from tests.stand_ins import StoredAsSaid
from tests.unit.supplier_kit import START, FakeDevice

MADE_UP = {*people(90), *people(91, 8)}
"""As many as a record has room for."""


class LeaversCase(ForgedCase):
    def setUp(self) -> None:
        super().setUp()
        self.devices = self.me.document.devices
        self.path = Path(self.mktemp())
        self.family = self.loaded()
        self.family.write(people(1), [None] * 4)
        self.stored = StoredAsSaid()
        self.stored.late = float(START)
        self.stored.unread = self.stored.unlisted = {*MADE_UP, *people(5)}

    def loaded(self) -> MyFamily:
        family = MyFamily(SimpleNamespace(world=SimpleNamespace(wall=lambda: float(START)), me=self.me), self.path)
        family.load()
        return family

    def follow(self, device: DeviceKey | None = None, **changed) -> None:
        device = device or self.thief
        self.devices[device.id] = FakeDevice(device.public)
        now = self.family.current
        also = [{"place": number % 4, "supplier": who} for number, who in enumerate(people(91, 8))]
        changed = changed or {"leaving": people(90), "also": also}
        theirs = evolve(now, revision=now.revision + 1, **changed)
        self.assertTrue(self.family.adopt(device.sign_record(theirs.KIND, theirs.to_body())))

    def revoke(self, **more) -> None:
        self.devices[self.thief.id] = FakeDevice(self.thief.public, revoked=2, **more)
        self.family.confirm()
        self.family.note_read(self.stored)

    def ends(self) -> list[int]:
        """In how many days nobody waits any more."""
        return [(one.until - START) // DAY for one in self.family._others._known()]

    def beside(self) -> set[bytes]:
        return {*self.family.holders} & MADE_UP


class LeaversTests(LeaversCase):
    def test_what_they_hold_back(self) -> None:
        """They are waited for as long as guests are, and not as long as suppliers of before."""
        self.follow()
        self.family.note_read(self.stored)
        self.assertEqual(self.ends(), [TERM // DAY])
        self.revoke()
        self.assertEqual((self.ends(), self.beside()), ([GUEST_DAYS], MADE_UP))
        self.assertTrue(self.family.has_unread(self.stored))
        self.stored.past = START + GUEST_DAYS * DAY + 1
        self.family.note_read(self.stored)
        self.assertFalse(self.family.has_unread(self.stored))

    def test_a_true_life(self) -> None:
        """They step aside for it, and come back when there is room."""
        self.follow()
        self.assertFalse(self.family.adopt(self.record(self.other, people(5))))
        self.revoke()
        self.assertTrue(self.family.adopt(self.record(self.other, people(5))))
        self.assertLessEqual({*people(1), *people(5)}, {*self.family.holders})
        self.assertEqual((self.beside(), self.family.has_guests_aside), (set(), True))
        self.family = self.loaded()
        self.family.write(self.family.current.suppliers, [None] * 4, [None] * 4, also=())
        self.family.take_again()
        self.assertEqual((self.beside(), self.family.has_guests_aside), (MADE_UP, False))
        self.assertEqual({*self.family.members} & MADE_UP, set())

    def test_accomplices_who_have_the_places(self) -> None:
        """Those hold what was stored since, and are no guests: they leave like others when mine have their places."""
        self.follow(suppliers=people(80), leaving=people(90), roots=self.family.current.roots)
        self.revoke()
        self.assertEqual(self.family.members, people(1))
        (life,) = self.family._others._known()
        self.assertEqual(life.guests, tuple(people(90)))

    def test_one_record_after_the_other(self) -> None:
        """All strangers of one device are guests, whichever of its records named them first."""
        self.follow(leaving=[people(90)[0], None, None, None])
        self.follow(leaving=people(90)[:2] + [None, None])
        self.revoke()
        (life,) = self.family._others._known()
        self.assertEqual(life.guests, tuple(people(90)[:2]))


class PlacedTests(LeaversCase):
    """A stranger whom the record names in a place of mine, or whom I hire, and who leaves it later."""

    def setUp(self) -> None:
        super().setUp()
        self.hired, self.left = people(90)[:2]
        self.follow(leaving=[self.hired, self.left, None, None])
        self.family.write([*people(80)[:1], self.hired, *people(1)[2:]], [None] * 4, [None, self.left, None, None])
        self.family.note_read(self.stored)

    def leave(self) -> None:
        """Somebody else has its place, and it has what nobody else has."""
        self.family.write([*people(80)[:2], *people(1)[2:]], [None] * 4, [None, self.hired, None, None],
                          also=((1, self.left),))  # fmt: skip

    def guests(self) -> tuple[bytes, ...]:
        (life,) = self.family._others._known()
        return life.guests

    def test_who_has_left_a_place_of_mine(self) -> None:
        """It is no guest, also after a restart: nobody takes its room."""
        self.leave()
        self.family = self.loaded()
        self.revoke()
        self.assertEqual(self.guests(), (self.left,))

    def test_who_leaves_it_when_the_device_is_revoked(self) -> None:
        """Who has a place then is no guest when the record is looked at once more."""
        self.family.write(self.family.current.suppliers, [None] * 4, [None] * 4, also=())
        self.revoke()
        self.assertEqual(self.guests(), ())
        self.leave()
        self.family.confirm()
        self.assertEqual(self.guests(), (self.left,))

    def test_a_file_of_the_sixth_format(self) -> None:
        """Nobody is known to have had a place."""
        path = self.path.with_name(self.path.name + ".others")
        rows = json.loads(path.read_bytes())["lives"]
        for row in rows:
            self.assertEqual(row.pop("placed"), [self.hired.hex()])
        for name in (path, path.with_name(path.name + ".copy")):
            name.write_text(json.dumps({"lives": rows, "digest": _digest(rows)}))
        self.assertEqual([one.placed for one in OtherLives(path)._known()], [()])


class OthersTests(LeaversCase):
    """Whom a thief has not made up is waited for as before."""

    def test_a_device_that_was_let_go(self) -> None:
        """It was no thief's."""
        self.follow()
        self.revoke(was_let_go=True)
        self.assertEqual((self.ends(), self.beside()), ([TERM // DAY], MADE_UP))

    def test_what_a_true_device_has_let_in(self) -> None:
        """A record of the thief that names the same ones, and more, makes no guests of them."""
        self.follow(self.other, leaving=[people(90)[0], None, None, None])
        self.follow(leaving=people(90)[:2] + [None, None])
        self.revoke()
        self.assertEqual(sorted(self.ends()), [GUEST_DAYS, TERM // DAY])
        lives = self.family._others
        self.assertIn(people(90)[0], lives.without(lives.guests(), self.family.current).leaving)

    def test_a_recovered_home(self) -> None:
        """It knows nobody, so all that a lost device has signed may be true."""
        self.me.awaited.add(FAMILY)
        self.follow()
        self.me.awaited.discard(FAMILY)
        self.revoke()
        self.assertEqual(self.ends(), [TERM // DAY])

    def test_a_file_of_the_third_format(self) -> None:
        """It names no strangers: all are waited for as they were."""
        self.follow()
        first = self.path.with_name(self.path.name + ".others")
        for path in (first, first.with_name(first.name + ".copy")):
            rows = json.loads(path.read_bytes())["lives"]
            for row in rows:
                self.assertEqual(len(row.pop("strangers")), len(MADE_UP))
            path.write_text(json.dumps({"lives": rows, "digest": _digest(rows)}))
        self.assertEqual([one.strangers for one in OtherLives(first)._known()], [None])
        self.family = self.loaded()
        self.revoke()
        self.assertEqual(self.ends(), [TERM // DAY])
