"""What may still be written where customers' pieces are stored."""

from collections.abc import Callable
from pathlib import Path

from bitdust.disk.disk import Disk, disk_error
from bitdust.disk.reserve import reserved
from bitdust.wire.errors import BitDustError


class FreeSpace:
    """A share of the disk stays free: pieces may have nothing of it, logs and records half.

    Deletions must come through where pieces have filled the rest.
    """

    def __init__(self, disk: Disk, folder: Path, percent: Callable[[], int]) -> None:
        self._disk = disk
        self._folder = folder
        self._percent = percent

    def free(self, part: int = 1) -> int:
        """Bytes that may still be written, without the reserve or a ``part`` of it."""
        percent = self._percent()
        kept_free = reserved(self._disk.total(self._folder), percent) // part if percent else 0
        return max(0, self._disk.free(self._folder) - kept_free)

    def need(self, size: int) -> None:
        """Raises ``no-space`` where logs and records of so many bytes would take more than half of the reserve."""
        try:
            left = self.free(part=2)
        except OSError as error:
            raise disk_error(error) from error
        if size > left:
            raise BitDustError("no-space", f"the supplier's disk is nearly full; {size} bytes would take its reserve")
