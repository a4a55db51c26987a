"""Upload, download, small files, memory, start, second versions and frozen suppliers, on real processes over loopback.

    python -m benchmarks storage --suppliers 4 --sizes 10,100 --peer PATH/tahoe_bench.py

Random data, new in every run, fsync on, local copies off; 1 MB = 10**6 bytes; ``cpu_s`` is user and system time of
*all* node processes. With ``--peer`` the peer's own benchmark runs in the same minutes with the same k of n.
"""

import argparse
import hashlib
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from bitdust.cli.processes import NodeProcess, ProcessNetwork, wait_for

MB = 10**6
TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pids: list[int]) -> float:
    """User and system seconds of these processes."""
    total = 0
    for pid in pids:
        try:
            words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        total += int(words[11]) + int(words[12])
    return total / TICKS


def memory_mib(pid: int, field: str = "VmHWM") -> float:
    """Peak (or current, ``VmRSS``) resident memory in MiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) / 1024
    return 0.0


def sent_bytes(node: NodeProcess) -> int:
    """Payload bytes that a node has sent over all its sessions."""
    return int(node.client.call("packets_stats")["out"]["bytes"])


def random_file(path: Path, size: int) -> str:
    """Write ``size`` random bytes; the SHA-256."""
    digest = hashlib.sha256()
    with open(path, "wb") as stream:
        left = size
        while left:
            block = os.urandom(min(left, 4 * MB))
            stream.write(block)
            digest.update(block)
            left -= len(block)
    return digest.hexdigest()


def digest_of(path: Path) -> str:
    """SHA-256 of a file."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


class Bench:
    """One network of ``suppliers`` suppliers and one customer."""

    def __init__(self, base: Path, suppliers: int) -> None:
        self.base = base
        self.network = ProcessNetwork(base, {"services/customer/needed-space": "20 GB"})
        self.network.start_seed()
        for number in range(1, suppliers + 1):
            self.network.add_supplier(number, "40 GB")
        self.customer = self.network.add_customer("alice", suppliers)
        self.pids = [node.pid for node in (self.network.seed, *self.network.suppliers, self.customer)]
        self._names = 0

    def name(self) -> str:
        """A remote name that was not used before."""
        self._names += 1
        return f"bench-{self._names}"

    def timed(self, work: Callable[..., Any], *arguments: Any) -> tuple[float, float]:
        """Wall seconds and CPU seconds of all processes."""
        cpu, start = cpu_seconds(self.pids), time.perf_counter()
        work(*arguments)
        wall = time.perf_counter() - start
        time.sleep(0.05)
        return wall, cpu_seconds(self.pids) - cpu

    def upload(self, local: Path, remote: str, folder: bool = False) -> None:
        """One upload until it is safe."""
        self.customer.client.call("file_create", remote_path=remote, as_folder=folder, exist_ok=True)
        self.customer.client.call(
            "file_upload_start", local_path=str(local), remote_path=remote, wait_result=True
        )

    def download(self, remote: str, target: Path) -> None:
        """One download until it is whole."""
        self.customer.client.call(
            "file_download_start", remote_path=remote, destination_path=str(target), wait_result=True
        )

    def there_and_back(self, name: str, megabytes: int) -> tuple[tuple[float, float], tuple[float, float]]:
        """Seconds and CPU seconds of a fresh file's way up and of its way down, every byte compared."""
        local = self.base / name
        digest = random_file(local, megabytes * MB)
        up = self.timed(self.upload, local, name)
        local.unlink()
        target = self.base / "down"
        down = self.timed(self.download, name, target)
        if digest_of(target / name) != digest:
            raise SystemExit("downloaded bytes differ")
        shutil.rmtree(target)
        return up, down

    def size(self, megabytes: int, repeat: int) -> dict[str, Any]:
        """A single file up and down, medians of several runs, every byte compared."""
        rows = []
        for _ in range(repeat):
            name = self.name()
            (up, up_cpu), (down, down_cpu) = self.there_and_back(name, megabytes)
            self.customer.client.call("file_delete", remote_path=name)
            rows.append((megabytes / up, megabytes / down, up_cpu, down_cpu))
        names = ("up_mb_s", "down_mb_s", "up_cpu_s", "down_cpu_s")
        medians = {
            name: round(statistics.median(column), 2)
            for name, column in zip(names, zip(*rows, strict=True), strict=True)
        }
        return {"size_mb": megabytes, "repeat": repeat} | medians

    def small(self, count: int, kilobytes: int, parallel: int) -> dict[str, Any]:
        """Many small files, each an upload and a download of its own."""
        folder = self.base / "small"
        folder.mkdir()
        paths = [folder / self.name() for _ in range(count)]
        digests = [random_file(path, kilobytes * 1000) for path in paths]
        target = self.base / "small-down"

        def each(work: Callable[[Path], None]) -> None:
            with ThreadPoolExecutor(parallel) as pool:
                list(pool.map(work, paths))

        up, up_cpu = self.timed(lambda: each(lambda path: self.upload(path, path.name)))
        down, down_cpu = self.timed(lambda: each(lambda path: self.download(path.name, target)))
        if [digest_of(target / path.name) for path in paths] != digests:
            raise SystemExit("small files differ")
        shutil.rmtree(folder)
        shutil.rmtree(target)
        return {
            "files": count,
            "kb": kilobytes,
            "parallel": parallel,
            "up_files_s": round(count / up, 1),
            "down_files_s": round(count / down, 1),
            "up_cpu_ms": round(1000 * up_cpu / count, 1),
            "down_cpu_ms": round(1000 * down_cpu / count, 1),
        }

    def folder(self, count: int, kilobytes: int) -> dict[str, Any]:
        """The same number of small files as one folder."""
        name = self.name()
        folder = self.base / name
        folder.mkdir()
        for number in range(count):
            random_file(folder / str(number), kilobytes * 1000)
        up, up_cpu = self.timed(self.upload, folder, name, True)
        target = self.base / "folder-down"
        down, down_cpu = self.timed(self.download, name, target)
        same = all(digest_of(folder / str(i)) == digest_of(target / name / str(i)) for i in range(count))
        if not same:
            raise SystemExit("files of the folder differ")
        shutil.rmtree(folder)
        shutil.rmtree(target)
        return {
            "files": count,
            "kb": kilobytes,
            "up_files_s": round(count / up, 1),
            "down_files_s": round(count / down, 1),
            "up_cpu_ms": round(1000 * up_cpu / count, 1),
            "down_cpu_ms": round(1000 * down_cpu / count, 1),
        }

    def second_version(self, megabytes: int = 100) -> dict[str, Any]:
        """Payload bytes that leave the customer when 1 MB is replaced, inserted or deleted in the middle."""
        name = self.name()
        local = self.base / name
        random_file(local, megabytes * MB)
        self.upload(local, name)
        moved = {}
        for change in ("replaced", "inserted", "deleted"):
            data = local.read_bytes()
            middle = len(data) // 2
            new = b"" if change == "deleted" else os.urandom(MB)
            rest = data[middle:] if change == "inserted" else data[middle + MB :]
            local.write_bytes(data[:middle] + new + rest)
            before = sent_bytes(self.customer)
            self.upload(local, name)
            moved[f"{change}_mb"] = round((sent_bytes(self.customer) - before) / MB, 2)
        local.unlink()
        return moved

    def memory(self, megabytes: int) -> dict[str, Any]:
        """Peak memory while a large file goes up and comes back."""
        (up, _), (down, _) = self.there_and_back(self.name(), megabytes)
        return {
            "size_mb": megabytes,
            "up_mb_s": round(megabytes / up, 1),
            "down_mb_s": round(megabytes / down, 1),
            "customer_peak_mib": round(memory_mib(self.customer.pid), 1),
            "supplier_peak_mib": round(max(memory_mib(node.pid) for node in self.network.suppliers), 1),
        }

    def frozen(self, megabytes: int = 100) -> dict[str, Any]:
        """Half of the suppliers frozen in the middle of a restore; one frozen during an upload."""
        name = self.name()
        local = self.base / name
        digest = random_file(local, megabytes * MB)
        self.upload(local, name)
        target = self.base / "frozen-down"
        normal, _ = self.timed(self.download, name, target)
        shutil.rmtree(target)
        with ThreadPoolExecutor(1) as pool:
            start = time.perf_counter()
            running = pool.submit(self.download, name, target)
            wait_for(lambda: target.exists() or running.done(), "the start of the restore")
            time.sleep(normal / 3)
            victims = self.busiest(len(self.network.suppliers) // 2)
            self.signal(victims, signal.SIGSTOP)
            try:
                running.result(300)
            finally:
                self.signal(victims, signal.SIGCONT)
            frozen = time.perf_counter() - start
        if digest_of(target / name) != digest:
            raise SystemExit("the file restored with frozen suppliers differs")
        shutil.rmtree(target)
        return {"normal_s": round(normal, 2), "half_frozen_s": round(frozen, 2)} | self._frozen_upload(local)

    def busiest(self, count: int) -> list[NodeProcess]:
        """Suppliers that are being asked for pieces right now, filled up with others."""
        rows = self.customer.client.call("transfers_list")
        busy = {row["global_id"].partition("@")[0]: len(row["incoming"]) for row in rows}
        return sorted(self.network.suppliers, key=lambda node: -busy.get(node.name, 0))[:count]

    def _frozen_upload(self, local: Path) -> dict[str, Any]:
        random_file(local, 10 * MB)
        usual, _ = self.timed(self.upload, local, self.name())
        random_file(local, 10 * MB)
        self.signal(self.network.suppliers[:1], signal.SIGSTOP)
        try:
            slow, _ = self.timed(self.upload, local, self.name())
        finally:
            self.signal(self.network.suppliers[:1], signal.SIGCONT)
        return {"upload_10mb_s": round(usual, 2), "upload_10mb_one_frozen_s": round(slow, 2)}

    def signal(self, nodes: list[NodeProcess], number: int) -> None:
        """Send a signal to daemons."""
        for node in nodes:
            os.kill(node.pid, number)

    def start(self, repeat: int) -> dict[str, Any]:
        """Seconds from the command to a healthy API and to a connected network, and memory when idle."""
        health, connected, cpu = [], [], []
        for _ in range(repeat):
            self.customer.stop()
            start = time.perf_counter()
            self.customer.start()
            health.append(time.perf_counter() - start)
            self.customer.wait_for_service("my_data")
            connected.append(time.perf_counter() - start)
            cpu.append(cpu_seconds([self.customer.pid]))
        self.pids[-1] = self.customer.pid
        return {
            "health_s": round(statistics.median(health), 2),
            "storage_ready_s": round(statistics.median(connected), 2),
            "cpu_s": round(statistics.median(cpu), 2),
            "idle_mib": round(memory_mib(self.customer.pid, "VmRSS"), 1),
        }


def run_peer(script: Path, suppliers: int, sizes: str, out: Path) -> dict[str, Any]:
    """The peer's own benchmark, same k of n, same sizes."""
    k = (suppliers + 1) // 2
    words = [
        sys.executable,
        str(script),
        "--k",
        str(k),
        "--n",
        str(suppliers),
        "--servers",
        str(suppliers),
        "--sizes",
        sizes,
        "--repeat",
        "3",
        "--modes",
        "randomkey",
        "--out",
        str(out),
    ]
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
    report: dict[str, Any] = json.loads(out.read_text())
    return report


def peer_figures(run: dict[str, Any]) -> dict[str, Any]:
    """What the peer's report calls otherwise, under our names; a word where it failed."""

    def seconds(row: dict[str, Any]) -> Any:
        return row["s"] if row["ok"] else f"fails {row['s']}"

    freeze = run.get("freeze", {})
    found = {
        "start health_s": run["ready"]["web_answers_s"],
        "start storage_ready_s": run["ready"]["all_servers_connected_s"],
        "start idle_mib": run["memory_idle"]["gateway"]["rss_mib"],
        "memory customer_peak_mib": run["memory_end"]["gateway"]["peak_mib"],
        "memory supplier_peak_mib": run["memory_end"]["storage_node_median"]["peak_mib"],
    }
    for name, mine in (
        ("frozen_0.4s_into_100MB_download", "frozen half_frozen_s"),
        ("upload_with_1_frozen", "frozen upload_10mb_one_frozen_s"),
    ):
        if name in freeze:
            found[mine] = seconds(freeze[name])
    return found


def table(ours: dict[str, Any], peer: dict[str, Any] | None) -> str:
    """Rows a person reads: what, ours, the peer."""
    run = peer["runs"][0] if peer else None
    lines = [f"{'what':38} {'BitDust':>12} {'peer':>12}"]
    for number, row in enumerate(ours["sizes"]):
        other = run["sizes"][number] if run else {}
        for mine, theirs, what in (
            ("up_mb_s", "upload_mb_s", "up MB/s"),
            ("down_mb_s", "download_mb_s", "down MB/s"),
            ("up_cpu_s", "upload_cpu_s", "up CPU s"),
            ("down_cpu_s", "download_cpu_s", "down CPU s"),
        ):
            lines.append(f"{row['size_mb']:>5} MB {what:29} {row[mine]:>12} {other.get(theirs, '-'):>12}")
    for number, row in enumerate(ours.get("small", [])):
        other = run["small"][number] if run and number < len(run["small"]) else {}
        for mine, theirs in (
            ("up_files_s", "upload_files_s"),
            ("down_files_s", "download_files_s"),
            ("up_cpu_ms", ""),
            ("down_cpu_ms", ""),
        ):
            lines.append(
                f"{row['kb']} KB files, {row['parallel']} at once, {mine:14} {row[mine]:>12} "
                f"{other.get(theirs, '-'):>12}"
            )
    theirs = peer_figures(run) if run else {}
    for part in ("folder", "second_version", "memory", "frozen", "start"):
        for key, value in ours.get(part, {}).items():
            name = f"{part} {key}"
            lines.append(f"{name:38} {value:>12} {theirs.get(name, '-'):>12}")
    return "\n".join(lines)


def main(arguments: list[str]) -> int:
    """Run what is asked for; each part as it ends and a table on standard error, JSON on standard output."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks storage", description=__doc__)
    parser.add_argument("--suppliers", type=int, default=4)
    parser.add_argument("--sizes", default="10,100", help="MB, comma separated")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--small", type=int, default=1000)
    parser.add_argument("--large", type=int, default=2000, help="MB of the file whose memory is watched; 0 = leave out")
    parser.add_argument("--parts", default="start,sizes,small,folder,second_version,frozen,memory")
    parser.add_argument("--peer", type=Path, help="the peer's benchmark script, run in the same minutes")
    asked = parser.parse_args(arguments)
    base = Path(tempfile.mkdtemp(prefix="bitdust-bench-"))
    parts = asked.parts.split(",")
    report: dict[str, Any] = {
        "suppliers": asked.suppliers,
        "cpus": os.cpu_count(),
        "python": sys.version.split()[0],
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "load_before": os.getloadavg()[0],
    }
    bench = Bench(base, asked.suppliers)
    try:
        report["sizes"] = []
        for part, work in (
            ("sizes", lambda: [bench.size(int(size), asked.repeat) for size in asked.sizes.split(",")]),
            ("small", lambda: [bench.small(asked.small, 10, parallel) for parallel in (1, 8)]),
            ("folder", lambda: bench.folder(asked.small, 10)),
            ("second_version", bench.second_version),
            ("frozen", bench.frozen),
            ("memory", lambda: bench.memory(asked.large)),
            ("start", lambda: bench.start(3)),
        ):
            if part in parts and (part != "memory" or asked.large):
                report[part] = work()
                print(f"{part}: {json.dumps(report[part])}", file=sys.stderr, flush=True)
    finally:
        bench.network.close()
        shutil.rmtree(base, ignore_errors=True)
    peer = None
    if asked.peer:
        with tempfile.TemporaryDirectory() as folder:
            peer = run_peer(asked.peer, asked.suppliers, asked.sizes, Path(folder) / "peer.json")
        report["peer"] = peer
    print(table(report, peer), file=sys.stderr)
    print(json.dumps(report, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
