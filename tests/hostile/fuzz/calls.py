"""A walk over the OpenAPI document: every method, with values of every kind where another kind belongs."""

import json
from collections.abc import Iterator, Mapping
from random import Random
from typing import Any
from urllib.parse import quote, urlencode

from tests.hostile.fuzz.scripts import Script, torn
from tests.processes.test_schemathesis import LEFT_OUT

WRONG: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    2**63,
    2**200,
    1.5,
    1e308,
    "",
    " ",
    "x" * 5000,
    "\x00",
    "\ud800",
    "../../etc/passwd",
    "a/../b",
    "%s%n",
    "$(id)",
    "'; --",
    "\u202e",
    [],
    [None],
    {},
    {"a": []},
    [[]] * 50,
    "alice@id.example",
    "key$alice@id.example",
    "0/0/1",
    "/",
)
CHANGING = {
    "identity_create",
    "identity_recover",
    "identity_erase",
    "network_connect",
    "network_reconnect",
    "identity_detach",
}
"""They would leave a node that is no longer the one that is tried."""


class Calls:
    """I know what the document says, and make calls of it."""

    def __init__(self, random: Random, secret: bytes, document: Mapping[str, Any]) -> None:
        self._random = random
        self._secret = secret
        self.document = document
        self._operations = [
            one for one in _operations(document) if one[2]["operationId"] not in LEFT_OUT.keys() | CHANGING
        ]

    def script(self) -> Script:
        """The next one."""
        random = self._random
        path, verb, operation = random.choice(self._operations)
        query: list[tuple[str, str]] = []
        for parameter in map(self._resolved, operation.get("parameters", ())):
            value = self._value(parameter.get("schema", {}))
            if parameter["in"] == "path":
                path = path.replace("{" + parameter["name"] + "}", quote(_text(value), safe="") or "-")
            elif parameter["in"] == "query" and random.random() < 0.7:
                query.append((parameter["name"], _text(value)))
        body = self._body(operation)
        target = path + ("?" + urlencode(query) if query else "")
        head = (
            f"{verb.upper()} {target} HTTP/1.1\r\nHost: localhost\r\napi_secret: {self._secret.decode()}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        ).encode()
        return Script(f"call {operation['operationId']}", torn(random, head + body), whole=True)

    def _body(self, operation: Mapping[str, Any]) -> bytes:
        content = self._resolved(operation.get("requestBody", {})).get("content", {}).get("application/json")
        if content is None:
            return b""
        schema = self._resolved(content.get("schema", {}))
        names = list(schema.get("properties", {}))
        said = {name: self._value(schema["properties"][name]) for name in names if self._random.random() < 0.7}
        if self._random.random() < 0.1:
            said["no such argument"] = 1
        return json.dumps(said).encode()

    def _value(self, schema: Mapping[str, Any]) -> Any:
        """Something wrong, or something that fits."""
        random, schema = self._random, self._resolved(schema)
        if random.random() < 0.6:
            return random.choice(WRONG)
        kind = schema.get("type")
        if "enum" in schema:
            return random.choice(schema["enum"])
        fitting: dict[Any, Any] = {"integer": 1, "number": 0.5, "boolean": False, "array": ["a"], "object": {}}
        return fitting.get(kind if isinstance(kind, str) else None, "a")

    def _resolved(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        while "$ref" in schema:
            found: Any = self.document
            for name in schema["$ref"].removeprefix("#/").split("/"):
                found = found[name]
            schema = found
        return schema


def _operations(document: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    for path, verbs in document["paths"].items():
        for verb, operation in verbs.items():
            if isinstance(operation, Mapping) and "operationId" in operation:
                yield path, verb, operation


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text.encode("utf-8", "replace").decode()
