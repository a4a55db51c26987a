"""The automat kernel, driven with a task.Clock."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from bitdust.automats.kernel import (
    Definition,
    Machine,
    MachineFinished,
    Registry,
    Row,
    TableError,
    Transition,
    UnknownEvent,
    doubled,
)
from bitdust.automats.kernel.table import is_timer, parse, timer_seconds


class Door(Machine):
    table = """
      # state   event         guard              next     actions
      CLOSED    knock         is_friend&!is_late OPENING  turn_key greet
      CLOSED    knock         is_friend          =        grumble
      CLOSED    knock         -                  =        complain
      OPENING   opened        -                  OPEN     note
      OPENING   stuck         -                  CLOSED   note
      OPEN      timer-30sec   is_held            =        note
      OPEN      timer-30sec   -                  CLOSED   -
      OPEN      timer-5sec    -                  =        tick
      OPEN      again         -                  OPEN     -
      OPEN      look          -                  =        note
      *         look          -                  =        look_around
      *         demolish      -                  GONE     note
    """
    ignore = """
      CLOSED    opened stuck again
      OPENING   knock again
      OPEN      knock opened stuck
    """
    initial = "CLOSED"
    final = ("GONE",)
    failure = "stuck"

    def __init__(self, registry: Registry, said: list[Any], ident: str = "") -> None:
        self.said = said
        self.key: Deferred[Any] = Deferred(lambda _: said.append("key cancelled"))
        self.held = False
        super().__init__(registry, ident)

    def is_friend(self, payload: Any) -> bool:
        return payload != "stranger"

    def is_late(self, payload: Any) -> bool:
        return payload == "late"

    def is_held(self, payload: Any) -> bool:
        return self.held

    def turn_key(self, payload: Any) -> None:
        self.said.append(("turn_key", self.state, payload))
        self.watch(self.key, "opened", "stuck")

    def greet(self, payload: Any) -> None:
        self.said.append(("greet", self.state))

    def grumble(self, payload: Any) -> None:
        self.said.append("grumble")

    def complain(self, payload: Any) -> None:
        self.said.append("complain")

    def look_around(self, payload: Any) -> None:
        self.said.append("look_around")

    def tick(self, payload: Any) -> None:
        self.said.append("tick")

    def note(self, payload: Any) -> None:
        self.said.append(payload)


class Case(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.registry = Registry(self.clock, lambda: 1000.0 + self.clock.seconds())
        self.said: list[Any] = []
        self.addCleanup(lambda: self.assertEqual(self.clock.getDelayedCalls(), []))
        self.addCleanup(self.registry.shutdown)

    def door(self, ident: str = "") -> Door:
        return Door(self.registry, self.said, ident)

    def open_door(self) -> Door:
        door = self.door()
        door.send("knock", "alice")
        door.key.callback("open")
        self.said.clear()
        return door


class TableTests(SynchronousTestCase):
    def refused(self, table: str, ignore: str = "", final: tuple[str, ...] = ()) -> str:
        return str(self.assertRaises(TableError, parse, table, ignore, "A", final))

    def test_a_table_is_data(self) -> None:
        """States, events and rows come in the order of the table, the initial state first."""
        found = parse("B go a&!b A act more # why\n A back - B -", "B go", "A", ("END",))
        self.assertEqual(found.states, ("A", "B", "END"))
        self.assertEqual(found.events, ("go", "back"))
        self.assertEqual(found.rows[1], Row("A", "back", (), "B", ()))
        self.assertEqual([str(guard) for guard in found.rows[0].guards], ["a", "!b"])
        self.assertEqual(found.rows[0].actions, ("act", "more"))

    def test_wrong_lines(self) -> None:
        """A line that is no row is refused, and the error shows it."""
        for line in ("A go -", "A go - B", "= go - B -", "A * - B -", "A go - * -", "A go 1a B -", "A g/o - B -"):
            self.assertIn(line, self.refused(line))

    def test_wrong_timers(self) -> None:
        """A timer names seconds, minutes, hours or days, and one state."""
        self.assertIn("timer-30sec", self.refused("A timer-30 - B -"))
        self.assertIn("timer-30sec", self.refused("A timer--1sec - B -"))
        self.assertIn("state of its own", self.refused("* timer-1sec - B -"))
        seconds = {"timer-0.1sec": 0.1, "timer-5min": 300.0, "timer-1hour": 3600.0, "timer-2day": 172800.0}
        self.assertEqual({name: timer_seconds(name) for name in seconds}, seconds)
        self.assertFalse(is_timer("time"))

    def test_the_last_row_has_no_guard(self) -> None:
        """A cell ends with an unguarded row, or is named in `ignore`."""
        self.assertIn("last row", self.refused("A go x B -"))
        self.assertEqual(len(parse("A go x B -", "A go", "A", ()).rows), 1)

    def test_rows_that_are_never_tried(self) -> None:
        """Two rows with the same guards are refused, as are rows below an unguarded one."""
        self.assertIn("same guards", self.refused("A go x&y B -\nA go y&x A -\nA go - B -"))
        self.assertIn("never reached", self.refused("A go - B -\nA go x A -\nA go y A -"))

    def test_final_states_have_no_rows(self) -> None:
        """What has ended does nothing."""
        self.assertIn("final", self.refused("END go - A -", "", ("END",)))

    def test_ignore(self) -> None:
        """`ignore` names known states, and no cell that has an unguarded row."""
        self.assertIn("X go", self.refused("A go - B -", "X go"))
        self.assertIn("'B'", self.refused("A go - B -", "B"))
        self.assertIn("has rows", self.refused("A go - B -", "A go"))
        self.assertEqual(parse("A go - B -", "* stop", "A", ()).events, ("go", "stop"))

    def test_silent_cells(self) -> None:
        """Cells without a row, a `*` row or an ignore are told; final states and timers need none."""
        found = parse("A go - B -\nB timer-1sec - A -\nB stop - END -\n* both - = -", "A stop", "A", ("END",))
        self.assertEqual(found.silent(), [("B", "go")])

    def test_a_machine_has_its_methods(self) -> None:
        """A class whose table names a guard or an action that it does not have is refused when it is made."""
        body = {"table": "A go - A jump", "initial": "A", "__module__": __name__}
        self.assertIn("jump", str(self.assertRaises(TableError, type, "Jumper", (Machine,), body)))
        body["table"] = "A go can = -\nA go - A -"
        self.assertIn("can", str(self.assertRaises(TableError, type, "Jumper", (Machine,), body)))
        body |= {"table": "A go - A -", "failure": "fail"}
        self.assertIn("'fail'", str(self.assertRaises(TableError, type, "Jumper", (Machine,), body)))

    def test_names(self) -> None:
        """A machine is called as its class in snake_case, capitals of an abbreviation together."""
        for name, wanted in (("TCPConnection", "tcp_connection"), ("FireHire", "fire_hire"), ("Door", "door")):
            kind = type(name, (Machine,), {"table": "A go - A -", "initial": "A"})
            self.assertEqual(vars(kind)["name"], wanted)

    @given(st.text(alphabet="AB*=-!&# \ngotimerx1sec.", max_size=80))
    @settings(max_examples=300, deadline=None, database=None)
    def test_any_text(self, text: str) -> None:
        """Whatever is written there, it is a table or a TableError."""
        try:
            found = parse(text, "", "A", ())
        except TableError:
            return
        self.assertIsInstance(found, Definition)


class MoveTests(Case):
    def test_guards_in_order(self) -> None:
        """The first row whose guards hold is followed, negated ones included."""
        door = self.door()
        door.send("knock", "stranger")
        door.send("knock", "late")
        self.assertEqual((self.said, door.state), (["complain", "grumble"], "CLOSED"))
        door.send("knock", "alice")
        self.assertEqual(self.said[2:], [("turn_key", "OPENING", "alice"), ("greet", "OPENING")])

    def test_any_state(self) -> None:
        """A `*` row is tried only where the state has no row for the event."""
        door = self.open_door()
        door.send("look", "from inside")
        door.send("demolish")
        self.assertEqual(self.said, ["from inside", None])
        other = self.door()
        other.send("look")
        self.assertEqual(self.said[2:], ["look_around"])

    def test_unknown_event(self) -> None:
        """A misspelled event raises in the sender and changes nothing, even in a final state."""
        door = self.door()
        self.assertIn("knok", str(self.assertRaises(UnknownEvent, door.send, "knok")))
        door.send("demolish")
        self.assertRaises(UnknownEvent, door.send, "knok")

    def test_ignored_event(self) -> None:
        """An event that the state ignores does nothing."""
        door = self.door()
        door.send("opened", "?")
        self.assertEqual((door.state, self.said, list(door.past)), ("CLOSED", [], []))

    def test_run_to_completion(self) -> None:
        """An event sent by an action waits for the row's other actions; events keep their order."""

        class Chain(Machine):
            table = """
              A  go    -  B  send_both say_b
              B  one   -  C  say
              C  two   -  A  say
            """
            ignore = "A one two\n B go two\n C go one"
            initial = "A"
            endless = True

            def send_both(machine, payload: Any) -> None:
                machine.send("one", 1)
                machine.send("two", 2)

            def say_b(machine, payload: Any) -> None:
                self.said.append(machine.state)

            def say(machine, payload: Any) -> None:
                self.said.append((machine.state, payload))

        chain = Chain(self.registry)
        chain.send("go")
        self.assertEqual(self.said, ["B", ("C", 1), ("A", 2)])
        self.assertEqual([move.new for move in chain.past], ["B", "C", "A"])


class TimerTests(Case):
    def test_timers_run_while_the_state_lasts(self) -> None:
        """A timer fires again and again from the moment its state is entered, and not in other states."""
        door = self.open_door()
        self.assertEqual(door.timers(), {"timer-30sec": 30.0, "timer-5sec": 5.0})
        self.clock.pump([5.0] * 5)
        self.assertEqual(self.said, ["tick"] * 5)
        self.clock.advance(5.0)
        self.assertEqual((door.state, door.timers()), ("CLOSED", {}))
        self.clock.advance(100.0)
        self.assertLessEqual(self.said.count("tick"), 6)

    def test_staying_keeps_timers(self) -> None:
        """`=` lets timers go on; naming the same state starts them anew."""
        door = self.open_door()
        self.clock.advance(4.0)
        door.send("look")
        self.assertEqual(door.timers()["timer-5sec"], 1.0)
        door.send("again")
        self.assertEqual(door.timers()["timer-5sec"], 5.0)

    def test_a_guarded_timer(self) -> None:
        """A timer's row may stay; the timer comes again after its whole interval."""
        door = self.open_door()
        door.held = True
        self.clock.pump([1.0] * 59)
        self.assertEqual(door.state, "OPEN")
        door.held = False
        self.clock.advance(1.0)
        self.assertEqual(door.state, "CLOSED")

    def test_intervals_may_be_counted(self) -> None:
        """A machine may choose each interval anew, as for backoff."""

        class Backoff(Machine):
            table = "A timer-1sec - = count"
            initial = "A"
            endless = True
            tries = 0

            def timer_seconds(machine, event: str) -> float:
                return 2.0**machine.tries

            def count(machine, payload: Any) -> None:
                machine.tries += 1
                self.said.append(self.clock.seconds())

        Backoff(self.registry)
        self.clock.pump([1.0] * 4)
        self.assertEqual(self.said, [1.0, 2.0, 4.0])


class FailureTests(Case):
    def fragile(self, failure: str | None) -> Machine:
        said = self.said

        class Fragile(Machine):
            table = """
              A  go     -         B  explode never
              A  ask    is_sick   =  -
              A  ask    -         =  -
              A  next   -         =  say
              B  next   -         =  say
              A  fail   -         =  say_failure
              B  fail   -         A  say_failure
              A  worse  -         =  fail_twice
            """
            ignore = "B go ask worse\n"
            initial = "A"
            endless = True

            def explode(self, payload: Any) -> None:
                self.send("next", "queued")
                raise ValueError("bang")

            def never(self, payload: Any) -> None:
                said.append("never")

            def is_sick(self, payload: Any) -> bool:
                raise KeyError("guard")

            def say(self, payload: Any) -> None:
                said.append((self.state, payload))

            def say_failure(self, payload: Any) -> None:
                said.append((self.state, payload.type.__name__))
                if payload.check(LookupError) is not None and payload.value.args == ("twice",):
                    raise RuntimeError("failing at failure")

            def fail_twice(self, payload: Any) -> None:
                raise LookupError("twice")

        Fragile.failure = failure
        return Fragile(self.registry)

    def test_an_action_that_raises(self) -> None:
        """It is logged and becomes the failure event, ahead of what waits; the row's other actions do not run."""
        machine = self.fragile("fail")
        machine.send("go")
        self.assertEqual(self.said, [("A", "ValueError"), ("A", "queued")])
        self.assertEqual([(move.old, move.new) for move in machine.past], [("A", "B"), ("B", "A")])
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    def test_a_guard_that_raises(self) -> None:
        """The machine stays where it is and gets its failure event."""
        machine = self.fragile("fail")
        machine.send("ask")
        self.assertEqual(self.said, [("A", "KeyError")])
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), 1)

    def test_without_a_failure_event(self) -> None:
        """The error is logged, the sender sees nothing, the inbox goes on."""
        machine = self.fragile(None)
        machine.send("go")
        self.assertEqual((machine.state, self.said), ("B", [("B", "queued")]))
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    def test_failing_at_failure(self) -> None:
        """An error while an error is worked on is logged only, lest a circle begins; the next counts again."""
        machine = self.fragile("fail")
        machine.send("worse")
        machine.send("ask")
        self.assertEqual(self.said, [("A", "LookupError"), ("A", "KeyError")])
        self.assertEqual(len(self.flushLoggedErrors(LookupError, RuntimeError)), 3)


class WatchTests(Case):
    def test_success_and_failure(self) -> None:
        """The end of what is watched comes as an event with its result, or its Failure."""
        door = self.door()
        door.send("knock")
        door.key.callback("result")
        self.assertEqual((door.state, self.said[-1]), ("OPEN", "result"))
        other = self.door()
        other.send("knock")
        other.key.errback(ValueError("broken"))
        self.assertEqual(other.state, "CLOSED")
        self.assertIsInstance(self.said[-1], Failure)

    def test_a_late_result_is_dropped(self) -> None:
        """Leaving the state cancels what was watched, and nobody hears of it."""
        door = self.door()
        door.send("knock")
        door.send("stuck", "by hand")
        self.assertEqual(self.said[-2:], ["key cancelled", "by hand"])
        self.assertEqual(door.state, "CLOSED")

    def test_a_result_that_is_there(self) -> None:
        """A Deferred that has fired is an event like any other: it waits for the row's other actions."""
        door = self.door()
        door.key.callback("at once")
        door.send("knock")
        self.assertEqual(self.said[1:], [("greet", "OPENING"), "at once"])

    def test_the_end_cancels(self) -> None:
        """A final state cancels what is watched."""
        door = self.door()
        door.send("knock")
        door.send("demolish")
        self.assertIn("key cancelled", self.said)

    def test_unknown_events(self) -> None:
        """Watching for an event outside the table raises at once."""
        door = self.door()
        self.assertRaises(UnknownEvent, door.watch, Deferred(), "opened", "broken")


class WhenTests(Case):
    def test_now_and_later(self) -> None:
        """`when` fires at once in that state, later when it is entered, with the state's name."""
        door = self.door()
        self.assertEqual(self.successResultOf(door.when("CLOSED", "OPEN")), "CLOSED")
        waiting = door.when("OPEN", "GONE")
        self.assertNoResult(waiting)
        door.send("knock")
        door.key.callback(None)
        self.assertEqual(self.successResultOf(waiting), "OPEN")

    def test_the_end(self) -> None:
        """A machine that ends elsewhere fails its waiters; one that has ended fails them at once."""
        door = self.door()
        waiting, ended = door.when("OPEN"), door.when("GONE")
        door.send("demolish")
        self.failureResultOf(waiting, MachineFinished)
        self.assertEqual(self.successResultOf(ended), "GONE")
        self.failureResultOf(door.when("OPEN"), MachineFinished)

    def test_cancelled(self) -> None:
        """Who cancels is not told later, and the others are."""
        door = self.door()
        first, second = door.when("GONE"), door.when("GONE")
        first.addErrback(lambda _: None)
        first.cancel()
        door.send("demolish")
        self.assertEqual(self.successResultOf(second), "GONE")

    def test_cancelled_by_another_one(self) -> None:
        """Whoever is told first may cancel others: those are not told, and the rest are."""
        door = self.door()
        first, second, third = door.when("GONE"), door.when("GONE"), door.when("GONE")
        second.addErrback(lambda _: None)
        first.addCallback(lambda _: second.cancel())
        door.send("demolish")
        self.assertIsNone(self.successResultOf(second))
        self.assertEqual(self.successResultOf(third), "GONE")

    def test_unknown_state(self) -> None:
        """A state that the table does not have is an error of the caller."""
        self.assertRaises(ValueError, self.door().when, "AJAR")
        self.assertRaises(ValueError, self.door().when)


class RegistryTests(Case):
    def test_numbers_and_names(self) -> None:
        """Machines are found by number, id and name; numbers are never used again; the ended are gone."""
        first, second = self.door("a"), self.door("b")
        self.assertEqual((first.index, second.index, first.id, repr(first)), (1, 2, "door(a)", "<door(a) CLOSED>"))
        self.assertEqual(self.registry.find("door"), [first, second])
        self.assertEqual(self.registry.find("door(b)"), [second])
        first.send("demolish")
        self.assertEqual((list(self.registry), self.registry.by_index(1)), ([second], None))
        self.assertEqual(self.door().index, 3)
        self.assertEqual(len(self.registry), 2)

    def test_the_end_leaves_nothing(self) -> None:
        """A final state drops waiting events, stops timers, and hears nothing more."""
        door = self.open_door()
        door.send("demolish")
        door.send("look", "late")
        self.assertEqual((self.said, door.timers(), door.state), ([None], {}, "GONE"))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_observers(self) -> None:
        """Moves are told in a later turn, in order, with numbers; a broken observer keeps nobody from being told."""
        told: list[Transition] = []
        mine: list[Transition] = []
        door, other = self.door("a"), self.door("b")
        self.registry.on_transition(lambda _: 1 / 0)
        remove = self.registry.on_transition(told.append)
        door.on_transition(mine.append)
        door.send("knock")
        other.send("demolish")
        self.assertEqual(told, [])
        self.clock.advance(0)
        self.assertEqual(
            [(move.sequence, move.id, move.old, move.new, move.event) for move in told],
            [
                (1, "door(a)", "CLOSED", "OPENING", "knock"),
                (2, "door(b)", "CLOSED", "GONE", "demolish"),
            ],
        )
        self.assertEqual([move.sequence for move in mine], [1])
        remove()
        door.send("stuck")
        self.clock.advance(0)
        self.assertEqual((len(told), len(mine)), (2, 2))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 3)

    def test_the_past(self) -> None:
        """A machine knows its last twenty moves and since when it is in its state."""
        door = self.open_door()
        self.clock.advance(2.0)
        for _ in range(30):
            door.send("again")
        self.assertEqual((len(door.past), door.since), (20, 1002.0))
        shown = self.registry.describe(door, long=True)
        self.assertEqual((shown["index"], shown["state"], len(shown["past"])), (door.index, "OPEN", 20))
        self.assertEqual(shown["timers"], {"timer-30sec": 30.0, "timer-5sec": 5.0})
        self.assertNotIn("past", self.registry.describe(door))

    def test_tracing(self) -> None:
        """Moves and events are logged while that is switched on, each by its own switch."""
        door = self.door("a")

        def logged() -> list[str]:
            with capturedLogs() as found:
                door.send("demolish" if door.key.called else "look")
            return [str(formatEvent(event)) for event in found]

        self.assertEqual(logged(), [])
        self.registry.trace_events = True
        self.assertEqual(logged(), ["door(a) in CLOSED gets look"])
        self.registry.trace_events, self.registry.trace_transitions = False, True
        self.assertEqual(logged(), [])
        door.key.callback(None)
        self.assertEqual(logged(), ["door(a): CLOSED -> GONE on demolish"])

    def test_one_script_one_order(self) -> None:
        """The same script gives the same moves, whatever the hashes of the run."""

        def run() -> list[tuple[int, str, str, float]]:
            clock, told = Clock(), []
            registry = Registry(clock, clock.seconds)
            registry.on_transition(lambda move: told.append((move.sequence, move.id, move.new, move.time)))
            doors = [Door(registry, [], str(number)) for number in range(20)]
            for door in doors:
                door.send("knock")
                door.key.callback(None)
            clock.pump([10.0] * 4)
            registry.shutdown()
            return told

        first = run()
        self.assertEqual((first, len(first)), (run(), 60))


class BackoffTests(SynchronousTestCase):
    def test_doubled(self) -> None:
        """A pause doubles with each failure up to the longest, is as it was without one, and never overflows."""
        self.assertEqual([doubled(2.0, times, 9.0) for times in (-1, 0, 1, 2, 3)], [2.0, 2.0, 4.0, 8.0, 9.0])
        self.assertEqual((doubled(2.0, 10**6, 300.0), doubled(5.0, 0, 3.0)), (300.0, 3.0))
