"""A private network of real daemons on this machine, as the demo, the benchmarks and the process tests use it.

Everything goes through the command line and the public API, as any user would do it; a daemon begins and ends by what
the commands for that do, without a process of their own for each.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from attrs import define, field

from bitdust.cli.client import ApiClient, ApiError
from bitdust.cli.daemon import end_process, launch
from bitdust.cli.lock import running_pid
from bitdust.cli.main import home_of
from bitdust.cli.reminder import SILENCE
from bitdust.config.settings import Settings

PATIENCE = 90.0
QUIET = {
    "services/network/interface": "127.0.0.1",
    "services/tcp-connections/tcp-port": "0",
    "services/udp-datagrams/udp-port": "0",
    "services/entangled-dht/udp-port": "0",
    "interface/api/rest-http-port": "0",
    "interface/api/web-socket-port": "0",
    "paths/disk-reserve-percent": "0",
}
"""Loopback only, every port chosen by the system, and no care for how full this machine's disk is already."""
NO_CUSTOMER = {"services/customer/enabled": "false"}
NO_SUPPLIER = {"services/supplier/enabled": "false"}
IDENTITY_SERVER = {
    "services/identity-server/enabled": "true",
    "services/identity-server/host": "127.0.0.1",
    "services/identity-server/web-port": "0",
}


class StepFailed(Exception):
    """A step did not come to its end; the text says which and why."""


@define
class NodeProcess:
    """One daemon with a home of its own."""

    name: str
    home: Path
    client: ApiClient = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.client = ApiClient(self.home, timeout=900)

    def cli(self, *words: str, show: bool = False) -> str:
        """Run ``bitdust`` on this home; what it prints, or shown as it comes."""
        if show:
            shown = " ".join(words)
            print(f"$ bitdust --appdir {self.home} {shown}", flush=True)
        done = subprocess.run(
            [sys.executable, "-m", "bitdust", "--appdir", str(self.home), *words],
            stdin=subprocess.DEVNULL,
            stdout=None if show else subprocess.PIPE,
            stderr=None if show else subprocess.STDOUT,
            check=False,
            env=os.environ | {SILENCE: "1"},
        )
        output = (done.stdout or b"").decode(errors="replace")
        if done.returncode:
            raise StepFailed(f"{self.name}: bitdust {' '.join(words)} ended with {done.returncode}\n{output}")
        return output

    def configure(self, values: Mapping[str, str]) -> None:
        """Write settings before the daemon runs, as ``bitdust set`` does."""
        settings = Settings(self.home / "config")
        for key, value in values.items():
            settings.set(key, value)

    def start(self) -> None:
        """Start the daemon, as `bitdust daemon` does, and wait until its API answers."""
        if running_pid(home_of(self.home)) is None:
            try:
                launch(self.home)
            except ApiError as error:
                if error.code != "slow-start":  # a busy machine is no failure: its API is waited for below
                    raise StepFailed(f"{self.name} did not start: {error}") from error
        wait_for(lambda: self.client.call("process_health") is not None, f"the API of {self.name}")

    def become(self, name: str) -> None:
        """Create an identity."""
        try:
            self.client.call("identity_create", username=name)
        except ApiError as error:
            raise StepFailed(f"{self.name} got no identity: {error}") from error

    def wait_for_service(self, name: str, patience: float = PATIENCE) -> None:
        """Wait until a service works; the error tells why it does not."""
        try:
            wait_for(lambda: self.service(name)["state"] == "ON", f"service_{name} of {self.name}", patience)
        except StepFailed as error:
            rows = self.client.call("services_list")
            off = [f"{row['name']} {row['state']}: {row['reason']}" for row in rows if row["state"] != "ON"]
            raise StepFailed(f"{error}\n  " + "\n  ".join(off)) from error

    def service(self, name: str) -> dict[str, Any]:
        """What `service_info` says."""
        info: dict[str, Any] = self.client.call("service_info", service_name=f"service_{name}")
        return info

    @property
    def pid(self) -> int:
        """The daemon's process id, 0 when there is none."""
        try:
            return int((self.home / "processid").read_text())
        except (OSError, ValueError):
            return 0

    def kill(self) -> None:
        """End the daemon without warning."""
        pid = self.pid
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        # The first of its threads may be gone while others still hold the home.
        home = home_of(self.home)
        wait_for(lambda: not _alive(pid) and running_pid(home) != pid, f"the end of {self.name}")

    def stop(self) -> None:
        """End the daemon as a user would."""
        if _alive(self.pid):
            self.cli("stop")


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, PermissionError):
        return False
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_for(ready: Callable[[], Any], what: str, patience: float = PATIENCE) -> Any:
    """Ask again until there is an answer that counts; raises `StepFailed` when patience (seconds) ends."""
    deadline = time.monotonic() + patience
    last = ""
    while time.monotonic() < deadline:
        try:
            answer = ready()
        except (ApiError, OSError) as error:
            last = f": {error}"
        else:
            if answer:
                return answer
        time.sleep(0.1)
    raise StepFailed(f"waited {patience:.0f} seconds in vain for {what}{last}")


class ProcessNetwork:
    """One seed (ID server and DHT), any number of suppliers, and customers that find them through the DHT."""

    def __init__(self, base: Path, settings: Mapping[str, str] | None = None) -> None:
        self.base = base
        self._extra = dict(settings or {})
        self.seed = self.node("seed")
        self.suppliers: list[NodeProcess] = []
        self.others: list[NodeProcess] = []
        self.joining: dict[str, str] = {}

    def node(self, name: str) -> NodeProcess:
        """A node that is not started yet."""
        return NodeProcess(name, self.base / name)

    def start_seed(self) -> None:
        """Start the seed and note what others need to find it."""
        self.seed.configure(QUIET | NO_CUSTOMER | NO_SUPPLIER | IDENTITY_SERVER)
        self.seed.start()
        web, udp = wait_for(self._seed_ports, "the seed's ports")
        self.joining = (
            QUIET
            | self._extra
            | {
                "services/identity-propagate/known-servers": f"127.0.0.1:{web}",
                "services/entangled-dht/known-nodes": f"127.0.0.1:{udp}",
            }
        )

    def _seed_ports(self) -> tuple[int, int] | None:
        status = self.seed.client.call("network_status", dht="1")
        web, udp = status.get("identity_server", {}).get("web_port"), status.get("dht", {}).get("udp_port")
        return (web, udp) if web and udp else None

    def add_supplier(self, number: int, space: str = "20 GB") -> NodeProcess:
        """One more process that gives space."""
        node = self.node(f"supplier-{number}")
        node.configure(self.joining | NO_CUSTOMER | {"services/supplier/donated-space": space})
        self.suppliers.append(node)
        node.start()
        node.become(node.name)
        node.wait_for_service("supplier")
        return node

    def add_suppliers(self, count: int, space: str = "20 GB") -> list[NodeProcess]:
        """Several that start side by side; in the order of their numbers."""
        before = len(self.suppliers)
        numbers = range(before + 1, before + count + 1)
        with ThreadPoolExecutor(count) as pool:
            added = list(pool.map(lambda number: self.add_supplier(number, space), numbers))
        self.suppliers[before:] = added
        return added

    def add_customer(self, name: str, suppliers: int, settings: Mapping[str, str] | None = None) -> NodeProcess:
        """One more process that keeps its files on suppliers; returns when all are hired and the storage is ready."""
        node = self.node(name)
        self.others.append(node)
        node.configure(
            self.joining | NO_SUPPLIER | {"services/customer/suppliers-number": str(suppliers)} | dict(settings or {})
        )
        node.start()
        node.become(name)
        node.wait_for_service("my_data")
        return node

    def close(self) -> None:
        """Stop every process that was started here, all at the same time."""
        nodes = [node for node in (*self.others, *self.suppliers, self.seed) if node.home.exists()]
        with ThreadPoolExecutor() as pool:
            list(pool.map(_stop_quietly, nodes))


def _stop_quietly(node: NodeProcess) -> None:
    """What `bitdust stop` does, without a process of its own."""
    home = home_of(node.home)
    pid = running_pid(home)
    if pid is not None:
        with contextlib.suppress(ApiError):
            end_process(home, pid)
