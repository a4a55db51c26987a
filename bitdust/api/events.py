"""The event stream: send, poll, count."""

from typing import Any

from bitdust.api.arguments import BadArgument, Kind
from bitdust.api.context import Context
from bitdust.api.envelope import Envelope, listed, ok
from bitdust.api.table import Param, Route, method
from bitdust.long_polls import MAX_UNCOLLECTED

MAX_TIMEOUT = 3600.0


@method(
    Route("POST", "/event/send/{event_id}/v1", ("/ev/s/{event_id}",)),
    params=(
        Param("event_id", example="lamp-switched"),
        Param("data", Kind.JSON, None, help="a JSON dictionary", example={"on": True}),
    ),
    body="data",
    returns="{event_id, created, seq}",
    errors=("bad-event",),
)
def event_send(context: Context, event_id: str, data: Any) -> Envelope:
    """Put an event of your own into the stream of this node: for tests and for programs around the node."""
    if data is not None and not isinstance(data, dict):
        raise BadArgument("argument 'data' must be a JSON dictionary")
    seq = context.events.send(event_id, data)
    return ok({"event_id": event_id, "created": context.world.wall(), "seq": seq})


@method(
    Route("GET", "/event/listen/{consumer_callback_id}/v1", ("/ev/l/{consumer_callback_id}",)),
    params=(
        Param("consumer_callback_id", help="any name; it keeps its place in the stream", example="my-program"),
        Param(
            "polling_timeout",
            Kind.NUMBER,
            None,
            ("timeout",),
            "seconds; without it the call waits for ever",
            low=0,
            high=MAX_TIMEOUT,
            example=1,
        ),
    ),
    returns="[{type, id, event_id, data, time, seq}]; where it was forgotten: nothing, beside dropped and after",
)
async def event_listen(context: Context, consumer_callback_id: str, polling_timeout: float | None) -> Envelope:
    """What has happened since the last call of this consumer; waits when nothing has. A consumer that leaves 100
    events uncollected is forgotten, and told so by the next call: ``after`` is the last event that it has got."""
    lost = context.consumers.lost(consumer_callback_id)
    if lost is not None:
        return dropped(consumer_callback_id, lost.seq - 1)
    waiting = context.consumers.listen(consumer_callback_id)
    if polling_timeout is not None:
        waiting.addTimeout(polling_timeout, context.world.clock, lambda *_: [])
    return listed([event.as_dict() for event in await waiting])


def dropped(consumer: str, after: int) -> Envelope:
    """The answer to a consumer that was forgotten; ``after`` is the number from which it can go on."""
    text = f"{consumer} left {MAX_UNCOLLECTED} uncollected and was forgotten; what came after {after} is not told again"
    return listed([], message=text, dropped=True, after=after)


@method(Route("GET", "/event/list/v1", ("/ev/l",)), returns="{event id: how often it was sent}")
def events_list(context: Context) -> Envelope:
    """How many events of each kind there were since the start."""
    return ok(context.events.counts())
