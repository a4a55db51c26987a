"""What names lead to: this node's own, those of others in the hash table, and hosts that DNS has links for."""

from collections import OrderedDict

from attrs import frozen
from twisted.internet.defer import Deferred, TimeoutError

from bitdust.ipfs.names.dns import DnsLinks, is_host
from bitdust.ipfs.names.keys import SECOND, NamedKey
from bitdust.ipfs.names.ports import NameTable
from bitdust.ipfs.names.store import KeyStore
from bitdust.ipfs.paths import LONGEST, Path, parse
from bitdust.ipld.errors import FormatError
from bitdust.ipld.ipns import Record, verify
from bitdust.ipld.peerid import PeerId
from bitdust.outcome import outcome
from bitdust.surroundings import Surroundings
from bitdust.wire.errors import BitDustError

MOST_HOPS = 32
MOST_KNOWN = 1000
USUAL_CACHE = 60 * SECOND
"""For so long a record without a time to live is not asked for again."""
IPNS = "/ipns/"


@frozen
class How:
    """How to look: ``offline`` asks nobody, ``is_fresh`` believes no answer of before, ``is_thorough`` hears all of the
    nearest nodes, and after ``seconds`` what is known by then counts; None waits as long as it takes."""

    offline: bool = False
    is_fresh: bool = False
    is_thorough: bool = True
    seconds: float | None = None


USUAL = How()


@frozen
class _Known:
    record: Record
    fetched: int


class Resolver:
    """I remember the highest sequence of each name, so that nobody shows me an older one."""

    def __init__(self, around: Surroundings, keys: KeyStore, table: NameTable) -> None:
        self._around = around
        self._keys = keys
        self._table = table
        self._dns = DnsLinks(around)
        self._known: OrderedDict[PeerId, _Known] = OrderedDict()

    async def resolve(self, name: str, how: How = USUAL, recursive: bool = True) -> str:
        """The path that a name leads to; with ``recursive`` until that is none of a name. Raises `BitDustError`:
        no-name, no-dns, bad-path, too-many-hops."""
        for _ in range(MOST_HOPS):
            path = await self._step(name, how)
            if not recursive or path.root is not None:
                return str(path)
            name = str(path)
        raise BitDustError("too-many-hops", f"could not resolve name: more than {MOST_HOPS} names lead to each other")

    async def domain(self, host: str, recursive: bool) -> str:
        """As `resolve`, of a host alone. Raises `BitDustError`: no-name, no-dns."""
        if not is_host(host):
            raise BitDustError("no-name", f"could not resolve name: {host[:200]!r} is no name of a host")
        link = str(parse(await self._dns.link(host)))
        return await self.resolve(link) if recursive and link.startswith(IPNS) else link

    async def _step(self, name: str, how: How) -> Path:
        path = parse(name if name.startswith("/") else f"{IPNS}{name}")
        if path.root is not None:
            return path
        target = parse(await self._target(path.name, how))
        return Path(target.root, (*target.segments, *path.segments), target.name)

    async def _target(self, name: str, how: How) -> str:
        try:
            peer = PeerId.parse(name)
        except FormatError:
            if not is_host(name):
                raise BitDustError("no-name", f"could not resolve name: {name[:200]!r} is no name of IPNS") from None
            if how.offline:
                raise BitDustError("no-name", f"could not resolve name: DNS is not asked for {name} offline") from None
            return await self._dns.link(name)
        record = await self._record(peer, how)
        if record is None:
            raise BitDustError("no-name", f"could not resolve name: nobody is known to have published {name}")
        return _path_of(record)

    async def _record(self, peer: PeerId, how: How) -> Record | None:
        """The record that counts: of several the one with the highest sequence, of those that have not ended."""
        own = await self._own(peer)
        known = self._remembered(peer)
        best = max((one for one in (own, known.record if known else None) if one), key=_rank, default=None)
        if how.offline or (best is not None and not how.is_fresh and (own is not None or self._is_recent(known))):
            return best
        found = await self._asked(peer, how)
        if found is None or (best is not None and best.rank > found.rank):
            return best
        self._remember(peer, found)
        return found

    async def _own(self, peer: PeerId) -> Record | None:
        """Of a name of this node; while its keys are locked it has none, and others' are found all the same."""
        kept = await outcome(Deferred.fromCoroutine(self._keys.kept()))
        if kept.error is not None and not isinstance(kept.error, BitDustError):
            raise kept.error
        own: NamedKey | None = next((one for one in kept.value or () if one.id == peer), None)
        if own is None or own.published is None or own.published.record.expires <= self._now():
            return None
        return own.published.record

    async def _asked(self, peer: PeerId, how: How) -> Record | None:
        asked = Deferred.fromCoroutine(self._table.name_record(peer, thorough=how.is_thorough))
        if how.seconds:
            asked.addTimeout(how.seconds, self._around.world.clock)
        found = await outcome(asked)
        if found.error is not None and not isinstance(found.error, BitDustError | TimeoutError):
            raise found.error
        try:
            return verify(found.value, peer, self._now()) if found.value is not None else None
        except FormatError:
            return None

    def _remembered(self, peer: PeerId) -> _Known | None:
        known = self._known.get(peer)
        if known is not None and known.record.expires <= self._now():
            del self._known[peer]
            return None
        return known

    def _remember(self, peer: PeerId, record: Record) -> None:
        self._known[peer] = _Known(record, self._now())
        self._known.move_to_end(peer)
        if len(self._known) > MOST_KNOWN:
            self._known.popitem(last=False)

    def _is_recent(self, known: _Known | None) -> bool:
        return known is not None and self._now() < known.fetched + (known.record.ttl or USUAL_CACHE)

    def _now(self) -> int:
        return int(self._around.world.wall() * SECOND)


def _rank(record: Record) -> tuple[int, int]:
    return record.rank


def _path_of(record: Record) -> str:
    """What a record says, as a path. Raises `BitDustError` ``no-name`` for what is none."""
    try:
        text = record.value.decode()
    except UnicodeDecodeError:
        text = ""
    if not text.startswith(("/ipfs/", IPNS)) or len(text) > LONGEST:
        raise BitDustError("no-name", "could not resolve name: its record leads to no path")
    return text
