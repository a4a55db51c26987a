"""A member's watch over one place of a customer's family while the customer is away."""

from typing import Any, Protocol

from twisted.internet.defer import Deferred

from bitdust.automats.kernel import Machine, Registry


class FamilyWatchPort(Protocol):
    """What the machine acts on; `bitdust.customers.healing.watch` implements it for each place."""

    def pause(self) -> float:
        """Seconds until the place is looked at again."""

    def may_rest(self) -> bool:
        """Whether nothing is to be done: the owner is in touch, or allows nothing, or the place is mine."""

    def ping(self) -> "Deferred[Any]":
        """Look whether who has the place is there; fails where it is not."""

    def note_there(self) -> None:
        """It is."""

    def note_silent(self) -> None:
        """It is not."""

    def is_certified(self) -> bool:
        """Whether a spare stands in."""

    def is_due(self) -> bool:
        """Whether it has been gone for too long, and a certificate is missing or has to be renewed."""

    def is_spare_gone(self) -> bool:
        """Whether the spare that stands in has been gone for too long itself."""

    def choose(self) -> "Deferred[Any]":
        """Find the first spare in order that accepts; fires with it, fails where there is none."""

    def ask_votes(self, spare: Any, /) -> "Deferred[Any]":
        """Ask every member for its vote; fires when they are a majority, fails when they are not."""

    def publish(self) -> None:
        """Bring the certificate to the spare and to all members."""


class FamilyWatch(Machine):
    """WATCHING a place, PINGING who has it, CHOOSING a spare when that is gone, VOTING; HEALED while one stands in."""

    table = """
      # state    event        guard         next      actions
      WATCHING   timer-6hour  may_rest      =         -
      WATCHING   timer-6hour  -             PINGING   ping
      PINGING    there        -             WATCHING  note_there
      PINGING    silent       -             SILENT    note_silent judge
      PINGING    timer-2min   -             WATCHING  -
      SILENT     judge        is_due        CHOOSING  choose
      SILENT     judge        is_spare_gone CHOOSING  choose
      SILENT     judge        is_certified  HEALED    -
      SILENT     judge        -             WATCHING  -
      SILENT     failed       -             WATCHING  -
      CHOOSING   chosen       -             VOTING    ask_votes
      CHOOSING   failed       -             WATCHING  -
      CHOOSING   timer-5min   -             WATCHING  -
      VOTING     elected      -             HEALED    publish
      VOTING     failed       -             WATCHING  -
      VOTING     timer-5min   -             WATCHING  -
      HEALED     timer-6hour  may_rest      WATCHING  -
      HEALED     timer-6hour  -             PINGING   ping
      *          shutdown     -             CLOSED    -
    """
    ignore = """
      WATCHING   there silent judge chosen elected failed
      PINGING    judge chosen elected failed
      SILENT     there silent chosen elected
      CHOOSING   there silent judge elected
      VOTING     there silent judge chosen
      HEALED     there silent judge chosen elected failed
    """
    initial = "WATCHING"
    final = ("CLOSED",)
    failure = "failed"

    def __init__(self, registry: Registry, ident: str, port: FamilyWatchPort) -> None:
        self._port = port
        super().__init__(registry, ident)

    def timer_seconds(self, event: str) -> float:
        """The pause between two looks follows the mandate."""
        return self._port.pause() if event == "timer-6hour" else super().timer_seconds(event)

    def may_rest(self, payload: Any) -> bool:
        return self._port.may_rest()

    def is_certified(self, payload: Any) -> bool:
        return self._port.is_certified()

    def is_due(self, payload: Any) -> bool:
        return self._port.is_due()

    def is_spare_gone(self, payload: Any) -> bool:
        return self._port.is_spare_gone()

    def ping(self, payload: Any) -> None:
        self.watch(self._port.ping(), "there", "silent")

    def note_there(self, payload: Any) -> None:
        self._port.note_there()

    def note_silent(self, payload: Any) -> None:
        self._port.note_silent()

    def judge(self, payload: Any) -> None:
        self.send("judge")

    def choose(self, payload: Any) -> None:
        self.watch(self._port.choose(), "chosen", "failed")

    def ask_votes(self, payload: Any) -> None:
        self.watch(self._port.ask_votes(payload), "elected", "failed")

    def publish(self, payload: Any) -> None:
        self._port.publish()
