"""From which address others see this node: nodes of the hash table are asked, over the port that they know.

One of them may lie, and those in the same house see another address than the world does. So of what at least two say,
an address of the world goes before a private one, and then what most say; where one alone answers, its word is taken.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any, Protocol

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from bitdust.automats.stun_client import StunClient
from bitdust.dht.contact import Contact, network, reach
from bitdust.outcome import outcomes
from bitdust.surroundings import Connected
from bitdust.wire.errors import BitDustError

ASKED = 8
WORLD = 3
"""What `reach` says of an address of the world."""
Address = tuple[str, int]


class Asks(Protocol):
    """Who asks one node; `bitdust.transport.stun.Stun` does."""

    def ask(self, address: Address, /) -> "Deferred[Address]":
        """The address that my datagrams come from, as that node sees them."""


class Nodes(Protocol):
    """The hash table."""

    @property
    def id(self) -> bytes:
        """This node's id."""

    def find_node(self, ident: bytes, /) -> "Deferred[list[Contact]]":
        """Nodes near an id that answered just now."""


@frozen
class Seen:
    """``address`` is what others see; ``answers`` has each node that was asked and what it said.

    ``symmetric`` says that every node sees another port, as behind some routers: nobody else can use it then.
    """

    address: Address
    symmetric: bool
    answers: tuple[tuple[Address, Address], ...]


class SeenAddress:
    """I ask, whenever somebody wants to know, and remember the last answer."""

    def __init__(self, around: Connected, stun: Asks, nodes: Nodes) -> None:
        self.around = around
        self.stun = stun
        self.nodes = nodes
        self.last: str = ""

    def find(self) -> "Deferred[Seen]":
        """Fails with `BitDustError` ``no-answer``, ``dht-off``. Cancelling it ends the question."""
        question = _Question(self)
        question.machine.send("start")
        return question.done

    def note(self, host: str) -> None:
        """What was found out; an event reports what has changed."""
        old, self.last = self.last, host
        if old != host:
            self.around.events.send("my-external-ip-changed", {"old": old, "new": host})


class _Question:
    """One question: the port of its machine."""

    def __init__(self, asker: SeenAddress) -> None:
        self._asker = asker
        self.done: Deferred[Seen] = Deferred(lambda _: self.machine.send("stop"))
        self.machine = StunClient(asker.around.registry, self)

    def choose(self) -> "Deferred[list[Contact]]":
        nodes = self._asker.nodes
        return nodes.find_node(self._asker.around.world.entropy(len(nodes.id))).addCallback(_chosen)

    def ask(self, nodes: Any) -> "Deferred[list[tuple[Address, Address]]]":
        return Deferred.fromCoroutine(self._ask(nodes))

    async def _ask(self, nodes: list[Contact]) -> list[tuple[Address, Address]]:
        addresses = [(node.host, node.port) for node in nodes]
        heard = await outcomes(self._asker.stun.ask(address) for address in addresses)
        answers = [(who, one.value) for who, one in zip(addresses, heard, strict=True) if one.error is None]
        if not answers:
            raise BitDustError("no-answer", f"none of {len(nodes)} nodes says from where it sees this one")
        return answers

    def report(self, answers: Any) -> None:
        seen = judge(answers)
        self._asker.note(seen.address[0])
        self.done.callback(seen)

    def give_up(self, reason: Any) -> None:
        if not self.done.called:
            silence = BitDustError("no-answer", "nobody says in time from where this node is seen")
            self.done.errback(reason if isinstance(reason, Failure) else silence)


def _chosen(found: list[Contact]) -> list[Contact]:
    """A few, of as many networks as there are: whoever has many nodes in one is heard once."""
    if not found:
        raise BitDustError("no-answer", "no other node of the DHT is there who could be asked")
    first: dict[str, Contact] = {}
    for one in found:
        first.setdefault(network(one.host) or one.host, one)
    others = [one for one in found if one not in first.values()]
    return [*first.values(), *others][:ASKED]


def judge(answers: Sequence[tuple[Address, Address]]) -> Seen:
    """What is to be believed of some answers, of which there is one at least."""
    hosts = Counter(seen[0] for _, seen in answers)
    believed = [host for host, count in hosts.items() if count > 1] or list(hosts)
    host = max(believed, key=lambda one: (reach(one) == WORLD, hosts[one], one))
    ports = Counter(seen[1] for _, seen in answers if seen[0] == host)
    port = max(ports, key=lambda one: (ports[one], one))
    return Seen((host, port), len(ports) > 1 and ports[port] == 1, tuple(answers))
