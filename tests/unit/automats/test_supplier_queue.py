"""Rows of supplier_queue."""

from bitdust.automats.supplier_queue import SupplierQueue, SupplierQueuePort
from tests.unit.automats.kit import RowTests

FILL, SEND, REPORT, RECALL = ("fill",), ("send_pieces",), ("report",), ("recall",)


class SupplierQueueTests(RowTests):
    def setUp(self) -> None:
        super().setUp()
        self.port = self.record(
            SupplierQueuePort, is_online=False, is_stalled=False, pause=4.0, is_doubt=lambda error: error == "bad"
        )
        self.machine = SupplierQueue(self.registry, "1a2b3c4d", self.port)
        self.addCleanup(self.machine.send, "shutdown")

    def sending(self) -> None:
        self.drive("online", None, "SENDING", FILL, SEND, REPORT)

    def drained(self) -> None:
        self.sending()
        self.drive("drained", None, "DRAINED")

    def stalled(self) -> None:
        self.sending()
        self.port.answers["is_stalled"] = True
        self.passes(0.5, "STALLED", REPORT)

    def paused(self) -> None:
        self.sending()
        self.drive("refused", "busy", "PAUSED", REPORT)

    def doubted(self) -> None:
        self.sending()
        self.drive("refused", "bad", "DOUBTED", REPORT)

    def test_absent(self) -> None:
        """A supplier that is away is looked for every minute, in case its coming was missed."""
        self.passes(60, "ABSENT")
        self.port.answers["is_online"] = True
        self.passes(60, "SENDING", FILL, SEND, REPORT)

    def test_new_pieces(self) -> None:
        """New pieces go out at once, one after the other as the supplier takes them."""
        self.drained()
        self.drive("new-piece", None, "SENDING", SEND)
        self.drive("new-piece", None, "SENDING", SEND)
        self.drive("landed", None, "SENDING", SEND)
        self.drive("drained", None, "DRAINED")

    def test_drained(self) -> None:
        """What waits on this disk is looked for every minute, and when suppliers have changed."""
        self.drained()
        self.passes(60, "SENDING", FILL, SEND)
        self.drive("online", None, "SENDING", FILL, SEND)
        self.drive("drained", None, "DRAINED")
        self.drive("online", None, "SENDING", FILL, SEND)

    def test_it_leaves(self) -> None:
        """When the supplier goes, what is on its way to it waits again, whatever the queue was doing."""
        self.drained()
        self.drive("offline", None, "ABSENT", REPORT)
        self.sending()
        self.drive("offline", None, "ABSENT", RECALL, REPORT)
        for arrive in (self.stalled, self.paused, self.doubted):
            arrive()
            self.drive("offline", None, "ABSENT", RECALL)
            self.port.answers["is_stalled"] = False

    def test_stalled(self) -> None:
        """A supplier that takes nothing for long is not waited for, until something moves again."""
        self.sending()
        self.passes(0.5, "SENDING")
        self.port.answers["is_stalled"] = True
        self.passes(0.5, "STALLED", REPORT)
        self.passes(0.5, "STALLED")
        self.port.answers["is_stalled"] = False
        self.passes(0.5, "SENDING", REPORT)

    def test_stalled_and_landed(self) -> None:
        """A piece that arrives after all makes it an ordinary supplier again."""
        self.stalled()
        self.drive("landed", None, "SENDING", SEND, REPORT)

    def test_stalled_and_refused(self) -> None:
        """A refusal after a long silence is a refusal."""
        self.stalled()
        self.drive("refused", "busy", "PAUSED")
        self.drive("online", None, "SENDING", FILL, SEND, REPORT)
        self.passes(0.5, "STALLED", REPORT)
        self.drive("refused", "bad", "DOUBTED")

    def test_refused(self) -> None:
        """After a refusal nothing is sent for a while."""
        self.paused()
        self.passes(4, "SENDING", SEND, REPORT)

    def test_refused_and_back(self) -> None:
        """A supplier that comes back, or takes another piece, is not paused any longer."""
        self.paused()
        self.drive("online", None, "SENDING", FILL, SEND, REPORT)
        self.drive("refused", "busy", "PAUSED", REPORT)
        self.drive("landed", None, "SENDING", SEND, REPORT)

    def test_doubted(self) -> None:
        """After a piece that did not fit its root it is tried again after each pause, until one was taken."""
        self.doubted()
        self.passes(4, "DOUBTED", SEND)
        self.drive("refused", "bad", "DOUBTED")
        self.passes(4, "DOUBTED", SEND)
        self.drive("landed", None, "SENDING", SEND, REPORT)

    def test_doubted_and_refused_otherwise(self) -> None:
        """Another refusal is no doubt about the piece."""
        self.doubted()
        self.drive("refused", "busy", "PAUSED")

    def test_doubted_and_drained(self) -> None:
        """When this disk had lost the piece in doubt, nothing is left to be sent."""
        self.doubted()
        self.drive("drained", None, "DRAINED", REPORT)

    def test_shutdown(self) -> None:
        """The end takes back what is on its way."""
        self.sending()
        self.ends("shutdown", "CLOSED", RECALL)
