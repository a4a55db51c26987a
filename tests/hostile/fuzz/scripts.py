"""What one client sends over one connection."""

from random import Random

from attrs import frozen

MOST_PARTS = 64


@frozen
class Script:
    """``parts`` go out one after the other, each by itself. ``ending`` is what the client does then: ``wait`` for the
    end of the answer, ``half``: close its side and wait, or ``reset``. Where ``whole``, a request is there that has to
    be answered, or refused, soon, if its client waits; ``most`` is how many answers there may be at most."""

    kind: str
    parts: tuple[bytes, ...]
    ending: str = "wait"
    whole: bool = False
    most: int = 1

    @property
    def data(self) -> bytes:
        """All of it."""
        return b"".join(self.parts)


def torn(random: Random, data: bytes) -> tuple[bytes, ...]:
    """The same bytes in some parts, of one byte each in the worst case."""
    if len(data) <= MOST_PARTS and random.random() < 0.2:
        return tuple(data[place : place + 1] for place in range(len(data)))
    cuts = sorted(random.randrange(len(data) + 1) for _ in range(random.choice((0, 0, 1, 2, 8))))
    places = [0, *cuts, len(data)]
    return tuple(data[start:end] for start, end in zip(places, places[1:], strict=False) if end > start)
