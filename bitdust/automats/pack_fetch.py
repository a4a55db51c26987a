"""One pack that is read back: as many good pieces as it takes, whoever of its suppliers they come from."""

from typing import Any, Protocol

from bitdust.automats.kernel import Machine, Registry


class PackFetchPort(Protocol):
    """What the machine acts on; `bitdust.storage.pieces.pack_fetch.Fetch` implements it for each pack."""

    def is_whole(self) -> bool:
        """Whether enough good pieces are here."""

    def can_ask(self) -> bool:
        """Whether there is a supplier that can be asked and was not asked in this round."""

    def is_asking(self) -> bool:
        """Whether a piece is on its way."""

    def is_stalled(self) -> bool:
        """Whether a supplier makes no progress, and nobody was asked beside it yet."""

    def has_rounds(self) -> bool:
        """Whether all suppliers may be asked once more after this round: a few times, and while some are on the way."""

    def pause(self) -> float:
        """Seconds before the next round."""

    def ask(self) -> None:
        """Ask as many suppliers as pieces are lacking."""

    def ask_beside(self) -> None:
        """Ask another supplier beside each one that stalls."""

    def end_round(self) -> None:
        """From now on everybody may be asked again."""

    def deliver(self) -> None:
        """Give the pieces to whoever waits; ask for nothing any more."""

    def give_up(self) -> None:
        """Say why there are not enough."""

    def stop_requests(self) -> None:
        """Ask for nothing any more."""


class PackFetch(Machine):
    """Asks those that should be first; asks others beside whoever stalls; after everybody was asked it waits a little.

    ``ended`` is the end of one request: a piece that fits its root, one that does not, or a refusal.
    """

    table = """
      # state     event         guard       next     actions
      AT_STARTUP  start         can_ask     ASKING   ask
      AT_STARTUP  start         -           WAITING  end_round
      ASKING      ended         is_whole    DONE     deliver
      ASKING      ended         can_go_on   =        ask
      ASKING      ended         has_rounds  WAITING  end_round
      ASKING      ended         -           FAILED   give_up
      ASKING      timer-0.1sec  is_stalled  HEDGING  ask_beside
      HEDGING     ended         is_whole    DONE     deliver
      HEDGING     ended         can_go_on   ASKING   ask
      HEDGING     ended         has_rounds  WAITING  end_round
      HEDGING     ended         -           FAILED   give_up
      HEDGING     timer-0.1sec  is_stalled  =        ask_beside
      WAITING     timer-1sec    can_ask     ASKING   ask
      WAITING     timer-1sec    has_rounds  =        end_round
      WAITING     timer-1sec    -           FAILED   give_up
      *           stop          -           STOPPED  stop_requests
    """
    ignore = """
      AT_STARTUP  ended
      ASKING      start timer-0.1sec
      HEDGING     start timer-0.1sec
      WAITING     start ended
    """
    initial = "AT_STARTUP"
    final = ("DONE", "FAILED", "STOPPED")
    failure = "stop"

    def __init__(self, registry: Registry, ident: str, port: PackFetchPort) -> None:
        self._port = port
        super().__init__(registry, ident)

    def timer_seconds(self, event: str) -> float:
        """The pause between two rounds grows."""
        return self._port.pause() if event == "timer-1sec" else super().timer_seconds(event)

    def is_whole(self, payload: Any) -> bool:
        return self._port.is_whole()

    def can_ask(self, payload: Any) -> bool:
        return self._port.can_ask()

    def can_go_on(self, payload: Any) -> bool:
        return self._port.is_asking() or self._port.can_ask()

    def has_rounds(self, payload: Any) -> bool:
        return self._port.has_rounds()

    def is_stalled(self, payload: Any) -> bool:
        return self._port.is_stalled()

    def ask(self, payload: Any) -> None:
        self._port.ask()

    def ask_beside(self, payload: Any) -> None:
        self._port.ask_beside()

    def end_round(self, payload: Any) -> None:
        self._port.end_round()

    def deliver(self, payload: Any) -> None:
        self._port.deliver()

    def give_up(self, payload: Any) -> None:
        self._port.give_up()

    def stop_requests(self, payload: Any) -> None:
        self._port.stop_requests()
