"""Several devices of one person: their sessions, and what those of mine bring each other directly."""

from collections.abc import Callable
from typing import Any

from twisted.logger import Logger

from bitdust.ports import Session, Sessions
from bitdust.surroundings import Connected
from bitdust.wire.packet import Command

SEND_SECONDS = 30.0


def sessions_of(sessions: Sessions, fingerprint: bytes) -> list[Any]:
    """All sessions with one person, of whom several devices may be there."""
    return [one for one in sessions.sessions() if is_of(one, fingerprint)]


def is_of(session: Session, fingerprint: bytes) -> bool:
    """Whether a session is with a device of somebody."""
    return session.peer is not None and session.peer.fingerprint == fingerprint


class OwnDevices:
    """I bring other devices of mine what ``made`` gives, None where there is nothing now, in packets of one kind."""

    log = Logger()

    def __init__(self, around: Connected, command: Command, kind: str, made: Callable[[], bytes | None]) -> None:
        self._around = around
        self._command = command
        self._kind = kind
        self._made = made

    def met(self, session: Session, up: bool) -> None:
        """Somebody has come or gone: a device that came gets it."""
        if up:
            self._bring(session)

    def bring_to_all(self) -> None:
        """To all that are there."""
        for session in self._around.sessions.sessions():
            self._bring(session)

    def _bring(self, session: Session) -> None:
        me = self._around.me
        made = self._made() if me.present and is_of(session, me.fingerprint) else None
        if made is not None:
            sending = self._around.outbox.send(
                me.fingerprint, self._command, {"kind": self._kind}, made, deadline=SEND_SECONDS, session=session
            )
            sending.addErrback(
                lambda failure: self.log.info(
                    "a device has not taken {kind}: {why}", kind=self._kind, why=failure.value
                )
            )
