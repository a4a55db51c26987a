"""What of the older documents works: asked of a running daemon, call by call as it is printed there.

``python -m tests.coverage docs/api/coverage.md`` writes the page; a test says when it is stale. A method works when the
daemon has it and the printed calls get an answer, be it that a service is off: a daemon without identity is asked. It
does not when there is no such method or it refuses the printed arguments. New methods are found by themselves.
"""

import ast
import json
import shutil
import sys
import tempfile
import threading
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import Request, urlopen

import ipfshttpclient
from attrs import frozen

from bitdust.cli.processes import QUIET, NodeProcess
from bitdust.config.settings import Settings
from tests.api.test_seed_002 import parse_curl, printed
from tests.btsync_seed import asking as btsync
from tests.btsync_seed.asking import Asked
from tests.ipfs_seed.running import NOT_THERE as NO_COMMAND
from tests.ipfs_seed.running import Method, run
from tests.processes.ending import come_back, start_mark
from tests.sockets import WebSocketClient

VECTORS = Path(__file__).parent / "vectors"
ENDS = ("process_stop", "process_restart", "stop", "restart")
NOT_THERE = "there is no such method"
WAITS = ("event_listen",)
GIVEN: dict[str, Any] = {
    "key": "logs/debug-level", "value": 8, "json_request": {"params": {"mode": "stats"}}, "pathID": "0/0/1/0/0",
    "path": "/Users/veselin/Documents", "mount_path": "pictures", "dirpath": "/Users/veselin/Movies",
    "filepath": "/Users/veselin/Downloads/pytest-2.9.0.tar.gz", "backupID": "0/0/1/1/0/F20160313043419PM",
    "pathID_or_backupID": "0/0/1/1/0/F20160313043419PM", "localPath": "/Users/veselin/Documents", "path_id": "0/0/3/1",
    "backup_id": "0/0/3/1/F20160424013912PM", "pathID_or_backupID_or_localPath": "0/0/1/1/0/F20160313043419PM",
    "index_or_idurl": "0", "new_idurl": "http://p2p-id.ru/bob.xml", "idurl": "http://p2p-id.ru/alice.xml",
    "recipient": "http://p2p-id.ru/alice.xml", "message_body": "Hi Alice!!!", "nickname": "alice", "payload": {"a": 1},
    "key_id": "abcd1234", "service_name": "service_tcp_connections",
}  # fmt: skip
"""Values for the arguments of methods of which only the signature is printed; most are from the same documents."""
HEAD = """\
# What of older BitDust works here
Written by a test (`make api-docs`), which asks a running daemon every method of three documents of BitDust, with the
calls as they are printed there, every method of the reference of the Python client of IPFS, through that client, and
every call of the page of BitTorrent Sync's API. *Works* means that the daemon has the method and takes the call;
*not yet*, that it does not. A name in italics lost its heading in the document and is known from what is said under it.
Methods of 2016 answer in the shapes of that year at `POST /2016/<name>`.
"""
TITLES = {
    "002": "The documents of 2023 (seed 002)",
    "000": "The documents of mid 2016 (seed 000)",
    "001": "The documents of early 2016 (seed 001)",
}


BTSYNC_HEAD = """\
## The API of BitTorrent Sync (seed 003)
Each printed call, with what is optional in it and without; keys of answers are compared with those that are printed.

| method | | |
|---|---|---|"""
IPFS_HEAD = """\
## The reference of the Python client of IPFS (seed 004)
What is printed of an answer is compared with what comes; where that cannot be the same, the last column says why.

| method | | |
|---|---|---|"""


@frozen
class Printed:
    """A method as a document prints it."""

    seed: str
    name: str
    signature: str
    described: bool

    @property
    def arguments(self) -> dict[str, Any]:
        """An argument for each parameter: the printed default, or a value; None is left out."""
        function: Any = ast.parse(f"def {self.signature}: pass").body[0]
        names = [argument.arg for argument in function.args.args]
        defaults = [ast.literal_eval(default) for default in function.args.defaults]
        own = dict(zip(names[len(names) - len(defaults) :], defaults, strict=True))
        given = {name: GIVEN.get(name) if own.get(name) is None else own[name] for name in names}
        return {name: value for name, value in given.items() if value is not None}


def printed_methods() -> list[Printed]:
    """Every method of the three documents of BitDust."""
    rows = [line.split("\t") for line in _lines("seed_methods.txt")]
    own = [row for row in rows if row[0] in TITLES]
    return [Printed(seed, text.partition("(")[0], text, how == "described") for seed, how, text in own]


def reasons() -> dict[str, str]:
    """Why a method is not there yet, by name."""
    return dict(line.split("\t") for line in _lines("not_yet.txt"))


def _lines(name: str) -> list[str]:
    text = (VECTORS / name).read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line and not line.startswith("#")]


class Daemon:
    """A running node without identity, asked over HTTP and WebSocket."""

    def __init__(self, home: Path) -> None:
        self.node = NodeProcess("alone", home)
        home.mkdir()
        chosen = Settings(home / "config")
        for key, value in (QUIET | {"services/ipfs/api-port": 0}).items():
            chosen.set(key, value)

    @property
    def ports(self) -> dict[str, int]:
        found: dict[str, int] = json.loads((self.node.home / "metadata" / "apiports").read_text())
        return found

    def ask(self, verb: str, path: str, given: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """HTTP status and envelope."""
        headers = {"api_secret": self.node.client.secret}
        body = json.dumps(given).encode() if given else None
        request = Request(f"http://127.0.0.1:{self.ports['rest']}{path}", body, headers, method=verb)
        try:
            with urlopen(request, timeout=60) as answer:
                return answer.status, json.load(answer)
        except HTTPError as error:
            return error.code, json.load(error)

    def say(self, text: str) -> dict[str, Any]:
        """The payload of the answer to a WebSocket message."""
        client = WebSocketClient(self.ports["websocket"], self.node.client.secret)
        try:
            return client.ask(text)
        finally:
            client.close()


@contextmanager
def running_daemon() -> Iterator[Daemon]:
    """A daemon in a folder of its own, gone afterwards."""
    base = Path(tempfile.mkdtemp(prefix="bitdust-test-"))
    daemon = Daemon(base / "alone")
    try:
        daemon.node.start()
        yield daemon
    finally:
        daemon.node.stop()
        shutil.rmtree(base, ignore_errors=True)


class Coverage:
    """Asks every printed call, and keeps what is wrong with it."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon

    def judge(self, methods: Iterable[Printed]) -> dict[Printed, str]:
        """By method: empty when it works, or why it does not. Those that end the process come last; what two documents
        print in the same way is asked once."""
        known: dict[tuple[bool, str], str] = {}
        found: dict[Printed, str] = {}
        for one in sorted(methods, key=lambda one: one.name in ENDS):
            key = (one.seed == "002", one.signature)
            if key not in known:
                known[key] = self._wrong(one)
            found[one] = known[key]
        return found

    def _wrong(self, one: Printed) -> str:
        asked = self._printed(one) if one.seed == "002" else []
        answers = asked or [self._plain(one)]
        return next((wrong for wrong in answers if wrong), "")

    def _plain(self, one: Printed) -> str:
        """The call of a method of which only the signature is printed."""
        route = "/api" if one.seed == "002" else "/2016"
        return self._ask(one, "POST", f"{route}/{quote(one.name)}", one.arguments)

    def _printed(self, one: Printed) -> list[str]:
        """What is wrong with each of the lines that are printed for it."""
        wrong = []
        for line in (line for name, line in printed() if name == one.name):
            if line.startswith("curl "):
                wrong.append(self._ask(one, *parse_curl(line)))
            elif one.name not in ENDS:
                wrong.append(self._say(line))
        return wrong

    def _ask(self, one: Printed, verb: str, path: str, given: dict[str, Any]) -> str:
        query = "&".join(f"{quote(name)}={quote(str(value))}" for name, value in given.items())
        where, body = (f"{path}?{query}" if query else path, {}) if verb == "GET" else (path, given)
        if one.name in WAITS:
            return self._wait(verb, where)
        mark = start_mark(self._daemon.node)
        status, envelope = self._daemon.ask(verb, where, body)
        if one.name in ENDS and status == 200:
            come_back(self._daemon.node, mark, restarts="restart" in one.name)
        return told(status, envelope)

    def _wait(self, verb: str, where: str) -> str:
        """A call that waits until something happens; something is made to happen."""
        answers: list[tuple[int, dict[str, Any]]] = []
        asking = threading.Thread(target=lambda: answers.append(self._daemon.ask(verb, where, {})))
        asking.start()
        while asking.is_alive():
            self._daemon.ask("POST", "/event/send/something-happened/v1", {})
            asking.join(0.1)
        return told(*answers[0])

    def _say(self, line: str) -> str:
        text = line.removeprefix("websocket.send('").rpartition("'")[0]
        payload = self._daemon.say(json.dumps(json.loads(text, strict=False)))
        if "response" in payload:
            return told(200, payload["response"])
        return NOT_THERE if payload["errors"][0].endswith("not found") else str(payload["errors"][0])


def told(status: int, envelope: dict[str, Any]) -> str:
    """Empty for an answer of the method itself, else that there is none, or what the node said of the arguments."""
    if status == 404:
        return NOT_THERE
    if status == 200 and envelope.get("code") not in ("bad-argument", "internal"):
        return ""
    return str(envelope["errors"][0])


def page(judged: dict[Printed, str], of_ipfs: Sequence[Method] = (), of_btsync: Sequence[Asked] = ()) -> str:
    """The page, Markdown. Raises `ValueError` for a method that is not there and has no reason."""
    why = reasons()
    without = {one.name for one, wrong in judged.items() if wrong == NOT_THERE} - why.keys()
    if without:
        raise ValueError(f"not there, and not_yet.txt has no reason: {', '.join(sorted(without))}")
    verdicts = [*judged.values(), *(one.wrong for one in (*of_ipfs, *of_btsync))]
    parts = [HEAD, f"{sum(not wrong for wrong in verdicts)} of {len(verdicts)} printed methods work.", ""]
    for seed, title in TITLES.items():
        parts += [f"## {title}", "| method | | |", "|---|---|---|"]
        for one in (one for one in printed_methods() if one.seed == seed):
            wrong = why[one.name] if judged[one] == NOT_THERE else judged[one]
            state = f"not yet | {wrong}" if wrong else "works | "
            shown = f"*`{one.signature}`*" if one.described else f"`{one.signature}`"
            parts.append(f"| {shown} | {state} |")
        parts.append("")
    if of_ipfs:
        parts += [IPFS_HEAD, *(row_of_ipfs(one) for one in of_ipfs), ""]
    if of_btsync:
        parts += [BTSYNC_HEAD, *(row_of_btsync(one) for one in of_btsync), ""]
    return "\n".join(parts)


def row_of_ipfs(one: Method) -> str:
    """A method of the client of IPFS, and where what is printed of it cannot come."""
    if one.wrong == NO_COMMAND:
        return f"| `{one.signature}` | not yet | there is no command {' or '.join(one.commands)} |"
    state = f"not yet | {one.wrong}" if one.wrong else f"works | {'; '.join(one.outdated)}"
    return f"| `{one.signature}` | {state} |"


def row_of_btsync(asked: Asked) -> str:
    """A method of BitTorrent Sync's API, and where its page is not what its daemon did."""
    state = f"not yet | {asked.wrong}" if asked.wrong else f"works | {asked.note}"
    return f"| `{asked.one.line.partition('method=')[2]}` | {state} |"


def current() -> str:
    """The page as it must be now; starts a daemon for it."""
    with running_daemon() as daemon:
        of_ipfs = methods_of_ipfs(daemon)
        judged = Coverage(daemon).judge(printed_methods())
        return page(judged, of_ipfs, methods_of_btsync(daemon))


def methods_of_btsync(daemon: Daemon) -> list[Asked]:
    """What the calls of the page of BitTorrent Sync find; the last one ends the daemon."""
    folder = daemon.node.home.parent / "folders"
    folder.mkdir()
    daemon.node.client.call("config_set", key="services/btsync/api-port", value=0)
    return btsync.run(daemon.node.client.call("btsync_enable")["address"], folder)


def methods_of_ipfs(daemon: Daemon) -> list[Method]:
    """What the client of IPFS finds; IPFS is off again behind it."""
    client = daemon.node.client
    port = client.call("ipfs_enable")["port"]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with ipfshttpclient.connect(f"/ip4/127.0.0.1/tcp/{port}/http") as asking:
                return run(asking, port)
    finally:
        client.call("ipfs_disable")


def main(arguments: list[str]) -> int:
    """Write the page."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m tests.coverage FILE\n")
        return 2
    Path(arguments[0]).write_text(current(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
