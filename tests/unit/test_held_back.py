"""What suppliers hold back, on the owner's side: asked for, shown, undone and confirmed."""

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from twisted.internet.defer import fail, succeed
from twisted.trial.unittest import SynchronousTestCase

from bitdust.checkup.deletions import deletions
from bitdust.crypt.device import DeviceKey
from bitdust.formats.orders import DECISION_KIND, Decision
from bitdust.storage.catalog.database import open_catalog
from bitdust.storage.keeping.disposal import given_up_by_others
from bitdust.suppliers.held_back import HeldBackOrders
from bitdust.wire.encoding import encode
from bitdust.wire.errors import BitDustError
from bitdust.wire.signed import Signed
from tests.unit.storage_kit import master_key
from tests.unit.supplier_kit import START, Sent
from tests.unit.test_cli_calls import NodeCase

ME = DeviceKey.from_seed(bytes(32))
OTHER = bytes(8)
ONE, TWO = b"1" * 32, b"2" * 32


class HeldBackCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.asked: list[tuple] = []
        self.answers: dict[bytes, Any] = {}
        self.events = Sent()
        self.me = SimpleNamespace(
            fingerprint=b"m" * 32, device=ME, held_master=None, sign=ME.sign_record,
            document=SimpleNamespace(
                device=lambda ident: SimpleNamespace(number=3, revoked=None) if ident == OTHER else None
            ),
        )  # fmt: skip
        around = SimpleNamespace(
            me=self.me, events=self.events, identities=SimpleNamespace(get=lambda who: None),
            world=SimpleNamespace(wall=lambda: START), outbox=SimpleNamespace(send=self.send),
        )  # fmt: skip
        self.held = HeldBackOrders(around)

    def send(self, supplier: bytes, command: str, fields: dict, payload: bytes = b"", **limits: Any) -> Any:
        self.asked.append((supplier, str(command), fields, payload))
        answer = self.answers.get(supplier, [])
        if isinstance(answer, Exception):
            return fail(answer)
        return succeed(SimpleNamespace(fields={}, payload=answer if isinstance(answer, bytes) else encode(answer)))

    def row(self, device: bytes = OTHER, **changes: Any) -> dict[str, Any]:
        return {"device": device, "end": False, "until": START + 90, "packs": 7, "bytes": 700, **changes}

    def hold(self, **rows: list) -> None:
        self.answers = {ONE: rows.get("one", []), TWO: rows.get("two", [])}
        for supplier in (ONE, TWO):
            self.held.ask(supplier)


class OwnerTests(HeldBackCase):
    def test_each_is_reported_once(self) -> None:
        """An event for what is new or has grown; what is due is shown no more, nor what a supplier no more names."""
        self.hold(one=[self.row()], two=[self.row(end=True, packs=0, until=START)])
        self.hold(one=[self.row(packs=8)])
        self.hold(one=[self.row(packs=8)])
        said = [(name, data["packs"], data["what"], data["device"]) for name, data in self.events]
        expected = [(7, "delete"), (0, "contract-end"), (8, "delete")]
        self.assertEqual(said, [("deletion-held-back", *one, 3) for one in expected])
        self.assertEqual([(one.supplier, one.packs) for one in self.held.all()], [(ONE, 8)])
        self.hold()
        self.assertEqual(self.held.all(), [])

    def test_what_does_not_happen_after_all(self) -> None:
        """A supplier that holds packs back no more before they are due is asked what it has; one at its end is not."""
        kept: list[int] = []
        self.held.kept.connect(lambda: kept.append(1))
        self.hold(one=[self.row()], two=[self.row(until=START)])
        self.assertEqual(kept, [])
        self.hold()
        self.assertEqual(kept, [1])

    def test_who_was_revoked(self) -> None:
        """Nothing of what it ordered happens, so nothing of that is shown any more."""
        self.hold(one=[self.row()])
        self.me.document.device = lambda ident: SimpleNamespace(number=3, revoked=4)
        self.assertEqual(self.held.all(), [])

    def test_an_answer_that_is_none(self) -> None:
        """A supplier that is away, does not know the question or talks nonsense leaves known what it said before."""
        self.hold(one=[self.row()])
        for answer in (BitDustError("timeout", "late"), b"\xff", [1], [self.row(device=b"")], [self.row()] * 65):
            self.answers[ONE] = answer
            self.held.ask(ONE)
            self.assertEqual(len(self.held.all()), 1)

    def test_a_decision_goes_to_all_that_hold_something(self) -> None:
        """Each gets a signed word with the last moment that it named, and is asked again; one that obeys is enough."""
        self.hold(one=[self.row(), self.row(end=True, until=START + 99)], two=[self.row(device=ME.id)])
        self.asked.clear()
        self.me.held_master = master_key()
        self.assertEqual(self.successResultOf(self.held.decide(OTHER, True)), 1)
        (supplier, command, fields, payload), *asked = self.asked
        signed = Signed.from_bytes(payload, DECISION_KIND)
        self.assertEqual((supplier, command, fields["kind"]), (ONE, "CancelService", "deletions"))
        decision = Decision(self.me.fingerprint, ONE, OTHER, True, START + 99)
        self.assertEqual(Decision.parse(signed.body), decision)
        self.assertTrue(master_key().public.verify(fields["countersignature"], signed.countersigned()))
        self.assertEqual([(one[0], one[1]) for one in asked], [(ONE, "Retrieve")])

    def test_nothing_to_decide(self) -> None:
        """``not-found`` where nothing is held back; the refusal where nobody obeys."""
        self.assertEqual(self.failureResultOf(self.held.decide(OTHER, True)).value.code, "not-found")
        self.hold(one=[self.row(device=ME.id)])
        self.answers[ONE] = BitDustError("not-allowed", "another device has to confirm this")
        self.assertEqual(self.failureResultOf(self.held.decide(ME.id, False)).value.code, "not-allowed")

    def test_the_doctor(self) -> None:
        """A warning for each other device, with what to do; this one's own orders are no reason to worry."""
        self.assertEqual([one.verdict for one in deletions([], START)], ["ok"])
        self.hold(one=[self.row(), self.row(ME.id)], two=[self.row(end=True, packs=0, bytes=0)])
        other, mine = sorted(deletions([self.held.row(one) for one in self.held.all()], START), key=lambda f: f.hint,
                             reverse=True)  # fmt: skip
        self.assertEqual((other.verdict, mine.verdict), ("warn", "ok"))
        self.assertIn("the deletion of 7 packs (700 bytes) and the end of 1 contract at", other.found)
        self.assertIn("bitdust identity revoke 3", other.hint)
        self.assertIn("by the word of this device", mine.found)


class OrderTests(SynchronousTestCase):
    def test_what_another_device_has_given_up(self) -> None:
        """Of packs with a tombstone of another device, which may be stolen, the RSA key says nothing."""
        catalog = open_catalog(Path(self.mktemp()))
        self.addCleanup(catalog.close)
        packs = [bytes([number]) * 16 for number in range(3)]
        rows = [(packs[0].hex(), "master", 1, ME.id, 1, 0), (packs[1].hex(), "master", 1, OTHER, 1, 0)]
        catalog.executemany("INSERT INTO tombstones VALUES(?, ?, ?, ?, ?, ?)", rows)
        self.assertEqual(given_up_by_others(catalog, packs, ME.id), {packs[1]})


class CommandTests(NodeCase):
    def test_commands(self) -> None:
        """``deletion`` lists what waits and when it happens; ``undo`` and ``confirm`` name a device."""
        row = {"supplier": "bob@id", "device": 3, "what": "delete", "packs": 7, "bytes": 700, "until": START}
        self.answers |= dict.fromkeys(("deletions_list", "deletion_undo", "deletion_confirm"), {"result": [row]})
        output = self.asks("deletion", ("deletions_list", {}))
        self.assertIn(time.strftime("%Y-%m-%d %H:%M", time.localtime(START)), output)
        self.asks("deletion undo 3", ("deletion_undo", {"device": "3"}))
        self.asks("deletion confirm 3", ("deletion_confirm", {"device": "3"}))
        self.prints_json("deletions", [row])
