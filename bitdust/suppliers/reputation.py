"""What this node has seen of suppliers and candidates: ``metadata/reputation``, JSON, one entry a node.

It only decides who is asked first, so a damaged file counts as empty, and of too many those not seen for longest go.
"""

import json
from collections.abc import Callable, Collection
from pathlib import Path

from attrs import asdict, evolve
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from bitdust.crypt.files import write_safely
from bitdust.observed import time_between
from bitdust.suppliers.by_node import read_by_node
from bitdust.suppliers.scoring import Conduct, choose

MOST = 500
MAX_FILE = 256 * 1024
SAVE_SECONDS = 6 * 3600.0
LONGEST_STEP = 600.0
"""Seconds between two observations that count, at most."""
OFTEN = 1_000_000
"""Seconds, or events, after which older ones count half."""
NEWEST_COUNTS = 0.3


class Reputation:
    """I remember how nodes have behaved, and choose among candidates by it (`bitdust.suppliers.scoring`)."""

    log = Logger()

    def __init__(self, path: Path, clock: IReactorTime, entropy: Callable[[int], bytes]) -> None:
        self._path = path
        self._clock = clock
        self._entropy = entropy
        self._known: dict[bytes, Conduct] = {}
        self._observed: float | None = None
        self._saved = 0.0

    def load(self) -> None:
        """Read the file."""
        self._known = read_by_node(self._path, MAX_FILE, _read)

    def of(self, who: bytes) -> Conduct | None:
        """What is known of one."""
        return self._known.get(who)

    @property
    def is_empty(self) -> bool:
        """Whether nobody is known, so that there is nothing to choose by."""
        return not self._known

    def choose(self, candidates: list[bytes]) -> int:
        """The index of the candidate to ask."""
        return choose([self._known.get(who) for who in candidates], self._chance)

    def _chance(self) -> float:
        return int.from_bytes(self._entropy(4), "big") / 2**32

    # what was seen

    def answered(self, who: bytes, seconds: float, granted: bool) -> None:
        """A candidate has answered a request for room."""
        known = self._known.get(who, Conduct())
        delay = seconds if known.delay is None else known.delay + NEWEST_COUNTS * (seconds - known.delay)
        counted = evolve(known, granted=known.granted + 1) if granted else evolve(known, refused=known.refused + 1)
        self._set(who, evolve(counted, delay=delay))

    def observe(self, suppliers: Collection[bytes], there: Collection[bytes], counts: bool) -> None:
        """Who of my suppliers is there now; ``counts`` is False where this node may be the one that is away."""
        now = self._clock.seconds()
        time = int(time_between(self._observed, now, LONGEST_STEP)) if counts else 0
        self._observed = now
        for who in suppliers if time else ():
            known = self._known.get(who, Conduct())
            if who in there:
                self._set(who, evolve(known, there=known.there + time))
            else:
                self._set(who, evolve(known, away=known.away + time))
        if now - self._saved >= SAVE_SECONDS:
            self._saved = now
            self.save()

    def audited(self, who: bytes, passed: int, failed: int) -> None:
        """How many rounds a supplier of mine has passed and failed until now."""
        known = self._known.get(who, Conduct())
        if (known.passed, known.failed) != (passed, failed) and passed + failed:
            self._set(who, evolve(known, passed=passed, failed=failed))

    def note_replaced(self, who: bytes) -> None:
        """Somebody else has its place, and for a reason."""
        known = self._known.get(who, Conduct())
        self._set(who, evolve(known, replaced=known.replaced + 1))

    def replaced(self) -> frozenset[bytes]:
        """Everybody who has lost a place."""
        return frozenset(who for who, one in self._known.items() if one.replaced)

    def _set(self, who: bytes, conduct: Conduct) -> None:
        if conduct.there + conduct.away > OFTEN:
            conduct = evolve(conduct, there=conduct.there // 2, away=conduct.away // 2)
        self._known.pop(who, None)
        self._known[who] = conduct
        while len(self._known) > MOST:
            del self._known[next(iter(self._known))]

    def save(self) -> None:
        """Write the file; a disk that takes nothing costs nothing but this knowledge."""
        entries = {who.hex(): asdict(one) for who, one in self._known.items()}
        try:
            write_safely(self._path, json.dumps(entries).encode())
        except OSError as error:
            self.log.warn("{path} cannot be written: {error}", path=self._path, error=error)


def _read(value: dict[str, object]) -> Conduct:
    """One entry. Raises `ValueError`, `TypeError`."""
    delay = value.pop("delay", None)
    counts = {name: max(0, int(str(number))) for name, number in value.items()}
    return Conduct(**counts, delay=None if delay is None else float(str(delay)))
