"""Power cuts and disks that fail in the middle of an upload: what is lost is known, and nothing is built on it."""

import errno
from pathlib import Path

from twisted.internet.defer import fail
from twisted.trial.unittest import SynchronousTestCase

from bitdust.storage.catalog.database import PackState
from bitdust.storage.pieces import waiting
from bitdust.storage.pieces.spool import Spool, SpoolError
from bitdust.wire.errors import BitDustError
from tests.unit.storage_kit import Node, network, random_file, stop_quietly

SIZE = 600_000
"""Large enough that pieces go into the spool, small enough for one pack."""


class PowerCutCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.base, self.around, self.node = network(self)

    def set_modes(self, *modes: str) -> None:
        for supplier, mode in zip(self.around.suppliers, modes, strict=True):
            supplier.mode = mode
        self.node.storage.core.suppliers_changed()

    def begin(self, *modes: str, seconds: float = 0.4) -> bytes:
        """An upload that has spooled its pieces; only some suppliers take them."""
        data = random_file(self.base / "file", SIZE)
        self.node.create("file")
        self.set_modes(*modes)
        self.node.begin_upload(self.base / "file", "file")
        self.node.pass_time(seconds, 0.1)
        return data

    def cut(self, *damaged: int, gone: tuple[int, ...] = ()) -> None:
        """The power goes; files that were not synced may hold anything, or may not be there."""
        self.node.kill()
        for path in self.spooled():
            number = int(path.name.rpartition(".")[2])
            if number in damaged:
                path.write_bytes(bytes(path.stat().st_size))
            if number in gone:
                path.unlink()

    def spooled(self) -> list[Path]:
        return sorted((self.node.home / "spool").iterdir())

    def restart(self, mode: str = "fine") -> None:
        for supplier in self.around.suppliers:
            supplier.mode = mode
        self.node = Node(self.node.home, self.around, self.node.clock)
        self.addCleanup(stop_quietly, self.node)
        self.node.start()

    def states(self) -> list[int]:
        rows = self.node.storage.core.catalog.read.execute("SELECT state FROM packs ORDER BY time, state")
        return [state for (state,) in rows]

    def comes_back(self, data: bytes) -> None:
        self.node.download("file", self.base / "back")
        self.assertEqual((self.base / "back" / "file").read_bytes(), data)


class PowerCutTests(PowerCutCase):
    def test_pieces_that_did_not_survive_are_missing(self) -> None:
        """Of a pack that was not synced every piece is compared with its root; the others give the damaged one back."""
        data = self.begin("frozen", "frozen", "frozen", "frozen")
        self.assertEqual(self.states(), [PackState.NEW])
        self.cut(1)
        self.restart()
        self.assertEqual((self.states(), self.node.pieces()["missing"]), ([PackState.HELD], 1))
        self.node.pass_time(60)
        self.assertEqual(self.node.pieces()["missing"], 0)
        self.comes_back(data)
        self.assertEqual(self.node.info("file")["versions"][0]["reliable"], "100%")

    def test_a_pack_that_did_not_survive_is_given_up(self) -> None:
        """When fewer pieces survived than give the pack back, its bytes are read again and get a new pack."""
        data = self.begin("frozen", "frozen", "frozen", "frozen")
        self.cut(0, 1, gone=(3,))
        self.restart()
        self.node.pass_time(20)
        self.assertEqual(self.states().count(PackState.LOST), 1)
        self.assertEqual(self.states().count(PackState.HELD), 1)
        self.comes_back(data)

    def test_what_suppliers_have_counts(self) -> None:
        """A pack of which suppliers have enough is not given up, whatever became of the pieces here."""
        data = self.begin("fine", "fine", "frozen", "frozen")
        self.cut(2, 3)
        self.restart()
        self.node.pass_time(60)
        self.assertEqual(self.states(), [PackState.HELD])
        self.comes_back(data)

    def test_what_suppliers_said_is_written_with_what_rests_on_it(self) -> None:
        """A version that was written because suppliers have enough outlives a power cut that takes all pieces here."""
        later = self.patch(waiting, "WRITE_AFTER", 3600.0)
        data = self.begin("fine", "fine", "fine", "frozen")
        self.assertEqual(len(self.node.info("file")["versions"]), 1)
        self.cut(gone=(0, 1, 2, 3))
        later.restore()
        self.restart()
        self.node.pass_time(60)
        self.assertEqual((self.states(), self.node.pieces()["missing"]), ([PackState.HELD], 0))
        self.assertEqual(self.node.info("file")["versions"][0]["reliable"], "100%")
        self.comes_back(data)

    def test_what_is_not_known_may_be_there(self) -> None:
        """A recovered node that is killed before it has heard all suppliers gives no pack up that they may have."""
        data = self.begin("fine", "fine", "fine", "fine", seconds=5)
        core = self.node.storage.core
        self.node.wait(core.catalog.change(lambda database: database.execute("DELETE FROM pieces WHERE number<>1")))
        waits = "UPDATE pieces SET state=0, supplier=NULL, data=x'00'"
        self.node.wait(core.catalog.change(lambda database: database.execute(waits)))
        self.node.kill()
        self.restart("away")
        self.assertEqual(self.states(), [PackState.HELD])
        self.set_modes("fine", "fine", "fine", "fine")
        self.comes_back(data)

    def test_what_survived_is_brought_to_the_disk(self) -> None:
        """Pieces that were found whole may not survive the next power cut: they are synced before the pack is held."""
        data = self.begin("frozen", "frozen", "frozen", "frozen")
        self.cut(1)
        synced: list[list[int]] = []
        real = Spool.sync
        self.patch(Spool, "sync", lambda spool, pack, indexes: (synced.append(indexes), real(spool, pack, indexes))[1])
        self.restart()
        self.assertEqual((synced[:1], self.states()), ([[0, 2, 3]], [PackState.HELD]))
        self.node.pass_time(60)
        self.comes_back(data)

    def test_a_synced_pack_is_not_read_again(self) -> None:
        """After a sync a start looks for names alone: it does not read all that waits."""
        self.begin("frozen", "frozen", "frozen", "frozen", seconds=3)
        self.assertEqual(self.states(), [PackState.HELD])
        self.cut(0)
        self.restart()
        pieces = self.node.pieces()
        self.assertEqual((pieces["missing"], pieces["waiting"]), (0, 1), "a start that reads finds the damaged one")

    def test_pieces_of_nobody_are_removed(self) -> None:
        """Pieces in the spool of which the catalog knows nothing are removed at the start."""
        self.begin("fine", "fine", "fine", "fine")
        self.node.kill()
        stray = self.node.home / "spool" / f"{bytes(16).hex()}.0"
        stray.write_bytes(b"a pack that was never recorded")
        self.restart()
        self.assertFalse(stray.exists())

    def test_few_packs_are_watched_again(self) -> None:
        """After a start a pack that few suppliers have is a machine again, one that enough have is not."""
        self.begin("frozen", "frozen", "frozen", "frozen", seconds=3)
        self.node.kill()
        self.restart("frozen")
        (pack,) = self.node.storage.core.catalog.read.execute("SELECT pack FROM packs").fetchone()
        (machine,) = self.node.registry.find(f"pack({pack.hex()[:8]})")
        self.assertEqual((machine.state, len(self.node.registry.find("pack"))), ("HELD", 1))
        self.set_modes("fine", "fine", "fine", "away")
        self.node.pass_time(100)
        self.assertEqual(self.node.registry.find("pack"), [])
        self.node.stop()
        self.node.start()
        self.assertEqual(self.node.registry.find("pack"), [])


class FailingDiskTests(PowerCutCase):
    def test_a_failed_sync_stores_no_version(self) -> None:
        """When the disk does not take pieces for good, the upload fails and no version builds on them."""
        spool = self.node.storage.core.spool
        original = spool.sync

        def sync(pack: bytes, indexes: object) -> None:
            raise SpoolError("disk-error", "a piece cannot be kept for its supplier: Input/output error")

        spool.sync = sync
        self.begin("frozen", "frozen", "frozen", "frozen")
        (task,) = self.node.storage.core.uploads.running
        ended = task.completion
        self.node.pass_time(3)
        error = self.failureResultOf(ended, BitDustError).value
        self.assertEqual((error.code, self.node.info("file")["versions"]), ("disk-error", []))
        spool.sync = original
        self.set_modes("fine", "fine", "fine", "fine")
        self.node.upload(self.base / "file", "file")
        self.comes_back((self.base / "file").read_bytes())

    def test_a_pack_that_could_not_be_noted(self) -> None:
        """Nothing is built on a pack before its row says that it is held: the disk is asked until it takes that."""
        catalog = self.node.storage.core.catalog
        real, is_full = catalog.change, True

        def change(call):
            if is_full and "note_held" in call.__qualname__:
                return fail(BitDustError("disk-full", "No space left on device"))
            return real(call)

        catalog.change = change
        data = self.begin("fine", "fine", "fine", "fine", seconds=3)
        self.assertEqual(self.node.info("file")["versions"], [])
        is_full = False
        self.node.pass_time(20)
        logged = catalog.read.execute("SELECT logged FROM packs").fetchall()
        self.assertEqual((self.states(), logged), ([PackState.HELD], [(1,)]))
        self.assertEqual(self.node.storage.core.uploads.running, [])
        self.comes_back(data)

    def test_a_piece_lost_here_is_made_again(self) -> None:
        """A piece that vanished from the spool before its supplier took it is missing, and made from the others."""
        data = self.begin("fine", "fine", "fine", "full", seconds=3)
        (path,) = self.spooled()
        path.unlink()
        self.set_modes("fine", "fine", "fine", "fine")
        self.node.pass_time(5)
        self.node.storage.core.monitor.sync()
        self.node.pass_time(10)
        self.assertEqual(self.node.pieces()["missing"], 0)
        self.assertEqual(self.node.info("file")["versions"][0]["reliable"], "100%")
        self.comes_back(data)

    def test_a_damaged_piece_is_doubted(self) -> None:
        """A piece that the disk has changed is refused by its supplier, compared with its root, and made again."""
        data = self.begin("fine", "fine", "fine", "full", seconds=3)
        (path,) = self.spooled()
        path.write_bytes(bytes(path.stat().st_size))
        self.set_modes("fine", "fine", "fine", "fine")
        self.node.pass_time(10)
        self.assertEqual(self.node.pieces()["waiting"], 0)
        self.node.storage.core.monitor.sync()
        self.node.pass_time(10)
        self.assertEqual(self.node.info("file")["versions"][0]["reliable"], "100%")
        self.comes_back(data)

    def test_a_pack_lost_before_suppliers_have_it(self) -> None:
        """When pieces are lost before enough suppliers have theirs, the upload fails, and the next one reads again."""
        self.begin("full", "full", "full", "full", seconds=3)
        (task,) = self.node.storage.core.uploads.running
        ended = task.completion
        for path in self.spooled()[:3]:
            path.unlink()
        self.set_modes("fine", "fine", "fine", "full")
        self.node.pass_time(5)
        self.assertEqual(self.failureResultOf(ended, BitDustError).value.code, "piece-lost")
        self.set_modes("fine", "fine", "fine", "fine")
        self.node.upload(self.base / "file", "file")
        self.node.pass_time(1)
        self.comes_back((self.base / "file").read_bytes())

    def test_no_space_for_pieces(self) -> None:
        """A disk that fills up while a piece is rebuilt ends the round, and the next one goes on."""
        data = self.begin("fine", "fine", "fine", "fine", seconds=3)
        database = self.node.storage.core.catalog
        self.node.wait(database.change(lambda d: d.execute("UPDATE pieces SET state=2, supplier=NULL WHERE number=1")))
        self.node.wait(database.change(lambda d: d.execute("UPDATE packs SET acked=3")))
        spool = self.node.storage.core.spool
        original = spool._write_all

        def full(descriptor: int, piece: bytes) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        spool._write_all = full
        self.node.storage.core.monitor.sync()
        self.node.pass_time(5)
        self.assertIn(self.node.storage.core.monitor.machine.state, ("READY", "CLEANING"))
        spool._write_all = original
        self.node.storage.core.monitor.damaged()
        self.node.pass_time(5)
        self.assertEqual(self.node.info("file")["versions"][0]["reliable"], "100%")
        self.comes_back(data)
