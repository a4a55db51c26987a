"""Several changes of the key ring that count together."""

from collections.abc import Iterator
from contextlib import contextmanager

from bitdust.crypt.keyring import KeyRing
from bitdust.identity.me import Me


@contextmanager
def ring_change(me: Me) -> Iterator[KeyRing]:
    """My ring, to be changed; in the end it is saved. Where something is refused meanwhile, nothing has changed.

    A secret that only this process knew could seal what nobody opens after the next start.
    """
    ring = me.key_ring
    keys, shares = dict(ring.keys), dict(ring.shares)
    try:
        yield ring
    except BaseException:
        ring.keys, ring.shares = keys, shares
        raise
    me.save_key_ring()
