"""The storage's round: what do suppliers hold, what is missing, what is no longer wanted."""

from typing import Any, Protocol

from twisted.internet.defer import Deferred

from bitdust.automats.kernel import Machine, Registry


class BackupMonitorPort(Protocol):
    """What the machine acts on; `bitdust.storage.keeping.monitor.Monitor` implements it."""

    def list_files(self) -> "Deferred[Any]":
        """Ask suppliers what they hold, and compare."""

    def pause(self) -> float:
        """Seconds until the next round: ten minutes, or fewer while a supplier that is there gave no list."""

    def is_list_due(self) -> bool:
        """Whether suppliers were not asked for ten minutes."""

    def rebuild(self) -> "Deferred[Any]":
        """Make missing pieces again."""

    def cut_short(self) -> None:
        """Let the rebuilding end when it is done with what it has begun."""

    def clean(self) -> "Deferred[Any]":
        """Let go of old versions and of packs that nothing refers to."""


class BackupMonitor(Machine):
    """Lists, rebuilds, cleans; every ten minutes, when suppliers come or go, and when somebody asks.

    Who comes or goes in the middle of a round cuts its rebuilding short, and the next round follows at once; so it does
    where somebody asks while suppliers list what they have: what has made it worth asking may be news to them.

    What was deleted or stored settles for a few seconds, so that many deletions and uploads share one cleaning. What
    was found to be bad is made again at once, or right after what is being rebuilt: that may have looked for the last
    time. Suppliers are asked every ten minutes all the same, however often something is deleted or found to be bad. A
    part of the round that fails or takes too long does not keep the next one from its turn.
    """

    table = """
      # state      event              guard  next        actions
      AT_STARTUP   init               -      READY       -
      READY        sync               -      LIST_FILES  list_files
      READY        suppliers-changed  -      PAUSE       -
      READY        deleted            -      SETTLING    -
      READY        damaged            -      REBUILDING  rebuild
      READY        timer-10min        -      LIST_FILES  list_files
      PAUSE        timer-5sec         -      LIST_FILES  list_files
      PAUSE        sync               -      LIST_FILES  list_files
      SETTLING     timer-3sec         is_due LIST_FILES  list_files
      SETTLING     timer-3sec         -      CLEANING    clean
      SETTLING     sync               -      LIST_FILES  list_files
      SETTLING     damaged            -      REBUILDING  rebuild
      SETTLING     suppliers-changed  -      PAUSE       -
      LIST_FILES   listed             -      REBUILDING  rebuild
      LIST_FILES   failed             -      REBUILDING  rebuild
      LIST_FILES   timer-10min        -      REBUILDING  rebuild
      LIST_FILES   suppliers-changed  -      =           remember
      LIST_FILES   sync               -      =           remember
      REBUILDING   rebuilt            lacks  REBUILDING  rebuild
      REBUILDING   rebuilt            -      CLEANING    clean
      REBUILDING   damaged            -      =           remember_damage
      REBUILDING   sync               -      LIST_FILES  list_files
      REBUILDING   failed             -      CLEANING    clean
      REBUILDING   timer-1hour        -      CLEANING    clean
      REBUILDING   suppliers-changed  -      =           remember cut_short
      CLEANING     cleaned            again  PAUSE       -
      CLEANING     cleaned            -      READY       -
      CLEANING     sync               -      LIST_FILES  list_files
      CLEANING     deleted            -      SETTLING    -
      CLEANING     damaged            -      REBUILDING  rebuild
      CLEANING     suppliers-changed  -      =           remember
      CLEANING     timer-10min        again  PAUSE       -
      CLEANING     timer-10min        -      READY       -
      CLEANING     failed             again  PAUSE       -
      CLEANING     failed             -      READY       -
      *            shutdown           -      CLOSED      -
    """
    ignore = """
      AT_STARTUP  sync suppliers-changed deleted damaged listed rebuilt cleaned failed
      READY       init listed rebuilt cleaned failed
      PAUSE       init suppliers-changed deleted damaged listed rebuilt cleaned failed
      SETTLING    init deleted listed rebuilt cleaned failed
      LIST_FILES  init deleted damaged rebuilt cleaned
      REBUILDING  init deleted listed cleaned
      CLEANING    init listed rebuilt
    """
    initial = "AT_STARTUP"
    final = ("CLOSED",)
    failure = "failed"

    def __init__(self, registry: Registry, port: BackupMonitorPort) -> None:
        self._port = port
        self._suppliers_moved = False
        self._is_damaged = False
        super().__init__(registry)

    def timer_seconds(self, event: str) -> float:
        """The port says when the next round is due."""
        is_next = event == "timer-10min" and self.state == "READY"
        return self._port.pause() if is_next else super().timer_seconds(event)

    def again(self, payload: Any) -> bool:
        """Whether this round has missed something, or suppliers are to be asked anyway."""
        return self._suppliers_moved or self._is_damaged or self._port.is_list_due()

    def lacks(self, payload: Any) -> bool:
        """Whether something was found to be bad while packs were rebuilt, and no new round follows anyway."""
        return self._is_damaged and not self._suppliers_moved

    def is_due(self, payload: Any) -> bool:
        return self._port.is_list_due()

    def remember(self, payload: Any) -> None:
        self._suppliers_moved = True

    def remember_damage(self, payload: Any) -> None:
        self._is_damaged = True

    def cut_short(self, payload: Any) -> None:
        self._port.cut_short()

    def list_files(self, payload: Any) -> None:
        self._suppliers_moved = False
        self.watch(self._port.list_files(), "listed", "failed")

    def rebuild(self, payload: Any) -> None:
        self._is_damaged = False
        self.watch(self._port.rebuild(), "rebuilt", "failed")

    def clean(self, payload: Any) -> None:
        self.watch(self._port.clean(), "cleaned", "failed")
