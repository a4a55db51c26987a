"""The configuration: settings of this node, by the names that IPFS has for them."""

import json
from typing import Any

from bitdust.ipfs import config
from bitdust.ipfs.room import IpfsRoom
from bitdust.web.ipfs.arguments import BOOL, Argument, BadCall, Option
from bitdust.web.ipfs.commands.kit import one_file
from bitdust.web.ipfs.table import Answer, Call, Command, Json
from bitdust.wire.errors import BitDustError

MOST_REPLACED = 1 << 20


async def one(room: IpfsRoom, call: Call) -> Answer:
    """Show a value, or change it."""
    view, name, text = await room.view(), call.arguments["key"], call.arguments["value"]
    if text is None:
        return Json({"Key": name, "Value": config.get(view, name)})
    return Json({"Key": name, "Value": config.set_value(view, name, _value(text, call))})


def _value(text: str, call: Call) -> Any:
    if call.options["bool"]:
        return text == "true"
    if not call.options["json"]:
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadCall(f"failed to unmarshal json. {error}") from None


async def show(room: IpfsRoom, call: Call) -> Answer:
    return Json(config.whole(await room.view()))


async def replace(room: IpfsRoom, call: Call) -> Answer:
    """A whole file is not taken: most of what it would change is no setting here, and a typing error would be lost."""
    await one_file(call, MOST_REPLACED)
    raise BitDustError("read-only", "this node takes no whole configuration: change one value with 'config KEY VALUE'")


async def apply(room: IpfsRoom, call: Call) -> Answer:
    dry_run = bool(call.options["dry-run"])
    before, after = config.apply_profile(await room.view(), call.arguments["profile"], dry_run)
    return Json({"OldCfg": before, "NewCfg": after})


ROWS = (
    Command(
        "config",
        one,
        (Argument("key"), Argument("value", required=False)),
        (Option(("bool",), BOOL, default=False), Option(("json",), BOOL, default=False)),
    ),
    Command("config/show", show),
    Command("config/replace", replace, file="file"),
    Command("config/profile/apply", apply, (Argument("profile"),), (Option(("dry-run",), BOOL, default=False),)),
)
