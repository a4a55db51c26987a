"""Bytes out of the middle of stored files: the right ones, and no more packs brought than hold them."""

import os

from twisted.internet.defer import Deferred, gatherResults

from bitdust.storage.restore import ranges
from tests.unit.storage_kit import random_file
from tests.unit.test_storage_restore import MB, RestoreCase


class RangeTests(RestoreCase):
    def read(self, path: str, offset: int = 0, length: int | None = None) -> bytes:
        return self.node.run(self.node.storage.read(path, offset, length))

    def asked(self) -> int:
        """How many pieces suppliers were asked for."""
        return sum(kind == "piece" for supplier in self.around.suppliers for _, kind in supplier.asked)

    def test_any_part(self) -> None:
        """Every range is what the file has there, around the edges of chunks and packs, and behind its end."""
        data = self.stored(size=5 * MB)
        for offset, length in ((0, 1), (0, 300_000), (3_900_000, 500_000), (4_999_999, 10), (5 * MB, 5), (5, 0)):
            self.assertEqual(self.read("file", offset, length), data[offset : offset + length])
        self.assertEqual(self.read("file"), data)

    def test_packs(self) -> None:
        """A range brings those packs that hold it, each once while it is remembered, whoever asks at the same time."""
        data = self.stored(size=5 * MB)
        before = self.asked()
        reading = [Deferred.fromCoroutine(self.node.storage.read("file", at, 10)) for at in (0, 100, 1000)]
        self.assertEqual(self.node.wait(gatherResults(reading)), [data[at : at + 10] for at in (0, 100, 1000)])
        self.read("file", 2000, 10)
        self.assertEqual(self.asked() - before, 2)
        self.node.pass_time(ranges.KEPT_SECONDS + 1)
        self.read("file", 0, 10)
        self.assertEqual(self.asked() - before, 4)

    def test_little_is_remembered(self) -> None:
        """Packs that were read last stay as long as they are not too large together; the last one always stays."""
        self.patch(ranges, "KEPT_BYTES", 1)
        self.stored(size=5 * MB)
        before = self.asked()
        for offset in (0, 4_500_000, 4_500_000 + 1, 0):
            self.read("file", offset, 10)
        self.assertEqual(self.asked() - before, 6)

    def test_holes_and_versions(self) -> None:
        """Holes are zeros; a version that is named is read, and the newest one else."""
        with (self.base / "sparse").open("wb") as stream:
            stream.write(b"begin")
            os.truncate(stream.fileno(), 3 * MB)
            stream.seek(3 * MB)
            stream.write(b"end")
        self.node.upload(self.base / "sparse", "sparse")
        self.assertEqual(self.read("sparse", 3, 10), b"in" + bytes(8))
        self.assertEqual(self.read("sparse", 3 * MB - 2), bytes(2) + b"end")
        first = self.node.info("sparse")["versions"][0]["backup_id"].rpartition("/")[2]
        (self.base / "sparse").write_bytes(b"another")
        self.node.upload(self.base / "sparse", "sparse")
        self.assertEqual(self.read("sparse"), b"another")
        self.assertEqual(self.read(f"sparse/{first}", 0, 5), b"begin")

    def test_half_of_the_suppliers(self) -> None:
        """Half of the suppliers are enough; with fewer of them it is said, and works again afterwards."""
        data = self.stored()
        self.set_modes("away", "away", "honest", "honest")
        self.assertEqual(self.read("file", 10, 10), data[10:20])
        self.node.pass_time(ranges.KEPT_SECONDS + 1)
        self.set_modes("away", "away", "away", "honest")
        self.fails("not-enough-pieces", self.read, "file", 10, 10)
        self.set_modes("away", "away", "honest", "honest")
        self.assertEqual(self.read("file", 10, 10), data[10:20])

    def test_refusals(self) -> None:
        """What is no file, is not there, or is too much at once is refused."""
        self.stored()
        (self.base / "folder").mkdir()
        random_file(self.base / "folder" / "inner", 10)
        self.node.upload(self.base / "folder", "folder")
        self.fails("bad-name", self.read, "folder")
        self.fails("not-found", self.read, "nothing")
        self.node.create("empty")
        self.fails("not-found", self.read, "empty")
        self.patch(ranges, "LONGEST", 100)
        self.fails("too-large", self.read, "file", 0, 101)
