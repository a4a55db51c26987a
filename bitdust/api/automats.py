"""State machines, as they stand."""

from typing import Any

from bitdust.api.arguments import BadArgument, Kind
from bitdust.api.context import Context
from bitdust.api.envelope import Envelope, listed, ok
from bitdust.api.table import Param, Route, method
from bitdust.wire.errors import BitDustError


@method(
    Route("GET", "/automat/list/v1", ("/st/l",)),
    Route("GET", "/state/list/v1"),
    returns="[{index, id, name, state, since, timers}]",
)
def automats_list(context: Context) -> Envelope:
    """Every state machine that lives in this process."""
    return listed([context.registry.describe(machine) for machine in context.registry])


@method(
    Route("GET", "/automat/info/v1", ("/st/i",)),
    Route("GET", "/state/info/v1"),
    params=(
        Param("index", Kind.INTEGER, None, help="its number"),
        Param(
            "automat_id",
            default=None,
            aliases=("id",),
            help="its id or, if it is the only one of its kind, name",
            example="p2p_connector",
        ),
    ),
    returns="{index, id, name, state, since, timers, repr, events, past}",
    errors=("not-found", "bad-argument"),
)
def automat_info(context: Context, index: int | None, automat_id: str | None) -> Envelope:
    """One state machine, with its last moves."""
    if (index is None) == (automat_id is None):
        raise BadArgument("give either 'index' or 'automat_id'")
    found: list[Any] = (
        [context.registry.by_index(index)] if index is not None else context.registry.find(automat_id or "")
    )
    if len(found) > 1:
        raise BadArgument(f"there are {len(found)} machines called {automat_id!r}; give the index of one")
    if not found or found[0] is None:
        raise BitDustError("not-found", "there is no such state machine; automats_list shows all")
    return ok(context.registry.describe(found[0], long=True))
