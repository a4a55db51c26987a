"""What a client of the WebSocket asks to get of the event stream."""

from typing import Any

from attrs import frozen

from bitdust.api.arguments import BadArgument
from bitdust.web.message_flow import WantedMessages
from bitdust.web.patterns import chosen

MAX_COUNT = 2**53


@frozen
class Subscription:
    """What the URL of the handshake asks for beside the secret: which events, and from which one on."""

    events: list[str] | None
    run: str
    after: int | None
    messages: WantedMessages = WantedMessages()

    @classmethod
    def of(cls, params: dict[str, list[str]]) -> "Subscription":
        """Raises `BadArgument`."""
        events = params.get("events", [None])[0]
        after = params.get("after", [None])[0]
        if after is not None and not (after.isascii() and after.isdigit() and len(after) <= 16):
            raise BadArgument("after must be the number of an event")
        names = [name for name in events.split(",") if name] if events is not None else None
        wanted = cls(names, params.get("run", [""])[0], int(after) if after is not None else None, _messages(params))
        chosen(wanted.events)
        if wanted.after is not None:
            place_of(wanted.run, wanted.after)
        return wanted


def _messages(params: dict[str, list[str]]) -> WantedMessages:
    said: dict[str, Any] = {}
    if "messages" in params:
        said["messages"] = [name for name in params["messages"][0].split(",") if name]
    if "messages_after" in params:
        said["messages_after"] = params["messages_after"][0]
    return WantedMessages.of(said)


def place_of(run: Any, after: Any) -> tuple[str, int]:
    """A place in the stream of a run; raises `BadArgument`."""
    if isinstance(after, bool) or not isinstance(after, int) or not 0 <= after < MAX_COUNT:
        raise BadArgument("after must be the number of an event")
    if not isinstance(run, str) or not 1 <= len(run) <= 100:
        raise BadArgument("after needs the run that the number belongs to; every event tells its run")
    return run, after
