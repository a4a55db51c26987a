"""Small files of what is known of nodes, that are read whatever stands in them."""

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from bitdust.suppliers.by_node import read_by_node

WHO = b"a" * 32


class ByNodeTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.file = Path(self.mktemp())

    def read(self, most: int = 1000) -> dict[bytes, int]:
        return read_by_node(self.file, most, lambda entry: int(entry["times"]))

    def test_what_is_known(self) -> None:
        """Each entry is read by its own reader; without a file nothing is known."""
        self.assertEqual(self.read(), {})
        self.file.write_text(f'{{"{WHO.hex()}": {{"times": "7"}}}}')
        self.assertEqual(self.read(), {WHO: 7})

    def test_too_large(self) -> None:
        """A file that is larger than such a file may be counts as empty."""
        self.file.write_text(f'{{"{WHO.hex()}": {{"times": "7"}}}}')
        self.assertEqual(self.read(most=20), {})

    def test_damaged(self) -> None:
        """One damaged entry, or whatever else the file holds, makes it empty, and raises nothing."""
        for text in ("", "{", "[]", "1", '{"xx": 1}', '{"aa": []}', '{"aa": {}}', '{"aa": {"times": "x"}}', "\x00"):
            self.file.write_text(text)
            self.assertEqual(self.read(), {}, text)

    def test_a_file_that_cannot_be_read(self) -> None:
        """A disk that does not give it keeps no service from starting."""
        self.file.mkdir()
        self.assertEqual(self.read(), {})
