"""Pack operations of the catalog's log: a record goes in, and the same record comes out."""

from twisted.trial.unittest import SynchronousTestCase

from bitdust.formats.operations import OPS, pack_op, record_of
from bitdust.wire.encoding import WireError
from bitdust.wire.records import PackRecord, Scheme

OWNER = bytes(range(32))


class PackOperationTests(SynchronousTestCase):
    def record(self, scope: bytes | None = None) -> PackRecord:
        scheme = Scheme.for_family(4)
        return PackRecord(OWNER, b"p" * 16, 1000, scheme, [bytes([number]) * 32 for number in range(4)], scope)

    def test_comes_back(self) -> None:
        """What a supplier was shown is what the log gives back, byte for byte, whichever key the pack belongs to."""
        for record in (self.record(), self.record(b"s" * 16)):
            op = pack_op(record, "photos", 1, b"n" * 16, [1000])
            OPS.check([op], "ops")
            self.assertEqual(record_of(op, OWNER).to_body(), record.to_body())

    def test_lists_that_do_not_fit(self) -> None:
        """Names, lengths and roots that do not fit together are refused."""
        for changed in ({"names": b"n" * 17}, {"roots": [bytes(32)] * 3}):
            op = pack_op(self.record(), "photos", 1, b"n" * 16, [1000]) | changed
            self.assertEqual(self.assertRaises(WireError, record_of, op, OWNER).code, "bad-field")

    def test_a_scope_that_is_none(self) -> None:
        """A scope has sixteen bytes."""
        op = pack_op(self.record(), "photos", 1, b"n" * 16, [1000]) | {"scope": b"short"}
        self.assertRaises(WireError, OPS.check, [op], "ops")
