"""The network in memory behaves as TCP and UDP do, and worlds of it as a real one."""

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.error import (
    CannotListenError,
    ConnectionDone,
    ConnectionLost,
    ConnectionRefusedError,
    TimeoutError,
)
from twisted.internet.protocol import DatagramProtocol, Factory, Protocol
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from bitdust.testing.network import MemoryNetwork
from bitdust.testing.streams import BUFFER, RETRIES, WINDOW
from bitdust.testing.world import START, fake_world

SERVER, CLIENT = "10.0.0.1", "10.0.0.2"


class End(Protocol):
    """One end of a connection that keeps what comes."""

    def __init__(self) -> None:
        self.received = bytearray()
        self.lost: list = []

    def dataReceived(self, data: bytes) -> None:  # noqa: N802 - the interface's name
        self.received += data

    def connectionLost(self, reason=None) -> None:  # noqa: N802 - the interface's name
        self.lost.append(reason.type)


class Ends(Factory):
    noisy = False

    def __init__(self) -> None:
        self.made: list[End] = []

    def buildProtocol(self, addr) -> End:  # noqa: N802 - the interface's name
        self.made.append(End())
        return self.made[-1]


class Push:
    """A producer that is told when to pause."""

    def __init__(self, write=None) -> None:
        self.calls: list[str] = []

    def pauseProducing(self) -> None:  # noqa: N802 - the interface's name
        self.calls.append("pause")

    def resumeProducing(self) -> None:  # noqa: N802 - the interface's name
        self.calls.append("resume")

    def stopProducing(self) -> None:  # noqa: N802 - the interface's name
        self.calls.append("stop")


class Pull:
    """A producer that writes one part each time it is asked."""

    def __init__(self, transport, parts: int) -> None:
        self.transport = transport
        self.left = parts
        self.stopped = False

    def resumeProducing(self) -> None:  # noqa: N802 - the interface's name
        self.left -= 1
        self.transport.write(bytes(20_000))
        if not self.left:
            self.transport.unregisterProducer()

    def stopProducing(self) -> None:  # noqa: N802 - the interface's name
        self.stopped = True


class Sockets(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.network = MemoryNetwork(self.clock)
        self.server, self.client = self.network.host(SERVER), self.network.host(CLIENT)

    def run_for(self, seconds: float, step: float = 0.01) -> None:
        self.clock.pump([step] * round(seconds / step))

    def connected(self) -> tuple[End, End]:
        """Both ends of a new connection: who dialled, who listens."""
        served, dialled = Ends(), Ends()
        port = self.successResultOf(self.server.server(0).listen(served)).getHost().port
        connecting = self.client.client(SERVER, port).connect(dialled)
        self.run_for(0.1)
        return self.successResultOf(connecting), served.made[0]


class StreamTests(Sockets):
    @settings(max_examples=60, deadline=None)
    @given(
        st.lists(st.tuples(st.binary(min_size=1, max_size=300), st.floats(0, 0.05)), min_size=1, max_size=20),
        st.sampled_from((0.0, 997.0, 33_333.3)),
        st.lists(st.floats(0, 0.1), min_size=1, max_size=20),
    )
    def test_order_is_kept(self, writes, bandwidth, latencies) -> None:
        """Whatever latency and bandwidth do on the way, bytes come whole, in order, and the end comes last."""
        self.setUp()
        here, there = self.connected()
        self.network.bandwidth = bandwidth
        for number, (data, pause) in enumerate(writes):
            self.network.latency = latencies[number % len(latencies)]
            here.transport.write(data)
            self.clock.advance(pause)
        here.transport.loseConnection()
        self.run_for(30, 0.05)
        self.assertEqual(bytes(there.received), b"".join(data for data, _ in writes))
        self.assertEqual((here.lost, there.lost), ([ConnectionDone], [ConnectionDone]))

    def test_bandwidth(self) -> None:
        """A megabyte over a megabyte a second takes a second."""
        here, there = self.connected()
        self.network.bandwidth, self.network.latency = 1e6, 0.1
        here.transport.write(bytes(1_000_000))
        self.run_for(0.5)
        self.assertTrue(300_000 < len(there.received) < 500_000, len(there.received))
        self.run_for(0.5)
        self.assertLess(len(there.received), 1_000_000)
        self.run_for(1.0)
        self.assertEqual(len(there.received), 1_000_000)

    def test_a_partition_holds_bytes_back(self) -> None:
        """What is sent into a partition comes over when it heals, whole and in order; TCP sends it again."""
        here, there = self.connected()
        here.transport.write(b"one ")
        self.network.cut = lambda one, other: True
        here.transport.write(b"two ")
        self.run_for(5)
        self.assertEqual(bytes(there.received), b"")
        self.network.cut = lambda one, other: False
        here.transport.write(b"three")
        self.run_for(20)
        self.assertEqual(bytes(there.received), b"one two three")
        self.assertEqual((here.lost, there.lost), ([], []))

    def test_a_partition_that_stays_ends_the_connection(self) -> None:
        """Who has sent bytes into a partition is told after a quarter of an hour, and nothing goes on after that."""
        here, there = self.connected()
        self.network.cut = lambda one, other: True
        here.transport.write(b"anybody?")
        self.run_for(1800, 1)
        self.assertEqual((here.lost, there.lost), ([TimeoutError], []))
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertGreater(RETRIES, 10)

    def test_a_dead_host_says_nothing(self) -> None:
        """Nobody is told of a host that died; nothing arrives and nothing is closed."""
        here, there = self.connected()
        self.server.die()
        here.transport.write(b"hello")
        self.run_for(10)
        self.assertEqual((here.lost, there.lost, bytes(there.received)), ([], [], b""))

    def test_one_direction(self) -> None:
        """A partition may let one direction through."""
        here, there = self.connected()
        self.network.cut = lambda one, other: one == CLIENT
        here.transport.write(b"lost")
        there.transport.write(b"heard")
        self.run_for(0.1)
        self.assertEqual((bytes(here.received), bytes(there.received)), (b"heard", b""))

    def test_an_abort_is_told(self) -> None:
        """Who aborts drops what waits; the other end loses the connection uncleanly."""
        here, there = self.connected()
        here.transport.abortConnection()
        self.run_for(0.1)
        self.assertEqual(there.lost, [ConnectionLost])

    def test_a_loss_is_told_on_a_later_turn(self) -> None:
        """Who closes or aborts while it is handed bytes is told of its loss after that, never in the middle."""
        for name in ("abortConnection", "loseConnection"):
            here, there = self.connected()
            order: list[str] = []

            def received(data: bytes, name=name, here=here, order=order) -> None:
                getattr(here.transport, name)()
                order.append(f"received, {len(here.lost)} lost")

            here.dataReceived = received
            there.transport.write(b"now")
            self.run_for(0.1)
            self.assertEqual((order, len(here.lost)), (["received, 0 lost"], 1))

    def test_nobody_listens(self) -> None:
        """A port without a listener refuses at once, a host that nobody hears after the time-out."""
        refused = self.client.client(SERVER, 9).connect(Ends())
        unheard = self.client.client("10.9.9.9", 9, 3.0).connect(Ends())
        taken = self.client.client("10.9.9.9", 9).connect(Ends())
        taken.cancel()
        self.run_for(0.1)
        self.failureResultOf(refused, ConnectionRefusedError)
        self.assertNoResult(unheard)
        self.run_for(3)
        self.failureResultOf(unheard, TimeoutError)
        self.failureResultOf(taken)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_port_has_one_listener(self) -> None:
        """A port is taken until it is closed."""
        port = self.successResultOf(self.server.server(7).listen(Ends()))
        self.failureResultOf(self.server.server(7).listen(Ends()), CannotListenError)
        port.stopListening()
        self.successResultOf(self.server.server(7).listen(Ends()))


class BackPressureTests(Sockets):
    def test_the_window_is_a_bound(self) -> None:
        """To a reader that does not read at most a window is on its way, however large one write is."""
        here, there = self.connected()
        there.transport.pauseProducing()
        here.transport.write(bytes(20 * WINDOW))
        self.run_for(2)
        self.assertEqual(here.transport.in_transit, WINDOW)
        self.assertEqual(bytes(there.received), b"")
        there.transport.resumeProducing()
        self.run_for(5)
        self.assertEqual(len(there.received), 20 * WINDOW)

    def test_a_push_producer_is_paused(self) -> None:
        """It is paused when more waits than fits, once, and resumed when it was taken."""
        here, there = self.connected()
        producer = Push()
        here.transport.registerProducer(producer, True)
        there.transport.pauseProducing()
        here.transport.write(bytes(WINDOW + BUFFER))
        self.assertEqual(producer.calls, [])
        here.transport.write(b"x")
        here.transport.write(b"x")
        self.run_for(1)
        self.assertEqual(producer.calls, ["pause"])
        there.transport.resumeProducing()
        self.run_for(1)
        self.assertEqual(producer.calls, ["pause", "resume"])

    def test_a_pull_producer_is_asked_for_each_part(self) -> None:
        """It is asked again whenever there is room, never while there is none, and all of it comes over."""
        here, there = self.connected()
        producer = Pull(here.transport, 100)
        there.transport.pauseProducing()
        here.transport.registerProducer(producer, False)
        self.run_for(1)
        sent = 100 - producer.left
        self.assertTrue(WINDOW <= sent * 20_000 <= WINDOW + BUFFER + 20_000, sent)
        there.transport.resumeProducing()
        self.run_for(5)
        self.assertEqual((producer.left, len(there.received)), (0, 2_000_000))

    def test_a_close_waits_for_what_was_written(self) -> None:
        """Who closes while the reader stalls stays until all is sent; the reader gets all of it, then the end."""
        here, there = self.connected()
        there.transport.pauseProducing()
        here.transport.write(bytes(3 * WINDOW))
        here.transport.loseConnection()
        self.run_for(2)
        self.assertEqual((here.lost, there.lost), ([], []))
        there.transport.resumeProducing()
        self.run_for(2)
        self.assertEqual((len(there.received), here.lost, there.lost), (3 * WINDOW, [ConnectionDone], [ConnectionDone]))

    def test_waiting_costs_no_timer(self) -> None:
        """A connection that waits for its reader leaves the clock alone."""
        here, there = self.connected()
        there.transport.pauseProducing()
        here.transport.write(bytes(3 * WINDOW))
        here.transport.loseConnection()
        self.run_for(2)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_lost_connection_stops_its_producer(self) -> None:
        """The producer of a connection that ends is stopped, and so is one that comes too late."""
        here, there = self.connected()
        early, late = Push(), Push()
        here.transport.registerProducer(early, True)
        self.assertRaises(RuntimeError, here.transport.registerProducer, late, True)
        there.transport.abortConnection()
        self.run_for(0.1)
        here.transport.registerProducer(late, True)
        self.assertEqual((early.calls, late.calls), (["stop"], ["stop"]))


class Datagrams(DatagramProtocol):
    def __init__(self) -> None:
        self.got: list = []

    def datagramReceived(self, datagram, addr) -> None:  # noqa: N802 - the interface's name
        self.got.append((datagram, addr))


class DatagramTests(Sockets):
    def send(self, count: int) -> Datagrams:
        receiver, sender = Datagrams(), Datagrams()
        port = self.server.listen_udp(0, receiver).getHost().port
        self.client.listen_udp(77, sender)
        for number in range(count):
            sender.transport.write(str(number).encode(), (SERVER, port))
        self.run_for(1)
        return receiver

    def test_datagrams_arrive(self) -> None:
        """Each comes once, with the address that it was sent from."""
        self.assertEqual(self.send(2).got, [(b"0", (CLIENT, 77)), (b"1", (CLIENT, 77))])

    def test_loss(self) -> None:
        """Of a thousand datagrams the set share is lost, the same ones with the same seed."""
        self.network.loss = 0.3
        got = [data for data, _ in self.send(1000).got]
        self.assertTrue(600 < len(got) < 800, len(got))
        self.setUp()
        self.network.loss = 0.3
        self.assertEqual([data for data, _ in self.send(1000).got], got)

    def test_a_host_hears_itself(self) -> None:
        """What a host sends to itself goes over no line, and is never lost."""
        self.network.loss = 1.0
        receiver = Datagrams()
        port = self.server.listen_udp(0, receiver).getHost().port
        receiver.transport.write(b"me", ("127.0.0.1", port))
        self.run_for(1)
        self.assertEqual(receiver.got, [(b"me", ("127.0.0.1", port))])

    def test_partition_and_death(self) -> None:
        """Nothing comes over a partition or to a dead host, and no one is told."""
        self.network.cut = lambda one, other: True
        self.assertEqual(self.send(3).got, [])
        self.network.cut = lambda one, other: False
        self.setUp()
        self.server.die()
        self.assertEqual(self.send(3).got, [])


class WorldTests(SynchronousTestCase):
    def world(self, **arguments):
        self.clock = Clock()
        return fake_world(MemoryNetwork(self.clock), self.clock, SERVER, Path(self.mktemp()), **arguments)

    def test_entropy_comes_from_the_seed(self) -> None:
        """The same host and seed give the same bytes, another seed others."""
        self.assertEqual(self.world().entropy(32), self.world().entropy(32))
        self.assertNotEqual(self.world().entropy(32), self.world(seed="b").entropy(32))

    def test_time_is_the_clocks(self) -> None:
        """Wall time moves with the clock and with nothing else."""
        world = self.world()
        self.clock.advance(5)
        self.assertEqual((world.wall(), world.clock.seconds()), (START + 5, 5))

    def test_threads_run_at_once(self) -> None:
        """Work of a thread is done when it is asked for; what it raises is a failure."""
        world = self.world()
        self.assertEqual(self.successResultOf(world.run_in_thread(divmod, 7, 2)), (3, 1))
        self.failureResultOf(world.run_in_thread(divmod, 7, 0), ZeroDivisionError)

    def test_threads_may_take_time(self) -> None:
        """With a duration, work of a thread is done when the clock gets there."""
        world = self.world(thread_seconds=0.5)
        working = world.run_in_thread(divmod, 7, 2)
        failing = world.run_in_thread(divmod, 7, 0)
        self.assertNoResult(working)
        self.clock.advance(0.5)
        self.assertEqual(self.successResultOf(working), (3, 1))
        self.failureResultOf(failing, ZeroDivisionError)
