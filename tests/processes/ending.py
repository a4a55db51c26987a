"""Calls after which the process of a node is another one."""

from bitdust.cli.lock import running_pid
from bitdust.cli.processes import NodeProcess, wait_for


def start_mark(node: NodeProcess) -> int:
    """Another one for each start; 0 while the API is not there."""
    try:
        return (node.home / "metadata" / "apiports").stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def come_back(node: NodeProcess, mark: int, restarts: bool) -> None:
    """After a call that ended the process: wait for the end, and for the next start, which is ours if it only stops."""
    if not restarts:
        wait_for(lambda: running_pid(node.home) is None, "the end of the process")
        node.start()
    wait_for(lambda: start_mark(node) not in (0, mark), "the next start")
    wait_for(lambda: node.client.call("process_health") is not None, "the API")
