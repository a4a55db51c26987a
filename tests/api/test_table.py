"""The method table: arguments, routes, and what is refused with which sentence."""

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from bitdust.api.arguments import BadArgument, Kind, convert, parse_json
from bitdust.api.methods import TABLE
from bitdust.api.table import Method, NoRoute, Param, Route, Table, method

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@method(
    Route("GET", "/thing/get/v1", ("/t/g",)),
    Route("PUT", "/thing/get/{name}/v1", ("/t/g/{name}/",)),
    params=(
        Param("name", aliases=("id",)),
        Param("count", Kind.INTEGER, 1, low=0, high=9),
        Param("quiet", Kind.FLAG, False),
        Param("old", Kind.FLAG, False, obsolete=True),
    ),
)
def thing_get(context: object, name: str, count: int, quiet: bool) -> None:
    """A thing."""


class ArgumentTests(SynchronousTestCase):
    def test_booleans(self) -> None:
        """Every documented word for true and false is read, in JSON, query and command line."""
        for word in ("1", "true", "True", "yes", "Yes", "YES", "ok", True, 1):
            self.assertIs(convert(Kind.FLAG, word), True, word)
        for word in ("0", "false", "False", "no", "", False, 0):
            self.assertIs(convert(Kind.FLAG, word), False, word)

    def test_defaults_and_aliases(self) -> None:
        """What is not given has its default, and an alias counts as the name."""
        self.assertEqual(thing_get.arguments({"id": "x"}), {"name": "x", "count": 1, "quiet": False})
        self.assertEqual(thing_get.arguments({"name": "x", "count": "3"})["count"], 3)
        self.assertEqual(thing_get.arguments({"name": "x", "id": "x"})["name"], "x")

    def test_obsolete(self) -> None:
        """An argument of older clients is taken and not passed on, but still checked."""
        self.assertNotIn("old", thing_get.arguments({"name": "x", "old": "1"}))
        self.assertRaises(BadArgument, thing_get.arguments, {"name": "x", "old": "perhaps"})

    def test_refusals(self) -> None:
        """Unknown, missing, double, wrongly typed and too large arguments are named, with what the method takes."""
        for given_arguments, words in (
            ({"name": "x", "colour": 1}, "unknown argument 'colour'"),
            ({}, "argument 'name' is missing"),
            ({"name": "x", "id": "y"}, "under two names"),
            ({"name": "x", "count": "three"}, "'count' must be an integer"),
            ({"name": "x", "count": 10}, "must be from 0 to 9"),
            ({"name": "x", "count": True}, "'count' must be an integer"),
            ({"name": ["x"]}, "'name' must be text"),
            ({"name": "x" * 200_000}, "at most 100000 characters"),
            ({"name": "\ud800"}, "valid UTF-8"),
            ({"name": None}, "'name' must be text"),
            ({"name": "x", "quiet": "maybe"}, "'quiet' must be"),
        ):
            error = self.assertRaises(BadArgument, thing_get.arguments, given_arguments)
            self.assertIn(words, str(error))
            self.assertEqual(error.code, "bad-argument")

    def test_open_ends(self) -> None:
        """A range without an end is said without it."""
        for low, high, value, words in ((1, None, 0, "must be 1 or more"), (None, 9, 10, "must be at most 9")):
            param = Param("x", Kind.INTEGER, low=low, high=high)
            self.assertIn(words, str(self.assertRaises(BadArgument, param.read, value)))

    @given(st.sampled_from(list(Kind)), JSON)
    def test_nothing_but_value_errors(self, kind: Kind, value: object) -> None:
        """Whatever JSON a caller sends, it is converted or refused; nothing else is ever raised."""
        try:
            Param("x", kind).read(value)
        except BadArgument:
            pass

    @given(st.binary(max_size=60))
    def test_json_of_any_bytes(self, data: bytes) -> None:
        """Any bytes are JSON or refused."""
        try:
            parse_json(data)
        except BadArgument:
            pass

    def test_strict_json(self) -> None:
        """Duplicate keys, NaN, endless numbers and endless nesting are refused."""
        for text in ('{"a": 1, "a": 2}', '{"a": NaN}', "[" * 100_000, '{"a": 1e999}', "9" * 5000):
            self.assertRaises(BadArgument, parse_json, text)
        self.assertRaises(BadArgument, parse_json, "[" * 80 + "]" * 80)
        self.assertRaises(ValueError, convert, Kind.JSON, parse_json("[" * 66 + "]" * 66))


class RouteTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.table = Table([thing_get])

    def test_every_spelling(self) -> None:
        """Canonical, versioned and short routes lead to the same method, with or without a slash at the end."""
        for path in ("/thing/get/v1", "/v1/thing/get", "/t/g", "/thing/get/v1/"):
            self.assertIs(self.table.find("GET", path).row, thing_get)
        for path in ("/thing/get/a%20b/v1", "/v1/thing/get/a%20b", "/t/g/a%20b/", "/t/g/a%20b"):
            self.assertEqual(self.table.find("PUT", path).arguments, {"name": "a b"})

    def test_no_route(self) -> None:
        """An unknown path is not found; a known one with another verb tells which it takes."""
        self.assertEqual(self.assertRaises(NoRoute, self.table.find, "GET", "/no/such/v1").code, "not-found")
        error = self.assertRaises(NoRoute, self.table.find, "DELETE", "/t/g")
        self.assertEqual((error.code, error.details["allowed"]), ("bad-verb", ["GET"]))
        self.assertRaises(BadArgument, self.table.find, "PUT", "/t/g/%ff")

    def test_double_claims(self) -> None:
        """Two methods with one name or one route are refused when the table is made."""
        self.assertRaises(ValueError, Table, [thing_get, thing_get])

    def test_parameters_must_be_the_functions(self) -> None:
        """A declared parameter that the function does not take is refused at import."""

        def wrong(context: object, other: str) -> None:
            """Wrong."""

        self.assertRaises(TypeError, method(params=(Param("name"),)), wrong)


class WholeTableTests(SynchronousTestCase):
    def test_every_row_is_documented(self) -> None:
        """Each method of the node says what it does and has a route."""
        for row in TABLE:
            self.assertTrue(row.doc and row.routes and row.returns, row.name)
            for param in row.params:
                self.assertEqual(len({param.name, *param.aliases}), 1 + len(param.aliases), row.name)


@method(generation="2016", params=(Param("thing", example="x"),))
def thing_make(context: object, thing: str) -> None:
    """Make a thing."""


def older(name: str) -> Method:
    """A row of 2016 under another name."""
    return evolve(thing_make, name=name, routes=(Route("POST", f"/2016/{name}"),))


class GenerationTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.old = older("thing_get")
        self.table = Table([self.old, thing_make, thing_get])

    def test_a_name_means_what_it_meant_in_its_generation(self) -> None:
        """A name of both generations is the current method, and the older one where that generation is asked."""
        self.assertIs(self.table.named("thing_get"), thing_get)
        self.assertIs(self.table.named("thing_get", "2016"), self.old)
        self.assertIs(self.table.find("POST", "/api/thing_get").row, thing_get)
        self.assertIs(self.table.find("POST", "/2016/thing_get").row, self.old)
        self.assertEqual(list(self.table), [thing_get, self.old, thing_make])

    def test_a_name_of_one_generation_is_found_in_both(self) -> None:
        """An older name that is free is reached plainly, and a current one that is free is found in the older API."""
        self.assertIs(self.table.named("thing_make"), thing_make)
        self.assertIs(self.table.find("POST", "/api/thing_make").row, thing_make)
        table = Table([thing_get, thing_make])
        self.assertIs(table.named("thing_get", "2016"), thing_get)
        self.assertIs(table.find("POST", "/2016/thing_get").row, thing_get)

    def test_unknown_generation(self) -> None:
        """A generation that never was is refused with those that are there; its paths are not found."""
        error = self.assertRaises(BadArgument, self.table.named, "thing_get", "2015")
        self.assertIn("2016", str(error))
        self.assertRaises(NoRoute, self.table.find, "POST", "/2015/thing_get")

    def test_two_of_one_generation(self) -> None:
        """Two methods with one name in one generation are refused."""
        self.assertRaises(ValueError, Table, [self.old, older("thing_get")])
