"""The home's format: steps from older homes, and what a newer one is told."""

import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from bitdust.config import home as home_module
from bitdust.config.home import FORMAT, STEPS, Step, prepare_home, refuse_newer, upgrade
from bitdust.wire.errors import BitDustError


def home_of_format_1(home: Path, number: str | None = "1\n") -> Path:
    """A home as programs of format 1 left it; the oldest of them wrote no number."""
    for folder in ("metadata", "config", "logs", "customers"):
        (home / folder).mkdir(parents=True)
    files = {
        "metadata/mykeyfile": "the key",
        "metadata/localidentity": "<identity/>",
        "config/settings.json": "{}",
        "apisecret": "secret",
        "customers/piece": "a customer's",
    }
    for name, text in files.items():
        (home / name).write_text(text)
        (home / name).chmod(0o644)
    if number is not None:
        (home / "format").write_text(number)
    (home / "metadata").chmod(0o755)
    return home


def content(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(path.relative_to(folder)): (path.stat().st_mode, path.read_bytes() if path.is_file() else b"")
        for path in folder.rglob("*")
    }


class UpgradeTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.home = Path(self.mktemp())

    def test_fresh(self) -> None:
        """A new home has the newest number at once, and nothing is kept of a past that it does not have."""
        self.assertEqual(prepare_home(self.home), [])
        self.assertEqual(refuse_newer(self.home), FORMAT)
        self.assertEqual(sorted(path.name for path in self.home.iterdir()), ["format", "metadata"])

    def test_from_the_format_before(self) -> None:
        """A home of format 1, with its number or without, keeps every byte, becomes private, and is done once."""
        for number in ("1\n", None):
            home = home_of_format_1(Path(self.mktemp()), number)
            before = {name: data for name, (_, data) in content(home).items() if name != "format"}
            self.assertEqual(prepare_home(home), [STEPS[0]])
            after = content(home)
            self.assertEqual(before, {name: after[name][1] for name in before})
            self.assertEqual(after["metadata"][0] & 0o777, 0o700)
            self.assertEqual(after["metadata/mykeyfile"][0] & 0o777, 0o600)
            self.assertIn("0644 metadata/mykeyfile\n", (home / "before-format-2" / "modes").read_text())
            self.assertEqual(refuse_newer(home), FORMAT)
            self.assertEqual(prepare_home(home), [])

    def test_links_are_left_alone(self) -> None:
        """What a link in the home points to is not the home's, and keeps its mode."""
        outside = Path(self.mktemp())
        outside.write_text("somebody's")
        outside.chmod(0o644)
        home = home_of_format_1(self.home)
        (home / "metadata" / "link").symlink_to(outside.absolute())
        prepare_home(home)
        self.assertEqual(outside.stat().st_mode & 0o777, 0o644)

    def test_newer_home(self) -> None:
        """A home of a newer program is refused: both versions and the way out are named, and nothing is touched."""
        home = home_of_format_1(self.home, "3\nBitDust 9.1\n")
        before = content(home)
        error = self.assertRaises(BitDustError, prepare_home, home)
        self.assertEqual(error.code, "newer-home")
        for word in ("format 3", "BitDust 9.1", f"format {FORMAT}", "--appdir"):
            self.assertIn(word, str(error))
        self.assertEqual(content(home), before)

    def test_damaged_number(self) -> None:
        """A number that is none is named, and nothing is touched."""
        for number in ("", "two", "0", "-1", "\xb2"):
            home = home_of_format_1(Path(self.mktemp()), number)
            before = content(home)
            error = self.assertRaises(BitDustError, prepare_home, home)
            self.assertEqual((error.code, str(home / "format") in str(error)), ("broken-home", True))
            self.assertEqual(content(home), before)

    def test_cut_off_anywhere(self) -> None:
        """Steps that die at any write are done again by the next start, and the first copy of the past stays."""

        def move(home: Path) -> None:
            text = (home / "old").read_text() if (home / "old").exists() else (home / "new").read_text()
            home_module.write_safely(home / "new", text.encode())
            (home / "old").unlink(missing_ok=True)

        def keeps(home: Path) -> dict[str, bytes]:
            return {"old": (home / "old").read_bytes()} if (home / "old").exists() else {}

        steps = (
            Step(1, 2, "moves", keeps, move),
            Step(2, 3, "nothing", lambda home: {}, lambda home: None),
        )
        real = home_module.write_safely
        for survived in range(4):
            home = Path(self.mktemp())
            home.mkdir()
            (home / "old").write_text("kept")
            left = [survived]

            def dying(path: Path, data: bytes, mode: int = 0o600, left: list[int] = left) -> None:
                if not left[0]:
                    raise KeyboardInterrupt
                left[0] -= 1
                real(path, data, mode)

            self.patch(home_module, "write_safely", dying)
            self.assertRaises(KeyboardInterrupt, upgrade, home, refuse_newer(home), steps)
            self.patch(home_module, "write_safely", real)
            upgrade(home, refuse_newer(home, 3), steps)
            self.assertEqual((home / "new").read_text(), "kept")
            self.assertEqual((home / "before-format-2" / "old").read_text(), "kept")
            self.assertEqual(refuse_newer(home, 3), 3)

    def test_table_leads_to_the_newest(self) -> None:
        """The steps follow each other from the oldest format to this program's."""
        self.assertEqual([step.before for step in STEPS], list(range(1, FORMAT)))
        self.assertEqual([step.after for step in STEPS], list(range(2, FORMAT + 1)))

    def test_foreign_files(self) -> None:
        """A file that somebody else owns is left as it is."""
        home = home_of_format_1(self.home)
        self.patch(os, "geteuid", lambda: 12345)
        prepare_home(home)
        self.assertEqual((home / "metadata" / "mykeyfile").stat().st_mode & 0o777, 0o644)
