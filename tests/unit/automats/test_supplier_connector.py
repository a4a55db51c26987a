"""Rows of supplier_connector."""

from bitdust.automats.supplier_connector import Refused, SupplierConnector, SupplierConnectorPort
from tests.unit.automats.kit import RowTests


class SupplierConnectorTests(RowTests):
    def setUp(self) -> None:
        super().setUp()
        self.port = self.record(SupplierConnectorPort, has_session=True, absence=0.0, jitter=0.5)
        self.machine = SupplierConnector(self.registry, "bob", self.port)
        self.addCleanup(self.machine.send, "shutdown")

    def ask(self) -> None:
        self.drive("connect", None, "REQUEST", ("request",))

    def connect(self) -> None:
        self.ask()
        self.port.succeed("request", "contract")
        self.asked("CONNECTED", ("save", "contract"), ("changed", "CONNECTED"))

    def refuse(self) -> None:
        self.port.fail("request", Refused("no-space", "there is no room"))
        self.asked("NO_SERVICE", ("changed", "NO_SERVICE"))

    def lose(self) -> None:
        self.port.fail("request", OSError("the line broke"))
        self.asked("DISCONNECTED", ("changed", "DISCONNECTED"))

    def test_accepted(self) -> None:
        """A contract is saved before anybody hears of the connection, and makes good for what failed before."""
        self.ask()
        self.lose()
        self.assertEqual((self.machine.failures, self.machine.reason), (1, "the line broke"))
        self.connect()
        self.assertEqual((self.machine.failures, self.machine.reason), (0, ""))

    def test_accepted_over_a_line_that_is_gone(self) -> None:
        """The contract counts, the connection does not."""
        self.ask()
        self.port.has_session = False
        self.port.succeed("request", "contract")
        self.asked("DISCONNECTED", ("save", "contract"), ("changed", "DISCONNECTED"))

    def test_a_silent_supplier_is_not_connected(self) -> None:
        """A request is given up after 30 seconds."""
        self.ask()
        self.passes(30, "DISCONNECTED", ("changed", "DISCONNECTED"))
        self.assertEqual((self.port.cancelled, self.machine.reason), ({"request": 1}, "the supplier does not answer"))
        self.assertEqual(self.machine.failures, 1)

    def test_pauses(self) -> None:
        """Tries grow rarer with each failure, up to a thousandth of the absence; half of a pause is chance."""
        pauses = (1, 1, 2, 4, 4, 4, 32, 64, 86.4, 256, 300)
        for pause, absence in zip(pauses, (0, 2, 5, 9, 3600, *3 * (86_400,), *3 * (1e6,)), strict=True):
            self.port.absence = absence
            self.passes(pause, "REQUEST", ("request",))
            self.lose()
        self.port.absence = 1e6
        self.port.jitter = 0.0
        self.ask()
        self.lose()
        self.passes(150, "REQUEST", ("request",))

    def test_a_supplier_that_comes_by_itself(self) -> None:
        """Nobody waits for the pause; while one request runs there is no second one."""
        self.ask()
        self.lose()
        self.drive("supplier-online", None, "REQUEST", ("request",))
        for event in ("connect", "supplier-online", "supplier-offline"):
            self.drive(event, None, "REQUEST")

    def test_a_broken_line(self) -> None:
        """It is reported at once, and tried again after a second."""
        self.connect()
        self.drive("supplier-offline", None, "DISCONNECTED", ("changed", "DISCONNECTED"))
        self.passes(1, "REQUEST", ("request",))

    def test_a_contract_is_renewed(self) -> None:
        """When something else is wanted, and every day of a line that never breaks."""
        self.connect()
        self.connect()
        self.passes(86_400, "REQUEST", ("request",))

    def test_more_room(self) -> None:
        """The line stays as it is while a supplier is asked for more; a refusal changes nothing."""
        self.connect()
        self.drive("raise", None, "CONNECTED", ("more",))
        self.port.succeed("more", "larger")
        self.asked("CONNECTED", ("save", "larger"))
        self.drive("raise", None, "CONNECTED", ("more",))
        self.port.fail("more", Refused("no-space", "there is no room"))
        self.asked("CONNECTED")
        self.assertEqual((self.machine.failures, self.machine.reason, self.machine.code),
                         (0, "there is no room", "no-space"))  # fmt: skip
        self.drive("supplier-offline", None, "DISCONNECTED", ("changed", "DISCONNECTED"))
        self.drive("raise", None, "DISCONNECTED")

    def test_a_supplier_that_refused_is_asked_again(self) -> None:
        """After pauses of up to ten minutes, when something else is wanted, and whenever it comes by itself."""
        self.ask()
        self.refuse()
        self.assertEqual((self.machine.failures, self.machine.reason), (1, "there is no room"))
        for pause in (60, 120, 240, 480, 600, 600):
            self.passes(pause, "REQUEST", ("request",))
            self.refuse()
        self.ask()
        self.refuse()
        self.drive("supplier-online", None, "REQUEST", ("request",))

    def test_a_contract_is_ended(self) -> None:
        """Once, whether the supplier hears it, refuses, or says nothing for ten seconds."""
        self.connect()
        self.drive("disconnect", None, "REFUSE", ("cancel",))
        self.drive("disconnect", None, "REFUSE")
        self.port.succeed("cancel")
        self.asked("CLOSED")

    def test_a_contract_is_ended_without_an_answer(self) -> None:
        """What the supplier has not heard it will be told when it is next connected."""
        self.drive("disconnect", None, "REFUSE", ("cancel",))
        self.port.fail("cancel")
        self.asked("CLOSED")

    def test_a_contract_is_ended_in_silence(self) -> None:
        """Nobody waits for more than ten seconds."""
        self.ask()
        self.drive("disconnect", None, "REFUSE", ("cancel",))
        self.passes(10, "CLOSED")
        self.assertEqual(self.port.cancelled, {"request": 1, "cancel": 1})

    def test_end(self) -> None:
        """Shutdown ends no contract."""
        self.ask()
        self.ends("shutdown")
