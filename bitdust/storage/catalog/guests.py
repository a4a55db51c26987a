"""What somebody who was let into a key may say in its log: of what it made itself, and never of what others made.

A guest adds items under its own numbers, versions of any item, and packs under its own mark; it takes back what it has
made. Everything else that an entry of its log says is passed over, and so it does not matter in which order the entries
of several people come.
"""

from collections.abc import Iterable, Iterator

from bitdust.crypt.writers import DEVICES, Marks
from bitdust.formats.operations import Op, tombstone_op
from bitdust.wire.names import maker_of, split_version


def of_guest(ops: Iterable[Op], marks: Marks) -> Iterator[Op]:
    """Those operations, and parts of them, that count from the person with these ``marks``."""
    for op in ops:
        kind = op["op"]
        if kind == "tombstone":
            yield _tombstone(op, marks)
        elif (
            (kind == "pack" and marks.sealed(op["pack"]))
            or (kind == "item" and _is_in_place(op) and marks.made(op["path"]))
            or (kind == "version" and marks.made(op["version"]))
            or (kind == "gone" and marks.made(op["version"]) and marks.made(op["path"]))
            or (kind == "label" and marks.made(op["path"]))
        ):
            yield op


def is_guests(name: str) -> bool:
    """Whether a guest has made a version, or the item with a path id."""
    return maker_of(name) >= DEVICES


def _is_in_place(op: Op) -> bool:
    return bool(op["path"].rpartition("/")[0] == op["parent"])


def _tombstone(op: Op, marks: Marks) -> Op:
    versions = [(name, split_version(name)[1]) for name in op["names"]]
    mine = [name for name, version in versions if version is not None and marks.made(version)]
    items = [name for name, version in versions if version is None]
    places = [path for path in (*items, *(op.get("places") or ())) if marks.made(path)]
    return tombstone_op(mine, [], op["time"], places)
