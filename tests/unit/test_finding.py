"""Finding the family of a recovered node: the first proof opens reading, and nothing is written before the newest."""

from pathlib import Path

from twisted.trial.unittest import TestCase

from bitdust.identity.awaited import FAMILY
from bitdust.suppliers.finding import Answer
from bitdust.wire.errors import BitDustError
from bitdust.wire.records import Family
from bitdust.wire.signed import Signed
from tests.unit.family_kit import Town
from tests.unit.supplier_kit import START, FakeDevice, Person


class FindingCase(TestCase):
    def setUp(self) -> None:
        self.town = Town(Path(self.mktemp()))
        self.addCleanup(self.town.stop)
        self.me = self.town.me
        self.me.awaited.add(FAMILY)
        self.members = [one.fingerprint for one in list(self.town.suppliers.values())[:4]]

    def family(self, revision: int, suppliers: list[bytes] | None = None) -> Signed:
        family = Family(self.me.fingerprint, revision, 2, 4, START, suppliers or self.members)
        return self.me.sign(family.KIND, family.to_body())

    def hear(self, *answers: Answer) -> None:
        """The next round brings these."""
        self.town.answers = list(answers)
        if self.town.hiring.machine.state == "AT_STARTUP":
            self.town.start()
        else:
            self.town.clock.advance(300)

    def told(self, place: int, record: Signed | None) -> Answer:
        return Answer(self.members[place], record.to_bytes() if record is not None else b"")

    def in_dht(self, revision: int) -> Answer:
        return Answer(None, self.family(revision).to_bytes())

    @property
    def revision(self) -> int:
        current = self.town.family.current
        return current.revision if current is not None else 0

    def is_known(self) -> bool:
        return not self.me.awaits(FAMILY)


class FindingTests(FindingCase):
    def test_an_empty_answer_is_no_family(self) -> None:
        """Whoever answers that there is none counts for nothing: nobody is hired, however long it takes."""
        self.hear(Answer(None), *(self.told(place, None) for place in range(4)))
        for _ in range(50):
            self.town.clock.advance(600)
        self.assertEqual((self.revision, self.town.hiring.machine.state, self.is_known()), (0, "FAMILY?", False))
        self.assertEqual([one.requests for one in self.town.suppliers.values()], [0] * 6)
        self.assertTrue(all(at_large for _, at_large in self.town.asked_for_family))
        self.assertIn("is searched for", self.town.hiring.reason)
        self.assertIn("my-family-awaited", self.town.events.names())

    def test_the_first_proof_opens_reading(self) -> None:
        """Its suppliers are connected; until the newest record is known nothing is written, and the reason says why."""
        self.hear(self.told(0, self.family(7)))
        self.assertEqual((self.revision, self.town.online(), self.is_known()), (7, 4, False))
        self.assertTrue(self.town.hiring.is_usable and self.town.hiring.is_recovering)
        self.assertIn("1 of 3 suppliers were heard", self.town.hiring.reason)
        error = self.assertRaises(BitDustError, self.town.family.write, self.members, [None] * 4)
        self.assertEqual((error.code, self.revision), ("recovering", 7))
        self.assertEqual(self.town.in_dht_revisions(), [])

    def test_a_newer_record_replaces_it(self) -> None:
        """Whoever comes later with a newer one is believed, and an older one changes nothing."""
        self.hear(self.told(0, self.family(7)))
        others = [*self.members[:3], list(self.town.suppliers)[5]]
        self.hear(self.told(1, self.family(9, others)))
        self.assertEqual(self.revision, 9)
        self.hear(self.told(2, self.family(8)))
        self.assertEqual((self.revision, self.town.family.current.suppliers), (9, others))
        self.assertTrue(self.is_known())

    def test_so_many_places_that_one_must_know(self) -> None:
        """With N−k+1 places heard no newer record can have been in force, whatever the DHT says or does not."""
        self.hear(Answer(None, error="dht-off"), self.told(0, self.family(7)), self.told(1, self.family(6)))
        self.assertFalse(self.is_known())
        self.hear(self.told(2, None))
        self.assertFalse(self.is_known())
        self.hear(self.told(2, self.family(7)))
        self.assertTrue(self.is_known())
        self.assertIn("my-family-found", self.town.events.names())
        self.assertEqual((self.town.hiring.machine.state, self.town.hiring.reason), ("READY", ""))
        self.assertEqual(self.town.in_dht_revisions(), [7])

    def test_who_was_let_go(self) -> None:
        """A place without a record may have been let go by a newer family: it counts for nothing before the DHT has
        said what it has."""
        two = self.members[:2]
        family = Family(self.me.fingerprint, 3, 1, 2, START, two)
        record = self.me.sign(family.KIND, family.to_body())
        self.hear(Answer(None, error="dht-off"), self.told(0, None), self.told(1, record))
        self.assertEqual((self.revision, self.is_known()), (3, False))
        self.hear(self.in_dht(7))
        self.assertEqual((self.revision, self.is_known()), (7, True))

    def test_nobody_else_can_say_more(self) -> None:
        """Where all of a family and the DHT have answered what they have is the newest, though some have lost it."""
        self.hear(Answer(None), self.told(0, self.family(7)), self.told(1, None), self.told(2, None))
        self.assertFalse(self.is_known())
        self.hear(self.told(3, None))
        self.assertTrue(self.is_known())

    def test_the_record_of_the_dht(self) -> None:
        """What the DHT has is the newest, unless the key file knows a newer one."""
        self.hear(self.in_dht(7))
        self.assertTrue(self.is_known())

    def test_a_dht_that_is_behind(self) -> None:
        """A record of the DHT that is older than the key file, or than what a supplier has, settles nothing."""
        self.town.hinted_revision = 8
        self.hear(self.in_dht(7))
        self.assertFalse(self.is_known())
        self.hear(self.in_dht(7), self.told(0, self.family(8)))
        self.assertEqual((self.revision, self.is_known()), (8, True))

    def test_what_is_no_record_of_mine(self) -> None:
        """A forged record is passed over, and named among those that gave no answer of use."""
        forged = Person("mallory").device.sign_record("family", self.family(9).body)
        self.hear(self.told(0, forged), Answer(None, b"rubbish"))
        self.assertEqual(self.revision, 0)
        self.assertIn("no answer yet from", self.town.hiring.reason)

    def test_a_stolen_device(self) -> None:
        """A record of a revoked device is the last choice, and is signed again once nothing better is found."""
        thief = Person("thief").device
        self.me.document.devices[thief.id] = FakeDevice(thief.public, revoked=2)
        stolen = thief.sign_record("family", self.family(900).body)
        self.hear(self.told(0, stolen))
        self.assertEqual(self.revision, 900)
        self.hear(self.told(1, self.family(7)))
        self.assertEqual(self.revision, 7)
        self.town.family.adopt(stolen)
        self.assertEqual(self.revision, 7)

    def test_only_a_stolen_device(self) -> None:
        """Where nothing else is known its record counts, under a signature of this device."""
        thief = Person("thief").device
        self.me.document.devices[thief.id] = FakeDevice(thief.public, revoked=2)
        stolen = thief.sign_record("family", self.family(9).body)
        self.hear(*(self.told(place, stolen) for place in range(3)))
        self.assertTrue(self.is_known())
        self.assertEqual((self.revision, self.town.family.signed.device), (10, self.me.device.id))

    def test_the_person_waits_no_longer(self) -> None:
        """Then a family is begun where none is known, and one that is known counts as the newest."""
        self.hear(Answer(None, error="dht-off"))
        self.me.start_over()
        self.town.clock.advance(1)
        self.assertEqual((self.town.online(), self.revision > 0), (4, True))

    def test_a_supplier_that_comes_into_reach(self) -> None:
        """It is asked at once, and not at the end of a pause."""
        self.hear(self.told(0, self.family(7)))
        self.town.clock.advance(100)
        who = self.members[3]
        self.town.cut(who)
        asked = len(self.town.asked_for_family)
        self.town.answers = [self.told(place, self.family(7)) for place in (1, 3)]
        self.town.connect(who)
        self.assertEqual(len(self.town.asked_for_family), asked + 1)
        self.assertTrue(self.is_known())

    def test_a_restart_goes_on(self) -> None:
        """The mark in the home keeps a node that was stopped in the middle from hiring; the record found is kept."""
        self.hear(self.told(0, self.family(7)))
        self.town.stop()
        self.town.living()
        self.town.answers = []
        self.town.start()
        self.assertEqual((self.revision, self.is_known()), (7, False))
        self.hear(self.in_dht(7))
        self.assertTrue(self.is_known())

    def test_one_record_of_two_revisions_is_not_joined_before(self) -> None:
        """Two records of one revision are joined only when it is sure that this is the newest one."""
        self.hear(self.told(0, self.family(7)))
        other = self.family(7, [*self.members[:3], list(self.town.suppliers)[4]])
        self.assertFalse(self.town.family.reconcile(other))
        self.me.came_back(FAMILY)
        self.assertTrue(self.town.family.reconcile(other))
        self.assertGreater(self.revision, 7)
