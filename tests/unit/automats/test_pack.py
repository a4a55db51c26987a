"""Rows of pack."""

from bitdust.automats.pack import Pack, PackPort
from tests.unit.automats.kit import RowTests

SEAL, QUEUE, SYNC, HELD, NOTE = ("seal",), ("queue_pieces",), ("sync",), ("report_held",), ("note_held",)
FINISH, GIVE_UP, SLOW, CLOSE = ("finish",), ("give_up", None), ("report_slow",), ("close",)


class PackTests(RowTests):
    def setUp(self) -> None:
        super().setUp()
        self.port = self.record(
            PackPort, is_safe=False, is_complete=False, is_settled=False, is_beyond_help=False, has_few=True
        )
        self.machine = Pack(self.registry, "1a2b3c4d", self.port)
        self.addCleanup(self.machine.send, "stop")

    def set(self, **answers: bool) -> None:
        self.port.answers |= answers

    def sealing(self) -> None:
        self.drive("full", None, "SEALING", SEAL)

    def spooled(self) -> None:
        self.sealing()
        self.port.succeed("seal", False)
        self.asked("SPOOLED", QUEUE)

    def syncing(self) -> None:
        self.spooled()
        self.passes(1, "SYNCING", SYNC)

    def held(self) -> None:
        self.syncing()
        self.port.succeed("sync")
        self.asked("HELD", NOTE)

    def safe(self) -> None:
        self.held()
        self.set(is_safe=True)
        self.drive("acknowledged", None, "SAFE")

    def failed(self, name: str, expected: str) -> None:
        error = RuntimeError("the disk is full")
        self.port.fail(name, error)
        self.assertEqual(self.machine.state, "FAILED")
        ((called, reason),) = self.calls
        self.assertEqual((called, reason.value), (expected, error))
        self.calls.clear()

    def test_filling(self) -> None:
        """A pack that is not full after ten minutes is to be sealed as it is, and is asked for until it is."""
        self.passes(600, "FILLING", CLOSE)
        self.passes(600, "FILLING", CLOSE)
        self.sealing()

    def test_small_pieces(self) -> None:
        """Pieces that are in the catalog survive a power cut at once: versions may build on them."""
        self.sealing()
        self.port.succeed("seal", True)
        self.asked("HELD", QUEUE, HELD)

    def test_it_cannot_be_sealed(self) -> None:
        """A pack that cannot be made or written fails, with the reason."""
        self.sealing()
        self.failed("seal", "report_failed")

    def test_a_thread_that_does_not_come_back(self) -> None:
        """Every ten minutes it is reported that a pack waits for a thread."""
        self.sealing()
        self.passes(600, "SEALING", SLOW)
        self.port.succeed("seal", False)
        self.asked("SPOOLED", QUEUE)
        self.passes(1, "SYNCING", SYNC)
        self.passes(600, "SYNCING", SLOW)

    def test_suppliers_are_faster_than_the_disk(self) -> None:
        """When enough suppliers have their pieces before the disk was asked, it never is."""
        self.spooled()
        self.drive("acknowledged", None, "SPOOLED")
        self.set(is_safe=True)
        self.drive("acknowledged", None, "SAFE", NOTE)

    def test_suppliers_are_faster_than_a_sync(self) -> None:
        """When enough suppliers have their pieces meanwhile, nobody waits for the disk any more."""
        self.syncing()
        self.drive("acknowledged", None, "SYNCING")
        self.set(is_safe=True)
        self.drive("acknowledged", None, "SAFE", NOTE)
        self.assertEqual(self.port.cancelled, {"sync": 1})

    def test_a_failed_sync_is_no_held_pack(self) -> None:
        """Nothing builds on a pack whose pieces the disk did not take."""
        self.syncing()
        self.failed("sync", "give_up")

    def test_few_suppliers(self) -> None:
        """While suppliers alone could not give it back, its pieces are queued again every ten seconds."""
        self.held()
        self.drive("acknowledged", None, "HELD")
        self.passes(10, "HELD", QUEUE)
        self.passes(10, "HELD", QUEUE)

    def test_absent_suppliers(self) -> None:
        """When suppliers could give it back and enough of them do not come, its rows are enough."""
        self.held()
        self.set(has_few=False)
        self.passes(10, "INCOMPLETE", FINISH)

    def test_complete(self) -> None:
        """When every supplier has its piece it is complete."""
        self.safe()
        self.drive("acknowledged", None, "SAFE")
        self.set(is_complete=True)
        self.ends("acknowledged", "COMPLETE", FINISH)

    def test_the_last_supplier_is_slow(self) -> None:
        """A safe pack is watched for five seconds more; then its rows are enough."""
        self.safe()
        self.passes(5, "INCOMPLETE", FINISH)

    def test_lost_on_the_way(self) -> None:
        """A pack that the pieces left do not give back is given up, wherever it is on its way."""
        for arrive in (self.spooled, self.syncing, self.held):
            arrive()
            self.drive("lost", None, self.machine.state)
            self.set(is_beyond_help=True)
            self.ends("lost", "LOST", GIVE_UP)
            self.set(is_beyond_help=False)
            self.machine = Pack(self.registry, "1a2b3c4d", self.port)

    def test_lost_and_nothing_waits(self) -> None:
        """When no piece waits any more, what is missing is made again by others."""
        for arrive in (self.held, self.safe):
            arrive()
            self.drive("lost", None, self.machine.state)
            self.set(is_settled=True)
            self.ends("lost", "INCOMPLETE", FINISH)
            self.set(is_settled=False)
            self.machine = Pack(self.registry, "1a2b3c4d", self.port)

    def test_from_before_the_start(self) -> None:
        """A pack that was held before the node was started has its pieces queued."""
        self.drive("adopted", None, "HELD", QUEUE)

    def test_stop(self) -> None:
        """The end leaves what is done to its thread."""
        self.sealing()
        self.ends("stop", "STOPPED")
