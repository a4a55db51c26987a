"""State machines, as they stand, and as they move."""

from typing import Any

from bitdust.api.arguments import BadArgument, Kind
from bitdust.api.context import Context
from bitdust.api.envelope import Envelope, listed, ok
from bitdust.api.following import EVERY, Moves, kinds, show
from bitdust.api.table import Param, Route, method
from bitdust.wire.errors import BitDustError

INDEX = Param("index", Kind.INTEGER, None, help="its number")
ROW = "{index, id, name, state, since, timers}"
LONGEST_POLL = 60.0


def _either(index: int | None, automat_id: str | None) -> int | str:
    if (index is None) == (automat_id is None):
        raise BadArgument("give either 'index' or 'automat_id'")
    return index if index is not None else automat_id or ""


def _living(context: Context, which: int | str) -> list[Any]:
    """Machines with this number, id or name; raises `BitDustError` ``not-found``."""
    found: list[Any] = context.registry.find(which) if isinstance(which, str) else [context.registry.by_index(which)]
    if not found or found[0] is None:
        raise BitDustError("not-found", "there is no such state machine; automats_list shows all")
    return found


@method(
    Route("GET", "/automat/list/v1", ("/st/l",)),
    Route("GET", "/state/list/v1"),
    returns=f"[{ROW}]",
)
def automats_list(context: Context) -> Envelope:
    """Every state machine that lives in this process; ``timers`` says in how many seconds each will fire."""
    return listed([context.registry.describe(machine) for machine in context.registry])


@method(
    Route("GET", "/automat/info/v1", ("/st/i",)),
    Route("GET", "/state/info/v1"),
    params=(
        INDEX,
        Param(
            "automat_id",
            default=None,
            aliases=("id",),
            help="its id or, if it is the only one of its kind, name",
            example="p2p_connector",
        ),
    ),
    returns="{index, id, name, state, since, timers, repr, events, past, methods: [{method, event}],"
    " packets: [{command, kind, event}]}",
    errors=("not-found", "bad-argument"),
)
def automat_info(context: Context, index: int | None, automat_id: str | None) -> Envelope:
    """One state machine, with its last moves, and the methods of the API and packets of peers that become its events.
    ``becomes`` in the page of a method names its machine; a method that begins a job answers with ``automat`` {index,
    id} beside its result."""
    found = _living(context, _either(index, automat_id))
    if len(found) > 1:
        raise BadArgument(f"there are {len(found)} machines called {automat_id!r}; give the index of one")
    return ok(context.registry.describe(found[0], long=True) | _ways_in(context, found[0].name))


def _ways_in(context: Context, kind: str) -> dict[str, Any]:
    """What becomes an event of a kind of machine."""
    return {
        "methods": [
            {"method": row.name, "event": step.event}
            for row in context.table
            for step in row.becomes
            if step.machine == kind
        ],
        "packets": [
            {"command": row.command.value, "kind": row.kind, "event": row.becomes[1]}
            for row in context.gateway.inbox.rows()
            if row.becomes is not None and row.becomes[0] == kind
        ],
    }


FOLLOWED = Param(
    "automat_id",
    default=None,
    aliases=("id",),
    help="its id, the name of its kind, or * for every one",
    example="backup",
)


@method(
    Route("POST", "/automat/events/start/v1", ("/st/e/start",)),
    Route("POST", "/state/events/start/v1"),
    params=(
        INDEX,
        FOLLOWED,
        Param("state_unchanged", Kind.FLAG, False, help="report events that moved nothing as well"),
    ),
    returns=ROW,
    errors=("not-found", "bad-argument", "too-many-followed"),
)
def automat_events_start(
    context: Context, index: int | None, automat_id: str | None, state_unchanged: bool
) -> Envelope:
    """Report every move of a machine as an event ``state-changed`` {index, id, name, state, old, new, event, time,
    sequence}, until `automat_events_stop` or the end of the process. A kind may be followed before there is one. At
    most 100 events a second are sent; the next one says in ``missed`` how many were not."""
    which = _either(index, automat_id)
    if which == EVERY or which in set(kinds()):
        context.following.start(which, state_unchanged)
        return ok(message=f"moves of {'all machines' if which == EVERY else which} are events from now on")
    machine = _living(context, which)[0]
    context.following.start(which, state_unchanged)
    return ok(context.registry.describe(machine), message=f"moves of {machine.id} are events from now on")


@method(
    Route("POST", "/automat/events/stop/v1", ("/st/e/stop",)),
    Route("POST", "/state/events/stop/v1"),
    params=(INDEX, FOLLOWED),
    returns=f"{ROW}, if it still lives",
    errors=("not-found", "bad-argument"),
)
def automat_events_stop(context: Context, index: int | None, automat_id: str | None) -> Envelope:
    """Report the moves of a machine no more. Name it as it was named to `automat_events_start`."""
    which = _either(index, automat_id)
    if not context.following.stop(which):
        followed = ", ".join(map(str, context.following.followed)) or "none"
        raise BitDustError("not-found", f"{which} is not followed; followed are: {followed}")
    found: list[Any] = context.registry.find(which) if isinstance(which, str) else [context.registry.by_index(which)]
    row = context.registry.describe(found[0]) if found and found[0] is not None else None
    return ok(row, message=f"moves of {which} are events no more")


@method(
    Route("GET", "/automat/follow/{consumer_callback_id}/v1", ("/st/f/{consumer_callback_id}",)),
    Route("GET", "/state/follow/{consumer_callback_id}/v1"),
    params=(
        Param("consumer_callback_id", help="any name; it keeps its place", example="me"),
        Param("name", default="", help="only machines whose id contains this"),
        Param(
            "polling_timeout", Kind.NUMBER, LONGEST_POLL, ("timeout",), "seconds", low=0, high=LONGEST_POLL, example=1
        ),
    ),
    returns="{moves: [{index, id, name, state, old, new, event, time, sequence}], missed}",
    errors=("too-many-watchers", "bad-argument"),
)
async def automats_follow(context: Context, consumer_callback_id: str, name: str, polling_timeout: float) -> Envelope:
    """Every move of every machine since the last call of this consumer; waits when there was none. 2,000 moves are
    kept between two calls; ``missed`` says how many more there were. Nothing goes into the event stream."""
    waiting = context.watching.next(consumer_callback_id, name)
    waiting.addTimeout(polling_timeout, context.world.clock, lambda *_: Moves([]))
    moves = await waiting
    return ok({"moves": [show(move) for move in moves.moves], "missed": moves.missed})
