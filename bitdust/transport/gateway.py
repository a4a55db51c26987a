"""The gateway: what the rest of the node calls to reach peers and to be reached.

It holds the parts together: `listener` lets peers connect, `dialler` finds the way to them, `welcome` judges who they
are, `sessions` keeps one session for each peer device, `inbox` and `outbox` are the only ways in and out for packets,
and `links` are what carries sessions. `datagrams` is the one UDP port, on which `stun` is one protocol of several.
"""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.python.failure import Failure

from bitdust.crypt.device import DeviceKey
from bitdust.identity.document import IdentityDocument
from bitdust.nearby import Nearby, household, is_refused
from bitdust.peers.relations import ALL, Relations
from bitdust.scopes.plan import Plan
from bitdust.scopes.scopes import COUNTED, Party, Scopes
from bitdust.signal import Disconnect
from bitdust.surroundings import Surroundings
from bitdust.transport import listener
from bitdust.transport.datagrams import DatagramPort
from bitdust.transport.dialler import Dials, Resolver
from bitdust.transport.hello import Hello
from bitdust.transport.inbox import Inbox
from bitdust.transport.limits import TokenBucket, Turns
from bitdust.transport.links.link import Transport
from bitdust.transport.links.tcp import TCPTransport
from bitdust.transport.outbox import NoAnswer, Outbox
from bitdust.transport.peer import Admission, Call, Claim
from bitdust.transport.session import Session
from bitdust.transport.sessions import Sessions
from bitdust.transport.streams import Payload
from bitdust.transport.stun import Stun
from bitdust.transport.welcome import Welcome
from bitdust.wire.addresses import Address
from bitdust.wire.encoding import WireError
from bitdust.wire.packet import Packet
from bitdust.wire.table import Who

STOPPED = "this node stops"
TRUSTED = Who.SUPPLIER | Who.FRIEND | Who.MEMBER | Who.DEVICE
"""Whose addresses may lead into any private network. Who asks to be a customer is none of them."""


class Gateway:
    """Sessions last; nothing is polled. ``transports`` are those of the links that this node speaks, TCP by default."""

    def __init__(
        self,
        around: Surroundings,
        transports: Iterable[Transport] | None = None,
    ) -> None:
        world, registry, me = around.world, around.registry, around.me
        self.world = world
        self.registry = registry
        self._settings = around.settings
        self._me = me
        nearby = Nearby(world.network, around.settings)
        usual = transports or [TCPTransport(world.network, world.clock, nearby.may_reach)]
        self.transports = {one.scheme: one for one in usual}
        self.relations = Relations()
        self.relations.add(Who.DEVICE, lambda fingerprint: me.present and fingerprint == me.fingerprint)
        around.identities.follow(lambda fingerprint: self.relations.has(ALL, fingerprint))
        self._welcome = Welcome(world.clock, me, around.identities)
        self._sessions = Sessions(me)
        self._is_stopped = False
        role_of = partial(self.relations.of, among=COUNTED)
        self.scopes = Scopes(world.clock, Plan.of(around.budget), role_of, household(self._settings))
        self._listener = listener.Listener(around, self.scopes, self._sessions, self._incoming)
        self._dialler = Dials(registry, self)
        self._sessions.changed.connect(self._dialler.session_up)
        self.outbox = Outbox(around, self)
        self.inbox = Inbox(around, self.relations, self.outbox.answer_arrived)
        self.send_bucket = TokenBucket(world.clock)
        self.receive_bucket = TokenBucket(world.clock)
        self.turns = Turns(world.clock, self.send_bucket)
        self.datagrams = DatagramPort(world.network)
        self.stun = Stun(world.clock, world.entropy, self.datagrams)

    # listening

    def listen(self, port: int, scheme: str | None = None) -> "Deferred[int]":
        """Open the port of the first transport, or of another one, for peers; fails with ``port-taken``."""
        self._is_stopped = False
        self.follow_limits()
        return self._listener.listen(self._transport(scheme), port)

    def _transport(self, scheme: str | None) -> Transport:
        return self.transports[scheme] if scheme is not None else next(iter(self.transports.values()))

    def follow_limits(self) -> None:
        """Take over the limits of the settings, in the middle of whatever is on its way."""
        self.send_bucket.change(self._settings.get("services/network/send-limit"))
        self.receive_bucket.change(self._settings.get("services/network/receive-limit"))
        self.scopes.household = household(self._settings)
        self.turns.changed()
        self.drop_refused()
        for session in self._sessions.all():
            session.reading.end()

    def log_packets(self, enabled: bool) -> None:
        """Write each packet that comes or goes into the log, or do not."""
        self.inbox.log_packets = self.outbox.log_packets = enabled

    @property
    def listening(self) -> bool:
        """Whether a port is open still."""
        return any(transport.listening for transport in self.transports.values())

    def port(self, scheme: str | None = None) -> int:
        """The port of the first transport, or of another one, 0 while it does not listen."""
        return self._transport(scheme).port

    def addresses(self) -> list[str]:
        """Where peers may find this node, ``tcp://host:port`` each."""
        return listener.addresses(self.transports)

    def stop(self) -> "Deferred[None]":
        """Close the ports and every session, with a word to the peers; nobody is dialled until `listen` is called."""
        # Who loses a session or a dial may want another one at once.
        self._is_stopped = True
        closed = listener.stop(self.transports)
        self._dialler.stop()
        for session in self._sessions.all():
            session.close("stopping", STOPPED)
        return closed

    def _incoming(self, address: Address, party: Party) -> Session:
        session = Session(self, Call(address, False), party)
        self._sessions.begin(session)
        return session

    # what sessions ask

    def my_hello(self, session: Session) -> Hello:
        """What a session shows of this node."""
        return self._welcome.my_hello(session)

    def admit(self, session: Session, hello: Hello, device_key: bytes) -> Admission:
        """Who a peer is; raises `WireError` with the code of the goodbye."""
        admission = self._welcome.admit(session, hello, device_key)
        self._listener.let_in(session, admission.peer.fingerprint)
        return admission

    def session_up(self, session: Session) -> None:
        """A peer is proven."""
        self._sessions.up(session)

    def session_down(self, session: Session) -> None:
        """A session is over: whoever waits for something over it is told."""
        self.outbox.session_lost(session)
        self.inbox.session_lost(session)
        self._sessions.down(session)

    def packet_arrived(self, session: Session, packet: Packet, payload: Payload, stream: int) -> None:
        """A stream has begun."""
        self.inbox.packet_arrived(session, packet, payload, stream)

    # finding peers

    def on_session(self, watcher: Callable[[Session, bool], object]) -> Disconnect:
        """Report sessions that come (True) and go (False); the answer stops that."""
        return self._sessions.changed.connect(watcher)

    def sessions(self) -> list[Session]:
        """Every session with a proven peer."""
        return self._sessions.proven()

    def hosts(self) -> list[str]:
        """Hosts from which, or at which, peers are connected now."""
        return list(dict.fromkeys(session.call.address.host for session in self._sessions.proven()))

    def stuck(self, seconds: float) -> list[Session]:
        """Connections that have neither proved themselves within so many seconds nor been closed."""
        return self._sessions.unproven_since(self.world.wall() - seconds)

    def connected(self, fingerprint: bytes) -> bool:
        """Whether a session with this peer is up."""
        return self._sessions.with_peer(fingerprint) is not None

    def judge(self, document: IdentityDocument) -> list[Session]:
        """Judge the sessions of its owner by a document that counts; those that go on."""
        return self._sessions.judge(document)

    def session_with(self, fingerprint: bytes) -> Session | None:
        """The session with a peer that is up, the newest one of several devices."""
        return self._sessions.with_peer(fingerprint)

    def known_addresses(self, fingerprint: bytes) -> list[str]:
        """Addresses that the peer told in its last Hello."""
        return self._welcome.known_addresses(fingerprint)

    def add_resolver(self, resolver: Resolver) -> Disconnect:
        """Ask ``resolver`` for addresses of peers that are not known here; the answer takes it back."""
        return self._dialler.add_resolver(resolver)

    def session_to(self, fingerprint: bytes) -> "Deferred[Session]":
        """The session with a peer, dialled when there is none; fails with `NoAnswer` when no address answers."""
        return fail(NoAnswer(STOPPED)) if self._is_stopped else self._dialler.session_to(fingerprint)

    def drop_refused(self) -> None:
        """End sessions with peers of networks that are refused now."""
        for session in self._sessions.all():
            if is_refused(self._settings, session.call.address.host):
                session.close("stopping", "this node refuses your network")

    def dial(
        self,
        address: str,
        expect: bytes | None,
        claim: IdentityDocument | None = None,
        device: DeviceKey | None = None,
        anywhere: bool = False,
    ) -> "Deferred[Session]":
        """Connect to an address such as ``tcp://host:port``; fires when the peer is proven to be ``expect``.

        With ``claim`` and ``device`` a recovering node shows a claim instead of its document. An address that the
        person of this node has typed may lead ``anywhere``.
        """
        if self._is_stopped:
            return fail(NoAnswer(STOPPED))
        key = self._me.device if device is None else device
        try:
            where = Address.parse(address)
            if where.scheme not in self.transports:
                raise WireError("bad-address", f"this node does not speak {where.scheme}, as for {address[:100]!r}")
        except WireError as error:
            return fail(error)
        if is_refused(self._settings, where.host):
            return fail(NoAnswer(f"{where} is in a network that this node refuses"))
        anywhere = anywhere or claim is not None or (expect is not None and self.relations.has(TRUSTED, expect))
        shown = Claim(claim, key) if claim is not None else None
        session = Session(self, Call(where, True, expect, shown, anywhere))
        self._sessions.begin(session)
        connecting = self.transports[where.scheme].dial(where, key, session)
        connecting.addErrback(self._not_connected, session)
        session.machine.when("CLOSED", "CONNECTED").addBoth(self._dial_over, session, connecting)
        return session.proven

    def _dial_over(self, _: Any, session: Session, connecting: "Deferred[Any]") -> None:
        if session.peer is None:
            connecting.cancel()

    def _not_connected(self, failure: Failure, session: Session) -> None:
        if not session.proven.called:
            session.proven.errback(NoAnswer(f"{session.address} cannot be reached: {failure.getErrorMessage()}"))
        session.machine.send("connection-lost")

    def name_of(self, fingerprint: bytes) -> str:
        """The global id of a peer, or the beginning of its fingerprint."""
        return self._welcome.name_of(fingerprint)

    # what is shown

    def connections(self) -> list[dict[str, Any]]:
        """As `connections_list` shows them."""
        return self._sessions.connections()

    def traffic(self) -> dict[str, dict[str, Any]]:
        """As `packets_stats` shows it: bytes of all sessions, and packets by command."""
        received, sent = self._sessions.traffic()
        incoming, outgoing = self.inbox.counts, self.outbox.counts
        return {
            "in": {"bytes": received, "packets": sum(incoming.values()), **dict(incoming)},
            "out": {"bytes": sent, "packets": sum(outgoing.values()), **dict(outgoing)},
        }
