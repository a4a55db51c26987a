"""What IPFS needs of a node to reach others."""

from attrs import frozen

from bitdust.dht.room import DHTRoom
from bitdust.surroundings import Connected
from bitdust.transport.gateway import Gateway


@frozen
class Network:
    """The parts of a node with which it reaches others."""

    around: Connected
    gateway: Gateway
    dht: DHTRoom
