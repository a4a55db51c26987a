"""Which leaf of each piece is to be proved: a chain that only who has all leaves so far can follow.

The first leaf follows from the challenger's random number, each next one from the content of the one before. Who has
the pieces follows the chain as fast as its disk reads; who has to fetch them from somebody else pays a round trip for
each. The end of the chain commits to every leaf, and to who asked whom: an answer is good for one question alone.
"""

from blake3 import blake3

from bitdust.crypt.merkle import Buffer

CONTEXT = "BitDust 2026-11 proof of possession"
NONCE = 32
NOTHING = b""
"""The content of a piece that is not there: it leads on along the chain as well."""


class LeafChain:
    """Both sides walk along the same chain; ``challenger`` and ``supplier`` are fingerprints."""

    def __init__(self, nonce: bytes, challenger: bytes, supplier: bytes) -> None:
        self._state = blake3(nonce + challenger + supplier, derive_key_context=CONTEXT).digest()

    def leaf(self, leaves: int) -> int:
        """Which leaf of the next piece, which has so many, is asked for."""
        return int.from_bytes(self._state[:16], "big") % leaves

    def take(self, content: Buffer) -> None:
        """The content of that leaf; `NOTHING` where there is none."""
        self._state = blake3(content, key=self._state).digest()

    @property
    def value(self) -> bytes:
        """What commits to everything that was taken, 32 bytes."""
        return self._state
