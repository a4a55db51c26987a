"""How fast suppliers give pieces, learned from every piece that they give."""

from attrs import define

FIRST_DELAY = 0.05
FIRST_SPEED = 20e6


@define
class Pace:
    """What is to be expected of one supplier: seconds before the first byte, bytes a second, bytes asked for."""

    delay: float = FIRST_DELAY
    speed: float = FIRST_SPEED
    asked: int = 0
    suspect: bool = False

    def expected(self, size: int) -> float:
        """Seconds until a further piece would be here."""
        return self.delay + (self.asked + size) / self.speed

    def learn(self, seconds: float, size: int, queued: int) -> None:
        """A piece came after ``seconds``, behind ``queued`` other bytes."""
        self.suspect = False
        speed = (size + queued) / max(seconds, 1e-4)
        self.speed += 0.3 * (speed - self.speed) if size > 16 * 1024 else 0.0
        self.delay += 0.2 * (min(seconds, 5.0) - size / max(self.speed, 1.0) - self.delay)
        self.delay = max(self.delay, 0.001)
