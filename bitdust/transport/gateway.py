"""The gateway: listens, dials, decides who a peer is, and holds one session for each peer device."""

import re
from collections import Counter
from collections.abc import Callable
from typing import Any, Protocol, cast

from twisted.internet.defer import Deferred, fail, maybeDeferred, succeed
from twisted.internet.interfaces import IListeningPort
from twisted.internet.protocol import Factory
from twisted.logger import Logger
from twisted.python.failure import Failure

from bitdust import __version__
from bitdust.automats.kernel import Registry
from bitdust.budget import Budget
from bitdust.crypt.device import DeviceKey, check_record, device_id
from bitdust.identity.cache import IdentityCache
from bitdust.identity.document import IdentityDocument, compare
from bitdust.identity.me import Me
from bitdust.peers.relations import Relations
from bitdust.transport.hello import Hello
from bitdust.transport.inbox import Inbox
from bitdust.transport.limits import TokenBucket, Turns
from bitdust.transport.outbox import NoAnswer, Outbox
from bitdust.transport.session import MAX_STREAMS, Peer, Session, Welcome
from bitdust.transport.streams import WINDOW, Payload
from bitdust.transport.tls import DeviceTLS, TLSFactory
from bitdust.wire.encoding import WireError
from bitdust.wire.errors import BitDustError
from bitdust.wire.packet import Packet
from bitdust.wire.records import DeviceAddresses
from bitdust.wire.signed import Signed
from bitdust.wire.table import Who
from bitdust.world import World

MAX_SESSIONS = 1000
MAX_UNPROVEN = 100
MAX_UNPROVEN_PER_HOST = 10
DIAL_TIMEOUT = 10.0
_PORT = re.compile("[1-9][0-9]{0,4}")


class SettingsPort(Protocol):
    """The settings that are read here."""

    def get(self, key: str) -> Any:
        """The typed value."""


def parse_address(address: str) -> tuple[str, int]:
    """Host and port of ``tcp://host:port``; raises `WireError` ``bad-address``."""
    scheme, _, rest = address.partition("://")
    host, _, port = rest.rpartition(":")
    host = host.strip("[]")
    if scheme != "tcp" or not _is_host(host) or not _PORT.fullmatch(port) or int(port) > 65535:
        raise WireError("bad-address", f"{address[:100]!r} is not an address such as tcp://host:7771")
    return host, int(port)


def _is_host(host: str) -> bool:
    """Whether the host could be looked up at all; peers tell addresses, too."""
    try:
        return 0 < len(host.encode("idna")) < 256
    except UnicodeError:
        return False


class _Incoming(Factory):
    """Makes sessions for connections that come in, within limits for those that have not proved anything yet."""

    noisy = False

    def __init__(self, gateway: "Gateway") -> None:
        self._gateway = gateway

    def buildProtocol(self, addr: Any) -> Session | None:  # noqa: N802 - the interface's name
        return self._gateway.incoming(getattr(addr, "host", "?"), getattr(addr, "port", 0))


class _Outgoing(Factory):
    """Makes the one session of a dial."""

    noisy = False

    def __init__(self, session: Session) -> None:
        self._session = session

    def buildProtocol(self, addr: Any) -> Session:  # noqa: N802 - the interface's name
        return self._session


class Gateway:
    """``resolver`` finds addresses of a fingerprint; services set it. Sessions last; nothing is polled."""

    log = Logger()

    def __init__(
        self,
        world: World,
        settings: SettingsPort,
        registry: Registry,
        me: Me,
        cache: IdentityCache,
        budget: Budget | None = None,
    ) -> None:
        self._budget = budget or Budget()
        self.world = world
        self.registry = registry
        self._settings = settings
        self._me = me
        self._cache = cache
        self.relations = Relations()
        self.relations.add(Who.DEVICE, lambda fingerprint: me.present and fingerprint == me.fingerprint)
        self.inbox = Inbox(world, registry, lambda: me.fingerprint, self.relations)
        self.outbox = Outbox(world, registry, self, lambda: me.fingerprint)
        self.inbox.on_answer = self.outbox.answer_arrived
        self.outbox.name_of = self.name_of
        self.send_bucket = TokenBucket(world.clock)
        self.receive_bucket = TokenBucket(world.clock)
        self.turns = Turns(world.clock, self.send_bucket)
        self.resolver: Callable[[bytes], Deferred[list[str]]] = lambda fingerprint: succeed([])
        self._port: IListeningPort | None = None
        self._sessions: dict[bytes, dict[bytes, Session]] = {}
        self._unproven: dict[Session, str] = {}
        self._dials: set[Session] = set()
        self._dialling: dict[bytes, Deferred[Session]] = {}
        self._waiting: dict[bytes, list[Deferred[Session]]] = {}
        self._watchers: list[Callable[[Session, bool], None]] = []
        self._known_addresses: dict[bytes, list[str]] = {}
        self.bytes_sent = self.bytes_received = 0

    # listening

    def listen(self, port: int) -> "Deferred[int]":
        """Open the TCP port for peers; fires with its number, fails with `BitDustError` ``port-taken``."""
        self.follow_limits()
        factory = TLSFactory(DeviceTLS(self._me.device), False, _Incoming(self), self.world.clock)
        endpoint = self.world.network.server(port, self._settings.get("services/network/interface"))

        def listening(opened: IListeningPort) -> int:
            self._port = opened
            return int(cast(Any, opened.getHost()).port)

        def refused(failure: Failure) -> int:
            raise BitDustError("port-taken", f"TCP port {port} cannot be opened: {failure.getErrorMessage()}")

        return maybeDeferred(endpoint.listen, factory).addCallbacks(listening, refused)

    def follow_limits(self) -> None:
        """Take over the limits of the settings, in the middle of whatever is on its way."""
        self.send_bucket.change(self._settings.get("services/network/send-limit"))
        self.receive_bucket.change(self._settings.get("services/network/receive-limit"))
        self.turns.changed()
        for session in [*self.sessions(), *self._unproven, *self._dials]:
            session.reading.end()

    @property
    def listening(self) -> bool:
        """Whether the port is open still."""
        port = cast(Any, self._port)
        return port is not None and getattr(port, "connected", True) is not False

    def port(self) -> int:
        """The TCP port, 0 while nothing listens."""
        return int(cast(Any, self._port.getHost()).port) if self._port is not None else 0

    def stop(self) -> "Deferred[None]":
        """Close the port and every session, with a word to the peers."""
        port, self._port = self._port, None
        for session in [*self.sessions(), *self._unproven, *self._dials]:
            session.close("stopping", "this node stops")
        return maybeDeferred(port.stopListening if port else lambda: None).addCallback(lambda _: None)

    def incoming(self, host: str, port: int) -> Session | None:
        """A connection has come in; None refuses it."""
        per_host = Counter(self._unproven.values())
        loopback = host.startswith("127.") or host == "::1"
        if len(self._unproven) >= min(MAX_UNPROVEN, self._budget.unproven) or (
            per_host[host] >= MAX_UNPROVEN_PER_HOST and not loopback
        ):
            return None
        if len(self.sessions()) >= min(MAX_SESSIONS, self._budget.sessions):
            return None
        if not self._settings.get("services/tcp-transport/receiving-enabled"):
            return None
        session = Session(self, False, f"{host}:{port}")
        self._unproven[session] = host
        session.machine.when("CLOSED", "CONNECTED").addBoth(lambda _: self._unproven.pop(session, None))
        return session

    # what sessions ask

    def my_hello(self, session: Session) -> Hello:
        """My document and addresses; a claim in its place while I recover."""
        document = session.claim or self._me.document
        device = self._claim_device if session.claim is not None else self._me.device
        addresses = b"" if session.claim is not None else self._me.addresses_record().to_bytes()
        return Hello(document.xml, device.id, addresses, f"BitDust/{__version__}", MAX_STREAMS, WINDOW)

    _claim_device: DeviceKey

    def welcome(self, session: Session, hello: Hello, device_key: bytes) -> Welcome:
        """The certificate's key must be a living device of the document, and its owner the one that was dialled."""
        document = IdentityDocument.parse(hello.identity)
        if hello.device != device_id(device_key) or not document.valid_device(device_key):
            raise WireError("wrong-peer", "the key of this connection is no device of the identity that was shown")
        if session.expected is not None and document.fingerprint != session.expected:
            raise WireError("wrong-peer", "somebody else answers at this address")
        if self._me.present and document.fingerprint == self._me.fingerprint and hello.device == self._me.device.id:
            raise WireError("wrong-peer", "this is my own device")
        stale = self._judge(document, device_key)
        addresses = self._addresses(hello, document, device_key)
        peer = Peer(document.fingerprint, hello.device, document, tuple(addresses))
        if addresses and not stale:
            self._known_addresses[document.fingerprint] = addresses
        return Welcome(peer, stale)

    def _judge(self, document: IdentityDocument, device_key: bytes) -> bool:
        known = self._cache.get(document.fingerprint)
        if self._me.present and document.fingerprint == self._me.fingerprint:
            known = self._me.document
        if document.is_claim:
            return True
        if known is not None:
            device = known.device(device_id(device_key))
            if device is not None and device.revoked is not None:
                raise WireError("revoked", "this device was revoked by its owner")
            if compare(document, known) == "stale":
                return True
        if self._cache.accept(document) == "conflict":
            raise WireError("conflict", "another document of the same revision is known here")
        return False

    def _addresses(self, hello: Hello, document: IdentityDocument, device_key: bytes) -> list[str]:
        if not hello.addresses:
            return []
        signed = Signed.from_bytes(hello.addresses, DeviceAddresses.KIND)
        check_record(signed, device_key)
        record = DeviceAddresses.from_body(signed.body)
        if record.owner != document.fingerprint or record.device != hello.device:
            raise WireError("bad-hello", "the addresses are those of another device")
        return list(record.addresses)

    def session_up(self, session: Session) -> None:
        """Keep one session a device: of two that were dialled at the same time both ends keep the same one."""
        assert session.peer is not None
        devices = self._sessions.setdefault(session.peer.fingerprint, {})
        other = devices.get(session.peer.device)
        if other is not None and other.ended is None and session.claim is None:
            loser = other if self._keeps_new(session, other) else session
            loser.close("replaced", "another session with you is kept")
            if loser is session:
                return
        devices[session.peer.device] = session
        for waiting in self._waiting.pop(session.peer.fingerprint, []):
            waiting.callback(session)
        self._tell(session, True)

    def _keeps_new(self, new: Session, old: Session) -> bool:
        if new.dialled == old.dialled:
            return True
        assert new.peer is not None
        i_am_smaller = self._me.device.id < new.peer.device
        return new.dialled == i_am_smaller

    def session_down(self, session: Session) -> None:
        """A session is over: whoever waits for something over it is told."""
        self.bytes_sent += session.bytes_sent
        self.bytes_received += session.bytes_received
        self.outbox.session_lost(session)
        self.inbox.session_lost(session)
        assert session.peer is not None
        devices = self._sessions.get(session.peer.fingerprint, {})
        if devices.get(session.peer.device) is session:
            del devices[session.peer.device]
            if not devices:
                self._sessions.pop(session.peer.fingerprint, None)
            self._tell(session, False)

    def packet_arrived(self, session: Session, packet: Packet, payload: Payload, stream: int) -> None:
        """A stream has begun."""
        self.inbox.packet_arrived(session, packet, payload, stream)

    def _tell(self, session: Session, up: bool) -> None:
        for watcher in list(self._watchers):
            watcher(session, up)

    # finding peers

    def on_session(self, watcher: Callable[[Session, bool], None]) -> Callable[[], None]:
        """Be told of sessions that come (True) and go (False); gives a remover."""
        self._watchers.append(watcher)
        return lambda: self._watchers.remove(watcher) if watcher in self._watchers else None

    def sessions(self) -> list[Session]:
        """Every session with a proven peer."""
        return [session for devices in self._sessions.values() for session in devices.values()]

    def connected(self, fingerprint: bytes) -> bool:
        """Whether a session with this peer is up."""
        return self.session_with(fingerprint) is not None

    def session_with(self, fingerprint: bytes) -> Session | None:
        """The session with a peer that is up, the newest one of several devices."""
        living = [session for session in self._sessions.get(fingerprint, {}).values() if session.ended is None]
        return max(living, key=lambda session: session.started, default=None)

    def known_addresses(self, fingerprint: bytes) -> list[str]:
        """Addresses that the peer told in its last Hello."""
        return list(self._known_addresses.get(fingerprint, []))

    def session_to(self, fingerprint: bytes) -> "Deferred[Session]":
        """The session with a peer, dialled when there is none; fails with `NoAnswer` when no address answers."""
        session = self.session_with(fingerprint)
        if session is not None:
            return succeed(session)
        waiting: Deferred[Session] = Deferred(lambda _: self._forget_waiting(fingerprint, waiting))
        self._waiting.setdefault(fingerprint, []).append(waiting)
        if fingerprint not in self._dialling:
            dialling = self._find_and_dial(fingerprint)
            self._dialling[fingerprint] = dialling
            dialling.addBoth(self._dialled, fingerprint)
        return waiting

    def _forget_waiting(self, fingerprint: bytes, waiting: "Deferred[Session]") -> None:
        waiters = self._waiting.get(fingerprint, [])
        if waiting in waiters:
            waiters.remove(waiting)

    def _dialled(self, result: Session | Failure, fingerprint: bytes) -> None:
        self._dialling.pop(fingerprint, None)
        session = self.session_with(fingerprint)
        for waiting in self._waiting.pop(fingerprint, []):
            if session is not None:
                waiting.callback(session)
            else:
                waiting.errback(result if isinstance(result, Failure) else NoAnswer("the session ended at once"))

    def _find_and_dial(self, fingerprint: bytes) -> "Deferred[Session]":
        known = self.known_addresses(fingerprint)
        first = self._dial_each(known, fingerprint)

        def ask_further(failure: Failure) -> "Deferred[Session]":
            found = maybeDeferred(self.resolver, fingerprint)
            return found.addCallback(lambda more: self._dial_each([a for a in more if a not in known], fingerprint))

        return first.addErrback(ask_further)

    def _dial_each(self, addresses: list[str], fingerprint: bytes) -> "Deferred[Session]":
        if not addresses:
            return fail(NoAnswer(f"no address of {self.name_of(fingerprint)} answers"))
        dialled = self.dial(addresses[0], fingerprint)
        return dialled.addErrback(lambda _: self._dial_each(addresses[1:], fingerprint))

    def dial(
        self,
        address: str,
        expect: bytes | None,
        claim: IdentityDocument | None = None,
        device: DeviceKey | None = None,
    ) -> "Deferred[Session]":
        """Connect to ``tcp://host:port``; fires when the peer is proven to be ``expect``.

        With ``claim`` and ``device`` a recovering node shows a claim instead of its document.
        """
        try:
            host, port = parse_address(address)
        except WireError as error:
            return fail(error)
        session = Session(self, True, f"{host}:{port}", expect)
        key = self._me.device if device is None else device
        if claim is not None:
            session.claim, self._claim_device = claim, key
        factory = TLSFactory(DeviceTLS(key), True, _Outgoing(session), self.world.clock)
        connecting = self.world.network.client(host, port, DIAL_TIMEOUT).connect(factory)
        connecting.addErrback(self._not_connected, session)
        self._dials.add(session)
        session.machine.when("CLOSED", "CONNECTED").addBoth(self._dial_over, session, connecting)
        return session.proven

    def _dial_over(self, _: Any, session: Session, connecting: "Deferred[Any]") -> None:
        self._dials.discard(session)
        if session.peer is None:
            connecting.cancel()

    def _not_connected(self, failure: Failure, session: Session) -> None:
        if not session.proven.called:
            session.proven.errback(NoAnswer(f"{session.address} cannot be reached: {failure.getErrorMessage()}"))
        session.machine.send("connection-lost")

    def name_of(self, fingerprint: bytes) -> str:
        """The global id of a peer, or the beginning of its fingerprint."""
        document = self._cache.get(fingerprint)
        return document.global_id if document else fingerprint.hex()[:16]

    # what is shown

    def connections(self) -> list[dict[str, Any]]:
        """As `connections_list` shows them."""
        found = [*self.sessions(), *self._unproven]
        return [
            {
                "status": "active" if session.peer else "connecting",
                "state": session.machine.state,
                "proto": "tcp",
                "host": session.address,
                "global_id": session.peer.document.global_id if session.peer else "",
                "idurl": str(session.peer.document.idurl) if session.peer else "",
                "bytes_sent": session.bytes_sent,
                "bytes_received": session.bytes_received,
                "since": session.started,
            }
            for session in found
        ]

    def traffic(self) -> dict[str, dict[str, Any]]:
        """As `packets_stats` shows it: bytes of all sessions, and packets by command."""
        living = self.sessions()
        sent = self.bytes_sent + sum(session.bytes_sent for session in living)
        received = self.bytes_received + sum(session.bytes_received for session in living)
        incoming, outgoing = self.inbox.counts, self.outbox.counts
        return {
            "in": {"bytes": received, "packets": sum(incoming.values()), **dict(incoming)},
            "out": {"bytes": sent, "packets": sum(outgoing.values()), **dict(outgoing)},
        }
