"""Live models: snapshots of services, keys, contacts and files, pushed over a WebSocket whenever one changes."""

from typing import Any

from bitdust.api.arguments import BadArgument, Kind
from bitdust.api.context import Context, Listener
from bitdust.api.envelope import Envelope, ok
from bitdust.api.snapshots import SOURCES
from bitdust.api.table import Param, Route, method
from bitdust.wire.errors import BitDustError

MODEL = Param("model_name", aliases=("model", "name"), help=f"{', '.join(SOURCES)}", example="service")


@method(
    Route("POST", "/model/enable/v1"),
    params=(MODEL, Param("request_all", Kind.FLAG, False, help="push all of it at once as well")),
    returns="{model_name, enabled, pushed?, postponed?}",
    errors=("needs-websocket", "unknown-model", "busy"),
)
async def enable_model_listener(context: Context, model_name: str, request_all: bool) -> Envelope:
    """Push a model to this WebSocket whenever something of it changes, as
    {type: "model", payload: {name, id, data, created, deleted?}}.

    Each WebSocket chooses for itself, and chooses again after it was closed. ``pushed`` counts the snapshots that were
    pushed at once; they are ``postponed`` while the service that has them is not ON, and come when it is."""
    return ok(await _listener(context).enable(_model(model_name), request_all))


@method(
    Route("POST", "/model/disable/v1"),
    params=(MODEL,),
    returns="{model_name, enabled}",
    errors=("needs-websocket", "unknown-model"),
)
def disable_model_listener(context: Context, model_name: str) -> Envelope:
    """Push a model to this WebSocket no more."""
    was = _listener(context).disable(_model(model_name))
    return ok({"model_name": model_name, "enabled": False}, message=None if was else f"{model_name} was not enabled")


@method(
    Route("POST", "/model/request/v1"),
    params=(
        MODEL,
        Param(
            "query_details", Kind.JSON, None, help='{"id": …} for one snapshot alone', example={"id": "service_network"}
        ),
    ),
    returns="{model_name, pushed?, postponed?}",
    errors=("needs-websocket", "unknown-model", "not-found", "busy"),
)
async def request_model_data(context: Context, model_name: str, query_details: Any) -> Envelope:
    """Push all snapshots of a model to this WebSocket now, whether it is enabled or not."""
    listener, model = _listener(context), _model(model_name)
    return ok(await listener.request(model, _ident(query_details)))


def _listener(context: Context) -> Listener:
    if context.listener is None:
        text = "snapshots of models are pushed, and this call cannot take them: send it over a WebSocket"
        raise BitDustError("needs-websocket", text)
    return context.listener


def _model(name: str) -> str:
    if name not in SOURCES:
        raise BitDustError("unknown-model", f"there is no model {name[:80]!r}; there are: {', '.join(SOURCES)}")
    return name


def _ident(query: Any) -> str | None:
    if query in (None, {}):
        return None
    if not isinstance(query, dict) or set(query) != {"id"} or not isinstance(query["id"], str):
        raise BadArgument("argument 'query_details' must be left out, or a JSON dictionary with one text: {\"id\": …}")
    return str(query["id"])
