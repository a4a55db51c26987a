"""Looking into a node from the command line: services as a tree, moves that are followed, logs that rotate."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest import mock

from click.testing import CliRunner
from twisted.trial.unittest import SynchronousTestCase

from bitdust.cli.client import ApiClient, ApiError
from bitdust.cli.log import Tail
from bitdust.cli.main import cli
from bitdust.cli.processes import wait_for
from bitdust.cli.services import in_tree, is_ill
from bitdust.cli.states import moves
from bitdust.log.rotation import Room, RotatingFile
from bitdust.services.graph import boot_order, root_distances
from tests.api.test_cli import Lamp, OnlineCase


class TreeTests(SynchronousTestCase):
    def rows(self, needs: dict[str, tuple[str, ...]]) -> list[dict[str, Any]]:
        far = root_distances(needs)
        return [
            {"name": f"service_{name}", "root_distance": far[name], "depends": [f"service_{n}" for n in needs[name]]}
            for name in boot_order(needs)
        ]

    def test_each_once(self) -> None:
        """Every service stands once, under the need that is furthest from the ground; other needs are named."""
        rows = self.rows({"network": (), "keys": (), "gateway": ("network",), "dht": ("network",),
                          "hookups": ("gateway", "dht", "keys"), "last": ("hookups",)})
        shown = [row["service"] for row in in_tree(rows)]
        self.assertEqual(shown, ["network", "├─ dht", "└─ gateway", "   └─ hookups [dht, keys]",
                                 "      └─ last", "keys"])

    def test_a_need_that_is_not_listed(self) -> None:
        """A service whose needs are unknown stands on the ground."""
        self.assertEqual(in_tree([{"name": "service_a", "root_distance": 1, "depends": ["service_b"]}])[0]["service"],
                         "a [b]")


class ServicesTests(OnlineCase):
    async def test_health(self) -> None:
        """--health runs every check, tells what is wrong and ends with 1; without it nothing is checked."""
        self.context.driver.states["supplier"] = ("OFF", "no space")
        self.assertEqual((await self.run_cli("services")).exit_code, 0)
        result = await self.run_cli("services", "--health", "--flat")
        self.assertEqual(result.exit_code, 0, "a service that nobody enabled is no trouble")
        info = self.context.driver.info
        with mock.patch.object(self.context.driver, "info", lambda name: info(name) | {"enabled": True}):
            result = await self.run_cli("services", "--health")
        self.assertEqual(result.exit_code, 1)
        self.assertFalse(is_ill({"enabled": True, "healthy": False, "state": "DEPENDS_OFF"}))
        self.assertRegex(result.output, r"network +ON .*healthy")
        self.assertRegex(result.output, r"supplier +OFF .*no space")


class StatesTests(OnlineCase):
    async def test_some_of_them(self) -> None:
        """--name looks for machines by a part of their id."""
        Lamp(self.context.registry, "hall")
        Lamp(self.context.registry, "attic")
        output = (await self.run_cli("states", "--name", "att")).output
        self.assertIn("lamp(attic)", output)
        self.assertNotIn("lamp(hall)", output)

    async def test_follow(self) -> None:
        """-f prints one move a line, with name, old and new state, event and time; as JSON, one object a line."""
        lamp = Lamp(self.context.registry, "hall")

        def toggle() -> None:
            if len(self.context.watching):
                lamp.send("toggle")
            self.call = self.context.world.clock.callLater(0.05, toggle)

        toggle()
        try:
            result = await self.run_cli("--json", "states", "follow", "--name", "hall", "--count", "2")
            row = json.loads(result.output.splitlines()[0])
            self.assertEqual((row["id"], row["event"]), ("lamp(hall)", "toggle"))
            self.assertEqual({row["old"], row["new"]}, {"ON", "OFF"})
            result = await self.run_cli("states", "follow", "--count", "1")
            self.assertRegex(result.output, r"^\d\d:\d\d:\d\d\.\d{3}  lamp\(hall\) +(ON -> OFF|OFF -> ON)  toggle")
        finally:
            self.call.cancel()


class RestartTests(SynchronousTestCase):
    def test_the_node_goes_and_comes(self) -> None:
        """Following outlives the node: it says so once, waits, and goes on. Another error is an error."""
        gone = ApiError("not-running", "gone")
        move = {"moves": [{"id": "a"}], "missed": 3}
        answers = [{"moves": []}, gone, gone, move, ApiError("too-many-watchers", "full")]
        client = mock.Mock(spec=ApiClient)
        client.call.side_effect = answers
        with mock.patch("time.sleep"):
            found = moves(client, "")
            words = [next(found) for _ in range(4)]
            self.assertRaises(ApiError, next, found)
        self.assertEqual([str(word.get("notice", word.get("id")))[:20] for word in words],
                         ["the node does not an", "the node is back", "3 moves were left ou", "a"])


class LogTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.home = Path(self.mktemp())
        self.folder = self.home / "logs"
        self.folder.mkdir(parents=True)
        self.path = self.folder / "stdout.log"

    def run_log(self, *words: str) -> Any:
        return CliRunner().invoke(cli, ["--appdir", str(self.home), *words])

    def test_the_last_entries(self) -> None:
        """-n counts entries, not lines, across rotated files; levels and patterns choose; no node is needed."""
        paper = RotatingFile(self.path, Room(lambda: 200))
        for number in range(9):
            level = "warn " if number % 4 == 0 else "info "
            paper.write(f"2026-11-21T04:26:5{number}.000Z {level}    a: entry {number}\n\tmore of {number}")
        paper.close()
        self.assertGreater(len(list(self.folder.iterdir())), 2)
        lines = self.run_log("log", "-n", "2").output.splitlines()
        self.assertEqual([line[-9:].strip(": ") for line in lines], ["entry 7", "more of 7", "entry 8", "more of 8"])
        self.assertEqual(self.run_log("log", "--level", "warn").output.count("entry"), 3)
        self.assertIn("entry 5", self.run_log("log", "--grep", "more of 5").output)
        rows = [json.loads(row) for row in self.run_log("--json", "log", "-n", "1").output.splitlines()]
        self.assertEqual((rows[0]["level"], rows[0]["time"]), ("warn", "2026-11-21T04:26:58.000Z"))
        self.assertEqual(self.run_log("log", "-n", "0").output, "")

    def test_which(self) -> None:
        """A log that does not exist is refused with those that do; one that is still empty prints nothing."""
        result = self.run_log("log", "../identity")
        self.assertEqual(result.exit_code, 2)
        self.assertIn("stdout", result.output)
        self.assertEqual((self.run_log("log", "packet").exit_code, self.run_log("log", "packet").output), (0, ""))
        self.assertEqual(self.run_log("log", "--grep", "(").exit_code, 2)
        (self.folder / "exception_20261121T042600_1.log").write_text("Traceback: it broke\n")
        (self.folder / "exception_20261121T042600_2.log").symlink_to("gone")
        self.assertIn("it broke", self.run_log("log", "exceptions").output)
        self.assertEqual(self.run_log("log", "exceptions", "--grep", "something else").output, "")
        self.assertEqual(self.run_log("log", "exceptions", "-n", "0").output, "")

    def test_following_a_rotation(self) -> None:
        """What is written is read once and in order, however often the file is rotated between two looks."""
        paper = RotatingFile(self.path, Room(lambda: 300, lambda: 20))
        tail = Tail(self.path)
        self.assertEqual(list(tail.older()), [])
        seen: list[str] = []
        for number in range(40):
            paper.write(f"entry {number:03} of forty, long enough")
            if number % 13 == 0:
                seen += tail.newer()
        seen += tail.newer()
        self.assertEqual(seen, [f"entry {number:03} of forty, long enough" for number in range(40)])
        paper.close()

    def test_half_an_entry(self) -> None:
        """A line that is not whole yet is shown when it is."""
        tail = Tail(self.path)
        self.path.write_bytes(b"one\ntw")
        self.assertEqual(list(tail.newer()), ["one"])
        with self.path.open("ab") as stream:
            stream.write(b"o\n")
        self.assertEqual(list(tail.newer()), ["two"])

    def test_until_ctrl_c(self) -> None:
        """-f prints what comes, also into a log that is only then begun, and ends with 0 at Ctrl-C."""
        command = [sys.executable, "-m", "bitdust", "--appdir", str(self.home), "log", "-f", "event"]
        environment = os.environ | {"PYTHONUNBUFFERED": "1"}
        reading = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
        assert reading.stdout is not None
        try:
            (self.folder / "event.log").write_text("it happened\n")
            self.assertEqual(reading.stdout.readline(), "it happened\n")
            reading.send_signal(signal.SIGINT)
            wait_for(lambda: reading.poll() is not None, "the end of bitdust log", 10)
            self.assertEqual(reading.returncode, 0)
        finally:
            reading.kill()
            reading.wait()
            reading.stdout.close()
