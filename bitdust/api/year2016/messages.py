"""Messages, as of 2016: a text, from whom, and one at a time."""

import json
from typing import Any

from bitdust.api import messages
from bitdust.api.arguments import Kind
from bitdust.api.context import Context
from bitdust.api.envelope import Envelope, listed
from bitdust.api.messages_shown import recipient_of, sender_of
from bitdust.api.people import find_person
from bitdust.api.table import Param
from bitdust.api.year2016.shapes import method_2016, moment
from bitdust.people.history.values import Filter, Notice, Page, Stored
from bitdust.wire.messages import INCOMING, PRIVATE

CONSUMER = "receive_one_message"
WANTED = Filter(kinds=(PRIVATE,))
NEWEST = 100


@method_2016(service="message_history", returns="[{from, to, message, time}]")
async def list_messages(context: Context) -> Envelope:
    """The newest hundred messages between you and others, from old to new."""
    found = await context.people.history.page(WANTED, Page(NEWEST))
    return listed([_row(context, stored) | {"time": moment(stored.at / 1000)} for stored in found])


@method_2016(
    params=(Param("timeout", Kind.NUMBER, None, help="seconds; else it waits for ever", example=1, low=0, high=3600),),
    service="message_history",
    returns="[{from, message}]",
    errors=("too-many-consumers",),
)
async def receive_one_message(context: Context, timeout: float | None) -> Envelope:
    """The next message that comes in, or that has come since the last call; waits when there is none."""
    waiting = context.people.listeners.polls.listen(CONSUMER, _is_wanted, 1)
    if timeout is not None:
        waiting.addTimeout(timeout, context.world.clock, lambda *_: [])
    found = await context.people.history.named([notice.number for notice in await waiting])
    context.people.listeners.seen(found)
    return listed([{"from": row["from"], "message": row["message"]} for row in (_row(context, one) for one in found)])


@method_2016(
    params=(
        Param("recipient", aliases=("recipient_id", "idurl"), help="IDURL or global id", example="bob@id.example"),
        Param("message_body", aliases=("message",), help="a text", example="hello"),
    ),
    service="private_messages",
    returns="['signed.Packet[Message(6f1a…)]']",
    errors=messages.message_send.errors,
    becomes=[("message_courier", "work")],
)
async def send_message(context: Context, recipient: str, message_body: str) -> Envelope:
    """Send a text to somebody. It is on the disk here when the call answers, and goes on its way."""
    data = {"message": message_body}
    messages.check_text(data)
    person = await find_person(context, recipient)
    sent = await context.people.messages.send(person.fingerprint, data)
    sent.arrived.addErrback(lambda _: None)
    return listed([f"signed.Packet[Message({sent.message.id})]"])


def _is_wanted(notice: Notice) -> bool:
    return notice.direction == INCOMING and notice.kind == PRIVATE


def _row(context: Context, stored: Stored) -> dict[str, Any]:
    return {"from": sender_of(context, stored), "to": recipient_of(context, stored), "message": _text(stored)}


def _text(stored: Stored) -> str:
    """The text that somebody typed; any other data as JSON."""
    data = stored.message.data
    text = data.get("message")
    return text if isinstance(text, str) and len(data) == 1 else json.dumps(data, ensure_ascii=False)
