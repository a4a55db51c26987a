"""My key ring at my suppliers: sealed to my master key, signed by a device, the same at all of them.

A ring counts as safe when N−k+1 suppliers hold it, so any k that come back include one that does. Rings of several
devices merge by union: neither can lose a key of the other.
"""

from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger

from bitdust.automats.keys_synchronizer import KeysSynchronizer
from bitdust.batching import Soon
from bitdust.crypt.boxes import open_box
from bitdust.crypt.device import check_record
from bitdust.crypt.keyring import MASTER, KeyRing, RingKey
from bitdust.crypt.shares import not_ahead
from bitdust.formats.orders import MAX_RING, RING
from bitdust.identity.awaited import KEY_RING
from bitdust.identity.learnt_grants import LearntGrants
from bitdust.identity.revocation import has_revoked_others, renew_secrets
from bitdust.outcome import Outcome, outcome
from bitdust.replication import CONTRADICTIONS, Replicas, is_safe, keepers, places_heard
from bitdust.signal import Disconnect, Signal
from bitdust.storage.log.kept_ring import KeptRing, UnopenedRings
from bitdust.storage.log.patience import Patience
from bitdust.storage.log.requests import ask_online
from bitdust.storage.ports import Ports
from bitdust.surroundings import Connected
from bitdust.wire.encoding import WireError, encode
from bitdust.wire.errors import BitDustError
from bitdust.wire.packet import Command
from bitdust.wire.revisions import followed
from bitdust.wire.schema import parse
from bitdust.wire.signed import Signed

KIND = "keyring"
SILENCE = 15.0
MAX_ANSWER = MAX_RING + 2048
MOST_ASKED = 12
"""Rings of one supplier that a recovering node reads."""
TOO_FEW_HEARD = "too few suppliers were heard"
NOBODY_HAS_IT = (
    "none of the suppliers that answered keeps a key ring of mine; it waits for the others, and makes no other one in "
    "its place unless you start over"
)


class KeyRingReplicas:
    """I am the port of `KeysSynchronizer`, and the `Record` that suppliers are brought.

    ``state_changed`` says that the machine's state, or `ready`, may have changed; ``acknowledged`` names a supplier
    that holds another ring than before. ``united`` says that my ring opens more than before, and whether a ring came
    whose writer had not known mine: that of another life, where one has started over.
    """

    log = Logger()

    def __init__(self, around: Connected, ports: Ports) -> None:
        self._registry = around.registry
        self._me = around.me
        self._wall = around.world.wall
        self._entropy = around.world.entropy
        self._learnt = LearntGrants(around.world.home / "metadata", around.world.wall)
        self._unopened = UnopenedRings(around.world.home / "metadata", around.me)
        self._forget_me: Disconnect = lambda: None
        self._events = around.events
        self._ports = ports
        self._current: KeptRing | None = None
        self._holds: dict[bytes, KeptRing] = {}
        self._heard: set[bytes] = set()
        self._replicas = Replicas(around.registry, KIND, self, ports.is_online)
        self._news = Soon(around.world.clock, self._compare)
        self._patience = Patience(around.world.clock)
        self.reason = "suppliers were not asked yet"
        self.state_changed: Signal[[]] = Signal()
        self.united: Signal[[bool]] = Signal()
        self.machine = KeysSynchronizer(around.registry, self)
        self.acknowledged = self._replicas.acknowledged
        self.acknowledged.connect(lambda supplier: self.machine.send("acked"))

    def start(self) -> None:
        """Pull and push for the first time. May follow a `stop`."""
        if self.machine.state == "CLOSED":
            self.machine = KeysSynchronizer(self._registry, self)
        self._forget_me = self._me.changed.connect(self._me_changed)
        self.machine.send("start")

    def stop(self) -> None:
        """Send nothing any more."""
        self._forget_me()
        self.machine.send("shutdown")
        self._news.stop()
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

    def _me_changed(self) -> None:
        if self._unopened.can_be_opened:
            self.keys_changed()

    def others_wrote(self) -> None:
        """Another device of mine has brought a ring: compare soon."""
        self._news.want()

    def _compare(self) -> bool:
        if self.machine.state == "RESTORE":
            return False
        self.keys_changed()
        return True

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

    def supplier_accepted(self, supplier: bytes) -> "Deferred[Any]":
        """A supplier came, perhaps without its disk: it is asked what it holds, and gets again what it has lost."""
        if self._current is None:
            return succeed(None)
        return outcome(Deferred.fromCoroutine(self._ask(supplier))).addCallback(self._answered, supplier)

    def _answered(self, answer: Outcome, supplier: bytes) -> None:
        if answer.error is not None:
            self.log.info("a supplier does not say which key ring it holds: {error}", error=answer.error)
            return
        self._note(supplier, answer.value)
        if answer.value and not self.is_held_by(supplier):
            self.keys_changed()
        else:
            self.suppliers_changed()

    def _note(self, supplier: bytes, rings: list[KeptRing]) -> None:
        """What it does not give it does not hold, whatever it has acknowledged."""
        self._heard.add(supplier)
        self._unopened.note(supplier, rings)
        before = self._holds.pop(supplier, None)
        if rings:
            self._holds[supplier] = rings[0]
            if before is None or before.signed != rings[0].signed:
                self.acknowledged.emit(supplier)

    # pull

    def pull(self) -> "Deferred[bool]":
        return Deferred.fromCoroutine(self._pull())

    async def _pull(self) -> bool:
        answers = await ask_online(self._ports, self._ask)
        family = self._ports.family()
        heard: dict[bytes, list[KeptRing]] = {}
        for supplier, answer in answers.items():
            if answer.error is None:
                heard[supplier] = answer.value
            elif isinstance(answer.error, WireError):
                self.log.warn("a supplier gave key rings of which none is mine: {error}", error=answer.error)
        for supplier, rings in heard.items():
            self._note(supplier, rings)
        if family is None or places_heard(family, heard, self._me.awaits(KEY_RING)) < family.k:
            return False
        self._merge([rings for rings in heard.values() if rings])
        return True

    async def _ask(self, supplier: bytes) -> list[KeptRing]:
        """The rings that a supplier keeps, the newest first; fails with `WireError` where none of several is mine."""
        found: list[KeptRing] = []
        refused: WireError | None = None
        for back in range(MOST_ASKED):
            fields: dict[str, Any] = {"kind": KIND, "back": back} if back else {"kind": KIND}
            sending = self._ports.outbox.send(
                supplier, Command.RETRIEVE, fields, deadline=SILENCE, max_answer=MAX_ANSWER
            )
            reply = await outcome(sending)
            if reply.error is not None:
                if reply.code != "not-found" and not found:
                    raise reply.error
                break
            try:
                found.append(self._read(bytes(reply.value.payload)))
            except WireError as error:
                refused = error
            is_to_go_on = self._unopened.may_be_beneath and supplier not in self._heard
            if not self._me.awaits(KEY_RING) and found and not is_to_go_on:
                break
        if refused is not None and not found:
            raise refused
        return found

    def _read(self, data: bytes) -> KeptRing:
        signed = Signed.from_bytes(data, KIND, MAX_ANSWER)
        value = parse(signed.body, RING, MAX_ANSWER, "key ring")
        device = self._me.document.device(signed.device)
        if value["owner"] != self._me.fingerprint or device is None:
            raise WireError("bad-signature", "the key ring is not signed by a device of mine")
        check_record(signed, device.key)
        is_open = True
        try:
            ring = KeyRing.from_bytes(open_box(value["sealed"], self._me.device, self._me.held_master))
        except WireError as error:
            if error.code != "key-needed":
                raise
            ring, is_open = KeyRing(), False  # its device did not know of this one yet
        ring.shares = not_ahead(ring.shares, self._wall())
        counts = device.revoked is None
        return KeptRing(value["revision"], data, ring, counts, counts or device.was_let_go, device.id, is_open)

    def _merge(self, found: list[list[KeptRing]]) -> None:
        """Take over what the suppliers have; what they lack becomes the next revision.

        Raises `BitDustError` on a recovered node whom nobody gave a secret: none may be made in place of the true one.
        """
        recovering = self._me.awaits(KEY_RING)
        before = self._master()
        opened = self._unopened.opened(self._read)
        changed = self._unite([*opened, *(kept for rings in found for kept in rings)])
        is_other_life = _is_of_another_life(before, self._master())
        if recovering and not self._master().secrets:
            raise BitDustError("keys-not-ready", NOBODY_HAS_IT)
        if recovering and has_revoked_others(self._me):
            renew_secrets(self._me, self._entropy)
        elif changed:
            self._me.save_key_ring()
        self._unopened.united(opened)
        self._me.came_back(KEY_RING)
        self._me.ensure_master_secret()
        self._current = self._newest([rings[0] for rings in found], recovering)
        self.state_changed.emit()
        if changed or not before.secrets:
            self.united.emit(is_other_life)

    def _master(self) -> RingKey:
        return self._me.key_ring.keys.get(MASTER, RingKey(MASTER))

    def _unite(self, found: list[KeptRing]) -> bool:
        """All of them and mine; those of revoked devices come last, and before them those that somebody has filled.
        True when mine changed."""
        changed, recovering = False, self._me.awaits(KEY_RING)
        is_alone = recovering and not any(kept.trusted for kept in found)
        for kept in sorted(found, key=lambda kept: (not kept.trusted, len(kept.signed))):
            if kept.trusted and not recovering:
                self._learnt.note(self._me.key_ring, kept.ring, kept.signer)
            try:
                changed = self._me.key_ring.merge(kept.ring, kept.trusted, is_alone) or changed
            except BitDustError as error:
                self.log.warn("a key ring of a supplier is left out: {error}", error=error)
        return changed

    def _newest(self, kept: list[KeptRing], recovering: bool) -> KeptRing:
        """What suppliers are to hold: what they hold already, where it says all that I know and a device of mine that
        counts has signed it; else a new revision. After a recovery this device signs: others may be gone tomorrow."""
        known = [one for one in (*kept, self._current) if one is not None and one.counts]
        highest = followed(one.revision for one in known)
        same = {one.signed: one for one in known if one.revision == highest}
        mine = self._me.key_ring.to_bytes()
        if recovering or len(same) != 1 or next(iter(same.values())).ring.to_bytes() != mine:
            return self._sign(highest + 1)
        return next(iter(same.values()))

    def _sign(self, revision: int) -> KeptRing:
        sealed = self._me.sealed_key_ring()
        body = encode({"owner": self._me.fingerprint, "revision": revision, "sealed": sealed})
        ring = KeyRing.from_bytes(self._me.key_ring.to_bytes())
        return KeptRing(revision, self._me.sign(KIND, body).to_bytes(), ring)

    # push

    def is_held_by(self, supplier: bytes) -> bool:
        """Whether one supplier holds my ring as it is."""
        held = self._holds.get(supplier)
        return self._current is not None and held is not None and held.signed == self._current.signed

    def refusing_for(self, supplier: bytes) -> float:
        """For how many seconds a supplier has not taken my ring."""
        return self._replicas.refusing_for(supplier)

    def opens_at(self, supplier: bytes, key: str) -> bool:
        """Whether the ring that a supplier holds has all secrets of a key: else its log could not be read there."""
        held, mine = self._holds.get(supplier), self._me.key_ring.keys.get(key)
        known = held.ring.keys.get(key) if held is not None else None
        return mine is not None and known is not None and {*mine.named} <= {*known.named}

    def is_safe(self) -> bool:
        return is_safe(self._ports.family(), self.is_held_by)

    def push(self) -> None:
        self._replicas.place_at(keepers(self._ports.family()))

    def deliver(self, supplier: bytes) -> "Deferred[Any]":
        """Bring a supplier my ring as it is."""
        return Deferred.fromCoroutine(self._deliver(supplier))

    async def _deliver(self, supplier: bytes) -> None:
        """Who was not asked yet is asked first: mine would take the place of what it alone may keep."""
        if supplier not in self._heard:
            answer = await outcome(Deferred.fromCoroutine(self._ask(supplier)))
            if answer.error is not None and not isinstance(answer.error, WireError):
                raise answer.error
            self._note(supplier, answer.value or [])
            if any(self._knows_more(kept) for kept in answer.value or ()):
                raise BitDustError("conflict", "the supplier keeps a key ring that was not known here")
        current = self._current
        if current is not None:
            for kept in self._unopened.lacking(supplier):
                await self._bring_along(supplier, kept)
            sending = self._ports.outbox.send(supplier, Command.DATA, {"kind": KIND}, current.signed, deadline=SILENCE)
            await sending
            self._holds[supplier] = current

    async def _bring_along(self, supplier: bytes, kept: KeptRing) -> None:
        """Mine would take the place of one that I cannot read, at suppliers that come; one who refuses it has newer
        ones, or knows better which devices count, or takes none that is so far ahead of what it has."""
        sending = self._ports.outbox.send(supplier, Command.DATA, {"kind": KIND}, kept.signed, deadline=SILENCE)
        answer = await outcome(sending)
        if answer.error is not None and answer.code not in (*CONTRADICTIONS, "not-allowed", "bad-field"):
            raise answer.error
        self._unopened.brought(supplier, kept)

    def _knows_more(self, kept: KeptRing) -> bool:
        """Whether a ring has what mine has not."""
        try:
            return evolve(self._me.key_ring).merge(kept.ring, kept.trusted)
        except BitDustError:
            return False

    def compare(self, supplier: bytes, error: BaseException) -> "Deferred[bool]":
        """Another device of mine has brought another ring: what both say becomes the next revision.

        A supplier that says so again and again makes me compare no more; others are compared with now and then anyway.
        """
        if self._patience.took_back(supplier):
            self.keys_changed()
        return succeed(False)


def _is_of_another_life(before: RingKey, after: RingKey) -> bool:
    """Whether secrets came from somebody who had not known mine: who renews secrets knows and retires those before."""
    return not set(after.named).issubset(before.named) and not set(before.usable).isdisjoint(after.usable)
