"""Names of pieces on a supplier's disk, and the pack record that is kept with each.

A piece is stored at ``<customer fingerprint>/<first 2 digits of the pack>/<pack>.<number>``, all in hex: no name on the
disk is made of anything that a peer wrote. While it comes it ends in ``.part``.
"""

from pathlib import Path

from attrs import frozen

from bitdust.wire.records import PackRecord
from bitdust.wire.signed import Signed

PARTIAL = ".part"


@frozen
class PieceName:
    """Which piece of whom."""

    customer: bytes
    pack: bytes
    number: int

    @property
    def key(self) -> tuple[bytes, bytes, int]:
        """The parameters of every statement about one piece."""
        return (self.customer, self.pack, self.number)

    def path(self, folder: Path) -> Path:
        pack = self.pack.hex()
        return folder / self.customer.hex() / pack[:2] / f"{pack}.{self.number}"

    def partial(self, folder: Path) -> Path:
        """Its temporary name, until it is whole."""
        path = self.path(folder)
        return path.with_name(path.name + PARTIAL)


def record_of(signed: bytes) -> PackRecord:
    """The pack record inside stored signed bytes."""
    return PackRecord.from_body(Signed.from_bytes(signed, PackRecord.KIND).body)
