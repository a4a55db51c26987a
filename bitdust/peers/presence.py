"""Who is online: presence follows sessions, and a ping makes sure. One `online_status` machine a contact."""

from collections.abc import Callable

from attrs import frozen
from twisted.internet.defer import Deferred, DeferredList, succeed

from bitdust.automats.online_status import OnlineStatus
from bitdust.peers.shown import Names
from bitdust.ports import Session
from bitdust.signal import Signal
from bitdust.surroundings import Connected
from bitdust.wire.packet import Command

PING_SECONDS = 15.0
CUSTOMER = "customer"
"""Why somebody is followed, besides being asked for."""


@frozen
class Contact:
    """The machine's port for one peer."""

    presence: "Presence"
    fingerprint: bytes

    def has_session(self) -> bool:
        return self.presence.has_session(self.fingerprint)

    def ping(self) -> "Deferred[object]":
        return self.presence.send_ping(self.fingerprint)

    def changed(self, online: bool) -> None:
        self.presence.report(self.fingerprint, online)


class Presence:
    """I know which of my contacts are online, once I `watch` them; ``changed`` reports who comes (True) and goes.

    ``chance`` is emitted when peers that could not be reached a moment ago may be reached now.
    """

    def __init__(self, around: Connected) -> None:
        self._registry = around.registry
        self._sessions = around.sessions
        self._outbox = around.outbox
        self._events = around.events
        self._identities = around.identities
        self._contacts: dict[bytes, OnlineStatus] = {}
        self._reasons: dict[bytes, set[str]] = {}
        self._disconnect: Callable[[], None] = lambda: None
        self.changed: Signal[[bytes, bool]] = Signal()
        self.chance: Signal[[]] = Signal()

    def start(self) -> None:
        """Follow sessions from now on."""
        self._disconnect = self._sessions.on_session(self._session)

    def stop(self) -> None:
        """Forget everybody."""
        self._disconnect()
        contacts, self._contacts, self._reasons = self._contacts, {}, {}
        for machine in contacts.values():
            machine.send("shutdown")

    def watch(self, fingerprint: bytes, reason: str = "") -> None:
        """This peer is a contact of mine, for some ``reason``."""
        self._reasons.setdefault(fingerprint, set()).add(reason)
        if fingerprint in self._contacts:
            return
        machine = OnlineStatus(self._registry, fingerprint.hex()[:8], Contact(self, fingerprint))
        self._contacts[fingerprint] = machine
        if self.has_session(fingerprint):
            machine.send("session-up")

    def forget(self, fingerprint: bytes, reason: str) -> None:
        """It is none for that reason any more, and none at all where there was no other."""
        reasons = self._reasons.get(fingerprint, set())
        reasons.discard(reason)
        if not reasons:
            self._reasons.pop(fingerprint, None)
            machine = self._contacts.pop(fingerprint, None)
            if machine is not None:
                machine.send("shutdown")

    def follows(self, fingerprint: bytes) -> bool:
        """Whether a peer is a contact of mine, for whatever reason."""
        return fingerprint in self._contacts

    def is_online(self, fingerprint: bytes) -> bool:
        """Whether the peer is there, as far as is known."""
        machine = self._contacts.get(fingerprint)
        return machine.online if machine is not None else self.has_session(fingerprint)

    def state(self, fingerprint: bytes) -> str:
        """The machine's state, as `contact_state` shows it."""
        machine = self._contacts.get(fingerprint)
        if machine is not None:
            return machine.state
        return "CONNECTED" if self.has_session(fingerprint) else "OFFLINE"

    def contacts(self) -> list[tuple[bytes, OnlineStatus]]:
        """Whom I watch, and the machine of each."""
        return list(self._contacts.items())

    def ping(self, fingerprint: bytes) -> "Deferred[bool]":
        """Make sure; fires with whether the peer is there."""
        self.watch(fingerprint)
        machine = self._contacts[fingerprint]
        machine.send("ping")
        return machine.when("CONNECTED", "OFFLINE", "CLOSED").addCallback(lambda state: state == "CONNECTED")

    def ping_all(self, fingerprints: list[bytes]) -> "Deferred[int]":
        """Ping several at once; fires with how many are there."""
        if not fingerprints:
            return succeed(0)
        asked = DeferredList([self.ping(fingerprint) for fingerprint in fingerprints], consumeErrors=True)
        return asked.addCallback(lambda results: sum(1 for ok, online in results if ok and online))

    def _session(self, session: Session, up: bool) -> None:
        fingerprint = session.peer.fingerprint
        machine = self._contacts.get(fingerprint)
        if machine is not None and up == self.has_session(fingerprint):
            machine.send("session-up" if up else "session-down")

    # what contacts ask and report

    def has_session(self, fingerprint: bytes) -> bool:
        """Whether a session with a peer stands now."""
        return self._sessions.connected(fingerprint)

    def send_ping(self, fingerprint: bytes) -> "Deferred[object]":
        """Ask a peer for its identity, which any node answers."""
        return self._outbox.send(fingerprint, Command.IDENTITY, {}, deadline=PING_SECONDS)

    def report(self, fingerprint: bytes, online: bool) -> None:
        """A contact came or went."""
        names = Names.of(self._identities, fingerprint)
        old, new = ("OFFLINE", "CONNECTED") if online else ("CONNECTED", "OFFLINE")
        data = {
            "fingerprint": fingerprint.hex(),
            "global_id": names.global_id,
            "idurl": names.idurl,
            "name_proven": self._identities.is_proven(fingerprint),
            "old_state": old,
            "new_state": new,
        }
        self._events.send("node-connected" if online else "node-disconnected", data)
        self.changed.emit(fingerprint, online)
