"""Writes the reference out of the method table: a page a noun, and the file that ``bitdust help METHOD`` reads.

The same table gives the same bytes.

``python -m bitdust.api.pages docs/api`` writes the pages; with ``--check`` it writes nothing and ends with 1 when one
is stale. ``python -m bitdust.api.pages --terminal`` prints the file for the terminal (`bitdust.api.stored`).
"""

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from bitdust.api.methods import TABLE
from bitdust.api.reference import entry, first_sentence
from bitdust.api.stored import as_text
from bitdust.api.table import Method, Table

INDEX = "README.md"
BY_HAND = frozenset(("coverage.md", "2016.md", "websocket.md", "devices-wire.md"))
USAGE = "usage: python -m bitdust.api.pages FOLDER [--check] or --terminal\n"
INTRODUCTION = """\
# The API

{count} methods, each by REST, WebSocket and command line. These pages are written from the table that the program runs
(`make api-docs`); `make test` fails when one is stale, and runs every example. For programs, a running node gives the
same table as OpenAPI 3.1: `GET /openapi.json`, with the secret. [Coverage](coverage.md) lists what of
older BitDust works here.

## How to call
| | |
|---|---|
| REST | port 8180 on loopback; arguments in path, query or a JSON dictionary as body; any method: `POST /api/<name>` |
| WebSocket | `ws://localhost:8280?api_secret=…`; answers carry the call's `call_id`; [all about it](websocket.md) |
| command line | `bitdust api METHOD key=value …`; `bitdust help METHOD` shows its page |

Every call needs the secret in `~/.bitdust/apisecret`: as header `api_secret` in REST, in the address of a WebSocket;
the command line reads it by itself. The ports that the node really has are in `~/.bitdust/metadata/apiports`.

## What comes back
A method that was found answers with HTTP status 200 and an envelope, also when it fails:
```json
{{"status": "OK", "result": {{"…": "…"}}, "message": "for a person", "execution": "seconds"}}
{{"status": "ERROR", "errors": ["a sentence that says what to do"], "code": "stable-word", "execution": "seconds"}}
```
A method that begins what lasts (an upload, a recovery, the restart of a service) adds `automat` with index and id of
the state machine that does it: `automat_info` shows it until it ends, `automats_follow` its moves.

Besides the codes of each method, any may answer `bad-argument`, `service-off` (the service that it needs is not ON),
`os-error`, `timeout`, `cancelled`, `busy` (too many long answers wait for programs to read them), or `internal` (a
mistake in the node; its log has more).

Refused before any method is looked for, with an HTTP status of its own: 400 `not-json` or `bad-request`, 401
`access-denied`, 403 `wrong-host` or `wrong-origin`, 404 `not-found`, 405 `bad-verb`, 413 and 431 `too-large`, 429
`too-many-failures`.

Programs of 2016 find their methods in [a namespace of their own](2016.md).

## Methods
"""


def pages(table: Table) -> dict[str, str]:
    """All pages by file name."""
    nouns: dict[str, list[dict[str, Any]]] = {}
    duties: dict[str, str] = {}
    for row in table:
        nouns.setdefault(row.noun, []).append(entry(row))
        duties[row.noun] = _duty(row)
    own = {f"{noun}.md": _page(noun, duties[noun], methods) for noun, methods in nouns.items()}
    return {INDEX: _index(nouns)} | own


def _duty(row: Method) -> str:
    """What the module of a method says of itself."""
    text = sys.modules[row.call.__module__].__doc__ or ""
    return " ".join(text.partition("\n\n")[0].split())


def for_the_terminal(table: Table) -> str:
    """Every method as JSON."""
    return as_text([entry(row) for row in table])


def _index(nouns: Mapping[str, list[dict[str, Any]]]) -> str:
    lines = [INTRODUCTION.format(count=sum(map(len, nouns.values())))]
    for noun, methods in nouns.items():
        lines += [f"### [{noun}]({noun}.md)", "| | |", "|---|---|"]
        lines += [
            f"| [{one['name']}]({noun}.md#{one['name']}) | {_cell(first_sentence(one['doc']))} |" for one in methods
        ]
        lines.append("")
    return "\n".join(lines)


def _page(noun: str, duty: str, methods: Iterable[dict[str, Any]]) -> str:
    parts = [f"# {noun}", duty, *(part for one in methods for part in _method(one)), f"[All methods]({INDEX})"]
    return "\n\n".join(parts) + "\n"


def _method(one: Mapping[str, Any]) -> Iterator[str]:
    yield f"## {one['name']}"
    yield f"`{one['signature']}`" + _also(one["other_names"])
    yield one["doc"]
    if one["params"]:
        rows = [_parameter(param) for param in one["params"]]
        yield "\n".join(["| parameter | type | default | |", "|---|---|---|---|", *rows])
    yield "\n".join(f"* {fact}" for fact in _facts(one))
    lines = one["examples"]
    yield f"```sh\n{lines['curl']}\n{lines['cli']}\n```"
    yield f"```js\n{lines['websocket']}\n```"


def _also(names: Iterable[str]) -> str:
    shown = ", ".join(f"`{name}`" for name in names)
    return f", also called {shown}" if shown else ""


def _parameter(param: Mapping[str, Any]) -> str:
    default = f"`{json.dumps(param['default'], ensure_ascii=False)}`" if "default" in param else "required"
    meaning = "taken from older clients, means nothing any more" if param.get("obsolete") else param["help"]
    limits = " ".join(f"{word} {param[key]:g}" for word, key in (("from", "low"), ("to", "high")) if key in param)
    secret = "do not put it into a command line" if param.get("secret") else ""
    note = "; ".join(part for part in (meaning, limits, secret) if part)
    name = f"`{param['name']}`" + "".join(f", `{alias}`" for alias in param.get("aliases", ()))
    return f"| {name} | {param['type']} | {_cell(default)} | {_cell(note)} |"


def _facts(one: Mapping[str, Any]) -> Iterator[str]:
    if one["service"]:
        yield f"needs the service `{one['service']}`"
    yield f"returns {one['returns'] if one['returns'] == 'nothing' else '`' + one['returns'].replace('`', '') + '`'}"
    if one["errors"]:
        yield f"errors: {', '.join(f'`{code}`' for code in one['errors'])}"
    if one.get("becomes"):
        steps = ", then ".join(f"`{event}` of [{name}](../automats/{name}.md)" for name, event in one["becomes"])
        yield f"becomes the event {steps}"
    first, *others = one["routes"]
    yield f"`{first}`" + (f", the same as {', '.join(f'`{route}`' for route in others)}" if others else "")


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


# pages as files


def stale(folder: Path, wanted: Mapping[str, str]) -> list[str]:
    """What is wrong in the folder, one line each; those of `BY_HAND` stand for themselves."""
    found = {path.name for path in folder.glob("*.md")} - BY_HAND
    wrong = [f"{name}: no noun has this page" for name in sorted(found - wanted.keys())]
    return wrong + [f"{name}: not what the table says now" for name in wanted if not _same(folder / name, wanted[name])]


def _same(path: Path, text: str) -> bool:
    return path.exists() and path.read_bytes() == text.encode()


def write(folder: Path, wanted: Mapping[str, str]) -> None:
    """Write what has changed, take away the pages of nouns that are gone."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.glob("*.md"):
        if path.name not in wanted and path.name not in BY_HAND:
            path.unlink()
    for name, text in wanted.items():
        if not _same(folder / name, text):
            (folder / name).write_bytes(text.encode())


def main(arguments: list[str]) -> int:
    """Write or check the pages; 1 when one is stale, 2 when it cannot be known what is wanted."""
    if arguments == ["--terminal"]:
        sys.stdout.write(for_the_terminal(TABLE))
        return 0
    folders = [argument for argument in arguments if not argument.startswith("-")]
    if len(folders) != 1 or set(arguments) - {*folders, "--check"}:
        sys.stderr.write(USAGE)
        return 2
    folder, wanted = Path(folders[0]), pages(TABLE)
    if "--check" not in arguments:
        write(folder, wanted)
        return 0
    wrong = [f"{folder}/{line}" for line in stale(folder, wanted)]
    sys.stdout.write("".join(f"{line} (make api-docs)\n" for line in wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
