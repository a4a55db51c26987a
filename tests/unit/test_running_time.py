"""The clock of a real node runs on, whatever the clock of the machine is set to."""

import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

from twisted.internet.address import IPv4Address
from twisted.internet.task import Clock
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from bitdust import world
from bitdust.identity.server_pages import Pages

PATIENCE = 60.0
NODE = """
import os, sqlite3, sys, threading, time
from pathlib import Path

real, ahead = time.time, [0.0]
time.time = lambda: real() + ahead[0]  # as if somebody had set the machine's clock

from twisted.internet import reactor
from twisted.internet.defer import succeed
from bitdust import process
from bitdust.observed import TABLE, ObservedTime

class Still(process.Node):
    def start(self):
        database = sqlite3.connect(":memory:")
        database.executescript(TABLE)
        observed = ObservedTime(self.world)
        observed.load(database)
        begun, moment = observed.now(), self.world.clock.seconds()
        ahead[0] = 365 * 86_400.0
        print("older by", observed.now() - begun > 60)
        print("passed", self.world.clock.seconds() - moment > 60)
        ahead[0] = 0.0
        self.world.clock.callLater(0.05, self.later)
        ahead[0] = -86_400.0
        return succeed(None)

    def later(self):
        print("called")
        reactor.stop()

watchdog = threading.Timer(8.0, os._exit, [3])
watchdog.daemon = True
watchdog.start()
process.Node = Still
process.main(Path(sys.argv[1]), True)
"""


class RunningTimeTests(SynchronousTestCase):
    def test_a_clock_that_is_set(self) -> None:
        """Set ahead by a year, it makes nothing older; set back by a day, no timer waits for that day."""
        command = [sys.executable, "-c", NODE, str(Path(self.mktemp()).resolve())]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
        said = ["older by False", "passed False", "called"]
        self.assertEqual(ended.stdout.split("\n")[:3], said, ended.stderr[-2000:])

    def test_a_system_without_that_clock(self) -> None:
        """A node starts there too, by the clock that each system has."""
        self.assertEqual(world.clock_of_running(), getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))
        with mock.patch.object(time, "clock_gettime", side_effect=OSError(22, "no such clock")):
            self.assertEqual(world.clock_of_running(), time.CLOCK_MONOTONIC)

    def test_what_an_id_server_logs(self) -> None:
        """Requests are logged with the time of day, which that clock does not know."""
        said: list[Any] = []
        around = SimpleNamespace(clock=Clock(), wall=lambda: 1_800_000_000.0)
        pages = Pages(SimpleNamespace(), around)
        pages.startFactory()
        self.addCleanup(pages.stopFactory)
        globalLogPublisher.addObserver(said.append)
        self.addCleanup(globalLogPublisher.removeObserver, said.append)
        asked = SimpleNamespace(method=b"GET", uri=b"/alice.xml", clientproto=b"HTTP/1.1", code=200, sentLength=5)
        asked.getHeader = lambda name: None
        asked.getClientAddress = lambda: IPv4Address("TCP", "192.0.2.1", 1)
        pages.log(asked)
        self.assertIn("[15/Jan/2027:08:00:00 +0000]", "".join(str(event.get("log_io", "")) for event in said))
