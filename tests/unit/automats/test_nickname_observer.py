"""Rows of nickname_observer."""

from bitdust.automats.nickname_observer import WAVE, NicknameObserver, NicknameObserverPort
from bitdust.wire.nicknames import POSITIONS
from tests.unit.automats.kit import RowTests


class NicknameObserverTests(RowTests):
    def setUp(self) -> None:
        super().setUp()
        self.port = self.record(NicknameObserverPort)

    def begin(self, event: str, state: str, attempts: int = 1) -> None:
        self.machine = NicknameObserver(self.registry, "alice", self.port, attempts)
        self.drive(event, None, state, ("read", 0))

    def finds(self, count: int, state: str, *calls) -> None:
        self.clock.advance(40)  # a minute for each reading, not for the whole search
        self.port.succeed("read", count)
        self.asked(state, *calls)

    def test_one(self) -> None:
        """The first people that are found are enough."""
        self.begin("find-one", "DHT_FIND")
        self.finds(2, "FOUND", ("report",))

    def test_nobody(self) -> None:
        """Nobody is found after so many readings that find nobody, of one and of all."""
        self.begin("find-one", "DHT_FIND", 2)
        self.finds(0, "DHT_FIND", ("read", 0))
        self.moved("DHT_FIND", "DHT_FIND")
        self.finds(0, "NOT_FOUND", ("report",))
        self.begin("observe-many", "DHT_LOOP", 2)
        self.finds(0, "DHT_LOOP", ("read", 0))
        self.finds(0, "FINISHED", ("report",))

    def test_all(self) -> None:
        """As long as there is somebody the next positions are read, and those that are empty end it."""
        self.begin("observe-many", "DHT_LOOP", 3)
        self.finds(1, "DHT_LOOP", ("read", WAVE))
        self.finds(WAVE, "DHT_LOOP", ("read", 2 * WAVE))
        self.finds(0, "FINISHED", ("report",))

    def test_full(self) -> None:
        """After the last position there is nothing more to read."""
        self.begin("observe-many", "DHT_LOOP")
        for position in range(WAVE, POSITIONS, WAVE):
            self.finds(WAVE, "DHT_LOOP", ("read", position))
        self.finds(WAVE, "FINISHED", ("report",))

    def test_failures(self) -> None:
        """A reading that fails, or takes a minute, is tried again as often as was asked; then the reason is given."""
        reason = ValueError("off")
        for event, state in (("find-one", "DHT_FIND"), ("observe-many", "DHT_LOOP")):
            self.begin(event, state, 2)
            self.clock.advance(40)
            self.port.fail("read")
            self.asked(state, ("read", 0))
            self.clock.advance(40)
            self.port.fail("read", reason)
            (called,), self.calls[:] = list(self.calls), []
            self.assertEqual((self.machine.state, called[0], called[1].value), ("STOPPED", "give_up", reason))
            self.begin(event, state, 2)
            self.passes(60, state, ("read", 0))
            self.assertEqual(self.port.waiting(), 1, "what is read again is read once")
            self.passes(60, "STOPPED", ("give_up", None))

    def test_stop(self) -> None:
        """Nobody waits any more, before it began too."""
        self.begin("find-one", "DHT_FIND")
        self.ends("stop", "STOPPED", ("give_up", None))
        self.machine = NicknameObserver(self.registry, "alice", self.port, 1)
        self.ends("stop", "STOPPED", ("give_up", None))
