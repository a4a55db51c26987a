"""What rooms ask of the sessions with peers, as protocols: `bitdust.transport` implements them, and knows no room."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from twisted.internet.defer import Deferred

from bitdust.wire.packet import Command


class Reply(Protocol):
    """An answer that is not Fail."""

    @property
    def fields(self) -> Mapping[str, Any]: ...

    @property
    def payload(self) -> bytes: ...


class Outbox(Protocol):
    """Sends a packet. A Fail answer fails with an error that has ``code`` and ``fields``; so do silence and loss."""

    def send(
        self,
        to: bytes,
        command: Command,
        fields: Mapping[str, Any],
        payload: bytes | None = None,
        /,
        *,
        deadline: float,
        max_answer: int = ...,
        progress: Callable[[int, int], None] | None = ...,
        owner: bytes | None = ...,
        session: Any = ...,
        capability: bytes | None = ...,
        gather: Callable[[], Any] | None = ...,
    ) -> "Deferred[Any]": ...


class SessionPeer(Protocol):
    """Whose session it is."""

    @property
    def fingerprint(self) -> bytes: ...


class Session(Protocol):
    """One connection with one proven peer."""

    @property
    def peer(self) -> SessionPeer: ...

    @property
    def address(self) -> str: ...


class Sessions(Protocol):
    """Sessions with peers."""

    def sessions(self) -> list[Any]:
        """All sessions that are up."""

    def addresses(self) -> list[str]:
        """Where this node listens, ``tcp://host:port`` each."""

    def connected(self, fingerprint: bytes, /) -> bool:
        """Whether there is a session with this peer."""

    def session_to(self, fingerprint: bytes, /) -> "Deferred[Any]":
        """The session with a peer, dialled where there is none."""

    def session_with(self, fingerprint: bytes, /) -> Any:
        """The session with a peer, or None; nothing is dialled."""

    def dial(self, address: str, /, expect: bytes | None, *, anywhere: bool = ...) -> "Deferred[Any]":
        """A session with whoever answers at an address; ``expect`` refuses everybody else. One that a person has typed
        may lead ``anywhere``."""

    def judge(self, document: Any, /) -> list[Any]:
        """Judge the sessions of its owner by an identity document that counts; those that go on."""

    def known_addresses(self, fingerprint: bytes, /) -> list[str]:
        """Addresses at which a peer was reached, or which it named."""

    def on_session(self, watcher: Callable[[Any, bool], None], /) -> Callable[[], None]:
        """Report sessions that come (True) and go (False); the answer stops that."""


class ServiceStarter(Protocol):
    """Services of this node, for parts that must have one begin again."""

    def restart(self, name: str, /) -> "Deferred[Any]":
        """Stop a service and start it again, dependents too."""
