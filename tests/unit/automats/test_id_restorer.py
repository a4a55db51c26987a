"""Rows of id_restorer."""

from bitdust.automats.id_restorer import IdRestorer, IdRestorerPort
from tests.unit.automats.kit import RowTests


class IdRestorerTests(RowTests):
    def setUp(self) -> None:
        super().setUp()
        self.port = self.record(IdRestorerPort, is_hopeless=True)
        self.machine = IdRestorer(self.registry, self.port)

    def find(self) -> None:
        self.drive("start", None, "MY_ID", ("find_document",))
        self.port.succeed("find_document", "document")
        self.asked("VERIFY", ("add_device", "document"))

    def save(self) -> None:
        self.find()
        self.port.succeed("add_device")
        self.asked("SEND_ID", ("save",), ("publish",))

    def test_restored(self) -> None:
        """The newest document gets a new device, is saved at home, and is published."""
        self.save()
        self.port.succeed("publish")
        self.asked("RESTORED!")

    def test_nobody_has_it(self) -> None:
        """Without a document there is nobody to become; the reason says what was tried."""
        self.machine.send("start")
        self.port.fail("find_document", KeyError("nobody"))
        self.asked("FAILED", ("find_document",))
        self.assertIsInstance(self.machine.reason, KeyError)

    def test_somebody_is_silent(self) -> None:
        """As long as somebody who may have it cannot be reached it is asked again, with pauses up to a minute."""
        self.port.is_hopeless = False
        self.drive("start", None, "MY_ID", ("find_document",))
        for pause in (2, 4, 8, 16, 32, 60, 60):
            self.port.fail("find_document", KeyError("nobody"))
            self.asked("PAUSE", ("report_waiting",))
            self.passes(pause, "MY_ID", ("find_document",))
        self.port.succeed("find_document", "document")
        self.asked("VERIFY", ("add_device", "document"))

    def test_a_round_without_end(self) -> None:
        """Sources that do not answer for a minute are asked again."""
        self.drive("start", None, "MY_ID", ("find_document",))
        self.passes(60, "PAUSE", ("report_waiting",))
        self.assertEqual(self.port.cancelled, {"find_document": 1})

    def test_given_up(self) -> None:
        """Another recovery takes the place of one that still searches, whether it asks or waits."""
        self.port.is_hopeless = False
        self.drive("start", None, "MY_ID", ("find_document",))
        self.port.fail("find_document", KeyError("nobody"))
        self.asked("PAUSE", ("report_waiting",))
        self.ends("give-up", "FAILED")
        self.assertIsInstance(self.machine.reason, KeyError)
        self.machine = IdRestorer(self.registry, self.port)
        self.drive("start", None, "MY_ID", ("find_document",))
        self.ends("give-up", "FAILED")
        self.machine = IdRestorer(self.registry, self.port)
        self.save()
        self.ends("give-up", "RESTORED!")

    def test_document_that_takes_no_device(self) -> None:
        """A document into which no device can be written ends the recovery."""
        self.find()
        self.port.fail("add_device", ValueError("broken"))
        self.asked("FAILED")
        self.assertIsInstance(self.machine.reason, ValueError)

    def test_disk_that_refuses(self) -> None:
        """An identity that cannot be written at home is not published, and the recovery has failed."""

        def full() -> None:
            raise OSError("no space")

        self.port.answers["save"] = full
        self.find()
        self.port.succeed("add_device")
        self.asked("FAILED", ("save",))
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)

    def test_publishing_that_fails(self) -> None:
        """Once the identity is at home it is restored, whether servers take the document or not."""
        self.save()
        self.port.fail("publish")
        self.asked("RESTORED!")

    def test_publishing_that_takes_long(self) -> None:
        """Publishing is given up after two minutes; it is tried again by those whose duty it is."""
        self.save()
        self.passes(120, "RESTORED!")
        self.assertEqual(self.port.cancelled, {"publish": 1})
