"""Bodies of messages as the disk has them: plain, or in boxes that a home under a passphrase makes.

The key is random and stands in ``messages/key``, in a box for this device and for the RSA key. Where the home is
locked, both are behind its passphrase, and so is the key. Names and times of messages are not sealed.
"""

import os
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bitdust.crypt.boxes import open_box, seal_for
from bitdust.crypt.files import write_safely
from bitdust.identity.me import Me
from bitdust.wire.encoding import WireError
from bitdust.wire.errors import BitDustError

NAME = "key"
_NONCE = 12
_KEY = 32


class Bodies:
    """I seal and open bodies; `load` first. ``sealing`` says whether new ones are sealed."""

    def __init__(self, key: bytes | None = None, sealing: bool = False) -> None:
        self._cipher = AESGCM(key) if key else None
        self.sealing = sealing

    def kept(self, about: bytes, text: bytes) -> tuple[int, bytes]:
        """Whether it is sealed, and the bytes that are kept; ``about`` says which message it is."""
        return (1, self.seal(about, text)) if self.sealing else (0, text)

    def seal(self, about: bytes, text: bytes) -> bytes:
        """A box of this home."""
        nonce = os.urandom(_NONCE)
        return nonce + self._need().encrypt(nonce, text, about)

    def text(self, about: bytes, sealed: int, body: bytes) -> bytes:
        """The JSON text. Raises `BitDustError` ``locked`` or ``damaged-message``."""
        if not sealed:
            return body
        try:
            return self._need().decrypt(body[:_NONCE], body[_NONCE:], about)
        except (InvalidTag, ValueError) as error:
            raise BitDustError("damaged-message", "a stored message was changed") from error

    def _need(self) -> AESGCM:
        if self._cipher is None:
            raise BitDustError("locked", "stored messages are sealed, and their key is not here")
        return self._cipher


def load_key(folder: Path, me: Me, make: bool) -> bytes | None:
    """The key of this home's history; None where there is none and none is to be made.

    Raises `BitDustError` ``locked-history`` where no key here opens it, and `OSError`.
    """
    path = folder / NAME
    if path.exists():
        try:
            return open_box(path.read_bytes(), me.device, me.held_master)
        except WireError as error:
            text = f"{path} cannot be opened ({error}); sealed messages stay unread until the key of this home is back"
            raise BitDustError("locked-history", text) from error
    if not make:
        return None
    key = os.urandom(_KEY)
    keep_key(folder, me, key)
    return key


def keep_key(folder: Path, me: Me, key: bytes) -> None:
    """Write the key down for the devices that this identity has now."""
    write_safely(folder / NAME, seal_for(me.public, [me.device.public], key))
