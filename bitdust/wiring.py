"""Wires: typed ports that are plugged in after every part of a node has been built.

Construction has two phases. First each part is built with what lies below it. Then parts that need each other are
wired: a class declares ``moves = Wire(PieceMoves)``, the assembly says ``hiring.moves = storage``, and `check_wires`
makes sure that nothing was left out. Type checkers see the port's type on both sides of the assignment.
"""

from collections.abc import Iterable
from typing import Any, Generic, TypeVar, overload

from typing_extensions import get_protocol_members, is_protocol

T = TypeVar("T")


class WiringError(Exception):
    """A wire that is missing, doubled, or plugged into something else; the text names class and wire."""


class Wire(Generic[T]):
    """A descriptor: set exactly once, by the assembly, to something that has every member of the protocol ``port``."""

    def __init__(self, port: type[T]) -> None:
        self._port = port
        self._name = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, part: None, owner: type) -> "Wire[T]": ...

    @overload
    def __get__(self, part: object, owner: type) -> T: ...

    def __get__(self, part: object | None, owner: type) -> "Wire[T] | T":
        if part is None:
            return self
        try:
            found: T = part.__dict__[self._name]
        except KeyError:
            raise WiringError(f"{owner.__name__}.{self._name} is not wired") from None
        return found

    def __set__(self, part: object, value: T) -> None:
        where = f"{type(part).__name__}.{self._name}"
        if self._name in part.__dict__:
            raise WiringError(f"{where} is wired already")
        missing = [name for name in members(self._port) if not _has(value, name)]
        if missing:
            raise WiringError(f"{where} needs a {self._port.__name__}; {value!r} has no {', '.join(missing)}")
        part.__dict__[self._name] = value

    def is_set(self, part: object) -> bool:
        """Whether this part's wire was plugged in."""
        return self._name in part.__dict__


def members(port: type) -> list[str]:
    """The members that a protocol asks for, in order of names; none for a class that is no protocol."""
    return sorted(get_protocol_members(port)) if is_protocol(port) else []


def _has(value: object, name: str) -> bool:
    """Whether there is such a member; no property is run for it."""
    return hasattr(type(value), name) or name in getattr(value, "__dict__", {})


def open_wires(part: object) -> list[str]:
    """Names of wires of a part that are not plugged in."""
    return [f"{type(part).__name__}.{name}" for name, wire in _wires_of(type(part)) if not wire.is_set(part)]


def _wires_of(kind: type) -> "tuple[tuple[str, Wire[Any]], ...]":
    if kind not in _wires:
        found = {name: wire for base in reversed(kind.__mro__) for name, wire in vars(base).items()}
        _wires[kind] = tuple((name, wire) for name, wire in found.items() if isinstance(wire, Wire))
    return _wires[kind]


_wires: "dict[type, tuple[tuple[str, Wire[Any]], ...]]" = {}
"""Those of each class, worked out once."""


def check_wires(parts: Iterable[Any]) -> None:
    """Raise `WiringError` with the names of all wires of ``parts`` that are not plugged in."""
    missing = [text for part in parts for text in open_wires(part)]
    if missing:
        raise WiringError(f"not wired: {', '.join(missing)}")
