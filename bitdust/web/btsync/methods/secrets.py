"""Secrets: new ones, and all that can be told from one."""

from bitdust.folders.secrets import Secret, make, parse
from bitdust.web.btsync.arguments import Arguments
from bitdust.web.btsync.table import Answer, ApiError, Method, Node
from bitdust.wire.errors import BitDustError

NAMES = {"A": "read_write", "B": "read_only", "D": "read_write", "E": "read_only", "F": "encryption"}
ENCRYPTED = ("encryption", "encrypted")
"""What both the page of the API and its own example call it."""
INVALID = 3


async def get_secrets(node: Node, given: Arguments) -> Answer:
    """Those of a secret, or new ones; of an encrypted folder where the type says so."""
    return {NAMES[one.kind]: one.text for one in _family(node, given)}


def _family(node: Node, given: Arguments) -> tuple[Secret, ...]:
    if "secret" not in given:
        first = make("D" if given.text("type") in ENCRYPTED else "A", node.entropy)
        return (first, *first.weaker())
    try:
        first = parse(given.text("secret"))
    except BitDustError as error:
        raise ApiError(INVALID, "Invalid secret.") from error
    return (first, *first.weaker())


ROWS = (Method("get_secrets", get_secrets),)
