"""Three peers of one folder, for `benchmarks.sync`: who changes it, who has it too, and a keeper who cannot."""

import json
import os
import re
import socket
import sqlite3
import subprocess
from pathlib import Path
from typing import Any, Protocol
from urllib.request import Request, urlopen

from bitdust.cli.processes import NO_CUSTOMER, NO_SUPPLIER, QUIET, NodeProcess, wait_for
from bitdust.folders.secrets import parse

NOWHERE = {"services/identity-propagate/known-servers": "127.0.0.1:9", "services/entangled-dht/known-nodes": ""}
ALONE = {"use_dht": 0, "use_tracker": 0, "search_lan": 0, "use_relay_server": 0}
"""Peers are reached by their addresses: the second and the third know the first one, and not each other."""


class Trio(Protocol):
    """What is measured: changes are made in ``source``, and are to be in ``target`` and at a keeper."""

    name: str
    source: Path
    target: Path

    def pids(self) -> list[int]:
        """Processes of the first, the second, and the keeper."""

    def moved(self) -> tuple[int, int]:
        """Bytes that have gone both ways between the first and the second, and between the first and the keeper."""

    def is_kept(self) -> bool:
        """Whether the keeper holds all that the first one has."""

    def rescan(self) -> None:
        """Have the first one compare all of it; returns when it has."""

    def close(self) -> None:
        """End everything."""


class Ours:
    """Three daemons of this tree."""

    name = "BitDust"

    def __init__(self, base: Path, settings: dict[str, str]) -> None:
        self._base = base
        self._nodes: list[NodeProcess] = []
        self._settings = settings
        first, *others = (self._node(name) for name in ("first", "second", "keeper"))
        self.source, self.target = self._folder(first), self._folder(others[0])
        self._id = self._folder_of(first, None)
        secrets = first.client.call("folder_secrets", folder=self._id)
        address = wait_for(lambda: first.client.call("network_status", tcp="1")["tcp"]["port"], "a port")
        for node, name in zip(others, ("read_write", "encryption"), strict=True):
            self._folder_of(node, secrets[name])
            node.client.call(
                "folder_preferences_set",
                folder=self._id,
                preferences=ALONE | {"use_hosts": 1},
                hosts=[f"127.0.0.1:{address}"],
            )
        ident = parse(secrets["read_write"]).folder_id.hex()[:32]
        self._journals = [node.home / "folders" / ident / "journal.db" for node in self._nodes]
        wait_for(lambda: first.client.call("folder_info", folder=self._id)["peers"] == 2, "both peers")

    def _node(self, name: str) -> NodeProcess:
        node = NodeProcess(name, self._base / name)
        node.configure(QUIET | NOWHERE | NO_CUSTOMER | NO_SUPPLIER | self._settings)
        node.start()
        self._nodes.append(node)
        return node

    def _folder(self, node: NodeProcess) -> Path:
        return self._base / f"{node.name}-folder"

    def _folder_of(self, node: NodeProcess, secret: str | None) -> str:
        folder = self._folder(node)
        folder.mkdir()
        kind: dict[str, Any] = {"secret": secret} if secret else {"encrypted": True}
        ident: str = node.client.call("folder_add", directory=str(folder), **kind)["id"]
        if not secret:
            node.client.call("folder_preferences_set", folder=ident, preferences=ALONE)
        return ident

    def pids(self) -> list[int]:
        return [node.pid for node in self._nodes]

    def moved(self) -> tuple[int, int]:
        plain, kept = (node.client.call("packets_stats") for node in self._nodes[1:])
        return plain["in"]["bytes"] + plain["out"]["bytes"], kept["in"]["bytes"] + kept["out"]["bytes"]

    def is_kept(self) -> bool:
        missing = _one(self._journals[2], "SELECT count(*) FROM pieces WHERE name NOT IN (SELECT name FROM kept)")
        heads = [_one(path, "SELECT value FROM meta WHERE name='digest'") for path in self._journals]
        return bool(missing == 0 and heads[0] == heads[2])

    def rescan(self) -> None:
        self._nodes[0].client.call("folder_rescan", folder=self._id)

    def close(self) -> None:
        for node in self._nodes:
            node.stop()


def _one(database: Path, question: str) -> Any:
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=10)
    try:
        row = connection.execute(question).fetchone()
    finally:
        connection.close()
    return row[0] if row else None


class Syncthing:
    """Three Syncthings as installed, asked over their REST interface: a black box."""

    name = "Syncthing"
    WATCH = 1
    """Seconds that it waits after a change; it comes with 10."""

    def __init__(self, base: Path, program: str) -> None:
        self._program = program
        self._base = base
        self._running: list[subprocess.Popen[bytes]] = []
        self._apis: list[tuple[int, str]] = []
        self._ids: list[str] = []
        self._ports = _free_ports(6)
        self.source, self.target = base / "first-folder", base / "second-folder"
        for number, name in enumerate(("first", "second", "keeper")):
            self._begin(number, base / name)
        for number in range(3):
            self._introduce(number)
        wait_for(lambda: sum(one["connected"] for one in self._connections(0).values()) == 2, "both peers", 60)
        (self.source / "begin").write_bytes(b"a file")  # a keeper's key takes its time to be made
        wait_for(lambda: self._ask(2, "db/status?folder=bench")["globalFiles"] == 1, "the keeper", 300)

    def _begin(self, number: int, home: Path) -> None:
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        generate = [self._program, "generate", "--home", str(home), "--no-default-folder"]
        subprocess.run(generate, check=True, **quiet)  # type: ignore[call-overload]
        key = re.search(r"<apikey>(.+?)</apikey>", (home / "config.xml").read_text())
        assert key is not None
        gui = f"--gui-address=http://127.0.0.1:{self._ports[number]}"
        environment = os.environ | {"STNODEFAULTFOLDER": "1", "STNOUPGRADE": "1"}
        command = [self._program, "serve", "--home", str(home), "--no-browser", "--no-restart", gui]
        self._running.append(subprocess.Popen(command, env=environment, **quiet))  # type: ignore[call-overload]
        self._apis.append((self._ports[number], key[1]))
        self._ids.append(wait_for(lambda: self._ask(number, "system/status")["myID"], "Syncthing", 60))

    def _ask(self, number: int, path: str, value: Any = None, method: str = "GET") -> Any:
        port, key = self._apis[number]
        data = json.dumps(value).encode() if value is not None else b"" if method == "POST" else None
        headers = {"X-API-Key": key, "Content-Type": "application/json"}
        request = Request(f"http://127.0.0.1:{port}/rest/{path}", data, headers, method=method)  # noqa: S310
        with urlopen(request, timeout=600) as answer:  # noqa: S310
            text = answer.read()
        return json.loads(text) if text else None

    def _introduce(self, number: int) -> None:
        off = dict.fromkeys(("globalAnnounceEnabled", "localAnnounceEnabled", "relaysEnabled", "natEnabled"), False)
        listen = [f"tcp://127.0.0.1:{self._ports[3 + number]}"]
        options = off | {"listenAddresses": listen, "urAccepted": -1, "crashReportingEnabled": False}
        self._ask(number, "config/options", options, "PATCH")
        others = [other for other in range(3) if other != number and 0 in (number, other)]
        for other in others:
            address = f"tcp://127.0.0.1:{self._ports[3 + other]}"
            self._ask(number, "config/devices", {"deviceID": self._ids[other], "addresses": [address]}, "POST")
        folder = self._base / f"{('first', 'second', 'keeper')[number]}-folder"
        folder.mkdir()
        secret = {2: {"encryptionPassword": "benchmark"}} if number == 0 else {}
        devices = [{"deviceID": self._ids[other], **secret.get(other, {})} for other in others]
        kind = "receiveencrypted" if number == 2 else "sendreceive"
        row = {"id": "bench", "path": str(folder), "type": kind, "devices": devices, "fsWatcherDelayS": self.WATCH}
        self._ask(number, "config/folders", row, "POST")

    def _connections(self, number: int) -> dict[str, Any]:
        found: dict[str, Any] = self._ask(number, "system/connections")["connections"]
        return found

    def pids(self) -> list[int]:
        parents = [process.pid for process in self._running]
        return parents + [child for pid in parents for child in _children(pid)]

    def moved(self) -> tuple[int, int]:
        sums = [self._ask(number, "system/connections")["total"] for number in (1, 2)]
        plain, kept = (one["inBytesTotal"] + one["outBytesTotal"] for one in sums)
        return plain, kept

    def is_kept(self) -> bool:
        found = self._ask(0, f"db/completion?folder=bench&device={self._ids[2]}")
        return bool(found["completion"] == 100 and not found["needDeletes"])

    def rescan(self) -> None:
        self._ask(0, "db/scan?folder=bench", method="POST")

    def close(self) -> None:
        for number, process in enumerate(self._running):
            self._ask(number, "system/shutdown", method="POST")
            process.wait(60)


def _children(pid: int) -> list[int]:
    """Of all its threads: a Go program begins processes in any of them."""
    return [int(word) for path in Path(f"/proc/{pid}/task").glob("*/children") for word in path.read_text().split()]


def _free_ports(count: int) -> list[int]:
    found = [socket.socket() for _ in range(count)]
    try:
        for one in found:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in found]
    finally:
        for one in found:
            one.close()
