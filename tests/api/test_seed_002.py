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
NOT_YET = {
    "identity_rotate", "key_share", "key_audit", "shares_list",
    "share_create", "share_delete", "share_grant", "share_open", "share_close", "groups_list", "group_create",
    "group_info", "group_join", "group_leave", "group_share",
    "user_search", "user_observe", "message_send_group",
    "queues_list", "queue_consumers_list", "queue_producers_list", "network_stun",
}  # fmt: skip
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
        seen = 0
        for name, line in printed():
            row = current(name)
            if row is None or not line.startswith("curl "):
                continue
            verb, path, given = parse_curl(line)
            match = TABLE.find(verb, path)
            self.assertIs(match.row, row, line)
            typed = match.row.arguments({**match.arguments, **given})
            for argument, value in given.items():
                param = next(p for p in row.params if argument in (p.name, *p.aliases))
                self.assertEqual(typed[param.name], param.read(value), line)
            seen += 1
        self.assertEqual(seen, 75)

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
