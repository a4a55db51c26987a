"""Suppliers spread over networks: one network never has so many places that losing it could lose files."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from bitdust.suppliers.spread import most_at_one, network_of
from bitdust.wire.addresses import host_of
from bitdust.wire.records import Scheme
from tests.unit.test_hiring import NUMBER, TownCase

ENABLED, PRIVATE = "services/employer/spread-enabled", "services/employer/spread-private-enabled"


class RuleTests(SynchronousTestCase):
    def test_any_size(self) -> None:
        """For 3 to 64 suppliers a lost network leaves N−k+1, has fewer than k, and less than half."""
        for n in range(3, 65):
            k, most = Scheme.for_family(n).k, most_at_one(n)
            self.assertGreaterEqual(n - most, n - k + 1)
            self.assertGreaterEqual(n - most, k)
            self.assertLess(most, k)
            self.assertLess(most, n / 2)
        self.assertEqual((most_at_one(2), most_at_one(4), most_at_one(7)), (1, 1, 3))

    def test_what_a_network_is(self) -> None:
        """A /24 and a /48; addresses that are not global do not count, or each as a host of its own; names do not."""
        same = (("8.8.8.1:1", "tcp://8.8.8.254:7"), ("[2600:1:2:3::1]:5", "tcp://[2600:1:2:ffff::9]:5"))
        for one, other in same:
            self.assertEqual(network_of(one, False), network_of(other, False))
        self.assertNotEqual(network_of("8.8.8.1:1", False), network_of("8.8.9.1:1", False))
        self.assertEqual(network_of("[::ffff:8.8.8.8]:1", False), "8.8.8.0/24")
        private = ("127.0.0.1:1", "10.0.0.1:1", "192.168.1.1:1", "[::1]:1", "[fe80::1]:1", "100.64.0.1:1")
        self.assertEqual([network_of(one, False) for one in private], [None] * 6)
        self.assertEqual([network_of(one, True) for one in private], [host_of(one) for one in private])
        self.assertEqual([network_of(one, True) for one in (None, "", "example.net:1", "x")], [None] * 4)

    @given(st.text())
    def test_any_text(self, address: str) -> None:
        """Whatever an address is, the question is answered."""
        self.assertIsInstance(network_of(address, True), str | None)


class FamilyTests(TownCase):
    suppliers = 8

    def live(self, *hosts: str) -> None:
        """Suppliers in order of number live at these hosts."""
        for number, host in enumerate(hosts):
            self.town.addresses[self.town.supplier(number).fingerprint] = f"{host}:7771"

    def test_no_network_has_two_of_four(self) -> None:
        """Candidates of a network that has its share are passed over, also when all are asked at the same moment."""
        self.live("8.8.8.1", "8.8.8.2", "8.8.8.3", "9.9.9.1", "9.9.9.2", "9.9.10.1", "9.9.11.1", "8.8.8.4")
        self.start()
        self.pass_time(20)
        hired = [self.town.addresses[who] for who in self.town.family.current.suppliers]
        self.assertEqual(len({network_of(one, False) for one in hired}), 4)

    def test_too_few_networks_are_told(self) -> None:
        """Where everybody is in two networks two are hired, and the reason goes on saying why and what to do."""
        self.live(*[f"8.8.8.{number}" for number in range(4)], *[f"9.9.9.{number}" for number in range(4)])
        self.start()
        for seconds in (5, 60, 400):
            self.pass_time(seconds)
            self.assertEqual(self.names().count("-"), 2)
            self.assertIn("of your 4 suppliers are already", self.town.hiring.reason)
            self.assertIn(ENABLED, self.town.hiring.reason)
        self.town.settings.set(ENABLED, False)
        self.pass_time(1300)
        self.assertNotIn("-", self.names())

    def test_a_family_of_seven_takes_three(self) -> None:
        """With k = 4 of 7 one network may have three places, and not a fourth."""
        self.town.settings.values[NUMBER] = 7
        self.live("8.8.8.1", "8.8.8.2", "8.8.8.3", "8.8.8.4", "9.1.1.1", "9.1.2.1", "9.1.3.1", "9.1.4.1")
        self.start()
        self.pass_time(20)
        self.assertNotIn("-", self.names())
        there = [self.town.addresses[who].startswith("8.8.8") for who in self.town.family.current.suppliers]
        self.assertEqual(sum(there), 3)

    def test_private_networks_are_left_alone(self) -> None:
        """On one private or loopback host a whole family is hired."""
        self.live(*["127.0.0.1"] * 4, *["10.0.0.1"] * 4)
        self.start()
        self.assertNotIn("-", self.names())

    def test_private_addresses_count_where_that_is_wanted(self) -> None:
        """With the second setting each private host may have its share and no more."""
        self.live(*["127.0.0.1"] * 4, *["10.0.0.1"] * 4)
        self.town.settings.values[PRIVATE] = True
        self.start()
        self.pass_time(10)
        self.assertEqual(self.names().count("-"), 2)

    def test_what_a_person_chooses_is_hired(self) -> None:
        """Naming a supplier overrules the rule; and replacing one makes its own network free."""
        self.live("8.8.8.1", "9.1.1.1", "9.1.2.1", "9.1.3.1", "8.8.8.2", "9.1.1.2", "9.1.2.2", "9.1.3.2")
        self.start()
        self.pass_time(5)
        requests = self.town.requests
        requests.replace(self.town.supplier(0).fingerprint, None)
        self.pass_time(15)
        self.assertEqual(self.names()[0], "supplier-4")
        requests.replace(self.town.supplier(1).fingerprint, self.town.supplier(6).fingerprint)
        self.pass_time(15)
        self.assertEqual(self.names()[1], "supplier-6")

    def test_lists_show_where_suppliers_are(self) -> None:
        """The other end of the session, and without one what the family record says."""
        self.live("8.8.8.1", "9.1.1.1", "9.1.2.1", "9.1.3.1")
        self.start()
        self.assertEqual(self.town.shown()[0].address, "8.8.8.1:7771")
        del self.town.addresses[self.town.supplier(0).fingerprint]
        self.assertEqual(self.town.shown()[0].address, "tcp://supplier-0:1")
