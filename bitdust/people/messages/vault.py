"""What is private among messages is sealed on the disk under a key that only this device and its RSA key have.

A home that is locked keeps the device's key sealed, and so this one too.
"""

import os
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bitdust.crypt.boxes import open_box, seal_for
from bitdust.crypt.files import make_private_folder, write_safely
from bitdust.identity.me import Me
from bitdust.wire.encoding import WireError
from bitdust.wire.errors import BitDustError

FILE = "key"


class Vault:
    """`open` first; it may block. ``seal`` and ``opened`` may be called in any thread."""

    def __init__(self, me: Me, folder: Path) -> None:
        self._me = me
        self._path = folder / FILE
        self._secret: bytes | None = None
        self._cipher: AESGCM | None = None
        self._sealed_for: tuple[bytes, bytes] | None = None

    def open(self) -> None:
        """Read the key, or make the first one. Raises `BitDustError` ``damaged-store``, `OSError`."""
        make_private_folder(self._path.parent)
        if self._path.exists():
            try:
                secret = open_box(self._path.read_bytes(), self._me.device, self._me.held_master)
            except WireError as error:
                text = f"{self._path} cannot be opened ({error}); move its folder away to begin new conversations"
                raise BitDustError("damaged-store", text) from error
            self._sealed_for = (self._me.fingerprint, self._me.device.id)
        else:
            secret = os.urandom(32)
        self._secret, self._cipher = secret, AESGCM(secret)
        self.keep()

    def keep(self) -> None:
        """Seal the key for the device that this node is now, where that has changed. Raises `OSError`."""
        mine = (self._me.fingerprint, self._me.device.id)
        if self._secret is not None and self._sealed_for != mine:
            write_safely(self._path, seal_for(self._me.public, [self._me.device.public], self._secret))
            self._sealed_for = mine

    def close(self) -> None:
        """Know the key no more."""
        self._secret = self._cipher = None

    def seal(self, plain: bytes) -> bytes:
        """For a column of the store."""
        assert self._cipher is not None
        nonce = os.urandom(12)
        return nonce + self._cipher.encrypt(nonce, plain, None)

    def opened(self, sealed: bytes) -> bytes:
        """Raises `BitDustError` ``damaged-store``."""
        assert self._cipher is not None
        try:
            return self._cipher.decrypt(sealed[:12], sealed[12:], None)
        except (InvalidTag, ValueError) as error:
            raise BitDustError("damaged-store", f"a row of {self._path.parent} cannot be opened") from error
