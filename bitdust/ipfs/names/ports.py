"""What names of IPNS need of the hash table."""

from typing import Any, Protocol

from twisted.internet.defer import Deferred

from bitdust.ipld.peerid import PeerId
from bitdust.signal import Signal


class NameTable(Protocol):
    """Records of names, found by everybody; `bitdust.dht.directory.Directory` is one."""

    def put_name(self, name: PeerId, record: bytes, sequence: int, seconds: int, /) -> "Deferred[Any]":
        """Store a signed record that is valid for so many seconds; fires with how many ``others`` keep it, and why some
        have ``refused`` it. Fails with ``stale`` where a newer one is here."""

    async def name_record(self, name: PeerId, /, thorough: bool = ...) -> bytes | None:
        """The record with the highest sequence that can be found, or None."""

    def knows_others(self) -> bool:
        """Whether any other node is there."""

    @property
    def connected(self) -> Signal[[]]:
        """Others are there, after nobody was."""
