"""Scopes with what is taken in them, and reservations, which count in several at once."""

from collections import Counter
from collections.abc import Hashable, Mapping
from enum import Enum
from typing import Any

from attrs import define, field
from twisted.internet.interfaces import IReactorTime

from bitdust.wire.errors import BitDustError


class Resource(Enum):
    """What is counted; bytes or pieces of it."""

    __hash__ = object.__hash__  # of each there is one: its name need not be looked at

    CONNECTIONS = "connections"
    """Those that have not shown who they are."""
    SESSIONS = "sessions"
    """Those that have."""
    STREAMS = "streams"
    """Payloads on their way in."""
    REQUESTS = "requests"
    """Packets of peers that are worked on."""
    MEMORY = "memory"
    """Bytes that wait here to be read, or to be taken by the peer."""
    PAYLOADS = "payloads"
    """Bytes of payloads that are gathered here until they are whole."""
    WRITES = "writes"
    """Pieces on their way to the disk: an open file each."""
    READS = "reads"
    """Pieces on their way from the disk: an open file each."""


class Role(Enum):
    """How well a party is known; the first that fits counts."""

    DEVICE = "device"
    SUPPLIER = "supplier"
    FRIEND = "friend"
    CUSTOMER = "customer"
    NEWCOMER = "newcomer"
    """A customer of today, or one of whom nothing is stored: it counts among the customers as well."""
    STRANGER = "stranger"
    UNPROVEN = "unproven"
    """A connection that has not shown who it is."""
    PROGRAM = "program"
    """A program at the API; not a peer."""


Limits = Mapping[Resource, int]


class TooMuch(BitDustError):
    """``busy``: a scope is full. ``scope`` is the one that refused."""

    def __init__(self, scope: "Scope", resource: Resource) -> None:
        super().__init__("busy", f"this node has no more {resource.value} for {scope.kind}s; come again later")
        self.scope = scope
        self.resource = resource


LONGEST = 30.0
"""Seconds of debt: a peer that is not read for longer would take this node for dead."""


class Allowance:
    """A token bucket: ``rate`` requests a second, ``burst`` of them at once. Who asks more is read more slowly."""

    def __init__(self, clock: IReactorTime, rate: float, burst: float) -> None:
        self._clock = clock
        self._rate = rate
        self._burst = self._tokens = burst
        self._at = clock.seconds()

    def left(self) -> float:
        """Requests that are within the rate now; less than none where there is a debt."""
        return min(self._burst, self._tokens + (self._clock.seconds() - self._at) * self._rate)

    def spent(self) -> float:
        """What is not there any more, or not yet again."""
        return self._burst - self.left()

    def spend(self, cost: float = 1.0) -> float:
        """Seconds until the next one is within the rate, 0 if it is now; `LONGEST` at most."""
        now = self._clock.seconds()
        tokens = min(self._burst, self._tokens + (now - self._at) * self._rate) - cost
        self._tokens, self._at = max(tokens, -LONGEST * self._rate), now
        return -self._tokens / self._rate if tokens < 0.0 else 0.0


REMEMBERED = 4096
"""Allowances that outlive the sessions of those who have used them."""


class Allowances:
    """Allowances by what they belong to. The last ones that were used are remembered: who leaves and comes again has
    what is left, and not a whole burst."""

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._kept: dict[Hashable, Allowance] = {}

    def get(self, key: Hashable) -> Allowance | None:
        """One that is remembered; None for others."""
        found = self._kept.pop(key, None)
        if found is not None:
            self._kept[key] = found
        return found

    def of(self, key: Hashable, rate: tuple[float, float]) -> Allowance:
        """One that is remembered, or a new one of that rate and burst."""
        found = self.get(key)
        if found is None:
            found = self._kept[key] = Allowance(self._clock, *rate)
            if len(self._kept) > REMEMBERED:
                del self._kept[next(iter(self._kept))]
        return found


@define(eq=False)
class Scope:
    """One of those who take: what it has taken, the most that it may take, and refusals of it and of smaller ones in
    it."""

    kind: str
    name: str
    limits: Limits
    allowance: Allowance | None = None
    """What all in it may ask in a second."""
    used: Counter[Resource] = field(factory=Counter, init=False)
    peak: Counter[Resource] = field(factory=Counter, init=False)
    refused: Counter[Resource] = field(factory=Counter, init=False)

    @property
    def is_single(self) -> bool:
        """Whether it is of one peer or one network, and not of all in a role."""
        return self.kind in ("peer", "network")

    def has_room(self, resource: Resource, amount: int) -> bool:
        """Whether so much more may be taken."""
        limit = self.limits.get(resource)
        return limit is None or self.used[resource] + amount <= limit

    def take(self, resource: Resource, amount: int) -> None:
        """Count it; a negative amount gives it back."""
        used = self.used[resource] = self.used[resource] + amount
        self.peak[resource] = max(self.peak[resource], used)

    def shown(self) -> dict[str, Any]:
        """For people and programs: of each resource what is used, the limit, the most so far, and refusals."""
        seen = [one for one in Resource if one in self.limits or self.peak[one]]
        return {
            one.value: {
                "used": self.used[one],
                "limit": self.limits.get(one),
                "peak": self.peak[one],
                "refused": self.refused[one],
            }
            for one in seen
        }


class Reservation:
    """Something that was taken; `release` gives it back, once."""

    def __init__(self, chain: tuple[Scope, ...], resource: Resource, amount: int) -> None:
        self._chain = chain
        self.resource = resource
        self.amount = amount

    def within(self, scope: Scope) -> bool:
        """Whether this counts in a scope: releasing it makes room there."""
        return bool(self.amount) and scope in self._chain

    def resize(self, amount: int) -> None:
        """Take more, or give some back; raises `TooMuch`, and then nothing has changed."""
        if amount > self.amount:
            _demand(self._chain, self.resource, amount - self.amount)
        self.force(amount)

    def force(self, amount: int) -> None:
        """Count so much, full or not: it is there already."""
        for scope in self._chain:
            scope.take(self.resource, amount - self.amount)
        self.amount = amount

    def move(self, chain: tuple[Scope, ...]) -> None:
        """Count it in other scopes from now on, full or not: its party has another role."""
        for scope in self._chain:
            scope.take(self.resource, -self.amount)
        self._chain = chain
        for scope in chain:
            scope.take(self.resource, self.amount)

    def release(self) -> None:
        """Give all of it back."""
        if self.amount:
            self.resize(0)


def _demand(chain: tuple[Scope, ...], resource: Resource, amount: int) -> None:
    for place, scope in enumerate(chain):
        if not scope.has_room(resource, amount):
            for larger in chain[place:]:
                larger.refused[resource] += 1
            raise TooMuch(scope, resource)
