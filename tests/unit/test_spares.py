"""The owner's side of healing: whom my mandate names, and what becomes of spares when I am back."""

from pathlib import Path
from unittest import mock

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from bitdust.crypt.device import DeviceKey
from bitdust.suppliers.mandates import AFTER, DAY, SPARES
from bitdust.wire.errors import BitDustError
from bitdust.wire.healing import Dossier, SpareCertificate, SpareVote
from tests.unit.family_kit import Supplier, Town
from tests.unit.supplier_kit import START, Person

NUMBER = "services/customer/suppliers-number"
CONFIRM = "services/employer/confirm-spares-enabled"


class SparesCase(SynchronousTestCase):
    def town(self, suppliers: int = 6, n: int = 4, **settings) -> Town:
        """A customer with a complete family, and as many nodes besides as are left."""
        town = Town(Path(self.mktemp()), suppliers)
        self.addCleanup(self.end, town)
        town.settings.values |= {NUMBER: n} | settings
        town.start()
        town.room.mandates.start()
        self.turn(town)
        return town

    def end(self, town: Town) -> None:
        town.room.mandates.stop()
        town.stop()

    def turn(self, town: Town, seconds: float = 1.0) -> None:
        town.clock.advance(seconds)

    def others(self, town: Town) -> list[Supplier]:
        """Nodes that have no place."""
        return [one for one in town.suppliers.values() if one.fingerprint not in town.family.members]

    def named(self, town: Town) -> set[bytes]:
        mandate = town.family.current.mandate
        return set(mandate.spares) if mandate is not None else set()


class MandateTests(SparesCase):
    def test_who_may_stand_in(self) -> None:
        """As many nodes as may be lost are named, of those that have room; the record says for how long."""
        town = self.town(7)
        mandate = town.family.current.mandate
        self.assertEqual((len(mandate.spares), mandate.most, mandate.after), (2, 2, 7 * DAY))
        self.assertLessEqual(self.named(town), {one.fingerprint for one in self.others(town)})
        self.assertEqual(mandate.room, town.room.mandates._room())
        self.assertGreater(mandate.ends, START + 366 * DAY)
        self.assertEqual(town.room.mandates.problem, "")

    def test_a_node_without_room_is_not_named(self) -> None:
        """A refusal is a refusal; where nobody else is there, nobody is named and I hear of it."""
        town = Town(Path(self.mktemp()), 5)
        self.addCleanup(self.end, town)
        town.settings.values[NUMBER] = 4
        town.start()
        self.turn(town)
        self.others(town)[0].mood = "full"
        town.room.mandates.start()
        self.turn(town)
        self.assertIsNone(town.family.current.mandate)
        self.assertIn("no node is known", town.room.mandates.problem)
        self.assertIn("my-suppliers-do-not-heal", town.events.names())

    def test_small_families(self) -> None:
        """Three suppliers do not heal by themselves, and that is said when they are hired."""
        town = self.town(6, 3)
        self.assertIsNone(town.family.current.mandate)
        (said,) = [data for name, data in town.events.sent if name == "my-suppliers-do-not-heal"]
        self.assertIn("a family of 3 does not heal by itself", said["reason"])
        self.assertEqual(town.room.spares_view.status()["problem"], said["reason"])

    def test_switched_off(self) -> None:
        """Without days there is no mandate; with other days it is another one, with the same spares."""
        town = self.town()
        before = town.family.current
        town.settings.set(AFTER, 30)
        self.turn(town)
        self.assertEqual(town.family.current.mandate, evolve(before.mandate, after=30 * DAY))
        self.assertEqual(town.family.current.revision, before.revision + 1)
        town.settings.set(AFTER, 0)
        self.turn(town)
        self.assertIsNone(town.family.current.mandate)
        self.assertEqual(town.room.mandates.problem, "")

    def test_another_number_is_looked_for_at_once(self) -> None:
        """Who wants more spares than are named does not wait for the next search."""
        town = self.town(8, **{SPARES: 1})
        self.assertEqual(len(self.named(town)), 1)
        town.settings.set(SPARES, 3)
        self.turn(town)
        self.assertEqual(len(self.named(town)), 3)

    def test_a_spare_that_is_hired(self) -> None:
        """Who has a place is no spare any more, and somebody else is named."""
        town = self.town(8, **{SPARES: 2})
        spare = next(iter(self.named(town)))
        self.assertEqual(len(self.named(town)), 2)
        town.room.hiring._membership.give(0, spare, None)
        self.turn(town, 3601)
        self.assertNotIn(spare, self.named(town))
        self.assertEqual(len(self.named(town)), 2)

    def test_a_spare_that_is_away_for_a_week(self) -> None:
        """Another one takes its name; until then it stays."""
        town = self.town(6, **{SPARES: 1})
        (spare,) = self.named(town)
        town.kill(town.suppliers[spare])
        for _ in range(5):
            self.turn(town, DAY)
        self.assertEqual(self.named(town), {spare})
        for _ in range(4):
            self.turn(town, DAY)
        self.assertEqual(len(self.named(town) - {spare}), 1)

    def test_a_node_that_comes_later(self) -> None:
        """Where nobody else was known, who offers to be a supplier is named seconds after it has come, and not at the
        next round; who takes a seat after that is no reason to search."""
        town = self.town(4)
        self.turn(town, 1800)
        self.assertEqual(self.named(town), set())
        late = [town.add(f"late-{number}") for number in range(2)]
        town.room.mandates.somebody_came()
        self.turn(town, 5)
        self.assertEqual(self.named(town), {one.fingerprint for one in late})
        before = len(town.asked_dht)
        for _ in range(10):
            town.room.mandates.somebody_came()
            self.turn(town, 5)
        self.assertEqual(len(town.asked_dht), before)

    def test_a_node_that_is_starting(self) -> None:
        """Who does not know the question yet is asked again within minutes; who has no room is asked with pauses that
        grow to an hour."""
        town = Town(Path(self.mktemp()), 5)
        self.addCleanup(self.end, town)
        town.settings.values[NUMBER] = 4
        town.start()
        self.turn(town)
        (other,) = self.others(town)
        other.too_early = 2
        town.room.mandates.start()
        for _ in range(30):
            self.turn(town, 10)
        self.assertEqual(self.named(town), {other.fingerprint})
        other.mood, before = "full", other.offers
        town.room.mandates.search_again()
        for _ in range(24 * 60):
            self.turn(town, 60)
        self.assertLess(other.offers - before, 36)

    def test_a_spare_that_is_away_while_another_one_is_searched(self) -> None:
        """However often is searched, a day counts once: who is away for an afternoon keeps its name."""
        town = self.town(5, **{SPARES: 2})
        (spare,) = self.named(town)
        town.kill(town.suppliers[spare])
        for _ in range(24):
            self.turn(town, 3600)
        self.assertEqual(self.named(town), {spare})
        for _ in range(8 * 24):
            self.turn(town, 3600)
        self.assertEqual(self.named(town), set())


class OwnSparesTests(SparesCase):
    def back(self, **settings) -> tuple[Town, Supplier, Supplier]:
        """A customer that is back, a member that is gone, and the spare of its place."""
        town = self.town(7, **settings)
        town.data = True
        gone = town.suppliers[town.family.members[2]]
        spare = town.suppliers[town.family.current.mandate.spares[0]]
        town.kill(gone)
        spare.stands_in = 2
        town.unmoved.add((2, spare.fingerprint))
        return town, gone, spare

    def certificate(self, town: Town, gone: Supplier, spare: Supplier, seats=(0, 1, 3), **changes) -> bytes:
        family = town.family.current
        votes = []
        for seat in seats:
            voter = town.suppliers[family.suppliers[seat]]
            values = {
                "customer": family.customer, "revision": family.revision, "place": 2, "gone": gone.fingerprint,
                "spare": spare.fingerprint, "voter": voter.fingerprint, "seat": seat, "since": 1, "time": 2, "ends": 3,
            }  # fmt: skip
            votes.append(voter.person.sign(SpareVote(**(values | changes))).to_bytes())
        return SpareCertificate.of(votes).to_bytes()

    def hear(self, town: Town, *certificates: bytes) -> None:
        """A member is connected and shows certificates."""
        member = town.suppliers[town.family.members[0]]
        member.dossier = Dossier(town.family.signed.to_bytes(), [], list(certificates)).to_bytes()
        town.room.spares.supplier_connected(member.fingerprint)

    def test_confirmed(self) -> None:
        """The spare is found, read from, and gets the place when the member does not come within a minute."""
        town, gone, spare = self.back()
        self.hear(town, self.certificate(town, gone, spare))
        (shown,) = town.room.spares_view.status()["places"]
        self.assertEqual((shown["position"], shown["state"]), (2, "FOUND"))
        self.assertEqual(town.room.spares.stand_in(town.family.current).suppliers[2], spare.fingerprint)
        self.assertEqual(town.family.current.suppliers[2], gone.fingerprint)
        self.turn(town, 60)
        family = town.family.current
        self.assertEqual((family.suppliers[2], family.leaving[2]), (spare.fingerprint, gone.fingerprint))
        self.assertEqual(town.room.spares.shown(), [])
        self.assertIn("spare-confirmed", town.events.names())

    def test_a_member_that_cannot_say_yet(self) -> None:
        """A member that holds the contract and does not know of spares yet is asked again soon, while it is there."""
        town, gone, spare = self.back(**{CONFIRM: False})
        member = town.suppliers[town.family.members[0]]
        member.too_early = 3
        self.hear(town, self.certificate(town, gone, spare))
        for seconds, left in ((4, 2), (2, 1), (9, 1), (2, 0), (19, 0)):
            self.turn(town, seconds)
            self.assertEqual((member.too_early, town.room.spares.known()), (left, []))
        self.turn(town, 2)
        self.assertEqual(town.room.spares.known(), [spare.fingerprint])
        member.too_early = 1000
        self.hear(town, self.certificate(town, gone, spare))
        town.kill(member)
        self.turn(town, 700)
        self.assertEqual(member.too_early, 999)
        self.hear(town, self.certificate(town, gone, spare))

    def test_dismissed(self) -> None:
        """A member that is back keeps its place; no certificate counts any more, and the spare gets my word."""
        town, gone, spare = self.back()
        self.hear(town, self.certificate(town, gone, spare))
        before = town.family.current
        gone.up = True
        town.connect(gone.fingerprint)
        self.assertEqual(town.room.spares.stand_in(before), before)
        self.turn(town, 60)
        family = town.family.current
        self.assertEqual((family.suppliers, family.revision), (before.suppliers, before.revision + 1))
        for _ in range(3):
            self.turn(town, 61)
        self.assertEqual((spare.cancelled, spare.ended), (1, 1))
        self.assertIn("spare-dismissed", town.events.names())

    def test_dismissed_once_and_for_all(self) -> None:
        """Who shows that certificate again, when the member is away for a moment, brings the spare to no place."""
        town, gone, spare = self.back()
        before, certificate = town.family.current.suppliers, self.certificate(town, gone, spare)
        self.hear(town, certificate)
        town.room.spares_view.decide(2, False)
        for _ in range(3):
            self.turn(town, 61)
        spare.stands_in = 2
        for _ in range(2):
            self.hear(town, certificate)
            self.turn(town, 60)
            self.assertEqual(town.room.spares.known(), [])
            self.assertEqual(town.family.current.suppliers, before)
            town.room.spares.stop()
            town.room.spares.start()

    def test_a_person_decides(self) -> None:
        """Where it is not to be decided by itself a person says so; about a place without a spare there is no word."""
        town, gone, spare = self.back(**{CONFIRM: False})
        self.hear(town, self.certificate(town, gone, spare))
        for _ in range(5):
            self.turn(town, 60)
        self.assertEqual(town.family.current.suppliers[2], gone.fingerprint)
        error = self.assertRaises(BitDustError, town.room.spares_view.decide, 1, True)
        self.assertEqual(error.code, "not-found")
        town.room.spares_view.decide(2, True)
        self.assertEqual(town.family.current.suppliers[2], spare.fingerprint)

    def test_no_room_for_one_more_who_leaves(self) -> None:
        """Where the place cannot be given nobody is told that it was, and the spare is still known."""
        town, gone, spare = self.back(**{CONFIRM: False})
        self.hear(town, self.certificate(town, gone, spare))
        self.patch(town.room.spares._membership, "give", lambda *what: False)
        town.room.spares_view.decide(2, True)
        self.assertNotIn("spare-confirmed", town.events.names())
        self.assertEqual(len(town.room.spares.known()), 1)

    def test_what_was_forged_is_nothing(self) -> None:
        """Two of four, a spare that I did not name, and a vote of who is gone find nothing."""
        town, gone, spare = self.back()
        stranger = next(one for one in self.others(town) if one.fingerprint not in self.named(town))
        few = self.certificate(town, gone, spare, (0, 1))
        own = self.certificate(town, gone, spare, (0, 1, 2))
        self.hear(town, few, own, self.certificate(town, gone, stranger))
        self.assertEqual(town.room.spares.known(), [])
        self.assertNotIn("spare-found", town.events.names())

    def test_forged_ones_crowd_none_out(self) -> None:
        """Of many certificates of a place only a few are judged; what is known already does not give way to them."""
        town, gone, spare = self.back()
        other = town.suppliers[town.family.current.mandate.spares[1]]
        self.hear(town, self.certificate(town, gone, spare))
        before = self.certificate(town, gone, other, revision=town.family.current.revision - 1)
        mallory = DeviceKey.from_seed(b"m" * 32)
        with mock.patch.object(Person, "sign", lambda person, it: mallory.sign_record(it.KIND, it.to_body())):
            forged = [self.certificate(town, gone, spare, ends=2**40 + number) for number in range(4)]
        self.hear(town, *forged, before)
        self.assertEqual(town.room.spares.known(), [spare.fingerprint])

    def test_an_older_record_says_where_pieces_are(self) -> None:
        """A certificate that lapsed by another change of mine leads to the spare, unless the member is there."""
        town, gone, spare = self.back()
        old = self.certificate(town, gone, spare)
        town.family.write(town.family.current.suppliers, [None] * 4)
        self.hear(town, old)
        self.assertEqual(town.room.spares.known(), [spare.fingerprint])
        other, back, second = self.back()
        old = self.certificate(other, back, second)
        other.family.write(other.family.current.suppliers, [None] * 4)
        back.up = True
        other.connect(back.fingerprint)
        self.hear(other, old)
        self.assertEqual(other.room.spares.known(), [])

    def test_several_places(self) -> None:
        """One place that is decided does not make the others forgotten."""
        town, gone, spare = self.back()
        other = town.suppliers[town.family.members[3]]
        town.kill(other)
        second = town.suppliers[town.family.current.mandate.spares[1]]
        second.stands_in = 3
        more = self.certificate(town, other, second, (0, 1, 2), place=3)
        self.hear(town, self.certificate(town, gone, spare), more)
        self.assertEqual(len(town.room.spares.known()), 2)
        self.turn(town, 60)
        family = town.family.current
        self.assertEqual(family.suppliers[2:], [spare.fingerprint, second.fingerprint])

    def test_a_spare_that_has_erased_all(self) -> None:
        """Then nothing is left to be dismissed."""
        town, gone, spare = self.back()
        self.hear(town, self.certificate(town, gone, spare))
        spare.stands_in = None
        town.room.spares_view.decide(2, False)
        self.assertEqual(town.room.spares.known(), [])
