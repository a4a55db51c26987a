"""The reference of the API in `docs/api`, as a program's author reads it."""

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from bitdust.api.methods import NOUNS, rows_of

PAGES = Path(__file__).parents[2] / "docs" / "api"


class ReferenceTests(SynchronousTestCase):
    def test_every_method_and_error(self) -> None:
        """The page of a noun has each of its methods once, as a heading, and all codes of the errors they name."""
        for noun in NOUNS:
            page = (PAGES / f"{noun.__name__.rpartition('.')[2]}.md").read_text()
            for method in (row for row in rows_of(noun) if not row.generation):
                self.assertEqual(page.count(f"\n## {method.name}\n"), 1, method.name)
                part = page.partition(f"\n## {method.name}\n")[2].partition("\n## ")[0]
                self.assertEqual([code for code in method.errors if code not in part], [], method.name)
