"""The key ring on the disk of its owner, sealed to the master key."""

import contextlib
from pathlib import Path

from bitdust.crypt.files import remove_safely, write_safely
from bitdust.crypt.keyring import KeyRing
from bitdust.crypt.master import MasterKey


def read_ring(path: Path, master: MasterKey) -> KeyRing:
    """The ring; an empty one where there is none. Raises `OSError`, or `ValueError` where the key does not open it."""
    return KeyRing.from_bytes(master.unseal(path.read_bytes())) if path.exists() else KeyRing()


def save_ring(path: Path, ring: KeyRing, master: MasterKey) -> None:
    """Write the ring; where the disk does not take it, the ring is again the one on the disk, and `OSError` is raised.

    A secret that only this process knew could seal what nobody opens after the next start.
    """
    try:
        write_safely(path, master.public.seal(ring.to_bytes()))
    except OSError:
        with contextlib.suppress(OSError, ValueError):
            ring.keys = read_ring(path, master).keys
        raise


def left_ring(path: Path, master: MasterKey) -> KeyRing:
    """What an earlier try to become this identity has left; the ring of anybody else goes, because no key opens it.

    Such a one stays behind where a process dies, or its disk is full, before a new identity is whole.
    """
    try:
        return read_ring(path, master)
    except ValueError:
        remove_safely(path)
        return KeyRing()
