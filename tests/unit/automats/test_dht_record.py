"""Rows of dht_record."""

from bitdust.automats.dht_record import DHTRecord, DHTRecordPort
from tests.unit.automats.kit import RowTests


class DHTRecordTests(RowTests):
    def setUp(self) -> None:
        super().setUp()
        self.port = self.record(DHTRecordPort, revision=0)
        self.machine = DHTRecord(self.registry, "family", self.port)
        self.addCleanup(self.machine.send, "shutdown")

    def store(self, revision: int = 1) -> None:
        self.port.revision = revision
        self.drive("changed", None, "STORING", ("store",))

    def test_the_first_revision(self) -> None:
        """Where there is no record nothing is stored."""
        self.drive("changed", None, "AT_STARTUP")
        self.store()
        self.port.succeed("store")
        self.asked("STORED")

    def test_a_new_revision(self) -> None:
        """It is stored at once; a change of anything else is none."""
        self.store()
        self.port.succeed("store")
        self.asked("STORED")
        self.drive("changed", None, "STORED")
        self.store(2)

    def test_a_new_revision_meanwhile(self) -> None:
        """What changed while an older one was being stored is stored after it."""
        self.store()
        self.port.revision = 2
        self.drive("changed", None, "STORING")
        self.clock.advance(59)
        self.port.succeed("store")
        self.asked("STORING", ("store",))
        self.passes(60, "PAUSED")
        self.passes(5, "STORING", ("store",))

    def test_refreshed(self) -> None:
        """Every six hours, long before it ends."""
        self.store()
        self.port.succeed("store")
        self.asked("STORED")
        self.passes(6 * 3600, "STORING", ("store",))
        self.port.fail("store")
        self.asked("PAUSED")
        self.passes(5, "STORING", ("store",))

    def test_a_failure_is_no_success(self) -> None:
        """It is tried again after pauses that double up to ten minutes; changes do not hurry it."""
        self.store()
        for pause in (5, 10, 20, 40, 80, 160, 320, 600, 600):
            self.port.fail("store")
            self.asked("PAUSED")
            self.drive("changed", None, "PAUSED")
            self.passes(pause, "STORING", ("store",))
        self.port.succeed("store")
        self.asked("STORED")
        self.store(2)
        self.port.fail("store")
        self.asked("PAUSED")
        self.passes(5, "STORING", ("store",))

    def test_a_new_revision_after_a_failure(self) -> None:
        """It does not wait for the end of the pause."""
        self.store()
        self.port.fail("store")
        self.asked("PAUSED")
        self.store(2)

    def test_somebody_is_there(self) -> None:
        """What nobody has taken is brought to those who have come, at once."""
        self.drive("network-back", None, "AT_STARTUP")
        self.store()
        self.port.fail("store")
        self.asked("PAUSED")
        self.drive("network-back", None, "STORING", ("store",))
        self.port.succeed("store")
        self.asked("STORED")
        self.drive("network-back", None, "STORED")

    def test_somebody_comes_meanwhile(self) -> None:
        """What was asked of those who were gone fails, and is tried again soon, however often it had failed before."""
        self.store()
        for pause in (5, 10, 20):
            self.port.fail("store")
            self.asked("PAUSED")
            self.passes(pause, "STORING", ("store",))
        self.drive("network-back", None, "STORING")
        self.port.fail("store")
        self.asked("PAUSED")
        self.passes(5, "STORING", ("store",))

    def test_silence(self) -> None:
        """A store is given up after a minute."""
        self.store()
        self.passes(60, "PAUSED")
        self.assertEqual(self.port.cancelled, {"store": 1})

    def test_end(self) -> None:
        """Shutdown gives up what is on its way; what was stored expires by itself."""
        self.store()
        self.ends("shutdown")

    def test_pauses_begin_anew(self) -> None:
        """However often it failed before: after a new revision, and after first contact, the pause is a short one."""
        self.store()
        for revision, event in enumerate(("changed", "network-back"), 2):
            for pause in (5, 10):
                self.port.fail("store")
                self.asked("PAUSED")
                self.passes(pause, "STORING", ("store",))
            self.port.fail("store")
            self.asked("PAUSED")
            self.port.revision = revision
            self.drive(event, None, "STORING", ("store",))
        self.port.fail("store")
        self.asked("PAUSED")
        self.passes(5, "STORING", ("store",))
