"""What the documents say of a method, taken from its row: one dictionary, from which pages and the command line's help
are written.

The example of a method is one call, shown three times: as ``curl``, over a WebSocket, and as ``bitdust api``. People
and places in it are invented (``alice@id.example``, ``/home/alice``); a test puts real ones there and runs it.
"""

import json
import shlex
from typing import Any
from urllib.parse import quote, urlencode

from bitdust.api.arguments import Kind
from bitdust.api.table import Method, Param, Route

REST, SECRET = "localhost:8180", "$(cat ~/.bitdust/apisecret)"
IN_BODY = ("POST", "PUT")
READABLE = "/:,@$"


def entry(row: Method) -> dict[str, Any]:
    """One method."""
    return {
        "name": row.name,
        "noun": row.noun,
        **({"generation": row.generation} if row.generation else {}),
        "other_names": list(row.other_names),
        "signature": row.name + row.signature(),
        "doc": "\n\n".join(" ".join(paragraph.split()) for paragraph in row.doc.split("\n\n")),
        "params": [_parameter(param) for param in row.params],
        "service": row.service,
        "returns": row.returns,
        "errors": list(row.errors),
        **({"becomes": [list(step) for step in row.becomes]} if row.becomes else {}),
        "routes": routes(row),
        "examples": {"curl": curl_line(row), "websocket": websocket_line(row), "cli": cli_line(row)},
    }


def first_sentence(doc: str) -> str:
    """What a list of methods shows of one."""
    head, dot, _ = doc.partition("\n\n")[0].partition(". ")
    return head + dot.strip()


def _parameter(param: Param) -> dict[str, Any]:
    shown: dict[str, Any] = {"name": param.name, "type": param.kind.value, "help": param.help}
    if param.aliases:
        shown["aliases"] = list(param.aliases)
    if not param.required:
        shown["default"] = param.default
    shown |= {name: limit for name, limit in (("low", param.low), ("high", param.high)) if limit is not None}
    shown |= {name: True for name in ("secret", "obsolete") if getattr(param, name)}
    return shown


def canonical(row: Method) -> Route:
    """The route under which documents show a method; ``POST /api/<name>`` for one that has no other."""
    return row.routes[0] if row.routes else Route("POST", f"/api/{row.name}")


def routes(row: Method) -> list[str]:
    """Every verb and path that leads to the method, the canonical one first."""
    own = [f"{route.verb} {path}" for route in row.routes for path in route.paths()]
    if row.generation:
        return own
    return list(dict.fromkeys([*own, *(f"POST /api/{name}" for name in (row.name, *row.other_names))]))


# the three lines of an example


def curl_line(row: Method) -> str:
    """The example for a shell, over REST."""
    route, given = canonical(row), row.example_arguments()
    path = route.path
    for name in list(given):
        for place, safe in ((f"{{{name}}}", ""), (f"{{{name}:path}}", "/")):
            if place in path:
                path = path.replace(place, quote(str(given.pop(name)), safe=safe))
    verb = "" if route.verb == "GET" else f" -X {route.verb}"
    head = f'curl{verb} -H "api_secret: {SECRET}" '
    if route.verb in IN_BODY:
        return head + REST + path + (f" -d {shlex.quote(json.dumps(given, ensure_ascii=False))}" if given else "")
    query = urlencode({name: _as_text(value) for name, value in given.items()}, safe=READABLE, quote_via=quote)
    return head + (f"'{REST}{path}?{query}'" if query else REST + path)


def websocket_line(row: Method) -> str:
    """The example for JavaScript, over a WebSocket."""
    return f"websocket.send({_script_text(json.dumps(message(row), ensure_ascii=False))});"


def message(row: Method) -> dict[str, Any]:
    """The example as a message of the WebSocket."""
    asked = {"command": "api_call", "method": row.name, "kwargs": row.example_arguments(), "call_id": 1}
    return asked | ({"generation": row.generation} if row.generation else {})


def cli_line(row: Method) -> str:
    """The example for the command line; what is secret is read from the terminal, because others see command lines."""
    words = [
        _cli_word(param, value) for name, value in row.example_arguments().items() for param in [_named(row, name)]
    ]
    older = ["--generation", row.generation] if row.generation else []
    return " ".join(["bitdust", "api", *older, row.name, *(shlex.quote(word) for word in words)])


def _cli_word(param: Param, value: Any) -> str:
    if param.secret:
        return f"{param.name}=-"
    if param.kind is Kind.JSON or isinstance(value, dict):
        return f"{param.name}:={json.dumps(value, ensure_ascii=False)}"
    return f"{param.name}={_as_text(value)}"


def _named(row: Method, name: str) -> Param:
    return next(param for param in row.params if param.name == name)


def _as_text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ",".join(map(str, value))
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else str(value)


def _script_text(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
