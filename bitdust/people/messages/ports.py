"""What private messages ask of the rest of the node."""

from typing import Any, Protocol

from twisted.internet.defer import Deferred

from bitdust.wire.messages import Message
from bitdust.wire.signed import Signed


class History(Protocol):
    """Where messages are kept for good."""

    def add(self, message: Message, /) -> "Deferred[bool]":
        """Fires when it is on the disk; False when this id is there already."""

    def last_sequence(self, conversation: str, device: bytes, /) -> int:
        """The highest number of a device in a conversation; 0 before one."""


class Listeners(Protocol):
    """Programs that wait for messages."""

    def deliver(self, message: Message, /) -> bool:
        """Whether somebody was listening."""


class Directory(Protocol):
    """Where prekeys and documents are found."""

    def put_prekeys(self, signed: Signed, /) -> "Deferred[Any]":
        """Store my record."""

    def prekeys_of(self, fingerprint: bytes, device: bytes, /) -> "Deferred[bytes | None]":
        """The signed record of somebody's device, not checked beyond the DHT's own checks; None where there is none."""

    def look_up(self, fingerprint: bytes, /) -> "Deferred[Any]":
        """Somebody's newest document, which is known from then on where there is one."""

    def resolve_device(self, fingerprint: bytes, device: bytes, /) -> "Deferred[list[str]]":
        """Addresses of one device of somebody."""


class Keepers(Protocol):
    """Who may keep mailboxes for me."""

    def candidates(self) -> list[bytes]:
        """Fingerprints, the best first."""
