"""All commands of the RPC, by their themes."""

from bitdust.web.ipfs.commands import (
    blocks,
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
    repo,
    swarm,
)
from bitdust.web.ipfs.table import Commands

THEMES = (
    blocks,
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
    repo,
    swarm,
)


def all_commands() -> Commands:
    """A table of all of them, and of itself."""
    commands = Commands()
    for theme in THEMES:
        commands.add(theme.ROWS)
    return commands.add([node.list_of(commands)])
