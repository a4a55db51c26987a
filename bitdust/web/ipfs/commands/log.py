"""What is logged, by room of the program, and events as they come."""

import pkgutil

import bitdust
from bitdust.ipfs.room import IpfsRoom
from bitdust.ipfs.tail import tail
from bitdust.web.ipfs.arguments import Argument
from bitdust.web.ipfs.table import Answer, Call, Command, Json, Lines
from bitdust.wire.errors import BitDustError

LEVEL, ROOMS = "logs/debug-level", "logs/debug-rooms"
EVERYTHING = ("all", "*")
DEBUG = "debug"
LEVELS = (DEBUG, "info", "notice", "warn", "warning", "error", "critical", "dpanic", "panic", "fatal")
"""This node always logs what is no detail, so all but the first are the same."""


def rooms() -> list[str]:
    """The rooms of the program, each of which logs under its name."""
    return sorted(one.name for one in pkgutil.iter_modules(bitdust.__path__) if not one.name.startswith("_"))


async def show(room: IpfsRoom, call: Call) -> Answer:
    return Json({"Strings": rooms()})


async def level(room: IpfsRoom, call: Call) -> Answer:
    """The setting stays when the node starts again."""
    name, wanted = call.arguments["subsystem"], call.arguments["level"]
    if wanted.lower() not in LEVELS:
        raise BitDustError("bad-argument", f"unrecognized level: {wanted[:100]!r}")
    settings, is_debug = room.around.settings, wanted.lower() == DEBUG
    if name in EVERYTHING:
        settings.set(LEVEL, max(1, settings.get(LEVEL)) if is_debug else 0)
        settings.set(ROOMS, "")
    elif name in rooms():
        debugged = {one for one in settings.get(ROOMS).split(",") if one} - {name}
        settings.set(ROOMS, ",".join(sorted(debugged | {name} if is_debug else debugged)))
    else:
        raise BitDustError("bad-argument", f"no such logger: {name[:100]!r}; 'log/ls' names them")
    return Json({"Message": f"Changed log level of '{name}' to '{wanted}'\n"})


async def follow(room: IpfsRoom, call: Call) -> Answer:
    return Lines(tail(room.around.events, room.around.world.wall()), live=True)


ROWS = (
    Command("log/ls", show),
    Command("log/level", level, (Argument("subsystem"), Argument("level"))),
    Command("log/tail", follow),
)
