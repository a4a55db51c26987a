"""How a guest reaches another owner's suppliers: each request names the owner and shows what the owner has signed."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from attrs import frozen
from twisted.internet.defer import Deferred

from bitdust.formats.log_entry import MAX_HEADS
from bitdust.outcome import Outcome, outcome, outcomes
from bitdust.ports import Outbox
from bitdust.surroundings import Connected
from bitdust.wire.capability import Capability, ShownCapability
from bitdust.wire.encoding import decode, encode
from bitdust.wire.packet import Command
from bitdust.wire.records import Family, Head, PackRecord
from bitdust.wire.signed import Signed

ELSEWHERE = ("not-found", "not-allowed")
"""Codes of a supplier that may have under another tag what it has not under this one."""


@frozen
class Joined:
    """One answer out of several, each under a capability of its own."""

    fields: Mapping[str, Any]
    payload: bytes


Prove = Callable[[bytes, bytes], bytes]
"""Of a capability and a supplier's fingerprint, the capability as it is shown there."""


def as_it_is(capability: bytes, supplier: bytes) -> bytes:
    """The session proves who holds it."""
    return capability


class GuestOutbox:
    """The way out, under capabilities of another ``owner``: one for each tag under which suppliers know the key."""

    def __init__(
        self, outbox: Outbox, owner: bytes, capabilities: Callable[[], Sequence[bytes]], prove: Prove = as_it_is
    ) -> None:
        self._outbox = outbox
        self._owner = owner
        self._capabilities = capabilities
        self._prove = prove

    def send(
        self,
        to: bytes,
        command: Command,
        fields: Mapping[str, Any],
        payload: bytes | None = None,
        /,
        **terms: Any,
    ) -> "Deferred[Any]":
        """As `Outbox.send`, whose other terms stay as they are. What names no tag is asked for under each of them."""
        shown = self._fitting(fields)

        def under(capability: bytes) -> "Deferred[Any]":
            own = {"owner": self._owner, "capability": self._prove(capability, to)}
            return self._outbox.send(to, command, fields, payload, **{**terms, **own})

        if len(shown) == 1:
            return under(shown[0])
        if fields.get("kind") == "heads" or command is Command.LIST_FILES:
            return outcomes(under(one) for one in shown).addCallback(_joined)
        return Deferred.fromCoroutine(first_that_has([partial(under, one) for one in shown]))

    def _fitting(self, fields: Mapping[str, Any]) -> Sequence[bytes]:
        """The capability for what a request is about; all of them where that is not said, or where none fits."""
        shown = self._capabilities()
        scope = _scope_of(fields) if len(shown) > 1 else None
        return [one for one in shown if _tag(one) == scope] or shown


def _tag(shown: bytes) -> bytes | None:
    return Capability.from_body(ShownCapability.from_bytes(shown).body).scope


def _scope_of(fields: Mapping[str, Any]) -> bytes | None:
    if "head" in fields:
        return Head.from_body(Signed.from_bytes(fields["head"], Head.KIND).body).scope
    if "record" in fields:
        return PackRecord.from_body(Signed.from_bytes(fields["record"], PackRecord.KIND).body).scope
    found: bytes | None = fields.get("scope")
    return found


async def first_that_has(ways: "Iterable[Callable[[], Deferred[Any]]]", telling: str = "") -> Any:
    """The answer of the first way to ask that leads to what is asked for.

    Fails as the last one did; where nobody has it, and one has said ``telling``, as that one did.
    """
    answer, told = Outcome(), Outcome()
    for ask in ways:
        answer = await outcome(ask())
        if answer.error is None or answer.code not in ELSEWHERE:
            break
        told = answer if answer.code == telling else told
    else:
        answer = told if told.error is not None else answer
    if answer.error is not None:
        raise answer.error
    return answer.value


def _joined(answers: Sequence[Outcome]) -> Joined:
    """All that was listed; of pages so much as each of those has that go on. Fails as the first one did where all did.

    Raises `WireError`.
    """
    good = [answer.value for answer in answers if answer.error is None]
    if not good:
        raise answers[0].error or ValueError("nobody was asked")
    lists = [decode(bytes(one.payload), MAX_HEADS) for one in good]
    unfinished = [some[-1][0] for one, some in zip(good, lists, strict=True) if one.fields.get("more") and some]
    rows = [row for some in lists if isinstance(some, list) for row in some]
    if all(isinstance(row, list) for row in rows):
        rows = sorted(row for row in rows if not unfinished or row[0] <= min(unfinished))
    return Joined({"more": bool(unfinished)}, encode(rows))


class GuestPorts:
    """The suppliers of another owner, as far as one who was let in needs them; ``family`` and ``capabilities`` are
    asked each time, because both are renewed while a share is open."""

    def __init__(
        self, around: Connected, owner: bytes, family: Callable[[], Family | None],
        capabilities: Callable[[], Sequence[bytes]], prove: Prove = as_it_is,
    ) -> None:  # fmt: skip
        self._around = around
        self._family = family
        self.outbox: Outbox = GuestOutbox(around.outbox, owner, capabilities, prove)

    def is_online(self, fingerprint: bytes) -> bool:
        """Whether there is a session with a supplier."""
        return self._around.sessions.connected(fingerprint)

    def is_coming(self, fingerprint: bytes) -> bool:
        """Nobody is waited for: a share is open while enough of them are connected."""
        return False

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
