"""Suppliers that lie: they acknowledge what they drop, list what they have not, or give back something else."""

from typing import TYPE_CHECKING, Any

from attrs import evolve
from twisted.internet.defer import Deferred, succeed

from bitdust.customers.database import PieceCondition
from bitdust.customers.pieces import FoundPiece, TestedPiece
from tests.grid.chaos import rot

if TYPE_CHECKING:
    from tests.grid.chaos.nodes import ChaosNode

DROPS, ROTS = "drops", "gives something else"
KINDS = (DROPS, ROTS)
EVERY = 5.0
"""Seconds between two looks for something to drop."""


def begin(node: "ChaosNode", lie: str) -> None:
    """From now on this supplier lies, and finds nothing wrong with itself."""
    node.lie = lie
    store: Any = node.rooms.customers.store
    store.test = lambda name: succeed(TestedPiece(name, PieceCondition.KEPT))
    store.pieces.mark = lambda name, condition: succeed(None)
    if lie == ROTS:
        find = store.find

        def found(*args: Any) -> "Deferred[FoundPiece]":
            return find(*args).addCallback(_changed)

        store.find = found
    else:
        _drop(node)


def end(node: "ChaosNode") -> None:
    """It is an honest supplier again, with whatever it still has; its process starts anew."""
    node.lie = ""


def _changed(found: FoundPiece) -> FoundPiece:
    if isinstance(found.source, bytes):
        return evolve(found, source=bytes(len(found.source)))
    read = found.source.read
    source: Any = found.source
    source.read = lambda offset, length: read(offset, length).addCallback(lambda data: bytes(len(data)))
    return found


def _drop(node: "ChaosNode") -> None:
    if node.lie == DROPS:
        rot.drop_bytes(node)
        node.clock.callLater(EVERY, _drop, node)
