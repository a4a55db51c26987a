"""What answers to a recovered node mean: who has nothing of it, and who cannot say."""

from types import SimpleNamespace
from typing import Any

from twisted.internet.defer import fail
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from bitdust.crypt.keyfile import SupplierHint
from bitdust.recovery import Recovery
from bitdust.suppliers.finding import Answer
from bitdust.wire.errors import BitDustError

SUPPLIER = b"s" * 32


class FamilySourcesTests(SynchronousTestCase):
    def answer(self, code: str) -> Answer:
        """What is taken of a supplier of the key file that refuses a question so."""
        outbox = SimpleNamespace(send=lambda *_, **__: fail(BitDustError(code, "refused")))
        gateway: Any = SimpleNamespace(connected=lambda who: True, outbox=outbox)
        off = BitDustError("dht-off", "the DHT is off")
        connector = SimpleNamespace(when=lambda state: fail(off))
        dht: Any = SimpleNamespace(node=SimpleNamespace(connector=connector))
        hints = SimpleNamespace(suppliers=[SupplierHint(SUPPLIER)], family=1)
        registration: Any = SimpleNamespace(hints=hints)
        around: Any = SimpleNamespace(world=SimpleNamespace(clock=Clock()))
        taken: list[Answer] = []
        recovery = Recovery(around, gateway, dht, registration)
        self.successResultOf(recovery.ask_for_family([], False, taken.append))
        (found,) = (one for one in taken if one.supplier == SUPPLIER)
        return found

    def test_who_has_nothing(self) -> None:
        """Whoever says that it has no family, or no contract with me, has answered."""
        for code in ("not-found", "not-allowed", "no-contract"):
            self.assertEqual(self.answer(code), Answer(SUPPLIER))

    def test_who_cannot_say(self) -> None:
        """A supplier whose services answer later than its session is there has said nothing about what it keeps."""
        for code in ("unknown-command", "busy", "session-lost"):
            self.assertEqual(self.answer(code).error, "refused")
