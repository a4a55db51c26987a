"""What shares ask of the rooms below, one protocol for each."""

from collections.abc import Callable, Sequence
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


class Offered(Protocol):
    """What a device of an owner offers, sealed to a holder; nothing where it has withdrawn what there was."""

    @property
    def owner(self) -> bytes: ...

    @property
    def device(self) -> bytes: ...

    @property
    def sealed(self) -> bytes: ...


class OfferRecords(Protocol):
    """Offers in the hash table; `bitdust.dht.offers.Offers` is it."""

    async def put(self, holder: bytes, sealed: bytes, time: int, seconds: int, /) -> None:
        """Offer something for so many seconds, or nothing any more; ``time`` is milliseconds. Raises `BitDustError`."""

    async def find(self, holder: bytes, /) -> Sequence[Offered]:
        """All that is offered to a holder, or was and is withdrawn; the newest first."""


class Resolves(Protocol):
    """Who has newer documents of people known here; `bitdust.dht.directory.Directory` is it."""

    async def resolve(self, fingerprint: bytes, /) -> Sequence[str]:
        """Where somebody may be reached, by the newest document."""


IsFriend = Callable[[bytes], bool]
"""Whether the person of this node has accepted somebody."""
