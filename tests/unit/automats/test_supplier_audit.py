"""Rows of supplier_audit."""

from unittest import mock

from bitdust.automats.supplier_audit import SupplierAudit, SupplierAuditPort
from bitdust.wire.errors import BitDustError
from tests.unit.automats.kit import RowTests

CHOOSE, MEASURE, ASK = ("choose",), ("measure",), ("ask",)
ANSWER = object()
CHECK = ("check", ANSWER)


class SupplierAuditTests(RowTests):
    def setUp(self) -> None:
        super().setUp()
        self.port = self.record(
            SupplierAuditPort, pause=300.0, is_due=True, is_online=True, has_more=True, is_near=True, is_refusal=False
        )
        self.machine = SupplierAudit(self.registry, "1", self.port)
        self.addCleanup(self.machine.send, "shutdown")

    def choosing(self) -> None:
        self.passes(300, "CHOOSING", CHOOSE)

    def measuring(self) -> None:
        self.choosing()
        self.port.succeed("choose")
        self.asked("MEASURING", MEASURE)

    def asking(self) -> None:
        self.measuring()
        self.port.succeed("measure")
        self.asked("ASKING", ASK)

    def checking(self) -> None:
        self.asking()
        self.port.succeed("ask", ANSWER)
        self.asked("CHECKING", CHECK)

    def test_a_round(self) -> None:
        """Pieces are chosen, the way is measured, proofs are asked for and checked until all are, then it rests."""
        self.checking()
        self.port.succeed("check")
        self.asked("ASKING", ASK)
        self.port.succeed("ask", ANSWER)
        self.asked("CHECKING", CHECK)
        self.port.answers["has_more"] = False
        self.port.succeed("check")
        self.asked("RESTING", ("finish",))
        self.choosing()

    def test_nothing_to_prove(self) -> None:
        """A supplier that has nothing of mine yet is through at once."""
        self.port.answers["has_more"] = False
        self.choosing()
        self.port.succeed("choose")
        self.asked("RESTING", ("finish",))

    def test_who_is_away_is_not_asked(self) -> None:
        """Nothing happens until the supplier is there and it is time; whoever asks for a round gets it at once."""
        self.port.answers |= {"is_online": False, "is_due": False}
        self.passes(300, "RESTING")
        self.drive("audit", None, "RESTING")
        self.drive("supplier-online", None, "RESTING")
        self.port.answers["is_due"] = True
        self.drive("supplier-online", None, "CHOOSING", CHOOSE)
        self.port.fail("choose")
        self.asked("RESTING", ("postpone",))
        self.port.answers["is_online"] = True
        self.drive("audit", None, "CHOOSING", CHOOSE)

    def test_steps_that_hang(self) -> None:
        """Nothing is waited for longer than its time; the answer that does not come is late."""
        self.choosing()
        self.passes(60, "RESTING", ("postpone",))
        self.measuring()
        self.passes(30, "RESTING", ("postpone",))
        self.asking()
        self.passes(120, "RESTING", ("late",))
        self.checking()
        self.passes(60, "RESTING", ("postpone",))
        self.assertEqual(self.port.cancelled, {"choose": 1, "measure": 1, "ask": 1, "check": 1})

    def test_absence_is_no_failure(self) -> None:
        """A supplier that goes away or is busy is asked again; so it is when this disk cannot be read."""
        self.measuring()
        self.port.fail("measure")
        self.asked("RESTING", ("postpone",))
        self.asking()
        self.port.fail("ask")
        self.asked("RESTING", ("postpone",))
        self.checking()
        self.port.fail("check")
        self.asked("RESTING", ("postpone",))

    def test_who_is_farther_than_usual(self) -> None:
        """Where the sign of life took so long that no answer could be in time, none is asked for now."""
        self.port.answers["is_near"] = False
        self.measuring()
        self.port.succeed("measure")
        self.asked("RESTING", ("postpone",))

    def test_a_refusal_is_a_failure(self) -> None:
        """Who is there and refuses has failed, be it the sign of life or the proof."""
        self.port.answers["is_refusal"] = True
        for reach in (self.measuring, self.asking):
            reach()
            self.port.fail("measure" if reach == self.measuring else "ask", BitDustError("not-allowed", "no"))
            self.asked("RESTING", ("refused", mock.ANY))

    def test_shutdown(self) -> None:
        """It ends in the middle of a question, which is cancelled."""
        self.asking()
        self.ends("shutdown")
        self.assertEqual(self.port.cancelled, {"ask": 1})
