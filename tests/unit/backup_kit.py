"""A backup of pins over a block store on a clock, with a shelf in a folder instead of suppliers."""

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed

from bitdust.blocks.backup.keeper import LOCAL, SEGMENT, Keeper
from bitdust.blocks.backup.segments import CAR, INDEX, STATE
from bitdust.blocks.store import BlockStore
from bitdust.blocks.values import Pin
from bitdust.ipld.cid import Block, Cid
from bitdust.wire.errors import BitDustError
from tests.unit.block_kit import BlockCase
from tests.unit.kit import Events

DEVICE = b"d" * 8


class FolderShelf:
    """Files by name; each ``keep`` makes another version."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        self.ready = True
        self.late: Callable[[], float] = lambda: 0.0
        self.keys: list[bytes] = []
        self.counts: dict[str, int] = {}
        self.calls: list[str] = []
        self.reads: list[tuple[str, int, int | None]] = []
        self.failures: dict[str, Exception] = {}
        """By the beginning of a call."""

    def can_keep(self) -> bool:
        return self.ready

    def earliest(self) -> float:
        return self.late()

    def secrets(self) -> list[bytes]:
        return self.keys

    def make_key(self) -> None:
        self.keys = self.keys or [b"s" * 32]

    def _failure(self, call: str) -> Exception | None:
        self.calls.append(call)
        return next((error for begin, error in self.failures.items() if call.startswith(begin)), None)

    def keep(self, name: str, source: Path, apart: bool = False) -> "Deferred[Any]":
        failure = self._failure(f"keep {kind(name)}")
        if failure is not None:
            return fail(failure)
        shutil.copyfile(source, self.folder / name)
        self.counts[name] = self.counts.get(name, 0) + 1
        return succeed(None)

    def versions(self) -> "Deferred[dict[str, str]]":
        return succeed({path.name: str(self.counts.get(path.name, 0)) for path in self.folder.iterdir()})

    def read(self, name: str, offset: int = 0, length: int | None = None) -> "Deferred[bytes]":
        failure = self._failure(f"read {kind(name)}")
        if failure is not None:
            return fail(failure)
        if not (self.folder / name).exists():
            return fail(BitDustError("not-found", f"{name} is not there"))
        self.reads.append((name, offset, length))
        data = (self.folder / name).read_bytes()
        return succeed(data[offset:] if length is None else data[offset : offset + length])

    def remove(self, name: str) -> "Deferred[Any]":
        failure = self._failure(f"remove {kind(name)}")
        if failure is not None:
            return fail(failure)
        (self.folder / name).unlink(missing_ok=True)
        return succeed(None)

    def names(self, end: str) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir() if path.name.endswith(end))


def kind(name: str) -> str:
    return name.rpartition(".")[2]


class Drawer:
    """Records of another part."""

    def __init__(self, data: bytes = b"") -> None:
        self.data = data
        self.joined: list[bytes] = []
        self.failure: Exception | None = None

    async def written(self) -> bytes:
        if self.failure is not None:
            raise self.failure
        return self.data

    async def join(self, data: bytes) -> None:
        if self.failure is not None:
            raise self.failure
        self.joined.append(data)


class BackupCase(BlockCase):
    segment = 4000

    def setUp(self) -> None:
        super().setUp()
        self.settings.values |= {SEGMENT: self.segment, LOCAL: 100}
        self.home = Path(self.mktemp()).absolute()
        self.events = Events()
        self.count = 0
        world = self.around.world
        world.home, world.entropy = self.home, self.entropy
        self.around.me = SimpleNamespace(device=SimpleNamespace(id=DEVICE))
        self.around.events = self.events
        self.shelf = FolderShelf(Path(self.mktemp()).absolute())
        self.shelf.late = world.wall
        self.records: dict[str, Any] = {}
        self.keeper = self.begin()

    def tearDown(self) -> None:
        self.keeper.stop()
        self.end(self.store)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def entropy(self, size: int) -> bytes:
        self.count += 1
        return hashlib.shake_128(str(self.count).encode()).digest(size)

    def begin(self, store: BlockStore | None = None) -> Keeper:
        keeper = Keeper(self.around, store or self.store, self.shelf, self.records)
        self.came(Deferred.fromCoroutine(keeper.start()))
        return keeper

    def restart(self) -> None:
        """The node starts once more."""
        self.keeper.stop()
        self.again()
        self.keeper = self.begin()

    def lose(self, device: bytes = b"e" * 8) -> None:
        """The home is gone; another one has the key file."""
        self.keeper.stop()
        self.end(self.store)
        shutil.rmtree(self.folder)
        shutil.rmtree(self.home, ignore_errors=True)
        self.around.me.device.id = device
        self.store = self.open()
        self.keeper = self.begin()

    def rests(self) -> None:
        """All that is due is done."""
        if self.keeper.machine.state == "SETTLING":
            self.clock.advance(10)
        self.assertEqual(self.keeper.machine.state, "IDLE", self.keeper.failure)

    def pin(self, *blocks: Block) -> None:
        """Store them, pin the last, and wait until suppliers have it."""
        self.put(*blocks, changes=[Pin(blocks[-1].cid)])
        self.rests()

    def pinned(self) -> set[Cid]:
        return {pin.cid for _, pin in self.came(self.store.pins())}

    def away(self, *blocks: Block) -> list[bool]:
        return [row is not None and row.is_away for row in self.came(self.store.rows([one.cid for one in blocks]))]

    def saved(self, cid: Cid) -> Any:
        return self.came(self.store.saving.of_pin(Pin(cid)))

    def figures(self) -> Any:
        return self.came(self.store.saving.figures())

    def in_segments(self) -> int:
        """How many blocks are in a segment."""
        query = "SELECT count(*) FROM saved WHERE segment > 0"
        return int(self.store._ledger.database.execute(query).fetchone()[0])

    def counted(self) -> None:
        """What is said of segments is true."""
        database = self.store._ledger.database
        query = (
            "SELECT g.id FROM segments g LEFT JOIN saved s ON s.segment=g.id GROUP BY g.id"
            " HAVING g.live != coalesce(sum(s.size), 0) OR (g.state=1 AND g.live=0)"
        )
        self.assertEqual(database.execute(query).fetchall(), [])
        lost = "SELECT count(*) FROM saved s LEFT JOIN blocks b ON b.id=s.block WHERE b.id IS NULL OR b.size != s.size"
        self.assertEqual(database.execute(lost).fetchone(), (0,))


__all__ = ["CAR", "DEVICE", "INDEX", "STATE", "BackupCase", "Drawer", "FolderShelf"]
