"""What callers of 2016 name: items by path id, versions by backup id, both by the local path that they stand for."""

from bitdust.api import paths
from bitdust.api.context import Context
from bitdust.api.table import Param
from bitdust.storage.catalog.paths import Item, Target, parse_id
from bitdust.wire.errors import BitDustError
from bitdust.wire.names import is_path_id

KEY_ID = Param("key_id", default=None, help="a key of yours, by alias or key id; your master key if left out")
LOCAL = "absolute path on the node's machine"


def item_of(target: Target, text: str) -> Item:
    """The item of a target. Raises ``bad-name`` where that is a whole catalog."""
    if target.item is None:
        raise BitDustError("bad-name", f"{text[:200]!r} names the whole catalog; name a file or a folder in it")
    return target.item


def at_local_path(context: Context, text: str, name: str) -> Item:
    """The item for a local path. Raises ``bad-path``, ``not-found``."""
    local = paths.local_path(text, name)
    item = context.storage.mirror.locate(local)
    if item is None:
        raise BitDustError("not-found", f"nothing was added or uploaded from {str(local)!r}; backups_list shows all")
    return item


def by_id_or_local_path(context: Context, text: str, name: str) -> Target:
    """The target of a path id, a backup id, or a local path."""
    if text.startswith("/"):
        item = at_local_path(context, text, name)
        return Target(item.key, item)
    return context.storage.find_id(text)


def anywhere(context: Context, text: str, name: str) -> Target:
    """The same, or a path in the catalog."""
    known = text.startswith("/") or is_path_id(parts_of(text))
    return by_id_or_local_path(context, text, name) if known else context.storage.find(text)


def parts_of(text: str) -> str:
    """A path id or backup id without its version; anything else as it is."""
    try:
        return parse_id(text)[0]
    except BitDustError:
        return text
