"""Thieves who make up families of an owner's, signed by a device that was revoked, and tell of them whoever asks.

Those whom such a record names are nobody, and a few who are real: they stand beside the owner's suppliers for a month.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred

from bitdust.suppliers.finding import Answer
from bitdust.wire.records import Family, Scheme

if TYPE_CHECKING:
    from tests.grid.chaos.nodes import ChaosNode

SIZES = (2, 4, 4, 7, 12)
MOST = 4


def make_up(lost: "ChaosNode", before: Family, real: list[bytes]) -> list[bytes]:
    """Some records of whoever has a lost home."""
    me, random = lost.rooms.identity.me, lost.field.random
    records = []
    for _ in range(random.randint(1, MOST)):
        n = random.choice(SIZES)
        suppliers: list[bytes | None] = [random.randbytes(32) for _ in range(n)]
        if real and random.random() < 0.3:
            suppliers[0] = random.choice(real)
        leaving = [random.randbytes(32) for _ in range(n)] if random.random() < 0.3 else None
        roots = before.roots if random.random() < 0.5 else [me.device.id]
        revision = before.revision + random.randint(0, 900)
        k = Scheme.for_family(n).k
        family = Family(me.fingerprint, revision, k, n, before.time, suppliers, None, leaving, roots=roots)
        records.append(me.sign(Family.KIND, family.to_body()).to_bytes())
    return records


def begin(node: "ChaosNode", told: list[bytes]) -> None:
    """From now on a home that searches for its family hears of these too."""
    node.told = told
    sources: Any = node.rooms.suppliers.finding.sources
    ask = sources.ask_for_family

    def asked(
        suppliers: Any, at_large: bool, take: Callable[[Answer], None], beneath: bool = False
    ) -> "Deferred[None]":
        for record in told:
            take(Answer(bytes(32), record))
        answers: Deferred[None] = ask(suppliers, at_large, take, beneath)
        return answers

    sources.ask_for_family = asked
