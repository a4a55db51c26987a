"""Rows of local_service."""

from twisted.python.failure import Failure

from bitdust.automats.local_service import LocalService, ServicePort
from tests.unit.automats.kit import RowTests

START, STOP, DEPENDENTS, CHECK = ("start",), ("stop",), ("stop_dependents",), ("check",)


def outcome(word: str) -> tuple[str, str]:
    return ("outcome", word)


class LocalServiceTests(RowTests):
    def setUp(self) -> None:
        super().setUp()
        self.port = self.record(ServicePort, missing=None, needs_off=None)
        self.machine = LocalService(self.registry, "lamp", self.port)

    def start(self) -> None:
        self.drive("start", None, "STARTING", START)

    def work(self) -> None:
        self.start()
        self.port.succeed("start")
        self.asked("ON", outcome("started"))

    def fail_to_start(self) -> None:
        """The second time in a row, so that the number of failures is seen."""
        self.start()
        self.port.fail("start", ValueError("no oil"))
        self.asked("OFF", outcome("failed"), ("retry", 1))
        self.port.succeed("retry")
        self.asked("STARTING", START)
        self.port.fail("start", ValueError("no oil"))
        self.asked("OFF", outcome("failed"), ("retry", 2))

    def break_down(self) -> None:
        """Work, until the health check fails."""
        self.work()
        self.drive("check", None, "ON", CHECK)
        self.port.fail("check", ValueError("broken"))
        self.asked("INFLUENCE", DEPENDENTS)

    def stop(self) -> None:
        """Stop after the dependents have stopped."""
        self.port.succeed("stop_dependents")
        self.asked("STOPPING", STOP)

    def be_off(self, state: str) -> None:
        """Be off because something is missing or needed."""
        member, word = {
            "NOT_INSTALLED": ("missing", "not_installed"),
            "DEPENDS_OFF": ("needs_off", "depends_off"),
        }[state]
        self.port.answers[member] = "it lacks oil"
        self.drive("start", None, state, outcome(word))
        self.assertEqual(self.machine.reason, "it lacks oil")
        self.port.answers[member] = None

    # starting

    def test_start(self) -> None:
        """A service that works is reported, and so again to whoever starts it once more."""
        self.work()
        self.drive("start", None, "ON", outcome("started"))

    def test_cannot_run_here(self) -> None:
        """What cannot run on this node says why, until it can."""
        self.be_off("NOT_INSTALLED")
        self.be_off("NOT_INSTALLED")
        self.start()

    def test_needs_are_off(self) -> None:
        """What needs others that are off says which, until they are on; what it lacks itself goes before that."""
        self.be_off("DEPENDS_OFF")
        self.be_off("DEPENDS_OFF")
        self.port.answers["needs_off"] = "it lacks a wick"
        self.be_off("NOT_INSTALLED")

    def test_start_twice(self) -> None:
        """A start while starting changes nothing, and what was begun goes on."""
        self.start()
        self.drive("start", None, "STARTING")
        self.port.succeed("start")
        self.asked("ON", outcome("started"))

    def test_start_that_fails(self) -> None:
        """A start that fails is tried again after a pause that depends on the failures; success forgets them."""
        self.fail_to_start()
        self.assertEqual((self.machine.failures, self.machine.reason), (2, "no oil"))
        self.port.fail("retry")
        self.asked("STARTING", START)
        self.moved("OFF", "STARTING")
        self.port.succeed("start")
        self.asked("ON", outcome("started"))
        self.assertEqual((self.machine.failures, self.machine.reason), (0, ""))

    def test_retry_without_needs(self) -> None:
        """A retry asks as a start does whether the service can run at all."""
        self.fail_to_start()
        self.port.answers["needs_off"] = "it lacks a wick"
        self.port.succeed("retry")
        self.asked("DEPENDS_OFF", outcome("depends_off"))

    def test_stop_instead_of_a_retry(self) -> None:
        """A stop gives up the retry and forgets the failures; its reason stays to be read."""
        self.fail_to_start()
        self.drive("stop", "the lamp is sold", "OFF", outcome("stopped"))
        self.assertEqual((self.machine.failures, self.machine.reason), (0, "the lamp is sold"))
        self.assertEqual(self.port.cancelled, {"retry": 1})

    def test_start_instead_of_a_retry(self) -> None:
        """A start does not wait for the retry."""
        self.fail_to_start()
        self.start()
        self.assertEqual(self.port.cancelled, {"retry": 1})

    # stopping

    def test_stop(self) -> None:
        """Dependents stop first, then the service, and that is reported; the reason stays to be read."""
        self.work()
        self.drive("stop", "enough", "INFLUENCE", DEPENDENTS)
        self.assertEqual(self.machine.reason, "enough")
        self.stop()
        self.port.succeed("stop")
        self.asked("OFF", outcome("stopped"))

    def test_stop_while_starting(self) -> None:
        """A start under way is cancelled, and what it has begun is stopped."""
        self.fail_to_start()
        self.start()
        self.drive("stop", "enough", "INFLUENCE", DEPENDENTS)
        self.assertEqual((self.machine.failures, self.machine.reason), (0, "enough"))
        self.assertEqual(self.port.cancelled, {"retry": 1, "start": 1})

    def test_failures_of_stopping(self) -> None:
        """Dependents or a service that fail to stop are stopped all the same."""
        self.work()
        self.machine.send("stop")
        self.port.fail("stop_dependents")
        self.port.fail("stop")
        self.asked("OFF", DEPENDENTS, STOP, outcome("stopped"))

    def test_stop_that_takes_long(self) -> None:
        """A service that does not stop within two minutes counts as stopped."""
        self.work()
        self.drive("stop", None, "INFLUENCE", DEPENDENTS)
        self.stop()
        self.passes(120, "OFF", outcome("stopped"))
        self.assertEqual(self.port.cancelled, {"stop": 1})

    def test_stop_when_off(self) -> None:
        """What is off already is reported stopped, and its reason is forgotten."""
        for state in ("NOT_INSTALLED", "DEPENDS_OFF"):
            self.be_off(state)
            self.drive("stop", None, "OFF", outcome("stopped"))
            self.assertEqual(self.machine.reason, "")

    def test_start_while_stopping(self) -> None:
        """A start that comes while the service or its dependents stop is done afterwards."""
        for after_dependents in (False, True):
            self.work()
            self.drive("stop", None, "INFLUENCE", DEPENDENTS)
            if after_dependents:
                self.stop()
                self.drive("start", None, "STOPPING")
            else:
                self.drive("start", None, "INFLUENCE")
                self.stop()
            self.port.succeed("stop")
            self.asked("STARTING", outcome("stopped"), START)
            self.moved("STOPPING", "OFF", "STARTING")
            self.port.succeed("start")
            self.asked("ON", outcome("started"))
            self.drive("stop", None, "INFLUENCE", DEPENDENTS)
            self.stop()
            self.port.succeed("stop")
            self.asked("OFF", outcome("stopped"))

    def test_last_word_counts(self) -> None:
        """A stop takes back a start that came while stopping."""
        for after_dependents in (False, True):
            self.work()
            self.drive("stop", None, "INFLUENCE", DEPENDENTS)
            self.drive("start", None, "INFLUENCE")
            if after_dependents:
                self.stop()
                self.drive("stop", None, "STOPPING")
            else:
                self.drive("stop", None, "INFLUENCE")
                self.stop()
            self.port.succeed("stop")
            self.asked("OFF", outcome("stopped"))

    # health

    def test_healthy(self) -> None:
        """Health is checked every half minute, and a healthy service goes on."""
        self.work()
        self.passes(30, "ON", CHECK)
        self.port.succeed("check")
        self.passes(30, "ON", CHECK)

    def test_unhealthy(self) -> None:
        """A service that has broken down is stopped, dependents first, and started again after a pause."""
        self.break_down()
        self.stop()
        self.port.succeed("stop")
        self.asked("OFF", outcome("failed"), ("retry", 1))
        self.assertEqual(self.machine.reason, "broken")

    def test_unhealthy_and_given_up(self) -> None:
        """A service that is stopped while it breaks down stays off."""
        for after_dependents in (False, True):
            self.break_down()
            if after_dependents:
                self.stop()
                self.drive("stop", None, "STOPPING")
            else:
                self.drive("stop", None, "INFLUENCE")
                self.stop()
            self.port.succeed("stop")
            self.asked("OFF", outcome("stopped"))

    def test_reasons(self) -> None:
        """A person reads the text of a failure, or that there was none."""
        self.start()
        self.port.fail("start", ValueError())
        self.assertEqual(self.machine.reason, "ValueError()")
        self.drive("stop", Failure(ValueError("x")), "OFF", outcome("failed"), ("retry", 1), outcome("stopped"))

    def test_end(self) -> None:
        """Shutdown ends it at once."""
        self.start()
        self.ends("shutdown")
