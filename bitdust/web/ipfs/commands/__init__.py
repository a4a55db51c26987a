"""All commands of the RPC, by their themes."""

from bitdust.web.ipfs.commands import blocks, cids, dag, files, key, mfs, node, objects, pins, repo
from bitdust.web.ipfs.table import Commands


def all_commands() -> Commands:
    """A table of all of them, and of itself."""
    commands = Commands()
    for theme in (blocks, cids, dag, files, key, mfs, node, objects, pins, repo):
        commands.add(theme.ROWS)
    return commands.add([node.list_of(commands)])
