"""Who of several candidates is asked first: plain values in, a choice out.

A score is a sum of four parts, each from 0 to 1, by these weights:

=======  ====  ==============================================================================================
audits   0.4   rounds that it passed, of all that it was in: who lies or loses is of no use, however fast
uptime   0.3   the share of the time in which it was there, of that in which it was my supplier and I was there
space    0.2   requests for room that it granted, of those that it answered
latency  0.1   1 where it answers at once, a half where it takes half a second
=======  ====  ==============================================================================================

What was never measured counts as a half, and few measurements as little: a share of n is ``(good + 1) / (n + 2)``. So
somebody unknown is better than somebody bad and worse than somebody good. One time in four somebody unknown is asked
before the best, because nobody becomes known otherwise. Of equal ones chance decides.
"""

from collections.abc import Callable, Sequence

from attrs import frozen

AUDITS, UPTIME, SPACE, LATENCY = 0.4, 0.3, 0.2, 0.1
HALF_AT = 0.5
"""Seconds until an answer for which the part of latency is a half."""
NEWCOMERS = 0.25


@frozen
class Conduct:
    """What was measured of one node; ``delay`` is in seconds, None where it was never asked anything.

    ``replaced`` counts how often somebody else got its place.
    """

    passed: int = 0
    failed: int = 0
    there: int = 0
    away: int = 0
    granted: int = 0
    refused: int = 0
    delay: float | None = None
    replaced: int = 0


def _share(good: int, bad: int) -> float:
    return (good + 1) / (good + bad + 2)


def score(conduct: Conduct | None) -> float:
    """From 0 to 1; about a half for somebody unknown."""
    known = conduct or Conduct()
    speed = 0.5 if known.delay is None else HALF_AT / (HALF_AT + max(0.0, known.delay))
    return (
        AUDITS * _share(known.passed, known.failed)
        + UPTIME * _share(known.there, known.away)
        + SPACE * _share(known.granted, known.refused)
        + LATENCY * speed
    )


def choose(conducts: Sequence[Conduct | None], chance: Callable[[], float]) -> int:
    """The index of who is asked; ``chance`` gives numbers from 0 to 1. There must be somebody."""
    unknown = [index for index, one in enumerate(conducts) if one is None]
    if unknown and chance() < NEWCOMERS:
        return unknown[int(chance() * len(unknown)) % len(unknown)]
    scores = [score(one) for one in conducts]
    best = [index for index, one in enumerate(scores) if one == max(scores)]
    return best[int(chance() * len(best)) % len(best)] if len(best) > 1 else best[0]
