"""Hiring: a family that completes itself, mends itself while it is empty, and never destroys anything."""

from pathlib import Path

from twisted.internet.defer import succeed
from twisted.trial.unittest import TestCase

from bitdust.identity.awaited import FAMILY
from bitdust.suppliers.contracts import Wish, verify_contract
from bitdust.suppliers.finding import Answer
from bitdust.suppliers.growth import FIRST, LEAST
from bitdust.suppliers.search import candidates_of
from bitdust.wire.encoding import WireError
from bitdust.wire.errors import BitDustError
from bitdust.wire.records import Contract, Family
from tests.unit.family_kit import GB, Me, Supplier, Town
from tests.unit.supplier_kit import START, FakeDevice, Person

NUMBER = "services/customer/suppliers-number"


class TownCase(TestCase):
    suppliers = 6

    def setUp(self) -> None:
        self.town = Town(Path(self.mktemp()), self.suppliers)
        self.addCleanup(self.end)

    def end(self) -> None:
        self.town.stop()
        self.town.registry.shutdown()
        self.assertEqual(self.town.clock.getDelayedCalls(), [])

    def start(self) -> None:
        self.town.start()
        self.town.clock.advance(0)

    def pass_time(self, seconds: float, step: float = 0.5) -> None:
        for _ in range(int(seconds / step)):
            self.town.clock.advance(step)

    def names(self) -> list[str]:
        family = self.town.family.current
        return [self.town.people[who].name if who else "-" for who in family.suppliers]


class HiringTests(TownCase):
    def test_a_family_is_hired_through_the_dht(self) -> None:
        """Without candidates in the settings every place is filled from the DHT, nobody twice, and never by myself."""
        self.start()
        self.assertEqual(self.names(), [f"supplier-{number}" for number in range(4)])
        self.assertTrue(all(self.town.me.fingerprint in asked for asked in self.town.asked_dht))
        self.assertEqual([shown.state for shown in self.town.shown()], ["CONNECTED"] * 4)
        self.assertEqual(self.town.hiring.machine.state, "READY")
        self.assertIn("my-suppliers-all-hired", self.town.events.names())

    def test_everybody_knows_the_family(self) -> None:
        """The last revision is in the DHT and at every supplier, and on my disk before either."""
        self.start()
        current = self.town.family.current
        self.assertTrue(current.complete)
        self.assertEqual(self.town.in_dht[-1].revision, current.revision)
        held = [self.town.suppliers[who].family.revision for who in current.suppliers]
        self.assertEqual(held, [current.revision] * 4)
        self.assertTrue(all(self.town.publication.is_held_by(who) for who in current.suppliers))

    def test_each_is_asked_for_its_place(self) -> None:
        """Nothing is stored yet, so each supplier is asked for the first part of room alone, for its own place."""
        self.start()
        wished = [self.town.supplier(number).wished for number in range(4)]
        self.assertEqual([one["room"] for one in wished], [FIRST] * 4)
        self.assertEqual(sorted(one["position"] for one in wished), [0, 1, 2, 3])
        self.assertEqual({one["n"] for one in wished}, {4})

    def test_candidates_of_the_settings_come_first(self) -> None:
        """IDURLs in the setting are tried before anybody from the DHT, who fills what they leave empty."""
        self.town.settings.values["services/employer/candidates"] = (
            "http://id.example/supplier-5.xml, http://id.example/nobody.xml http://id.example/supplier-4.xml"
        )
        self.start()
        self.assertEqual(set(self.names()[:2]), {"supplier-5", "supplier-4"})
        self.assertEqual(len(set(self.names())), 4)

    def test_one_who_refuses_is_passed_over(self) -> None:
        """A supplier that says nothing, one that forges and one that promises less than asked are not hired."""
        for number, mood in enumerate(("wordless", "forger", "stingy")):
            self.town.supplier(number).mood = mood
        self.start()
        self.assertEqual(self.names().count("-"), 1)
        self.assertFalse({"supplier-0", "supplier-1", "supplier-2"} & set(self.names()))
        self.town.add("supplier-6")
        self.pass_time(5)
        self.assertNotIn("-", self.names())

    def test_too_few_suppliers_is_told_and_tried_again_ever_more_slowly(self) -> None:
        """With too few nodes the family stays incomplete, the reason is told, and tries grow rarer with jitter."""
        for number in range(3, 6):
            self.town.supplier(number).up = False
        self.start()
        self.assertEqual(self.names().count("-"), 1)
        self.assertIn("my-suppliers-yet-not-hired", self.town.events.names())
        self.assertIn("no candidate is known", self.town.hiring.reason)
        asked = len(self.town.asked_dht)
        self.pass_time(10)
        early = len(self.town.asked_dht) - asked
        self.pass_time(600)
        asked = len(self.town.asked_dht)
        self.pass_time(100)
        self.assertGreater(early, 1)
        self.assertLess(len(self.town.asked_dht) - asked, 2)
        self.town.supplier(3).up = True
        self.pass_time(500)
        self.assertNotIn("-", self.names())

    def test_a_silent_candidate_holds_up_nobody(self) -> None:
        """Other places are filled while one search waits, and the silent one is given up for the next."""
        self.town.supplier(0).mood = "silent"
        self.start()
        self.assertEqual(self.names().count("-"), 1)
        self.pass_time(40)
        self.assertNotIn("-", self.names())
        self.assertNotIn("supplier-0", self.names())

    def test_one_that_leaves_before_any_data_is_replaced(self) -> None:
        """A supplier that cannot be reached for a minute, and keeps nothing yet, gives its place to another."""
        self.start()
        gone = self.town.supplier(1)
        self.town.kill(gone)
        self.pass_time(50)
        self.assertIn("supplier-1", self.names())
        self.pass_time(100)
        self.assertNotIn("supplier-1", self.names())
        self.assertNotIn("-", self.names())
        told = [data for event, data in self.town.events.sent if event == "supplier-modified"]
        self.assertTrue(any(data["old_idurl"] == gone.person.document.idurl for data in told))

    def test_one_that_leaves_with_data_keeps_its_place(self) -> None:
        """With pieces placed nobody is replaced by itself; the reason names who cannot be reached."""
        self.start()
        self.town.data = True
        self.town.kill(self.town.supplier(1))
        self.pass_time(200)
        self.assertIn("supplier-1", self.names())
        self.assertIn("supplier-1", self.town.hiring.reason)
        self.town.supplier(1).up = True
        self.pass_time(700)
        self.assertEqual([shown.state for shown in self.town.shown()], ["CONNECTED"] * 4)

    def test_nobody_is_replaced_where_that_is_switched_off(self) -> None:
        """With replace-critically-offline-enabled off a supplier that cannot be reached keeps its place."""
        self.town.settings.values["services/employer/replace-critically-offline-enabled"] = False
        self.start()
        self.town.kill(self.town.supplier(1))
        self.pass_time(300)
        self.assertIn("supplier-1", self.names())

    def test_nobody_is_dismissed_while_i_am_off_the_network(self) -> None:
        """When nobody at all can be reached, it is I who am away."""
        self.start()
        for supplier in self.town.suppliers.values():
            self.town.kill(supplier)
        before = self.names()
        self.pass_time(300)
        self.assertEqual(self.names(), before)

    def test_stopping_ends_no_contract(self) -> None:
        """A node that stops leaves its contracts as they are and its machines in their end."""
        self.start()
        self.town.stop()
        self.assertEqual([supplier.cancelled for supplier in self.town.suppliers.values()], [0] * 6)
        self.assertEqual(len(self.town.registry), 0)


class SizeTests(TownCase):
    suppliers = 12

    def test_families_from_2_to_64(self) -> None:
        """Any number of suppliers from 2 to 64 makes a family with k the half, rounded up."""
        for number in range(12, 64):
            self.town.add(f"supplier-{number}")
        for n in (2, 3, 7, 64):
            self.town.stop()
            self.town.settings.values[NUMBER] = n
            self.town.living()
            self.start()
            self.pass_time(5)
            family = self.town.family.current
            self.assertEqual((family.n, family.k), (n, (n + 1) // 2))
            self.assertTrue(family.complete, n)
            self.town.suppliers[family.suppliers[0]].wished["room"] = 0

    def test_another_number_before_data_resizes(self) -> None:
        """Growing hires more, shrinking dismisses with a cancel; those who stay renew at their new place."""
        self.start()
        first = self.names()
        self.town.settings.set(NUMBER, 6)
        self.pass_time(3)
        self.assertEqual(self.names()[:4], first)
        self.assertEqual(len(set(self.names()) - {"-"}), 6)
        self.town.settings.set(NUMBER, 2)
        self.pass_time(3)
        self.assertEqual(self.names(), first[:2])
        cancelled = [supplier for supplier in self.town.suppliers.values() if supplier.cancelled]
        self.assertEqual(len(cancelled), 4)
        self.assertEqual(self.town.book.of(self.town.supplier(0).fingerprint).n, 2)
        self.assertEqual(len(self.town.book.suppliers()), 2)

    def room(self, number: int) -> int:
        return self.town.book.of(self.town.supplier(number).fingerprint).room

    def take(self, number: int, taken: int | None) -> None:
        self.town.room.connectors.note_taken(self.town.supplier(number).fingerprint, taken)
        self.pass_time(1)

    def test_room_grows_with_what_is_stored(self) -> None:
        """Where more than half is taken twice as much is asked for, over the same line, up to what I may need."""
        self.start()
        self.take(0, FIRST // 2)
        self.assertEqual(self.room(0), FIRST)
        self.take(0, FIRST // 2 + 1)
        self.assertEqual((self.room(0), self.room(1)), (2 * FIRST + 2, FIRST))
        self.take(0, 100 * GB)
        self.assertEqual(self.room(0), 2 * FIRST + 2)
        self.pass_time(5)
        self.take(0, 100 * GB)
        self.assertEqual(self.room(0), FIRST + 2 * (2 * GB))
        self.assertEqual((self.town.online(), self.town.room.connectors.room()), (4, 4 * GB))
        self.take(1, None)
        self.assertEqual(self.room(1), 3 * FIRST)

    def test_a_supplier_that_gives_no_more(self) -> None:
        """It keeps contract and line, is asked again after a minute, and limits what can be stored meanwhile."""
        self.start()
        supplier = self.town.supplier(0)
        supplier.room = FIRST
        self.take(0, FIRST - 1)
        self.assertEqual((self.room(0), self.town.online()), (FIRST, 4))
        self.assertEqual(self.town.room.connectors.room(), 2 * FIRST)
        asked, supplier.room = supplier.requests, GB
        self.take(0, FIRST)
        self.assertEqual(supplier.requests, asked)
        self.pass_time(60)
        self.take(0, FIRST)
        self.assertEqual((self.room(0), self.town.room.connectors.room()), (3 * FIRST, 4 * GB))

    def test_a_full_supplier_that_counts_less(self) -> None:
        """What does not fit is on its way, and not counted: less is asked for until it is promised, in the same minute,
        and the supplier is none that gives no more."""
        self.start()
        self.town.supplier(0).charged = FIRST - 3 * LEAST
        more = self.enlarged()
        self.take(0, None)
        self.assertEqual((self.room(0), more), (2 * FIRST, [self.town.supplier(0).fingerprint]))
        self.assertFalse(self.town.room.connectors.growth.gives_no_more(self.town.supplier(0).fingerprint))

    def enlarged(self) -> list[bytes]:
        found: list[bytes] = []
        self.town.room.connectors.enlarged.connect(found.append)
        return found

    def test_a_supplier_that_has_lost_its_contract(self) -> None:
        """It is asked for more as soon as it has taken half of what it promises now, whenever it was asked before."""
        self.start()
        supplier = self.town.supplier(0)
        self.take(0, 3 * FIRST)
        supplier.charged = supplier.promised = 0
        supplier.contract_id = b"another contract"
        self.town.cut(supplier.fingerprint)
        self.pass_time(10)
        supplier.charged = self.room(0) - LEAST
        self.assertLessEqual(self.room(0), FIRST)
        self.take(0, supplier.charged)
        self.assertGreater(self.room(0), 2 * supplier.charged)

    def test_where_all_refuse_it_asks_for_less(self) -> None:
        """Nobody has 64 MiB: half of that is asked for, and so on, and the family is complete within seconds."""
        for supplier in self.town.suppliers.values():
            supplier.room = FIRST // 4
        self.start()
        self.pass_time(5)
        self.assertNotIn("-", self.names())
        self.assertEqual([self.room(number) for number in range(4)], [FIRST // 4] * 4)

    def test_not_less_than_a_place_takes(self) -> None:
        """However often all refuse, nobody gets a place whose pieces he cannot hold."""
        self.start()
        self.take(0, FIRST // 2)
        growth = self.town.room.connectors.growth
        growth.refused(b"somebody")
        self.assertTrue(growth.becomes_modest())
        self.assertEqual(growth.first(GB, 4, 0).least, FIRST // 2)

    def test_more_than_a_newcomer_promises(self) -> None:
        """A place that holds more than is promised to who has nothing there is given all the same: room comes with what
        is filled."""
        self.start()
        self.town.data = True
        for number in range(4):
            self.take(number, FIRST * 11 // 10)
        gone = self.town.supplier(1)
        for supplier in list(self.town.suppliers.values())[4:]:
            supplier.charged = 0
        self.town.kill(gone)
        self.town.requests.replace(gone.fingerprint, None)
        self.pass_time(60)
        self.assertEqual((self.names()[1], self.room(4)), ("supplier-4", FIRST))
        self.town.supplier(4).charged = FIRST // 2 + 1
        self.take(4, FIRST // 2 + 1)
        self.assertEqual(self.room(4), 2 * FIRST + 2)

    def test_nobody_has_any_room(self) -> None:
        """Less than a few MiB is not worth a place: the reason says that there is no room."""
        for supplier in self.town.suppliers.values():
            supplier.room = LEAST - 1
        self.start()
        self.pass_time(20)
        self.assertEqual(set(self.names()), {"-"})
        self.assertIn("no room", self.town.hiring.reason)

    def test_after_a_restart_contracts_stay_as_they_are(self) -> None:
        """What a supplier has promised is asked for again, until it says how much is taken; less is taken too."""
        self.start()
        self.take(0, FIRST)
        before = self.room(0)
        self.town.stop()
        self.town.supplier(1).room = FIRST // 2
        self.town.supplier(1).promised = FIRST // 2
        self.town.supplier(2).room = FIRST // 4  # and it has lost all that it knew of its customers
        self.town.supplier(2).promised = 0
        self.town.living()
        self.start()
        self.assertEqual((self.room(0), self.room(1), self.town.online()), (before, FIRST // 2, 4))
        self.assertEqual(self.room(2), FIRST // 4)


class RestartTests(TownCase):
    def test_a_restart_connects_the_same_family(self) -> None:
        """After a restart the family and contracts of the disk are used: everybody renews, nobody new is hired."""
        self.start()
        before = self.town.family.current
        self.town.stop()
        for supplier in self.town.suppliers.values():
            self.town.cut(supplier.fingerprint)
        self.town.living()
        self.start()
        self.assertEqual(self.town.family.current, before)
        self.assertEqual([supplier.requests for supplier in self.town.suppliers.values()], [2, 2, 2, 2, 0, 0])
        self.assertEqual(self.town.online(), 4)

    def test_contracts_of_nobody_are_ended(self) -> None:
        """A contract that a crash left without a place in the family is cancelled at the next start."""
        self.start()
        self.town.stop()
        family = self.town.family.current
        self.town.family.write([*family.suppliers[:3], None], [None] * 4)
        self.town.living()
        self.town.random_supplier = lambda exclude: succeed(None)
        orphan = self.town.supplier(3)
        self.start()
        self.assertEqual(orphan.cancelled, 1)

    def test_the_record_of_a_recovered_node_is_found(self) -> None:
        """A node whose record is gone takes the one that is found before it hires anybody."""
        self.start()
        known = self.town.family.signed
        self.town.stop()
        (self.town.folder / "metadata" / "family").unlink()
        self.town.living()
        self.assertIsNone(self.town.family.current)
        self.town.answers = [Answer(None, known.to_bytes())]
        self.start()
        self.assertEqual(self.town.family.signed, known)
        self.assertEqual(self.town.online(), 4)

    def test_an_inherited_family_is_kept_as_it_is(self) -> None:
        """A recovered node with default settings takes the size of its family, and dismisses nobody before it knows."""
        self.town.settings.values[NUMBER] = 3
        self.start()
        known = self.town.family.signed
        self.town.stop()
        (self.town.folder / "metadata" / "family").unlink()
        self.town.settings.values[NUMBER] = 4
        self.town.kill(self.town.supplier(0))
        self.town.living()
        self.town.answers = [Answer(None, known.to_bytes())]
        self.start()
        self.pass_time(300)
        self.assertEqual(self.names(), ["supplier-0", "supplier-1", "supplier-2"])
        self.assertEqual(self.town.settings.get(NUMBER), 3)
        self.town.stop()
        self.town.living()
        self.start()
        self.pass_time(300)
        self.assertIn("supplier-0", self.names())
        self.town.family.settle()
        self.pass_time(300)
        self.assertNotIn("supplier-0", self.names())

    def test_a_recovered_node_takes_what_its_suppliers_give(self) -> None:
        """A node that lost its contracts accepts the rooms that its family still keeps for it."""
        self.start()
        self.town.stop()
        for supplier in self.town.book.suppliers():
            (self.town.folder / "metadata" / "contracts" / supplier.hex()).unlink()
            self.town.suppliers[supplier].mood = "stingy"
        self.town.living()
        self.start()
        self.assertEqual(self.town.online(), 4)
        self.assertEqual(self.town.book.of(self.town.supplier(0).fingerprint).room, FIRST // 2)

    def test_stopping_to_hire_keeps_the_family_connected(self) -> None:
        """The employer may stop and start again; connectors belong to the customer's service and stay."""
        self.start()
        self.town.hiring.stop()
        self.assertEqual(self.town.online(), 4)
        self.town.kill(self.town.supplier(0))
        self.town.supplier(0).up = True
        self.pass_time(10)
        self.assertEqual(self.town.online(), 4)
        self.town.hiring.start()
        self.pass_time(1)
        self.assertEqual(self.town.hiring.machine.state, "READY")
        self.assertEqual(self.town.events.names().count("my-suppliers-all-hired"), 2)

    def test_a_broken_line_comes_back_by_itself(self) -> None:
        """A lost session brings DISCONNECTED at once, and a new request after a short, growing, jittered pause."""
        self.start()
        supplier = self.town.supplier(2)
        self.town.kill(supplier)
        shown = self.town.shown()[2]
        self.assertEqual(shown.state, "DISCONNECTED")
        self.pass_time(20)
        supplier.up = True
        self.pass_time(40)
        self.assertEqual(self.town.shown()[2].state, "CONNECTED")

    def test_a_supplier_that_is_starting_has_not_refused(self) -> None:
        """A supplier listens before its services have started; it is asked again after seconds, not after an hour."""
        self.start()
        supplier = self.town.supplier(2)
        self.town.kill(supplier)
        supplier.up, supplier.mood = True, "starting"
        self.pass_time(10)
        self.assertEqual(self.town.shown()[2].state, "DISCONNECTED")
        supplier.mood = "kind"
        self.pass_time(30)
        self.assertEqual(self.town.shown()[2].state, "CONNECTED")

    def test_candidates_that_are_starting_have_not_refused(self) -> None:
        """Whoever does not know the request yet is hired within a minute after it does; who refuses, when it is asked
        again ten minutes later."""
        for mood, seconds, is_hired in (("starting", 60, True), ("full", 60, False), ("full", 1200, True)):
            town = Town(Path(self.mktemp()), 4)
            self.addCleanup(town.registry.shutdown)
            self.addCleanup(town.stop)
            for supplier in town.suppliers.values():
                supplier.mood = mood
            town.start()
            for step in range(2 * (15 + seconds)):
                if step == 30:
                    for supplier in town.suppliers.values():
                        supplier.mood = "kind"
                town.clock.advance(0.5)
            self.assertEqual(town.hiring.complete, is_hired, mood)

    def test_nobody_waits_when_the_network_is_back(self) -> None:
        """Whoever could not be reached, or refused, is asked at once when peers may be reached again."""
        self.start()
        self.town.data = True
        refusing, gone = self.town.supplier(2), self.town.supplier(3)
        self.town.cut(refusing.fingerprint)
        refusing.mood = "full"
        self.town.kill(gone)
        self.pass_time(40_000, 50)
        refusing.mood, gone.up = "kind", True
        self.town.presence.chance.emit()
        self.pass_time(1)
        self.assertEqual([row.state for row in self.town.shown()], ["CONNECTED"] * 4)

    def test_a_supplier_that_refused_is_asked_when_it_comes(self) -> None:
        """With data placed it keeps its place, is asked after minutes, and at once when it comes by itself."""
        self.start()
        self.town.data = True
        supplier = self.town.supplier(2)
        self.town.cut(supplier.fingerprint)
        supplier.mood = "full"
        self.pass_time(10)
        self.assertEqual(self.town.shown()[2].state, "NO_SERVICE")
        requests, supplier.mood = supplier.requests, "kind"
        self.pass_time(20)
        self.assertEqual(supplier.requests, requests)
        self.pass_time(80)
        self.assertEqual(self.town.shown()[2].state, "CONNECTED")
        self.town.cut(supplier.fingerprint)
        supplier.mood = "full"
        self.pass_time(10)
        supplier.mood = "kind"
        self.town.cut(supplier.fingerprint)
        self.town.connect(supplier.fingerprint)
        self.assertEqual(self.town.shown()[2].state, "CONNECTED")

    def test_a_supplier_that_dials_me_is_connected_at_once(self) -> None:
        """When the supplier comes by itself nobody waits for the pause."""
        self.start()
        supplier = self.town.supplier(2)
        self.town.kill(supplier)
        self.pass_time(30)
        supplier.up = True
        self.town.connect(supplier.fingerprint)
        self.assertEqual(self.town.shown()[2].state, "CONNECTED")


class ListTests(TownCase):
    def test_suppliers_as_existing_clients_read_them(self) -> None:
        """In order of places: idurl, global id, both states CONNECTED, the contract; empty places are shown as such."""
        self.town.presence.start()
        self.town.supplier(5).up = self.town.supplier(4).up = self.town.supplier(3).up = False
        self.town.start()
        view = self.town.room.view
        rows = view.list()
        self.assertEqual([row["position"] for row in rows], [0, 1, 2, 3])
        self.assertEqual([row["supplier_state"] for row in rows], ["CONNECTED"] * 3 + ["NO_SUPPLIER"])
        self.assertEqual([row["contact_state"] for row in rows], ["CONNECTED"] * 3 + ["OFFLINE"])
        self.assertEqual(rows[0]["idurl"], "http://id.example/supplier-0.xml")
        self.assertEqual(rows[0]["contract"]["room"], FIRST)
        self.assertEqual((rows[3]["idurl"], rows[3]["contract"]), ("", None))
        self.assertEqual(self.successResultOf(view.ping()), 3)


class ContractTests(TestCase):
    """What a supplier's answer must be to count."""

    def test_only_the_right_contract_counts(self) -> None:
        """Signature, both parties, room, place and size of the family must be as asked."""
        me, supplier = Me("customer"), Person("supplier-1")
        wish = Wish(100, 4, 1, least=100)

        def made(signer=supplier, **changes):
            values = {
                "contract": bytes(16),
                "customer": me.fingerprint,
                "supplier": supplier.fingerprint,
                "room": 100,
                "position": 1,
                "n": 4,
                "since": START,
            }
            return signer.sign(Contract(**{**values, **changes})).to_bytes()

        good = verify_contract(made(), supplier.document, me.fingerprint, wish)
        self.assertEqual(good.contract.room, 100)
        verify_contract(made(room=200), supplier.document, me.fingerprint, wish)
        for bad in (
            made(signer=Person("mallory")),
            made(customer=bytes(32)),
            made(supplier=bytes(32)),
            made(room=99),
            made(position=2),
            made(n=5),
            made()[:-1],
            b"",
        ):
            self.assertRaises(WireError, verify_contract, bad, supplier.document, me.fingerprint, wish)

    def test_candidates_are_read_from_any_list(self) -> None:
        """The setting may be a text with commas, spaces or brackets, or a list."""
        for text in ("a, b", "a b", '["a", "b"]', "a;b\n", ["a", "b"]):
            self.assertEqual(candidates_of(text), ["a", "b"])
        self.assertEqual(candidates_of(""), [])
        self.assertEqual(candidates_of(None), [])


class FamilyTests(TownCase):
    def test_a_revision_is_saved_before_anybody_hears(self) -> None:
        """When a watcher of the record runs, the file holds that revision already."""
        path = self.town.folder / "metadata" / "family"
        seen: list[tuple[int, bytes]] = []
        self.town.family.changed.connect(lambda: seen.append((self.town.family.current.revision, path.read_bytes())))
        self.town.family.write([None, None], [None, None])
        self.town.family.write([bytes(32), None], [None, None])
        self.assertEqual([revision for revision, _ in seen], [1, 2])
        self.assertEqual(seen[-1][1], self.town.family.signed.to_bytes())
        self.assertEqual(path.stat().st_mode & 0o777, 0o600)

    def test_only_my_own_newer_record_is_adopted(self) -> None:
        """A record of another customer or signer is refused, an older one ignored, a newer one taken."""
        me = self.town.me
        self.assertTrue(self.town.family.adopt(me.family(5)))
        self.assertFalse(self.town.family.adopt(me.family(5)))
        self.assertFalse(self.town.family.adopt(me.family(4)))
        self.assertRaises(WireError, self.town.family.adopt, Person("mallory").family(9))
        forged = Person("mallory").device.sign_record("family", me.family(9).body)
        self.assertRaises(WireError, self.town.family.adopt, forged)
        self.assertEqual(self.town.family.current.revision, 5)

    def test_no_record_goes_too_far_ahead(self) -> None:
        """Suppliers take none that follows on such a one: whoever stole a device could end all changes."""
        me = self.town.me
        self.assertTrue(self.town.family.adopt(me.family(5)))
        self.assertRaises(WireError, self.town.family.adopt, me.family(1006))
        self.assertTrue(self.town.family.adopt(me.family(1005)))
        me.lost(FAMILY)
        self.assertTrue(self.town.family.adopt(me.family(5000)))

    def test_a_stolen_device_rewrites_no_family(self) -> None:
        """A record of a revoked device replaces none that is known, and any other one replaces it."""
        me, thief = self.town.me, Person("thief").device
        known = me.family(5)
        stolen = thief.sign_record("family", me.family(9).body)
        me.document.devices[thief.id] = FakeDevice(thief.public, revoked=2)
        me.lost(FAMILY)
        self.assertTrue(self.town.family.adopt(stolen))
        self.assertTrue(self.town.family.adopt(known))
        self.assertEqual(self.town.family.current.revision, 5)
        self.assertFalse(self.town.family.adopt(stolen))
        self.assertEqual(self.town.family.signed, known)

    def test_a_supplier_with_a_newer_record_teaches_it(self) -> None:
        """When a supplier answers stale, its record is fetched, checked and adopted."""
        self.start()
        supplier = self.town.supplier(0)
        current = self.town.family.current
        newer = Family(**{**{name: getattr(current, name) for name in Family.FIELDS}, "revision": 50})
        supplier.family, supplier.family_signed = newer, self.town.me.sign(newer.KIND, newer.to_body())
        self.town.publication._held.clear()
        self.town.publication.update()
        self.assertEqual(self.town.family.current.revision, 50)

    def test_the_dht_is_tried_until_it_takes_the_record(self) -> None:
        """A failed store is repeated with growing pauses, and a stored one refreshed every six hours."""
        self.town.dht_error = RuntimeError("no nodes")
        self.start()
        self.assertEqual(self.town.in_dht, [])
        self.town.dht_error = None
        self.pass_time(30)
        self.assertEqual(self.town.in_dht[-1].revision, self.town.family.current.revision)
        stored = len(self.town.in_dht)
        self.pass_time(6 * 3600 + 60, 30)
        self.assertEqual(len(self.town.in_dht), stored + 1)

    def test_an_absent_supplier_is_told_when_it_comes(self) -> None:
        """Who was away during a change holds the newest revision soon after it is back."""
        self.start()
        self.town.data = True
        supplier: Supplier = self.town.supplier(3)
        self.town.kill(supplier)
        family = self.town.family.current
        self.town.family.write(family.suppliers, [None] * 4)
        self.assertLess(supplier.family.revision, self.town.family.current.revision)
        supplier.up = True
        self.pass_time(30)
        self.assertEqual(supplier.family.revision, self.town.family.current.revision)

    def test_a_damaged_file_is_told_and_left(self) -> None:
        """A family file that cannot be read raises with advice and is not replaced."""
        path = self.town.folder / "metadata" / "family"
        path.write_bytes(b"damaged")
        error = self.assertRaises(BitDustError, self.town.family.load)
        self.assertEqual(error.code, "damaged-family")
        self.assertEqual(path.read_bytes(), b"damaged")
