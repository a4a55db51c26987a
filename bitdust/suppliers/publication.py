"""Bringing my family record to the DHT and to every supplier in it.

Whoever holds an older record gets the newest one when it is next connected. A supplier that holds a newer one, or
another one of the same revision, got it from another device of mine: it is read, and adopted or joined.
"""

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from bitdust.automats.dht_record import DHTRecord
from bitdust.identity.awaited import FAMILY
from bitdust.outcome import outcome
from bitdust.replication import Replicas, is_safe, members, needed
from bitdust.signal import Disconnect
from bitdust.suppliers.family import MyFamily
from bitdust.suppliers.family_before import MAX_RECORD
from bitdust.surroundings import Connected
from bitdust.wire.errors import BitDustError
from bitdust.wire.packet import Command
from bitdust.wire.records import Family
from bitdust.wire.signed import Signed

SEND_SECONDS = 20.0
COMPARE_AGAIN = 300.0
"""Seconds after which another device of mine is expected to have changed the record."""
ToDHT = Callable[[Family, Signed], "Deferred[Any]"]


class FamilyPublication:
    """I publish each revision from `start` to `stop`; ``to_dht`` stores the signed record."""

    log = Logger()

    def __init__(self, around: Connected, family: MyFamily, to_dht: ToDHT) -> None:
        self._registry = around.registry
        self._clock = around.registry.clock
        self._me = around.me
        self._is_reachable = around.sessions.connected
        self._call: IDelayedCall | None = None
        self._outbox = around.outbox
        self._family = family
        self._to_dht = to_dht
        self._held: dict[bytes, int] = {}
        self._replicas = Replicas(around.registry, "family", self, around.sessions.connected)
        self._record: DHTRecord | None = None
        self._disconnect: Disconnect = lambda: None
        self.acknowledged = self._replicas.acknowledged

    def start(self) -> None:
        """Publish what there is, and every change; may follow a `stop`."""
        if self._record is None:
            self._record = DHTRecord(self._registry, "family", self)
            self._disconnect = self._family.changed.connect(self.update)
            self.update()
            self._compare_again()

    def stop(self) -> None:
        """Publish nothing any more; what was stored expires by itself."""
        self._disconnect()
        self._replicas.stop()
        if self._call is not None:
            self._call.cancel()
            self._call = None
        if self._record is not None:
            self._record.send("shutdown")
            self._record = None

    def _compare_again(self) -> None:
        """Where I have other devices: everybody who is there is asked which record it holds."""
        self._call = self._clock.callLater(COMPARE_AGAIN, self._compare_again)
        if len(self._me.document.devices) > 1:
            for supplier in self._family.holders:
                if self._is_reachable(supplier):
                    comparing: Deferred[bool] = Deferred.fromCoroutine(self._compare(supplier))
                    comparing.addErrback(lambda failure: self.log.failure("a family was not compared", failure))

    def update(self) -> None:
        """The record changed, or a supplier was connected."""
        if self._record is not None:
            self._record.send("changed")
            self._replicas.place_at(self._family.holders)

    def network_is_back(self) -> None:
        """Others are in the DHT again: what nobody has taken is brought to them now."""
        if self._record is not None:
            self._record.send("network-back")

    def supplier_accepted(self, supplier: bytes) -> None:
        """A supplier came, perhaps without its disk: it is asked what it holds, and gets again what it has lost."""
        self.update()
        if self._record is not None:
            outcome(Deferred.fromCoroutine(self._compare(supplier))).addCallback(lambda _: self.update())

    def is_safe(self) -> bool:
        """Whether so many suppliers hold the newest revision that any k which come back later include one of them."""
        return is_safe(self._family.current, self.is_held_by)

    @property
    def safe_revision(self) -> int:
        """The highest revision that so many suppliers hold, as far as is known; 0 for none."""
        family = self._family.current
        if family is None:
            return 0
        held = sorted((self._held.get(who, 0) for who in members(family)), reverse=True)
        return held[needed(family) - 1] if len(held) >= needed(family) else 0

    def refusing_for(self, supplier: bytes) -> float:
        """For how many seconds a supplier has not taken the record."""
        return self._replicas.refusing_for(supplier)

    # the record that replicas bring to suppliers

    def is_held_by(self, supplier: bytes) -> bool:
        current = self._family.current
        return current is not None and self._held.get(supplier, 0) >= current.revision

    def deliver(self, supplier: bytes) -> "Deferred[None]":
        return Deferred.fromCoroutine(self._deliver(supplier))

    async def _deliver(self, supplier: bytes) -> None:
        family, signed = self._family.current, self._family.signed
        if family is None or signed is None:
            return
        fields = {"space": "family"}
        await self._outbox.send(supplier, Command.CONTACTS, fields, signed.to_bytes(), deadline=SEND_SECONDS)
        self._held[supplier] = family.revision

    def compare(self, supplier: bytes, error: BaseException) -> "Deferred[bool]":
        return Deferred.fromCoroutine(self._compare(supplier))

    async def _compare(self, supplier: bytes) -> bool:
        asked = self._outbox.send(
            supplier, Command.RETRIEVE, {"kind": "family"}, deadline=SEND_SECONDS, max_answer=MAX_RECORD
        )
        reply = await outcome(asked)
        if reply.error is not None:
            if reply.code == "not-found":
                self._held.pop(supplier, None)
            return False
        try:
            return self._accept(supplier, Signed.from_bytes(reply.value.payload, Family.KIND, MAX_RECORD))
        except BitDustError as problem:
            self.log.warn("a supplier has another family record that cannot be used: {problem}", problem=problem)
            return False

    def _accept(self, supplier: bytes, found: Signed) -> bool:
        """Adopt or join what a supplier holds; True when it was of use, or is what I have."""
        changed = self._family.adopt(found)
        if not changed and self._family.reconcile(found):
            self.log.info("another device of mine changed the family at the same time; both changes are joined")
            changed = True
        mine = self._family.signed
        self._held[supplier] = min(self._held.get(supplier, 0), Family.from_body(found.body).revision)
        if mine is not None and found.to_bytes() == mine.to_bytes():
            self._held[supplier] = Family.from_body(mine.body).revision
            return True
        return changed

    # the port of dht_record

    def revision(self) -> int:
        """0 on a recovered node that may have found an older one."""
        known = self._family.current is not None and not self._me.awaits(FAMILY)
        return self._family.current.revision if known and self._family.current is not None else 0

    def store(self) -> "Deferred[Any]":
        assert self._family.current is not None and self._family.signed is not None
        return self._to_dht(self._family.current, self._family.signed)
