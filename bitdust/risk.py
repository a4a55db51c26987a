"""How far my files are from being lost: the one place that puts together what all rooms know of it.

The doctor, lists of suppliers, events and metrics show what is said here.
"""

import sqlite3
from collections import Counter
from collections.abc import Iterable
from typing import Any

from attrs import evolve, field, frozen
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from bitdust.peers.shown import Names, show_name
from bitdust.replication import members, needed
from bitdust.storage.catalog.redundancy import Holders, Standing, packs_of, standings
from bitdust.storage.catalog.whereabouts import AN_HOUR, GivenUp
from bitdust.storage.core import Core
from bitdust.storage.keeping.handovers import Counted
from bitdust.storage.keeping.stuck import MOST_NAMED, files_of, given_up_of
from bitdust.storage.keeping.trouble import Code, Trouble
from bitdust.storage.storage import Storage
from bitdust.suppliers.room import SuppliersRoom
from bitdust.surroundings import Connected

Row = dict[str, Any]
LOOK = 60.0
"""Seconds from one look to the next."""
LASTING = (Code.AWAY, Code.FULL, Code.REFUSES, Code.NOT_PROVEN)
"""What is amiss with a supplier and worth an event; other things come and go with each upload."""
SHARE = 50.0
"""A look at a large catalog takes a while: the pause after it is so many times as long."""


@frozen
class Copies:
    """At how many suppliers of my family a record is whole, and at how many it must be."""

    held: int
    needed: int

    @property
    def is_safe(self) -> bool:
        """Whether any k suppliers that come back include one that has it."""
        return self.held >= self.needed > 0

    def as_dict(self) -> Row:
        """As the API shows it."""
        return {"held": self.held, "needed": self.needed, "safe": self.is_safe}


@frozen
class Stored:
    """What the catalog says: how all packs stand, the weakest first, files of the weakest, and which versions nobody
    brings any more: so many, some of them named."""

    standings: tuple[Standing, ...] = ()
    remote_paths: tuple[str, ...] = ()
    bad: int = 0
    versions_lost: int = 0
    named: tuple[dict[str, str], ...] = ()

    @property
    def old(self) -> list[Standing]:
        """Without packs that are on their way for the first time."""
        return [one for one in self.standings if not one.is_new]

    @property
    def may_die(self) -> int | None:
        """How many more suppliers may be lost while nobody comes back; None where nothing is stored."""
        return min((one.may_die for one in self.old), default=None)

    def as_dict(self) -> Row:
        """As the API shows it; packs and pieces are numbers."""
        old, every = self.old, self.standings
        return {
            "may_die": self.may_die,
            "may_die_in_all": min((one.may_die_in_all for one in old), default=None),
            "packs": sum(one.packs for one in every),
            "packs_on_their_way": sum(one.packs for one in every if one.is_new),
            "packs_unreadable": sum(one.packs for one in old if not one.is_readable),
            "packs_lost": sum(one.packs for one in old if one.is_lost),
            "pieces": {
                "there": sum(one.packs * one.there for one in every),
                "away": sum(one.packs * one.away for one in every),
                "waiting": sum(one.packs * one.here for one in every),
                "missing": sum(one.packs * one.missing for one in every),
                "bad": self.bad,
            },
            "weakest": self._weakest(),
            "versions_lost": {"count": self.versions_lost, "named": list(self.named)},
        }

    def _weakest(self) -> Row | None:
        if not self.old:
            return None
        one = self.old[0]
        counts = {"there": one.there, "away": one.away, "waiting": one.here, "missing": one.missing}
        return {"packs": one.packs, "n": one.n, "k": one.k, **counts, "remote_paths": list(self.remote_paths)}


@frozen
class Level:
    """What is worth an event when it changes."""

    may_die: int | None
    is_readable: bool
    is_catalog_safe: bool
    is_key_ring_safe: bool
    is_family_safe: bool
    is_rebuilding_stuck: bool
    family: tuple[int, bool]
    """Size, and whether another device of mine, or a spare, has changed it."""
    troubles: tuple[tuple[str, str], ...] = field(factory=tuple)
    """Name of a supplier, and code; of what it has of catalog, key ring and family, the figures above say enough."""


class Risk:
    """I look once a minute while data moves, and whenever I am asked. A look reads the catalog only where it, or who is
    there, has changed. ``risk-changed`` is sent when two looks in a row have found the same change."""

    log = Logger()

    def __init__(self, around: Connected, storage: Storage, suppliers: SuppliersRoom) -> None:
        self._around = around
        self._storage = storage
        self._suppliers = suppliers
        self._stored = Stored()
        self._known: object = None
        self._looking: dict[object, list[Deferred[None]]] = {}
        self._call: IDelayedCall | None = None
        self._is_open = False
        self._pause = LOOK
        self._stuck_since: float | None = None
        self._seen: Level | None = None
        self._told: Level | None = None

    def start(self) -> None:
        """Look regularly. May follow a `stop`."""
        self._is_open = True
        self._plan()

    def stop(self) -> None:
        """Look no more by myself."""
        self._is_open = False
        call, self._call = self._call, None
        if call is not None and call.active():
            call.cancel()

    def _plan(self) -> None:
        if self._is_open and not (self._call is not None and self._call.active()):
            self._call = self._around.world.clock.callLater(self._pause, self._look_again)

    def _look_again(self) -> None:
        looking: Deferred[Row] = Deferred.fromCoroutine(self.look())
        looking.addCallback(lambda _: self._compare())
        looking.addErrback(lambda failure: self.log.warn("the risk is not known: {why}", why=failure.value))
        looking.addBoth(lambda _: self._plan())

    @property
    def latest(self) -> Row:
        """What the last look has found; empty before the first."""
        return self._stored.as_dict() if self._known is not None and self._storage.is_open else {}

    async def look(self) -> Row:
        """Everything, as `storage_risk` shows it. Raises `CatalogError` ``catalog-closed``."""
        core = self._storage.core
        holders = self.holders(core)
        known = (id(core), core.catalog.revision, holders, self._around.world.wall() // AN_HOUR)
        if known in self._looking:
            waiting: Deferred[None] = Deferred()
            self._looking[known].append(waiting)
            await waiting
        elif known != self._known:
            await self._count(core, holders, known)
        return self._row(core, await core.handovers.count())

    async def _count(self, core: Core, holders: Holders, known: object) -> None:
        """Read the catalog; who comes meanwhile for the same waits for this reading."""
        self._looking[known], began = [], self._around.world.clock.seconds()
        try:
            given_up = core.given_up()
            self._stored = await core.catalog.read_in_thread(lambda database: self._read(database, holders, given_up))
            self._pause = max(LOOK, SHARE * (self._around.world.clock.seconds() - began))
            self._known = known
        finally:
            for waiting in self._looking.pop(known):
                if not waiting.called:
                    waiting.callback(None)

    def _read(self, database: sqlite3.Connection, holders: Holders, given_up: GivenUp) -> Stored:
        found, global_id = tuple(standings(database, holders, self._around.world.wall())), self._around.me.global_id
        (bad,) = database.execute("SELECT count(*) FROM bad_pieces").fetchone()
        lost, named = given_up_of(database, given_up, global_id)
        stored = Stored(found, (), bad, lost, tuple(named))
        weakest = stored.old[:1]
        if not weakest or weakest[0].may_die >= weakest[0].n - weakest[0].k:
            return stored
        packs = packs_of(database, holders, weakest[0], MOST_NAMED)
        return evolve(stored, remote_paths=tuple(files_of(database, packs, global_id)))

    def holders(self, core: Core) -> Holders:
        """Who has pieces that count. One that failed its last audit may have lost them; a spare has them of another."""
        family, failed = core.ports.family(), core.audits.failed()
        if family is None:
            return Holders((), frozenset(), frozenset())
        every = {*family.holders, *self._suppliers.family.holders}
        there = {who for who in every if core.ports.is_online(who) and who not in failed}
        there |= {one.gone for one in self._suppliers.spares.shown() if one.spare in family.suppliers}
        return Holders(tuple(family.seats), frozenset(there & every), frozenset(every - there))

    def figures(self) -> Row:
        """For monitoring, as of now and of the last look: what that has found, how many suppliers have each trouble,
        which records are safe, and whether rebuilding stands still. Empty before the first look."""
        found = self.latest
        if not found:
            return {}
        level, codes = self._level(self._storage.core), Counter[str]()
        for who in self._suppliers.family.members:
            codes.update(trouble.code.value for trouble in self.troubles(who))
        return found | {
            "troubles": {code.value: codes[code.value] for code in Code},
            "safe": {
                "catalog": level.is_catalog_safe,
                "key_ring": level.is_key_ring_safe,
                "family": level.is_family_safe,
            },
            "rebuilding_stuck": level.is_rebuilding_stuck,
            "family_changed_elsewhere": level.family[1],
        }

    # one supplier

    def troubles(self, supplier: bytes) -> list[Trouble]:
        """All that is amiss with a supplier."""
        found = self._storage.core.troubles.of(supplier) if self._storage.is_open else []
        connector = self._suppliers.connectors.find(supplier)
        if connector is not None and connector.state == "NO_SERVICE":
            found.insert(0, Trouble(Code.REFUSES, f"refuses its service: {connector.reason}"))
        if not self._suppliers.publication.is_held_by(supplier):
            found.append(Trouble(Code.NO_FAMILY, "has not your newest family record"))
        return found

    def away_since(self, supplier: bytes) -> int | None:
        """When a supplier that is away was there last, in seconds since the epoch; None for one that is there."""
        is_here = self._around.sessions.connected(supplier)
        return None if is_here else self._suppliers.absences.since(supplier)

    # everything

    def _row(self, core: Core, moving: Counted) -> Row:
        catalog, key_ring, family = self._copies(core)
        return {
            **self._stored.as_dict(),
            "catalog": catalog.as_dict(),
            "key_ring": key_ring.as_dict(),
            "family": family.as_dict() | self._family(),
            "suppliers": [self._supplier(who) for who in self._suppliers.family.members],
            "rebuilding": self._rebuilding(core),
            "moving": self._moving(moving),
        }

    def _copies(self, core: Core) -> tuple[Copies, Copies, Copies]:
        """Of the catalog, the key ring, and the family record."""
        family = self._suppliers.family.current
        least = needed(family) if family is not None else 0

        def count(holds: Any) -> Copies:
            return Copies(sum(1 for who in members(family) if holds(who)), least)

        replicas = (core.log_replicas, core.key_ring_replicas, self._suppliers.publication)
        catalog, key_ring, record = (count(one.is_held_by) for one in replicas)
        return catalog, key_ring, record

    def _family(self) -> Row:
        """Who wrote the record, and who stands in for whom."""
        mine, signed = self._suppliers.family, self._suppliers.family.signed
        device = self._around.me.document.device(signed.device) if signed is not None else None
        elsewhere = signed is not None and signed.device != self._around.me.device.id
        return {
            "size": mine.current.n if mine.current is not None else 0,
            "vacant": mine.current.n - len(mine.members) if mine.current is not None else 0,
            "revision": mine.current.revision if mine.current is not None else 0,
            "changed_by_device": device.number if elsewhere and device is not None else None,
            "spares": [
                {"spare": self._name(one.spare), "instead_of": self._name(one.gone)}
                for one in self._suppliers.spares.shown()
            ],
        }

    def _supplier(self, who: bytes) -> Row:
        names = Names.of(self._around.identities, who)
        return {
            "fingerprint": who.hex(),
            "idurl": names.idurl,
            "global_id": self._name(who),
            "name_proven": self._around.identities.is_proven(who),
            "since": self.away_since(who),
            "problems": [trouble.as_dict() for trouble in self.troubles(who)],
        }

    def _rebuilding(self, core: Core) -> Row:
        stuck, problem = len(core.rebuilder.waits_for_suppliers), core.monitor.problem()
        reason = f"too few pieces of {stuck} packs can be had" if stuck else problem
        if not reason:
            self._stuck_since = None
        elif self._stuck_since is None:
            self._stuck_since = self._around.world.wall()
        return {"stuck_packs": stuck, "since": self._stuck_since, "reason": reason}

    def _moving(self, counted: Counted) -> Row:
        """Places that change hands, and packs that change their scheme."""
        to_come = {place.position: {"left": one.left, "bytes": one.bytes} for place, one in counted.items()}
        nothing = {"left": 0, "bytes": 0}
        places = [
            {"position": row["position"], "from": row["replaces"], "to": row["global_id"], "state": row["replacement"]}
            | to_come.get(row["position"], nothing)
            for row in self._suppliers.view.list()
            if row["replacement"] and row["replaces"]
        ]
        return {"places": places, "reencoding": self._storage.reencoding()}

    def _name(self, who: bytes) -> str:
        return show_name(self._around.identities, who)

    # changes

    def _compare(self) -> None:
        if not self._storage.is_open:
            return
        before, self._seen = self._seen, self._level(self._storage.core)
        if before != self._seen or self._seen == self._told:
            return
        told, self._told = self._told, self._seen
        if told is not None or not _is_whole(self._seen):
            self._send(self._seen, told)

    def _level(self, core: Core) -> Level:
        catalog, key_ring, family = self._copies(core)
        about = self._family()
        return Level(
            may_die=self._stored.may_die,
            is_readable=all(one.is_readable for one in self._stored.old),
            is_catalog_safe=catalog.is_safe,
            is_key_ring_safe=key_ring.is_safe,
            is_family_safe=family.is_safe,
            is_rebuilding_stuck=bool(self._rebuilding(core)["reason"]),
            family=(about["size"], about["changed_by_device"] is not None or bool(about["spares"])),
            troubles=tuple(self._named_troubles()),
        )

    def _named_troubles(self) -> Iterable[tuple[str, str]]:
        for who in self._suppliers.family.members:
            codes = [trouble.code for trouble in self.troubles(who)]
            yield from ((self._name(who), code.value) for code in codes if code in LASTING)

    def _send(self, level: Level, before: Level | None) -> None:
        data = {
            "may_die": level.may_die,
            "may_die_before": before.may_die if before is not None else None,
            "readable": level.is_readable,
            "catalog_safe": level.is_catalog_safe,
            "key_ring_safe": level.is_key_ring_safe,
            "family_safe": level.is_family_safe,
            "family_changed_elsewhere": level.family[1],
            "rebuilding_stuck": level.is_rebuilding_stuck,
            "suppliers": [{"global_id": name, "code": code} for name, code in level.troubles],
        }
        self._around.events.send("risk-changed", data)


def _is_whole(level: Level) -> bool:
    """Whether there is nothing to say at the first look."""
    safe = level.is_readable and level.is_catalog_safe and level.is_key_ring_safe and level.is_family_safe
    return safe and not level.is_rebuilding_stuck and not level.family[1] and not level.troubles
