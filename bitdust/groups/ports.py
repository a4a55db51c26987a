"""What groups ask of the rooms of people, one protocol for each."""

from typing import Any, Protocol

from attrs import frozen
from twisted.internet.defer import Deferred

from bitdust.identity.proving import NameProver
from bitdust.wire.messages import Message


class GroupHistory(Protocol):
    """Where messages are kept for good."""

    def add(self, message: Message, /) -> "Deferred[bool]":
        """Fires when it is on the disk; False when this id is there already."""

    def last_sequence(self, conversation: str, device: bytes, /) -> int:
        """The highest number of a device in a conversation; 0 before one."""


class FindsPeople(Protocol):
    """Where identities are found."""

    def look_up(self, fingerprint: bytes, /) -> "Deferred[Any]":
        """Somebody's newest document, which is known from then on where there is one."""


@frozen
class GroupPeople:
    """What groups ask of the rooms of people."""

    history: GroupHistory
    finder: FindsPeople
    prover: NameProver
