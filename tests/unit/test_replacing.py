"""Changing suppliers: who is to leave is remembered, places change hands, and nobody goes before all has moved."""

import errno
from pathlib import Path
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from bitdust.replication import places_heard
from bitdust.suppliers import scoring
from bitdust.suppliers.departures import Departure, Departures, Why
from bitdust.suppliers.replacement import REFUSED_FOR
from bitdust.wire.errors import BitDustError
from bitdust.wire.records import Family
from tests.unit.supplier_kit import START
from tests.unit.test_hiring import TownCase

ME, A, B, C, D = (bytes([number]) * 32 for number in range(5))


class Everything:
    """Nothing has moved anywhere."""

    def __contains__(self, entry: object) -> bool:
        return True


class ReplacingTests(TownCase):
    def setUp(self) -> None:
        super().setUp()
        self.start()
        self.town.data = True
        self.first = self.names()

    def notice(self, number: int) -> None:
        self.town.requests.receive_notice(self.town.supplier(number).fingerprint, START + 1000)

    def hold(self, number: int) -> tuple[int, bytes]:
        """Nothing has moved to this supplier at place 1 yet."""
        entry = (1, self.town.supplier(number).fingerprint)
        self.town.unmoved.add(entry)
        return entry

    def test_a_notice_moves_the_place(self) -> None:
        """After a notice another supplier has the place, the old one leaves beside it, and is ended when all moved."""
        held = self.hold(4)
        self.notice(1)
        self.pass_time(2)
        self.assertEqual(self.names(), ["supplier-0", "supplier-4", "supplier-2", "supplier-3"])
        old = self.town.supplier(1)
        self.assertEqual(self.town.family.current.leaving, [None, old.fingerprint, None, None])
        self.pass_time(300)
        self.assertEqual(old.cancelled, 0)
        self.assertIsNotNone(self.town.book.of(old.fingerprint))
        self.town.unmoved.discard(held)
        self.pass_time(70)
        self.assertEqual((old.cancelled, old.ended), (1, 1))
        self.assertIsNone(self.town.family.current.leaving)
        self.assertIsNone(self.town.book.of(old.fingerprint))
        self.assertEqual(self.town.departures.suppliers(), [])
        told = self.town.events.names()
        self.assertIn("supplier-gave-notice", told)
        self.assertIn("supplier-dismissed", told)

    def test_a_disk_that_does_not_take_the_end(self) -> None:
        """Whichever of the last words a disk refuses once, a moment later the replacement ends all the same."""
        for number, place in enumerate(("contracts.ContractBook.release", "membership.Membership.dismiss_former")):
            old = self.town.supplier(number)
            with mock.patch(f"bitdust.suppliers.{place}", side_effect=OSError(errno.EIO, "no")):
                self.notice(number)
                self.pass_time(70)
            self.assertIsNotNone(self.town.family.current.leaving)
            self.pass_time(70)
            self.assertIsNone(self.town.family.current.leaving)
            self.assertEqual((old.ended, self.town.departures.suppliers()), (1, []))

    def test_each_place_has_a_machine(self) -> None:
        """Lists show how far the replacement of each place has come; in the end no machine is left."""

        def states() -> list[str]:
            return [row["replacement"] for row in self.town.room.view.list()]

        held = self.hold(4)
        self.town.supplier(4).up = self.town.supplier(5).up = False
        self.assertEqual(states(), [""] * 4)
        self.town.requests.replace(self.town.supplier(1).fingerprint, None)
        self.assertEqual(states(), ["", "SEARCHING", "", ""])
        self.town.supplier(4).up = True
        self.pass_time(70)
        self.assertEqual(states(), ["", "MOVING", "", ""])
        for number in (0, 2, 3):
            self.town.kill(self.town.supplier(number))
        family = self.town.family.current
        self.town.family.write(family.suppliers, family.addresses)
        self.town.unmoved.discard(held)
        self.pass_time(20)
        self.assertEqual(states(), ["", "CONFIRMING", "", ""])
        for number in (0, 2, 3):
            self.town.supplier(number).up = True
        self.pass_time(400)
        self.assertEqual(states(), [""] * 4)
        self.assertEqual(self.town.supplier(1).ended, 1)
        self.assertFalse([machine for machine in self.town.registry if machine.name == "supplier_replacement"])

    def test_who_was_replaced_gets_no_other_place(self) -> None:
        """Whoever has lost a place is hired again only where nobody else is left, after a restart, too."""
        self.patch(scoring, "NEWCOMERS", 0.0)
        self.notice(1)
        self.pass_time(70)
        self.assertEqual(self.names(), ["supplier-0", "supplier-4", "supplier-2", "supplier-3"])
        self.town.stop()
        self.town.living()
        self.start()
        self.notice(2)
        self.pass_time(70)
        self.assertEqual(self.names(), ["supplier-0", "supplier-4", "supplier-5", "supplier-3"])
        self.notice(3)
        self.pass_time(70)
        self.assertIn(self.names()[3], ("supplier-1", "supplier-2"))

    def test_a_successor_that_takes_nothing(self) -> None:
        """Whoever gets a place and refuses its pieces for ten minutes loses it again, whoever had it first stays."""
        old, new = self.town.supplier(1), self.town.supplier(4)
        self.hold(4)
        self.hold(5)
        self.notice(1)
        self.pass_time(2)
        self.town.refusing[new.fingerprint] = REFUSED_FOR - 1
        self.pass_time(70)
        self.assertEqual(self.names()[1], "supplier-4")
        self.town.refusing[new.fingerprint] = REFUSED_FOR
        self.pass_time(70)
        self.assertEqual(self.names()[1], "supplier-5")
        self.assertEqual(self.town.family.current.leaving, [None, old.fingerprint, None, None])
        told = [data for event, data in self.town.events.sent if event == "supplier-lost"]
        self.assertIn("takes none of the pieces", told[0]["reason"])
        self.assertEqual(self.town.hiring.reputation.replaced(), {new.fingerprint})

    def test_a_successor_that_the_person_does_not_want(self) -> None:
        """Where a place has gone to somebody who cannot hold it, the person's word gives it to another one at once."""
        old, new = self.town.supplier(1), self.town.supplier(4)
        self.hold(4)
        held = self.hold(5)
        self.notice(1)
        self.pass_time(2)
        self.assertEqual((self.names()[1], self.town.room.replacements.state(1)), ("supplier-4", "MOVING"))
        self.town.requests.replace(new.fingerprint, None)
        self.pass_time(2)
        self.assertEqual((self.names()[1], self.town.room.replacements.state(1)), ("supplier-5", "MOVING"))
        self.assertEqual(self.town.family.current.leaving, [None, old.fingerprint, None, None])
        self.town.unmoved.discard(held)
        self.pass_time(70)
        self.assertEqual((old.ended, self.town.departures.suppliers()), (1, []))

    def test_a_successor_that_does_not_take_the_record(self) -> None:
        """Whoever has all pieces and never takes the family record keeps its place no longer than ten minutes."""
        old, new = self.town.supplier(1), self.town.supplier(4)
        new.mood = "deaf"
        self.notice(1)
        self.pass_time(70)
        self.assertEqual((self.names()[1], self.town.room.replacements.state(1)), ("supplier-4", "CONFIRMING"))
        self.pass_time(REFUSED_FOR + 70, 5.0)
        self.assertEqual((self.names()[1], self.town.room.replacements.state(1)), ("supplier-5", ""))
        self.assertEqual(old.ended, 1)
        self.assertIn(new.fingerprint, self.town.hiring.reputation.replaced())

    def test_a_successor_that_takes_pieces_after_all(self) -> None:
        """While nobody else is found it keeps the place, and it stays there when it takes again."""
        new = self.town.supplier(4)
        self.hold(4)
        self.notice(1)
        self.pass_time(2)
        self.town.supplier(5).up = False
        self.town.refusing[new.fingerprint] = REFUSED_FOR
        self.pass_time(70)
        self.assertEqual((self.names()[1], self.town.room.replacements.state(1)), ("supplier-4", "SEARCHING"))
        self.town.refusing.clear()
        self.pass_time(130)
        self.assertEqual((self.names()[1], self.town.room.replacements.state(1)), ("supplier-4", "MOVING"))

    def test_a_successor_that_gives_notice_and_takes_nothing(self) -> None:
        """A reason of its own to go is no reason to wait for it."""
        new = self.town.supplier(4)
        self.hold(4)
        self.notice(1)
        self.pass_time(2)
        self.notice(4)
        self.town.refusing[new.fingerprint] = REFUSED_FOR
        self.pass_time(70)
        self.assertEqual(self.names()[1], "supplier-5")

    def test_what_only_the_former_has(self) -> None:
        """A former supplier with pieces that cannot move stays, and its successor may be replaced all the same."""
        old, new = self.town.supplier(1), self.town.supplier(4)
        self.town.needed.add((1, old.fingerprint))
        self.notice(1)
        self.pass_time(300)
        self.assertEqual(self.town.room.replacements.state(1), "KEPT")
        self.assertEqual(self.town.family.current.leaving, [None, old.fingerprint, None, None])
        self.assertIsNotNone(self.town.book.of(old.fingerprint))
        self.notice(4)
        self.pass_time(300)
        self.assertEqual(self.names()[1], "supplier-5")
        self.assertEqual(self.town.family.current.leaving, [None, old.fingerprint, None, None])
        self.town.needed.clear()
        self.pass_time(300)
        self.assertIsNone(self.town.family.current.leaving)
        self.assertEqual((old.ended, self.town.room.replacements.state(1)), (1, ""))
        self.assertNotIn(new.fingerprint, self.town.family.holders)

    def test_who_leaves_is_not_hired_again(self) -> None:
        """A supplier that gave notice is no candidate, even where no other is left."""
        self.town.supplier(4).up = self.town.supplier(5).up = False
        self.notice(1)
        self.pass_time(30)
        self.assertEqual(self.names(), self.first)
        self.assertIn(self.town.supplier(1).fingerprint, self.town.asked_dht[-1])
        self.assertIn("no candidate", self.town.hiring.reason)
        self.town.supplier(5).up = True
        self.pass_time(120)
        self.assertEqual(self.names()[1], "supplier-5")

    def test_a_restart_goes_on(self) -> None:
        """Notice, half moved place and released contract survive a restart each, and the change comes to its end."""
        held = self.hold(4)
        self.town.supplier(4).up = self.town.supplier(5).up = False
        self.notice(1)
        self.restart()
        self.assertEqual(self.town.departures.of(self.town.supplier(1).fingerprint).until, START + 1000)
        self.town.supplier(4).up = True
        self.pass_time(120)
        self.assertEqual(self.names()[1], "supplier-4")
        self.restart()
        old = self.town.supplier(1)
        self.assertEqual(self.town.family.current.leaving[1], old.fingerprint)
        self.assertEqual(old.cancelled, 0)
        self.town.kill(old)
        self.town.unmoved.discard(held)
        self.pass_time(130)
        self.assertIsNone(self.town.family.current.leaving)
        self.assertTrue(self.town.book.is_released(old.fingerprint))
        self.restart()
        self.assertTrue(self.town.book.is_released(old.fingerprint))
        old.up = True
        self.town.connect(old.fingerprint)
        self.pass_time(2)
        self.assertEqual((old.cancelled, old.ended), (1, 1))
        self.assertIsNone(self.town.book.of(old.fingerprint))

    def restart(self) -> None:
        self.town.stop()
        for supplier in self.town.suppliers.values():
            self.town.cut(supplier.fingerprint)
        self.town.living()
        self.start()

    def test_a_notice_can_be_taken_back(self) -> None:
        """Before anybody has the place the supplier may stay; afterwards the move goes on."""
        self.hold(4)
        self.town.supplier(4).up = self.town.supplier(5).up = False
        self.notice(1)
        self.town.requests.receive_notice(self.town.supplier(1).fingerprint, 0)
        self.town.supplier(4).up = True
        self.pass_time(100)
        self.assertEqual(self.names(), self.first)
        self.notice(1)
        self.pass_time(100)
        self.town.requests.receive_notice(self.town.supplier(1).fingerprint, 0)
        self.pass_time(5)
        self.assertEqual(self.names()[1], "supplier-4")

    def test_nobody_goes_before_enough_know(self) -> None:
        """A record that a lost home would take with it dismisses nobody, although all has moved."""
        for number in (0, 2):
            self.town.kill(self.town.supplier(number))
        self.notice(1)
        self.pass_time(100)
        self.assertEqual(self.names()[1], "supplier-4")
        self.assertEqual(self.town.family.current.departing, [self.town.supplier(1).fingerprint])
        for number in (0, 2):
            self.town.supplier(number).up = True
        self.pass_time(400)
        self.assertIsNone(self.town.family.current.leaving)
        self.assertEqual(self.town.supplier(1).ended, 1)

    def test_a_chosen_successor_and_nobody_else(self) -> None:
        """A person's choice is hired and no other; choosing a supplier, me or a stranger's place is refused."""
        requests = self.town.requests
        old, chosen = self.town.supplier(2).fingerprint, self.town.supplier(5)
        chosen.mood = "full"
        requests.replace(old, chosen.fingerprint)
        self.pass_time(60)
        self.assertEqual(self.names(), self.first)
        self.assertIn("no room", self.town.hiring.reason)
        chosen.mood = "kind"
        requests.replace(old, chosen.fingerprint)
        self.pass_time(5)
        self.assertEqual(self.names()[2], "supplier-5")
        for successor in (self.town.supplier(0).fingerprint, self.town.me.fingerprint):
            self.refused("exists", self.town.supplier(1).fingerprint, successor)
        self.refused("not-found", self.town.supplier(4).fingerprint, None)

    def test_a_chosen_successor_is_asked_again(self) -> None:
        """A person's choice that cannot be reached, or has no room, has the place soon after it can."""
        old, chosen = self.town.supplier(2).fingerprint, self.town.supplier(5)
        chosen.up = False
        self.town.requests.replace(old, chosen.fingerprint)
        self.pass_time(5)
        self.assertIn("nobody is there", self.town.hiring.reason)
        chosen.up, chosen.mood = True, "full"
        self.pass_time(30)
        self.assertIn("no room", self.town.hiring.reason)
        asked = chosen.requests
        self.assertLess(asked, 30)
        chosen.mood = "kind"
        self.pass_time(60)
        self.assertEqual((self.names()[2], chosen.requests), ("supplier-5", asked + 1))

    def test_somebody_named_is_asked_first(self) -> None:
        """One that is mine, my customer, away or full is refused with the reason, and nothing changes."""
        town, old = self.town, self.town.supplier(1).fingerprint
        town.my_customers.add(town.supplier(4).fingerprint)
        town.add("supplier-6").mood = "full"
        town.add("supplier-7")
        town.supplier(5).up = False
        before = town.family.current
        for number, code in ((0, "exists"), (4, "is-customer"), (5, "unreachable"), (6, "no-space")):
            asked = town.requests.try_out(old, town.supplier(number).fingerprint)
            self.assertEqual(self.failureResultOf(asked).value.code, code)
            self.assertIsNone(town.book.of(town.supplier(number).fingerprint) if number > 3 else None)
        town.supplier(7).mood = "rejecting"
        asked = town.requests.try_out(old, town.supplier(7).fingerprint)
        self.assertEqual(self.failureResultOf(asked).value.code, "no-service")
        self.assertEqual((town.family.current, town.departures.suppliers()), (before, []))
        town.supplier(7).mood = "kind"
        self.successResultOf(town.requests.try_out(old, town.supplier(7).fingerprint))
        town.requests.replace(old, town.supplier(7).fingerprint)
        self.pass_time(2)
        self.assertEqual(self.names()[1], "supplier-7")

    def refused(self, code: str, *arguments) -> None:
        error = self.assertRaises(BitDustError, self.town.requests.replace, *arguments)
        self.assertEqual(error.code, code)

    def test_strangers_give_no_notice(self) -> None:
        """Only a supplier of mine can say that it leaves."""
        error = self.assertRaises(BitDustError, self.notice, 5)
        self.assertEqual(error.code, "not-allowed")
        self.assertEqual(self.town.departures.suppliers(), [])

    def test_all_places_may_change_at_once(self) -> None:
        """When every supplier gives notice, places change as others are found, and all old ones stay until moved."""
        for number in range(4, 6):
            self.town.add(f"supplier-{number + 2}")
        self.town.unmoved = Everything()
        for number in range(4):
            self.notice(number)
        self.pass_time(5)
        self.assertEqual(sorted(self.names()), [f"supplier-{number}" for number in range(4, 8)])
        self.assertEqual(len(self.town.family.current.departing), 4)
        self.assertEqual(sum(one.cancelled for one in self.town.suppliers.values()), 0)
        self.town.unmoved = set()
        self.pass_time(70)
        self.assertEqual(sum(one.ended for one in self.town.suppliers.values()), 4)


class AwayTests(TownCase):
    """Suppliers that hold pieces and do not come back."""

    def setUp(self) -> None:
        super().setUp()
        self.start()
        self.town.data = True
        self.first = self.names()

    def pass_days(self, days: float) -> None:
        self.pass_time(days * 86_400, 600)

    def restart(self) -> None:
        ReplacingTests.restart(self)  # type: ignore[arg-type]

    def test_after_a_week_another_has_the_place(self) -> None:
        """It takes a week; who was away stays beside the place until all has moved, and is told when it comes back."""
        lost = self.town.supplier(1)
        self.town.unmoved.add((1, self.town.supplier(4).fingerprint))
        self.town.kill(lost)
        self.pass_days(6)
        self.restart()
        self.assertEqual(self.names(), self.first)
        self.pass_days(1.2)
        self.assertEqual(self.names(), ["supplier-0", "supplier-4", "supplier-2", "supplier-3"])
        self.assertEqual(self.town.family.current.departing, [lost.fingerprint])
        self.assertIn("supplier-lost", self.town.events.names())
        self.town.unmoved.clear()
        self.pass_days(0.1)
        self.assertIsNone(self.town.family.current.leaving)
        self.assertEqual(lost.ended, 0)
        lost.up = True
        self.town.connect(lost.fingerprint)
        self.pass_time(5)
        self.assertEqual(lost.ended, 1)

    def test_a_clock_that_jumps_replaces_nobody(self) -> None:
        """A week by the wall clock alone is no week; what this node has not watched does not count."""
        self.town.kill(self.town.supplier(1))
        self.pass_days(0.1)
        wall = self.town.absences._wall
        self.town.absences._wall = lambda: wall() + 400 * 86_400
        self.pass_days(0.5)
        self.assertEqual(self.names(), self.first)
        self.town.absences._wall = wall
        self.town.supplier(1).up = True
        self.pass_days(0.1)
        self.assertEqual(self.town.online(), 4)
        self.assertEqual(self.town.absences.long_away(), [])

    def test_a_node_that_is_cut_off_replaces_nobody(self) -> None:
        """With fewer than k suppliers there, it may be I who am away, for weeks."""
        for number in (0, 1, 2):
            self.town.kill(self.town.supplier(number))
        self.pass_days(15)
        self.assertEqual(self.names(), self.first)
        self.assertEqual(self.town.departures.suppliers(), [])

    def test_never_more_places_than_may_be_lost(self) -> None:
        """Of 7 with k = 4 three that are lost at different times change hands; a fourth one waits for them."""
        self.town.data = False
        for number in range(8):
            self.town.add(f"more-{number}")
        self.town.settings.set("services/customer/suppliers-number", 7)
        self.pass_time(10)
        self.town.data = True
        self.town.unmoved = Everything()
        members = list(self.town.family.current.suppliers)
        for who in members[:3]:
            self.town.kill(self.town.suppliers[who])
        self.pass_days(8)
        self.assertEqual(len(self.town.family.current.departing), 3)
        self.town.kill(self.town.suppliers[members[3]])
        self.pass_days(9)
        self.assertEqual(self.town.family.current.suppliers[3], members[3])
        self.town.unmoved = set()
        self.pass_days(0.2)
        self.assertNotIn(members[3], self.town.family.current.suppliers)

    def test_one_that_comes_back_keeps_its_place(self) -> None:
        """While nobody has been found for its place, the one that was missed may come back."""
        self.town.supplier(4).up = self.town.supplier(5).up = False
        lost = self.town.supplier(1)
        self.town.kill(lost)
        self.pass_days(8)
        self.assertEqual(self.town.departures.suppliers(), [lost.fingerprint])
        lost.up = True
        self.pass_days(0.1)
        self.town.supplier(4).up = True
        self.pass_days(0.5)
        self.assertEqual(self.names(), self.first)
        self.assertEqual(self.town.departures.suppliers(), [])

    def test_the_new_one_is_lost_in_the_middle(self) -> None:
        """The place goes to a third; the first stays until that one has all, the second is never told to erase."""
        self.town.unmoved |= {(1, self.town.supplier(number).fingerprint) for number in (4, 5)}
        first, second, third = (self.town.supplier(number) for number in (1, 4, 5))
        self.town.requests.replace(first.fingerprint, second.fingerprint)
        self.pass_time(5)
        self.assertEqual(self.names()[1], "supplier-4")
        self.town.kill(second)
        self.pass_days(8)
        self.assertEqual(self.names()[1], "supplier-5")
        self.assertEqual(self.town.family.current.leaving[1], first.fingerprint)
        self.assertEqual((first.cancelled, first.ended), (0, 0))
        self.restart()
        self.town.unmoved.clear()
        self.pass_days(0.1)
        self.assertIsNone(self.town.family.current.leaving)
        self.assertEqual(first.ended, 1)
        second.up = True
        self.town.connect(second.fingerprint)
        self.pass_days(0.1)
        self.assertEqual(second.ended, 0)
        self.assertEqual(self.names(), ["supplier-0", "supplier-5", "supplier-2", "supplier-3"])
        self.assertTrue(third.wished)

    def test_where_it_is_switched_off(self) -> None:
        """With replace-critically-offline-enabled off every supplier keeps its place for ever."""
        self.town.settings.values["services/employer/replace-critically-offline-enabled"] = False
        self.town.kill(self.town.supplier(1))
        self.pass_days(20)
        self.assertEqual(self.names(), self.first)


class FailedAuditsTests(TownCase):
    """Suppliers that are there and do not prove what they have."""

    def setUp(self) -> None:
        super().setUp()
        self.start()
        self.town.data = True

    def fail(self, number: int, times: int) -> None:
        self.town.strikes[self.town.supplier(number).fingerprint] = times
        self.town.hiring.restart()
        self.pass_time(5)

    def test_enough_failed_audits_cost_the_place(self) -> None:
        """Three in a row by default, not two; lists and an event say why, and the liar stays until all has moved."""
        self.town.unmoved = Everything()
        liar = self.town.supplier(1)
        self.fail(1, 2)
        self.assertIn("supplier-1", self.names())
        self.fail(1, 3)
        self.assertEqual(self.names(), ["supplier-0", "supplier-4", "supplier-2", "supplier-3"])
        self.assertEqual(self.town.family.current.departing, [liar.fingerprint])
        self.assertEqual(liar.ended, 0)
        told = [data for name, data in self.town.events.sent if name == "supplier-distrusted"]
        self.assertEqual([one["reason"] for one in told], ["it failed 3 audits in a row"])
        self.town.unmoved = set()
        self.pass_time(70)
        self.assertEqual(liar.ended, 1)

    def test_never_more_places_than_may_be_lost(self) -> None:
        """Of four with k = 2 two liars go at once and the third one waits, shown as one that stays until then."""
        self.town.add("supplier-6")
        self.town.unmoved = Everything()
        for number in (0, 1, 2):
            self.town.strikes[self.town.supplier(number).fingerprint] = 5 - number
        self.town.hiring.restart()
        self.pass_time(5)
        self.assertEqual(self.names(), ["supplier-4", "supplier-5", "supplier-2", "supplier-3"])
        self.town.unmoved = set()
        self.pass_time(200)
        self.assertNotIn("supplier-2", self.names())

    def test_who_proves_its_pieces_in_time_stays(self) -> None:
        """While nobody is found for its place a supplier may pass an audit; what is not known excuses nobody."""
        self.town.supplier(4).up = self.town.supplier(5).up = False
        first, liar = self.names(), self.town.supplier(1).fingerprint
        self.fail(1, 3)
        self.assertEqual([row["notice"] for row in self.town.room.view.list()][1], {"why": "audits", "until": 0})
        self.town.strikes.clear()
        self.town.hiring.restart()
        self.assertEqual(self.town.departures.suppliers(), [liar])
        self.fail(1, 0)
        self.assertEqual(self.town.departures.suppliers(), [])
        self.town.supplier(4).up = True
        self.pass_time(200)
        self.assertEqual(self.names(), first)

    def test_limits_are_settings(self) -> None:
        """With 0 failed audits nobody goes for them; another number of days counts at once."""
        self.town.settings.set("services/employer/replace-after-failed-audits", 0)
        self.fail(1, 50)
        self.assertIn("supplier-1", self.names())
        self.town.settings.set("services/employer/replace-after-days", 2)
        self.town.kill(self.town.supplier(2))
        self.pass_time(2.2 * 86_400, 600)
        self.assertNotIn("supplier-2", self.names())
        self.assertIn("supplier-1", self.names())

    def test_two_that_are_away_are_replaced_together(self) -> None:
        """Both places have other suppliers after the same days."""
        for number in (0, 3):
            self.town.kill(self.town.supplier(number))
        self.pass_time(7.3 * 86_400, 600)
        self.assertEqual(sorted(self.names()), ["supplier-1", "supplier-2", "supplier-4", "supplier-5"])


class DeparturesTests(SynchronousTestCase):
    def setUp(self) -> None:
        folder = Path(self.mktemp())
        folder.mkdir()
        self.file = folder / "departures"

    def test_what_is_noted_is_on_the_disk(self) -> None:
        """An entry is there after a new start, and gone when it is forgotten."""
        first = Departures(self.file)
        self.assertTrue(first.note(A, Departure(Why.NOTICE, 7, B)))
        self.assertFalse(first.note(A, Departure(Why.NOTICE, 7, B)))
        second = Departures(self.file)
        second.load()
        self.assertEqual(second.of(A), Departure(Why.NOTICE, 7, B))
        self.assertTrue(second.forget(A))
        self.assertFalse(second.forget(A))
        first.load()
        self.assertEqual(first.suppliers(), [])

    def test_a_damaged_file_counts_as_empty(self) -> None:
        """Whatever the file holds, the node starts; suppliers say it again."""
        for text in ("", "{", "[]", '{"xx": 1}', '{"aa": {"why": "else", "until": 1, "successor": null}}'):
            self.file.write_text(text)
            departures = Departures(self.file)
            departures.load()
            self.assertEqual(departures.suppliers(), [], text)


class PlacesTests(SynchronousTestCase):
    def family(self, leaving) -> Family:
        return Family(ME, 1, 2, 4, START, [A, B, C, None], None, leaving)

    def test_a_changing_place_counts_with_both(self) -> None:
        """To recover, both who have to do with a place must be heard; to go on, one of them is enough."""
        family = self.family([None, D, None, None])
        self.assertEqual(family.departing, [D])
        self.assertEqual(family.holders, [A, B, C, D])
        for heard, strict, lenient in (({A, B}, 1, 2), ({A, D}, 1, 2), ({A, B, D}, 2, 2), (set(), 0, 0)):
            self.assertEqual(places_heard(family, heard, True), strict)
            self.assertEqual(places_heard(family, heard, False), lenient)
        self.assertEqual(places_heard(self.family(None), {A, B}, True), 2)

    def test_the_record_travels(self) -> None:
        """Who leaves is part of the signed record; a list of another length is refused."""
        family = self.family([None, D, None, None])
        self.assertEqual(Family.from_body(family.to_body()), family)
        self.assertRaises(BitDustError, Family.from_body, self.family([D]).to_body())
