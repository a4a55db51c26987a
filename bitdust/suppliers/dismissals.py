"""Certificates of spares that I have decided against: ``metadata/dismissals``, one digest of their terms a line.

A certificate of an older family still says where pieces are, so somebody may show one at any time. One that was
dismissed is not looked at again: whenever its member is away for a moment its spare would have the place.
"""

import hashlib
from pathlib import Path

from attrs import astuple
from twisted.logger import Logger

from bitdust.crypt.files import make_private_folder, write_safely
from bitdust.wire.encoding import encode
from bitdust.wire.healing import Terms

MOST = 1000
"""Of more the oldest are forgotten."""


class Dismissals:
    """I remember them. A file that cannot be read counts as empty."""

    log = Logger()

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: dict[str, None] = {}

    def load(self) -> None:
        """Read what earlier runs have noted."""
        try:
            if self._path.exists():
                self._known = dict.fromkeys(self._path.read_text("ascii").split()[-MOST:])
        except (OSError, ValueError) as error:
            self.log.warn("dismissed spares cannot be read: {error}", error=error)

    def note(self, terms: Terms) -> None:
        """These are dismissed. Where the disk does not take it, until the next start."""
        self._known[_digest(terms)] = None
        lines = [f"{digest}\n" for digest in list(self._known)[-MOST:]]
        try:
            make_private_folder(self._path.parent)
            write_safely(self._path, "".join(lines).encode())
        except OSError as error:
            self.log.warn("a dismissed spare cannot be noted: {error}", error=error)

    def has(self, terms: Terms) -> bool:
        """Whether these were dismissed."""
        return _digest(terms) in self._known


def _digest(terms: Terms) -> str:
    return hashlib.sha256(encode(list(astuple(terms)))).hexdigest()
