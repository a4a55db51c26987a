"""The reference of the API in `docs/api`, as a program's author reads it."""

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from bitdust.api.methods import NOUNS, rows_of

PAGES = Path(__file__).parents[2] / "docs" / "api"


class ReferenceTests(SynchronousTestCase):
    def test_every_method_and_error(self) -> None:
        """Each method is a heading, and below it are all codes of the errors that it names."""
        pages = "\n".join(path.read_text() for path in sorted(PAGES.glob("*.md")))
        for method in (row for noun in NOUNS for row in rows_of(noun) if not row.generation):
            self.assertIn(f"\n## {method.name}\n", pages)
            part = pages.partition(f"\n## {method.name}\n")[2].partition("\n## ")[0]
            self.assertEqual([code for code in method.errors if code not in part], [], method.name)
