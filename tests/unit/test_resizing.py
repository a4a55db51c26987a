"""Another number of suppliers while pieces are stored: step by step, and nobody goes before everything has moved."""

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from bitdust.crypt.device import DeviceKey
from bitdust.identity.awaited import FAMILY
from bitdust.suppliers.family_merge import SizeChange, merged
from bitdust.wire.encoding import WireError
from bitdust.wire.records import Family
from tests.unit.family_kit import GB, Town
from tests.unit.supplier_kit import FakeDevice

NUMBER = "services/customer/suppliers-number"


class ResizingCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.town = Town(Path(self.mktemp()), 8)
        self.town.settings.set(NUMBER, 2)
        self.town.start()
        self.pass_time(5)
        self.town.data = True
        self.addCleanup(self.town.stop)

    def pass_time(self, seconds: float) -> None:
        self.town.clock.pump([0.5] * int(seconds * 2))

    @property
    def family(self) -> Family:
        return self.town.family.current

    def set_number(self, n: int, seconds: float = 15) -> None:
        self.town.settings.set(NUMBER, n)
        self.pass_time(seconds)

    def finish(self) -> None:
        """The storage has moved everything."""
        self.town.resized = True
        self.pass_time(15)
        self.town.resized = False

    def again(self) -> None:
        """The node stops and starts, with what is on the disk."""
        self.town.stop()
        self.town.living()
        self.town.start()
        self.pass_time(5)

    def follow(self, n: int | None) -> None:
        """Another device of the owner has written the record, and wants so many, or no other number."""
        device = DeviceKey.from_seed(b"d" * 32)
        self.town.me.document.devices[device.id] = FakeDevice(device.public)
        theirs = self.family
        record = Family(
            theirs.customer, theirs.revision + 1, theirs.k, theirs.n, theirs.time, theirs.suppliers, wanted=n
        )
        self.assertTrue(self.town.family.adopt(device.sign_record(Family.KIND, record.to_body())))

    def contract(self, supplier: bytes):
        return self.town.book.of(supplier)

    def ended(self) -> list[bytes]:
        """Suppliers that got my signed word."""
        return [one.fingerprint for one in self.town.suppliers.values() if one.ended]


class GrowingTests(ResizingCase):
    def test_two_become_four(self) -> None:
        """The first two keep their places, two more come beside them, and after the last pack nothing else is said."""
        first = list(self.family.suppliers)
        self.set_number(4)
        self.assertEqual(((self.family.n, self.family.k), self.family.suppliers[:2]), ((4, 2), first))
        self.assertEqual((self.family.complete, self.family.former, self.family.wanted), (True, 2, None))
        self.assertIn("coded for 4 suppliers", self.town.hiring.reason)
        self.finish()
        self.assertEqual((self.family.former, self.family.beyond, self.town.hiring.reason), (None, None, ""))
        self.assertEqual(self.ended(), [])

    def test_nothing_changes_before_everybody_is_hired(self) -> None:
        """With too few known suppliers the family stays, says what it waits for, and goes on when somebody comes."""
        self.set_number(10)
        self.assertEqual((self.family.n, self.family.wanted), (2, 10))
        self.assertIn("2 more are being looked for", self.town.hiring.reason)
        for number in range(2):
            self.town.add(f"late-{number}")
        self.pass_time(120)
        self.assertEqual((self.family.n, self.family.complete), (10, True))

    def test_nothing_changes_before_they_hold_the_log(self) -> None:
        """Three of four must hold log and key ring, so that any two that come back later include one of them."""
        others = [one for one in self.town.suppliers if one not in self.family.suppliers]
        self.town.without_log = set(others)
        self.set_number(4, 60)
        self.assertEqual((self.family.n, len(self.family.holders)), (2, 4))
        self.assertEqual([row["beyond"] for row in self.town.room.view.list()], ["", "", "to come", "to come"])
        self.assertIn("2 of the 4 suppliers hold the catalog's log", self.town.hiring.reason)
        self.town.without_log = {others[0]}
        self.pass_time(15)
        self.assertEqual(self.family.n, 4)

    def test_somebody_who_is_lost_before_anything_is_stored_there(self) -> None:
        """Another one is hired in the place of a supplier that has gone before it belonged to the family."""
        others = [one for one in self.town.suppliers if one not in self.family.suppliers]
        self.town.without_log = set(others)
        self.set_number(4)
        lost = self.family.beyond[0]
        self.town.kill(self.town.suppliers[lost])
        self.pass_time(200)
        self.assertNotIn(lost, self.family.holders)
        self.town.without_log = set()
        self.pass_time(15)
        self.assertEqual((self.family.n, self.family.complete), (4, True))

    def test_contracts(self) -> None:
        """Everybody's contract names its place in the family as it is now."""
        self.set_number(4)
        places = [(self.contract(who).position, self.contract(who).n) for who in self.family.suppliers]
        self.assertEqual(places, [(place, 4) for place in range(4)])

    def test_the_way_back(self) -> None:
        """A number that is taken back before all are hired dismisses those who were hired for it, and nobody else."""
        self.set_number(12)
        self.assertEqual(len(self.family.beyond), 6)
        hired = list(self.family.beyond)
        self.town.settings.set(NUMBER, 2)
        self.finish()
        self.assertEqual((self.family.n, self.family.is_changing, len(self.family.holders)), (2, False, 2))
        self.assertEqual(sorted(self.ended()), sorted(hired))

    def test_fewer_than_were_wanted_before(self) -> None:
        """With nobody else to hire, those who were hired for later places get the vacant ones that are still wanted."""
        self.set_number(12)
        hired = [who for who in self.family.beyond if who is not None]
        self.town.kill(self.town.suppliers[hired[0]])
        self.pass_time(200)
        self.assertIsNone(self.family.beyond[0])
        self.set_number(4)
        self.assertEqual((self.family.n, self.family.complete), (4, True))
        self.assertNotIn(hired[0], self.family.holders)
        self.finish()
        self.assertEqual((self.family.is_changing, len(self.family.holders)), (False, 4))


class ShrinkingTests(ResizingCase):
    def setUp(self) -> None:
        super().setUp()
        self.set_number(7)
        self.finish()

    def test_seven_become_two(self) -> None:
        """Five lose their places and stay beside the family; after the last pack they get my signed word."""
        seats = list(self.family.suppliers)
        self.set_number(2)
        self.assertEqual((self.family.suppliers, self.family.beyond, self.family.former), (seats[:2], seats[2:], 7))
        self.assertEqual((self.ended(), len(self.family.holders)), ([], 7))
        self.assertEqual([row["beyond"] for row in self.town.room.view.list()], [""] * 2 + ["to go"] * 5)
        self.assertIn("coded for 2 suppliers", self.town.room.view.change())
        self.finish()
        self.pass_time(5)
        self.assertEqual((sorted(self.ended()), self.family.is_changing), (sorted(seats[2:]), False))
        self.assertEqual(self.town.events.names().count("supplier-dismissed"), 5)

    def test_those_who_stay_get_more_room(self) -> None:
        """Each of two may fill what they have of both kinds; those who go keep what they promised."""
        before = self.contract(self.family.suppliers[3]).room
        self.set_number(2)
        for who in self.family.suppliers:
            self.town.room.connectors.note_taken(who, 3 * GB)
        self.pass_time(1)
        self.assertEqual([self.contract(who).room // GB for who in self.family.suppliers], [6] * 2)
        self.assertEqual(self.contract(self.family.beyond[1]).room, before)

    def test_one_step_after_the_other(self) -> None:
        """Seven, two and then four again: the places between come back from beyond with what they hold."""
        seats = list(self.family.suppliers)
        self.set_number(2)
        self.set_number(4)
        self.assertEqual((self.family.suppliers, self.family.beyond, self.family.former), (seats[:4], seats[4:], 2))
        self.finish()
        self.pass_time(5)
        self.assertEqual((self.family.holders, sorted(self.ended())), (seats[:4], sorted(seats[4:])))

    def keep(self, nowhere: int) -> None:
        """The storage has moved everything but packs at so many places."""
        self.town.nowhere, self.town.resized = nowhere, True
        self.pass_time(75)
        self.town.resized = False

    def test_packs_that_are_nowhere(self) -> None:
        """Those stay who may have pieces of them, over restarts; nobody else does, and in the end they go as well."""
        seats = list(self.family.suppliers)
        self.set_number(2)
        self.keep(4)
        self.assertEqual(sorted(self.ended()), sorted(seats[4:]))
        self.assertEqual((self.family.beyond, self.family.former), (seats[2:4], 7))
        self.assertEqual(self.town.room.resizing.state, "KEEPING")
        self.assertIn("too few pieces", self.town.room.view.change())
        revision = self.family.revision
        self.again()
        self.town.resized = True
        self.pass_time(200)
        self.assertEqual((self.family.revision, self.town.room.resizing.state), (revision, "KEEPING"))
        self.town.nowhere, self.town.resized = 0, False
        self.pass_time(200)
        self.assertEqual((self.family.beyond, self.town.room.resizing.state), (seats[2:4], "MOVING"))
        self.finish()
        self.pass_time(5)
        self.assertEqual((sorted(self.ended()), self.family.is_changing), (sorted(seats[2:]), False))

    def test_another_number_while_some_are_nowhere(self) -> None:
        """The next change takes those who stay back into the family, and ends in the same way."""
        seats = list(self.family.suppliers)
        self.set_number(2)
        self.keep(5)
        self.set_number(4)
        self.assertEqual((self.family.suppliers, self.family.beyond), (seats[:4], seats[4:5]))
        self.keep(5)
        self.assertEqual((self.family.beyond, self.town.room.resizing.state), (seats[4:5], "KEEPING"))
        self.keep(4)
        self.assertEqual((self.family.is_changing, len(self.family.holders)), (False, 4))

    def test_a_restart_at_each_step(self) -> None:
        """A node that is stopped in the middle goes on; who has lost its place is not dismissed by a restart."""
        seats = list(self.family.suppliers)
        self.set_number(2, 0)
        self.again()
        self.pass_time(15)
        self.assertEqual((self.family.n, self.ended()), (2, []))
        self.again()
        self.assertEqual((self.family.beyond, self.ended()), (seats[2:], []))
        self.finish()
        self.pass_time(5)
        self.assertEqual(sorted(self.ended()), sorted(seats[2:]))

    def test_a_setting_that_was_changed_while_the_node_was_off(self) -> None:
        """It counts at the next start."""
        self.town.stop()
        self.town.living()
        self.town.settings.set(NUMBER, 4)
        self.town.start()
        self.pass_time(15)
        self.assertEqual(self.family.n, 4)

    def test_another_device_changes_the_number(self) -> None:
        """What its record says counts here as well, and the setting follows it."""
        self.follow(4)
        self.pass_time(15)
        self.assertEqual((self.town.settings.get(NUMBER), self.family.n), (4, 4))


class FollowedTests(ResizingCase):
    def test_killed_before_the_record_says_it(self) -> None:
        """A number that was set after another device's record was seen counts, also where no record says so yet."""
        self.follow(None)
        self.town.stop()
        self.town.living()
        self.town.settings.set(NUMBER, 3)
        self.town.start()
        self.pass_time(15)
        self.assertEqual((self.town.settings.get(NUMBER), self.family.n), (3, 3))

    def test_set_while_the_family_is_searched_for(self) -> None:
        """A number that is set once the record was found counts, though others are still asked for a newer one."""
        self.town.me.lost(FAMILY)
        self.follow(None)
        self.town.settings.set(NUMBER, 3)
        self.pass_time(15)
        self.town.hiring._finding.known.emit()
        self.assertEqual(self.town.settings.get(NUMBER), 3)


class MergeTests(SynchronousTestCase):
    def record(self, n: int, seats: str, wanted: int | None = None, former: int | None = None) -> Family:
        names = [None if letter == "-" else letter.encode() * 32 for letter in seats]
        return Family(
            b"c" * 32, 5, (n + 1) // 2, n, 0, names[:n], wanted=wanted, beyond=names[n:] or None, former=former
        )

    def test_two_sizes_of_one_revision(self) -> None:
        """Whoever learns first: the larger family counts, and the places of both are kept."""
        small, large = self.record(2, "abcd", former=4), self.record(4, "abcd", wanted=2)
        for places in (merged(small, large), merged(large, small)):
            self.assertEqual([who[:1] for who in places.suppliers], [b"a", b"b", b"c", b"d"])
            self.assertEqual(places.change, SizeChange(2, (), 2))
        self.assertEqual(merged(small, large), merged(large, small))

    def test_two_that_hire(self) -> None:
        """Two devices that hired different suppliers for one place beyond the family keep one of them."""
        mine, theirs = self.record(2, "abx-", wanted=4), self.record(2, "aby-", wanted=4)
        self.assertEqual(merged(mine, theirs), merged(theirs, mine))
        self.assertEqual(merged(mine, theirs).change.wanted, 4)

    def test_too_many_places(self) -> None:
        """A record of more places than there can be is refused."""
        body = self.record(40, "a" + "-" * 69).to_body()
        with self.assertRaises(WireError):
            Family.from_body(body)
