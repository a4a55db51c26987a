"""Who is online: presence follows sessions, and a ping makes sure. One `online_status` machine a contact."""

from collections.abc import Callable

from attrs import frozen
from twisted.internet.defer import Deferred, DeferredList, succeed

from bitdust.automats.kernel import Registry
from bitdust.automats.online_status import OnlineStatus
from bitdust.peers.ports import Events, Gateway, Identities, Names, Outbox, Session
from bitdust.wire.packet import Command

PING_SECONDS = 15.0
Watcher = Callable[[bytes, bool], None]


@frozen
class _Contact:
    """The machine's port for one peer."""

    presence: "Presence"
    fingerprint: bytes

    def has_session(self) -> bool:
        return self.presence.gateway.connected(self.fingerprint)

    def ping(self) -> "Deferred[object]":
        return self.presence.outbox.send(self.fingerprint, Command.IDENTITY, {}, deadline=PING_SECONDS)

    def changed(self, online: bool) -> None:
        self.presence.tell(self.fingerprint, online)


class Presence:
    """I know which of my contacts are online. `watch` whom you care for; `on_change` tells of comings and goings."""

    def __init__(
        self, registry: Registry, gateway: Gateway, outbox: Outbox, events: Events, identities: Identities
    ) -> None:
        self._registry = registry
        self.gateway = gateway
        self.outbox = outbox
        self._events = events
        self._identities = identities
        self._contacts: dict[bytes, OnlineStatus] = {}
        self._watchers: list[Watcher] = []
        self._remove: Callable[[], None] | None = None

    def start(self) -> None:
        """Follow sessions from now on."""
        self._remove = self.gateway.on_session(self._session)

    def stop(self) -> None:
        """Forget everybody."""
        if self._remove is not None:
            self._remove()
            self._remove = None
        contacts, self._contacts = self._contacts, {}
        for machine in contacts.values():
            machine.send("shutdown")

    def watch(self, fingerprint: bytes) -> None:
        """This peer is a contact of mine."""
        if fingerprint in self._contacts:
            return
        machine = OnlineStatus(self._registry, fingerprint.hex()[:8], _Contact(self, fingerprint))
        self._contacts[fingerprint] = machine
        if self.gateway.connected(fingerprint):
            machine.send("session-up")

    def forget(self, fingerprint: bytes) -> None:
        """This peer is no contact any more."""
        machine = self._contacts.pop(fingerprint, None)
        if machine is not None:
            machine.send("shutdown")

    def is_online(self, fingerprint: bytes) -> bool:
        """Whether the peer is there, as far as is known."""
        machine = self._contacts.get(fingerprint)
        return machine.online if machine is not None else self.gateway.connected(fingerprint)

    def state(self, fingerprint: bytes) -> str:
        """The machine's state, as `contact_state` shows it."""
        machine = self._contacts.get(fingerprint)
        if machine is not None:
            return machine.state
        return "CONNECTED" if self.gateway.connected(fingerprint) else "OFFLINE"

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

    def on_change(self, watcher: Watcher) -> Callable[[], None]:
        """Be told of contacts that come and go; gives a remover."""
        self._watchers.append(watcher)
        return lambda: self._watchers.remove(watcher) if watcher in self._watchers else None

    def _session(self, session: Session, up: bool) -> None:
        machine = self._contacts.get(session.peer.fingerprint)
        if machine is not None and up == self.gateway.connected(session.peer.fingerprint):
            machine.send("session-up" if up else "session-down")

    def tell(self, fingerprint: bytes, online: bool) -> None:
        """A contact came or went: events and watchers."""
        names = Names.of(self._identities(fingerprint))
        old, new = ("OFFLINE", "CONNECTED") if online else ("CONNECTED", "OFFLINE")
        data = {"global_id": names.global_id, "idurl": names.idurl, "old_state": old, "new_state": new}
        self._events.send("node-connected" if online else "node-disconnected", data)
        for watcher in list(self._watchers):
            watcher(fingerprint, online)
