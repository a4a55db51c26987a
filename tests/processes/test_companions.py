"""An app with a real WebSocket, a router and a node at home: three processes on loopback."""

import contextlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from twisted.internet import reactor
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from bitdust.cli.processes import NO_CUSTOMER, NO_SUPPLIER, NodeProcess, wait_for
from bitdust.testing.apps import App
from tests.app_kit import app_factory
from tests.processes.test_main_job import ProcessTests

ROUTER = {
    "services/web-socket-router/enabled": "true",
    "services/web-socket-router/port": "0",
    "services/web-socket-router/host": "",
}


EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "bitdust_device.py"


class PhoneTests(ProcessTests, TestCase):
    timeout = 300
    def person(self, name: str, **settings: str) -> NodeProcess:
        node = self.network.node(name)
        self.network.others.append(node)
        node.configure(self.network.joining | NO_CUSTOMER | NO_SUPPLIER | settings)
        node.start()
        node.become(name)
        return node

    def begin(self) -> str:
        """Both nodes are there, and the phone has a way through the router; its address."""
        router = self.person("router", **ROUTER)
        router.wait_for_service("web_socket_router")
        idurl = router.client.call("identity_get")["idurl"]
        self.alice = self.person("alice", **{"services/web-socket-communicator/preferred-routers": idurl})
        self.alice.wait_for_service("nodes_lookup")
        self.alice.cli("device", "add", "routed", "phone")
        return str(wait_for(lambda: self.instance()["connected_routers"], "a way")[0])

    def instance(self) -> dict[str, Any]:
        return dict(self.alice.client.call("device_info", name="phone")["instance"] or {"connected_routers": []})

    def again(self) -> None:
        """The node's process is gone without a word, and the next one has the way again."""
        self.alice.kill()
        self.alice.start()
        wait_for(lambda: self.instance()["connected_routers"], "the way")

    async def until(self, condition: Any) -> None:
        while not condition():
            await deferLater(reactor, 0.02)

    async def connect(self, url: str) -> Any:
        factory = app_factory(self.app, url, reactor)
        where = urlsplit(url)
        await TCP4ClientEndpoint(reactor, where.hostname, where.port).connect(factory)
        await factory.opened
        self.addCleanup(self.until, lambda: factory.closed)
        return factory

    async def asks(self, url: str) -> Any:
        """The phone comes back and is answered."""
        factory = await self.connect(url)
        self.app.heard.clear()
        self.app.resume()
        await self.until(lambda: self.app.agreed is not None)
        self.app.call("process_health")
        await self.until(self.app.answer)
        self.assertEqual(self.app.answer()["status"], "OK")
        return factory

    async def test_a_phone(self) -> None:
        """It is let in by codes, comes back after its node was killed, and is shut out by a command."""
        self.app = App(os.urandom)
        url = await deferToThread(self.begin)
        first = await self.connect(url)
        self.app.pair()
        await self.until(lambda: self.app.codes)
        shown = await deferToThread(self.instance)
        self.app.type_code(shown["server_code"])
        ready = lambda: self.instance()["state"] == "CLIENT_CODE?"  # noqa: E731
        await deferToThread(wait_for, ready, "the code of the phone")
        given = {"name": "phone", "client_code": self.app.codes.device}
        words = [f"{name}={value}" for name, value in given.items()]
        await deferToThread(self.alice.cli, "api", "device_authorization_client_code", *words)
        await self.until(lambda: first.closed)
        self.assertTrue(self.app.authorized)
        second = await self.asks(url)
        await deferToThread(self.again)
        await self.until(lambda: second.closed)
        third = await self.asks(url)
        await deferToThread(self.run_example)
        await deferToThread(self.alice.cli, "device", "stop", "phone")
        await self.until(lambda: third.closed)
        self.assertEqual(third.closed[0][0], 4003, third.closed)

    def run_example(self) -> None:
        """The example client is let in by codes and without them, asks, and is shut out."""
        self.keys = Path(self.mktemp()).absolute()
        self.alice.cli("device", "add", "direct", "tablet")
        info = lambda: self.alice.client.call("device_info", name="tablet")  # noqa: E731
        with self.example("pair", info()["url"]) as pairing:
            code = pairing.stdout.readline().split()[-1]
            pairing.stdin.write(f"nonsense\n{info()['instance']['server_code']}\n")
            pairing.stdin.flush()
            wait_for(lambda: info()["instance"]["state"] == "CLIENT_CODE?", "the code of the tablet")
            self.alice.client.call("device_authorization_client_code", name="tablet", client_code=code)
            self.assertIn("let in", pairing.communicate()[0])
        for is_last in (False, True):
            with self.example("call", "identity_get") as asking:
                self.assertIn("alice@", asking.communicate()[0])
            self.assertEqual(self.keys.stat().st_mode & 0o777, 0o600)
            with self.example("call", "config_set", "key=logs/debug-level", "value=1") as refused:
                self.assertIn("on the machine of the node alone", refused.communicate()[0])
            self.alice.cli("device", "stop", "tablet")
            with self.example("call", "identity_get") as refused:
                self.assertIn("the node was not found", refused.communicate()[0])
            if not is_last:
                line = self.alice.cli("device", "generate-client-code", "tablet")
                with self.example("take") as taking:
                    self.assertIn("let in", taking.communicate(line)[0])

    @contextlib.contextmanager
    def example(self, *words: str) -> Any:
        command = [sys.executable, str(EXAMPLE), "--keys", str(self.keys), *words]
        ends = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        with subprocess.Popen(command, **ends) as process:
            yield process
