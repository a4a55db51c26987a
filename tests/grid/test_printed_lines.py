"""Every curl line that seed 002 prints, sent as it stands to a whole node among suppliers."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from bitdust.api.methods import TABLE
from bitdust.testing.grid import Grid, GridNode
from tests.api.test_seed_002 import NOT_YET, SLIPS, parse_curl, printed

PORT = 8180
LAST = ("process_stop", "process_restart", "identity_erase")
"""They end the node: one of them each on a node of its own."""
WAITS_FOREVER = {"event_listen": "client-event-abc"}
"""A long poll, and the event that ends it."""
REFUSALS = {
    "not-found", "key-not-found", "service-off", "identity-exists", "network-error", "no-terminal", "no-id-server",
    "no-conversation",
}  # fmt: skip
"""What a node may answer to lines about people and files that it does not have."""


class Collector(Protocol):
    """Gathers what the node sends until it closes the connection."""

    def __init__(self) -> None:
        self.data = b""
        self.done: Deferred[bytes] = Deferred()

    def dataReceived(self, data: bytes) -> None:
        self.data += data

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.done.callback(self.data)


class PrintedLinesTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.grid = Grid(Path(self.mktemp()))
        self.addCleanup(self.grid.stop)
        seed = self.grid.add("seed", **{
            "services/identity-server/enabled": True, "services/identity-server/host": "10.0.0.1",
            "services/identity-server/web-port": 8084, "services/customer/enabled": False,
            "services/supplier/enabled": False,
        })  # fmt: skip
        seed.start()
        for number in (1, 2):
            self.add(f"supplier-{number}", **{"services/customer/enabled": False})

    def add(self, name: str, **settings: Any) -> GridNode:
        small = {"services/customer/suppliers-number": 2, "services/customer/needed-space": "32 MB"}
        node = self.grid.add(name, **small | settings)
        node.start()
        node.create_identity()
        return node

    def alice(self, name: str) -> GridNode:
        """A customer whose API is up and whose storage is ready."""
        node = self.add(name, **{"services/supplier/enabled": False})
        self.grid.wait(Deferred.fromCoroutine(node.node.api.start()))
        self.grid.until(lambda: node.is_on("my_data"), 300, "the storage")
        return node

    def connect(self, node: GridNode, verb: str, path: str, arguments: dict[str, Any]) -> "Deferred[bytes]":
        """Send one request as curl would; fires with all that came."""
        query = "&".join(f"{name}={quote(str(value), safe='$@:/')}" for name, value in arguments.items())
        in_path = verb == "GET" and query
        body = b"" if verb == "GET" or not arguments else json.dumps(arguments).encode()
        request = [
            f"{verb} {path}{'?' + query if in_path else ''} HTTP/1.1", f"Host: localhost:{PORT}",
            f"api_secret: {(node.home / 'apisecret').read_text()}", "User-Agent: curl/8.5.0", "Accept: */*",
            f"Content-Length: {len(body)}", "Connection: close", "", "",
        ]  # fmt: skip
        endpoint = node.node.world.network.client("127.0.0.1", node.node.api.ports["rest"])
        collector = Collector()
        connecting = endpoint.connect(Factory.forProtocol(lambda: collector))
        self.grid.wait(connecting)
        assert collector.transport is not None
        collector.transport.write("\r\n".join(request).encode() + body)
        return collector.done

    def answer(self, data: bytes) -> tuple[int, dict[str, Any]]:
        head, _, body = data.partition(b"\r\n\r\n")
        return int(head.split()[1]), json.loads(body)

    def run_line(self, node: GridNode, name: str, line: str) -> tuple[int, dict[str, Any]]:
        waiting = self.connect(node, *parse_curl(line))
        if name in WAITS_FOREVER:
            self.grid.run(1)
            node.node.events.send(WAITS_FOREVER[name], {})
        return self.answer(self.grid.wait(waiting, 300))

    def test_every_curl_line(self) -> None:
        """A line of a method that is due gets an envelope: OK, or a refusal that says why; others are not found."""
        node = self.alice("alice")
        seen, key_file = 0, Path(self.mktemp()).absolute()
        for name, line in printed():
            if not line.startswith("curl ") or name in LAST:
                continue
            status, answer = self.run_line(node, name, line.replace("/tmp/alice_backup.key", str(key_file)))
            if name in NOT_YET:
                self.assertEqual((status, answer["status"]), (404, "ERROR"), line)
                continue
            self.assertEqual(status, 200, (line, answer))
            if answer["status"] != "OK":
                self.assertIn(answer["code"], REFUSALS, (line, answer))
                self.assertTrue(answer["errors"][0], line)
            seen += 1
        due = [line for name, line in printed() if line.startswith("curl ") and name not in NOT_YET]
        self.assertEqual(seen + len(LAST), len(due))
        self.assertTrue(key_file.exists())
        self.assertEqual({name for name in SLIPS if TABLE.named(name) is None}, set())

    def test_lines_that_end_the_node(self) -> None:
        """Stop, restart and erase answer first, and then the process ends as each says."""
        for number, name in enumerate(LAST):
            node = self.alice(f"alice-{number}")
            stopped: list[int] = []
            node.node.stopped.connect(lambda node=node, stopped=stopped: stopped.append(node.node.exit_code))
            line = next(line for method, line in printed() if method == name and line.startswith("curl "))
            status, answer = self.run_line(node, name, line)
            self.assertEqual((status, answer["status"]), (200, "OK"), answer)
            self.grid.until(lambda stopped=stopped: stopped, 60, "the end")
            self.assertEqual(stopped, [0 if name == "process_stop" else 100])
            self.grid.nodes.remove(node)
