"""What a backup of pins needs of the rest of the node."""

import hashlib
from collections.abc import Awaitable
from pathlib import Path
from typing import Any, Protocol

from twisted.internet.defer import Deferred


class Shelf(Protocol):
    """Where files of a backup are kept, by name."""

    def can_keep(self) -> bool:
        """Whether files can be stored now, and all that there are are known."""

    def earliest(self) -> float:
        """The earliest that it may be, in seconds since the epoch, however the wall clock leaps: for saying that
        something is old. 0 while nobody knows."""

    def secrets(self) -> list[bytes]:
        """Secrets of the key; the last one is the newest of those that may seal. None where there is no such key."""

    def make_key(self) -> None:
        """See that there is the key. Raises `BitDustError`, `OSError`."""

    def keep(self, name: str, source: Path, apart: bool = False, /) -> "Deferred[Any]":
        """Fires when a file is stored as the newest version under a name; ``apart`` from what is stored already, so
        that nothing of it depends on what may be removed."""

    def versions(self) -> "Deferred[dict[str, str]]":
        """The newest version of each, by name."""

    def read(self, name: str, offset: int = 0, length: int | None = None, /) -> "Deferred[bytes]":
        """Bytes of one, of which only what holds them is brought."""

    def remove(self, name: str, /) -> "Deferred[Any]":
        """Fires when a file is wanted no more; one that is not there is no error."""


class Records(Protocol):
    """Small values of another part that come back with the pins, such as keys."""

    def written(self) -> Awaitable[bytes]:
        """All of it now; empty where there is nothing. Fails where it cannot be had now."""

    def join(self, data: bytes, /) -> Awaitable[None]:
        """Take in what a home that was lost has written; the newest comes last."""


def digest_of(written: dict[str, bytes]) -> int:
    """A number for all records, by name; 0 for none."""
    digest = hashlib.sha256()
    for name, data in sorted(written.items()):
        digest.update(hashlib.sha256(name.encode()).digest() + hashlib.sha256(data).digest())
    return int.from_bytes(digest.digest()[:7], "big") if written else 0
