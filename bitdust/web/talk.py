"""What is said over one socket of the API: calls, answers to the asker only, events with numbers, and models.

Messages of a client are JSON dictionaries, with a ``command``:

* ``{"command": "api_call", "method": …, "kwargs": {…}, "call_id": …}``; ``"generation": "2016"`` beside it asks as the
  API was in that year
* ``{"command": "subscribe", "events": ["service-*", …] or null, "call_id": …}`` narrows or widens the events
* ``{"command": "resume", "run": …, "after": seq, "call_id": …}`` sends again what came after that event
* both take ``messages``, the types of messages that are wanted, and ``messages_after``, the number of the last one

Each is answered with ``{"type": "api_call", "payload": {"call_id", "response": envelope}}``, and with ``errors`` beside
``response`` when the message itself was wrong. Beside the answers come messages of type ``event``, ``gap``,
``model`` and ``stream_message``. ``docs/api/websocket.md`` describes them all. What carries these messages is a
`bitdust.web.outflow.Socket`: a WebSocket of this machine, or the sealed line of a program that was let in.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from bitdust.api.arguments import BadArgument, parse_json
from bitdust.api.call import begin, broken
from bitdust.api.context import Context, Row
from bitdust.api.envelope import Envelope, failed, ok
from bitdust.api.table import Method, Table
from bitdust.events import Event
from bitdust.people.history.values import Stored
from bitdust.web.answers import Answers, Place
from bitdust.web.listening import Models, SocketListener
from bitdust.web.message_flow import MessageFlow, WantedMessages
from bitdust.web.outflow import Outflow, Socket, event_message
from bitdust.web.patterns import chosen
from bitdust.web.render import compact
from bitdust.web.subscription import Subscription, place_of
from bitdust.wire.errors import BitDustError

MAX_CALLS = 64
COMMANDS = "api_call, subscribe and resume"
Rules = Callable[[Method, Mapping[str, Any]], None]
"""What may be called over a socket; raises `BitDustError` for what may not."""


class Talks:
    """All talks over the sockets of one kind: each gets every event, and the messages that it wants."""

    def __init__(self, context: Context, table: Table, answers: Answers) -> None:
        self.context = context
        self.table = table
        self.answers = answers
        self.models = Models(context)
        self._open: dict[Talk, None] = {}
        self._run = context.events.run
        self._forget = context.events.subscribe(self._broadcast)
        self._forget_messages = context.people.listeners.watch(self._take)

    def begin(self, socket: Socket, wishes: Subscription | None = None, rules: Rules | None = None) -> "Talk":
        """Events flow from now on."""
        talk = Talk(self, socket, rules)
        self._open[talk] = None
        if wishes is not None:
            talk.begin(wishes)
        return talk

    def ended(self, talk: "Talk") -> None:
        """Its socket is gone."""
        self._open.pop(talk, None)

    def close(self) -> None:
        """Send no more events."""
        self._forget()
        self._forget_messages()
        self.models.close()

    def _broadcast(self, event: Event) -> None:
        if self._open:
            data = event_message(event, self._run)
            for talk in list(self._open):
                talk.outflow.put_event(event, data)

    def _take(self, stored: Stored) -> bool:
        """A message was stored; whether some client gets it."""
        return sum(talk.messages.offer(stored) for talk in list(self._open)) > 0


class Talk:
    """What is said over one socket; `outflow` holds what its client is still to get."""

    log = Logger()

    def __init__(self, talks: Talks, socket: Socket, rules: Rules | None = None) -> None:
        self._talks = talks
        self._context = context = talks.context
        self._rules = rules
        self._calls: dict[Deferred[Any], str | None] = {}
        self.outflow = Outflow(context.world.clock, context.events, socket, talks.answers)
        self._listener = SocketListener(talks.models, lambda: self.outflow)
        self.messages = MessageFlow(context, lambda: self.outflow)
        self._asked = context.heard_by(self._listener)

    def begin(self, wishes: Subscription) -> None:
        """Take over what the client asked for when it came."""
        self.outflow.choose(chosen(wishes.events))
        if wishes.after is not None:
            self.outflow.resume(wishes.run, wishes.after)
        self.messages.begin(wishes.messages)

    def end(self) -> None:
        """Nobody waits for the calls any more."""
        self._talks.ended(self)
        self.outflow.stop()
        self._listener.close()
        self.messages.close()
        for calling in list(self._calls):
            calling.cancel()

    def pause(self) -> None:
        """The socket is full."""
        self.outflow.pause()

    def go_on(self) -> None:
        """The socket has room again."""
        self.outflow.go_on()

    def push(self, kind: str, payload: Row) -> None:
        """A message that nobody asked for."""
        self.outflow.put(compact({"type": kind, "payload": payload}))

    def said(self, text: str) -> None:
        """One message of the client."""
        call_id: Any = None
        try:
            message = parse_json(text)
            if not isinstance(message, dict):
                raise BadArgument("a message must be a JSON dictionary")
            call_id = message.get("call_id")
            self._command(message, call_id)
        except BadArgument as error:
            self._complain(call_id, "bad-argument", str(error))

    def _command(self, message: dict[str, Any], call_id: Any) -> None:
        command = message.get("command")
        if command == "api_call":
            self._call(message, call_id)
        elif command == "subscribe":
            wants, place, messages = chosen(message.get("events")), self._place(message), WantedMessages.of(message)
            self.outflow.choose(wants)
            self._resume(place, call_id)
            self.messages.begin(messages)
        elif command == "resume":
            place, messages = self._place(message), WantedMessages.of(message)
            if place is None and messages.after is None:
                raise BadArgument("after is missing: the number of the last event that was seen")
            self._resume(place, call_id)
            self.messages.begin(messages)
        else:
            raise BadArgument(f"unknown command {str(command)[:80]!r}; known are {COMMANDS}")

    def _place(self, message: dict[str, Any]) -> tuple[str, int] | None:
        after = message.get("after")
        return None if after is None else place_of(message.get("run"), after)

    def _resume(self, place: tuple[str, int] | None, call_id: Any) -> None:
        """Answer, then send again what came after a place in the stream."""
        events = self._context.events
        missed = 0
        if place is not None:
            run, after = place
            missed = max(0, events.oldest - 1 - (after if run == events.run and after <= events.last else 0))
        self._answer(ok({"run": events.run, "seq": events.last, "oldest": events.oldest, "missed": missed}), call_id)
        if place is not None:
            self.outflow.resume(*place)

    def _call(self, message: dict[str, Any], call_id: Any) -> None:
        name, generation = message.get("method"), message.get("generation") or ""
        if not isinstance(generation, str):
            raise BadArgument("generation must be a text such as 2016")
        row = self._talks.table.named(name, generation) if isinstance(name, str) else None
        kwargs = message.get("kwargs")
        kwargs = {} if kwargs is None else kwargs
        if row is None:
            self._complain(call_id, "not-found", f"method {str(name)[:80]!r} not found")
            return
        if not isinstance(kwargs, dict):
            raise BadArgument("kwargs must be a JSON dictionary")
        try:
            if self._rules is not None:
                self._rules(row, kwargs)
        except BitDustError as error:
            self._complain(call_id, error.code, str(error))
            return
        if self._calls:
            self._check_waiting(call_id)
        place = self._talks.answers.before(row)
        calling = begin(self._asked, row, kwargs) if place is None else self._begin(row, kwargs, place)
        if not isinstance(calling, Deferred):
            self._answer_or_complain(calling, call_id, row, place)
            return
        self._calls[calling] = _ident(call_id)
        calling.addBoth(self._ended, calling).addCallback(self._answer_or_complain, call_id, row, place)

    def _begin(self, row: Method, kwargs: dict[str, Any], place: Place) -> "Envelope | Deferred[Envelope]":
        """As soon as there is room for the answer."""
        entering = place.enter()
        if entering is None:
            return begin(self._asked, row, kwargs)
        return entering.addCallbacks(
            lambda _: begin(self._asked, row, kwargs), lambda failure: broken(failure, row.name)
        )

    def _check_waiting(self, call_id: Any) -> None:
        if len(self._calls) >= MAX_CALLS:
            raise BadArgument(f"{MAX_CALLS} calls are already waiting for their answers; wait for one of them")
        ident = _ident(call_id)
        if ident is not None and ident in self._calls.values():
            raise BadArgument(f"a call with the call_id {ident[:80]} is already waiting for its answer")

    def _ended(self, result: Any, calling: "Deferred[Any]") -> Any:
        self._calls.pop(calling, None)
        return result

    def _answer_or_complain(self, envelope: Envelope, call_id: Any, row: Method, place: Place | None) -> None:
        try:
            message = _answer(envelope, call_id)
            self.outflow.put(message, self._talks.answers.after(row, place, len(message)))
        except (TypeError, ValueError, RecursionError):
            if place is not None:
                place.release()
            self.log.failure("an answer could not be written")
            self._complain(call_id, "internal", "the answer could not be written; logs/stdout.log tells more")

    def _answer(self, envelope: Envelope, call_id: Any) -> None:
        self.outflow.put(_answer(envelope, call_id))

    def _complain(self, call_id: Any, code: str, text: str) -> None:
        payload = {"call_id": call_id, "errors": [text], "response": failed(code, text)}
        self.outflow.put(compact({"type": "api_call", "payload": payload}))


def _answer(envelope: Envelope, call_id: Any) -> bytes:
    return compact({"type": "api_call", "payload": {"call_id": call_id, "response": envelope}})


def _ident(call_id: Any) -> str | None:
    return None if call_id is None else json.dumps(call_id, sort_keys=True)
