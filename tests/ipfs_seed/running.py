"""Every example, one after the other, against a daemon that runs."""

import json
import shutil
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from attrs import define

from tests.ipfs_seed import content, keeping, network
from tests.ipfs_seed.examples import Client, Example, Given
from tests.ipfs_seed.shapes import Alone, Fails, WithIdentity

SEED = "004"
EXAMPLES = (*content.ROWS, *keeping.ROWS, *network.ROWS)
NOT_THERE = "the daemon does not have it yet"
NO_EXAMPLE = "no example of it is run"
METHODS = Path(__file__).parents[1] / "vectors" / "seed_methods.txt"


@define
class Method:
    """A method that the reference describes; ``wrong`` is empty where all its examples run."""

    name: str
    signature: str
    commands: tuple[str, ...] = ()
    outdated: tuple[str, ...] = ()
    wrong: str = ""


def signatures() -> dict[str, str]:
    """Every method of the reference, by its name."""
    rows = [line.split("\t") for line in METHODS.read_text(encoding="utf-8").splitlines() if line.startswith(SEED)]
    return {text.partition("(")[0]: text for _, _, text in rows}


def commands(port: int) -> set[str]:
    """What a daemon has, by its own table."""
    with urlopen(Request(f"http://127.0.0.1:{port}/api/v0/commands", method="POST"), timeout=60) as answer:  # noqa: S310
        return set(_paths(json.load(answer)["Subcommands"], ""))


def _paths(rows: list[dict[str, Any]], before: str) -> Iterator[str]:
    for row in rows:
        yield f"{before}{row['Name']}"
        yield from _paths(row["Subcommands"], f"{before}{row['Name']}/")


def run(client: Client, port: int) -> list[Method]:
    """All methods, in the order of the reference."""
    there, given = commands(port), Given(client)
    found = {name: Method(name, text, wrong=NO_EXAMPLE) for name, text in signatures().items()}
    try:
        given.prepare()
        for method in found.values():
            own = [one for one in EXAMPLES if one.method == method.name]
            method.commands = tuple(dict.fromkeys(one.command for one in own))
            method.outdated = tuple(one.outdated for one in own if one.outdated)
        for example in EXAMPLES:
            method = found[example.method]
            method.wrong = method.wrong if method.wrong not in ("", NO_EXAMPLE) else judge(example, given, there)
    finally:
        shutil.rmtree(given.base)
    return list(found.values())


def judge(example: Example, given: Given, there: set[str]) -> str:
    """What is wrong with an example; empty where nothing is."""
    if example.command not in there:
        return NOT_THERE
    wanted = example.wanted
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return wanted.wrong(plain(example.run(given.client, given)))
        except Exception as error:  # noqa: BLE001 - whatever the client raises is what a person would see
            may_fail = isinstance(wanted, Fails | Alone | WithIdentity)
            return wanted.told(error) if may_fail else f"{type(error).__name__}: {error}"


def plain(value: Any) -> Any:
    """Names with values and lists as such; some versions of the client have classes of their own for them."""
    if isinstance(value, Mapping):
        return {name: plain(value[name]) for name in value}
    return [plain(one) for one in value] if isinstance(value, list) else value
