"""Presence of one peer: a session is presence, and a ping is how one is got or found dead. Nothing is polled."""

from typing import Any, Protocol

from twisted.internet.defer import Deferred

from bitdust.automats.kernel import Machine, Registry


class OnlineStatusPort(Protocol):
    """What the machine acts on; `bitdust.peers.presence` implements it."""

    def has_session(self) -> bool:
        """Whether a session with the peer stands now."""

    def ping(self) -> "Deferred[Any]":
        """Reach the peer, dialling it where there is no session; fires when it answered, fails otherwise."""

    def changed(self, online: bool) -> None:
        """The peer came or went."""


class OnlineStatus(Machine):
    """Knows whether one peer is there: CONNECTED, OFFLINE, or PING? while it is being asked."""

    table = """
      # state     event         guard        next       actions
      OFFLINE     session-up    -            CONNECTED  report
      OFFLINE     ping          -            PING?      ping_peer
      CONNECTED   session-down  -            OFFLINE    report
      CONNECTED   ping          -            PING?      ping_peer
      PING?       ping-ok       has_session  CONNECTED  report
      PING?       ping-ok       -            OFFLINE    report
      PING?       ping-failed   has_session  CONNECTED  report
      PING?       ping-failed   -            OFFLINE    report
      PING?       timer-20sec   has_session  CONNECTED  report
      PING?       timer-20sec   -            OFFLINE    report
      *           shutdown      -            CLOSED     -
    """
    ignore = """
      OFFLINE     session-down ping-ok ping-failed
      CONNECTED   session-up ping-ok ping-failed
      PING?       session-up session-down ping
    """
    initial = "OFFLINE"
    final = ("CLOSED",)

    def __init__(self, registry: Registry, ident: str, port: OnlineStatusPort) -> None:
        self._port = port
        self._reported = False
        super().__init__(registry, ident)

    @property
    def online(self) -> bool:
        """What was reported last: a peer that is being asked counts as what it was."""
        return self._reported

    def has_session(self, payload: Any) -> bool:
        return self._port.has_session()

    def ping_peer(self, payload: Any) -> None:
        self.watch(self._port.ping(), "ping-ok", "ping-failed")

    def report(self, payload: Any) -> None:
        online = self.state == "CONNECTED"
        if online is not self._reported:
            self._reported = online
            self._port.changed(online)
