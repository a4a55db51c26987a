"""Every example of the reference is run, as it stands there, by curl, over a WebSocket and by the command line."""

import contextlib
import json
import os
import shlex
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from click.testing import CliRunner
from jsonschema import Draft202012Validator
from twisted.trial.unittest import SynchronousTestCase

from bitdust.api import openapi
from bitdust.api.methods import TABLE
from bitdust.api.reference import SECRET, entry
from bitdust.api.table import Method
from bitdust.cli.client import ApiError
from bitdust.cli.lock import running_pid
from bitdust.cli.main import cli
from bitdust.cli.processes import NodeProcess, ProcessNetwork, wait_for
from tests.processes.ending import come_back, start_mark
from tests.sockets import WebSocketClient

EARLY = ("key_create", "file_create", "file_upload_start")
LATE = (
    "service_stop", "service_start", "service_restart", "supplier_change", "supplier_replace", "identity_lock",
    "identity_unlock", "network_create", "network_reconnect", "reconnect", "network_disconnect", "identity_erase",
    "network_select",
)  # fmt: skip
TAKES_AWAY = ("delete", "erase", "disable")
"""What others need comes first, what takes away what others need comes last."""
ENDS = {"restart": True, "process_restart": True, "stop": False}
"""The very last ones but one: they end the process; whether it starts again by itself."""
LAST = "process_stop"
RESTARTS = ("identity_erase",)
KINDS = ("curl", "websocket", "cli")
PATIENCE = 60


def order(row: Method) -> tuple[int, int]:
    """When a method's example is run."""
    if row.name in EARLY:
        return 0, EARLY.index(row.name)
    if row.name in LATE:
        return 3, LATE.index(row.name)
    return (2 if any(word in row.name for word in TAKES_AWAY) else 1), 0


class Person:
    """Somebody at a machine where a node runs: runs lines as they stand in the documents, with the real names of
    people and places in them."""

    def __init__(self, node: NodeProcess, home: Path, people: Mapping[str, str]) -> None:
        self._node = node
        self._home = home
        self._people = people
        home.mkdir()
        (home / ".bitdust").symlink_to(node.home)

    def run(self, row: Method, kind: str) -> dict[str, Any]:
        """The envelope that one line of a method's page is answered with."""
        line: str = entry(row)["examples"][kind]
        for name, real in self._people.items():
            line = line.replace(name, real)
        mark = start_mark(self._node)
        answer: dict[str, Any] = getattr(self, f"_{kind}")(line.replace("/home/alice", str(self._home)), row)
        if row.name in (*ENDS, *RESTARTS) and answer["status"] == "OK":
            come_back(self._node, mark, restarts=ENDS.get(row.name, True))
        if row.name == LAST:
            wait_for(lambda: running_pid(self._node.home) is None, "the end of the process")
        return answer

    def _curl(self, line: str, row: Method) -> dict[str, Any]:
        line = line.replace("localhost:8180", f"localhost:{self._node.client.port}")
        if shutil.which("curl") is None:
            return like_curl(line.replace(SECRET, self._node.client.secret))
        done = subprocess.run(
            ["sh", "-c", line], env=os.environ | {"HOME": str(self._home)}, capture_output=True, check=True,
            timeout=PATIENCE,
        )  # fmt: skip
        return dict(json.loads(done.stdout))

    def _websocket(self, line: str, row: Method) -> dict[str, Any]:
        text = line.removeprefix("websocket.send('").removesuffix("');").replace("\\'", "'").replace("\\\\", "\\")
        port = json.loads((self._node.home / "metadata" / "apiports").read_text())["websocket"]
        with contextlib.closing(WebSocketClient(port, self._node.client.secret, PATIENCE)) as client:
            return dict(client.ask(text)["response"])

    def _cli(self, line: str, row: Method) -> dict[str, Any]:
        words = shlex.split(line)
        assert words[:2] == ["bitdust", "api"], line
        secret = "".join(str(param.example) for param in row.params if param.secret and param.example)
        result = CliRunner().invoke(cli, ["--appdir", str(self._node.home), *words[1:]], input=secret)
        if isinstance(result.exception, ApiError):
            assert result.exception.envelope, f"{line}\n{result.exception}"
            return result.exception.envelope
        assert result.exit_code == 0, f"{line}\n{result.output}"
        return dict(json.loads(result.stdout))


class ExampleTests(SynchronousTestCase):
    """alice among two suppliers, one of whom is called bob in the documents; she gives space, too."""

    def setUp(self) -> None:
        self.base = Path(tempfile.mkdtemp(prefix="bitdust-test-"))
        self.addCleanup(shutil.rmtree, self.base, ignore_errors=True)
        network = ProcessNetwork(self.base)
        self.addCleanup(network.close)
        network.start_seed()
        bob, carol = network.add_suppliers(2)
        gives = {"services/supplier/enabled": "true", "services/supplier/donated-space": "1 GB"}
        gives |= {f"services/{name}/enabled": "true" for name in ("broadcasting", "web-socket-router")}
        alice = network.add_customer("alice", 2, gives | {"services/customer/needed-space": "32 MB"})
        nodes = {"alice@id.example": alice, "bob@id.example.net": carol, "bob@id.example": bob}
        people = {name: node.client.call("identity_get")["global_id"] for name, node in nodes.items()}
        self.alice, *others = (Person(node, self.base / f"home-{node.name}", people) for node in (alice, bob, carol))
        self.everybody = (self.alice, *others)
        for name in ("Documents", "Movies", "Desktop"):
            (self.base / "home-alice" / name).mkdir()
        (self.base / "home-alice" / "Documents" / "letter.txt").write_text("Dear Bob")
        schema = openapi.document(TABLE)
        self.components = schema["components"]
        self.operations = {one["operationId"]: one for path in schema["paths"].values() for one in path.values()}

    def test_every_example(self) -> None:
        """Each line of each method is answered OK, or with an error that its page names; the answer is as OpenAPI
        tells."""
        wrong: list[str] = []
        done: Counter[bool] = Counter()
        for row in sorted((row for row in TABLE if row.name not in (*ENDS, LAST)), key=order):
            answers = {kind: self.alice.run(row, kind) for kind in KINDS}
            wrong += self.faults(row, answers)
            done[any(answer["status"] == "OK" for answer in answers.values())] += 1
        self.assertEqual(wrong, [])
        self.assertGreater(done[True], 2 * done[False])
        self.end_in_every_way()

    def end_in_every_way(self) -> None:
        """The methods that end the process, each line at another node at the same time."""
        rows = [row for row in TABLE if row.name in ENDS]
        for row in (*rows, TABLE.named(LAST)):
            assert row is not None
            with ThreadPoolExecutor() as pool:
                results = pool.map(lambda person, kind, row=row: person.run(row, kind), self.everybody, KINDS)
                answers = dict(zip(KINDS, results, strict=True))
            self.assertEqual([answer["status"] for answer in answers.values()], ["OK"] * len(KINDS))
            self.assertEqual(self.faults(row, answers), [])

    def faults(self, row: Method, answers: Mapping[str, dict[str, Any]]) -> list[str]:
        """What answers should not be; a service may be off for a method that was answered OK before."""
        found = []
        allowed = set(row.errors)
        for kind, answer in answers.items():
            told = f"{row.generation} {row.name} by {kind}: {str(answer)[:500]}"
            if answer["status"] == "OK":
                allowed.add("service-off")
            elif answer["code"] not in allowed:
                found.append(f"{told}: an error that the page does not name")
            if kind == "curl":
                found += [f"{told}: {error.message[:300]}" for error in self.schema_errors(row, answer)]
        return found

    def schema_errors(self, row: Method, answer: dict[str, Any]) -> Iterable[Any]:
        one = self.operations["_".join(filter(None, (row.name, row.generation)))]
        schema = one["responses"]["200"]["content"]["application/json"]["schema"]
        return Draft202012Validator(schema | {"components": self.components}).iter_errors(answer)


def like_curl(line: str) -> dict[str, Any]:
    """What curl would be answered, where there is none."""
    words = shlex.split(line)[1:]
    options = {words[i]: words[i + 1] for i in range(len(words) - 1) if words[i] in ("-X", "-H", "-d")}
    url = urlsplit("http://" + next(word for word in words if word.startswith("localhost")))
    name, _, value = options["-H"].partition(": ")
    connection = HTTPConnection("127.0.0.1", url.port or 80, timeout=PATIENCE)
    with contextlib.closing(connection):
        where = f"{url.path}?{url.query}" if url.query else url.path
        connection.request(options.get("-X", "GET"), where, options.get("-d"), {name: value})
        return dict(json.loads(connection.getresponse().read()))
