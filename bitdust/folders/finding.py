"""Peers of folders are found: at known hosts, among friends and devices of mine, in the DHT, on the local network.

Each way has a preference of its own, a folder at a time; with all of them off nothing is sent to look for anybody.
"""

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from bitdust.folders.exchange import Exchange
from bitdust.folders.folder import Folder
from bitdust.outcome import outcome
from bitdust.surroundings import Connected
from bitdust.wire.addresses import Address
from bitdust.wire.encoding import WireError

EVERY = 10.0
"""Seconds between two dials of a host that does not answer."""


class Finding:
    """I look for peers from `start` to `stop`. ``knows`` says with whom there are dealings anyway."""

    log = Logger()

    def __init__(
        self,
        around: Connected,
        exchange: Exchange,
        folders: Callable[[], list[Folder]],
        knows: Callable[[bytes], bool],
    ) -> None:
        self._around = around
        self._exchange = exchange
        self._folders = folders
        self._knows = knows
        self._found: dict[str, tuple[bytes, bytes]] = {}
        self._dialling: dict[str, Deferred[Any]] = {}
        self._call: IDelayedCall | None = None
        self._forget: Callable[[], None] | None = None

    def start(self) -> None:
        """May follow a `stop`."""
        self._forget = self._around.sessions.on_session(self._session)
        self._look()

    def stop(self) -> None:
        """Look for nobody any more."""
        forget, self._forget = self._forget, None
        if forget is not None:
            forget()
        if self._call is not None and self._call.active():
            self._call.cancel()
        for dialling in list(self._dialling.values()):
            dialling.cancel()

    def look_for(self, folder: Folder) -> None:
        """A folder that is ready to meet peers now."""
        for session in self._around.sessions.sessions():
            self._try(folder, session)
        self._look()

    def _session(self, session: Any, up: bool) -> None:
        if not up:
            self._exchange.session_over(session)
            return
        for folder in self._folders():
            self._try(folder, session)

    def _try(self, folder: Folder, session: Any) -> None:
        """Greet who is known; strangers greet first, so that nobody learns from here how many folders there are."""
        who = (session.peer.fingerprint, session.peer.device)
        is_host = folder.config.wants("use_hosts") and who in {
            self._found.get(host) for host in folder.config.hosts if host in self._found
        }
        is_mine = session.peer.fingerprint == self._around.me.fingerprint
        if is_host or (folder.config.wants("use_tracker") and (is_mine or self._knows(session.peer.fingerprint))):
            self._exchange.greet(folder, session)

    # known hosts

    def _look(self) -> None:
        if self._forget is None:
            return
        if self._call is not None and self._call.active():
            self._call.cancel()
        self._call = None
        wanted = False
        for folder in self._folders():
            if folder.is_meeting and folder.config.wants("use_hosts"):
                for host in folder.config.hosts:
                    wanted = True
                    self._look_at(folder, host)
        if wanted:
            self._call = self._around.world.clock.callLater(EVERY, self._look)

    def _look_at(self, folder: Folder, host: str) -> None:
        who = self._found.get(host)
        if who is not None:
            session = next((one for one in self._around.sessions.sessions() if _is(one, who)), None)
            if session is not None:
                self._exchange.greet(folder, session)
                return
        if host in self._dialling:
            return
        try:
            address = str(Address.parse(f"tcp://{host}"))
        except WireError as error:
            self.log.debug("{host} is no host with a port: {why}", host=host, why=str(error))
            return
        dialling = self._dialling[host] = self._around.sessions.dial(address, None, anywhere=True)
        outcome(dialling).addCallbacks(self._dialled, self._given_up, callbackArgs=(host,), errbackArgs=(host,))

    def _dialled(self, result: Any, host: str) -> None:
        self._dialling.pop(host, None)
        if result.error is not None:
            self.log.debug("{host}: {why}", host=host, why=str(result.error))
            return
        session = result.value
        self._found[host] = (session.peer.fingerprint, session.peer.device)
        for folder in self._folders():
            if host in folder.config.hosts:
                self._try(folder, session)

    def _given_up(self, _: object, host: str) -> None:
        self._dialling.pop(host, None)


def _is(session: Any, who: tuple[bytes, bytes]) -> bool:
    return (session.peer.fingerprint, session.peer.device) == who
