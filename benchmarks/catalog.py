"""A catalog of 100,000 files: how fast a folder of it is listed, and how fast and small a node starts with it.

    python -m benchmarks catalog --folders 1000 --files 100

Real daemons over loopback. The files hold a few bytes each and are uploaded as one tree, so that catalog, packs and
log are what years of use would make. Listing is `files_list` of one folder as clients call it, over one connection.
"""

import argparse
import http.client
import json
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.storage import memory_mib
from bitdust.cli.processes import NodeProcess, ProcessNetwork

SETTLING = 10.0


def make_tree(base: Path, folders: int, files: int) -> None:
    """Folders of small files, each with other bytes."""
    for number in range(folders):
        folder = base / f"folder-{number:04}"
        folder.mkdir(parents=True)
        for name in range(files):
            (folder / f"file-{name:03}.txt").write_bytes(os.urandom(30))


class Lister:
    """One connection to a node's API."""

    def __init__(self, node: NodeProcess) -> None:
        self._secret = node.client.secret
        self._connection = http.client.HTTPConnection("127.0.0.1", node.client.port)

    def ask(self, method: str, **arguments: Any) -> Any:
        """The result of a method."""
        self._connection.request("POST", f"/api/{method}", json.dumps(arguments), {"api_secret": self._secret})
        return json.loads(self._connection.getresponse().read())["result"]

    def size(self, path: str) -> int:
        """Bytes of an answer."""
        self._connection.request("POST", f"/{path}", "{}", {"api_secret": self._secret})
        return len(self._connection.getresponse().read())

    def timed(self, times: int, method: str, **arguments: Any) -> tuple[float, Any]:
        """Median milliseconds, and the last result."""
        took = []
        for _ in range(times):
            begin = time.perf_counter()
            result = self.ask(method, **arguments)
            took.append(time.perf_counter() - begin)
        return 1000 * statistics.median(took), result


def lists(node: NodeProcess, files: int) -> dict[str, float]:
    """Milliseconds of some questions."""
    lister = Lister(node)
    plain, rows = lister.timed(21, "files_list", remote_path="tree/folder-0500", recursive=False)
    if len(rows) != files:
        raise SystemExit(f"{len(rows)} rows instead of {files}")
    deep, _ = lister.timed(21, "files_list", remote_path="tree/folder-0500", recursive=True)
    jobs, _ = lister.timed(
        21, "files_list", remote_path="tree/folder-0500", recursive=False, include_uploads=True, include_downloads=True
    )
    top, _ = lister.timed(5, "files_list", remote_path="", recursive=False)
    folders, _ = lister.timed(3, "files_list", remote_path="tree", recursive=False)
    info, _ = lister.timed(21, "file_info", remote_path="tree/folder-0500/file-050.txt")
    stats, _ = lister.timed(5, "process_info")
    return {
        "a folder, ms": plain,
        "a folder, recursive, ms": deep,
        "a folder, with uploads and downloads, ms": jobs,
        "the top, ms": top,
        "the folder of all folders, ms": folders,
        "file_info, ms": info,
        "process_info, ms": stats,
    }


def everything(node: NodeProcess) -> dict[str, float]:
    """The longest lists there are: seconds, the longest that another call waited meanwhile, and MiB after it."""
    found: dict[str, float] = {"memory before, MiB": memory_mib(node.pid)}
    for name, path in (("files_list of everything", "api/files_list"), ("backups_id_list", "2016/backups_id_list")):
        over, waits = threading.Event(), [0.0]

        def ask_others(over: threading.Event = over, waits: list[float] = waits) -> None:
            lister = Lister(node)
            while not over.is_set():
                waits.append(lister.timed(1, "process_health")[0])
                time.sleep(0.01)

        other = threading.Thread(target=ask_others)
        other.start()
        began = time.perf_counter()
        size = Lister(node).size(path)
        found[f"{name}, s"] = time.perf_counter() - began
        over.set()
        other.join()
        found |= {f"{name}, MB": size / 1e6, f"{name}, another call waits, ms": max(waits)}
        found[f"{name}, peak memory, MiB"] = memory_mib(node.pid)
    return found


def starts(node: NodeProcess, repeat: int) -> dict[str, float]:
    """Seconds from the command to the first answer and to the storage, and MiB after it has settled."""
    health, ready, memory = [], [], []
    for _ in range(repeat):
        node.stop()
        begin = time.perf_counter()
        node.start()
        health.append(time.perf_counter() - begin)
        node.wait_for_service("my_data")
        ready.append(time.perf_counter() - begin)
        time.sleep(SETTLING)
        memory.append(memory_mib(node.pid))
    return {
        "start to process_health, s": statistics.median(health),
        "start to storage, s": statistics.median(ready),
        "peak memory after start, MiB": statistics.median(memory),
    }


def main(arguments: Sequence[str]) -> int:
    """Print a line a figure."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks catalog", description=__doc__)
    parser.add_argument("--folders", type=int, default=1000)
    parser.add_argument("--files", type=int, default=100)
    parser.add_argument("--suppliers", type=int, default=2)
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="bitdust-catalog-") as folder:
        base = Path(folder)
        network = ProcessNetwork(base)
        try:
            network.start_seed()
            for number in range(1, options.suppliers + 1):
                network.add_supplier(number)
            node = network.add_customer("alice", options.suppliers)
            make_tree(base / "tree", options.folders, options.files)
            begin = time.perf_counter()
            node.client.call("file_create", remote_path="tree", as_folder=True)
            node.client.call("file_upload_start", local_path=str(base / "tree"), remote_path="tree", wait_result=True)
            figures = {"upload of the tree, s": time.perf_counter() - begin}
            figures |= lists(node, options.files) | starts(node, options.repeat)
            figures |= {f"after a start: {name}": value for name, value in lists(node, options.files).items()}
            figures |= everything(node)
        finally:
            network.close()
    for name, value in figures.items():
        print(f"{name:60} {value:9.2f}")
    return 0
