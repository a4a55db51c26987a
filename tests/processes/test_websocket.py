"""A real daemon and its WebSocket: every printed example, and the example clients as a newcomer runs them."""

import asyncio
import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from twisted.internet.threads import deferToThread
from twisted.trial.unittest import SkipTest, TestCase

from bitdust.cli.lock import running_pid
from bitdust.cli.processes import NO_CUSTOMER, NO_SUPPLIER, QUIET, NodeProcess, wait_for
from bitdust.config.settings import Settings
from tests.api.test_seed_002 import printed

ROOT = Path(__file__).resolve().parents[2]
PYTHON, SCRIPT = ROOT / "examples" / "bitdust_client.py", ROOT / "examples" / "bitdust-client.mjs"
LAST = ("process_restart", "process_stop")
WAITS = ("event_listen", "message_receive")
NOWHERE = {"services/identity-propagate/known-servers": "127.0.0.1:9", "services/entangled-dht/known-nodes": ""}

BROKEN_CONNECTION = """
import asyncio, json, sys
sys.path.insert(0, {folder!r})
from bitdust_client import BitDust

async def main():
    gaps, seen = [], []
    async with BitDust({home!r}, on_gap=gaps.append) as node, BitDust({home!r}) as other:
        async def watch():
            async for event in node.watch("lamp-*"):
                seen.append(event["event_id"])
        watching = asyncio.create_task(watch())
        await asyncio.sleep(0)
        while node._place is None:
            await asyncio.sleep(0.01)
        await other.call("event_send", event_id="lamp-one")
        while not seen:
            await asyncio.sleep(0.01)
        node._socket.close()
        for name in ("lamp-two", "door", "lamp-three"):
            await other.call("event_send", event_id=name)
        while len(seen) < 3:
            await asyncio.sleep(0.01)
        run = node._place[0]
        await other.call("process_restart")
        while not gaps:
            await asyncio.sleep(0.01)
        while "lamp-four" not in seen:
            try:
                await other.call("event_send", event_id="lamp-four")
            except OSError:
                pass
            await asyncio.sleep(0.05)
        watching.cancel()
        print(json.dumps({{"seen": list(dict.fromkeys(seen)), "gap": gaps[0] | {{"run": gaps[0]["run"] == run}}}}))
asyncio.run(main())
"""
BROKEN_CONNECTION_IN_SCRIPT = """
import {{ BitDust, atHome }} from {script!r};
const Plain = globalThis.WebSocket, sockets = [];
globalThis.WebSocket = class extends Plain {{ constructor(...words) {{ super(...words); sockets.push(this); }} }};
const node = new BitDust(atHome({home!r})), other = new BitDust(atHome({home!r}));
const seen = [], gaps = [];
const until = async (ready) => {{ while (!ready()) await new Promise((go) => setTimeout(go, 10)); }};
node.onGap = (gap) => gaps.push(gap);
let run;
await node.watch((event) => {{ seen.push(event.event_id); run = event.run; }}, "lamp-*");
await other.call("event_send", {{ event_id: "lamp-one" }});
await until(() => seen.length);
sockets[0].close();
for (const name of ["lamp-two", "door", "lamp-three"]) await other.call("event_send", {{ event_id: name }});
await until(() => seen.length >= 3);
const before = run;
await other.call("process_restart");
await until(() => gaps.length);
while (!seen.includes("lamp-four")) {{
  await other.call("event_send", {{ event_id: "lamp-four" }}).catch(() => {{}});
  await new Promise((go) => setTimeout(go, 50));
}}
console.log(JSON.stringify({{ seen: [...new Set(seen)], gap: {{ ...gaps[0], run: gaps[0].run === before }} }}));
node.close();
other.close();
"""


def script_command() -> list[str]:
    """How to run JavaScript with a WebSocket here; raises `SkipTest`."""
    node = shutil.which("node")
    if node is None:
        raise SkipTest("this machine has no node")
    for options in ([], ["--experimental-websocket"]):
        command = [node, "--no-warnings", *options]
        asked = subprocess.run([*command, "-e", "process.exit(typeof WebSocket === 'function' ? 0 : 1)"], check=False,
                               capture_output=True)  # fmt: skip
        if asked.returncode == 0:
            return command
    raise SkipTest("this machine's node has no WebSocket: it needs version 22, or 20.10 with --experimental-websocket")


def example_module() -> Any:
    """The Python client."""
    spec = importlib.util.spec_from_file_location("bitdust_client", PYTHON)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


CLOSED_WHILE_OPENING = """
import {{ BitDust }} from {script!r};
const sockets = [];
globalThis.WebSocket = class {{ constructor() {{ sockets.push(this); }} close() {{ this.closed = true; }} }};
const node = new BitDust(() => ({{ port: 1, secret: "x" }}));
const calling = node.call("process_health").catch((error) => error.message);
await new Promise((go) => setTimeout(go, 0));
node.close();
sockets[0].onopen();
console.log(JSON.stringify([await calling, sockets[0].closed === true]));
"""


class ClientAloneTests(TestCase):
    """The example clients, without a node."""

    def test_any_folder(self) -> None:
        """The script is a program from a folder with blanks, and by a link as well."""
        command = script_command()
        folder = Path(self.mktemp()).absolute() / "my 50% files"
        folder.mkdir(parents=True)
        copy, link = folder / SCRIPT.name, folder / "link.mjs"
        shutil.copy(SCRIPT, copy)
        link.symlink_to(copy)
        for path in (copy, link):
            done = subprocess.run([*command, str(path), "--home", str(folder), "health"], capture_output=True,
                                  text=True, check=False, timeout=60)  # fmt: skip
            self.assertEqual((done.returncode, "no node runs in" in done.stderr), (1, True), done)

    def test_closed_while_opening(self) -> None:
        """A script's client that is closed before its connection is open leaves no connection."""
        text = CLOSED_WHILE_OPENING.format(script=SCRIPT.as_uri())
        done = subprocess.run([*script_command(), "--input-type=module", "-e", text], capture_output=True, text=True,
                              check=False, timeout=60)  # fmt: skip
        self.assertEqual(json.loads(done.stdout or "null"), ["the client was closed", True], done.stderr)

    def test_a_model_more_while_coming_back(self) -> None:
        """A model that is asked for while the others are renewed breaks nothing."""
        node = example_module().BitDust(self.mktemp())
        node._models, asked = {"service"}, []

        async def call(method: str, model_name: str, request_all: bool) -> None:
            asked.append(model_name)
            node._models.add("key")

        node.call = call
        asyncio.run(node._renew())
        self.assertEqual(asked, ["service"])


class DaemonCase(TestCase):
    timeout = 120

    def setUp(self) -> None:
        self.node = NodeProcess("node", Path(self.mktemp()).absolute())
        settings = Settings(self.node.home / "config")
        for key, value in (QUIET | NO_CUSTOMER | NO_SUPPLIER | NOWHERE).items():
            settings.set(key, value)
        self.addCleanup(self.node.stop)
        self.node.start()

    def run_command(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, cwd=self.node.home)


class PrintedLinesTests(DaemonCase):
    async def test_every_line_of_seed_002(self) -> None:
        """Every WebSocket line that is printed is answered, as it stands and with a call_id: by that id, with an
        envelope; a method that is not there yet says so, and no line breaks the connection."""
        await deferToThread(lambda: asyncio.run(self.say_all()))

    def lines(self) -> list[tuple[str, str]]:
        """As JavaScript reads the literals: ``\\n`` in one is a line end."""
        rows = [(name, line) for name, line in printed() if line.startswith("websocket.send('")]
        texts = [(name, line.removeprefix("websocket.send('").rpartition("'")[0]) for name, line in rows]
        self.assertEqual(len(texts), 95)
        return [(name, text.replace("\\n", "\n")) for name, text in texts]

    async def say_all(self) -> None:
        lines = self.lines()
        for name, text in [*(line for line in lines if line[0] not in LAST), *(("", last) for last in LAST)]:
            if name:
                self.check(name, await self.say(text), None)
        for number, (name, text) in enumerate(line for line in lines if line[0] not in LAST):
            marked = text.replace("{", f'{{"call_id": {number}, ', 1)
            self.check(name, await self.say(marked, number), number)
        for name in LAST:
            text = dict(lines)[name]
            payload = await self.say(text)
            self.assertEqual(payload["response"]["status"], "OK")
            pid = self.node.pid
            await self.hang_up()
            wait_for(lambda pid=pid, name=name: self.has_changed(pid, name), name)

    def has_changed(self, pid: int, name: str) -> bool:
        if name == "process_restart":
            return self.node.client.call("process_health") is not None and self.forgot()
        return running_pid(self.node.home) is None

    def forgot(self) -> bool:
        return "marker" not in self.node.client.call("events_list")

    socket: Any = None

    async def say(self, text: str, number: int | None = None) -> dict[str, Any]:
        """One line and its answer; what waits for an event gets one."""
        if self.socket is None:
            self.socket = await example_module().BitDust(self.node.home)._connect()
            self.messages = self.socket.__aiter__()
            await self.send_event("marker")
            await self.answer()
        await self.socket.send(1, text.encode())
        if any(f'"{name}"' in text for name in WAITS):
            await self.send_event("x")
        while True:
            payload = await self.answer()
            if payload["call_id"] != "x":
                return payload

    async def send_event(self, name: str) -> None:
        message = {"command": "api_call", "method": "event_send", "kwargs": {"event_id": name}, "call_id": "x"}
        await self.socket.send(1, json.dumps(message).encode())

    async def answer(self) -> dict[str, Any]:
        async with asyncio.timeout(30):
            while True:
                message = json.loads(await anext(self.messages))
                if message["type"] == "api_call":
                    return message["payload"]

    async def hang_up(self) -> None:
        self.socket.close()
        self.socket = None

    def check(self, name: str, payload: dict[str, Any], call_id: Any) -> None:
        response = payload["response"]
        self.assertEqual(payload["call_id"], call_id, name)
        self.assertIn(response["status"], ("OK", "ERROR"), name)
        if response["status"] == "ERROR":
            self.assertTrue(response["code"] and response["errors"][0], name)
            self.assertNotIn(response["code"], ("internal", "bad-argument"), f"{name}: {response}")


class ClientTests(DaemonCase):
    """The clients in ``examples``, as their README tells to run them."""

    def check_command(self, *command: str) -> None:
        """Health, a call, an error, an event, a model, a node that is not there."""
        home = ["--home", str(self.node.home)]
        done = self.run_command(*command, *home, "health")
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "the node is healthy\n", ""))
        done = self.run_command(*command, *home, "call", "config_get", "key=logs/debug-level")
        self.assertIn("logs/debug-level", json.dumps(json.loads(done.stdout)))
        done = self.run_command(*command, *home, "call", "no_such")
        self.assertEqual((done.returncode, done.stdout, done.stderr), (1, "", "method 'no_such' not found\n"))
        watching = subprocess.Popen(
            [*command, *home, "watch", "events", "lamp-*", "--count", "2"], stdout=subprocess.PIPE, text=True
        )
        try:
            wait_for(lambda: self.lamp_is_seen(watching), "the events")
            output, _ = watching.communicate(timeout=30)
        finally:
            watching.kill()
        events = [json.loads(line) for line in output.splitlines()]
        self.assertEqual([event["event_id"] for event in events], ["lamp-on", "lamp-on"])
        self.assertEqual(events[0]["data"], {"room": "hall"})
        done = self.run_command(*command, *home, "watch", "model", "service", "--count", "3")
        self.assertEqual({json.loads(line)["name"] for line in done.stdout.splitlines()}, {"service"})
        done = self.run_command(*command, "--home", "/nonexistent", "health")
        self.assertEqual(done.returncode, 1)
        self.assertIn("bitdust daemon", done.stderr)

    def lamp_is_seen(self, watching: "subprocess.Popen[str]") -> bool:
        self.node.client.call("event_send", event_id="lamp-on", data={"room": "hall"})
        return watching.poll() is not None

    def check_coming_back(self, output: str) -> None:
        found = json.loads(output)
        self.assertEqual(found["seen"], ["lamp-one", "lamp-two", "lamp-three", "lamp-four"])
        self.assertEqual((found["gap"]["reason"], found["gap"]["run"], found["gap"]["to"]), ("restarted", True, None))

    async def test_python(self) -> None:
        """The Python client does what it says with no package but the standard library; it misses nothing while its
        connection is broken, and says what it missed when the node was restarted."""
        await deferToThread(self.check_command, sys.executable, "-I", str(PYTHON))
        program = BROKEN_CONNECTION.format(folder=str(PYTHON.parent), home=str(self.node.home))
        done = await deferToThread(self.run_command, sys.executable, "-I", "-c", program)
        self.assertEqual(done.stderr, "")
        self.check_coming_back(done.stdout)

    async def test_javascript(self) -> None:
        """The JavaScript client does the same."""
        await deferToThread(self.check_command, *script_command(), str(SCRIPT))
        program = BROKEN_CONNECTION_IN_SCRIPT.format(script=str(SCRIPT), home=str(self.node.home))
        path = self.node.home / "come-back.mjs"
        path.write_text(program)
        done = await deferToThread(self.run_command, *script_command(), str(path))
        self.assertEqual(done.stderr, "")
        self.check_coming_back(done.stdout)
