"""Whoever may write into a log writes what schemas allow and nobody could use: all the rest counts all the same."""

import os
from types import SimpleNamespace
from typing import Any
from unittest import mock

from bitdust.crypt.keyring import MASTER
from bitdust.formats import log_entry
from bitdust.formats.operations import earlier_op, gone_op, item_op, pack_op, tombstone_op, version_ops
from bitdust.storage.catalog import apply, catalog
from bitdust.storage.catalog.paths import Target, versions
from bitdust.storage.restore.plan import Planner
from bitdust.storage.restore.tree import LEFT_OUT, OLDER
from bitdust.wire.encoding import WireError
from bitdust.wire.errors import BitDustError
from bitdust.wire.records import PackRecord, Scheme
from tests.unit.storage_kit import Node, random_file, stop_quietly
from tests.unit.test_other_devices import OtherDeviceCase

VERSION = "F20991231235959999-1"


def pack(k: int, n: int, roots: int, names: int = 1) -> dict[str, Any]:
    record = PackRecord(b"o" * 32, os.urandom(16), 1000, Scheme(k, n), [b"r" * 32] * roots)
    return pack_op(record, MASTER, 1, b"n" * 16 * names, [100])


POISON = (
    pack(2, 4, 4, names=2),
    pack(2, 4, 3),
    pack(4, 4, 4),
    tombstone_op([], [], 1) | {"places": None},
    item_op("5", "6", b"inside the other", "folder", MASTER, 1),
    item_op("6", "5", b"inside the other", "folder", MASTER, 1),
    item_op("7", "7", b"inside itself", "folder", MASTER, 1),
    *(op for digits in ("99999999999999999", "20261399000000000", "99991231235959999")
      for op in (gone_op("20", f"F{digits}-1"), *version_ops("20", f"F{digits}-1", 10, 0o600, 1, []))),
)


class PoisonTests(OtherDeviceCase):
    """A second device was stolen, and writes by a program of its own."""

    def setUp(self) -> None:
        super().setUp()
        self.thief = self.second()
        self.node.me.replace_document(self.thief.me.document)
        self.patch(log_entry, "check_names", lambda ops: None)
        self.good = item_op("20", "", b"good", "file", MASTER, 1)

    def write(self, *ops: Any) -> None:
        """The thief's own catalog takes nothing of it."""
        with mock.patch.object(catalog, "apply_all"):
            self.thief.wait(self.thief.storage.core.log_writer.write(lambda database: list(ops)))

    def compare(self) -> None:
        self.thief.pass_time(5)
        self.core.log_replicas.pull_again()
        self.node.pass_time(5)

    def names(self) -> list[str]:
        return [row["path"] for row in self.node.rows()]

    def test_each(self) -> None:
        """No such operation keeps anything else of its log out of the catalog, not even in what is repeated."""
        for op in POISON:
            self.write(op, earlier_op(1, b"d" * 8, 1, [op]))
        self.write(self.good)
        self.compare()
        self.assertEqual(self.names(), ["good", "one", "three", "two"])

    def test_none_is_sealed(self) -> None:
        """A node that is honest never writes one."""
        self.doCleanups()
        for op in (*POISON[:3], *POISON[4:]):
            self.assertRaises(WireError, log_entry.check_names, [op])

    def test_what_nobody_has_thought_of(self) -> None:
        """An operation that cannot be applied holds up the log that it is in, and no other one."""
        third = Node(self.base / "third", self.around, self.node.clock, before=self.thief)
        self.addCleanup(stop_quietly, third)
        third.start().pass_time(5)
        self.node.me.replace_document(third.me.document)
        self.write({"op": "label", "path": "20", "label": "x"})
        third.create("of another device")
        with mock.patch.dict(apply._APPLY, {"label": mock.Mock(side_effect=TypeError("nobody has thought of this"))}):
            self.compare()
        self.assertEqual(self.names(), ["of another device", "one", "three", "two"])

    def test_a_version_that_is_made_up(self) -> None:
        """Its file comes back as it was before, and says so; files beside it are not touched by that."""
        data = random_file(self.base / "file", 30_000)
        self.node.upload(self.base / "file", "file")
        self.compare()
        path = next(row["path_id"] for row in self.node.rows() if row["path"] == "file")
        self.write(*version_ops(path, VERSION, 10, 0o600, 1, [[os.urandom(16), 0, 1]]))
        self.write(self.good, *version_ops("20", VERSION, 10, 0o600, 1, [[os.urandom(16), 0, 1]]))
        self.compare()
        plan = Planner(self.core.catalog.read).make(Target(MASTER, None))
        self.assertEqual([(one["path"], one["code"]) for one in plan.problems], [("file", OLDER), ("good", LEFT_OUT)])
        self.assertEqual([file.version.size for file in plan.files], [len(data)])

    def made_up(self, lengths: list[int], times: int, size: int | None = None, name: str = "20") -> None:
        """A version that has all chunks of a pack that nobody stores, so many times."""
        record = PackRecord(b"o" * 32, os.urandom(16), 64 * 2**20, Scheme(2, 4), [b"r" * 32] * 4)
        extents = [[record.pack, 0, len(lengths)]] * times
        whole = sum(lengths) * times if size is None else size
        self.write(
            self.good | {"path": name, "name": b"good" + name.encode()},
            pack_op(record, MASTER, 1, b"n" * 16 * len(lengths), lengths),
            *version_ops(name, VERSION, whole, 0o600, 1, extents),
        )

    def back(self) -> tuple[dict[str, bytes], list[tuple[str, str]]]:
        """All that comes back, and what of it is told to be wrong."""
        to = self.base / "back"
        task = self.node.run(self.node.storage.download("master$alice@id.example:", str(to), "replace"))
        row = self.node.wait(task.completion, 120)
        files = {one.name: one.read_bytes() for one in to.iterdir()}
        return files, [(one["path"], one["code"]) for one in row["problems"]]

    def test_sizes_that_are_made_up(self) -> None:
        """A version for which no disk is large enough, one that is far larger than what is stored for it, and one
        that is not as long as its chunks, refuse themselves; everything else comes back."""
        data = random_file(self.base / "file", 30_000)
        self.node.upload(self.base / "file", "file")
        self.compare()
        self.made_up([256 * 1024] * 1000, 100)
        self.made_up([256 * 1024] * 10, 1000, name="21")
        self.made_up([100], 1, size=2**60, name="22")
        path = next(row["path_id"] for row in self.node.rows() if row["path"] == "file")
        self.write(*version_ops(path, VERSION, 2**60, 0o600, 1, []))
        self.compare()
        reserve = self.core.reserve
        reserve.usage = lambda path: SimpleNamespace(total=10**10, free=10**9)
        files, problems = self.back()
        self.assertEqual(files["file"], data)
        self.assertEqual(sorted(problems), [("file", OLDER), *((f"good{name}", LEFT_OUT) for name in (20, 21, 22))])

    def test_nothing_but_what_is_too_large(self) -> None:
        """A file for which there is no room is an error that says so, and how much there is."""
        self.made_up([256 * 1024] * 10, 1000)
        self.compare()
        for total in (10**9, 10**12):
            self.core.reserve.usage = lambda path, total=total: SimpleNamespace(total=total, free=10**9)
            error = self.assertRaises(BitDustError, self.node.download, "good20", self.base / "back")
            self.assertEqual(error.code, "disk-full")
            self.assertIn("2.4 GB", str(error))

    def test_the_end_of_time(self) -> None:
        """Where somebody has taken the last moment there is, new versions are stored all the same."""
        random_file(self.base / "file", 30_000)
        self.node.upload(self.base / "file", "file")
        self.compare()
        path = next(row["path_id"] for row in self.node.rows() if row["path"] == "file")
        self.write(*version_ops(path, "F29991231235959999-1", 10, 0o600, 1, [[os.urandom(16), 0, 1]]))
        self.compare()
        for size in (40_000, 50_000):
            random_file(self.base / "file", size)
            self.node.upload(self.base / "file", "file")
        sizes = [one.size for one in versions(self.core.catalog.read, path)]
        self.assertEqual(sizes, [30_000, 40_000, 50_000, 10])

    def test_very_deep(self) -> None:
        """Folders in folders, as deep as names allow, come back."""
        deep = [item_op("/".join(["9"] * depth), "/".join(["9"] * (depth - 1)), b"f", "folder", MASTER, 1)
                for depth in range(1, 1001)]  # fmt: skip
        bottom = deep[-1]["path"] + "/1"
        self.write(*deep, item_op(bottom, deep[-1]["path"], b"file", "file", MASTER, 1))
        self.write(*version_ops(bottom, VERSION, 0, 0o600, 1, []))
        self.compare()
        plan = Planner(self.core.catalog.read).make(Target(MASTER, None))
        self.assertEqual([len(file.place.folders) for file in plan.files], [1000])
