"""What strangers, networks, peers and roles may take, and that all of it comes back."""

import gc

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from bitdust.budget import MIB, Budget
from bitdust.scopes import reservations
from bitdust.scopes.networks import Household, network_of
from bitdust.scopes.plan import Plan
from bitdust.scopes.reservations import Allowances, Reservation, Resource, Role, TooMuch
from bitdust.scopes.scopes import Party, Scopes
from bitdust.wire.table import Who
from tests.collecting import only_what_is_new

ALICE, BOB, MALLORY = b"a" * 32, b"b" * 32, b"m" * 32


def crowd(number: int) -> bytes:
    return number.to_bytes(32, "big")


class Made(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.roles = {ALICE: Who.SUPPLIER, BOB: Who.CUSTOMER}
        plan = Plan.of(Budget())
        self.scopes = Scopes(
            self.clock, plan, lambda who: self.roles.get(who, Who(0)), Household(["127.0.0.0/8", "10.1.0.0/16"])
        )

    def take(self, resource: Resource, amount: int, who: bytes, host: str | None = None) -> Reservation | None:
        try:
            return self.scopes.reserve(resource, amount, who, host)
        except TooMuch:
            return None

    def refusals(self) -> dict:
        roles = self.scopes.roles.items()
        return {(role, one): count for role, scope in roles for one, count in scope.refused.items() if count}

    def used(self, resource: Resource) -> int:
        return self.scopes.system.used[resource]


class ShareTests(Made):
    def test_strangers_share_a_quarter(self) -> None:
        """However many strangers come, from however many networks, three quarters are left for the others."""
        hosts = [f"203.{high}.{low}.1" for high in range(8) for low in range(250)]
        taken = [self.take(Resource.SESSIONS, 1, crowd(n), host) for n, host in enumerate(hosts)]
        self.assertEqual(sum(one is not None for one in taken), 250)
        self.assertIsNotNone(self.take(Resource.SESSIONS, 1, ALICE, hosts[0]))
        self.assertEqual(self.refusals(), {(Role.STRANGER, Resource.SESSIONS): 1750})

    def test_newcomers_leave_places_for_customers(self) -> None:
        """Those who became customers today share half of what customers may take, however many they are."""
        self.roles |= {crowd(n): Who.CUSTOMER for n in range(9)}
        self.scopes.is_newcomer = lambda who: who != BOB
        taken = [self.take(Resource.WRITES, 1, crowd(n)) for n in range(9) for _ in range(60)]
        self.assertEqual(sum(one is not None for one in taken), 80)
        mine = [self.take(Resource.WRITES, 1, BOB) for _ in range(60)]
        self.assertNotIn(None, mine)
        self.assertEqual(self.scopes.roles[Role.CUSTOMER].used[Resource.WRITES], 140)

    def test_customers_leave_places_for_the_family(self) -> None:
        """Customers take five eighths at most: suppliers, friends and own devices always find a place."""
        self.roles |= {crowd(n): Who.CUSTOMER for n in range(1000)}
        taken = [self.take(Resource.SESSIONS, 1, crowd(n)) for n in range(1000)]
        self.assertEqual(sum(one is not None for one in taken), 625)
        self.assertIsNotNone(self.take(Resource.SESSIONS, 1, ALICE))

    def test_one_network_is_one_stranger(self) -> None:
        """Keys cost nothing: all strangers of a /24, and of a /48, are counted together, and others go on."""
        for hosts in ([f"198.51.100.{n}" for n in range(200)], [f"2001:db8:7:{n:x}::1" for n in range(200)]):
            taken = [self.take(Resource.SESSIONS, 1, crowd(n), host) for n, host in enumerate(hosts)]
            self.assertEqual(sum(one is not None for one in taken), 31)
        self.assertIsNotNone(self.take(Resource.SESSIONS, 1, MALLORY, "198.51.101.1"))

    def test_people_i_deal_with_are_no_strangers_of_a_network(self) -> None:
        """A customer behind the address of a hundred strangers has its place."""
        held = [self.take(Resource.SESSIONS, 1, crowd(n), "198.51.100.7") for n in range(100)]
        self.assertIn(None, held)
        self.assertIsNotNone(self.take(Resource.SESSIONS, 1, BOB, "198.51.100.7"))

    def test_the_household(self) -> None:
        """Loopback and named networks are not one stranger; a stranger there is one all the same."""
        taken = [self.take(Resource.SESSIONS, 1, crowd(n), f"10.1.0.{n % 200}") for n in range(200)]
        self.assertNotIn(None, taken)
        self.assertEqual(self.scopes.roles[Role.STRANGER].used[Resource.SESSIONS], 200)

    def test_one_peer(self) -> None:
        """A single stranger takes its share and no more, from however many networks it comes."""
        taken = [self.take(Resource.MEMORY, MIB // 2, MALLORY, f"203.0.{n}.1") for n in range(5)]
        self.assertEqual(sum(one is not None for one in taken), 2)
        error = self.assertRaises(TooMuch, self.scopes.reserve, Resource.MEMORY, MIB // 2, MALLORY)
        self.assertEqual((error.code, error.scope.kind, error.resource), ("busy", "peer", Resource.MEMORY))

    def test_a_small_machine(self) -> None:
        """Every share is of the budget, and never nothing."""
        small = Plan.of(Budget(sessions=16, unproven=4, pieces=8, unread=4 * MIB))
        for limits in (small.system, small.network, small.session, *small.roles.values(), *small.peers.values()):
            self.assertGreater(min(limits.values()), 0)
        self.assertEqual(small.roles[Role.STRANGER][Resource.SESSIONS], 4)


class ReservationTests(Made):
    def test_a_refusal_takes_nothing(self) -> None:
        """What the last scope refuses is counted in none of them."""
        wanted = self.scopes.plan.system[Resource.CONNECTIONS]
        self.assertIsNone(self.take(Resource.CONNECTIONS, wanted + 1, ALICE))
        self.assertEqual((self.used(Resource.CONNECTIONS), self.refusals()), (0, {}))
        self.assertEqual(self.scopes.system.refused[Resource.CONNECTIONS], 1)

    def test_it_grows_and_shrinks(self) -> None:
        """A reservation may become larger while there is room, smaller always, and is given back once."""
        made = self.scopes.reserve(Resource.CONNECTIONS, 10, ALICE)
        made.resize(25)
        made.resize(20)
        self.assertEqual((made.amount, self.used(Resource.CONNECTIONS)), (20, 20))
        self.assertRaises(TooMuch, made.resize, 2000 * MIB)
        self.assertEqual((made.amount, self.used(Resource.CONNECTIONS)), (20, 20))
        made.release()
        made.release()
        self.assertEqual((self.used(Resource.CONNECTIONS), self.scopes.system.peak[Resource.CONNECTIONS]), (0, 25))

    def test_who_becomes_a_customer_leaves_the_strangers(self) -> None:
        """The place of a session counts for the role that its peer has now, from the next thing it asks."""
        party = self.scopes.party("198.51.100.7")
        party.enter()
        strangers, customers = self.scopes.roles[Role.STRANGER], self.scopes.roles[Role.CUSTOMER]
        party.prove(MALLORY)
        self.assertTrue(party.is_stranger and party.holds(strangers))
        self.roles[MALLORY] = Who.CUSTOMER
        party.ask()
        self.assertEqual((strangers.used[Resource.SESSIONS], customers.used[Resource.SESSIONS]), (0, 1))
        self.assertTrue(party.holds(customers) and not party.holds(strangers) and not party.is_stranger)
        party.leave()
        party.leave()
        self.assertEqual((customers.used[Resource.SESSIONS], self.used(Resource.SESSIONS)), (0, 0))

    def test_a_connection_has_one_place(self) -> None:
        """Who proves himself gives back the place of the unproven, whether or not there is one for him."""
        crowded = [self.scopes.party(f"198.51.100.{n}") for n in range(10)]
        for party in crowded:
            party.enter()
        late = self.scopes.party("198.51.100.8")
        self.assertRaises(TooMuch, late.enter)
        crowded[0].prove(MALLORY)
        self.assertEqual((self.used(Resource.CONNECTIONS), self.used(Resource.SESSIONS)), (9, 1))
        late.enter()
        held = [self.take(Resource.SESSIONS, 1, crowd(n), "198.51.100.7") for n in range(30)]
        self.assertNotIn(None, held)
        self.assertRaises(TooMuch, late.prove, crowd(999))
        self.assertEqual((self.used(Resource.CONNECTIONS), self.used(Resource.SESSIONS)), (9, 31))

    def test_what_i_dial(self) -> None:
        """A connection of my own takes nobody's share, and makes way for nobody."""
        party = self.scopes.party("198.51.100.7", dialled=True)
        party.prove(MALLORY)
        self.assertFalse(party.is_stranger)
        self.assertEqual(self.scopes.roles[Role.STRANGER].used[Resource.SESSIONS], 0)
        self.assertEqual(self.used(Resource.SESSIONS), 1)

    def test_scopes_of_those_who_left_are_forgotten(self) -> None:
        """A million strangers that came and went leave nothing behind."""
        for n in range(100):
            party = self.scopes.party(f"203.0.{n}.1")
            party.prove(crowd(n))
            party.reserve(Resource.REQUESTS).release()
        del party
        self.assertEqual(len(self.scopes.shown(most=1000)), 1 + len(Role))

    @settings(max_examples=60, deadline=None)
    @given(st.lists(st.tuples(st.sampled_from(Resource), st.integers(1, 2 * MIB), st.integers(0, 5)), max_size=60))
    def test_nothing_is_above_its_limit_and_all_comes_back(self, wishes) -> None:
        """Whatever is asked for in whatever order, no scope holds more than its limit, and none anything at the end."""
        held = []
        for resource, amount, number in wishes:
            made = self.take(resource, amount, crowd(number), f"203.0.113.{number}")
            held += [made] if made is not None else []
            for shown in self.scopes.shown(most=100):
                for one in shown["resources"].values():
                    self.assertLessEqual(one["used"], one["limit"] if one["limit"] is not None else one["used"])
        for made in held:
            made.release()
        self.assertEqual(set(self.scopes.system.used.values()) - {0}, set())


class RateTests(Made):
    def proven(self, who: bytes, host: str = "203.0.113.1") -> Party:
        party = self.scopes.party(host)
        party.prove(who)
        return party

    def test_strangers_ask_far_less(self) -> None:
        """A stranger may ask a hundred things at once and twenty a second then; who is known may ask thousands."""
        stranger, customer = self.proven(MALLORY), self.proven(BOB)
        self.assertEqual([stranger.pace() for _ in range(100)], [0.0] * 100)
        self.assertAlmostEqual(stranger.pace(), 0.05)
        self.assertAlmostEqual(stranger.pace(19), 1.0)
        self.clock.advance(1.05)
        self.assertAlmostEqual(stranger.pace(), 0.0)
        self.assertEqual({customer.pace() for _ in range(3000)}, {0.0})

    def test_two_sessions_of_a_peer_have_one_rate(self) -> None:
        """The rate belongs to the peer: a second session gives nothing more."""
        first, second = self.proven(MALLORY), self.proven(MALLORY, "203.0.114.1")
        first.pace(60)
        self.assertAlmostEqual(second.pace(60), 1.0)

    def test_a_crowd_is_served_in_turn(self) -> None:
        """Strangers of many networks together ask two hundred things a second; each gets its turn, and customers do not
        wait for them."""
        people = [self.proven(crowd(number), f"198.51.{number}.1") for number in range(100)]
        for one in people:
            self.scopes.welcome(one.host).spend(30)
        self.assertEqual({one.pace(2) for one in people}, {0.0})
        self.assertEqual({one.may_ask() for one in people}, {1.0})
        waits = [one.pace() for one in people]
        self.assertEqual(waits, sorted(waits))
        self.assertAlmostEqual(waits[-1], 0.5)
        customer = self.proven(BOB)
        self.assertEqual((customer.may_ask(), customer.pace()), (3000.0, 0.0))

    def test_a_network_is_one_asker(self) -> None:
        """Keys of one network share a rate, which leaves three quarters of that of all strangers to the others."""
        people = [self.proven(crowd(number), f"198.51.100.{number}") for number in range(20)]
        self.assertEqual(sum(one.pace(6) == 0.0 for one in people), 16)
        self.assertAlmostEqual(self.proven(crowd(77), "198.51.100.77").pace(), 21 / 50)
        self.assertEqual(self.proven(crowd(78), "198.51.101.1").pace(), 0.0)

    def test_who_is_new_waits_for_no_crowd(self) -> None:
        """Whose network has asked for next to nothing waits for no strangers, once: the first contract is for a
        newcomer what the ten thousandth ping is for the crowd."""
        crowds = [self.proven(crowd(number), f"198.51.{number}.1") for number in range(100)]
        for _ in range(40):
            for one in crowds:
                one.pace(1)
        self.assertGreater(min(one.pace() for one in crowds), 10.0)
        newcomer = self.proven(MALLORY, "203.0.113.1")
        self.assertEqual([newcomer.pace(10) for _ in range(3)], [0.0] * 3)
        self.assertGreater(newcomer.pace(1), 10.0)

    def test_who_comes_again_has_what_is_left(self) -> None:
        """The allowance of a peer and that of its network outlive its sessions, and are filled again by time alone."""
        only_what_is_new(self)
        for host in ("198.51.100.1", "10.1.0.1"):
            first = self.proven(MALLORY, host)
            first.pace(99)
            first.leave()
            del first
            gc.collect()
            again = self.proven(MALLORY, host)
            self.assertEqual(again.may_ask(), 1.0)
            again.leave()
            self.clock.advance(60)
            self.assertEqual(self.proven(MALLORY, host).may_ask(), 100.0)

    def test_what_is_remembered_is_bounded(self) -> None:
        """Of many that left, those who came last are remembered."""
        self.patch(reservations, "REMEMBERED", 3)
        kept = Allowances(self.clock)
        for name in "abcd":
            kept.of(name, (1.0, 10.0)).spend(10)
            self.assertIsNotNone(kept.get("a") if name != "d" else kept.get("d"))
        self.assertEqual([name for name in "abcd" if kept.get(name)], ["a", "c", "d"])

    def test_nobody_is_paced_before_he_is_known(self) -> None:
        """The handshake has limits of its own."""
        self.assertEqual(self.scopes.party("203.0.113.1").pace(1000), 0.0)


class ArrivalTests(Made):
    """Connections before their handshake."""

    def come(self, host: str, times: int = 1) -> int:
        return sum(self.scopes.may_come(host) for _ in range(times))

    def test_a_network(self) -> None:
        """Strangers of one network shake hands twenty times at once, then every ten seconds, whatever their keys."""
        self.assertEqual(sum(self.come(f"198.51.100.{n}") for n in range(100)), 20)
        self.clock.advance(31)
        self.assertEqual(self.come("198.51.100.7", 10), 3)
        self.assertEqual(self.scopes.system.refused[Resource.CONNECTIONS], 87)

    def test_a_flood_from_everywhere(self) -> None:
        """However many networks a flood comes from, thirty shake hands a second; and nearly everybody who comes for
        the first time is among them."""
        let_in = newcomers = 0
        for step in range(200 * 20):
            self.clock.advance(1 / 200)
            let_in += self.come(f"198.{step % 240}.1.1")
            if step % 100 == 99:
                newcomers += self.come(f"203.0.{step // 100}.1")
        self.assertGreater(newcomers, 32)
        self.assertLess(let_in, 120 + 30 * 20 + 1)

    def test_people_with_whom_there_are_dealings(self) -> None:
        """Where a customer was met it is let in beside any flood, after a restart or not, and has a rate all the same;
        a newcomer's network is a stranger's still."""
        self.scopes.is_newcomer = lambda who: who == MALLORY
        self.roles[MALLORY] = Who.CUSTOMER
        for who, host in ((BOB, "203.0.113.1"), (MALLORY, "203.0.114.1")):
            self.scopes.party(host).prove(who)
        for number in range(240):
            self.come(f"198.51.{number}.1", 20)
            self.come("203.0.114.1")
        self.assertEqual((self.come("203.0.113.77"), self.come("203.0.114.1")), (1, 0))
        self.assertLess(self.come("203.0.113.77", 1000), 71)

    def test_the_household_comes_as_it_likes(self) -> None:
        """Private networks shake hands as often as they want."""
        self.assertEqual(self.come("10.1.0.1", 1000), 1000)


class NetworkTests(SynchronousTestCase):
    def test_names_of_networks(self) -> None:
        """IPv4 by /24, also where it is written as IPv6, IPv6 by /48 with its zone left out, anything else as it is."""
        self.assertEqual(network_of("192.0.2.77"), "192.0.2.0/24")
        self.assertEqual(network_of("::ffff:192.0.2.77"), "192.0.2.0/24")
        self.assertEqual(network_of("2001:db8:1:2::3%eth0"), "2001:db8:1::/48")
        self.assertEqual(network_of("somewhere"), "somewhere")
