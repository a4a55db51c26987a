"""Settings and keys, as of 2016: values are texts, and a type is told beside each."""

from typing import Any

from bitdust.api import keys
from bitdust.api.arguments import Kind
from bitdust.api.context import Context
from bitdust.api.envelope import Envelope, listed
from bitdust.api.table import Param
from bitdust.api.year2016.shapes import method_2016
from bitdust.wire.errors import BitDustError

OPTION = "[{key, value, type}]"
KEY = Param("key", help="such as logs/debug-level", example="logs/debug-level")


def _row(context: Context, key: str) -> dict[str, Any]:
    settings = context.settings
    return {"key": settings.option(key).key, "value": settings.get_text(key), "type": _type(context, key)}


def _type(context: Context, key: str) -> str:
    label = str(context.settings.describe(key)["type"])
    return "positive integer" if label == "integer" else label


@method_2016(
    params=(KEY, Param("default", Kind.SCALAR, None, help="the value to answer where there is no such setting")),
    returns=OPTION,
    errors=("unknown-setting",),
)
def config_get(context: Context, key: str, default: Any) -> Envelope:
    """The value of one setting; of one that does not exist, the default that was given."""
    key = key.strip("/")
    if key not in context.settings and default is not None:
        return listed([{"key": key, "value": str(default), "type": "unknown"}])
    return listed([_row(context, key)])


@method_2016(
    params=(
        KEY,
        Param("value", Kind.SCALAR, example="10"),
        Param("typ", default=None, help="checked where it is given: the type that config_list shows for this setting"),
    ),
    returns="[{key, value, old_value, type}]",
    errors=("unknown-setting", "bad-value", "read-only"),
    only_here=True,
)
def config_set(context: Context, key: str, value: Any, typ: str | None) -> Envelope:
    """Change one setting. It is checked, saved, and takes effect at once."""
    settings, before = context.settings, _row(context, key)
    if typ is not None and typ.replace(" ", "") not in (before["type"].replace(" ", ""), settings.option(key).type):
        raise BitDustError("bad-value", f"{before['key']} is of the type {before['type']!r}, not {typ[:80]!r}")
    settings.set(key, value)
    return listed([_row(context, key) | {"old_value": before["value"]}])


@method_2016(params=(Param("sort", Kind.FLAG, False, help="by key"),), returns=OPTION)
def config_list(context: Context, sort: bool) -> Envelope:
    """All settings."""
    known = context.settings.keys()
    return listed([_row(context, key) for key in (sorted(known) if sort else known)])


@method_2016(
    params=(
        Param(
            "key_id",
            aliases=("key_alias", "alias"),
            help="the alias of the new key, or its whole key id",
            example="travels",
        ),
        Param("key_size", Kind.INTEGER, 4096, help="1024, 2048, 3072 or 4096; nothing under 2048 is made"),
    ),
    service="keys_registry",
    returns=f"[{keys.KEY}]",
    errors=("key-exists", "bad-key-id", "bad-name"),
)
async def key_create(context: Context, key_id: str, key_size: int) -> Envelope:
    """Make an RSA key and storage secrets of its own for files that belong together."""
    alias = keys.ring_name(context, key_id)
    made = await keys.key_create.call(context, alias, key_size, "", True, False)
    return listed([made["result"]])
