"""Questions to suppliers about logs: which heads they hold, and which entries."""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Protocol

from twisted.internet.defer import Deferred

from bitdust.formats.log_entry import MAX_HEADS, LogName
from bitdust.outcome import Outcome, outcomes
from bitdust.ports import Outbox
from bitdust.storage.log.access import LogAccess
from bitdust.storage.log.seen import SeenHead, read_head, without_crowd
from bitdust.storage.ports import Ports
from bitdust.wire.encoding import WireError, decode
from bitdust.wire.packet import Command

SILENCE = 15.0
MOST_FETCHED = 1024 * 1024
"""Bytes of entries in one answer: one has to come within the minute that a reading takes, over a slow line too."""
MOST_TOGETHER = 1024 * 1024
MAX_ANSWER = 9 * 1024 * 1024


async def ask_online(ports: Ports, ask: Callable[[bytes], Coroutine[Any, Any, Any]]) -> dict[bytes, Outcome]:
    """Ask each supplier that is online, once, and those too that come while the others answer.

    After a start suppliers come one by one: whoever judged by the first of them alone would hear too few.
    """
    answers: dict[bytes, Outcome] = {}
    while True:
        family = ports.family()
        holders = family.holders if family is not None else ()
        online = [who for who in holders if who not in answers and ports.is_online(who)]
        if not online:
            return answers
        found = await outcomes(Deferred.fromCoroutine(ask(supplier)) for supplier in online)
        answers.update(zip(online, found, strict=True))


class HasOutbox(Protocol):
    """Whoever has the way out."""

    @property
    def outbox(self) -> Outbox: ...


class LogRequests:
    """I ask for heads and entries of one owner's logs."""

    def __init__(self, access: LogAccess, ports: HasOutbox) -> None:
        self.access = access
        self._ports = ports

    def _ask(self, supplier: bytes, fields: Mapping[str, Any], most: int) -> "Deferred[Any]":
        return self._ports.outbox.send(supplier, Command.RETRIEVE, fields, deadline=SILENCE, max_answer=most)

    async def heads(self, supplier: bytes) -> list[SeenHead]:
        """Heads of all logs that may be read there; what is no head of the owner's is left out, and so are those of
        devices that nobody names, beyond `MOST_STRANGERS`."""
        found = [read_head(data, self.access, supplier) for data in await self.signed_heads(supplier)]
        return without_crowd([seen for seen in found if seen is not None], self.access)

    async def signed_heads(self, supplier: bytes) -> list[bytes]:
        """The same as the supplier gives them; nothing is checked."""
        reply = await self._ask(supplier, {"kind": "heads"}, MAX_HEADS)
        return _list_of_bytes(reply, MAX_HEADS, "the heads of a supplier are no list")

    def parts(self, keeper: bytes, asked: Sequence[tuple[LogName, int]]) -> "Deferred[list[list[bytes]]]":
        """Entries of several logs, of each from a sequence on, as many as fit one answer; of some there may be none."""
        parts = [{"device": log.device, "first": first} for log, first in asked]
        fields = {"kind": "parts", "parts": parts, "most": MOST_TOGETHER}
        return self._ask(keeper, fields, MAX_ANSWER).addCallback(_lists_of_bytes, len(asked))

    def entries(self, supplier: bytes, log: LogName, first: int) -> "Deferred[list[bytes]]":
        """Entries of a log from a sequence on, as many as fit an answer."""
        fields: dict[str, Any] = {"kind": "log", "device": log.device, "first": first, "most": MOST_FETCHED}
        if log.scope is not None:
            fields["scope"] = log.scope
        asking = self._ask(supplier, fields, MAX_ANSWER)
        return asking.addCallback(_list_of_bytes, MAX_ANSWER, "the log of a supplier is no list of entries")


def _lists_of_bytes(reply: Any, count: int) -> list[list[bytes]]:
    listed = decode(bytes(reply.payload), MAX_ANSWER)
    if type(listed) is not list or len(listed) != count or not all(_is_list_of_bytes(one) for one in listed):
        raise WireError("malformed", "the parts that a member gives are no lists of entries")
    return listed


def _is_list_of_bytes(value: Any) -> bool:
    return type(value) is list and all(type(data) is bytes for data in value)


def _list_of_bytes(reply: Any, most: int, complaint: str) -> list[bytes]:
    listed: list[bytes] = decode(bytes(reply.payload), most)
    if not _is_list_of_bytes(listed):
        raise WireError("malformed", complaint)
    return listed
