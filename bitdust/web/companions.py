"""The API as companions reach it: over sealed lines, and without what only programs of this machine may do."""

from collections.abc import Mapping
from typing import Any

from bitdust.api.table import Method
from bitdust.companions.ports import Socket, Talk
from bitdust.web.guard import Guard
from bitdust.web.talk import Talks
from bitdust.wire.errors import BitDustError

LOCAL_FILES = "services/web-socket-communicator/local-files-enabled"


def not_from_afar(row: Method, given: Mapping[str, Any], local_files: bool = False) -> None:
    """Raises `BitDustError` ``only-here`` for what gives away keys, changes settings, or lets others in: whoever finds
    a phone must not be able to stay after it was shut out. The same with ``local_files`` off for what reads or writes
    files of the node's machine, where keys are, and programs that start by themselves."""
    if row.local_files and not local_files:
        text = f"{row.name} is for programs on the machine of the node; or there: bitdust set {LOCAL_FILES} true"
        raise BitDustError("only-here", text)
    if row.only_here:
        raise BitDustError("only-here", f"{row.name} is for programs on the machine of the node alone")
    for param in row.params:
        if param.only_here and any(given.get(name) for name in (param.name, *param.aliases)):
            text = f"argument {param.name!r} of {row.name} is for programs on the machine of the node alone"
            raise BitDustError("only-here", text)


class CompanionDesk:
    """I answer companions from the start of the API until it closes."""

    def __init__(self, talks: Talks, guard: Guard) -> None:
        self._talks = talks
        self._settings = talks.context.settings
        self._guard = guard

    def refusal(self, headers: Mapping[str, str]) -> tuple[int, str] | None:
        """As for the WebSocket of this machine."""
        said = [headers.get(name) for name in ("host", "origin", "sec-fetch-site")]
        refusal = self._guard.refuse(*(word.encode() if word is not None else None for word in said))
        return (refusal.status, refusal.text) if refusal is not None else None

    def begin(self, socket: Socket) -> Talk:
        """Events flow from now on."""
        return self._talks.begin(socket, rules=self._judge)

    def _judge(self, row: Method, given: Mapping[str, Any]) -> None:
        not_from_afar(row, given, bool(self._settings.get(LOCAL_FILES)))

    def close(self) -> None:
        """Send no more events."""
        self._talks.close()
