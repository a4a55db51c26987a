"""One question from which address others see this node."""

from typing import Any, Protocol

from twisted.internet.defer import Deferred

from bitdust.automats.kernel import Machine, Registry


class StunClientPort(Protocol):
    """What the machine acts on; `bitdust.seen_address` implements it for each question."""

    def choose(self) -> "Deferred[Any]":
        """Find a few nodes to ask; fails where there are none."""

    def ask(self, nodes: Any) -> "Deferred[Any]":
        """Ask them; fires with what those say who answer, and fails where nobody does."""

    def report(self, answers: Any) -> None:
        """So many have answered."""

    def give_up(self, reason: Any) -> None:
        """Nobody did, for this reason; None where the time is over."""


class StunClient(Machine):
    """KNOW_MY_IP when somebody has answered; a question that is over is STOPPED otherwise."""

    table = """
      # state        event        guard  next          actions
      AT_STARTUP     start        -      RANDOM_NODES  choose
      RANDOM_NODES   chosen       -      REQUEST       ask
      RANDOM_NODES   none-there   -      STOPPED       give_up
      RANDOM_NODES   timer-10sec  -      STOPPED       give_up
      REQUEST        answered     -      KNOW_MY_IP    report
      REQUEST        silence      -      STOPPED       give_up
      REQUEST        timer-10sec  -      STOPPED       give_up
      *              stop         -      STOPPED       give_up
    """
    ignore = """
      AT_STARTUP     chosen none-there answered silence
      RANDOM_NODES   start answered silence
      REQUEST        start chosen none-there
    """
    initial = "AT_STARTUP"
    final = ("KNOW_MY_IP", "STOPPED")

    def __init__(self, registry: Registry, port: StunClientPort) -> None:
        self._port = port
        super().__init__(registry)

    def choose(self, payload: Any) -> None:
        self.watch(self._port.choose(), "chosen", "none-there")

    def ask(self, payload: Any) -> None:
        self.watch(self._port.ask(payload), "answered", "silence")

    def report(self, payload: Any) -> None:
        self._port.report(payload)

    def give_up(self, payload: Any) -> None:
        self._port.give_up(payload)
