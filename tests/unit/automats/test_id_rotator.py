"""Rows of id_rotator."""

from bitdust.automats.id_rotator import IdRotator, IdRotatorPort
from tests.unit.automats.kit import RowTests

STEPS = (
    ("check_sources", "ID_SERVERS?", 60),
    ("choose", "NEW_SOURCE!", 120),
    ("make_document", "MY_ID_ROTATE", 60),
    ("publish", "SEND_ID", 120),
    ("take", "REQUEST_ID", 60),
)


class IdRotatorTests(RowTests):
    def setUp(self) -> None:
        super().setUp()
        self.port = self.record(IdRotatorPort)
        self.begun()

    def begun(self) -> None:
        self.machine = IdRotator(self.registry, self.port)

    def go(self, until: int) -> None:
        """Begin, and succeed in all steps before this one."""
        self.begun()
        self.drive("start", None, "ID_SERVERS?", ("check_sources",))
        for (step, _, _), (following, state, _) in zip(STEPS[:until], STEPS[1 : until + 1], strict=True):
            self.port.succeed(step)
            self.asked(state, (following,))

    def reported(self, kind: type) -> None:
        (call,), self.calls[:] = list(self.calls), []
        self.assertEqual((self.machine.state, call[0]), ("FAILED", "report"))
        self.assertIsInstance(getattr(call[1], "value", call[1]), kind)

    def test_all_steps(self) -> None:
        """One step after the other, and then it is done."""
        self.go(4)
        self.port.succeed("take")
        self.asked("DONE", ("report", None))

    def test_failures(self) -> None:
        """Each step that fails ends it with its reason."""
        for number, (step, _, _) in enumerate(STEPS):
            self.go(number)
            self.port.fail(step, ValueError(step))
            self.reported(ValueError)

    def test_silence(self) -> None:
        """Each step has its time, after which it is given up."""
        for number, (step, state, seconds) in enumerate(STEPS):
            self.go(number)
            self.clock.advance(seconds - 1)
            self.asked(state)
            self.clock.advance(1)
            self.reported(TimeoutError)
            self.assertEqual(self.port.cancelled[step], 1)

    def test_stop(self) -> None:
        """Nobody waits any more, before it began too."""
        self.machine.send("stop")
        self.reported(TimeoutError)
        self.go(3)
        self.machine.send("stop")
        self.reported(TimeoutError)
