"""The shape of the repository itself: what a reader may rely on in every file of it."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from twisted.trial.unittest import TestCase

ROOT = Path(__file__).resolve().parents[2]
PRODUCT = sorted((ROOT / "bitdust").rglob("*.py"))
MOST_ARGUMENTS = 6
MOST_LINES = 400
LONGEST_FUNCTION = 60
MOST_SHARED = 10
TESTS_TO_SOURCE = 0.75
DATABASES = (
    "blocks/database.py",
    "customers/database.py",
    "folders/backup/index.py",
    "folders/database.py",
    "storage/catalog/database.py",
    "dht/store.py",
    "people/history/database.py",
    "people/mailboxes/database.py",
    "people/messages/database.py",
)
"""Where a node's databases are opened."""
NO_NODES_DATA = {
    "api/pages.py": "documents",
    "api/stored.py": "the table of methods that the command line keeps",
    "assembly/packets.py": "documents",
    "automats/kernel/diagrams.py": "documents",
    "cli/": "files that a person asked for",
    "folders/writing.py": "a person's own files, which have a name once they are whole",
    "log/exceptions.py": "what went wrong, for people",
    "storage/restore/": "downloads: many files that one sync of a folder's disk makes durable",
    "testing/": "the layer of faults itself",
}
UNSEEN = ("write_text", "write_bytes", "truncate", "pwrite", "pwritev", "writev", "sendfile", "fdopen")
UNSEEN_MODULES = {"shutil": ("copy", "copy2", "copyfile", "copytree", "move"), "tempfile": (), "mmap": ()}


@cache
def tree(path: Path) -> ast.Module:
    """A file, parsed once."""
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def nodes(path: Path) -> tuple[ast.AST, ...]:
    """All that is in a file; to walk over it takes as long as to read it."""
    return tuple(ast.walk(tree(path)))


def constructors(path: Path) -> Iterator[tuple[str, ast.FunctionDef]]:
    """Every ``__init__`` that is written out, with its class; values get theirs made."""
    for found in nodes(path):
        if isinstance(found, ast.ClassDef):
            yield from ((found.name, one) for one in found.body if getattr(one, "name", "") == "__init__")


def code_lines(path: Path) -> list[tuple[int, str]]:
    """Lines of code with their numbers; blank lines, comments and imports are what every file shares."""
    lines = path.read_text(encoding="utf-8").splitlines()
    imported = {
        number
        for statement in nodes(path)
        if isinstance(statement, ast.Import | ast.ImportFrom)
        for number in range(statement.lineno, (statement.end_lineno or statement.lineno) + 1)
    }
    stripped = ((number, line.strip()) for number, line in enumerate(lines, 1))
    return [(number, line) for number, line in stripped if line and line[0] != "#" and number not in imported]


def unseen_writes(path: Path) -> Iterator[str]:
    """Calls by which a file could change without `bitdust.testing.faulty_disk` being asked."""
    databases = str(path.relative_to(ROOT / "bitdust")) in DATABASES
    for found in nodes(path):
        if not isinstance(found, ast.Call):
            continue
        called = found.func
        name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
        module = getattr(called.value, "id", "") if isinstance(called, ast.Attribute) else ""
        words = [one.value for one in ast.walk(found) if isinstance(one, ast.Constant) and isinstance(one.value, str)]
        writes = name == "open" and module != "os" and any(set(word) & set("wax+") and len(word) < 4 for word in words)
        forbidden = module in UNSEEN_MODULES and name in (UNSEEN_MODULES[module] or (name,))
        connects = module == "sqlite3" and name == "connect" and not databases
        if writes or forbidden or connects or name in UNSEEN:
            yield f"{path.relative_to(ROOT)}:{found.lineno} {module}.{name}"


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
        for path in [*PRODUCT, *ROOT.glob("tests/**/*.py")]:
            for line in path.read_text(encoding="utf-8").splitlines():
                first = line.split()[:2]
                if first[:1] in (["from"], ["import"]) and len(first) == 2:
                    self.assertNotIn(first[1].split(".")[0], ("automats", "services", "transport"), f"{path}: {line}")

    def test_files_are_short(self) -> None:
        """No file of the product has more lines than one reads in one go."""
        long = {str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines()) for path in PRODUCT}
        self.assertEqual({name: count for name, count in long.items() if count > MOST_LINES}, {})

    def test_constructors_are_short(self) -> None:
        """No constructor has more than six arguments: what travels together is one value."""
        found = {
            f"{path.relative_to(ROOT)}: {name}": count
            for path in PRODUCT
            for name, init in constructors(path)
            if (count := len(init.args.args) + len(init.args.kwonlyargs) - 1) > MOST_ARGUMENTS
        }
        self.assertEqual(found, {})

    def test_functions_are_short(self) -> None:
        """No function has more than sixty lines."""
        found = {
            f"{path.relative_to(ROOT)}: {one.name}": count
            for path in PRODUCT
            for one in nodes(path)
            if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)
            and (count := (one.end_lineno or one.lineno) - one.lineno + 1) > LONGEST_FUNCTION
        }
        self.assertEqual(found, {})

    def test_no_slots_for_callbacks(self) -> None:
        """What happens is reported by a `Signal`; no attribute waits for somebody to put a function into it."""
        found = []
        for path in PRODUCT:
            for node in nodes(path):
                target = node.target if isinstance(node, ast.AnnAssign) else None
                targets = node.targets if isinstance(node, ast.Assign) else [target]
                found += [
                    f"{path.relative_to(ROOT)}:{one.lineno} {one.attr}"
                    for one in targets
                    if isinstance(one, ast.Attribute) and one.attr.startswith("on_")
                ]
        self.assertEqual(found, [])

    def test_no_locators(self) -> None:
        """Nobody answers for whatever name is asked: members are written down where a reader finds them."""
        found = [
            str(path.relative_to(ROOT))
            for path in PRODUCT
            if "def __getattr__" in path.read_text(encoding="utf-8") and path.parent.name != "testing"
        ]
        self.assertEqual(found, [])

    def test_every_write_can_be_made_to_fail(self) -> None:
        """What a node keeps is written by `os` and its own databases alone, where crash points see each change."""
        others = tuple(str(ROOT / "bitdust" / name) for name in NO_NODES_DATA)
        mine = [path for path in PRODUCT if not str(path).startswith(others)]
        self.assertEqual([found for path in mine for found in unseen_writes(path)], [])

    def test_nothing_stands_twice(self) -> None:
        """No two places of the product share more than ten lines of code: what is written twice is one thing."""
        seen: dict[tuple[str, ...], list[str]] = defaultdict(list)
        size = MOST_SHARED + 1
        for path in PRODUCT:
            lines = code_lines(path)
            for start in range(len(lines) - size + 1):
                run = tuple(line for _, line in lines[start : start + size])
                seen[run].append(f"{path.relative_to(ROOT)}:{lines[start][0]}")
        self.assertEqual([places for places in seen.values() if len(places) > 1], [])

    def test_enough_is_tested(self) -> None:
        """There are at least three lines of tests for four lines of the product."""

        def count(folder: str) -> int:
            return sum(len(path.read_bytes().splitlines()) for path in (ROOT / folder).rglob("*.py"))

        self.assertGreaterEqual(count("tests") / count("bitdust"), TESTS_TO_SOURCE)
