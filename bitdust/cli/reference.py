"""What the terminal shows of API methods: the list, one page, and which name was meant.

The text comes from a file that is built from the table, so that nothing of the node has to be loaded.
"""

import difflib
import json
import shutil
import textwrap
from collections.abc import Iterable, Iterator

import click

from bitdust.api.stored import Entry, entries
from bitdust.cli.output import on_terminal

WIDEST = 100


def find(name: str, generation: str = "") -> Entry | None:
    """The method that a generation of the API has under that name, or None."""
    if generation and generation not in years():
        return None
    found = [one for one in entries() if name in (one["name"], *one["other_names"])]
    return next((one for one in found if one.get("generation", "") == generation), next(iter(found), None))


def years() -> list[str]:
    """Older generations of the API that are kept."""
    return sorted({one["generation"] for one in entries() if "generation" in one})


def near(name: str, names: Iterable[str]) -> list[str]:
    """Up to three names that may have been meant."""
    known = list(names)
    parts = [one for one in known if name and (name in one or one in name)]
    return list(dict.fromkeys([*difflib.get_close_matches(name, known, 3), *parts]))[:3]


def suggestion(name: str, names: Iterable[str]) -> str:
    """``; did you mean a, b?`` or nothing."""
    found = near(name, names)
    return f"; did you mean {', '.join(found)}?" if found else ""


def method_names() -> list[str]:
    """All names of all methods."""
    return [name for one in entries() for name in (one["name"], *one["other_names"])]


def show_list() -> None:
    """A line each method, under its noun."""
    noun = ""
    methods = entries()
    width = max(len(one["name"]) for one in methods)
    room = max(20, _width() - width - 4) if on_terminal() else None
    for one in methods:
        if one["noun"] != noun:
            noun = one["noun"]
            year = one.get("generation", "")
            click.secho(f"\n{noun}" + (f"  (bitdust api --generation {year} METHOD)" if year else ""), bold=True)
        click.echo(f"  {one['name'].ljust(width)}  {_shortened(_first_sentence(one['doc']), room)}")
    click.echo("\nbitdust help METHOD explains one; bitdust api METHOD key=value … calls it")


def show_page(one: Entry) -> None:
    """All that the reference tells of a method."""
    click.echo("\n".join(_page(one)))


def _page(one: Entry) -> Iterator[str]:
    yield click.style(one["signature"], bold=True)
    yield from _wrapped(one["doc"], "  ")
    if one["params"]:
        yield from _titled("Arguments")
        width = max(len(_names(param)) for param in one["params"])
        for param in one["params"]:
            first, *others = list(_wrapped(_explained(param), " " * (width + 4))) or [""]
            yield f"  {_names(param).ljust(width)}  {first.strip()}".rstrip()
            yield from others
    for title, lines in _facts(one):
        if lines:
            yield from _titled(title)
            yield from (f"  {line}" for line in lines)


def _facts(one: Entry) -> Iterator[tuple[str, list[str]]]:
    yield "Also called", list(one["other_names"])
    yield "Needs the service", [one["service"]] if one["service"] else []
    yield "Returns", [line.strip() for line in _wrapped(one["returns"], "  ")]
    yield "Errors", [line.strip() for line in _wrapped(", ".join(one["errors"]), "  ")]
    yield "Becomes the event", [f"{event} of {machine}" for machine, event in one.get("becomes", ())]
    yield "Routes", list(one["routes"])
    yield "Examples", [one["examples"][kind] for kind in ("cli", "curl", "websocket")]


def _titled(title: str) -> Iterator[str]:
    yield ""
    yield click.style(title, bold=True)


def _names(param: Entry) -> str:
    return ", ".join((param["name"], *param.get("aliases", ())))


def _explained(param: Entry) -> str:
    need = f"default {json.dumps(param['default'], ensure_ascii=False)}" if "default" in param else "required"
    limits = " ".join(f"{word} {param[key]:g}" for word, key in (("from", "low"), ("to", "high")) if key in param)
    told = "taken from older clients, means nothing any more" if param.get("obsolete") else param["help"]
    secret = "give it as @FILE or -, not in the command line" if param.get("secret") else ""
    return "; ".join(part for part in (f"{param['type']}, {need}", limits, told, secret) if part)


def _wrapped(text: str, indent: str) -> Iterator[str]:
    """Lines that fit; codes are not broken at their hyphens, and a terminal needs no marks around them."""
    for number, paragraph in enumerate(text.replace("``", "").split("\n\n")):
        if number:
            yield ""
        yield from textwrap.wrap(
            paragraph, _width(), initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False
        )


def _first_sentence(doc: str) -> str:
    return doc.replace("``", "").partition("\n\n")[0].partition(". ")[0].removesuffix(".")


def _shortened(text: str, room: int | None) -> str:
    return text if room is None or len(text) <= room else text[: room - 1].rstrip() + "…"


def _width() -> int:
    return min(WIDEST, shutil.get_terminal_size().columns)
