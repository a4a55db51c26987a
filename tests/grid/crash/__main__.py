"""The command line of crash points."""

import argparse
import gc
import os
import subprocess
import sys

from twisted.logger import globalLogBeginner

from tests.grid.crash.running import HOWS, points, replay, run, sample
from tests.grid.crash.scenarios import SCENARIOS


def main() -> int:
    """Break a scenario at its changes; 1 when a run fails."""
    parser = argparse.ArgumentParser(prog="python -m tests.grid.crash", description="Break a disk at every change.")
    parser.add_argument("scenario", help=f"{', '.join(SCENARIOS)}, with :NODE for its disk; or sample")
    parser.add_argument("first", type=int, nargs="?", default=1, help="the first change, or the seed of a sample")
    parser.add_argument("last", type=int, nargs="?", default=0, help="the last change; left out: all")
    parser.add_argument("--how", choices=HOWS, action="append", help="left out: in every way")
    parser.add_argument("--every", type=int, default=1, help="only each so-many-th of these runs")
    parser.add_argument("-v", "--verbose", action="store_true", help="print what happens")
    given = parser.parse_args()
    if os.environ.get("PYTHONHASHSEED") != "0":
        # The order of sets of bytes is part of a run.
        command = [sys.executable, "-m", "tests.grid.crash", *sys.argv[1:]]
        return subprocess.run(command, env={**os.environ, "PYTHONHASHSEED": "0"}, check=False).returncode
    # What is logged is in the journal.
    globalLogBeginner.beginLoggingTo([lambda event: None], redirectStandardIO=False, discardBuffer=True)
    gc.freeze()  # each death of a node ends with a collection, which is to look at what the run has made
    chosen = sample(given.first) if given.scenario == "sample" else choose(given)
    failed = sum(fails(*one, given.verbose) for one in chosen)
    print(f"{len(chosen) - failed} of {len(chosen)} runs ok", flush=True)
    return 1 if failed or not chosen else 0


def choose(given: argparse.Namespace) -> list[tuple[str, int, str]]:
    """The runs that were asked for; none where the scenario fails with nothing broken."""
    why, changes, _ = run(given.scenario)
    if why:
        print(f"{given.scenario} FAILED with nothing broken: {why}")
        return []
    asked = [one for one in points(changes, given.first, given.last) if not given.how or one[1] in given.how]
    chosen = asked[:: given.every]
    print(f"{given.scenario}: {len(changes)} changes, {len(chosen)} runs", flush=True)
    return [(given.scenario, at, how) for at, how in chosen]


def fails(scenario: str, at: int, how: str, verbose: bool) -> bool:
    """Run one of them; whether it fails, which is printed."""
    why, seen, _ = run(scenario, at, how, verbose)
    change = seen[at - 1] if at <= len(seen) else None
    name = f"{change.kind} of {change.path.name}" if change else "nothing"
    if why:
        print(f"{scenario} {at} {how}, {name}, FAILED: {why}\n  replay: {replay(scenario, at, how)}", flush=True)
    return bool(why)


if __name__ == "__main__":
    sys.exit(main())
