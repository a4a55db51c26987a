"""What others bring to a share and take back, as events of this node."""

from collections.abc import Iterable, Iterator
from typing import Any, Protocol

from bitdust.crypt.device import device_id
from bitdust.formats.operations import Op
from bitdust.peers.shown import Names
from bitdust.storage.catalog.view import CatalogView
from bitdust.surroundings import Connected
from bitdust.wire.errors import BitDustError
from bitdust.wire.names import split_version

CHANGED = "share-file-changed"
AT_ONCE = 100
"""Events for what came in one go; how many more there were is in the last of them."""


class HasDevices(Protocol):
    """A grant, or a writer."""

    @property
    def holder(self) -> bytes: ...

    @property
    def devices(self) -> frozenset[bytes]: ...


class News:
    """I send them."""

    def __init__(self, around: Connected) -> None:
        self._events = around.events
        self._identities = around.identities

    def report(self, view: CatalogView, key_id: str, ops: Iterable[Op], who: bytes) -> None:
        """Of what somebody has written in a share: one event for each version and each deletion."""
        names = Names.of(self._identities, who)
        by = {"fingerprint": who.hex(), "global_id": names.global_id}
        rows = list(_rows(ops))
        for number, row in enumerate(rows[:AT_ONCE], 1):
            more = {"more": len(rows) - AT_ONCE} if number == AT_ONCE < len(rows) else {}
            data = {"key_id": key_id, **row, "remote_path": _shown(view, key_id, row["path_id"])}
            self._events.send(CHANGED, {**data, **by, **more})


def _rows(ops: Iterable[Op]) -> Iterator[dict[str, Any]]:
    for op in ops:
        if op["op"] == "version" and not op.get("start"):
            yield {"event": "stored", "path_id": op["path"], "version": op["version"], "size": op["size"]}
        elif op["op"] == "tombstone":
            for name in (*op["names"], *(op.get("places") or ())):
                path, version = split_version(name)
                yield {"event": "deleted", "path_id": path, "version": version or ""}


def _shown(view: CatalogView, key_id: str, path_id: str) -> str:
    """The path of an item, or its id where it is gone."""
    try:
        item = view.find_id(f"{key_id}:{path_id}").item
    except BitDustError:
        item = None
    return str(view.row(item)["remote_path"]) if item is not None else f"{key_id}:{path_id}"


def writer_of(known: Iterable[HasDevices], device: bytes) -> bytes | None:
    """Whose a device is, of those who may write or might; None for nobody's."""
    return next((one.holder for one in known if any(device_id(key) == device for key in one.devices)), None)
