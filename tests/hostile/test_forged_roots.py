"""A stolen device says that my family has joined another one, so that nobody looks for that any more."""

from pathlib import Path
from types import SimpleNamespace

from attrs import evolve

from bitdust.crypt.device import DeviceKey
from bitdust.suppliers.family import MyFamily
from bitdust.suppliers.finding import Answer
from bitdust.wire.records import MAX_ROOTS, Family
from bitdust.wire.signed import Signed
from tests.hostile.test_forged_lives import ForgedCase, people
from tests.unit.supplier_kit import START, FakeDevice
from tests.unit.test_former_family import FormerFamilyCase


class RootsTests(ForgedCase):
    """The device counts still; a third one was lost, and with it the family that it had begun."""

    def setUp(self) -> None:
        super().setUp()
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.devices = self.me.document.devices
        self.devices[self.thief.id] = FakeDevice(self.thief.public)
        self.family = self.loaded()
        self.family.write(people(1), [None] * 4)
        self.lost = self.record(self.other, people(5), revision=1)

    def loaded(self) -> MyFamily:
        world = SimpleNamespace(wall=lambda: float(START))
        family = MyFamily(SimpleNamespace(world=world, me=self.me), self.folder / "family")
        family.load()
        return family

    def say(self, roots: list[bytes], device: DeviceKey | None = None) -> None:
        """A device writes my record with these roots, and it is followed."""
        mine, who = self.family.current, device or self.thief
        theirs = evolve(mine, revision=mine.revision + 1, roots=sorted(roots))
        self.assertTrue(self.family.adopt(who.sign_record(theirs.KIND, theirs.to_body())))

    def revoke(self) -> None:
        self.devices[self.thief.id] = FakeDevice(self.thief.public, revoked=2)
        self.family = self.loaded()
        self.family.confirm()

    def roots(self) -> set[bytes]:
        return {*self.family.current.roots}

    def is_joined(self, record: Signed) -> bool:
        return self.family.adopt(record) and {*people(5)} <= {*self.family.holders}

    def test_a_lost_family_is_hidden(self) -> None:
        """The root that it brought goes with its revocation, after a restart and under a record of mine too: the lost
        family is joined when it is found, once."""
        self.say([self.me.device.id, self.other.id])
        self.family.write(people(1), [None] * 4)
        self.assertFalse(self.family.adopt(self.lost))
        self.revoke()
        self.assertEqual(self.roots(), {self.me.device.id})
        self.assertTrue(self.is_joined(self.lost))
        self.assertEqual((self.roots(), self.family.adopt(self.lost)), ({self.me.device.id, self.other.id}, False))
        self.family.confirm()
        self.assertIn(self.other.id, self.roots())

    def test_what_others_have_joined(self) -> None:
        """A root that a device brought which counts stays; so does one that such a device says once more, after it was
        taken back: two devices never contradict each other for ever."""
        third = DeviceKey.from_seed(b"4" * 32)
        self.devices[third.id] = FakeDevice(third.public)
        self.say([self.me.device.id, third.id], third)
        self.say([self.me.device.id, third.id, self.other.id])
        self.revoke()
        self.assertEqual(self.roots(), {self.me.device.id, third.id})
        self.say([self.me.device.id, third.id, self.other.id], third)
        self.family.confirm()
        self.assertEqual(self.roots(), {self.me.device.id, third.id, self.other.id})

    def test_more_than_there_is_room_for(self) -> None:
        """Roots that are made up take the places of none that is known: a family with mine beside them is joined once,
        and with the revocation they go."""
        made_up = [bytes([0] * 7 + [number]) for number in range(MAX_ROOTS)]
        self.say(made_up)
        self.assertIn(self.me.device.id, self.roots())
        self.assertTrue(self.is_joined(self.lost))
        revision = self.family.current.revision
        self.assertEqual([self.family.adopt(self.lost) for _ in range(3)], [False] * 3)
        self.assertEqual(self.family.current.revision, revision)
        self.revoke()
        self.assertEqual(self.roots(), {self.me.device.id, self.other.id})

    def test_a_joined_record(self) -> None:
        """What a family brought that was joined, and not followed, goes as well."""
        theirs = evolve(self.family.current, revision=7, suppliers=people(7), roots=[self.thief.id, self.other.id])
        self.assertTrue(self.family.adopt(self.thief.sign_record(theirs.KIND, theirs.to_body())))
        self.revoke()
        self.assertEqual(self.roots(), {self.me.device.id})
        self.assertTrue(self.is_joined(self.lost))

    def test_a_note_that_cannot_be_read(self) -> None:
        """It counts for nothing, and is written anew."""
        for broken in (b"", b"[]", b'{"x": 1}', b"\xff"):
            (self.folder / "family.roots").write_bytes(broken)
            self.say([self.me.device.id, self.other.id])
            self.devices[self.thief.id] = FakeDevice(self.thief.public, revoked=2)
            self.family.confirm()
            self.devices[self.thief.id] = FakeDevice(self.thief.public)
            self.assertEqual(self.roots(), {self.me.device.id})


class SearchTests(FormerFamilyCase):
    def test_the_search_goes_on(self) -> None:
        """A search that ended because a device named all lives that there may be begins again with its revocation, and
        finds the family that was hidden."""
        devices, mine = self.me.document.devices, dict(self.me.document.devices)
        lost, thief = (DeviceKey.from_seed(name * 32) for name in (b"2", b"3"))
        devices.clear()
        devices |= {lost.id: FakeDevice(lost.public), **mine, thief.id: FakeDevice(thief.public)}
        self.start_over()
        self.say(thief, 7, people(7), [lost.id, thief.id])
        self.town.clock.advance(60)
        self.assertEqual((len(self.told()), self.is_searching), (1, False))
        devices[thief.id] = FakeDevice(thief.public, revoked=2)
        self.me.changed.emit()
        self.assertTrue(self.is_searching)
        self.say(lost, 3, self.members, [lost.id])
        self.pass_days(1)
        self.assertEqual((len(self.told()), lost.id in self.town.family.current.roots), (2, True))

    def say(self, device: DeviceKey, revision: int, suppliers: list[bytes], roots: list[bytes]) -> None:
        family = Family(self.me.fingerprint, revision, 2, 4, START, suppliers, roots=sorted(roots))
        record = device.sign_record(family.KIND, family.to_body()).to_bytes()
        self.town.answers = [*self.town.answers, *(Answer(one, record) for one in suppliers)]

    def pass_days(self, days: int) -> None:
        for _ in range(24 * days):
            self.town.clock.advance(3600)
