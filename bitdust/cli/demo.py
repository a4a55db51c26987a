"""The main job, shown on this machine: a private network of real processes, loss of half the suppliers and of the home.

A client like any other: it starts daemons with the command line and asks them over the public API; it has no back door.
"""

import contextlib
import hashlib
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from attrs import frozen

from bitdust.cli.processes import PATIENCE, ProcessNetwork, StepFailed, wait_for

SUPPLIERS = 4
RANDOM_MEGABYTES = 64


@frozen
class Entry:
    """What is compared of one file, folder or link."""

    kind: str
    mode: int
    mtime_ns: int
    content: bytes


def snapshot(root: Path) -> dict[bytes, Entry]:
    """Everything under a folder by its name: kinds, modes, times, and hashes or link targets."""
    found: dict[bytes, Entry] = {}
    base = os.fsencode(root)
    for folder, folders, files in os.walk(base):
        for name in [*folders, *files]:
            path = os.path.join(folder, name)
            state = os.lstat(path)
            relative = os.path.relpath(path, base)
            if os.path.islink(path):
                found[relative] = Entry("link", 0, 0, os.readlink(path))
            elif os.path.isdir(path):
                found[relative] = Entry("folder", state.st_mode, state.st_mtime_ns, b"")
            else:
                with open(path, "rb") as stream:
                    digest = hashlib.file_digest(stream, "sha256").digest()
                found[relative] = Entry("file", state.st_mode, state.st_mtime_ns, digest)
    return found


def differences(before: dict[bytes, Entry], after: dict[bytes, Entry]) -> list[str]:
    """One line for each name that is missing, new or different."""
    lines = []
    for name in sorted(before.keys() | after.keys()):
        if before.get(name) != after.get(name):
            word = "missing" if name not in after else "unexpected" if name not in before else "different"
            lines.append(f"{word}: {os.fsdecode(name)}")
    return lines


class Demo:
    """The whole story; each method is one chapter."""

    def __init__(self, base: Path, source: Path | None, hard: bool) -> None:
        self.base = base
        self.hard = hard
        self.source = source
        self.network = ProcessNetwork(base)
        self.customer = self.network.node("alice")
        self.recovered = self.network.node("alice-recovered")
        self.key_file = base / "alice.key"
        self.figures: list[tuple[str, str]] = []

    def run(self) -> None:
        """From nothing to everything restored; raises `StepFailed`."""
        self.build_network()
        if self.hard:
            self.write_key_file()
            self.change_family()
        folder, before = self.prepare_data()
        self.back_up(folder)
        if not self.hard:
            self.write_key_file()
        self.destroy()
        self.recover()
        self.restore(folder.name, before)

    def build_network(self) -> None:
        """Seed, suppliers and customer, each its own process; the customer finds its suppliers through the DHT."""
        say("A private network: one seed, four suppliers, one customer, each with its own home folder")
        self.network.start_seed()
        for supplier in self.network.add_suppliers(SUPPLIERS):
            print(f"  {supplier.name} gives space", flush=True)
        started = time.monotonic()
        self.customer = self.network.add_customer("alice", SUPPLIERS)
        self.note("four suppliers hired through the DHT", started)

    def write_key_file(self) -> None:
        """The only thing that a person must keep."""
        self.customer.cli("identity", "backup", str(self.key_file), show=True)

    def change_family(self) -> None:
        """A supplier leaves before any data is placed, and another one is hired: the key file is now out of date."""
        say("One supplier leaves before any data is placed; a fifth one takes its place")
        self.network.add_supplier(SUPPLIERS + 1)
        before = {row["idurl"] for row in self.customer.client.call("suppliers_list")}
        gone = self.network.suppliers.pop(0)
        gone.kill()

        def replaced() -> bool:
            rows = self.customer.client.call("suppliers_list")
            idurls = {row["idurl"] for row in rows if row["supplier_state"] == "CONNECTED"}
            return len(idurls) == SUPPLIERS and idurls != before

        wait_for(replaced, "the replacement of a supplier", 2 * PATIENCE)
        self.customer.wait_for_service("my_data")

    def prepare_data(self) -> tuple[Path, dict[bytes, Entry]]:
        """The folder of the user, or this checkout and a large random file."""
        if self.source is not None:
            return self.source, snapshot(self.source)
        folder = self.base / "precious"
        checkout = Path(__file__).resolve().parents[2]
        ignored = shutil.ignore_patterns(
            ".git",
            ".venv*",
            "__pycache__",
            ".mypy_cache",
            ".ruff_cache",
            ".hypothesis",
            "_trial_temp*",
            "*.egg-info",
            ".import_linter_cache",
            "build",
            "dist",
        )
        shutil.copytree(checkout, folder, symlinks=True, ignore=ignored)
        with open(folder / "random.bin", "wb") as stream:
            for _ in range(RANDOM_MEGABYTES):
                stream.write(os.urandom(1_000_000))
        return folder, snapshot(folder)

    def back_up(self, folder: Path) -> None:
        """Upload with a progress bar; done when the suppliers have acknowledged."""
        remote = folder.name
        total = sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
        say(f"Backing up {folder} ({total / 1e6:.1f} MB)")
        started = time.monotonic()
        self.customer.cli("file", "create", "--folder", remote, show=True)
        self.customer.cli("file", "upload", str(folder), remote, show=True)
        self.note("backed up", started, total)

    def destroy(self) -> None:
        """Two of four suppliers die, and the customer's home is removed altogether."""
        victims = self.network.suppliers[:2] if not self.hard else self.network.suppliers[-2:]
        say(f"Killing {' and '.join(node.name for node in victims)} without warning, and removing alice's home")
        for node in victims:
            node.kill()
        if self.hard:
            print("  … and the seed with its identity server", flush=True)
            self.network.seed.kill()
        self.customer.kill()
        shutil.rmtree(self.customer.home)

    def recover(self) -> None:
        """A new machine: default settings and the key file, nothing else."""
        say("Recovering on a new node from the key file alone")
        started = time.monotonic()
        self.network.others.append(self.recovered)
        self.recovered.start()
        self.recovered.cli("identity", "recover", str(self.key_file), show=True)
        self.recovered.wait_for_service("my_data", 2 * PATIENCE)
        self.note("recovered identity, suppliers and catalog", started)

    def restore(self, remote: str, before: dict[bytes, Entry]) -> None:
        """Download into an empty folder and compare names, bytes, modes, times and links."""
        target = self.base / "restored"
        started = time.monotonic()
        self.recovered.cli("file", "download", remote, str(target), show=True)
        total = sum(path.lstat().st_size for path in target.rglob("*") if path.is_file() and not path.is_symlink())
        self.note("restored", started, total)
        wrong = differences(before, snapshot(target / remote))
        if wrong:
            raise StepFailed("what came back differs:\n  " + "\n  ".join(wrong[:20]))
        print(f"  {len(before)} files, folders and links compared: names, bytes, modes, times and links are equal")

    def note(self, what: str, started: float, size: int = 0) -> None:
        """Keep a figure for the end."""
        seconds = time.monotonic() - started
        speed = f", {size / 1e6:.1f} MB, {size / 1e6 / seconds:.1f} MB/s" if size else ""
        self.figures.append((what, f"{seconds:.1f} s{speed}"))
        print(f"  {what}: {seconds:.1f} s{speed}", flush=True)

    def summary(self) -> None:
        """What moved at which speed, and what to try next."""
        say("Everything came back")
        for what, figure in self.figures:
            print(f"  {what:45} {figure}")

    def invite(self) -> None:
        """A few lines to try while the network is up."""
        home = self.recovered.home
        address = f"http://127.0.0.1:{self.recovered.client.port}"
        print(
            f"\nThe network stays up until Ctrl-C. The API of the recovered node is {address}; try:\n"
            f'  curl -H "api_secret: $(cat {home}/apisecret)" {address}/file/list/v1\n'
            f'  curl -H "api_secret: $(cat {home}/apisecret)" {address}/supplier/list/v1\n'
            f"  {sys.executable} -m bitdust --appdir {home} states\n"
            f"  {sys.executable} -m bitdust --appdir {home} services\n"
            f"  {sys.executable} -m bitdust --appdir {home} file list",
            flush=True,
        )
        with contextlib.suppress(KeyboardInterrupt):
            signal.pause()


def say(text: str) -> None:
    """A headline."""
    print(f"\n== {text}", flush=True)


@contextlib.contextmanager
def working_folder(keep: Path | None) -> Iterator[Path]:
    """A temporary folder that goes at the end, or the one that was asked for."""
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        yield keep
        return
    folder = Path(tempfile.mkdtemp(prefix="bitdust-demo-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def run_demo(source: Path | None, leave: bool, hard: bool, folder: Path | None) -> int:
    """The exit code: 0 only if everything came back."""
    with working_folder(folder) as base:
        demo = Demo(base, source.resolve() if source else None, hard)
        try:
            demo.run()
            demo.summary()
            if not leave:
                demo.invite()
        except StepFailed as error:
            print(f"\nThe demo failed: {error}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            print("\ninterrupted", file=sys.stderr)
            return 130
        finally:
            demo.network.close()
    return 0
