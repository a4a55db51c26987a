"""Who is who: I prove nodes, keep the routing tables of all layers, and put aside those that fall silent.

A node enters a table when its pong, signed with its device key, came from its address. One that fails once leaves at
once; it is asked again after 1, 4, 16, 64 and 256 seconds, and comes back with its first answer. Every layer that any
known node is attached to has a table of its own, so that I can show newcomers the way into layers that I am not in.
"""

from collections import OrderedDict, deque
from collections.abc import Callable
from functools import lru_cache

from attrs import define
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from bitdust.crypt.device import verify
from bitdust.dht.contact import Contact, believable, nearest, network, unpack, usable_by
from bitdust.dht.ids import MAX_LAYER
from bitdust.dht.messages import MAX_NODES, NONCE_BYTES, Message, pong_message
from bitdust.dht.rpc import Rpc
from bitdust.dht.table import K, RoutingTable
from bitdust.scopes.networks import Household
from bitdust.signal import Signal

MAX_BOOK = 4000
MAX_PROVING = 24
MAX_WAITING = 512
MAX_ASIDE = 512
RETRIES = (1.0, 4.0, 16.0, 64.0, 256.0)
SAME_AGAIN = 1.0
Address = tuple[str, int]


@define
class _Aside:
    contact: Contact
    tries: int
    due: float


class Peers:
    """All I know of other nodes."""

    def __init__(
        self, clock: IReactorTime, entropy: Callable[[int], bytes], own: Contact, rpc: Rpc, household: Household
    ) -> None:
        @lru_cache(maxsize=MAX_BOOK)
        def network_outside(host: str) -> str | None:
            return None if host in household else network(host)

        self.network: Callable[[str], str | None] = network_outside
        """The network in which an address counts; None for one of the household, of which each counts by itself."""
        self._clock = clock
        self._entropy = entropy
        self._own = own
        self._rpc = rpc
        self.tables: dict[int, RoutingTable] = {0: RoutingTable(own.number)}
        self._book: OrderedDict[bytes, Contact] = OrderedDict()
        self._aside: dict[int, _Aside] = {}
        self._proving: set[int] = set()
        self._waiting: deque[Contact] = deque()
        self._asked: dict[int, float] = {}
        self._proofs: OrderedDict[tuple[bytes, Address], bool] = OrderedDict()
        self._timer: IDelayedCall | None = None
        self.changed = Signal[[]]()
        """Whether anybody is known may be another now."""
        self.met = Signal[[]]()
        """Somebody new is known, or a known node at another address."""
        self.seated = Signal[[int]]()
        """Somebody has a place in the table of a layer, and had none before."""

    # what others ask

    def __len__(self) -> int:
        return len(self.tables[0])

    def everyone(self) -> list[Contact]:
        """Every proven contact that answers, of whatever layer."""
        found = {contact.number: contact for table in self.tables.values() for contact in table.contacts()}
        return list(found.values())

    def nearest(self, target: int, layer: int, most: int = K) -> list[Contact]:
        """Proven contacts of a layer nearest to a number."""
        table = self.tables.get(layer)
        return table.nearest(target, most) if table else []

    def contacts_for(self, target: int, layer: int, asker: bytes, host: str, most: int = MAX_NODES) -> bytes:
        """What an asker may hear of a layer's contacts, in compact form."""
        table = self.tables.get(layer)
        if table is None:
            return b""
        fit = [contact for contact in table.contacts() if contact.id != asker and usable_by(contact, host)]
        return b"".join([contact.packed() for contact in nearest(fit, target, most)])

    def contact(self, key: bytes, host: str, port: int, layers: int = 0) -> Contact:
        """The contact with that key at that address; another address of a proven node is kept apart, not believed."""
        known = self._book.get(key)
        if known is not None:
            if known.port == port and known.host == host:
                return known
            if known.proven:
                return Contact(key, host, port, layers)
        contact = Contact(key, host, port, layers)
        self._book[key] = contact
        while len(self._book) > MAX_BOOK:
            self._forget_eldest()
        return contact

    def _forget_eldest(self) -> None:
        key, contact = self._book.popitem(last=False)
        if any(contact.number in table for table in self.tables.values()):
            self._book[key] = contact

    def contacts_in(self, reply: Message, teller: Contact) -> list[Contact]:
        """The believable contacts in a reply; raises `WireError` for nonsense."""
        contacts = []
        for key, layers, host, port in unpack(reply.get("nodes") or b"", MAX_NODES):
            if key != self._own.key and believable(host, port, teller.host):
                contacts.append(self.contact(key, host, port, layers))
        return contacts

    def silent_now(self, contact: Contact) -> bool:
        """Whether that node has been put aside."""
        return contact.number in self._aside

    # what happens

    def asked_by(self, message: Message, address: Address) -> None:
        """A query came from an address that has shown its token: perhaps from somebody worth knowing, or with news.

        Who is proven and asks from where it was proven is believed about its layers, as it is when it answers.
        """
        if message["k"] == self._own.key:
            return
        contact = self.contact(message["k"], address[0], address[1], message["a"])
        if contact.number in self._aside:
            self._ask_again(contact)
        elif contact.layers != message["a"]:
            contact.layers = message["a"]
            if contact.proven:
                self._seat(contact)
            elif self.wanted(contact):
                self.prove(contact)
        elif self.wanted(contact):
            self.prove(contact)

    def answered(self, contact: Contact, reply: Message) -> None:
        """A reply came, so the node lives and its layers are as it says."""
        if not contact.key or contact.key == self._own.key:
            return
        contact.heard = self._clock.seconds()
        changed = contact.layers != reply["a"]
        contact.layers = reply["a"]
        if contact.number in self._aside:
            del self._aside[contact.number]
            changed = True
        if contact.proven and changed:
            self._seat(contact)
        elif not contact.proven and self.wanted(contact):
            self.prove(contact)

    def silent(self, contact: Contact) -> None:
        """A node let its time-out pass: it loses its places at once."""
        seated = False
        for table in self.tables.values():
            seated = seated or table.get(contact.number) is contact
            spare = table.remove(contact)
            if spare is not None:
                self._take_spare(spare)
        known = self._aside.get(contact.number)
        if known is not None:
            return
        if seated and len(self._aside) < MAX_ASIDE:
            self._aside[contact.number] = _Aside(contact, 0, self._clock.seconds() + RETRIES[0])
            self._wake()
        if seated:
            self.changed.emit()

    def _take_spare(self, spare: Contact) -> None:
        if spare.proven and spare.number not in self._aside:
            self._seat(spare)
        elif self.wanted(spare):
            self.prove(spare)

    def wanted(self, contact: Contact) -> bool:
        """Whether some table has a place for it."""
        if contact.number == self._own.number:
            return False
        if self.tables[0].room(contact):
            return True
        return any(self._table(layer).room(contact) for layer in _layers(contact.layers))

    def scarce(self, contact: Contact, few: int) -> bool:
        """Whether there is a place for it, and fewer than ``few`` contacts at its distance."""
        return self.wanted(contact) and self.tables[0].at_distance_of(contact) < few

    def _table(self, layer: int) -> RoutingTable:
        table = self.tables.get(layer)
        if table is None:
            table = self.tables[layer] = RoutingTable(self._own.number)
        return table

    # proof

    def prove(self, contact: Contact, then: Callable[[Contact, bool], None] | None = None) -> None:
        """Ask for a signed pong; ``then`` is told whether the node is proven."""
        if then is None:
            if contact.number in self._proving or len(self._waiting) >= MAX_WAITING:
                return
            self._proving.add(contact.number)
            if len(self._proving) > MAX_PROVING:
                self._waiting.append(contact)
                return
        self._send_ping(contact, then)

    def _send_ping(self, contact: Contact, then: Callable[[Contact, bool], None] | None) -> None:
        nonce = self._entropy(NONCE_BYTES)
        proven = (contact.key, contact.address) in self._proofs

        def ponged(answering: Contact, reply: Message) -> None:
            if then is None:
                self._proved(contact)
            sure = self._check_pong(answering, reply, nonce) if not proven else answering
            if sure is not None:
                self.admit(sure)
            if then is not None:
                then(sure or answering, sure is not None)

        def failed(answering: Contact) -> None:
            if then is None:
                self._proved(contact)
            else:
                then(answering, False)

        self._rpc.ask(contact, "ping", {} if proven else {"nonce": nonce}, ponged, failed)

    def _proved(self, contact: Contact) -> None:
        self._proving.discard(contact.number)
        while self._waiting and len(self._proving) - len(self._waiting) < MAX_PROVING:
            following = self._waiting.popleft()
            if self.wanted(following):
                self._send_ping(following, None)
            else:
                self._proving.discard(following.number)

    def _check_pong(self, contact: Contact, reply: Message, nonce: bytes) -> Contact | None:
        if reply["k"] == self._own.key:
            return None
        message = pong_message(nonce, reply["n"], self._own.id)
        if not verify(reply["k"], reply.get("signature") or b"", message):
            return None
        if not contact.key:
            token, contact = contact.token, self.contact(reply["k"], contact.host, contact.port, reply["a"])
            contact.token = token
        contact.layers = reply["a"]
        self._proofs[contact.key, contact.address] = True
        if len(self._proofs) > MAX_BOOK:
            self._proofs.popitem(last=False)
        return contact

    def admit(self, contact: Contact) -> None:
        """A proven contact takes its places; a proof from a new address moves the node there."""
        is_new, contact.proven = not contact.proven, True
        known = self._book.get(contact.key)
        if known is not None and known is not contact:
            for table in self.tables.values():
                table.remove(known)
        self._book[contact.key] = contact
        self._aside.pop(contact.number, None)
        self._seat(contact)
        if is_new or known is not contact:
            self.met.emit()

    def _seat(self, contact: Contact) -> None:
        before = len(self)
        self.tables[0].add(contact)
        for layer in range(1, MAX_LAYER + 1):
            if contact.attached(layer):
                if self._table(layer).add(contact):
                    self.seated.emit(layer)
            elif layer in self.tables:
                self.tables[layer].remove(contact)
        if len(self) != before:
            self.changed.emit()

    # those put aside

    def _ask_again(self, contact: Contact) -> None:
        now = self._clock.seconds()
        if now - self._asked.get(contact.number, -SAME_AGAIN) >= SAME_AGAIN:
            if len(self._asked) >= MAX_BOOK:
                self._asked.clear()
            self._asked[contact.number] = now
            self.prove(contact)

    def _wake(self) -> None:
        if self._aside and not (self._timer is not None and self._timer.active()):
            due = min(aside.due for aside in self._aside.values())
            self._timer = self._clock.callLater(max(0.05, due - self._clock.seconds()), self._retry)

    def _retry(self) -> None:
        now = self._clock.seconds()
        for ident, aside in list(self._aside.items()):
            if aside.due > now:
                continue
            aside.tries += 1
            if aside.tries > len(RETRIES):
                del self._aside[ident]
                continue
            aside.due = now + RETRIES[min(aside.tries, len(RETRIES) - 1)]
            self.prove(aside.contact)
        self._wake()

    def stop(self) -> None:
        """Stop the timer."""
        if self._timer is not None and self._timer.active():
            self._timer.cancel()


@lru_cache(maxsize=256)
def _layers(mask: int) -> tuple[int, ...]:
    return tuple(layer for layer in range(1, MAX_LAYER + 1) if mask >> layer & 1)
