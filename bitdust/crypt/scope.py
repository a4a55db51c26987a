"""The tag under which a supplier knows the packs and logs of one key, without knowing the key or its name."""

import hashlib
import hmac

_DOMAIN = b"BitDust scope 1\0"
SCOPE_SIZE = 16


def scope_of(secret: bytes, key_id: str) -> bytes:
    """The tag of a key other than the master, by a secret of its owner's, so that nobody can guess names.

    That is the first storage secret of the master key: all devices of the owner have it, and it stays what it is when
    keys get other secrets or several devices give one key its first. What belongs to the master key has no tag.
    """
    return hmac.digest(secret, _DOMAIN + key_id.encode(), hashlib.sha256)[:SCOPE_SIZE]
