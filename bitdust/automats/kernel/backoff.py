"""How long to wait before the next try, when tries have failed."""

MOST_DOUBLINGS = 64


def doubled(seconds: float, times: int, longest: float) -> float:
    """A pause in seconds, doubled so many times, and never longer than the longest one."""
    return min(longest, seconds * 2.0 ** min(max(times, 0), MOST_DOUBLINGS))
