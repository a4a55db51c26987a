"""Files become chunks: read once, cut by their content, named, and sealed for a moment to know their sealed names."""

import os
from collections.abc import Iterator

from attrs import frozen

from bitdust.folders.items import Local, Place
from bitdust.folders.keys import FolderKeys, sealed_name
from bitdust.folders.records import FILE, FOLDER, LONGEST_CHUNK, Entry
from bitdust.folders.tree import RACY, Tree, local_of
from bitdust.storage.packs.chunks import Sizes, chunks_of

KB, GB = 1024, 1024**3
SMALL = Sizes(16 * KB, 64 * KB, 256 * KB)
LARGE = Sizes(64 * KB, 256 * KB, LONGEST_CHUNK)
WINDOW = 4 * LONGEST_CHUNK
"""Bytes that are read at a time; more of them are in no cache any more when they are hashed and sealed."""
LARGEST = LARGE.largest
"""Bytes of a chunk."""


class Changing(OSError):
    """A file was changed while it was read: it is read again later, and nothing is said of it now."""


def sizes_for(size: int) -> Sizes:
    """How large chunks are: the same at all nodes, or they would have no chunk in common."""
    return SMALL if size <= GB else LARGE


@frozen
class _File:
    descriptor: int

    def read(self, length: int, /) -> bytes:
        parts = []
        while length and (part := os.read(self.descriptor, length)):
            parts.append(part)
            length -= len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)


def read_entry(tree: Tree, path: str, keys: FolderKeys, now: int) -> tuple[Local, Entry]:
    """What is at a path, whole. ``now`` in nanoseconds since the epoch.

    Raises `Changing`, `bitdust.folders.tree.Special`, `OSError`.
    """
    found = tree.look(path)
    if found is None:
        raise FileNotFoundError(path)
    if found.kind == FOLDER:
        entry = Entry(path, FOLDER)
    elif found.kind == FILE:
        return _read_file(tree, path, keys, now)
    else:
        entry = Entry(path, found.kind, found.mtime, target=tree.target(path))
    return _with(found, entry, now), entry


def _with(found: Local, entry: Entry, now: int) -> Local:
    racy = found.kind == FILE and now - max(found.ctime, found.mtime) < RACY
    return Local(
        found.path, found.kind, found.size, found.mtime, found.ctime, found.inode, found.executable, entry.content, racy
    )


def _read_file(tree: Tree, path: str, keys: FolderKeys, now: int) -> tuple[Local, Entry]:
    with tree.file(path) as descriptor:
        before = local_of(path, os.fstat(descriptor))
        ids, names, lengths = [], [], []
        for chunk in chunks_of(_File(descriptor), WINDOW, sizes_for(before.size)):
            ident = keys.chunk_id(chunk)
            ids.append(ident)
            names.append(sealed_name(keys.seal_chunk(ident, chunk)))
            lengths.append(len(chunk).to_bytes(4, "big"))
        after = local_of(path, os.fstat(descriptor))
    size = sum(int.from_bytes(one, "big") for one in lengths)
    if not before.looks_like(after) or size != after.size:
        raise Changing(f"{path} is being changed")
    entry = Entry(
        path, FILE, after.mtime, after.executable, b"".join(ids), b"".join(lengths), size, names=b"".join(names)
    )
    return _with(after, entry, now), entry


def read_place(tree: Tree, place: Place, keys: FolderKeys) -> bytes | None:
    """A chunk where it is said to be, None where something else is there by now."""
    try:
        with tree.file(place.path) as descriptor:
            return read_chunk(descriptor, place, keys)
    except OSError:
        return None


def read_chunk(descriptor: int, place: Place, keys: FolderKeys) -> bytes | None:
    """The same, of a file that is open."""
    try:
        chunk = os.pread(descriptor, place.length, place.offset)
    except OSError:
        return None
    return chunk if len(chunk) == place.length and keys.chunk_id(chunk) == place.id else None


def ranges(entry: Entry) -> Iterator[tuple[bytes, bytes, int, int]]:
    """Id, name, offset and length of each chunk of a file."""
    offset = 0
    for ident, name, length in entry.chunks():
        yield ident, name, offset, length
        offset += length
