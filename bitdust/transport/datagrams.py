"""The one UDP port of a node, which several protocols share: the first byte of a datagram says whose it is.

Ranges of first bytes are those of RFC 7983 and RFC 9443, so that STUN, DTLS and QUIC find theirs free. What nobody has
asked for, and what is longer than a packet on the wire, vanishes without a word.
"""

from collections.abc import Callable, Iterable
from typing import Any

from twisted.internet.defer import Deferred, gatherResults, maybeDeferred
from twisted.internet.error import CannotListenError, MessageLengthError
from twisted.internet.interfaces import IListeningPort
from twisted.internet.protocol import DatagramProtocol
from twisted.logger import Logger

from bitdust.signal import Disconnect
from bitdust.wire.errors import BitDustError
from bitdust.world import Network

Address = tuple[str, int]
Receive = Callable[[bytes, Address], None]
MAX_DATAGRAM = 1500


class _Socket(DatagramProtocol):
    """One bound socket of one family."""

    def __init__(self, received: Callable[[bytes, Any], None]) -> None:
        self.datagramReceived: Callable[[bytes, Any], None] = received  # type: ignore[assignment]


class DatagramPort:
    """I open the port, of both families where no interface is named, and hand each datagram to its protocol."""

    log = Logger()

    def __init__(self, network: Network) -> None:
        self._network = network
        self._by_first: list[Receive | None] = [None] * 256
        self._ports: list[IListeningPort] = []
        self._four: Any = None
        self._six: Any = None
        self.refused = 0
        """Datagrams that nobody has asked for."""

    def open(self, port: int, interface: str = "") -> int:
        """Bind; the number. Raises `BitDustError` ``port-taken``."""
        first = _Socket(self._received)
        try:
            self._ports = [self._network.listen_udp(port, first, interface)]
        except CannotListenError as error:
            raise BitDustError("port-taken", f"UDP port {port} cannot be opened: {error}") from error
        if ":" in interface:
            self._six = first.transport
        else:
            self._four = first.transport
        if not interface:
            self._open_six()
        return self.port

    def _open_six(self) -> None:
        """The same port for IPv6; a host without it goes without."""
        second = _Socket(self._received)
        try:
            self._ports.append(self._network.listen_udp(self.port, second, "::"))
            self._six = second.transport
        except CannotListenError as error:
            self.log.debug("no IPv6: {why}", why=error)

    @property
    def is_open(self) -> bool:
        """Whether datagrams can come and go."""
        return bool(self._ports)

    @property
    def port(self) -> int:
        """The UDP port, 0 while it is closed."""
        host: Any = self._ports[0].getHost() if self._ports else None
        return 0 if host is None else int(host.port)

    def close(self) -> "Deferred[None]":
        """Unbind; protocols stay and go on when the port opens again."""
        ports, self._ports = self._ports, []
        self._four = self._six = None
        closed = gatherResults([maybeDeferred(port.stopListening) for port in ports])
        return closed.addCallback(lambda _: None)

    def add(self, first_bytes: Iterable[int], receive: Receive) -> Disconnect:
        """Hand datagrams that begin with one of these bytes to ``receive(data, (host, port))``; the answer ends that.

        Raises `ValueError` when another protocol has one of them.
        """
        wanted = tuple(first_bytes)
        taken = [byte for byte in wanted if self._by_first[byte] is not None]
        if taken:
            raise ValueError(f"datagrams that begin with {taken} belong to another protocol")
        for byte in wanted:
            self._by_first[byte] = receive

        def remove() -> None:
            for byte in wanted:
                if self._by_first[byte] is receive:
                    self._by_first[byte] = None

        return remove

    def send(self, data: bytes, address: Address) -> None:
        """Send one datagram; like every datagram it may be lost, for instance where there is no way to that family."""
        socket = self._six if ":" in address[0] else self._four
        if socket is None:
            return
        try:
            socket.write(data, address)
        except (OSError, MessageLengthError) as error:
            self.log.debug("no datagram to {address}: {error}", address=address, error=error)

    def _received(self, data: bytes, address: tuple[Any, ...]) -> None:
        receive = self._by_first[data[0]] if 0 < len(data) <= MAX_DATAGRAM else None
        if receive is None or (len(address) == 4 and address[3]):  # no answer finds back to an address with a zone
            self.refused += 1
        else:
            receive(data, (address[0], address[1]))
