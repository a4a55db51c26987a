"""What commands print: tables that a person reads, JSON for programs."""

import json
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import click

from bitdust.wire.sizes import in_words

Row = Mapping[str, Any]


def show_json(value: Any) -> None:
    """For programs."""
    click.echo(json.dumps(value, indent=2, sort_keys=True))


def show_table(rows: Iterable[Row], columns: Sequence[str], empty: str) -> None:
    """One line a row under headings; ``empty`` is the sentence for no rows."""
    cells = [[text(row.get(column)) for column in columns] for row in rows]
    if not cells:
        click.echo(empty)
        return
    heads = [column.replace("_", " ") for column in columns]
    widths = [max(len(line[i]) for line in [heads, *cells]) for i in range(len(columns))]
    for line in [heads, *cells]:
        shown = "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        click.echo(click.style(shown, bold=True) if line is heads else shown)


def show_fields(row: Row, names: Sequence[str] | None = None) -> None:
    """One line a field."""
    chosen = [name for name in (names or list(row)) if name in row]
    width = max((len(name) for name in chosen), default=0)
    for name in chosen:
        click.echo(f"{name.replace('_', ' ').ljust(width)}  {text(row[name])}")


def text(value: Any) -> str:
    """A value in few words."""
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list):
        return ", ".join(map(text, value)) if value else "-"
    if isinstance(value, dict):
        return json.dumps(value, sort_keys=True)
    return printable(str(value))


def printable(name: str) -> str:
    """Text that cannot play with the terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in name)


def sentences(told: object) -> str:
    """What a node or a server says for people: its lines stay lines, and play with nothing else."""
    return "\n".join(map(printable, str(told).split("\n")))


COMMANDS = {
    "supplier_change": "bitdust supplier replace",
    "configs_list": "bitdust config list",
    "services_list": "bitdust services",
    "shares_list": "bitdust share list",
    "friends_list": "bitdust friend list",
    "groups_list": "bitdust group list",
    "group_join": "bitdust group join",
    "message_send_group": "bitdust group send",
    "keys_list": "bitdust key list",
}
"""What a person types for a method of the API that a text of the node names."""


def in_commands(told: str) -> str:
    """A text of the node with commands in the place of methods."""
    for method, command in COMMANDS.items():
        told = told.replace(method, command)
    return told


def size(count: int | float | None) -> str:
    """Bytes for people: ``4 MB``, ``1.5 GB`` (powers of 1024)."""
    return "-" if count is None else in_words(count)


def day(moment: float | None) -> str:
    """``2026-11-28``."""
    return time.strftime("%Y-%m-%d", time.localtime(moment)) if moment else "-"


def age(moment: float | None) -> str:
    """How long ago, in the largest unit that fits."""
    if not moment:
        return "-"
    seconds = max(0.0, time.time() - moment)
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= length:
            return f"{seconds / length:.0f}{unit}"
    return f"{seconds:.0f}s"


def on_terminal() -> bool:
    """Whether a person is watching."""
    return sys.stdout.isatty()
