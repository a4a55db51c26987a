"""Other people's nodes."""

from twisted.internet.defer import TimeoutError

from bitdust.api.arguments import Kind
from bitdust.api.context import Context
from bitdust.api.envelope import Envelope, failed, ok
from bitdust.api.people import NO_PERSON, find_person
from bitdust.api.table import Param, Route, method
from bitdust.identity.document import IdentityDocument
from bitdust.transport.outbox import NoAnswer
from bitdust.wire.packet import Command

USER = Param(
    "user_id",
    aliases=("id", "idurl", "global_id"),
    help="global id, IDURL, key id, fingerprint, nickname or alias of a friend",
    example="bob@id.example",
)


@method(
    Route("POST", "/user/ping/v1", ("/us/png",)),
    Route("GET", "/user/ping/v1", ("/us/png",)),
    params=(
        USER,
        Param("timeout", Kind.NUMBER, None, ("ping_timeout",), "seconds for each try", low=0.1, high=300),
        Param("retries", Kind.INTEGER, 1, ("ack_timeout_retries",), "tries after the first one", low=0, high=10),
    ),
    service="gateway",
    returns="{global_id, idurl, seconds}",
    errors=NO_PERSON,
)
async def user_ping(context: Context, user_id: str, timeout: float | None, retries: int) -> Envelope:
    """Ask another node for a sign of life."""
    person = await find_person(context, user_id)
    answer = {"global_id": person.global_id, "idurl": str(person.idurl), "seconds": 0.0}
    if context.me.present and person.fingerprint == context.me.fingerprint:
        return ok(answer, message=f"{person.global_id} is this node itself")
    patience = timeout or float(context.settings.get("services/gateway/p2p-timeout"))
    clock = context.world.clock
    began = clock.seconds()
    reason = ""
    for _ in range(retries + 1):
        asking = context.gateway.outbox.send(person.fingerprint, Command.IDENTITY, {}, deadline=patience)
        try:
            await asking.addTimeout(patience, clock)
        except (NoAnswer, TimeoutError) as error:
            reason = str(error) or f"nothing came within {patience:g} seconds"
        else:
            seconds = round(clock.seconds() - began, 6)
            return ok(answer | {"seconds": seconds}, message=f"{person.global_id} answered after {seconds:.3f} seconds")
    return failed("no-answer", f"{person.global_id} does not answer: {reason}")


@method(
    Route("GET", "/user/status/v1", ("/us/st",)),
    params=(USER,),
    service="p2p_hookups",
    returns="{global_id, idurl, contact_state}",
    errors=NO_PERSON,
)
async def user_status(context: Context, user_id: str) -> Envelope:
    """Whether another node is connected, as far as this one knows; nobody is asked."""
    person = await find_person(context, user_id)
    return ok(_status(context, person))


@method(
    Route("GET", "/user/status/check/v1", ("/us/st/c",)),
    params=(USER, Param("timeout", Kind.NUMBER, None, help="seconds", low=0.1, high=300)),
    service="p2p_hookups",
    returns="{global_id, idurl, contact_state}",
    errors=(*NO_PERSON, "not-connected"),
    becomes=[("online_status", "ping")],
)
async def user_status_check(context: Context, user_id: str, timeout: float | None) -> Envelope:
    """Make sure whether another node is connected: it is asked where that is not known."""
    person = await find_person(context, user_id)
    if context.presence.state(person.fingerprint) == "CONNECTED":
        return ok(_status(context, person))
    asking = context.presence.ping(person.fingerprint)
    try:
        online = await (asking.addTimeout(timeout, context.world.clock) if timeout else asking)
    except TimeoutError:
        online = False
    row = _status(context, person)
    if not online:
        return failed("not-connected", f"{person.global_id} is not connected", **row)
    return ok(row)


def _status(context: Context, person: IdentityDocument) -> dict[str, str]:
    state = context.presence.state(person.fingerprint)
    return {"global_id": person.global_id, "idurl": str(person.idurl), "contact_state": state}
