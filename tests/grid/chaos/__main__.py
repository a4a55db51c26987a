"""The command line of random runs."""

import argparse
import os
import subprocess
import sys
import time

from twisted.logger import globalLogBeginner

from tests.grid.chaos.running import MODES, replay, run_seed


def main() -> int:
    """Run seeds; 1 when one of them fails."""
    parser = argparse.ArgumentParser(prog="python -m tests.grid.chaos", description="Break a network at random.")
    parser.add_argument("first", type=int)
    parser.add_argument("last", type=int)
    parser.add_argument("--leave-out", default="", help="seeds in between that are not run, with commas")
    parser.add_argument("--mode", choices=sorted(MODES), default="safety")
    parser.add_argument("-v", "--verbose", action="store_true", help="print what happens")
    given = parser.parse_args()
    if os.environ.get("PYTHONHASHSEED") != "0":
        # The order of sets of bytes is part of a run. A process of its own, because what this one has started would
        # be ended (`tests.lifeline`) when another program takes its place.
        command = [sys.executable, "-m", "tests.grid.chaos", *sys.argv[1:]]
        return subprocess.call(command, env={**os.environ, "PYTHONHASHSEED": "0"})
    # What is logged is in the journal.
    globalLogBeginner.beginLoggingTo([lambda event: None], redirectStandardIO=False, discardBuffer=True)
    failed = 0
    left_out = {int(one) for one in given.leave_out.split(",") if one}
    for seed in (one for one in range(given.first, given.last + 1) if one not in left_out):
        began = time.process_time()
        why, journal = run_seed(seed, given.mode, given.verbose)
        took = time.process_time() - began
        if why:
            failed += 1
            print(f"seed {seed} FAILED: {why}\n  replay: {replay(seed, given.mode)}", flush=True)
        else:
            print(f"seed {seed} ok, {len(journal)} lines, {took:.1f} s", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
