"""What the daemon is: its version, and its commands."""

import platform

from bitdust import __version__
from bitdust.ipfs.room import IpfsRoom
from bitdust.web.ipfs.arguments import BOOL, Option
from bitdust.web.ipfs.table import Answer, Call, Command, Commands, Json

VERSION = "0.6.0"
"""The version that every client of these years accepts: those of IPFS look at it before they do anything."""
REPO = 10


async def version(room: IpfsRoom, call: Call) -> Answer:
    system = f"{platform.machine()}/{platform.system()}".lower()
    agent = f"BitDust {__version__}"
    return Json({"Version": VERSION, "Commit": agent, "Repo": str(REPO), "System": system, "Golang": ""})


def list_of(commands: Commands) -> Command:
    """The command that prints all commands."""

    async def show(room: IpfsRoom, call: Call) -> Answer:
        return Json(commands.tree(bool(call.options["flags"])))

    return Command("commands", show, options=(Option(("flags", "f"), BOOL, default=False),))


ROWS = (
    Command("version", version, options=tuple(Option((name,), BOOL) for name in ("number", "commit", "repo", "all"))),
)
