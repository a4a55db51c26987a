"""The formats of IPFS, without a node: MB/s of building and reading files, entries a second of directories.

    python -m benchmarks formats [--megabytes N]

CPU seconds of one process count, the best of three runs; bytes come in pieces of 8 KiB, as from the Python client.
"""

import argparse
import hashlib
import os
import time
from collections.abc import Callable
from typing import TypeVar

from bitdust.ipld import car, changes, dagcbor, directory, hamt
from bitdust.ipld.building import FileBuilder, Recipe
from bitdust.ipld.cid import Block, Cid
from bitdust.ipld.dagpb import Link
from bitdust.ipld.naming import Naming
from bitdust.ipld.reading import FileReader
from bitdust.ipld.steps import run

PIECE = 8192
ENTRIES = 20_000
Store = dict[Cid, bytes]
T = TypeVar("T")
RECIPES = {
    "balanced": Recipe(),
    "balanced, raw leaves": Recipe(Naming(1), raw_leaves=True),
    "trickle": Recipe(trickle=True),
    "buzhash": Recipe(chunker="buzhash"),
    "rabin": Recipe(chunker="rabin"),
}


def measured(name: str, amount: float, unit: str, work: Callable[[], T]) -> T:
    """Print how much of it is done in a CPU second."""
    best = float("inf")
    for _ in range(3):
        begun = time.process_time()
        result = work()
        best = min(best, time.process_time() - begun)
    print(f"| {name} | {amount / best:,.0f} {unit} |", flush=True)
    return result


def build(recipe: Recipe, data: bytes) -> tuple[Cid, Store]:
    """A file in memory."""
    builder, store = FileBuilder(recipe), {}
    for start in range(0, len(data), PIECE):
        store.update(builder.feed(data[start : start + PIECE]))
    store.update(builder.finish())
    return builder.root.cid, store


def read(root: Cid, store: Store) -> int:
    """Bytes of a file, read to its end."""
    reader, count = FileReader(root), 0
    while wanted := reader.wanted():
        count += len(reader.give(store[wanted[0]]))
    return count


def listed(root: Cid, store: Store) -> int:
    """Entries of a directory."""
    listing, count = directory.Listing(root), 0
    while wanted := listing.wanted():
        count += len(listing.give(store[wanted[0]]))
    return count


def unpacked(data: bytes) -> int:
    """Blocks of a CAR file."""
    reader, count = car.CarReader(), 0
    for start in range(0, len(data), 1 << 16):
        count += len(reader.feed(data[start : start + (1 << 16)]))
    reader.finish()
    return count


def files(data: bytes) -> None:
    """Building, reading, packing."""
    size = len(data) / 1e6
    measured("sha256 alone", size, "MB/s", lambda: hashlib.sha256(data).digest())
    for name, recipe in RECIPES.items():
        root, store = measured(f"build, {name}", size, "MB/s", lambda recipe=recipe: build(recipe, data))
        if recipe.chunker == "":
            measured(f"read, {name}", size, "MB/s", lambda root=root, store=store: read(root, store))
    packed = car.header([root]) + b"".join(car.section(Block(cid, block)) for cid, block in store.items())
    measured("read a CAR file, each block checked", len(packed) / 1e6, "MB/s", lambda: unpacked(packed))


def directories() -> None:
    """Shards: made, listed, changed."""
    target = Cid.v0(b"")
    links = [Link(target, f"file-{number}", 5) for number in range(ENTRIES)]
    every = measured("shards, made", ENTRIES, "entries/s", lambda: list(hamt.build(Naming(), links)))
    root, store = every[-1].part.cid, {made.block.cid: made.block.data for made in every}
    measured("shards, listed", ENTRIES, "entries/s", lambda: listed(root, store))
    more = [Link(target, f"new {number}") for number in range(200)]
    get = store.__getitem__
    measured("shards, one entry more", 200, "changes/s", lambda: [run(changes.put(root, one), get) for one in more])
    few = links[:5000]
    flat = measured("one block of 5000 entries, made", 5000, "entries/s", lambda: directory.flat(Naming(), few))
    store[flat.part.cid] = flat.block.data
    measured("one block of 5000 entries, listed", 5000, "entries/s", lambda: listed(flat.part.cid, store))


def values() -> None:
    """dag-cbor."""
    records = [{"id": one, "name": f"record {one}", "ok": True, "x": one / 3, "l": Cid.of(b"")} for one in range(1000)]
    data = measured("dag-cbor, written", 1000, "records/s", lambda: dagcbor.encode(records))
    measured("dag-cbor, read", 1000, "records/s", lambda: dagcbor.decode(data))


def main(arguments: list[str]) -> int:
    """Measure all of it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks formats", description=__doc__)
    parser.add_argument("--megabytes", type=int, default=64)
    data = os.urandom(parser.parse_args(arguments).megabytes * 1_000_000)
    print("| what | in a CPU second |\n|---|---|")
    files(data)
    directories()
    values()
    return 0
