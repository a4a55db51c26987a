"""What strangers may take of a node: attacks by amounts on a real daemon, each for a bounded time, and honest people
beside them.

    python -m benchmarks abuse [--seconds 10] [--list] [ATTACK ...]

A seed, and a supplier that counts 127.0.0.0/24 as its household: attackers come from other networks of 127/8, each /24
a stranger's own. For each attack: resident memory before, at its highest and five seconds after; the most open files;
its share of a processor; the honest ping (median and 95th percentile); 4 MiB pieces up and back; how soon a newcomer
has a contract; what the honest could not do. Ends with 1 where the ping is 10 ms or more, a transfer is slower than
half of what it is in a quiet moment, anything honest failed, memory reached 200 MiB, or a minute after the last attack
there are 40 MiB more than before the first one.

On a machine that has other things to do, ``--first`` lets the attacked and the honest go before all others (SCHED_RR,
which root alone may); attackers stay as they are.
"""

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.abuse_attacks import ATTACKS
from bitdust.cli.client import ApiError
from bitdust.cli.processes import NodeProcess, ProcessNetwork

PING, SHARE, MEMORY, LEFT = 0.010, 0.5, 200.0, 40.0
AFTER, LATER = 5.0, 60.0
HOUSEHOLD = {"services/network/household": "127.0.0.0/24 ::1/128"}
MIB = 1024 * 1024


class Watch:
    """Memory (MiB) and open files of a process, looked at often."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._stop = threading.Event()
        self.memory = self.files = 0.0
        self._thread = threading.Thread(target=self._run, daemon=True)

    def seconds(self) -> float:
        """Of the processor, so far."""
        words = Path(f"/proc/{self._pid}/stat").read_text().rpartition(")")[2].split()
        return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")

    def resident(self) -> float:
        """Now."""
        return int(Path(f"/proc/{self._pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / MIB

    @contextlib.contextmanager
    def watching(self) -> "Iterator[Watch]":
        """Note the most of both."""
        self._thread.start()
        try:
            yield self
        finally:
            self._stop.set()
            self._thread.join()

    def _run(self) -> None:
        with contextlib.suppress(OSError):
            while not self._stop.wait(0.1):
                self.memory = max(self.memory, self.resident())
                self.files = max(self.files, len(os.listdir(f"/proc/{self._pid}/fd")))


class Helper:
    """A process that is told what to do by lines, and answers with lines."""

    def __init__(self, module: str, *words: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", f"benchmarks.{module}", *words],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        if self.read() != "ready":
            raise RuntimeError(f"benchmarks.{module} did not begin")

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    def write(self, line: str) -> None:
        """One line."""
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def read(self) -> str:
        """One line; empty when it has ended."""
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.communicate()


class Abuse:
    """The seed, the victim, and those who are honest."""

    def __init__(self, base: Path, first: bool) -> None:
        self.first: dict[str, float] = {}
        self.network = ProcessNetwork(base, HOUSEHOLD)
        self.network.seed.configure(HOUSEHOLD)
        self.network.start_seed()
        self.victim = self.network.add_supplier(1, "20 GB")
        self.words = self._where(self.victim)
        self.ports = self._ports()
        self.probe = Helper("abuse_probe", *self.words)
        for pid in (self.network.seed.pid, self.victim.pid, self.probe.pid) if first else ():
            for thread in os.listdir(f"/proc/{pid}/task"):
                os.sched_setscheduler(int(thread), os.SCHED_RR, os.sched_param(1))

    def close(self) -> None:
        """End everything."""
        self.probe.close()
        self.network.close()

    def _where(self, node: NodeProcess) -> tuple[str, str]:
        contacts = node.client.call("identity_get")["contacts"]
        address = next(one for one in contacts if one.startswith("tcp://127."))
        return address.removeprefix("tcp://"), str(node.client.call("identity_get")["fingerprint"])

    def _ports(self) -> tuple[str, str]:
        servers = self.network.joining["services/identity-propagate/known-servers"]
        return servers.rpartition(":")[2], str(self.victim.client.port)

    def watch(self, seconds: float) -> dict[str, Any]:
        """What honest people see."""
        self.probe.write(str(seconds))
        seen: dict[str, Any] = json.loads(self.probe.read())
        return seen

    def attack(self, name: str, seconds: float) -> dict[str, Any]:
        """Attack, and see what it costs."""
        node = self.network.seed if name == "idserver" else self.victim
        watch = Watch(node.pid)
        before, used = watch.resident(), watch.seconds()
        self.first.setdefault(node.name, before)
        attacker = Helper("abuse_attacks", name, str(seconds), *self.words, *self.ports)
        honest: list[float] = []
        try:
            with watch.watching():
                attacker.write("go")
                asking = threading.Thread(target=self._ask_http, args=(name, seconds, honest))
                asking.start()
                time.sleep(min(1.0, seconds / 4))
                seen = self.watch(seconds - min(1.0, seconds / 4))
                did = json.loads(attacker.read() or "{}")
                asking.join()
                used = watch.seconds() - used
                time.sleep(AFTER)
        finally:
            attacker.close()
        return seen | {
            "before": before, "peak": watch.memory, "after": watch.resident(), "files": watch.files,
            "cpu": used / seconds, "did": did, "http": sorted(honest)[len(honest) // 2] if honest else None,
        }  # fmt: skip

    def left(self) -> tuple[float, float]:
        """MiB of the victim before the first attack, and a minute after the last."""
        watch = Watch(self.victim.pid)
        before = self.first.get(self.victim.name, watch.resident())
        time.sleep(LATER)
        return before, watch.resident()

    def _ask_http(self, name: str, seconds: float, honest: list[float]) -> None:
        """The ID server and the API, as honest programs ask them."""
        until = time.monotonic() + seconds
        url = f"http://127.0.0.1:{self.ports[0]}/{self.victim.name}.xml"
        while time.monotonic() < until:
            since = time.monotonic()
            try:
                if name == "idserver":
                    with urllib.request.urlopen(url, timeout=5) as answer:
                        answer.read()
                else:
                    self.victim.client.call("process_health")
            except (OSError, ApiError):
                honest.append(5.0)
            else:
                honest.append(time.monotonic() - since)
            time.sleep(0.5)


COLUMNS = (
    f"{'attack':<16}{'MiB before':>11}{'peak':>6}{'after':>6}{'files':>6}{'CPU %':>7}{'ping ms':>9}{'95%':>7}"
    f"{'up MB/s':>9}{'back':>7}{'new ms':>8}{'HTTP ms':>8}{'failed':>7}  missed"
)


def row(name: str, seen: dict[str, Any], quiet: dict[str, Any]) -> tuple[str, list[str]]:
    """One line of the table, and which goals were missed."""
    missed = []
    if seen.get("ping", 9.0) >= PING:
        missed.append("ping")
    for what in ("upload", "restore"):
        if what not in seen or seen[what] * SHARE > quiet[what]:
            missed.append(what)
    if seen["peak"] >= MEMORY:
        missed.append("memory")
    if seen["failed"]:
        missed.append("failures")
    if seen["http"] is not None and seen["http"] >= 1.0:
        missed.append("HTTP")
    rates = [f"{4.194 / seen[one]:.0f}" if one in seen else "-" for one in ("upload", "restore")]
    times = [f"{1000 * seen[one]:.1f}" if seen.get(one) else "-" for one in ("ping", "ping95", "newcomer", "http")]
    line = (
        f"{name:<16}{seen['before']:>11.0f}{seen['peak']:>6.0f}{seen['after']:>6.0f}{seen['files']:>6.0f}"
        f"{100 * seen['cpu']:>7.0f}"
        f"{times[0]:>9}{times[1]:>7}{rates[0]:>9}{rates[1]:>7}{times[2]:>8}{times[3]:>8}{seen['failed']:>7}"
        f"  {', '.join(missed) or '-'}"
    )
    return line, missed


def main(arguments: list[str]) -> int:
    """A table on standard output, what attackers did on standard error."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks abuse", description=__doc__)
    parser.add_argument("attacks", nargs="*", metavar="ATTACK", help="all if left out")
    parser.add_argument("--seconds", type=float, default=10.0, help="of each attack")
    parser.add_argument("--first", action="store_true", help="the attacked and the honest go before other processes")
    parser.add_argument("--list", action="store_true", help="name the attacks")
    asked = parser.parse_args(arguments)
    unknown = set(asked.attacks) - set(ATTACKS)
    if asked.list or unknown:
        print("\n".join(ATTACKS) if asked.list else f"there is no attack {', '.join(unknown)}")
        return 2 if unknown else 0
    base = Path(tempfile.mkdtemp(prefix="bitdust-abuse-"))
    abuse, wrong = None, False
    try:
        abuse = Abuse(base, asked.first)
        quiet = abuse.watch(asked.seconds)
        print(f"{os.cpu_count()} cpus, load {os.getloadavg()[0]:.1f}, {asked.seconds:g} s each; quiet: {quiet}")
        print(COLUMNS, flush=True)
        for name in asked.attacks or ATTACKS:
            seen = abuse.attack(name, asked.seconds)
            line, missed = row(name, seen, quiet)
            print(line, flush=True)
            print(f"    {name}: {seen['did']} {seen['why'] or ''}", file=sys.stderr, flush=True)
            wrong = wrong or bool(missed)
        before, left = abuse.left()
        print(f"memory after {LATER:.0f} s: {left:.0f} MiB, before all attacks: {before:.0f}")
        wrong = wrong or left - before >= LEFT
    finally:
        if abuse is not None:
            abuse.close()
        shutil.rmtree(base, ignore_errors=True)
    print("FAILED: goals were missed" if wrong else "every goal was met")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
