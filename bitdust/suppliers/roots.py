"""The roots of my family record: which lives it has joined, and who says so.

A record that goes back to none but these is no news. So whoever stole a device could name the root of a family that is
lost, and hide it for good. What another device brings is remembered, and taken back when that is revoked: a life that
was truly joined is joined once more where its record is shown again.
"""

import json
from collections.abc import Collection
from pathlib import Path

from bitdust.crypt.files import write_safely
from bitdust.identity.me import Me
from bitdust.wire.records import MAX_ROOTS, Family


class Roots:
    """I remember on the disk which device has brought which root; a file that cannot be read counts for nothing."""

    def __init__(self, path: Path, me: Me) -> None:
        self._path = path
        self._me = me

    def note(self, mine: Family, theirs: Family, device: bytes) -> None:
        """A record of another device is followed or joined. Raises `OSError`."""
        there, known = {*(mine.roots or ())}, self._read()
        brought = {root: device for root in theirs.roots or () if root not in there}
        if brought:
            self._write({root: who for root, who in known.items() if root in there} | brought)

    def of(self, *records: Family | None) -> list[bytes] | None:
        """Those of a record that goes on from these. Of too many those of devices that the document names go first,
        which no thief makes up, and then those of the first record."""
        named = [root for one in records if one is not None for root in one.roots or ()]
        document, doubted = self._me.document, self.doubted(named)
        order = sorted({*named} - doubted, key=lambda root: (document.device(root) is None, named.index(root)))
        return sorted(order[:MAX_ROOTS]) or None

    def doubted(self, roots: Collection[bytes]) -> set[bytes]:
        """Which of these a device has brought that was revoked since."""
        known = self._read()
        return {root for root in roots if root in known and self.is_revoked(known[root])}

    def is_revoked(self, ident: bytes) -> bool:
        """Whether a device was revoked that may have been stolen before."""
        device = self._me.document.device(ident)
        return device is not None and device.revoked is not None and not device.was_let_go

    def forget_doubted(self) -> None:
        """They were taken back: whoever brings them again is believed. Raises `OSError`."""
        known = self._read()
        left = {root: who for root, who in known.items() if not self.is_revoked(who)}
        if left != known:
            self._write(left)

    def _read(self) -> dict[bytes, bytes]:
        try:
            found = json.loads(self._path.read_bytes())
            return {bytes.fromhex(root): bytes.fromhex(who) for root, who in found.items()}
        except (OSError, ValueError, TypeError, AttributeError):
            return {}

    def _write(self, known: dict[bytes, bytes]) -> None:
        write_safely(self._path, json.dumps({root.hex(): who.hex() for root, who in known.items()}).encode())
