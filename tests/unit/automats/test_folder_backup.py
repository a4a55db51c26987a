"""Rows of folder_backup."""

from bitdust.automats.folder_backup import FolderBackup, FolderBackupPort
from tests.unit.automats.kit import RowTests


class FolderBackupTests(RowTests):
    def setUp(self) -> None:
        super().setUp()
        self.port = self.record(FolderBackupPort, can_keep=True, is_untold=False, is_behind=False)
        self.begin()

    def begin(self) -> None:
        self.machine = FolderBackup(self.registry, "folder", self.port)

    def reading(self) -> None:
        self.drive("start", None, "READING", ("read",))

    def gathering(self) -> None:
        self.reading()
        self.port.succeed("read")
        self.asked("GATHERING", ("gather",))

    def uploading(self) -> None:
        self.gathering()
        self.port.succeed("gather", True)
        self.asked("UPLOADING", ("upload",))

    def telling(self) -> None:
        self.gathering()
        self.port.answers["is_untold"] = True
        self.port.succeed("gather", False)
        self.asked("TELLING", ("tell",))

    def kept(self) -> None:
        self.gathering()
        self.port.succeed("gather", False)
        self.asked("KEPT")

    def test_in_its_order(self) -> None:
        """What suppliers have is read, then all new chunks go there, and the list at last."""
        self.uploading()
        self.port.succeed("upload")
        self.asked("GATHERING", ("gather",))
        self.port.answers["is_untold"] = True
        self.port.succeed("gather", False)
        self.asked("TELLING", ("tell",))
        self.port.succeed("tell")
        self.asked("KEPT")

    def test_chunks_go_first(self) -> None:
        """A list is never told while there are chunks to bring."""
        self.gathering()
        self.port.answers["is_untold"] = True
        self.port.succeed("gather", True)
        self.asked("UPLOADING", ("upload",))

    def test_without_suppliers(self) -> None:
        """It waits until suppliers take something."""
        self.port.answers["can_keep"] = False
        self.drive("start", None, "WAITING")
        self.drive("suppliers", None, "WAITING")
        self.passes(60, "WAITING")
        self.port.answers["can_keep"] = True
        self.drive("suppliers", None, "READING", ("read",))
        self.ends("stop", "STOPPED")
        self.port.answers["can_keep"] = False
        self.begin()
        self.drive("start", None, "WAITING")
        self.port.answers["can_keep"] = True
        self.passes(60, "READING", ("read",))

    def test_resting(self) -> None:
        """Each minute it sees whether the folder has changed; each hour, whether other devices have brought some."""
        self.kept()
        self.passes(60, "KEPT")
        self.port.answers["is_behind"] = True
        self.passes(60, "GATHERING", ("gather",))
        self.port.answers["is_behind"] = False
        self.port.succeed("gather", False)
        self.asked("KEPT")
        self.clock.advance(3420)
        self.asked("KEPT")
        self.passes(60, "READING", ("read",))

    def test_changing_all_the_time(self) -> None:
        """However often the folder changes, what other devices have brought is read each hour."""
        self.kept()
        self.port.answers["is_behind"] = True
        for _ in range(59):
            self.passes(60, "GATHERING", ("gather",))
            self.port.succeed("gather", False)
            self.asked("KEPT")
        self.passes(60, "READING", ("read",))

    def test_failures(self) -> None:
        """What goes wrong is begun again after pauses that double, and are short again when all was done once."""
        self.reading()
        self.port.fail("read")
        self.assertEqual((self.machine.state, self.calls.pop()[0]), ("WAITING", "give_up"))
        self.passes(60, "READING", ("read",))
        self.port.fail("read")
        self.assertEqual((self.machine.state, self.calls.pop()[0]), ("WAITING", "give_up"))
        self.passes(120, "READING", ("read",))
        self.port.succeed("read")
        self.asked("GATHERING", ("gather",))
        self.port.succeed("gather", False)
        self.asked("KEPT")
        self.assertEqual(self.machine.failures, 0)
        self.machine.failures = 3
        self.ends("stop", "STOPPED")
        self.begin()
        self.telling()
        self.machine.failures = 3
        self.port.succeed("tell")
        self.asked("KEPT")
        self.assertEqual(self.machine.failures, 0)

    def test_limits(self) -> None:
        """Whatever does not come to an end is given up, and begun again."""
        for enter, seconds in (
            (self.reading, 21_600), (self.gathering, 3600), (self.uploading, 21_600), (self.telling, 3600)
        ):  # fmt: skip
            enter()
            self.clock.advance(seconds - 1)
            self.asked(self.machine.state)
            self.clock.advance(1)
            self.assertEqual((self.machine.state, self.calls.pop()), ("WAITING", ("give_up", "it took too long")))
            self.calls.clear()
            self.ends("stop", "STOPPED")
            self.port.answers["is_untold"] = False
            self.begin()
        self.machine.send("stop")
