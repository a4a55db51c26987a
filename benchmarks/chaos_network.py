"""The processes of ``python -m benchmarks chaos``, and what can be done to them."""

import contextlib
import hashlib
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from bitdust.cli.client import ApiError
from bitdust.cli.processes import NodeProcess, ProcessNetwork, StepFailed, wait_for

FAMILY, SPARES = 4, 2
SMALL_DISK, SPACE = "400m", "300 MB"
SETTINGS = {"services/customer/needed-space": "500 MB"}
MOST_BYTES = 160_000_000
"""That are ever uploaded: two times that is on the disks of suppliers, and beside it what killed uploads leave."""
Digests = dict[str, str]


class Lost(Exception):
    """Something that was promised is not there, or is something else."""


def digests_of(path: Path) -> Digests:
    """The SHA-256 of a file, or of each in a folder."""
    files = sorted(one for one in path.rglob("*") if one.is_file()) if path.is_dir() else [path]
    return {str(one.relative_to(path)): hashlib.sha256(one.read_bytes()).hexdigest() for one in files}


class Stage:
    """One customer, its suppliers, and some more of them; I know what was promised."""

    def __init__(self, base: Path, seed: int) -> None:
        self.base = base
        self.network = ProcessNetwork(base, SETTINGS)
        self.customer = self.network.node("alice")
        self.promised: dict[str, Digests] = {}
        self.begun: dict[str, Digests] = {}
        self.bytes = 0
        self.why_no_disk = ""
        self._source = random.Random(seed)
        self._key_file = base / "alice.key"
        self._mounted: set[Path] = set()
        self._count = 0

    def begin(self) -> None:
        """Start everything."""
        for number in range(1, FAMILY + SPARES + 1):
            self._mount(number)
        self.network.start_seed()
        self.network.add_suppliers(FAMILY + SPARES, SPACE)
        self.customer = self.network.add_customer("alice", FAMILY)
        self.upload(20, 20_000, True)
        self.upload(1, 4_000_000, True)

    def close(self) -> None:
        """End everything."""
        self.network.close()
        for home in list(self._mounted):
            self._unmount(home)

    # a small disk

    def _mount(self, number: int) -> None:
        """A supplier gets a small disk of its own, where this may be done."""
        home = self.base / f"supplier-{number}"
        if os.getuid():
            self.why_no_disk = "only root may mount a small disk"
            return
        home.mkdir(mode=0o700)
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={SMALL_DISK},mode=0700", "none", str(home)],
            check=False, capture_output=True, text=True,
        )  # fmt: skip
        if done.returncode:
            self.why_no_disk = f"a small disk cannot be mounted: {done.stderr.strip()}"
        else:
            self._mounted.add(home)

    def _unmount(self, home: Path) -> None:
        if home in self._mounted:
            subprocess.run(["umount", "-l", str(home)], check=False)
            self._mounted.discard(home)

    @contextlib.contextmanager
    def full(self, node: NodeProcess) -> Iterator[None]:
        """Its disk takes nothing."""
        filler = node.home / "filler"
        with open(filler, "wb", buffering=0) as stream, contextlib.suppress(OSError):
            while True:
                stream.write(bytes(1 << 20))
        try:
            yield
        finally:
            filler.unlink()

    # what is asked for

    def call(self, method: str, **arguments: Any) -> Any:
        """Ask the customer."""
        return self.customer.client.call(method, **arguments)

    def upload(self, files: int, size: int, wait: bool) -> None:
        """Something new, smaller where little room is left; promised once it was reported as done."""
        size = min(size, (MOST_BYTES - self.bytes) // (8 * files))
        self._count += 1
        name = f"item-{self._count}"
        local = self.base / "local" / name
        for number in range(files):
            path = local / f"f{number}" if files > 1 else local
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(self._source.randbytes(size))
        self.begun[name] = digests_of(local)
        self.bytes += files * size
        self.call("file_create", remote_path=name, as_folder=files > 1, exist_ok=True)
        self.call("file_upload_start", local_path=str(local), remote_path=name, wait_result=wait)
        if wait:
            self.promised[name] = self.begun.pop(name)

    def settle(self, seconds: float) -> None:
        """Wait until uploads have ended, and every piece is with its supplier."""
        self._wait_until(lambda: not self._unsettled(), "everything to settle", seconds)
        for row in self.call("files_uploads")["failed"]:
            if self.begun.pop(row["remote_path"].rpartition(":")[2], None):
                print(f"an upload failed, and said so: {row['reason']}", file=sys.stderr)
        self.promised |= self.begun
        self.begun.clear()

    def _wait_until(self, ready: Callable[[], bool], what: str, seconds: float) -> None:
        """Raises `StepFailed`, which says what has not settled."""
        try:
            wait_for(ready, what, seconds)
        except StepFailed as error:
            try:
                left = self._unsettled()
            except (ApiError, OSError) as silent:
                left = [f"{self.customer.name} does not answer: {silent}"]
            raise StepFailed("\n  ".join([str(error), *left])) from error

    def _unsettled(self) -> list[str]:
        """What is not yet as it should be, in words."""
        service = self.customer.service("my_data")
        if service["state"] != "ON":
            return [f"my_data is {service['state']}: {service['reason']}"]
        uploads = self.call("files_uploads")
        left = [
            f"the upload of {row['remote_path']} is {row['state']}"
            for row in (*uploads["running"], *uploads["pending"])
        ]
        pieces, rows = self.call("process_info")["file"]["pieces"], self.call("suppliers_list")
        if pieces["due"] != pieces["acknowledged"]:
            left.append(f"pieces: {', '.join(f'{number} {what}' for what, number in pieces.items())}")
            left += [f"{row['global_id']} {one['text']}" for row in rows for one in row["problems"]]
            left += [f"{row['global_id']}: {row['reason']}" for row in rows if row["reason"]]
        return [*left, *unsettled_places(rows)]

    def compare(self) -> None:
        """Bring everything back. Raises `Lost`."""
        for name, digests in self.promised.items():
            target = self.base / "back"
            try:
                self.call("file_download_start", remote_path=name, destination_path=str(target), wait_result=True)
            except ApiError as error:
                raise Lost(f"{name}: {error}") from error
            if digests_of(target / name) != digests:
                raise Lost(f"{name} came back as something else")
            shutil.rmtree(target)

    def verify(self) -> None:
        """Let suppliers prove all pieces. Raises `Lost`."""
        for name in self.promised:
            if not self.call("file_verify", remote_path=name, wait_result=True)["verified"]:
                raise Lost(f"{name} cannot be verified")

    # what happens to suppliers

    def family(self) -> list[NodeProcess]:
        """The suppliers of the customer."""
        names = {row["global_id"].partition("@")[0] for row in self.call("suppliers_list") if row["fingerprint"]}
        return [node for node in self.network.suppliers if node.name in names]

    @contextlib.contextmanager
    def frozen(self, node: NodeProcess) -> Iterator[None]:
        """It answers nobody."""
        os.kill(node.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(node.pid, signal.SIGCONT)

    def wipe(self, node: NodeProcess) -> None:
        """Nothing of its customers is left."""
        node.kill()
        shutil.rmtree(node.home / "customers", ignore_errors=True)
        for path in node.home.glob("customers.db*"):
            path.unlink()
        node.start()
        node.wait_for_service("supplier")

    def rot(self, node: NodeProcess, source: random.Random) -> None:
        """One bit of some of its pieces changes; small ones are in its database."""
        node.kill()
        files = [path for path in sorted((node.home / "customers").rglob("*")) if path.is_file()]
        for path in source.sample(files, min(5, len(files))):
            path.write_bytes(flip(path.read_bytes(), source))
        with contextlib.closing(sqlite3.connect(node.home / "customers.db")) as database, database:
            for row, data in database.execute("SELECT rowid, data FROM small ORDER BY rowid LIMIT 3").fetchall():
                database.execute("UPDATE small SET data=? WHERE rowid=?", (flip(data, source), row))
        node.start()
        node.wait_for_service("supplier")

    def replace(self, node: NodeProcess, seconds: float) -> None:
        """It is gone for good; another one comes into the network, and one gets its place and its pieces."""
        node.kill()
        self.network.suppliers.remove(node)
        self._unmount(node.home)
        shutil.rmtree(node.home, ignore_errors=True)
        row = next(row for row in self.call("suppliers_list") if row["global_id"].partition("@")[0] == node.name)
        self.call("supplier_change", position=row["position"])
        self._wait_until(lambda: node not in self.family() and not self._unsettled(), "the replacement", seconds)
        self._count += 1
        self._mount(100 + self._count)
        self.network.add_supplier(100 + self._count, SPACE)

    # what happens to the customer

    def lose_customer(self) -> None:
        """Keep a key file, and lose everything else."""
        self._key_file.unlink(missing_ok=True)
        self.call("identity_backup", destination_filepath=str(self._key_file))
        self.customer.kill()
        shutil.rmtree(self.customer.home)
        self.network.others.remove(self.customer)

    def recover(self, seconds: float) -> None:
        """A new home is the customer again, and can give everything back."""
        self._count += 1
        self.customer = self.network.node(f"alice-{self._count}")
        self.network.others.append(self.customer)
        self.customer.configure(self.network.joining | {"services/supplier/enabled": "false"})
        self.customer.start()
        began = time.monotonic()
        self.call("identity_recover", private_key_local_file=str(self._key_file), join_network=True)
        self.customer.wait_for_service("my_data", seconds - (time.monotonic() - began))


def unsettled_places(rows: list[Any]) -> list[str]:
    """What is not as it should be among the suppliers of a customer, as `suppliers_list` shows them."""
    found = [] if len(rows) == FAMILY else [f"there are {len(rows)} suppliers"]
    for row in rows:
        reason = f": {row['reason']}" if row["reason"] else ""
        if not row["fingerprint"] or not row["connected"]:
            found.append(f"place {row['position']}, {row['global_id']}, is {row['supplier_state']}{reason}")
        if row["replacement"]:
            found.append(f"place {row['position']} changes hands: {row['replacement']}")
    return found


def flip(data: bytes, source: random.Random) -> bytes:
    """One bit of it is another one."""
    where = source.randrange(len(data))
    return data[:where] + bytes([data[where] ^ 1]) + data[where + 1 :]
