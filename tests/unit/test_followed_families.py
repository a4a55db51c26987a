"""A device follows a record that another one of mine wrote: it lets nobody go before it knows what that one has."""

from pathlib import Path

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from bitdust.crypt.device import DeviceKey
from bitdust.identity.awaited import FAMILY
from bitdust.suppliers.family_before import DAY
from bitdust.suppliers.life import GUEST_DAYS
from bitdust.wire.records import MAX_SUPPLIERS, Family
from tests.unit.family_kit import Town
from tests.unit.supplier_kit import START, FakeDevice

STRANGERS = [bytes([number]) * 32 for number in (201, 202, 203, 204)]


class FollowedCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.town = Town(Path(self.mktemp()), 4)
        self.addCleanup(self.town.stop)
        self.other = DeviceKey.from_seed(b"9" * 32)
        self.town.me.document.devices[self.other.id] = FakeDevice(self.other.public)
        self.town.data = True

    def follow(self, family: Family) -> None:
        self.assertTrue(self.town.family.adopt(self.other.sign_record(family.KIND, family.to_body())))

    def pass_time(self, seconds: int = 300) -> None:
        self.town.clock.pump([1] * seconds)

    def month_is_over(self) -> None:
        self.town.past = self.town.late + GUEST_DAYS * DAY + 1

    def holders(self) -> set[bytes]:
        return {*self.town.family.holders}


class LivingTests(FollowedCase):
    """This device has a family."""

    def setUp(self) -> None:
        super().setUp()
        self.town.start()
        self.pass_time(5)
        self.mine = self.town.family.current

    def test_who_was_joined_elsewhere(self) -> None:
        """Another device has started over, and joined its family with mine: its suppliers who leave stay until their
        logs were read here, and they have listed their pieces."""
        self.town.unread = self.town.unlisted = {*STRANGERS}
        joined = evolve(self.mine, revision=9, roots=[*self.mine.roots, b"another-"], leaving=STRANGERS)
        self.follow(joined)
        self.pass_time()
        self.assertLessEqual({*STRANGERS}, self.holders())
        self.town.unread = set()
        self.pass_time()
        self.assertLessEqual({*STRANGERS}, self.holders())
        self.town.unlisted = {STRANGERS[0]}
        self.pass_time()
        self.assertEqual(self.holders() & {*STRANGERS}, {STRANGERS[0]})

    def test_members_of_a_life_that_was_joined_elsewhere(self) -> None:
        """The same where they have got the places, and all who leave are known here: one of them that is replaced
        stays beside its successor, and is not let go."""
        others = [self.town.add(f"other-{number}") for number in range(4)]
        members = [one.fingerprint for one in others]
        self.town.unread = self.town.unlisted = {*members}
        roots = [*self.mine.roots, b"another-"]
        self.follow(evolve(self.mine, revision=9, roots=roots, suppliers=members, leaving=self.mine.suppliers))
        newcomer = self.town.add("newcomer").fingerprint
        self.town.requests.replace(members[0], None)
        self.pass_time()
        self.assertEqual(self.town.family.current.suppliers, [newcomer, *members[1:]])
        self.assertLessEqual({*members, *self.mine.suppliers}, self.holders())
        self.assertEqual([one.cancelled for one in others], [0] * 4)
        self.assertTrue(self.town.family.has_unread(self.town))
        self.town.unread = self.town.unlisted = set()
        self.pass_time()
        self.assertFalse(self.town.family.has_unread(self.town))

    def test_guests_of_another_device(self) -> None:
        """Those whom it reads beside mine for a device that was revoked stay as well, wherever they stand, until all
        were read; after a month half of the larger family are enough."""
        further = [bytes([number]) * 32 for number in (205, 206)]
        self.town.unread = {*STRANGERS, *further}
        beyond = [*[None] * (MAX_SUPPLIERS - 6), *further]
        self.follow(evolve(self.mine, revision=9, leaving=STRANGERS, beyond=beyond, former=4))
        self.town.resized = True
        self.pass_time()
        self.assertLessEqual({*STRANGERS, *further}, self.holders())
        self.town.unread = {*STRANGERS[2:], *further}
        self.pass_time()
        self.assertLessEqual({*STRANGERS, *further}, self.holders())
        self.town.unread = {STRANGERS[3], *further}
        self.pass_time()
        self.assertLessEqual({*STRANGERS, *further}, self.holders())
        self.month_is_over()
        self.pass_time()
        self.assertEqual(self.holders() & {*STRANGERS, *further}, set())

    def test_two_lives_of_another_device(self) -> None:
        """Half of all that are there may be the most of one life and nobody of another one: each is waited for."""
        further = [bytes([number]) * 32 for number in range(205, 213)]
        self.town.unread = {*STRANGERS[2:]}
        beyond = [*[None] * (MAX_SUPPLIERS - 12), *further]
        self.follow(evolve(self.mine, revision=9, leaving=STRANGERS, beyond=beyond, former=4))
        self.town.resized = True
        self.pass_time()
        self.assertLessEqual({*STRANGERS, *further}, self.holders())
        self.assertEqual([(len(one.silent), one.needed) for one in self.town.family.unread(self.town)], [(2, 2)])
        self.town.unread = set()
        self.pass_time()
        self.assertEqual(self.holders() & {*STRANGERS, *further}, set())

    def test_a_larger_family_that_has_lost_one(self) -> None:
        """Of seven places four have to be read, though one of those that are beyond the family now is vacant."""
        further = [bytes([number]) * 32 for number in (205, 206)]
        for beyond in ([None, *further], [*further, None]):
            self.town.unread = {*STRANGERS[3:], *further}
            revision = self.town.family.current.revision + 1
            self.follow(evolve(self.mine, revision=revision, leaving=STRANGERS, beyond=beyond, former=4))
            self.pass_time()
            self.month_is_over()
            self.assertTrue(self.town.family.has_unread(self.town))
            self.town.unread = {*further}
            self.assertFalse(self.town.family.has_unread(self.town))

    def test_guests_beyond_who_have_not_listed(self) -> None:
        """Those who stand beyond the family may have a piece that lacks anywhere, until they have said what they have,
        or none lacks."""
        for is_listed in (True, False):
            self.town.unlisted, self.town.whole, self.town.resized = {STRANGERS[0]}, False, True
            revision = self.town.family.current.revision + 1
            self.follow(evolve(self.mine, revision=revision, beyond=[None, STRANGERS[0]], former=4))
            self.pass_time()
            self.assertIn(STRANGERS[0], self.holders())
            self.town.unlisted, self.town.whole = set() if is_listed else {STRANGERS[0]}, not is_listed
            self.pass_time()
            self.assertNotIn(STRANGERS[0], self.holders())

    def test_a_change_of_the_same_moment(self) -> None:
        """The same where both devices have changed the family."""
        self.town.unread = {*STRANGERS}
        self.town.family.write(self.mine.suppliers, [None] * 4)
        theirs = evolve(self.mine, revision=self.mine.revision + 1, leaving=STRANGERS)
        self.assertTrue(self.town.family.reconcile(self.other.sign_record(theirs.KIND, theirs.to_body())))
        self.pass_time()
        self.assertLessEqual({*STRANGERS}, self.holders())

    def test_a_replacement(self) -> None:
        """Whoever leaves for somebody new is known here, and goes when all has moved."""
        newcomer = self.town.add("newcomer").fingerprint
        suppliers, leaves = [newcomer, *self.mine.suppliers[1:]], self.mine.suppliers[0]
        self.town.unlisted = {leaves}
        self.follow(evolve(self.mine, revision=9, suppliers=suppliers, leaving=[leaves, None, None, None]))
        self.assertEqual(self.town.family.of_other_lives(), [])
        self.pass_time()
        self.assertNotIn(leaves, self.holders())


class RecoveredTests(FollowedCase):
    """This device knows nothing yet."""

    def test_who_leaves_when_the_home_is_lost(self) -> None:
        """Whoever left a place stays until it is known here what it has, and so does who leaves one later."""
        self.town.me.awaited.add(FAMILY)
        members = [one.fingerprint for one in self.town.suppliers.values()]
        for revision, suppliers in ((3, [STRANGERS[0], *members[1:]]), (4, members)):
            family = Family(self.town.me.fingerprint, revision, 2, 4, START, suppliers, roots=[b"former--"])
            self.follow(evolve(family, leaving=[None, STRANGERS[1], None, None]))
        self.town.me.awaited.discard(FAMILY)
        self.town.unread, self.town.unlisted = {*members[:3]}, {STRANGERS[1], members[0]}
        self.town.start()
        self.pass_time()
        self.assertTrue(self.town.family.has_unread(self.town))
        self.town.unread = {*members[:2]}
        self.pass_time()
        self.assertFalse(self.town.family.has_unread(self.town))
        self.assertIn(STRANGERS[1], self.holders())
        self.town.add("newcomer")
        self.town.requests.replace(members[0], None)
        self.pass_time()
        self.assertLessEqual({members[0], STRANGERS[1]}, self.holders())
        self.town.unlisted = set()
        self.pass_time()
        self.assertEqual(self.holders() & {members[0], STRANGERS[1]}, set())
