"""Datagrams of a memory network."""

from random import Random
from typing import Protocol

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IListeningPort, IReactorTime
from twisted.internet.protocol import DatagramProtocol
from zope.interface import implementer


class Air(Protocol):
    """What datagrams fly through."""

    clock: IReactorTime
    random: Random
    loss: float
    datagrams: int

    def hears(self, one: str, other: str) -> bool:
        """Whether bytes get from one host to the other."""

    def delay(self, size: int) -> float:
        """Seconds until ``size`` bytes are over."""

    def members(self, group: str, number: int) -> list[str]:
        """Hosts that take part in a group."""

    def receiver(self, address: str, number: int) -> "MemoryUDPPort | None":
        """Who listens on a port of a host."""


class Host(Protocol):
    """The host that the socket belongs to."""

    address: str
    datagram_ports: "dict[int, MemoryUDPPort]"

    @property
    def network(self) -> Air:
        """The network of the host."""

    def resolve(self, name: str) -> str:
        """The host that is meant."""


@implementer(IListeningPort)
class MemoryUDPPort:
    """One bound socket; datagrams may be lost, but for those of a host to itself, and are never changed."""

    def __init__(self, host: Host, number: int, protocol: DatagramProtocol) -> None:
        self._host = host
        self._number = number
        self._protocol = protocol

    def write(self, data: bytes, address: tuple[str, int]) -> None:
        """Send one datagram."""
        network = self._host.network
        network.datagrams += 1
        target = self._host.resolve(address[0])
        is_sent = target != self._host.address
        lost = network.loss and is_sent and network.random.random() < network.loss
        if lost or not network.hears(self._host.address, target):
            return
        source = address[0] if target == self._host.address else self._host.address
        network.clock.callLater(network.delay(len(data)), self._arrive, bytes(data), target, address[1], source)

    def _arrive(self, data: bytes, target: str, number: int, source: str) -> None:
        port = self._host.network.receiver(target, number)
        if port is not None and self._host.network.hears(self._host.address, target):
            port._protocol.datagramReceived(data, (source, self._number))

    def startListening(self) -> None:  # noqa: N802 - the interface's name
        """It listens already."""

    def stopListening(self) -> "Deferred[None] | None":  # noqa: N802 - the interface's name
        """Close the socket."""
        if self._host.datagram_ports.pop(self._number, None) is not None:
            self._protocol.doStop()
        return None

    def getHost(self) -> IPv4Address:  # noqa: N802 - the interface's name
        """Address and port."""
        return IPv4Address("UDP", self._host.address, self._number)


class MemoryGroupPort(MemoryUDPPort):
    """The same, in a group: what is sent to it comes to all who are in it, this host too."""

    def __init__(self, host: Host, number: int, protocol: DatagramProtocol, group: str) -> None:
        super().__init__(host, number, protocol)
        self.group = group

    def write(self, data: bytes, address: tuple[str, int]) -> None:
        """Send one datagram."""
        for member in self._host.network.members(address[0], address[1]):
            super().write(data, (member, address[1]))
