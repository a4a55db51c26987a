"""Members who keep a group whose creator has no suppliers: who they are, and the way to them.

The creator names them, itself first: those who were the first to read the group at its node, five in all. One that was
not there for a day gives way to another one that is.
"""

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any, Protocol

from twisted.internet.defer import Deferred, succeed

from bitdust.outcome import outcome
from bitdust.peers.own_devices import sessions_of
from bitdust.ports import Outbox, Sessions
from bitdust.signal import Signal
from bitdust.storage.catalog.catalog import Catalog
from bitdust.storage.catalog.database import meta, set_meta
from bitdust.storage.shared.guest import first_that_has
from bitdust.storage.shared.member_log import NOT_ALLOWED
from bitdust.surroundings import Connected
from bitdust.wire.keepers import MOST_KEEPERS, Keepers
from bitdust.wire.packet import Command
from bitdust.wire.signed import Signed

GROUP_LOG, GROUP_HEADS, GROUP_PARTS = "group-log", "group-heads", "group-parts"
KINDS = {"log": GROUP_LOG, "heads": GROUP_HEADS, "parts": GROUP_PARTS}
KEEPERS = "keepers"
"""The value of a group's database that has the signed record."""
GONE = 86_400.0
"""Seconds after which another member takes the place of a keeper."""


class Joint(Protocol):
    """A group, as the way to its keepers needs it."""

    def is_joint(self) -> bool:
        """Whether members keep it."""

    def scope(self) -> bytes:
        """Its tag."""

    def watches(self, keeper: bytes, /) -> bool:
        """Whether that member is to report what is written."""


class KeeperOutbox:
    """The way out of a group: members answer packets of other kinds than suppliers, which name the group."""

    def __init__(self, outbox: Outbox, sessions: Sessions, group: Joint) -> None:
        self._outbox = outbox
        self._sessions = sessions
        self._group = group

    def send(
        self, to: bytes, command: Command, fields: Mapping[str, Any], payload: bytes | None = None, /, **terms: Any
    ) -> "Deferred[Any]":
        """As `Outbox.send`. A member has it open on one device perhaps, and not on the other one: ``not-allowed`` of
        the first says more than ``not-found`` of the other one, whichever was asked last."""
        if self._group.is_joint():
            kind = KINDS[fields["kind"]]
            more = {"watch": True} if kind == GROUP_HEADS and self._group.watches(to) else {}
            fields = {**fields, **more, "kind": kind, "scope": self._group.scope()}
            sessions = sessions_of(self._sessions, to)
            if len(sessions) > 1:
                sessions.sort(key=lambda one: -one.started)
                over = partial(self._outbox.send, to, command, fields, payload, **terms)
                ways = (partial(over, session=one) for one in sessions)
                return Deferred.fromCoroutine(first_that_has(ways, telling=NOT_ALLOWED))
        return self._outbox.send(to, command, fields, payload, **terms)


class KeeperList:
    """I am the creator's list of one group; ``changed`` says that there is a newer record, which is on the disk."""

    def __init__(self, around: Connected, alias: str, catalog: Catalog) -> None:
        self._world = around.world
        self._sessions = around.sessions
        self._me = around.me
        self._alias = alias
        self._catalog = catalog
        self._here: dict[bytes, float] = {}
        self._writing: Deferred[Any] | None = None
        self.signed: Signed | None = None
        self.record: Keepers | None = None
        self.changed: Signal[[]] = Signal()

    def load(self, members: Iterable[bytes], shut_out: Iterable[bytes]) -> "Deferred[Any]":
        """Read the record, or make the first one, when the database is open."""
        kept = meta(self._catalog.read, KEEPERS)
        if kept is not None:
            self._take(Signed.from_bytes(kept, Keepers.KIND))
        return self.follow(members, shut_out)

    def _take(self, signed: Signed) -> None:
        self.signed, self.record = signed, Keepers.from_body(signed.body)

    def of(self) -> list[bytes]:
        """Who keeps it."""
        return self.record.keepers if self.record is not None else [self._me.fingerprint]

    def read_by(self, member: bytes) -> None:
        """A member has read the group here: it has it open, and can keep it."""
        self._here[member] = self._world.clock.seconds()
        keepers = self.of()
        if member in keepers:
            return
        if len(keepers) < MOST_KEEPERS:
            self._put([*keepers, member])
            return
        gone = next((one for one in keepers[1:] if self._is_gone(one)), None)
        if gone is not None:
            self._put([member if one == gone else one for one in keepers])

    def _is_gone(self, keeper: bytes) -> bool:
        now = self._world.clock.seconds()
        if self._sessions.connected(keeper):
            self._here[keeper] = now
        return now - self._here.setdefault(keeper, now) > GONE

    def follow(self, members: Iterable[bytes], shut_out: Iterable[bytes]) -> "Deferred[Any]":
        """Who is no member any more keeps nothing, and its capability counts no more."""
        wanted = set(members)
        keepers = [one for one in self.of() if one in wanted] or [self._me.fingerprint]
        revoked = sorted(shut_out)
        is_same = self.record is not None and (keepers, revoked) == (self.record.keepers, self.record.revoked)
        if is_same and self._is_signed():
            return succeed(None)
        return self._put(keepers, revoked)

    def _is_signed(self) -> bool:
        """Whether the word of the device counts that signed the record: else nobody takes what the group offers."""
        if self.signed is None or self.signed.device == self._me.device.id:
            return True  # or this device could do no better
        device = self._me.document.device(self.signed.device)
        return device is not None and device.revoked is None

    def _put(self, keepers: list[bytes], revoked: list[bytes] | None = None) -> "Deferred[Any]":
        known = self.record
        time = max(int(self._world.wall() * 1000), known.time + 1 if known is not None else 0)
        shut_out = revoked if revoked is not None else known.revoked if known is not None else []
        record = Keepers(self._me.fingerprint, self._alias, time, keepers, shut_out)
        signed = self._me.sign(Keepers.KIND, record.to_body())
        self.signed, self.record = signed, record
        writing = self._catalog.change(lambda database: set_meta(database, KEEPERS, signed.to_bytes()))
        return outcome(writing).addCallback(lambda _: self.changed.emit())
