"""What one node may use of its process: open files and memory, shared out among those who take them from others.

The one place where the machine's limits become the node's. Every share has a fixed upper end in the module that uses
it; on a small machine the share of the budget is smaller, and peers or programs are refused earlier, in words, instead
of meeting a process that can open nothing any more.
"""

import os
import resource
from collections.abc import Callable
from pathlib import Path

from attrs import frozen

from bitdust.wire.errors import BitDustError

MIB = 1024 * 1024
OWN_FILES = 120
"""Descriptors of the node itself: program, logs, databases, listening ports, threads that read and write its data."""
LEAST_FILES = 256
GOOD_FILES = 2048
WANTED_FILES = 65_536
LEAST_MEMORY = 192 * MIB
"""A node at rest has 85 MiB; packs in the hands of two threads and a download need as much again."""
PIECE_MEMORY = 2 * MIB
"""A piece on its way in: what is gathered for the disk, and a window of its stream."""
SESSION_MEMORY = 256 * 1024
"""TLS, frames and identity document of a peer."""


@frozen
class Budget:
    """Upper ends, each for all peers or programs together."""

    sessions: int = 1_000
    """Proven peers, one session each."""
    unproven: int = 100
    """Connections that have not shown who they are."""
    pieces: int = 512
    """Pieces that suppliers' customers bring or fetch at a time."""
    api_connections: int = 256
    web_sockets: int = 64
    restoring: int = 8 * MIB
    """Bytes of packs that a download has in memory."""
    unread: int = 64 * MIB
    """Bytes of peers that wait here to be read, or to be taken by them."""
    answers: int = 32 * MIB
    """Bytes of long answers that programs at the API have asked for and not read."""

    @classmethod
    def of(cls, files: int, memory: int) -> "Budget":
        """Share out ``files`` descriptors and ``memory`` bytes. Raises `BitDustError` ``too-few-files``."""
        if files < LEAST_FILES:
            raise BitDustError(
                "too-few-files",
                f"this process may open {files} files, and a node needs {LEAST_FILES} at least: raise the limit with"
                f" `ulimit -n {GOOD_FILES}`, or with LimitNOFILE= in its service",
            )
        most, spare = cls(), files - OWN_FILES
        return cls(
            sessions=min(most.sessions, spare * 45 // 100, max(16, memory // 4 // SESSION_MEMORY)),
            unproven=min(most.unproven, spare * 10 // 100),
            pieces=min(most.pieces, spare * 25 // 100, max(8, memory // 4 // PIECE_MEMORY)),
            api_connections=min(most.api_connections, spare * 15 // 100),
            web_sockets=min(most.web_sockets, spare * 5 // 100),
            restoring=min(most.restoring, max(MIB, memory // 32)),
            unread=min(most.unread, max(17 * MIB, memory // 8)),
            answers=min(most.answers, max(4 * MIB, memory // 32)),
        )


@frozen
class Measured:
    """What the system gives this process."""

    files: int
    memory: int

    def budget(self) -> Budget:
        """See `Budget.of`."""
        return Budget.of(self.files, self.memory)

    def warnings(self) -> list[str]:
        """What the owner of a small machine should know."""
        found = []
        if self.files < GOOD_FILES:
            found.append(
                f"this process may open {self.files} files only, so at most {self.budget().sessions} peers can be "
                f"connected; raise the limit with `ulimit -n {GOOD_FILES}`, or with LimitNOFILE= in its service"
            )
        if self.memory < LEAST_MEMORY:
            found.append(
                f"this process may use {self.memory // MIB} MiB of memory; under {LEAST_MEMORY // MIB} MiB uploads "
                "and downloads are slow, and the system may end it"
            )
        return found


def measure() -> Measured:
    """Raise the soft limit of open files as far as may be, and look how much memory there is."""
    return Measured(raise_open_files(), memory_limit())


def raise_open_files() -> int:
    """How many files this process may open from now on."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = WANTED_FILES if hard == resource.RLIM_INFINITY else min(hard, WANTED_FILES)
    if soft == resource.RLIM_INFINITY or soft >= most:
        return WANTED_FILES if soft == resource.RLIM_INFINITY else soft
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    except (OSError, ValueError):
        return soft
    return most


def contents(path: str) -> str:
    """A file of the system as text; names of groups may hold any bytes."""
    return os.fsdecode(Path(path).read_bytes())


def memory_limit(
    read: Callable[[str], str] = contents,
    physical: Callable[[], int] = lambda: os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
) -> int:
    """Bytes: the machine's memory, or less where a control group (version 1 or 2) of this process gives less."""
    found = physical()
    for path in _limit_files(read):
        try:
            text = read(path).strip()
        except OSError:
            continue
        if text.isascii() and text.isdigit():
            found = min(found, int(text))
    return found


def _limit_files(read: Callable[[str], str]) -> list[str]:
    """Where limits of this process, and of the groups above its own, stand."""
    try:
        lines = read("/proc/self/cgroup").splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        _, kinds, group = (line.split(":", 2) + ["", ""])[:3]
        if kinds and "memory" not in kinds.split(","):
            continue
        root = "/sys/fs/cgroup/memory" if kinds else "/sys/fs/cgroup"
        name = "memory.limit_in_bytes" if kinds else "memory.max"
        names = [part for part in group.split("/") if part]
        found += ["/".join([root, *names[:depth], name]) for depth in range(len(names) + 1)]
    return found
