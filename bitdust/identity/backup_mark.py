"""``metadata/backup``: whose key file was read back and found good, and when. The command line reads it too."""

import json
from pathlib import Path

from attrs import frozen

from bitdust.crypt.files import remove_safely, write_safely

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


class OwnMark:
    """The mark of a running node's own home, which is read once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._mark: BackupMark | None = None

    def when(self, fingerprint: bytes) -> float | None:
        """When a copy of that key was checked, in seconds since 1970, or None."""
        if self._mark is None:
            self._mark = read_mark(self._folder)
        return self._mark.when(fingerprint)

    def write(self, fingerprint: bytes, checked: float) -> None:
        """Note a good copy."""
        write_mark(self._folder, fingerprint, checked)
        self._mark = None

    def remove(self) -> None:
        """No copy of the key that comes now was ever checked."""
        remove_safely(self._folder / MARK)
        self._mark = None


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
