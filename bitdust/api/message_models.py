"""The models of messages and conversations."""

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from bitdust.api.context import Context
from bitdust.api.messages_shown import conversation_row, stream_payload
from bitdust.api.sources import Changed, Forget, Snapshot
from bitdust.people.history.values import Filter, Page, Stored

NEWEST = 1_000
"""Snapshots of a model that are pushed at once; older ones are read by `message_history`."""


class Messages:
    """``message``: id is ``conversation/message id``; data as the ``doc`` of `message_history`, with its
    number. All of them are the newest thousand."""

    service: str | None = "message_history"

    def __init__(self, context: Context) -> None:
        self._context = context

    async def all(self) -> list[Snapshot]:
        found = await self._context.people.history.page(Filter(), Page(NEWEST))
        return [self._snapshot(stored) for stored in found]

    def watch(self, changed: Changed) -> Forget:
        return self._context.people.history.stored.connect(lambda stored: changed(self._snapshot(stored)))

    def _snapshot(self, stored: Stored) -> Snapshot:
        ident = f"{stored.message.conversation}/{stored.message.id}"
        return Snapshot(ident, stream_payload(self._context, stored) | {"number": stored.number})


class Conversations:
    """``conversation``: id is the conversation id; data as `message_conversations_list` shows it. All of them are the
    thousand with the newest messages."""

    service: str | None = "message_history"
    log = Logger()

    def __init__(self, context: Context) -> None:
        self._context = context
        self._changing: set[str] = set()

    async def all(self) -> list[Snapshot]:
        found = await self._context.people.history.conversations((), (), NEWEST, 0)
        return [Snapshot(one.name, conversation_row(self._context, one)) for one in found]

    def watch(self, changed: Changed) -> Forget:
        history = self._context.people.history
        forget_stored = history.stored.connect(lambda stored: self._touched(stored.message.conversation, changed))
        forget_changed = history.changed.connect(lambda name: self._touched(name, changed))

        def forget() -> None:
            forget_stored()
            forget_changed()

        return forget

    def _touched(self, name: str, changed: Changed) -> None:
        """Many messages in a moment are one snapshot."""
        if name not in self._changing:
            self._changing.add(name)
            pushing = Deferred.fromCoroutine(self._push(name, changed))
            pushing.addErrback(lambda failure: self.log.failure("a conversation could not be shown", failure))

    async def _push(self, name: str, changed: Changed) -> None:
        try:
            found = self._context.people.history.conversations((), (name,))
        finally:
            self._changing.discard(name)
        for one in await found:
            changed(Snapshot(one.name, conversation_row(self._context, one)))
