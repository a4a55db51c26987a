"""Every call that seed 002 prints leads to the method it stands under, with the arguments it names."""

import json
import shlex
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from twisted.trial.unittest import SynchronousTestCase

from bitdust.api.methods import TABLE
from bitdust.api.table import Method

CALLS = Path(__file__).parents[1] / "vectors" / "seed_002_calls.txt"
SLIPS = {"dht_user_random": "dht_node_find", "user_ping": "suppliers_ping", "friend_remove": "friend_add"}
"""Methods under which the seed prints a WebSocket call of another one."""


def printed() -> list[tuple[str, str]]:
    """Method and line, as they are printed."""
    rows = CALLS.read_text().splitlines()
    return [(row.split("\t")[0], row.split("\t")[1]) for row in rows]


def current(name: str) -> Method | None:
    """The row of the current API, not of an older one that has the name."""
    row = TABLE.named(name)
    return row if row is not None and not row.generation else None


def not_yet() -> set[str]:
    """What is not there, and for which the page of coverage gives a reason."""
    lines = CALLS.with_name("not_yet.txt").read_text().splitlines()
    return {name for name, _, reason in (line.partition("\t") for line in lines) if reason and current(name) is None}


NOT_YET = not_yet()


def parse_curl(line: str) -> tuple[str, str, dict[str, Any]]:
    """Verb, path and arguments of a curl line."""
    words = shlex.split(line)
    verb = words[words.index("-X") + 1]
    url = urlsplit("http://" + next(word for word in words if word.startswith("localhost")))
    given: dict[str, Any] = dict(parse_qsl(url.query))
    if "-d" in words:
        given |= json.loads(words[words.index("-d") + 1], strict=False)
    return verb, url.path, given


class SeedTests(SynchronousTestCase):
    def test_every_method_is_due_or_named(self) -> None:
        """Each method of the seed is in the table or in the list of those that are not due, not in both."""
        names = {name for name, _ in printed()}
        self.assertEqual({name for name in names if current(name) is None}, NOT_YET & names)

    def test_curl_lines(self) -> None:
        """Each curl line of a method that is due finds it, and it takes the arguments."""
        due = [(name, line) for name, line in printed() if name not in NOT_YET and line.startswith("curl ")]
        self.assertGreater(len(due), 75)
        for name, line in due:
            row = current(name)
            assert row is not None
            verb, path, given = parse_curl(line)
            match = TABLE.find(verb, path)
            self.assertIs(match.row, row, line)
            typed = match.row.arguments({**match.arguments, **given})
            for argument, value in given.items():
                param = next(p for p in row.params if argument in (p.name, *p.aliases))
                self.assertEqual(typed[param.name], param.read(value), line)

    def test_websocket_lines(self) -> None:
        """Each WebSocket line of a method that is due is JSON whose method and arguments are taken, slips included."""
        for name, line in printed():
            if current(name) is None or not line.startswith("websocket"):
                continue
            text = line.removeprefix("websocket.send('").rpartition("'")[0]
            message = json.loads(text, strict=False)
            row = current(message["method"])
            assert row is not None
            self.assertEqual(row.name, current(SLIPS.get(name, name)).name)
            row.arguments(message["kwargs"])
