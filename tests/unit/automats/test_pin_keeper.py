"""Rows of pin_keeper."""

from bitdust.automats.pin_keeper import PinKeeper, PinKeeperPort
from bitdust.blocks.backup.keeper import Due
from tests.unit.automats.kit import RowTests

LONG = {
    "LOOKING": 600,
    "ADOPTING": 21_600,
    "GATHERING": 3600,
    "REWRITING": 3600,
    "UPLOADING": 21_600,
    "TELLING": 3600,
    "CLEANING": 3600,
    "MAKING_ROOM": 3600,
}
WORK = {
    "ADOPTING": (Due(is_lost=True, is_new=True), "adopt"),
    "GATHERING": (Due(is_new=True, is_untold=True), "gather"),
    "TELLING": (Due(is_untold=True, is_garbage=True), "tell"),
    "CLEANING": (Due(is_garbage=True, is_sparse=True), "clean"),
    "REWRITING": (Due(is_sparse=True), "rewrite"),
}


class PinKeeperTests(RowTests):
    def setUp(self) -> None:
        super().setUp()
        self.port = self.record(PinKeeperPort, can_keep=True, is_short=False)
        self.begin()

    def begin(self) -> None:
        self.machine = PinKeeper(self.registry, self.port)

    def looking(self) -> None:
        self.drive("start", None, "LOOKING", ("look",))

    def found(self, due: Due, state: str, *calls: tuple) -> None:
        self.port.succeed("look", due)
        self.asked(state, *calls)

    def idle(self) -> None:
        self.looking()
        self.found(Due(), "IDLE")

    def enter(self, state: str) -> None:
        """From the beginning into a state of work."""
        self.looking()
        if state == "UPLOADING":
            self.found(Due(is_new=True), "GATHERING", ("gather",))
            self.port.succeed("gather", True)
            self.asked("UPLOADING", ("upload",))
        elif state == "MAKING_ROOM":
            self.port.answers["is_short"] = True
            self.found(Due(), "MAKING_ROOM", ("make_room",))
            self.port.answers["is_short"] = False
        elif state != "LOOKING":
            due, call = WORK[state]
            self.found(due, state, (call,))

    def test_in_its_order(self) -> None:
        """What is most urgent is done first, and then it is looked again; with nothing to do it rests."""
        for state, (_, call) in WORK.items():
            if call not in ("gather", "rewrite"):
                self.enter(state)
                self.port.succeed(call)
                self.asked("LOOKING", ("look",))
                self.ends("stop", "STOPPED")
                self.begin()
        self.enter("MAKING_ROOM")
        self.port.succeed("make_room")
        self.asked("LOOKING", ("look",))
        self.found(Due(), "IDLE")

    def test_segments(self) -> None:
        """A segment that was made is uploaded, whatever it was made of; where there is none, it goes on."""
        for state, call in (("GATHERING", "gather"), ("REWRITING", "rewrite")):
            self.enter(state)
            self.port.succeed(call, True)
            self.asked("UPLOADING", ("upload",))
            self.port.succeed("upload")
            self.asked("LOOKING", ("look",))
            self.found(WORK[state][0], state, (call,))
            self.port.succeed(call, False)
            self.asked("LOOKING", ("look",))
            self.ends("stop", "STOPPED")
            self.begin()

    def test_without_suppliers(self) -> None:
        """It waits until suppliers take something."""
        self.port.answers["can_keep"] = False
        self.drive("start", None, "WAITING")
        self.drive("suppliers", None, "WAITING")
        self.passes(60, "WAITING")
        self.port.answers["can_keep"] = True
        self.drive("suppliers", None, "LOOKING", ("look",))
        self.ends("stop", "STOPPED")
        self.port.answers["can_keep"] = False
        self.begin()
        self.drive("start", None, "WAITING")
        self.port.answers["can_keep"] = True
        self.passes(60, "LOOKING", ("look",))

    def test_changes(self) -> None:
        """Ten seconds after a change it looks again, also after one that came while it looked."""
        self.idle()
        self.drive("changed", None, "SETTLING")
        self.drive("changed", None, "SETTLING")
        self.passes(10, "LOOKING", ("look",))
        self.drive("changed", None, "LOOKING")
        self.found(Due(), "SETTLING")
        self.port.answers["can_keep"] = False
        self.passes(10, "WAITING")

    def test_resting(self) -> None:
        """Each minute it sees whether space is short; each hour what could not be read is looked at again."""
        self.idle()
        self.passes(60, "IDLE")
        self.clock.advance(3480)
        self.asked("IDLE")
        self.passes(60, "LOOKING", ("try_again",), ("look",))
        self.found(Due(), "IDLE")
        self.port.answers["is_short"] = True
        self.passes(60, "MAKING_ROOM", ("make_room",))

    def test_failures(self) -> None:
        """What goes wrong is begun again after pauses that double, and are short again when all was done once."""
        self.enter("TELLING")
        self.port.fail("tell")
        self.assertEqual((self.machine.state, self.calls.pop()[0]), ("WAITING", "give_up"))
        self.passes(60, "LOOKING", ("look",))
        self.port.fail("look")
        self.assertEqual((self.machine.state, self.calls.pop()[0]), ("WAITING", "give_up"))
        self.passes(120, "LOOKING", ("look",))
        self.drive("changed", None, "LOOKING")
        self.found(Due(), "SETTLING")
        self.assertEqual(self.machine.failures, 0)
        self.passes(10, "LOOKING", ("look",))
        self.port.fail("look")
        self.assertEqual((self.machine.state, self.calls.pop()[0]), ("WAITING", "give_up"))
        self.passes(60, "LOOKING", ("look",))
        self.found(Due(), "IDLE")
        self.assertEqual(self.machine.failures, 0)

    def test_limits(self) -> None:
        """Nothing may take for ever."""
        for state, seconds in LONG.items():
            self.enter(state)
            self.passes(seconds, "WAITING", ("give_up", "it took too long"))
            self.ends("stop", "STOPPED")
            self.begin()

    def test_stop(self) -> None:
        """It can be stopped anywhere."""
        self.idle()
        self.drive("changed", None, "SETTLING")
        self.ends("stop", "STOPPED")
        for state in LONG:
            self.begin()
            self.enter(state)
            self.ends("stop", "STOPPED")
