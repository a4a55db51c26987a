"""What a network costs while nobody asks for anything: CPU time and memory of each process.

    python -m benchmarks idle --suppliers 4 --minutes 5

Real daemons over loopback: a seed, suppliers and a customer with a file at them. ``cpu %`` is user and system time of
one core over the whole time; the memory is the largest resident size that was seen, looked at once a minute.
"""

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from attrs import define

from benchmarks.storage import cpu_seconds, memory_mib, random_file
from bitdust.cli.processes import NodeProcess, ProcessNetwork

SETTLING = 60.0


@define
class Reading:
    """One process over the time of the measurement."""

    node: NodeProcess
    cpu: float
    memory: float = 0.0

    def look(self) -> None:
        """Note the memory of this moment."""
        self.memory = max(self.memory, memory_mib(self.node.pid, "VmRSS"))


def measure(nodes: Sequence[NodeProcess], minutes: float) -> list[tuple[str, float, float]]:
    """Name, CPU in percent of a core, MiB."""
    readings = [Reading(node, cpu_seconds([node.pid])) for node in nodes]
    begin = time.monotonic()
    while (left := begin + minutes * 60 - time.monotonic()) > 0:
        time.sleep(min(60.0, left))
        for reading in readings:
            reading.look()
    seconds = time.monotonic() - begin
    return [
        (one.node.name, 100 * (cpu_seconds([one.node.pid]) - one.cpu) / seconds, one.memory) for one in readings
    ]


def network(base: Path, suppliers: int) -> ProcessNetwork:
    """A seed, suppliers and a customer, with a file of 1 MB stored."""
    made = ProcessNetwork(base)
    made.start_seed()
    for number in range(1, suppliers + 1):
        made.add_supplier(number)
    customer = made.add_customer("alice", suppliers)
    local = base / "file"
    random_file(local, 1_000_000)
    customer.client.call("file_create", remote_path="file")
    customer.client.call("file_upload_start", local_path=str(local), remote_path="file", wait_result=True)
    return made


def main(arguments: Sequence[str]) -> int:
    """Print one line a process."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks idle", description=__doc__)
    parser.add_argument("--suppliers", type=int, default=4)
    parser.add_argument("--minutes", type=float, default=5.0)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="bitdust-idle-") as folder:
        made = network(Path(folder), options.suppliers)
        try:
            time.sleep(SETTLING)
            rows = measure([*made.others, *made.suppliers, made.seed], options.minutes)
        finally:
            made.close()
    print(f"{'process':14} {'cpu %':>6} {'MiB':>6}")
    for name, cpu, memory in rows:
        print(f"{name:14} {cpu:6.3f} {memory:6.1f}")
    return 0
