"""Every printed call of the vendor's page, one after the other, against a daemon that runs."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

from attrs import frozen

from tests.btsync_seed.printed import Printed, differences, printed

RECORDED = "{} is answered as well, as the vendor's daemon did"
AS_RECORDED = {
    "add_folder": RECORDED.format("`result`"),
    "get_folder_prefs": RECORDED.format("`selective_sync`"),
    "set_folder_prefs": RECORDED.format("`selective_sync`"),
    "get_prefs": "what is true or false is 1 or 0, as the vendor's daemon sent it",
    "set_prefs": "what is true or false is 1 or 0, as the vendor's daemon sent it",
}
"""Where recorded answers of the vendor's daemon differ from its page."""


@frozen
class Asked:
    """A method of the page; ``wrong`` is empty where each of its calls was answered with the printed keys."""

    one: Printed
    wrong: str

    @property
    def note(self) -> str:
        """Where the page itself is not what the daemon did."""
        return AS_RECORDED.get(self.one.name, "")


def ask(address: str, query: str) -> Any:
    """An answer; what is no answer of a method, in words."""
    try:
        with urlopen(f"{address}?{query}", timeout=60) as answer:  # noqa: S310
            return json.load(answer)
    except HTTPError as error:
        return f"HTTP status {error.code}"


def run(address: str, base: Path) -> list[Asked]:
    """All of them in the order of the page, which ends the daemon."""
    secret = ask(address, "method=get_secrets&type=encryption")["read_write"]
    return [Asked(one, _wrong(address, one, secret, base)) for one in _in_order()]


def _in_order() -> Iterator[Printed]:
    """`remove_folder` only when the folder was asked about."""
    rows = printed()
    yield from (one for one in rows if one.name not in ("remove_folder", "shutdown"))
    yield from (one for one in rows if one.name in ("remove_folder", "shutdown"))


def _wrong(address: str, one: Printed, secret: str, base: Path) -> str:
    for number, query in enumerate(_queries(one, secret, base)):
        answer = ask(address, query)
        if isinstance(answer, str):
            return answer
        expected = one.answer
        if one.name == "get_secrets" and "secret=" not in query:
            expected = {name: text for name, text in expected.items() if name != "encryption"}
        wrong = differences(expected, answer, one.name)
        if wrong or (isinstance(answer, dict) and (answer.get("error") or answer.get("result"))):
            return f"call {number + 1}: {wrong or answer}"
    return ""


def _queries(one: Printed, secret: str, base: Path) -> list[str]:
    filled = {"(secret)": secret, "(path)": "index.html", "param1": "use_dht=0", "param2": "lang=28261"}
    if one.name != "add_folder":
        return list(one.queries(filled))
    found = []
    for number, name in enumerate(("with", "without")):
        (base / name).mkdir()
        found.append(list(one.queries(filled | {"(folderPath)": str(base / name)}))[1 - number])
    return found
