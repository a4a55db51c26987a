"""What needs what: the order of starting, and the reverse of it for stopping."""

from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter

from bitdust.wire.errors import BitDustError


def boot_order(needs: Mapping[str, tuple[str, ...]]) -> list[str]:
    """Every service after all that it needs; names decide where the graph does not.

    Raises `BitDustError` ``service-graph`` for a need that does not exist or a circle, which it names.
    """
    for name, needed in needs.items():
        for other in needed:
            if other not in needs:
                raise BitDustError("service-graph", f"service {name} needs {other}, which does not exist")
    sorter = TopologicalSorter({name: sorted(needed) for name, needed in sorted(needs.items())})
    try:
        return list(sorter.static_order())
    except CycleError as error:
        raise BitDustError(
            "service-graph", "services need each other in a circle: " + " → ".join(error.args[1])
        ) from error


def root_distances(needs: Mapping[str, tuple[str, ...]]) -> dict[str, int]:
    """How many services at most lie between each one and the ground."""
    distances: dict[str, int] = {}
    for name in boot_order(needs):
        distances[name] = max((distances[other] + 1 for other in needs[name]), default=0)
    return distances


def dependents(needs: Mapping[str, tuple[str, ...]], name: str) -> list[str]:
    """Services that need ``name`` directly, in the order of ``needs``."""
    return [other for other, needed in needs.items() if name in needed]
