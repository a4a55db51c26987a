"""The survival checklist of folders: which case is seen by which test, written into ``docs/folders.md``.

``python -m tests.folder_cases`` writes the table, ``--check`` compares it. A test carries the numbers of its cases in
its name, ``test_case_27_links`` or ``test_case_56_57_new_folders``; what it expects is its docstring.
"""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from attrs import frozen

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "folders.md"
BEGIN, END = "<!-- cases: written by python -m tests.folder_cases -->\n", "<!-- end of cases -->\n"
_NAME = re.compile(r"test_case_((?:\d+_)+)")

CASES = {
    1: "a file is changed at two places that do not see each other",
    2: "the same is written at two places",
    3: "a file is changed here and deleted there",
    4: "it is deleted at both",
    5: "it is changed here and renamed there",
    6: "it gets two new names",
    7: "a folder is deleted, with something new in it elsewhere",
    8: "a file here, a folder of the same name there",
    9: "the copy of a conflict has a conflict",
    10: "three nodes of which two meet at a time",
    11: "a clock is an hour ahead, or a day behind",
    12: "times in 1970, in 2106, before the epoch, in nanoseconds",
    13: "only the time of a file changes",
    14: "a disk that keeps every other second",
    15: "a clock jumps back",
    16: "a change in the second of the last look, of the same size",
    17: "a change after which the old time is put back",
    18: "renames of files, folders and what is deep in them",
    19: "a name changes between upper and lower case",
    20: "`A` and `a`, and a disk that cannot tell them apart",
    21: "two forms of one name in Unicode",
    22: "names that a peer cannot have",
    23: "two names are swapped, three go round",
    24: "a file is renamed while it is on its way",
    25: "a file takes the name of another one",
    26: "paths of more than 4,096 bytes",
    27: "links: relative, absolute, to nowhere, upwards; and files behind one",
    28: "paths of a hostile peer",
    29: "two names of one file",
    30: "pipes, sockets and devices",
    31: "a file that is nearly all holes",
    32: "no byte, one byte, about as many as a chunk has",
    33: "files that can be run",
    34: "a folder in sync within another one",
    35: "the process dies at any moment",
    36: "the power goes: what is on the disk before what",
    37: "the disk is full",
    38: "a chunk is cut or damaged",
    39: "the journal is gone, or damaged",
    40: "a home comes back from an old copy",
    41: "the folder's disk is not mounted",
    42: "a file changes while it is read",
    43: "a file changes just before it is replaced",
    44: "what may not be read",
    45: "where nothing may be written",
    46: "a file that a program has open, or locked",
    47: "who may only read changes something",
    48: "who may only read forges a record",
    49: "a keeper reads nothing, gives what it has, and cannot change it",
    50: "another secret",
    51: "very many files, very deep folders",
    52: "a log that grows all the time",
    53: "how editors, git and databases write",
    54: "the system reports less than there was",
    55: "no watches are left",
    56: "a watched folder is deleted and made again",
    57: "new folders in new folders, with a file at once",
    58: "many folders, many peers, one that comes and goes",
    59: "only one way of finding peers; and none: no packet leaves",
    60: "rules of the ignore list",
    61: "only chosen files",
    62: "what was replaced or deleted can be had back",
    63: "very much is deleted at once",
    64: "arguments of the API of every odd kind",
    65: "many changes through the API at once",
    66: "the end comes while files are on their way",
    67: "all that was wished survives a restart",
    68: "requests that a web page sent",
    69: "passwords and secrets stay where they are",
}
"""What happens."""
NOT_HAD = {
    19: "A disk that takes both for one is played: tests run where there is none.",
    51: "In the suite with hundreds of files; with 100,000 by `python -m benchmarks sync`.",
    58: "With four folders at three peers: a hundred at ten are a thousand in one process, and were not run.",
    59: "Not by relays alone: no node passes on what two others say to each other, so `use_relay_server` is only kept.",
}
"""What of a case no test sees, and why."""


@frozen
class Found:
    """A test of some cases."""

    cases: tuple[int, ...]
    name: str
    expected: str


def tests() -> Iterator[Found]:
    """All that carry a number, in the order of files and lines."""
    for path in sorted(HERE.rglob("test_*.py")):
        text = path.read_text(encoding="utf-8")
        for node in ast.parse(text).body if _NAME.search(text) else ():
            if isinstance(node, ast.ClassDef):
                yield from _of_class(".".join(path.relative_to(HERE.parent).with_suffix("").parts), node)


def _of_class(module: str, found: ast.ClassDef) -> Iterator[Found]:
    for node in found.body:
        match = _NAME.match(node.name) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) else None
        if match is not None:
            assert isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            numbers = tuple(int(number) for number in match[1].split("_") if number)
            expected = " ".join((ast.get_docstring(node) or "").split())
            yield Found(numbers, f"{module}.{found.name}.{node.name}", expected)


def table() -> str:
    """The rows, as Markdown."""
    by_case: dict[int, list[Found]] = {number: [] for number in CASES}
    for found in tests():
        for number in found.cases:
            by_case[number].append(found)
    lines = ["| | case | what is expected | test |\n", "|---|---|---|---|\n"]
    for number, what in CASES.items():
        rows = by_case[number]
        expected = [one.expected for one in rows] + ([NOT_HAD[number]] if number in NOT_HAD else [])
        names = [f"`{'.'.join(one.name.split('.')[2:])}`" for one in rows]
        lines.append(f"| {number} | {what} | {' '.join(expected)} | {', '.join(names)} |\n")
    return "".join(lines)


def missing() -> list[int]:
    """Cases that no test sees."""
    seen = {number for found in tests() for number in found.cases}
    return [number for number in CASES if number not in seen]


def page() -> str:
    """The page as it is to be."""
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}{table()}{END}{after}"


def main(arguments: list[str]) -> int:
    """Write the table, or compare it."""
    wanted = page()
    if "--check" not in arguments:
        PAGE.write_text(wanted, encoding="utf-8")
        return 0
    if PAGE.read_text(encoding="utf-8") != wanted:
        sys.stderr.write("the cases in docs/folders.md are others than the tests: python -m tests.folder_cases\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
