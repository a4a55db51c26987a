"""Another number of suppliers: seconds, and bytes that moved, beside the fewest that there can be.

    python -m benchmarks reencode --megabytes 200 --steps 4 7 2

Real processes on loopback, a customer that begins with two suppliers. The customer has to read what is stored once and
to send n/k times as much for n suppliers: that is ``least``. ``in`` and ``out`` are all bytes of its sessions. Every
byte of the file is compared after each step.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.storage import MB, Bench, digest_of, random_file

NUMBER = "services/customer/suppliers-number"
PATIENCE = 3600.0


def traffic(bench: Bench) -> tuple[int, int]:
    """Bytes that the customer's sessions have brought and sent."""
    row = bench.customer.client.call("packets_stats")
    return row["in"]["bytes"], row["out"]["bytes"]


def is_over(bench: Bench, n: int) -> bool:
    """Whether the family has ``n`` suppliers and no pack of another size is left."""
    rows = bench.customer.client.call("suppliers_list")
    file = bench.customer.client.call("process_info")["file"]
    pieces, now = file["pieces"], file["reencoding"]["now"]
    is_at_rest = not now and pieces["due"] == pieces["acknowledged"] == n * pieces["packs"]
    return is_at_rest and len(rows) == n and not any(row["beyond"] for row in rows)


def step(bench: Bench, n: int, size: int) -> dict[str, Any]:
    """One change of the number."""
    before, start = traffic(bench), time.perf_counter()
    bench.customer.client.call("config_set", key=NUMBER, value=n)
    while not is_over(bench, n):
        if time.perf_counter() - start > PATIENCE:
            raise SystemExit(f"{n} suppliers: not over after {PATIENCE:.0f} seconds")
        time.sleep(0.5)
    seconds, after = time.perf_counter() - start, traffic(bench)
    moved = [after[way] - before[way] for way in (0, 1)]
    least = [size, size * n // ((n + 1) // 2)]
    return {
        "suppliers": n,
        "seconds": round(seconds, 1),
        "in_mb": round(moved[0] / MB, 1),
        "out_mb": round(moved[1] / MB, 1),
        "least_in_mb": round(least[0] / MB, 1),
        "least_out_mb": round(least[1] / MB, 1),
        "ratio": round(sum(moved) / sum(least), 3),
    }


def measure(base: Path, megabytes: int, steps: list[int]) -> list[dict[str, Any]]:
    """All steps."""
    bench = Bench(base, 2)
    try:
        for number in range(3, max(steps) + 1):
            bench.network.add_supplier(number, "40 GB")
        local = base / "file"
        digest = random_file(local, megabytes * MB)
        bench.upload(local, "file")
        report = []
        for n in steps:
            report.append(step(bench, n, megabytes * MB))
            bench.download("file", base / "back")
            if digest_of(base / "back" / "file") != digest:
                raise SystemExit(f"with {n} suppliers other bytes come back")
            shutil.rmtree(base / "back")
        return report
    finally:
        bench.network.close()


def main(arguments: list[str]) -> int:
    """JSON on standard output."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks reencode", description=__doc__)
    parser.add_argument("--megabytes", type=int, default=200)
    parser.add_argument("--steps", type=int, nargs="+", default=[4, 7, 2])
    parser.add_argument("--folder", type=Path, help="where to work; a temporary folder if left out")
    asked = parser.parse_args(arguments)
    base = Path(tempfile.mkdtemp(prefix="bitdust-bench-", dir=asked.folder))
    try:
        steps = measure(base, asked.megabytes, asked.steps)
    finally:
        shutil.rmtree(base, ignore_errors=True)
    about = {"cpus": os.cpu_count(), "python": sys.version.split()[0], "load": os.getloadavg()[0]}
    print(json.dumps({"megabytes": asked.megabytes, "steps": steps} | about, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
