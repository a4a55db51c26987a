"""Public keys in their usual text form."""

from base64 import b64decode
from binascii import Error

from bitdust.wire.encoding import WireError


def spki_of(pem: str) -> bytes:
    """SubjectPublicKeyInfo of a public key in PEM. Raises `WireError` ``bad-key``."""
    try:
        return b64decode("".join(pem.strip().splitlines()[1:-1]), validate=True)
    except (Error, ValueError) as error:
        raise WireError("bad-key", "this is no public key in PEM") from error
