"""The ratchet's sessions with other devices: in memory while they are used, on the disk before anything leaves."""

import sqlite3
from collections import OrderedDict
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import TypeVar

from attrs import frozen

from bitdust.batching import InTurn
from bitdust.crypt.ratchet.agreement import Bundle, Party, Start, answer, begin
from bitdust.crypt.ratchet.chains import Header, When
from bitdust.crypt.ratchet.session import Sealed, Sessions, answered, begun
from bitdust.people.messages.prekeys import MyPrekeys
from bitdust.people.messages.store import Device, Store, put_sessions
from bitdust.surroundings import Surroundings
from bitdust.wire.encoding import WireError
from bitdust.wire.envelopes import Envelope, address, padded, unpadded

T = TypeVar("T")
REMEMBERED = 2000
"""Devices whose sessions stay in memory."""


@frozen
class Opened:
    """What was in an envelope, and the one-time prekey that it used up."""

    plain: bytes
    used: int | None


class SessionBook:
    """Whoever uses the sessions of a device holds its `lock`, from the look at them to the commit that keeps them."""

    def __init__(self, around: Surroundings, store: Store, prekeys: MyPrekeys) -> None:
        self._me = around.me
        self._world = around.world
        self._store = store
        self._prekeys = prekeys
        self._sessions: OrderedDict[Device, Sessions] = OrderedDict()
        self._turns = InTurn()

    def clear(self) -> None:
        """Forget what is in memory."""
        self._sessions.clear()

    def forget(self, device: Device) -> None:
        """The disk did not take what is in memory: read it again."""
        self._sessions.pop(device, None)

    def lock(self, device: Device) -> AbstractAsyncContextManager[None]:
        """Use as ``async with``."""
        return self._turns.of(device)

    async def load(self, device: Device) -> Sessions:
        """The sessions with a device."""
        found = self._sessions.get(device)
        if found is None:
            found = await self._store.sessions(device)
            self._put(device, found)
        else:
            self._sessions.move_to_end(device)
        return found

    def _put(self, device: Device, sessions: Sessions) -> None:
        self._sessions[device] = sessions
        if len(self._sessions) > REMEMBERED:
            self._sessions.popitem(last=False)

    def writer(self, device: Device) -> Callable[[sqlite3.Connection], None]:
        """What keeps the sessions of a device as they are now; for a commit."""
        sealed = self._store.vault.seal(self._sessions[device].to_bytes())
        now = int(self._world.wall())
        return lambda database: put_sessions(database, device, sealed, now)

    def begin(self, device: Device, bundle: Bundle) -> None:
        """Another session, from prekeys; raises `WireError`. The sessions were loaded."""
        me = Party(self._me.fingerprint, self._me.device.public)
        agreed, start = begin(self._me.device, me, bundle, self._world.entropy(32))
        session = begun(agreed, start, bundle.signed, self._world.entropy(32), int(self._world.wall()))
        self._put(device, self._sessions[device].with_new(session))

    def seal(self, device: Device, plain: bytes) -> Envelope:
        """The next envelope for a device whose sessions were loaded; `writer` goes into the same commit."""
        ident = self._world.entropy(16)
        mine = (self._me.fingerprint, self._me.device.id)
        sessions, sealed = self._sessions[device].seal(padded(plain), address(ident, *mine, *device))
        self._put(device, sessions)
        start, header = sealed.start, sealed.header
        return Envelope(
            id=ident,
            sender=mine[0],
            device=mine[1],
            recipient=device[0],
            to=device[1],
            base=start.base if start is not None else None,
            signed=start.signed_id if start is not None else None,
            once=start.once_id if start is not None else None,
            key=header.key,
            before=header.before,
            number=header.number,
            sealed=sealed.sealed,
        )

    def open(self, device: Device, key: bytes, envelope: Envelope) -> Opened:
        """What a device with that key sent; raises `WireError`, and then nothing has changed."""
        sessions, used = self._sessions[device], None
        start = None
        if envelope.base is not None and envelope.signed is not None:
            start = Start(envelope.base, envelope.signed, envelope.once)
            if not sessions.knows(start):
                sessions, used = self._answer(sessions, Party(device[0], key), start), start.once_id
        message = Sealed(Header(envelope.key, envelope.before, envelope.number), envelope.sealed, start)
        when = When(self._store.late.now(), self._store.late.stamp())
        sessions, plain = sessions.open_message(message, envelope.beside, self._world.entropy(32), when)
        opened = Opened(unpadded(plain), used)
        self._put(device, sessions)
        return opened

    def _answer(self, sessions: Sessions, them: Party, start: Start) -> Sessions:
        signed = self._prekeys.signed(start.signed_id)
        once = self._prekeys.once(start.once_id) if start.once_id is not None else None
        if signed is None or (start.once_id is not None and once is None):
            raise WireError("no-session", "the prekeys with which this began are not here any more")
        me = Party(self._me.fingerprint, self._me.device.public)
        agreed = answer(self._me.device, me, them, start, signed, once)
        return sessions.with_new(answered(agreed, start, signed.private, int(self._world.wall())))
