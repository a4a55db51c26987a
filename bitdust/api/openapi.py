"""The method table as OpenAPI 3.1 (https://spec.openapis.org/oas/v3.1.0), for programs that make clients and tests.

Each method is one operation, on its canonical route. All other routes of it stand beside the operation as ``x-aliases``
rather than as operations of their own: they do the same, and a client made from the document should have a method once.
Arguments are named where the route takes them best: in the path, in the query of GET and DELETE, in the body of POST
and PUT. A method that was found answers 200 even when it fails, so clients go by the envelope.
"""

import re
from collections.abc import Iterable
from typing import Any

from bitdust import __version__
from bitdust.api.arguments import MAX_INTEGER, MAX_LIST, MAX_TEXT, Kind
from bitdust.api.reference import IN_BODY, canonical, cli_line, first_sentence, message, routes
from bitdust.api.table import Method, Param, Table

PATH = "/openapi.json"
Schema = dict[str, Any]

_TEXT: Schema = {"type": "string", "maxLength": MAX_TEXT}
_LIST: Schema = {"type": "array", "items": {"type": "string"}, "maxItems": MAX_LIST}
_SCHEMAS: dict[Kind, Schema] = {
    Kind.FLAG: {"type": "boolean"},
    Kind.INTEGER: {"type": "integer", "minimum": 1 - MAX_INTEGER, "maximum": MAX_INTEGER - 1},
    Kind.NUMBER: {"type": "number"},
    Kind.TEXT: _TEXT,
    Kind.LIST: _LIST,
    Kind.SCALAR: {"anyOf": [{"type": "boolean"}, {"type": "number"}, _TEXT, _LIST]},
    Kind.JSON: {},
}
_REFUSED = {
    "400": "The body is no JSON dictionary (`not-json`), or this is not HTTP (`bad-request`).",
    "401": "The secret is missing or wrong (`access-denied`).",
    "403": "This Host or Origin may not call (`wrong-host`, `wrong-origin`).",
    "404": "No method answers at this path (`not-found`).",
    "405": "The method at this path takes other verbs, which the header `Allow` names (`bad-verb`).",
    "413": "The body is too large (`too-large`).",
    "429": "Too many calls with a wrong secret (`too-many-failures`).",
    "431": "The address or a header is too long (`too-large`); a body has more room.",
}
_ERROR: Schema = {
    "type": "object",
    "required": ["status", "errors", "code", "execution"],
    "properties": {
        "status": {"const": "ERROR"},
        "errors": {"type": "array", "items": {"type": "string"}, "minItems": 1, "description": "what to do, in words"},
        "code": {"type": "string", "pattern": "^[a-z][a-z0-9-]*$", "description": "stable, for programs"},
        "execution": {"type": "string", "description": "seconds"},
    },
}
_DONE: Schema = {
    "type": "object",
    "required": ["status", "execution"],
    "properties": {
        "status": {"const": "OK"},
        "message": {"type": "string", "description": "for a person"},
        "execution": {"type": "string", "description": "seconds"},
    },
}


def document(table: Table) -> dict[str, Any]:
    """The whole document."""
    paths: dict[str, Any] = {PATH: {"get": _itself()}}
    for row in table:
        route = canonical(row)
        paths.setdefault(_template(route.path), {})[route.verb.lower()] = _operation(row)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "BitDust",
            "version": __version__,
            "description": "The API of one node. Arguments may also come in the query or in the body whatever the verb "
            "is, and any method answers at `POST /api/<name>`. Operations under `/2016` are those of that year's API.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/"}],
        "security": [{"secret": []}],
        "tags": [{"name": noun} for noun in dict.fromkeys(row.noun for row in table)],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "secret": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "api_secret",
                    "description": "The text of the file `apisecret` in the node's home folder.",
                }
            },
            "schemas": {"Done": _DONE, "Error": _ERROR},
            "responses": {f"Refused{status}": _refused(status, text) for status, text in _REFUSED.items()},
        },
    }


def _refused(status: str, text: str) -> Schema:
    refused: Schema = {"description": text, "content": _json({"$ref": "#/components/schemas/Error"})}
    if status == "405":
        refused["headers"] = {"Allow": {"schema": {"type": "string"}, "description": "such as `GET, POST`"}}
    return refused


def _responses(description: str, schema: Schema) -> Schema:
    refusals = {status: {"$ref": f"#/components/responses/Refused{status}"} for status in _REFUSED}
    return {"200": {"description": description, "content": _json(schema)}} | refusals


def _itself() -> Schema:
    return {
        "operationId": "openapi",
        "summary": "This document.",
        "responses": _responses("OpenAPI 3.1.", {"type": "object", "required": ["openapi", "info", "paths"]}),
    }


def _operation(row: Method) -> Schema:
    route = canonical(row)
    in_path = re.findall(r"\{(\w+)", route.path)
    in_body = [p for p in row.params if route.verb in IN_BODY and p.name not in in_path]
    beside = [p for p in row.params if p not in in_body]
    operation: Schema = {
        "operationId": "_".join(filter(None, (row.name, row.generation))),
        "summary": first_sentence(row.doc),
        "description": _description(row),
        "tags": [row.noun],
        "parameters": [_parameter(row, param, param.name in in_path) for param in beside],
        "responses": _responses(f"Returns {row.returns}", _envelope(row)),
        "x-aliases": routes(row)[1:],
        "x-names": [row.name, *row.other_names],
        "x-errors": list(row.errors),
        "x-generation": row.generation or None,
        "x-service": row.service,
        "x-automat": [{"machine": step.machine, "event": step.event} for step in row.becomes],
        "x-websocket": message(row),
        "x-cli": cli_line(row),
    }
    if in_body:
        operation["requestBody"] = _body(row, in_body)
    return operation


def _description(row: Method) -> str:
    parts = [row.doc]
    if row.service:
        parts.append(f"Needs the service `{row.service}`.")
    if row.errors:
        parts.append("Codes of errors: " + ", ".join(f"`{code}`" for code in row.errors) + ".")
    return "\n\n".join(parts)


def _template(path: str) -> str:
    return path.replace(":path}", "}")


def _parameter(row: Method, param: Param, in_path: bool) -> Schema:
    shown: Schema = {
        "name": param.name,
        "in": "path" if in_path else "query",
        "required": in_path or param.required,
        "schema": _schema(param, nullable=False),
    }
    if param.kind is Kind.LIST and not in_path:
        shown |= {"style": "form", "explode": False}
    if shown["schema"].get("type") == "string":
        shown["schema"] = {"type": "string"} | ({"minLength": 1} if in_path else {})
    given = row.example_arguments()
    if param.name in given:
        shown["example"] = given[param.name]
    return shown | _described(param)


def _described(param: Param) -> Schema:
    also = f"also taken as {', '.join(param.aliases)}" if param.aliases else ""
    meaning = "means nothing any more" if param.obsolete else param.help
    text = "; ".join(part for part in (meaning, also) if part)
    return ({"description": text} if text else {}) | ({"deprecated": True} if param.obsolete else {})


def _body(row: Method, params: Iterable[Param]) -> Schema:
    chosen = list(params)
    names = {param.name for param in chosen}
    schema: Schema = {
        "type": "object",
        "properties": {param.name: _schema(param, nullable=True) | _described(param) for param in chosen},
        "additionalProperties": False,
    }
    required = [param.name for param in chosen if param.required]
    if required:
        schema["required"] = required
    example = {name: value for name, value in row.example_arguments().items() if name in names}
    content = _json(schema)
    if example:
        content["application/json"]["example"] = example
    return {"required": bool(required), "content": content}


def _schema(param: Param, nullable: bool) -> Schema:
    """The values that a parameter takes; in a body, null stands for a default that is nothing."""
    schema = dict(_SCHEMAS[param.kind])
    limits = (("minimum", param.low), ("maximum", param.high))
    schema |= {word: limit for word, limit in limits if limit is not None}
    if not param.required and param.default is not None:
        schema["default"] = param.default
    if nullable and not param.required and "type" in schema:
        schema["type"] = [schema["type"], "null"]
    return schema


def _envelope(row: Method) -> Schema:
    """What a method answers; its result is a list or a dictionary, by the first letter of ``returns``."""
    done: Schema = {"$ref": "#/components/schemas/Done"}
    kind = {"[": "array", "{": "object"}.get(row.returns[:1])
    if kind:
        done = {"allOf": [done, {"properties": {"result": {"type": kind}}}]}
    return {"oneOf": [done, {"$ref": "#/components/schemas/Error"}]}


def _json(schema: Schema) -> Schema:
    return {"application/json": {"schema": schema}}
