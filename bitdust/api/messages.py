"""Messages between people."""

from typing import Any

from twisted.internet.defer import TimeoutError

from bitdust.api.arguments import Kind
from bitdust.api.context import Context
from bitdust.api.envelope import Envelope, failed, ok
from bitdust.api.people import NO_PERSON, find_person
from bitdust.api.table import Param, Route, method
from bitdust.people.messages.desk import KEPT
from bitdust.people.messages.incoming import CONSUMED
from bitdust.wire.errors import BitDustError
from bitdust.wire.messages import MASTER
from bitdust.wire.names import GROUP_PREFIX, BadName

RECIPIENT = Param(
    "recipient_id",
    aliases=("id", "recipient", "user_id"),
    help="global id, IDURL, key id or fingerprint",
    example="bob@id.example",
)
_LATER = "the message is stored here, and goes on its way as soon as {who} can be reached"


def check_text(data: Any) -> None:
    """Raises `BitDustError` ``bad-message`` for a text alone in which nothing is; objects are a program's own."""
    if isinstance(data, dict) and data.keys() == {"message"}:
        text = data["message"]
        if isinstance(text, str) and not text.strip():
            raise BitDustError("bad-message", "there is nothing in this message to send")


@method(
    Route("POST", "/broadcast/send/message/v1", ("/bc/s",)),
    params=(Param("payload", Kind.JSON, ("data",), help="a JSON object of at most 4 KB", example={"msg": "Hi all"}),),
    service="broadcasting",
    returns="{peers}",
    errors=("bad-message", "too-large", "busy", "not-connected"),
)
async def broadcast_send_message(context: Context, payload: Any) -> Envelope:
    """Say something to everybody in the network, once in a while: to all peers that are connected and hear such
    messages (the event ``broadcast-message-received``), and through those that pass them on."""
    peers = await context.people.broadcasts.say(payload)
    return ok({"peers": peers}, message=f"{peers} peers have heard it, and pass it on where they are set to")


@method(
    Route("POST", "/message/send/v1", ("/msg/s",)),
    params=(
        RECIPIENT,
        Param("data", Kind.JSON, help="a JSON object of at most 1 MB", example={"message": "Hola Amigo!"}),
        Param("ping_timeout", Kind.NUMBER, 15, help="seconds to find the recipient", low=0, high=300),
        Param(
            "message_ack_timeout", Kind.NUMBER, 15, ("timeout",), help="seconds to wait for its answer", low=0, high=300
        ),
    ),
    service="private_messages",
    returns="{consumed?, message_id, state}",
    errors=("bad-message", "too-large", "busy", "disk-full", "disk-error", "refused", "stopping", *NO_PERSON),
    becomes=[("message_courier", "work")],
)
async def message_send(
    context: Context, recipient_id: str, data: Any, ping_timeout: float, message_ack_timeout: float
) -> Envelope:
    """Send a JSON object to all devices of a person, sealed for each of them alone.

    The message is on the disk here before anything else happens, and is sent until the recipient has it. The answer
    waits for that a little: ``state`` is ``delivered`` when a device of the recipient has stored it (``consumed`` says
    whether a program was listening there), ``kept`` when the recipient is away and its mailboxes have it, and
    ``stored`` while it is here alone.
    """
    check_text(data)
    if recipient_id.startswith(GROUP_PREFIX):
        raise BadName(f"{recipient_id[:100]!r} is a group and no person; see message_send_group")
    person = await find_person(context, recipient_id)
    alias = recipient_id.split("$", 1)[0] if "$" in recipient_id else MASTER
    sent = await context.people.messages.send(person.fingerprint, data, alias[:100])
    answer = {"message_id": sent.message.id, "state": "stored"}
    try:
        ended = await sent.arrived.addTimeout(max(0.001, ping_timeout + message_ack_timeout), context.world.clock)
    except TimeoutError:
        return ok(answer, message=_LATER.format(who=person.global_id))
    except BitDustError as error:
        if error.code == "stopping":
            return ok(answer, message=_LATER.format(who=person.global_id))
        return failed(error.code, str(error), message_id=sent.message.id)
    if ended == KEPT:
        return ok(answer | {"state": KEPT}, message=f"{person.global_id} is away; its mailboxes have the message")
    return ok(answer | {"state": "delivered", "consumed": ended == CONSUMED})
