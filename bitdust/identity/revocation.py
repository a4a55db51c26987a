"""Devices that are revoked: from the newest document on nobody takes their word, and what they wrote before counts on.

How much that is says the document: the number of entries of their longest log, of files or in a group. Where it is not
known yet, because this node has not compared its logs with the suppliers since, or has not read a group that is joined
or was left, all counts until it is; a group that cannot be read is waited for two days at most.
"""

from collections.abc import Callable
from typing import Protocol

from twisted.internet.interfaces import IDelayedCall

from bitdust.crypt.master import MasterKey
from bitdust.events import Events
from bitdust.identity.awaited import KEY_RING
from bitdust.identity.devices import former, with_revoked
from bitdust.identity.document import OPEN_END, Device, IdentityDocument
from bitdust.identity.me import Me
from bitdust.wire.errors import BitDustError
from bitdust.wiring import Wire
from bitdust.world import World

LENT_FOR = 3 * 86_400.0
"""Seconds after which a lent RSA key is given back, whatever is open then: longer than groups are waited for."""


class KnownLogs(Protocol):
    """What the catalog knows."""

    def length(self, device: bytes, /, is_patient: bool = True) -> int | None:
        """Entries of the longest log of a device; None while there may be more that are safe. Who is not ``is_patient``
        waits neither for a family of before, nor for groups, nor for what suppliers list and do not give."""


def check_key(me: Me, master: MasterKey) -> None:
    """Raises `BitDustError` ``wrong-key`` for one of another identity."""
    if master.fingerprint != me.fingerprint:
        raise BitDustError("wrong-key", f"this is the key file of another identity than {me.global_id}")


class Revocations:
    """I end devices of this identity."""

    logs = Wire(KnownLogs)

    def __init__(self, world: World, events: Events, me: Me) -> None:
        self._world = world
        self._events = events
        self._me = me
        self._lent: MasterKey | None = None
        self._return: IDelayedCall | None = None

    def lend(self, master: MasterKey) -> None:
        """The RSA key for the next revocation, for as long as it takes, three days at most.

        Raises `BitDustError` ``wrong-key``.
        """
        check_key(self._me, master)
        if self._me.held_master in (None, self._lent):
            self._forget_lent()
            self._lent = master
            self._return = self._world.clock.callLater(LENT_FOR, self._give_back_late)
            self._me.hold(master)

    def _forget_lent(self) -> None:
        self._lent = None
        if self._return is not None and self._return.active():
            self._return.cancel()
        self._return = None

    def _give_back(self) -> bool:
        """Whether it is gone now: a key that was attached meanwhile stays."""
        is_held = self._lent is not None and self._me.held_master is self._lent
        self._forget_lent()
        if is_held:
            self._me.hold(None)
        return is_held

    def _give_back_late(self) -> None:
        """The person hears what is still open: that is said when the key is lent once more."""
        document = self._me.document
        known = [document.device(ident) for ident in document.open_ends]
        if self._give_back():
            self._events.send("lent-key-returned", {"open": sorted(one.number for one in known if one is not None)})

    def find(self, name: str) -> Device:
        """A device by its number or its id. Raises `BitDustError` ``not-found``."""
        document = self._me.document
        for device in (*document.devices, *document.former):
            if name in (str(device.number), device.id.hex()):
                return device
        raise BitDustError("not-found", f"you have no device {name[:40]!r}; see: bitdust identity devices")

    def revoke(self, device: Device) -> None:
        """Take a document in which it counts no more. Raises `BitDustError` ``not-allowed`` for this very device."""
        if device.key == self._me.device.public:
            text = "this is the device that you use; revoke it on another one, or where you recover your identity"
            raise BitDustError("not-allowed", text)
        if device.revoked is None or device.was_let_go:
            document = self._signed(with_revoked(self._me.document, [device.id]))
            # The secrets go first: where this is cut off the device still counts, and the person revokes it again.
            renewed = self._renew_secrets()
            try:
                self._me.replace_document(document)
            finally:
                if renewed:
                    self._events.send("my-keys-renewed", {})

    def end(self, device: Device) -> None:
        """On the person's word: of a revoked device so much counts as is known now. What it had stored at suppliers
        that were not heard, or list it and do not give it, is lost.

        Raises `BitDustError` ``not-allowed`` where that is known already, ``not-ready`` before own logs were compared
        since it was revoked, ``key-needed``.
        """
        if device.sequence != OPEN_END:
            raise BitDustError("not-allowed", f"it is not open how much device {device.number} had written")
        length = self.logs.length(device.id, is_patient=False)
        if length is None:
            raise BitDustError("not-ready", "what it had stored is still compared with your suppliers; say it again")
        self._me.replace_document(self._signed(with_revoked(self._me.document, [device.id], length)))
        self.settle()

    def settle(self) -> None:
        """Say how much the revoked ones had written, where that was not known and now is."""
        if self._me.held_master is None:
            return
        document = self._me.document
        ended = document
        for ident in document.open_ends:
            length = self.logs.length(ident)
            ended = with_revoked(ended, [ident], OPEN_END if length is None else length)
        if ended != document:
            self._me.replace_document(self._signed(ended))
        if not ended.open_ends:
            self._give_back()

    def _signed(self, ended: IdentityDocument) -> IdentityDocument:
        """The next document, with these lists. Raises `BitDustError` ``key-needed``."""
        gone = former(ended.devices, ended.revision + 1, ended)
        return self._me.revise(devices=ended.devices, gone=gone)

    def _renew_secrets(self) -> bool:
        """Make new ones; False where the ring is still to come back, and is renewed then."""
        if self._me.awaits(KEY_RING):
            return False
        renew_secrets(self._me, self._world.entropy, 1)
        return True


def renew_secrets(me: Me, entropy: Callable[[int], bytes], more: int = 0) -> None:
    """What is stored from now on is not to be read by somebody who has the secrets of before; so many ``more`` devices
    are revoked next."""
    me.key_ring.renew_secrets(entropy, me.device_number, more)
    me.save_key_ring()


def has_revoked_others(me: Me) -> bool:
    """Whether a device was revoked when this one came, or later: it knows secrets of a ring from before that."""
    document = me.document
    since = next((one.since for one in document.devices if one.id == me.device.id), 0)
    others = (*document.devices, *document.former)
    return any(one.revoked is not None and one.revoked >= since and not one.was_let_go for one in others)
