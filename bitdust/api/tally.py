"""Every API call, counted and timed by method and outcome, whoever asked, and logged while a setting says so."""

from bisect import bisect_left
from collections.abc import Iterator
from typing import Any

from attrs import define, field
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from bitdust.api.envelope import Envelope
from bitdust.config.settings import Settings

BOUNDS = (0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10.0)
"""Seconds; a call counts in the first of these that it does not exceed, or beyond the last."""
LOG_CALLS = "logs/api-enabled"


@define
class Times:
    """Calls of one method with one outcome: how many in each span of time, and all their seconds together."""

    spans: list[int] = field(factory=lambda: [0] * (len(BOUNDS) + 1))
    seconds: float = 0.0


class Tally:
    """I count the end of each call. Costs about a microsecond a call, which is why I know nothing of libraries."""

    log = Logger()

    def __init__(self, clock: IReactorTime, settings: Settings) -> None:
        self.now = clock.seconds
        self._times: dict[tuple[str, str], Times] = {}
        self._logs = bool(settings.get(LOG_CALLS))
        settings.on_change(LOG_CALLS, self._log_changed)

    def _log_changed(self, key: str, old: Any, new: Any) -> None:
        self._logs = bool(new)

    def ended(self, envelope: Envelope, name: str, started: float) -> Envelope:
        """A call that began at ``started`` has this answer, which is handed on."""
        seconds = self.now() - started
        key = (name, envelope["status"])
        times = self._times.get(key)
        if times is None:
            times = self._times[key] = Times()
        times.spans[bisect_left(BOUNDS, seconds)] += 1
        times.seconds += seconds
        if self._logs:
            outcome = " ".join(filter(None, (envelope["status"], envelope.get("code"))))
            self.log.info(
                "{name} {outcome} {ms} ms", paper="api", name=name, outcome=outcome, ms=f"{seconds * 1000:.1f}"
            )
        return envelope

    def __iter__(self) -> Iterator[tuple[str, str, Times]]:
        for (name, status), times in sorted(self._times.items()):
            yield name, status, times
