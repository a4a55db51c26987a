"""Real nodes that are told to stop in the middle of everything: they end by themselves, and the next start goes on."""

import contextlib
import json
import os
import signal
import socket
import time
from collections.abc import Iterator

from bitdust.cli.processes import NodeProcess, wait_for
from tests.processes.test_main_job import ProcessTests

MB = 1_000_000
PATIENCE = 9.0
"""The node's own limit is five seconds; this machine may be busy with other things."""


def open_calls(node: NodeProcess, polls: int = 25, sockets: int = 25) -> list[socket.socket]:
    """Long polls, and WebSockets of which each has a call that waits; none of them reads what it is sent."""
    ports = json.loads((node.home / "metadata" / "apiports").read_text())
    secret = (node.home / "apisecret").read_text().strip()
    opened = []
    for number in range(polls):
        poll = socket.create_connection(("127.0.0.1", ports["rest"]))
        poll.sendall(
            f"GET /event/listen/poll-{number}/v1 HTTP/1.1\r\nHost: localhost\r\nApi-Secret: {secret}\r\n\r\n".encode()
        )
        opened.append(poll)
    for _ in range(sockets):
        web = socket.create_connection(("127.0.0.1", ports["websocket"]))
        web.sendall(
            f"GET /?api_secret={secret} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        assert b" 101 " in web.recv(1000)
        opened.append(web)
    return opened


@contextlib.contextmanager
def frozen(node: NodeProcess) -> Iterator[None]:
    """A peer that says nothing any more and holds its connections."""
    os.kill(node.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(node.pid, signal.SIGCONT)


class CleanStopTests(ProcessTests):
    def setUp(self) -> None:
        super().setUp()
        self.network.add_suppliers(2)
        self.node = self.network.add_customer("alice", 2)
        self.local = self.base / "large.bin"
        self.local.write_bytes(os.urandom(12 * MB))

    def limit(self, way: str, rate: int) -> None:
        self.node.client.call("config_set", key=f"services/network/{way}-limit", value=rate)

    def gone(self, node: NodeProcess, pid: int) -> None:
        """The process ends by itself, in time, without an error and without being hurried."""
        began = time.monotonic()
        wait_for(lambda: node.pid != pid, f"the end of {node.name}", PATIENCE)
        self.assertLess(time.monotonic() - began, PATIENCE)
        self.assertEqual(list((node.home / "logs").glob("exception_*")), [])
        self.assertFalse((node.home / "metadata" / "apiports").exists())

    def reliable(self, path: str) -> str:
        versions = self.node.client.call("file_info", remote_path=path)["versions"]
        return str(versions[-1]["reliable"]) if versions else ""

    def stats(self, way: str) -> int:
        return int(self.node.client.call("packets_stats")[way]["bytes"])

    def test_stops_in_the_middle_of_everything(self) -> None:
        """SIGTERM during an upload with a frozen supplier and 50 open calls, process_stop during a download,
        `bitdust stop` of a supplier: each ends in order, the upload and the download come to their ends later."""
        node, (first, second) = self.node, self.network.suppliers
        node.client.call("file_create", remote_path="large.bin")
        self.limit("send", 2 * MB)
        node.client.call("file_upload_start", local_path=str(self.local), remote_path="large.bin")
        wait_for(lambda: self.stats("out") > 3 * MB, "the middle of the upload")
        calls = open_calls(node)
        pid = node.pid
        with frozen(first):
            os.kill(pid, signal.SIGTERM)
            self.gone(node, pid)
        for call in calls:
            call.close()
        pid = second.pid
        second.stop()
        self.gone(second, pid)
        second.start()

        node.cli("set", "services/network/send-limit", "0")
        node.start()
        wait_for(lambda: self.reliable("large.bin") == "100%", "the end of the upload")

        self.limit("receive", 2 * MB)
        target = self.base / "back"
        before = self.stats("in")
        node.client.call("file_download_start", remote_path="large.bin", destination_path=str(target))
        wait_for(lambda: self.stats("in") > before + 3 * MB, "the middle of the download")
        pid = node.pid
        node.client.call("process_stop")
        self.gone(node, pid)
        self.assertFalse((target / "large.bin").exists())
        node.cli("set", "services/network/receive-limit", "0")
        node.start()
        wait_for((target / "large.bin").exists, "the end of the download")
        self.assertEqual((target / "large.bin").read_bytes(), self.local.read_bytes())
