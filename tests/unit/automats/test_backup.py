"""Rows of backup."""

from bitdust.automats.backup import Backup, BackupPort
from tests.unit.automats.kit import RowTests

STEPS = (("SCAN", "scan_source", None), ("READ", "read_more", False), ("RAID", "finish_packs", None))
DONE = ("done_safely",)


class BackupTests(RowTests):
    def setUp(self) -> None:
        super().setUp()
        self.port = self.record(BackupPort, is_safe=False)
        self.machine = Backup(self.registry, "1", self.port)
        self.addCleanup(self.machine.send, "stop")

    def go_to(self, state: str) -> str:
        """Let every step before this state succeed; what is waited for there."""
        self.machine.send("start")
        for reached, asked, result in STEPS:
            self.asked(reached, (asked,))
            if reached == state:
                return asked
            self.port.succeed(asked, result)
        self.asked("SENDING")
        return ""

    def test_safe(self) -> None:
        """A version ends the upload when enough suppliers have acknowledged it, not before."""
        self.go_to("SENDING")
        self.drive("progress", None, "SENDING")
        self.port.answers["is_safe"] = True
        self.ends("progress", "DONE", DONE)

    def test_safe_at_once(self) -> None:
        """A version that is safe when its last entry is written waits for nobody."""
        self.go_to("RAID")
        self.port.answers["is_safe"] = True
        self.port.succeed("finish_packs")
        self.asked("DONE", DONE)

    def test_reads_until_the_end(self) -> None:
        """It reads one window after the other until there is no more."""
        self.go_to("READ")
        self.port.succeed("read_more", True)
        self.asked("READ", ("read_more",))
        self.port.succeed("read_more", True)
        self.asked("READ", ("read_more",))
        self.port.succeed("read_more", False)
        self.asked("RAID", ("finish_packs",))

    def test_every_step_may_fail(self) -> None:
        """A step that fails aborts the upload with its reason."""
        for state, asked, _ in STEPS:
            self.go_to(state)
            self.port.fail(asked, ValueError(state))
            (call,) = self.calls
            self.assertEqual(call[1].getErrorMessage(), state)
            self.asked("ABORTED", ("aborted", call[1]))
            self.machine = Backup(self.registry, "1", self.port)

    def test_suppliers_that_take_nothing(self) -> None:
        """While it waits for suppliers it looks every ten seconds whether that is to be said."""
        for state in ("READ", "SENDING"):
            self.go_to(state)
            self.passes(10, state, ("report_waiting",))
            self.machine.send("stop")
            self.calls.clear()
            self.machine = Backup(self.registry, "1", self.port)

    def test_a_lost_pack(self) -> None:
        """A pack that is lost before enough suppliers have it aborts the upload."""
        self.go_to("SENDING")
        self.drive("fail", "lost", "ABORTED", ("aborted", "lost"))

    def test_stopped(self) -> None:
        """Whoever stops it gives the reason, and the step under way is cancelled."""
        asked = self.go_to("RAID")
        self.drive("stop", "enough", "ABORTED", ("aborted", "enough"))
        self.assertEqual(self.port.cancelled, {asked: 1})
