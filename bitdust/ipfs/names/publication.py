"""One name that this node has published, on its way into the hash table: what `ipns_publication` acts on."""

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from bitdust.automats.ipns_publication import IpnsPublication
from bitdust.ipfs.names.keys import SECOND, NamedKey, Published
from bitdust.ipfs.names.ports import NameTable
from bitdust.ipfs.names.store import KeyStore, no_key
from bitdust.ipld.errors import FormatError
from bitdust.ipld.ipns import Record, make, verify
from bitdust.ipld.peerid import PeerId
from bitdust.outcome import Outcome, answer, outcome
from bitdust.surroundings import Surroundings
from bitdust.wire.errors import BitDustError

PERIOD = "services/ipfs/republish-hours"
HOUR = 3600.0
STALE = "stale"
PATIENCE = 900.0
"""Seconds in which failures are made up for."""


class Publication:
    """I bring what the key store says that the name has published; whoever waits for it is told how that went."""

    def __init__(self, around: Surroundings, keys: KeyStore, table: NameTable, ident: PeerId) -> None:
        self._around = around
        self._keys = keys
        self._table = table
        self._ident = ident
        self._lifetime = 0
        self._waiting: list[Deferred[None]] = []
        self._why, self._since = "", around.world.clock.seconds()
        self.machine = IpnsPublication(around.registry, ident.base36, self)

    def problem(self) -> str:
        """Why others do not find it; empty while that has not lasted for long."""
        lasts = self._around.world.clock.seconds() - self._since
        return self._why if lasts >= PATIENCE else ""

    def begin(self, lifetime: int, at_once: bool = True) -> None:
        """There is something to bring, which is signed for so long (ns)."""
        self._lifetime = lifetime
        self.machine.send("publish" if at_once else "later")

    def stop(self) -> None:
        """Bring it no more."""
        self.machine.send("stop")
        self._tell(BitDustError("stopped", "this node publishes the name no more"))

    def brought(self) -> "Deferred[None]":
        """Fires when others keep it; fails with ``not-published``. May be cancelled."""
        waiting: Deferred[None] = Deferred(lambda one: self._waiting.remove(one) if one in self._waiting else None)
        self._waiting.append(waiting)
        return waiting

    def _tell(self, error: BitDustError | None) -> None:
        waiting, self._waiting = self._waiting, []
        answer(waiting, Failure(error) if error is not None else None)

    # what the machine asks

    def is_online(self) -> bool:
        return self._table.knows_others()

    def is_lasting(self) -> bool:
        return self._lifetime > self.period() * SECOND

    def period(self) -> float:
        return float(self._around.settings.get(PERIOD)) * HOUR

    def bring(self) -> "Deferred[None]":
        return Deferred.fromCoroutine(self._bring())

    def report(self, why: str) -> None:
        if not why or not self._why:
            self._since = self._around.world.clock.seconds()
        self._why = why
        self._tell(BitDustError("not-published", f"the name {self._ident} is not published: {why}") if why else None)

    async def _bring(self) -> None:
        put = await self._put(await self._renewed())
        if put.code == STALE or (put.error is None and STALE in put.value.refused):
            following = await self._beyond_the_newest()
            put = await self._put(following) if following is not None else put
        if put.error is not None:
            raise put.error
        if put.value.others < 1:
            raise BitDustError("not-stored", "no other node of the DHT has kept it")
        if not _need((await self._mine()).published).brought:
            await self._keys.publish(self._ident, lambda now: evolve(_need(now), brought=True))

    async def _put(self, one: NamedKey) -> Outcome:
        key, published = one.key, _need(one.published)
        if key is None:
            raise no_key(one.name)
        record = published.record
        signed = await self._around.world.run_in_thread(make, key, record)
        seconds = (record.expires - self._now()) // SECOND
        return await outcome(self._table.put_name(self._ident, signed, record.sequence, seconds))

    async def _renewed(self) -> NamedKey:
        """What is published, signed again where that was long ago, except where it is to end as it was said to."""
        one = await self._mine()
        published, now = _need(one.published), self._now()
        if self.is_lasting() and now - published.signed >= self.period() * SECOND / 2:
            return await self._keys.publish(self._ident, lambda before: evolve(_need(before), signed=now))
        if published.record.expires <= now:
            raise BitDustError("expired", "it has ended, as it was said to")
        return one

    async def _mine(self) -> NamedKey:
        one = await self._keys.of(self._ident)
        if one is None:
            raise no_key(str(self._ident))
        return one

    async def _beyond_the_newest(self) -> NamedKey | None:
        """Somebody with the same key has published more than I knew: a value of mine that nobody has seen yet follows
        that one, and one that was published before gives way to it. None where nobody shows more."""
        found = await self._table.name_record(self._ident)
        newest = self._judged(found)
        known = _need((await self._mine()).published)
        if newest is None or known.record.rank >= newest.rank:
            return None

        def follow(published: Published | None) -> Published:
            mine = _need(published)
            if not mine.brought and mine.value != newest.value:
                return evolve(mine, sequence=newest.sequence + 1)
            return evolve(mine, value=newest.value, sequence=newest.sequence, ttl=newest.ttl, brought=True)

        return await self._keys.publish(self._ident, follow)

    def _judged(self, record: bytes | None) -> Record | None:
        try:
            return verify(record, self._ident, self._now()) if record is not None else None
        except FormatError:
            return None

    def _now(self) -> int:
        return int(self._around.world.wall() * SECOND)


def _need(published: Published | None) -> Published:
    if published is None:
        raise BitDustError("not-published", "nothing is published under this name")
    return published
