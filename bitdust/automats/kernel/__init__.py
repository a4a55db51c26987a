"""The automat kernel: declarative state machines on a Twisted clock. It knows nothing of BitDust."""

from bitdust.automats.kernel.backoff import doubled
from bitdust.automats.kernel.machine import Machine, MachineFinished, UnknownEvent
from bitdust.automats.kernel.registry import Registry, Transition
from bitdust.automats.kernel.table import Definition, Guard, Row, TableError

__all__ = [
    "Definition",
    "Guard",
    "Machine",
    "MachineFinished",
    "Registry",
    "Row",
    "TableError",
    "Transition",
    "UnknownEvent",
    "doubled",
]
