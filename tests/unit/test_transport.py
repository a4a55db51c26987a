"""Gateway, inbox and outbox: who is dialled, who may ask what, what becomes of a request, and what lists show."""

from pathlib import Path
from types import SimpleNamespace

from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.protocol import Factory
from twisted.internet.task import Clock, deferLater
from twisted.trial.unittest import SynchronousTestCase

from bitdust.crypt.device import DeviceKey
from bitdust.identity.document import Device, IdentityDocument
from bitdust.scopes.reservations import Resource, Role
from bitdust.testing.world import START
from bitdust.transport.dialler import MOST_ADDRESSES
from bitdust.transport.frames import Kind, head
from bitdust.transport.inbox import BUSY
from bitdust.transport.limits import TokenBucket
from bitdust.transport.outbox import NoAnswer, PeerFailed
from bitdust.transport.streams import WINDOW, BytesSource, Payload, StreamReset
from bitdust.transport.welcome import MOST_CLAIMS
from bitdust.wire.encoding import WireError
from bitdust.wire.errors import BitDustError
from bitdust.wire.names import IDURL
from bitdust.wire.packet import Command, Packet
from bitdust.wire.table import Answer, Row, Who, ack
from tests.unit.transport_kit import FIELDS, Memory, Person, unread
from tests.vectors.keys import master

ECHO = {"kind": "echo"}
MB = 1_000_000


class TwoPeople(SynchronousTestCase):
    """Alice, and Bob who listens and whom she can find."""

    def setUp(self) -> None:
        self.network = Memory(Path(self.mktemp()))
        self.clock = self.network.clock
        self.people: list[Person] = []
        self.alice, self.bob = self.person("master", "alice"), self.person("other", "bob")
        self.wait(self.bob.gateway.listen(0))
        self.asked: list[bytes] = []
        self.find([self.address(self.bob)])
        self.addCleanup(self._end)

    def _end(self) -> None:
        self.network.network.cut = lambda one, other: False
        for person in self.people:
            self.wait(person.gateway.stop())
        self.run_for(12)
        for person in self.people:
            person.registry.shutdown()
        self.assertEqual([call for call in self.clock.getDelayedCalls() if call.active()], [])

    def person(self, key: str, name: str) -> Person:
        self.people.append(self.network.person(key, name))
        return self.people[-1]

    def address(self, person: Person) -> str:
        return f"tcp://{person.host}:{person.gateway.port()}"

    def find(self, addresses: list[str]) -> None:
        """What Alice's resolver answers; ``asked`` are the fingerprints that it was asked for."""

        def resolver(fingerprint: bytes) -> Deferred:
            self.asked.append(fingerprint)
            return succeed(addresses)

        self.alice.resolve(resolver)

    def run_for(self, seconds: float) -> None:
        self.clock.pump([0.01] * round(seconds * 100))

    def wait(self, deferred: Deferred, seconds: float = 300.0):
        return self.network.run(deferred, seconds)

    def ask(self, payload: bytes = b"x", deadline: float = 20.0, fields=None, **more) -> Deferred:
        """Alice asks Bob."""
        fields = ECHO if fields is None else fields
        outbox = self.alice.gateway.outbox
        return outbox.send(self.bob.fingerprint, Command.RETRIEVE, fields, payload, deadline=deadline, **more)

    def refused(self, deferred: Deferred, kind: type = PeerFailed):
        with self.assertRaises(kind) as caught:
            self.wait(deferred)
        return caught.exception

    def session(self):
        """Alice's session with Bob."""
        return self.wait(self.alice.gateway.session_to(self.bob.fingerprint))

    def hold(self, kind: str = "echo") -> list:
        """Bob answers nothing; gives the list of what he was asked, and of the Deferreds that he answers with."""
        held: list = []

        def handler(request) -> Deferred:
            held.append((request, Deferred()))
            return held[-1][1]

        self.bob.serve(kind, handler)
        return held


class ListeningTests(TwoPeople):
    def test_a_taken_port(self) -> None:
        """A port that somebody has is an error with a code and the number."""
        self.wait(self.bob.world.network.server(7771).listen(Factory()))
        error = self.refused(self.bob.gateway.listen(7771), BitDustError)
        self.assertEqual(error.code, "port-taken")
        self.assertIn("7771", str(error))

    def test_open_and_closed(self) -> None:
        """The port is known while it is open, and nobody gets in when it is closed."""
        self.assertEqual((self.alice.gateway.listening, self.alice.gateway.port()), (False, 0))
        self.assertTrue(self.bob.gateway.listening)
        address = self.address(self.bob)
        self.wait(self.bob.gateway.stop())
        self.assertEqual((self.bob.gateway.listening, self.bob.gateway.port()), (False, 0))
        self.refused(self.alice.gateway.dial(address, None), NoAnswer)

    def test_receiving_can_be_turned_off(self) -> None:
        """With receiving disabled nobody gets in."""
        self.bob.settings.values["services/tcp-transport/receiving-enabled"] = False
        self.refused(self.alice.gateway.dial(self.address(self.bob), None), BitDustError)
        self.assertEqual(self.bob.gateway.connections(), [])

    def test_a_dial_ends_with_the_gateway(self) -> None:
        """A dial that is under way when the node stops fails, and no session comes of it."""
        for seconds in (0, 0.02, 0.03):
            self.wait(self.alice.gateway.listen(0))
            dialling = self.alice.gateway.dial(self.address(self.bob), self.bob.fingerprint)
            outcome: list = []
            dialling.addBoth(outcome.append)
            self.run_for(seconds)
            before = len(self.bob.gateway.connections())
            self.wait(self.alice.gateway.stop())
            self.run_for(1)
            self.assertEqual((self.alice.gateway.sessions(), self.bob.gateway.connections()), ([], []))
            self.assertEqual(before, 1 if seconds else 0)
            outcome[0].trap(BitDustError)


class DiallingTests(TwoPeople):
    def test_one_dial_for_all_who_wait(self) -> None:
        """Many who want a session with one peer cause one dial and get the same session."""
        waiting = [self.alice.gateway.session_to(self.bob.fingerprint) for _ in range(5)]
        sessions = {id(self.wait(one)) for one in waiting}
        self.assertEqual((len(sessions), len(self.asked), len(self.bob.gateway.sessions())), (1, 1, 1))
        self.assertIs(self.session(), self.alice.gateway.session_with(self.bob.fingerprint))
        self.assertEqual(len(self.asked), 1)

    def test_addresses_are_tried_in_turn(self) -> None:
        """Addresses that are dead, refused, malformed or somebody else's do not keep from one that works."""
        carol = self.person("master", "carol")
        self.wait(carol.gateway.listen(0))
        self.find(
            ["tcp://10.9.9.9:7", f"tcp://{self.bob.host}:1", "nonsense", self.address(carol), self.address(self.bob)]
        )
        self.assertEqual(self.session().peer.fingerprint, self.bob.fingerprint)

    def test_no_address_answers(self) -> None:
        """Without an address that answers, everybody who waits is told."""
        self.find(["tcp://10.9.9.9:7"])
        waiting = [self.alice.gateway.session_to(self.bob.fingerprint) for _ in range(2)]
        for one in waiting:
            self.assertIn("no address", str(self.refused(one, NoAnswer)))
        self.find([self.address(self.bob)])
        self.session()

    def test_a_resolver_that_fails(self) -> None:
        """A resolver that fails is an error of who asked, not silence."""
        self.alice.resolve(lambda _: fail(BitDustError("no-dht", "the DHT is away")))
        self.assertEqual(self.refused(self.alice.gateway.session_to(self.bob.fingerprint), BitDustError).code, "no-dht")

    def test_the_address_of_the_last_hello_comes_first(self) -> None:
        """Where a peer was met before it is dialled first; only then the resolver is asked."""
        self.bob.me.set_addresses([self.address(self.bob)])
        self.session().close("stopping", "enough")
        self.run_for(1)
        self.assertEqual(self.alice.gateway.known_addresses(self.bob.fingerprint), [self.address(self.bob)])
        self.session()
        self.assertEqual(len(self.asked), 1)

    def test_an_address_is_dialled_once(self) -> None:
        """An address of the last Hello that fails is not dialled again when the resolver gives it, too."""
        old = self.address(self.bob)
        self.bob.me.set_addresses([old])
        self.session().close("idle", "enough")
        self.run_for(1)
        self.wait(self.bob.gateway.stop())
        self.wait(self.bob.gateway.listen(0))
        dialled: list[str] = []
        dial = self.alice.gateway.dial
        self.alice.gateway.dial = lambda address, expect: dialled.append(address) or dial(address, expect)
        self.find([old, self.address(self.bob)])
        self.session()
        self.assertEqual(dialled, [old, self.address(self.bob)])

    def test_a_peer_that_comes_by_itself(self) -> None:
        """Who waits for a session gets the one that the peer has opened meanwhile."""
        self.wait(self.alice.gateway.listen(0))
        self.alice.resolve(lambda _: Deferred())
        waiting = self.alice.gateway.session_to(self.bob.fingerprint)
        self.wait(self.bob.gateway.dial(self.address(self.alice), self.alice.fingerprint))
        self.assertEqual(self.wait(waiting).peer.fingerprint, self.bob.fingerprint)

    def test_who_stops_waiting_is_forgotten(self) -> None:
        """A wait that is cancelled fails alone; the others get their session."""
        first, second = (self.alice.gateway.session_to(self.bob.fingerprint) for _ in range(2))
        first.cancel()
        self.failureResultOf(first, CancelledError)
        self.wait(second)

    def test_two_claims_at_once(self) -> None:
        """A recovering node may show two claims with two device keys at once; each session shows its own."""
        carol = self.person("third", "carol")
        self.wait(carol.gateway.listen(0))
        devices = [DeviceKey.from_seed(bytes([number]) * 32) for number in (1, 2)]
        dials = []
        for number, (device, person) in enumerate(zip(devices, (self.bob, carol), strict=True)):
            source = IDURL.parse(f"http://id.example/claim{number}.xml")
            claim = IdentityDocument.create(master("master"), (source,), 0, (Device(0, 0, device.public),), START)
            dials.append(self.alice.gateway.dial(self.address(person), person.fingerprint, claim, device))
        for dial, device, person in zip(dials, devices, (self.bob, carol), strict=True):
            self.wait(dial)
            self.run_for(0.5)
            (session,) = person.gateway.sessions()
            self.assertEqual((session.peer.device, session.stale), (device.id, True))

    def test_a_claim_beside_a_session(self) -> None:
        """A claim to a peer with whom there is a session leaves that one alone, at both ends, and after its end."""
        mine = self.session()
        device = DeviceKey.from_seed(b"c" * 32)
        source = IDURL.parse("http://id.example/claim.xml")
        claim = IdentityDocument.create(self.alice.me.master, (source,), 0, (Device(0, 0, device.public),), START)
        dial = self.alice.gateway.dial(self.address(self.bob), self.bob.fingerprint, claim, device)
        claiming = self.wait(dial)
        self.run_for(0.5)
        self.assertEqual(len(self.bob.gateway.sessions()), 2)
        self.assertFalse(self.bob.gateway.session_with(self.alice.fingerprint).stale)
        self.assertIs(self.alice.gateway.session_with(self.bob.fingerprint), mine)
        claiming.close("stopping", "that was all")
        self.run_for(0.5)
        self.assertIs(self.alice.gateway.session_with(self.bob.fingerprint), mine)
        self.assertEqual(len(self.bob.gateway.sessions()), 1)

    def test_who_shows_a_claim_answers_nothing_yet(self) -> None:
        """A request over the session of a claim is refused in the name of the claim, also without an identity."""
        device = DeviceKey.from_seed(b"c" * 32)
        source = IDURL.parse("http://id.example/claim.xml")
        claim = IdentityDocument.create(master("other"), (source,), 0, (Device(0, 0, device.public),), START)
        dial = self.alice.gateway.dial(self.address(self.bob), self.bob.fingerprint, claim, device)
        self.wait(dial)
        self.run_for(0.5)
        (session,) = self.bob.gateway.sessions()
        outbox = self.bob.gateway.outbox
        asking = outbox.send(claim.fingerprint, Command.RETRIEVE, {"kind": "identity"}, deadline=5, session=session)
        self.assertEqual(self.refused(asking).code, "no-service")

    def test_claims_of_strangers_are_counted(self) -> None:
        """People who are not known here may ask thirty times a minute; whoever is known is never turned away."""
        device = DeviceKey.from_seed(b"c" * 32)
        source = IDURL.parse("http://id.example/claim.xml")

        def claim(name: str) -> IdentityDocument:
            return IdentityDocument.create(master(name), (source,), 0, (Device(0, 0, device.public),), START)

        welcome, stranger = self.bob.gateway._welcome, claim("master")
        for _ in range(MOST_CLAIMS):
            self.assertTrue(welcome._judge(stranger, device.public))
        self.assertEqual(self.assertRaises(WireError, welcome._judge, stranger, device.public).code, "busy")
        known = IdentityDocument.create(self.alice.me.master, (source,), 0, (Device(0, 0, device.public),), START)
        self.wait(self.alice.gateway.dial(self.address(self.bob), self.bob.fingerprint))
        self.assertTrue(welcome._judge(known, device.public))
        self.bob.world.clock.advance(60)
        self.assertTrue(welcome._judge(stranger, device.public))

    def test_a_claim_ends_with_the_gateway(self) -> None:
        """A session with a claim is closed when the node stops."""
        device = DeviceKey.from_seed(b"c" * 32)
        source = IDURL.parse("http://id.example/claim.xml")
        claim = IdentityDocument.create(self.alice.me.master, (source,), 0, (Device(0, 0, device.public),), START)
        claiming = self.wait(self.alice.gateway.dial(self.address(self.bob), self.bob.fingerprint, claim, device))
        self.wait(self.alice.gateway.stop())
        self.assertIsNotNone(claiming.ended)

    def test_an_unknown_scheme(self) -> None:
        """An address of a link that this node does not speak is refused, as is one that is none."""
        for address in ("quic://host.example:7", "nonsense", "tcp://host"):
            error = self.failureResultOf(self.alice.gateway.dial(address, None)).value
            self.assertEqual(error.code, "bad-address")

    def test_a_resolver_among_others(self) -> None:
        """Everybody who knows addresses is asked; one who fails, or is gone, keeps no other from being heard."""
        gateway = self.alice.gateway
        self.alice.resolve(lambda _: fail(BitDustError("no-dht", "the DHT is away")))
        gone = gateway.add_resolver(lambda _: fail(OSError("never asked")))
        gateway.add_resolver(lambda _: succeed([self.address(self.bob)]))
        gone()
        gone()
        self.assertEqual(self.session().peer.fingerprint, self.bob.fingerprint)

    def test_a_resolver_that_never_answers(self) -> None:
        """After a minute without addresses whoever waits is told, and may ask again."""
        self.alice.resolve(lambda _: Deferred())
        waiting = self.alice.gateway.session_to(self.bob.fingerprint)
        self.run_for(59)
        self.assertNoResult(waiting)
        self.run_for(2)
        self.assertIn("no address", str(self.failureResultOf(waiting, NoAnswer).value))
        self.find([self.address(self.bob)])
        self.session()

    def test_a_gateway_that_stops_tells_who_waits(self) -> None:
        """Whoever waits for a session when the node stops is told at once."""
        self.alice.resolve(lambda _: Deferred())
        waiting = self.alice.gateway.session_to(self.bob.fingerprint)
        self.wait(self.alice.gateway.stop())
        self.failureResultOf(waiting, NoAnswer)

    def test_a_gateway_that_has_stopped_dials_nobody(self) -> None:
        """Who tries again when a dial is given up by the stop is told so again, and nothing stays on the clock."""
        self.alice.resolve(lambda _: Deferred())
        waiting = self.alice.gateway.session_to(self.bob.fingerprint)
        waiting.addErrback(lambda _: self.alice.gateway.session_to(self.bob.fingerprint))
        waiting.addErrback(lambda _: self.alice.gateway.dial(self.address(self.bob), None))
        self.wait(self.alice.gateway.stop())
        self.failureResultOf(waiting, NoAnswer)
        self.run_for(1)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.find([self.address(self.bob)])
        self.wait(self.alice.gateway.listen(0))
        self.session()

    def test_too_many_addresses(self) -> None:
        """Of somebody with very many addresses only so many are dialled."""
        self.find([f"tcp://10.9.9.{number}:7" for number in range(1, 200)])
        dialled: list[str] = []
        dial = self.alice.gateway.dial
        self.alice.gateway.dial = lambda address, expect: dialled.append(address) or fail(NoAnswer("no"))
        self.refused(self.alice.gateway.session_to(self.bob.fingerprint), NoAnswer)
        self.alice.gateway.dial = dial
        self.assertEqual(len(dialled), MOST_ADDRESSES)

    def test_my_own_device_is_no_peer(self) -> None:
        """A node that dials itself is told so, and keeps no session."""
        error = self.refused(self.bob.gateway.dial(self.address(self.bob), None), BitDustError)
        self.assertEqual(error.code, "wrong-peer")
        self.assertEqual(self.bob.gateway.sessions(), [])

    def test_watchers(self) -> None:
        """Watchers hear of sessions that come and go, until they are removed."""
        heard: list = []
        remove = self.alice.gateway.on_session(lambda session, up: heard.append((session.peer.fingerprint, up)))
        self.session().close("stopping", "enough")
        self.run_for(1)
        self.assertEqual(heard, [(self.bob.fingerprint, True), (self.bob.fingerprint, False)])
        remove()
        remove()
        self.session()
        self.assertEqual(len(heard), 2)

    def test_a_new_session_of_a_device_replaces_the_old(self) -> None:
        """Of two sessions of one device the new one is kept, and what waits on the old one moves over."""
        held = self.hold()
        first = self.session()
        asking = self.ask()
        self.run_for(0.5)
        self.wait(self.alice.gateway.dial(self.address(self.bob), self.bob.fingerprint))
        self.run_for(1)
        (kept,) = self.alice.gateway.sessions()
        self.assertIsNot(kept, first)
        self.assertEqual(first.ended.code, "replaced")
        self.assertEqual(len(held), 2)
        held[1][1].callback(ack())
        self.wait(asking)

    def test_a_peer_that_has_lost_the_session(self) -> None:
        """It is believed when it dials, whoever dialled before: it started again, or the line broke for it alone."""
        self.wait(self.alice.gateway.listen(0))
        for here, there in ((self.alice, self.bob), (self.bob, self.alice)):
            self.wait(here.gateway.dial(self.address(there), there.fingerprint))
            self.run_for(5)
            (old,) = here.gateway.sessions()
            self.wait(there.gateway.dial(self.address(here), here.fingerprint))
            self.run_for(1)
            (kept,) = here.gateway.sessions()
            self.assertEqual((kept is old, old.ended.code, kept.dialled), (False, "replaced", False))
            self.assertEqual(len(there.gateway.sessions()), 1)

    def test_too_many_sessions(self) -> None:
        """With the greatest number of sessions up, one more peer is refused, and let in when there is room."""
        self.bob.limit(system=1)
        self.bob.know(Who.CUSTOMER, self.alice)
        session = self.session()
        carol = self.person("third", "carol")
        self.refused(carol.gateway.dial(self.address(self.bob), self.bob.fingerprint), BitDustError)
        self.assertEqual(len(self.bob.gateway.sessions()), 1)
        session.close("stopping", "enough")
        self.run_for(1)
        self.wait(carol.gateway.dial(self.address(self.bob), self.bob.fingerprint))
        self.run_for(1)
        (kept,) = self.bob.gateway.sessions()
        self.assertEqual((kept.peer.fingerprint, len(carol.gateway.sessions())), (carol.fingerprint, 1))

    def test_the_idlest_stranger_makes_way(self) -> None:
        """A stranger that is of no use goes when somebody else needs the place, and who is known stays."""
        self.bob.limit(stranger=1)
        first = self.session()
        carol = self.person("third", "carol")
        self.wait(carol.gateway.dial(self.address(self.bob), self.bob.fingerprint))
        self.run_for(1)
        (kept,) = self.bob.gateway.sessions()
        self.assertEqual((kept.peer.fingerprint, first.ended.code), (carol.fingerprint, "busy"))
        self.bob.know(Who.CUSTOMER, self.alice)
        self.session()
        self.run_for(1)
        self.assertEqual(len(self.bob.gateway.sessions()), 2)


class InboxTests(TwoPeople):
    def row(self, handler=None, **changes) -> Row:
        values = {"command": Command.RETRIEVE, "kind": "echo", "fields": FIELDS, "max_payload": 1000,
                  "who": Who.ANYONE, "service": "test", "handler": handler or (lambda request: ack())}  # fmt: skip
        row = Row(**(values | changes))
        self.bob.gateway.inbox.add(row)
        return row

    def test_a_command_has_one_owner(self) -> None:
        """A second service with the same command and kind is a mistake that names the first; removed, it is free."""
        row = self.row()
        error = self.assertRaises(ValueError, self.row)
        self.assertIn("test", str(error))
        self.bob.gateway.inbox.remove(row)
        self.row()
        self.row(kind="other")
        self.assertEqual(len(self.bob.gateway.inbox.rows()), 2)

    def test_a_service_that_stopped(self) -> None:
        """A removed row answers nobody any more."""
        self.bob.gateway.inbox.remove(self.row())
        self.assertEqual(self.refused(self.ask()).code, "unknown-command")

    def test_a_role(self) -> None:
        """A row for a role refuses strangers, peers of another role, and whoever speaks for another owner."""
        relations = self.bob.gateway.relations
        self.row(who=Who.SUPPLIER | Who.FRIEND)
        relations.add(Who.CUSTOMER, lambda fingerprint: True)
        self.assertEqual(self.refused(self.ask()).code, "not-allowed")
        withdraw = relations.add(Who.FRIEND, lambda fingerprint: fingerprint == self.alice.fingerprint)
        self.assertEqual(relations.of(self.alice.fingerprint), Who.CUSTOMER | Who.FRIEND)
        self.wait(self.ask())
        self.assertEqual(self.refused(self.ask(owner=b"\7" * 32)).code, "not-allowed")
        withdraw()
        withdraw()
        self.assertEqual(self.refused(self.ask()).code, "not-allowed")

    def test_my_own_devices(self) -> None:
        """Only my own devices have the role of a device, and what is no role cannot be given."""
        relations = self.bob.gateway.relations
        self.assertEqual(relations.of(self.bob.fingerprint), Who.DEVICE)
        self.assertEqual(relations.of(self.alice.fingerprint), Who(0))
        self.assertRaises(ValueError, relations.add, Who.ANYONE, lambda fingerprint: True)

    def test_a_capability(self) -> None:
        """A packet with a capability is judged by it alone: its row's authoriser sees owner, peer and capability."""
        seen: list = []

        def authorise(request) -> None:
            seen.append((request.peer.fingerprint, request.packet.owner, request.packet.capability))
            if request.packet.capability != b"good":
                raise WireError("not-allowed", "that is no capability of the owner")

        self.row(who=Who.CAPABILITY | Who.CUSTOMER, authorise=authorise)
        self.row(who=Who.ANYONE, kind="closed")
        owner = b"\7" * 32
        self.wait(self.ask(owner=owner, capability=b"good"))
        self.assertEqual(seen, [(self.alice.fingerprint, owner, b"good")])
        self.assertEqual(self.refused(self.ask(owner=owner, capability=b"bad")).code, "not-allowed")
        self.assertEqual(self.refused(self.ask(owner=owner)).code, "not-allowed")
        self.assertEqual(self.refused(self.ask()).code, "not-allowed")
        closed = self.ask(fields={"kind": "closed"}, owner=owner, capability=b"good")
        self.assertEqual(self.refused(closed).code, "not-allowed")
        self.assertEqual(len(seen), 2)
        for wrong in ({"who": Who.CAPABILITY}, {"who": Who.OWNER, "authorise": authorise}):
            self.assertRaises(ValueError, self.row, kind="wrong", **wrong)

    def test_contacts_only(self) -> None:
        """A row for customers refuses strangers and serves customers."""
        self.row(who=Who.CUSTOMER)
        self.assertEqual(self.refused(self.ask()).code, "not-allowed")
        self.bob.gateway.relations.add(Who.CUSTOMER, lambda fingerprint: fingerprint == self.alice.fingerprint)
        self.wait(self.ask())

    def test_owners_only(self) -> None:
        """A row for owners refuses who asks for another's."""
        self.row(who=Who.OWNER)
        self.assertEqual(self.refused(self.ask(owner=b"\7" * 32)).code, "not-allowed")
        self.wait(self.ask())

    def test_fields_are_checked(self) -> None:
        """A field that the row does not know is refused before the handler sees it."""
        handled: list = []
        self.row(handled.append)
        self.refused(self.ask(fields={"kind": "echo", "more": 1}))
        self.assertEqual(handled, [])

    def test_a_payload_over_the_limit(self) -> None:
        """A payload of the limit is taken, one byte more refused with its code."""
        self.row(lambda request: request.payload.read_all(MB).addCallback(lambda data: ack(size=len(data))))
        self.assertEqual(self.wait(self.ask(bytes(1000))).fields["size"], 1000)
        self.assertEqual(self.refused(self.ask(bytes(1001))).code, "too-large")

    def test_what_is_refused_is_not_sent_on(self) -> None:
        """The stream of a packet that was refused ends at both ends, long before all of it was sent."""
        session = self.session()
        sending = self.ask(bytes(8 * MB), deadline=60)
        self.assertEqual(self.refused(sending).code, "unknown-command")
        self.run_for(1)
        self.assertEqual((session.streams(), self.bob.gateway.sessions()[0].streams()), ([], []))
        self.assertLess(session.bytes_sent, 2 * MB)
        stray = evolve(self.refusal(), answers=None, command=Command.RETRIEVE, size=3 * MB)
        done = session.send(stray, BytesSource(bytes(3 * MB)))
        self.run_for(1)
        self.failureResultOf(done, StreamReset)

    def refusal(self) -> Packet:
        """Some packet from Alice to Bob."""
        caught: list = []
        self.row(lambda request: caught.append(request.packet) or ack(), kind="caught")
        self.wait(self.ask(fields={"kind": "caught"}))
        return caught[0]

    def test_only_answers_answer(self) -> None:
        """A packet that says it answers, with a command that is no answer, reaches nobody."""
        self.wait(self.alice.gateway.listen(0))
        session = self.wait(self.bob.gateway.dial(self.address(self.alice), self.alice.fingerprint))
        held: list = []
        self.bob.serve(handler=lambda request: held.append(request) or Deferred())
        asking = self.ask(deadline=5)
        self.run_for(0.5)
        forged = self.bob.gateway.inbox.reply_packet(session, held[0].packet, Answer(Command.RETRIEVE), 0)
        session.send(forged)
        self.assertEqual(self.refused(asking, NoAnswer).code, "no-answer")

    def test_handlers_of_every_kind(self) -> None:
        """A handler may give an answer, a Deferred or a coroutine."""

        async def slowly(request) -> Answer:
            await deferLater(self.clock, 1)
            return ack(way="coroutine")

        self.row(lambda request: ack(way="plain"))
        self.row(lambda request: deferLater(self.clock, 1, ack, way="deferred"), kind="later")
        self.row(slowly, kind="slowly")
        ways = [self.wait(self.ask(fields={"kind": kind})).fields["way"] for kind in ("echo", "later", "slowly")]
        self.assertEqual(ways, ["plain", "deferred", "coroutine"])

    def test_an_error_keeps_its_code_and_details(self) -> None:
        """What a handler says by an error comes to who asked: code, text and details."""

        def handler(request) -> Answer:
            raise BitDustError("no-space", "three bytes are missing", missing=3)

        self.row(handler, max_payload=10 * MB)
        for size in (0, 10, 300_000, 8 * MB):
            error = self.refused(self.ask(bytes(size)))
            self.assertEqual((error.code, str(error)), ("no-space", "three bytes are missing"), size)
            self.assertEqual(error.fields["missing"], 3)

    def test_a_handlers_own_lost_request_is_answered(self) -> None:
        """When the handler fails because a third party was lost to it, who asked is told and not left waiting."""
        for number, error in enumerate((StreamReset("session-lost", "the third is away"), CancelledError())):
            self.row(lambda request, error=error: fail(error), kind=str(number))
            before = self.clock.seconds()
            self.refused(self.ask(fields={"kind": str(number)}, deadline=60))
            self.assertLess(self.clock.seconds() - before, 2)
            self.assertEqual(self.bob.gateway.inbox.packets(), [])

    def test_a_handler_that_gives_no_answer(self) -> None:
        """A handler that gives nothing, or an answer that cannot be written, is a failure that is told and logged."""
        big = BytesSource(bytes(10))
        big.size = 20
        wrong = {"none": None, "text": "yes", "fields": ack(thing=object()), "large": ack(text="x" * 20_000),
                 "short": Answer(Command.DATA, {}, big)}  # fmt: skip
        for kind, answer in wrong.items():
            self.row(lambda request, answer=answer: answer, kind=kind)
            before = self.clock.seconds()
            error = self.refused(self.ask(fields={"kind": kind}, deadline=60), BitDustError)
            self.assertEqual((kind, error.code), (kind, "internal"))
            self.assertLess(self.clock.seconds() - before, 2)
            self.assertEqual(len(self.flushLoggedErrors()), 0 if kind == "short" else 1, kind)
        self.assertEqual(self.bob.gateway.inbox.packets(), [])
        self.assertEqual(len(self.asked), 1)

    def test_too_many_at_once(self) -> None:
        """Of one peer so many requests are worked on, the next is told busy; when they end there is room again."""
        most = self.bob.gateway.scopes.plan.peers[Role.CUSTOMER][Resource.REQUESTS]
        self.bob.know(Who.CUSTOMER, self.alice)
        held = self.hold()
        asking = [self.ask() for _ in range(most)]
        self.run_for(1)
        self.assertEqual(self.refused(self.ask()).code, "busy")
        self.assertEqual(len(self.bob.gateway.inbox.packets()), most)
        for _, answer in held:
            answer.callback(ack())
        for one in asking:
            self.wait(one)
        last = self.ask()
        self.run_for(1)
        held[-1][1].callback(ack())
        self.wait(last)

    def test_work_that_hangs(self) -> None:
        """A handler of which nothing comes for ten minutes is given up, and whoever asked is told."""
        cancelled: list = []
        self.bob.serve(handler=lambda request: Deferred(cancelled.append))
        asking = self.ask(deadline=3600)
        self.clock.pump([1] * 599)
        self.assertEqual((cancelled, len(self.bob.gateway.inbox.packets())), ([], 1))
        self.clock.pump([1] * 120)
        self.assertEqual((len(cancelled), self.bob.gateway.inbox.packets()), (1, []))
        self.assertEqual(self.failureResultOf(asking, PeerFailed).value.code, "internal")
        self.assertEqual(len(self.bob.gateway.sessions()), 1)

    def test_slow_work_goes_on(self) -> None:
        """A payload that comes slowly, or that our own limit holds back, is not given up while bytes move."""
        self.bob.serve()
        self.session()
        self.bob.settings.values["services/network/receive-limit"] = 1000
        self.bob.gateway.follow_limits()
        asking = self.ask(bytes(900_000), deadline=3600, max_answer=900_000)
        self.clock.pump([0.5] * 1500)
        self.assertEqual(len(self.bob.gateway.inbox.packets()), 1)
        self.bob.settings.values["services/network/receive-limit"] = 0
        self.bob.gateway.follow_limits()
        self.assertEqual(len(self.wait(asking).payload), 900_000)

    def test_an_answer_that_nobody_reads(self) -> None:
        """A peer that lives and takes nothing of its answer for half a minute loses it, and the work is over."""
        self.bob.serve(handler=lambda request: Answer(Command.DATA, {"kind": "echo"}, bytes(3 * MB)))
        session = self.session()
        taken: list = []
        self.alice.gateway.outbox.answer_arrived = None
        self.alice.gateway.inbox._take_answer = lambda *answer: taken.append(answer) or True
        self.ask(deadline=3600).addErrback(lambda _: None)
        self.clock.pump([1] * 25)
        self.assertEqual((len(taken), len(self.bob.gateway.inbox.packets())), (1, 1))
        self.clock.pump([1] * 30)
        self.assertEqual(self.bob.gateway.inbox.packets(), [])
        self.assertEqual(self.bob.gateway.sessions()[0].streams(), [])
        self.assertIsNone(session.ended)

    def test_a_payload_that_stops_coming(self) -> None:
        """Half a payload keeps its place for half a minute; while other streams of a slow line move, for ten."""
        self.bob.serve()
        session = self.session()

        class Slow(BytesSource):
            def read(self, offset, length):
                return Deferred() if offset else super().read(offset, 1000)

        other = self.bob.gateway.sessions()[0]
        for extra, seconds in ((0, 25), (BUSY // 10 + 1, 550)):
            asking = self.alice.gateway.outbox.send(
                self.bob.fingerprint, Command.RETRIEVE, {"kind": "echo"}, Slow(bytes(5000)), deadline=3600
            )
            for _ in range(seconds):
                other.bytes_received += extra
                self.clock.advance(1)
            self.assertEqual(len(self.bob.gateway.inbox.packets()), 1)
            self.clock.pump([1] * 60)
            self.assertEqual(self.failureResultOf(asking, PeerFailed).value.code, "timeout")
            self.assertEqual(self.bob.gateway.inbox.packets(), [])
        self.assertIsNone(session.ended)

    def test_a_lost_session_cancels_its_work(self) -> None:
        """What was asked over a session is given up when the session ends."""
        cancelled: list = []
        self.bob.serve(handler=lambda request: Deferred(cancelled.append))
        self.ask().addErrback(lambda _: None)
        self.run_for(1)
        self.session().close("stopping", "enough")
        self.run_for(1)
        self.assertEqual(len(cancelled), 1)
        self.assertEqual(self.bob.gateway.inbox.packets(), [])

    def test_a_stale_peer_may_ask_for_its_identity_alone(self) -> None:
        """A peer with an old document is told so, but may retrieve the newer one."""
        newer = self.alice.me.revise()
        self.bob.cache.accept(newer)
        self.assertGreater(newer.revision, self.alice.me.document.revision)
        self.row(kind="identity")
        self.row()
        self.assertEqual(self.refused(self.ask()).code, "stale")
        self.wait(self.ask(fields={"kind": "identity"}))


class OutboxTests(TwoPeople):
    def test_no_progress_for_the_deadline(self) -> None:
        """A request fails when no byte has moved for its deadline, and the error names peer and time."""
        self.hold()
        self.session()
        before = self.clock.seconds()
        error = self.refused(self.ask(deadline=7), NoAnswer)
        self.assertEqual((error.code, str(error)), ("no-answer", "bob@id.example did not answer within 7 seconds"))
        self.assertTrue(6.9 < self.clock.seconds() - before < 8.5)
        self.assertEqual(self.alice.gateway.outbox.packets(), [])

    def test_the_deadline_counts_while_a_session_is_sought(self) -> None:
        """A peer that nobody finds costs the deadline, too."""
        self.alice.resolve(lambda _: Deferred())
        before = self.clock.seconds()
        self.refused(self.ask(deadline=3), NoAnswer)
        self.assertLess(self.clock.seconds() - before, 5)

    def test_slow_is_not_silent(self) -> None:
        """A transfer far longer than its deadline succeeds as long as bytes move, both ways."""
        self.bob.serve()
        self.session()
        self.network.network.bandwidth = 200_000.0
        before = self.clock.seconds()
        reply = self.wait(self.ask(bytes(2 * MB), deadline=3, max_answer=2 * MB))
        self.assertGreater(self.clock.seconds() - before, 15)
        self.assertEqual(len(reply.payload), 2 * MB)

    def test_a_lost_connection(self) -> None:
        """A request whose session breaks fails at once, with the reason."""
        self.hold()
        session = self.session()
        asking = self.ask(deadline=60)
        self.run_for(0.5)
        before = self.clock.seconds()
        session.link.abort()
        self.refused(asking, BitDustError)
        self.assertLess(self.clock.seconds() - before, 1)

    def test_a_packet_on_a_session_that_ends(self) -> None:
        """Who sends on a session itself is told when it ends before the last byte, and when it has ended already."""
        session = self.session()
        held = self.hold()
        self.ask().addErrback(lambda _: None)
        self.run_for(0.5)
        packet = evolve(held[0][0].packet, id=bytes(16), size=9 * MB)
        sending = session.send(packet, BytesSource(bytes(9 * MB)))
        self.run_for(0.5)
        self.assertNoResult(sending)
        session.close("idle", "enough")
        self.run_for(1)
        self.assertEqual(self.failureResultOf(sending, StreamReset).value.code, "idle")
        self.failureResultOf(session.send(packet, BytesSource(bytes(9 * MB))), StreamReset)

    def test_gathered(self) -> None:
        """The payload of an answer goes to what the asker made for it, and is in no reply; a Fail has none to go."""
        made: list[list[bytes]] = []

        class Gathering(list):
            def __init__(self) -> None:
                made.append(self)

            def write(self, part: memoryview) -> None:
                self.append(bytes(part))

        self.bob.serve(handler=lambda request: Answer(Command.DATA, {}, bytes(3 * MB)))
        reply = self.wait(self.ask(max_answer=3 * MB, gather=Gathering))
        self.assertEqual((len(b"".join(made[0])), reply.gathered, reply.payload), (3 * MB, made[0], b""))
        self.refused(self.ask(max_answer=MB, gather=Gathering), WireError)
        self.bob.serve("refusing", lambda request: Answer(Command.FAIL, {"code": "stale", "text": "old"}))
        self.assertEqual(self.refused(self.ask(fields={"kind": "refusing"}, gather=Gathering)).code, "stale")
        self.assertEqual([len(one) > 0 for one in made], [True, False])

    def test_who_gathers_breaks(self) -> None:
        """What goes wrong where a payload is gathered is the error of the request, and nothing more comes of it."""

        class Broken:
            def write(self, part: memoryview) -> None:
                raise BitDustError("malformed", "nothing that fits")

        self.bob.serve(handler=lambda request: Answer(Command.DATA, {}, bytes(3 * MB)))
        self.assertEqual(self.refused(self.ask(max_answer=3 * MB, gather=Broken), BitDustError).code, "malformed")
        self.assertEqual(self.alice.gateway.outbox.packets(), [])

    def test_fail_is_an_error_with_fields(self) -> None:
        """Fail is an error with code, text and whatever it told besides."""
        self.bob.serve(handler=lambda request: Answer(Command.FAIL, {"code": "stale", "text": "old", "revision": 9}))
        error = self.refused(self.ask())
        self.assertEqual((error.code, str(error), error.fields["revision"]), ("stale", "old", 9))

    def test_a_fail_without_manners(self) -> None:
        """A Fail without code, or with something else in its place, is an error still."""
        self.bob.serve(handler=lambda request: Answer(Command.FAIL, {"code": 7, "text": [1]}))
        self.assertEqual(self.refused(self.ask()).code, "7")

    def test_cancelled_in_every_state(self) -> None:
        """A request can be taken back while its session is sought, while it is sent and while it waits."""
        self.alice.resolve(lambda _: Deferred())
        self.check_cancelled("CACHING", b"x")
        self.run_for(61)
        self.find([self.address(self.bob)])
        disk: Deferred = Deferred()
        self.bob.serve("stall", lambda request: request.payload.stream_to(lambda part: disk))
        self.hold()
        self.check_cancelled("SENDING", bytes(5 * MB), "stall")
        disk.callback(None)
        self.assertEqual(self.bob.gateway.inbox.packets(), [])
        self.check_cancelled("RESPONSE?", b"x")

    def check_cancelled(self, state: str, payload: bytes, kind: str = "echo") -> None:
        asking = self.ask(payload, fields={"kind": kind})
        self.run_for(1)
        (packet,) = self.alice.gateway.outbox.packets()
        self.assertEqual(packet["label"], state)
        asking.cancel()
        self.failureResultOf(asking, CancelledError)
        self.assertEqual(self.alice.gateway.outbox.packets(), [])
        self.run_for(1)
        for session in self.alice.gateway.sessions():
            self.assertEqual(session.streams(), [])

    def test_an_answer_after_the_end_is_dropped(self) -> None:
        """The answer to a request that was taken back changes nothing, and the session lives on."""
        held = self.hold()
        asking = self.ask()
        self.run_for(0.5)
        asking.cancel()
        self.failureResultOf(asking, CancelledError)
        held[0][1].callback(Answer(Command.DATA, {"kind": "echo"}, bytes(3 * MB)))
        self.run_for(1)
        (session,), (other,) = self.alice.gateway.sessions(), self.bob.gateway.sessions()
        self.assertEqual((session.streams(), other.streams()), ([], []))
        self.assertEqual(self.bob.gateway.inbox.packets(), [])
        self.assertLess(session.bytes_received, 2 * MB)

    def test_an_answer_that_is_too_large(self) -> None:
        """An answer larger than was asked for is refused by its header, before its bytes."""
        self.bob.serve(handler=lambda request: Answer(Command.DATA, {"kind": "echo"}, bytes(3 * MB)))
        self.assertEqual(self.refused(self.ask(max_answer=1000), WireError).code, "too-large")
        self.run_for(1)
        self.assertLess(self.session().bytes_received, 2 * MB)
        self.assertEqual((self.session().streams(), self.bob.gateway.sessions()[0].streams()), ([], []))

    def test_a_request_moves_over_once(self) -> None:
        """A request whose session is replaced a second time fails; one that is bound to a session does not move."""
        self.hold()
        first = self.session()
        moving, bound = self.ask(deadline=60), self.ask(deadline=60, session=first)
        self.run_for(0.5)
        self.wait(self.alice.gateway.dial(self.address(self.bob), self.bob.fingerprint))
        self.run_for(0.5)
        self.assertEqual(self.failureResultOf(bound, StreamReset).value.code, "replaced")
        self.assertNoResult(moving)
        self.wait(self.alice.gateway.dial(self.address(self.bob), self.bob.fingerprint))
        self.run_for(0.5)
        self.assertEqual(self.failureResultOf(moving, StreamReset).value.code, "replaced")

    def test_nobody_answers_for_another(self) -> None:
        """An answer with the right id from another peer is not taken; the real one is."""
        held = self.hold()
        asking = self.ask()
        self.run_for(0.5)
        (outgoing,) = self.alice.gateway.outbox._waiting.values()
        carol = self.person("third", "carol")
        self.wait(self.alice.gateway.listen(0))
        session = self.wait(carol.gateway.dial(self.address(self.alice), self.alice.fingerprint))
        answer = self.bob.gateway.inbox.reply_packet(session, outgoing.packet, ack(), 0)
        forged = evolve(answer, creator=carol.fingerprint)
        self.wait(session.send(forged))
        self.run_for(1)
        self.assertNoResult(asking)
        held[0][1].callback(ack(real=True))
        self.assertTrue(self.wait(asking).fields["real"])

    def test_the_first_answer_counts(self) -> None:
        """While the payload of an answer comes, a second answer to the same request changes nothing."""
        held = self.hold()
        asking = self.ask(max_answer=3 * MB)
        self.run_for(0.5)
        self.network.network.bandwidth = 500_000.0
        (session,) = self.bob.gateway.sessions()
        held[0][1].callback(Answer(Command.DATA, {"kind": "echo"}, bytes(2 * MB)))
        self.run_for(0.5)
        session.send(self.bob.gateway.inbox.reply_packet(session, held[0][0].packet, ack(second=True), 0))
        self.assertEqual(len(self.wait(asking).payload), 2 * MB)

    def test_another_session_does_not_answer(self) -> None:
        """An answer that comes over another session of the same peer is not taken."""
        self.hold()
        asking = self.ask(deadline=5)
        self.run_for(0.5)
        ((ident, outgoing),) = self.alice.gateway.outbox._waiting.items()
        answer = self.bob.gateway.inbox.reply_packet(self.session(), outgoing.packet, ack(), 0)
        other = SimpleNamespace(peer=self.session().peer)
        self.assertEqual(answer.answers, ident)
        self.assertFalse(self.alice.gateway.outbox.answer_arrived(other, answer, Payload(0, print, unread()), 2))
        self.refused(asking, NoAnswer)

    def test_a_session_with_somebody_else(self) -> None:
        """A request over a given session that is not the recipient's is answered by nobody."""
        self.bob.serve()
        session = self.session()
        outbox = self.alice.gateway.outbox
        asking = outbox.send(b"\5" * 32, Command.RETRIEVE, ECHO, deadline=3, session=session)
        self.refused(asking, NoAnswer)

    def test_progress(self) -> None:
        """Progress is told for what goes out and what comes in, from the answer's header on, and ends at the whole."""
        self.bob.serve()
        steps: list = []
        self.wait(self.ask(bytes(MB), max_answer=MB, progress=lambda done, total: steps.append((done, total))))
        self.assertEqual([step for step in steps if step[0] in (0, MB)], [(MB, MB), (0, MB), (MB, MB)])
        self.assertGreater(len(steps), 5)
        self.assertEqual({total for _, total in steps}, {MB})

    def test_a_source_that_fails(self) -> None:
        """A payload that cannot be read, or is shorter than it said, fails the request and not the session."""

        class Broken:
            size = 3 * MB

            def __init__(self, read) -> None:
                self.read = read

        self.bob.serve()
        self.session()
        self.refused(self.ask(Broken(lambda offset, length: fail(OSError("the disk is gone")))), OSError)
        self.refused(self.ask(Broken(lambda offset, length: bytes(length) if offset < MB else b"")), StreamReset)
        self.assertEqual(bytes(self.wait(self.ask(b"still")).payload), b"still")
        self.assertEqual(len(self.asked), 1)

    def test_a_source_that_raises(self) -> None:
        """A payload whose reading raises fails the request and not the session."""

        class Raising:
            size = 10

            def read(self, offset: int, length: int) -> bytes:
                raise OSError("the disk is gone")

        self.bob.serve()
        self.session()
        self.refused(self.ask(Raising()), OSError)
        self.assertEqual(bytes(self.wait(self.ask(b"still")).payload), b"still")

    def test_a_request_that_cannot_be_written(self) -> None:
        """A request whose fields have no form on the wire fails alone; the session serves the next one."""
        self.bob.serve()
        self.session()
        for fields in ({"kind": object()}, {"kind": "x" * 20_000}):
            with self.assertRaises(Exception) as caught:
                self.wait(self.ask(fields=fields, deadline=60), 5)
            self.assertNotIsInstance(caught.exception, (AssertionError, NoAnswer))
        self.assertEqual(bytes(self.wait(self.ask(b"still")).payload), b"still")
        self.assertEqual(len(self.asked), 1)

    def test_a_source_that_is_read_later(self) -> None:
        """A payload whose parts come later is sent whole, in order."""
        data = bytes(range(256)) * 4000

        class Later(BytesSource):
            def read(this, offset: int, length: int) -> Deferred:  # noqa: N805 - the test is self
                return deferLater(self.clock, 0.1, lambda: bytes(data[offset : offset + length]))

        self.bob.serve()
        self.assertEqual(bytes(self.wait(self.ask(Later(data), max_answer=2 * MB)).payload), data)


class ListsTests(TwoPeople):
    def test_in_the_middle_of_a_transfer(self) -> None:
        """Packets, streams and connections show half of a transfer that is half over, at both ends."""
        go_on: Deferred = Deferred()
        taken: list[int] = []

        def write(part) -> Deferred | None:
            taken.append(len(part))
            return go_on if sum(taken) >= MB else None

        self.bob.serve(handler=lambda request: request.payload.stream_to(write).addCallback(lambda _: ack()))
        asking = self.ask(bytes(3 * MB))
        self.run_for(2)
        (packet,), (incoming,) = self.alice.gateway.outbox.packets(), self.bob.gateway.inbox.packets()
        (item,) = packet["items"]
        self.assertEqual((packet["label"], packet["target"], item["size"]), ("SENDING", "bob@id.example", 3 * MB))
        self.assertTrue(MB < item["bytes_sent"] < 3 * MB)
        self.assertEqual(
            (incoming["label"], incoming["target"], incoming["size"]), ("INBOX?", "alice@id.example", 3 * MB)
        )
        self.assertEqual(incoming["bytes_received"], item["bytes_sent"])
        (out,) = self.session().streams()
        (into,) = self.bob.gateway.sessions()[0].streams()
        self.assertEqual((out["type"], out["bytes_current"], out["bytes_total"]), ("out", item["bytes_sent"], 3 * MB))
        self.assertEqual((into["type"], into["stream_id"], into["progress"]), ("in", out["stream_id"], out["progress"]))
        self.assertEqual(out["progress"], f"{100 * item['bytes_sent'] // (3 * MB)}%")
        go_on.callback(None)
        self.wait(asking)
        self.assertEqual((self.alice.gateway.outbox.packets(), self.bob.gateway.inbox.packets()), ([], []))
        self.assertEqual((self.session().streams(), sum(taken)), ([], 3 * MB))

    def test_connections(self) -> None:
        """A connection is listed from its first moment, by name once the peer is proven, and not after its end."""
        self.alice.gateway.dial(self.address(self.bob), None)
        self.run_for(0.02)
        (early,) = self.bob.gateway.connections()
        self.assertEqual((early["status"], early["global_id"]), ("connecting", ""))
        self.run_for(1)
        (connection,) = self.bob.gateway.connections()
        self.assertEqual((connection["status"], connection["state"]), ("active", "CONNECTED"))
        self.assertEqual((connection["global_id"], connection["proto"]), ("alice@id.example", "tcp"))
        self.assertTrue(connection["host"].startswith(self.alice.host))
        self.session().close("stopping", "enough")
        self.run_for(1)
        self.assertEqual((self.alice.gateway.connections(), self.bob.gateway.connections()), ([], []))

    def test_traffic(self) -> None:
        """Traffic counts bytes of living and ended sessions and packets by command, the same at both ends."""
        self.bob.serve()
        self.wait(self.ask(bytes(100_000), max_answer=100_000))
        self.run_for(1)
        ours, theirs = self.alice.gateway.traffic(), self.bob.gateway.traffic()
        self.assertEqual((ours["out"]["bytes"], ours["in"]["bytes"]), (theirs["in"]["bytes"], theirs["out"]["bytes"]))
        self.assertTrue(100_000 < ours["out"]["bytes"] < 110_000)
        self.assertEqual((ours["out"]["Retrieve"], ours["in"]["Data"], theirs["in"]["packets"]), (1, 1, 1))
        self.session().close("stopping", "enough")
        self.run_for(1)
        self.assertGreaterEqual(self.alice.gateway.traffic()["out"]["bytes"], ours["out"]["bytes"])
        self.session()
        self.assertGreater(self.alice.gateway.traffic()["out"]["bytes"], ours["out"]["bytes"])


class LimitsTests(TwoPeople):
    def test_the_send_limit(self) -> None:
        """With a limit of sending, two megabytes at a quarter of one a second take their time, and come whole."""
        self.bob.serve()
        self.session()
        self.alice.gateway.send_bucket.rate = 250_000
        before = self.clock.seconds()
        self.wait(self.ask(bytes(2 * MB), max_answer=2 * MB))
        self.assertTrue(5 < self.clock.seconds() - before < 10, self.clock.seconds() - before)

    def test_the_receive_limit(self) -> None:
        """With a limit of receiving the reader is slow, the sender waits, and all of it comes."""
        self.bob.serve()
        self.session()
        self.bob.gateway.receive_bucket.rate = 250_000
        before = self.clock.seconds()
        self.wait(self.ask(bytes(2 * MB), max_answer=2 * MB))
        self.assertTrue(5 < self.clock.seconds() - before < 10, self.clock.seconds() - before)

    def test_a_slow_reader_is_not_dead(self) -> None:
        """A reader that its own limit keeps from reading for minutes does not take the peer for dead."""
        self.bob.serve()
        self.session()
        self.bob.gateway.receive_bucket.rate = 200
        self.assertEqual(len(self.wait(self.ask(bytes(40_000), deadline=400, max_answer=MB), 600).payload), 40_000)
        self.assertEqual(len(self.asked), 1)

    def test_what_comes_while_reading_is_paused(self) -> None:
        """Bytes that TLS hands over although reading is paused put off the end of the pause; there is one pause."""
        session = self.session()
        self.run_for(2)
        self.alice.gateway.receive_bucket.rate = 1000
        pongs = (head(Kind.PONG, 0, 8) + bytes(8)) * 250
        for due in (3, 7):
            session.link_data(pongs)
            (call,) = [call for call in self.clock.getDelayedCalls() if call.func == session.reading.end]
            self.assertAlmostEqual(call.getTime() - self.clock.seconds(), due)
        self.run_for(10)
        self.assertEqual([call for call in self.clock.getDelayedCalls() if call.func == session.reading.end], [])
        self.bob.serve()
        self.wait(self.ask())

    def test_a_session_that_ends_while_it_is_limited(self) -> None:
        """A session that ends while a limit holds it leaves no timer behind."""
        self.bob.serve()
        session = self.session()
        self.bob.gateway.receive_bucket.rate = self.alice.gateway.send_bucket.rate = 1000
        asking = self.ask(bytes(MB), deadline=400)
        asking.addErrback(lambda _: None)
        self.run_for(1)
        session.link.abort()
        self.run_for(1)
        self.assertEqual([call for call in self.clock.getDelayedCalls() if call.active()], [])

    def test_the_bucket(self) -> None:
        """A second's worth passes at once after a pause, what is more waits; no limit never waits."""
        clock = Clock()
        clock.advance(100)
        self.assertEqual(TokenBucket(clock).spend(10**12), 0.0)
        bucket = TokenBucket(clock, 1000)
        self.assertEqual(bucket.spend(1000), 0.0)
        self.assertAlmostEqual(bucket.spend(500), 0.5)
        clock.advance(0.5)
        self.assertAlmostEqual(bucket.spend(100), 0.1)


class PayloadTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.credit: list[int] = []

    def payload(self, size: int) -> Payload:
        return Payload(size, self.credit.append, unread())

    @settings(max_examples=150, deadline=None)
    @given(st.lists(st.binary(min_size=1, max_size=50), min_size=1, max_size=20), st.integers(0, 20))
    def test_any_parts(self, parts: list[bytes], late: int) -> None:
        """Whenever the reader comes, it gets every byte in order, and credit is given for each of them once."""
        self.setUp()
        payload = self.payload(sum(map(len, parts)))
        reading = None
        for number, part in enumerate(parts):
            if number == late:
                reading = payload.read_all(10_000)
            payload.feed(memoryview(part), number == len(parts) - 1)
        if reading is None:
            self.assertEqual(self.credit, [])
            reading = payload.read_all(10_000)
        self.assertEqual(self.successResultOf(reading), b"".join(parts))
        self.assertEqual(sum(self.credit), payload.size)

    def test_more_or_less_than_announced(self) -> None:
        """More bytes than announced, or an end before all of them, is malformed."""
        self.assertRaises(WireError, self.payload(3).feed, memoryview(b"four"), False)
        self.assertRaises(WireError, self.payload(3).feed, memoryview(b"tw"), True)

    def test_no_credit_before_it_is_consumed(self) -> None:
        """While a reader works on a part, no credit is given and no further part handed over."""
        payload, parts, working = self.payload(4), [], Deferred()
        reading = payload.stream_to(lambda part: parts.append(bytes(part)) or (working if len(parts) == 1 else None))
        payload.feed(memoryview(b"ab"), False)
        payload.feed(memoryview(b"cd"), True)
        self.assertEqual((parts, self.credit), ([b"ab"], []))
        self.assertNoResult(reading)
        working.callback(None)
        self.assertEqual((parts, self.credit, self.successResultOf(reading)), ([b"ab", b"cd"], [2, 2], 4))

    def test_a_small_part_keeps_nothing_else(self) -> None:
        """A part that waits for the others is a copy where what it was cut from is much more, and a view of it else."""
        small, large = bytearray(5000), bytearray(5000)
        payload = self.payload(5011)
        reading = payload.read_all(6000)
        payload.feed(memoryview(small)[:10], False)
        payload.feed(memoryview(large), False)
        small.append(1)
        self.assertRaises(BufferError, large.append, 1)
        payload.feed(memoryview(bytes(1)), True)
        self.assertEqual(self.successResultOf(reading), bytes(5011))

    def test_tiny_parts(self) -> None:
        """A part of a few bytes is a copy, even where it is all of what it was cut from: a view of it takes more."""
        payload = self.payload(2)
        reading = payload.read_all(2)
        parts = [bytearray(1), bytearray(1)]
        for part in parts:
            payload.feed(memoryview(part), part is parts[1])
            part.append(1)
        self.assertEqual(self.successResultOf(reading), bytes(2))

    def test_parts_for_somebody(self) -> None:
        """Parts go to who takes them as they come, with the count of them; too many are refused before the first."""
        payload, parts, counts = self.payload(4), [], []
        self.assertRaises(WireError, payload.pass_all, parts.append, 3)
        reading = payload.pass_all(lambda part: parts.append(bytes(part)), 4, lambda *count: counts.append(count))
        payload.feed(memoryview(b"ab"), False)
        self.assertEqual((parts, counts), ([b"ab"], [(2, 4)]))
        payload.feed(memoryview(b"cd"), True)
        self.assertEqual((parts, counts, self.successResultOf(reading)), ([b"ab", b"cd"], [(2, 4), (4, 4)], 4))

    def test_one_reader(self) -> None:
        """A second reader is a mistake of the program."""
        payload = self.payload(4)
        payload.stream_to(lambda part: None)
        self.assertRaises(RuntimeError, payload.stream_to, lambda part: None)

    def test_a_reader_that_fails(self) -> None:
        """A reader that raises, at once or later, gets its own error; what still comes is dropped."""
        for write in (lambda part: 1 / 0, lambda part: fail(ZeroDivisionError())):
            payload = self.payload(4)
            reading = payload.stream_to(write)
            payload.feed(memoryview(b"ab"), False)
            payload.feed(memoryview(b"cd"), True)
            self.failureResultOf(reading, ZeroDivisionError)

    def test_a_lost_stream(self) -> None:
        """A stream that is lost fails its reader, now or when one comes; a whole one is not lost any more."""
        early, late, whole = self.payload(4), self.payload(4), self.payload(2)
        reading = early.read_all(10)
        whole.feed(memoryview(b"ab"), True)
        for payload in (early, late, whole):
            payload.fail(StreamReset("session-lost", "gone"))
        self.failureResultOf(reading, StreamReset)
        self.failureResultOf(late.read_all(10), StreamReset)
        self.assertEqual(self.successResultOf(whole.read_all(10)), b"ab")

    def test_too_large(self) -> None:
        """More than the reader takes is refused before a byte is read."""
        self.assertEqual(self.assertRaises(WireError, self.payload(WINDOW).read_all, 10).code, "too-large")
