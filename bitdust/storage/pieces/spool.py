"""Pieces on my disk that wait for their suppliers: ``spool/<pack id>.<index>``.

A piece is written without waiting for the disk. Where the network is faster than the disk, which is the usual case at
home, the piece is acknowledged and removed before the system has written it, so most of them cost no disk time. A pack
whose pieces stay for longer is synced (`Spool.sync`), and only then, or once enough suppliers have it, do versions and
deduplication build on it. After a power cut every piece that was not synced is checked against its root
(`Spool.load` is given it) before anything is built on it.

Pieces up to `SMALL` bytes are stored in ``catalog.db`` instead, where one commit makes many of them durable.
"""

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path

from bitdust.crypt.files import make_private_folder, sync_folder, write_all
from bitdust.crypt.merkle import root
from bitdust.disk.disk import own_disk_error
from bitdust.disk.reserve import Reserve, no_reserve
from bitdust.wire.errors import BitDustError

SMALL = 64 * 1024


class SpoolError(BitDustError):
    """A piece is not taken or given: codes ``disk-full``, ``disk-error``, ``too-few-files``, ``piece-lost``."""


def disk_trouble(error: OSError, path: Path) -> SpoolError:
    """The error of the disk of the spool, with what to do."""
    known = own_disk_error(error, path)
    return SpoolError(known.code, str(known))


class Spool:
    """I am the folder. All methods block and belong into a thread."""

    def __init__(self, folder: Path, reserve: Reserve | None = None) -> None:
        self.folder = folder
        self._reserve = reserve or no_reserve()

    def open(self) -> None:
        """Make the folder."""
        make_private_folder(self.folder)

    def need_room(self, size: int) -> None:
        """Raises `SpoolError` ``disk-full`` when so many bytes more would take what shall stay free."""
        try:
            self._reserve.check(self.folder, size, "pieces cannot be kept for their suppliers")
        except BitDustError as error:
            raise SpoolError(error.code, str(error)) from error

    def _path(self, pack: bytes, index: int) -> Path:
        return self.folder / f"{pack.hex()}.{index}"

    def write(self, pack: bytes, pieces: Sequence[bytes]) -> None:
        """Write all pieces of a pack; a failure leaves none. Raises `SpoolError`."""
        try:
            for index, piece in enumerate(pieces):
                self.write_one(pack, index, piece)
        except SpoolError:
            for index in range(len(pieces)):
                self.remove(pack, index)
            raise

    def write_one(self, pack: bytes, index: int, piece: bytes) -> None:
        """Write one piece that is not there yet. Raises `SpoolError`."""
        self.need_room(len(piece))
        try:
            descriptor = os.open(self._path(pack, index), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                self._write_all(descriptor, piece)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise disk_trouble(error, self.folder) from error

    def _write_all(self, descriptor: int, data: bytes) -> None:
        write_all(descriptor, data)

    def sync(self, pack: bytes, indexes: Sequence[int]) -> None:
        """Bring pieces that are still here to the disk for good. Raises `SpoolError`."""
        try:
            for index in indexes:
                with contextlib.suppress(FileNotFoundError):
                    descriptor = os.open(self._path(pack, index), os.O_RDONLY)
                    try:
                        os.fsync(descriptor)
                    finally:
                        os.close(descriptor)
            sync_folder(self.folder)
        except OSError as error:
            raise disk_trouble(error, self.folder) from error

    def load(self, pack: bytes, index: int, expected: bytes | None = None) -> bytes:
        """The piece; with ``expected`` it must have this root. Raises `SpoolError` ``piece-lost``."""
        try:
            data = self._path(pack, index).read_bytes()
        except FileNotFoundError as error:
            raise SpoolError("piece-lost", "the piece is no longer in the spool") from error
        except OSError as error:
            raise disk_trouble(error, self._path(pack, index)) from error
        if expected is not None and root(data) != expected:
            raise SpoolError("piece-lost", "the piece in the spool is damaged")
        return data

    def remove(self, pack: bytes, index: int) -> bool:
        """Remove a piece; whether it is not here any more."""
        try:
            os.unlink(self._path(pack, index))
        except FileNotFoundError:
            return True
        except OSError:
            return False
        return True

    def size(self, pack: bytes, index: int) -> int | None:
        """Bytes of a piece that is stored here, or None."""
        try:
            return self._path(pack, index).stat().st_size
        except OSError:
            return None

    def names(self) -> set[tuple[bytes, int]]:
        """Pieces that are stored here; files of other names are left alone."""
        found: set[tuple[bytes, int]] = set()
        for entry in os.scandir(self.folder):
            pack, dot, index = entry.name.partition(".")
            if dot and len(pack) == 32 and index.isdigit():
                with contextlib.suppress(ValueError):
                    found.add((bytes.fromhex(pack), int(index)))
        return found
