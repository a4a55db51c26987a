"""Programs that ask a real node for long answers and read none of them: memory is bounded, and the owner is served."""

import json
import os
import socket
import time
from pathlib import Path

from twisted.internet.task import Clock
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import SynchronousTestCase, TestCase

from bitdust.api.methods import TABLE
from bitdust.cli.processes import NO_CUSTOMER, NO_SUPPLIER, QUIET, NodeProcess
from bitdust.scopes.reservations import Resource, Scope
from bitdust.web.answers import EVERY, IDLE, PATIENCE, SHORT, Answers, Place

MIB = 1024 * 1024
CLIENTS = 60
DATA = {"text": "x" * 60_000}
EVENTS = 40
MOST = 70 * MIB
"""More than a node at rest has: the room for answers, one that is being made, and what its making leaves behind. All of
them together would be 144 MiB, three times over while they are made."""
OFFLINE = {
    "services/entangled-dht/enabled": "false",
    "services/identity-propagate/known-servers": "127.0.0.1:9",
    "services/entangled-dht/known-nodes": "",
}


class UnreadTests(TestCase):
    timeout = 120

    def setUp(self) -> None:
        self.node = NodeProcess("node", Path(self.mktemp()).resolve())
        self.node.configure(QUIET | NO_CUSTOMER | NO_SUPPLIER | OFFLINE)
        self.node.start()
        self.addCleanup(self.node.kill)
        self.secret = (self.node.home / "apisecret").read_text()
        self.port = json.loads((self.node.home / "metadata" / "apiports").read_text())["rest"]
        self.open: list[socket.socket] = []
        self.addCleanup(lambda: [one.close() for one in self.open])

    def memory(self) -> int:
        return int(Path(f"/proc/{self.node.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def connect(self) -> socket.socket:
        made = socket.socket()
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        made.settimeout(20)
        made.connect(("127.0.0.1", self.port))
        self.open.append(made)
        return made

    def ask(self, client: socket.socket, number: int) -> None:
        head = f"GET /event/listen/c{number}/v1?timeout=0 HTTP/1.1\r\nHost: localhost\r\napi_secret: {self.secret}\r\n"
        client.sendall(f"{head}\r\n".encode())

    def attack(self) -> None:
        clients = [self.connect() for _ in range(CLIENTS)]
        for number, client in enumerate(clients):
            self.ask(client, number)
            client.recv(4096)
        for _ in range(EVENTS):
            self.node.client.call("event_send", event_id="lamp", data=DATA)
        before = self.memory()
        for number, client in enumerate(clients):
            self.ask(client, number)
        worst = most = 0.0
        until = time.monotonic() + 3
        while time.monotonic() < until:
            since = time.monotonic()
            self.node.client.call("process_health")
            worst, most = max(worst, time.monotonic() - since), max(most, self.memory() - before)
            time.sleep(0.05)
        self.assertLess(most, MOST)
        self.assertLess(worst, 2.0)

    async def test_long_answers_that_nobody_reads(self) -> None:
        """Sixty programs that ask for long answers and take none of them cost no more than the room for answers."""
        await deferToThread(self.attack)


class LineTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.scope = Scope("program", "", {Resource.MEMORY: 4 * MIB})
        self.answers = Answers(self.clock, self.scope)
        self.row = TABLE.named("files_list")
        self.cut: list[str] = []

    def tearDown(self) -> None:
        self.assertEqual(self.scope.used[Resource.MEMORY], 0)
        self.clock.advance(0)
        self.clock.advance(EVERY)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def full(self, name: str = "reader") -> Place:
        """An answer that takes all the room, and that its client does not take."""
        place = self.answers.before(self.row)
        assert place is not None
        self.assertIsNone(place.enter())

        def cut_off() -> None:
            self.cut.append(name)
            place.release()

        place.written(5 * MIB, cut_off)
        return place

    def wait(self) -> tuple[Place, list[object]]:
        place = self.answers.before(self.row)
        assert place is not None
        entering = place.enter()
        got: list[object] = []
        assert entering is not None
        entering.addCallbacks(got.append, lambda failure: got.append(failure.value.code))
        return place, got

    def test_a_call_waits_until_an_answer_was_taken(self) -> None:
        """Calls wait in their order, and are made one in a turn as room comes back; who goes is not waited for."""
        reader = self.full()
        (first, one), (gone, none), (second, two) = self.wait(), self.wait(), self.wait()
        self.answers.leave(gone)
        reader.release()
        self.assertEqual((one, two), ([], []))
        self.clock.advance(0)
        self.assertEqual((one, two), ([None], []))
        first.written(100, lambda: None)
        self.clock.advance(0)
        self.assertEqual((one, none, two), ([None], [], [None]))
        second.release()

    def test_who_takes_nothing_makes_way(self) -> None:
        """A client that takes nothing for ten seconds while others wait is cut off; one that takes a little is not, and
        who waits for half a minute is refused with `busy`, and counted."""
        reader = self.full()
        first, one = self.wait()
        for _ in range(int(PATIENCE) + 1):
            reader.progress()
            self.clock.advance(1.0)
        self.assertEqual((one, self.cut, self.scope.refused[Resource.MEMORY]), (["busy"], [], 1))
        second, two = self.wait()
        for _ in range(int(IDLE) + 2):
            self.clock.advance(1.0)
        self.assertEqual((two, self.cut), ([None], ["reader"]))
        first.release()
        second.release()

    def test_nobody_is_cut_off_while_nobody_waits(self) -> None:
        """A slow client disturbs nobody as long as there is room."""
        reader = self.full()
        self.clock.advance(100 * IDLE)
        self.assertEqual(self.cut, [])
        reader.release()

    def test_short_answers_never_wait(self) -> None:
        """What had short answers before is called at once, and so is what has never been asked."""
        reader = self.full()
        health = TABLE.named("process_health")
        sizes = [SHORT, 4 * MIB, *[100] * 6]
        waited = []
        for size in sizes:
            expected = self.answers.before(health)
            waited.append(expected is not None)
            place = self.answers.after(health, expected, size)
            if place is not None:
                place.written(size, lambda: None)
                place.release()
        self.assertEqual(waited, [False, False, *[True] * 6])
        self.assertIsNone(self.answers.before(health))
        reader.release()

    def test_what_must_wait_for_a_client(self) -> None:
        """Where more has to wait for a client, and there is no room, the one that was idle for longest goes."""
        first = self.full("first")
        self.clock.advance(1)
        second = self.answers.place()
        second.written(5 * MIB, lambda: self.cut.append("second"))
        self.answers.squeeze()
        self.answers.squeeze()
        self.assertEqual(self.cut, ["first", "second"])
        first.release()
        second.release()
