"""People who write to each other over a post office in memory: no sockets, no DHT, one clock."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from attrs import define, evolve, field
from twisted.internet.defer import Deferred, fail, maybeDeferred, succeed
from twisted.trial.unittest import SynchronousTestCase

from bitdust.automats.kernel import Registry
from bitdust.budget import Budget
from bitdust.crypt.device import DeviceKey
from bitdust.events import Events
from bitdust.identity.cache import IdentityCache
from bitdust.identity.document import Device, IdentityDocument
from bitdust.identity.me import Me
from bitdust.people.amounts import Amounts
from bitdust.people.mailboxes.keeper import SPACE, MailboxKeeper
from bitdust.people.messages.messages import Messages
from bitdust.surroundings import Connected
from bitdust.testing.clock import GridClock, LifeClock
from bitdust.testing.network import MemoryNetwork
from bitdust.testing.world import START, fake_world
from bitdust.wire.errors import BitDustError
from bitdust.wire.messages import Message
from bitdust.wire.names import IDURL
from bitdust.wire.packet import Command, Packet
from bitdust.wire.prekeys import Prekeys
from bitdust.wire.signed import Signed
from bitdust.wire.table import Request, Who
from tests.grid.chaos import keys
from tests.unit.kit import Settings

NAMES = ("alice", "bob", "carol", "dave", "mallory")
PASSES, LOST, UNHEARD = "passes", "lost", "unheard"
"""What becomes of a packet: it is answered, it never comes, or its answer never does."""
Judge = Callable[["Node", "Node", str], str]


@define
class Payload:
    """A payload that is here already."""

    data: bytes

    def read_all(self, limit: int) -> "Deferred[bytes]":
        return succeed(self.data) if len(self.data) <= limit else fail(BitDustError("too-large", "too large"))


@define
class Reply:
    fields: dict[str, Any]
    payload: bytes


@define(eq=False)
class Peer:
    fingerprint: bytes
    device: bytes
    document: IdentityDocument


@define(eq=False)
class Session:
    """Lives while both nodes do and hear each other."""

    office: "Office"
    owner: "Node"
    other: "Node"

    @property
    def peer(self) -> Peer:
        me = self.other.me
        return Peer(me.fingerprint, me.device.id, me.document)

    @property
    def ended(self) -> str | None:
        return None if self.office.hear(self.owner, self.other) else "ended"


class Sent:
    """Outbox and sessions of one node."""

    def __init__(self, office: "Office", node: "Node") -> None:
        self._office = office
        self._node = node

    def sessions(self) -> list[Session]:
        return [Session(self._office, self._node, one) for one in self._office.heard_by(self._node)]

    def connected(self, fingerprint: bytes) -> bool:
        return any(one.me.fingerprint == fingerprint for one in self._office.heard_by(self._node))

    def session_to(self, fingerprint: bytes) -> "Deferred[Any]":
        return succeed(None) if self.connected(fingerprint) else fail(BitDustError("no-answer", "away"))

    def dial(self, address: str, expect: bytes) -> "Deferred[Any]":
        return fail(BitDustError("no-answer", "away"))

    def on_session(self, watcher: Callable[[Any, bool], None]) -> Callable[[], None]:
        self._node.watchers.append(watcher)
        return lambda: self._node.watchers.remove(watcher)

    def send(self, to, command, fields, payload=None, *, deadline, session=None, max_answer=0, **more):
        self._office.packets.append((self._node, fields["kind"], fields, payload))
        others = [one for one in self._office.heard_by(self._node) if one.me.fingerprint == to]
        if session is not None:
            others = [one for one in others if one is session.other]
        if not others:
            return fail(BitDustError("no-answer", "nobody is there"))
        return self._office.carry(self._node, others[0], dict(fields), payload or b"")


@define(eq=False)
class History:
    """Keeps messages as the real one does, once each; a node's next life has the same."""

    messages: list[Message] = field(factory=list)
    broken: bool = False

    def add(self, message: Message) -> "Deferred[bool]":
        if self.broken:
            return fail(BitDustError("disk-full", "the disk is full"))
        if any((one.sender, one.id) == (message.sender, message.id) for one in self.messages):
            return succeed(False)
        self.messages.append(message)
        return succeed(True)

    def last_sequence(self, conversation: str, device: bytes) -> int:
        place = (conversation, device)
        mine = [one.sequence for one in self.messages if (one.conversation, one.sender_device) == place]
        return max(mine, default=0)


class Listeners:
    """``listening`` says whether a program takes what comes."""

    def __init__(self) -> None:
        self.listening = False

    def deliver(self, message: Message) -> bool:
        return self.listening


class Node:
    """One device of a person, with messages and mailboxes."""

    def __init__(self, office: "Office", name: str, home: Path, device: DeviceKey | None = None) -> None:
        self.office = office
        self.name = name
        self.home = home
        self.watchers: list[Callable[[Any, bool], None]] = []
        self.history = History()
        self.listeners = Listeners()
        self.friends: set[bytes] = set()
        self.keepers: list[Node] = []
        self.wrong = 0.0
        """Seconds by which its wall clock is ahead."""
        key = keys.key(NAMES.index(name))
        self._key, self._device = key, device or DeviceKey.generate(office.entropy)
        self.build(first=True)

    def build(self, first: bool = False) -> None:
        """The next life of the node, over the same home."""
        office = self.office
        self.clock = LifeClock(office.clock)
        world = fake_world(office.network, office.clock, "10.0.0.1", self.home, f"{self.name} {office.entropy(8)}")
        self.world = evolve(world, clock=self.clock, wall=lambda: world.wall() + self.wrong)
        self.events = events = Events(self.clock, self.world.wall)
        self.me = Me(self.world, events)
        if first:
            self.adopt(office.document_with(self._key, self.name, self._device))
        else:
            self.me.load()
        self.cache = IdentityCache(self.world, events)
        self.registry = Registry(self.clock, self.world.wall)
        ends = Sent(office, self)
        settings = Settings({SPACE: 64 * 1024 * 1024})
        around = Connected(self.world, settings, events, self.registry, Budget(), self.me, self.cache, ends, ends)
        amounts = Amounts(self.clock, self.role_of)
        self.messages = Messages(around, office, self, amounts)
        self.history = self.history_of_life()
        self.messages.incoming.history = self.messages.letters.history = self.history
        self.messages.incoming.listeners = self.listeners
        self.mailboxes = MailboxKeeper(around, amounts)

    def history_of_life(self) -> Any:
        """What stores the messages of the next life."""
        return self.history

    def adopt(self, document: IdentityDocument) -> None:
        self.me.adopt(document, self._key, self._device)

    def role_of(self, fingerprint: bytes) -> Who:
        return Who.FRIEND if fingerprint in self.friends else Who(0)

    def candidates(self) -> list[bytes]:
        return [one.me.fingerprint for one in self.keepers]

    def start(self) -> None:
        for started in (self.mailboxes.start(), self.messages.start()):
            assert started.called
            started.addErrback(lambda failure: failure.raiseException())

    def stop(self) -> None:
        self.messages.stop()
        self.mailboxes.stop()

    def crash(self) -> None:
        """The process is gone: nothing of it goes on."""
        self.office.nodes.remove(self)
        self.clock.die()
        for store in (self.messages.store, self.mailboxes.store):
            Deferred.fromCoroutine(store.close())

    def die(self) -> None:
        """The same in the middle of something: what is open stays open."""
        self.office.nodes.remove(self)
        self.clock.die()

    def again(self) -> None:
        """The next life begins."""
        self.build()
        self.office.join(self)

    @property
    def texts(self) -> list[Any]:
        """What came, in the order in which it was stored."""
        return [one.data["text"] for one in self.history.messages if one.direction == "incoming"]

    @property
    def written(self) -> list[Any]:
        return [one.data["text"] for one in self.history.messages if one.direction == "outgoing"]


class Office:
    """Carries packets between nodes, as the tests wish; the DHT of all of them."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.clock = GridClock()
        self.network = MemoryNetwork(self.clock)
        self.nodes: list[Node] = []
        self.packets: list[tuple[Node, str, dict[str, Any], bytes | None]] = []
        self.prekeys: dict[tuple[bytes, bytes], bytes] = {}
        self.documents: dict[bytes, IdentityDocument] = {}
        self.judge: Judge = lambda sender, recipient, kind: PASSES
        self.apart: set[frozenset[Node]] = set()
        self._entropy = 0

    def entropy(self, size: int) -> bytes:
        self._entropy += 1
        return self._entropy.to_bytes(size, "big")

    def document_with(self, key: Any, name: str, device: DeviceKey) -> IdentityDocument:
        """The person's document with one device more."""
        old = self.documents.get(key.fingerprint)
        devices = old.devices if old is not None else ()
        devices = (*devices, Device(len(devices), len(devices) + 1, device.public))
        source = IDURL.parse(f"http://id.example/{name}.xml")
        document = IdentityDocument.create(key, (source,), len(devices), devices, START)
        self.documents[key.fingerprint] = document
        return document

    def join(self, node: Node) -> None:
        """The node is there from now on."""
        self.nodes.append(node)
        node.start()
        for other in self.nodes:
            if other is not node:
                self.meet(node, other)

    def meet(self, one: Node, other: Node) -> None:
        """A session between two nodes comes up."""
        if not self.hear(one, other):
            return
        for mine, theirs in ((one, other), (other, one)):
            if mine.me.fingerprint != theirs.me.fingerprint:
                mine.cache.accept(theirs.me.document)
            for watcher in list(mine.watchers):
                watcher(Session(self, mine, theirs), True)

    def hear(self, one: Node, other: Node) -> bool:
        return one in self.nodes and other in self.nodes and frozenset((one, other)) not in self.apart

    def heard_by(self, node: Node) -> list[Node]:
        return [one for one in self.nodes if one is not node and self.hear(node, one)]

    def carry(self, sender: Node, recipient: Node, fields: dict[str, Any], payload: bytes) -> "Deferred[Any]":
        """A packet as an inbox takes it."""
        fate = self.judge(sender, recipient, fields["kind"])
        if fate == LOST:
            return fail(BitDustError("no-answer", "lost"))
        answered = self.ask(sender, recipient, fields, payload)
        if fate == UNHEARD:
            answered.addErrback(lambda _: None)
            return fail(BitDustError("no-answer", "the answer was lost"))
        return answered

    def ask(self, sender: Node, recipient: Node, fields: dict[str, Any], payload: bytes = b"") -> "Deferred[Any]":
        rows = [*recipient.messages.rows(), *recipient.mailboxes.rows()]
        row = next(row for row in rows if row.kind == fields["kind"])
        return maybeDeferred(self._answer, sender, recipient, row, fields, payload).addCallback(_reply)

    def _answer(self, sender, recipient, row, fields, payload):
        row.fields.check(fields, "fields")
        if len(payload) > row.max_payload:
            raise BitDustError("too-large", "too large")
        if Who.ANYONE not in row.who and not row.who & recipient.role_of(sender.me.fingerprint):
            raise BitDustError("not-allowed", "no dealings")
        me = sender.me
        mine, theirs = me.fingerprint, recipient.me.fingerprint
        packet = Packet(Command.MESSAGE, b"p" * 16, mine, mine, theirs, 0, fields, len(payload))
        request = Request(Peer(me.fingerprint, me.device.id, me.document), packet, Payload(payload))
        result = row.handler(request)
        return Deferred.fromCoroutine(result) if hasattr(result, "send") else result

    # the directory

    def put_prekeys(self, signed: Signed) -> "Deferred[None]":
        record = Prekeys.from_body(signed.body)
        self.prekeys[record.owner, record.device] = signed.to_bytes()
        return succeed(None)

    def prekeys_of(self, fingerprint: bytes, device: bytes) -> "Deferred[bytes | None]":
        return succeed(self.prekeys.get((fingerprint, device)))

    def look_up(self, fingerprint: bytes) -> "Deferred[None]":
        document = self.documents.get(fingerprint)
        for node in self.nodes:
            if document is not None and node.me.fingerprint != fingerprint:
                node.cache.accept(document)
        return succeed(None)

    def resolve_device(self, fingerprint: bytes, device: bytes) -> "Deferred[list[str]]":
        return succeed([])


def _reply(answer: Any) -> Reply:
    return Reply(dict(answer.fields), answer.payload if isinstance(answer.payload, bytes) else b"")


class PostCase(SynchronousTestCase):
    """Alice and bob know each other and are friends."""

    def setUp(self) -> None:
        self.office = Office(Path(self.mktemp()))
        self.addCleanup(self.end)
        self.alice, self.bob = self.add("alice"), self.add("bob")
        self.befriend(self.alice, self.bob)

    def end(self) -> None:
        for node in list(self.office.nodes):
            node.stop()
        for call in self.office.clock.getDelayedCalls():
            call.cancel()

    def add(self, name: str, device: DeviceKey | None = None) -> Node:
        home = self.office.base / f"{name}-{len(self.office.nodes)}"
        (home / "metadata").mkdir(parents=True)
        node = Node(self.office, name, home, device)
        self.office.join(node)
        return node

    def befriend(self, one: Node, other: Node) -> None:
        one.friends.add(other.me.fingerprint)
        other.friends.add(one.me.fingerprint)

    def send(self, node: Node, other: Node, text: Any = "hello") -> Any:
        sent = self.successResultOf(node.messages.send(other.me.fingerprint, {"text": text}))
        sent.arrived.addErrback(lambda _: None)
        return sent

    def passes(self, seconds: float) -> None:
        """Time passes, in steps."""
        for _ in range(int(seconds)):
            self.office.clock.advance(1)
