"""The tag under which a supplier knows the packs and logs of one key, without knowing the key or its name."""

import hashlib
import hmac

_DOMAIN = b"BitDust scope 1\0"
SCOPE_SIZE = 16


def scope_of(secret: bytes, key_id: str) -> bytes:
    """The tag of a key other than the master: of its first storage secret and its id, so that nobody can guess names.

    It stays the same when the key gets another storage secret. What belongs to the master key has no tag.
    """
    return hmac.digest(secret, _DOMAIN + key_id.encode(), hashlib.sha256)[:SCOPE_SIZE]
