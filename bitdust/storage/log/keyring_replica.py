"""My key ring at my suppliers: sealed to my master key, signed by a device, the same at all of them.

A ring counts as safe when N−k+1 suppliers hold it, so any k that come back include one that does. Rings of several
devices merge by union: neither can lose a key of the other.
"""

from typing import Any

from attrs import frozen
from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger

from bitdust.automats.keys_synchronizer import KeysSynchronizer
from bitdust.crypt.device import check_record
from bitdust.crypt.keyring import MASTER, KeyRing
from bitdust.formats.orders import MAX_RING, RING
from bitdust.identity.awaited import KEY_RING
from bitdust.replication import Replicas, is_safe, keepers, places_heard
from bitdust.signal import Signal
from bitdust.storage.log.requests import ask_online
from bitdust.storage.ports import Ports
from bitdust.surroundings import Connected
from bitdust.wire.encoding import WireError, encode
from bitdust.wire.packet import Command
from bitdust.wire.schema import parse
from bitdust.wire.signed import Signed

KIND = "keyring"
SILENCE = 15.0
MAX_ANSWER = MAX_RING + 2048
TOO_FEW_HEARD = "too few suppliers were heard"


@frozen
class KeptRing:
    """A ring as a supplier keeps it: its revision, its signed bytes, what is in it."""

    revision: int
    signed: bytes
    ring: KeyRing


class KeyRingReplicas:
    """I am the port of `KeysSynchronizer`, and the `Record` that suppliers are brought.

    ``state_changed`` says that the machine's state, or `ready`, may have changed.
    """

    log = Logger()

    def __init__(self, around: Connected, ports: Ports) -> None:
        self._registry = around.registry
        self._me = around.me
        self._events = around.events
        self._ports = ports
        self._current: KeptRing | None = None
        self._holds: dict[bytes, int] = {}
        self._replicas = Replicas(around.registry, KIND, self, ports.is_online)
        self.reason = "suppliers were not asked yet"
        self.state_changed: Signal[[]] = Signal()
        self.machine = KeysSynchronizer(around.registry, self)
        self._replicas.acknowledged.connect(lambda supplier: self.machine.send("acked"))

    def start(self) -> None:
        """Pull and push for the first time. May follow a `stop`."""
        if self.machine.state == "CLOSED":
            self.machine = KeysSynchronizer(self._registry, self)
        self.machine.send("start")

    def stop(self) -> None:
        """Send nothing any more."""
        self.machine.send("shutdown")
        self._replicas.stop()

    @property
    def ready(self) -> bool:
        """Whether everything that was safe before is in my ring: enough suppliers were heard."""
        return self._current is not None

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

    def report_synchronized(self) -> None:
        self.reason = ""
        self._events.send("my-keys-synchronized", {})
        self.state_changed.emit()

    def report_failed(self, reason: Any) -> None:
        self.reason = str(getattr(reason, "value", None) or TOO_FEW_HEARD)
        self._events.send("my-keys-synchronize-failed", {"error": self.reason})
        self.state_changed.emit()

    def report_changed(self) -> None:
        self.reason = "my keys changed"
        self._events.send("my-keys-out-of-sync", {"reason": self.reason})
        self.state_changed.emit()

    # pull

    def pull(self) -> "Deferred[bool]":
        return Deferred.fromCoroutine(self._pull())

    async def _pull(self) -> bool:
        answers = await ask_online(self._ports, self._ask)
        family = self._ports.family()
        found: dict[bytes, KeptRing] = {}
        without: set[bytes] = set()
        for supplier, answer in answers.items():
            if answer.error is None:
                found[supplier] = answer.value
            elif answer.code == "not-found":
                without.add(supplier)
            elif isinstance(answer.error, WireError):
                self.log.warn("a supplier gave a key ring that is not mine: {error}", error=answer.error)
        self._holds.update((supplier, kept.revision) for supplier, kept in found.items())
        if family is None or places_heard(family, {*found, *without}, not self._has_secret()) < family.k:
            return False
        return self._merge(list(found.values()))

    async def _ask(self, supplier: bytes) -> KeptRing:
        reply = await self._ports.outbox.send(
            supplier, Command.RETRIEVE, {"kind": KIND}, deadline=SILENCE, max_answer=MAX_ANSWER
        )
        return self._read(bytes(reply.payload))

    def _read(self, data: bytes) -> KeptRing:
        signed = Signed.from_bytes(data, KIND, MAX_ANSWER)
        value = parse(signed.body, RING, MAX_ANSWER, "key ring", max_items=16)
        device = self._me.document.device(signed.device)
        if value["owner"] != self._me.fingerprint or device is None:
            raise WireError("bad-signature", "the key ring is not signed by a device of mine")
        check_record(signed, device.key)
        return KeptRing(value["revision"], data, KeyRing.from_bytes(self._me.master.unseal(value["sealed"])))

    def _merge(self, found: list[KeptRing]) -> bool:
        """Take over what the suppliers have; what they lack becomes the next revision.

        False on a recovered node whom nobody gave a secret: none may be made in place of the true one.
        """
        mine = self._me.key_ring
        changed = False
        for kept in found:
            changed = mine.merge(kept.ring) or changed
        fresh = self._me.ensure_master_secret()
        if changed and not fresh:
            self._me.save_key_ring()
        if not self._has_secret():
            return False
        self._me.came_back(KEY_RING)
        known = [*found, *([self._current] if self._current is not None else [])]
        newest = max(known, key=lambda kept: kept.revision, default=None)
        if newest is None or newest.ring.to_bytes() != mine.to_bytes():
            newest = self._sign(newest.revision + 1 if newest is not None else 1)
        self._current = newest
        self.state_changed.emit()
        return True

    def _has_secret(self) -> bool:
        return MASTER in self._me.key_ring and bool(self._me.key_ring.get(MASTER).secrets)

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
        return is_safe(self._ports.family(), self.is_held_by)

    def push(self) -> None:
        self._replicas.place_at(keepers(self._ports.family()))

    def deliver(self, supplier: bytes) -> "Deferred[Any]":
        """Bring a supplier my ring as it is."""
        current = self._current
        if current is None:
            return succeed(None)
        sending = self._ports.outbox.send(supplier, Command.DATA, {"kind": KIND}, current.signed, deadline=SILENCE)

        def held(_: object) -> None:
            self._holds[supplier] = max(self._holds.get(supplier, 0), current.revision)

        return sending.addCallback(held)

    def compare(self, supplier: bytes, error: BaseException) -> "Deferred[bool]":
        """Another device of mine has brought another ring: what both say becomes the next revision."""
        self.keys_changed()
        return succeed(False)
