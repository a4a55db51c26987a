"""The tag under which a supplier knows the packs and logs of one key, without knowing the key or its name."""

import hashlib
import hmac

_DOMAIN = b"BitDust scope 1\0"
SCOPE_SIZE = 16


def scope_of(secret: bytes, key_id: str) -> bytes:
    """The tag of a key other than the master, by a secret of its owner's, so that nobody can guess names.

    It is made once, of what is the first storage secret of the master key at that time, and kept in the key ring with
    the key: when two rings are united another secret may be the first. What belongs to the master key has no tag.
    """
    return hmac.digest(secret, _DOMAIN + key_id.encode(), hashlib.sha256)[:SCOPE_SIZE]
