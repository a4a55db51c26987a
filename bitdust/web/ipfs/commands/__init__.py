"""All commands of the RPC, by their themes."""

from bitdust.web.ipfs.commands import (
    bitswap,
    blocks,
    bootstrap,
    cids,
    config,
    dag,
    diagnosis,
    files,
    identity,
    key,
    log,
    mfs,
    name,
    node,
    objects,
    ping,
    pins,
    pubsub,
    repo,
    routing,
    swarm,
    values,
)
from bitdust.web.ipfs.table import Commands

THEMES = (
    bitswap,
    blocks,
    bootstrap,
    cids,
    config,
    dag,
    diagnosis,
    files,
    identity,
    key,
    log,
    mfs,
    name,
    node,
    objects,
    pins,
    ping,
    pubsub,
    repo,
    routing,
    swarm,
    values,
)


def all_commands() -> Commands:
    """A table of all of them, and of itself."""
    commands = Commands()
    for theme in THEMES:
        commands.add(theme.ROWS)
    return commands.add([node.list_of(commands), *diagnosis.of_calls(commands)])
