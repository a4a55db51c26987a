"""The sessions of a node: one for each device of a peer that is proven, and those that have proved nothing yet."""

from typing import Any

from bitdust.identity.document import IdentityDocument
from bitdust.identity.me import Me
from bitdust.scopes.reservations import Scope
from bitdust.signal import Signal
from bitdust.transport.session import Session

CROSSING = 3.0
"""Seconds after which a connection that begins beside a proven one did not cross it on its way: the other end has lost
that one, or never knew of it."""


class Sessions:
    """I keep them and show them; `changed` reports each proven one that comes (True) and goes (False)."""

    def __init__(self, me: Me) -> None:
        self._me = me
        self._proven: dict[bytes, dict[bytes, Session]] = {}
        self._unproven: dict[Session, None] = {}
        self._claims: dict[Session, None] = {}
        """Those on which I show a claim: for whoever dialled them alone, beside the session with the same device."""
        self.bytes_sent = self.bytes_received = 0
        """Of sessions that are over."""
        self.changed = Signal[[Session, bool]]()

    # coming and going

    def begin(self, session: Session) -> None:
        """A connection that comes about: nothing is proven yet."""
        self._unproven[session] = None
        session.machine.when("CLOSED", "CONNECTED").addBoth(lambda _: self._unproven.pop(session, None))

    def up(self, session: Session) -> None:
        """Keep one session a device: of two that were dialled at the same time both ends keep the same one."""
        assert session.peer is not None
        if session.claim is not None:
            self._claims[session] = None
            return
        devices = self._proven.setdefault(session.peer.fingerprint, {})
        other = devices.get(session.peer.device)
        if other is not None and other.ended is None:
            loser = other if self._keeps_new(session, other) else session
            loser.close("replaced", "another session with you is kept")
            if loser is session:
                return
        devices[session.peer.device] = session
        self.changed.emit(session, True)

    def _keeps_new(self, new: Session, old: Session) -> bool:
        if new.dialled == old.dialled or new.begun - old.proven_at > CROSSING:
            return True
        assert new.peer is not None
        i_am_smaller = self._me.device.id < new.peer.device
        return new.dialled == i_am_smaller

    def down(self, session: Session) -> None:
        """A proven session is over."""
        assert session.peer is not None
        self._claims.pop(session, None)
        self.bytes_sent += session.bytes_sent
        self.bytes_received += session.bytes_received
        devices = self._proven.get(session.peer.fingerprint, {})
        if devices.get(session.peer.device) is session:
            del devices[session.peer.device]
            if not devices:
                self._proven.pop(session.peer.fingerprint, None)
            self.changed.emit(session, False)

    # who makes way

    def oldest_unproven(self, scope: Scope) -> Session | None:
        """Of those that came in and have proved nothing yet, in a scope that is full."""
        return next((session for session in self._unproven if session.party.holds(scope)), None)

    def idlest_stranger(self, scope: Scope) -> Session | None:
        """Of the strangers in a scope that is full, the one with which nothing was done for the longest time."""
        strangers = [one for one in self.proven() if one.party.is_stranger and one.party.holds(scope)]
        return min(strangers, key=lambda session: session.used_at, default=None)

    # who is there

    def proven(self) -> list[Session]:
        """Every session with a proven peer."""
        return [session for devices in self._proven.values() for session in devices.values()]

    def incoming(self) -> list[Session]:
        """Those that have come in and have proved nothing yet."""
        return [session for session in self._unproven if not session.dialled]

    def all(self) -> list[Session]:
        """Proven or not, dialled or not."""
        return [*self.proven(), *self._claims, *self._unproven]

    def unproven_since(self, time: float) -> list[Session]:
        """Those that came about before a time (seconds since the epoch) and have proved nothing yet."""
        return [session for session in self._unproven if session.started < time]

    def with_peer(self, fingerprint: bytes) -> Session | None:
        """The session with a peer that is up: the newest one of several devices, but none that shows an old document or
        a claim while there is another."""
        living = [session for session in self._proven.get(fingerprint, {}).values() if session.ended is None]
        return max(living, key=lambda session: (not session.stale, session.started), default=None)

    def judge(self, document: IdentityDocument) -> list[Session]:
        """Judge the sessions of its owner by a document that counts; those that go on."""
        sessions = list(self._proven.get(document.fingerprint, {}).values())
        for session in sessions:
            session.judge(document)
        return [session for session in sessions if session.ended is None]

    # what is shown

    def connections(self) -> list[dict[str, Any]]:
        """As `connections_list` shows them."""
        return [
            {
                "status": "active" if session.peer else "connecting",
                "state": session.machine.state,
                "proto": session.scheme,
                "host": session.address,
                "global_id": session.peer.document.global_id if session.peer else "",
                "idurl": str(session.peer.document.idurl) if session.peer else "",
                "bytes_sent": session.bytes_sent,
                "bytes_received": session.bytes_received,
                "since": session.started,
            }
            for session in [*self.proven(), *self.incoming()]
        ]

    def traffic(self) -> tuple[int, int]:
        """Bytes received and sent, of all sessions since the start."""
        living = self.proven()
        received = self.bytes_received + sum(session.bytes_received for session in living)
        return received, self.bytes_sent + sum(session.bytes_sent for session in living)
