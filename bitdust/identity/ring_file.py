"""The key ring on the disk of its owner, sealed to the master key and to this device."""

import contextlib
from pathlib import Path

from bitdust.crypt.boxes import open_box
from bitdust.crypt.device import DeviceKey
from bitdust.crypt.files import remove_safely, write_safely
from bitdust.crypt.keyring import KeyRing
from bitdust.crypt.master import MasterKey


def read_ring(path: Path, device: DeviceKey, master: MasterKey | None) -> KeyRing:
    """The ring; an empty one where there is none. Raises `OSError`, or `ValueError` where no key here opens it."""
    return KeyRing.from_bytes(open_box(path.read_bytes(), device, master)) if path.exists() else KeyRing()


def save_ring(path: Path, ring: KeyRing, box: bytes, device: DeviceKey, master: MasterKey | None) -> None:
    """Write the box with the ring; where the disk does not take it, the ring is again the one on the disk, and
    `OSError` is raised.

    A secret that only this process knew could seal what nobody opens after the next start.
    """
    try:
        write_safely(path, box)
    except OSError:
        with contextlib.suppress(OSError, ValueError):
            kept = read_ring(path, device, master)
            ring.keys, ring.shares = kept.keys, kept.shares
        raise


def left_ring(path: Path, device: DeviceKey, master: MasterKey) -> KeyRing:
    """What an earlier try to become this identity has left; the ring of anybody else goes, because no key opens it.

    Such a one stays behind where a process dies, or its disk is full, before a new identity is whole.
    """
    try:
        return read_ring(path, device, master)
    except ValueError:
        remove_safely(path)
        return KeyRing()
