"""What suppliers say to a customer, beside yes: that they leave, that they know it no more, or nothing of use."""

import json
import time

from twisted.internet.task import Clock

from bitdust.suppliers.absences import Absences
from bitdust.suppliers.contracts import ContractBook
from bitdust.suppliers.finding import Answer
from bitdust.suppliers.requests import LATEST
from bitdust.wire.records import Contract, Family
from tests.unit.family_kit import Supplier
from tests.unit.supplier_kit import START, FakeDevice, Person
from tests.unit.test_hiring import TownCase

UNTIL = START + 90 * 86_400


class FamilyCase(TownCase):
    def setUp(self) -> None:
        super().setUp()
        self.start()
        self.town.data = True
        self.first = self.names()

    def reconnect(self, supplier: Supplier) -> None:
        self.town.cut(supplier.fingerprint)
        self.pass_time(3)


class LeavingTests(FamilyCase):
    def test_a_supplier_says_that_it_leaves_with_its_contract(self) -> None:
        """A notice that did not arrive is read from the next answer, and the place changes hands."""
        leaving = self.town.supplier(1)
        self.town.unmoved = {(1, self.town.supplier(4).fingerprint)}
        leaving.leaves = UNTIL
        self.reconnect(leaving)
        self.assertIn("supplier-gave-notice", self.town.events.names())
        self.assertEqual(self.names()[1], "supplier-4")
        self.assertEqual(self.town.family.current.departing, [leaving.fingerprint])
        self.assertEqual(self.town.departures.suppliers(), [leaving.fingerprint])

    def test_a_notice_is_withdrawn_with_a_contract(self) -> None:
        """As long as nobody else has the place the supplier keeps it."""
        leaving = self.town.supplier(1)
        self.town.supplier(4).up = self.town.supplier(5).up = False
        leaving.leaves = UNTIL
        self.reconnect(leaving)
        leaving.leaves = 0
        self.reconnect(leaving)
        self.assertEqual((self.names(), self.town.departures.suppliers()), (self.first, []))
        self.assertIn("supplier-took-notice-back", self.town.events.names())

    def test_a_time_that_no_calendar_has(self) -> None:
        """Of a time that cannot be shown as a date the nearest one that can is kept."""
        leaving = self.town.supplier(1)
        self.town.unmoved = {(1, self.town.supplier(4).fingerprint)}
        for until, kept in ((2**63 - 1, LATEST), (-(2**63), 1)):
            leaving.leaves = until
            self.reconnect(leaving)
            known = self.town.departures.of(leaving.fingerprint).until
            self.assertEqual((known, bool(time.localtime(known))), (kept, True))

    def test_a_candidate_that_leaves_is_not_hired(self) -> None:
        """However willing it is."""
        self.town.supplier(4).leaves = self.town.supplier(5).leaves = UNTIL
        self.town.requests.replace(self.town.supplier(1).fingerprint, None)
        self.pass_time(30)
        self.assertEqual(self.names(), self.first)
        self.assertIn("given notice", self.town.hiring.reason)

    def test_a_supplier_that_has_rejected_me(self) -> None:
        """It keeps nothing of mine: its place changes hands at once."""
        rejecting = self.town.supplier(1)
        rejecting.mood = "rejecting"
        self.reconnect(rejecting)
        self.assertEqual(self.names()[1], "supplier-4")

    def test_an_answer_without_a_contract(self) -> None:
        """It is a refusal, and the contract of before stays."""
        wordless = self.town.supplier(1)
        wordless.mood = "wordless"
        self.reconnect(wordless)
        shown = self.town.shown()[1]
        self.assertEqual((shown.state, shown.reason), ("NO_SERVICE", "the supplier sent no contract"))
        self.assertIsNotNone(self.town.book.of(wordless.fingerprint))


class EndingTests(FamilyCase):
    def test_ending_contracts(self) -> None:
        """Each supplier gets my signed word; its place is empty, and it is not hired again."""
        ended = [self.town.supplier(number) for number in (0, 2)]
        self.town.supplier(5).up = False
        missed = self.successResultOf(self.town.hiring.dismiss([one.fingerprint for one in ended]))
        self.assertEqual((missed, [one.ended for one in ended]), ([], [1, 1]))
        self.pass_time(60)
        self.assertFalse({one.fingerprint for one in ended} & set(self.town.family.members))
        self.assertEqual(sorted(self.names()), ["-", "supplier-1", "supplier-3", "supplier-4"])

    def test_one_that_cannot_be_reached(self) -> None:
        """It is named, and gets my word when it comes; until then it is no candidate."""
        away = self.town.supplier(0)
        self.town.kill(away)
        missed = self.successResultOf(self.town.hiring.dismiss([away.fingerprint]))
        self.assertEqual(missed, [away.fingerprint])
        self.assertTrue(self.town.book.is_released(away.fingerprint))
        away.up = True
        self.assertIn(away.fingerprint, self.town.hiring.excluded())
        self.town.connect(away.fingerprint)
        self.pass_time(2)
        self.assertEqual((away.ended, self.town.book.of(away.fingerprint)), (1, None))

    def test_one_whose_line_breaks(self) -> None:
        """The word is sent until one answer arrives."""
        broken = self.town.supplier(0)
        broken.mood = "broken"
        missed = self.successResultOf(self.town.hiring.dismiss([broken.fingerprint]))
        self.assertEqual((missed, broken.ended), ([broken.fingerprint], 0))
        self.pass_time(130)
        self.assertEqual(broken.ended, 0)
        broken.mood = "kind"
        self.pass_time(70)
        self.assertEqual(broken.ended, 1)

    def test_one_who_leaves_already(self) -> None:
        """Ending the contract with a former supplier takes it out of the record, beside its successor."""
        former, successor = self.town.supplier(1), self.town.supplier(4)
        self.town.unmoved = {(1, successor.fingerprint)}
        self.town.requests.replace(former.fingerprint, None)
        self.pass_time(3)
        self.assertEqual(self.town.family.current.departing, [former.fingerprint])
        self.successResultOf(self.town.hiring.dismiss([former.fingerprint]))
        self.assertEqual((self.town.family.current.departing, former.ended), ([], 1))
        self.assertEqual(self.names()[1], "supplier-4")
        self.assertEqual(self.town.room.view.list()[1]["replacement"], "")


class ClosedTests(FamilyCase):
    def test_nothing_is_asked_after_the_close(self) -> None:
        """A request for a replacement is kept on the disk, and begins when suppliers are looked after again."""
        self.town.stop()
        sent = len(self.town.sent)
        self.assertIsNone(self.town.requests.replace(self.town.supplier(1).fingerprint, None))
        settled = self.town.room.connectors.settled(self.town.supplier(0).fingerprint)
        self.assertEqual(self.successResultOf(settled), "CLOSED")
        self.pass_time(100)
        self.assertEqual((self.names(), len(self.town.sent)), (self.first, sent))
        self.start()
        self.pass_time(5)
        self.assertEqual(self.names()[1], "supplier-4")

    def test_opened_twice(self) -> None:
        """A second start changes nothing."""
        machines = len(self.town.registry)
        self.town.room.connectors.open()
        self.town.publication.start()
        self.assertEqual(len(self.town.registry), machines)


class DiskTests(FamilyCase):
    def test_damaged_files(self) -> None:
        """A damaged contract counts as none and is renewed; damaged absences count as none at all."""
        supplier = self.town.supplier(0)
        folder = self.town.folder / "metadata"
        (folder / "contracts" / supplier.fingerprint.hex()).write_bytes(b"rubbish")
        (folder / "contracts" / "notes.txt").write_bytes(b"somebody's own")
        book = ContractBook(folder / "contracts")
        book.load()
        self.assertEqual((book.of(supplier.fingerprint), len(book.suppliers())), (None, 3))
        for text in ("", "[]", '{"xx": {}}', '{"aa": {"seen": "x", "watched": 1}}'):
            (folder / "absences").write_text(text)
            absences = Absences(folder / "absences", self.town.clock, self.town.world.wall)
            absences.load()
            self.assertEqual(absences.long_away(), [], text)
        self.town.stop()
        self.town.living()
        self.start()
        self.assertIsInstance(self.town.book.of(supplier.fingerprint), Contract)

    def test_a_full_disk_keeps_nobody_from_looking_on(self) -> None:
        """Absences that cannot be written are counted on, and written as soon as the disk takes them."""
        path, clock = self.town.folder / "away" / "absences", self.town.clock
        absences = Absences(path, clock, self.town.world.wall)
        absences.observe([b"one"], [b"one"], True)
        self.assertFalse(path.exists())
        path.parent.mkdir()
        absences.observe([b"one", b"two"], [b"one"], True)
        self.assertEqual(set(json.loads(path.read_text())), {b"one".hex(), b"two".hex()})

    def test_a_clock_that_is_set_back(self) -> None:
        """It takes nothing off the time for which somebody was watched being away."""
        path, clock = self.town.folder / "absences", Clock()
        absences = Absences(path, clock, self.town.world.wall)
        absences.observe([b"one"], [], True)
        for step in (600, -365 * 86_400, 600):
            clock.rightNow += step
            absences.observe([b"one"], [], True)
        self.assertEqual(absences._known[b"one"].watched, 1200)

    def test_a_full_disk_ends_no_contract(self) -> None:
        """A contract that cannot be written counts until the next start, which asks the supplier for it again."""
        supplier = self.town.supplier(0).fingerprint
        kept = self.town.book._contracts[supplier]
        blocked = self.town.folder / "blocked"
        blocked.write_bytes(b"")
        book = ContractBook(blocked / "contracts")
        book.save(kept)
        self.assertEqual((book.suppliers(), ContractBook(blocked / "contracts").suppliers()), ([supplier], []))

    def test_a_record_of_a_revoked_device_alone(self) -> None:
        """Where nothing else is known it is taken, and signed again by this device."""
        stolen = Person("thief").device
        current = self.town.family.current
        record = stolen.sign_record(Family.KIND, current.to_body())
        self.town.stop()
        (self.town.folder / "metadata" / "family").unlink()
        self.town.me.document.devices[stolen.id] = FakeDevice(stolen.public, revoked=2)
        self.town.living()
        self.town.answers = [Answer(None, record.to_bytes())]
        self.start()
        family = self.town.family
        self.assertEqual((family.current.suppliers, family.current.revision), (current.suppliers, current.revision + 1))
        self.assertEqual(family.signed.device, self.town.me.device.id)


class ComingTests(FamilyCase):
    def test_who_may_be_here_in_a_moment(self) -> None:
        """A supplier that is being asked, was lost within half a minute, or may be reached since then, is coming; one
        that is here is not, nor one that refuses, is away for longer, or is none."""
        lost, coming = self.town.supplier(1), self.town.room.connectors.is_coming
        self.assertFalse(coming(lost.fingerprint) or coming(self.town.supplier(5).fingerprint))
        lost.up = False
        self.town.cut(lost.fingerprint)
        self.pass_time(25)
        self.assertTrue(coming(lost.fingerprint))
        self.pass_time(10)
        self.assertFalse(coming(lost.fingerprint))
        self.town.room.connectors.try_again()
        self.assertTrue(coming(lost.fingerprint))
        self.pass_time(31)
        self.assertFalse(coming(lost.fingerprint))
