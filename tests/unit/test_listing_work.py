"""Listing a folder costs what the folder holds, not what the catalog holds; counted in statements, not in seconds."""

import re
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from bitdust.formats.operations import item_op, version_ops
from bitdust.storage.catalog.apply import Stamp, apply_all
from bitdust.storage.catalog.database import open_catalog
from bitdust.storage.catalog.paths import Target, by_path
from bitdust.storage.catalog.rows import Owner, Rows

STAMP = Stamp(b"o" * 32, "master", 1, b"d" * 8, 1)
GIVEN = re.compile(r"SCAN json_each VIRTUAL TABLE|SCAN .*\(")
"""What a statement was given, and what it found by an index."""
VERSION = "F20261121034159123-0"


class ListingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.database = open_catalog(Path(self.mktemp()) / "catalog.db")
        self.database.execute("PRAGMA synchronous=OFF")
        self.addCleanup(self.database.close)
        self.said: list[str] = []

    def fill(self, path: str, parent: str, name: str, files: int, kind: str = "folder") -> None:
        ops = [item_op(path, parent, name.encode(), kind, "master", 0)]
        for number in range(files):
            ops.append(item_op(f"{path}/{number}", path, b"file-%d" % number, "file", "master", 0))
            ops += version_ops(f"{path}/{number}", VERSION, 10, 0o644, 0, [])
        self.database.execute("BEGIN")
        apply_all(self.database, ops, STAMP)
        self.database.execute("COMMIT")

    def statements(self, name: str) -> tuple[int, int]:
        """Rows of a folder, and statements that made them."""
        item = by_path(self.database, "master", name)
        self.said = []
        self.database.set_trace_callback(self.said.append)
        rows = Rows(self.database, Owner("alice@host", "http://host/alice.xml", 4, lambda *_: 4)).listed(
            Target("master", item), False
        )
        self.database.set_trace_callback(None)
        return len(rows), len(self.said)

    def test_work_of_a_folder(self) -> None:
        """A hundred files deep in a large catalog take a dozen statements together, as many as in a small one."""
        self.fill("0", "", "top", 0)
        self.fill("0/0", "0", "middle", 0)
        self.fill("0/0/0", "0/0", "deep", 100)
        rows, few = self.statements("top/middle/deep")
        self.assertEqual(rows, 100)
        self.assertLessEqual(few, 20)
        for number in range(1, 60):
            self.fill(str(number), "", f"other-{number}", 20)
        self.assertEqual(self.statements("top/middle/deep"), (rows, few))

    def test_no_statement_reads_everything(self) -> None:
        """Every statement finds its rows by an index."""
        for number in range(20):
            self.fill(str(number), "", f"folder-{number}", 5)
        self.statements("folder-7")
        for statement in set(self.said):
            plan = self.database.execute(f"EXPLAIN QUERY PLAN {statement}").fetchall()
            scans = [row[3] for row in plan if row[3].startswith("SCAN") and not GIVEN.match(row[3])]
            self.assertEqual(scans, [], statement)
