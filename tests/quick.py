"""The tests to run while one works: what is pure, what tests the changed files, and the rows of changed machines.

    python -m tests.quick [--seconds 25]

A file counts as changed when it differs from the commit at which this branch left ``main``, or is not committed yet.
Of the unit tests those are run that are changed themselves, or that import a changed module. What does not fit the
time is counted and left for ``make test``, which runs everything; rows of changed machines are always tried.
"""

import argparse
import re
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from twisted.scripts import trial

from tests.__main__ import InOrder

ROOT = Path(__file__).resolve().parents[1]
PURE = ("house", "docs", "signal", "kernel", "recorder", "packet_table", "log_packet", "wire")
SECONDS = 25.0


def changed_files(root: Path = ROOT) -> list[str]:
    """Paths that are not what they are in ``main``; nothing where this is no checkout."""

    def git(*words: str) -> list[str]:
        said = subprocess.run(["git", *words], cwd=root, capture_output=True, text=True, check=False)
        return said.stdout.splitlines() if said.returncode == 0 else []

    base = git("merge-base", "HEAD", "main") or ["HEAD"]
    return sorted({*git("diff", "--name-only", base[0]), *git("ls-files", "--others", "--exclude-standard")})


def module_of(path: str) -> str:
    """``bitdust/wire/names.py`` is ``bitdust.wire.names``."""
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def tests_for(changed: Iterable[str], root: Path = ROOT) -> list[str]:
    """Modules of unit tests that are changed, or that name a changed module where they import."""
    modules = {module_of(path) for path in changed if path.endswith(".py") and (root / path).is_file()}
    found = []
    for path in sorted((root / "tests" / "unit").rglob("test_*.py")):
        name = module_of(str(path.relative_to(root)))
        imported = set(re.findall(r"^\s*(?:from|import) ([\w.]+)", path.read_text(encoding="utf-8"), re.MULTILINE))
        if name in modules or imported & modules:
            found.append(name)
    return found


def machines_of(changed: Iterable[str]) -> list[str]:
    """Names of machines whose table or whose tests are changed."""
    names = (re.fullmatch(r"(?:bitdust/automats/|tests/unit/automats/test_)(\w+)\.py", path) for path in changed)
    return sorted({match[1] for match in names if match and match[1] not in ("__init__", "every_row")})


class UntilLate(InOrder):
    """Stops when the time is over, and keeps what it ran."""

    late = float("inf")

    def startTest(self, test: object) -> None:  # noqa: N802 - the interface's name
        super().startTest(test)
        if time.monotonic() > self.late:
            self.shouldStop = True


def main(arguments: list[str]) -> int:
    """0 when everything that was run is well."""
    parser = argparse.ArgumentParser(prog="python -m tests.quick", description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=SECONDS)
    seconds = parser.parse_args(arguments).seconds
    UntilLate.late = time.monotonic() + seconds
    changed = changed_files()
    pure = [f"tests.unit.test_{name}" for name in PURE]
    chosen = list(dict.fromkeys([*tests_for(changed), *pure]))
    options = trial.Options()
    options.parseOptions(["--temp-directory", "/tmp/bitdust-quick", *chosen])
    options["reporter"] = UntilLate
    suite = trial._getSuite(options)
    count = suite.countTestCases()  # a suite forgets what it has run
    result = trial._makeRunner(options).run(suite)
    if result.shouldStop:
        sys.stdout.write(f"\n{seconds:.0f} s are over: {result.testsRun} of {count} tests were run\n")
    machines = machines_of(changed)
    if machines:
        return subprocess.run([sys.executable, "-m", "tests.rows", *machines], check=False).returncode or (
            not result.wasSuccessful()
        )
    return int(not result.wasSuccessful())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
