"""The supplier's care for one customer's family and identity: while the owner is away, the DHT must not forget them.

A supplier makes no record of its own: it stores again, byte by byte, what the customer has signed.
"""

from typing import Any, Protocol

from twisted.internet.defer import Deferred

from bitdust.automats.kernel import Machine, Registry


class FamilyMemberPort(Protocol):
    """What the machine acts on; `bitdust.customers.families` implements it for each customer."""

    def owner_is_away(self) -> bool:
        """True while the customer has no session here, and so may not refresh its record itself."""

    def read(self) -> "Deferred[Any]":
        """Ask the DHT for the record; fires with it, or None."""

    def is_lost(self, record: Any) -> bool:
        """True when the DHT has less than what is remembered here."""

    def remember(self, record: Any) -> None:
        """Remember what the DHT has, when it is newer than what is remembered; None where it has nothing."""

    def write(self) -> "Deferred[Any]":
        """Store the remembered record in the DHT again, verbatim."""

    def note_written(self) -> None:
        """The DHT has the remembered record."""

    def note_failed(self) -> None:
        """The DHT could not be asked, or did not take the record."""


class FamilyMember(Machine):
    """One customer whose supplier I am."""

    table = """
      # state        event           guard      next          actions
      DISCONNECTED   refresh         -          DHT_READ      read_record
      DISCONNECTED   timer-5min      away       DHT_READ      read_record
      DHT_READ       record-read     lost       DHT_WRITE     remember_record write_record
      DHT_READ       record-read     nothing    DISCONNECTED  -
      DHT_READ       record-read     -          CONNECTED     remember_record
      DHT_READ       read-failed     -          DISCONNECTED  note_failed
      DHT_READ       timer-1min      -          DISCONNECTED  note_failed
      DHT_WRITE      record-written  -          CONNECTED     note_written
      DHT_WRITE      write-failed    -          DISCONNECTED  note_failed
      DHT_WRITE      timer-1min      -          DISCONNECTED  note_failed
      CONNECTED      refresh         -          DHT_READ      read_record
      CONNECTED      timer-1hour     away       DHT_READ      read_record
      *              shutdown        -          CLOSED        -
    """
    ignore = """
      DISCONNECTED   timer-5min record-read read-failed record-written write-failed
      DHT_READ       refresh record-written write-failed
      DHT_WRITE      refresh record-read read-failed
      CONNECTED      timer-1hour record-read read-failed record-written write-failed
    """
    initial = "DISCONNECTED"
    final = ("CLOSED",)

    def __init__(self, registry: Registry, ident: str, port: FamilyMemberPort) -> None:
        self._port = port
        super().__init__(registry, ident)

    def away(self, payload: Any) -> bool:
        return self._port.owner_is_away()

    def lost(self, payload: Any) -> bool:
        return self._port.is_lost(payload)

    def nothing(self, payload: Any) -> bool:
        return payload is None

    def read_record(self, payload: Any) -> None:
        self.watch(self._port.read(), "record-read", "read-failed")

    def remember_record(self, payload: Any) -> None:
        self._port.remember(payload)

    def write_record(self, payload: Any) -> None:
        self.watch(self._port.write(), "record-written", "write-failed")

    def note_written(self, payload: Any) -> None:
        self._port.note_written()

    def note_failed(self, payload: Any) -> None:
        self._port.note_failed()
