"""Rows of supplier_finder."""

from bitdust.automats.supplier_finder import ATTEMPTS, SupplierFinder, SupplierFinderPort
from tests.unit.automats.kit import RowTests


class SupplierFinderTests(RowTests):
    def setUp(self) -> None:
        super().setUp()
        self.port = self.record(SupplierFinderPort)
        self.machine = SupplierFinder(self.registry, "2", self.port)
        self.addCleanup(self.machine.send, "shutdown")
        self.drive("start", None, "RANDOM_USER", ("candidate",))

    def meet(self, who: str = "bob") -> None:
        self.port.succeed("candidate", who)
        self.asked("ACK?", ("ping", who))

    def request(self, who: str = "bob") -> None:
        self.meet(who)
        self.port.succeed("ping")
        self.asked("SERVICE?", ("request", who))

    def spend(self) -> None:
        """All attempts but the last are used up by candidates that cannot be reached."""
        for _ in range(ATTEMPTS - 1):
            self.meet()
            self.port.fail("ping", OSError("nobody is there"))
            self.asked("RANDOM_USER", ("candidate",))

    def test_hired(self) -> None:
        """The first candidate that answers and accepts."""
        self.request()
        self.port.succeed("request", "contract")
        self.asked("DONE", ("hired", "bob", "contract"))

    def test_nobody_is_known(self) -> None:
        """That ends the search at once, with advice; the reason of a candidate before counts for more."""
        self.port.succeed("candidate", None)
        self.asked("FAILED", ("failed", "no candidate is known; is this node connected to the DHT?"))

    def test_nobody_else_is_known(self) -> None:
        """What the last candidate said is the better reason."""
        self.request()
        self.port.fail("request", OSError("there is no room"))
        self.asked("RANDOM_USER", ("candidate",))
        self.port.succeed("candidate", None)
        self.asked("FAILED", ("failed", "there is no room"))

    def test_a_lookup_that_fails(self) -> None:
        """It ends the search with its own reason."""
        self.port.fail("candidate", OSError("no network"))
        self.asked("FAILED", ("failed", "no network"))

    def test_a_silent_lookup(self) -> None:
        """It is given up after 30 seconds."""
        self.passes(30, "FAILED", ("failed", "a candidate did not answer in time"))
        self.assertEqual(self.port.cancelled, {"candidate": 1})

    def test_one_that_cannot_be_reached(self) -> None:
        """Another one is looked up; the reason is noted meanwhile."""
        self.meet()
        self.port.fail("ping", OSError("nobody is there"))
        self.asked("RANDOM_USER", ("candidate",))
        self.assertEqual(self.machine.reason, "nobody is there")
        self.request("carol")

    def test_one_that_does_not_answer_a_ping(self) -> None:
        """After ten seconds another one is looked up."""
        self.meet()
        self.passes(10, "RANDOM_USER", ("candidate",))
        self.assertIn("did not answer", self.machine.reason)
        self.request("carol")

    def test_one_that_refuses(self) -> None:
        """Another one is looked up."""
        self.request()
        self.port.fail("request")
        self.asked("RANDOM_USER", ("candidate",))
        self.request("carol")

    def test_one_that_does_not_answer_a_request(self) -> None:
        """After 30 seconds another one is looked up."""
        self.request()
        self.passes(30, "RANDOM_USER", ("candidate",))
        self.assertIn("did not answer", self.machine.reason)
        self.request("carol")
        self.assertEqual(self.port.cancelled, {"request": 1})

    def test_the_last_attempt(self) -> None:
        """The fifth candidate that cannot be reached ends the search, with its reason."""
        self.spend()
        self.meet()
        self.port.fail("ping", OSError("nobody is here"))
        self.asked("FAILED", ("failed", "nobody is here"))

    def test_the_last_attempt_is_silent(self) -> None:
        """So does one that does not answer."""
        self.spend()
        self.meet()
        self.passes(10, "FAILED", ("failed", "a candidate did not answer in time"))

    def test_the_last_attempt_refuses(self) -> None:
        """So does one that refuses."""
        self.spend()
        self.request()
        self.port.fail("request", OSError("there is no room"))
        self.asked("FAILED", ("failed", "there is no room"))

    def test_the_last_attempt_says_nothing(self) -> None:
        """And one that says nothing for 30 seconds."""
        self.spend()
        self.request()
        self.passes(30, "FAILED", ("failed", "a candidate did not answer in time"))

    def test_end(self) -> None:
        """A search that is given up reports nothing."""
        self.request()
        self.ends("shutdown", "FAILED")
        self.assertEqual(self.port.cancelled, {"request": 1})
