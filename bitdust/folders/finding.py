"""Peers of folders are found: at known hosts, among friends and devices of mine, in the DHT, on the local network.

Each way has a preference of its own, a folder at a time; with all of them off nothing is sent to look for anybody.
"""

from collections.abc import Callable
from typing import Any

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from bitdust.folders import dht_search, lan
from bitdust.folders.dht_search import DhtSearch, FolderDirectory
from bitdust.folders.exchange import Exchange
from bitdust.folders.folder import Folder
from bitdust.folders.lan import LanSearch
from bitdust.outcome import outcome
from bitdust.surroundings import Connected
from bitdust.wire.addresses import Address
from bitdust.wire.encoding import WireError
from bitdust.wiring import Wire

EVERY = 10.0
"""Seconds between two dials of a host that does not answer."""
MOST_PLACES = 200
"""Places that were found, all folders together."""
MOST_WAYS = 64
"""Ways by which one place was found."""
AT_ONCE = 8
"""Of them that are dialled at a time."""


@frozen
class _Seen:
    """How a place was found for a folder: by which preference, and who is to be there, where that is known."""

    folder: str
    preference: str
    expect: bytes | None = None


class Finding:
    """I look for peers from `start` to `stop`. ``knows`` says with whom there are dealings anyway."""

    log = Logger()
    directory = Wire(FolderDirectory)

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
        self._seen: dict[str, set[_Seen]] = {}
        self._lan = LanSearch(around, folders, self._met_nearby)
        self._dht: DhtSearch | None = None
        self._call: IDelayedCall | None = None
        self._forget: Callable[[], None] | None = None

    def start(self) -> None:
        """May follow a `stop`."""
        self._forget = self._around.sessions.on_session(self._session)
        self._dht = DhtSearch(self._around, self._folders, self.directory, self._met_far)
        self._dht.start()
        self._lan.start()
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
        self._lan.stop()
        if self._dht is not None:
            self._dht.stop()
        self._seen.clear()

    def network_is_back(self) -> None:
        """Others are in the hash table again: who was not found there a moment ago may be found now."""
        if self._dht is not None:
            self._dht.look()

    def look_for(self, folder: Folder) -> None:
        """A folder that is ready to meet peers now."""
        for session in self._around.sessions.sessions():
            self._try(folder, session)
        self._look()
        self._lan.look()
        if self._dht is not None:
            self._dht.look()

    def _session(self, session: Any, up: bool) -> None:
        if not up:
            self._exchange.session_over(session)
            return
        for folder in self._folders():
            self._try(folder, session)

    def _try(self, folder: Folder, session: Any) -> None:
        """Greet who is known; strangers greet first, so that nobody learns from here how many folders there are."""
        who = (session.peer.fingerprint, session.peer.device)
        is_host = any(found == who and self._is_place(folder, place) for place, found in self._found.items())
        is_mine = session.peer.fingerprint == self._around.me.fingerprint
        if is_host or (folder.config.wants("use_tracker") and (is_mine or self._knows(session.peer.fingerprint))):
            self._exchange.greet(folder, session)

    def _is_place(self, folder: Folder, place: str) -> bool:
        """Whether peers of a folder are to be there, by a way that is still wanted."""
        config = folder.config
        if place in config.hosts and config.wants("use_hosts"):
            return True
        return any(one.folder == config.text and config.wants(one.preference) for one in self._seen.get(place, ()))

    # nearby, and in the DHT

    def _met_nearby(self, folder: Folder, place: str) -> None:
        self._met(folder, place, _Seen(folder.config.text, lan.PREFERENCE))

    def _met_far(self, folder: Folder, address: str, whose: bytes) -> None:
        if address.startswith("tcp://"):
            self._met(folder, address.removeprefix("tcp://"), _Seen(folder.config.text, dht_search.PREFERENCE, whose))

    def _met(self, folder: Folder, place: str, seen: _Seen) -> None:
        if place not in self._seen and len(self._seen) >= MOST_PLACES:
            gone = next(iter(self._seen))
            del self._seen[gone]
            self._found.pop(gone, None)
        if len(self._seen.setdefault(place, set())) < MOST_WAYS:
            self._seen[place].add(seen)
        if len(self._dialling) < AT_ONCE or place in self._found:
            self._look_at(folder, place, seen)

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

    def _look_at(self, folder: Folder, host: str, seen: _Seen | None = None) -> None:
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
        # Whose address was told in the DHT is known; it may not lead into a network in which this node is not.
        expect = seen.expect if seen is not None else None
        dialling = self._dialling[host] = self._around.sessions.dial(address, expect, anywhere=expect is None)
        outcome(dialling).addCallbacks(self._dialled, self._given_up, callbackArgs=(host,), errbackArgs=(host,))

    def _dialled(self, result: Any, host: str) -> None:
        self._dialling.pop(host, None)
        if result.error is not None:
            self.log.debug("{host}: {why}", host=host, why=str(result.error))
            return
        who = self._found[host] = (result.value.peer.fingerprint, result.value.peer.device)
        session = next((one for one in self._around.sessions.sessions() if _is(one, who)), result.value)
        for folder in self._folders():
            if self._is_place(folder, host):
                self._try(folder, session)

    def _given_up(self, _: object, host: str) -> None:
        self._dialling.pop(host, None)


def _is(session: Any, who: tuple[bytes, bytes]) -> bool:
    return (session.peer.fingerprint, session.peer.device) == who
