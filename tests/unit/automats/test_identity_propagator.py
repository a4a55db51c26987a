"""Rows of identity_propagator."""

from bitdust.automats.identity_propagator import IdentityPropagator, IdentityPropagatorPort
from tests.unit.automats.kit import RowTests


class IdentityPropagatorTests(RowTests):
    def setUp(self) -> None:
        super().setUp()
        self.port = self.record(IdentityPropagatorPort, revision=1, interval=300.0)
        self.machine = IdentityPropagator(self.registry, self.port)
        self.addCleanup(self.machine.send, "shutdown")

    def start(self) -> None:
        self.drive("start", None, "DHT?", ("store",))

    def store(self, kept: bool) -> None:
        self.port.succeed("store") if kept else self.port.fail("store")
        self.asked("ID_SERVERS?", ("push",))

    def publish(self, kept: bool = True, problem: str = "") -> None:
        self.start()
        self.store(kept)
        self.port.succeed("push", problem)

    def test_known_to_both(self) -> None:
        """The DHT and an ID server have the document."""
        self.publish()
        self.asked("KNOWN")

    def test_known_to_id_servers_alone(self) -> None:
        """Where the DHT keeps nothing an ID server has it, and it is brought there soon, less and less often."""
        self.publish(kept=False)
        self.asked("UNSTORED")
        for seconds in (15, 30, 60, 120, 240, 300, 300):
            self.passes(seconds, "DHT?", ("store",))
            self.store(False)
            self.port.succeed("push", "")
            self.asked("UNSTORED")
        self.drive("document-changed", None, "UNSTORED")
        self.drive("network-back", None, "DHT?", ("store",))
        self.port.succeed("store")
        self.asked("ID_SERVERS?", ("push",))
        self.port.succeed("push", "")
        self.asked("KNOWN")
        self.passes(300, "DHT?", ("store",))
        self.store(False)
        self.port.succeed("push", "")
        self.passes_from_the_start()

    def passes_from_the_start(self) -> None:
        """Failures count in a row."""
        self.asked("UNSTORED")
        self.passes(15, "DHT?", ("store",))

    def test_failures_are_forgotten(self) -> None:
        """However the DHT came to have it, the next failure is the first again."""
        for push in (lambda: self.port.fail("push"), lambda: self.clock.advance(120)):
            self.machine = IdentityPropagator(self.registry, self.port)
            self.publish(kept=False)
            self.asked("UNSTORED")
            self.passes(15, "DHT?", ("store",))
            self.store(True)
            push()
            self.asked("KNOWN")
            self.passes(300, "DHT?", ("store",))
            self.store(False)
            self.port.succeed("push", "")
            self.passes_from_the_start()
            self.machine.send("shutdown")

    def test_a_change_while_ids_servers_alone_know_it(self) -> None:
        """It goes to the DHT at once."""
        self.publish(kept=False)
        self.asked("UNSTORED")
        self.port.revision = 2
        self.drive("document-changed", None, "DHT?", ("store",))

    def test_known_to_the_dht_alone(self) -> None:
        """Where no ID server takes it, or they cannot be asked, or are silent for two minutes, the DHT is enough."""
        self.publish(problem="nobody answers")
        self.asked("KNOWN")
        self.passes(300, "DHT?", ("store",))
        self.store(True)
        self.port.fail("push")
        self.asked("KNOWN")
        self.passes(300, "DHT?", ("store",))
        self.store(True)
        self.passes(120, "KNOWN")

    def test_unknown(self) -> None:
        """A failed store is no success: with no ID server nobody knows the document, and the reason is kept."""
        self.publish(kept=False, problem="nobody answers")
        self.asked("UNKNOWN")
        self.assertEqual(self.machine.reason, "nobody answers")
        self.passes(15, "DHT?", ("store",))
        self.store(False)
        self.port.fail("push", RuntimeError("no keys"))
        self.asked("UNKNOWN")
        self.assertEqual(self.machine.reason, "no keys")
        self.passes(30, "DHT?", ("store",))
        self.store(False)
        self.passes(120, "UNKNOWN")
        self.assertEqual(self.machine.reason, "ID servers do not answer")
        self.passes(60, "DHT?", ("store",))
        self.store(False)
        self.port.succeed("push", "nobody answers")
        self.asked("UNKNOWN")
        self.passes(120, "DHT?", ("store",))
        self.store(False)
        self.port.succeed("push", "nobody answers")
        self.asked("UNKNOWN")
        self.drive("network-back", None, "DHT?", ("store",))
        self.store(False)
        self.passes(120, "UNKNOWN")
        self.assertEqual(self.machine.reason, "ID servers do not answer")

    def test_others_come_while_id_servers_are_asked(self) -> None:
        """What the DHT has not taken is stored there first; what it has taken is not stored twice."""
        self.start()
        self.store(False)
        self.drive("network-back", None, "DHT?", ("store",))
        self.store(True)
        self.drive("network-back", None, "ID_SERVERS?")

    def test_others_come_while_it_is_being_stored(self) -> None:
        """A failure that follows is the first again."""
        self.publish(kept=False)
        self.asked("UNSTORED")
        self.passes(15, "DHT?", ("store",))
        self.drive("network-back", None, "DHT?")
        self.store(False)
        self.port.succeed("push", "")
        self.passes_from_the_start()

    def test_a_silent_dht(self) -> None:
        """After a minute the ID servers have their turn, and what was not stored does not count."""
        self.start()
        self.passes(60, "ID_SERVERS?", ("push",))
        self.port.succeed("push", "nobody answers")
        self.asked("UNKNOWN")
        self.assertEqual(self.port.cancelled, {"store": 1})

    def test_a_change_is_published_at_once(self) -> None:
        """From wherever it is; a change of anything but the document is none."""
        self.publish()
        self.asked("KNOWN")
        self.drive("document-changed", None, "KNOWN")
        self.port.revision = 2
        self.drive("document-changed", None, "DHT?", ("store",))
        self.drive("document-changed", None, "DHT?")
        self.port.revision = 3
        self.drive("document-changed", None, "DHT?", ("store",))
        self.assertEqual(self.port.cancelled, {"store": 1})
        self.store(False)
        self.port.succeed("push", "nobody answers")
        self.asked("UNKNOWN")
        self.drive("document-changed", None, "UNKNOWN")
        self.port.revision = 4
        self.drive("document-changed", None, "DHT?", ("store",))

    def test_a_push_that_makes_a_new_revision(self) -> None:
        """What was joined with another device's document goes to the DHT as well; the old store counts no more."""
        self.start()
        self.store(True)
        self.port.revision = 2
        self.port.succeed("push", "")
        self.asked("DHT?", ("store",))
        self.store(False)
        self.port.succeed("push", "nobody answers")
        self.asked("UNKNOWN")

    def test_the_end(self) -> None:
        """Shutdown gives up what is on its way."""
        self.start()
        self.ends("shutdown")
