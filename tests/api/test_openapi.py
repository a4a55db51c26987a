"""The table as OpenAPI 3.1."""

from typing import Any

from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from twisted.trial.unittest import SynchronousTestCase

from bitdust.api import openapi
from bitdust.api.arguments import Kind
from bitdust.api.methods import TABLE
from bitdust.api.reference import canonical
from bitdust.api.table import Param, Route, Table, method


@method(
    Route("GET", "/lamp/{name}/v1", ("/l/{name}",)),
    Route("POST", "/lamp/v1"),
    params=(
        Param("name", example="hall"),
        Param("level", Kind.INTEGER, 5, ("brightness",), "how bright", low=0, high=9, example=3),
        Param("colours", Kind.LIST, []),
        Param("old", default=None, obsolete=True),
    ),
    service="light",
    returns="{level}",
    errors=("dark",),
    other_names=("dim",),
)
def lamp_get(context: object, name: str, level: int, colours: list[str]) -> None:
    """One lamp. With all its colours."""


@method(
    Route("PUT", "/lamp/{name}/v1"),
    params=(Param("name", example="hall"), Param("level", Kind.INTEGER, None, example=3), Param("shade", Kind.JSON)),
    returns="[lamp]",
)
def lamp_set(context: object, name: str, level: int | None, shade: Any) -> None:
    """Change a lamp."""


LAMPS = openapi.document(Table([lamp_get, lamp_set]))


def operations(document: dict[str, Any]) -> dict[str, Any]:
    return {one["operationId"]: one for path in document["paths"].values() for one in path.values()}


class DocumentTests(SynchronousTestCase):
    def test_valid(self) -> None:
        """The document of the whole table is valid OpenAPI 3.1."""
        for document in (openapi.document(TABLE), LAMPS):
            self.assertEqual([str(error) for error in OpenAPIV31SpecValidator(document).iter_errors()], [])

    def test_everything_is_there(self) -> None:
        """Each method is one operation on its canonical route; every other route and name of it stands beside."""
        document = openapi.document(TABLE)
        found = operations(document)
        idents = {"_".join(filter(None, (row.name, row.generation))): row for row in TABLE}
        self.assertEqual(set(found) - {"openapi"}, set(idents))
        for ident, row in idents.items():
            route, one = canonical(row), found[ident]
            self.assertIs(document["paths"][route.path.replace(":path}", "}")][route.verb.lower()], one)
            shown = {f"{route.verb} {route.path}", *one["x-aliases"]}
            wanted = {f"{r.verb} {path}" for r in row.routes for path in r.paths()}
            by_name = set() if row.generation else {f"POST /api/{name}" for name in (row.name, *row.other_names)}
            self.assertEqual(shown, wanted | by_name)
            self.assertEqual(one["x-errors"], list(row.errors))

    def test_examples_fit(self) -> None:
        """The example of every method is valid under the schemas of its own parameters."""
        for name, one in operations(openapi.document(TABLE)).items():
            body = one.get("requestBody", {}).get("content", {}).get("application/json", {})
            if "example" in body:
                Draft202012Validator(body["schema"]).validate(body["example"])
            for param in one.get("parameters", ()):
                if "example" in param:
                    Draft202012Validator(param["schema"]).validate(param["example"])
                else:
                    self.assertFalse(param["required"], f"{name} {param['name']}")

    def test_parameters(self) -> None:
        """Type, default, limits, aliases and obsolescence of a parameter are told, and where the route takes it."""
        name, level, colours, old = operations(LAMPS)["lamp_get"]["parameters"]
        self.assertEqual((name["in"], name["required"], name["example"]), ("path", True, "hall"))
        wanted = {"type": "integer", "minimum": 0, "maximum": 9, "default": 5}
        self.assertEqual((level["in"], level["required"], level["schema"]), ("query", False, wanted))
        self.assertEqual(level["description"], "how bright; also taken as brightness")
        self.assertEqual((colours["style"], colours["explode"]), ("form", False))
        self.assertTrue(old["deprecated"])

    def test_body(self) -> None:
        """What is not in the path of a POST or PUT is in its body; null is a default that is nothing."""
        one = operations(LAMPS)["lamp_set"]
        self.assertEqual([param["name"] for param in one["parameters"]], ["name"])
        body = one["requestBody"]
        schema = body["content"]["application/json"]["schema"]
        self.assertEqual((body["required"], schema["required"]), (True, ["shade"]))
        self.assertEqual(schema["properties"]["level"]["type"], ["integer", "null"])
        self.assertEqual(body["content"]["application/json"]["example"], {"level": 3})

    def test_security_and_refusals(self) -> None:
        """The secret is a header; every status with which a call is refused before the table is told."""
        self.assertEqual(LAMPS["security"], [{"secret": []}])
        secret = LAMPS["components"]["securitySchemes"]["secret"]
        self.assertEqual((secret["type"], secret["in"], secret["name"]), ("apiKey", "header", "api_secret"))
        for one in operations(LAMPS).values():
            self.assertEqual(set(one["responses"]), {"200", "400", "401", "403", "404", "405", "413", "429", "431"})

    def test_envelope(self) -> None:
        """Success with a result of the told kind and failure with a code pass; anything else does not."""

        def passes(name: str, answer: dict[str, Any]) -> bool:
            schema = operations(LAMPS)[name]["responses"]["200"]["content"]["application/json"]["schema"]
            return bool(Draft202012Validator(schema | {"components": LAMPS["components"]}).is_valid(answer))

        done: dict[str, Any] = {"status": "OK", "execution": "0.1"}
        error = {"status": "ERROR", "execution": "0.1", "errors": ["too dark"], "code": "dark"}
        self.assertTrue(passes("lamp_get", done) and passes("lamp_get", done | {"result": {"level": 1}}))
        self.assertTrue(passes("lamp_set", done | {"result": []}) and passes("lamp_set", error))
        for wrong in (
            done | {"result": []}, {"status": "OK"}, {"execution": "0.1"}, done | {"status": "FINE"},
            error | {"errors": []}, error | {"code": "Too dark"}, {"status": "ERROR", "execution": "0"},
        ):  # fmt: skip
            self.assertFalse(passes("lamp_get", wrong), wrong)
