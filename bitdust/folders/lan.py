"""Peers of folders in the same network: a datagram to a group of it says, to who holds a secret alone, where I am.

::

    announcement = "BDfolder" ‖ nonce: 16 ‖ TCP port: u16 ‖ token: 16 …
    token        = HMAC-SHA-256 under the folder's admission key of "lan", nonce and period; its first 16 bytes

The period counts ten minutes since the epoch, so a token is of no use for long. There are always a multiple of four
tokens, some of them random: others learn neither which folders there are nor how many, and cannot tell that two
announcements are of one node by what is in them. The group is of the organization's scope (RFC 2365), one hop far.
"""

from collections.abc import Callable
from typing import Any

from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IDelayedCall, IListeningPort
from twisted.internet.protocol import DatagramProtocol
from twisted.logger import Logger

from bitdust.folders.folder import Folder
from bitdust.surroundings import Connected
from bitdust.wire.addresses import Address, join_host
from bitdust.wire.networks import private_network

GROUP, PORT = "239.192.66.68", 7773
EVERY = 60.0
"""Seconds between two announcements."""
SOON = 1.0
"""Seconds between a change and an announcement, and at least between any two."""
PERIOD = 600
MAGIC = b"BDfolder"
NONCE = TOKEN = 16
PORT_SIZE = 2
MOST_TOKENS, STEP = 64, 4
MOST_A_SECOND = 50
"""Announcements that are looked at."""
PREFERENCE = "search_lan"
_HEAD = len(MAGIC) + NONCE + PORT_SIZE


class Lan(DatagramProtocol):
    """One socket on one interface."""

    def __init__(self, heard: Callable[[bytes, str], None]) -> None:
        self._heard = heard

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:  # noqa: N802 - the interface's name
        """See `DatagramProtocol`."""
        self._heard(datagram, addr[0])

    def send(self, datagram: bytes) -> None:
        """To everybody in the network; one that is gone takes nothing."""
        try:
            self.transport.write(datagram, (GROUP, PORT))  # type: ignore[union-attr]
        except OSError:
            return


class LanSearch:
    """I announce and hear while a folder wants it. ``met`` is told of a folder and of the place where it is too."""

    log = Logger()

    def __init__(
        self, around: Connected, folders: Callable[[], list[Folder]], met: Callable[[Folder, str], None]
    ) -> None:
        self._around = around
        self._clock = around.world.clock
        self._folders = folders
        self._met = met
        self._sockets: list[tuple[Lan, IListeningPort]] = []
        self._call: IDelayedCall | None = None
        self._nonces: list[bytes] = []
        self._second, self._count = 0, 0
        self._is_on = False

    def start(self) -> None:
        """May follow a `stop`."""
        self._is_on = True
        self.look()

    def stop(self) -> None:
        """Neither say nor hear anything any more."""
        self._is_on = False
        self._close()

    def look(self) -> None:
        """Folders, or what is wanted for them, are others than before."""
        if not self._is_on or not self._wanting():
            self._close()
            return
        self._open()
        self._later(SOON)

    def _wanting(self) -> list[Folder]:
        return [folder for folder in self._folders() if folder.is_meeting and folder.config.wants(PREFERENCE)]

    def _later(self, seconds: float) -> None:
        if self._call is not None and self._call.active():
            self._call.cancel()
        self._call = self._clock.callLater(seconds, self._announce)

    # sockets

    def _open(self) -> None:
        if self._sockets:
            return
        network = self._around.world.network
        own = self._around.settings.get("services/network/interface")
        for address in [own] if own else network.interfaces():
            if ":" in address or private_network(address) is None:
                continue
            lan = Lan(self._heard)
            try:
                self._sockets.append((lan, network.listen_multicast(GROUP, PORT, lan, address)))
            except (CannotListenError, OSError) as error:
                self.log.info("peers are not searched in the network of {address}: {why}", address=address, why=error)

    def _close(self) -> None:
        if self._call is not None and self._call.active():
            self._call.cancel()
        self._call = None
        sockets, self._sockets = self._sockets, []
        for _, port in sockets:
            port.stopListening()

    # saying

    def _announce(self) -> None:
        wanting = self._wanting()
        if not wanting:
            self._close()
            return
        addresses = map(Address.parse, self._around.sessions.addresses())
        port = next((one.port for one in addresses if one.scheme == "tcp"), 0)
        for at in range(0, len(wanting) if port else 0, MOST_TOKENS):
            datagram = self._announcement(wanting[at : at + MOST_TOKENS], port)
            for lan, _ in self._sockets:
                lan.send(datagram)
        self._later(EVERY)

    def _announcement(self, folders: list[Folder], port: int) -> bytes:
        entropy = self._around.world.entropy
        nonce = entropy(NONCE)
        self._nonces = [*self._nonces[-9:], nonce]
        tokens = [_token(folder, nonce, self._period) for folder in folders]
        tokens += [entropy(TOKEN) for _ in range(-len(tokens) % STEP)]
        return MAGIC + nonce + port.to_bytes(PORT_SIZE, "big") + b"".join(sorted(tokens))

    @property
    def _period(self) -> int:
        return int(self._around.world.wall()) // PERIOD

    # hearing

    def _heard(self, datagram: bytes, host: str) -> None:
        tokens = datagram[_HEAD:]
        size = len(tokens) // TOKEN
        if not datagram.startswith(MAGIC) or len(tokens) % TOKEN or not 0 < size <= MOST_TOKENS or size % STEP:
            return
        nonce, port = (
            datagram[len(MAGIC) : _HEAD - PORT_SIZE],
            int.from_bytes(datagram[_HEAD - PORT_SIZE : _HEAD], "big"),
        )
        if not port or nonce in self._nonces or private_network(host) is None or self._is_flood():
            return
        shown = {tokens[at : at + TOKEN] for at in range(0, len(tokens), TOKEN)}
        now = self._period
        for folder in self._wanting():
            if any(_token(folder, nonce, period) in shown for period in (now, now - 1, now + 1)):
                self._met(folder, join_host(host, port))

    def _is_flood(self) -> bool:
        second = int(self._clock.seconds())
        if second != self._second:
            self._second, self._count = second, 0
        self._count += 1
        return self._count > MOST_A_SECOND


def _token(folder: Folder, nonce: bytes, period: int) -> bytes:
    return folder.store.keys.proof("lan", nonce, period.to_bytes(8, "big"))[:TOKEN]
