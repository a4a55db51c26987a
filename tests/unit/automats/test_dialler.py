"""Rows of dialler."""

from bitdust.automats.dialler import Dialler, DiallerPort
from tests.unit.automats.kit import RowTests

DIAL, RESOLVE, NOBODY = ("dial",), ("resolve",), ("nobody_answers",)
WHY = OSError("why")


class DiallerTests(RowTests):
    def setUp(self) -> None:
        super().setUp()
        self.port = self.record(DiallerPort, has_address=True)
        self.machine = Dialler(self.registry, "alice", self.port)

    def known(self) -> None:
        """It dials an address that the peer told itself, the only one."""
        self.drive("run", None, "KNOWN_ADDRESSES", DIAL)
        self.port.has_address = False

    def resolving(self) -> None:
        self.port.has_address = False
        self.drive("run", None, "RESOLVING", RESOLVE)

    def dialling(self) -> None:
        """It dials an address that others told, the only one."""
        self.resolving()
        self.port.has_address = True
        self.port.succeed("resolve")
        self.asked("DIALLING", DIAL)
        self.port.has_address = False

    def each(self):
        """A machine in each state that waits."""
        for begin in (self.known, self.resolving, self.dialling):
            self.port.has_address = True
            self.machine = Dialler(self.registry, begin.__name__, self.port)
            begin()
            yield

    def test_a_session(self) -> None:
        """A dial that succeeds ends the search, with a known address as with one that others told."""
        for begin in (self.known, self.dialling):
            self.port.has_address = True
            self.machine = Dialler(self.registry, begin.__name__, self.port)
            begin()
            self.port.succeed("dial", "session")
            self.asked("CONNECTED", ("hand_over",))

    def test_a_session_that_the_peer_opened(self) -> None:
        """A session that comes by itself is as good, whatever is waited for."""
        for _ in self.each():
            self.drive("session-up", "session", "CONNECTED", ("hand_over",))
        self.assertEqual(self.port.cancelled, {"dial": 2, "resolve": 1})

    def test_one_address_after_the_other(self) -> None:
        """Where a dial fails the next address follows, at last those that others know, and then there is nobody."""
        self.drive("run", None, "KNOWN_ADDRESSES", DIAL)
        self.port.fail("dial")
        self.asked("KNOWN_ADDRESSES", DIAL)
        self.port.has_address = False
        self.port.fail("dial")
        self.asked("RESOLVING", RESOLVE)
        self.port.has_address = True
        self.port.succeed("resolve")
        self.asked("DIALLING", DIAL)
        self.port.fail("dial")
        self.asked("DIALLING", DIAL)
        self.port.has_address = False
        self.port.fail("dial")
        self.asked("FAILED", NOBODY)

    def test_a_dial_that_hangs(self) -> None:
        """A dial has half a minute, each from its beginning; then it is as if it had failed."""
        self.drive("run", None, "KNOWN_ADDRESSES", DIAL)
        self.passes(30, "KNOWN_ADDRESSES", DIAL)
        self.assertEqual(self.port.cancelled, {"dial": 1})
        self.port.has_address = False
        self.passes(30, "RESOLVING", RESOLVE)
        self.port.has_address = True
        self.port.succeed("resolve")
        self.asked("DIALLING", DIAL)
        self.passes(30, "DIALLING", DIAL)
        self.assertEqual(self.port.cancelled, {"dial": 3})
        self.port.has_address = False
        self.passes(30, "FAILED", NOBODY)

    def test_each_dial_has_its_time(self) -> None:
        """The half minute begins anew with the next address."""
        for begin, state, end in ((self.known, "KNOWN_ADDRESSES", ("RESOLVING", RESOLVE)),
                                  (self.dialling, "DIALLING", ("FAILED", NOBODY))):  # fmt: skip
            self.port.has_address = True
            self.machine = Dialler(self.registry, state, self.port)
            begin()
            self.clock.advance(20)
            self.port.has_address = True
            self.port.fail("dial")
            self.asked(state, DIAL)
            self.port.has_address = False
            self.passes(30, *end)
            self.machine.send("stop")
            self.calls.clear()

    def test_nobody_knows(self) -> None:
        """When others know no address there is nobody."""
        self.resolving()
        self.port.succeed("resolve")
        self.asked("FAILED", NOBODY)

    def test_asking_that_fails(self) -> None:
        """Why nobody could be asked is what those who wait are told."""
        self.resolving()
        self.port.fail("resolve", WHY)
        ((name, failure),) = self.calls
        self.assertEqual((name, failure.value), ("give_up", WHY))
        self.calls.clear()
        self.asked("FAILED")

    def test_asking_that_hangs(self) -> None:
        """Asking others has a minute."""
        self.resolving()
        self.passes(60, "FAILED", NOBODY)

    def test_stopped(self) -> None:
        """The node stops: those who wait are told, whatever was waited for."""
        for _ in self.each():
            self.drive("stop", WHY, "CANCEL", ("give_up", WHY))
