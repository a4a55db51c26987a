"""What contacts need of the rest of the node, as small protocols; the services fill them in."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from attrs import field, frozen
from twisted.internet.defer import Deferred

from bitdust.wire.packet import Command
from bitdust.wire.signed import Signed

RunInThread = Callable[..., "Deferred[Any]"]


class Device(Protocol):
    """A device of an identity document."""

    @property
    def key(self) -> bytes: ...

    @property
    def revoked(self) -> int | None: ...


class Document(Protocol):
    """An identity document."""

    @property
    def fingerprint(self) -> bytes: ...

    @property
    def idurl(self) -> object: ...

    @property
    def global_id(self) -> str: ...

    def device(self, ident: bytes, /) -> Device | None: ...


class Me(Protocol):
    """The local identity."""

    @property
    def fingerprint(self) -> bytes: ...

    @property
    def document(self) -> Document: ...

    def sign(self, kind: str, body: bytes, /) -> Signed: ...


class Events(Protocol):
    def send(self, event_id: str, data: dict[str, Any] | None = None, /) -> object: ...


class Settings(Protocol):
    def get(self, key: str, /) -> Any: ...

    def set(self, key: str, value: Any, /) -> Any: ...

    def on_change(self, prefix: str, watcher: Callable[[str, Any, Any], None], /) -> Callable[[], None]: ...


class Reply(Protocol):
    """The answer to a packet."""

    @property
    def fields(self) -> Mapping[str, Any]: ...

    @property
    def payload(self) -> bytes: ...


class Outbox(Protocol):
    """Sends a packet; a Fail answer fails with an error whose ``code`` is the answer's."""

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
    ) -> "Deferred[Any]": ...


class SessionPeer(Protocol):
    @property
    def fingerprint(self) -> bytes: ...


class Session(Protocol):
    @property
    def peer(self) -> SessionPeer: ...


class Gateway(Protocol):
    """Sessions with peers."""

    def connected(self, fingerprint: bytes, /) -> bool: ...

    def session_to(self, fingerprint: bytes, /) -> "Deferred[Any]": ...

    def dial(self, address: str, /, expect: bytes | None) -> "Deferred[Any]": ...

    def on_session(self, watcher: Callable[[Any, bool], None], /) -> Callable[[], None]: ...


@frozen
class Candidate:
    """Somebody who may become a supplier; ``addresses`` (``tcp://host:port``) may be empty."""

    fingerprint: bytes
    addresses: tuple[str, ...] = ()


class Identities(Protocol):
    """Names of fingerprints; None for somebody whose document is not known."""

    def __call__(self, fingerprint: bytes, /) -> Document | None: ...


@frozen
class Names:
    """How a peer is shown to people."""

    idurl: str = ""
    global_id: str = ""
    document: Document | None = field(default=None, eq=False, repr=False)

    @classmethod
    def of(cls, document: Document | None) -> "Names":
        return cls() if document is None else cls(str(document.idurl), document.global_id, document)
