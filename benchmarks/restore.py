"""Many small files: up, back, and the same with restic in the same minutes on the same disk.

    python -m benchmarks restore --files 20000 --megabytes 350 --repeat 3

Ours are real processes, one customer and four suppliers on loopback; restic (``apt-get install restic``) has a local
repository. Every file is compared after every restore, outside of the time. The figures are medians of wall seconds;
``ratio`` is ours by restic's, of the restore.
"""

import argparse
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.storage import MB, Bench, digest_of

A_FOLDER = 100
"""Files in each."""


def make_files(folder: Path, count: int, size: int) -> dict[str, str]:
    """Files of random bytes, most of them small; the SHA-256 of each by its path below the folder."""
    chance = random.Random(1)
    weights = [chance.paretovariate(1.3) for _ in range(count)]
    unit = size / sum(weights)
    digests = {}
    for number, weight in enumerate(weights):
        place = folder / f"part {number // A_FOLDER}"
        place.mkdir(parents=True, exist_ok=True)
        path = place / f"file {number}"
        path.write_bytes(os.urandom(max(1, int(weight * unit))))
        digests[str(path.relative_to(folder))] = digest_of(path)
    return digests


def timed(work: Callable[[], Any]) -> float:
    """Wall seconds, after what others wrote before is on the disk."""
    os.sync()
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def compare(folder: Path, digests: dict[str, str]) -> None:
    """Exits when a byte differs or a file lacks."""
    if any(digest_of(folder / name) != digest for name, digest in digests.items()):
        raise SystemExit(f"files below {folder} differ")


class Restic:
    """A repository of its own. Without the program there are no figures."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self._environment = os.environ | {
            "RESTIC_REPOSITORY": str(base / "restic"),
            "RESTIC_PASSWORD": "of a benchmark",
            "RESTIC_CACHE_DIR": str(base / "restic-cache"),
        }

    @property
    def is_there(self) -> bool:
        """Whether the program is installed."""
        return shutil.which("restic") is not None

    def run(self, *words: str) -> None:
        """One command."""
        subprocess.run(["restic", "-q", *words], check=True, env=self._environment, stdout=subprocess.DEVNULL)

    def restore(self, target: Path) -> None:
        """All of the newest snapshot."""
        self.run("restore", "latest", "--target", str(target))


def measure(base: Path, files: int, megabytes: int, repeat: int) -> dict[str, Any]:
    """Seconds of uploads and restores of both, in turns."""
    source = base / "source"
    digests = make_files(source, files, megabytes * MB)
    bench, restic = Bench(base, 4), Restic(base)
    ours: list[float] = []
    theirs: list[float] = []
    try:
        report: dict[str, Any] = {"files": files, "mb": megabytes}
        report["bitdust_up_s"] = round(timed(lambda: bench.upload(source, "many", True)), 2)
        if restic.is_there:
            restic.run("init")
            report["restic_up_s"] = round(timed(lambda: restic.run("backup", str(source))), 2)
        for _ in range(repeat):
            target = base / "back"
            ours.append(timed(lambda: bench.download("many", target)))  # noqa: B023
            compare(target / "many", digests)
            shutil.rmtree(target)
            if restic.is_there:
                theirs.append(timed(lambda: restic.restore(target)))  # noqa: B023
                compare(target / source.relative_to("/"), digests)
                shutil.rmtree(target)
    finally:
        bench.network.close()
    report["bitdust_down_s"] = round(statistics.median(ours), 2)
    if theirs:
        report["restic_down_s"] = round(statistics.median(theirs), 2)
        report["ratio"] = round(statistics.median(ours) / statistics.median(theirs), 2)
    return report


def main(arguments: list[str]) -> int:
    """JSON on standard output."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks restore", description=__doc__)
    parser.add_argument("--files", type=int, default=20_000)
    parser.add_argument("--megabytes", type=int, default=350)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="where to work; a temporary folder if left out")
    asked = parser.parse_args(arguments)
    base = Path(tempfile.mkdtemp(prefix="bitdust-bench-", dir=asked.folder))
    try:
        report = measure(base, asked.files, asked.megabytes, asked.repeat)
    finally:
        shutil.rmtree(base, ignore_errors=True)
    about = {"cpus": os.cpu_count(), "python": sys.version.split()[0], "load": os.getloadavg()[0]}
    print(json.dumps(report | about, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
