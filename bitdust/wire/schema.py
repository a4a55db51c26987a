"""What a field may hold: one notation for packets, records, log entries and DHT values.

A schema checks a decoded value and its limits in one place; `docs/formats.md` shows the same tables.
"""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Protocol

from attrs import field, frozen

from bitdust.wire.encoding import Value, WireError, decode

U63 = 2**63 - 1
UNKNOWN = 16
"""Items of fields that no schema has, which are refused by their names."""


class Schema(Protocol):
    """Anything that can check a value; raises `WireError` with code ``bad-field`` and the path of the field."""

    @property
    def items(self) -> int:
        """The most data items that a value can have, keys of maps among them: what `decode` must let through."""

    def check(self, value: Value, path: str) -> None:
        """Return quietly or raise."""


def _refuse(path: str, text: str) -> WireError:
    return WireError("bad-field", f"{path}: {text}")


@frozen
class Bytes:
    """A byte string of ``least`` to ``most`` bytes; `Bytes(16)` means exactly 16."""

    least: int
    most: int | None = None
    items: ClassVar[int] = 1

    def check(self, value: Value, path: str) -> None:
        most = self.least if self.most is None else self.most
        if type(value) is not bytes or not self.least <= len(value) <= most:
            raise _refuse(path, f"expected {self.least} to {most} bytes")


@frozen
class Text:
    """A text of at most ``most`` bytes of UTF-8; ``accept`` may say more."""

    most: int
    accept: Callable[[str], bool] | None = None
    items: ClassVar[int] = 1

    def check(self, value: Value, path: str) -> None:
        if type(value) is not str or len(value.encode()) > self.most:
            raise _refuse(path, f"expected a text of at most {self.most} bytes")
        if self.accept is not None and not self.accept(value):
            raise _refuse(path, "the text has not the form that is expected here")


@frozen
class Int:
    """A whole number in ``least``…``most``."""

    least: int = 0
    most: int = U63
    items: ClassVar[int] = 1

    def check(self, value: Value, path: str) -> None:
        if type(value) is not int or not self.least <= value <= self.most:
            raise _refuse(path, f"expected a number from {self.least} to {self.most}")


@frozen
class Flag:
    """True or false."""

    items: ClassVar[int] = 1

    def check(self, value: Value, path: str) -> None:
        if type(value) is not bool:
            raise _refuse(path, "expected true or false")


@frozen
class Choice:
    """One of a few texts."""

    names: tuple[str, ...]
    items: ClassVar[int] = 1

    def check(self, value: Value, path: str) -> None:
        if type(value) is not str or value not in self.names:
            raise _refuse(path, f"expected one of {', '.join(self.names)}")


@frozen
class ListOf:
    """A list of at most ``most`` items (at least ``least``)."""

    item: Schema
    most: int
    least: int = 0
    items: int = field(init=False, repr=False, eq=False)

    @items.default
    def _count(self) -> int:
        return 1 + self.most * self.item.items

    def check(self, value: Value, path: str) -> None:
        if type(value) is not list or not self.least <= len(value) <= self.most:
            raise _refuse(path, f"expected a list of {self.least} to {self.most} items")
        for number, item in enumerate(value):
            self.item.check(item, f"{path}[{number}]")


@frozen
class Optional:
    """The field may be absent (in a `Struct`) or null; otherwise as ``inner`` says."""

    inner: Schema
    items: int = field(init=False, repr=False, eq=False)

    @items.default
    def _count(self) -> int:
        return self.inner.items

    def check(self, value: Value, path: str) -> None:
        if value is not None:
            self.inner.check(value, path)


@frozen
class Struct:
    """A map with exactly these fields; only `Optional` ones may be absent."""

    fields: Mapping[str, Schema]
    items: int = field(init=False, repr=False, eq=False)

    @items.default
    def _count(self) -> int:
        return 1 + sum(1 + schema.items for schema in self.fields.values())

    def check(self, value: Value, path: str) -> None:
        if type(value) is not dict:
            raise _refuse(path, "expected a map")
        if not value.keys() <= self.fields.keys():
            unknown = next(key for key in value if key not in self.fields)
            raise _refuse(path, f"unknown field {str(unknown)[:40]!r}")
        for name, schema in self.fields.items():
            if name in value:
                schema.check(value[name], f"{path}.{name}")
            elif not isinstance(schema, Optional):
                raise _refuse(path, f"field {name!r} is missing")


@frozen
class Variant:
    """A map whose field ``tag`` chooses which further fields it has."""

    tag: str
    kinds: Mapping[str, Mapping[str, Schema]]
    _structs: Mapping[str, Struct] = field(init=False, repr=False, eq=False)

    @_structs.default
    def _build(self) -> dict[str, Struct]:
        return {kind: Struct({self.tag: Choice((kind,)), **fields}) for kind, fields in self.kinds.items()}

    @property
    def items(self) -> int:
        """Of the kind that may have most."""
        return max(struct.items for struct in self._structs.values())

    def check(self, value: Value, path: str) -> None:
        kind = value.get(self.tag) if type(value) is dict else None
        struct = self._structs.get(kind) if type(kind) is str else None
        if struct is None:
            raise _refuse(path, f"{self.tag} must be one of {', '.join(self.kinds)}")
        struct.check(value, path)


def present(value: Mapping[str, Any]) -> dict[str, Any]:
    """A map that was checked, without the optional fields that are null in it: that says the same as to leave them out,
    and whoever follows no rule says it so."""
    return {name: held for name, held in value.items() if held is not None}


def parse(data: bytes, schema: Schema, limit: int, what: str, max_items: int | None = None) -> dict[str, Any]:
    """Decode canonical bytes of at most ``limit`` bytes and check them against a map schema; raises `WireError`.

    As many items are let through as the schema can need, and a few more, so that a field of no schema is named; or
    ``max_items`` where that is more than may be built of them.
    """
    value = decode(data, limit, schema.items + UNKNOWN if max_items is None else max_items)
    schema.check(value, what)
    if type(value) is not dict:
        raise _refuse(what, "expected a map")
    return value
