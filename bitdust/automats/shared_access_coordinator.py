"""One open share: its suppliers are connected, and what they hold of its catalog is read, again and again."""

from typing import Any, Protocol

from twisted.internet.defer import Deferred

from bitdust.automats.kernel import Machine, Registry, doubled

LONGEST_PAUSE = 300.0


class SharedAccessPort(Protocol):
    """What the machine acts on; `bitdust.shares.opened` implements it for my shares and for those of others."""

    def connect(self) -> "Deferred[Any]":
        """Connect to those who hold it; fires when each of them is there or cannot be reached, and at once where enough
        of them are there already."""

    def has_enough(self) -> bool:
        """Whether so many are connected that everything can be brought back."""

    def lacks_some(self) -> bool:
        """Whether some of those who hold it are not connected."""

    def read(self) -> "Deferred[Any]":
        """Take over what they hold of the catalog; fails where too few of them gave an answer."""

    def report_open(self) -> None:
        """The share can be used."""

    def report_closed(self, reason: Any) -> None:
        """It cannot be used now; ``reason`` is what reading failed with, or None where too few are connected."""


class SharedAccessCoordinator(Machine):
    """CONNECTED while a share can be used, and read again; pauses after a failure grow up to five minutes.

    Those who hold it and are not there are called again meanwhile, after pauses that grow in the same way. Who comes
    may not answer questions yet: pauses begin anew."""

    table = """
      # state       event          guard       next          actions
      DISCONNECTED  open           -           SUPPLIERS?    connect
      DISCONNECTED  supplier-up    -           SUPPLIERS?    forget_tries connect
      DISCONNECTED  timer-2sec     -           SUPPLIERS?    connect
      SUPPLIERS?    supplier-up    has_enough  READING       forget_tries read
      SUPPLIERS?    supplier-up    -           =             forget_tries
      SUPPLIERS?    tried          has_enough  READING       read
      SUPPLIERS?    tried          -           DISCONNECTED  report_closed
      SUPPLIERS?    timer-30sec    -           DISCONNECTED  report_closed
      READING       news           -           =             note_news
      READING       done           has_news    CONNECTED     report_open read
      READING       done           -           CONNECTED     report_open
      READING       failed         -           DISCONNECTED  report_closed
      READING       timer-1min     -           DISCONNECTED  report_closed
      CONNECTED     news           is_reading  =             note_news
      CONNECTED     news           -           =             read
      CONNECTED     done           has_news    =             read
      CONNECTED     done           -           =             end_reading
      CONNECTED     failed         -           DISCONNECTED  report_closed
      CONNECTED     supplier-down  has_enough  =             -
      CONNECTED     supplier-down  -           SUPPLIERS?    connect
      CONNECTED     timer-10sec    lacks_some  =             call_again
      CONNECTED     timer-10sec    -           =             forget_calls
      CONNECTED     tried          -           =             count_call
      CONNECTED     timer-5min     -           SUPPLIERS?    connect
      *             shutdown       -           CLOSED        -
    """
    ignore = """
      DISCONNECTED  news supplier-down tried done failed
      SUPPLIERS?    open news supplier-down done failed
      READING       open supplier-up supplier-down tried
      CONNECTED     open supplier-up
    """
    initial = "DISCONNECTED"
    final = ("CLOSED",)

    def __init__(self, registry: Registry, ident: str, port: SharedAccessPort) -> None:
        self._port = port
        self._tries = self._calls = 0
        self._has_news = self._is_reading = False
        super().__init__(registry, ident)

    def timer_seconds(self, event: str) -> float:
        """The pause after a failure doubles with each one, and that between two calls with each of them."""
        seconds = super().timer_seconds(event)
        grown = {"timer-2sec": self._tries - 1, "timer-10sec": self._calls}
        return doubled(seconds, grown[event], LONGEST_PAUSE) if event in grown else seconds

    def has_enough(self, payload: Any) -> bool:
        return self._port.has_enough()

    def lacks_some(self, payload: Any) -> bool:
        return self._port.lacks_some()

    def has_news(self, payload: Any) -> bool:
        return self._has_news

    def is_reading(self, payload: Any) -> bool:
        return self._is_reading

    def end_reading(self, payload: Any) -> None:
        self._is_reading = False

    def note_news(self, payload: Any) -> None:
        self._has_news = True

    def connect(self, payload: Any) -> None:
        self._tries += 1
        self.watch(self._port.connect(), "tried", "tried")

    def forget_tries(self, payload: Any) -> None:
        self._tries = 0

    def call_again(self, payload: Any) -> None:
        self.watch(self._port.connect(), "tried", "tried")

    def count_call(self, payload: Any) -> None:
        self._calls += 1

    def forget_calls(self, payload: Any) -> None:
        self._calls = 0

    def read(self, payload: Any) -> None:
        self._has_news, self._is_reading = False, True
        self.watch(self._port.read(), "done", "failed")

    def report_open(self, payload: Any) -> None:
        self._tries = 0
        self._is_reading = False
        self._port.report_open()

    def report_closed(self, payload: Any) -> None:
        self._port.report_closed(payload)
