"""Rows of id_registrator."""

from bitdust.automats.id_registrator import IdRegistrator, IdRegistratorPort
from tests.unit.automats.kit import RowTests

STEPS = (
    ("ID_SERVERS?", "choose_servers"),
    ("NAME_FREE?", "check_name"),
    ("MAKE_KEYS", "make_document"),
    ("SEND_ID", "publish"),
    ("REQUEST_ID", "verify"),
)


class IdRegistratorTests(RowTests):
    def setUp(self) -> None:
        super().setUp()
        self.port = self.record(IdRegistratorPort)
        self.machine = IdRegistrator(self.registry, self.port)

    def go_to(self, state: str) -> str:
        """Let every step before this state succeed; what is waited for there."""
        self.machine.send("start")
        for reached, asked in STEPS:
            self.asked(reached, (asked,))
            if reached == state:
                return asked
            self.port.succeed(asked)
        raise AssertionError(state)

    def again(self) -> None:
        self.machine = IdRegistrator(self.registry, self.port)

    def test_registered(self) -> None:
        """Servers, name, keys, the document at its servers and read back; only then it is saved at home."""
        self.go_to("REQUEST_ID")
        self.port.succeed("verify")
        self.asked("DONE", ("save",))
        self.assertIsNone(self.machine.reason)

    def test_every_step_may_fail(self) -> None:
        """A step that fails ends the registration with its reason, and nothing is saved."""
        for state, _ in STEPS:
            error = ValueError(state)
            self.port.fail(self.go_to(state), error)
            self.asked("FAILED")
            self.assertIs(self.machine.reason, error)
            self.again()

    def test_every_answer_has_its_time(self) -> None:
        """A server that does not answer for two minutes ends the registration without a reason."""
        for state, _ in STEPS:
            if state != "MAKE_KEYS":
                asked = self.go_to(state)
                self.passes(120, "FAILED")
                self.assertIsNone(self.machine.reason)
                self.assertEqual(self.port.cancelled.pop(asked), 1)
                self.again()

    def test_keys_take_their_time(self) -> None:
        """A slow processor may need longer for the keys."""
        self.go_to("MAKE_KEYS")
        self.passes(600, "MAKE_KEYS")
        self.port.succeed("make_document")
        self.asked("SEND_ID", ("publish",))

    def test_disk_that_refuses(self) -> None:
        """An identity that cannot be written at home is not made, whatever the servers hold."""

        def full() -> None:
            raise OSError("no space")

        self.port.answers["save"] = full
        self.go_to("REQUEST_ID")
        self.port.succeed("verify")
        self.asked("FAILED", ("save",))
        self.assertIsInstance(self.machine.reason, OSError)
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)
