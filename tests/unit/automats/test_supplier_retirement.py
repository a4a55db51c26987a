"""Rows of supplier_retirement."""

from bitdust.automats.supplier_retirement import SupplierRetirement, SupplierRetirementPort
from tests.unit.automats.kit import RowTests

SEND, CLOSE = ("send_notices",), ("close",)


class SupplierRetirementTests(RowTests):
    def setUp(self) -> None:
        super().setUp()
        self.port = self.record(SupplierRetirementPort, is_over=False)
        self.machine = SupplierRetirement(self.registry, self.port)
        self.addCleanup(self.machine.send, "shutdown")

    def notice(self) -> None:
        self.drive("retire", None, "NOTICE", SEND)

    def over(self) -> None:
        self.port.answers["is_over"] = True
        self.drive("retire", None, "OVER", SEND, CLOSE)

    def test_the_last_customer_leaves(self) -> None:
        """Customers leave one after the other; with the last the service is closed."""
        self.notice()
        self.drive("customer-left", None, "NOTICE")
        self.port.answers["is_over"] = True
        self.drive("customer-left", None, "OVER", CLOSE)

    def test_the_time_is_over(self) -> None:
        """Every minute it is seen whether the time is over, and then the service is closed."""
        self.notice()
        self.passes(60, "NOTICE")
        self.port.answers["is_over"] = True
        self.passes(60, "OVER", CLOSE)

    def test_nobody_is_here(self) -> None:
        """Where it is over at once the notice goes out all the same, and the service is closed."""
        self.over()

    def test_another_time_is_given(self) -> None:
        """A second notice, also after the end, is sent to all and holds from now on."""
        self.notice()
        self.notice()
        self.over()
        self.port.answers["is_over"] = False
        self.notice()

    def test_staying(self) -> None:
        """Who is to stay is told so, before the end and after it."""
        self.notice()
        self.drive("stay", None, "SERVING", SEND)
        self.over()
        self.drive("stay", None, "SERVING", SEND)

    def test_nothing_happens_while_it_serves(self) -> None:
        """Without a notice nobody's leaving closes anything, and there is nothing to take back."""
        self.port.answers["is_over"] = True
        self.drive("customer-left", None, "SERVING")
        self.drive("stay", None, "SERVING")

    def test_shutdown(self) -> None:
        """It ends with the service; the notice stays."""
        self.notice()
        self.ends("shutdown")
