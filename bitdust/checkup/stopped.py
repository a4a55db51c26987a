"""Looking at a home whose node does not run: everything that can be told without it. No Twisted, threads instead."""

import http.client
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as TooLate
from email.utils import parsedate_to_datetime
from functools import partial
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from bitdust.checkup import home, judging, libraries, ports
from bitdust.checkup.finding import Finding, bad
from bitdust.checkup.judging import Copy, Seen
from bitdust.config.settings import Settings
from bitdust.config.types import SettingError
from bitdust.identity.backup_mark import read_mark
from bitdust.identity.document import MAX_SIZE, IdentityDocument

LIMIT = 10.0
PATIENCE, LONGEST = 5.0, 8.0
"""Seconds for which a server is waited for that says nothing, and in all."""
Check = Callable[[], list[Finding]]
T = TypeVar("T")
R = TypeVar("R")
SERVERS = ("services/identity-propagate/preferred-servers", "services/identity-propagate/known-servers")


def look_at(folder: Path) -> list[Finding]:
    """All findings; checks run side by side, each with a limit in time."""
    looking = {name: _begin(check) for name, check in checks(folder).items()}
    deadline = time.monotonic() + LIMIT
    return [finding for name, future in looking.items() for finding in _result(name, future, deadline)]


def _begin(call: Callable[[], R]) -> "Future[R]":
    """In a thread that keeps no process from its end: a server may give a byte now and then, for days."""
    future: Future[R] = Future()

    def run() -> None:
        try:
            future.set_result(call())
        except BaseException as error:  # noqa: BLE001 - whoever waits is told
            future.set_exception(error)

    threading.Thread(target=run, name="doctor", daemon=True).start()
    return future


def _each(call: Callable[[T], R], given: Sequence[T], late: Callable[[T, str], R]) -> list[R]:
    """Of all of them side by side; what ``late`` says of those that take too long keeps nobody from the others."""
    begun, deadline = [_begin(partial(call, one)) for one in given], time.monotonic() + LONGEST

    def ended(one: T, future: "Future[R]") -> R:
        try:
            return future.result(max(0.0, deadline - time.monotonic()))
        except TooLate:
            return late(one, f"no whole answer within {LONGEST:.0f} seconds")

    return [ended(one, future) for one, future in zip(given, begun, strict=True)]


def _result(name: str, future: "Future[list[Finding]]", deadline: float) -> list[Finding]:
    try:
        return future.result(max(0.0, deadline - time.monotonic()))
    except TooLate:
        return [bad(name, f"no answer within {LIMIT:.0f} seconds", "look again later")]
    except Exception as error:  # noqa: BLE001 - whatever is in a home that does not start, the rest is looked at
        text = f"could not be looked at: {error or type(error).__name__}"
        return [bad(name, text, "correct what it says, and look again")]


def checks(folder: Path) -> Mapping[str, Check]:
    """Every check by its name."""
    always: dict[str, Check] = {
        "settings": lambda: home.settings(folder),
        "permissions": lambda: home.permissions(folder),
        "exceptions": lambda: home.exceptions(folder),
        "messages": lambda: home.messages(folder),
        "libraries": libraries.libraries,
    }
    try:
        settings = Settings(folder / "config")
    except SettingError:
        return {"disk": lambda: home.disk(folder), **always}
    return {
        "identity": lambda: _identity(folder),
        "disk": lambda: home.disk(folder, reserve=settings.get(home.RESERVE)),
        **always,
        "ports": lambda: ports.closed_node(settings),
        "clock": lambda: _clock(settings),
        "ID servers": lambda: judging.id_servers(_servers(settings)),
        "my identity": lambda: _my_identity(folder),
        "key": lambda: _key(folder),
    }


def _document(folder: Path) -> IdentityDocument | None:
    path = folder / "metadata" / "localidentity"
    return IdentityDocument.parse(path.read_bytes()) if path.exists() else None


def _identity(folder: Path) -> list[Finding]:
    document = _document(folder)
    return judging.identity(document is not None, document.global_id if document is not None else "")


def _key(folder: Path) -> list[Finding]:
    document = _document(folder)
    if document is None:
        return []
    checked = read_mark(folder / "metadata").when(document.fingerprint)
    return [*judging.key_backup(checked, time.time()), *libraries.key_size(document.public.bits)]


def _clock(settings: Settings) -> list[Finding]:
    return judging.clock([seen.date - time.time() for seen in _servers(settings) if seen.date is not None])


def _servers(settings: Settings) -> list[Seen]:
    words = ",".join(settings.get(key) for key in SERVERS).replace(";", ",").split(",")
    names = list(dict.fromkeys(":".join(word.strip().split(":")[:2]) for word in words if word.strip()))
    return _each(_greet, names, lambda name, why: Seen(name, error=why))


def _greet(name: str) -> Seen:
    started = time.monotonic()
    try:
        status, date, _ = _get(f"http://{name}/")
    except (OSError, http.client.HTTPException, ValueError) as error:
        return Seen(name, error=str(error) or type(error).__name__)
    return Seen(name, status, date, time.monotonic() - started)


def _get(url: str) -> tuple[int, float | None, bytes]:
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=PATIENCE)
    try:
        connection.request("GET", parts.path or "/")
        answer = connection.getresponse()
        date = answer.headers.get("Date")
        return answer.status, _moment(date) if date else None, answer.read(MAX_SIZE + 1)
    finally:
        connection.close()


def _moment(date: str) -> float | None:
    """Seconds since 1970; None for what a server calls a date and is none."""
    try:
        return parsedate_to_datetime(date).timestamp()
    except (ValueError, OverflowError):
        return None


def _my_identity(folder: Path) -> list[Finding]:
    document = _document(folder)
    if document is None:
        return []
    sources = [str(idurl) for idurl in document.sources]
    copies = _each(lambda idurl: _copy(idurl, document.fingerprint), sources, lambda idurl, why: Copy(idurl, error=why))
    return judging.my_identity(document.revision, copies)


def _copy(idurl: str, mine: bytes) -> Copy:
    try:
        status, _, body = _get(idurl)
        if status != 200:
            return Copy(idurl, error="it does not exist there" if status == 404 else f"HTTP status {status}")
        found = IdentityDocument.parse(body)
    except (OSError, http.client.HTTPException, ValueError) as error:
        return Copy(idurl, error=str(error) or type(error).__name__)
    return Copy(idurl, found.revision, found.fingerprint == mine)
