"""Storing a record at the nodes nearest to its key."""

from collections import Counter
from collections.abc import Callable

from attrs import field, frozen

from bitdust.dht.contact import Contact
from bitdust.dht.lookup import Goal, Lookup
from bitdust.dht.messages import Message
from bitdust.dht.peers import Peers
from bitdust.dht.rpc import Rpc
from bitdust.dht.table import K

ENOUGH = 5
"""So many of the nearest nodes must have answered before their word is taken for who the twenty nearest are."""


@frozen
class Stored:
    """The outcome of a put. ``count`` nodes keep the record, ``asked`` were asked; ``closest`` are their ids in hex.

    ``refused`` counts the codes of those that said no; ``newest`` is the highest revision that one of them has; ``own``
    says whether this node is one of those that keep it.
    """

    count: int
    asked: int
    closest: tuple[str, ...]
    refused: dict[str, int] = field(factory=dict)
    newest: int | None = None
    own: bool = False

    @property
    def others(self) -> int:
        """How many other nodes keep it: a record that this one keeps alone is found by nobody."""
        return self.count - self.own


class Publishing:
    """One record on its way to the nearest nodes. A silent node is replaced by the next one at once."""

    def __init__(
        self,
        peers: Peers,
        rpc: Rpc,
        own: Contact,
        record: tuple[bytes, int, int],
        keep: Callable[[], bool],
        on_done: Callable[[Stored], None],
    ) -> None:
        self._peers = peers
        self._rpc = rpc
        self._own = own
        self._data, self._target, self._layer = record
        self._keep = keep
        self._on_done = on_done
        self._waiting: list[Contact] = []
        self._flying: set[int] = set()
        self._slow: set[int] = set()
        self._kept: list[Contact] = []
        self._tried: set[int] = set()
        self._wanted = K
        self._refused: Counter[str] = Counter()
        self._newest: int | None = None
        self._done = False
        self._silent_nodes = 0
        self._looked = 0

    def start(self) -> None:
        """Find out who is nearest, then store."""
        self._look_up(ENOUGH)

    def _look_up(self, enough: int) -> None:
        self._looked += 1
        Lookup(self._peers, self._rpc, Goal.nodes(self._target), self._found, enough).start()

    def _found(self, lookup: Lookup) -> None:
        self._waiting = [contact for contact in lookup.candidates() if contact.number not in self._tried]
        if self._looked == 1:
            self._keep_here()
        self._go_on()

    def _keep_here(self) -> None:
        own_distance = self._own.number ^ self._target
        nearer = sum(contact.number ^ self._target < own_distance for contact in self._waiting[:K])
        if nearer < K and self._keep():
            self._kept.append(self._own)

    def _go_on(self) -> None:
        settled = len(self._kept) + sum(self._refused.values())
        while self._waiting and settled + len(self._flying) - len(self._slow) < self._wanted:
            self._store(self._waiting.pop(0))
        if self._flying or self._done:
            return
        if settled < self._wanted and self._silent_nodes and self._looked == 1:
            self._look_up(K)
        else:
            self._done = True
            self._on_done(self._outcome())

    def _outcome(self) -> Stored:
        kept = sorted(self._kept, key=lambda contact: contact.number ^ self._target)
        closest = tuple(contact.id.hex() for contact in kept)
        own = self._own in self._kept
        return Stored(len(kept), len(self._tried), closest, dict(self._refused), self._newest, own)

    def _store(self, contact: Contact) -> None:
        self._tried.add(contact.number)
        self._flying.add(contact.number)
        self._rpc.ask(
            contact, "store", {"record": self._data}, self._answered, self._silent, self._is_slow, self._layer
        )

    def _landed(self, contact: Contact) -> None:
        self._flying.discard(contact.number)
        self._slow.discard(contact.number)

    def _answered(self, contact: Contact, reply: Message) -> None:
        self._landed(contact)
        if reply["stored"]:
            self._kept.append(contact)
        else:
            self._refused[reply.get("code") or "refused"] += 1
            revision = reply.get("revision")
            if revision is not None:
                self._newest = max(revision, self._newest or 0)
        self._go_on()

    def _silent(self, contact: Contact) -> None:
        self._landed(contact)
        self._silent_nodes += 1
        self._go_on()

    def _is_slow(self, contact: Contact) -> None:
        if contact.number in self._flying:
            self._slow.add(contact.number)
            self._go_on()
