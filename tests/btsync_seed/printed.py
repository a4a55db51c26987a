"""What the vendor's page of the API prints: its calls as they are asked, and the keys of its answers."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from attrs import frozen

LINES = Path(__file__).parents[1] / "vectors" / "seed_003.tsv"
RECORDED: dict[str, set[str]] = {
    "get_folder_prefs": {"selective_sync"},
    "set_folder_prefs": {"selective_sync"},
    "add_folder": {"result"},
}
"""Keys that the vendor's own daemon was recorded to send besides those that its page prints."""


@frozen
class Printed:
    """A call, and the answer that is printed with it."""

    name: str
    line: str
    answer: Any

    def queries(self, given: dict[str, str]) -> Iterator[str]:
        """The line as it is asked: with what is in brackets, and without; a word in ``given`` takes its place."""
        line = self.line.replace("&secret(secret)", "&secret=(secret)").replace(",...", "")
        bare = line.partition("[")[0]
        for one in dict.fromkeys((bare, line.replace("[", "").replace("]", ""))):
            yield "&".join(_filled(part, given) for part in one.partition("?")[2].split("&"))


def _filled(part: str, given: dict[str, str]) -> str:
    name, _, value = part.partition("=")
    if name.startswith("param"):
        return given[name]
    return urlencode({name: given.get(value, value)})


def printed() -> list[Printed]:
    """All of them, in the order of the page."""
    lines = [line for line in LINES.read_text(encoding="utf-8").splitlines() if line[:1] != "#"]
    return [Printed(name, line, json.loads(answer)) for name, line, answer in (one.split("\t") for one in lines)]


def differences(expected: Any, answer: Any, name: str) -> str:
    """What of an answer differs in its keys from what is printed, or recorded; empty where nothing does."""
    if isinstance(expected, list):
        if not isinstance(answer, list):
            return f"{name}: no list"
        wanted = {row["type"] if "type" in row and "name" in row else "": row for row in expected}
        rows = (differences(wanted.get(one.get("type"), wanted.get("")), one, name) for one in answer)
        return next((one for one in rows if one), "")
    keys = set(expected) | RECORDED.get(name, set())
    return "" if set(answer) == keys else f"{name}: {sorted(keys ^ set(answer))}"
