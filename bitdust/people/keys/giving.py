"""Giving a key of mine to somebody: what `key_share` acts on."""

from typing import Any

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from bitdust.automats.key_share import KeyShare
from bitdust.crypt.keyring import MASTER
from bitdust.crypt.master import MasterPublic
from bitdust.peers.shown import Names, show_name
from bitdust.people.keys.offer import KeyWord, write_offer
from bitdust.people.keys.pem import spki_of
from bitdust.surroundings import Connected
from bitdust.wire.errors import BitDustError
from bitdust.wire.names import is_hidden
from bitdust.wire.packet import Command

KIND = "key"
REFUSALS = (
    "not-allowed", "key-exists", "bad-signature", "bad-field", "bad-key", "too-many-keys", "too-large", "no-service"
)  # fmt: skip


@frozen
class Gift:
    """What is given to whom."""

    alias: str
    holder: bytes
    include_private: bool = False
    include_label: bool = False


class Giving:
    """One delivery: the port of its machine. ``done`` fires when the person's node keeps the key.

    It fails with ``refused`` or ``no-answer``. Cancelling it takes the delivery back.
    """

    def __init__(self, around: Connected, gift: Gift, seconds: float) -> None:
        self._around = around
        self._gift = gift
        self._seconds = seconds
        self._offer = self._written()
        self.done: Deferred[None] = Deferred(lambda _: self.machine.send("stop"))
        self.machine = KeyShare(around.registry, f"{gift.alias}/{gift.holder.hex()[:8]}", self, seconds)

    def _written(self) -> bytes:
        """Raises `BitDustError` ``not-allowed``, ``key-not-found``, ``not-private``."""
        me, gift = self._around.me, self._gift
        if gift.alias == MASTER:
            raise BitDustError("not-allowed", "the master key is yours alone; its public part is in your identity")
        if is_hidden(gift.alias):
            raise BitDustError("not-allowed", f"{gift.alias!r} is the program's own key, and goes to nobody")
        if "$" in gift.alias:
            raise BitDustError("not-allowed", "a key of somebody else is given by its owner alone")
        if gift.holder == me.fingerprint:
            raise BitDustError("not-allowed", "that is you; your devices have your keys already")
        key = me.key_ring.get(gift.alias)
        if key.public is None or (gift.include_private and key.private is None):
            raise BitDustError("not-private", f"the part of {gift.alias!r} that is to be given is not here")
        public = MasterPublic.from_spki(spki_of(key.public)).spki
        now, label = int(self._around.world.wall()), key.label if gift.include_label else ""
        word = KeyWord(me.fingerprint, gift.holder, gift.alias, public, label, now)
        return write_offer(word, key.private if gift.include_private else None, me.sign)

    def deliver(self) -> "Deferred[Any]":
        fields = {"kind": KIND}
        return self._around.outbox.send(self._gift.holder, Command.KEY, fields, self._offer, deadline=self._seconds)

    def is_refusal(self, reason: Any) -> bool:
        return getattr(getattr(reason, "value", reason), "code", "") in REFUSALS

    def report(self, reason: Any) -> None:
        gift, identities = self._gift, self._around.identities
        names = Names.of(identities, gift.holder)
        data = {
            "key_id": f"{gift.alias}${self._around.me.global_id}",
            "fingerprint": gift.holder.hex(),
            "global_id": names.global_id,
            "remote_idurl": names.idurl,
            "include_private": gift.include_private,
        }
        if reason is None:
            self._around.events.send("key-shared", data)
            self.done.callback(None)
            return
        who, error = show_name(identities, gift.holder), reason.value if isinstance(reason, Failure) else reason
        why = "it does not answer" if isinstance(error, TimeoutError) else str(error)
        self._around.events.send("key-share-failed", data | {"reason": why[:500]})
        if not self.done.called:
            code = "refused" if self.machine.state == "REFUSED" else "no-answer"
            self.done.errback(BitDustError(code, f"{who} did not take {gift.alias!r}: {why}"))
