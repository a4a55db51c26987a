"""This node as a spare: customers whose place it takes because a certificate says so, one `spare_rebuild` each."""

from typing import Any

from bitdust.automats.spare_rebuild import SpareRebuild
from bitdust.crypt.spare_votes import SKEW, Bench
from bitdust.customers.contracts import MAX_TERM_DAYS, Customer, Wish
from bitdust.customers.healing.councils import Councils
from bitdust.customers.healing.dossiers import Shown
from bitdust.customers.healing.rebuild import Rebuilds, SpareWork
from bitdust.customers.store import SupplierStore
from bitdust.peers.shown import Names
from bitdust.surroundings import Connected
from bitdust.wire.errors import BitDustError
from bitdust.wire.sizes import in_words

FOR_PLACES = 0.5
"""Of what is donated, for all places of others together: five keys of one person are a family with a majority."""


class StandIns:
    """I accept places by the rules of this node, and have the machines while I am started."""

    def __init__(self, around: Connected, store: SupplierStore, councils: Councils, rebuilds: Rebuilds) -> None:
        self._me = around.me
        self._registry = around.registry
        self._events = around.events
        self._identities = around.identities
        self._wall = around.world.wall
        self._store = store
        self._councils = councils
        self._rebuilds = rebuilds
        self._machines: dict[bytes, tuple[SpareRebuild, SpareWork]] = {}
        self._is_open = False

    def start(self) -> None:
        """Go on with every place that this node has, wherever it was when the node stopped."""
        self._is_open = True
        for customer in self._councils.book.customers():
            self.refresh(customer)

    def stop(self) -> None:
        """Make no more pieces; what is stored stays."""
        self._is_open = False
        machines, self._machines = self._machines, {}
        for machine, _ in machines.values():
            machine.send("shutdown")

    def forget(self, customer: bytes) -> None:
        """This customer is one no more."""
        machine, _ = self._machines.pop(customer, (None, None))
        if machine is not None:
            machine.send("shutdown")

    def refresh(self, customer: bytes) -> None:
        """A certificate may have come, or has been renewed."""
        if not self._is_open or self._councils.place_of_spare(customer) is None:
            return
        if customer not in self._machines:
            work = SpareWork(self._rebuilds, customer)
            self._machines[customer] = (SpareRebuild(self._registry, customer.hex()[:8], work), work)
        self._machines[customer][0].send("check")

    # accepting

    def need_room(self, customer: bytes, room: int) -> None:
        """Raises `BitDustError` where this node would not stand in for a place of so many bytes."""
        if not self._store.is_open or self._store.contracts.is_closed or customer == self._me.fingerprint:
            raise BitDustError("no-service", "this node takes no new customers now")
        if self._store.contract_of(customer) is not None and not self._is_half_way(customer):
            raise BitDustError("conflict", "this node is a supplier of that customer already")
        others = [account for account in self._store.customers() if account.customer != customer]
        donated = self._store.donated()
        stood_in = sum(one.allotted for one in others if self._councils.place_of_spare(one.customer) is not None)
        free = min(donated - sum(one.allotted for one in others), int(donated * FOR_PLACES) - stood_in)
        if room > min(free, self._store.space.free()):
            raise BitDustError("no-space", f"{in_words(room)} were asked for and {in_words(max(0, free))} are free")

    def _is_half_way(self, customer: bytes) -> bool:
        """Whether there is a contract that no certificate and no owner's word is known for.

        This node died, or its disk did, before it had written the rest of what makes it a spare.
        """
        family = self._councils.family(customer)
        if family is not None and self._me.fingerprint in family.holders:
            return False
        return self._councils.place_of_spare(customer) is None

    def is_to_begin(self, customer: bytes) -> bool:
        """Whether this node knows nothing of the family yet that a certificate could be compared with."""
        return self._store.is_open and self._councils.bench(customer) is None

    async def begin(self, shown: Shown) -> Bench:
        """Become a supplier of a customer by a certificate that names this node. Raises `BitDustError`."""
        family, owner = shown.family, self._identities.get(shown.family.customer)
        bench = Bench(family, self._identities.get, self._wall()).with_all(shown.certificates)
        place = next((one.terms.place for one in bench.certificates if one.terms.spare == self._me.fingerprint), None)
        if place is None or owner is None:
            raise BitDustError("not-allowed", "no certificate that counts makes this node a spare")
        self._need_new(bench, place)
        room = bench.mandate.room
        self.need_room(family.customer, room)
        customer = Customer(family.customer, str(owner.idurl), owner.global_id, owner.revision, owner.xml)
        await self._store.request(customer, Wish(room, family.n, place, MAX_TERM_DAYS, is_vouched=True))
        await self._councils.keep(shown)
        idurl = Names.of(self._identities, family.customer).idurl
        self._events.send("customer-spare-accepted", {"idurl": idurl, "position": place, "room": room})
        return self._councils.note(family, shown.certificates)

    def _need_new(self, bench: Bench, place: int) -> None:
        """Raises `BitDustError` for votes of before this node's place in the family ended."""
        ended = self._councils.book.ended(bench.family.customer)
        (certificate,) = [one for one in bench.certificates if one.terms.place == place]
        if ended is not None and min(vote.time for vote in certificate.votes) <= ended + SKEW:
            raise BitDustError("stale", "this node was a spare by these votes, and its place has ended since")

    def status(self, customer: bytes) -> dict[str, Any]:
        """How far this node has come. Raises ``no-contract``."""
        account, place = self._store.contract_of(customer), self._councils.place_of_spare(customer)
        if account is None:
            raise BitDustError("no-contract", "this node keeps nothing of that customer")
        machine, work = self._machines.get(customer, (None, None))
        return {
            "state": machine.state if machine is not None else "",
            "place": place if place is not None else account.contract.position,
            "contract": self._me.sign(account.contract.KIND, account.contract.to_body()).to_bytes(),
            "used": account.used,
            "made": work.made if work is not None else 0,
        }

    def states(self) -> list[tuple[bytes, str]]:
        """Customers for whom this node stands in, and the state of each machine."""
        return [(customer, machine.state) for customer, (machine, _) in sorted(self._machines.items())]
