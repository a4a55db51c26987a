"""Rows of message_addressee."""

from bitdust.automats.message_addressee import MessageAddressee, MessageAddresseePort
from tests.unit.automats.kit import RowTests

LOOK, ASSIGN = ("look",), ("assign",)


class MessageAddresseeTests(RowTests):
    def setUp(self) -> None:
        super().setUp()
        self.port = self.record(MessageAddresseePort, is_known=False)
        self.machine = MessageAddressee(self.registry, "bob", self.port)
        self.addCleanup(self.machine.send, "stop")

    def looking(self) -> None:
        self.drive("look", None, "LOOKING", LOOK)

    def test_known_already(self) -> None:
        """Somebody who is known is not looked for at first, but once a day; where nothing comes of it all stays."""
        self.port.answers["is_known"] = True
        self.drive("look", None, "KNOWN", ASSIGN)
        self.passes(86_400, "LOOKING", LOOK)
        self.port.fail("look")
        self.asked("KNOWN", ASSIGN)
        self.passes(86_400, "LOOKING", LOOK)
        self.passes(60, "KNOWN", ASSIGN)

    def test_found(self) -> None:
        """Somebody who is found gets what waits; a newer document changes who has to have it."""
        self.machine.failures = 3
        self.looking()
        self.port.succeed("look")
        self.asked("KNOWN", ASSIGN)
        self.assertEqual(self.machine.failures, 0)
        self.drive("document", None, "KNOWN", ASSIGN)

    def test_not_found(self) -> None:
        """Somebody unknown is looked for again after 15 seconds, then 30, at most an hour; whatever hangs ends."""
        self.looking()
        self.port.fail("look")
        self.asked("UNKNOWN")
        self.passes(15, "LOOKING", LOOK)
        self.passes(60, "UNKNOWN")
        self.assertEqual(self.machine.failures, 2)
        self.passes(30, "LOOKING", LOOK)
        self.machine.failures = 10
        self.port.fail("look")
        self.asked("UNKNOWN")
        self.passes(3600, "LOOKING", LOOK)

    def test_the_network_is_back(self) -> None:
        """Then it looks at once, or soon again where it does so already; whoever is known is left alone."""
        self.looking()
        self.port.fail("look")
        self.asked("UNKNOWN")
        self.machine.failures = 9
        self.drive("network-back", None, "LOOKING", LOOK)
        self.assertEqual(self.machine.failures, 0)
        self.machine.failures = 9
        self.drive("network-back", None, "LOOKING")
        self.port.fail("look")
        self.asked("UNKNOWN")
        self.passes(15, "LOOKING", LOOK)
        self.port.succeed("look")
        self.asked("KNOWN", ASSIGN)
        self.drive("network-back", None, "KNOWN")

    def test_a_document_that_comes_by_itself(self) -> None:
        """Whoever shows a document is known, looked for or not."""
        self.machine.failures = 3
        self.looking()
        self.drive("document", None, "KNOWN", ASSIGN)
        self.assertEqual(self.machine.failures, 0)
        self.machine.send("stop")
        self.machine = MessageAddressee(self.registry, "bob", self.port)
        self.addCleanup(self.machine.send, "stop")
        self.drive("document", None, "KNOWN", ASSIGN)

    def test_the_end(self) -> None:
        """It ends from wherever it is."""
        self.looking()
        self.ends("stop")
