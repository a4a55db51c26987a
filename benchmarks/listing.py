"""Rows of a catalog of 100,000 files, without a node: how long each kind of list takes, and how much memory.

    python -m benchmarks listing --folders 1000 --files 100

Files lie in folders of one tree and share packs, as one upload makes them; every tenth folder has a second version.
"""

import argparse
import hashlib
import resource
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from bitdust.formats.operations import Op, item_op, pack_op, version_ops
from bitdust.storage.catalog.apply import Stamp, apply_all
from bitdust.storage.catalog.database import open_catalog
from bitdust.storage.catalog.paths import Target, by_path
from bitdust.storage.catalog.rows import Owner, Rows
from bitdust.web.render import pretty
from bitdust.wire.records import PackRecord, Scheme

FIRST, SECOND = "F20261121034159123-0", "F20261122034159123-0"
OWNER, DEVICE = b"o" * 32, b"d" * 8
FILES_OF_A_PACK = 2000
ME = Owner("alice@host", "http://host/alice.xml", 4, lambda *_: 4)


def catalog(path: Path, folders: int, files: int) -> sqlite3.Connection:
    """A catalog of one tree."""
    database = open_catalog(path)
    database.execute("PRAGMA synchronous=OFF")
    database.execute("BEGIN")
    apply_all(database, packs(folders * files), Stamp(OWNER, 1, DEVICE, 1))
    apply_all(database, [item_op("0", "", b"tree", "folder", "master", 0), *version_ops("0", FIRST, 0, 0o755, 0)],
              Stamp(OWNER, 2, DEVICE, 2))  # fmt: skip
    for number in range(folders):
        apply_all(database, folder(number, files), Stamp(OWNER, 3 + number, DEVICE, 3 + number))
    database.execute("UPDATE packs SET acked=n")
    database.execute("INSERT INTO local_paths VALUES('0', ?)", (b"/home/alice/tree",))
    database.execute("COMMIT")
    return database


def pack_id(number: int) -> bytes:
    return hashlib.sha256(b"%d" % number).digest()[:16]


def packs(files: int) -> list[Op]:
    made = []
    for number in range(files // FILES_OF_A_PACK + 1):
        names = b"".join(hashlib.sha256(b"%d %d" % (number, one)).digest()[:16] for one in range(FILES_OF_A_PACK))
        record = PackRecord(OWNER, pack_id(number), 30 * FILES_OF_A_PACK, Scheme(2, 4), [b"r" * 32] * 4)
        made.append(pack_op(record, "master", 1, names, [30] * FILES_OF_A_PACK))
    return made


def folder(number: int, files: int) -> list[Op]:
    path = f"0/{number}"
    ops = [item_op(path, "0", b"folder-%04d" % number, "folder", "master", 0), *version_ops(path, FIRST, 0, 0o755, 0)]
    for name in range(files):
        one, place = f"{path}/{name}", number * files + name
        extents = [[pack_id(place // FILES_OF_A_PACK), place % FILES_OF_A_PACK, 1]]
        ops.append(item_op(one, path, b"file-%03d.txt" % name, "file", "master", 0))
        ops += version_ops(one, FIRST, 30, 0o644, 0, extents)
        if number % 10 == 9:
            ops += version_ops(one, SECOND, 31, 0o644, 0, extents)
    return ops


def timed(call: Callable[[], Any], times: int) -> tuple[float, Any]:
    """Median milliseconds, and the last result."""
    took, result = [], None
    for _ in range(times):
        result = None
        begin = time.perf_counter()
        result = call()
        took.append(1000 * (time.perf_counter() - begin))
    return statistics.median(took), result


def main(arguments: Sequence[str]) -> int:
    """Print a line a figure."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks listing", description=__doc__)
    parser.add_argument("--folders", type=int, default=1000)
    parser.add_argument("--files", type=int, default=100)
    parser.add_argument("--repeat", type=int, default=5)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="bitdust-listing-") as base:
        path = Path(base) / "catalog.db"
        database = catalog(path, options.folders, options.files)
        tree = Target("master", by_path(database, "master", "tree"))
        small = Target("master", by_path(database, "master", "tree/folder-0009"))
        for name, target, recursive, times in (
            ("a folder", small, False, 20),
            ("the top, one row", Target("", None), False, options.repeat),
            ("the folder of all folders", tree, False, options.repeat),
            ("everything", Target("", None), True, 1),
        ):
            took, rows = timed(lambda target=target, deep=recursive: Rows(database, ME).listed(target, deep), times)
            digest = hashlib.sha256(repr(rows).encode()).hexdigest()[:16]
            print(f"{name:32} {took:9.1f} ms {len(rows):7} rows {digest}")
        took, answer = timed(lambda: pretty({"result": rows}), 1)
        print(f"{'everything, as JSON':32} {took:9.1f} ms {len(answer):>10} bytes")
        print(f"{'peak memory':32} {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:9.1f} MiB")
        database.close()
    return 0
