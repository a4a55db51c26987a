"""Names are looked up where they lead, so that people read them."""

from types import SimpleNamespace

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from bitdust.identity.proving import LOOK_AGAIN, NameProver
from bitdust.wire.errors import BitDustError


class ProvingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.known: dict[bytes, str] = {b"a": "a's", b"b": "b's"}
        self.proven: dict[bytes, str] = {}
        self.asked: list[tuple[str, Deferred]] = []
        self.prover = NameProver(self.clock, self, self)

    def is_proven(self, who: bytes) -> bool:
        return self.proven.get(who) == self.known.get(who)

    def get(self, who: bytes):
        return SimpleNamespace(fingerprint=who, idurl=self.known[who]) if who in self.known else None

    def accept(self, document, idurl: str) -> None:
        self.proven[document.fingerprint] = idurl

    def look_up(self, idurl: str) -> Deferred:
        self.asked.append((idurl, Deferred()))
        return self.asked[-1][1]

    def names(self) -> list[str]:
        return [name for name, _ in self.asked]

    def answer(self, who: bytes) -> None:
        self.asked[-1][1].callback(SimpleNamespace(fingerprint=who))

    def test_one_after_the_other(self) -> None:
        """Each name is asked for once, after the answer for the one before; what answers proves it."""
        self.prover.want([b"b", b"a", b"nobody"])
        self.prover.want([b"a"])
        self.assertEqual(self.names(), ["a's"])
        self.answer(b"a")
        self.assertEqual(self.names(), ["a's", "b's"])
        self.answer(b"b")
        self.assertTrue(self.is_proven(b"a") and self.is_proven(b"b"))
        self.clock.advance(LOOK_AGAIN)
        self.prover.want([b"a", b"b"])
        self.assertEqual(self.names(), ["a's", "b's"])

    def test_somebody_else(self) -> None:
        """A name that leads to another key proves nothing; nor does a place that does not answer. Both are asked again
        after a while, and no sooner."""
        self.prover.want([b"a", b"b"])
        self.answer(b"b")
        self.asked[-1][1].errback(BitDustError("network-error", "down"))
        self.assertEqual(self.proven, {})
        self.prover.want([b"a", b"b"])
        self.assertEqual(self.names(), ["a's", "b's"])
        self.clock.advance(LOOK_AGAIN)
        self.prover.want([b"b"])
        self.assertEqual(self.names(), ["a's", "b's", "b's"])

    def test_renamed(self) -> None:
        """Another name is looked up at once, however late the one before was."""
        self.prover.want([b"a"])
        self.answer(b"a")
        self.known[b"a"] = "elsewhere"
        self.prover.renamed(b"a")
        self.assertEqual(self.names(), ["a's", "elsewhere"])

    def test_stopped(self) -> None:
        """Nothing is asked for after the end; the next life begins with all of them."""
        self.prover.want([b"a", b"b"])
        self.prover.stop()
        self.assertEqual(self.names(), ["a's"])
        self.prover.want([b"b"])
        self.assertEqual(self.names(), ["a's", "b's"])
