"""Coming into the network: prove a few nodes, look for oneself, and make acquaintances at every distance."""

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from bitdust.dht.contact import Contact
from bitdust.dht.ids import ID_BITS, ID_BYTES
from bitdust.dht.lookup import Goal, Lookup
from bitdust.dht.messages import Message
from bitdust.dht.peers import Peers
from bitdust.dht.rpc import Rpc
from bitdust.wire.encoding import WireError

TRIES = 3
AGAIN = 0.7
SATURATED = 8
"""With so many contacts at one distance a node looks for no more of them; the rest comes by itself."""


class Joining:
    """One attempt; `done` fires with the number of contacts, 0 when nobody answered."""

    def __init__(
        self,
        clock: IReactorTime,
        entropy: Callable[[int], bytes],
        peers: Peers,
        rpc: Rpc,
        own: Contact,
        entries: list[Contact],
    ) -> None:
        self._clock = clock
        self._entropy = entropy
        self._peers = peers
        self._rpc = rpc
        self._own = own
        self._entries = entries
        self._silent = 0
        self._is_over = False
        self._calls: list[Any] = []
        self._lookup: Lookup | None = None
        self.done: Deferred[int] = Deferred(lambda _: self.stop())

    def start(self) -> None:
        """Ask every node that is known to be asked first."""
        if not self._entries:
            self._calls.append(self._clock.callLater(0, self._end))
        for entry in self._entries:
            self._prove(entry, TRIES)

    def stop(self) -> None:
        """Give up without a word."""
        self._is_over = True
        if self._lookup is not None:
            self._lookup.stop()
        for call in self._calls:
            if call.active():
                call.cancel()

    def _prove(self, entry: Contact, tries: int) -> None:
        settled: list[bool] = []

        def answer(_contact: Contact, proven: bool) -> None:
            if self._is_over or (settled and not proven):
                return
            first = not settled
            settled.append(proven)
            if proven:
                self._look_for_self()
            elif tries > 1 and first:
                self._calls.append(self._clock.callLater(AGAIN, self._prove_again, entry, tries - 1))
            elif first:
                self._note_silence()

        self._peers.prove(entry, answer)

    def _prove_again(self, entry: Contact, tries: int) -> None:
        if not self._is_over and self._lookup is None:
            self._prove(entry, tries)

    def _note_silence(self) -> None:
        self._silent += 1
        if self._silent == len(self._entries) and self._lookup is None:
            self._end()

    def _look_for_self(self) -> None:
        if self._lookup is None:
            goal = Goal.nodes(self._own.number)
            self._lookup = Lookup(self._peers, self._rpc, goal, self._met, on_reply=self._meet)
            self._lookup.start()

    def _meet(self, contact: Contact, reply: Message) -> None:
        """Whoever is told of and fits is worth a ping."""
        greet(self._peers, contact, reply)

    def _met(self, _lookup: Lookup) -> None:
        self._reach_out()
        self._end()

    def _reach_out(self) -> None:
        """One question for each distance at which there are few contacts, to the nearest known."""
        near = min((contact.number ^ self._own.number for contact in self._peers.everyone()), default=0)
        counts = self._peers.tables[0].buckets()
        for bits in range(max(near.bit_length(), 1), ID_BITS + 1):
            if counts.get(bits, 0) < SATURATED:
                self._ask_about(self._own.number ^ (1 << (bits - 1)))

    def _ask_about(self, target: int) -> None:
        for contact in self._peers.nearest(target, 0, 1):
            fields = {"target": target.to_bytes(ID_BYTES, "big")}
            self._rpc.ask(contact, "find_node", fields, self._meet)

    def _end(self) -> None:
        self.stop()
        if not self.done.called:
            self.done.callback(len(self._peers))


def greet(peers: Peers, contact: Contact, reply: Message) -> None:
    """Prove those of the told contacts for whom there is a place where there are few."""
    try:
        told = peers.contacts_in(reply, contact)
    except WireError:
        return
    for other in told:
        if peers.scarce(other, SATURATED):
            peers.prove(other)
