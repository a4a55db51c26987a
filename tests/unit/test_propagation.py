"""Keeping my identity document known to ID servers and to the DHT."""

from types import SimpleNamespace

from twisted.internet.defer import Deferred, fail, succeed

from bitdust.automats.kernel import Registry
from bitdust.identity.client import Outcome
from bitdust.identity.document import Device, IdentityDocument
from bitdust.identity.propagation import INTERVAL, Propagation
from bitdust.identity.publication import Publication
from bitdust.wire.errors import BitDustError
from tests.unit.test_identity import GOOD
from tests.unit.test_registration import THIRD, MeCase, made
from tests.vectors.keys import device, master


class PropagationTests(MeCase):
    def setUp(self) -> None:
        super().setUp()
        self.me.adopt(GOOD, master(), device())
        self.stored: list[IdentityDocument] = []
        self.dht_error: Exception | None = None
        self.registry = Registry(self.clock)
        settings = SimpleNamespace(get={INTERVAL: 300}.__getitem__)
        self.propagation = Propagation(self.registry, settings, self.me, Publication(self.me, self.client))
        self.propagation.directory = self
        self.addCleanup(self.end)

    def end(self) -> None:
        self.propagation.stop()
        self.assertEqual((len(self.registry), self.clock.getDelayedCalls()), (0, []))

    def put_identity(self, document: IdentityDocument):
        if self.dht_error is not None:
            return fail(self.dht_error)
        self.stored.append(document)
        return succeed(None)

    def start(self) -> str:
        return self.successResultOf(self.propagation.start())

    def test_everybody_is_told(self) -> None:
        """The DHT and every ID server get the document at the start, and again at every interval."""
        self.assertEqual(self.start(), "KNOWN")
        self.assertEqual((self.stored, set(self.client.kept.values())), ([GOOD], {GOOD}))
        self.client.kept.clear()
        self.clock.advance(300)
        self.assertEqual((self.stored, set(self.client.kept.values())), ([GOOD, GOOD], {GOOD}))

    def test_nobody_knows(self) -> None:
        """Without DHT and ID servers there is a problem, which names the servers, until one of them takes it."""
        self.dht_error = BitDustError("not-stored", "no node keeps it")
        self.client.down = {source.host for source in GOOD.sources}
        self.assertEqual(self.start(), "UNKNOWN")
        for source in GOOD.sources:
            self.assertIn(f"{source}: no answer", self.propagation.problem)
        self.client.down.clear()
        self.clock.advance(300)
        self.assertEqual(self.propagation.problem, "")

    def test_one_server_is_enough(self) -> None:
        """What the others say is not a problem."""
        self.dht_error = BitDustError("not-stored", "no node keeps it")
        self.client.down = {GOOD.sources[0].host}
        self.assertEqual((self.start(), self.propagation.problem), ("UNSTORED", ""))
        self.dht_error = None
        self.propagation.network_is_back()
        self.assertEqual((self.propagation.machine.state, self.stored), ("KNOWN", [GOOD]))

    def test_a_new_revision_is_published_at_once(self) -> None:
        """A change of addresses publishes nothing."""
        self.start()
        self.me.set_addresses(["tcp://10.0.0.1:1"])
        self.assertEqual(len(self.stored), 1)
        self.me.replace_document(self.me.revise())
        self.assertEqual(self.stored, [GOOD, self.me.document])

    def test_joined_documents_reach_the_dht(self) -> None:
        """What another device published meanwhile is joined, and the result is in the DHT as well."""
        self.client.kept = {source: made(4, (*GOOD.devices, Device(2, 4, THIRD.public))) for source in GOOD.sources}
        self.me.replace_document(self.me.revise(devices=(*GOOD.devices, Device(2, 4, b"f" * 32))))
        self.start()
        self.assertEqual([document.revision for document in self.stored], [4, 5])
        self.assertEqual(set(self.client.kept.values()), {self.me.document})

    def test_stopped_and_started(self) -> None:
        """A stop ends it, whatever is on its way; a new start publishes again."""
        self.start()
        self.propagation.stop()
        self.clock.advance(1000)
        self.me.replace_document(self.me.revise())
        self.assertEqual(len(self.stored), 1)
        self.assertEqual(self.start(), "KNOWN")
        self.assertEqual(len(self.stored), 2)

    def test_a_stop_in_the_middle(self) -> None:
        """What is on its way is given up, and whoever waits for the first round hears of the stop."""
        cancelled: list[Deferred[None]] = []
        self.put_identity = lambda document: Deferred(cancelled.append)
        first = self.propagation.start()
        self.assertNoResult(first)
        self.propagation.stop()
        self.assertEqual(self.successResultOf(first), "CLOSED")
        self.assertEqual(len(cancelled), 1)

    def test_outcomes(self) -> None:
        """A server that has a newer document knows me; one that refuses or is away does not."""
        words = {"stored": "UNSTORED", "stale": "UNSTORED", "refused": "UNKNOWN", "unreachable": "UNKNOWN"}
        for word, state in words.items():
            self.dht_error = BitDustError("not-stored", "no node keeps it")
            self.client.publish = lambda document, word=word: succeed({document.idurl: Outcome(word)})
            self.assertEqual(self.start(), state, word)
            self.propagation.stop()
