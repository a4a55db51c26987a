"""Devices that are newer than what is known of those who may write: their documents are looked up.

A log that nobody's document names may also be of somebody who was shut out, or be made up by who keeps it. So each
device is looked for less and less often, and no two looks are close together however many devices there are.
"""

from collections.abc import Callable, Iterable

FIRST, LONGEST = 60.0, 86_400.0
"""Seconds until those who may write are looked up again because of one device, which double up to a day; and between
two looks for any of them."""
MOST = 1000
"""Devices that are remembered."""


class NewDevices:
    """I say whether it is worth the trouble to look for writers; ``clock`` gives seconds, and a device is looked for
    after the ``longest`` pause at the latest."""

    def __init__(self, clock: Callable[[], float], longest: float = LONGEST) -> None:
        self._clock = clock
        self._longest = longest
        self._next: dict[bytes, tuple[float, float]] = {}
        """By device when it is looked for again, and after how long then."""
        self._quiet_until = 0.0

    def is_wanted(self, devices: Iterable[bytes]) -> bool:
        """Whether one of these, which nobody names, is to be looked for now; that counts as done."""
        now = self._clock()
        if now < self._quiet_until:
            return False
        due = [device for device in devices if self._next.get(device, (now, FIRST))[0] <= now]
        for device in due:
            pause = self._next.pop(device, (now, FIRST))[1]
            self._next[device] = (now + pause, min(2 * pause, self._longest))
        while len(self._next) > MOST:
            del self._next[next(iter(self._next))]
        if due:
            self._quiet_until = now + FIRST
        return bool(due)

    def begin_anew(self) -> bool:
        """Where documents are looked up has just come back: no pause of before counts. False where there was none."""
        had, self._next = bool(self._next), {}
        return had
