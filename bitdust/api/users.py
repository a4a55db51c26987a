"""Other people's nodes."""

from twisted.internet.defer import TimeoutError

from bitdust.api.arguments import Kind
from bitdust.api.context import Context
from bitdust.api.envelope import Envelope, failed, ok
from bitdust.api.people import find_person
from bitdust.api.table import Param, Route, method
from bitdust.transport.outbox import NoAnswer
from bitdust.wire.packet import Command

USER = Param("user_id", aliases=("id", "idurl", "global_id"), help="global id, IDURL or key id")


@method(
    Route("POST", "/user/ping/v1", ("/us/png",)),
    Route("GET", "/user/ping/v1"),
    params=(
        USER,
        Param("timeout", Kind.NUMBER, None, ("ping_timeout",), "seconds for each try", low=0.1, high=300),
        Param("retries", Kind.INTEGER, 1, ("ack_timeout_retries",), "tries after the first one", low=0, high=10),
    ),
    service="gateway",
    returns="{global_id, idurl, seconds}",
    errors=("no-answer", "unknown-user"),
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
