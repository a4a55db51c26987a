"""Searches for suppliers, and what becomes of candidates that cannot be had."""

from twisted.internet.defer import Deferred, fail, succeed

from bitdust.suppliers.search import Candidate
from bitdust.wire.errors import BitDustError
from tests.unit.test_hiring import TownCase


class SearchTests(TownCase):
    def only(self, *numbers: int) -> None:
        """Nobody else can be reached."""
        for number in range(self.suppliers):
            self.town.supplier(number).up = number in numbers

    def test_a_lookup_that_fails(self) -> None:
        """The round ends with its reason, and the next one looks up again."""
        lookup = self.town.random_supplier
        self.town.random_supplier = lambda exclude: fail(BitDustError("dht-off", "the DHT is off"))
        self.start()
        self.assertEqual((self.names(), self.town.hiring.reason), (["-"] * 4, "the DHT is off"))
        self.town.random_supplier = lookup
        self.pass_time(5)
        self.assertNotIn("-", self.names())
        self.assertEqual(self.town.hiring.reason, "")

    def test_a_silent_lookup(self) -> None:
        """It is given up after half a minute."""
        lookup = self.town.random_supplier
        self.town.random_supplier = lambda exclude: Deferred()
        self.start()
        self.pass_time(29)
        self.assertEqual(self.names(), ["-"] * 4)
        self.town.random_supplier = lookup
        self.pass_time(5)
        self.assertNotIn("-", self.names())

    def test_a_lookup_that_gives_the_same_node_to_everybody(self) -> None:
        """No two searches ask the same node; whoever gets nobody else gives up and is tried again."""
        one = self.town.supplier(2)
        self.town.random_supplier = lambda exclude: succeed(Candidate(one.fingerprint))
        self.start()
        self.assertEqual(self.names().count("supplier-2"), 1)
        self.assertEqual(self.names().count("-"), 3)
        self.assertEqual(one.requests, 1)

    def test_one_whom_another_search_asks_meanwhile(self) -> None:
        """Where searches that run at once draw the same node all but one draw again: the first round finds all."""
        draw = self.town.random_supplier

        def slowly(exclude):
            waiting: Deferred[None] = Deferred()
            self.town.clock.callLater(0.1, waiting.callback, None)
            drawn = draw(exclude)
            return waiting.addCallback(lambda _: drawn)

        self.town.random_supplier = slowly
        self.start()
        self.pass_time(0.5, 0.1)
        self.assertNotIn("-", self.names())

    def alone(self) -> None:
        """Nobody was known for so long that rounds are rare."""
        self.draw = self.town.random_supplier
        self.town.random_supplier = lambda exclude: succeed(None)
        self.start()
        self.pass_time(3600, 5)
        self.assertGreater(self.town.hiring.machine.failures, 10)

    def test_a_round_that_finds_one(self) -> None:
        """The next one follows at once, however long nobody was found before."""
        self.alone()
        now: list[float] = []

        def one_a_second(exclude):
            second = self.town.clock.seconds()
            if second in now or (now and second < now[-1] + 1):
                return succeed(None)
            now.append(second)
            return self.draw(exclude)

        self.town.random_supplier = one_a_second
        self.town.hiring.restart()
        self.pass_time(10)
        self.assertNotIn("-", self.names())

    def test_somebody_comes(self) -> None:
        """Where nobody was known they are asked within seconds; where somebody has refused the pauses stay."""
        self.alone()
        self.town.random_supplier = self.draw
        for one in self.town.suppliers.values():
            one.mood = "full"
        for _ in range(3):
            self.town.hiring.somebody_came()
        self.pass_time(5)
        asked = len(self.town.asked_dht)
        self.assertIn("there is no room", self.town.hiring.reason)
        for one in self.town.suppliers.values():
            one.mood = "kind"
        self.town.hiring.searches.forgive()
        self.town.hiring.somebody_came()
        self.pass_time(5)
        self.assertEqual(len(self.town.asked_dht), asked)
        self.town.random_supplier = lambda exclude: succeed(None)
        self.town.hiring.restart()
        self.town.random_supplier = self.draw
        self.town.hiring.somebody_came()
        self.pass_time(5)
        self.assertNotIn("-", self.names())

    def test_who_leaves_a_vacant_place(self) -> None:
        """Where nobody else is known it has that place again: all others who might be asked are suppliers already."""
        self.only(0, 1)
        self.start()
        self.assertEqual(self.names().count("-"), 2)
        family, places = self.town.family, [place for place, who in enumerate(self.names()) if who == "-"]
        leavers = [self.town.supplier(2).fingerprint, self.town.supplier(3).fingerprint]
        leaving = [leavers[places.index(place)] if place in places else None for place in range(4)]
        family.write(family.current.suppliers, [None] * 4, leaving)
        self.town.needed = {(place, who) for place, who in enumerate(leaving) if who is not None}
        self.pass_time(5)
        self.assertEqual(family.current.leaving, leaving)
        self.only(0, 1, 2, 3)
        self.town.hiring.searches.forgive()
        self.pass_time(600, 5)
        now = [family.current.suppliers[place] for place in places]
        self.assertEqual((now, family.current.leaving), (leavers, None))

    def test_a_stop_before_they_are_asked(self) -> None:
        """Nothing is left of it."""
        self.alone()
        self.town.hiring.somebody_came()
        self.town.hiring.stop()
        self.town.hiring.somebody_came()

    def test_addresses_that_do_not_answer(self) -> None:
        """A candidate is dialled at each of its addresses, and then wherever the node can find it."""
        dialled: list[str] = []

        def dial(address, expect):
            dialled.append(address)
            return fail(BitDustError("no-answer", "nobody is there"))

        self.town.dial = dial
        found = Candidate(self.town.supplier(0).fingerprint, ("tcp://a:1", "tcp://b:2"))
        self.town.random_supplier = lambda exclude: succeed(None if found.fingerprint in exclude else found)
        self.start()
        self.assertEqual(dialled, ["tcp://a:1", "tcp://b:2"])
        self.assertEqual(self.names().count("supplier-0"), 1)
        self.assertEqual(self.town.family.current.addresses[self.names().index("supplier-0")], "tcp://a:1")

    def test_one_that_could_not_be_hired_is_left_alone_for_ten_minutes(self) -> None:
        """Then it may be asked again; its reason is shown as long as nobody else is known."""
        self.only(0, 1, 2, 3)
        refusing = self.town.supplier(3)
        refusing.mood = "full"
        self.start()
        self.assertIn("there is no room", self.town.hiring.reason)
        self.pass_time(1)
        asked = refusing.requests
        self.pass_time(500, 5)
        self.assertEqual(refusing.requests, asked)
        refusing.mood = "kind"
        self.pass_time(400, 5)
        self.assertNotIn("-", self.names())

    def test_who_is_named_and_not_hired(self) -> None:
        """Of each that the settings name and that cannot be hired, the person hears why; the family is filled."""
        url = "http://id.example/{}.xml".format
        names = [url("nobody"), *(url(f"supplier-{number}") for number in (0, 1, 2))]
        self.town.add("supplier-6")
        self.town.my_customers.add(self.town.supplier(0).fingerprint)
        self.town.supplier(1).mood = "full"
        self.town.supplier(2).up = False
        self.town.settings.values["services/employer/candidates"] = ", ".join(names)
        self.start()
        self.pass_time(5)
        self.assertNotIn("-", self.names())
        self.assertEqual(set(self.names()) & {"supplier-0", "supplier-1", "supplier-2"}, set())
        told = {data["idurl"]: data["reason"] for name, data in self.town.events.sent
                if name == "supplier-candidate-refused"}  # fmt: skip
        self.assertEqual(told, self.town.hiring.searches.refused_by_name)
        parts = ("nobody", "a customer of yours", "there is no room", "")
        for name, part in zip(names, parts, strict=True):
            self.assertIn(part, told[name])
        self.town.settings.set("services/employer/candidates", "")
        self.assertEqual(self.town.hiring.searches.refused_by_name, {})

    def test_settings_forgive(self) -> None:
        """Naming candidates asks everybody again at once."""
        self.only(0, 1, 2, 3)
        refusing = self.town.supplier(3)
        refusing.mood = "full"
        self.start()
        refusing.mood = "kind"
        self.town.settings.set("services/employer/candidates", "http://id.example/supplier-3.xml")
        self.assertNotIn("-", self.names())

    def test_candidates_named_later_fill_empty_places_first(self) -> None:
        """Naming somebody hires it for an empty place at once; a complete family stays as it is."""
        self.only(0, 1, 2)
        self.start()
        self.assertEqual(self.names().count("-"), 1)
        self.town.supplier(5).up = self.town.supplier(3).up = True
        self.town.settings.set("services/employer/candidates", "http://id.example/supplier-5.xml")
        self.assertIn("supplier-5", self.names())
        first = self.names()
        self.town.settings.set("services/employer/candidates", "http://id.example/supplier-3.xml")
        self.pass_time(5)
        self.assertEqual(self.names(), first)

    def test_customers_are_hired_where_nobody_else_is(self) -> None:
        """Two that keep each other's pieces are one place less to lose: others go first, named or not."""
        self.only(0, 1, 2, 3, 4)
        customer = self.town.supplier(0)
        self.town.my_customers.add(customer.fingerprint)
        self.town.settings.values["services/employer/candidates"] = "http://id.example/supplier-0.xml"
        self.start()
        self.assertEqual(sorted(self.names()), [f"supplier-{number}" for number in range(1, 5)])
        self.town.kill(self.town.supplier(1))
        self.pass_time(120)
        self.assertIn("supplier-0", self.names())

    def test_who_behaved_well_is_hired_first(self) -> None:
        """Of three that the hash table names the best one gets the place; what was seen outlives a restart."""
        town = self.town
        for number, away in ((1, 9000), (2, 0), (3, 9000)):
            for _ in range(20):
                who = town.supplier(number).fingerprint
                town.room.reputation.audited(who, 0 if away else 9, 9 if away else 0)
        town.stop()
        town.living()
        self.assertEqual(town.room.reputation.of(town.supplier(2).fingerprint).passed, 9)
        town.settings.values["services/customer/suppliers-number"] = 2
        self.only(1, 2, 3)
        self.start()
        self.assertIn("supplier-2", self.names())

    def test_a_name_that_leads_nowhere(self) -> None:
        """It is not looked up again for ten minutes, and others are hired meanwhile."""
        asked: list[str] = []

        def identify(idurl):
            asked.append(idurl)
            return fail(BitDustError("not-found", f"nobody is at {idurl}"))

        self.town.identify = identify
        self.town.settings.values["services/employer/candidates"] = "http://id.example/nobody.xml"
        self.only(0, 1, 2)
        self.start()
        self.assertEqual(len(asked), 1)
        self.pass_time(500, 5)
        self.assertEqual(len(asked), 1)
        self.pass_time(300, 5)
        self.assertEqual(len(asked), 2)

    def test_a_stop_in_the_middle(self) -> None:
        """Searches end with the hiring, and a candidate that was being asked gets no place."""
        self.town.supplier(0).mood = "silent"
        self.start()
        self.town.hiring.stop()
        self.pass_time(60)
        self.assertEqual(self.names().count("-"), 1)
        names = {machine.name for machine in self.town.registry}
        self.assertFalse(names & {"fire_hire", "supplier_finder"})

    def test_a_search_that_hangs(self) -> None:
        """After ten minutes the round is over, whatever a search waits for; the next one follows."""
        searches = self.town.hiring.searches
        run, searches.run = searches.run, lambda positions: Deferred()
        self.start()
        self.pass_time(599, 1)
        self.assertEqual(self.town.hiring.machine.state, "HIRE_ONE")
        searches.run = run
        self.pass_time(5)
        self.assertNotIn("-", self.names())

    def test_a_place_that_is_filled_already(self) -> None:
        """A candidate that accepts too late gives its contract back: another device has filled the place."""
        self.town.supplier(0).mood = "silent"
        self.start()
        late = Candidate(self.town.supplier(5).fingerprint)
        before = self.town.family.current
        self.town.hiring.place(1, late)
        self.assertEqual(self.town.family.current, before)


class AloneTests(TownCase):
    def test_nobody_can_be_reached(self) -> None:
        """Without data a supplier loses its place after a minute, and after ten where no other can be reached."""
        self.start()
        for number in range(4):
            self.town.kill(self.town.supplier(number))
        before = self.names()
        self.pass_time(590, 5)
        self.assertEqual(self.names(), before)
        self.pass_time(120, 5)
        self.assertNotEqual(self.names(), before)

    def test_a_contract_is_renewed_every_day(self) -> None:
        """A line that never breaks does not let a contract run out."""
        self.start()
        requests = self.town.supplier(0).requests
        self.pass_time(2 * 86_400 + 3600, 600)
        self.assertEqual(self.town.supplier(0).requests, requests + 2)
        self.assertEqual(self.town.online(), 4)
