"""Devices of guests that are newer than the documents which are known of them: their owner looks those up.

A guest that was set back takes a new device key, and no session need tell the owner: what it brings as that device is
safe at suppliers, and nobody's list has it before its document is known. Suppliers list its log, and may make others
up, so there are pauses, as `NewDevices` has them for each key.
"""

from collections.abc import Collection

from twisted.internet.defer import Deferred

from bitdust.identity.proving import NameProver
from bitdust.outcome import outcome, outcomes
from bitdust.peers.new_devices import NewDevices
from bitdust.shares.ports import Resolves
from bitdust.surroundings import Connected
from bitdust.wiring import Wire

LONGEST = 600.0
"""Seconds between two looks for one device, in the end."""


class NewWriters:
    """I look up those who may write under a key of mine where suppliers list a device of nobody's."""

    people = Wire(Resolves)

    def __init__(self, around: Connected, prover: NameProver) -> None:
        self._around = around
        self._prover = prover
        self._new: dict[str, NewDevices] = {}
        """By key: what is made up under one holds up no other one."""

    def listed(self, key: str, devices: Collection[bytes]) -> None:
        """A supplier lists logs of these devices under a key."""
        new = self._new.setdefault(key, NewDevices(self._around.world.clock.seconds, LONGEST))
        if new.is_wanted(devices):
            outcome(outcomes(Deferred.fromCoroutine(self._look_up(who)) for who in self._writers(key)))

    def _writers(self, alias: str) -> list[bytes]:
        key, now = self._around.me.key_ring.keys.get(alias), self._around.world.wall()
        grants = key.grants if key is not None and not key.erased else ()
        return sorted({grant.holder for grant in grants if grant.writes and grant.counts(now)})

    async def _look_up(self, who: bytes) -> None:
        """In the hash table, and where nothing newer is there by name."""
        before = self._around.identities.get(who)
        await outcome(Deferred.fromCoroutine(self.people.resolve(who)))
        known = self._around.identities.get(who)
        if known is not None and known == before:
            await self._prover.prove(who, known.idurl)

    def begin_anew(self) -> bool:
        """The hash table is there again. False where nobody is looked for."""
        return True in {new.begin_anew() for new in self._new.values()}
