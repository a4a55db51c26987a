"""Packs: files to whose ends blocks are added. Nothing in them is changed; a pack that is half empty is copied.

==================  ============================================================================================
``BitDust blocks 1``  the first 16 bytes of a pack; the number of a format is its last one
record              u32 bytes of data ‖ u64 codec ‖ u8 version of the CID ‖ u8 bytes of multihash ‖ multihash ‖ data
==================  ============================================================================================

Integers are big-endian; records follow each other without gaps. How long a pack is stands in the index: bytes behind
that were never committed, and the next record is written over them.
"""

import contextlib
import errno
import re
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from pathlib import Path
from struct import Struct

from attrs import frozen

from bitdust.disk.disk import Disk
from bitdust.ipld.cid import LONGEST_BLOCK, Block, Cid

MAGIC = b"BitDust blocks 1"
HEAD = Struct(">IQBB")
PACK = 256 * 1024 * 1024
"""A pack that has so many bytes is full."""
AT_ONCE = 1024 * 1024
"""Bytes that are given to the system in one call."""
OPEN = 16
"""Packs that a reader keeps open."""
_NAME = re.compile(r"(\d{8,})\.pack")


@frozen
class Place:
    """Where the data of a block begins, and how long it is."""

    pack: int
    offset: int
    size: int


class Unreadable(Exception):
    """A block cannot be had from its pack; the text names the pack and says why."""


def name_of(pack: int) -> str:
    """A pack's file in its folder."""
    return f"{pack:08}.pack"


def record_size(multihash: int, data: int) -> int:
    """Bytes of a record."""
    return HEAD.size + multihash + data


def record(block: Block) -> tuple[bytes, bytes, bytes]:
    """A block as it stands in a pack, in three parts, of which the last is its data."""
    cid, data = block
    return HEAD.pack(len(data), cid.codec, cid.version, len(cid.multihash)), cid.multihash, data


def found_packs(folder: Path) -> list[int]:
    """Numbers of all files in a folder that are called like packs."""
    matches = (_NAME.fullmatch(path.name) for path in folder.iterdir())
    return sorted(int(match[1]) for match in matches if match)


class PackWriter:
    """I add records to the last pack, for one thread. What I have added is on the disk after `sync`."""

    def __init__(self, disk: Disk, folder: Path, full: int = PACK) -> None:
        self._disk = disk
        self.folder = folder
        self._full = full
        self._descriptor: int | None = None
        self.number = 0
        self.end = 0
        self._synced = 0
        self._lost: dict[int, int] = {}
        """By pack: from where on nothing that was added can be trusted, because a sync has failed."""

    def path(self, pack: int) -> Path:
        """The file of a pack."""
        return self.folder / name_of(pack)

    def go_on(self, pack: int, end: int) -> None:
        """The next record comes there, as far as the index knows."""
        self.close()
        self.number, self.end, self._synced = pack, end, end

    def add(self, blocks: Sequence[Block]) -> list[Place]:
        """Write them behind each other. Raises `OSError`; then none of them is there."""
        places: list[Place] = []
        begin = 0
        while begin < len(blocks):
            if self.end >= self._full or self.number == 0:
                self._begin_pack()
            count = self._fitting(blocks, begin)
            places += self._write(blocks[begin : begin + count])
            begin += count
        return places

    def _fitting(self, blocks: Sequence[Block], begin: int) -> int:
        """How many of them go into one call and into this pack; one at least."""
        size, count = 0, 0
        for cid, data in blocks[begin:]:
            if count and (size >= AT_ONCE or self.end + size >= self._full):
                break
            size += record_size(len(cid.multihash), len(data))
            count += 1
        return count

    def _write(self, blocks: Sequence[Block]) -> list[Place]:
        parts: list[bytes] = []
        places = []
        end = self.end
        for block in blocks:
            parts += record(block)
            end += record_size(len(block.cid.multihash), len(block.data))
            places.append(Place(self.number, end - len(block.data), len(block.data)))
        if self._descriptor is None:
            self._descriptor = self._disk.write_from(self.path(self.number), self.end)
        try:
            self._disk.write(self._descriptor, [b"".join(parts)])
        except OSError:
            self.close()
            raise
        self.end = end
        return places

    def _begin_pack(self) -> None:
        """The next pack that has no file yet; the one before is synced first."""
        self._sync_file()
        self.close()
        number = self.number + 1
        while self.path(number).exists():
            number += 1
        descriptor = self._disk.create(self.path(number))
        try:
            self._disk.write(descriptor, [MAGIC])
            self._disk.sync(descriptor)
            self._disk.sync_folder(self.folder)
        except OSError:
            self._disk.close(descriptor)
            self._disk.remove(self.path(number))
            raise
        self._descriptor = descriptor
        self.number, self.end, self._synced = number, len(MAGIC), len(MAGIC)

    def sync(self, places: Sequence[Place]) -> None:
        """Return when these are on the disk. Raises `OSError`, also when a sync of them failed before: what the system
        could not write then, it has forgotten."""
        if any(place.pack == self.number for place in places):
            self._sync_file()
        if any(place.offset >= self._lost.get(place.pack, place.offset + 1) for place in places):
            raise OSError(errno.EIO, "what was written before could not be brought to the disk")

    @property
    def is_synced(self) -> bool:
        """Whether all that was added is on the disk."""
        return self.end == self._synced and not self._lost

    @property
    def has_failed(self) -> bool:
        """Whether a sync has failed."""
        return bool(self._lost)

    def _sync_file(self) -> None:
        if self.end == self._synced:
            return
        if self._descriptor is None:
            self._descriptor = self._disk.write_from(self.path(self.number), self.end)
        try:
            self._disk.sync(self._descriptor)
        except OSError:
            self._lost[self.number] = self._synced
            self._abandon()
            raise
        self._synced = self.end

    def leave(self) -> None:
        """Add nothing more to this pack. Raises `OSError`."""
        self._sync_file()
        self._abandon()

    def _abandon(self) -> None:
        self.close()
        self.end = max(self.end, self._full)
        self._synced = self.end

    def remove(self, pack: int) -> None:
        """Remove a pack that nothing names; what cannot be removed now is left to the next start."""
        with contextlib.suppress(OSError):
            self._disk.remove(self.path(pack))

    def close(self) -> None:
        """Give the file back."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            self._disk.close(descriptor)


class PackReader:
    """I read from packs, for one thread at a time, and keep some of them open."""

    def __init__(self, disk: Disk, folder: Path) -> None:
        self._disk = disk
        self.folder = folder
        self._open: OrderedDict[int, int] = OrderedDict()

    def read(self, place: Place) -> bytes:
        """The bytes there, whatever they are. Raises `Unreadable`."""
        path = self.folder / name_of(place.pack)
        try:
            data = self._disk.read(self._descriptor(place.pack, path), place.offset, place.size)
        except FileNotFoundError as error:
            raise Unreadable(f"{path} is missing") from error
        except OSError as error:
            self.forget(place.pack)
            raise Unreadable(f"{path} cannot be read at byte {place.offset}: {error.strerror}") from error
        if len(data) != place.size:
            self.forget(place.pack)
            raise Unreadable(f"{path} ends before byte {place.offset + place.size}")
        return data

    def block(self, cid: Cid, place: Place) -> bytes:
        """The bytes there, which are this block. Raises `Unreadable`."""
        data = self.read(place)
        if not cid.matches(data):
            self.forget(place.pack)
            raise Unreadable(f"{self.folder / name_of(place.pack)} is damaged at byte {place.offset}, in block {cid}")
        return data

    def _descriptor(self, pack: int, path: Path) -> int:
        found = self._open.get(pack)
        if found is None:
            if len(self._open) >= OPEN:
                self._disk.close(self._open.popitem(last=False)[1])
            found = self._open[pack] = self._disk.open(path)
        self._open.move_to_end(pack)
        return found

    def forget(self, pack: int) -> None:
        """Open it anew next time: it may be another file, or gone."""
        descriptor = self._open.pop(pack, None)
        if descriptor is not None:
            self._disk.close(descriptor)

    def close(self) -> None:
        """Give all files back."""
        for pack in list(self._open):
            self.forget(pack)


def records(disk: Disk, path: Path) -> Iterator[tuple[Cid, int, int]]:
    """CID, offset and size of every record of a pack, up to the first that is torn or no record; data is not looked at.

    Raises `OSError`.
    """
    descriptor = disk.open(path)
    try:
        if disk.read(descriptor, 0, len(MAGIC)) != MAGIC:
            return
        offset = len(MAGIC)
        while len(head := disk.read(descriptor, offset, HEAD.size)) == HEAD.size:
            size, codec, version, length = HEAD.unpack(head)
            offset += HEAD.size
            hashed = disk.read(descriptor, offset, length)
            offset += length
            if len(hashed) != length or length < 2 or version > 1 or size > LONGEST_BLOCK:
                return
            yield Cid(version, codec, hashed), offset, size
            offset += size
    finally:
        disk.close(descriptor)
