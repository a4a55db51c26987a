"""Rows of shared_access_coordinator."""

from unittest.mock import ANY

from bitdust.automats.shared_access_coordinator import SharedAccessCoordinator, SharedAccessPort
from tests.unit.automats.kit import RowTests


class SharedAccessCoordinatorTests(RowTests):
    def setUp(self) -> None:
        super().setUp()
        self.port = self.record(SharedAccessPort, has_enough=False, lacks_some=False)
        self.machine = SharedAccessCoordinator(self.registry, "share_1$alice@host", self.port)
        self.addCleanup(self.machine.send, "shutdown")

    def connect(self) -> None:
        self.drive("open", None, "SUPPLIERS?", ("connect",))

    def read(self) -> None:
        self.connect()
        self.port.answers["has_enough"] = True
        self.port.succeed("connect")
        self.asked("READING", ("read",))

    def opened(self) -> None:
        self.read()
        self.port.succeed("read")
        self.asked("CONNECTED", ("report_open",))

    def test_as_soon_as_enough_are_there(self) -> None:
        """It is read when k suppliers are connected, whoever is awaited still."""
        self.connect()
        self.drive("supplier-up", None, "SUPPLIERS?")
        self.port.answers["has_enough"] = True
        self.drive("supplier-up", None, "READING", ("read",))

    def test_too_few(self) -> None:
        """Where too few can be reached it stays closed, and is tried again after pauses that grow to five minutes."""
        self.connect()
        for pause in (2, 4, 8, 16, 32, 64, 128, 256, 300, 300):
            self.port.succeed("connect")
            self.asked("DISCONNECTED", ("report_closed", None))
            self.passes(pause, "SUPPLIERS?", ("connect",))

    def test_somebody_comes(self) -> None:
        """A supplier that comes is a reason to try at once; pauses begin anew after a success."""
        self.connect()
        self.port.succeed("connect")
        self.asked("DISCONNECTED", ("report_closed", None))
        self.drive("supplier-up", None, "SUPPLIERS?", ("connect",))
        self.port.answers["has_enough"] = True
        self.port.succeed("connect")
        self.asked("READING", ("read",))
        self.port.succeed("read")
        self.asked("CONNECTED", ("report_open",))
        self.port.answers["has_enough"] = False
        self.drive("supplier-down", None, "SUPPLIERS?", ("connect",))
        self.port.succeed("connect")
        self.asked("DISCONNECTED", ("report_closed", None))
        self.passes(2, "SUPPLIERS?", ("connect",))

    def test_who_comes_may_not_answer_yet(self) -> None:
        """However long too few were there, it is tried again soon after one has come, or was come while others are
        dialled."""
        self.connect()
        for pause in (2, 4, 8, 16, 32):
            self.port.succeed("connect")
            self.asked("DISCONNECTED", ("report_closed", None))
            self.passes(pause, "SUPPLIERS?", ("connect",))
        self.drive("supplier-up", None, "SUPPLIERS?")
        self.port.succeed("connect")
        self.asked("DISCONNECTED", ("report_closed", None))
        for pause in (2, 2, 4, 8):
            self.passes(pause, "SUPPLIERS?", ("connect",))
            self.port.succeed("connect")
            self.asked("DISCONNECTED", ("report_closed", None))
        self.drive("supplier-up", None, "SUPPLIERS?", ("connect",))
        self.port.answers["has_enough"] = True
        self.machine._tries = 8
        self.drive("supplier-up", None, "READING", ("read",))
        self.port.fail("read")
        self.asked("DISCONNECTED", ("report_closed", ANY))
        self.passes(2, "SUPPLIERS?", ("connect",))
        self.port.succeed("connect")
        self.asked("READING", ("read",))
        self.port.fail("read")
        self.asked("DISCONNECTED", ("report_closed", ANY))
        self.drive("supplier-up", None, "SUPPLIERS?", ("connect",))
        self.port.succeed("connect")
        self.asked("READING", ("read",))
        self.port.fail("read")
        self.asked("DISCONNECTED", ("report_closed", ANY))
        self.passes(2, "SUPPLIERS?", ("connect",))

    def test_dialling_without_end(self) -> None:
        """Nobody is dialled for longer than half a minute."""
        self.connect()
        self.passes(30, "DISCONNECTED", ("report_closed", None))
        self.assertEqual(self.port.cancelled, {"connect": 1})

    def test_reading_fails(self) -> None:
        """What the suppliers say is shown, and the share is tried again."""
        self.read()
        self.port.fail("read")
        self.asked("DISCONNECTED", ("report_closed", ANY))

    def test_reading_without_end(self) -> None:
        """A supplier that never comes to an end keeps nobody longer than a minute."""
        self.read()
        self.passes(60, "DISCONNECTED", ("report_closed", None))
        self.assertEqual(self.port.cancelled, {"read": 1})

    def test_news(self) -> None:
        """What is new is read at once, and the share stays open meanwhile; what is new after that is read anew."""
        self.opened()
        for _ in range(2):
            self.drive("news", None, "CONNECTED", ("read",))
            self.port.succeed("read")
            self.asked("CONNECTED")

    def test_news_while_reading(self) -> None:
        """What becomes new while it is read is read after it, once, when it was opened and later."""
        self.read()
        self.drive("news", None, "READING")
        self.drive("news", None, "READING")
        self.port.succeed("read")
        self.asked("CONNECTED", ("report_open",), ("read",))
        self.drive("news", None, "CONNECTED")
        self.port.succeed("read")
        self.asked("CONNECTED", ("read",))
        self.port.succeed("read")
        self.asked("CONNECTED")

    def test_news_cannot_be_read(self) -> None:
        """Where reading again fails the share is closed, and tried again."""
        self.opened()
        self.drive("news", None, "CONNECTED", ("read",))
        self.port.fail("read")
        self.asked("DISCONNECTED", ("report_closed", ANY))

    def test_looked_at_again(self) -> None:
        """An open share is looked at again every five minutes."""
        self.opened()
        self.passes(300, "SUPPLIERS?", ("connect",))

    def test_some_are_not_there(self) -> None:
        """Those who are not there are called again while it is open, after pauses that grow from ten seconds until all
        are there."""
        self.opened()
        self.passes(10, "CONNECTED")
        self.port.answers["lacks_some"] = True
        for pause in (10, 10, 20):
            self.passes(pause, "CONNECTED", ("connect",))
            self.port.fail("connect")
        self.port.answers["lacks_some"] = False
        for pause in (40, 80):
            self.passes(pause, "CONNECTED")
        self.port.answers["lacks_some"] = True
        self.passes(10, "CONNECTED", ("connect",))

    def test_one_less(self) -> None:
        """It stays open while enough suppliers are there."""
        self.opened()
        self.drive("supplier-down", None, "CONNECTED")

    def test_closed(self) -> None:
        """Closing it ends what was begun."""
        self.read()
        self.drive("shutdown", None, "CLOSED")
        self.assertEqual(self.port.cancelled, {"read": 1})
