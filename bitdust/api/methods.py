"""The one table of this node's API."""

from types import ModuleType

from bitdust.api import (
    automats,
    btsync,
    companions,
    config,
    contacts,
    contracts,
    deletions,
    devices,
    dht,
    events,
    files,
    folder_upkeep,
    folders,
    friends,
    groups,
    history,
    identity,
    ipfs,
    keys,
    messages,
    models,
    names,
    network,
    networks,
    process,
    queues,
    risk,
    services,
    shares,
    space,
    spares,
    tickets,
    traffic,
    users,
    verify,
)
from bitdust.api.table import Method, Table
from bitdust.api.year2016.nouns import NOUNS_2016

NOUNS: tuple[ModuleType, ...] = (
    process,
    config,
    identity,
    devices,
    companions,
    keys,
    files,
    verify,
    contacts,
    contracts,
    spares,
    deletions,
    space,
    risk,
    ipfs,
    folders,
    folder_upkeep,
    btsync,
    services,
    automats,
    traffic,
    network,
    networks,
    shares,
    groups,
    queues,
    friends,
    history,
    users,
    messages,
    names,
    dht,
    events,
    models,
    tickets,
    *NOUNS_2016,
)


def rows_of(noun: ModuleType) -> list[Method]:
    """The methods that a module declares, in its order."""
    return [value for value in vars(noun).values() if isinstance(value, Method)]


TABLE = Table(row for noun in NOUNS for row in rows_of(noun))
