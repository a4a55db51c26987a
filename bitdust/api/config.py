"""Settings."""

from typing import Any

from bitdust.api.arguments import Kind
from bitdust.api.context import Context
from bitdust.api.envelope import Envelope, listed, ok
from bitdust.api.table import Param, Route, method
from bitdust.wire.errors import BitDustError

SUPPLIERS = "services/customer/suppliers-number"
INCLUDE_INFO = Param("include_info", Kind.FLAG, False, help="explain each setting")
OPTION = "[{key, value, type, label, readonly, default, info?, min?, max?, possible_values?}]"


@method(
    Route("GET", "/config/get/v1", ("/c/g",)),
    Route("GET", "/config/get/{key:path}/v1", ("/c/g/{key:path}",)),
    params=(
        Param("key", help="such as logs/debug-level, or a folder such as logs", example="logs/debug-level"),
        INCLUDE_INFO,
    ),
    returns=OPTION,
    errors=("unknown-setting",),
)
def config_get(context: Context, key: str, include_info: bool) -> Envelope:
    """The value of one setting, or the settings in a folder."""
    settings, key = context.settings, key.strip("/")
    if key in settings:
        return listed([settings.describe(key, include_info)])
    children = settings.children(key) if key else []
    if not children:
        raise BitDustError("unknown-setting", f"there is no setting {key[:200]!r}; configs_list shows all")
    return listed(
        [settings.describe(child, include_info) if child in settings else _folder(child) for child in children]
    )


def _folder(key: str) -> dict[str, Any]:
    return {"key": key, "childs": True}


@method(
    Route("POST", "/config/set/v1", ("/c/s",)),
    Route("POST", "/config/set/{key:path}/v1", ("/c/s/{key:path}",)),
    params=(Param("key", example="logs/debug-level"), Param("value", Kind.SCALAR, example=8)),
    returns="[{key, value, old_value, type, label, readonly, default, effect?}]",
    errors=("unknown-setting", "bad-value", "read-only"),
    only_here=True,
)
def config_set(context: Context, key: str, value: Any) -> Envelope:
    """Change one setting. It is checked, saved, and takes effect at once; ``effect`` says of another number of
    suppliers what that starts while files are stored."""
    settings = context.settings
    before = settings.describe(key)["value"]
    settings.set(key, value)
    row = settings.describe(key) | {"old_value": before}
    effect = context.suppliers.change() if key == SUPPLIERS and context.driver.is_on("customer") else ""
    return listed([row | {"effect": effect} if effect else row])


@method(
    Route("GET", "/config/list/v1", ("/c/l",)),
    params=(Param("sort", Kind.FLAG, False), INCLUDE_INFO),
    returns=OPTION,
)
def configs_list(context: Context, sort: bool, include_info: bool) -> Envelope:
    """All settings."""
    keys = context.settings.keys()
    return listed([context.settings.describe(key, include_info) for key in (sorted(keys) if sort else keys)])


@method(
    Route("GET", "/config/tree/v1", ("/c/t",)),
    params=(INCLUDE_INFO,),
    returns="{folder: {folder: {name: option}}}",
)
def configs_tree(context: Context, include_info: bool) -> Envelope:
    """All settings as folders in folders, each leaf one setting."""
    tree: dict[str, Any] = {}
    for key in context.settings.keys():  # noqa: SIM118 - settings are no dictionary
        *folders, name = key.split("/")
        place = tree
        for folder in folders:
            place = place.setdefault(folder, {})
        place[name] = context.settings.describe(key, include_info)
    return ok(tree)
