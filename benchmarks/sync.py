"""Folders in sync: how soon, at what cost in bytes, CPU and memory, for a peer that reads and a keeper that cannot.

    python -m benchmarks sync                        all of it, Syncthing beside it where it is installed
    python -m benchmarks sync --files 0              without the folder of 100,000 files
    python -m benchmarks sync --base /dev/shm        where the folders are

Three real daemons over loopback: the first one's folder is changed, the second one has it too, the third holds it
sealed; the second and third know the first alone. Seconds are from the end of a change to equality, detection
included: every path, size and time is the same at the second, and the keeper holds every chunk; then all bytes are
compared. Bytes are those of the daemons' own sessions, both ways. Beside each figure stands its goal; the exit code is
1 where one is missed. Syncthing runs in the same minutes with a watcher that waits 1 s instead of the 10 it comes with.
"""

import argparse
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from attrs import define, field

from benchmarks.storage import MB, cpu_seconds, memory_mib, random_file
from benchmarks.sync_peers import Ours, Syncthing, Trio
from bitdust.cli.processes import wait_for

PATIENCE = 300.0
SOON = 0.1
SMALL, SMALL_SIZE = 1000, 10_000
A_FOLDER = 250
"""Files in each folder of the many."""
OWN = (".sync", ".stfolder", ".stversions")
Seen = dict[str, tuple[int, int]]


@define
class Goal:
    """A figure and the most that it may be; None: it is shown alone."""

    name: str
    most: float | None
    unit: str


GOALS = (
    Goal("100 MB: equal", 3, "s"), Goal("100 MB: kept", None, "s"), Goal("100 MB: CPU", None, "s"),
    Goal("1,000 files: equal", 5, "s"), Goal("1,000 files: kept", None, "s"), Goal("1,000 files: CPU", None, "s"),
    Goal("1 MB patched: peer", 1.3, "MB"), Goal("1 MB patched: keeper", 1.3, "MB"),
    Goal("1 MB inserted: peer", 1.3, "MB"), Goal("1 MB inserted: keeper", 1.3, "MB"),
    Goal("1 MB appended: peer", 1.3, "MB"), Goal("1 MB appended: keeper", 1.3, "MB"),
    Goal("100 MB renamed: peer", 0.3, "MB"), Goal("100 MB renamed: keeper", 0.3, "MB"),
    Goal("1,000 files moved: equal", None, "s"),
    Goal("1,000 files moved: peer", 0.3, "MB"), Goal("1,000 files moved: keeper", 0.3, "MB"),
    Goal("at rest: CPU", 0.5, "%"), Goal("at rest: peer", 1.0, "kB a minute"),
    Goal("many files: equal", None, "s"), Goal("many files: memory", 150, "MiB"), Goal("many files: rescan", 1.5, "s"),
    Goal("many files at rest: CPU", 0.5, "%"),
)  # fmt: skip
Figures = dict[str, float]


def seen(root: Path) -> Seen:
    """Every path below a folder with its size and time; folders without them."""
    found: Seen = {}
    waiting = [("", os.fspath(root))]
    while waiting:
        prefix, here = waiting.pop()
        with os.scandir(here) as entries:
            for entry in entries:
                if not prefix and entry.name in OWN:
                    continue
                relative = prefix + entry.name
                if entry.is_dir(follow_symlinks=False):
                    waiting.append((f"{relative}/", entry.path))
                    found[relative] = (0, 0)
                else:
                    status = entry.stat(follow_symlinks=False)
                    found[relative] = (status.st_size, status.st_mtime_ns)
    return found


def same_bytes(one: Path, other: Path, names: Seen) -> bool:
    """Whether all files of two folders have the same content."""
    files = [name for name in names if (one / name).is_file()]
    return all((one / name).read_bytes() == (other / name).read_bytes() for name in files)


@define
class Run:
    """One trio, and what was found of it."""

    trio: Trio
    figures: Figures = field(factory=dict)

    def step(self, name: str, change: Callable[[], None]) -> None:
        """One change, until it is everywhere."""
        self._quiet()
        before, used = self.trio.moved(), cpu_seconds(self.trio.pids())
        change()
        begin = time.monotonic()
        wanted = seen(self.trio.source)
        until(lambda: at_peer(self.trio.target) == wanted, f"{name} at the second")
        self.figures[f"{name}: equal"] = time.monotonic() - begin
        until(self.trio.is_kept, f"{name} at the keeper")
        self.figures[f"{name}: kept"] = time.monotonic() - begin
        self._quiet()
        self.figures[f"{name}: CPU"] = cpu_seconds(self.trio.pids()) - used
        after = self.trio.moved()
        self.figures[f"{name}: peer"], self.figures[f"{name}: keeper"] = (
            (now - then) / MB for now, then in zip(after, before, strict=True)
        )
        if not same_bytes(self.trio.source, self.trio.target, wanted):
            raise SystemExit(f"{name}: the bytes differ")

    def _quiet(self) -> None:
        """Until nothing moves for two seconds."""
        last, since = self.trio.moved(), time.monotonic()
        while time.monotonic() - since < 2:
            time.sleep(0.5)
            now = self.trio.moved()
            if sum(now) - sum(last) > 4000:
                since = time.monotonic()
            last = now

    def rest(self, name: str, seconds: float) -> None:
        """CPU of the busiest process, and bytes, while nothing happens."""
        time.sleep(5)
        before, used = self.trio.moved(), [cpu_seconds([pid]) for pid in self.trio.pids()]
        time.sleep(seconds)
        now = [cpu_seconds([pid]) for pid in self.trio.pids()]
        self.figures[f"{name}: CPU"] = 100 * max(b - a for a, b in zip(used, now, strict=True)) / seconds
        self.figures[f"{name}: peer"] = (self.trio.moved()[0] - before[0]) / 1000 / (seconds / 60)


def at_peer(root: Path) -> Seen | None:
    """What is there; None while it moves under the eyes."""
    try:
        return seen(root)
    except FileNotFoundError:
        return None


def until(ready: Callable[[], bool], what: str) -> None:
    """Look again soon until it is so."""
    deadline = time.monotonic() + PATIENCE
    while not ready():
        if time.monotonic() > deadline:
            raise SystemExit(f"waited {PATIENCE:.0f} seconds in vain for {what}")
        time.sleep(SOON)


def large(run: Run) -> None:
    """100 MB, and what happens to it."""
    path, size = run.trio.source / "large", 100 * MB

    def edit(change: Callable[[bytearray], None]) -> None:
        data = bytearray(path.read_bytes())
        change(data)
        with open(path, "r+b") as stream:
            stream.write(data)

    new = [os.urandom(MB) for _ in range(3)]
    run.step("100 MB", lambda: _written(path, size))
    run.step("1 MB patched", lambda: edit(lambda data: data.__setitem__(slice(40 * MB, 41 * MB), new[0])))
    run.step("1 MB inserted", lambda: edit(lambda data: data.__setitem__(slice(20 * MB, 20 * MB), new[1])))
    run.step("1 MB appended", lambda: edit(lambda data: data.extend(new[2])))
    run.step("100 MB renamed", lambda: _renamed(path, run.trio.source / "renamed"))


def _written(path: Path, size: int) -> None:
    random_file(path, size)


def _renamed(path: Path, other: Path) -> None:
    path.rename(other)


def small(run: Run) -> None:
    """A folder of many small files, and its move."""
    folder, other = run.trio.source / "small", run.trio.source / "moved"

    def write() -> None:
        folder.mkdir()
        for number in range(SMALL):
            (folder / f"{number:04}.dat").write_bytes(os.urandom(SMALL_SIZE))

    run.step("1,000 files", write)
    run.step("1,000 files moved", lambda: _renamed(folder, other))


def many(run: Run, count: int, seconds: float) -> None:
    """A hundred thousand files: memory, rescan, and rest."""
    for number in range(count):
        path = run.trio.source / f"many/{number // A_FOLDER:04}/{number % A_FOLDER:03}"
        if number % A_FOLDER == 0:
            path.parent.mkdir(parents=True)
        path.write_bytes(os.urandom(100))
    begin = time.monotonic()
    wanted = len(seen(run.trio.source))
    wait_for(lambda: len(at_peer(run.trio.target) or ()) == wanted, "many files", 3600)
    run.figures["many files: equal"] = time.monotonic() - begin
    wait_for(run.trio.is_kept, "many files at the keeper", 3600)
    time.sleep(10)
    run.figures["many files: memory"] = max(memory_mib(pid) for pid in run.trio.pids())
    took = []
    for _ in range(3):
        begin = time.monotonic()
        run.trio.rescan()
        took.append(time.monotonic() - begin)
    run.figures["many files: rescan"] = statistics.median(took)
    run.rest("many files at rest", seconds)


def measured(trio: Trio, files: int, seconds: float) -> Figures:
    """All figures of a trio."""
    run = Run(trio)
    try:
        run.step("a first file", lambda: _written(trio.source / "first", 1000))
        large(run)
        small(run)
        run.rest("at rest", seconds)
        if files:
            many(run, files, seconds)
    finally:
        trio.close()
    return run.figures


def shown(columns: Sequence[tuple[str, Figures]]) -> int:
    """Print goal beside figure; 1 where ours misses one."""
    print("| what | goal | " + " | ".join(name for name, _ in columns) + " |")
    print("|---|---|" + "---|" * len(columns))
    missed = []
    for goal in GOALS:
        values = [figures.get(goal.name) for _, figures in columns]
        if values[0] is None:
            continue
        if goal.most is not None and values[0] > goal.most:
            missed.append(goal.name)
        most = f"≤ {goal.most:g}" if goal.most is not None else ""
        cells = " | ".join("–" if value is None else f"{value:.2f}" for value in values)
        print(f"| {goal.name}, {goal.unit} | {most} | {cells} |")
    print("all goals are met" if not missed else f"missed: {'; '.join(missed)}")
    return int(bool(missed))


def main(arguments: Sequence[str]) -> int:
    """Print one line a figure."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks sync", description=__doc__)
    parser.add_argument("--files", type=int, default=100_000, help="small files in the largest folder; 0: none")
    parser.add_argument("--rest", type=float, default=60, help="seconds in which nothing happens")
    parser.add_argument("--base", type=Path, help="where homes and folders are made")
    parser.add_argument("--alone", action="store_true", help="without Syncthing")
    asked = parser.parse_args(arguments)
    program = None if asked.alone else shutil.which("syncthing")
    if program is None:
        why = "as asked" if asked.alone else "it is not installed: apt-get install syncthing"
        print(f"without Syncthing, {why}", file=sys.stderr)
    columns = []
    with tempfile.TemporaryDirectory(prefix="bitdust-sync-", dir=asked.base) as folder:
        base = Path(folder)
        (base / "ours").mkdir()
        columns.append((Ours.name, measured(Ours(base / "ours", {}), asked.files, asked.rest)))
        if program is not None:
            shutil.rmtree(base / "ours")
            (base / "syncthing").mkdir()
            try:
                columns.append(
                    (Syncthing.name, measured(Syncthing(base / "syncthing", program), asked.files, asked.rest))
                )
            except (SystemExit, OSError) as error:
                print(f"Syncthing did not come to its end: {error}", file=sys.stderr)
    print(f"load of the machine: {os.getloadavg()[1]:.1f}")
    return shown(columns)
