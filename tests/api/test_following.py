"""Following machines: as events, as a long poll, and bounded in every way."""

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from bitdust.api import following as following_module
from bitdust.api.call import perform
from bitdust.api.following import EVENTS_PER_SECOND, MOST_FOLLOWED, MOST_KEPT, MOST_WATCHERS, PATIENCE
from bitdust.api.methods import TABLE
from bitdust.automats.kernel import Machine
from bitdust.wire.errors import BitDustError
from tests.api.fakes import FakeContext


class Tap(Machine):
    """A machine that is turned on and off, and worn out."""

    table = """
      # state  event  guard  next  actions
      SHUT     turn   -      OPEN  -
      OPEN     turn   -      SHUT  -
      *        look   -      =     -
      *        break  -      GONE  -
    """
    initial = "SHUT"
    final = ("GONE",)


class FollowingCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.context = FakeContext(self.clock, self.mktemp())
        self.told: list[dict[str, Any]] = []
        self.context.events.subscribe(lambda event: self.told.append(event.data), "state-changed")
        self.kitchen, self.garden = Tap(self.context.registry, "kitchen"), Tap(self.context.registry, "garden")

    def asking(self, method: str, **arguments: Any) -> Any:
        return perform(self.context, TABLE.named(method), arguments)

    def call(self, method: str, **arguments: Any) -> dict[str, Any]:
        envelope: dict[str, Any] = self.successResultOf(self.asking(method, **arguments))
        return envelope

    def turn(self, *taps: Tap) -> None:
        for tap in taps:
            tap.send("turn")
        self.clock.pump([0.0, 0.0])


class EventsTests(FollowingCase):
    def test_one_machine(self) -> None:
        """Moves of that machine are events until they are stopped; those of others are not."""
        envelope = self.call("automat_events_start", index=self.kitchen.index)
        self.assertEqual((envelope["status"], envelope["result"]["id"]), ("OK", "tap(kitchen)"))
        self.turn(self.kitchen, self.garden)
        self.assertEqual([(one["id"], one["old"], one["new"], one["event"]) for one in self.told],
                         [("tap(kitchen)", "SHUT", "OPEN", "turn")])
        self.assertEqual(self.call("automat_events_stop", index=self.kitchen.index)["status"], "OK")
        self.turn(self.kitchen)
        self.assertEqual(len(self.told), 1)
        self.assertEqual(self.call("automat_events_stop", index=self.kitchen.index)["code"], "not-found")

    def test_by_id_by_kind_and_every_one(self) -> None:
        """A machine is named by its id, its kind or a star; a kind may be followed before there is one."""
        for ident, seen in (("tap(garden)", 1), ("tap", 2), ("*", 2)):
            self.call("automat_events_start", automat_id=ident)
            self.turn(self.kitchen, self.garden)
            self.assertEqual(len(self.told), seen, ident)
            self.told.clear()
            self.call("automat_events_stop", automat_id=ident)
        self.kitchen.send("break")
        self.garden.send("break")
        self.assertEqual(self.call("automat_events_start", automat_id="tap")["status"], "OK")
        self.turn(Tap(self.context.registry, "bath"))
        self.assertEqual([one["id"] for one in self.told], ["tap(bath)"])

    def test_the_last_moves(self) -> None:
        """Of a machine that comes to its end within one turn every move is told, and then it is followed no more."""
        self.call("automat_events_start", index=self.kitchen.index)
        self.kitchen.send("turn")
        self.kitchen.send("break")
        self.clock.pump([0.0, 0.0])
        self.assertEqual([one["new"] for one in self.told], ["OPEN", "GONE"])
        self.assertEqual(self.context.following.followed, [])

    def test_meanwhile(self) -> None:
        """What is followed for a while is followed no more after it, where nobody else wished it."""
        following = self.context.following
        for already in (False, True):
            with following.meanwhile(True, self.kitchen.index), following.meanwhile(False, self.garden.index):
                self.turn(self.kitchen, self.garden)
            self.clock.pump([0.0])
            self.turn(self.kitchen)
            self.assertEqual(len(self.told), 1 + 2 * already)
            following.start(self.kitchen.index)
        self.patch(following_module, "MOST_FOLLOWED", 1)
        with following.meanwhile(True, self.garden.index):
            self.assertEqual(following.followed, [self.kitchen.index])
        self.assertEqual(self.assertRaises(BitDustError, following.need_room).code, "too-many-followed")
        following.need_room(False)

    def test_bad_input(self) -> None:
        """Neither, both, or an unknown machine: a clear error."""
        self.assertEqual(self.call("automat_events_start")["code"], "bad-argument")
        self.assertEqual(self.call("automat_events_start", index=1, automat_id="tap")["code"], "bad-argument")
        self.assertEqual(self.call("automat_events_start", automat_id="no_such")["code"], "not-found")
        self.assertEqual(self.call("automat_events_start", index=999)["code"], "not-found")

    def test_what_changes_nothing(self) -> None:
        """Events that move nothing are told only to who asked for them."""
        self.call("automat_events_start", automat_id="tap(kitchen)")
        self.kitchen.send("look")
        self.turn()
        self.assertEqual(self.told, [])
        self.call("automat_events_start", automat_id="tap(kitchen)", state_unchanged="1")
        self.kitchen.send("look")
        self.garden.send("look")
        self.turn()
        self.assertEqual([(one["id"], one["old"], one["new"]) for one in self.told], [("tap(kitchen)", "SHUT", "SHUT")])

    def test_no_flood(self) -> None:
        """At most so many events a second; the next one tells how many were left out."""
        self.call("automat_events_start", automat_id="*")
        self.turn(*[self.kitchen] * (EVENTS_PER_SECOND + 50))
        self.assertEqual(len(self.told), EVENTS_PER_SECOND)
        self.clock.advance(1.0)
        self.turn(self.kitchen, self.kitchen)
        self.assertEqual([one.get("missed") for one in self.told[EVENTS_PER_SECOND:]], [50, None])

    def test_the_dead_are_not_followed(self) -> None:
        """The end of a machine that was named by its number is the end of following it; the list is bounded."""
        self.call("automat_events_start", index=self.kitchen.index)
        self.kitchen.send("break")
        self.turn()
        self.assertEqual((self.told[-1]["new"], self.context.following.followed), ("GONE", []))
        taps = [Tap(self.context.registry, str(number)) for number in range(MOST_FOLLOWED + 1)]
        answers = [self.call("automat_events_start", index=tap.index) for tap in taps]
        self.assertEqual(answers[-1].get("code"), "too-many-followed")


class LongPollTests(FollowingCase):
    def follow(self, who: str = "me", **arguments: Any) -> Any:
        return self.asking("automats_follow", consumer_callback_id=who, **arguments)

    def moves(self, answer: Any) -> list[tuple[str, str]]:
        envelope = self.successResultOf(answer)
        self.assertEqual(envelope["status"], "OK", envelope)
        return [(move["id"], move["new"]) for move in envelope["result"]["moves"]]

    def test_waits_and_gathers(self) -> None:
        """The first call waits for a move and brings those that follow at once; later ones are kept for the next."""
        answer = self.follow()
        self.turn(self.kitchen)
        self.assertNoResult(answer)
        self.turn(self.garden)
        self.clock.advance(0.1)
        self.assertEqual(self.moves(answer), [("tap(kitchen)", "OPEN"), ("tap(garden)", "OPEN")])
        self.turn(self.garden)
        self.assertEqual(self.moves(self.follow()), [("tap(garden)", "SHUT")])
        self.assertEqual(self.told, [])

    def test_a_part_of_the_name(self) -> None:
        """Only machines whose id has that part; two programs do not disturb each other."""
        one, all_of_them = self.follow("one", name="garden"), self.follow("all")
        self.turn(self.kitchen, self.garden)
        self.clock.advance(0.1)
        self.assertEqual((self.moves(one), len(self.moves(all_of_them))), ([("tap(garden)", "OPEN")], 2))

    def test_nothing_moves(self) -> None:
        """After the timeout the answer is empty, and the place is kept."""
        answer = self.follow(polling_timeout=5)
        self.clock.advance(6)
        self.assertEqual(self.moves(answer), [])
        self.turn(self.kitchen)
        self.assertEqual(len(self.moves(self.follow())), 1)

    def test_bounded(self) -> None:
        """So many moves are kept, the newest; who does not come back is forgotten; so many programs at once."""
        self.follow(polling_timeout=0)
        self.clock.advance(0)
        self.turn(*[self.kitchen] * (MOST_KEPT + 7))
        result = self.successResultOf(self.follow())["result"]
        self.assertEqual((len(result["moves"]), result["missed"]), (MOST_KEPT, 7))
        self.clock.advance(PATIENCE + 1)
        self.turn(self.kitchen)
        self.assertEqual(len(self.context.watching), 0)
        waiting = [self.follow(str(number)) for number in range(MOST_WATCHERS + 1)]
        self.assertEqual(self.successResultOf(waiting.pop())["code"], "too-many-watchers")
        self.context.watching.stop()
        self.assertEqual([self.moves(answer) for answer in waiting], [[]] * MOST_WATCHERS)
        self.assertEqual(self.clock.getDelayedCalls(), [])
