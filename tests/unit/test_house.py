"""The shape of the repository itself."""

from pathlib import Path

from twisted.trial.unittest import TestCase

ROOT = Path(__file__).resolve().parents[2]


class HouseTests(TestCase):
    def test_three_ideas_are_shown_in_the_root(self) -> None:
        """automats, services and transport in the root are relative links into the package."""
        for name in ("automats", "services", "transport"):
            link = ROOT / name
            self.assertTrue(link.is_symlink(), name)
            self.assertEqual(link.readlink(), Path("bitdust") / name)
            self.assertTrue((link / "__init__.py").is_file(), name)

    def test_nothing_imports_through_the_links(self) -> None:
        """Every import names the package `bitdust`, so that no module exists twice in a process."""
        for path in [*ROOT.glob("bitdust/**/*.py"), *ROOT.glob("tests/**/*.py")]:
            for line in path.read_text(encoding="utf-8").splitlines():
                first = line.split()[:2]
                if first[:1] in (["from"], ["import"]) and len(first) == 2:
                    self.assertNotIn(first[1].split(".")[0], ("automats", "services", "transport"), f"{path}: {line}")
