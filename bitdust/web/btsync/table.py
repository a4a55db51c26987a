"""The methods of the API: one row for each, which says what it must be given and who answers.

The rows stand in `bitdust.web.btsync.methods`. A row is all there is to a method: the dialect reads a call by it, and
the page of what works is written from it.
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, Protocol

from attrs import define, field, frozen

from bitdust.config.settings import Settings
from bitdust.folders.port import FoldersPort
from bitdust.web.btsync.arguments import Arguments
from bitdust.wire.errors import BitDustError

MISSING = 2
"""The error that a call without all that it must be given is answered with."""


class Node(Protocol):
    """What methods may use of the node."""

    @property
    def folders(self) -> FoldersPort:
        """Its folders."""

    @property
    def settings(self) -> Settings:
        """Its settings."""

    def entropy(self, size: int, /) -> bytes:
        """Random bytes for new secrets."""

    def stop(self) -> object:
        """End the process, after what was answered is sent."""

    def permits(self, path: str, /) -> bool:
        """Whether folders may be added there."""


class ApiError(BitDustError):
    """An answer that is an error: a ``number`` that clients know, and a sentence; ``name`` is the key of the number."""

    def __init__(self, number: int, text: str, name: str = "error") -> None:
        super().__init__("api-error", text)
        self.number, self.name = number, name


Answer = Any
"""What JSON can hold."""
Runner = Callable[[Node, Arguments], Awaitable[Answer]]


@frozen
class Method:
    """A row: ``required`` are the arguments without which it is not run, ``changes`` whether it changes anything."""

    name: str
    run: Runner
    required: tuple[str, ...] = ()
    changes: bool = False

    def check(self, given: Arguments) -> None:
        """Raises `ApiError` where something is missing."""
        if any(name not in given for name in self.required):
            raise ApiError(MISSING, f"Specify all the required parameters for {self.name}.")


@define(eq=False)
class Methods:
    """All rows, by name."""

    _rows: dict[str, Method] = field(factory=dict)

    def add(self, rows: Iterable[Method]) -> "Methods":
        """Raises `ValueError` for a name that is there already."""
        for row in rows:
            if row.name in self._rows:
                raise ValueError(f"two methods {row.name}")
            self._rows[row.name] = row
        return self

    def find(self, name: str) -> Method | None:
        """The row of this name."""
        return self._rows.get(name)

    def names(self) -> Sequence[str]:
        """In the order in which they were added."""
        return list(self._rows)
