"""The operations of a catalog log: what each holds, and its limits (``docs/formats.md``, section 7).

An operation says what became true; all of them together, in whichever order they arrive, make one catalog.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, ClassVar

from attrs import asdict
from cbor2 import loads

from bitdust.crypt.ring_room import MAX_NAME
from bitdust.formats.extras import EXTRAS, NO_EXTRAS, Extras
from bitdust.wire.encoding import Value, WireError, encode
from bitdust.wire.names import is_entry_name, is_moment, is_path_id, is_version, split_version
from bitdust.wire.records import MAX_COVERED, PackRecord, Scheme
from bitdust.wire.schema import Bytes, Choice, Flag, Int, ListOf, Optional, Schema, Struct, Text, Variant

MAX_OPS_BYTES = 700 * 1024
"""Encoded operations of one entry: with seal and frame an entry stays under 1 MiB, however badly it packs."""
MAX_EXTENTS_PER_OP = 20_000
MAX_MESSAGE = 600 * 1024
"""Bytes of what is said to a group at once: it fits an entry."""
ITEM_TYPES = ("file", "folder", "link")
LEAST_TIME = -(2**63)
Op = dict[str, Any]


def _is_path_or_version(text: str) -> bool:
    path, version = split_version(text)
    return is_path_id(path) and (version is None or is_version(version))


class _Extent:
    """``[pack, first chunk, count]``."""

    items: ClassVar[int] = 4

    def check(self, value: Value, path: str) -> None:
        if type(value) is not list or [type(part) for part in value] != [bytes, int, int]:
            raise WireError("bad-field", f"{path}: an extent is pack, first chunk, count")
        if len(value[0]) != 16 or not 0 <= value[1] < 2**31 or not 0 < value[2] < 2**31:
            raise WireError("bad-field", f"{path}: an extent out of range")


MOST_CHUNKS = 100_000
"""In a pack."""
_PATH = Text(4096, is_path_id)
_PARENT = Text(4096, lambda text: text == "" or is_path_id(text))
_VERSION = Text(40, is_version)
_KEY = Text(300)
_PACK = {
    "pack": Bytes(16),
    "size": PackRecord.FIELDS["size"],
    "scheme": PackRecord.FIELDS["scheme"],
    "roots": PackRecord.FIELDS["roots"],
    "key": _KEY,
    "epoch": Int(1, MAX_NAME),
    "names": Bytes(0, 16 * MOST_CHUNKS),
    "lengths": ListOf(Int(0, 256 * 1024), MOST_CHUNKS),
    "scope": PackRecord.FIELDS["scope"],
    "guest": Optional(Flag()),
}
_HEAD = Struct({"device": Bytes(8), "sequence": Int(1), "hash": Bytes(32)})
_PLAIN: dict[str, dict[str, Schema]] = {
    "pack": _PACK,
    "item": {
        "path": _PATH,
        "parent": _PARENT,
        "name": Bytes(1, 255),
        "type": Choice(ITEM_TYPES),
        "key": _KEY,
        "time": Int(),
    },
    "version": {
        "path": _PATH,
        "version": _VERSION,
        "size": Int(),
        "mode": Int(0, 0o7777),
        "mtime": Int(LEAST_TIME),
        "extents": Optional(ListOf(_Extent(), MAX_EXTENTS_PER_OP)),
        "start": Optional(Int(1, 2**31)),
        "target": Optional(Bytes(1, 4096)),
        "extras": Optional(Struct(EXTRAS)),
    },
    "gone": {"path": _PATH, "version": _VERSION},
    "tombstone": {
        "names": ListOf(Text(4200, _is_path_or_version), 20_000),
        "packs": ListOf(Bytes(16), 20_000),
        "time": Int(),
        "places": Optional(ListOf(_PATH, 20_000)),
    },
    "label": {"path": _PATH, "label": Text(800)},
    "move": {"pack": Bytes(16), "to": Bytes(16)},
    "message": {"key": _KEY, "body": Bytes(1, MAX_MESSAGE)},
}
_EARLIER: dict[str, Schema] = {
    "lamport": Int(1),
    "device": Bytes(8),
    "sequence": Int(),
    "ops": ListOf(Variant("op", _PLAIN), 200_000),
}
OP = Variant(
    "op",
    _PLAIN | {"snapshot": {"heads": ListOf(_HEAD, MAX_COVERED)}, "earlier": _EARLIER},
)
OPS = ListOf(OP, 200_000)


def without_traps(ops: list[Op]) -> list[Op]:
    """These operations but for items whose names lead elsewhere, or whose path ids do, so that folders would be inside
    each other, versions of moments that there are not, and packs that could not be read again: whoever stole a device
    may have written them.

    The rest of the log counts all the same: nobody is to hide it by one name.
    """
    found = [op | {"ops": without_traps(op["ops"])} if op["op"] == "earlier" else op for op in ops]
    return [op for op in found if not _is_trap(op)]


def _is_trap(op: Op) -> bool:
    if op["op"] == "item":
        return not is_entry_name(op["name"]) or op["path"].rpartition("/")[0] != op["parent"]
    if op["op"] in ("version", "gone"):
        return not is_moment(op["version"])
    if op["op"] != "pack":
        return False
    try:
        PackRecord.from_body(record_of(op, bytes(32)).to_body())
    except WireError:
        return True
    return False


def check_names(ops: list[Op]) -> None:
    """Raises `WireError` for an item or a pack that nobody would take over."""
    if without_traps(ops) != ops:
        text = "the name of an item holds '/' or a null character, or is '.' or '..', or a place or moment is none"
        raise WireError("bad-field", text)


def pack_op(record: PackRecord, key: str, epoch: int, names: bytes, lengths: list[int]) -> Op:
    """A pack that was sealed; the owner is the entry's."""
    op: Op = {
        "op": "pack",
        "pack": record.pack,
        "size": record.size,
        "scheme": asdict(record.scheme),
        "roots": list(record.roots),
        "key": key,
        "epoch": epoch,
        "names": names,
        "lengths": lengths,
    }
    return op if record.scope is None else op | {"scope": record.scope}


def record_of(op: Op, owner: bytes) -> PackRecord:
    """The pack record that a ``pack`` operation tells. Raises `WireError` when its lists do not fit together."""
    if len(op["names"]) != 16 * len(op["lengths"]) or len(op["roots"]) != op["scheme"]["n"]:
        raise WireError("bad-field", "a pack operation whose lists have different lengths")
    return PackRecord(owner, op["pack"], op["size"], Scheme(**op["scheme"]), list(op["roots"]), op.get("scope"))


def pack_op_of_row(record: bytes, key: str, epoch: int, names: bytes, lengths: bytes) -> Op:
    """The same from a row of the catalog."""
    return pack_op(PackRecord.from_body(bytes(record)), key, epoch, bytes(names), loads(lengths))


def item_op(path: str, parent: str, name: bytes, kind: str, key: str, time: int) -> Op:
    """A new place in the catalog; ``time`` in milliseconds."""
    return {"op": "item", "path": path, "parent": parent, "name": name, "type": kind, "key": key, "time": time}


def version_ops(
    path: str,
    version: str,
    size: int,
    mode: int,
    mtime: int,
    extents: list[list[Any]] | None = None,
    target: bytes | None = None,
    extras: Extras = NO_EXTRAS,
) -> list[Op]:
    """A version; a very long list of extents goes on in further operations, each with the ``start`` of its part."""
    head: Op = {"op": "version", "path": path, "version": version, "size": size, "mode": mode & 0o7777, "mtime": mtime}
    if extras != NO_EXTRAS:
        head["extras"] = extras.to_value()
    if target is not None:
        return [head | {"target": target}]
    if extents is None:
        return [head]
    parts = [extents[start : start + MAX_EXTENTS_PER_OP] for start in range(0, len(extents), MAX_EXTENTS_PER_OP)]
    ops = [head | {"extents": part} for part in parts or [[]]]
    for number, op in enumerate(ops[1:], 1):
        op["start"] = number * MAX_EXTENTS_PER_OP
        op.pop("extras", None)
    return ops


def gone_op(path: str, version: str) -> Op:
    """The item was no longer in its source at that version."""
    return {"op": "gone", "path": path, "version": version}


def tombstone_op(names: list[str], packs: list[bytes], time: int, places: Sequence[str] = ()) -> Op:
    """Path ids, or ``path id/version``, and packs that are no longer wanted; ``time`` in milliseconds.

    Of ``places`` the versions stay, and the item with them: it goes when none is left.
    """
    op: Op = {"op": "tombstone", "names": names, "packs": packs, "time": time}
    return op | {"places": list(places)} if places else op


def move_op(pack: bytes, to: bytes) -> Op:
    """Another pack, which was said before, holds the same chunks in the same order and takes the place of one."""
    return {"op": "move", "pack": pack, "to": to}


def message_op(key: str, body: bytes) -> Op:
    """Something that was said to a group, in the form of `bitdust.wire.messages.Message`."""
    return {"op": "message", "key": key, "body": body}


def earlier_op(lamport: int, device: bytes, sequence: int, ops: list[Op]) -> Op:
    """Operations that were said before, at that place of the order; a snapshot is made of them."""
    return {"op": "earlier", "lamport": lamport, "device": device, "sequence": sequence, "ops": ops}


def snapshot_op(heads: list[dict[str, Any]]) -> Op:
    """The first operation of a snapshot: it stands for all logs up to ``heads``."""
    return {"op": "snapshot", "heads": heads}


def batches(ops: Iterable[Op], most: int = MAX_OPS_BYTES) -> Iterator[list[Op]]:
    """Operations in order, as many in a batch as one entry holds, or as have ``most`` bytes together."""
    batch: list[Op] = []
    size = 0
    for op in ops:
        length = len(encode(op))
        if batch and size + length > most:
            yield batch
            batch, size = [], 0
        batch.append(op)
        size += length
    if batch:
        yield batch
