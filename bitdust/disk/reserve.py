"""The share of a disk that pieces and downloads leave free, so that logs, databases and other programs go on.

What is small and bounded does not ask: catalogs and contracts live in the reserve, and customers' logs and records may
have half of it. Nothing is remembered of a full disk; whoever asks again after room was made is served.
"""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from bitdust.wire.errors import BitDustError
from bitdust.wire.sizes import in_words

SETTING = "paths/disk-reserve-percent"


class Usage(Protocol):
    """A disk's figures, in bytes."""

    @property
    def total(self) -> int: ...

    @property
    def free(self) -> int: ...


def reserved(total: int, percent: int) -> int:
    """Bytes of a disk that stay free."""
    return total * percent // 100


class Reserve:
    """I tell how much may still be written. My methods block for a moment and may be called from any thread."""

    def __init__(self, percent: Callable[[], int], usage: Callable[[Path], Usage] = shutil.disk_usage) -> None:
        self._percent = percent
        self.usage = usage

    def left(self, path: Path) -> int:
        """Bytes that may be written where ``path`` is or will be, 0 when there are none."""
        found = self._usage_at(path)
        return max(0, found.free - reserved(found.total, self._percent()))

    def capacity(self, path: Path) -> int:
        """Bytes that might be written there if the disk were empty."""
        found = self._usage_at(path)
        return found.total - reserved(found.total, self._percent())

    def _usage_at(self, path: Path) -> Usage:
        while not path.exists() and path != path.parent:
            path = path.parent
        return self.usage(path)

    def check(self, path: Path, size: int, what: str, lent: int = 0) -> int:
        """How much may still be written; raises `BitDustError` ``disk-full`` when ``size`` bytes would go into the
        reserve. So many bytes of it are ``lent`` where it has them: to who frees more than that soon."""
        left = self.left(path)
        if size > left and (size > left + lent or size > self._usage_at(path).free):
            raise BitDustError(
                "disk-full",
                f"{what}: {in_words(size)} would be written and {in_words(left)} may be, because {self._percent()} % of"
                f" the disk stay free; make room, or change {SETTING}",
                needed=size,
                available=left,
            )
        return left


def no_reserve() -> Reserve:
    """Everything up to the last byte."""
    return Reserve(lambda: 0)
