"""The command line against a node that answers on loopback."""

import json
import os
from pathlib import Path
from typing import Any

from click.testing import Result
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from bitdust.api.methods import TABLE
from bitdust.automats.kernel import Machine
from bitdust.cli.client import ApiClient, ApiError
from bitdust.cli.lock import ProcessLock
from bitdust.cli.output import sentences
from bitdust.web.server import ApiServer
from tests.api.fakes import FakeContext, FakeDriver
from tests.stand_ins import FolderStorage
from tests.unit.test_cli import run


class Lamp(Machine):
    """On or off."""

    table = """
      # state  event   guard  next  actions
      OFF      toggle  -      ON    -
      ON       toggle  -      OFF   -
      *        break   -      GONE  -
    """
    initial = "OFF"
    final = ("GONE",)


class OnlineCase(TestCase):
    async def setUp(self) -> None:
        self.context = FakeContext(reactor, self.mktemp(), reactor)
        self.context.storage = self.storage = FolderStorage()
        for name in ("backup_db", "backups", "restores"):
            self.context.driver.states[name] = ("ON", "")
        self.home = str(self.context.world.home)
        self.lock = ProcessLock.acquire(Path(self.home))
        self.server = ApiServer(self.context, TABLE)
        await self.server.start()

    async def tearDown(self) -> None:
        await self.server.stop()
        self.lock.release()
        self.context.events.stop()
        self.context.registry.shutdown()

    def run_cli(self, *words: str, **options: Any) -> "Deferred[Result]":
        return deferToThread(run, self.home, *words, **options)


class ServiceTests(OnlineCase):
    async def test_lists(self) -> None:
        """Services come as a table with reasons, and as JSON for programs."""
        result = await self.run_cli("services")
        self.assertIn("no space is donated", result.output)
        rows = json.loads((await self.run_cli("--json", "services")).output)
        self.assertEqual({row["name"] for row in rows}, {f"service_{name}" for name in self.context.driver.states})

    async def test_actions(self) -> None:
        """start, stop and restart act; the bare name shows one; an unknown one ends with 1."""
        for word in ("start", "restart", "stop"):
            result = await self.run_cli("service", word, "supplier")
            self.assertEqual(result.exit_code, 0, result.output)
        self.assertEqual([act for act, _ in self.context.driver.log], ["start", "restart", "stop"])
        self.assertIn("service_network", (await self.run_cli("service", "network")).output)
        self.assertEqual((await self.run_cli("service", "health", "supplier")).exit_code, 1)
        result = await self.run_cli("service", "info", "no_such")
        self.assertEqual(result.exit_code, 1)
        self.assertIn("does not exist", result.output)

    async def test_states(self) -> None:
        """State machines are listed, and one is shown by name or number with its last moves."""
        lamp = Lamp(self.context.registry)
        lamp.send("toggle")
        self.assertIn("ON", (await self.run_cli("states")).output)
        for which in (str(lamp.index), lamp.id):
            self.assertIn("OFF -> ON", (await self.run_cli("states", "info", which)).output)


class CallTests(OnlineCase):
    async def test_settings_go_through_the_node(self) -> None:
        """With the node running, `set` changes the node's own settings at once."""
        result = await self.run_cli("set", "logs/debug-level", "5")
        self.assertIn("0 -> 5", result.output)
        self.assertEqual(self.context.settings.get("logs/debug-level"), 5)

    async def test_api(self) -> None:
        """`api` calls anything, with JSON where it is asked for, and ends with 1 on ERROR."""
        result = await self.run_cli("api", "event_send", "event_id=hello", 'data={"a": 1}')
        self.assertEqual(json.loads(result.output)["status"], "OK")
        self.assertEqual(self.context.events.since(0)[-1].data, {"a": 1})
        result = await self.run_cli("api", "--generation", "2016", "config_get", "key=logs/debug-level")
        self.assertEqual(set(json.loads(result.output)["result"][0]), {"key", "value", "type"})
        for wrong in (["--generation", "1999", "config_get", "key=x"], ["--generation", "x", "m"], ["a/b"]):
            self.assertNotEqual((await self.run_cli("api", *wrong)).exit_code, 0)
        self.assertIn("typ", (await self.run_cli("api", "--generation", "2016", "config_set", "--help")).output)
        result = await self.run_cli("api", "config_get", "key=no/such")
        self.assertEqual(result.exit_code, 1)
        self.assertEqual((await self.run_cli("api", "no_such_method")).exit_code, 1)

    async def test_events(self) -> None:
        """`event listen` prints events as they come."""
        listening = self.run_cli("event", "listen", "--count", "1")
        while not len(self.context.consumers):
            waiting: Deferred[None] = Deferred()
            reactor.callLater(0.01, waiting.callback, None)
            await waiting
        self.context.events.send("something-happened", {"n": 1})
        self.assertIn("something-happened", (await listening).output)

    async def test_wrong_secret(self) -> None:
        """A client without the right secret is told ``access denied``."""
        (Path(self.home) / "apisecret").write_text("something else")
        try:
            await deferToThread(ApiClient(Path(self.home)).call, "process_health")
        except ApiError as error:
            self.assertEqual((error.code, str(error)), ("access-denied", "access denied"))
        else:
            self.fail("no error")


class PatienceTests(OnlineCase):
    async def test_a_service_on_its_way(self) -> None:
        """A command that comes while the node is starting waits for the service that it needs."""
        states = self.context.driver.states
        states["backup_db"] = ("STARTING", "the catalog comes from my suppliers")
        asked = []

        def info(name: str) -> dict[str, Any]:
            asked.append(name)
            told = FakeDriver.info(self.context.driver, name)
            if len(asked) == 2:
                states["backup_db"] = ("ON", "")
            return told

        self.context.driver.info = info
        result = await self.run_cli("file", "list")
        self.assertEqual((result.exit_code, asked), (0, ["backup_db"] * 2))

    async def test_what_is_off_stays_off(self) -> None:
        """A service that is off for good, or one of a node that has run for long, is told at once."""
        self.context.driver.states["backup_db"] = ("OFF", "its disk is gone")
        self.assertIn("its disk is gone", (await self.run_cli("file", "list")).output)
        self.context.driver.states |= {
            "backup_db": ("DEPENDS_OFF", "needs keys_storage"), "keys_storage": ("OFF", "no supplier has it")
        }
        os.utime(Path(self.home) / "metadata" / "apiports", (1, 1))
        result = await self.run_cli("file", "list")
        self.assertEqual(result.exit_code, 1)
        self.assertIn("needs keys_storage; keys_storage: no supplier has it", result.output)


class FileTests(OnlineCase):
    async def test_list(self) -> None:
        """The catalog is a table; names cannot play with the terminal."""
        result = await self.run_cli("file", "list")
        self.assertIn("5 MB", result.output)
        self.assertNotIn("\x1b", result.output)

    async def test_names_that_others_chose(self) -> None:
        """In answers and in errors, as in tables, what others named cannot play with the terminal; lines stay lines."""
        result = await self.run_cli("file", "delete", "0", "--yes")
        self.assertEqual(result.output, "deleted alice:a\\x1b[31m\n")
        result = await self.run_cli("file", "info", "x\x1b]0;owned\x07")
        self.assertEqual(result.exit_code, 1)
        self.assertIn("error: x\\x1b]0;owned\\x07 was not found", result.output)
        self.assertEqual(sentences("two\nlines\x1b[2J\r"), "two\nlines\\x1b[2J\\r")

    async def test_upload(self) -> None:
        """A relative path becomes an absolute one; what was left out is told."""
        folder = self.mktemp()
        Path(folder).mkdir()
        result = await self.run_cli("file", "upload", folder, "documents")
        self.assertEqual(self.storage.asked, [("upload", str(Path(folder).absolute()), "documents")])
        self.assertIn("x: cannot be read", result.output)
        result = await self.run_cli("file", "upload", "/no/such/file", "documents")
        self.assertEqual(result.exit_code, 1)

    async def test_upload_of_something_new(self) -> None:
        """A place in the catalog is made when there is none, of the right kind, under the local name by default."""
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        (folder / "film.mp4").write_text("film")
        await self.run_cli("file", "upload", str(folder / "film.mp4"))
        await self.run_cli("file", "upload", str(folder), "films")
        self.assertEqual(self.storage.asked, [
            ("create", "film.mp4", False), ("upload", str(folder / "film.mp4"), "film.mp4"),
            ("create", "films", True), ("upload", str(folder), "films"),
        ])  # fmt: skip

    async def test_download(self) -> None:
        """Nothing is asked while nothing is there."""
        folder = str(Path(self.mktemp()).absolute())
        self.storage.result = {"downloaded": True}
        result = await self.run_cli("file", "download", "documents", folder)
        self.assertEqual((result.exit_code, self.storage.asked), (0, [("download", "documents", folder, "replace")]))

    async def test_download_onto_existing(self) -> None:
        """Without a terminal, and without --overwrite or --keep, existing files stop the download."""
        folder = Path(self.mktemp()).absolute()
        (folder / "documents").mkdir(parents=True)
        result = await self.run_cli("file", "download", "documents", str(folder))
        self.assertEqual((result.exit_code, self.storage.asked), (1, []))
        self.assertIn("--overwrite or --keep", result.output)
        for flag, policy in (("--overwrite", "replace"), ("--keep", "keep")):
            await self.run_cli("file", "download", flag, "documents", str(folder))
            self.assertEqual(self.storage.asked[-1][-1], policy)

    async def test_not_found(self) -> None:
        """Something that is not in the catalog ends with 1 and its name."""
        result = await self.run_cli("file", "download", "other", "/tmp")
        self.assertEqual(result.exit_code, 1)
        self.assertIn("other was not found in the catalog", result.output)

    async def test_progress(self) -> None:
        """What waits is listed."""
        self.assertIn("waiting", (await self.run_cli("file", "progress")).output)
