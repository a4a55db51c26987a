"""Rows of tcp_connection."""

from bitdust.automats.tcp_connection import ConnectionPort, TCPConnection
from tests.unit.automats.kit import RowTests

WHY = ("idle", "nothing to say")


class TCPConnectionTests(RowTests):
    def setUp(self) -> None:
        super().setUp()
        self.port = self.record(ConnectionPort, silence=0.0, said_nothing=False, takes_nothing=False)
        self.machine = TCPConnection(self.registry, "host:7", self.port)

    def connect(self, way: str = "dialled") -> None:
        self.drive(way, None, "CLIENT?" if way == "dialled" else "SERVER?", ("send_hello",))
        self.drive("hello-valid", None, "CONNECTED", ("announce",))

    def both(self):
        """A connection that was dialled, then one that came in."""
        for way, state in (("dialled", "CLIENT?"), ("accepted", "SERVER?")):
            self.machine.stop_timers()
            self.machine = TCPConnection(self.registry, way, self.port)
            yield way, state

    def test_both_ends(self) -> None:
        """Either end shows who it is, and is connected once the other has."""
        self.connect("accepted")
        self.ends("connection-lost", "CLOSED", ("release",))

    def test_nothing_comes_of_it(self) -> None:
        """A connection that does not come about within ten seconds is dropped."""
        self.passes(10, "CLOSED", ("abort",), ("release",))

    def test_given_up_before_it_is_there(self) -> None:
        """Closing before there is a connection drops it without a word."""
        self.drive("close", WHY, "CLOSED", ("abort",), ("release",))

    def test_lost_before_it_is_there(self) -> None:
        """A connection that fails is over."""
        self.ends("connection-lost", "CLOSED", ("release",))

    def test_no_hello(self) -> None:
        """Whoever has not shown who it is within ten seconds is dropped, at either end."""
        self.drive("dialled", None, "CLIENT?", ("send_hello",))
        self.passes(10, "CLOSED", ("abort",), ("release",))

    def test_no_hello_of_who_came(self) -> None:
        """The same for one that came in."""
        self.drive("accepted", None, "SERVER?", ("send_hello",))
        self.passes(10, "CLOSED", ("abort",), ("release",))

    def test_a_hello_that_is_refused(self) -> None:
        """A peer that is refused hears why, and has five seconds to read it."""
        for way, state in self.both():
            self.drive(way, None, state, ("send_hello",))
            self.drive("close", ("wrong-peer", "no"), "DISCONNECT", ("say_goodbye", "wrong-peer", "no"))
            self.passes(5, "CLOSED", ("abort",), ("release",))

    def test_lost_before_hello(self) -> None:
        """A connection that is lost before the peer is proven is over."""
        for way, state in self.both():
            self.drive(way, None, state, ("send_hello",))
            self.drive("connection-lost", None, "CLOSED", ("release",))

    def test_a_peer_that_talks(self) -> None:
        """A peer that was heard lately is left alone."""
        self.connect()
        self.port.silence = 15.0
        self.clock.advance(20)
        self.asked("CONNECTED")

    def test_a_peer_that_hears_nothing(self) -> None:
        """A peer that was told nothing for a while is pinged, so that it does not take us for dead."""
        self.connect()
        self.port.said_nothing = True
        self.passes(20, "CONNECTED", ("send_ping",))

    def test_a_peer_that_takes_nothing(self) -> None:
        """A peer that has not taken what was written for too long is dropped, however much it says itself."""
        self.connect()
        self.clock.advance(20)
        self.asked("CONNECTED")
        self.port.takes_nothing = True
        self.passes(20, "CLOSED", ("abort",), ("release",))

    def test_a_mute_peer(self) -> None:
        """A peer that says nothing is asked, and given up after 45 seconds."""
        self.connect()
        self.port.silence = 45.0
        self.passes(20, "CONNECTED", ("send_ping",))
        self.port.silence = 45.1
        self.passes(20, "CLOSED", ("abort",), ("release",))

    def test_goodbye(self) -> None:
        """Closing says why and waits until that is written."""
        self.connect()
        self.drive("close", WHY, "DISCONNECT", ("say_goodbye", *WHY))
        self.ends("connection-lost", "CLOSED", ("release",))

    def test_an_own_mistake(self) -> None:
        """A failure here closes the connection with a word that tells nothing of the inside."""
        self.port.answers["announce"] = lambda: 1 / 0
        self.drive("dialled", None, "CLIENT?", ("send_hello",))
        self.machine.send("hello-valid")
        said = ("say_goodbye", "internal", "something unexpected happened here")
        self.asked("DISCONNECT", ("announce",), said)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
