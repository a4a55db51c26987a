"""IPFS as one room: what its commands ask for, over the block store."""

from collections.abc import AsyncIterator, Callable, Sequence
from itertools import count
from pathlib import Path as Folder
from typing import Protocol

from twisted.internet.defer import Deferred

from bitdust.automats.kernel import Machine
from bitdust.blocks.checking import Check
from bitdust.blocks.pinning import FIRST
from bitdust.blocks.store import BlockStore
from bitdust.blocks.values import Change, Mode, Pin, not_here, not_now
from bitdust.ipfs.add_job import AddJob, IntakeJob
from bitdust.ipfs.adding import Adder, AddOptions, Source
from bitdust.ipfs.blocks import Blocks, Recent, StoredBlocks, get
from bitdust.ipfs.cars import CarImport
from bitdust.ipfs.config import View
from bitdust.ipfs.fetching import FetchedBlocks, bring
from bitdust.ipfs.mfs import Mfs
from bitdust.ipfs.mfs_paths import MfsPath
from bitdust.ipfs.mfs_writing import Writing
from bitdust.ipfs.names.names import Names
from bitdust.ipfs.names.resolving import How
from bitdust.ipfs.names.store import KeyStore
from bitdust.ipfs.nodes_room import Nodes
from bitdust.ipfs.outside import Outside
from bitdust.ipfs.paths import Path, parse
from bitdust.ipfs.references import references
from bitdust.ipld.cid import Block, Cid
from bitdust.surroundings import Surroundings
from bitdust.wire.errors import BitDustError

MOST_BAD = 1000


class Stores(Protocol):
    """Who has the block store; `bitdust.blocks.room.BlocksRoom` is it."""

    @property
    def store(self) -> BlockStore:
        """Raises ``service-off`` while it is closed."""

    @property
    def folder(self) -> Folder:
        """Where blocks are stored."""


class IpfsRoom:
    """I work over the block store, which has a service of its own, and with other nodes where there are any."""

    def __init__(
        self,
        around: Surroundings,
        stores: Stores,
        nodes: Nodes | None = None,
        outside: Outside | None = None,
        keys: KeyStore | None = None,
    ) -> None:
        self.around = around
        self._outside = outside
        self._world, self._registry = around.world, around.registry
        self._stores = stores
        self._nodes = nodes
        self._fetched: FetchedBlocks | None = None
        self._visited: Blocks | None = None
        self._ends: list[Callable[[], object]] = []
        self._adds = count(1)
        self.in_thread = self._world.run_in_thread
        self.keys = keys or KeyStore(around)
        self._names = None if outside is None else Names(around, self.keys, outside.table)
        self._is_offline = self._is_local = False
        self.mfs = Mfs.over(lambda: self.store, self.in_thread)

    @property
    def store(self) -> BlockStore:
        """Raises ``service-off`` while it is closed."""
        return self._stores.store

    @property
    def folder(self) -> Folder:
        """Where blocks are stored."""
        return self._stores.folder

    @property
    def blocks(self) -> Blocks:
        """Where blocks come from: the store, and other nodes during a `visit` that is not offline."""
        if self._visited is None:
            return self._fetched or self.stored
        return self._visited

    @property
    def stored(self) -> Blocks:
        """What is here."""
        return StoredBlocks(self.store, self.in_thread, self._is_local)

    @property
    def outside(self) -> Outside:
        """The rest of the node. Raises ``service-off`` where there is none."""
        if self._outside is None:
            raise BitDustError("service-off", "these blocks belong to no node")
        return self._outside

    @property
    def names(self) -> Names:
        """Names of IPNS. Raises ``service-off`` where there is no hash table to find them in."""
        if self._names is None:
            raise BitDustError("service-off", "names are found with other nodes, of which there are none")
        return self._names

    @property
    def is_offline(self) -> bool:
        """Whether the call that visits has asked for nothing to go out."""
        return self._is_offline

    async def named(self, path: Path) -> Path:
        """A path whose name, where it has one, was resolved. Raises `BitDustError` ``no-name``."""
        if path.root is not None:
            return path
        return parse(await self.names.resolver.resolve(str(path), How(offline=self._is_offline)))

    @property
    def nodes(self) -> Nodes:
        """What goes between nodes. Raises ``service-off`` where there is nothing of it."""
        if self._nodes is None:
            raise BitDustError("service-off", "this node has nothing to do with other nodes of IPFS")
        return self._nodes

    async def view(self) -> View:
        """The settings of the node, as a configuration shows them."""
        me = (await self.keys.all())[0]
        return View(self.around.settings, str(me.id), tuple(self.addresses()), self.outside.authorizations())

    def addresses(self) -> list[str]:
        """Where others reach this node: ``tcp://host:port``."""
        return self.around.me.addresses if self.around.me.present else []

    # calls of clients

    def visit(self, offline: bool, is_patient: bool, is_local: bool = False) -> "IpfsRoom":
        """Myself for one call, which `leave` ends. A patient one waits for what nobody has yet; offline no other node
        is asked, and where it ``is_local``, no supplier either."""
        room = object.__new__(type(self))
        room.__dict__.update(self.__dict__)
        room._is_offline, room._is_local = offline, is_local
        if is_local:
            room.mfs = self.mfs.local()
        if not offline and self._nodes is not None:
            room._fetched = FetchedBlocks(lambda: self.store, self.in_thread, self._nodes.exchange, is_patient)
        room._visited = Recent(room._fetched or room.stored)
        room._ends = []
        return room

    def at_end(self, call: Callable[[], object]) -> None:
        """Call something when this call of a client is over."""
        self._ends.append(call)

    def leave(self) -> None:
        """The call is over; may be called again."""
        ends, self._ends = self._ends, []
        for end in ends:
            end()
        if self._fetched is not None:
            self._fetched.end()

    async def bring(self, root: Cid) -> None:
        """See that a block is here with all below it; see `bitdust.ipfs.fetching.bring`."""
        if self._fetched is not None:
            await bring(self._fetched, root)

    async def bring_one(self, cid: Cid) -> None:
        """See that a block is here, for what looks at it in the store."""
        if self._fetched is not None:
            await get(self._fetched, cid)

    def add(self, options: AddOptions, store: bool = True) -> AddJob:
        """A new add; without ``store`` nothing is kept of it."""
        lease = self.store.lease() if store else None
        adder = Adder(options, lease, self.in_thread)
        return AddJob(self._registry, str(next(self._adds)), adder, lease)

    async def import_cars(self, source: Source, pin: bool) -> dict[Cid, str]:
        """Take the blocks of CAR files, and pin their roots; why each root cannot be pinned, empty where it can."""
        lease = self.store.lease()
        cars = CarImport(lease, self.in_thread, pin)
        await IntakeJob(self._registry, f"car {next(self._adds)}", cars, lease).run(source)
        return cars.roots

    async def write(self, path: MfsPath, how: Writing, source: Source) -> None:
        """Write the file at which a source is into one with a name."""
        writing = self.mfs.writing(path, how)
        await IntakeJob(self._registry, f"files/write {next(self._adds)}", writing, writing).run(source)

    async def put(self, blocks: Sequence[Block], *changes: Change) -> None:
        """Store blocks, and change pins and roots with them."""
        lease = self.store.lease()
        try:
            for block in blocks:
                waiting = lease.put(block)
                if waiting is not None:
                    await waiting
            await lease.commit(*changes)
        finally:
            lease.end()

    async def pin(self, *changes: Change) -> None:
        """Pin, and what else changes with it; what is pinned in this way already is no error."""
        await self.store.apply(*changes)

    async def pins(self, mode: Mode | None = None) -> AsyncIterator[Pin]:
        """All pins of a mode, or of any."""
        after = FIRST
        while found := await self.store.pins(mode, after):
            for after, pin in found:  # noqa: B007 - the last one counts
                yield pin

    async def every_block(self) -> AsyncIterator[Cid]:
        """The CID of each block that is here, as it was stored."""
        after = -1
        while True:
            rows, after = await self.store.listing(after)
            for row in rows:
                yield row.cid
            if after < 0:
                return

    async def indirect(self) -> AsyncIterator[Cid]:
        """Blocks that stay because of a pin above them, and are not pinned themselves."""
        found = await self.store.indirect()
        while rows := await self.store.indirect_page(found):
            for row in rows:
                yield row.cid

    async def bad_below(self, root: Cid) -> list[tuple[Cid, str]]:
        """Read a block and all below it; those that are missing or damaged, and why. A thousand at most.

        What is away is not brought here for it: it counts as sound while suppliers are known to have it."""
        bad: list[tuple[Cid, str]] = []
        waiting, seen = [root], {root.multihash}
        while waiting and len(bad) < MOST_BAD:
            cid = waiting.pop()
            try:
                found = await self._children(cid)
            except BitDustError as error:
                bad.append((cid, str(error)))
                continue
            for one in found:
                if one.multihash not in seen:
                    seen.add(one.multihash)
                    waiting.append(one)
        return bad

    async def _children(self, cid: Cid) -> list[Cid]:
        (row,) = await self.store.rows([cid])
        if row is None or not row.is_away:
            return [one.cid for one in await references(self.stored, cid)]
        if await self.store.saving.spot(cid) is None:
            raise not_now(cid)
        return list((await self.store.saving.links([cid]))[0])

    async def remove(self, cid: Cid) -> None:
        """Remove one block that nothing needs. Raises ``not-found`` and ``pinned``."""
        if not await self.store.remove(cid):
            raise not_here(cid)

    async def verify(self) -> AsyncIterator[Check]:
        """Read every block that is here, and mend what others have; the check whenever it has gone on, and at its
        end. Who stops reading stops it."""
        check = self.store.check()
        machine = check.machine
        try:
            yield check
            while machine.state not in machine.final:
                await _next_move(machine)
                yield check
        finally:
            machine.send("stop")
        if machine.state != "DONE":
            raise BitDustError("not-checked", "not every block was read; logs/stdout.log says why")

    async def collect(self) -> AsyncIterator[Cid]:
        """Collect what nobody needs; each block that goes. Who stops reading does not stop the collection."""
        gone: list[Cid] = []
        news: Deferred[None] = Deferred()

        def report(cids: Sequence[Cid]) -> None:
            nonlocal news
            gone.extend(cids)
            fired, news = news, Deferred()
            fired.callback(None)

        collection = self.store.collect(report)
        machine = collection.machine
        machine.when(*machine.final).addBoth(lambda _: report(()))
        while gone or machine.state not in machine.final:
            taken, gone[:] = list(gone), []
            for cid in taken:
                yield cid
            if not taken:
                await news
        if machine.state != "DONE":
            raise BitDustError("not-collected", "not all that nobody needs was collected; logs/stdout.log says why")


async def _next_move(machine: Machine) -> None:
    """Return when a machine has moved."""
    moved: Deferred[None] = Deferred()

    def report(_: object) -> None:
        if not moved.called:
            moved.callback(None)

    forget = machine.on_transition(report)
    try:
        await moved
    finally:
        forget()
