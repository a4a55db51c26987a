"""Codes that two people's screens show, so that nobody can stand between two devices that never met.

Both sides first agree on keys (`bitdust.crypt.noise`, ``XX``), perhaps with somebody in between, who then has agreed
with each of them on other keys: the hashes of the two handshakes differ. The codes are made of that hash and of a
random number of each side, and show whether it is the same one. One side commits itself to its number before it sees
the other's, so that nobody can try numbers until the codes fit: who stands in between has one chance in a million for
each code, and one try for each handshake that a person begins.

It is the numeric comparison of Bluetooth (Core Specification 5.4, volume 3, part H, 2.3.5.6.2: the functions f4 and
g2), with HMAC-SHA256 in the place of AES-CMAC and the hash of the handshake in the place of the two public keys. The
proof is S. Vaudenay, Secure Communications over Insecure Channels Based on Short Authenticated Strings, CRYPTO 2005.
"""

import hmac

from attrs import frozen

NONCE = 32
DIGITS = 6
_COMMITMENT = b"BitDust device 1: commitment"
_CODES = b"BitDust device 1: codes"


@frozen
class Codes:
    """Six digits each: what the node's screen shows, and what the device's screen shows. The person types each one at
    the other side, which compares it with its own."""

    node: str
    device: str


def commitment(nonce: bytes, handshake: bytes) -> bytes:
    """What the node says before it has seen the device's random number."""
    return hmac.digest(nonce, _COMMITMENT + handshake, "sha256")


def keeps(committed: bytes, nonce: bytes, handshake: bytes) -> bool:
    """Whether a random number is the one that the node had committed itself to."""
    return hmac.compare_digest(committed, commitment(nonce, handshake))


def codes(device: bytes, node: bytes, handshake: bytes) -> Codes:
    """Of the random numbers of the device and of the node, and the hash of their handshake."""
    made = hmac.digest(device + node, _CODES + handshake, "sha256")
    return Codes(_digits(made[:8]), _digits(made[8:16]))


def _digits(some: bytes) -> str:
    return f"{int.from_bytes(some, 'big') % 10**DIGITS:0{DIGITS}d}"
