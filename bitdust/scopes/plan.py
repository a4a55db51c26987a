"""The limits of every kind of scope, as shares of what a node may use of its process."""

from collections.abc import Mapping

from attrs import frozen

from bitdust.budget import MIB, Budget
from bitdust.scopes.reservations import Limits, Resource, Role

PEOPLE = (Role.DEVICE, Role.SUPPLIER, Role.FRIEND, Role.CUSTOMER)
WHOLE = 4 * MIB
"""Bytes of the largest payload that a stranger may bring to be gathered."""
READS_OF_A_STRANGER = 2
"""At once: whoever has more to read of a node that does not know it waits for its turn, or is refused."""


@frozen
class Plan:
    """The limits of every kind of scope, and how many requests a second may be made in it."""

    system: Limits
    roles: Mapping[Role, Limits]
    peers: Mapping[Role, Limits]
    network: Limits
    """Strangers and unproven connections of one network, together."""
    session: Limits
    rates: Mapping[Role, tuple[float, float]]
    """Requests a second of one peer, and how many at once."""
    role_rates: Mapping[Role, tuple[float, float]]
    """The same of all in a role together."""
    network_rate: tuple[float, float]
    """The same of strangers of one network."""
    network_welcome: tuple[float, float] = (0.5, 30.0)
    """What those who are new in one network may ask, and wait for no other ones who are new."""
    household_welcome: tuple[float, float] = (20.0, 200.0)
    """The same of the household."""

    @classmethod
    def of(cls, budget: Budget) -> "Plan":
        """Shares of a budget."""
        whole = {
            Resource.CONNECTIONS: budget.unproven,
            Resource.SESSIONS: budget.sessions,
            Resource.STREAMS: 4096,
            Resource.REQUESTS: 4096,
            Resource.MEMORY: budget.unread,
            Resource.PAYLOADS: budget.unread,
            Resource.WRITES: budget.pieces // 2,
            Resource.READS: budget.pieces // 2,
        }
        strangers = _share(whole, 1 / 4)
        eighth = _share(strangers, 1 / 8)
        one_network = {**eighth, Resource.PAYLOADS: max(WHOLE, eighth[Resource.PAYLOADS])}
        customers = _share(whole, 5 / 8)
        return cls(
            system=whole,
            roles={
                Role.CUSTOMER: customers,
                Role.NEWCOMER: _share(customers, 1 / 2),
                Role.STRANGER: strangers,
                Role.PROGRAM: {Resource.MEMORY: budget.answers},
            },
            peers=_peers(budget),
            network={**one_network, Resource.CONNECTIONS: 10},
            session={Resource.STREAMS: 256, Resource.MEMORY: min(4 * MIB, budget.unread // 4)},
            rates={
                **dict.fromkeys(PEOPLE, (1000.0, 3000.0)),
                Role.NEWCOMER: (100.0, 200.0),
                Role.STRANGER: (20.0, 100.0),
            },
            role_rates={Role.NEWCOMER: (400.0, 200.0), Role.STRANGER: (200.0, 200.0)},
            network_rate=(50.0, 100.0),
        )


def _peers(budget: Budget) -> dict[Role, Limits]:
    """What one peer may take."""
    one_stranger = {
        Resource.SESSIONS: 2,
        Resource.STREAMS: 4,
        Resource.REQUESTS: 8,
        Resource.MEMORY: MIB,
        Resource.PAYLOADS: WHOLE,
        Resource.WRITES: 2,
        Resource.READS: READS_OF_A_STRANGER,
    }
    known = {
        Resource.SESSIONS: 16,
        Resource.STREAMS: 256,
        Resource.REQUESTS: 64,
        Resource.MEMORY: max(MIB, budget.unread // 4),
        Resource.PAYLOADS: max(WHOLE, budget.unread // 4),
        Resource.WRITES: max(4, budget.pieces // 8),
        Resource.READS: max(4, budget.pieces // 8),
    }
    newcomer = {
        **known,
        Resource.SESSIONS: 4,
        Resource.STREAMS: 64,
        Resource.PAYLOADS: WHOLE,
        Resource.WRITES: max(2, budget.pieces // 16),
        Resource.READS: max(2, budget.pieces // 16),
    }
    return {**dict.fromkeys(PEOPLE, known), Role.NEWCOMER: newcomer, Role.STRANGER: one_stranger}


def _share(limits: Limits, part: float) -> Limits:
    return {one: max(1, int(limit * part)) for one, limit in limits.items()}
