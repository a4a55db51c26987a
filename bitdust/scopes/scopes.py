"""The scopes of one node, and the parties that take in them."""

from collections.abc import Callable
from typing import Any
from weakref import WeakSet, WeakValueDictionary

from twisted.internet.interfaces import IReactorTime

from bitdust.scopes.arrivals import Arrivals
from bitdust.scopes.networks import Household, network_of
from bitdust.scopes.plan import Plan
from bitdust.scopes.reservations import Allowance, Allowances, Reservation, Resource, Role, Scope
from bitdust.wire.table import Who

ROLES = {Who.DEVICE: Role.DEVICE, Who.SUPPLIER: Role.SUPPLIER, Who.FRIEND: Role.FRIEND, Who.CUSTOMER: Role.CUSTOMER}
COUNTED = Who.DEVICE | Who.SUPPLIER | Who.FRIEND | Who.CUSTOMER
"""Relations that make a difference here."""
NEW = (Role.STRANGER, Role.UNPROVEN, Role.NEWCOMER)
"""Those with whom there have been no dealings, or hardly any."""
RoleOf = Callable[[bytes], Who]


class Scopes:
    """The scopes of one node. ``role_of`` gives the relations of a fingerprint; ``household`` names networks that are
    not one stranger."""

    def __init__(self, clock: IReactorTime, plan: Plan, role_of: RoleOf, household: Household) -> None:
        self._clock = clock
        self.plan = plan
        self._role_of = role_of
        self._roles = [(who.value, role) for who, role in ROLES.items()]
        self.household = household
        self.is_newcomer: Callable[[bytes], bool] = lambda customer: False
        """Whether a customer has not been one for long enough to count among those who have something to lose."""
        self.system = Scope("system", "", plan.system)
        self.roles = {role: Scope(role.value, "", plan.roles.get(role, {})) for role in Role}
        for role, rate in plan.role_rates.items():
            self.roles[role].allowance = Allowance(clock, *rate)
        self.arrivals = Arrivals(clock)
        self._allowances = Allowances(clock)
        self._peers: WeakValueDictionary[tuple[Role, bytes], Scope] = WeakValueDictionary()
        self._networks: WeakValueDictionary[str, Scope] = WeakValueDictionary()

    def role(self, fingerprint: bytes | None) -> Role:
        """The best role of a party."""
        if fingerprint is None:
            return Role.UNPROVEN
        held = self._role_of(fingerprint).value
        role = next((role for who, role in self._roles if who & held), Role.STRANGER)
        return Role.NEWCOMER if role is Role.CUSTOMER and self.is_newcomer(fingerprint) else role

    def is_new(self, fingerprint: bytes) -> bool:
        """Whether somebody is a stranger, or hardly more."""
        return self.role(fingerprint) in NEW

    def peer(self, role: Role, fingerprint: bytes) -> Scope:
        """The scope of one peer in a role."""
        key = (role, fingerprint)
        scope = self._peers.get(key)
        if scope is None:
            allowance = self._allowances.of(key, self.plan.rates[role])
            scope = self._peers[key] = Scope("peer", fingerprint.hex()[:16], self.plan.peers[role], allowance)
        return scope

    def network_name(self, host: str) -> str:
        """Empty for the household."""
        return "" if host in self.household else network_of(host)

    def network(self, host: str) -> Scope | None:
        """The scope of the strangers of a network, or None for the household."""
        name = self.network_name(host)
        if not name:
            return None
        scope = self._networks.get(name)
        if scope is None:
            allowance = self._allowances.of(name, self.plan.network_rate)
            scope = self._networks[name] = Scope("network", name, self.plan.network, allowance)
        return scope

    def may_come(self, host: str) -> bool:
        """Whether a connection from there may go on to its handshake; a refusal is counted."""
        network = self.network_name(host)
        if not network or self.arrivals.may_come(network):
            return True
        for scope in (self.roles[Role.UNPROVEN], self.system):
            scope.refused[Resource.CONNECTIONS] += 1
        return False

    def met(self, fingerprint: bytes, host: str) -> None:
        """A peer has proved who it is, from there."""
        network = self.network_name(host)
        if network and self.role(fingerprint) not in NEW:
            self.arrivals.met(network)

    def welcome(self, host: str) -> Allowance:
        """What those who are new in a network may ask without waiting for all others who are new."""
        network = self.network_name(host)
        rate = self.plan.network_welcome if network else self.plan.household_welcome
        return self._allowances.of(("new", network), rate)

    def chain(self, role: Role, host: str | None, fingerprint: bytes | None) -> tuple[Scope, ...]:
        """All scopes of a party in a role, the smallest first."""
        found: list[Scope] = [self.peer(role, fingerprint)] if fingerprint is not None else []
        if host is not None and role in (Role.STRANGER, Role.UNPROVEN):
            network = self.network(host)
            found += [network] if network is not None else []
        found += [self.roles[role]]
        found += [self.roles[Role.CUSTOMER]] if role is Role.NEWCOMER else []
        return (*found, self.system)

    def reserve(self, resource: Resource, amount: int, fingerprint: bytes, host: str | None = None) -> Reservation:
        """Take it for a peer, whatever session it has; raises `TooMuch`, and then nothing was taken."""
        made = Reservation(self.chain(self.role(fingerprint), host, fingerprint), resource, 0)
        made.resize(amount)
        return made

    def party(self, host: str, dialled: bool = False) -> "Party":
        """A connection that comes about."""
        return Party(self, host, dialled)

    def shown(self, most: int = 10) -> list[dict[str, Any]]:
        """The system, the roles, and those networks and peers that take most memory and sessions."""
        single: list[Scope] = [*self._networks.values(), *self._peers.values()]
        single.sort(key=lambda scope: (-scope.used[Resource.MEMORY], -scope.used[Resource.SESSIONS], scope.name))
        return [
            {"scope": scope.kind, "name": scope.name, "resources": scope.shown()}
            for scope in (self.system, *self.roles.values(), *single[:most])
        ]


class Party:
    """One connection: it takes for whom it has proved to be, from where it comes. One that we dialled ourselves is
    counted by the system alone: nobody else made it. What its peer asks for counts as ever: much makes a node call
    somebody."""

    def __init__(self, scopes: Scopes, host: str, dialled: bool = False) -> None:
        self._scopes = scopes
        self.host = host
        self.dialled = dialled
        self.fingerprint: bytes | None = None
        self.own = Scope("session", host, scopes.plan.session)
        self._place: Reservation | None = None
        self._held: WeakSet[Reservation] = WeakSet()
        self._standing = Role.UNPROVEN
        self._asked: WeakSet[Reservation] = WeakSet()
        self._asking = self._scopes_of(Role.UNPROVEN)
        self._chain = self._ours(self._asking)
        self._single: list[Allowance] = []
        self._shared: list[Allowance] = []
        """Allowances that are its own or its network's, and those of all in a role."""

    def enter(self) -> None:
        """Take a place among the connections that have proved nothing yet; raises `TooMuch`."""
        self._place = self.reserve(Resource.CONNECTIONS)

    def prove(self, fingerprint: bytes) -> None:
        """Take a place as that peer in its stead; raises `TooMuch`, and then it has none."""
        self.leave()
        self.fingerprint = fingerprint
        self._scopes.met(fingerprint, self.host)
        self._move(self._scopes.role(fingerprint))
        self._place = self.reserve(Resource.SESSIONS)

    def leave(self) -> None:
        """The connection is over, or has to go."""
        if self.fingerprint is not None:
            self._scopes.met(self.fingerprint, self.host)
        if self._place is not None:
            self._place.release()

    def holds(self, scope: Scope) -> bool:
        """Whether there would be a place in that scope without it."""
        return self._place is not None and self._place.within(scope)

    @property
    def is_stranger(self) -> bool:
        """Whether it has to make way for others."""
        return not self.dialled and self._scopes.role(self.fingerprint) in (Role.STRANGER, Role.UNPROVEN)

    @property
    def is_new(self) -> bool:
        """Whether it is a stranger, or hardly more."""
        return not self.dialled and self._scopes.role(self.fingerprint) in NEW

    def ask(self) -> None:
        """It asks for something: from now on all of it counts for the role that it has now."""
        role = self._scopes.role(self.fingerprint)
        if role is not self._standing:
            self._move(role)

    def reserve(self, resource: Resource, amount: int = 1, asked: bool = False) -> Reservation:
        """Take it, for what the peer has ``asked`` or for ourselves; raises `TooMuch`, and then nothing was taken."""
        made = Reservation(self._asking if asked else self._chain, resource, 0)
        made.resize(amount)
        (self._asked if asked else self._held).add(made)
        return made

    def _move(self, role: Role) -> None:
        """What it holds counts for the role that it has now."""
        self._standing = role
        self._asking = self._scopes_of(role)
        self._chain = chain = self._ours(self._asking)
        for one in self._held:
            one.move(chain)
        for one in self._asked:
            one.move(self._asking)
        if self.fingerprint is not None:
            paced = (self._scopes.peer(role, self.fingerprint),) if self.dialled else chain
            self._single = [scope.allowance for scope in paced if scope.allowance and scope.is_single]
            self._shared = [scope.allowance for scope in paced if scope.allowance and not scope.is_single]

    def _ours(self, chain: tuple[Scope, ...]) -> tuple[Scope, ...]:
        return (self.own, self._scopes.system) if self.dialled else chain

    def _scopes_of(self, role: Role) -> tuple[Scope, ...]:
        return (self.own, *self._scopes.chain(role, self.host, self.fingerprint))

    def may_ask(self) -> float:
        """How many requests it may make now, one at least: `pace` says what it has to wait for the next one."""
        return max(1.0, min((one.left() for one in (*self._single, *self._shared)), default=1.0))

    def pace(self, cost: float = 1.0) -> float:
        """Count requests that were made; seconds until it may make the next one.

        Those who share an allowance are served in turn: who owes waits until all are served that have owed before. Who
        has asked for next to nothing yet waits for nobody.
        """
        wait = shared = 0.0
        for one in self._single:
            wait = max(wait, one.spend(cost))
        for one in self._shared:
            shared = max(shared, one.spend(cost))
        if shared > wait == 0.0:
            welcome = self._scopes.welcome(self.host)
            if welcome.left() >= cost:
                welcome.spend(cost)
                return 0.0
        return max(wait, shared)
