"""Names of IPNS as one part: this node's own are published and kept alive, and all are resolved."""

from attrs import frozen
from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from bitdust.ipfs.names.keys import LONGEST_VALUE, SECOND, SELF, NamedKey, Published
from bitdust.ipfs.names.ports import NameTable
from bitdust.ipfs.names.publication import HOUR, PERIOD, Publication
from bitdust.ipfs.names.resolving import Resolver
from bitdust.ipfs.names.store import KeyStore
from bitdust.ipld.errors import FormatError
from bitdust.ipld.ipns import verify
from bitdust.ipld.peerid import PeerId
from bitdust.outcome import outcome
from bitdust.signal import Disconnect
from bitdust.surroundings import Surroundings
from bitdust.wire.errors import BitDustError

LIFETIME = "services/ipfs/record-hours"
LONGEST_LIFETIME = 10 * 365 * 24 * HOUR
OFFLINE = "can't publish while offline: pass `--allow-offline` to override"


@frozen
class Order:
    """What is to be published under which key: ``lifetime`` and ``ttl`` are seconds, None as the settings say."""

    value: str
    key: str = SELF
    lifetime: float | None = None
    ttl: float | None = None
    allow_offline: bool = False
    offline: bool = False


class Names:
    """I keep one publication for each name that this node has published. `open` first, `close` last."""

    log = Logger()

    def __init__(self, around: Surroundings, keys: KeyStore, table: NameTable) -> None:
        self._around = around
        self._keys = keys
        self._table = table
        self._publications: dict[PeerId, Publication] = {}
        self._ordered: set[PeerId] = set()
        self._disconnect: list[Disconnect] = []
        self._is_open = False
        self.resolver = Resolver(around, keys, table)

    def open(self) -> None:
        """Keep alive what was published, also after the node has become another one, or its keys were unlocked."""
        self._is_open = True
        self._disconnect = [
            self._keys.changed.connect(self._follow),
            self._around.me.changed.connect(self._follow),
            self._table.connected.connect(self._online),
        ]
        self._follow()

    def close(self) -> None:
        """Keep nothing alive any more; records end by themselves."""
        self._is_open = False
        disconnect, self._disconnect = self._disconnect, []
        for one in disconnect:
            one()
        publications, self._publications = self._publications, {}
        for publication in publications.values():
            publication.stop()

    def problem(self) -> str:
        """Why others do not find a name of this node; empty where they find all."""
        if not self._table.knows_others():
            return ""
        return next((why for one in self._publications.values() if (why := one.problem())), "")

    def _follow(self) -> None:
        Deferred.fromCoroutine(self._followed()).addErrback(self._not_followed)

    async def _followed(self) -> None:
        kept = {one.id: one for one in await self._keys.kept() if one.published is not None}
        if not self._is_open:
            return
        for ident in [ident for ident in self._publications if ident not in kept]:
            self._publications.pop(ident).stop()
        for ident, one in kept.items():
            published = one.published
            is_new = ident not in self._publications and ident not in self._ordered
            if is_new and published is not None and self._lives(published):
                self._publication(ident).begin(published.lifetime)

    def _not_followed(self, failure: Failure) -> None:
        if failure.check(BitDustError) is None:
            self.log.failure("names of IPNS are not kept alive", failure)
        else:
            self.log.info("names of IPNS are not kept alive yet: {why}", why=failure.getErrorMessage())

    def _lives(self, published: Published) -> bool:
        """Whether there is something to bring: it has not ended, or is signed again and again."""
        period = self._around.settings.get(PERIOD) * HOUR * SECOND
        return published.lifetime > period or published.record.expires > self._now()

    def _online(self) -> None:
        for publication in self._publications.values():
            publication.machine.send("online")

    def _publication(self, ident: PeerId) -> Publication:
        found = self._publications.get(ident)
        if found is None or found.machine.state in found.machine.final:
            found = self._publications[ident] = Publication(self._around, self._keys, self._table, ident)
        return found

    # records as they are

    async def record(self, name: PeerId) -> bytes | None:
        """The record of a name that counts now, as others keep it."""
        found = await outcome(Deferred.fromCoroutine(self._table.name_record(name)))
        try:
            return found.value if found.value is not None and verify(found.value, name, self._now()) else None
        except FormatError:
            return None

    async def keep(self, name: PeerId, record: bytes) -> None:
        """Store a record of somebody's name. Raises `BitDustError`: bad-argument for one that the name has not signed
        or that has ended, stale where others have a newer one, not-stored."""
        try:
            said = verify(record, name, self._now())
        except FormatError as error:
            raise BitDustError("bad-argument", f"this is no record of {name}: {error}") from error
        seconds = (said.expires - self._now()) // SECOND
        put = await self._table.put_name(name, record, said.sequence, seconds)
        if put.others < 1:
            raise BitDustError("not-stored", "no other node of the DHT has kept it")

    # publishing

    async def publish(self, order: Order) -> NamedKey:
        """Keep it, and bring it to others; the key, once others have it.

        Raises `BitDustError`: no-key, offline, bad-argument, not-published; after the last one it stays published here,
        and is brought later.
        """
        lifetime, ttl, value = self._checked(order)
        key = await self._keys.find(order.key)
        is_online = not order.offline and self._table.knows_others()
        if not is_online and not order.allow_offline:
            raise BitDustError("offline", OFFLINE)
        least = await self._seen(key) if is_online and key.published is None else 0

        def publish(before: Published | None) -> Published:
            sequence, brought = least, False
            if before is not None:
                is_new = before.value != value
                sequence, brought = before.sequence + is_new, before.brought and not is_new
            return Published(value, sequence, self._now(), lifetime, ttl, brought)

        self._ordered.add(key.id)
        try:
            kept = await self._keys.publish(key.id, publish)
        finally:
            self._ordered.discard(key.id)
        publication = self._publication(key.id)
        waiting = publication.brought() if is_online else succeed(None)
        publication.begin(lifetime, at_once=is_online)
        brought = await outcome(waiting)
        if brought.error is not None and not order.allow_offline:
            raise brought.error
        return kept

    def _checked(self, order: Order) -> tuple[int, int, bytes]:
        lifetime = self._around.settings.get(LIFETIME) * HOUR if order.lifetime is None else order.lifetime
        if not 0 < lifetime <= LONGEST_LIFETIME:
            raise BitDustError("bad-argument", "a record is valid for longer than 0s, and for ten years at most")
        if order.ttl is not None and not 0 <= order.ttl <= LONGEST_LIFETIME:
            raise BitDustError("bad-argument", "a time to live is ten years at most")
        value = order.value.encode("utf-8", "replace")
        if len(value) > LONGEST_VALUE or value.decode() != order.value:
            raise BitDustError("bad-argument", f"a path that is published is text of at most {LONGEST_VALUE} bytes")
        return int(lifetime * SECOND), int((order.ttl or 0) * SECOND), value

    async def _seen(self, key: NamedKey) -> int:
        """The first sequence of a key: behind what others have of it, where it has published before its keys came
        here."""
        found = await outcome(Deferred.fromCoroutine(self._table.name_record(key.id)))
        try:
            return verify(found.value, key.id, self._now()).sequence + 1 if found.value is not None else 0
        except FormatError:
            return 0

    def _now(self) -> int:
        return int(self._around.world.wall() * SECOND)
