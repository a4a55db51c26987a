"""How a guest reaches another owner's suppliers: each request names the owner and shows what the owner has signed."""

from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet.defer import Deferred

from bitdust.ports import Outbox
from bitdust.surroundings import Connected
from bitdust.wire.packet import Command
from bitdust.wire.records import Family


class GuestOutbox:
    """The way out, under a capability of another ``owner``."""

    def __init__(self, outbox: Outbox, owner: bytes, capability: Callable[[], bytes]) -> None:
        self._outbox = outbox
        self._owner = owner
        self._capability = capability

    def send(
        self,
        to: bytes,
        command: Command,
        fields: Mapping[str, Any],
        payload: bytes | None = None,
        /,
        **terms: Any,
    ) -> "Deferred[Any]":
        """As `Outbox.send`, whose other terms stay as they are."""
        own = {"owner": self._owner, "capability": self._capability()}
        return self._outbox.send(to, command, fields, payload, **{**terms, **own})


class GuestPorts:
    """The suppliers of another owner, as far as one who was let in needs them; ``family`` and ``capability`` are asked
    each time, because both are renewed while a share is open."""

    def __init__(
        self, around: Connected, owner: bytes, family: Callable[[], Family | None], capability: Callable[[], bytes]
    ) -> None:
        self._around = around
        self._family = family
        self.outbox: Outbox = GuestOutbox(around.outbox, owner, capability)

    def is_online(self, fingerprint: bytes) -> bool:
        """Whether there is a session with a supplier."""
        return self._around.sessions.connected(fingerprint)

    def names(self, fingerprint: bytes) -> tuple[str, str]:
        """IDURL and global id of a supplier, empty where they are not known."""
        document = self._around.identities.get(fingerprint)
        return (str(document.idurl), document.global_id) if document is not None else ("", "")

    def note_refusal(self, supplier: bytes, code: str) -> None:
        """The queue of that supplier knows why."""

    def note_answer(self, supplier: bytes, reply: Any) -> None:
        """How much room its owner has left there is nothing that concerns a guest."""

    def family(self) -> Family | None:
        """The owner's newest family record that is known here."""
        return self._family()
