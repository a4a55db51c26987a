"""The iterative lookup: ask the nearest nodes known for nearer ones, three at a time, and wait for nobody.

A node that is slow frees its place in the three at once, and counts no longer; if it answers after all, its answer is
used. The lookup is done when the ``enough`` nearest of those that are neither slow nor silent have all answered.

Ids cost nothing, so whoever wants to be all of the nearest nodes can; addresses in many networks cost money. Of each
network two count among the nearest, its others only after everybody else: where there are few nodes all are asked.
"""

from bisect import insort
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from operator import attrgetter
from typing import Any

from attrs import define, field, frozen

from bitdust.dht.contact import Contact
from bitdust.dht.ids import ID_BYTES
from bitdust.dht.messages import Message
from bitdust.dht.peers import Peers
from bitdust.dht.rpc import Rpc
from bitdust.dht.table import K
from bitdust.wire.encoding import WireError

ALPHA = 3
MAX_CANDIDATES = 200
OF_A_NETWORK = 2
"""So many nodes of one network count among the nearest, if there are others."""
MAX_OF_A_NETWORK = 20
HELPERS = 8
Name = tuple[int, str, int]


class State(Enum):
    """How far a candidate is."""

    NEW = 1
    ASKED = 2
    SLOW = 3
    FAILED = 4
    ANSWERED = 5


@define(eq=False)
class Candidate:
    """A node that the lookup knows of. A helper is not in the layer, but may know who is."""

    contact: Contact
    distance: int
    helper: bool
    network: str | None = None
    state: State = State.NEW

    @property
    def name(self) -> Name:
        """Who it is."""
        return name_of(self.contact)


def name_of(contact: Contact) -> Name:
    """The same id at another address is somebody else until it is proven."""
    return contact.number, contact.host, contact.port


@define(eq=False)
class Path:
    """One of several lookups for one goal that ask no node twice, so that a liar misleads one of them at most."""

    number: int = 0
    of: int = 1
    taken: set[Name] = field(factory=set)

    @classmethod
    def disjoint(cls, count: int) -> "list[Path]":
        """So many paths beside each other."""
        taken: set[Name] = set()
        return [cls(number, count, taken) for number in range(count)]

    def leaves(self, candidate: Candidate) -> bool:
        """Whether a node that was not asked yet belongs to another path."""
        return self.of > 1 and candidate.state is State.NEW and candidate.name in self.taken


@frozen
class Goal:
    """What is looked for: the nodes of a layer nearest to ``target``, each of which is asked ``question``."""

    target: int
    layer: int
    question: tuple[str, Mapping[str, Any]]
    path: Path = field(factory=Path)

    @classmethod
    def nodes(cls, target: int, layer: int = 0) -> "Goal":
        """The nodes themselves."""
        return cls(target, layer, ("find_node", {"target": target.to_bytes(ID_BYTES, "big")}))

    @classmethod
    def value(cls, key: int, path: Path) -> "Goal":
        """A record, at the nodes of layer 0 that are nearest to its key."""
        return cls(key, 0, ("find_value", {"key": key.to_bytes(ID_BYTES, "big")}), path)


_distance = attrgetter("distance")


class Lookup:
    """One search; ``on_done`` is called once, with those that answered."""

    def __init__(
        self,
        peers: Peers,
        rpc: Rpc,
        goal: Goal,
        on_done: Callable[["Lookup"], None],
        enough: int = K,
        on_reply: Callable[[Contact, Message], None] | None = None,
    ) -> None:
        self._peers = peers
        self._rpc = rpc
        self._target = goal.target
        self._layer = goal.layer
        self._question = goal.question
        self._path = goal.path
        self._on_done = on_done
        self._enough = enough
        self._on_reply = on_reply
        self._order: list[Candidate] = []
        self._known: set[Name] = set()
        self._networks: Counter[str] = Counter()
        self._helpers_asked = 0
        self._due = 0
        self.done = False
        self.asked = 0

    def start(self) -> None:
        """Begin with the contacts of the layer, and some of layer 0 who may know more."""
        for contact in self._peers.nearest(self._target, self._layer, 2 * K)[self._path.number :: self._path.of]:
            self._learn(contact)
        if self._layer:
            for contact in self._peers.nearest(self._target, 0, K):
                self._learn(contact)
        self._go_on()

    def stop(self) -> None:
        """Ask nobody any more; `on_done` is not told."""
        self.done = True

    def answered(self, most: int = K) -> list[Contact]:
        """The nearest members of the layer that answered."""
        fit = [c.contact for c in self._standing() if c.state is State.ANSWERED and c.contact.attached(self._layer)]
        return fit[:most]

    def candidates(self) -> list[Contact]:
        """Members of the layer that have not failed, nearest first, whether they were asked or not."""
        return [candidate.contact for candidate in self._standing() if candidate.contact.attached(self._layer)]

    def _standing(self) -> Iterator[Candidate]:
        """Who is neither slow nor silent, nearest first; of each network two, and the others after everybody else."""
        counts: dict[str, int] = {}
        crowd: list[Candidate] = []
        gone, leaves = (State.FAILED, State.SLOW), self._path.leaves
        for candidate in self._order:
            if candidate.state in gone or leaves(candidate):
                continue
            network = candidate.network
            if network is not None:
                count = counts.get(network, 0)
                if count >= OF_A_NETWORK:
                    crowd.append(candidate)
                    continue
                if not candidate.helper:
                    counts[network] = count + 1
            yield candidate
        yield from crowd

    def _learn(self, contact: Contact) -> None:
        name = name_of(contact)
        if name in self._known or len(self._known) >= MAX_CANDIDATES or self._peers.silent_now(contact):
            return
        network = self._peers.network(contact.host)
        if network is not None:
            if self._networks[network] >= MAX_OF_A_NETWORK:
                return
            self._networks[network] += 1
        self._known.add(name)
        candidate = Candidate(contact, contact.number ^ self._target, not contact.attached(self._layer), network)
        insort(self._order, candidate, key=_distance)

    def _go_on(self) -> None:
        """Look at the nearest candidates: ask those that are new, or see that all have answered."""
        complete = settled = 0
        for candidate in self._standing():
            if self.done or settled == self._enough:
                break
            if candidate.helper:
                continue
            settled += 1
            complete += candidate.state is State.ANSWERED
            if candidate.state is State.NEW and self._due < ALPHA:
                self._ask(candidate)
        if settled < self._enough and not self.done:
            self._ask_helpers(ALPHA - self._due)
        if not self.done and complete == settled and (settled == self._enough or not self._flying()):
            self.done = True
            self._on_done(self)

    def _flying(self) -> bool:
        return any(candidate.state in (State.ASKED, State.SLOW) for candidate in self._order)

    def _ask_helpers(self, places: int) -> None:
        asked = 0
        for candidate in self._order:
            if asked >= places or self._helpers_asked >= HELPERS:
                break
            if candidate.helper and candidate.state is State.NEW and not self._path.leaves(candidate):
                asked += 1
                self._helpers_asked += 1
                self._ask(candidate)

    def _ask(self, candidate: Candidate) -> None:
        self._put(candidate, State.ASKED)
        self._path.taken.add(candidate.name)
        self.asked += 1
        name, fields = self._question

        def answered(contact: Contact, reply: Message) -> None:
            self._put(candidate, State.ANSWERED)
            candidate.helper = not contact.attached(self._layer)
            if not self.done:
                self._handle_reply(contact, reply, candidate)

        def failed(_contact: Contact) -> None:
            self._set_back(candidate, State.FAILED)

        def slow(_contact: Contact) -> None:
            self._set_back(candidate, State.SLOW)

        self._rpc.ask(candidate.contact, name, fields, answered, failed, slow, self._layer)

    def _put(self, candidate: Candidate, state: State) -> None:
        self._due += (state is State.ASKED) - (candidate.state is State.ASKED)
        candidate.state = state

    def _set_back(self, candidate: Candidate, state: State) -> None:
        self._put(candidate, state)
        if not self.done:
            self._go_on()

    def _handle_reply(self, contact: Contact, reply: Message, candidate: Candidate) -> None:
        try:
            for told in self._peers.contacts_in(reply, contact):
                self._learn(told)
        except WireError:
            self._put(candidate, State.FAILED)
        if self._on_reply is not None:
            self._on_reply(contact, reply)
        if not self.done:
            self._go_on()
