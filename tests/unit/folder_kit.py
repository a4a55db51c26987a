"""Folders without a network: replicas that scan, exchange records and chunks, and write, in the order a test says."""

import os
from pathlib import Path

from attrs import evolve
from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.internet.task import Clock

from bitdust.automats.kernel import Registry
from bitdust.folders import secrets
from bitdust.folders.blind import spot_of
from bitdust.folders.fetching import Fetcher, parted
from bitdust.folders.ignoring import IgnoreList
from bitdust.folders.keeping import Keeping
from bitdust.folders.keys import FolderKeys
from bitdust.folders.packing import pack
from bitdust.folders.records import origin_of
from bitdust.folders.scanning import Found, Scan
from bitdust.folders.secrets import Secret
from bitdust.folders.segments import Spot, name_of
from bitdust.folders.serving import ChunkSource
from bitdust.folders.store import Store
from bitdust.folders.transfer import Transfer
from bitdust.folders.tree import BLIND
from bitdust.testing.network import MemoryNetwork
from bitdust.testing.world import fake_world

START = 1_800_000_000


def plain_secret(seed: int = 1) -> Secret:
    """A writer's secret of a plain folder."""
    return secrets.make("A", lambda size: bytes([seed]) * size)


def encrypted_secret(seed: int = 1) -> Secret:
    """A writer's secret of an encrypted folder."""
    return secrets.make("D", lambda size: bytes([seed]) * size)


def tree_of(root: Path) -> dict[str, object]:
    """Every path below a folder with what is there; without the folder's own place."""
    found: dict[str, object] = {}
    for path in sorted(root.rglob("*")):
        relative = str(path.relative_to(root))
        if relative.split("/", maxsplit=1)[0] == ".sync":
            continue
        if path.is_symlink():
            found[relative] = ("link", os.readlink(path))
        else:
            found[relative] = None if path.is_dir() else path.read_bytes()
    return found


def kept_at(replica: "Replica", name: bytes) -> tuple[Path, Spot]:
    """The segment that a keeper has a chunk in, and where."""
    spot = spot_of(replica.store.journal.database, name)
    assert spot is not None
    return replica.root / BLIND / name_of(spot.segment), spot


def damage(replica: "Replica", name: bytes) -> None:
    """One byte of a sealed chunk on a keeper's disk is another one."""
    path, spot = kept_at(replica, name)
    with path.open("r+b") as file:
        file.seek(spot.end - 1)
        last = file.read(1)[0]
        file.seek(spot.end - 1)
        file.write(bytes([last ^ 1]))


class Replica:
    """One node's side of a folder. What a thread would do is done at once."""

    def __init__(self, base: Path, name: str, secret: Secret, public: bytes | None = None) -> None:
        self.name = name
        self.base = base
        self.root = (base / f"{name}-root").absolute()
        self.root.mkdir(parents=True, exist_ok=True)
        self.clock = Clock()
        self.ahead = 0.0
        world = fake_world(MemoryNetwork(self.clock), self.clock, "10.0.0.1", base / name, name)
        self.world = evolve(world, wall=lambda: START + self.clock.seconds() + self.ahead, run_in_thread=maybeDeferred)
        self.registry = Registry(self.clock, self.clock.seconds)
        self.secret, self.public = secret, public
        self.ignored = IgnoreList()
        self.failures: list[tuple[str, object]] = []
        self.fetched: list[bytes] = []
        self.told = 0
        """Records that others have told."""
        self.sources: list[Replica] = []
        self.keeping: Keeping | None = None
        self.open()

    def open(self) -> None:
        """What the next process does."""
        self.store = Store(self.world, self.base / self.name, self.root, FolderKeys(self.secret, self.public))
        self.fetcher = Fetcher(lambda: list(self.sources), lambda size: None)
        self.store.open()

    def close(self) -> None:
        """The process ends."""
        self.store.close()

    @property
    def device(self) -> bytes:
        """By which others know it."""
        return self.name.encode().ljust(8, b"\0")[:8]

    # what a person does

    def write(self, name: str, data: bytes | str, mtime: int | None = None) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        # By this node's clock, so that an edit in the moment of the one before it is read as what it is: too young.
        moment = mtime if mtime is not None else int(self.world.wall())
        os.utime(path, (moment, moment))
        return path

    def remove(self, name: str) -> None:
        (self.root / name).unlink()

    def rename(self, old: str, new: str) -> None:
        (self.root / new).parent.mkdir(parents=True, exist_ok=True)
        (self.root / old).rename(self.root / new)

    # what a node does

    def scan(self, *paths: str) -> Found:
        """Look at the disk."""
        self.clock.advance(0.001)
        scan = Scan(self.store.tree, self.store.journal, self.ignored, self.world.wall, paths)
        while scan.step(self.store.ident):
            pass
        return scan.found

    def pull(self, other: "Replica") -> int:
        """Take what another one knows; how much was new."""
        mine, theirs = self.store.journal, other.store.journal
        if theirs.keys.public is not None:
            mine.learn_public(theirs.keys.public)
        device = other.device
        epoch, after = mine.known_of(device)
        if epoch != theirs.epoch or after > theirs.last:
            after = 0
        changed, more = 0, True
        while more:
            portion = theirs.since(after, without=origin_of(self.device, mine.run))
            changed += self.store.take(pack(portion.records), origin_of(device, theirs.run)).changed
            self.told += len(portion.records)
            after, more = portion.upto, portion.more
        mine.note_peer(device, theirs.epoch, after, other.name)
        return changed

    def apply(self, *sources: "Replica", rounds: int = 20) -> None:
        """Bring to the disk what is due; chunks come from others."""
        self.sources = list(sources)
        for _ in range(rounds):
            tasks = self.store.tasks(1000, [])
            if not tasks:
                return
            before = self.due()
            for task in tasks:
                Transfer(self, task).machine.send("start")
            if self.due() == before:
                return

    def keep(self, *sources: "Replica") -> None:
        """Fetch sealed chunks, as who cannot read does."""
        self.sources = list(sources)
        if self.keeping is not None:
            self.keeping.stop()
        self.keeping = Keeping(self.store, self.fetcher)
        self.keeping.run()

    def due(self) -> list[str]:
        """Paths that the disk does not show yet."""
        return [item.path for item in self.store.journal.items.due(1000)]

    def witnesses(self) -> set[bytes]:
        """See `bitdust.folders.transfer.Parent`."""
        are_peers = all(isinstance(source, Replica) for source in self.sources)
        return {source.device for source in self.sources} if are_peers else set()

    def transfer_ended(self, transfer: Transfer, why: object) -> None:
        """See `bitdust.folders.transfer.Parent`."""
        if why is not None:
            self.failures.append((transfer.entry.path, getattr(why, "value", why)))

    def ask_chunks(self, names: list[bytes], size: int) -> "Deferred[list[bytes | None]]":
        """See `bitdust.folders.fetching.Source`."""
        self.fetched += names
        return succeed(self.give(names))

    def give(self, names: list[bytes]) -> list[bytes | None]:
        """Sealed chunks, as a peer would read them."""
        sources: list[ChunkSource] = []
        self.store.serve(names).addCallback(sources.append)
        parts: list[bytes] = []
        while (at := sum(map(len, parts))) < sources[0].size:
            sources[0].read(at, 10_000).addCallback(parts.append)
        return parted(b"".join(parts), len(names))

    def sync(self, *others: "Replica") -> None:
        """Look at the disk, take what others know, and bring it to the disk."""
        self.scan()
        for other in others:
            self.pull(other)
        self.apply(*others)

    def tree(self) -> dict[str, object]:
        """What is on the disk."""
        return tree_of(self.root)


def settle(*replicas: Replica, rounds: int = 10) -> None:
    """Everybody meets everybody until nothing changes any more. Raises `AssertionError` where that does not come."""
    for _ in range(rounds):
        for one in replicas:
            one.sync(*(other for other in replicas if other is not one))
        states = {one.store.journal.digest() for one in replicas}
        if len(states) == 1 and not any(one.due() for one in replicas):
            before = [one.store.journal.last for one in replicas]
            for one in replicas:
                one.scan()
            if before == [one.store.journal.last for one in replicas]:
                return
    raise AssertionError(f"no end after {rounds} rounds: {[(one.name, one.due(), one.failures) for one in replicas]}")
