"""One search for those who bear a nickname: the first of them, or all."""

from typing import Any, Protocol

from twisted.internet.defer import Deferred

from bitdust.automats.kernel import Machine, Registry
from bitdust.wire.nicknames import POSITIONS

WAVE = 4
"""Positions that are read at once; behind so many that are empty nobody is looked for."""


class NicknameObserverPort(Protocol):
    """What the machine acts on; `bitdust.people.names.search` implements it."""

    def read(self, position: int) -> "Deferred[int]":
        """Look at the next positions, from this one on; fires with how many people were found there."""

    def report(self) -> None:
        """The search is over: hand over who was found."""

    def give_up(self, reason: Any) -> None:
        """It came to nothing, for this reason; None where nobody has answered in time."""


class NicknameObserver(Machine):
    """FOUND or NOT_FOUND where one is looked for, FINISHED where all are; `attempts` readings that find nobody."""

    table = """
      # state     event         guard      next       actions
      AT_STARTUP  find-one      -          DHT_FIND   read
      AT_STARTUP  observe-many  -          DHT_LOOP   read
      DHT_FIND    read-ok       found_any  FOUND      report
      DHT_FIND    read-ok       may_retry  DHT_FIND   count_attempt read
      DHT_FIND    read-ok       -          NOT_FOUND  report
      DHT_FIND    read-failed   may_retry  DHT_FIND   count_attempt read
      DHT_FIND    read-failed   -          STOPPED    give_up
      DHT_FIND    timer-1min    may_retry  DHT_FIND   count_attempt read
      DHT_FIND    timer-1min    -          STOPPED    give_up
      DHT_LOOP    read-ok       has_more   DHT_LOOP   next_positions read
      DHT_LOOP    read-ok       has_found  FINISHED   report
      DHT_LOOP    read-ok       may_retry  DHT_LOOP   count_attempt read
      DHT_LOOP    read-ok       -          FINISHED   report
      DHT_LOOP    read-failed   may_retry  DHT_LOOP   count_attempt read
      DHT_LOOP    read-failed   -          STOPPED    give_up
      DHT_LOOP    timer-1min    may_retry  DHT_LOOP   count_attempt read
      DHT_LOOP    timer-1min    -          STOPPED    give_up
      *           stop          -          STOPPED    give_up
    """
    ignore = """
      AT_STARTUP  read-ok read-failed
      DHT_FIND    find-one observe-many
      DHT_LOOP    find-one observe-many
    """
    initial = "AT_STARTUP"
    final = ("FOUND", "NOT_FOUND", "FINISHED", "STOPPED")

    def __init__(self, registry: Registry, nickname: str, port: NicknameObserverPort, attempts: int) -> None:
        self._port = port
        self._attempts = attempts
        self._position = 0
        self._found = 0
        super().__init__(registry, nickname)

    def found_any(self, payload: Any) -> bool:
        return int(payload) > 0

    def has_found(self, payload: Any) -> bool:
        return self._found + int(payload) > 0

    def has_more(self, payload: Any) -> bool:
        return int(payload) > 0 and self._position + WAVE < POSITIONS

    def may_retry(self, payload: Any) -> bool:
        return self._attempts > 1

    def count_attempt(self, payload: Any) -> None:
        self._attempts -= 1

    def next_positions(self, payload: Any) -> None:
        self._found += int(payload)
        self._position += WAVE

    def read(self, payload: Any) -> None:
        self.watch(self._port.read(self._position), "read-ok", "read-failed")

    def report(self, payload: Any) -> None:
        self._port.report()

    def give_up(self, payload: Any) -> None:
        self._port.give_up(payload)
