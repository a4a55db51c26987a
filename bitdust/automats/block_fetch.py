"""One block is asked for at those who may have it, one after the other, and stored."""

from typing import Any, Protocol

from twisted.internet.defer import Deferred

from bitdust.automats.kernel import Machine, Registry


class BlockFetchPort(Protocol):
    """What the machine acts on; `bitdust.blocks.fetching.Fetch` implements it."""

    def has_source(self) -> bool:
        """Whether there is somebody who was not asked yet."""

    def ask(self) -> "Deferred[Any]":
        """Ask the next one; fires with bytes, or None."""

    def is_genuine(self, data: Any) -> bool:
        """Whether that is the block."""

    def store(self, data: bytes) -> "Deferred[Any]":
        """Store it; fires when it is on the disk."""

    def ended(self, why: Any) -> None:
        """It is over; ``why`` says what kept the block from being stored, or else is None."""


class BlockFetch(Machine):
    """Each of those who are asked has a minute. Who answers with something else has no say."""

    table = """
      # state     event        guard       next     actions
      AT_STARTUP  start        has_source  ASKING   ask
      AT_STARTUP  start        -           ABSENT   report
      ASKING      answered     is_genuine  STORING  store
      ASKING      answered     has_source  ASKING   ask
      ASKING      answered     -           ABSENT   report
      ASKING      failed       has_source  ASKING   ask
      ASKING      failed       -           ABSENT   report
      ASKING      timer-1min   has_source  ASKING   ask
      ASKING      timer-1min   -           ABSENT   report
      STORING     stored       -           HERE     report
      STORING     failed       -           UNKEPT   report
      STORING     timer-10min  -           UNKEPT   report
      *           stop         -           STOPPED  report
    """
    ignore = """
      AT_STARTUP  answered failed stored
      ASKING      start stored
      STORING     start answered
    """
    initial = "AT_STARTUP"
    final = ("HERE", "UNKEPT", "ABSENT", "STOPPED")
    failure = "failed"

    def __init__(self, registry: Registry, cid: str, port: BlockFetchPort) -> None:
        self._port = port
        super().__init__(registry, cid)

    def has_source(self, payload: Any) -> bool:
        return self._port.has_source()

    def is_genuine(self, payload: Any) -> bool:
        return self._port.is_genuine(payload)

    def ask(self, payload: Any) -> None:
        self.watch(self._port.ask(), "answered", "failed")

    def store(self, payload: Any) -> None:
        self.watch(self._port.store(payload), "stored", "failed")

    def report(self, payload: Any) -> None:
        self._port.ended((payload or "it took too long") if self.state == "UNKEPT" else None)
