"""Messages on their way to one WebSocket client: those that it wants, each once, in the order of their numbers."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.logger import Logger

from bitdust.api.arguments import BadArgument
from bitdust.api.context import Context
from bitdust.api.history import kinds_of
from bitdust.api.messages_shown import stream_payload
from bitdust.people.history.values import Filter, Page, Stored
from bitdust.web.outflow import Outflow
from bitdust.web.render import compact
from bitdust.wire.errors import BitDustError
from bitdust.wire.messages import KINDS

AT_ONCE = 100
MOST_WAITING, MOST_BYTES = 200, 1 << 20
"""What a client's queue has when it gets further messages out of the history, as soon as it has read these."""
PAUSE = 0.1
_NUMBER = re.compile(r"-?[0-9]{1,16}")


@frozen
class WantedMessages:
    """What a client says of messages: ``kinds`` that it wants, None for those that it wanted before; ``after`` which
    number it resumes, None for not."""

    kinds: tuple[str, ...] | None = None
    after: int | None = None

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> "WantedMessages":
        """``messages``: a list of types, null for all; ``messages_after``: a number. Raises `BadArgument`."""
        kinds = _kinds(said["messages"]) if "messages" in said else None
        return cls(kinds, None if said.get("messages_after") is None else _number(said["messages_after"]))


def _kinds(given: Any) -> tuple[str, ...]:
    if given is None:
        return KINDS
    if not isinstance(given, list) or not all(isinstance(one, str) for one in given):
        raise BadArgument(f"messages must be a list of {', '.join(KINDS)}, or null for all")
    return kinds_of(given)


def _number(given: Any) -> int:
    if isinstance(given, bool) or not _NUMBER.fullmatch(str(given)):
        raise BadArgument("messages_after must be the number of a message")
    return int(given)


class MessageFlow:
    """I push messages as they are stored. Who reads slowly, or resumes, gets them out of the history until that is
    caught up with; nothing is left out."""

    log = Logger()

    def __init__(self, context: Context, outflow: Callable[[], Outflow]) -> None:
        self._context = context
        self._outflow = outflow
        self._kinds: tuple[str, ...] = KINDS
        self._following: int | None = None
        self._newest = 0
        self._closed = False

    def begin(self, wanted: WantedMessages) -> None:
        """Push what the client wants from now on."""
        if wanted.kinds is not None:
            self._kinds = wanted.kinds
        if wanted.after is not None and self._kinds:
            self.resume(wanted.after)

    def offer(self, stored: Stored) -> bool:
        """A message was stored; whether this client gets it."""
        if self._closed or stored.message.kind not in self._kinds:
            return False
        self._newest = stored.number
        if self._following is None:
            if self._is_full():
                self.resume(stored.number - 1)
            else:
                self._put(stored)
        return True

    def _is_full(self) -> bool:
        count, size = self._outflow().waiting
        return count >= MOST_WAITING or size >= MOST_BYTES

    def _put(self, stored: Stored) -> None:
        payload = stream_payload(self._context, stored) | {"number": stored.number}
        self._outflow().put(compact({"type": "stream_message", "payload": payload}))

    def resume(self, after: int) -> None:
        """Push what was stored behind a number, and go on from there."""
        is_on = self._following is not None
        self._following = after
        if not is_on:
            Deferred.fromCoroutine(self._follow()).addErrback(self._failed)

    async def _follow(self) -> None:
        while not self._closed and self._following is not None:
            if self._is_full():
                await deferLater(self._context.world.clock, PAUSE)
                continue
            after = self._following
            found = await self._context.people.history.page(Filter(kinds=self._kinds), Page(AT_ONCE, after=after))
            if self._following != after:
                continue
            for stored in found:
                if self._is_full():
                    break
                self._put(stored)
                self._following = stored.number
            if not found and self._newest <= after:
                self._following = None
            elif not found:
                self._newest = after

    def _failed(self, failure: Any) -> None:
        """The history cannot be read: the client hears of it, and gets what comes from now on."""
        self._following = None
        if failure.check(BitDustError) is None:
            self.log.failure("messages could not be read again", failure)
        if not self._closed:
            self._outflow().put(
                compact({"type": "gap", "payload": {"reason": failure.getErrorMessage(), "messages": True}})
            )

    def close(self) -> None:
        """The socket is gone."""
        self._closed = True
