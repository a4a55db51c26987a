"""Settings."""

from typing import Any

from bitdust.api.arguments import Kind
from bitdust.api.context import Context
from bitdust.api.envelope import Envelope, listed
from bitdust.api.table import Param, Route, method
from bitdust.wire.errors import BitDustError

INCLUDE_INFO = Param("include_info", Kind.FLAG, False, help="explain each setting")
OPTION = "[{key, value, type, label, readonly, default, info?, min?, max?, possible_values?}]"


@method(
    Route("GET", "/config/get/v1", ("/c/g",)),
    Route("GET", "/config/get/{key:path}/v1", ("/c/g/{key:path}",)),
    params=(Param("key", help="such as logs/debug-level, or a folder such as logs"), INCLUDE_INFO),
    returns=OPTION,
    errors=("unknown-setting",),
)
def config_get(context: Context, key: str, include_info: bool) -> Envelope:
    """The value of one setting, or what lies in a folder of settings."""
    key = key.strip("/")
    keys = set(context.settings.keys())
    if key in keys:
        return listed([option(context, key, include_info)])
    inside = {name[len(key) + 1 :].partition("/")[0] for name in keys_under(context, key)}
    if not inside:
        raise BitDustError("unknown-setting", f"there is no setting {key[:200]!r}; configs_list shows all")
    children = [f"{key}/{name}" for name in sorted(inside)]
    return listed(
        [
            option(context, child, include_info) if child in keys else {"key": child, "childs": True}
            for child in children
        ]
    )


def keys_under(context: Context, folder: str) -> list[str]:
    """The settings inside a folder of settings."""
    keys = context.settings.keys()
    return [key for key in keys if key.startswith(folder + "/")]


@method(
    Route("POST", "/config/set/v1", ("/c/s",)),
    Route("POST", "/config/set/{key:path}/v1", ("/c/s/{key:path}",)),
    params=(Param("key"), Param("value", Kind.SCALAR)),
    returns="[{key, value, old_value, type, label, readonly, default}]",
    errors=("unknown-setting", "bad-setting"),
)
def config_set(context: Context, key: str, value: Any) -> Envelope:
    """Change one setting. It is checked, saved, and takes effect at once."""
    key = key.strip("/")
    before = context.settings.describe(key)["value"]
    context.settings.set(key, value)
    return listed([option(context, key, False) | {"old_value": before}])


@method(
    Route("GET", "/config/list/v1", ("/c/l",)),
    params=(Param("sort", Kind.FLAG, False), INCLUDE_INFO),
    returns=OPTION,
)
def configs_list(context: Context, sort: bool, include_info: bool) -> Envelope:
    """All settings."""
    keys = context.settings.keys()
    return listed([option(context, key, include_info) for key in (sorted(keys) if sort else keys)])


def option(context: Context, key: str, include_info: bool) -> dict[str, Any]:
    """One setting as JSON; the value of a secret one is not shown."""
    described = context.settings.describe(key)
    if not include_info:
        described = {name: value for name, value in described.items() if name != "info"}
    return described
