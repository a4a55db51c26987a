"""``metadata/copied``: another program was found to write under the key of this device, in a share or a group.

A home was copied, or set back to an old copy of its disk. My own catalog keeps that in its file.
"""

import json
from pathlib import Path

from attrs import frozen

from bitdust.crypt.files import write_safely
from bitdust.events import Events
from bitdust.signal import Signal

MARK = "copied"
MAX_MARK = 1000
WHY = (
    "another program writes under this device's key, as somebody has a copy of this home: bitdust identity attach FILE"
)


@frozen
class Copy:
    """Under the key of which ``device``, and when that was found, in seconds since 1970."""

    device: bytes
    time: int


class Copies:
    """I remember the last one; ``found`` reports each time that one shows itself."""

    def __init__(self, folder: Path, events: Events) -> None:
        self._folder = folder
        self._events = events
        self._last: Copy | None = None
        self._is_read = False
        self.found: Signal[[]] = Signal()

    @property
    def last(self) -> Copy | None:
        """A mark that cannot be read counts as none: a copy that is in use shows itself again."""
        if not self._is_read:
            self._last, self._is_read = _read(self._folder), True
        return self._last

    def note(self, device: bytes, time: float) -> None:
        """There is one. Raises `OSError`."""
        if self.last is None or self.last.device != device:
            told = {"device": device.hex(), "found": int(time)}
            write_safely(self._folder / MARK, json.dumps(told).encode() + b"\n")
            self._last = Copy(device, int(time))
            self._events.send("device-copied", {"device_id": device.hex()})
        self.found.emit()

    def why(self, device: bytes) -> str:
        """Why nothing that a device writes is heard, in words: it has no key of its own yet."""
        return WHY if self.last is not None and self.last.device == device else ""


def _read(folder: Path) -> Copy | None:
    try:
        with (folder / MARK).open("rb") as stream:
            told = json.loads(stream.read(MAX_MARK))
        return Copy(bytes.fromhex(told["device"]), int(told["found"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
