"""Which versions stay, and why: a policy over the moments of one item, without disk and clock.

A version is current from its own moment until that of the next version, or until the item was gone from its source.
It stays

* while it is current, and for ``undo`` seconds more: whatever went wrong in that time can be undone,
* as one of the ``last`` moments,
* as the newest of one of the last so many days, weeks or months (UTC) that have any.

A moment at which an item was gone takes a place in these counts as a version does. So everything that was current at a
version of a folder that stays, stays as well: each upload of the folder is a moment of the folder, and items in it
have no others.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from attrs import frozen

DAY = 86_400.0
ALL, CURRENT, UNDO, LAST = "all", "current", "undo", "last"
Period = tuple[int, ...]


@frozen
class Rules:
    """How much is kept: ``last`` 0 keeps everything; ``undo`` in seconds."""

    last: int
    daily: int
    weekly: int
    monthly: int
    undo: float


@frozen
class Moment:
    """A version, or (``is_gone``) that the item was not in its source any more; ``time`` in seconds."""

    name: str
    time: float
    is_gone: bool = False


@frozen
class Judged:
    """Why a version stays; without reasons it may go.

    ``until`` is when it may go by the lapse of time alone; None where newer versions decide.
    """

    name: str
    reasons: tuple[str, ...]
    until: float | None = None


def day(moment: float) -> Period:
    """Which day it is in."""
    return datetime.fromtimestamp(moment, UTC).timetuple()[:3]


def week(moment: float) -> Period:
    """Which week, by ISO 8601."""
    return tuple(datetime.fromtimestamp(moment, UTC).isocalendar()[:2])


def month(moment: float) -> Period:
    """Which month."""
    return datetime.fromtimestamp(moment, UTC).timetuple()[:2]


def judge(moments: Sequence[Moment], rules: Rules, now: float) -> list[Judged]:
    """Every version among the moments of an item, which come the oldest first."""
    if not rules.last:
        return [Judged(one.name, (ALL,)) for one in moments if not one.is_gone]
    chosen = [
        (LAST, set(range(max(0, len(moments) - rules.last), len(moments)))),
        ("daily", _newest_of(moments, day, rules.daily)),
        ("weekly", _newest_of(moments, week, rules.weekly)),
        ("monthly", _newest_of(moments, month, rules.monthly)),
    ]
    judged = []
    for number, one in enumerate(moments):
        if one.is_gone:
            continue
        following = moments[number + 1].time if number + 1 < len(moments) else None
        reasons = [name for name, numbers in chosen if number in numbers]
        if following is None:
            reasons.insert(0, CURRENT)
        elif following + rules.undo > now:
            reasons.insert(0, UNDO)
        until = following + rules.undo if following is not None and reasons == [UNDO] else None
        judged.append(Judged(one.name, tuple(reasons), until))
    return judged


def _newest_of(moments: Sequence[Moment], period: Callable[[float], Period], count: int) -> set[int]:
    """Numbers of the newest moments of the last ``count`` periods."""
    found: set[int] = set()
    before: Period | None = None
    for number in range(len(moments) - 1, -1, -1):
        if len(found) == count:
            break
        current = period(moments[number].time)
        if current != before:
            found.add(number)
            before = current
    return found


def may_be_forgotten(moments: Sequence[Moment], roots: Sequence[float], rules: Rules, now: float) -> bool:
    """Whether an item that has left its source may go with all of its history: that cannot be undone any more, and no
    version that is kept of the folder above it, of those at ``roots``, shows it."""
    if not rules.last or not moments or not moments[-1].is_gone or not roots:
        return False
    left = moments[-1].time
    return left + rules.undo <= now and not any(moments[0].time <= root < left for root in roots)
