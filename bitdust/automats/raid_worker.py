"""Coding and sealing in threads: a few at a time, so that memory stays bounded and the node stays responsive."""

from typing import Any, Protocol

from bitdust.automats.kernel import Machine, Registry


class RaidWorkerPort(Protocol):
    """What the machine acts on; `bitdust.storage.packs.raid.Raid` implements it."""

    def start_tasks(self) -> None:
        """Start what waits, as far as there is room."""

    def is_busy(self) -> bool:
        """Whether anything runs or waits."""

    def cancel_waiting(self) -> None:
        """Forget what has not begun."""


class RaidWorker(Machine):
    """At work while there are tasks."""

    table = """
      # state  event      guard    next    actions
      READY    new-task   -        WORK    start_tasks
      WORK     new-task   -        =       start_tasks
      WORK     task-done  is_busy  =       start_tasks
      WORK     task-done  -        READY   -
      *        shutdown   -        CLOSED  cancel_waiting
    """
    ignore = """
      READY    task-done
    """
    initial = "READY"
    final = ("CLOSED",)

    def __init__(self, registry: Registry, port: RaidWorkerPort) -> None:
        self._port = port
        super().__init__(registry)

    def is_busy(self, payload: Any) -> bool:
        return self._port.is_busy()

    def start_tasks(self, payload: Any) -> None:
        self._port.start_tasks()

    def cancel_waiting(self, payload: Any) -> None:
        self._port.cancel_waiting()
