"""How far one revision of something may be ahead of the one that is known, whoever accepts it.

Revisions of an identity, a key ring and a family count single acts of a person or a device. Whoever stole a device, or
a key for a moment, could write the last one there is, and nobody could ever follow: so a leap is refused wherever such
a record is accepted. Sequences of logs are no revisions: entries carry them, one by one; nor are times.
"""

from collections.abc import Iterable

from bitdust.wire.encoding import WireError

MOST_AHEAD = 1000


def is_leap(revision: int, known: int) -> bool:
    """Whether a revision is too far ahead of the one that is known."""
    return revision > known + MOST_AHEAD


def check_near(revision: int, known: int, what: str, hint: str = "") -> None:
    """Raises `WireError` ``bad-field`` for a leap; ``hint`` says what to do."""
    if is_leap(revision, known):
        text = f"revision {revision} of {what} is more than {MOST_AHEAD} ahead of {known}, the one that is known"
        raise WireError("bad-field", text + hint)


def followed(revisions: Iterable[int]) -> int:
    """The highest of several that were found side by side which is no leap from the one in their middle; 0 for none."""
    in_order = sorted(revisions)
    middle = in_order[(len(in_order) - 1) // 2] if in_order else 0
    return max((one for one in in_order if not is_leap(one, middle)), default=0)
