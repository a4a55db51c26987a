"""My family record on its way: to the DHT and to every supplier, whatever they answer."""

from twisted.internet.defer import fail, succeed

from bitdust.wire.errors import BitDustError
from bitdust.wire.packet import Command
from bitdust.wire.records import Family
from bitdust.wire.signed import Signed
from tests.unit.kit import Reply
from tests.unit.supplier_kit import Person
from tests.unit.test_hiring import TownCase


class PublicationTests(TownCase):
    def setUp(self) -> None:
        super().setUp()
        self.start()
        self.town.data = True
        self.publication = self.town.publication
        self.refused: Exception | None = None
        self.kept: Signed | None = None
        self.refusals = 0
        self.send, self.town.send = self.town.send, self.answer_instead

    def answer_instead(self, to, command, fields, payload=None, **options):
        """Supplier 0 refuses the record with `refused`, and has `kept` instead."""
        if to == self.town.supplier(0).fingerprint:
            if command is Command.CONTACTS and self.refused is not None:
                self.refusals += 1
                return fail(self.refused)
            if command is Command.RETRIEVE:
                return succeed(Reply({}, self.kept.to_bytes() if self.kept is not None else b"rubbish"))
        return self.send(to, command, fields, payload, **options)

    def write(self) -> Family:
        """The next revision, which nobody else has yet."""
        family = self.town.family.current
        return self.town.family.write(family.suppliers, family.addresses)

    def holders(self) -> list[int]:
        current = self.town.family.current
        return [number for number in range(4) if self.town.supplier(number).family == current]

    def test_a_change_is_published_at_once(self) -> None:
        """Every supplier and the DHT have it in the same turn, and each acknowledgement is reported."""
        heard: list[bytes] = []
        self.publication.acknowledged.connect(heard.append)
        family = self.write()
        self.assertEqual((self.holders(), self.town.in_dht[-1]), ([0, 1, 2, 3], family))
        self.assertEqual(set(heard), set(family.suppliers))
        self.assertTrue(self.publication.is_safe())

    def test_enough_for_any_k(self) -> None:
        """With n = 4 and k = 2 the record is safe when three hold it, and not with two."""
        for number in (2, 3):
            self.town.kill(self.town.supplier(number))
        self.write()
        self.assertEqual((self.holders(), self.publication.is_safe()), ([0, 1], False))
        self.town.supplier(2).up = True
        self.town.connect(self.town.supplier(2).fingerprint)
        self.pass_time(5)
        self.assertEqual((self.holders(), self.publication.is_safe()), ([0, 1, 2], True))

    def test_a_refusal_is_tried_again(self) -> None:
        """Whoever refuses for a reason of its own gets it later, with pauses that grow; the others have it."""
        self.refused = BitDustError("no-space", "the disk is full")
        self.write()
        self.assertEqual(self.holders(), [1, 2, 3])
        self.pass_time(60)
        self.assertTrue(4 <= self.refusals <= 6, self.refusals)
        self.refused = None
        self.pass_time(60)
        self.assertEqual(self.holders(), [0, 1, 2, 3])

    def test_what_enough_suppliers_hold(self) -> None:
        """The revision that a key file may name is one that enough suppliers have, never one of this home alone."""
        before = self.publication.safe_revision
        self.assertEqual(before, self.town.family.current.revision)
        for number in range(4):
            self.town.kill(self.town.supplier(number))
        self.write()
        self.assertEqual(self.publication.safe_revision, before)
        for number in range(3):
            self.assertEqual(self.publication.safe_revision, before)
            self.town.supplier(number).up = True
            self.town.connect(self.town.supplier(number).fingerprint)
            self.pass_time(5)
        self.assertEqual(self.publication.safe_revision, self.town.family.current.revision)

    def test_a_silent_supplier(self) -> None:
        """It holds up nobody, and gets the record when it answers again."""
        self.town.supplier(0).mood = "silent"
        self.write()
        self.assertEqual(self.holders(), [1, 2, 3])
        self.pass_time(59)
        self.town.supplier(0).mood = "kind"
        self.pass_time(5)
        self.assertEqual(self.holders(), [0, 1, 2, 3])

    def test_a_supplier_that_has_somebody_elses_record(self) -> None:
        """What cannot be proven to be mine changes nothing, and is asked for again a minute later."""
        self.refused = BitDustError("stale", "a newer one is kept")
        for kept in (None, Person("mallory").family(90)):
            self.kept = kept
            family = self.write()
            self.pass_time(3)
            self.assertEqual((self.town.family.current, self.holders()), (family, [1, 2, 3]))
        self.refused = None
        self.pass_time(61)
        self.assertEqual(self.holders(), [0, 1, 2, 3])

    def test_a_supplier_that_knows_better(self) -> None:
        """A newer record of mine is adopted from whoever has it, and everybody else gets it."""
        current = self.town.family.current
        newer = Family(**{name: getattr(current, name) for name in Family.FIELDS} | {"revision": 50})
        self.kept = self.town.me.sign(newer.KIND, newer.to_body())
        self.refused = BitDustError("stale", "a newer one is kept")
        self.write()
        self.assertEqual((self.town.family.current, self.holders()), (newer, [1, 2, 3]))
        self.assertTrue(self.publication.is_held_by(self.town.supplier(0).fingerprint))
        self.assertTrue(self.town.family.inherited)

    def test_two_of_one_revision(self) -> None:
        """What another device wrote at the same time is joined with what this one wrote."""
        self.refused = BitDustError("conflict", "another one is kept")
        current = self.town.family.current
        stranger = Person("stranger").fingerprint
        self.town.unmoved = {(3, who) for who in (stranger, current.suppliers[3])}
        changes = {"revision": current.revision + 1, "suppliers": [*current.suppliers[:3], stranger]}
        other = Family(**{name: getattr(current, name) for name in Family.FIELDS} | changes)
        self.kept = self.town.me.sign(other.KIND, other.to_body())
        self.write()
        self.refused = None
        self.pass_time(3)
        joined = self.town.family.current
        self.assertEqual(joined.revision, current.revision + 2)
        self.assertEqual({*joined.suppliers, *joined.departing}, {*current.suppliers, stranger})

    def test_stopped(self) -> None:
        """Nothing is sent after a stop; a new start publishes what changed meanwhile."""
        self.publication.stop()
        sent, stored = len(self.town.sent), len(self.town.in_dht)
        family = self.write()
        self.pass_time(10)
        self.assertEqual((len(self.town.sent), len(self.town.in_dht)), (sent, stored))
        self.publication.start()
        self.assertEqual((self.holders(), self.town.in_dht[-1]), ([0, 1, 2, 3], family))
