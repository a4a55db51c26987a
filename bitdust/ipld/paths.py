"""Following a path from a root: through names of directories, keys of maps and places of lists, across links."""

from collections.abc import Sequence
from typing import NamedTuple

from bitdust.ipld import codecs, dagpb, directory, unixfs
from bitdust.ipld.cid import DAG_PB, Cid
from bitdust.ipld.dagcbor import Value
from bitdust.ipld.dagpb import Link
from bitdust.ipld.errors import FormatError, too_large
from bitdust.ipld.steps import Steps
from bitdust.ipld.unixfs import Kind

LONGEST = 1024
"""Names of a path."""


class Found(NamedTuple):
    """Where a path ends: the last block, and what of the path leads on inside it."""

    cid: Cid
    rest: tuple[str, ...] = ()


def follow(root: Cid, names: Sequence[str]) -> Steps[Found]:
    """The end of a path, without reading the block it leads to; code ``absent`` where a name is missing.

    A dag-pb node is asked for the name of a link first, in shards too, and for its ``Data`` and ``Links`` then.
    """
    if len(names) > LONGEST:
        raise too_large(f"a path of more than {LONGEST} names")
    here, left = root, list(names)
    while left:
        data = yield here
        entry = (yield from _entry(data, left[0])) if here.codec == DAG_PB else None
        if entry is not None:
            here = entry.cid
            del left[0]
            continue
        value, used = codecs.decode(here, data), 0
        while used < len(left) and not isinstance(value, Cid):
            value = _step(here, value, left[used])
            used += 1
        if not isinstance(value, Cid):
            return Found(here, tuple(left))
        here = value
        del left[:used]
    return Found(here)


def value_at(found: Found) -> Steps[Value]:
    """What stands at the end of a path."""
    value = codecs.decode(found.cid, (yield found.cid))
    for name in found.rest:
        value = _step(found.cid, value, name)
    return value


def _entry(data: bytes, name: str) -> Steps[Link | None]:
    """What a dag-pb node links to under a name; one that is no directory may have names as well."""
    node = dagpb.decode(data)
    try:
        meaning = unixfs.decode(node.data)
    except FormatError:
        meaning = unixfs.FOLDER
    if meaning.kind == Kind.HAMT:
        return (yield from directory.search(node, meaning, name))
    return next((link for link in node.links if name and link.name == name), None)


def _step(cid: Cid, value: Value, name: str) -> Value:
    if isinstance(value, dict) and name in value:
        return value[name]
    if isinstance(value, list) and name.isascii() and name.isdigit() and len(name) < 10 and int(name) < len(value):
        return value[int(name)]
    raise FormatError("absent", f'no link named "{name}" under {cid}')
