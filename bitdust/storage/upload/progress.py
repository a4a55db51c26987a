"""What one upload waits for: packs that its versions build on, and pieces that suppliers have still to take.

Each acknowledgement changes a count or two; nothing walks through all packs.
"""

from collections.abc import Callable, Iterable
from typing import Protocol

from attrs import define

from bitdust.signal import Signal
from bitdust.storage.pieces.packs import PackStanding
from bitdust.storage.upload.reader import FileRead
from bitdust.wire.errors import BitDustError
from bitdust.wire.records import PieceRef


class PackNews(Protocol):
    """What is asked and reported of packs; `bitdust.storage.pieces.packs.Packs` is it."""

    held: Signal[[bytes]]
    failed: Signal[[bytes, BaseException]]
    acknowledged: Signal[[PieceRef]]
    lost: Signal[[PieceRef]]

    def standing(self, pack: bytes, /) -> PackStanding:
        """How far a pack is. Raises the error of one that could not be kept."""


@define(eq=False)
class _Unready:
    file: FileRead
    lacking: int


class UploadProgress:
    """I count. ``ready`` are files whose packs are all held; ``changed`` is emitted when something got further, and
    ``failed`` when a pack of this upload could not be kept."""

    def __init__(self, packs: PackNews) -> None:
        self._packs = packs
        self._unheld: dict[bytes, list[_Unready]] = {}
        self._unsafe: dict[bytes, int] = {}
        self._waiting: dict[bytes, int] = {}
        self._by_position: list[int] = []
        self._unready = 0
        self._pieces = self._followed = 0
        self._complete = b""
        self.ready: list[FileRead] = []
        self.changed: Signal[[]] = Signal()
        self.failed: Signal[[BaseException]] = Signal()
        self._disconnect = [
            packs.held.connect(self._held),
            packs.failed.connect(self._failed),
            packs.acknowledged.connect(self._acknowledged),
            packs.lost.connect(self._lost),
        ]

    def stop(self) -> None:
        """Count no longer."""
        for disconnect in self._disconnect:
            disconnect()

    def add(self, files: Iterable[FileRead]) -> None:
        """Files were read. Raises the error of a pack that could not be kept."""
        for file in files:
            unready = _Unready(file, 0)
            for pack in file.packs:
                if pack != self._complete and pack not in self._waiting and pack not in self._unheld:
                    self._follow(pack)
                if pack in self._unheld:
                    self._unheld[pack].append(unready)
                    unready.lacking += 1
            if unready.lacking:
                self._unready += 1
            else:
                self.ready.append(file)

    def follow(self, packs: Iterable[bytes]) -> None:
        """Packs of versions that are logged already. Raises the error of one that could not be kept."""
        for pack in packs:
            if pack not in self._waiting and pack not in self._unheld:
                self._follow(pack)

    def _follow(self, pack: bytes) -> None:
        standing = self._packs.standing(pack)
        if not standing.is_held:
            self._unheld[pack] = []
            return
        if standing.lacking:
            self._unsafe[pack] = standing.lacking
        if not standing.waiting:
            self._complete = pack
        else:
            self._waiting[pack] = sum(1 << index for index in standing.waiting)
        for index in standing.waiting:
            self._count(index, 1)
        self._followed += len(standing.waiting)

    def _count(self, index: int, change: int) -> None:
        while len(self._by_position) <= index:
            self._by_position.append(0)
        self._by_position[index] += change
        self._pieces += change

    # what is reported of packs

    def _held(self, pack: bytes) -> None:
        if pack not in self._unheld:
            return
        for unready in self._unheld.pop(pack):
            unready.lacking -= 1
            if not unready.lacking:
                self._unready -= 1
                self.ready.append(unready.file)
        self._follow(pack)
        self.changed.emit()

    def _failed(self, pack: bytes, error: BaseException) -> None:
        if pack in self._unheld or pack in self._waiting:
            self.failed.emit(error)

    def _acknowledged(self, piece: PieceRef) -> None:
        if self._settle(piece):
            lacking = self._unsafe.pop(piece.pack, 0) - 1
            if lacking > 0 and piece.pack in self._waiting:
                self._unsafe[piece.pack] = lacking
            self.changed.emit()

    def _lost(self, piece: PieceRef) -> None:
        if self._settle(piece):
            if piece.pack not in self._waiting:
                self._unsafe.pop(piece.pack, None)
            self.changed.emit()

    def _settle(self, piece: PieceRef) -> bool:
        """A piece does not wait any more; False where it did not."""
        waiting = self._waiting.get(piece.pack, 0)
        bit = 1 << piece.index
        if not waiting & bit:
            return False
        if waiting == bit:
            del self._waiting[piece.pack]
        else:
            self._waiting[piece.pack] = waiting ^ bit
        self._count(piece.index, -1)
        return True

    # how far it is

    @property
    def is_read(self) -> bool:
        """Whether versions of all files can be written to the log, or are."""
        return not self._unready and not self.ready

    def is_safe(self, is_absent: Callable[[int], bool]) -> bool:
        """Whether every pack is complete, or enough pieces are there and nobody else can be waited for."""
        if self._unheld or self._unsafe:
            return False
        return all(not count or is_absent(index) for index, count in enumerate(self._by_position))

    @property
    def positions(self) -> list[int]:
        """Places whose suppliers have pieces to take."""
        return [index for index, count in enumerate(self._by_position) if count]

    @property
    def packs(self) -> int:
        """How many packs are not complete."""
        return len(self._unheld) + len(self._waiting)

    @property
    def pieces(self) -> int:
        """How many pieces wait for suppliers."""
        return self._pieces

    @property
    def sent(self) -> float:
        """The share of pieces that suppliers have taken, of those that waited for them."""
        return 1.0 - self._pieces / self._followed if self._followed else 1.0


def as_error(error: BaseException) -> BitDustError:
    """The reason of an upload that failed."""
    return error if isinstance(error, BitDustError) else BitDustError("failed", f"uploading failed: {error}")
