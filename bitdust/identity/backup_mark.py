"""``metadata/backup``: whose key file was read back and found good, and when. The command line reads it too."""

import json
from pathlib import Path

from attrs import frozen

from bitdust.crypt.files import write_safely

MARK = "backup"
MAX_MARK = 1000


@frozen
class BackupMark:
    """``fingerprint`` in hex of the key that the copy holds; seconds since 1970. Empty: no copy was ever checked."""

    fingerprint: str = ""
    checked: float = 0.0

    def when(self, fingerprint: bytes) -> float | None:
        """When a copy of that key was checked; another key's copy is of no use."""
        return self.checked if self.fingerprint == fingerprint.hex() else None


def read_mark(folder: Path) -> BackupMark:
    """What ``<home>/metadata`` tells. A mark that cannot be read counts as none: then a copy is checked once more."""
    try:
        with (folder / MARK).open("rb") as stream:
            told = json.loads(stream.read(MAX_MARK))
        return BackupMark(str(told["fingerprint"]), float(told["checked"]))
    except (OSError, ValueError, KeyError, TypeError):
        return BackupMark()


def write_mark(folder: Path, fingerprint: bytes, checked: float) -> None:
    """Note a good copy."""
    told = {"fingerprint": fingerprint.hex(), "checked": checked}
    write_safely(folder / MARK, json.dumps(told).encode() + b"\n")
