"""Two devices that change the family at the same time end with one record, and forget nobody who holds pieces."""

from pathlib import Path
from types import SimpleNamespace

from attrs import evolve
from twisted.internet.defer import fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from bitdust.automats.kernel import Registry
from bitdust.crypt.device import DeviceKey
from bitdust.suppliers.family import MyFamily
from bitdust.suppliers.family_merge import merged
from bitdust.suppliers.publication import FamilyPublication
from bitdust.wire.encoding import WireError
from bitdust.wire.errors import BitDustError
from bitdust.wire.packet import Command
from bitdust.wire.records import Family
from bitdust.wire.signed import Signed
from tests.unit.family_kit import Me
from tests.unit.kit import Reply
from tests.unit.supplier_kit import START, FakeDevice

OWNER = Me("customer").fingerprint
A, B, C, D, Y, Z = (bytes([number]) * 32 for number in range(1, 7))


def record(suppliers, leaving=None, revision: int = 2) -> Family:
    return Family(OWNER, revision, 2, 4, START, suppliers, None, leaving)


class MergedTests(SynchronousTestCase):
    def same(self, one: Family, other: Family, suppliers, leaving) -> None:
        """Whichever device hears of the other."""
        for places in (merged(one, other), merged(other, one)):
            self.assertEqual((places.suppliers, places.leaving), (suppliers, leaving))

    def test_changes_of_different_places(self) -> None:
        """Both successors have their places, and both who leave stay beside them."""
        one = record([Y, B, C, D], [A, None, None, None])
        other = record([A, B, C, Z], [None, None, None, D])
        self.same(one, other, [Y, B, C, Z], [A, None, None, D])

    def test_two_successors_of_one_place(self) -> None:
        """One of them has the place, and whoever holds the pieces still leaves it."""
        leaving = [A, None, None, None]
        self.same(record([Y, B, C, D], leaving), record([Z, B, C, D], leaving), [Y, B, C, D], leaving)

    def test_one_successor_of_two_places(self) -> None:
        """Nobody has two places; who would lose one keeps it."""
        one, other = record([Y, B, C, D], [A, None, None, None]), record([A, Y, C, D], [None, B, None, None])
        self.same(one, other, [Y, B, C, D], [A, None, None, None])

    def test_without_a_word_of_who_leaves(self) -> None:
        """Of two suppliers at one place both are remembered."""
        self.same(record([A, B, C, D]), record([Y, B, C, D]), [A, B, C, D], [Y, None, None, None])

    def test_an_empty_place(self) -> None:
        """A place that one device has filled is filled."""
        self.same(record([None, B, C, D]), record([Y, B, C, None]), [Y, B, C, D], [None] * 4)


class Keeper:
    """A supplier, which keeps the first record of a revision."""

    def __init__(self) -> None:
        self.kept: Signed | None = None

    def send(self, to, command, fields, payload=None, *, deadline, max_answer=0):
        if command is Command.RETRIEVE:
            return succeed(Reply({}, self.kept.to_bytes()))
        new = Signed.from_bytes(payload, Family.KIND)
        known = Family.from_body(self.kept.body).revision if self.kept is not None else 0
        revision = Family.from_body(new.body).revision
        if revision < known:
            return fail(BitDustError("stale", "older"))
        if revision == known and new.to_bytes() != self.kept.to_bytes():
            return fail(BitDustError("conflict", "another one"))
        self.kept = new
        return succeed(Reply({"revision": revision}))


class Town:
    """What two devices share: suppliers A to D."""

    def __init__(self) -> None:
        self.keepers = {who: Keeper() for who in (A, B, C, D, Y, Z)}
        self.reachable: set[bytes] = set()

    def connected(self, who: bytes) -> bool:
        return who in self.reachable

    def send(self, to, command, fields, payload=None, **options):
        return self.keepers[to].send(to, command, fields, payload, **options)


class DevicesTests(SynchronousTestCase):
    def device(self, name: bytes) -> tuple[MyFamily, FamilyPublication]:
        me = Me("customer")
        me.device = DeviceKey.from_seed(name * 32)
        me.document.devices.update(self.devices)
        registry = Registry(self.clock, lambda: START)
        around = SimpleNamespace(
            world=SimpleNamespace(wall=lambda: START), me=me, registry=registry, sessions=self.town, outbox=self.town
        )
        folder = Path(self.mktemp())
        folder.mkdir()
        family = MyFamily(around, folder / "family")
        publication = FamilyPublication(around, family, lambda family, signed: succeed(None))
        self.addCleanup(lambda: self.assertEqual(len(registry), 0))
        self.addCleanup(publication.stop)
        return family, publication

    def setUp(self) -> None:
        keys = [DeviceKey.from_seed(name * 32) for name in (b"1", b"2")]
        self.devices = {key.id: FakeDevice(key.public) for key in keys}
        self.clock = Clock()
        self.addCleanup(lambda: self.assertEqual(self.clock.getDelayedCalls(), []))
        self.town = Town()
        self.one, self.other = self.device(b"1"), self.device(b"2")
        first = self.one[0].write([A, B, C, D], [None] * 4)
        self.other[0].adopt(self.one[0].signed)
        self.assertEqual(self.other[0].current, first)

    def test_a_leap(self) -> None:
        """A device that was stolen gives its family the last revision: the others stay with theirs, and go on."""
        one, other = self.one[0], self.other[0]
        me = one._me
        for revision in (2**62, one.current.revision + 1001):
            far = evolve(one.current, revision=revision)
            self.assertRaises(WireError, other.adopt, me.sign(Family.KIND, far.to_body()))
            another = evolve(far, roots=[b"thief..."])
            self.assertRaises(WireError, other.adopt, me.sign(Family.KIND, another.to_body()))
        self.assertEqual(other.write([A, B, C, Z], [None] * 4).revision, 2)

    def test_both_changes_count(self) -> None:
        """Each device reached half of the suppliers with its own change; in the end all hold the record of both."""
        self.one[0].write([Y, B, C, D], [None] * 4, [A, None, None, None])
        self.other[0].write([A, B, C, Z], [None] * 4, [None, None, None, D])
        for (_, publication), reached in ((self.one, (A, B)), (self.other, (C, D))):
            self.town.reachable = set(reached)
            publication.start()
        self.town.reachable = set(self.town.keepers)
        for _ in range(4):
            for _, publication in (self.one, self.other):
                publication.update()
        self.assertEqual(self.one[0].signed, self.other[0].signed)
        current = self.one[0].current
        self.assertEqual((current.suppliers, current.leaving), ([Y, B, C, Z], [A, None, None, D]))
        self.assertEqual({keeper.kept.to_bytes() for keeper in self.town.keepers.values()},
                         {self.one[0].signed.to_bytes()})  # fmt: skip
        for _, publication in (self.one, self.other):
            self.assertTrue(all(publication.is_held_by(who) for who in current.holders))
            self.assertTrue(publication.is_safe())

    def other_life(self, times: int) -> MyFamily:
        """The second device has started over: it knows nothing of the first family, and wrote its own so many times."""
        family = self.device(b"2")[0]
        for _ in range(times):
            family.write([Y, Z, None, None], [None] * 4)
        return family

    def test_a_family_of_another_life_is_joined(self) -> None:
        """Whoever hears of the other one first, whichever is newer: both devices have all suppliers in the end."""
        for times, first_hears in ((1, True), (1, False), (5, True), (5, False)):
            one, other = self.device(b"1")[0], self.other_life(times)
            one.write([A, B, C, D], [None] * 4)
            one.write([A, B, C, D], [None] * 4)
            former = one.signed
            hears, known = (one, other) if first_hears else (other, one)
            self.assertTrue(hears.adopt(known.signed))
            self.assertTrue(hears.inherited)
            self.assertEqual(hears.current.revision, max(times, 2) + 1)
            self.assertEqual(set(hears.current.holders), {A, B, C, D, Y, Z})
            self.assertTrue(known.adopt(hears.signed))
            self.assertEqual(one.current, other.current)
            self.assertFalse(one.adopt(former))
            again = other.write([A, B, C, D], [None] * 4)
            self.assertTrue(one.adopt(other.signed))
            self.assertEqual(one.current, again)

    def test_a_change_that_did_not_know_of_the_other_life(self) -> None:
        """The first device has changed its family again before it heard of the union: that change counts too."""
        one, other = self.device(b"1")[0], self.other_life(1)
        one.write([A, B, C, D], [None] * 4)
        other.adopt(one.signed)
        for _ in range(3):
            one.write([A, B, C, None], [None] * 4, [None, None, None, D])
        self.assertTrue(other.adopt(one.signed))
        self.assertTrue(one.adopt(other.signed))
        self.assertEqual(one.current, other.current)
        self.assertEqual(set(one.current.holders), {A, B, C, D, Y, Z})

    def test_a_union_that_did_not_know_of_my_last_change(self) -> None:
        """The other device has joined an old record of mine: whom I have hired since keeps the place."""
        one, other = self.device(b"1")[0], self.other_life(1)
        one.write([A, B, C, None], [None] * 4)
        other.adopt(one.signed)
        one.write([A, B, C, D], [None] * 4)
        for _ in range(3):
            other.write(other.current.suppliers, [None] * 4, other.current.leaving)
        self.assertTrue(one.adopt(other.signed))
        self.assertTrue(other.adopt(one.signed))
        self.assertEqual(one.current, other.current)
        self.assertEqual(set(one.current.holders), {A, B, C, D, Y, Z})

    def test_a_third_life(self) -> None:
        """Of three who have something of one place all are remembered: one has it, and two leave it in turn."""
        one, other = self.device(b"1")[0], self.other_life(1)
        one.write([A, B, C, D], [None] * 4, [bytes([number]) * 32 for number in (11, 12, 13, 14)])
        other.write([bytes([number]) * 32 for number in (21, 22, 23, 24)], [None] * 4)
        self.assertTrue(one.adopt(other.signed))
        family = one.current
        self.assertEqual([len(family.holders_of(place)) for place in range(4)], [3, 3, 3, 3])
        self.assertEqual(family.leaving, [bytes([number]) * 32 for number in (11, 12, 13, 14)])
        second = [one["supplier"] for one in family.also]
        one.write(family.suppliers, [None] * 4, [None, *family.leaving[1:]])
        self.assertEqual((one.current.leaving[0], len(one.current.also)), (second[0], 3))

    def test_a_person_who_has_started_over_ten_times(self) -> None:
        """Each of the families is joined once, however many there were: one that is shown again changes nothing."""
        one = self.device(b"1")[0]
        one.write([A, B, C, D], [None] * 4)
        for number in range(10):
            key = DeviceKey.from_seed(bytes([100 + number]) * 32)
            one._me.document.devices[key.id] = FakeDevice(key.public)
            other = Family(OWNER, 7, 2, 4, START, [A, B, C, D], roots=[key.id])
            signed = key.sign_record(other.KIND, other.to_body())
            self.assertEqual([one.adopt(signed), one.adopt(signed)], [True, False])
        self.assertEqual(len(one.current.roots), 11)

    def test_more_than_a_record_has_room_for(self) -> None:
        """Where so many leave a place that somebody would have to be forgotten, nobody is joined yet."""
        one, other = self.device(b"1")[0], self.other_life(1)
        also = [(number // 4, bytes([31 + number]) * 32) for number in range(8)]
        one.write([A, B, C, D], [None] * 4, [bytes([number]) * 32 for number in (11, 12, 13, 14)], also=also)
        other.write([Z, *(bytes([number]) * 32 for number in (250, 251, 252))], [None] * 4)
        before = one.current
        self.assertFalse(one.adopt(other.signed))
        self.assertEqual(one.current, before)
        one.write([A, B, C, D], [None] * 4, [], also=())
        self.assertTrue(one.adopt(other.signed))
        self.assertEqual(len(one.current.holders), 8)

    def test_two_changes_of_one_moment_for_which_there_is_no_room(self) -> None:
        """Of two records that fill the last place for who leaves one counts as it is, and both devices go on from it:
        nobody whom it names is forgotten."""
        base, turns = [A, B, C, D], enumerate((0, 0, 0, 1, 1, 1, 3))
        also = [(place, bytes([31 + turn]) * 32) for turn, place in turns]
        changes = [([A, B, C, Y], [*also, (3, D)]), ([A, Z, C, D], [*also, (1, B)])]
        for mine, theirs in (changes, reversed(changes)):
            one, other = self.device(b"1")[0], self.device(b"2")[0]
            one.write(base, [None] * 4, [bytes([number]) * 32 for number in (11, 12, 13, 14)], also=also)
            other.adopt(one.signed)
            for device, (suppliers, leave) in ((one, mine), (other, theirs)):
                device.write(suppliers, [None] * 4, also=leave)
            first = min((one, other), key=lambda device: device.signed.to_bytes()).current
            said = {one: other.signed, other: one.signed}
            self.assertEqual([device.reconcile(signed) for device, signed in said.items()], [True, True])
            for hears, says in ((one, other), (other, one), (one, other)):
                hears.adopt(says.signed) or hears.reconcile(says.signed)
            self.assertEqual(one.current, other.current)
            self.assertEqual({*one.current.holders}, {*first.holders})

    def test_a_family_of_another_life_that_is_too_far_ahead(self) -> None:
        """It is refused: suppliers would take no record that follows both."""
        one, other = self.device(b"1")[0], self.other_life(1)
        one.write([A, B, C, D], [None] * 4)
        other._sign(evolve(other.current, revision=5000))
        self.assertRaises(WireError, one.adopt, other.signed)

    def test_a_revoked_device_joins_nothing(self) -> None:
        """What a device wrote under the same revision that is revoked since does not change my record."""
        family = self.one[0]
        family.write([A, B, C, D], [None] * 4)
        self.other[0].write([Z, B, C, D], [None] * 4)
        key = DeviceKey.from_seed(b"2" * 32)
        family._me.document.devices[key.id] = FakeDevice(key.public, revoked=3)
        before = family.signed
        self.assertFalse(family.reconcile(self.other[0].signed))
        self.assertEqual(family.signed, before)
