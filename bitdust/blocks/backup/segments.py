"""One segment as it is made: a CAR file of some blocks in a folder of its own, and the index that tells of it."""

import os
from collections.abc import Sequence
from pathlib import Path

from attrs import define, field

from bitdust.blocks.backup.formats import write_index
from bitdust.blocks.saved import Placed
from bitdust.blocks.saving import Described
from bitdust.crypt.files import make_private_folder, remove_safely, write_all, write_safely
from bitdust.ipld import car
from bitdust.ipld.cid import Block, Cid

CAR, INDEX, STATE = ".car", ".index", ".state"


@define
class Built:
    """A segment that waits for its upload."""

    name: str
    folder: Path
    blocks: list[Described] = field(factory=list)
    size: int = 0

    @property
    def car(self) -> Path:
        """Its blocks."""
        return self.folder / (self.name + CAR)

    @property
    def index(self) -> Path:
        """What tells of them."""
        return self.folder / (self.name + INDEX)

    @property
    def placed(self) -> list[Placed]:
        """Where each of its blocks is."""
        return [Placed(one.cid, one.offset, one.size) for one in self.blocks]

    def begin(self) -> None:
        """Make the file; for a thread, as the rest."""
        make_private_folder(self.folder)
        self._write(car.header(()), os.O_CREAT | os.O_EXCL)

    def add(self, blocks: Sequence[Block]) -> None:
        """Write some blocks behind those that are there."""
        sections = []
        for block in blocks:
            section = car.section(block)
            offset = self.size + len(section) - len(block.data)
            self.blocks.append(Described(block.cid, offset, len(block.data)))
            sections.append(section)
            self.size += len(section)
        self.size -= sum(map(len, sections))
        self._write(b"".join(sections), 0)

    def _write(self, data: bytes, more: int) -> None:
        descriptor = os.open(self.car, os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | more, 0o600)
        try:
            write_all(descriptor, data)
        finally:
            os.close(descriptor)
        self.size += len(data)

    def finish(self, links: Sequence[tuple[Cid, ...]]) -> None:
        """Write the index: what each block links to, in their order."""
        described = zip(self.blocks, links, strict=True)
        self.blocks = [Described(one.cid, one.offset, one.size, below) for one, below in described]
        write_safely(self.index, write_index(self.size, self.blocks))

    def remove(self) -> None:
        """Suppliers have it, or nobody wants it any more."""
        for path in (self.car, self.index):
            remove_safely(path)


def clear(folder: Path) -> None:
    """What a process that died has left."""
    if folder.is_dir():
        for path in folder.iterdir():
            remove_safely(path)
