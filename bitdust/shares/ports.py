"""What shares ask of the rooms below, one protocol for each."""

from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet.defer import Deferred

from bitdust.signal import Signal
from bitdust.wire.records import Family
from bitdust.wire.signed import Signed


class MyFamily(Protocol):
    """My suppliers: they hold what is under my keys."""

    @property
    def current(self) -> Family | None:
        """My newest family record."""

    @property
    def signed(self) -> Signed | None:
        """The same, as a device of mine has signed it."""

    @property
    def changed(self) -> Signal[[]]:
        """Another record is the newest now."""


class GroupKeepers(Protocol):
    """Members who keep groups of mine while I have no suppliers."""

    def keepers(self, alias: str, /) -> Signed | None:
        """The signed record of a group's keepers; None for one that is not open here."""


class MyStorage(Protocol):
    """My own catalog, of which each share of mine is a part."""

    def sync(self) -> "Deferred[Any]":
        """Compare with the suppliers at once."""


IsFriend = Callable[[bytes], bool]
"""Whether the person of this node has accepted somebody."""
