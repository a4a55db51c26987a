"""Draws every machine from its own table: one page each, the same bytes from the same tables.

``python -m bitdust.automats.kernel.diagrams docs/automats`` writes the pages; with ``--check`` it writes nothing and
ends with 1 when one is stale.
"""

import ast
import inspect
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from bitdust.automats.kernel.check import Kind, all_machines, package_root, ports
from bitdust.automats.kernel.sources import Source, methods
from bitdust.automats.kernel.table import ANY, STAY, Row, is_timer, timer_seconds

INDEX = "README.md"
USAGE = "usage: python -m bitdust.automats.kernel.diagrams FOLDER [--check]\n"


def page(kind: Kind) -> str:
    """The whole page of one machine, Markdown."""
    parts = [
        f"# {kind.name}",
        f"`{kind.__name__}` in [`{_path(kind)}`](../../{_path(kind)}). {_about(kind)}",
        _facts(kind),
        "```mermaid\n" + "\n".join(_picture(kind)) + "\n```",
        "## Transitions",
        "\n".join(_transitions(kind)),
        *_ignored(kind),
        *_timers(kind),
        *_port(kind),
        f"[All machines]({INDEX})",
    ]
    return "\n\n".join(parts) + "\n"


def index(kinds: list[Kind]) -> str:
    """The page that leads to all others."""
    rows = [
        f"| [{kind.name}]({kind.name}.md) | {len(kind.definition().states)} | {len(kind.definition().events)} "
        f"| {_cell(_module_line(kind))} |"
        for kind in kinds
    ]
    return "\n".join(
        [
            "# The machines",
            "",
            f"{len(kinds)} state machines run a BitDust node. Each page is drawn from the table that the program runs "
            "(`make diagrams`); `make docs` fails when one is stale. How to read a table, and what a move does, is in "
            "[the kernel](../../bitdust/automats/kernel/README.md).",
            "",
            "| machine | states | events | what it is for |",
            "|---|--:|--:|---|",
            *rows,
            "",
        ]
    )


# what a page says


def _facts(kind: Kind) -> str:
    definition = kind.definition()
    facts = [
        f"* starts in {_code(definition.initial)}",
        f"* ends in {', '.join(map(_code, definition.final))}" if definition.final else "* never ends",
        f"* an error in an action becomes {_code(kind.failure)}"
        if kind.failure
        else "* an error in an action is logged",
    ]
    return "\n".join(facts)


def _picture(kind: Kind) -> Iterator[str]:
    """Mermaid; rows that stay are in the table alone, and moves between the same two states share an arrow."""
    definition = kind.definition()
    names = {state: f"s{number}" for number, state in enumerate(definition.states)}
    yield "stateDiagram-v2"
    for state, name in names.items():
        yield f'    state "{state}" as {name}'
    yield f"    [*] --> {names[definition.initial]}"
    for (old, new), labels in _arrows(kind).items():
        yield f"    {names[old]} --> {names[new]}: {'<br/>'.join(dict.fromkeys(labels))}"
    for state in definition.final:
        yield f"    {names[state]} --> [*]"


def _arrows(kind: Kind) -> dict[tuple[str, str], list[str]]:
    definition = kind.definition()
    found: dict[tuple[str, str], list[str]] = {}
    for state in definition.states:
        if state in definition.final:
            continue
        for event in definition.events:
            rows = definition.rows_for(state, event)
            for row in rows:
                if row.next != STAY:
                    found.setdefault((state, row.next), []).append(_label(row, len(rows) > 1))
    return found


def _label(row: Row, one_of_many: bool) -> str:
    """What stands on an arrow; events and guards are names, so nothing in them can end a label."""
    guards = " & ".join(str(guard) for guard in row.guards) or ("else" if one_of_many else "")
    return f"{row.event} [{guards}]" if guards else row.event


def _transitions(kind: Kind) -> Iterator[str]:
    yield "| state | event | guard | next | actions |"
    yield "|---|---|---|---|---|"
    definition = kind.definition()
    for row in definition.rows:
        state = "any other" if row.state == ANY else _code(row.state)
        following = "stays" if row.next == STAY else _code(row.next)
        alone = len(definition.cells[row.state, row.event]) == 1
        guards = " and ".join(_code(str(guard)) for guard in row.guards) or ("" if alone else "else")
        actions = ", ".join(map(_code, row.actions))
        yield f"| {state} | {_code(row.event)} | {guards} | {following} | {actions} |"


def _ignored(kind: Kind) -> Iterator[str]:
    definition = kind.definition()
    lines = []
    for state in (*definition.states, ANY):
        events = sorted(event for where, event in definition.ignored if where == state)
        if events:
            name = "any other" if state == ANY else _code(state)
            lines.append(f"* {name}: {', '.join(map(_code, events))}")
    if lines:
        yield "## Ignored on purpose"
        yield "\n".join(lines)


def _timers(kind: Kind) -> Iterator[str]:
    definition = kind.definition()
    lines = []
    for event in filter(is_timer, definition.events):
        states = [state for state in definition.states if event in definition.timers(state)]
        lines.append(f"* {_code(event)}, {timer_seconds(event):g} s, while in {', '.join(map(_code, states))}")
    if not lines:
        return
    yield "## Timers"
    text = inspect.getdoc(kind.timer_seconds)
    if "timer_seconds" in kind.__dict__:
        lines.append("* intervals are adjusted while it runs" + (f": {' '.join(text.split())}" if text else "."))
    yield "\n".join(lines)


def _port(kind: Kind) -> Iterator[str]:
    source = Source(kind.__module__, ast.parse(inspect.getsource(sys.modules[kind.__module__])))
    for _, port in ports(source.classes[kind.__name__], source):
        yield f"## What it asks of the program: {_code(port.name)}"
        lines = []
        for method in methods(port):
            text = " ".join((ast.get_docstring(method) or "").split())
            lines.append(f"* `{method.name}({_arguments(method)})`" + (f": {text}" if text else ""))
        yield "\n".join(lines)


def _arguments(method: ast.FunctionDef) -> str:
    return ", ".join(argument.arg for argument in method.args.args[1:])


def _about(kind: Kind) -> str:
    text = inspect.cleandoc(kind.__doc__ or "")
    return " ".join(text.split())


def _module_line(kind: Kind) -> str:
    text = inspect.getdoc(sys.modules[kind.__module__]) or _about(kind)
    return " ".join(text.partition("\n\n")[0].split())


def _path(kind: Kind) -> str:
    return kind.__module__.replace(".", "/") + ".py"


def _code(text: str) -> str:
    return f"`{text}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


# pages as files


def pages(kinds: list[Kind]) -> dict[str, str]:
    """All pages by file name."""
    return {INDEX: index(kinds)} | {f"{kind.name}.md": page(kind) for kind in kinds}


def stale(folder: Path, wanted: Mapping[str, str]) -> list[str]:
    """What is wrong in the folder, one line each."""
    found = {path.name for path in folder.glob("*.md")}
    wrong = [f"{name}: no machine has this page" for name in sorted(found - wanted.keys())]
    for name, text in wanted.items():
        if name not in found:
            wrong.append(f"{name}: not there")
        elif (folder / name).read_bytes() != text.encode():
            wrong.append(f"{name}: not what the table says now")
    return wrong


def write(folder: Path, wanted: Mapping[str, str]) -> None:
    """Write what has changed, take away the pages of machines that are gone."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.glob("*.md"):
        if path.name not in wanted:
            path.unlink()
    for name, text in wanted.items():
        path = folder / name
        if not path.exists() or path.read_bytes() != text.encode():
            path.write_bytes(text.encode())


def main(arguments: list[str]) -> int:
    """Write or check the pages; 1 when one is stale, 2 when it cannot be known what is wanted."""
    folders = [argument for argument in arguments if not argument.startswith("-")]
    if len(folders) != 1 or set(arguments) - {*folders, "--check"}:
        sys.stderr.write(USAGE)
        return 2
    folder, wanted = Path(folders[0]), pages(all_machines(package_root()))
    if "--check" not in arguments:
        write(folder, wanted)
        return 0
    wrong = stale(folder, wanted)
    for line in wrong:
        sys.stdout.write(f"{folder}/{line} (make diagrams)\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
