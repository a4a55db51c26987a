"""Real processes that are killed, stopped, filled up, wiped and rotten for some minutes: is all there in the end?

    python -m benchmarks chaos --minutes 10 --seed 1

One customer, four suppliers and spares on loopback. At most one supplier of the family is damaged at a time, which is
less than half of it. In the end everything that was promised is compared byte for byte, at home and in a new home that
has a key file alone. The figures are wall seconds; a recovery may take 30, a replacement 120. Ends with 1 when
something is lost, slower, or stuck.
"""

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.chaos_network import Lost, Stage
from bitdust.cli.client import ApiError
from bitdust.cli.processes import StepFailed

RECOVERY, REPLACEMENT, SETTLED = 30.0, 120.0, 120.0
LIMITS = {"recovery": RECOVERY, "replacement": REPLACEMENT, "settled": SETTLED}


class Chaos:
    """A script that follows from a seed."""

    def __init__(self, stage: Stage, seed: int) -> None:
        self.stage = stage
        self.random = random.Random(seed)
        self.figures: dict[str, list[float]] = {}
        self.skipped: dict[str, str] = {}

    def run(self, minutes: float) -> None:
        """Until the time is over, and then once more everything. Raises `Lost`."""
        end = time.monotonic() + 60 * minutes
        every: list[Callable[[], None]] = [
            self.upload, self.upload, self.kill, self.stop, self.kill_customer, self.fill, self.wipe, self.rot,
            self.replace, self.recover,
        ]  # fmt: skip
        while time.monotonic() < end:
            self.random.shuffle(every)
            for step in every:
                if time.monotonic() < end:
                    self.timed(step.__name__, step)
                    self.settle()
        self.settle()
        self.compare()
        self.recover()
        self.compare()

    def timed(self, name: str, work: Callable[[], object]) -> float:
        """Note how long it takes."""
        start = time.monotonic()
        print(f"{time.strftime('%H:%M:%S')} {name}", file=sys.stderr, flush=True)
        work()
        seconds = time.monotonic() - start
        self.figures.setdefault(name, []).append(seconds)
        return seconds

    def settle(self) -> None:
        """Every piece is with its supplier, and nothing goes on."""
        self.timed("settled", lambda: self.stage.settle(2 * SETTLED))

    def compare(self) -> None:
        """All that was promised comes back as it was."""
        self.timed("compared", self.stage.compare)

    # what happens

    def upload(self) -> None:
        """A file or a folder."""
        self.stage.upload(self.random.choice((1, 20)), self.random.choice((5_000, 300_000, 4_000_000)), True)

    def amid_upload(self) -> None:
        """An upload goes on while the next thing happens."""
        self.stage.upload(1, self.random.choice((4_000_000, 20_000_000)), False)
        time.sleep(self.random.choice((0.05, 0.2, 0.6)))

    def kill(self) -> None:
        """A supplier is killed amid an upload, and starts again."""
        node = self.random.choice(self.stage.family())
        self.amid_upload()
        node.kill()
        time.sleep(self.random.choice((0, 2, 8)))
        node.start()

    def stop(self) -> None:
        """A supplier is stopped for a while amid an upload, and continued."""
        node = self.random.choice(self.stage.family())
        with self.stage.frozen(node):
            self.amid_upload()
            time.sleep(self.random.choice((3, 15, 40)))

    def kill_customer(self) -> None:
        """The customer is killed amid an upload, and starts again."""
        self.amid_upload()
        self.stage.customer.kill()
        self.stage.customer.start()
        self.stage.customer.wait_for_service("my_data")

    def fill(self) -> None:
        """The disk of a supplier is full for a while."""
        if self.stage.why_no_disk:
            self.skipped["fill"] = self.stage.why_no_disk
            return
        node = self.random.choice(self.stage.family())
        with self.stage.full(node):
            self.amid_upload()
            time.sleep(self.random.choice((3, 10)))

    def wipe(self) -> None:
        """A supplier loses its whole store, and starts again with an empty one."""
        self.stage.wipe(self.random.choice(self.stage.family()))
        self.prove()

    def rot(self) -> None:
        """Some pieces of a supplier rot."""
        self.stage.rot(self.random.choice(self.stage.family()), self.random)
        self.prove()

    def prove(self) -> None:
        """All are together again and prove what they have; what is not proved is made again before the next loss."""
        self.settle()
        self.stage.verify()

    def replace(self) -> None:
        """A supplier is gone for good, and its place goes to another."""
        node = self.random.choice(self.stage.family())
        self.timed("replacement", lambda: self.stage.replace(node, 2 * REPLACEMENT))

    def recover(self) -> None:
        """The customer's home is lost; a new one with a key file goes on."""
        self.stage.lose_customer()
        self.timed("recovery", lambda: self.stage.recover(2 * RECOVERY))

    # the end

    def too_slow(self) -> list[str]:
        """What took longer than it may."""
        return [
            f"{name} took {max(self.figures[name]):.1f} s, more than {limit:.0f}"
            for name, limit in LIMITS.items()
            if max(self.figures.get(name, [0])) > limit
        ]

    def report(self) -> str:
        """The table."""
        rows = [f"{'what':<14}{'times':>6}{'median s':>10}{'longest s':>11}{'may take':>10}"]
        for name, seconds in sorted(self.figures.items()):
            middle = sorted(seconds)[len(seconds) // 2]
            limit = f"{LIMITS[name]:.0f}" if name in LIMITS else ""
            rows.append(f"{name:<14}{len(seconds):>6}{middle:>10.1f}{max(seconds):>11.1f}{limit:>10}")
        return "\n".join(rows + [f"skipped: {name}: {why}" for name, why in self.skipped.items()])


def main(arguments: list[str]) -> int:
    """A table on standard output, what happens on standard error."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="where to work; a temporary folder if left out")
    asked = parser.parse_args(arguments)
    base = Path(tempfile.mkdtemp(prefix="bitdust-chaos-", dir=asked.folder))
    stage = Stage(base, asked.seed)
    chaos = Chaos(stage, asked.seed)
    wrong: list[str] = []
    try:
        stage.begin()
        chaos.run(asked.minutes)
    except (Lost, StepFailed, ApiError, OSError, subprocess.SubprocessError) as error:
        wrong.append(f"{type(error).__name__}: {error}")
    finally:
        stage.close()
        shutil.rmtree(base, ignore_errors=True)
    wrong += chaos.too_slow()
    print(f"seed {asked.seed}, {asked.minutes:g} minutes, {os.cpu_count()} cpus, load {os.getloadavg()[0]:.1f}")
    print(f"{len(stage.promised)} items, {stage.bytes / 1e6:.0f} MB promised")
    print(chaos.report())
    print("\n".join(f"FAILED: {one}" for one in wrong) or "everything came back, and nothing was stuck")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
