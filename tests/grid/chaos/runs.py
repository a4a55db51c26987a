"""What all kinds of random runs have in common."""

from abc import ABC, abstractmethod

from tests.grid.chaos.field import Field, Finding


class Run(ABC):
    """One run on a field."""

    def __init__(self, field: Field) -> None:
        self.field = field
        self.random = field.random

    def go(self) -> None:
        """Run it. Raises `Finding`."""
        with self.field.surroundings():
            self.play()
        if self.field.errors:
            raise Finding(f"errors were logged: {self.field.errors[0]}")

    @abstractmethod
    def play(self) -> None:
        """What happens, from the beginning to the end."""
