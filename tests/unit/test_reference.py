"""The reference of the API: written from the table, fresh, complete, and the same on the terminal."""

import json
import shlex
import sys
from pathlib import Path
from unittest.mock import patch

from twisted.trial.unittest import SynchronousTestCase

from bitdust.api import pages, stored
from bitdust.api.arguments import Kind
from bitdust.api.methods import TABLE
from bitdust.api.reference import canonical, cli_line, curl_line, entry, message, routes, websocket_line
from bitdust.api.table import Param, Route, Table, method
from bitdust.cli import reference
from bitdust.cli.calls import parse_argument
from tests.unit.test_cli import run

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "api"


@method(
    Route("POST", "/lamp/{name}/dim/v1", ("/l/d/{name}",)),
    params=(
        Param("name", aliases=("id",), help="its name", example="the lamp's"),
        Param("level", Kind.INTEGER, 5, help="how bright", low=0, high=9, example=3),
        Param("colours", Kind.LIST, [], example=["red", "blue"]),
        Param("shade", Kind.JSON, None, example={"on": True}),
        Param("old", obsolete=True, default=None),
        Param("pin", default=None, secret=True),
    ),
    service="light",
    returns="{level}",
    errors=("dark",),
    other_names=("dim",),
)
def lamp_dim(context: object, name: str, level: int, colours: list[str], shade: object, pin: str | None) -> None:
    """Dim a lamp. It stays | dim.

    Until somebody comes."""


LAMPS = Table([lamp_dim])


class FreshTests(SynchronousTestCase):
    def test_pages_are_what_the_table_says(self) -> None:
        """Every page of docs/api is what the table says now; `make api-docs` makes it so."""
        self.assertEqual(pages.stale(FOLDER, pages.pages(TABLE)), [])

    def test_every_required_parameter_has_an_example(self) -> None:
        """Each example names every required argument and is taken by its own method: give the `Param` an example."""
        for row in TABLE:
            given = row.example_arguments()
            missing = [param.name for param in row.params if param.required and param.name not in given]
            self.assertEqual(missing, [], f"{row.name}: these parameters have no example=…")
            typed = row.arguments(given)
            for name, value in given.items():
                self.assertEqual(typed[name], value, f"{row.name}: the example of {name} is not of its type")

    def test_every_method_says_what_it_is(self) -> None:
        """Each method has a docstring, and each code of an error is a word."""
        for row in TABLE:
            self.assertTrue(row.doc, row.name)
            for code in row.errors:
                self.assertRegex(code, r"^[a-z][a-z0-9-]+$", row.name)


class PagesTests(SynchronousTestCase):
    def test_a_page_tells_everything(self) -> None:
        """Doc, parameters with type, default and limits, service, returns, errors, routes and examples are there."""
        page = pages.pages(LAMPS)[f"{lamp_dim.noun}.md"]
        for part in (
            "## lamp_dim", "Dim a lamp. It stays | dim.", "Until somebody comes.", "also called `dim`",
            "| `name`, `id` | text | required | its name |", "| `level` | integer | `5` | how bright; from 0 to 9 |",
            "taken from older clients", "do not put it into a command line", "needs the service `light`",
            "returns `{level}`", "errors: `dark`", "`POST /lamp/{name}/dim/v1`, the same as `POST /v1/lamp/{name}/dim`",
            "`POST /l/d/{name}`", "`POST /api/dim`", "websocket.send(", "bitdust api lamp_dim", "curl -X POST",
        ):  # fmt: skip
            self.assertIn(part, page)
        self.assertIn(f"| [lamp_dim]({lamp_dim.noun}.md#lamp_dim) | Dim a lamp. |", pages.pages(LAMPS)["README.md"])

    def test_stale_pages_are_named(self) -> None:
        """A changed, a missing and a foreign page are each named; what a test writes is left alone."""
        folder, wanted = Path(self.mktemp()), pages.pages(LAMPS)
        pages.write(folder, wanted)
        self.assertEqual(pages.stale(folder, wanted), [])
        (folder / "README.md").write_text("else")
        (folder / f"{lamp_dim.noun}.md").unlink()
        (folder / "gone.md").write_text("old")
        (folder / "coverage.md").write_text("of a test")
        self.assertEqual(len(pages.stale(folder, wanted)), 3)
        pages.write(folder, wanted)
        self.assertEqual(pages.stale(folder, wanted), [])
        self.assertEqual({path.name for path in folder.iterdir()}, {*wanted, "coverage.md"})

    def test_command(self) -> None:
        """It writes, or checks and ends with 1, or says how it is used and ends with 2."""
        folder = self.mktemp()
        with patch.object(sys, "stdout") as printed, patch.object(sys, "stderr"):
            self.assertEqual(pages.main([folder, "--check"]), 1)
            self.assertEqual(pages.main([folder]), 0)
            self.assertEqual(pages.main([folder, "--check"]), 0)
            self.assertEqual([pages.main(wrong) for wrong in ([], [folder, "--quick"], [folder, "two"])], [2, 2, 2])
            printed.reset_mock()
            self.assertEqual(pages.main(["--terminal"]), 0)
        printed.write.assert_called_once_with(pages.for_the_terminal(TABLE))


class ExampleTests(SynchronousTestCase):
    def test_curl(self) -> None:
        """The path has its places filled, the rest is the body or the query, and a shell reads it as one call."""
        words = shlex.split(curl_line(lamp_dim))
        self.assertIn("localhost:8180/lamp/the%20lamp%27s/dim/v1", words)
        body = json.loads(words[words.index("-d") + 1])
        self.assertEqual(body, {"level": 3, "colours": ["red", "blue"], "shade": {"on": True}})

    def test_websocket(self) -> None:
        """The text between the quotes is the message as JSON."""
        line = websocket_line(lamp_dim)
        text = line.removeprefix("websocket.send('").removesuffix("');").replace("\\'", "'")
        self.assertEqual(json.loads(text), message(lamp_dim))

    def test_command_line(self) -> None:
        """Each word after the method is read back as its argument."""
        words = shlex.split(cli_line(lamp_dim))
        self.assertEqual(words[:3], ["bitdust", "api", "lamp_dim"])
        given = dict(parse_argument(word) for word in words[3:])
        self.assertEqual(lamp_dim.arguments(given), lamp_dim.arguments(lamp_dim.example_arguments()))

    def test_routes_lead_back(self) -> None:
        """Every route that a page shows finds its method, the canonical one first."""
        for row in TABLE:
            shown = routes(row)
            self.assertEqual(shown[0], f"{canonical(row).verb} {canonical(row).path}")
            for route in shown:
                verb, _, path = route.partition(" ")
                path = path.replace(":path}", "}").replace("{", "").replace("}", "")
                self.assertIs(TABLE.find(verb, path).row, row, route)


class TerminalTests(SynchronousTestCase):
    def show(self, *words: str) -> str:
        result = run(self.mktemp(), *words)
        self.assertEqual(result.exit_code, 0, result.output)
        return result.output

    def test_list(self) -> None:
        """`bitdust api` names every method with a line of its own."""
        lines = self.show("api").splitlines()
        self.assertEqual([line.split()[0] for line in lines if line.startswith("  ")], [row.name for row in TABLE])

    def test_page(self) -> None:
        """`help METHOD`, `help` with the words apart and `api METHOD --help` show the same page."""
        page = self.show("help", "file_upload_start")
        self.assertEqual(page, self.show("api", "file_upload_start", "--help"))
        self.assertEqual(page, self.show("help", "file", "upload_start"))
        for part in ("local_path", "POST /file/upload/start/v1", "backups", "no-space", "bitdust api file_upload"):
            self.assertIn(part, page)
        self.assertIn("suppliers_list_dht", self.show("help", "suppliers_dht_lookup"))

    def test_every_page_can_be_shown(self) -> None:
        """Each method's page is shown, and names its arguments and routes."""
        for row in TABLE:
            found = reference.find(row.name, row.generation)
            assert found is not None
            text = "\n".join(reference._page(found))
            for part in (*row.names(), *routes(row), *row.errors):
                self.assertIn(part, text)

    def test_near_names(self) -> None:
        """An unknown name is told with those that may have been meant."""
        for words, meant in (
            (("help", "file_uplod_start"), "file_upload_start"),
            (("help", "indentity"), "identity"),
            (("api", "confg_get", "--help"), "config_get"),
        ):
            result = run(self.mktemp(), *words)
            self.assertEqual(result.exit_code, 2)
            self.assertIn("did you mean", result.output)
            self.assertIn(meant, result.output)
        self.assertEqual(reference.suggestion("zzzzzz", ["config_get"]), "")

    def test_other_years(self) -> None:
        """The page of a method of 2016 is its own; a year that is not kept is refused with those that are."""
        self.assertIn("POST /2016/config_get", self.show("api", "--generation", "2016", "config_get", "--help"))
        self.assertNotIn("/2016/", self.show("api", "config_get", "--help"))
        result = run(self.mktemp(), "api", "--generation", "1999", "config_get", "--help")
        self.assertEqual(result.exit_code, 2)
        self.assertIn("older ones that are kept: 2016", result.output)

    def test_reads_what_the_generator_writes(self) -> None:
        """What a table says arrives on the terminal through the file."""
        terminal = Path(self.mktemp())
        terminal.write_text(pages.for_the_terminal(LAMPS), encoding="utf-8")
        self.addCleanup(stored.entries.cache_clear)
        with patch.object(stored, "FILE", terminal):
            stored.entries.cache_clear()
            self.assertEqual(reference.entries(), [entry(lamp_dim)])
            self.assertIn("Until somebody comes.", self.show("help", "dim"))
            self.assertIn("give it as @FILE", self.show("help", "lamp_dim"))


class StoredTests(SynchronousTestCase):
    """The file for the terminal is built, not kept: these are a checkout in which it is missing, old or broken."""

    def setUp(self) -> None:
        self.file = Path(self.mktemp()) / "reference.json"
        self.file.parent.mkdir()
        self.patch(stored, "FILE", self.file)
        stored.entries.cache_clear()
        self.addCleanup(stored.entries.cache_clear)

    def test_made_when_somebody_asks(self) -> None:
        """Without a file it is made by another process, and is there for the next one."""
        self.assertEqual([one["name"] for one in stored.entries()], [row.name for row in TABLE])
        self.assertEqual(self.file.read_text(encoding="utf-8"), pages.for_the_terminal(TABLE))
        self.assertEqual(list(self.file.parent.iterdir()), [self.file])

    def test_not_made_twice(self) -> None:
        """A file of the same sources is read; one of others, or one that is broken, is not."""
        self.file.write_text(pages.for_the_terminal(LAMPS), encoding="utf-8")
        self.assertEqual([one["name"] for one in stored.read(self.file)], ["lamp_dim"])
        for text in ("", "[]", '{"methods": []}', '{"sources": "other", "methods": []}', "\udcff"):
            self.file.write_bytes(text.encode("utf-8", "surrogateescape"))
            self.assertIsNone(stored.read(self.file), text)

    def test_sources(self) -> None:
        """A changed module is another source: its methods are not shown as they were."""
        folder = Path(self.mktemp())
        (folder / "year").mkdir(parents=True)
        (folder / "year" / "a.py").write_text("one")
        self.patch(stored, "HERE", folder)
        first = stored.sources()
        (folder / "year" / "a.py").write_text("two")
        second = stored.sources()
        (folder / "b.py").write_text("")
        self.assertEqual(len({first, second, stored.sources()}), 3)

    def test_where_nothing_can_be_written(self) -> None:
        """In a folder of somebody else the methods are shown all the same."""
        self.patch(stored, "FILE", Path(self.mktemp()) / "nowhere" / "reference.json")
        self.patch(stored, "made", lambda: pages.for_the_terminal(LAMPS))
        self.assertEqual([one["name"] for one in stored.entries()], ["lamp_dim"])
