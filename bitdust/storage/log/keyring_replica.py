"""My key ring at my suppliers: sealed to my master key, signed by a device, the same at all of them.

A ring counts as safe when N−k+1 suppliers hold it, so any k that come back include one that does. Rings of several
devices merge by union: neither can lose a key of the other.
"""

from collections.abc import Callable
from typing import Any

from attrs import frozen
from twisted.internet.defer import Deferred, DeferredList
from twisted.logger import Logger

from bitdust.automats.kernel import Registry
from bitdust.automats.keys_synchronizer import KeysSynchronizer
from bitdust.crypt.device import check_record
from bitdust.crypt.keyring import MASTER, KeyRing
from bitdust.formats.orders import MAX_RING, RING
from bitdust.outcome import Outcome, outcome
from bitdust.storage.log.replica import needed, places_heard
from bitdust.storage.ports import Events, Me, Ports, StorageWorld
from bitdust.wire.encoding import WireError, encode
from bitdust.wire.errors import BitDustError
from bitdust.wire.packet import Command
from bitdust.wire.schema import parse
from bitdust.wire.signed import Signed

KIND = "keyring"
SILENCE = 15.0
HOLD_OFF = 30.0
MAX_ANSWER = MAX_RING + 2048


@frozen
class KeptRing:
    """A ring as a supplier keeps it: its revision, its signed bytes, what is in it."""

    revision: int
    signed: bytes
    ring: KeyRing


class Ring:
    """I am the port of `KeysSynchronizer`. ``on_state`` is told when the state may have changed."""

    log = Logger()

    def __init__(self, world: StorageWorld, registry: Registry, me: Me, events: Events, ports: Ports) -> None:
        self._world = world
        self._me = me
        self._events = events
        self._ports = ports
        self._current: KeptRing | None = None
        self._holds: dict[bytes, int] = {}
        self._sending: set[bytes] = set()
        self._hold_off: dict[bytes, float] = {}
        self._heard: set[bytes] = set()
        self.reason = "suppliers were not asked yet"
        self.ready = False
        """Whether everything that was safe before is in my ring: enough suppliers were heard."""
        self.on_state: Callable[[], None] = lambda: None
        self.machine = KeysSynchronizer(registry, self)

    def start(self) -> None:
        """Pull and push for the first time."""
        self.machine.send("start")

    def stop(self) -> None:
        """Send nothing any more."""
        self.machine.send("shutdown")

    @property
    def synchronized(self) -> bool:
        """Whether enough suppliers hold my ring as it is."""
        return self.machine.state == "IN_SYNC"

    def suppliers_changed(self) -> None:
        """Suppliers came, went or changed."""
        self.machine.send("suppliers-changed")

    def keys_changed(self) -> None:
        """My ring is no longer what suppliers hold."""
        self.machine.send("keys-changed")

    def report(self, synchronized: bool, reason: Any) -> None:
        self.reason = "" if synchronized else str(getattr(reason, "value", reason) or "too few suppliers were heard")
        if synchronized:
            self._events.send("my-keys-synchronized", {})
        elif self.machine.state == "NO_INFO":
            self._events.send("my-keys-synchronize-failed", {"error": self.reason})
        else:
            self._events.send("my-keys-out-of-sync", {"reason": self.reason})
        self.on_state()

    # pull

    def _members(self) -> list[bytes]:
        family = self._ports.family()
        return [supplier for supplier in family.suppliers if supplier is not None] if family is not None else []

    def heard_enough(self) -> bool:
        family = self._ports.family()
        return family is not None and places_heard(family, self._heard, not self._has_secret()) >= family.k

    def _has_secret(self) -> bool:
        ring = self._me.key_ring
        return MASTER in ring and bool(ring.get(MASTER).secrets)

    def pull(self) -> "Deferred[Any]":
        return Deferred.fromCoroutine(self._pull())

    async def _pull(self) -> None:
        self._heard = set()
        family = self._ports.family()
        online = [who for who in (family.holders if family is not None else ()) if self._ports.is_online(who)]
        asking = [outcome(Deferred.fromCoroutine(self._ask(supplier))) for supplier in online]
        answers: list[tuple[bool, Outcome]] = await DeferredList(asking, consumeErrors=True)
        found: list[KeptRing] = []
        for supplier, (_, answer) in zip(online, answers, strict=True):
            if answer.error is None and answer.value is not None:
                self._holds[supplier] = answer.value.revision
                found.append(answer.value)
            if answer.error is None or answer.code == "not-found":
                self._heard.add(supplier)
        if self.heard_enough():
            self._merge(found)

    async def _ask(self, supplier: bytes) -> KeptRing | None:
        reply = await self._ports.outbox.send(
            supplier, Command.RETRIEVE, {"kind": KIND}, deadline=SILENCE, max_answer=MAX_ANSWER
        )
        try:
            return self._read(bytes(reply.payload))
        except WireError as error:
            self.log.warn("a supplier gave a key ring that is not mine: {error}", error=error)
            return None

    def _read(self, data: bytes) -> KeptRing:
        signed = Signed.from_bytes(data, KIND, MAX_ANSWER)
        value = parse(signed.body, RING, MAX_ANSWER, "key ring", max_items=16)
        device = self._me.document.device(signed.device)
        if value["owner"] != self._me.fingerprint or device is None:
            raise WireError("bad-signature", "the key ring is not signed by a device of mine")
        check_record(signed, device.key)
        return KeptRing(value["revision"], data, KeyRing.from_bytes(self._me.master.unseal(value["sealed"])))

    def _merge(self, found: list[KeptRing]) -> None:
        """Take over what the suppliers have; what they lack becomes the next revision."""
        mine = self._me.key_ring
        changed = False
        for kept in found:
            changed = mine.merge(kept.ring) or changed
        fresh = self._me.ensure_master_secret()
        if changed and not fresh:
            self._me.save_key_ring()
        known = [*found, *([self._current] if self._current is not None else [])]
        newest = max(known, key=lambda kept: kept.revision, default=None)
        if newest is None or newest.ring.to_bytes() != mine.to_bytes():
            newest = self._sign(newest.revision + 1 if newest is not None else 1)
        self._current, self.ready = newest, True
        self.on_state()

    def _sign(self, revision: int) -> KeptRing:
        sealed = self._me.sealed_key_ring()
        body = encode({"owner": self._me.fingerprint, "revision": revision, "sealed": sealed})
        ring = KeyRing.from_bytes(self._me.key_ring.to_bytes())
        return KeptRing(revision, self._me.sign(KIND, body).to_bytes(), ring)

    # push

    def is_held_by(self, supplier: bytes) -> bool:
        """Whether one supplier holds my ring as it is."""
        return self._current is not None and self._holds.get(supplier, 0) >= self._current.revision

    def is_safe(self) -> bool:
        family, current = self._ports.family(), self._current
        if family is None or current is None:
            return False
        holders = [who for who in self._members() if self._holds.get(who, 0) >= current.revision]
        return len(holders) >= needed(family)

    def push(self) -> None:
        now = self._world.clock.seconds()
        for supplier in self._members():
            waits = supplier in self._sending or now < self._hold_off.get(supplier, 0.0)
            if self._current is None or waits or not self._ports.is_online(supplier):
                continue
            if self._holds.get(supplier, 0) < self._current.revision:
                self._sending.add(supplier)
                Deferred.fromCoroutine(self._send(supplier, self._current))

    async def _send(self, supplier: bytes, current: KeptRing) -> None:
        sent = await outcome(
            self._ports.outbox.send(supplier, Command.DATA, {"kind": KIND}, current.signed, deadline=SILENCE)
        )
        self._sending.discard(supplier)
        if sent.error is None:
            self._holds[supplier] = max(self._holds.get(supplier, 0), current.revision)
            if current is not self._current:
                self.push()
            self.machine.send("acked")
            return
        self._hold_off[supplier] = self._world.clock.seconds() + HOLD_OFF
        if sent.code in ("stale", "conflict"):
            self.machine.send("keys-changed")
        elif not isinstance(sent.error, BitDustError):
            self.log.error("the key ring was not sent: {error!r}", error=sent.error)
