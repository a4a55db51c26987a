"""Blocks of one root on their way from other nodes: a session of the exchange."""

from typing import Any, Protocol

from twisted.internet.defer import Deferred

from bitdust.automats.kernel import Machine, Registry


class IpfsFetchPort(Protocol):
    """What the machine acts on; `bitdust.ipfs.exchange.session.Session` implements it."""

    def has_wants(self) -> bool:
        """Whether a block is wanted still."""

    def has_partner(self) -> bool:
        """Whether somebody may have what is wanted, who has not said no."""

    def is_patient(self) -> bool:
        """Whether whoever waits has said for how long."""

    def ask(self) -> None:
        """Ask those who may have what is wanted."""

    def look(self) -> "Deferred[Any]":
        """Look for more nodes that have the root; fires when those that were found are asked too."""

    def begin_again(self) -> None:
        """Those who had not what is wanted may have it now."""

    def refuse(self) -> None:
        """Nobody has what is wanted: tell who waits."""


class IpfsFetch(Machine):
    """Who has said no is asked again only where somebody waits on purpose; nobody waits for ever."""

    table = """
      # state     event         guard        next      actions
      AT_STARTUP  wanted        -            ASKING    ask
      ASKING      wanted        -            =         ask
      ASKING      moved         has_wants    =         ask
      ASKING      moved         -            IDLE      -
      ASKING      nobody-left   -            LOOKING   look
      LOOKING     looked        has_partner  ASKING    ask
      LOOKING     looked        is_patient   WAITING   -
      LOOKING     looked        -            IDLE      refuse
      LOOKING     failed        has_partner  ASKING    ask
      LOOKING     failed        is_patient   WAITING   -
      LOOKING     failed        -            IDLE      refuse
      LOOKING     timer-15sec   has_partner  ASKING    ask
      LOOKING     timer-15sec   is_patient   WAITING   -
      LOOKING     timer-15sec   -            IDLE      refuse
      WAITING     wanted        -            ASKING    ask
      WAITING     moved         has_wants    ASKING    ask
      WAITING     moved         -            IDLE      -
      WAITING     timer-2sec    -            ASKING    begin_again ask
      IDLE        wanted        -            ASKING    ask
      *           stop          -            ENDED     refuse
    """
    ignore = """
      AT_STARTUP  moved nobody-left looked failed
      ASKING      looked failed
      LOOKING     wanted moved nobody-left
      WAITING     nobody-left looked failed
      IDLE        moved nobody-left looked failed
    """
    initial = "AT_STARTUP"
    final = ("ENDED",)
    failure = "failed"

    def __init__(self, registry: Registry, name: str, port: IpfsFetchPort) -> None:
        self._port = port
        super().__init__(registry, name)

    def has_wants(self, payload: Any) -> bool:
        return self._port.has_wants()

    def has_partner(self, payload: Any) -> bool:
        return self._port.has_partner()

    def is_patient(self, payload: Any) -> bool:
        return self._port.is_patient()

    def ask(self, payload: Any) -> None:
        self._port.ask()

    def look(self, payload: Any) -> None:
        self.watch(self._port.look(), "looked", "failed")

    def begin_again(self, payload: Any) -> None:
        self._port.begin_again()

    def refuse(self, payload: Any) -> None:
        self._port.refuse()
