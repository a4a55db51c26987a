"""No secret in a log, a command line or an environment: a real node, every log on, every method that takes a secret."""

import base64
import json
import os
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from bitdust.api.methods import TABLE
from bitdust.cli import daemon
from bitdust.cli.client import ApiError
from bitdust.cli.processes import NO_CUSTOMER, NO_SUPPLIER, ProcessNetwork

WORDS = ("correct", "wrong", "lock", "proxy", "web")
BACKUP, WRONG, LOCK, PROXY, SOCKET = (f"{word} horse 7f3a{word}" for word in WORDS)
LOGS = {
    "logs/debug-level": "100",
    "logs/api-enabled": "true",
    "logs/packet-enabled": "true",
    "logs/automat-events-enabled": "true",
    "logs/automat-transitions-enabled": "true",
}


class SecretsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.base = Path(tempfile.mkdtemp(prefix="bitdust-test-"))
        self.addCleanup(shutil.rmtree, self.base, ignore_errors=True)
        self.patch(daemon, "subprocess", subprocess)  # it has a command line of its own, which is looked at
        network = ProcessNetwork(self.base)
        self.addCleanup(network.close)
        network.start_seed()
        self.node = network.node("alice")
        network.others.append(self.node)
        self.node.configure(network.joining | NO_CUSTOMER | NO_SUPPLIER | LOGS)
        self.node.start()
        self.asked: set[str] = set()
        self.secrets = {(self.node.home / "apisecret").read_text()}

    def ask(self, method: str, **arguments: Any) -> Any:
        """Failures are part of it: they are where a secret may slip into a text."""
        self.asked.add(method)
        try:
            return self.node.client.call(method, **arguments)
        except ApiError as error:
            return error.envelope

    def pem(self, text: str) -> str:
        """Notes the lines of a private key."""
        self.secrets |= {line for line in text.splitlines() if len(line) > 40 and "-----" not in line}
        return text

    def test_nowhere(self) -> None:
        """After all of it, no file of the logs, no command line and no environment holds one of the secrets."""
        self.use_rest()
        self.use_sockets()
        taking = {row.name for row in TABLE if any(param.secret for param in row.params)}
        self.assertEqual(taking - self.asked, set(), "a method that takes a secret is not tried here")
        process = Path(f"/proc/{self.node.pid}")
        self.check("command line", (process / "cmdline").read_bytes())
        self.check("environment", (process / "environ").read_bytes())
        self.node.stop()
        logs = list((self.node.home / "logs").iterdir())
        names = {path.name for path in logs}
        self.assertLessEqual({"stdout.log", "event.log", "api.log", "automats.log"}, names)
        self.assertEqual([name for name in names if name.startswith("exception_")], [])
        self.assertIn(b"identity_unlock", (self.node.home / "logs" / "api.log").read_bytes())
        for path in logs:
            self.check(path.name, path.read_bytes())

    def use_rest(self) -> None:
        """Good and wrong ones, in every method."""
        self.ask("identity_create", username="alice")
        metadata, copy = self.node.home / "metadata", str(self.base / "alice.key")
        self.pem((metadata / "mykeyfile").read_text())
        self.secrets |= {BACKUP, WRONG, LOCK, PROXY, SOCKET, (metadata / "devicekey").read_text().strip()}
        self.ask("identity_backup", destination_filepath=copy, passphrase=BACKUP)
        plain = self.pem(self.ask("identity_backup")["result"])
        for source in (plain, Path(copy).read_text(), plain[:900]):
            for passphrase in (BACKUP, WRONG, [LOCK], None):
                self.ask("identity_backup_check", private_key_source=source, passphrase=passphrase)
                self.ask("identity_recover", private_key_source=source, passphrase=passphrase)
                self.ask("identity_attach", private_key_source=source, passphrase=passphrase)
                self.ask("identity_device_revoke", device="0", private_key_source=source, passphrase=passphrase)
        for passphrase in (WRONG, BACKUP):
            self.ask("identity_detach", source_filepath=copy, passphrase=passphrase)
        self.ask("identity_attach", private_key_source=plain, permanently=True)
        self.ask("config_set", key="services/network/proxy/password", value=PROXY)
        self.ask("config_get", key="services/network/proxy/password")
        self.pem(self.ask("key_get", key_id="master", include_private=True)["private"])
        self.ask("keys_list", include_private=True)
        self.pem(str(self.ask("key_create", key_alias="garden", include_private=True).get("private")))
        self.folders()
        self.ask("no_such_method", passphrase=BACKUP)
        self.ask("identity_lock", passphrase="short")
        self.ask("identity_lock", passphrase=LOCK)
        self.ask("identity_unlock", passphrase=WRONG)
        self.ask("identity_unlock", passphrase=LOCK, permanently=True, unknown=LOCK)
        self.raw_rest(b'{"passphrase": "' + BACKUP.encode() + b'", no JSON')

    def folders(self) -> None:
        """A folder that is made, and added by its secret, and by what is none."""
        (photos := self.base / "photos").mkdir()
        made = self.ask("folder_add", directory=str(photos))["id"]
        secrets = self.ask("folder_secrets", folder=made)
        self.secrets |= set(secrets.values())
        self.ask("folder_remove", folder=made)
        for secret in (WRONG, *secrets.values()):
            self.ask("folder_add", directory=str(photos), secret=secret)

    def raw_rest(self, body: bytes) -> None:
        """A body that is no JSON, and the secret in a place where it does not belong."""
        secret = (self.node.home / "apisecret").read_text()
        head = f"POST /identity/lock/v1?api_secret={secret} HTTP/1.1\r\nHost: localhost\r\napi_secret: {secret}\r\n"
        self.exchange("rest", f"{head}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body)

    def use_sockets(self) -> None:
        """The API's secret in the URL, both names of it, right and wrong, and tickets; passphrases in messages."""
        secret = (self.node.home / "apisecret").read_text()
        wrong = WRONG.replace(" ", "+")
        tickets = [self.ask("websocket_ticket")["ticket"] for _ in range(2)]
        self.secrets |= set(tickets)
        shown = [f"ticket={ticket}" for ticket in (tickets[0], tickets[0], tickets[1] + "x")]
        for query in (f"api_secret={secret}", f"a={secret}", f"a={wrong}", f"api_secret={secret}&a=x", *shown):
            key = base64.b64encode(os.urandom(16)).decode()
            head = (
                f"GET /?{query} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n"
            )
            unlock = {"command": "api_call", "method": "identity_unlock", "call_id": SOCKET}
            calls = [
                unlock | {"kwargs": {"passphrase": SOCKET}},
                unlock | {"kwargs": {"passphrase": {"is": SOCKET}}},
                {"command": "no such command", "passphrase": SOCKET},
            ]
            messages = b"".join(frame(json.dumps(call)) for call in calls)
            self.exchange("websocket", head.encode() + messages + frame("", 8))

    def exchange(self, name: str, data: bytes) -> bytes:
        port = json.loads((self.node.home / "metadata" / "apiports").read_text())[name]
        with socket.create_connection(("127.0.0.1", port), 10) as connection:
            connection.sendall(data)
            answer = b""
            while part := connection.recv(65536):
                answer += part
            return answer

    def check(self, where: str, data: bytes) -> None:
        for secret in self.secrets:
            self.assertGreaterEqual(len(secret), 16)
            self.assertNotIn(secret.encode(), data, where)


def frame(text: str, opcode: int = 1) -> bytes:
    """A masked WebSocket frame (RFC 6455, 5.2) of less than 64 KiB; the mask is zero."""
    data = text.encode()
    size = bytes([0x80 | len(data)]) if len(data) < 126 else b"\xfe" + len(data).to_bytes(2, "big")
    return bytes([0x80 | opcode]) + size + bytes(4) + data
