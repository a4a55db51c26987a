"""What a person who helps wants to know about the machine that a node runs on."""

import os
import platform
import shutil
import threading
from pathlib import Path
from typing import Any

Row = dict[str, Any]


def machine_facts(folder: Path, interfaces: list[str], online: bool, version: str) -> Row:
    """In the names that IPFS has for them. May block."""
    disk = shutil.disk_usage(next(path for path in (folder, *folder.parents) if path.exists()))
    return {
        "diskinfo": {"fstype": "", "total_space": disk.total, "free_space": disk.free},
        "environment": {"GOPATH": "", "IPFS_PATH": str(folder)},
        "ipfs_version": version,
        "memory": {"swap": 0, "virt": _virtual_bytes()},
        "net": {"interface_addresses": interfaces, "online": online},
        "runtime": {
            "arch": platform.machine(),
            "compiler": platform.python_implementation(),
            "gomaxprocs": len(os.sched_getaffinity(0)),
            "numcgos": 0,
            "numgoroutines": threading.active_count(),
            "os": platform.system().lower(),
            "version": platform.python_version(),
        },
    }


def _virtual_bytes() -> int:
    """As /proc/self/statm tells, see proc(5); 0 where the system has no such file."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    except (OSError, ValueError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGESIZE")
