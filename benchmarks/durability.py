"""All figures of durability one after the other, with the conditions under which they were taken.

    python -m benchmarks durability          the sizes that are claimed; an hour on a quiet machine
    python -m benchmarks durability --short  small ones, to see that each runs

Each is a process of its own, as ``python -m benchmarks NAME`` would be. Ends with 1 when one of them fails.
"""

import argparse
import os
import platform
import shutil
import subprocess
import sys
import time
from pathlib import Path

FULL = {
    "heal": ["--megabytes", "1000"],
    "heal --owner": ["--megabytes", "1000"],
    "audit": ["--pieces", "64"],
    "reencode": ["--megabytes", "200", "--steps", "4", "7", "2"],
    "restore": ["--files", "20000", "--megabytes", "350"],
}
SHORT = {
    "heal": ["--megabytes", "8"],
    "heal --owner": ["--megabytes", "8"],
    "audit": ["--pieces", "8"],
    "reencode": ["--megabytes", "4", "--steps", "4"],
    "restore": ["--files", "200", "--megabytes", "4", "--repeat", "1"],
}


def memory() -> str:
    """Of the machine."""
    lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    return f"{int(next(line for line in lines if line.startswith('MemTotal')).split()[1]) / 2**20:.1f} GiB"


def conditions() -> str:
    """What a figure depends on."""
    restic = shutil.which("restic")
    found = subprocess.run([restic, "version"], capture_output=True, text=True, check=False) if restic else None
    return "\n".join(
        (
            f"{time.strftime('%Y-%m-%d %H:%M')}, {platform.platform()}, Python {platform.python_version()}",
            f"{os.cpu_count()} cpus, {memory()}, load {' '.join(f'{one:.2f}' for one in os.getloadavg())}",
            f"restic: {found.stdout.strip() if found else 'not installed (apt-get install restic); no ratio'}",
        )
    )


def main(arguments: list[str]) -> int:
    """Run them all; what they print goes to standard output."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks durability", description=__doc__)
    parser.add_argument("--short", action="store_true", help="small sizes")
    asked = parser.parse_args(arguments)
    failed = []
    for name, words in (SHORT if asked.short else FULL).items():
        print(f"== {name} {' '.join(words)}\n{conditions()}", flush=True)
        start = time.monotonic()
        ended = subprocess.run([sys.executable, "-m", "benchmarks", *name.split(), *words], check=False)
        print(f"-- {time.monotonic() - start:.0f} s, ended with {ended.returncode}\n", flush=True)
        if ended.returncode:
            failed.append(name)
    if failed:
        print(f"FAILED: {', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
