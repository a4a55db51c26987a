"""One pack that is not complete yet: how far it is, as its machine asks for it."""

from typing import Any, Protocol

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from bitdust.automats.kernel import Registry
from bitdust.automats.pack import Pack
from bitdust.wire.errors import BitDustError
from bitdust.wire.records import Scheme


def enough(k: int, n: int) -> int:
    """Acknowledged pieces with which a pack may be called safe while the other suppliers are away.

    k pieces give the pack back; half of the spare ones, rounded up, must be there besides, but never all n, or one
    silent supplier would hold up everybody: 1 of 2 (the log needs both anyway), 2 of 3, 3 of 4, 6 of 7.
    """
    return max(k, min(n - 1, k + -(-(n - k + 1) // 2)))


@frozen
class PackShape:
    """What a sealed pack is: its scheme, the size of its pieces, and whether it survives a power cut already."""

    scheme: Scheme
    piece_size: int
    is_durable: bool


class PackWork(Protocol):
    """What is done for a pack in progress; `bitdust.storage.pieces.packs.Packs` is it."""

    def close_open_packs(self) -> None:
        """Have packs sealed that are not full."""

    def seal(self, pack: bytes, /) -> "Deferred[PackShape]":
        """Seal, code, keep and record a full pack."""

    def queue_piece(self, pack: bytes, index: int, size: int, /) -> None:
        """Queue a piece that waits for its supplier."""

    def sync(self, pack: bytes, indexes: list[int], /) -> "Deferred[Any]":
        """Bring pieces to the disk for good."""

    def note_held(self, pack: bytes, /) -> None:
        """Write down that a pack survives a power cut; then versions may build on it."""

    def note_lost(self, pack: bytes, /) -> None:
        """Write down that a pack is given up."""

    def moved(self, progress: "PackProgress", /) -> None:
        """What is to be counted of a pack may have changed."""

    def report_held(self, pack: bytes, /) -> None:
        """Versions may build on a pack."""

    def report_failed(self, pack: bytes, reason: Any, /) -> None:
        """Nothing can be built on a pack."""

    def finished(self, pack: bytes, /) -> None:
        """A pack is not in progress any more."""


class PackProgress:
    """I am the port of a `pack` machine: ``acked`` are pieces that suppliers have, ``waiting`` those for which they
    wait."""

    log = Logger()

    def __init__(self, registry: Registry, work: PackWork, pack: bytes) -> None:
        self._work = work
        self.pack = pack
        self.k = self.n = self._size = 0
        self.acked: set[int] = set()
        self.waiting: set[int] = set()
        self.machine = Pack(registry, pack.hex()[:8], self)

    @property
    def is_held(self) -> bool:
        """Whether versions may build on it."""
        return self.machine.state in ("HELD", "SAFE")

    def adopt(self, k: int, n: int, acked: set[int], waiting: set[int], size: int) -> None:
        """It was recorded and held before the node was started."""
        self.k, self.n, self._size = k, n, size
        self.acked, self.waiting = acked, waiting
        self.machine.send("adopted")

    def acknowledged(self, index: int) -> None:
        """A supplier has a piece."""
        self.acked.add(index)
        self.waiting.discard(index)
        self._work.moved(self)
        self.machine.send("acknowledged")

    def lost(self, index: int) -> None:
        """This disk has lost a piece."""
        self.waiting.discard(index)
        self.machine.send("lost")

    # the machine's port

    def has_few(self) -> bool:
        return len(self.acked) < self.k

    def is_safe(self) -> bool:
        return len(self.acked) >= enough(self.k, self.n)

    def is_complete(self) -> bool:
        return len(self.acked) == self.n

    def is_settled(self) -> bool:
        return not self.waiting

    def is_beyond_help(self) -> bool:
        return len(self.acked) + len(self.waiting) < self.k

    def close(self) -> None:
        self._work.close_open_packs()

    def seal(self) -> "Deferred[bool]":
        return self._work.seal(self.pack).addCallback(self._sealed)

    def _sealed(self, shape: PackShape) -> bool:
        self.k, self.n, self._size = shape.scheme.k, shape.scheme.n, shape.piece_size
        self.waiting = set(range(self.n))
        return shape.is_durable

    def queue_pieces(self) -> None:
        self._work.moved(self)
        for index in sorted(self.waiting):
            self._work.queue_piece(self.pack, index, self._size)

    def sync(self) -> "Deferred[Any]":
        return self._work.sync(self.pack, sorted(self.waiting))

    def report_held(self) -> None:
        self._work.report_held(self.pack)

    def note_held(self) -> None:
        self._work.note_held(self.pack)

    def give_up(self, reason: Any) -> None:
        lost = BitDustError("piece-lost", "pieces of a pack were lost before suppliers had them")
        self._work.note_lost(self.pack)
        self.report_failed(reason or lost)

    def report_failed(self, reason: Any) -> None:
        self._work.report_failed(self.pack, getattr(reason, "value", reason))

    def report_slow(self) -> None:
        self.log.warn("pack {p} waits for a thread for long: {s}", p=self.pack.hex()[:16], s=self.machine.state)

    def finish(self) -> None:
        self._work.finished(self.pack)
