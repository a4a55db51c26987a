"""Version vectors (Parker et al., 1983): how often each writer has changed a path, and so what came after what."""

from collections.abc import Iterable, Mapping, Sequence
from enum import Enum

from bitdust.wire.encoding import WireError

Vector = Mapping[bytes, int]
MOST_WRITERS = 1000
"""In one vector."""


class Order(Enum):
    """How one version is to another."""

    EQUAL = "equal"
    BEFORE = "before"
    AFTER = "after"
    CONCURRENT = "concurrent"


def compare(one: Vector, other: Vector) -> Order:
    """How ``one`` is to ``other``."""
    behind = any(count > one.get(node, 0) for node, count in other.items())
    ahead = any(count > other.get(node, 0) for node, count in one.items())
    if ahead and behind:
        return Order.CONCURRENT
    return Order.AFTER if ahead else Order.BEFORE if behind else Order.EQUAL


def joined(vectors: Iterable[Vector]) -> dict[bytes, int]:
    """The least vector that is before none of these."""
    found: dict[bytes, int] = {}
    for vector in vectors:
        for node, count in vector.items():
            found[node] = max(count, found.get(node, 0))
    return found


def bumped(vector: Vector, node: bytes, now: int) -> dict[bytes, int]:
    """The next version of a writer.

    Counters follow the clock where that is ahead (``now``, milliseconds since the epoch), so that a writer whose
    journal was brought back from an old copy does not give a number twice. Nothing else depends on the clock.
    """
    return {**vector, node: max(vector.get(node, 0) + 1, now)}


def following(vector: Vector, known: Iterable[Vector], node: bytes, now: int) -> tuple[dict[bytes, int], bytes]:
    """A version that follows ``vector`` and comes before none of those that are known, and who counts in it: ``node``,
    or where no other writer has room whoever has counted least."""
    is_full = len(vector) >= MOST_WRITERS and node not in vector
    writer = min(vector, key=lambda one: (vector[one], one)) if is_full else node
    least = 1 + max((one.get(writer, 0) for one in known), default=0)
    return bumped(vector, writer, max(least, now)), writer


def vector_of(pairs: Sequence[tuple[bytes, int]]) -> dict[bytes, int]:
    """The vector of a record. Raises `WireError` where a writer stands there twice or out of order."""
    nodes = [pair[0] for pair in pairs]
    if nodes != sorted(set(nodes)):
        raise WireError("bad-field", "the writers of a vector stand in the order of their bytes, each once")
    return dict(pairs)
