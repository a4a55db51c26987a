"""What is pinned is kept at my suppliers: new blocks are gathered in segments and uploaded, and pins are told."""

from typing import Any, Protocol

from twisted.internet.defer import Deferred

from bitdust.automats.kernel import Machine, Registry, doubled

LONGEST_PAUSE = 3600.0


class PinKeeperPort(Protocol):
    """What the machine acts on; `bitdust.blocks.backup.keeper.Keeper` implements it."""

    def can_keep(self) -> bool:
        """Whether suppliers take something now, and all that they hold is known."""

    def look(self) -> "Deferred[Any]":
        """See what is to be done next; fires with a `Due`."""

    def adopt(self) -> "Deferred[Any]":
        """Take over what suppliers hold of a home that was lost."""

    def gather(self) -> "Deferred[Any]":
        """Look for blocks that are to be kept, and make a segment of them; fires with whether there was one to make."""

    def upload(self) -> "Deferred[Any]":
        """Bring the segment to the suppliers."""

    def tell(self) -> "Deferred[Any]":
        """Tell suppliers which pins and roots there are."""

    def clean(self) -> "Deferred[Any]":
        """Remove segments of which nothing is needed."""

    def rewrite(self) -> "Deferred[Any]":
        """Make one segment of what half-empty ones still hold; fires with whether there was something."""

    def is_short(self) -> bool:
        """Whether blocks take more space on this disk than they should."""

    def make_room(self) -> "Deferred[Any]":
        """Let local copies go of what suppliers have."""

    def try_again(self) -> None:
        """What could not be read before is looked at again."""

    def give_up(self, why: Any) -> None:
        """Something went wrong: what was begun is begun again later."""


class PinKeeper(Machine):
    """One thing after the other: what is new first, then what suppliers know of it, then what they keep in vain."""

    table = """
      # state      event          guard       next        actions
      AT_STARTUP   start          can_keep    LOOKING     look
      AT_STARTUP   start          -           WAITING     -
      WAITING      suppliers      can_keep    LOOKING     look
      WAITING      timer-1min     can_keep    LOOKING     look
      LOOKING      looked         is_lost     ADOPTING    adopt
      LOOKING      looked         is_new      GATHERING   gather
      LOOKING      looked         is_untold   TELLING     tell
      LOOKING      looked         is_garbage  CLEANING    clean
      LOOKING      looked         is_sparse   REWRITING   rewrite
      LOOKING      looked         is_full     MAKING_ROOM make_room
      LOOKING      looked         has_changed SETTLING    forget_failures
      LOOKING      looked         -           IDLE        forget_failures
      LOOKING      changed        -           =           note_change
      LOOKING      timer-10min    -           WAITING     give_up
      ADOPTING     done           -           LOOKING     look
      ADOPTING     timer-6hour    -           WAITING     give_up
      GATHERING    gathered       is_built    UPLOADING   upload
      GATHERING    gathered       -           LOOKING     look
      GATHERING    timer-1hour    -           WAITING     give_up
      REWRITING    gathered       is_built    UPLOADING   upload
      REWRITING    gathered       -           LOOKING     look
      REWRITING    timer-1hour    -           WAITING     give_up
      UPLOADING    done           -           LOOKING     look
      UPLOADING    timer-6hour    -           WAITING     give_up
      TELLING      done           -           LOOKING     look
      TELLING      timer-1hour    -           WAITING     give_up
      CLEANING     done           -           LOOKING     look
      CLEANING     timer-1hour    -           WAITING     give_up
      MAKING_ROOM  done           -           LOOKING     look
      MAKING_ROOM  timer-1hour    -           WAITING     give_up
      IDLE         changed        -           SETTLING    -
      IDLE         timer-1min     is_short    MAKING_ROOM make_room
      IDLE         timer-1hour    -           LOOKING     try_again look
      SETTLING     timer-10sec    can_keep    LOOKING     look
      SETTLING     timer-10sec    -           WAITING     -
      *            failed         -           WAITING     give_up
      *            stop           -           STOPPED     -
    """
    ignore = """
      AT_STARTUP   looked done gathered suppliers changed
      WAITING      start looked done gathered changed suppliers timer-1min
      LOOKING      start done gathered suppliers
      ADOPTING     start looked gathered suppliers changed
      GATHERING    start looked done suppliers changed
      REWRITING    start looked done suppliers changed
      UPLOADING    start looked gathered suppliers changed
      TELLING      start looked gathered suppliers changed
      CLEANING     start looked gathered suppliers changed
      MAKING_ROOM  start looked gathered suppliers changed
      IDLE         start looked done gathered suppliers timer-1min
      SETTLING     start looked done gathered suppliers changed
    """
    initial = "AT_STARTUP"
    final = ("STOPPED",)
    failure = "failed"

    def __init__(self, registry: Registry, port: PinKeeperPort) -> None:
        self._port = port
        self.failures = 0
        self._has_changed = False
        super().__init__(registry)

    def timer_seconds(self, event: str) -> float:
        """Pauses after failures double up to an hour."""
        seconds = super().timer_seconds(event)
        if event == "timer-1min" and self.state == "WAITING":
            return doubled(seconds, self.failures, LONGEST_PAUSE)
        return seconds

    def can_keep(self, payload: Any) -> bool:
        return self._port.can_keep()

    def is_lost(self, payload: Any) -> bool:
        return bool(payload.is_lost)

    def is_new(self, payload: Any) -> bool:
        return bool(payload.is_new)

    def is_untold(self, payload: Any) -> bool:
        return bool(payload.is_untold)

    def is_garbage(self, payload: Any) -> bool:
        return bool(payload.is_garbage)

    def is_sparse(self, payload: Any) -> bool:
        return bool(payload.is_sparse)

    def is_full(self, payload: Any) -> bool:
        return self._port.is_short()

    def is_short(self, payload: Any) -> bool:
        return self._port.is_short()

    def has_changed(self, payload: Any) -> bool:
        return self._has_changed

    def note_change(self, payload: Any) -> None:
        self._has_changed = True

    def is_built(self, payload: Any) -> bool:
        return bool(payload)

    def look(self, payload: Any) -> None:
        self._has_changed = False
        self.watch(self._port.look(), "looked", "failed")

    def adopt(self, payload: Any) -> None:
        self.watch(self._port.adopt(), "done", "failed")

    def gather(self, payload: Any) -> None:
        self.watch(self._port.gather(), "gathered", "failed")

    def rewrite(self, payload: Any) -> None:
        self.watch(self._port.rewrite(), "gathered", "failed")

    def upload(self, payload: Any) -> None:
        self.watch(self._port.upload(), "done", "failed")

    def tell(self, payload: Any) -> None:
        self.watch(self._port.tell(), "done", "failed")

    def clean(self, payload: Any) -> None:
        self.watch(self._port.clean(), "done", "failed")

    def make_room(self, payload: Any) -> None:
        self.watch(self._port.make_room(), "done", "failed")

    def try_again(self, payload: Any) -> None:
        self._port.try_again()

    def give_up(self, payload: Any) -> None:
        self.failures += 1
        self._port.give_up(payload or "it took too long")

    def forget_failures(self, payload: Any) -> None:
        self.failures = 0
