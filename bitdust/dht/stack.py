"""What a node is made of while it runs."""

from collections.abc import Callable, Iterable
from typing import Any

from attrs import define, evolve, field, frozen
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall

from bitdust.crypt.device import DeviceKey
from bitdust.dht.answers import Answers, Kit
from bitdust.dht.contact import Contact
from bitdust.dht.fetching import Fetching, Found, Sought
from bitdust.dht.ids import node_id, number
from bitdust.dht.joining import Joining
from bitdust.dht.limits import Rates
from bitdust.dht.lookup import Goal, Lookup
from bitdust.dht.messages import Message
from bitdust.dht.peers import Peers
from bitdust.dht.publishing import Publishing, Stored
from bitdust.dht.records import Checker, DHTRecord
from bitdust.dht.roaming import Acquaintances, NodeInfo, RandomPick, Wanted
from bitdust.dht.rpc import Datagrams, Rpc
from bitdust.dht.store import MAX_MET, RecordStore
from bitdust.dht.upkeep import Upkeep, UpkeepPort
from bitdust.scopes.networks import Household
from bitdust.world import World

QUERIES = (300.0, 2000.0)
MAX_ENTRIES = 48
KNOCKS = 4
SAVE_SOON = 5.0
"""Seconds after which somebody who was met is remembered on the disk: who is met together is saved together."""


@frozen
class Identity:
    """Who a node is: its contact, the key that signs for it, what it says of its owner, and which networks are its."""

    own: Contact
    device: DeviceKey
    info: Callable[[], dict[str, bytes]]
    household: Household


@define(eq=False)
class Stack:
    """The parts of one running node, and the searches that are under way."""

    world: World
    own: Contact
    checker: Checker
    store: RecordStore
    upkeep: Upkeep
    answers: Answers
    peers: Peers
    rpc: Rpc
    _running: "set[Deferred[Any]]" = field(factory=set)
    _knocked: int = 0
    _saving: IDelayedCall | None = None

    @classmethod
    def build(
        cls, world: World, datagrams: Datagrams, who: Identity, checker: Checker, store: RecordStore, port: UpkeepPort
    ) -> "Stack":
        """All parts; nothing is sent or received before `Rpc.open`."""
        clock, entropy, own = world.clock, world.entropy, who.own
        upkeep = Upkeep(clock, world.wall, jitter(entropy), store, port)
        rpc = Rpc(clock, entropy, datagrams, own, Rates(*QUERIES))
        peers = Peers(clock, entropy, own, rpc, who.household)
        kit = Kit(clock, world.wall, who.device, store, checker, who.info, upkeep.stored)
        answers = Answers(kit, own, peers)
        rpc.listener = answers
        stack = cls(world, own, checker, store, upkeep, answers, peers, rpc)
        peers.met.connect(stack.save_soon)
        peers.met.connect(upkeep.met)
        return stack

    def close(self) -> None:
        """Cancel what runs, remember who was met, and let go of everything."""
        for task in list(self._running):
            task.cancel()
        self.save_contacts()
        if self._saving is not None and self._saving.active():
            self._saving.cancel()
        self.upkeep.stop()
        self.peers.stop()
        self.rpc.close()
        self.store.close()

    def save_soon(self) -> None:
        """Somebody was met: remember that, so that a node that is killed finds the way back."""
        if self._saving is None or not self._saving.active():
            self._saving = self.world.clock.callLater(SAVE_SOON, self.save_contacts)

    def save_contacts(self) -> None:
        """Remember the contacts that were heard of last, for the next start."""
        if len(self.peers):
            best = sorted(self.peers.everyone(), key=lambda contact: -contact.heard)
            self.store.save_contacts(best[:MAX_MET], self.world.wall())

    def knock(self) -> None:
        """Ask a few of those who were met before and are not known now, in turn: a network that fell apart may be one
        again, and neither half would know."""
        known = {contact.number for contact in self.peers.everyone()}
        absent = [contact for contact in self.store.contacts() if contact.number not in known]
        for contact in absent[self._knocked :][:KNOCKS]:
            self.peers.prove(contact)
        self._knocked = self._knocked + KNOCKS if self._knocked + KNOCKS < len(absent) else 0

    def join(self, seeds: Iterable[Contact]) -> "Deferred[int]":
        """One attempt to come in, through seeds and whoever was met before."""
        entries = list({contact.address: contact for contact in seeds}.values())[:MAX_ENTRIES]
        met = {contact.address for contact in entries}
        saved = [contact for contact in self.store.contacts() if contact.address not in met]
        entries += saved[: MAX_ENTRIES - len(entries)]
        joining = Joining(self.world.clock, self.world.entropy, self.peers, self.rpc, self.own, entries)
        joining.start()
        return joining.done

    # searches: each Deferred fires once, or is cancelled when the node closes

    def publish(self, record: DHTRecord, data: bytes, layer: int) -> "Deferred[Stored]":
        """Store a checked record at the nodes nearest to its key."""

        def keep() -> bool:
            return bool(self.answers.keep(data, layer)["stored"])

        done: Deferred[Stored] = self._begin()
        where = (data, number(record.key(layer)), layer)
        Publishing(self.peers, self.rpc, self.own, where, keep, lambda stored: self._end(done, stored)).start()
        return done

    def search(self, sought: Sought) -> "Deferred[Found]":
        """The newest record that is found, which takes the place of an older one here."""
        wall = self.world.wall
        data = self.store.get(sought.key, wall())
        local = DHTRecord.from_bytes(data) if data is not None else None

        def stop() -> None:
            fetching.stop()

        def found(outcome: Found) -> None:
            newest = outcome.record
            if local is not None and newest is not None and newest.revision > local.revision:
                self.answers.keep(newest.to_bytes(), sought.layer)
            self._end(done, outcome)

        done: Deferred[Found] = self._begin(stop)
        fetching = Fetching(
            self.world.clock,
            self.peers,
            self.rpc,
            lambda data: self.checker.check(data, wall(), keeps=False),
            evolve(sought, local=local),
            found,
        )
        fetching.start()
        return done

    def nodes(self, ident: bytes, layer: int) -> "Deferred[list[Contact]]":
        """The nodes of a layer nearest to an id."""
        done: Deferred[list[Contact]] = self._begin()
        goal = Goal.nodes(number(ident), layer)
        Lookup(self.peers, self.rpc, goal, lambda lookup: self._end(done, lookup.answered())).start()
        return done

    def who(self, known: Acquaintances, device_key: bytes) -> "Deferred[NodeInfo | None]":
        """The node under a device key, as it shows itself; None where it is not there."""
        done: Deferred[NodeInfo | None] = self._begin()
        goal = Goal.nodes(number(node_id(device_key)))

        def looked(lookup: Lookup) -> None:
            contact = next((one for one in lookup.answered() if one.key == device_key), None)
            if contact is None or done not in self._running:
                self._end(done, None)
                return
            self.rpc.ask(contact, "info", {}, told, lambda contact: self._end(done, None))

        def told(contact: Contact, reply: Message) -> None:
            self._end(done, known.meet(contact, reply))

        Lookup(self.peers, self.rpc, goal, looked).start()
        return done

    def pick(self, known: Acquaintances, wanted: Wanted) -> "Deferred[NodeInfo | None]":
        """Somebody by chance."""
        done: Deferred[NodeInfo | None] = self._begin()
        found: Callable[[NodeInfo | None], None] = lambda info: self._end(done, info)  # noqa: E731 - one expression
        RandomPick(self.peers, self.rpc, known, self.world.entropy, wanted, found).start()
        return done

    def _begin(self, stop: Callable[[], None] = lambda: None) -> "Deferred[Any]":
        def cancelled(done: "Deferred[Any]") -> None:
            self._running.discard(done)
            stop()

        done: Deferred[Any] = Deferred(cancelled)
        self._running.add(done)
        return done

    def _end(self, done: "Deferred[Any]", result: object) -> None:
        if done in self._running:
            self._running.discard(done)
            done.callback(result)


def jitter(entropy: Callable[[int], bytes]) -> Callable[[float], float]:
    """Seconds, up to a fifth more or less."""

    def spread(seconds: float) -> float:
        return seconds * (0.8 + 0.4 * int.from_bytes(entropy(2), "big") / 65535)

    return spread
