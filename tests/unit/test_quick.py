"""Which tests are run while one works."""

import subprocess
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests import quick


class QuickTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.root = Path(self.mktemp()).resolve()
        for path, text in {
            "bitdust/wire/names.py": "",
            "bitdust/automats/backup.py": "",
            "tests/unit/test_names.py": "from bitdust.wire.names import IDURL\n",
            "tests/unit/test_other.py": "import bitdust.wire.names_too\n",
            "tests/unit/automats/test_backup.py": "from bitdust.automats.backup import Backup\n",
        }.items():
            (self.root / path).parent.mkdir(parents=True, exist_ok=True)
            (self.root / path).write_text(text)

    def git(self, *words: str) -> None:
        who = ["-c", "user.name=a", "-c", "user.email=a@example"]
        subprocess.run(["git", *who, *words], cwd=self.root, check=True, capture_output=True)

    def test_tests_of_what_changed(self) -> None:
        """A changed module brings the tests that import it, a changed test itself, a removed file nothing."""
        names = quick.tests_for(["bitdust/wire/names.py", "bitdust/wire/gone.py", "README.md"], self.root)
        self.assertEqual(names, ["tests.unit.test_names"])
        self.assertEqual(quick.tests_for(["tests/unit/test_other.py"], self.root), ["tests.unit.test_other"])

    def test_rows_of_machines_that_changed(self) -> None:
        """A machine's rows are tried when its table or its tests changed."""
        paths = ["bitdust/automats/backup.py", "tests/unit/automats/test_file_up.py", "bitdust/automats/kernel/x.py"]
        self.assertEqual(quick.machines_of([*paths, "bitdust/automats/__init__.py"]), ["backup", "file_up"])

    def test_what_counts_as_changed(self) -> None:
        """What was committed since main, what is not committed, and new files count; what main has does not."""
        self.git("init", "-q", "-b", "main")
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "first")
        self.assertEqual(quick.changed_files(self.root), [])
        self.git("switch", "-q", "-c", "work")
        (self.root / "bitdust/wire/names.py").write_text("A = 1\n")
        self.git("commit", "-q", "-a", "-m", "second")
        (self.root / "bitdust/automats/backup.py").write_text("B = 1\n")
        (self.root / "new.py").write_text("")
        expected = ["bitdust/automats/backup.py", "bitdust/wire/names.py", "new.py"]
        self.assertEqual(quick.changed_files(self.root), expected)

    def test_no_checkout(self) -> None:
        """Without git nothing counts as changed, and the pure tests are still there."""
        outside = Path("/proc/self/task")
        self.assertEqual(quick.changed_files(outside), [])
        self.assertTrue(all((quick.ROOT / f"tests/unit/test_{name}.py").is_file() for name in quick.PURE))
