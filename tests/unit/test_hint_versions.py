"""A key file is kept for years: the hints of every version are read."""

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from bitdust.crypt.keyfile import HINTS_VERSION, HeadHint, Hints, SupplierHint
from bitdust.wire.encoding import WireError, encode

SUPPLIER = {"fingerprint": b"s" * 32, "addresses": ["tcp://192.0.2.1:7771"]}
HEAD = {"device": b"d" * 8, "sequence": 7, "hash": b"h" * 32}
FIRST: dict[str, Any] = {
    "version": 1, "revision": 5, "seeds": ["192.0.2.2:7772"], "suppliers": [SUPPLIER], "heads": [HEAD],
}  # fmt: skip
READ = Hints(5, ("192.0.2.2:7772",), (SupplierHint(b"s" * 32, ("tcp://192.0.2.1:7771",)),))


class HintVersionTests(SynchronousTestCase):
    def read(self, **changes: Any) -> Hints:
        return Hints.from_bytes(encode(FIRST | changes))

    def test_version_1(self) -> None:
        """Seeds and suppliers count; a head does not, because it is of a log that there is no more."""
        self.assertEqual(self.read(), READ)

    def test_version_2(self) -> None:
        """A head may name its key, and of the family nothing is known."""
        found = self.read(version=2, heads=[HEAD, HEAD | {"scope": b"k" * 16}])
        heads = (HeadHint(b"d" * 8, 7, b"h" * 32), HeadHint(b"d" * 8, 7, b"h" * 32, b"k" * 16))
        self.assertEqual((found.suppliers, found.heads, found.family), (READ.suppliers, heads, 0))

    def test_current_version(self) -> None:
        """The revision of the family belongs to it; no other version has one, and none after it is known."""
        self.assertEqual(self.read(version=HINTS_VERSION, family=9).family, 9)
        for changes in ({"version": HINTS_VERSION}, {"version": 2, "family": 9}, {"version": 4, "family": 9}):
            self.assertRaises(WireError, self.read, **changes)
