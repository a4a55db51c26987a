"""The owner of one pack, from its first chunk until every supplier has its piece."""

from typing import Any, Protocol

from twisted.internet.defer import Deferred

from bitdust.automats.kernel import Machine, Registry


class PackPort(Protocol):
    """What the machine acts on; `bitdust.storage.pieces.pack_progress.PackProgress` implements it for each pack."""

    def is_safe(self) -> bool:
        """Whether enough suppliers have their pieces."""

    def is_complete(self) -> bool:
        """Whether every supplier has its piece."""

    def has_few(self) -> bool:
        """Whether suppliers alone could not give the pack back yet."""

    def is_settled(self) -> bool:
        """Whether no piece waits on this disk any more."""

    def is_beyond_help(self) -> bool:
        """Whether the pieces that are left, here and at suppliers, do not give the pack back."""

    def close(self) -> None:
        """Have it sealed although it is not full."""

    def seal(self) -> "Deferred[bool]":
        """Seal, code, keep and record it; fires with whether it survives a power cut already."""

    def queue_pieces(self) -> None:
        """Queue what waits for suppliers."""

    def sync(self) -> "Deferred[Any]":
        """Bring its pieces to the disk for good."""

    def report_held(self) -> None:
        """Versions may build on it."""

    def note_held(self) -> None:
        """It survives a power cut: write that down; then versions may build on it."""

    def give_up(self, reason: Any) -> None:
        """Its bytes need a new pack: write that down, and report it to who builds on it."""

    def report_failed(self, reason: Any) -> None:
        """It could not be made: report it to who builds on it."""

    def report_slow(self) -> None:
        """A thread has not come back for long."""

    def finish(self) -> None:
        """From now on its rows say all there is to say."""


class Pack(Machine):
    """FILLING: chunks are put into it. SEALING: a thread makes pieces of it. SPOOLED: they are written, but may not
    survive a power cut. HELD: they do, so versions may build on it. SAFE: enough suppliers have theirs.

    The machine of a pack ends when it is COMPLETE, or when k suppliers could give it back and the others are slow or
    absent: its rows in the catalog say all there is to say then.
    """

    table = """
      # state  event         guard           next        actions
      FILLING  full          -               SEALING     seal
      FILLING  adopted       -               HELD        queue_pieces
      FILLING  timer-10min   -               =           close
      SEALING  sealed        is_durable      HELD        queue_pieces report_held
      SEALING  sealed        -               SPOOLED     queue_pieces
      SEALING  fail          -               FAILED      report_failed
      SEALING  timer-10min   -               =           report_slow
      SPOOLED  acknowledged  is_safe         SAFE        note_held
      SPOOLED  lost          is_beyond_help  LOST        give_up
      SPOOLED  timer-1sec    -               SYNCING     sync
      SYNCING  acknowledged  is_safe         SAFE        note_held
      SYNCING  lost          is_beyond_help  LOST        give_up
      SYNCING  synced        -               HELD        note_held
      SYNCING  fail          -               FAILED      give_up
      SYNCING  timer-10min   -               =           report_slow
      HELD     acknowledged  is_safe         SAFE        -
      HELD     lost          is_beyond_help  LOST        give_up
      HELD     lost          is_settled      INCOMPLETE  finish
      HELD     timer-10sec   has_few         =           queue_pieces
      HELD     timer-10sec   -               INCOMPLETE  finish
      SAFE     acknowledged  is_complete     COMPLETE    finish
      SAFE     lost          is_settled      INCOMPLETE  finish
      SAFE     timer-5sec    -               INCOMPLETE  finish
      *        stop          -               STOPPED     -
    """
    ignore = """
      FILLING  sealed acknowledged lost synced fail
      SEALING  full adopted acknowledged lost synced
      SPOOLED  full adopted sealed acknowledged lost synced fail
      SYNCING  full adopted sealed acknowledged lost
      HELD     full adopted sealed acknowledged lost synced fail
      SAFE     full adopted sealed acknowledged lost synced fail
    """
    initial = "FILLING"
    final = ("COMPLETE", "INCOMPLETE", "LOST", "FAILED", "STOPPED")
    failure = "fail"

    def __init__(self, registry: Registry, ident: str, port: PackPort) -> None:
        self._port = port
        super().__init__(registry, ident)

    def is_durable(self, payload: Any) -> bool:
        return bool(payload)

    def is_safe(self, payload: Any) -> bool:
        return self._port.is_safe()

    def is_complete(self, payload: Any) -> bool:
        return self._port.is_complete()

    def has_few(self, payload: Any) -> bool:
        return self._port.has_few()

    def is_settled(self, payload: Any) -> bool:
        return self._port.is_settled()

    def is_beyond_help(self, payload: Any) -> bool:
        return self._port.is_beyond_help()

    def close(self, payload: Any) -> None:
        self._port.close()

    def seal(self, payload: Any) -> None:
        self.watch(self._port.seal(), "sealed", "fail")

    def queue_pieces(self, payload: Any) -> None:
        self._port.queue_pieces()

    def sync(self, payload: Any) -> None:
        self.watch(self._port.sync(), "synced", "fail")

    def report_held(self, payload: Any) -> None:
        self._port.report_held()

    def note_held(self, payload: Any) -> None:
        self._port.note_held()

    def give_up(self, payload: Any) -> None:
        self._port.give_up(payload)

    def report_failed(self, payload: Any) -> None:
        self._port.report_failed(payload)

    def report_slow(self, payload: Any) -> None:
        self._port.report_slow()

    def finish(self, payload: Any) -> None:
        self._port.finish()
